"""Figures of directions show every number they are given, on one scale."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import geometry


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_tables_share_one_scale_of_colours_and_stand_in_a_row_for_each_product():
    tables = {k: torch.eye(2) + 0.1 * torch.tensor([[0, i], [i, 0]]) for i, k in enumerate("ab")}
    figure = geometry.cosine_tables({"one": tables, "other": tables}, ["x", "y"])
    axes = [ax for ax in figure.axes if ax.images and ax.get_title()]
    assert [ax.get_title() for ax in axes] == ["a", "b", "a", "b"]
    assert [ax.get_ylabel() for ax in axes] == ["one", "", "other", ""]
    assert {ax.images[0].get_clim() for ax in axes} == {(-1, 1)}
    assert axes[3].images[0].get_array().tolist() == tables["b"].tolist()
    with pytest.raises(ValueError, match=r"rows\['one'\]\['a'\] has shape"):
        geometry.cosine_tables({"one": {"a": torch.eye(3)}}, ["x", "y"])
    with pytest.raises(ValueError, match=r"rows\['other'\] has 1 panels and another row 2"):
        geometry.cosine_tables({"one": tables, "other": {"a": tables["a"]}}, ["x", "y"])


def test_a_spread_has_the_median_as_its_line_and_reaches_from_the_lowest_run_to_the_highest():
    runs = torch.tensor([[1.0, 2.0, 9.0], [4.0, 4.0, 5.0]])
    labels = {"title": "t", "xlabel": "x", "ylabel": "y"}
    ax = geometry.spreads([0.5, 2.0], {"s": runs}, **labels).axes[0]
    assert ax.lines[0].get_xydata().tolist() == [[0.5, 2.0], [2.0, 4.0]]
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 9.0)
    assert ax.get_ylim()[0] == 0
    named = geometry.spreads(["a", "b"], {"s": -runs}, zero=False, **labels).axes[0]
    assert [tick.get_text() for tick in named.get_xticklabels()] == ["a", "b"]
    assert named.get_ylim()[0] < -9
    with pytest.raises(ValueError, match=r"series\['s'\] has shape"):
        geometry.spreads([0.5], {"s": runs}, **labels)


def test_every_row_of_dots_is_drawn_also_beyond_the_colours_with_its_median():
    rows = {str(i): torch.tensor([0.0, 1.0, 5.0]) + i for i in range(9)}
    ax = geometry.dot_rows(rows, title="t", xlabel="x").axes[0]
    dots, medians = ax.lines[::2], ax.lines[1::2]
    assert [list(line.get_xdata()) for line in dots] == [v.tolist() for v in rows.values()]
    assert [line.get_xdata()[0] for line in medians] == [1.0 + i for i in range(9)]
    assert all(abs(y - i) < 0.3 for i, line in enumerate(dots) for y in line.get_ydata())


def test_words_stand_in_their_groups_and_the_corners_are_joined_in_a_closed_line():
    points = torch.arange(8.0).view(4, 2)
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    group = torch.tensor([0, -1, 2, 0])
    figure = geometry.simplex_words(points, group, corners, ["a", "b", "c"], title="t")
    *words, around = figure.axes[0].lines
    assert [line.get_label() for line in words] == ["others", "a", "b", "c"]
    assert words[1].get_xydata().tolist() == points[[0, 3]].tolist()
    assert around.get_xydata().tolist() == [*corners.tolist(), corners[0].tolist()]
    with pytest.raises(ValueError, match="corners has shape"):
        geometry.simplex_words(points, group, corners, ["a", "b"], title="t")
    with pytest.raises(ValueError, match="group has entries from -1 to 3"):
        geometry.simplex_words(points, group + (group == 2), corners, ["a", "b", "c"], title="t")
