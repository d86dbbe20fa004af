"""Right answers to the exercises of "Causal tests and illusions", written unlike the solutions."""

import math

import torch


def along_by_projector(h, v, other):
    P = torch.outer(v, v) / (v @ v)
    return h @ (torch.eye(len(v)) - P) + other @ P


def along_by_coordinates(h, v, other):
    """In a basis whose first vector is v."""
    Q = torch.linalg.svd(v[None])[2]
    coordinates, theirs = h @ Q.T, other.expand(h.shape) @ Q.T
    return torch.cat([theirs[:, :1], coordinates[:, 1:]], 1) @ Q


def along_row_by_row(h, v, other):
    rows = []
    for x, y in zip(h, other.expand(h.shape), strict=True):
        rows.append(x + (torch.dot(y, v) - torch.dot(x, v)) / v.square().sum() * v)
    return torch.stack(rows)


def effect_of_means(patched, clean, corrupt, mode):
    if mode == "noise":
        clean, corrupt = corrupt, clean
    return (patched.mean() - corrupt.mean()) / (clean.mean() - corrupt.mean())


def effect_as_weighted_ratios(patched, clean, corrupt, mode):
    ratio = (patched - corrupt) / (clean - corrupt)
    denoised = torch.sum(ratio * (clean - corrupt)) / torch.sum(clean - corrupt)
    return denoised if mode == "denoise" else 1 - denoised


def effect_in_numbers(patched, clean, corrupt, mode):
    p, c, d = (sum(t.tolist()) for t in (patched, clean, corrupt))
    return {"denoise": (p - d) / (c - d), "noise": (c - p) / (c - d)}[mode]


def split_by_pinv(v, W_out):
    row = torch.linalg.pinv(W_out, rtol=1e-5) @ W_out @ v
    return row, v - row


def split_by_eigenvectors(v, W_out):
    W = W_out.double()
    size, basis = torch.linalg.eigh(W.T @ W)
    unseen = basis[:, size < 1e-8 * size.max()]
    null = unseen @ (unseen.T @ v.double())
    return (v.double() - null).float(), null.float()


def split_by_gram_schmidt(v, W_out):
    basis = []
    for w in W_out.double():
        left = w - sum((w @ b) * b for b in basis)
        if left.norm() > 1e-5 * w.norm():
            basis.append(left / left.norm())
    row = sum((v.double() @ b) * b for b in basis)
    return [row, v.double() - row]


def illusory_by_a_quadratic(follows, reads):
    """With p = v1 v2: v1² is a root of s² - s + p²."""
    p = 1 / (follows * reads)
    inside = 0.25 - p * p
    if inside < 0:
        return []
    found = []
    for side in {inside**0.5, -(inside**0.5)}:
        v1 = math.sqrt(0.5 + side)
        found.append((v1, p / v1))
    return found


def illusory_by_sum_and_difference(follows, reads):
    """(v1 + v2)² = 1 + 2 p and (v1 - v2)² = 1 - 2 p."""
    p = 1 / (follows * reads)
    if 2 * abs(p) > 1:
        return torch.zeros(0, 2, dtype=torch.double)
    plus, minus = math.sqrt(1 + 2 * p), math.sqrt(1 - 2 * p)
    rows = [((plus + minus) / 2, (plus - minus) / 2), ((plus - minus) / 2, (plus + minus) / 2)]
    return torch.tensor([row if row[0] > 0 else (-row[0], -row[1]) for row in rows])


def illusory_by_looking(follows, reads):
    angle = torch.linspace(-math.pi / 2, math.pi / 2, 2_000_001, dtype=torch.double)
    over = follows * reads * torch.sin(2 * angle) / 2 - 1
    at = angle[:-1][over[1:].sign() != over[:-1].sign()]
    if len(at) != 2:
        at = angle[over.abs() < 1e-11][:1]
    return torch.stack([at.cos(), at.sin()], 1)


