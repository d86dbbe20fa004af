"""The spectral SAE is a convolution, the same on every grid, and finds planted functions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import PlantedFunctions, SparseFeatures
from course_lib.runtime import generator
from course_lib.sae import SpectralSAE, Trainer, load, resample_grid, save
from course_lib.sae.metrics import fvu

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
LIFTS = pytest.mark.parametrize("lift", [None, 3])


def lived_in(modes=5, d_sae=4, k=2, seed=0, **arguments) -> SpectralSAE:
    """One in float64 with no parameter at its start."""
    sae = SpectralSAE(modes, d_sae, k, seed=seed, **arguments).double()
    draw = generator(seed)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=draw)
        sae.constrain()
    return sae


def functions(batch, modes, n_points, seed=1):
    """Random functions with frequencies below `modes`, without rounding on any grid."""
    draw = generator(seed)
    coarse = torch.randn(batch, 2 * modes - 1, generator=draw, dtype=torch.float64)
    return resample_grid(coarse, n_points)


def filters(sae, n_points):
    """The encoder's filters on a grid, from the definition of the coordinates."""
    t = torch.arange(n_points, dtype=torch.float64) / n_points
    f = torch.arange(1, sae.modes, dtype=torch.float64)[:, None]
    waves = [torch.ones(1, n_points), 2**0.5 * torch.cos(2 * math.pi * f * t)]
    basis = torch.cat([*waves, 2**0.5 * torch.sin(2 * math.pi * f * t)])
    channels = sae.W_enc.mT.unflatten(-1, (-1, 2 * sae.modes - 1))
    weight = torch.ones(1) if sae.lift is None else sae.lifting
    return torch.einsum("c,jcw,wt->jt", weight.double(), channels, basis.double()).detach()


@LIFTS
def test_with_all_modes_it_is_a_circular_convolution(lift):
    sae = lived_in(modes=5, lift=lift)
    n = 9  # 2 · modes - 1: no frequency of this grid is left out
    x = torch.randn(3, n, generator=generator(2), dtype=torch.float64)
    e, d, b = filters(sae, n).numpy(), sae.atoms(n).numpy(), sae.b_dec.item()
    expected = np.zeros((3, n, sae.d_sae))
    for i in range(3):
        for s in range(n):
            for j in range(sae.d_sae):
                around = sum(e[j, (t - s) % n] * (x[i, t].item() - b) for t in range(n)) / n
                expected[i, s, j] = around + sae.b_enc[j].item()
    assert np.allclose(sae.pre_activations(x).detach(), expected)
    z = sae.encode(x).detach()
    rebuilt = np.full((3, n), b)
    for i, s, j in z.nonzero().tolist():
        for t in range(n):
            rebuilt[i, t] += z[i, s, j].item() * d[j, (t - s) % n]
    assert np.allclose(sae(x).detach(), rebuilt)


def test_each_of_the_k_highest_peaks_is_kept_and_nothing_else():
    sae = lived_in(d_sae=6, k=3)
    x = functions(20, 5, 32)
    pre, z = sae.pre_activations(x), sae.encode(x)
    for i in range(20):
        peaks = {j: pre[i, :, j].max().item() for j in range(6)}
        best = sorted(peaks, key=peaks.get)[-3:]
        wanted = {(int(pre[i, :, j].argmax()), j): peaks[j] for j in best if peaks[j] > 0}
        got = {(s, j): z[i, s, j].item() for s, j in z[i].nonzero().tolist()}
        assert got == pytest.approx(wanted)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(modes=st.integers(1, 6), extra=st.integers(0, 7), shift=st.integers(0, 20))
def test_a_shifted_function_has_shifted_latents_and_a_shifted_reconstruction(modes, extra, shift):
    sae = lived_in(modes=modes)
    x = functions(4, 7, 2 * modes - 1 + extra)
    moved = x.roll(shift, dims=-1)
    assert torch.allclose(sae.pre_activations(moved), sae.pre_activations(x).roll(shift, -2))
    assert torch.allclose(sae(moved), sae(x).roll(shift, dims=-1), **CLOSE)


