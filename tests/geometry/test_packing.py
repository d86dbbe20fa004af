"""Directions are pushed apart to the bounds that geometry sets, many packings at once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.geometry import spread, unit_rows
from course_lib.runtime import generator
from course_lib.superposition import mutual_coherence, welch_bound


def start(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed))


@pytest.mark.parametrize(("n", "d"), [(3, 2), (4, 3), (6, 3), (28, 7)])
def test_equiangular_tight_frames_are_found(n, d):
    mu = mutual_coherence(spread(start(2, n, d), steps=600))
    assert mu.min().item() == pytest.approx(welch_bound(n, d), abs=4e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 9), st.integers(2, 5), st.integers(0, 2**20))
def test_no_packing_is_below_the_bound_and_rows_have_length_one(n, d, seed):
    packed = spread(start(n, d, seed=seed), steps=40)
    assert mutual_coherence(packed) >= welch_bound(n, d) - 1e-5
    torch.testing.assert_close(packed.norm(dim=-1), torch.ones(n))


def test_packings_side_by_side_are_those_made_one_by_one():
    D = start(3, 6, 4)
    together = spread(D, steps=50)
    alone = torch.stack([spread(each, steps=50) for each in D])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=0)


def test_a_smaller_size_padded_with_zeros_is_packed_as_if_alone():
    padded = torch.zeros(2, 6, 4)
    padded[0], padded[1, :4, :3] = start(6, 4, seed=1), start(4, 3, seed=2)
    packed = spread(padded, steps=50)
    assert not packed[1, 4:].any() and not packed[1, :, 3:].any()
    torch.testing.assert_close(
        packed[1, :4, :3], spread(padded[1, :4, :3], steps=50), atol=1e-3, rtol=0
    )


def test_directions_without_negative_entries_keep_none_and_overlap_more():
    D = start(2, 12, 5).abs()
    positive, signed = spread(D, 400, non_negative=True), spread(D, 400)
    assert positive.min() >= 0
    assert (mutual_coherence(positive) > 1.2 * mutual_coherence(signed)).all()


def test_right_angles_are_found_where_there_is_room_for_them():
    assert mutual_coherence(spread(start(4, 4), steps=600)) < 0.01


def test_the_argument_is_left_as_it_was_and_one_row_is_only_normalised():
    D = start(5, 3)
    before = D.clone()
    spread(D, steps=5)
    assert torch.equal(D, before)
    torch.testing.assert_close(spread(3 * D[:1]), unit_rows(D[:1]))


def test_a_row_of_zeros_stays_one():
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert torch.equal(unit_rows(rows), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


@pytest.mark.parametrize(
    ("D", "options", "message"),
    [
        (torch.ones(3), {}, r"D has shape \[3\]; it must be \[..., n_features, d_in\]"),
        (torch.full((2, 2), float("nan")), {}, "D has 4 of 4 entries"),
        (-torch.ones(2, 2), {"non_negative": True}, "D has 4 of 4 entries.*-1"),
        (torch.ones(2, 2), {"steps": 0}, "steps is 0"),
    ],
)
def test_a_bad_argument_is_named(D, options, message):
    with pytest.raises(ValueError, match=message):
        spread(D, **options)
