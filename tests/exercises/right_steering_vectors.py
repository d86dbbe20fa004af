"""Right answers to "Steering vectors", written unlike the solutions."""

import torch


def reading_by_eigenvectors(h, y):
    rows = h.double() - h.double().mean(0, keepdim=True)
    u = torch.linalg.eigh(torch.cov(rows.T)).eigenvectors[:, -1]
    ahead = rows[y].mean(0) @ u - rows[~y].mean(0) @ u
    return (u * ahead).float()


def reading_by_scores(h, y):
    u, s, axes = torch.linalg.svd(h - h.mean(0))
    scores = u[:, 0] * s[0]
    return axes[0] * (scores[y].mean() - scores[~y].mean())


def reading_by_power_iteration(h, y):
    rows = (h - h.mean(0)).double()
    v = rows[0].clone()
    for _ in range(3000):
        v = rows.T @ (rows @ v)
        v = v / v.norm()
    projected = rows @ v
    return v * (projected[y].mean() - projected[~y].mean())


def pass_in_a_loop(h, seen, n_prompt, delta, part):
    out = h.clone()
    for row, end in enumerate(n_prompt.tolist()):
        for column in range(h.shape[1]):
            place = seen + column
            inside = place < end
            last = place == end - 1
            if {"all": True, "prompt": inside, "last": last, "new": not inside,
                "answer": last or not inside}[part]:  # fmt: skip
                out[row, column] = h[row, column] + delta
    return out


def pass_by_distance_to_the_end(h, seen, n_prompt, delta, part):
    ahead = seen + torch.arange(h.shape[1])[None] - n_prompt[:, None]  # below 0 in the prompt
    low, high = {"all": (-9999, 9999), "prompt": (-9999, -1), "last": (-1, -1),
                 "new": (0, 9999), "answer": (-1, 9999)}[part]  # fmt: skip
    meant = (ahead >= low) & (ahead <= high)
    return h + torch.einsum("bs,d->bsd", meant.to(h.dtype), delta)


def split_with_probabilities(before, after, positive, negative):
    p, q = before.double().softmax(-1), after.double().softmax(-1)
    gain = (q[:, positive].sum(-1) / p[:, positive].sum(-1)).log()
    return [gain, (p[:, negative].sum(-1) / q[:, negative].sum(-1)).log()]


def split_from_the_odds(before, after, positive, negative):
    def log_odds(z):
        return z[:, positive].logsumexp(-1) - z[:, negative].logsumexp(-1)

    change = after.logsumexp(-1) - before.logsumexp(-1)
    gain = after[:, positive].logsumexp(-1) - before[:, positive].logsumexp(-1) - change
    return gain, log_odds(after) - log_odds(before) - gain


def curvature_by_the_fisher_matrix(logits, slope):
    p = logits.softmax(-1)
    fisher = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.einsum("nv,nvw,nw->n", slope, fisher, slope) / 2


def curvature_by_deviations(logits, slope):
    p = torch.softmax(logits.double(), dim=-1)
    away = slope - (p * slope).sum(-1, keepdim=True)
    return 0.5 * (p * away * away).sum(-1)


def curvature_by_automatic_derivatives(logits, slope):
    def normaliser(s):
        return torch.logsumexp(logits.double() + s * slope.double(), dim=-1)

    values = []
    for row in range(len(logits)):
        zero = torch.zeros((), dtype=torch.double)
        values.append(
            torch.autograd.functional.hessian(lambda s, row=row: normaliser(s)[row], zero)
        )
    return torch.stack(values) / 2


def gains_in_loops(right, half):
    rows = [[int(value) for value in row] for row in right.tolist()]
    n, honest = len(half), 0
    sides = half.tolist()
    for q in range(n):
        others = [k for k in range(n) if sides[k] != sides[q]]
        counts = [sum(row[k] for k in others) for row in rows]
        honest += rows[counts.index(max(counts))][q] - rows[0][q]
    best = max(sum(row) for row in rows)
    return (best - sum(rows[0])) / n, honest / n


def gains_weighted(right, half):
    gained, told = [], right.double().mean(1)
    for side in (half, ~half):
        best = int(right[:, ~side].sum(1).argmax())
        share = right[best, side].double().mean() - right[0, side].double().mean()
        gained.append(share * side.double().mean())
    return told.max() - told[0], sum(gained)


def world_from_an_orthogonal_basis(readout):
    d = len(readout)
    basis = torch.linalg.qr(torch.cat([readout[:, None], torch.eye(d)], dim=1))[0]
    basis[:, 0] *= torch.sign(basis[:, 0] @ readout)
    inside = torch.eye(d)
    inside[:2, :2] = torch.tensor([[1.0, 0.02], [0.02, 0.02]])
    scale = 3 / readout.norm()
    return scale * (basis[:, 0] + basis[:, 1]), scale**2 * (basis @ inside @ basis.T)


def world_by_choosing_the_reader(readout):
    """Take the reader first: Σ is wide, and narrow along it, and δ is Σ times the reader."""
    r = readout.double()
    v = torch.linalg.svd(r[None])[2]  # rows 1.. are at right angles to r
    k, u = v[1], r / r.norm()
    root = torch.eye(len(r), dtype=torch.double) - 0.9 * torch.outer(k, k) + 0.1 * torch.outer(u, k)
    sigma = root @ root.T
    sigma = sigma * 1.0
    delta = sigma @ k
    delta = delta * (6.0 / (delta @ torch.linalg.solve(sigma, delta)).sqrt())
    factor = 1.5 / (delta @ r)
    return (factor * delta).float(), (factor**2 * sigma).float()


RIGHT = {
    "steering_vectors.reading_vector": [
        reading_by_eigenvectors, reading_by_scores, reading_by_power_iteration,
    ],
    "steering_vectors.steer_pass": [pass_in_a_loop, pass_by_distance_to_the_end],
    "steering_vectors.gain_and_loss": [split_with_probabilities, split_from_the_odds],
    "steering_vectors.kl_curvature": [
        curvature_by_the_fisher_matrix, curvature_by_deviations, curvature_by_automatic_derivatives,
    ],
    "steering_vectors.told_and_honest": [gains_in_loops, gains_weighted],
    "steering_vectors.reads_not_steers": [
        world_from_an_orthogonal_basis, world_by_choosing_the_reader,
    ],
}  # fmt: skip
