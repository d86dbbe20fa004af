"""A result holds held-out numbers only; its measures are their definitions, its intervals cover."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import runtime
from course_lib.probes import Linear, Split, group_split, probe, random_split, score, stack_splits
from tests.probes.labelled import gaussian


def judged(scores, y, groups=None):
    """The result of given scores on a test side of all rows but the first of each class."""
    n = len(y)
    x = scores[:, None]
    readout = Linear(2, torch.ones(1, dtype=x.dtype), torch.zeros((), dtype=x.dtype))
    test = torch.ones(n, dtype=torch.bool)
    return score(readout, x, y, Split(~test, test, "own", groups), "given")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 1)), min_size=2, max_size=12))
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows):
    scores, y = (torch.tensor(part) for part in zip(*rows, strict=True))
    ours = judged(scores.double(), y).auroc
    pairs = [
        (a > b) + (a == b) / 2
        for a, u in rows
        for b, v in rows
        if u == 1 and v == 0
    ]  # fmt: skip
    if pairs:
        assert float(ours) == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert ours.isnan()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_auroc_and_its_interval_do_not_change_under_rising_maps_of_the_scores(seed):
    generator = runtime.generator(seed)
    y = torch.arange(40) % 2
    scores = torch.randn(40, generator=generator).double() + y
    one, other = judged(scores, y), judged(scores.exp() * 3, y)
    assert float(one.auroc) == pytest.approx(float(other.auroc))
    limits = [r.bootstrap("auroc", resamples=50) for r in (one, other)]
    assert torch.allclose(*limits)


def test_all_numbers_are_of_held_out_rows():
    """Labels of the test side can be anything: the probe does not change, its accuracy does."""
    x, y = gaussian()
    split = random_split(len(y), seed=1)
    wrong = torch.where(split.test, 1 - y, y)
    right, flipped = probe(x, y, split=split), probe(x, wrong, split=split)
    assert torch.equal(right.direction, flipped.direction)
    assert float(right.accuracy) == pytest.approx(1 - float(flipped.accuracy))
    assert float(right.auroc) == pytest.approx(1 - float(flipped.auroc))
    assert torch.equal(right.rows, split.test.nonzero()[:, 0])
    assert torch.allclose(right.scores, x[split.test] @ right.direction + right.bias)


@pytest.mark.parametrize("method", ["logistic", "mlp"])
def test_rows_of_the_test_side_do_not_touch_the_probe(method):
    x, y = gaussian(n=200)
    split = random_split(200)
    changed = torch.where(split.test[:, None], 100 * x, x)
    a, b = (probe(v, y, method, split=split).predict(x) for v in (x, changed))
    assert torch.equal(a, b)


def coverage(draw, worlds=300, resamples=400):
    """How often the 95% interval holds the truth, in worlds of a known one."""
    hits = 0
    for seed in range(worlds):
        result, truth, measure = draw(runtime.generator(seed))
        low, high = result.bootstrap(measure, resamples=resamples, seed=seed)
        hits += float(low) <= truth <= float(high)
    return hits / worlds


def test_the_interval_of_the_accuracy_holds_the_truth_in_95_worlds_of_100():
    """0.95 ± 3 standard errors of 300 worlds, and what a percentile interval is short of."""

    def draw(generator):
        y = torch.randint(2, (150,), generator=generator)
        right = torch.rand(150, generator=generator) < 0.8
        return judged(torch.where(right, 2 * y - 1, 1 - 2 * y).double(), y), 0.8, "accuracy"

    assert 0.90 < coverage(draw) < 0.99


def test_the_interval_of_the_auroc_holds_the_truth_in_95_worlds_of_100():
    truth = 0.7602  # Φ(1 / √2), of two normals one standard deviation apart

    def draw(generator):
        y = torch.arange(120) % 2
        return judged(torch.randn(120, generator=generator).double() + y, y), truth, "auroc"

    assert 0.90 < coverage(draw, worlds=150, resamples=200) < 0.99


def test_where_rows_come_in_groups_only_the_interval_over_groups_holds_the_truth():
    """30 groups of 20 rows that are right or wrong together."""

    def draw(generator, grouped):
        group = torch.arange(600) // 20
        right = (torch.rand(30, generator=generator) < 0.7)[group]
        y = torch.randint(2, (600,), generator=generator)
        scores = torch.where(right, 2 * y - 1, 1 - 2 * y).double()
        return judged(scores, y, group if grouped else None), 0.7, "accuracy"

    assert coverage(lambda g: draw(g, True), worlds=200) > 0.88
    assert coverage(lambda g: draw(g, False), worlds=200) < 0.6


def test_intervals_of_all_measures_surround_their_values():
    x, y = gaussian(m=(3,))
    found = probe(x, y, control="shuffled")
    for measure in ("accuracy", "auroc", "f1", "selectivity"):
        low, high = found.bootstrap(measure, resamples=300).unbind(-1)
        value = getattr(found, measure)
        assert ((low < value) & (value < high)).all(), measure
    assert torch.equal(found.interval, found.bootstrap("accuracy"))
    real = probe(x, x[:, :2].T + torch.randn(2, 400), "ridge", control="shuffled")
    for measure in ("r2", "selectivity"):
        low, high = real.bootstrap(measure).unbind(-1)
        assert ((low < getattr(real, measure)) & (getattr(real, measure) < high)).all()


def test_a_higher_level_gives_a_wider_interval_within_a_narrower_one():
    found = probe(*gaussian())
    wide, narrow = found.bootstrap(level=0.99), found.bootstrap(level=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_majority_is_that_of_the_training_rows():
    x, y = torch.randn(10, 2), torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0, 1])
    test = torch.arange(10) >= 5
    assert float(probe(x, y, split=Split(~test, test, "own")).majority) == pytest.approx(0.2)


def test_rows_without_a_label_are_neither_trained_on_nor_tested():
    x, y = gaussian(m=(2,), dtype=torch.float32)
    x[:40] = 1e3
    y[:, :40] = -1
    found = probe(x, y)
    assert found.scores.isnan().any() and (found.labels == -1).any()
    assert torch.equal(found.scores.isnan(), found.labels == -1)
    kept = random_split(400).test[40:]
    same = probe(x[40:], y[:, 40:], split=Split(~kept, kept, "own"))
    assert torch.equal(found.accuracy, same.accuracy)
    assert torch.allclose(found.auroc, same.auroc)


def test_a_part_of_the_probes_is_what_they_are_alone():
    x, y = gaussian(m=(3, 2), classes=3)
    splits = stack_splits([random_split(400, seed=seed) for seed in range(2)])
    found = probe(x, y, split=splits, control="shuffled", seed=5)
    part = found[1, 0]
    alone = probe(x, y[1, 0], split=random_split(400, seed=0), seed=5)
    assert torch.allclose(part.direction, alone.direction, atol=1e-3)
    assert float(part.accuracy) == pytest.approx(float(alone.accuracy), abs=0.01)
    assert torch.equal(part.selectivity, found.selectivity[1, 0])
    assert torch.equal(part.split.test, splits.test[0])
    assert found[1:].lead == (2, 2)
    with pytest.raises(IndexError, match="3 indices"):
        found[0, 0, 0]


def test_on_other_data_the_same_probes_are_judged_on_every_row():
    x, y = gaussian(m=(2,))
    found = probe(x, y)
    other = found.on(x[:100], y[:, :100])
    assert other.scores.shape == (2, 100) and other.direction is found.direction
    hits = (found.predict(x[:100]) == y[:, :100]).double().mean(-1)
    assert torch.allclose(other.accuracy.double(), hits)
    each = found.on(torch.stack([x[:50], x[50:100]])[:, None], y[:, :50])
    assert each.accuracy.shape == (2, 2)


def test_what_a_result_does_not_have_is_said():
    x, y = gaussian()
    found = probe(x, y)
    with pytest.raises(ValueError, match="no control to compare with"):
        found.selectivity  # noqa: B018
    with pytest.raises(ValueError, match="no control to compare with"):
        found.bootstrap("selectivity")
    with pytest.raises(ValueError, match="'r2', which these probes do not have"):
        found.bootstrap("r2")
    with pytest.raises(ValueError, match="measure is 'auc'"):
        found.bootstrap("auc")
    real = probe(x, x[:, 0], "ridge")
    assert real.accuracy is None and real.auroc is None and real.majority is None
    assert found.r2 is None
    groups = torch.arange(400) // 200
    with pytest.raises(ValueError, match="two groups"):
        probe(x, y, split=group_split(groups)).interval  # noqa: B018


def test_a_result_says_in_a_line_what_it_is():
    x, y = gaussian(m=(2,))
    assert repr(probe(x, y)).startswith("<2 logistic probes, accuracy 0.")
    assert "R² 1.000, random split" in repr(probe(x, x[:, 0], "ridge", alpha=0.0))