def plane_by_bisectors(w_in, w_out, v):
    """At a right angle to v, n · a and n · b multiply to 1 at an angle to the middle of a and b."""
    a, b = w_in - (w_in @ v) * v, w_out - (w_out @ v) * v
    size = a.norm() * b.norm()
    middle = a / a.norm() + b / b.norm()
    middle = middle / middle.norm()
    between = math.acos(max(-1.0, min(1.0, (a @ b / size).item())))
    tilt = math.acos(min(1.0, 2 / size.item() - math.cos(between))) / 2
    n = math.cos(tilt) * middle + math.sin(tilt) * torch.linalg.cross(v, middle)
    return torch.stack([v, torch.linalg.cross(v, n)])


def plane_by_bisection(w_in, w_out, v):
    p, q = torch.linalg.svd(v[None])[2][1:].double()

    def effect(angle):
        n = math.cos(angle) * p + math.sin(angle) * q
        return ((n @ w_in.double()) * (n @ w_out.double())).item()

    angles = [k * math.pi / 1000 for k in range(1000)]
    high = max(angles, key=effect)
    low = min(angles, key=effect)
    for _ in range(40 if effect(high) > 1 else 0):
        middle = (high + low) / 2
        high, low = (middle, low) if effect(middle) > 1 else (high, middle)
    n = math.cos(high) * p + math.sin(high) * q
    return torch.linalg.svd(n[None])[2][1:].float()


def plane_by_trying_second_rows(w_in, w_out, v):
    rows = torch.randn(200_000, 3)
    rows = rows - torch.outer(rows @ v, v)
    rows = rows / rows.norm(dim=1, keepdim=True)
    left = w_in @ w_out - (v @ w_in) * (v @ w_out) - (rows @ w_in) * (rows @ w_out)
    return torch.stack([rows[(left - 1).abs().argmin()] + v, v])


def rates_word_by_word(before, after, values, target, goal):
    pairs = list(zip(before.flatten().tolist(), after.flatten().tolist(), strict=True))
    found = []
    for k, row in enumerate(values.tolist()):
        mine = [(row[b], row[a]) for b, a in pairs if row[b] != -1]
        if k == target:
            mine = [new == goal for old, new in mine if old != goal]
        else:
            mine = [new != old for old, new in mine]
        found.append(sum(mine) / len(mine))
    return torch.tensor(found)


def rates_by_masks(before, after, values, target, goal):
    rows = []
    for k in range(values.shape[0]):
        old, new = values[k][before], values[k][after]
        there = old >= 0
        if k == target:
            rows.append((new[there & (old != goal)] == goal).float().mean())
        else:
            rows.append((new[there] != old[there]).double().mean().float())
    return torch.stack(rows)


def rates_by_counting_pairs(before, after, values, target, goal):
    found = torch.zeros(len(values))
    for k, row in enumerate(values + 1):  # 0 is none now
        n = int(row.max()) + 1
        table = torch.bincount(n * row[before].flatten() + row[after].flatten(), minlength=n * n)
        table = table.view(n, n)[1:].float()
        kept = table[torch.arange(n - 1), torch.arange(1, n)].sum()
        found[k] = 1 - kept / table.sum()
        if k == target:
            others = torch.arange(n - 1) != goal
            found[k] = table[others, goal + 1].sum() / table[others].sum()
    return found


RIGHT = {
    "causal_tests.replace_along": [along_by_projector, along_by_coordinates, along_row_by_row],
    "causal_tests.recovered_effect": [
        effect_of_means,
        effect_as_weighted_ratios,
        effect_in_numbers,
    ],
    "causal_tests.row_null_split": [split_by_pinv, split_by_eigenvectors, split_by_gram_schmidt],
    "causal_tests.illusory_directions": [
        illusory_by_a_quadratic,
        illusory_by_sum_and_difference,
        illusory_by_looking,
    ],
    "causal_tests.spare_plane": [
        plane_by_bisectors,
        plane_by_bisection,
        plane_by_trying_second_rows,
    ],
    "causal_tests.edit_rates": [rates_word_by_word, rates_by_masks, rates_by_counting_pairs],
}
