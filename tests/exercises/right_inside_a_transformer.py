"""Right answers to the exercises of "SAEs inside a transformer", written unlike the solutions."""

import torch


def threshold_by_trying_every_value(unit, present):
    best = None
    for t in unit.tolist():
        says = [u > t for u in unit.tolist()]
        hits = sum(s and p for s, p in zip(says, present.tolist(), strict=True))
        f1 = 2 * hits / (sum(says) + int(present.sum()))
        if best is None or f1 > best[1]:
            best = t, f1
    return best


def threshold_midway_between_values(unit, present):
    values = unit.double().unique()
    between = torch.cat([(values[1:] + values[:-1]) / 2, values[-1:] + 1])
    says = unit.double() > between[:, None]
    f1 = 2 * (says & present).sum(dim=1) / (says.sum(dim=1) + present.sum())
    return [between[f1.argmax()], f1.max()]


def threshold_from_precision_and_recall(unit, present):
    best, score = unit.max().item(), 0.0
    for t in unit.unique():
        hits = (unit[present] > t).sum().item()
        if hits:
            precision, recall = hits / (unit > t).sum().item(), hits / present.sum().item()
            f1 = 2 * precision * recall / (precision + recall)
            best, score = (t.item(), f1) if f1 > score else (best, score)
    return best, score


def heads_in_a_loop_with_slices(x, W_enc, b_enc, b_dec, n_heads):
    width = x.shape[1] // n_heads
    spans = [slice(h * width, (h + 1) * width) for h in range(n_heads)]
    return torch.stack([x[:, s] @ W_enc[s] for s in spans], dim=1), b_enc - b_dec @ W_enc


def heads_by_silencing_the_others(x, W_enc, b_enc, b_dec, n_heads):
    def pre(x):
        return (x - b_dec) @ W_enc + b_enc

    head = torch.arange(x.shape[1]) // (x.shape[1] // n_heads)
    empty = pre(torch.zeros_like(b_dec))
    parts = [pre(x * (head == h)) - empty for h in range(n_heads)]
    return [torch.stack(parts, dim=1), empty]


def heads_in_double_by_chunks(x, W_enc, b_enc, b_dec, n_heads):
    x, W_enc = x.double(), W_enc.double()
    pairs = zip(x.chunk(n_heads, dim=1), W_enc.chunk(n_heads), strict=True)
    rest = b_enc - (b_dec[:, None] * W_enc).sum(dim=0)
    return torch.cat([(x @ W)[:, None] for x, W in pairs], dim=1), rest


def news_by_counting(f1, present, shuffled):
    there = present.sum(dim=0)
    free = 2 * there / (len(present) + there)
    return free, (f1 > free) & (f1[None] > shuffled).all(dim=0)


def news_from_precision_and_recall(f1, present, shuffled):
    precision = present.double().mean(dim=0)
    free = 2 / (1 / precision + 1)
    return [free, f1 > torch.maximum(free, shuffled.max(dim=0).values)]


def news_concept_by_concept(f1, present, shuffled):
    free, news = [], []
    for i, score in enumerate(f1.tolist()):
        p = sum(present[:, i].tolist()) / len(present)
        free.append(2 * p / (p + 1))
        news.append(score > max([free[-1], *shuffled[:, i].tolist()]))
    return torch.tensor(free), torch.tensor(news)


def ablate_by_subtracting(x, W_enc, b_enc, W_dec, b_dec, latent):
    z = torch.relu((x - b_dec) @ W_enc[:, latent] + b_enc[latent])
    return x - torch.outer(z, W_dec[latent])


def ablate_with_a_mask(x, W_enc, b_enc, W_dec, b_dec, latent):
    z = ((x - b_dec) @ W_enc + b_enc).clamp(min=0)
    keep = torch.ones(len(b_enc))
    keep[latent] = 0
    return x + ((z * keep) @ W_dec + b_dec) - (z @ W_dec + b_dec)


