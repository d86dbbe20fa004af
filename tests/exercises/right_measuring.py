"""Right answers to the exercises of "Measuring superposition", written unlike the solutions."""

import math

import torch
from torch import nn


def features_with_xlogy(z):
    p = nn.functional.normalize(z.abs().sum(dim=-2), p=1, dim=-1)
    return torch.exp(-torch.special.xlogy(p, p).sum(dim=-1))


def features_as_a_product_in_double(z):
    activity = z.double().abs().mean(dim=1)
    p = activity / activity.sum(dim=1, keepdim=True)
    return (p ** (-p)).prod(dim=1)


def features_in_a_loop_in_bits(z):
    counts = []
    for instance in z:
        p = instance.abs().sum(0) / instance.abs().sum()
        p = p[p > 0]
        counts.append(2 ** -(p * p.log2()).sum())
    return torch.stack(counts)


def ratio_from_eigenvalues(h):
    covariance = torch.stack([torch.cov(instance.T) for instance in h])
    values = torch.linalg.eigvalsh(covariance)
    return values.sum(-1).square() / values.square().sum(-1)


def ratio_from_singular_values_in_double(h):
    values = torch.linalg.svdvals(h.double() - h.double().mean(1, keepdim=True)) ** 2
    return values.sum(-1) ** 2 / (values**2).sum(-1)


def ratio_from_inner_products(h):
    centered = h - h.mean(dim=1, keepdim=True)
    gram = centered @ centered.mT
    return gram.diagonal(dim1=1, dim2=2).sum(1) ** 2 / torch.einsum("nij,nij->n", gram, gram)


def rank_from_singular_values(h):
    unit = nn.functional.normalize(h[h.any(dim=1)], dim=1)
    values = torch.linalg.svdvals(unit).square() / len(unit)
    return torch.exp(-torch.special.xlogy(values, values).sum())


def rank_with_zero_rows_taken_out_of_the_count(h):
    unit = nn.functional.normalize(h.double(), dim=1)
    values = torch.linalg.eigvalsh(unit.T @ unit / (h.norm(dim=1) > 0).sum())
    values = values[values > 1e-12]
    return (values**-values).prod()


def splitting_by_counting(n, q, s):
    whole, split = round(n * (1 - q)), round(n * q)
    p = torch.tensor([1 / n] * whole + [s / n, (1 - s) / n] * split, dtype=torch.double)
    return [torch.special.entr(p).sum().exp(), 1 / p.square().sum()]


def splitting_as_powers(n, q, s):
    F = n * (s**-s * (1 - s) ** (s - 1)) ** q
    return torch.tensor([F, n / (1 - 2 * q * s * (1 - s))])


def splitting_in_bits(n, q, s):
    eta = -s * math.log2(s) - (1 - s) * math.log2(1 - s)
    return 2 ** (math.log2(n) + q * eta), 1 / ((1 - q) / n + q * (s * s + (1 - s) ** 2) / n)


def count_with_rows_at_length_one(z, W_dec):
    length = torch.linalg.vector_norm(W_dec, dim=1)
    p = (z * length).sum(0) / (z * length).sum()
    return torch.exp(-torch.special.xlogy(p, p).sum())


def count_by_adding_up_batches_in_double(z, W_dec):
    activity = sum(part.sum(0) for part in z.double().split(50)) * W_dec.double().norm(dim=1)
    p = activity / activity.sum()
    return torch.distributions.Categorical(probs=p).entropy().exp()


def three_neurons_of_many_values():
    W_dec = torch.eye(3, dtype=torch.double).repeat_interleave(3, dim=0)
    z = torch.block_diag(*[torch.tensor([[0.5], [1.5], [1.0]]) for _ in range(9)]).double()
    return z @ W_dec, z, W_dec


def a_list_of_parameters():
    W_dec = torch.eye(2).repeat(3, 1)
    z = 0.7 * torch.eye(6)
    return [nn.Parameter(part) for part in (z @ W_dec, z, W_dec)]


RIGHT = {
    "measuring_superposition.effective_features": [
        features_with_xlogy,
        features_as_a_product_in_double,
        features_in_a_loop_in_bits,
    ],
    "measuring_superposition.participation_ratio": [
        ratio_from_eigenvalues,
        ratio_from_singular_values_in_double,
        ratio_from_inner_products,
    ],
    "measuring_superposition.effective_rank": [
        rank_from_singular_values,
        rank_with_zero_rows_taken_out_of_the_count,
    ],
    "measuring_superposition.after_splitting": [
        splitting_by_counting,
        splitting_as_powers,
        splitting_in_bits,
    ],
    "measuring_superposition.count_features": [
        count_with_rows_at_length_one,
        count_by_adding_up_batches_in_double,
    ],
    "measuring_superposition.counterexample": [
        three_neurons_of_many_values,
        a_list_of_parameters,
    ],
}
