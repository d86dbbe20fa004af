"""A matching pursuit is Mallat and Zhang's, step by step, and its gradient is that of the steps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import HierarchicalFeatures, PlantedActivations, tree_dictionary
from course_lib.runtime import generator
from course_lib.sae import MatchingPursuitSAE, RandomDictionary, Trainer
from course_lib.sae.hierarchy import absorption
from course_lib.sae.recovery import match

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
quickly = settings(max_examples=30, deadline=None, derandomize=True)
SIZES = {
    "d_in": st.integers(1, 6), "d_sae": st.integers(1, 12), "batch": st.integers(1, 20),
    "steps": st.integers(1, 6), "seed": st.integers(0, 100),
}  # fmt: skip


def made(d_in=5, d_sae=9, steps=4, tol=0.0, seed=0, **arguments) -> MatchingPursuitSAE:
    sae = MatchingPursuitSAE(d_in, d_sae, steps, tol, seed=seed, **arguments).double()
    with torch.no_grad():
        sae.b_dec.copy_(torch.randn(sae.b_dec.shape, generator=generator(seed)))
    sae.constrain()
    return sae


def inputs(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def by_hand(x, D, b, steps, tol):
    """Latents of one input: one residual, one atom at a time."""
    r, z = x - b, np.zeros(len(D))
    for _ in range(steps):
        products = [float(np.dot(d, r)) for d in D]
        j = int(np.argmax(products))
        if products[j] <= 0 or np.linalg.norm(r) <= tol:
            break
        z[j] += products[j]
        r = r - products[j] * D[j]
    return z


@quickly
@given(**SIZES, tol=st.sampled_from([0.0, 0.5, 2.0]))
def test_latents_are_those_of_a_pursuit_by_hand(d_in, d_sae, batch, steps, seed, tol):
    """For batches larger than the dictionary and smaller, that is with and without overlaps."""
    sae = made(d_in, d_sae, steps, tol, seed)
    x = inputs(batch, d_in, seed=seed + 1)
    D, b = sae.W_dec.detach().numpy(), sae.b_dec.detach().numpy()
    expected = np.stack([by_hand(row, D, b, steps, tol) for row in x.numpy()])
    assert np.allclose(sae.encode(x).detach(), expected, atol=1e-9)


@quickly
@given(**SIZES)
def test_each_step_explains_what_it_took_and_leaves_an_orthogonal_rest(
    d_in, d_sae, batch, steps, seed
):
    sae = made(d_in, d_sae, steps, seed=seed)
    x = inputs(batch, d_in, seed=seed + 1)
    latents, values, residuals = (
        getattr(sae.pursuit(x), name) for name in ("latents", "values", "residuals")
    )
    picked = sae.W_dec[latents]
    assert torch.equal(residuals[0], x - sae.b_dec)
    took = values > 0
    assert torch.allclose((picked * residuals[1:]).sum(-1)[took], x.new_zeros(()), atol=1e-12)
    energy = residuals.square().sum(dim=-1)
    assert torch.allclose(energy[1:], energy[:-1] - values.square(), **CLOSE)
    assert (energy[1:] <= energy[:-1] * (1 + 1e-12)).all() and (values >= 0).all()
    assert torch.allclose(sae(x), x - residuals[-1], **CLOSE)
    assert torch.allclose(sae.loss(x).total, energy[-1].mean(), **CLOSE)
    assert torch.allclose(sae.loss(x).z, sae.encode(x), **CLOSE)


def test_more_steps_than_it_was_made_with_go_on_where_it_stopped():
    sae, x = made(steps=2), inputs(30, 5)
    long, short = sae.pursuit(x, steps=6), sae.pursuit(x)
    assert len(short.values) == 2 < len(long.values)
    assert torch.allclose(long.values[:2], short.values, **CLOSE)
    errors = [(x - sae.decode(sae.encode(x, steps=k))).square().sum() for k in (1, 2, 4, 6)]
    assert errors == sorted(errors, reverse=True) and len(set(errors)) == 4
    assert torch.equal(sae.encode(x, steps=2), sae.encode(x))
    with pytest.raises(ValueError, match="steps is 0"):
        sae.encode(x, steps=0)


def test_a_pursuit_stops_where_little_is_left_or_nothing_fits():
    sae, x = made(d_sae=20, steps=50, tol=0.8), inputs(40, 5)
    pursuit = sae.pursuit(x)
    left = pursuit.residuals.norm(dim=-1)
    assert len(pursuit.values) < 50  # it ends when all inputs have stopped
    assert torch.equal(pursuit.values > 0, left[:-1] > 0.8)
    assert (left[-1] <= 0.8).all()
    one_sided = MatchingPursuitSAE(2, 2, 5).double()
    with torch.no_grad():
        one_sided.W_dec.copy_(torch.eye(2))
    z = one_sided.encode(torch.tensor([[-1.0, -2.0], [3.0, -2.0]], dtype=torch.float64))
    assert z.tolist() == [[0.0, 0.0], [3.0, 0.0]]


def test_the_tolerance_is_folded_with_the_scale():
    sae = made(steps=50, tol=0.8)
    x = inputs(40, 5)
    z = sae.encode(1.7 * x)
    sae.fold_scale(1.7)
    assert sae.tol.item() == pytest.approx(0.8 / 1.7)
    assert torch.allclose(sae.encode(x), z / 1.7)


@pytest.mark.parametrize("d_sae", [4, 12])  # with overlaps and without
@pytest.mark.parametrize("n_instances", [None, 2])
def test_the_gradient_is_autograds_of_the_steps_as_they_are_written(n_instances, d_sae):
    sae = made(d_sae=d_sae, n_instances=n_instances)
    x = inputs(6, 5).requires_grad_()
    outputs = sae.pursuit(x)
    weights = [inputs(*part.shape, seed=9) for part in (outputs.values, outputs.residuals)]

    def naive(D, b, x):
        r = x - (b[:, None] if n_instances else b)
        total = (weights[1][0] * r).sum()
        for t in range(len(outputs.values)):
            one_hot = torch.nn.functional.one_hot(outputs.latents[t], d_sae).double()
            value = ((r @ D.mT) * one_hot).sum(-1, keepdim=True)
            value = value * (outputs.values[t, ..., None] > 0)
            r = r - value * (one_hot @ D)
            total = total + (weights[0][t] * value[..., 0]).sum() + (weights[1][t + 1] * r).sum()
        return total

    ours = sum(
        (w * part).sum()
        for w, part in zip(weights, (outputs.values, outputs.residuals), strict=True)
    )
    parameters = (sae.W_dec, sae.b_dec, x)
    expected = torch.autograd.grad(naive(*parameters), parameters)
    for got, want in zip(torch.autograd.grad(ours, parameters), expected, strict=True):
        assert torch.allclose(got, want, **CLOSE)


def test_the_gradient_of_the_loss_is_the_derivative():
    sae, x = made(d_in=3, d_sae=4, steps=3), inputs(5, 3)

    def loss(W_dec, b_dec):
        weights = {"W_dec": W_dec, "b_dec": b_dec}
        return torch.func.functional_call(
            Losses(sae), {f"sae.{k}": v for k, v in weights.items()}, (x,)
        )

    assert torch.autograd.gradcheck(loss, (sae.W_dec, sae.b_dec))


class Losses(torch.nn.Module):
    def __init__(self, sae):
        super().__init__()
        self.sae = sae

    def forward(self, x):
        return self.sae.loss(x).total


def test_it_keeps_parent_and_child_apart_where_siblings_are_alike():
    features = HierarchicalFeatures()
    D = tree_dictionary(features.parent, 20, 0.1, generator(1))
    world = PlantedActivations(features, D)
    sae = MatchingPursuitSAE(20, 20, steps=3, tol=0.05)
    Trainer(sae, world, steps=1000, batch_size=200, lr=3e-2).fit()
    x, f = world.sample_with_features(2000, generator(5))
    W_dec, z = sae.W_dec.detach(), sae.encode(x).detach()
    score = absorption(z, f, W_dec, D, features.parent)
    assert match(W_dec, D).cosine.mean() > 0.9
    assert score.cosine.mean() < 0.1
    assert score.parent_fires.mean() > 0.95


def test_a_random_dictionary_is_a_pursuit_from_the_mean_in_directions_that_never_change():
    x = inputs(500, 6) + 3
    baseline = RandomDictionary(6, 24, steps=3).double()
    baseline.constrain()
    directions = baseline.W_dec.clone()
    assert baseline.fit(x) is baseline
    assert torch.allclose(baseline.b_dec, x.mean(dim=0))
    assert torch.equal(baseline.W_dec, directions)
    assert torch.allclose(baseline.W_dec.norm(dim=-1), torch.ones(24).double())
    assert (baseline.encode(x) != 0).sum(dim=-1).max() <= 3


def test_what_does_not_fit_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="steps is 0"):
        MatchingPursuitSAE(4, 8, 0)
    with pytest.raises(ValueError, match="tol is -1"):
        MatchingPursuitSAE(4, 8, 2, tol=-1.0)
    with pytest.raises(ValueError, match="only rebuild its own input"):
        made().loss(inputs(3, 5), inputs(3, 5))
