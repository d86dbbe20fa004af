"""PCA is the best linear code of its size; a random dictionary is used as well as it can be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.runtime import generator
from course_lib.sae import PCABaseline, RandomDictionary, TopKSAE, Trainer, fvu, l0


def inputs(*shape, seed=0):
    """Rows with a mean and with more variance along some directions than along others."""
    x = torch.randn(*shape, generator=generator(seed), dtype=torch.float64)
    return x * torch.linspace(0.5, 2, shape[-1]).double() + 3


@settings(max_examples=20, deadline=None, derandomize=True)
@given(d_in=st.integers(1, 6), rows=st.integers(6, 20), data=st.data())
def test_what_pca_leaves_is_the_variance_of_the_components_it_lacks(d_in, rows, data):
    n = data.draw(st.integers(1, d_in))
    x = inputs(rows, d_in)
    pca = PCABaseline(n).fit(x)
    variances = torch.linalg.eigvalsh(torch.cov(x.T, correction=0).reshape(d_in, d_in)).flip(0)
    left = (x - pca(x)).square().sum(dim=-1).mean()
    assert torch.allclose(left, variances[n:].sum(), atol=1e-10)
    assert torch.allclose(pca.encode(x).var(dim=0, correction=0), variances[:n], atol=1e-10)
    assert torch.allclose(pca.W_dec @ pca.W_dec.T, torch.eye(n).double(), atol=1e-10)
    assert torch.allclose(pca.b_dec, x.mean(dim=0))


def test_pca_takes_the_place_of_an_sae_in_metrics_and_state():
    x = inputs(50, 5)
    pca = PCABaseline(2).fit(x)
    assert l0(pca.encode(x)) == 2
    assert 0 < fvu(x, pca(x)) < 1
    assert PCABaseline(**pca.config).config == pca.config
    several = x.unflatten(0, (5, 10))
    assert torch.equal(pca(several), pca(x).unflatten(0, (5, 10)))
    assert set(pca.state_dict()) == {"W_dec", "b_dec"}
    assert pca.float()(x.float()).dtype == torch.float32


def test_a_random_dictionary_does_worse_than_a_trained_one_and_better_used_than_by_topk():
    D = random_dictionary(48, 24, generator(3))
    world = PlantedActivations(SparseFeatures(48, 1 / 16, low=0.5, high=1.5), D)
    x = world.sample(2000, generator(0))
    trained = TopKSAE(24, 96, 6)
    Trainer(trained, world, steps=200, batch_size=256, lr=1e-2).fit()
    chance = RandomDictionary(24, 96, steps=6).fit(x)
    z = chance.encode(x)
    assert l0(z) <= 6
    by_size = TopKSAE(24, 96, 6)
    with torch.no_grad():
        by_size.W_dec.copy_(chance.W_dec)
        by_size.W_enc.copy_(chance.W_enc)
        by_size.b_dec.copy_(chance.b_dec)
        error = {sae: fvu(x, sae(x)).item() for sae in (trained, chance, by_size)}
    assert error[trained] < error[chance] < error[by_size]


def test_the_seed_draws_the_directions_and_fitting_leaves_them():
    one, again, other = (RandomDictionary(6, 24, 3, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.fit(inputs(50, 6).float()).W_dec, again.W_dec)
    assert not torch.equal(one.W_dec, other.W_dec)


def test_what_does_not_fit_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"n_components is 6; for x of shape \[20, 5\] .* most 5"):
        PCABaseline(6).fit(inputs(20, 5))
    with pytest.raises(ValueError, match="n_components is 0"):
        PCABaseline(0)
    with pytest.raises(ValueError, match="x has shape"):
        PCABaseline(1).fit(inputs(5))
    with pytest.raises(RuntimeError, match=r"no components yet; call fit\(x\) first"):
        PCABaseline(1).encode(inputs(2, 5))
