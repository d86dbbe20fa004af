"""Right answers to the exercises of "Superposition and scaling laws", written otherwise."""

import math

import torch
from torch import nn


def decay_with_a_factor(W, decay, lr):
    step = lr * decay.view(-1, 1, 1)
    norm = torch.linalg.vector_norm(W, dim=-1, keepdim=True).clamp(min=1e-12)
    return torch.where(step < 0, W * (1 + step) - step * W / norm, W - step * W)


def decay_instance_by_instance(W, decay, lr):
    out = []
    for rows, strength in zip(W, decay.tolist(), strict=True):
        if strength >= 0:
            out.append(rows * (1 - lr * strength))
        else:
            out.append(rows + lr * -strength * (nn.functional.normalize(rows, dim=-1) - rows))
    return torch.stack(out)


def decay_in_double(W, decay, lr):
    W, decay = W.double(), decay.double()[:, None, None]
    pulled = W.lerp(nn.functional.normalize(W, dim=-1), (lr * -decay).clamp(min=0))
    return pulled * (1 - lr * decay.clamp(min=0))


def fit_with_lstsq(sizes, loss):
    design = torch.stack([sizes.log(), torch.ones_like(sizes)], dim=1).double()
    y = loss.log().double().T
    solution = torch.linalg.lstsq(design, y).solution
    left = (design @ solution - y).square().sum(0)
    return -solution[0], 1 - left / (y - y.mean(0)).square().sum(0)


def fit_with_corrcoef_and_log10(sizes, loss):
    exponents, r2 = [], []
    for curve in loss:
        points = torch.stack([sizes.log10(), curve.log10()])
        covariance = torch.cov(points)
        exponents.append(-covariance[0, 1] / covariance[0, 0])
        r2.append(torch.corrcoef(points)[0, 1] ** 2)
    return [torch.stack(exponents), torch.stack(r2)]


def fit_with_numpy(sizes, loss):
    import numpy as np

    x, y = np.log2(sizes.numpy()), np.log2(loss.numpy())
    slope, height = np.polyfit(x, y.T, 1)
    left = ((y - slope[:, None] * x - height[:, None]) ** 2).sum(1)
    r2 = 1 - left / ((y - y.mean(1, keepdims=True)) ** 2).sum(1)
    return torch.tensor(-slope), torch.tensor(r2)


def overlap_by_factors(m):
    return 1 / m, math.sqrt(2 * (m - 1) / (m + 2)) / m


def overlap_as_a_tensor_from_beta(m):
    if m == 1:
        return torch.tensor([1.0, 0.0])
    a, b = 0.5, (m - 1) / 2  # cos² follows a Beta law
    variance = a * b / ((a + b) ** 2 * (a + b + 1))
    return torch.tensor([a / (a + b), variance**0.5])


def left_out_in_plain_python(k, n, alpha):
    weight = [i**-alpha for i in range(1, n + 1)]
    integral = math.log(n / k)
    if alpha != 1:
        integral = (k ** (1 - alpha) - n ** (1 - alpha)) / (alpha - 1)
    return [math.fsum(weight[k:]) / math.fsum(weight) / 0.75, k ** (1 - alpha) / integral]


def left_out_as_a_tensor_with_a_limit(k, n, alpha):
    rank = torch.arange(1, n + 1).double()
    p = rank.pow(-alpha) / rank.pow(-alpha).sum()
    a = max(alpha - 1, 1e-7)
    return torch.stack(
        [4 / 3 * (1 - p[:k].sum()), torch.tensor(-a / math.expm1(a * math.log(k / n)))]
    )


def product_by_the_frame_matrix(W):
    unit = nn.functional.normalize(W, dim=-1)
    n, m = W.shape[1:]
    return m * ((unit.mT @ unit).square().sum(dim=(1, 2)) - n) / (n * n - n)


def product_with_a_mask(W):
    cosine = nn.functional.cosine_similarity(W[:, :, None], W[:, None], dim=-1)
    different = ~torch.eye(W.shape[1], dtype=torch.bool)
    return W.shape[-1] * cosine[:, different].square().mean(dim=-1)


def product_pair_by_pair_in_double(W):
    values = []
    for rows in W.double():
        i, j = torch.triu_indices(len(rows), len(rows), offset=1)
        inner = (rows[i] * rows[j]).sum(-1)
        squares = inner**2 / (rows[i].square().sum(-1) * rows[j].square().sum(-1))
        values.append(W.shape[-1] * squares.mean())
    return torch.stack(values)


def floor_in_double(m):
    return m.double() ** -1.2 + 0.006


def cut_off(m):
    return m**-1.0 * torch.exp(-m / 160)


def bend_as_a_parabola_in_logs(m):
    x = (m / 18).log()
    return torch.exp(-0.7 * x - 0.15 * x * x)


RIGHT = {
    "scaling_laws.signed_decay": [
        decay_with_a_factor,
        decay_instance_by_instance,
        decay_in_double,
    ],
    "scaling_laws.power_law": [fit_with_lstsq, fit_with_corrcoef_and_log10, fit_with_numpy],
    "scaling_laws.random_overlap": [overlap_by_factors, overlap_as_a_tensor_from_beta],
    "scaling_laws.left_out": [left_out_in_plain_python, left_out_as_a_tensor_with_a_limit],
    "scaling_laws.overlap_product": [
        product_by_the_frame_matrix,
        product_with_a_mask,
        product_pair_by_pair_in_double,
    ],
    "scaling_laws.imposter": [floor_in_double, cut_off, bend_as_a_parabola_in_logs],
}
