"""Figures of codes and particles show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import COLORS, elsewhere


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_every_winner_is_a_square_and_those_of_the_first_code_are_blue():
    codes = [torch.tensor([0, 3, 1]), torch.tensor([0, 2, 1])]
    figure = elsewhere.winner_grids(codes, 4, ["one", "two"])
    second = figure.axes[1].collections[0]
    assert second.get_offsets().tolist() == [[0, 0], [1, 2], [2, 1]]
    blue, orange = (matplotlib.colors.to_rgba(c) for c in COLORS[:2])
    assert [tuple(c) for c in second.get_facecolors()] == [blue, orange, blue]
    with pytest.raises(ValueError, match=r"codes\[1\] has shape"):
        elsewhere.winner_grids([codes[0], torch.tensor([1, 2])], 4, ["one", "two"])
    with pytest.raises(ValueError, match=r"codes\[0\] has entries"):
        elsewhere.winner_grids(codes, 3, ["one", "two"])


def test_particles_are_dots_and_modes_circles_of_three_deviations():
    means = torch.tensor([[[-1.0, 0.0]], [[1.0, 0.5]]])
    cloud = torch.randn(7, 2)
    figure = elsewhere.particles([cloud, cloud], ["a", "b"], means, [0.2, 0.4])
    ax = figure.axes[0]
    torch.testing.assert_close(torch.as_tensor(ax.collections[0].get_offsets().data).float(), cloud)
    radii = [patch.radius for patch in ax.patches]
    assert radii == pytest.approx([0.6, 1.2])
    with pytest.raises(ValueError, match=r"clouds\[0\] has shape"):
        elsewhere.particles([torch.randn(7, 3)], ["a"], means, [0.2, 0.4])
    with pytest.raises(ValueError, match="stds has shape"):
        elsewhere.particles([cloud], ["a"], means, [0.2])
