"""The entry takes all shapes it promises and refuses what would give a silent wrong number."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import runtime
from course_lib.probes import Split, fit, log_prob, probe, random_split, shuffled, stack_splits
from course_lib.probes.probe import METHODS
from tests.probes.labelled import gaussian

CLASSIFIERS = [method for method in METHODS if method != "ridge"]
LINEAR = [method for method in CLASSIFIERS if method != "mlp"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_sites_by_positions_by_labels_by_splits(method):
    generator = runtime.generator(0)
    x = torch.randn(2, 3, 60, 5, generator=generator)
    y = (x[:1, :1, :, :2].movedim(-1, 0) > 0).long()[:, None]  # [2, 1, 1, 1, 60]
    y = y.float() if method == "ridge" else y
    splits = stack_splits([random_split(60, seed=seed) for seed in range(2)])
    splits = Split(splits.train[:, None, None], splits.test[:, None, None], "random")
    found = probe(x, y, method, split=splits, control="shuffled")
    assert found.lead == (2, 2, 2, 3)
    assert found.interval.shape == (2, 2, 2, 3, 2)
    assert found.selectivity.shape == (2, 2, 2, 3)
    value = found.r2 if method == "ridge" else found.accuracy
    easy = value[:, :, 0, 0].mean()
    assert float(easy) > 0.5 and float(easy) > float(value[:, :, 1:].mean()) + 0.2
    if method != "mlp":
        assert found.direction.shape == (2, 2, 2, 3, 5)


@pytest.mark.parametrize("method", [m for m in LINEAR if m != "sparse"])
def test_the_numbers_of_classes_are_no_order(method):
    """Renaming three classes renames the outputs and changes no prediction."""
    x, y = gaussian(m=(2,), classes=3)
    names = torch.tensor([2, 0, 1])
    plain, renamed = fit(x, y, method), fit(x, names[y], method)
    assert torch.allclose(plain.direction, renamed.direction[:, names], atol=1e-3)
    assert torch.equal(names[plain.scores(x).argmax(-1)], renamed.scores(x).argmax(-1))


@pytest.mark.parametrize("method", LINEAR)
def test_exchanging_two_classes_turns_the_direction_round(method):
    x, y = gaussian(m=(2,))
    plain, turned = fit(x, y, method), fit(x, 1 - y, method)
    assert torch.allclose(plain.direction, -turned.direction, atol=1e-3)
    assert torch.allclose(plain.bias, -turned.bias, atol=1e-3)


@pytest.mark.parametrize("method", LINEAR)
def test_the_order_of_rows_does_not_matter(method):
    x, y = gaussian(m=(2,))
    order = torch.randperm(400, generator=runtime.generator(3))
    assert torch.allclose(
        fit(x, y, method).direction, fit(x[order], y[:, order], method).direction, atol=1e-3
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=30), st.integers(0, 99))
def test_shuffling_keeps_the_labels_and_the_rows_that_have_none(labels, seed):
    y = torch.tensor([labels, labels[::-1]])
    mixed = shuffled(y, seed)
    assert torch.equal(mixed == -1, y == -1)
    assert torch.equal(mixed.sort(-1).values, y.sort(-1).values)


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_shuffled_labels_are_read_at_chance(method):
    x, y = gaussian(n=900, m=(6,))
    chance = probe(x, y, method, control="shuffled").control
    assert float((chance.accuracy - 0.5).abs().mean()) < 0.06


def test_a_control_task_of_ones_own_is_measured_beside():
    x, y = gaussian(m=(3,))
    task = shuffled(y[0], seed=9)
    found = probe(x, y, control=task)
    assert torch.equal(found.control.labels[0], found.control.labels[2])
    assert torch.allclose(found.selectivity, found.accuracy - probe(x, task).accuracy, atol=1e-2)


def test_log_prob_is_what_the_scores_say():
    x, y = gaussian(m=(2,), classes=3)
    y[:, 0] = -1
    scores = fit(x, y).scores(x)
    p = scores.softmax(-1)
    nats = log_prob(scores, y, 3)
    assert float(nats[1, 7]) == pytest.approx(float(p[1, 7, y[1, 7]].log()))
    assert (nats[:, 0] == 0).all()
    binary = log_prob(torch.tensor([0.0, 2.0, 2.0]), torch.tensor([1, 1, 0]))
    odds = torch.tensor([0.5, torch.tensor(2.0).sigmoid(), 1 - torch.tensor(2.0).sigmoid()])
    assert torch.allclose(binary, odds.log())


def test_half_precision_and_whole_numbers_are_read_as_single_precision():
    x, y = gaussian()
    for dtype in (torch.bfloat16, torch.float16, torch.int32):
        assert fit(x.to(dtype), y).direction.dtype == torch.float32
    assert float(probe(x, y.bool()).accuracy) == float(probe(x, y).accuracy)


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_scores_have_a_gradient_in_x_to_edit_along_and_fits_follow_none(method):
    x, y = gaussian(n=100)
    found = probe(x.requires_grad_(), y, method)
    assert not found.scores.requires_grad
    (slope,) = torch.autograd.grad(found.readout.scores(x[:5]).sum(), x)
    if method != "mlp":
        assert torch.allclose(slope[:5], found.direction.expand(5, -1))
    assert (slope[:5] != 0).any() and (slope[5:] == 0).all()


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_one_class_among_the_training_rows_is_an_error_that_names_the_probe(method):
    x, y = gaussian(n=40, m=(3,))
    split = random_split(40)
    y[1] = torch.where(split.train, 0, y[1])
    y[1, split.test.nonzero()[0]] = 1
    with pytest.raises(ValueError, match=r"probe \[1\] \(1 of 3 probes\) has no training row of"):
        probe(x, y, method, split=split)


@pytest.mark.parametrize("method", METHODS)
def test_nan_in_x_is_an_error(method):
    x, y = gaussian(n=40)
    x[3, 2] = float("nan")
    with pytest.raises(ValueError, match="x has 1 of 320 entries"):
        probe(x, y.double() if method == "ridge" else y, method)


def test_a_probe_without_test_rows_is_an_error_that_names_it():
    x, y = gaussian(n=40, m=(2,))
    y[0] = y[0].where(random_split(40).train, -1)
    with pytest.raises(ValueError, match=r"probe \[0\] \(1 of 2 probes\) has no labelled row"):
        probe(x, y)


def test_a_test_side_of_one_class_has_an_accuracy_and_no_auroc():
    x, y = gaussian(n=60)
    test = (y == 1) & (torch.arange(60) > 20)
    found = probe(x, y, split=Split(~test, test, "own"))
    assert 0 <= float(found.accuracy) <= 1 and found.auroc.isnan()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "svm"}, ValueError, "method is 'svm'"),
        ({"c": 2.0}, TypeError, "c: no option of method='logistic'; it has C"),
        ({"control": "random"}, ValueError, "control is 'random'"),
        ({"control": torch.zeros(7).long()}, ValueError, r"control has shape \[7\]"),
        ({"split": random_split(39)}, ValueError, "split is of 39 rows; x has 40"),
        ({"y": torch.rand(40)}, TypeError, "classes are whole numbers"),
        ({"y": torch.full((40,), -2)}, ValueError, "label -2"),
        ({"y": torch.zeros(39).long()}, ValueError, r"y \[39\]"),
        ({"y": [0, 1]}, ValueError, "y list"),
        ({"method": "ridge"}, TypeError, "real targets"),
    ],
)
def test_wrong_arguments_are_named(change, error, message):
    x, y = gaussian(n=40)
    with pytest.raises(error, match=message):
        probe(**({"x": x, "y": y} | change))


def test_a_read_out_says_what_width_it_needs():
    found = probe(*gaussian())
    with pytest.raises(ValueError, match=r"must be \[..., n, 8\]"):
        found.predict(torch.randn(3, 7))
