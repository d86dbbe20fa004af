"""Right answers to the exercises of "Steering with latents", written unlike the solutions."""

import math

import torch


def top_by_a_threshold(values, present, share):
    fired = values[values > 0].sort(descending=True).values
    least = fired[math.ceil(share * len(fired) - 1e-9) - 1]
    chosen = values >= least
    return (present & chosen).sum() / chosen.sum(), (present & chosen).sum() / present.sum()


def top_by_ranks(values, present, share):
    rank = values.argsort(descending=True).argsort()
    chosen = (values > 0) & (rank < share * (values > 0).sum() - 1e-4)
    both = float((present & chosen).sum())
    return [both / float(chosen.sum()), both / float(present.sum())]


def top_in_plain_python(values, present, share):
    fired = sorted(
        ((v, p) for v, p in zip(values.tolist(), present.tolist(), strict=True) if v > 0),
        reverse=True,
    )
    kept = [p for _, p in fired[: -int(-(share * len(fired) - 1e-9) // 1)]]
    return torch.tensor([sum(kept) / len(kept), sum(kept) / present.sum().item()])


def latent_by_means(x, drink, other):
    """Along what is left of each mean beside the other, so that levels are free to choose."""
    rest = x[~drink & ~other].mean(0)
    d, o = x[drink].mean(0) - rest, x[other].mean(0) - rest
    levels = torch.linalg.pinv(torch.stack([d, o])) @ torch.tensor([2.0, 1.0])
    return levels, float(-(rest @ levels) - 0.5)


def latent_by_ridge(x, drink, other):
    wanted = 3.0 * drink + 1.0 * other
    mean, target = x.mean(0), wanted.mean()
    c = x - mean
    w = torch.linalg.solve(c.T @ c + 1e-2 * torch.eye(x.shape[1]), c.T @ (wanted - target))
    return w, target - mean @ w - 0.5


def latent_scaled_in_double(x, drink, other):
    ones = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    fit = torch.linalg.pinv(ones) @ (20.0 * drink + 8.0 * other).double()
    return fit[:-1], fit[-1] - 4


def dose_by_bisection(log_p, z, effect, a, b):
    def lead(value):
        moved = log_p + (value - z)[:, None] * effect
        return moved[:, a] - moved[:, b]

    low, high = torch.full_like(z, -1e3).double(), torch.full_like(z, 1e3).double()
    rises = effect[a] > effect[b]
    for _ in range(60):
        middle = (low + high) / 2
        above = (lead(middle) > 0) == rises
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return middle


def dose_from_two_points(log_p, z, effect, a, b):
    at_zero = log_p - z[:, None] * effect
    at_one = at_zero + effect
    odds = [table[:, a] - table[:, b] for table in (at_zero, at_one)]
    return odds[0] / (odds[0] - odds[1])


def dose_with_odds(log_p, z, effect, a, b):
    odds = (log_p[:, b] - log_p[:, a]).double()
    return z.double() + odds / (effect[a] - effect[b]).double()


def clamp_with_the_error(x, encode, decode, latent, value):
    z = encode(x)
    error = x - decode(z)
    z[:, latent] = torch.where(z[:, latent] > 0, value, z[:, latent])
    return decode(z) + error


def clamp_along_the_row(x, encode, decode, latent, value):
    z = encode(x)
    on = torch.zeros_like(z[:1])
    row = decode(on + torch.eye(z.shape[1])[latent]) - decode(on)
    step = (value - z[:, latent]) * (z[:, latent] > 0)
    return x + step[:, None] * row


def clamp_row_by_row(x, encode, decode, latent, value):
    rows = []
    for one in x:
        z = encode(one[None])
        new = z.clone()
        if new[0, latent] > 0:
            new[0, latent] = value
        rows.append(one + (decode(new) - decode(z))[0])
    return torch.stack(rows)


def interval_by_the_quadratic(won, z):
    n, k = won.shape[-1], won.sum(-1).double()
    a, b, c = n + z**2, -(2 * k + z**2), k**2 / n
    root = (b**2 - 4 * a * c).clamp(min=0).sqrt()
    return torch.stack([(-b - root) / (2 * a), (-b + root) / (2 * a)], -1)


def interval_by_bisection(won, z):
    n, seen = won.shape[-1], won.double().mean(-1)
    ends = []
    for end in (0.0, 1.0):
        inside, outside = seen.clone(), torch.full_like(seen, end)
        for _ in range(60):
            p = (inside + outside) / 2
            near = (p - seen).abs() <= z * (p * (1 - p) / n).sqrt()
            inside, outside = torch.where(near, p, inside), torch.where(near, outside, p)
        ends.append(inside)
    return torch.stack(ends, -1)


def interval_in_single_precision(won, z):
    n, p = won.shape[-1], won.float().mean(-1)
    scale = 1 + z * z / n
    half = z * torch.sqrt((p * (1 - p) + z * z / (4 * n)) / n) / scale
    centre = (p + z * z / (2 * n)) / scale
    return torch.cat([(centre - half)[..., None], (centre + half)[..., None]], -1)


def honest_in_a_loop(effect, cost, choosing, budget):
    found = []
    for gains, prices in zip(effect, cost, strict=True):
        best, told = None, 0.0
        for gain, price in zip(gains, prices, strict=True):
            if price[choosing].mean() > budget:
                continue
            if best is None or gain[choosing].mean() > best:
                best, told = gain[choosing].mean(), gain[~choosing].mean()
        found.append(float(told))
    return torch.tensor(found)


def honest_with_weights(effect, cost, choosing, budget):
    w = choosing.double()
    gain, price = ((v.double() * w).sum(-1) / w.sum() for v in (effect, cost))
    told = (effect.double() * (1 - w)).sum(-1) / (1 - w).sum()
    ranked = torch.where(price <= budget, gain, -1e9)
    one = torch.nn.functional.one_hot(ranked.argmax(1), ranked.shape[1]).double()
    return (one * told * (price <= budget)).sum(1)


def honest_by_indexing(effect, cost, choosing, budget):
    first, second = choosing.nonzero()[:, 0], (~choosing).nonzero()[:, 0]
    result = torch.zeros(len(effect))
    for m in range(len(effect)):
        ok = (cost[m][:, first].mean(1) <= budget).nonzero()[:, 0]
        if len(ok):
            best = ok[effect[m][ok][:, first].mean(1).argmax()]
            result[m] = effect[m, best, second].mean()
    return result


RIGHT = {
    "steering_with_latents.precision_at_top": [
        top_by_a_threshold,
        top_by_ranks,
        top_in_plain_python,
    ],
    "steering_with_latents.latent_of_two": [
        latent_by_means,
        latent_by_ridge,
        latent_scaled_in_double,
    ],
    "steering_with_latents.even_dose": [
        dose_by_bisection,
        dose_from_two_points,
        dose_with_odds,
    ],
    "steering_with_latents.clamp": [
        clamp_with_the_error,
        clamp_along_the_row,
        clamp_row_by_row,
    ],
    "steering_with_latents.share_interval": [
        interval_by_the_quadratic,
        interval_by_bisection,
        interval_in_single_precision,
    ],
    "steering_with_latents.honest_effect": [
        honest_in_a_loop,
        honest_with_weights,
        honest_by_indexing,
    ],
}
