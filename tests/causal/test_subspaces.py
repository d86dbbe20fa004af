"""Splits add up and keep their promises; the planted illusions are what they are, exactly."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.activations import ProjectOut, ReplaceSubspace
from course_lib.causal import (
    PlantedIllusion,
    ThreeNeurons,
    disconnected_dormant_split,
    dormancy,
    illusion_report,
    recovered,
    row_null_split,
)
from course_lib.runtime import generator
from tests.steering.small import normal

MODEL = ThreeNeurons()
X, Y = normal(50, dtype=torch.float64), normal(50, seed=1, dtype=torch.float64)
BASE, SOURCE = MODEL.hidden(X), MODEL.hidden(Y)
E1, E2, E3 = torch.eye(3).double()
READ = MODEL.w_out[None]


@given(d=st.integers(2, 7), d_out=st.integers(1, 7), seed=st.integers(0, 50))
@settings(deadline=None)
def test_row_and_null_part_add_up_and_the_read_out_sees_the_first_alone(d, d_out, seed):
    W, v = normal(d_out, d, seed=seed, dtype=torch.float64), normal(3, d, seed=seed + 1).double()
    row, null = row_null_split(v, W)
    torch.testing.assert_close(row + null, v)
    torch.testing.assert_close(null @ W.T, torch.zeros(3, d_out).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(row @ W.T, v @ W.T)
    assert (row * null).sum(-1).abs().max() < 1e-9
    if d_out >= d:
        assert null.norm() < 1e-6 * v.norm()


@given(d=st.integers(3, 7), d_out=st.integers(1, 4), m=st.integers(1, 4), seed=st.integers(0, 50))
@settings(deadline=None)
def test_disconnected_and_dormant_parts_are_what_they_are_called(d, d_out, m, seed):
    W, changes, v = (
        normal(n, d, seed=seed + i, dtype=torch.float64) for i, n in enumerate((d_out, m, 1))
    )
    disconnected, dormant, rest = disconnected_dormant_split(v[0], W, changes)
    torch.testing.assert_close(disconnected + dormant + rest, v[0])
    torch.testing.assert_close(W @ disconnected, torch.zeros(d_out).double(), atol=1e-8, rtol=0)
    torch.testing.assert_close(changes @ dormant, torch.zeros(m).double(), atol=1e-8, rtol=0)
    # What neither can explain is seen by the read-out and moved by the data alike.
    if rest.norm() > 1e-6:
        for space in (W, changes):
            _, outside = row_null_split(rest, space)
            assert outside.norm() < 1e-6


@pytest.mark.parametrize(
    ("v", "effect"),
    [
        (E1, 0), (E2, 0), (E3, 1), (E1 + E2, 1), (MODEL.w_out, 1), (E1 + E3, 1),
        (E1 + E2 + E3, 2),
    ],
)  # fmt: skip
def test_patches_in_three_neurons_recover_zero_zero_one_one(v, effect):
    assert MODEL.effect(v).item() == pytest.approx(effect, abs=1e-12)
    report = illusion_report(MODEL.output, BASE, SOURCE, v, READ)
    assert report.effect == pytest.approx(effect, abs=1e-9)
    assert report.through_row + report.through_null == pytest.approx(effect, abs=1e-9)
    if v is not MODEL.w_out:  # which has no null-space part
        assert report.null == pytest.approx(0, abs=1e-9)
    assert report.rest < 1e-9  # every direction of this model splits: the definition flags all


def test_ablation_does_not_expose_the_illusion_and_the_plane_does():
    illusory = illusion_report(
        MODEL.output, BASE, SOURCE, E1 + E2, READ, plane=torch.stack([E1, E2])
    )
    assert illusory.kept == pytest.approx(0, abs=1e-9)
    assert illusory.plane_kept == pytest.approx(1, abs=1e-9)
    for unused in (E1, E2):
        assert illusion_report(
            MODEL.output, BASE, SOURCE, unused, READ
        ).kept == pytest.approx(1)  # fmt: skip
    true = illusion_report(MODEL.output, BASE, SOURCE, E3, READ)
    assert true.kept == pytest.approx(0, abs=1e-9)
    # And yet a plane that holds e3 can go, too: e2 takes over where e1 - e2 is gone with it.
    disconnected, dormant, _ = disconnected_dormant_split(E3, READ, SOURCE - BASE)
    torch.testing.assert_close(disconnected, torch.tensor([1.0, -1, 2]).double() / 3)
    torch.testing.assert_close(dormant, torch.tensor([-1.0, 1, 1]).double() / 3)
    assert true.plane_kept == pytest.approx(1, abs=1e-9)
    out = MODEL.output(ProjectOut(torch.stack([E3, E1 - E2]))(BASE))
    torch.testing.assert_close(out, X)


def test_dormant_is_what_does_not_move():
    assert dormancy(E2, BASE) == 0
    assert dormancy(E1, BASE) == pytest.approx(1.5)  # of three axes two move
    assert dormancy(E1 + E3, BASE) == pytest.approx(3)
    report = illusion_report(MODEL.output, BASE, SOURCE, E1 + E2, READ)
    assert report.dormancy[0] == pytest.approx(0.75) and report.dormancy[2] < 1e-9


@pytest.mark.parametrize("awake", [0.1, 0.5, 1.0])
def test_waking_the_dormant_neuron_breaks_the_illusion_and_not_the_truth(awake):
    x, y = normal(4000, seed=5, dtype=torch.float64), normal(4000, seed=6, dtype=torch.float64)
    draw = generator(0)
    base, source = MODEL.hidden(x, awake, draw), MODEL.hidden(y, awake, draw)

    def r2(v):
        patched = MODEL.output(ReplaceSubspace(source, v)(base)) - MODEL.output(base)
        meant = y - x
        return (1 - (patched - meant).square().sum() / meant.square().sum()).item()

    assert r2(E3) == pytest.approx(1)
    expected = 1 - awake  # the noise of two draws of neuron 2, each with weight 1
    assert r2(E1 + E2) == pytest.approx(expected, abs=0.12)
    with pytest.raises(ValueError, match="generator is None"):
        MODEL.hidden(x, awake)


@given(v3=st.floats(-1, 1) | st.floats(-16, 0).map(lambda e: 10**e))
@settings(deadline=None)
def test_the_zero_loss_curve_is_on_the_sphere_and_recovers_one(v3):
    found = MODEL.zero_loss(torch.tensor([v3]).double())[0]
    real = found[~found.isnan().any(dim=1)]
    assert 1 <= len(real) <= 2
    torch.testing.assert_close(real.norm(dim=1), torch.ones(len(real)).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        MODEL.effect(real), torch.ones(len(real)).double(), atol=1e-4, rtol=0
    )
    assert torch.equal(real[:, 2], torch.full((len(real),), v3).double())


def test_known_points_of_the_curve():
    ends = MODEL.zero_loss(torch.tensor([0.0, 1.0]))
    half = math.sqrt(0.5)
    expected = torch.tensor([[-half, -half, 0], [half, half, 0]]).double()
    torch.testing.assert_close(ends[0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(ends[1, 0], E3, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("n_hidden", "n_inputs"), [(64, 4), (11, 2), (70, 3), (5, 1)])
def test_the_planted_illusion_of_a_wide_layer_is_exact(n_hidden, n_inputs):
    model = PlantedIllusion(n_hidden, n_inputs)
    x = normal(60, n_inputs, dtype=torch.float64)
    y = normal(60, n_inputs, seed=1, dtype=torch.float64)
    base, source = model.hidden(x), model.hidden(y)
    assert base.shape == (60, n_hidden)
    torch.testing.assert_close(model.output(base), x)
    assert base[:, model.dormant.bool()].abs().max() == 0
    for name, effect in (("true", 1), ("illusory", 1), ("disconnected", 0), ("dormant", 0)):
        v = getattr(model, name)
        assert v.norm().item() == pytest.approx(1)
        out = model.output(ReplaceSubspace(source, v)(base))
        assert recovered(out[:, 0], x[:, 0], y[:, 0]).item() == pytest.approx(effect, abs=1e-9)
        torch.testing.assert_close(out[:, 1:], x[:, 1:])
    assert (model.true @ model.illusory).abs() < 1e-9


def test_layers_without_room_for_the_illusion_are_errors():
    with pytest.raises(ValueError, match="n_hidden is 10; 4 inputs need 11 at least"):
        PlantedIllusion(10, 4)


def test_a_direction_that_points_nowhere_is_an_error():
    with pytest.raises(ValueError, match="v is all 0"):
        illusion_report(MODEL.output, BASE, SOURCE, 0 * E1, READ)
