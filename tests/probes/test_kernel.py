"""Kernel analysis counts the directions that a task needs, whatever the axes are called."""

import pytest
import torch
from torch.nn.functional import one_hot

from course_lib.probes import kernel_analysis


def blobs(n_classes: int = 3, each: int = 20, apart: float = 8.0, seed: int = 0):
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(n_classes).repeat_interleave(each)
    centres = apart * torch.randn(n_classes, 6, generator=draw)
    return centres[y] + torch.randn(len(y), 6, generator=draw), y


def test_k_classes_far_apart_need_k_minus_one_components():
    x, y = blobs()
    left = kernel_analysis(x, y, n_dims=5, quantiles=(0.5,))
    assert left[0] > 0.2
    assert left[1] < 0.02


def test_the_curve_falls_and_more_widths_never_leave_more():
    x, y = blobs(apart=1.0)
    one = kernel_analysis(x, y, n_dims=30, quantiles=(0.5,))
    more = kernel_analysis(x, y, n_dims=30, quantiles=(0.05, 0.5))
    assert (one.diff() <= 1e-9).all() and ((one >= 0) & (one <= 1)).all()
    assert (more <= one + 1e-9).all()


def test_labels_without_structure_cost_one_component_after_the_other():
    draw = torch.Generator().manual_seed(1)
    x, y = torch.randn(400, 10, generator=draw), torch.randint(2, (400,), generator=draw)
    left = kernel_analysis(x, y, n_dims=100, quantiles=(0.5,))
    assert left[-1] == pytest.approx(0.75, abs=0.07)  # 100 of 400 directions explain a quarter


def test_rotation_scale_and_shift_change_nothing():
    x, y = blobs(apart=1.5)
    x = x.double()
    Q = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(2)))[0]
    Q = torch.linalg.qr(Q.double())[0]
    moved = kernel_analysis(7.0 * x @ Q + 3.0, y, n_dims=20)
    assert torch.allclose(moved, kernel_analysis(x, y, n_dims=20), atol=1e-6)


def test_the_names_of_the_classes_do_not_matter():
    x, y = blobs(apart=1.5)
    renamed = kernel_analysis(x, torch.tensor([9, 0, 4])[y])  # classes summed in another order
    torch.testing.assert_close(renamed, kernel_analysis(x, y), rtol=0, atol=1e-12)


def test_it_is_the_residual_of_least_squares_on_the_components():
    x, y = blobs(apart=1.0, each=10)
    squared = torch.cdist(x.double(), x.double()).square()
    K = torch.exp(-squared / (2 * squared[squared > 0].quantile(0.5)))
    H = torch.eye(30).double() - 1 / 30
    U = torch.linalg.eigh(H @ K @ H).eigenvectors[:, -4:]
    target = H @ one_hot(y).double()
    rest = target - U @ torch.linalg.lstsq(U, target).solution
    expected = rest.square().sum() / target.square().sum()
    left = kernel_analysis(x, y, n_dims=4, quantiles=(0.5,))
    assert left[-1].item() == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": torch.zeros(60, dtype=torch.long)}, "y has one class"),
        ({"y": torch.zeros(7, dtype=torch.long)}, "y has shape"),
        ({"x": torch.ones(60, 6)}, "all rows of x are equal"),
        ({"x": torch.full((60, 6), torch.nan)}, "x has 360 of 360 entries"),
        ({"n_dims": 60}, "n_dims is 60; x has 60 rows"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    x, y = blobs()
    with pytest.raises(ValueError, match=message):
        kernel_analysis(**({"x": x, "y": y} | change))
