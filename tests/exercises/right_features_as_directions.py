"""Right answers to the exercises of "Features as directions", written unlike the solutions."""

import math

import torch
from torch import nn


def coherence_with_cosine_similarity(W):
    table = torch.cosine_similarity(W[:, :, None], W[:, None], dim=-1).abs()
    return table.masked_fill(torch.eye(W.shape[1], dtype=torch.bool), 0).flatten(1).amax(1)


def coherence_as_the_second_largest(W):
    unit = nn.functional.normalize(W, dim=-1)
    return (unit @ unit.mT).abs().topk(2, dim=-1).values[..., 1].amax(-1)


def coherence_in_a_loop_in_double(W):
    values = []
    for rows in W.double():
        pairs = [
            abs(rows[i] @ rows[j]) / (rows[i].norm() * rows[j].norm())
            for i in range(len(rows)) for j in range(i)
        ]  # fmt: skip
        values.append(torch.stack(pairs).max())
    return torch.stack(values)


def guarantee_by_trying(k, mu):
    safe = 1
    while 1 - safe * mu > (safe + 1) * mu + 1e-9:
        safe += 1
    return 1 - k * mu + mu, mu * k, safe


def guarantee_as_one_tensor(k, mu):
    count = math.ceil(0.5 + 0.5 / mu - 1e-12) - 1
    return torch.tensor([1.0 + mu - k * mu, k * mu, count])


def guarantee_as_a_list_of_tensors(k, mu):
    readings = torch.tensor([1.0, 0.0]) + torch.tensor([-(k - 1.0), k]) * mu
    below = torch.arange(1, 1000)
    return [*readings, below[below < (1 + 1 / mu) / 2 - 1e-9].max()]


def ista_with_softshrink(x, W, penalty, steps):
    rate = 1 / torch.linalg.matrix_norm(W, 2).item() ** 2
    z = torch.zeros(len(x), len(W))
    for _ in range(steps):
        z = nn.functional.softshrink(z - rate * (z @ W - x) @ W.T, rate * penalty)
    return z


def ista_with_the_gram_matrix_in_double(x, W, penalty, steps):
    x, W = x.double(), W.double()
    gram, reading = W @ W.T, x @ W.T
    top = torch.linalg.svdvals(W).max() ** 2
    z = torch.zeros_like(reading)
    for _ in range(steps):
        z = z - (z @ gram - reading) / top
        z = torch.relu(z - penalty / top) - torch.relu(-z - penalty / top)
    return z


def ista_input_by_input(x, W, penalty, steps):
    top = torch.linalg.eigvalsh(W.T @ W).max()
    codes = []
    for row in x:
        z = W.new_zeros(len(W))
        for _ in range(steps):
            z = z + W @ (row - W.T @ z) / top
            z = torch.where(z.abs() > penalty / top, z - z.sign() * penalty / top, 0.0)
        codes.append(z)
    return torch.stack(codes)


def score_with_scaled_readers(W, bits):
    reader = W / W.square().sum(dim=1, keepdim=True)
    read = (bits.float() @ W) @ reader.T > 0.5
    return (read[bits].float().mean() + 1 - read[~bits].float().mean()) / 2


def score_with_a_threshold_of_its_own_for_each(W, bits):
    reading = torch.einsum("bn,nd,md->bm", bits.double(), W.double(), W.double())
    read = reading > 0.5 * W.double().norm(dim=1) ** 2
    hits = (read & bits).sum() / bits.sum()
    rejections = (~(read | bits)).sum() / (~bits).sum()
    return (0.5 * (hits + rejections)).item()


def tetrahedron_in_double():
    W = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.double)
    one, other = torch.tensor([[0.5, 0, 0.5, 0], [0, -0.5, 0, -0.5]], dtype=torch.double)
    return W, one, other


def six_corners_with_signs_turned():
    corners = torch.eye(6) - 1 / 6
    signs = torch.tensor([1.0, -1, 1, 1, -1, 1])
    return [
        nn.Parameter(2 * signs[:, None] * corners),
        signs * torch.tensor([1.0, 1, 1, 0, 0, 0]),
        -signs * torch.tensor([0, 0, 0, 1.0, 1, 1]),
    ]


def six_corners_in_five_dimensions():
    corners = torch.linalg.qr((torch.eye(6) - 1 / 6).T)[1].T[:, :5]
    half = torch.tensor([1.0, 1, 1, 0, 0, 0])
    return nn.functional.normalize(corners, dim=1), half, half - 1


def xor_in_other_units():
    W_in = torch.tensor([[0.5, 3.0], [0.5, 3.0]])
    return W_in, torch.tensor([0.0, -3.0]), torch.tensor([2.0, -2 / 3]), torch.tensor(0.0)


def xor_with_neurons_exchanged_in_double():
    parts = ([[1.0, 1.0], [1.0, 1.0]], [-1.0, 0.0], [-4.0, 2.0], -0.5)
    return [torch.tensor(part, dtype=torch.double) for part in parts]


def xor_from_a_module():
    W_in, b_in = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.tensor([0.2, -1.0]))
    return W_in, b_in, nn.Parameter(torch.tensor([1.0, -2.0])), torch.tensor(-0.2)


RIGHT = {
    "features_as_directions.mutual_coherence": [
        coherence_with_cosine_similarity,
        coherence_as_the_second_largest,
        coherence_in_a_loop_in_double,
    ],
    "features_as_directions.guarantee": [
        guarantee_by_trying,
        guarantee_as_one_tensor,
        guarantee_as_a_list_of_tensors,
    ],
    "features_as_directions.ista": [
        ista_with_softshrink,
        ista_with_the_gram_matrix_in_double,
        ista_input_by_input,
    ],
    "features_as_directions.readout_score": [
        score_with_scaled_readers,
        score_with_a_threshold_of_its_own_for_each,
    ],
    "features_as_directions.two_codes": [
        tetrahedron_in_double,
        six_corners_with_signs_turned,
        six_corners_in_five_dimensions,
    ],
    "features_as_directions.xor_weights": [
        xor_in_other_units,
        xor_with_neurons_exchanged_in_double,
        xor_from_a_module,
    ],
}
