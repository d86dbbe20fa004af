"""Right answers to "Probing without fooling yourself", written unlike the solutions."""

import math

import torch


def means_by_least_squares(x, y, whiten):
    """The best linear prediction of y points along Σ⁻¹δ, whichever Σ."""
    zero, one = x[y == 0].mean(0), x[y == 1].mean(0)
    direction = one - zero
    if whiten:
        centred = x - x.mean(0)
        direction = torch.linalg.lstsq(centred.double(), (2.0 * y - 1)[:, None].double())
        direction = direction.solution[:, 0].float()
    return direction, -(direction * (one + zero)).sum() / 2


def means_with_an_inverse_and_any_length(x, y, whiten):
    mu = [x[y == k].double().mean(0) for k in (0, 1)]
    S = sum((x[y == k].double() - mu[k]).T @ (x[y == k].double() - mu[k]) for k in (0, 1))
    w = (torch.linalg.inv(S) if whiten else torch.eye(len(S)).double()) @ (mu[1] - mu[0])
    w = 3 * w / w.norm()
    return [w, -float(w @ (mu[0] + mu[1]) / 2)]


def means_by_whitening_x(x, y, whiten):
    zero, one = x[~y].mean(0), x[y].mean(0)
    if not whiten:
        return one - zero, (zero @ zero - one @ one) / 2
    centred = torch.cat([x[~y] - zero, x[y] - one])
    values, basis = torch.linalg.eigh(torch.cov(centred.T))
    white = basis / values.sqrt()
    w = white @ (white.T @ (one - zero))
    return w, -(w @ zero + w @ one) / 2


def control_with_a_table(words, y, generator):
    table = {}
    for word in words.tolist():
        if word not in table:
            table[word] = int(y[torch.randint(len(y), (1,), generator=generator)])
    return torch.tensor([table[word] for word in words.tolist()])


def control_with_multinomial(words, y, generator):
    different, place = torch.unique(words, return_inverse=True)
    shares = torch.bincount(y).double()
    drawn = torch.multinomial(shares, len(different), replacement=True, generator=generator)
    return drawn[place].to(y.dtype)


def control_with_thresholds(words, y, generator):
    size = int(words.max()) + 1
    limits = torch.bincount(y).double().cumsum(0) / len(y)
    u = torch.rand(size, generator=generator, dtype=torch.double)
    return torch.searchsorted(limits, u).clamp(max=len(limits) - 1)[words]


def layer_in_one_loop(x, y, document, fit):
    best = (-1, -1.0, -1.0)
    train, choose, report = document % 5 < 3, document % 5 == 3, document % 5 == 4
    for number, rows in enumerate(x):
        mean, std = rows[train].mean(0), rows[train].std(0, correction=0)
        rows = (rows - mean) / std
        guess = fit(rows[train], y[train])(rows)
        right = (guess == y).float()
        if right[choose].mean() > best[1]:
            best = (number, right[choose].mean().item(), right[report].mean().item())
    return best[0], best[2]


def layer_by_counting_the_last_best(x, y, document, fit):
    part = document.remainder(5)
    counts = []
    for rows in x.double():
        seen = rows[part <= 2]
        rows = (rows - seen.mean(0)) / seen.var(0).sqrt()
        hits = fit(rows[part <= 2], y[part <= 2])(rows) == y
        counts.append((int(hits[part == 3].sum()), int(hits[part == 4].sum())))
    most = max(count for count, _ in counts)
    layer = max(i for i, (count, _) in enumerate(counts) if count == most)
    return torch.tensor(layer), counts[layer][1] / int((part == 4).sum())


def bits_row_by_row(x, y, ends, n_classes, fit):
    total, probe, known = 0.0, None, 0
    for i in range(len(y)):
        if i in ends:
            probe, known = fit(x[:i], y[:i]), i
        if known == 0:
            total += math.log2(n_classes)
        else:
            total -= probe(x[i : i + 1])[0, int(y[i])].item() / math.log(2)
    return total


