"""Angles between subspaces are those of the spaces, not of the rows that happen to span them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles as by_scipy

from course_lib.probes import subspace_angles
from course_lib.runtime import generator


def rows(r, d, seed, *lead):
    return torch.randn(*lead, r, d, generator=generator(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 9), st.integers(0, 2**20))
def test_angles_are_those_of_scipy(r_a, r_b, extra, seed):
    d = max(r_a, r_b) + extra
    A, B = rows(r_a, d, seed), rows(r_b, d, seed + 1)
    theirs = torch.as_tensor(by_scipy(A.T.numpy(), B.T.numpy()).copy()).flip(-1)
    torch.testing.assert_close(subspace_angles(A, B), theirs, atol=1e-7, rtol=0)


@pytest.mark.parametrize("angle", [1e-9, 1e-3, 0.7, math.pi / 2 - 1e-9])
def test_a_planted_angle_is_read_off_to_rounding_however_small(angle):
    A = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    B = torch.tensor([[math.cos(angle), math.sin(angle), 0.0]], dtype=torch.float64)
    assert float(subspace_angles(A, B)) == pytest.approx(angle, rel=1e-6)


def test_another_basis_another_order_and_a_rotation_change_nothing():
    A, B = rows(2, 6, 0), rows(3, 6, 1)
    angles = subspace_angles(A, B)
    rotation = torch.linalg.qr(rows(6, 6, 2)).Q
    torch.testing.assert_close(subspace_angles(rows(2, 2, 3) @ A, 5 * B), angles)
    torch.testing.assert_close(subspace_angles(B, A), angles)
    torch.testing.assert_close(subspace_angles(A @ rotation, B @ rotation), angles)


def test_spaces_side_by_side_are_those_one_by_one():
    A, B = rows(2, 5, 0, 3, 1), rows(2, 5, 1, 4)
    together = subspace_angles(A, B)
    assert together.shape == (3, 4, 2)
    torch.testing.assert_close(together[2, 3], subspace_angles(A[2, 0], B[3]))


@pytest.mark.parametrize(
    ("A", "B", "message"),
    [
        (torch.ones(2, 3), torch.ones(1, 3), "rows of A are linearly dependent"),
        (torch.ones(1, 3), torch.zeros(1, 3), "rows of B are linearly dependent"),
        (torch.eye(3), torch.eye(4), r"A has shape \[3, 3\] and B \[4, 4\]"),
        (torch.ones(3), torch.ones(1, 3), r"A has shape \[3\]"),
        (torch.ones(1, 3), torch.full((1, 3), float("nan")), "B has 3 of 3"),
    ],
)
def test_a_bad_argument_is_named(A, B, message):
    with pytest.raises(ValueError, match=message):
        subspace_angles(A, B)