@LIFTS
@pytest.mark.parametrize("finer", [96, 128, 65])
def test_reading_and_writing_on_a_finer_grid_is_the_band_limited_interpolation(lift, finer):
    sae = lived_in(modes=6, lift=lift)
    x = functions(3, 8, 64)
    pre = sae.pre_activations(x)
    fine = sae.pre_activations(resample_grid(x, finer))
    assert torch.allclose(fine, resample_grid(pre.mT, finer).mT, **CLOSE)
    if finer % 32 == 0:  # the same masses at the same places, 32 of which both grids have
        z = torch.randn(3, 32, 4, generator=generator(3), dtype=torch.float64)
        coarse, fine = z.new_zeros(3, 64, 4), z.new_zeros(3, finer, 4)
        coarse[:, ::2], fine[:, :: finer // 32] = z, z
        assert torch.allclose(sae.decode(fine), resample_grid(sae.decode(coarse), finer), **CLOSE)


def test_a_smooth_function_is_rebuilt_alike_on_all_grids():
    sae = lived_in(modes=4)
    x = functions(200, 4, 64)
    fine = sae(resample_grid(x, 512))
    apart = []
    for n in (64, 128, 256):
        difference = resample_grid(sae(resample_grid(x, n)), 512) - fine
        apart.append((difference.norm(dim=-1) / fine.norm(dim=-1)).median().item())
    # A peak is found within half a step: at f = 3 and n = 64 up to .15 rad off, half that typical.
    assert apart[0] < 0.1
    assert apart[0] > 1.5 * apart[1] > 1.5**2 * apart[2] > 0


def test_lifting_changes_how_it_is_learnt_and_not_what_can_be_computed():
    lifted = lived_in(lift=3)
    plain = SpectralSAE(5, 4, 2, decoder_norm="free").double()
    mixed = {}
    for name, weight in (("W_dec", lifted.projection), ("W_enc", lifted.lifting)):
        W = lifted.W_dec if name == "W_dec" else lifted.W_enc.mT
        mixed[name] = (weight[:, None] * W.unflatten(-1, (3, -1))).sum(dim=-2).detach()
    with torch.no_grad():
        plain.W_dec.copy_(mixed["W_dec"])
        plain.W_enc.copy_(mixed["W_enc"].mT)
        plain.b_enc.copy_(lifted.b_enc)
        plain.b_dec.copy_(lifted.b_dec)
    x = functions(6, 5, 16)
    assert torch.allclose(plain(x), lifted(x), **CLOSE)
    assert torch.allclose(plain.atoms(16), lifted.atoms(16), **CLOSE)


def test_atoms_have_mean_square_one_on_every_grid():
    sae = lived_in(modes=6)
    for n in (11, 64):
        assert torch.allclose(sae.atoms(n).square().mean(-1), torch.ones(4).double())


@LIFTS
def test_the_gradient_of_the_loss_is_the_derivative(lift):
    sae = lived_in(modes=3, d_sae=3, lift=lift)
    x = functions(4, 4, 8)
    names = [name for name, _ in sae.named_parameters()]

    def loss(*parameters):
        called = torch.func.functional_call(
            Losses(sae), {f"sae.{n}": p for n, p in zip(names, parameters, strict=True)}, (x,)
        )
        return called

    assert torch.autograd.gradcheck(loss, tuple(sae.parameters()))


class Losses(torch.nn.Module):
    def __init__(self, sae):
        super().__init__()
        self.sae = sae

    def forward(self, x):
        return self.sae.loss(x).total


@LIFTS
def test_instances_never_influence_each_other(lift):
    sae = lived_in(n_instances=3, lift=lift)
    shared, own = functions(6, 5, 12), functions(18, 5, 12, seed=5).unflatten(0, (3, 6))
    for x in (shared, own):
        loss = sae.loss(x)
        for i in range(3):
            alone = sae.instance(i).loss(x if x.ndim == 2 else x[i])
            assert torch.allclose(loss.total[i], alone.total)
            assert torch.allclose(loss.z[i], alone.z, **CLOSE)
    assert torch.allclose(sae.atoms(12)[1], sae.instance(1).atoms(12), **CLOSE)


@LIFTS
def test_folding_the_scale_is_exact(lift):
    sae, folded = lived_in(lift=lift), lived_in(lift=lift)
    folded.fold_scale(1.7)
    x = functions(6, 5, 20)
    assert torch.allclose(folded(x), sae(1.7 * x) / 1.7, **CLOSE)
    assert torch.allclose(folded.encode(x), sae.encode(1.7 * x) / 1.7, **CLOSE)
    assert torch.allclose(folded.loss(x).total, sae.loss(1.7 * x).total / 1.7**2)


@LIFTS
def test_it_is_saved_and_loaded_with_the_same_outputs(lift, tmp_path):
    sae = lived_in(lift=lift)
    again = load(save(sae, tmp_path / "functions"))
    x = functions(3, 5, 16)
    assert again.config == sae.config and torch.equal(again(x), sae(x))


def test_planted_atoms_are_found_and_serve_grids_that_were_not_trained_on():
    world = PlantedFunctions(SparseFeatures(4, 0.3, low=0.5, high=1.5), 32, 6, seed=0)
    sae = SpectralSAE(8, 6, 2)
    before = shift_cosines(sae, world).mean()
    Trainer(sae, world, steps=300, batch_size=128, lr=1e-2).fit()
    errors = []
    for n in (32, 64, 80):
        x = world.at(n).sample(1000, generator(3))
        with torch.no_grad():
            errors.append(fvu(x, sae(x)).item())
    found = shift_cosines(sae, world)
    assert found.mean() > 0.9 > 0.85 > before
    assert errors[0] < 0.25
    assert max(errors) < 1.1 * errors[0]


def shift_cosines(sae, world, n=128):
    """For each planted atom the best cosine with a learnt one, over all shifts."""
    planted, learnt = world.at(n).atoms, sae.atoms(n)
    moved = torch.stack([learnt.roll(s, -1) for s in range(n)])
    cosine = torch.nn.functional.cosine_similarity(planted[:, None, None], moved, dim=-1)
    return cosine.amax(dim=(1, 2))


def test_what_does_not_fit_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="k is 5; it must be at most d_sae = 4"):
        SpectralSAE(8, 4, 5)
    with pytest.raises(ValueError, match="modes is 0"):
        SpectralSAE(0, 4, 2)
    with pytest.raises(ValueError, match=r"shape \[2, 14\].* at least 15 points, as 8 modes need"):
        SpectralSAE(8, 4, 2)(torch.randn(2, 14))
    with pytest.raises(ValueError, match=r"must be \[batch, grid\] or \[3, batch, grid\]"):
        SpectralSAE(8, 4, 2, n_instances=3)(torch.randn(2, 4, 16))
    world = PlantedFunctions(SparseFeatures(4, 0.3), 32, 6)
    with pytest.raises(ValueError, match="resample_every is 1, but SpectralSAE cannot"):
        Trainer(SpectralSAE(8, 4, 2), world, steps=3, resample_every=1)


def test_resampling_a_grid_there_and_back_is_exact_for_smooth_functions():
    x = functions(3, 5, 24)
    assert torch.allclose(resample_grid(resample_grid(x, 9), 24), x, **CLOSE)
    assert torch.allclose(resample_grid(x, 48)[:, ::2], x, **CLOSE)