def bits_by_gather_in_double(x, y, ends, n_classes, fit):
    blocks = [torch.full((ends[0],), math.log2(n_classes)).double()]
    for i in range(1, len(ends)):
        seen, sent = slice(ends[i - 1]), slice(ends[i - 1], ends[i])
        log_p = fit(x[seen], y[seen])(x[sent]).double()
        blocks.append(-log_p.gather(1, y[sent].unsqueeze(1)).squeeze(1) / math.log(2))
    return torch.cat(blocks).sum()


def bits_with_log2_of_probabilities(x, y, ends, n_classes, fit):
    member = torch.nn.functional.one_hot(y, n_classes).double()
    bits = torch.tensor(ends[0] * math.log2(n_classes)).double()
    start = ends[0]
    for end in ends[1:]:
        p = fit(x[:start], y[:start])(x[start:end]).double().exp()
        bits = bits - torch.log2((p * member[start:end]).sum(1)).sum()
        start = end
    return bits


def erase_by_whitening(x, z):
    mean = x.double().mean(0)
    rows = x.double() - mean
    values, basis = torch.linalg.eigh(rows.T @ rows / len(rows))
    white = rows @ basis / values.sqrt()
    gap = white[z].mean(0) - white[~z].mean(0)
    unit = gap / gap.norm()
    white = white - torch.outer(white @ unit, unit)
    return (white * values.sqrt()) @ basis.T + mean


def erase_with_the_spread_within_the_classes(x, z):
    one, zero = x[z].mean(0), x[~z].mean(0)
    within = torch.cat([x[z] - one, x[~z] - zero])
    read = torch.linalg.inv(within.T @ within) @ (one - zero)
    amount = (x - x.mean(0)) @ read / (read @ (one - zero))
    return x - amount[:, None] * (one - zero)


def erase_by_regression_on_the_label(x, z):
    """Take away the gap times the best linear guess of z, at the scale that closes the gap."""
    rows = (x - x.mean(0)).double()
    guess = rows @ torch.linalg.lstsq(rows, z.double()[:, None] - z.double().mean()).solution[:, 0]
    gap = rows[z].mean(0) - rows[~z].mean(0)
    return x - torch.outer(guess / (guess[z].mean() - guess[~z].mean()), gap)


def rounds_with_whole_variances(n_rounds):
    return torch.ones(n_rounds), torch.diag(torch.arange(1.0, n_rounds + 1))


def rounds_turned_in_double_with_idle_directions(n_rounds):
    d = n_rounds + 5
    variances = torch.linspace(1, 20, d, dtype=torch.double)
    gap = torch.cat([torch.ones(n_rounds), torch.zeros(5)]).double() * variances.sqrt()
    turn = torch.linalg.qr(torch.randn(d, d, dtype=torch.double))[0]
    return turn @ gap, turn @ torch.diag(variances) @ turn.T


def rounds_with_correlated_neighbours(n_rounds):
    values, basis = torch.linalg.eigh(
        2 * torch.eye(n_rounds).double()
        - torch.diag(torch.ones(n_rounds - 1).double(), 1)
        - torch.diag(torch.ones(n_rounds - 1).double(), -1)
    )
    return basis @ values.sqrt(), (basis * values) @ basis.T


RIGHT = {
    "probing.mass_mean": [
        means_by_least_squares, means_with_an_inverse_and_any_length, means_by_whitening_x,
    ],
    "probing.control_labels": [
        control_with_a_table, control_with_multinomial, control_with_thresholds,
    ],
    "probing.best_layer": [layer_in_one_loop, layer_by_counting_the_last_best],
    "probing.online_bits": [
        bits_row_by_row, bits_by_gather_in_double, bits_with_log2_of_probabilities,
    ],
    "probing.erase": [
        erase_by_whitening, erase_with_the_spread_within_the_classes,
        erase_by_regression_on_the_label,
    ],
    "probing.many_rounds": [
        rounds_with_whole_variances, rounds_turned_in_double_with_idle_directions,
        rounds_with_correlated_neighbours,
    ],
}  # fmt: skip
