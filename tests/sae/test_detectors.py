"""The search for detectors against brute force, and against units that are planted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_curve

from course_lib.runtime import generator
from course_lib.sae import best_detectors

N = 400


def drawn(n_units, n_concepts, seed, sparse=True):
    draw = generator(seed)
    units = torch.randn(N, n_units, generator=draw)
    concepts = torch.rand(N, n_concepts, generator=draw) < 0.1
    return (units.relu() * (torch.rand(N, n_units, generator=draw) < 0.3) if sparse else units), (
        concepts
    )


@pytest.mark.parametrize("unit", [0, 300, 511])
def test_a_planted_unit_is_found_among_hundreds(unit):
    units, concepts = drawn(512, 3, 0)
    units[:, unit] = 2.0 * concepts[:, 1] + units[:, unit] * 0.5 * ~concepts[:, 1]
    units[:, unit].clamp_(max=2.0)
    found = best_detectors(units, concepts)
    assert found.unit[1] == unit and found.f1[1] > 0.9
    assert (found.f1[[0, 2]] < 0.5).all()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(n_units=st.integers(1, 9), seed=st.integers(0, 99), sparse=st.booleans())
def test_no_threshold_of_any_unit_is_better_by_scikit_learn(n_units, seed, sparse):
    units, concepts = drawn(n_units, 2, seed, sparse)
    found = best_detectors(units, concepts)
    for c in range(2):
        says = units[:, found.unit[c]] > found.threshold[c]
        assert found.f1[c].item() == pytest.approx(f1_score(concepts[:, c], says), abs=1e-6)
        best = 0.0
        for unit in units.T:
            precision, recall, thresholds = precision_recall_curve(concepts[:, c], unit)
            f1 = 2 * precision * recall / (precision + recall + 1e-12)
            best = max(best, f1[:-1][thresholds > unit.min().item()].max())
        assert found.f1[c].item() == pytest.approx(best, abs=1e-6)
    assert torch.allclose(found.score(units, concepts), found.f1)


def test_a_lucky_unit_is_found_out_on_other_tokens():
    units, concepts = drawn(2000, 1, 1)
    found = best_detectors(units[:200], concepts[:200])
    assert found.f1[0] > found.score(units[200:], concepts[200:])[0] + 0.1


def test_the_other_sign_counts_where_it_is_given():
    units, concepts = drawn(4, 1, 2, sparse=False)
    units[:, 3] = torch.where(concepts[:, 0], -3.0, 0.0) + 0.1 * units[:, 3]
    assert best_detectors(units, concepts).f1[0] < 0.5
    both = best_detectors(torch.cat([units, -units], dim=-1), concepts)
    assert both.unit[0] == 7 and both.f1[0] > 0.99


def test_what_is_never_present_scores_nan_and_silent_units_do_no_harm():
    units, concepts = torch.zeros(10, 2), torch.zeros(10, 1, dtype=torch.bool)
    found = best_detectors(units, concepts)
    assert found.score(units, concepts).isnan().all()


def test_bad_input_is_named():
    units, concepts = drawn(3, 1, 0)
    with pytest.raises(ValueError, match="concepts"):
        best_detectors(units, concepts[1:])
    with pytest.raises(TypeError, match="bool"):
        best_detectors(units, concepts.float())
    with pytest.raises(ValueError, match="units"):
        best_detectors(units.fill_(torch.nan), concepts)
