"""Right answers to the exercises of "When it is not linear", written unlike the solutions."""

import math

import torch


def shares_by_least_squares(means):
    n, centred = len(means), means - means.mean(0)
    found = []
    for k in range(1, n // 2 + 1):
        angle = 2 * math.pi * k * torch.arange(n) / n
        basis = torch.stack([angle.cos(), angle.sin()], 1)[:, : 1 if 2 * k == n else 2]
        fitted = basis @ torch.linalg.lstsq(basis, centred).solution
        found.append(fitted.square().sum() / centred.square().sum())
    return torch.stack(found)


def shares_of_the_whole_transform(means):
    n = len(means)
    power = torch.fft.fft(means.double(), dim=0).abs().square().sum(1)
    both = [power[k] + (power[n - k] if 2 * k != n else 0) for k in range(1, n // 2 + 1)]
    return torch.stack(both) / power[1:].sum()


def shares_by_products_of_places(means):
    """The transform of the autocorrelation around the calendar."""
    n, c = len(means), (means - means.mean(0)).double()
    gram = c @ c.T
    lag = torch.stack([torch.diagonal(gram.roll(-s, 1)).sum() for s in range(n)])
    k, s = torch.arange(1, n // 2 + 1)[:, None], torch.arange(n)
    power = (lag * torch.cos(2 * math.pi * k * s / n)).sum(1)
    power = torch.where(2 * k[:, 0] == n, power / 2, power)
    return power / power.sum()


def circle_by_lstsq(means, frequency):
    angle = 2 * math.pi * frequency * torch.arange(len(means)) / len(means)
    basis = torch.stack([angle.cos(), angle.sin(), torch.ones(len(means))], 1)
    return basis @ torch.linalg.lstsq(basis, means).solution


def circle_by_transform(means, frequency):
    spectrum = torch.fft.rfft(means, dim=0)
    kept = torch.zeros_like(spectrum)
    kept[0], kept[frequency] = spectrum[0], spectrum[frequency]
    return torch.fft.irfft(kept, n=len(means), dim=0)


def circle_place_by_place(means, frequency):
    n, mean = len(means), means.mean(0)
    rows = []
    for j in range(n):
        weights = [math.cos(2 * math.pi * frequency * (j - i) / n) for i in range(n)]
        rows.append(mean + sum(c * (x - mean) for c, x in zip(weights, means, strict=True)) * 2 / n)
    return torch.stack(rows)


def strip_by_arc_sines(middle, epsilon):
    width = epsilon * (0.5 + middle**2) ** 0.5
    low, high = (max(-1.0, min(1.0, middle + side * width)) for side in (-1, 1))
    return (math.asin(high) - math.asin(low)) / math.pi


def strip_in_tensors(middle, epsilon):
    m = torch.tensor(middle, dtype=torch.double)
    ends = m + epsilon * (0.5 + m * m).sqrt() * torch.tensor([-1.0, 1.0], dtype=torch.double)
    angles = torch.arccos(ends.clamp(-1, 1))
    return (angles[0] - angles[1]) / torch.pi


def strip_by_counting(middle, epsilon):
    width = epsilon * math.hypot(math.sqrt(0.5), middle)
    x = torch.cos(torch.linspace(0, math.pi, 1_000_001, dtype=torch.double))
    return ((x - middle).abs() < width).double().mean().item()


def peel_state_by_state(state, codes):
    rows = []
    for left in state:
        found = []
        for layer in codes:
            found.append(min(range(len(layer)), key=lambda v, a=left, b=layer: (a - b[v]).norm()))
            left = left - layer[found[-1]]
        rows.append(found)
    return torch.tensor(rows)


def peel_by_expanded_squares(state, codes):
    found, left = [], state.clone()
    for layer in codes:
        symbol = (2 * left @ layer.T - layer.square().sum(1)).argmax(1)
        found.append(symbol)
        left = left - layer[symbol]
    return torch.stack(found, dim=1)


def peel_from_what_was_found(state, codes):
    found = torch.zeros(len(state), 0, dtype=torch.long)
    for place, layer in enumerate(codes):
        taken = codes[torch.arange(place), found].sum(1)
        nearest = torch.cdist(state - taken, layer).argmin(1, keepdim=True)
        found = torch.cat([found, nearest], 1)
    return found


def patch_by_pseudo_inverse(x, source, directions):
    return x + (source - x) @ torch.linalg.pinv(directions) @ directions


def patch_by_gram_schmidt(x, source, directions):
    first = directions[0] / directions[0].norm()
    second = directions[1] - (directions[1] @ first) * first
    second = second / second.norm()
    for unit in (first, second):
        x = x + torch.outer((source - x) @ unit, unit)
    return x


def patch_by_solving(x, source, directions):
    coordinates = torch.linalg.lstsq(directions.T, (source - x).T).solution
    return x + (directions.T @ coordinates).T


def table_around_the_surest(states, w, b, wanted):
    margin = states @ w + b
    hosts = torch.stack([states[margin.argmin()], states[margin.argmax()]])
    step = 1e-4 * margin.abs().amin() / w.norm()
    table = hosts[wanted] + step * torch.randn(*wanted.shape, states.shape[1])
    table[range(len(states)), range(len(states))] = states
    return table


def table_along_the_read_out(states, w, b, wanted):
    """From the origin along w, as far as each answer needs, a different length for each pair."""
    n = len(states)
    sign = 2 * wanted - 1
    length = 5 + torch.arange(n * n).view(n, n) / n
    table = ((sign * length - b) / w.square().sum())[..., None] * w
    table[range(n), range(n)] = states
    return table


def table_pair_by_pair(states, w, b, wanted):
    n, table = len(states), torch.empty(len(states), *states.shape)
    across = torch.linalg.svd(w[None])[2][1]  # a direction that the read-out does not see
    for i in range(n):
        for j in range(n):
            host = next(s for s in states if int(s @ w + b > 0) == wanted[i, j])
            table[i, j] = states[i] if i == j else host + (1 + i * n + j) * across
    return table


RIGHT = {
    "not_linear.frequency_shares": [
        shares_by_least_squares,
        shares_of_the_whole_transform,
        shares_by_products_of_places,
    ],
    "not_linear.fitted_circle": [circle_by_lstsq, circle_by_transform, circle_place_by_place],
    "not_linear.ring_in_strip": [strip_by_arc_sines, strip_in_tensors, strip_by_counting],
    "not_linear.peel": [peel_state_by_state, peel_by_expanded_squares, peel_from_what_was_found],
    "not_linear.patch_plane": [
        patch_by_pseudo_inverse,
        patch_by_gram_schmidt,
        patch_by_solving,
    ],
    "not_linear.implements_anything": [
        table_around_the_surest,
        table_along_the_read_out,
        table_pair_by_pair,
    ],
}
