"""Matryoshka: every prefix of the latents is a dictionary of its own."""

import pytest
import torch

from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.runtime import generator
from course_lib.sae import BatchTopKSAE, MatryoshkaSAE, Trainer, fvu
from tests.sae.family import lived_in

PREFIXES = [2, 3, 8]


def matryoshka(**arguments) -> MatryoshkaSAE:
    return lived_in(MatryoshkaSAE(5, 8, 2, PREFIXES, **arguments).double())


def batch(*shape, seed=1):
    return 1.5 * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("n", [None, 2])
def test_a_level_is_what_is_decoded_when_all_later_latents_are_silent(n):
    sae = matryoshka(n_instances=n)
    z = sae.encode(batch(6, 5))
    levels = list(sae.nested(z))
    assert len(levels) == 3
    for prefix, level in zip(PREFIXES, levels, strict=True):
        silent = z.clone()
        silent[..., prefix:] = 0
        assert torch.allclose(level, sae.decode(silent))


@pytest.mark.parametrize("n", [None, 2])
def test_the_loss_is_the_mean_of_the_levels_errors(n):
    sae, x = matryoshka(n_instances=n), batch(6, 5)
    loss = sae.loss(x)
    errors = [(x - level).square().sum(dim=-1).mean(dim=-1) for level in sae.nested(loss.z)]
    assert torch.allclose(loss.terms["reconstruction"], sum(errors) / 3)
    assert torch.allclose(loss.x_hat, sae.decode(loss.z))


def test_with_one_prefix_it_is_batch_topk():
    one = lived_in(MatryoshkaSAE(5, 8, 2, [8], aux_k=2).double())
    plain = lived_in(BatchTopKSAE(5, 8, 2, aux_k=2).double())
    x, dead = batch(6, 5), torch.arange(8) > 4
    ours, theirs = one.loss(x, dead=dead), plain.loss(x, dead=dead)
    assert ours.terms.keys() == theirs.terms.keys()
    assert all(torch.allclose(ours.terms[name], theirs.terms[name]) for name in ours.terms)


def test_a_latent_learns_from_every_prefix_that_it_is_in():
    """The decoder's gradient is the mean over the levels, 0 where a latent comes later."""
    sae, x = matryoshka(), batch(6, 5)
    loss = sae.loss(x)
    loss.terms["reconstruction"].backward()
    by_hand = torch.zeros_like(sae.W_dec)
    with torch.no_grad():
        for prefix, level in zip(PREFIXES, sae.nested(loss.z), strict=True):
            by_hand[:prefix] += (2 / 6 / 3) * loss.z[:, :prefix].T @ (level - x)
    assert torch.allclose(sae.W_dec.grad, by_hand)


def test_after_training_each_longer_prefix_leaves_less_unexplained():
    world = PlantedActivations(SparseFeatures(24, 0.05), random_dictionary(24, 16, generator(0)))
    sae = MatryoshkaSAE(16, 24, 2, [4, 8, 16, 24], n_instances=2)
    Trainer(sae, world, steps=200, batch_size=256, lr=5e-3).fit()
    x = world.sample(2000, generator(1))
    unexplained = torch.stack(
        [fvu(x.expand_as(level), level, per_instance=True) for level in sae.nested(sae.encode(x))]
    )
    assert (unexplained.diff(dim=0) < -0.01).all()
    assert (unexplained[0] < 1).all()


@pytest.mark.parametrize(
    ("prefixes", "error", "message"),
    [
        ([2, 3], ValueError, r"prefixes is \(2, 3\); it must increase and end with d_sae = 8"),
        ([3, 2, 8], ValueError, "must increase"),
        ([2, 2, 8], ValueError, "must increase"),
        ([2, 9], ValueError, "must increase and end"),
        ([], ValueError, "must increase and end"),
        ([0, 8], ValueError, "prefixes is 0; it must be a whole number of at least 1"),
        ([2.5, 8], TypeError, "prefixes is 2.5; it must be a whole number"),
        (8, TypeError, "prefixes is 8; it must be a list"),
    ],
)
def test_prefixes_are_increasing_and_end_with_all_latents(prefixes, error, message):
    with pytest.raises(error, match=message):
        MatryoshkaSAE(5, 8, 2, prefixes)
