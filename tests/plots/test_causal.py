"""Figures of causal tests put every number where it belongs."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.causal import ThreeNeurons
from course_lib.plots import causal


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_map_of_patches_has_a_cell_for_each_site_and_token():
    values = torch.tensor([[0.0, 1.0, -0.2], [0.5, 0.1, 0.0]])
    figure = causal.recovered_map(values, ["a", "b"], ["the", "dogs", "ran"])
    ax = figure.axes[0]
    assert torch.equal(torch.tensor(ax.images[0].get_array().data), values)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["the", "dogs", "ran"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_directions_land_on_the_upper_side_where_their_patch_is_drawn():
    model = ThreeNeurons()
    e1, e2, e3 = torch.eye(3).double()
    found = torch.stack([e1 + e2, -(e1 + e3), e3])
    figure = causal.landings(model.effect, found, {"read-out": model.w_out})
    ax = figure.axes[0]
    dots, star = ax.lines
    assert list(dots.get_xdata())[:2] == pytest.approx([45, 0])
    assert list(dots.get_ydata()) == pytest.approx([0, 0.5**0.5, 1])
    assert star.get_xdata()[0] == pytest.approx(90)
    assert [text.get_text() for text in ax.texts] == ["read-out"]
    values = torch.tensor(ax.collections[0].get_array().data).view(causal.SIDE, causal.SIDE)
    middle = causal.SIDE // 2  # angle 0: e1 at the foot, e3 at the top
    assert values[0, middle].item() == pytest.approx(0, abs=1e-9)
    assert values[-1, middle].item() == pytest.approx(1, abs=1e-9)


def test_labels_that_are_too_few_and_a_direction_without_length_are_refused():
    with pytest.raises(ValueError, match="recovered has shape"):
        causal.recovered_map(torch.zeros(2, 3), ["a", "b"], ["the", "dogs"])
    found = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match="directions has a row of zeros"):
        causal.landings(ThreeNeurons().effect, found)
