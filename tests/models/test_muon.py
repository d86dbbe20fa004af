"""Muon's update has the gradient's directions, and all of them count the same."""

import pytest
import torch

from course_lib.models.muon import Muon, orthogonal
from course_lib.runtime import generator


def noise(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (1, 5)])
def test_singular_vectors_stay_and_singular_values_come_near_one(shape):
    u, _, vt = torch.linalg.svd(noise(*shape), full_matrices=False)
    for factor in (1.0, 0.3):  # the singular values are 1, factor, factor², …
        values = factor ** torch.arange(min(shape), dtype=torch.float64)
        result = orthogonal(u * (100 * values) @ vt)
        inside = u.T @ result @ vt.T
        assert (inside.diagonal() > 0.65).all() and (inside.diagonal() < 1.25).all()
        rest = result - u * inside.diagonal() @ vt
        torch.testing.assert_close(rest, torch.zeros_like(rest), rtol=0, atol=1e-12)


def test_a_stack_of_matrices_is_treated_one_by_one():
    x = noise(3, 5, 4)
    one_by_one = torch.stack([orthogonal(matrix) for matrix in x])
    torch.testing.assert_close(orthogonal(x), one_by_one, rtol=0, atol=1e-12)


def test_steps_are_those_of_the_definition():
    """Two matrices of one shape and one of another, three steps, written out."""
    matrices = [torch.nn.Parameter(noise(*shape, seed=1)) for shape in ((3, 4), (3, 4), (8, 2))]
    mine = [matrix.detach().clone() for matrix in matrices]
    momentum = [torch.zeros_like(matrix) for matrix in mine]
    muon = Muon(matrices, lr=0.1, weight_decay=0.2)
    for step in range(3):
        for i, matrix in enumerate(matrices):
            matrix.grad = noise(*matrix.shape, seed=10 * step + i)
            momentum[i] = 0.95 * momentum[i] + 0.05 * matrix.grad
            change = orthogonal(0.95 * momentum[i] + 0.05 * matrix.grad)
            stretch = 2.0 if matrix.shape == (8, 2) else 1.0
            mine[i] = (1 - 0.1 * 0.2) * mine[i] - 0.1 * stretch * change
        muon.step()
    for matrix, expected in zip(matrices, mine, strict=True):
        torch.testing.assert_close(matrix.detach(), expected, rtol=0, atol=1e-12)


def test_a_gradient_of_zeros_changes_nothing():
    matrix = torch.nn.Parameter(noise(3, 3))
    before = matrix.detach().clone()
    matrix.grad = torch.zeros_like(matrix)
    Muon([matrix], lr=0.1).step()
    assert torch.equal(matrix, before)
