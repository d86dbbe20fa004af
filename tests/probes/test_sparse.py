"""Sparse probes use k neurons, the right ones where there are such."""

import pytest
import torch

from course_lib import runtime
from course_lib.probes import fit, probe
from course_lib.probes.sparse import RANKINGS

N_NEURONS = 60


def layer(spread_over, n=2000, n_others=0, noise=0.3, seed=0):
    """A layer in which a feature stands in `spread_over` neurons, each weak, shared with others."""
    generator = runtime.generator(seed)
    y = (torch.rand(n, generator=generator) < 0.3).long()
    direction = torch.zeros(N_NEURONS)
    direction[:spread_over] = spread_over**-0.5
    x = noise * torch.randn(n, N_NEURONS, generator=generator) + y[:, None] * direction
    if n_others:
        others = torch.randn(n_others, N_NEURONS, generator=generator)
        others[:, :spread_over] *= 2.0
        others /= others.norm(dim=1, keepdim=True)
        x += (torch.rand(n, n_others, generator=generator) < 0.2).float() @ others
    return x, y


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("k", [1, 3, 60])
def test_a_sparse_probe_has_k_entries_and_the_rest_are_zero(ranking, k):
    x, y = layer(8, n=300)
    y = torch.stack([y, 1 - y, y.roll(100)])
    direction = fit(x, y, "sparse", k=k, ranking=ranking).direction
    assert ((direction != 0).sum(-1) == k).all()


@pytest.mark.parametrize("ranking", RANKINGS)
def test_the_planted_neurons_are_found(ranking):
    x, y = layer(8)
    chosen = fit(x, y, "sparse", k=8, ranking=ranking).direction != 0
    assert int(chosen[:8].sum()) >= 7


def test_one_neuron_is_enough_for_a_feature_of_its_own_and_not_for_one_that_is_spread():
    alone, spread = layer(1, noise=0.2), layer(16, noise=0.2, n_others=20)
    assert float(probe(*alone, "sparse", k=1).f1) > 0.95
    assert float(probe(*spread, "sparse", k=1).f1) < 0.7
    assert float(probe(*spread, "sparse", k=60).f1) > 0.9


def test_on_its_neurons_it_is_a_logistic_regression():
    x, y = layer(8)
    sparse = fit(x, torch.stack([y, 1 - y]), "sparse", k=5)
    chosen = sparse.direction[0] != 0
    dense = fit(x[:, chosen], y)
    assert torch.allclose(sparse.direction[0, chosen], dense.direction, atol=1e-3)
    assert torch.allclose(sparse.direction[0], -sparse.direction[1], atol=1e-3)


def test_rankings_that_look_at_neurons_together_beat_one_by_one_where_neurons_repeat():
    """Ten copies of a weak signal win every place of a ranking one by one."""
    generator = runtime.generator(0)
    y = torch.randint(2, (3000,), generator=generator)
    x = torch.randn(3000, 20, generator=generator)
    x[:, :10] = x[:, :1] + 1.5 * y[:, None] + 0.01 * torch.randn(3000, 10, generator=generator)
    x[:, 10:13] += y[:, None]
    by = {r: float(probe(x, y, "sparse", k=4, ranking=r).accuracy) for r in RANKINGS}
    assert by["greedy"] > by["mean_difference"] + 0.05
    assert by["prune"] > by["mean_difference"]


def test_more_neurons_than_there_are_and_more_classes_than_two_are_refused():
    x, y = layer(8, n=50)
    with pytest.raises(ValueError, match="k is 61; x has 60"):
        fit(x, y, "sparse", k=61)
    with pytest.raises(ValueError, match="3 classes"):
        fit(x, torch.arange(50) % 3, "sparse")
    with pytest.raises(ValueError, match="ranking is 'l1'"):
        fit(x, y, "sparse", ranking="l1")
