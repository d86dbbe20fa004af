"""CCS finds what is consistent between a statement and its denial, whether or not it is truth."""

import pytest
import torch
from torch.nn.functional import normalize

from course_lib.probes import ccs, contrast_pca
from course_lib.runtime import generator

N, D = 200, 16
DRAWS = generator(0)
TRUTH, LOUD = normalize(torch.randn(2, D, generator=DRAWS), dim=1)
ANSWER = torch.randn(D, generator=DRAWS)  # the word "yes" itself, in every pair


def pairs(truth=2.0, loud=0.0, seed=1):
    """Contrast pairs: y, another feature s, and what a statement and its denial look like."""
    draws = generator(seed)
    y, s = (torch.randint(2, (N,), generator=draws) for _ in range(2))
    content = torch.randn(N, D, generator=draws)
    part = (2 * y - 1)[:, None] * truth * TRUTH + (2 * s - 1)[:, None] * loud * LOUD
    noise = 0.3 * torch.randn(2, N, D, generator=draws)
    return content + part + ANSWER + noise[0], content - part - ANSWER + noise[1], y, s


def cosine(a, b):
    return float(torch.cosine_similarity(a, b, dim=-1).abs())


@pytest.mark.parametrize("fit", [ccs, contrast_pca])
def test_the_planted_direction_is_found_and_labels_are_told_on_new_pairs(fit):
    x_yes, x_no, _, _ = pairs()
    probe = fit(x_yes, x_no, steps=400) if fit is ccs else fit(x_yes, x_no)
    new_yes, new_no, y, _ = pairs(seed=2)
    assert cosine(probe.direction, TRUTH) > 0.9
    assert probe.accuracy(new_yes, new_no, y) > 0.97


@pytest.mark.parametrize("fit", [ccs, contrast_pca])
def test_a_louder_feature_that_is_consistent_too_is_found_in_its_place(fit):
    """The limit of the method: nothing in the loss speaks of truth."""
    x_yes, x_no, y, s = pairs(truth=1.0, loud=3.0)
    probe = fit(x_yes, x_no, steps=400) if fit is ccs else fit(x_yes, x_no)
    assert cosine(probe.direction, LOUD) > 0.9
    assert probe.accuracy(x_yes, x_no, s) > 0.97 and probe.accuracy(x_yes, x_no, y) < 0.62


def test_the_word_that_tells_the_halves_apart_is_not_read():
    x_yes, x_no, y, _ = pairs(truth=0.0)
    probe = ccs(x_yes + 20 * ANSWER, x_no - 20 * ANSWER, steps=150)
    torch.testing.assert_close(
        probe.direction, ccs(x_yes, x_no, steps=150).direction, atol=0.05, rtol=0
    )
    assert probe.accuracy(x_yes, x_no, y) < 0.65


def test_the_sign_is_arbitrary_and_accuracy_does_not_depend_on_it():
    x_yes, x_no, y, _ = pairs()
    probe = ccs(x_yes, x_no, steps=200)
    p = probe.probability(x_yes, x_no)
    assert probe.accuracy(x_yes, x_no, y) == probe.accuracy(x_yes, x_no, 1 - y)
    swapped = probe.probability(x_no + 2 * ANSWER, x_yes - 2 * ANSWER)
    assert ((p > 0.5) != (swapped > 0.5)).double().mean() > 0.9


def test_the_loss_of_the_probe_is_the_lowest_of_its_starts_and_below_that_of_no_direction():
    x_yes, x_no, _, _ = pairs()
    probe = ccs(x_yes, x_no, restarts=4, steps=150)
    assert probe.losses.shape == (4,)
    yes = (x_yes - probe.mean[0]) / probe.scale[0]
    no = (x_no - probe.mean[1]) / probe.scale[1]
    p, q = (torch.sigmoid(h @ probe.direction + probe.bias) for h in (yes, no))
    loss = ((p - (1 - q)) ** 2 + torch.minimum(p, q) ** 2).mean()
    torch.testing.assert_close(loss, probe.losses.min())
    assert loss < 0.15 < 0.25


def test_problems_side_by_side_are_those_one_by_one():
    some, other = pairs(seed=1), pairs(seed=3)
    x_yes, x_no = (torch.stack([some[i], other[i]])[:, None] for i in range(2))
    together = ccs(x_yes, x_no, restarts=3, steps=100)
    assert together.direction.shape == (2, 1, D) and together.losses.shape == (2, 1, 3)
    alone = ccs(*some[:2], restarts=3, steps=100)
    torch.testing.assert_close(together.direction[0, 0], alone.direction, atol=1e-4, rtol=1e-4)
    y = torch.stack([some[2], other[2]])[:, None]
    assert together.accuracy(x_yes, x_no, y).shape == (2, 1)


def test_scale_and_rotation_of_x_do_not_matter_to_the_closed_form():
    x_yes, x_no, _, _ = pairs()
    rotation = torch.linalg.qr(torch.randn(D, D, generator=generator(5))).Q
    p = contrast_pca(x_yes, x_no).probability(x_yes, x_no)
    turned = contrast_pca(9 * x_yes @ rotation, 9 * x_no @ rotation)
    q = turned.probability(9 * x_yes @ rotation, 9 * x_no @ rotation)
    torch.testing.assert_close((q - 0.5).abs(), (p - 0.5).abs(), atol=1e-4, rtol=0)


def test_a_constant_feature_gets_no_weight_that_matters():
    x_yes, x_no, _, _ = pairs()
    x_yes, x_no = (torch.cat([x, torch.ones(N, 1)], 1) for x in (x_yes, x_no))
    probe = ccs(x_yes, x_no, steps=100)
    changed = x_yes.clone()
    changed[:, -1] = 1.0
    assert torch.equal(probe.probability(x_yes, x_no), probe.probability(changed, x_no))


@pytest.mark.parametrize(
    ("x_yes", "x_no", "options", "message"),
    [
        (torch.ones(4, 2), torch.rand(4, 2), {}, "All rows of x_yes or of x_no are the same"),
        (torch.rand(1, 2), torch.rand(1, 2), {}, "1 contrast pairs"),
        (torch.rand(4, 2), torch.rand(5, 2), {}, r"x_yes has shape \[4, 2\] and x_no \[5, 2\]"),
        (torch.rand(4), torch.rand(4), {}, r"x_yes has shape \[4\]"),
        (torch.full((4, 2), float("nan")), torch.rand(4, 2), {}, "x_yes has 8 of 8"),
        (torch.rand(4, 2), torch.rand(4, 2), {"restarts": 0}, "restarts is 0"),
        (torch.rand(4, 2), torch.rand(4, 2), {"steps": 0}, "steps is 0"),
    ],
)
def test_a_bad_argument_is_named(x_yes, x_no, options, message):
    with pytest.raises(ValueError, match=message):
        ccs(x_yes, x_no, **options)
