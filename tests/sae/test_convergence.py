"""Every architecture finds planted directions; what learns nothing, or no sparsity, does not.

24 directions in 16 dimensions, 1.2 of them active in an input on average, 300 steps.
"""

import pytest
import torch

from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.runtime import generator
from course_lib.sae import (
    BatchTopKSAE,
    GatedSAE,
    JumpReLUSAE,
    MatchingPursuitSAE,
    MatryoshkaSAE,
    PAnnealSAE,
    PCABaseline,
    ReLUSAE,
    ThresholdSAE,
    TopKSAE,
    Trainer,
    l0,
    match,
    mean_max_cosine_similarity,
    shrinkage,
)
from course_lib.sae.recovery import FOUND_COSINE

DICTIONARY = random_dictionary(24, 16, generator(1))
WORLD = PlantedActivations(SparseFeatures(24, 0.05, low=0.5, high=1.5), DICTIONARY, noise=0.01)
TRUE_L0 = 1.2
SEEDS = {"n_instances": 3}
STEERED = {  # the trainer finds the coefficient
    "ReLU": ReLUSAE(16, 32, **SEEDS),
    "Gated": GatedSAE(16, 32, **SEEDS),
    "p-anneal": PAnnealSAE(16, 32, p_end=0.5, **SEEDS),
    "JumpReLU": JumpReLUSAE(16, 32, **SEEDS),
}
FIXED = {
    "TopK": TopKSAE(16, 32, 2, **SEEDS),
    "BatchTopK": BatchTopKSAE(16, 32, 1, **SEEDS),
    "Matryoshka": MatryoshkaSAE(16, 32, 1, [24, 32], **SEEDS),
    "threshold": ThresholdSAE(16, 32, 1.0, **SEEDS),
    "matching pursuit": MatchingPursuitSAE(16, 32, 2, **SEEDS),
}


def written_per_unit(sae, x, features):
    """Median over features and seeds of what latents write as a multiple of what is there."""
    found = []
    for i in range(3):
        one = sae.instance(i).eval()
        latent = match(one.W_dec, DICTIONARY).latent
        found.append(shrinkage(one.encode(x), features, one.W_dec, latent))
    return torch.cat(found).nanmedian().item()


@pytest.mark.parametrize("name", [*STEERED, *FIXED])
def test_every_architecture_finds_the_planted_directions(name):
    sae = (STEERED | FIXED)[name]
    target = TRUE_L0 if name in STEERED else None
    recipe = {"steps": 300, "batch_size": 256, "lr": 0.03, "dead_after": 20 * 256}
    Trainer(sae, WORLD, target_l0=target, **recipe).fit()
    assert (mean_max_cosine_similarity(sae.W_dec, DICTIONARY) > FOUND_COSINE).all()
    x, features = WORLD.sample_with_features(2000, generator(99))
    with torch.no_grad():
        sparsity = l0(sae.encode(x), per_instance=True)
        assert ((sparsity > 0.8) & (sparsity < 2.1)).all()
        shrunk = written_per_unit(sae, x, features)
    # Measured: ReLU 0.50, p-anneal, which began with that penalty, 0.77, all others 0.91 to 0.98.
    low, high = {"ReLU": (0.3, 0.8), "p-anneal": (0.6, 0.95)}.get(name, (0.88, 1.05))
    assert low < shrunk < high


def test_neither_random_directions_nor_inputs_nor_principal_components_do():
    """Random rows reach about 0.5; an input is a sum of features, a component a mean of them."""
    x = WORLD.sample(2000, generator(99))
    components = PCABaseline(16).fit(x).W_dec
    for rows in (TopKSAE(16, 32, 2).W_dec, x[:32], torch.cat([components, -components])):
        assert mean_max_cosine_similarity(rows, DICTIONARY) < 0.8


def test_half_as_many_latents_as_features_cannot():
    """What A6 calls capacity: each latent can be right about one feature, the others are missed."""
    sae = ThresholdSAE(16, 12, 1.0, **SEEDS)
    Trainer(sae, WORLD, steps=300, batch_size=256, lr=0.03).fit()
    assert (mean_max_cosine_similarity(sae.W_dec, DICTIONARY) < 0.8).all()
