"""Right answers to the exercises of "SAEs from zero", written otherwise than the solutions."""

import math
from itertools import permutations

import torch
from torch import nn


def sae_with_addmm(x, W_enc, b_enc, W_dec, b_dec, l1):
    z = torch.addmm(b_enc - b_dec @ W_enc, x, W_enc).clamp(min=0)
    x_hat = torch.addmm(b_dec, z, W_dec)
    norms = W_dec.square().sum(dim=1).sqrt()
    return x_hat, z, ((x_hat - x) ** 2).sum() / len(x) + l1 * (z @ norms).mean()


def sae_in_double(x, W_enc, b_enc, W_dec, b_dec, l1):
    x, W_enc, b_enc, W_dec, b_dec = (t.double() for t in (x, W_enc, b_enc, W_dec, b_dec))
    z = nn.functional.relu((x - b_dec) @ W_enc + b_enc)
    x_hat = nn.functional.linear(z, W_dec.T, b_dec)
    mse = nn.functional.mse_loss(x_hat, x, reduction="sum") / x.shape[0]
    return x_hat, z, mse + l1 * torch.einsum("bj,j->b", z, W_dec.norm(dim=1)).mean()


def sae_as_a_list_input_by_input(x, W_enc, b_enc, W_dec, b_dec, l1):
    z = torch.stack([torch.relu((row - b_dec) @ W_enc + b_enc) for row in x])
    x_hat = torch.stack([row @ W_dec + b_dec for row in z])
    losses = [
        (a - b).pow(2).sum() + l1 * sum(v * w.norm() for v, w in zip(c, W_dec, strict=True))
        for a, b, c in zip(x, x_hat, z, strict=True)
    ]
    return [x_hat, z, torch.stack(losses).mean()]


def price_with_tensors(l1, p, m):
    h = torch.tensor(l1 / 2)
    error = p * (h**2 - 2 * h**3 / (3 * m))
    return h, h / m, error / (p * m**2 * (4 - 3 * p) / 12)


def price_as_a_tensor(l1, p, m):
    r = l1 / (2 * m)
    return torch.tensor([l1 / 2, r, (r**2 - 2 * r**3 / 3) / (1 / 3 - p / 4)])


def price_by_integration(l1, p, m, n=20_000):
    a = [(i + 0.5) * m / n for i in range(n)]
    z = [max(v - l1 / 2, 0.0) for v in a]
    error = p * sum((v - w) ** 2 for v, w in zip(a, z, strict=True)) / n
    mean, second = p * m / 2, p * m * m / 3
    return l1 / 2, sum(w == 0 for w in z) / n, error / (second - math.pow(mean, 2))


def found_by_trying_all(W_dec, D, threshold):
    cosine = nn.functional.cosine_similarity(D[:, None], W_dec[None], dim=-1)
    n, d_sae = cosine.shape
    if n > d_sae:
        precision, recall = found_by_trying_all(D, W_dec, threshold)
        return recall, precision
    pick = max(permutations(range(d_sae), n), key=lambda p: cosine[range(n), p].sum())
    hits = (cosine[range(n), pick] >= threshold).sum().item()
    return hits / d_sae, hits / n


def found_with_numpy(W_dec, D, threshold):
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    W, F = W_dec.numpy(), D.numpy()
    W = W / np.maximum(np.linalg.norm(W, axis=1, keepdims=True), 1e-12)
    F = F / np.linalg.norm(F, axis=1, keepdims=True)
    cosine = F @ W.T
    hits = np.count_nonzero(cosine[linear_sum_assignment(-cosine)] >= threshold)
    return hits / len(W), hits / len(F)


def found_as_tensors(W_dec, D, threshold):
    from course_lib.sae import match

    pairs = match(W_dec, D, threshold)
    return torch.tensor([pairs.precision, pairs.recall], dtype=torch.double)


def unexplained_with_variances(x, x_hat):
    return (x - x_hat).pow(2).mean() / x.var(dim=0, correction=0).mean()


def unexplained_from_r2(x, x_hat):
    centred = x - x.mean(0, keepdim=True)
    return 1 - (1 - torch.norm(x - x_hat) ** 2 / torch.norm(centred) ** 2)


def unexplained_as_a_number(x, x_hat):
    error = ((x.double() - x_hat.double()) ** 2).sum().item()
    return error / ((x.double() - x.double().mean(dim=0)) ** 2).sum().item()


def step_with_einsum(W_dec, grad, lr):
    parallel = torch.einsum("njd,njd->nj", grad, W_dec)[..., None] * W_dec
    return nn.functional.normalize(W_dec - lr * (grad - parallel), dim=-1)


def step_by_a_projector(W_dec, grad, lr):
    eye = torch.eye(W_dec.shape[-1])
    projector = eye - W_dec[..., :, None] * W_dec[..., None, :]
    new = W_dec - lr * (projector @ grad[..., None]).squeeze(-1)
    return new / torch.linalg.vector_norm(new, dim=-1, keepdim=True)


def step_in_a_loop(W_dec, grad, lr):
    new = W_dec.clone()
    for k in range(len(new)):
        for j in range(new.shape[1]):
            w, g = W_dec[k, j].double(), grad[k, j].double()
            moved = w - lr * (g - torch.dot(g, w) * w)
            new[k, j] = (moved / moved.norm()).float()
    return new


def _neurons(d):
    signs = torch.kron(torch.tensor([[1.0], [-1.0]]), torch.eye(d))
    return signs.T, torch.zeros(2 * d), signs


def counterexample_with_a_lower_threshold(D):
    return (*_neurons(D.shape[1]), D.mT, -0.4 * torch.ones(len(D)), D)


def counterexample_with_longer_rows(D):
    return (*_neurons(D.shape[1]), D.T / 2, torch.full((24,), -0.225), 2.4 * D)


def counterexample_turned_and_in_a_list(D):
    q = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1))).Q
    signs = torch.cat([q, -q])
    return [signs.T, torch.zeros(24), signs, D.T, torch.full((24,), -0.42), D]


RIGHT = {
    "saes_from_zero.relu_sae": [
        sae_with_addmm,
        sae_in_double,
        sae_as_a_list_input_by_input,
    ],
    "saes_from_zero.penalty_price": [
        price_with_tensors,
        price_as_a_tensor,
        price_by_integration,
    ],
    "saes_from_zero.found": [found_by_trying_all, found_with_numpy, found_as_tensors],
    "saes_from_zero.unexplained": [
        unexplained_with_variances,
        unexplained_from_r2,
        unexplained_as_a_number,
    ],
    "saes_from_zero.unit_norm_step": [step_with_einsum, step_by_a_projector, step_in_a_loop],
    "saes_from_zero.counterexample": [
        counterexample_with_a_lower_threshold,
        counterexample_with_longer_rows,
        counterexample_turned_and_in_a_list,
    ],
}
