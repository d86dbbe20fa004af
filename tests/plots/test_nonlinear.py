"""Figures of planes, circles, onions and maps show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import nonlinear


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_every_plane_has_its_points_and_the_same_scale():
    points = [torch.randn(50, 2), 3 * torch.randn(50, 2)]
    figure = nonlinear.planes(points, ["a", "b"], n_shown=20)
    shown = [torch.tensor(ax.lines[0].get_xydata()) for ax in figure.axes]
    torch.testing.assert_close(shown[1].float(), points[1][:20])
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    with pytest.raises(ValueError, match=r"points\[\d\] has shape"):
        nonlinear.planes([torch.randn(5, 3)], ["a"])


def test_a_circle_joins_its_places_in_order_names_them_and_comes_back():
    places = torch.randn(7, 2)
    figure = nonlinear.circles([places], [("Monday", *"bcdefg")], ["title"])
    ax = figure.axes[0]
    joined = torch.tensor(ax.lines[0].get_xydata()).float()
    torch.testing.assert_close(joined, torch.cat([places, places[:1]]))
    assert [text.get_text() for text in ax.texts] == ["Mon", *"bcdefg"]
    assert ax.patches[0].radius == 1


def test_one_dot_for_a_number_several_for_several_and_a_line_at_chance():
    panels = {"p": {"one": 0.25, "many": [0.1, 0.2]}}
    ax = nonlinear.success_dots(panels, "share", "title", {"p": 0.5}).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[0.25], [0.1, 0.2], [0.5, 0.5]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "many"]


def test_lines_by_place_begin_at_place_one():
    panels = {"size": {"a": torch.tensor([3.0, 2.0, 1.0])}, "found": {"b": torch.ones(3)}}
    figure = nonlinear.by_place(panels, ["norm", "share"])
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3]
    assert list(figure.axes[0].lines[0].get_ydata()) == [3.0, 2.0, 1.0]
    assert figure.axes[1].get_ylabel() == "share"


def test_agreement_shows_the_mean_and_every_seed():
    values = torch.tensor([[0.5, 0.9], [0.7, 1.0]])
    ax = nonlinear.agreement_lines({"trained": values}, ["line", "table"], 0.5).axes[0]
    torch.testing.assert_close(torch.tensor(ax.lines[0].get_ydata()), values.mean(0))
    assert len(ax.lines) == 1 + 2 + 1
    with pytest.raises(ValueError, match=r"lines\['a'\] has shape"):
        nonlinear.agreement_lines({"a": torch.ones(2, 3)}, ["line", "table"], 0.5)
