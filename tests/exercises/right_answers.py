"""Answers written otherwise than the solutions; a check that rejects one of them is too strict."""

import math

import torch
from torch import nn

from tests.exercises import (
    right_beyond_flat,
    right_causal_tests,
    right_features_as_directions,
    right_inside_a_transformer,
    right_linear_representations,
    right_measuring,
    right_not_linear,
    right_probing,
    right_sae_family,
    right_saes_from_zero,
    right_scaling_laws,
    right_steering_vectors,
    right_steering_with_latents,
    right_superposition_elsewhere,
    right_world_models,
)


def sample_with_one_stretched_draw(batch_size, probability, generator):
    n_instances, n_features = probability.shape
    u = torch.rand(n_instances, batch_size, n_features, generator=generator)
    p = probability.unsqueeze(1)
    return torch.where(u < p, u / p, 0.0)


def sample_with_bernoulli(batch_size, probability, generator):
    p = probability[:, None, :].repeat(1, batch_size, 1)
    return torch.bernoulli(p, generator=generator) * torch.rand(p.shape, generator=generator)


def sample_in_a_loop_in_double(batch_size, probability, generator):
    x = torch.zeros(len(probability), batch_size, probability.shape[1], dtype=torch.double)
    for n, row in enumerate(probability):
        for i, p in enumerate(row):
            on = torch.rand(batch_size, generator=generator) < p
            x[n, on, i] = torch.rand(int(on.sum()), generator=generator).double()
    return x


def forward_with_matmul(x, W, b):
    return nn.functional.relu(x @ W @ W.transpose(1, 2) + b.unsqueeze(1))


def forward_with_one_einsum(x, W, b):
    return (torch.einsum("nsi,nih,njh->nsj", x, W, W) + b[:, None, :]).clamp(min=0)


def forward_with_a_loop_over_instances(x, W, b):
    models = zip(x, W, b, strict=True)
    return torch.stack([torch.relu(x @ W @ W.T + b) for x, W, b in models])


def forward_in_double(x, W, b):
    x, W, b = x.double(), W.double(), b.double()
    return torch.relu(torch.baddbmm(b[:, None], x @ W, W.mT))


def dimensionality_with_nan_to_num(W):
    unit = W / W.norm(dim=-1, keepdim=True)
    return (W.square().sum(-1) / (unit @ W.mT).square().sum(-1)).nan_to_num(0.0)


def dimensionality_from_the_gram_matrix(W):
    gram = torch.einsum("nih,njh->nij", W, W)
    squares = gram.diagonal(dim1=1, dim2=2)
    return squares**2 / gram.square().sum(dim=-1).clamp(min=1e-30)


def dimensionality_with_the_small_number_of_the_paper(W):
    unit = W / (1e-5 + torch.linalg.norm(W, 2, dim=-1, keepdim=True))
    shared = torch.einsum("eah,ebh->eab", unit, W).pow(2).sum(-1)
    return torch.linalg.norm(W, 2, dim=-1) ** 2 / (1e-6 + shared)


def dimensionality_in_a_loop(W):
    D = torch.zeros(W.shape[:2])
    for n, i in torch.cartesian_prod(*map(torch.arange, D.shape)).tolist():
        if W[n, i].any():
            D[n, i] = W[n, i] @ W[n, i] / sum(
                (W[n, i] @ row / W[n, i].norm()) ** 2 for row in W[n]
            )  # fmt: skip
    return D


def losses_as_tensors(p_1, p_2, r):
    p, importance = torch.tensor([p_1, p_2]), torch.tensor([1.0, r])
    variance = p / 3 - p.square() / 4
    return importance.sum() * p.prod() / 6, (importance * variance).min()


def losses_as_one_tensor(p_1, p_2, r):
    ignored = [i * p * (1 / 3 - p / 4) for i, p in ((1, p_1), (r, p_2))]
    return torch.tensor([p_1 * p_2 * (1 / 6 + r / 6), min(ignored)])


def losses_as_a_list_by_integration(p_1, p_2, r):
    t = [(k + 0.5) / 1000 for k in range(1000)]
    smaller = sum(2 * (1 - s) * s * s for s in t) / 1000

    def variance(p):
        return p * sum((s - p / 2) ** 2 for s in t) / 1000 + (1 - p) * (p / 2) ** 2

    return [(1 + r) * p_1 * p_2 * smaller, min(variance(p_1), r * variance(p_2))]


def attack_in_closed_form(W, b, x, feature, epsilon):
    direction = W @ W[feature]
    return (epsilon * direction / direction.norm()).expand_as(x)


def attack_with_normalize(W, b, x, feature, epsilon):
    x = x.detach().clone().requires_grad_(True)
    (x @ W @ W.T + b)[:, feature].sum().backward()
    return nn.functional.normalize(x.grad, dim=1) * epsilon


def attack_sample_by_sample(W, b, x, feature, epsilon):
    rows = []
    for sample in x:
        sample = sample.clone().requires_grad_()
        (g,) = torch.autograd.grad((sample @ W) @ W[feature] + b[feature], sample)
        rows.append(epsilon * g / g.norm())
    return torch.stack(rows)


def three_unequal_angles_in_double():
    angle = torch.tensor([0.0, 110.0, 230.0], dtype=torch.double) * math.pi / 180
    return torch.stack([angle.cos(), angle.sin()], dim=1), torch.zeros(3, dtype=torch.double)


def tetrahedron():
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    return corners / 3**0.5, torch.zeros(4)


def simplex_with_parameters_and_a_list():
    corners = torch.eye(6) - 1 / 6
    W = torch.linalg.qr(corners.T)[1].T[:, :5]
    return [nn.Parameter(W / W.norm(dim=1, keepdim=True)), nn.Parameter(torch.zeros(6))]


RIGHT = {
    "toy_models.sample_features": [
        sample_with_one_stretched_draw,
        sample_with_bernoulli,
        sample_in_a_loop_in_double,
    ],
    "toy_models.toy_forward": [
        forward_with_matmul,
        forward_with_one_einsum,
        forward_with_a_loop_over_instances,
        forward_in_double,
    ],
    "toy_models.feature_dimensionality": [
        dimensionality_with_nan_to_num,
        dimensionality_from_the_gram_matrix,
        dimensionality_with_the_small_number_of_the_paper,
        dimensionality_in_a_loop,
    ],
    "toy_models.pair_losses": [
        losses_as_tensors,
        losses_as_one_tensor,
        losses_as_a_list_by_integration,
    ],
    "toy_models.attack_output": [
        attack_in_closed_form,
        attack_with_normalize,
        attack_sample_by_sample,
    ],
    "toy_models.counterexample": [
        three_unequal_angles_in_double,
        tetrahedron,
        simplex_with_parameters_and_a_list,
    ],
}
for chapter in (
    right_features_as_directions,
    right_scaling_laws,
    right_measuring,
    right_superposition_elsewhere,
    right_saes_from_zero,
    right_sae_family,
    right_beyond_flat,
    right_inside_a_transformer,
    right_world_models,
    right_linear_representations,
    right_probing,
    right_not_linear,
    right_causal_tests,
    right_steering_vectors,
    right_steering_with_latents,
):
    RIGHT |= chapter.RIGHT
