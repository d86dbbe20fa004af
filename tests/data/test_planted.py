"""The worlds write what they planted, and nothing else."""

import pytest
import torch

from course_lib.data import (
    HierarchicalFeatures,
    PairedViews,
    PlantedActivations,
    PlantedFunctions,
    SparseFeatures,
    random_dictionary,
)
from course_lib.runtime import generator

FEATURES = SparseFeatures(8, 0.25)
DICTIONARY = random_dictionary(8, 5, generator(9))
WORLDS = [
    PlantedActivations(FEATURES, DICTIONARY, noise=0.1),
    PairedViews(FEATURES, 5),
    PlantedFunctions(FEATURES),
]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_the_truth_comes_with_the_same_draw(world):
    x, features = world.sample_with_features(50, generator(1))[:2]
    assert torch.equal(x, world.sample(50, generator(1)))
    assert torch.equal(features, FEATURES.sample(50, generator(1))[0])
    assert not torch.equal(x, world.sample(50, generator(2)))
    assert x.shape[0] == 50 and x.shape[-1] == world.d_in and world.n_features == 8


def test_planted_activations_are_the_features_along_their_directions_plus_the_shift():
    shift = torch.arange(5.0)
    x, f = PlantedActivations(FEATURES, DICTIONARY, shift=shift).sample_with_features(
        20, generator(0)
    )
    by_hand = torch.stack(
        [shift + sum(f[b, i] * DICTIONARY[i] for i in range(8)) for b in range(20)]
    )
    assert torch.allclose(x, by_hand, atol=1e-6)


def test_the_noise_has_its_standard_deviation_and_is_white():
    clean, noisy = (PlantedActivations(FEATURES, DICTIONARY, noise=n) for n in (0.0, 0.3))
    noise = noisy.sample(40_000, generator(0)) - clean.sample(40_000, generator(0))
    error = 4.5 * 0.09 * (2 / 40_000) ** 0.5  # of a variance, and more than that of a covariance
    assert torch.allclose(torch.cov(noise.T), 0.09 * torch.eye(5), atol=error)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_activations_have_the_dictionarys_dtype(dtype):
    world = PlantedActivations(FEATURES, DICTIONARY.to(dtype), noise=0.1)
    x, f = world.sample_with_features(3, generator(0))
    assert x.dtype == f.dtype == dtype


def test_a_tree_can_be_planted():
    world = PlantedActivations(HierarchicalFeatures(), random_dictionary(20, 7, generator(0)))
    x, f = world.sample_with_features(11, generator(0))
    assert torch.allclose(x, f @ world.dictionary, atol=1e-5)


def test_the_two_views_share_their_concepts_and_differ_by_directions_gains_and_gap():
    world = PairedViews(FEATURES, 12, cosine=0.3, gap=2.0, jitter=0.2, noise=0.0, seed=4)
    assert torch.allclose(
        (world.dictionary[0] * world.dictionary[1]).sum(-1), torch.full((8,), 0.3), atol=1e-5
    )
    assert (world.shift[0] - world.shift[1]).norm().item() == pytest.approx(2.0, rel=1e-5)
    x, f = world.sample_with_features(500, generator(0))
    assert x.shape == (500, 2, 12)
    for view in range(2):  # 8 directions in 12 dimensions: the gains can be read back exactly
        written = (x[:, view] - world.shift[view]) @ torch.linalg.pinv(world.dictionary[view])
        gain = (written / f)[f > 0.1]
        assert 0.8 - 1e-3 <= gain.min() < 0.82 and 1.18 < gain.max() <= 1.2 + 1e-3
        assert written[f == 0].abs().max() < 1e-4


def test_gains_of_the_two_views_are_independent():
    world = PairedViews(SparseFeatures(1, 1.0, low=1.0, high=1.0001), 4, gap=0, noise=0)
    x = world.sample(20_000, generator(0))
    gain = torch.stack([x[:, v] @ world.dictionary[v, 0] for v in range(2)])
    assert abs(torch.corrcoef(gain)[0, 1]) < 4.5 / 20_000**0.5
    assert gain.std(dim=1) == pytest.approx([0.4 / 12**0.5] * 2, rel=0.02)


def test_functions_are_sums_of_shifted_atoms():
    world = PlantedFunctions(FEATURES, n_points=64, max_frequency=8)
    x, f, shift = world.sample_with_features(6, generator(0))
    t = torch.arange(64) / 64
    by_hand = torch.zeros(6, 64)
    for b in range(6):
        for j in range(8):
            for m in range(1, 9):
                wave = torch.exp(2j * torch.pi * m * (t - shift[b, j]))
                by_hand[b] += f[b, j] * 2 * (world.coefficients[j, m - 1] * wave).real
    assert torch.allclose(x, by_hand, atol=1e-5)
    assert shift.min() >= 0 and shift.max() < 1


def test_the_same_seed_gives_the_same_functions_on_every_grid():
    world = PlantedFunctions(FEATURES, n_points=64)
    x = world.sample(20, generator(5))
    assert torch.allclose(world.at(128).sample(20, generator(5))[:, ::2], x, atol=1e-5)
    assert torch.allclose(world.at(32).sample(20, generator(5)), x[:, ::2], atol=1e-5)
    assert world.n_points == 64 and world.at(128).d_in == 128


def test_atoms_are_normalised_band_limited_and_differ():
    atoms = PlantedFunctions(FEATURES, n_points=100, max_frequency=6).atoms
    assert torch.allclose(atoms.square().mean(-1), torch.ones(8), atol=1e-5)
    spectrum = torch.fft.rfft(atoms).abs() / 100
    assert spectrum[:, 7:].max() < 1e-6 and spectrum[:, 0].max() < 1e-6
    # the largest cosine over all shifts, by the circular cross-correlation
    c = torch.fft.fft(atoms)
    cross = torch.fft.ifft(c[:, None] * c[None].conj()).real.amax(-1) / 100
    assert (cross - torch.eye(8)).max() < 0.99


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PlantedActivations(FEATURES, torch.eye(7)), r"dictionary has shape \[7, 7\]"),
        (lambda: PlantedActivations(FEATURES, DICTIONARY * float("nan")), "dictionary has 40 of"),
        (lambda: PlantedActivations(FEATURES, DICTIONARY, noise=-1.0), "noise is -1.0"),
        (lambda: PlantedActivations(FEATURES, DICTIONARY, shift=torch.ones(4)), "shift has shape"),
        (lambda: PlantedActivations(SparseFeatures(8, 0.1, 2), DICTIONARY), "n_instances = 2"),
        (lambda: PairedViews(SparseFeatures(8, 0.1, 2), 5), "n_instances = 2"),
        (lambda: PairedViews(FEATURES, 5, cosine=2.0), "cosine is 2.0"),
        (lambda: PairedViews(FEATURES, 5, jitter=1.5), "jitter is 1.5"),
        (lambda: PlantedFunctions(SparseFeatures(8, 0.1, 2)), "n_instances = 2"),
        (lambda: PlantedFunctions(FEATURES, n_points=16), "n_points is 16; .* at least 17"),
        (lambda: PlantedFunctions(FEATURES).at(16), "n_points is 16; .* at least 17"),
        (lambda: WORLDS[0].sample(0, generator(0)), "batch_size is 0"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()