def ablate_in_double_with_the_error_first(x, W_enc, b_enc, W_dec, b_dec, latent):
    x, W_enc, b_enc, W_dec, b_dec = (t.double() for t in (x, W_enc, b_enc, W_dec, b_dec))
    z = torch.relu(x @ W_enc + (b_enc - b_dec @ W_enc))
    error = x - b_dec - z @ W_dec
    z[:, latent] = 0
    return b_dec + z @ W_dec + error


def update_entry_by_entry(Z, X, W):
    new = torch.zeros_like(Z)
    for s, j in Z.nonzero().tolist():
        fit, overlap = X[s] @ W[j], W @ W[j]
        up = fit.clamp(min=0) + Z[s] @ overlap.clamp(max=0).neg()
        down = fit.clamp(max=0).neg() + Z[s] @ overlap.clamp(min=0)
        new[s, j] = Z[s, j] * (up / down) ** 0.5
    return new


def update_by_absolute_values_in_double(Z, X, W):
    Z, X, W = Z.double(), X.double(), W.double()
    A, B = X @ W.T, W @ W.T
    up, down = A.abs() + A + Z @ (B.abs() - B), A.abs() - A + Z @ (B.abs() + B)
    return Z * torch.sqrt(up / down.clamp(min=1e-15))


def update_with_nan_to_num(Z, X, W):
    fit, gram = torch.einsum("sd,jd->sj", X, W), torch.einsum("id,jd->ij", W, W)
    zero = torch.zeros(())
    up = fit.maximum(zero) - Z @ gram.minimum(zero)
    down = Z @ gram.maximum(zero) - fit.minimum(zero)
    return torch.where(Z > 0, Z * (up / down).sqrt(), zero)


def select_input_by_input(pre, W_dec, gradient, k, beta):
    rows, changes = [], []
    for p, g in zip(pre.relu(), gradient, strict=True):
        effect = p * (W_dec @ g)
        kept = (p + beta * effect.abs()).sort(descending=True).indices[:k]
        rows.append(torch.where(torch.isin(torch.arange(len(p)), kept), p, 0.0))
        changes.append(-effect)
    return torch.stack(rows), torch.stack(changes)


def select_by_the_kth_score(pre, W_dec, gradient, k, beta):
    z = pre.clamp(min=0)
    along = torch.einsum("bd,jd->bj", gradient, W_dec)
    score = z * (1 + beta * along.abs())
    return [z * (score >= score.kthvalue(score.shape[1] - k + 1, dim=1, keepdim=True).values),
            z * -along]  # fmt: skip


def select_with_autograd_in_double(pre, W_dec, gradient, k, beta):
    z = pre.double().relu().requires_grad_()
    (slope,) = torch.autograd.grad((z @ W_dec.double() * gradient).sum(), z)
    change = -(z * slope)
    order = (z + beta * change.abs()).argsort(dim=1, descending=True)
    return z.scatter(1, order[:, k:], 0.0), change


RIGHT = {
    "inside_a_transformer.best_threshold": [
        threshold_by_trying_every_value,
        threshold_midway_between_values,
        threshold_from_precision_and_recall,
    ],
    "inside_a_transformer.by_head": [
        heads_in_a_loop_with_slices,
        heads_by_silencing_the_others,
        heads_in_double_by_chunks,
    ],
    "inside_a_transformer.is_news": [
        news_by_counting,
        news_from_precision_and_recall,
        news_concept_by_concept,
    ],
    "inside_a_transformer.ablate": [
        ablate_by_subtracting,
        ablate_with_a_mask,
        ablate_in_double_with_the_error_first,
    ],
    "inside_a_transformer.update": [
        update_entry_by_entry,
        update_by_absolute_values_in_double,
        update_with_nan_to_num,
    ],
    "inside_a_transformer.select": [
        select_input_by_input,
        select_by_the_kth_score,
        select_with_autograd_in_double,
    ],
}
