"""Right answers to the exercises of "Superposition elsewhere", written unlike the solutions."""

import math

import torch


def recall_item_by_item(x, weights):
    rows = [weights[item > 0].mean(dim=0) for item in x]
    best = [row.max(dim=1) for row in rows]
    return torch.stack([b.values.mean() for b in best]), torch.stack([b.indices for b in best])


def recall_by_one_product(x, weights):
    n, q, k = weights.shape
    support = (x @ weights.reshape(n, q * k)).reshape(-1, q, k)
    best = support.amax(dim=2).sum(dim=1) / (q * x.sum(dim=1))
    return [best, support.flip(-1).argmax(dim=2).neg() + k - 1]


def recall_in_double(x, weights):
    share = x.double() / x.double().sum(dim=1, keepdim=True)
    support = torch.tensordot(share, weights.double(), dims=1)
    return support.amax(-1).mean(-1), support.topk(1, dim=-1).indices[..., 0]


def fill_by_logarithms(n_items, n_inputs, n_active, n_cells):
    rate = math.log1p(-n_active / n_inputs / n_cells)
    return -math.expm1(n_items * rate), -math.log(2) / rate


def fill_as_tensors(n_items, n_inputs, n_active, n_cells):
    off = torch.tensor(1 - n_active / n_inputs / n_cells, dtype=torch.double)
    return torch.stack([1 - off**n_items, torch.log2(off).reciprocal().neg()])


def fill_item_after_item(n_items, n_inputs, n_active, n_cells):
    p, on = n_active / (n_cells * n_inputs), 0.0
    for _ in range(n_items):
        on = on + p - on * p
    return [on, math.log(2, 1 / (1 - p))]


def rows_in_another_order(effects):
    n_features, n_values = effects.shape
    rows = torch.stack([torch.arange(n_values).roll(t) for t in range(n_features)])
    table = torch.zeros(n_values, n_features)
    for t, row in enumerate(rows):
        table[row, t] = effects[t]
    return rows, table, torch.eye(n_features)


def turned_readouts_in_double(effects):
    n_features, n_values = effects.shape
    basis = torch.linalg.qr(torch.arange(9.0).view(3, 3).cos().double())[0]
    rows = torch.arange(n_values).expand(n_features, n_values)
    return [rows, effects.T.double() @ basis.T, basis.T]


def wide_rows(effects):
    n_features, n_values = effects.shape
    table = torch.zeros(n_values, n_features + 2)
    table[:, 2:] = effects.T / 2
    theta = 2 * torch.eye(n_features + 2)[2:]
    return torch.arange(n_values).repeat(n_features, 1), table, theta


def score_by_logsumexp(scores, log_q, log_weights):
    parts = log_q + log_weights.unsqueeze(1)
    share = (parts - parts.logsumexp(dim=0)).exp()
    return torch.einsum("mn,mnd->nd", share, scores)


def score_point_by_point(scores, log_q, log_weights):
    rows = []
    for n in range(scores.shape[1]):
        share = torch.softmax(log_q[:, n].double() + log_weights.double(), 0)
        rows.append(share @ scores[:, n].double())
    return torch.stack(rows)


def score_with_the_largest_subtracted(scores, log_q, log_weights):
    parts = log_q + log_weights[:, None]
    q = (parts - parts.max(dim=0).values).exp()
    return (q[..., None] * scores).sum(0) / q.sum(0)[:, None]


def kappa_from_the_linear_equation(score_1, score_2, noise, variance):
    gap = score_1 - score_2
    slope = variance * (gap * gap).sum(1)
    rest = (noise + variance * (score_2 - score_1) / 2).mul(gap).sum(1)
    return -rest / slope


def kappa_from_the_system(score_1, score_2, noise, variance):
    kappas = []
    for a, b, eta in zip(score_1, score_2, noise, strict=True):
        gap = a - b
        system = torch.stack([variance * torch.stack([a @ gap, b @ gap]), torch.ones(2)])
        right = torch.stack([variance * (a @ a - b @ b) / 2 - eta @ gap, torch.ones(())])
        kappas.append(torch.linalg.solve(system.double(), right.double())[0])
    return torch.stack(kappas)


def kappa_with_unit_vectors(score_1, score_2, noise, variance):
    gap = score_1 - score_2
    length = gap.norm(dim=-1, keepdim=True)
    along = torch.einsum("nd,nd->n", noise, gap / length)
    return (1 - 2 * along / (variance * length[:, 0])) / 2


def track_all_steps_at_once(log_q, path, score):
    steps = len(path) - 1
    t = 1 - torch.arange(steps) / steps
    beta = (0.1 + 19.9 * t)[:, None, None]
    x, dx = path[:-1], path[1:] - path[:-1]
    s = torch.stack([score(point, time) for point, time in zip(x, t.tolist(), strict=True)])
    change = dx * s - 0.5 * beta * (1 + x * s + s * s) / steps
    return log_q + change.sum(dim=(0, 2))


def track_in_double(log_q, path, score):
    log_q, path = log_q.double(), path.double()
    steps = len(path) - 1
    for k in range(steps):
        t = (steps - k) / steps
        x, s = path[k], score(path[k], t)
        half = (0.1 + 19.9 * t) / steps / 2
        log_q = log_q + ((path[k + 1] - x - half * (x + s)) * s).sum(1) - half * x.shape[1]
    return log_q


RIGHT = {
    "superposition_elsewhere.recall": [
        recall_item_by_item,
        recall_by_one_product,
        recall_in_double,
    ],
    "superposition_elsewhere.fill_law": [
        fill_by_logarithms,
        fill_as_tensors,
        fill_item_after_item,
    ],
    "superposition_elsewhere.share_everything": [
        rows_in_another_order,
        turned_readouts_in_double,
        wide_rows,
    ],
    "superposition_elsewhere.mixture_score": [
        score_by_logsumexp,
        score_point_by_point,
        score_with_the_largest_subtracted,
    ],
    "superposition_elsewhere.and_kappa": [
        kappa_from_the_linear_equation,
        kappa_from_the_system,
        kappa_with_unit_vectors,
    ],
    "superposition_elsewhere.track": [track_all_steps_at_once, track_in_double],
}
