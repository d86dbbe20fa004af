"""A fixed threshold: what exceeds it passes unchanged, and gradients pass with it."""

import pytest
import torch

from course_lib.runtime import generator
from course_lib.sae import ThresholdSAE
from tests.sae.family import lived_in


def batch(*shape, seed=1):
    return 1.5 * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def test_what_is_above_tau_passes_unchanged_and_the_rest_is_cut():
    sae = ThresholdSAE(3, 4, 0.5)
    pre = torch.tensor([-1.0, 0.0, 0.499, 0.5, 0.501, 3.0])
    assert sae.activate(pre[:, None]).flatten().tolist() == pytest.approx([0, 0, 0, 0, 0.501, 3.0])


def test_each_instance_has_its_own_tau():
    sae = ThresholdSAE(3, 4, [0.5, 2.0], n_instances=2)
    pre = torch.ones(2, 1, 4)
    assert sae.activate(pre).tolist() == [[[1.0] * 4], [[0.0] * 4]]


def test_gradients_pass_active_latents_alone_however_near_tau():
    sae = ThresholdSAE(3, 4, 0.5).double()
    pre = torch.tensor([[0.4999, 0.5001, 2.0, -1.0]], dtype=torch.float64, requires_grad=True)
    sae.activate(pre).sum().backward()
    assert pre.grad.tolist() == [[0.0, 1.0, 1.0, 0.0]]
    away = batch(6, 4).requires_grad_()
    assert torch.autograd.gradcheck(sae.activate, away)


def test_a_latent_that_is_silent_on_the_batch_gets_no_gradient():
    sae, x = lived_in(ThresholdSAE(3, 4, 0.5).double()), batch(20, 3)
    with torch.no_grad():
        sae.b_enc[2] = -100.0
    sae.loss(x).total.backward()
    for grad in (sae.W_enc.grad.T, sae.W_dec.grad, sae.b_enc.grad[:, None]):
        assert not grad[2].any() and grad[[0, 1, 3]].any(dim=1).all()


def test_the_planted_dictionary_is_a_solution_when_interference_stays_below_tau():
    """Coherence μ and at most k features of size 1 to 2: interference ≤ 2 k μ < τ < 1 - 2 k μ."""
    D = torch.eye(6, dtype=torch.float64)
    D[0, 1] = 0.05
    D /= D.norm(dim=-1, keepdim=True)
    features = torch.zeros(50, 6, dtype=torch.float64)
    magnitudes = 1 + torch.rand(50, generator=generator(0), dtype=torch.float64)
    features[torch.arange(50), torch.randint(6, (50,), generator=generator(1))] = magnitudes
    sae = ThresholdSAE(6, 6, 0.5).double()
    with torch.no_grad():
        sae.W_dec.copy_(D)
        sae.W_enc.copy_(D.T)
    assert torch.allclose(sae.encode(features @ D), features)
    assert torch.allclose(sae(features @ D), features @ D)


@pytest.mark.parametrize("tau", [-0.1, float("nan"), float("inf")])
def test_tau_is_finite_and_not_negative(tau):
    with pytest.raises(ValueError, match="tau has 1 of 1 entries that are not allowed"):
        ThresholdSAE(3, 4, tau)
