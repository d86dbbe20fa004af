"""Fronts: every architecture at the sparsity it was asked for, scored seed by seed."""

import pytest
import torch

from course_lib import runtime
from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.sae import GatedSAE, TopKSAE, fvu, match, mean_max_cosine_similarity
from course_lib.sae.front import Front, score_front, train_front

DICTIONARY = random_dictionary(12, 8, runtime.generator(50))
WORLD = PlantedActivations(SparseFeatures(12, 0.1, low=0.5), DICTIONARY, noise=0.01)


def test_an_architecture_that_is_told_k_has_it_at_every_seed_and_seeds_differ():
    saes = train_front(TopKSAE, 8, 16, WORLD, (1, 3), n_seeds=2, steps=60, batch_size=64)
    assert [[sae.k for sae in line] for line in saes] == [[1, 1], [3, 3]]
    assert all(sae.n_instances is None and not sae.training for line in saes for sae in line)
    assert not torch.equal(saes[0][0].W_dec, saes[0][1].W_dec)


def test_an_architecture_with_a_penalty_is_steered_to_every_sparsity():
    saes = train_front(GatedSAE, 8, 16, WORLD, (1, 3), n_seeds=2, steps=500, lr=0.02)
    x, features = WORLD.sample_with_features(2048, runtime.generator(1))
    front = score_front(saes, x, features, DICTIONARY)
    assert (front.l0 - torch.tensor([[1.0], [3.0]])).abs().max() < 0.35


def test_scores_are_those_of_the_single_metrics():
    saes = train_front(TopKSAE, 8, 16, WORLD, (1, 2), n_seeds=2, steps=200, batch_size=128)
    x, features = WORLD.sample_with_features(1024, runtime.generator(2))
    front = score_front(saes, x, features, DICTIONARY)
    one = saes[1][0]
    assert front.fvu[1, 0] == fvu(x, one(x)).item()
    assert front.mmcs[1, 0] == mean_max_cosine_similarity(one.W_dec, DICTIONARY).item()
    assert front.found[1, 0].item() == pytest.approx(match(one.W_dec, DICTIONARY).recall)
    assert front.l0.shape == (2, 2) and (front.l0 <= torch.tensor([[1.0], [2.0]])).all()


def front(l0, fvu) -> Front:
    l0, fvu = torch.tensor(l0), torch.tensor(fvu)
    return Front(l0, fvu, *[10 * l0] * 6)


def test_between_two_points_fvu_is_read_on_a_logarithmic_scale_and_others_on_a_linear_one():
    one = front([[1.0, 3.0], [3.0, 1.0]], [[0.4, 0.1], [0.1, 0.4]])
    torch.testing.assert_close(one.at("fvu", 2.0), torch.tensor([0.2, 0.2]))
    torch.testing.assert_close(one.at("dead", 2.5), torch.tensor([25.0, 25.0]))
    torch.testing.assert_close(one.at("dead", 4.0), torch.tensor([40.0, 40.0]))


def test_a_point_of_the_front_is_read_as_it_is():
    one = front([[1.0], [2.0], [4.0]], [[0.5], [0.2], [0.1]])
    for l0, wanted in ((1.0, 0.5), (2.0, 0.2), (4.0, 0.1)):
        assert one.at("fvu", l0).item() == pytest.approx(wanted)


def test_an_unknown_measure_is_refused_with_the_list_of_those_there_are():
    with pytest.raises(ValueError, match="measure is 'loss'; it must be one of 'l0', 'fvu'"):
        front([[1.0], [2.0]], [[0.5], [0.2]]).at("loss", 1.0)
