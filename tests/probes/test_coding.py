"""Code lengths: what is easy to learn is short, what is random costs its entropy and a bit more."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from course_lib.probes import CodeLength, code_length, probe
from course_lib.runtime import generator

N, D = 600, 6


def rows(n=N, d=D, seed=0):
    return torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def random_labels(k=2, n=N, seed=1, lead=()):
    return torch.randint(k, (*lead, n), generator=generator(seed))


def test_it_is_the_prequential_code_written_out_with_scikit_learn():
    x = rows(200)
    y = (x[:, 0] + rows(200, seed=4)[:, 0] > 0).long()
    found = code_length(x, y, blocks=(0.1, 0.3, 1.0), seed=3)
    order = torch.randperm(200, generator=generator(3))
    a, b = x[order].numpy(), y[order].numpy()
    bits = float(found.ends[0])
    for start, end in zip(found.ends[:-1].tolist(), found.ends[1:].tolist(), strict=True):
        probe = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(a[:start], b[:start])
        log_p = probe.predict_log_proba(a[start:end])
        bits -= log_p[range(end - start), b[start:end]].sum() / math.log(2)
    assert found.ends[1:].tolist() == [20, 60, 200][-len(found.ends) + 1 :]
    assert float(found.bits) == pytest.approx(bits, rel=1e-4)


@pytest.mark.parametrize("k", [2, 4])
def test_random_labels_cost_n_log_k_and_a_little_for_overfitting(k):
    found = code_length(rows(), random_labels(k, lead=(10,)), C=0.01)
    assert torch.equal(found.uniform_bits, torch.full((10,), N * math.log2(k)).double())
    assert (found.compression > 0.9).all() and (found.compression < 1.02).all()


def test_a_probe_that_overfits_pays_for_it_where_accuracy_would_only_be_chance():
    y = random_labels(lead=(5,))
    weak, strong = (code_length(rows(d=40), y, C=C).bits for C in (10.0, 0.01))
    assert (weak > 1.2 * N).all() and (strong < 1.1 * N).all()


def test_labels_that_x_tells_are_short_and_noisier_ones_longer():
    x, noise = rows(), rows(seed=2)
    y = torch.stack([(x[:, 0] + s * noise[:, 0] > 0).long() for s in (0.0, 0.5, 2.0)])
    bits = code_length(x, y).bits
    assert bits[0] < 0.3 * N and (bits.diff() > 0).all() and bits[2] < N


def test_equal_accuracy_may_hide_codes_of_different_length():
    """The same direction and noise along it; the other 59 dimensions are quiet, or as loud."""
    y = random_labels()
    loud = rows(d=60)
    loud[:, 0] += 2.5 * (2 * y - 1)
    quiet = loud * torch.tensor([1.0] + 59 * [0.02], dtype=loud.dtype)
    x = torch.stack([quiet, loud])
    accuracy = probe(x, y).accuracy
    bits = code_length(x, y).bits
    assert (accuracy > 0.95).all() and accuracy[0] - accuracy[1] < 0.05
    assert bits[1] > 1.5 * bits[0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 3))
def test_blocks_add_up_and_borders_rise_to_the_number_of_rows(seed, k):
    found = code_length(rows(90, 3), random_labels(k, 90, seed), seed=seed)
    torch.testing.assert_close(found.block_bits.sum(-1), found.bits)
    assert (found.ends.diff() > 0).all() and found.ends[-1] == 90
    assert found.block_bits[0] == pytest.approx(int(found.ends[0]) * math.log2(k))


def test_problems_side_by_side_cost_what_they_cost_one_by_one():
    x, y = torch.stack([rows(200), rows(200, seed=5)]), random_labels(n=200, lead=(3,))
    y[1, ::5] = -1
    together = code_length(x, y[:, None])
    assert together.bits.shape == (3, 2)
    assert together.uniform_bits[1, 0] == 160
    blocks = (together.ends / 200).tolist()
    for i in (0, 1):
        alone = code_length(x[1], y[i], blocks=blocks)
        assert float(together.bits[i, 1]) == pytest.approx(float(alone.bits), rel=2e-3)


def test_rows_of_a_group_are_never_coded_by_their_own_group():
    """Copies in one group: coded row by row they are cheap, group by group they are not."""
    x, y = rows(60, 80).repeat_interleave(10, 0), random_labels(n=60).repeat_interleave(10)
    by_row = code_length(x, y, C=10.0)
    by_group = code_length(x, y, groups=torch.arange(60).repeat_interleave(10), C=10.0)
    assert by_row.bits < 0.5 * 600 < 600 < by_group.bits
    assert (by_group.ends % 10 == 0).all()


def test_a_mixture_is_within_its_price_of_the_best_code_and_never_far_above_the_uniform_one():
    y = random_labels(lead=(4,))
    codes = [code_length(rows(d=40), y, C=C) for C in (0.01, 10.0)]
    both = CodeLength(
        *(torch.stack([getattr(c, part) for c in codes]) for part in ("bits", "uniform_bits")),
        codes[0].block_bits, codes[0].ends,
    )  # fmt: skip
    mixed = both.mixture()
    assert (mixed <= torch.minimum(both.bits.amin(0), both.uniform_bits[0]) + math.log2(3)).all()
    assert (mixed >= torch.minimum(both.bits.amin(0), both.uniform_bits[0])).all()


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (rows(9), torch.zeros(9, dtype=torch.long), {}, "class 1 has fewer than two rows"),
        (rows(9), torch.arange(9) == 0, {}, "class 1 has fewer than two rows"),
        (rows(4), torch.tensor([0, 1, 1, 0]), {}, "come twice only after 4 of 4"),
        (rows(9), torch.arange(9) % 2, {"blocks": (0.5, 0.2, 1.0)}, "rising to 1"),
        (rows(9), torch.arange(9) % 2, {"blocks": (0.5, 0.9)}, "rising to 1"),
        (rows(9), torch.arange(9) % 2, {"blocks": (1.0,)}, "rising to 1"),
        (rows(9), torch.arange(9) % 2, {"groups": torch.arange(8)}, r"groups has shape \[8\]"),
        (rows(9), torch.arange(8) % 2, {}, r"x has shape \[9, 6\] and y \[8\]"),
        (rows(9) / 0, torch.arange(9) % 2, {}, "x has 54 of 54"),
        (rows(9), torch.arange(9) % 2, {"method": "ridge"}, "method is 'ridge'"),
    ],
)
def test_a_bad_argument_is_named(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        code_length(x, y, **options)
