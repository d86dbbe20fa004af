"""Figures of architectures side by side draw what they are given, with titles and labels."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import family
from course_lib.sae.front import Front


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(ax) -> bool:
    return bool(ax.get_title() and ax.get_xlabel() and ax.get_ylabel())


def front(scale: float) -> Front:
    l0 = torch.tensor([[1.0, 1.1, 0.9], [2.0, 2.1, 1.9]])
    return Front(l0, scale / l0, *[scale * torch.ones(2, 3)] * 6)


def test_fronts_have_a_line_per_architecture_through_the_medians_and_a_dot_per_seed():
    given = {"A": front(0.2), "B": front(0.4)}
    control = {"PCA": (torch.tensor([1.0, 2.0]), torch.tensor([0.9, 0.8]))}
    figure = family.fronts(given, {"fvu": "FVU", "found": "share found"}, 1.5, control)
    left, right = figure.axes
    assert labelled(left) and labelled(right)
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    lines = {line.get_label(): line for line in left.lines}
    assert list(lines["A"].get_xdata()) == [1.0, 2.0]
    torch.testing.assert_close(torch.tensor(lines["B"].get_ydata()), torch.tensor([0.4, 0.2]))
    dots = [line for line in left.lines if len(line.get_xdata()) == 6]
    assert len(dots) == 2
    assert [text.get_text() for text in left.texts] == ["PCA"] and not right.texts
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["A", "B"]


def test_architectures_differ_in_colour_and_in_marker():
    looks = [family._look(place) for place in range(7)]
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 7


def test_activity_draws_every_count_and_the_diagonal():
    ax = family.activity({"A": torch.tensor([0.5, 1.0, 2.0])}, [0, 1, 2], "title").axes[0]
    assert labelled(ax)
    assert [list(line.get_ydata()) for line in ax.lines] == [[0, 1, 2], [0.5, 1.0, 2.0]]
    with pytest.raises(ValueError, match=r"active\['A'\] has shape"):
        family.activity({"A": torch.ones(2)}, [0, 1, 2], "title")


def test_every_threshold_is_in_the_histogram():
    ax = family.thresholds({"A": torch.rand(30), "B": torch.rand(30)}, 0.1, "title").axes[0]
    assert labelled(ax)
    for patch in ax.patches:
        heights = patch.get_xy()[:, 1]
        assert heights[1:-1:2].sum() == 30


def test_dolls_and_absorption_show_every_seed():
    ax = family.dolls({"A": [1, 2]}, {"A": torch.rand(2, 3) + 0.1}).axes[0]
    assert labelled(ax) and len(ax.lines) == 1 + 3
    ax = family.absorption({"A": torch.rand(2, 3), "B": torch.rand(2, 3)}, "ab", "title").axes[0]
    assert labelled(ax) and sum(len(line.get_xdata()) for line in ax.lines) == 12
    assert [t.get_text() for t in ax.get_xticklabels()] == ["A", "B"]


def test_a_ranking_is_relative_to_the_mean_of_each_world():
    given = {"A": torch.tensor([[0.1], [0.4]]), "B": torch.tensor([[0.4], [0.1]])}
    ax = family.ranking(given, ["one", "two"]).axes[0]
    assert labelled(ax)
    lines = {line.get_label(): torch.tensor(line.get_ydata()) for line in ax.lines}
    torch.testing.assert_close(lines["A"], torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(lines["B"], torch.tensor([2.0, 0.5]))
    with pytest.raises(ValueError, match=r"fvu\['A'\] has 1 of 2 entries"):
        family.ranking({"A": torch.tensor([[0.0], [0.1]])}, ["one", "two"])


def test_what_an_architecture_or_a_control_lacks_is_said():
    with pytest.raises(TypeError, match=r"architectures\['A'\] .* has no recall"):
        family.fronts({"A": front(0.2)}, {"recall": "recall"}, 1.5)
    with pytest.raises(ValueError, match=r"controls\['PCA'\]\[1\] has shape"):
        control = {"PCA": (torch.ones(2), torch.ones(3))}
        family.fronts({"A": front(0.2)}, {"fvu": "FVU"}, 1.5, control)
    with pytest.raises(TypeError, match="a key of architectures is of type tuple"):
        family.fronts({("A", 1): front(0.2)}, {"fvu": "FVU"}, 1.5)
    with pytest.raises(ValueError, match="prefixes has no 'A'"):
        family.dolls({"B": [1]}, {"A": torch.ones(1, 2)})


def test_an_absorption_rate_may_be_missing():
    rates = {"A": torch.tensor([[0.1, torch.nan], [0.2, 0.3]])}
    assert len(family.absorption(rates, "ab", "title").axes[0].lines) == 2
