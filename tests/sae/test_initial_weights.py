"""An SAE starts from directions that know nothing of the world it will be trained on."""

import pytest
import torch

from course_lib import runtime
from course_lib.data import random_dictionary
from course_lib.sae import TopKSAE
from course_lib.sae.recovery import mean_max_cosine_similarity


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_instances", [None, 2])
def test_an_sae_does_not_start_at_a_dictionary_that_was_drawn_from_its_seed(seed, n_instances):
    planted = random_dictionary(48, 32, runtime.generator(seed))
    sae = TopKSAE(32, 48, k=2, n_instances=n_instances, seed=seed)
    other = random_dictionary(48, 32, runtime.generator(10_000 + seed))
    by_chance = mean_max_cosine_similarity(other, planted)
    similarity = mean_max_cosine_similarity(sae.W_dec.detach(), planted)
    assert torch.all((similarity - by_chance).abs() < 0.05)
