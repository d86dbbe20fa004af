"""Right answers to the exercises of "The SAE family", written otherwise than the solutions."""

import math

import torch
from torch import nn

from course_lib.sae import SAE, ReLUSAE, TopKSAE


def select_by_sorting(pre, k):
    budget = k * pre.shape[0]
    threshold = pre.flatten().sort(descending=True).values[budget - 1]
    return torch.where(pre >= threshold.clamp(min=1e-30), pre, 0.0)


def select_then_relu(pre, k):
    flat = pre.reshape(-1)
    mask = torch.zeros_like(flat)
    mask[flat.topk(k * len(pre)).indices] = 1.0
    return (flat * mask).relu().reshape(pre.shape)


def select_in_double(pre, k):
    values, places = pre.double().clamp(min=0).view(-1).topk(k * len(pre), sorted=False)
    return torch.zeros(pre.numel(), dtype=torch.double).scatter(0, places, values).view(pre.shape)


def nested_prefix_by_prefix(z, W_dec, b_dec, prefixes):
    return torch.stack([z[:, :m] @ W_dec[:m] + b_dec for m in prefixes])


def nested_with_masks(z, W_dec, b_dec, prefixes):
    keep = torch.arange(z.shape[1]) < torch.tensor(prefixes)[:, None]
    return (z * keep[:, None]) @ W_dec + b_dec


def nested_with_cumsum_in_double(z, W_dec, b_dec, prefixes):
    steps = torch.einsum("bj,ji->jbi", z.double(), W_dec.double()).cumsum(dim=0)
    return steps[[m - 1 for m in prefixes]] + b_dec.double()


def slope_as_tensors(theta, p, c, l0_coefficient):
    t, level = torch.tensor(theta), torch.tensor(l0_coefficient)
    interference = (1 - p) / c if theta < c else 0.0
    slope = t**2 * (p - interference) - level * (p + interference)
    return slope, torch.maximum(torch.tensor(c), level.sqrt())


def slope_by_integration(theta, p, c, l0_coefficient):
    def loss(t):
        lost = p * t**3 / 3
        false_alarms = (1 - p) / c * (c**3 - t**3) / 3 if t < c else 0.0
        active = p * (1 - t) + ((1 - p) * (1 - t / c) if t < c else 0.0)
        return lost + false_alarms + l0_coefficient * active

    grid = [k / 20000 for k in range(20001)]
    return [(loss(theta + 1e-4) - loss(theta - 1e-4)) / 2e-4, min(grid, key=loss)]


class _Select(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k
        self.threshold = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, pre):
        if self.training:
            return self.select(pre)
        return pre * (pre > self.threshold)

    def select(self, pre):
        level = pre.relu().flatten().topk(self.k * len(pre)).values[-1].detach()
        self.threshold.lerp_(level, 0.1)
        return torch.where(pre >= level, pre, 0.0)


class ThresholdAsAFrozenParameter(_Select):
    pass


class ThresholdByCountingBatches(_Select):
    def __init__(self, k):
        super().__init__(k)
        self.register_buffer("batches", torch.tensor(0))

    def select(self, pre):
        level = pre.relu().flatten().topk(self.k * len(pre)).values[-1].detach()
        self.batches += 1
        self.threshold += (level - self.threshold) / self.batches
        return torch.where(pre >= level, pre, 0.0)


def children_together_with_parents_only():
    r = 0.5**0.5
    return torch.tensor([[r, 0, r, 0], [1, 0, 0, 0], [0, r, 0, r], [0, 1.0, 0, 0]])


def nearly_the_inputs_in_double():
    W = torch.tensor([[1, 0, 0.1, 0], [0, 1, 0, 0.1], [1, 0, 0.9, 0], [0, 1, 0, 0.9]])
    return nn.functional.normalize(W.double(), dim=1)


class SharedThreshold(SAE):
    """Active is what exceeds half of the input's largest pre-activation; no argument at all."""

    def activate(self, pre):
        top = pre.relu().amax(dim=-1, keepdim=True)
        return torch.where(pre > 0.5 * top, pre, 0.0).relu()


class SquareRootPenalty(ReLUSAE):
    """ReLU with a penalty that is concave, whose unit is folded with the scale."""

    def __init__(self, d_in, d_sae, l1_coefficient=0.5, *, n_instances=None, seed=0):
        super().__init__(
            d_in, d_sae, l1_coefficient, n_instances=n_instances, decoder_norm="unit", seed=seed
        )

    def sparsity_loss(self, z, pre):
        return self.l1_coefficient * ((z + 0.1).sqrt() - math.sqrt(0.1)).mean(dim=-2).sum(dim=-1)


class DecayingTopK(TopKSAE):
    """k falls from three times as many to k over the first half of training."""

    def __init__(self, d_in, d_sae, k=2, *, n_instances=None, seed=0):
        super().__init__(d_in, d_sae, k, n_instances=n_instances, seed=seed)
        self.now = k

    def schedule(self, progress):
        self.now = max(self.k, round(self.k * (3 - 4 * progress)))

    def activate(self, pre):
        values, latents = pre.topk(self.now if self.training else self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, latents, values.relu())


RIGHT = {
    "sae_family.batch_topk": [select_by_sorting, select_then_relu, select_in_double],
    "sae_family.nested": [
        nested_prefix_by_prefix,
        nested_with_masks,
        nested_with_cumsum_in_double,
    ],
    "sae_family.threshold_slope": [slope_as_tensors, slope_by_integration],
    "sae_family.batch_topk_module": [ThresholdAsAFrozenParameter, ThresholdByCountingBatches],
    "sae_family.lower_fvu": [children_together_with_parents_only, nearly_the_inputs_in_double],
    "sae_family.new_architecture": [SharedThreshold, SquareRootPenalty, DecayingTopK],
}
