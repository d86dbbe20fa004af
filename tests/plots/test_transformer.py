"""Figures of SAEs inside a transformer show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import transformer


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labels(ticks) -> list[str]:
    return [tick.get_text() for tick in ticks]


def points(ax, marker: str) -> list[tuple[list[float], list[float]]]:
    return [
        (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.lines
        if line.get_marker() == marker
    ]


def test_detectors_have_a_panel_per_reading_a_row_per_attribute_and_a_bar_for_yes():
    f1 = {"shown": {"latents": {"tense": 0.5, "topic": 0.7}, "neurons": {"tense": 0.2, "topic": 1}}}
    free = {"shown": {"tense": 0.3, "topic": 0.4}}
    figure = transformer.detector_dots(
        f1 | {"state": f1["shown"]}, free | {"state": free["shown"]}, "t"
    )
    ax = figure.axes[0]
    assert [a.get_title() for a in figure.axes] == ["shown", "state"]
    assert labels(ax.get_yticklabels()) == ["tense", "topic"]
    assert points(ax, "o") == [([0.5, 0.7], [0, 1])]
    assert points(ax, "s") == [([0.2, 1], [0, 1])]
    assert [xs[1] for xs, _ in points(ax, "None")] == [0.3, 0.4]
    assert labels(figure.legends[0].get_texts()) == ["latents", "neurons"]


def test_costs_are_on_a_logarithmic_axis_with_what_they_are_compared_with():
    costs = {"attention": {"x̂": 0.01, "mean": 3.0}, "MLP": {"x̂": 0.02, "mean": 1.0}}
    figure = transformer.cost_dots(costs, 0.05, "left to learn", "t")
    ax = figure.axes[0]
    assert ax.get_xscale() == "log" and labels(ax.get_yticklabels()) == ["x̂", "mean"]
    assert points(ax, "o") == [([0.01, 3.0], [0, 1])]
    assert points(ax, "None")[0][0] == [0.05, 0.05]
    assert labels(figure.legends[0].get_texts()) == ["attention", "MLP", "left to learn"]


def test_heads_and_families_show_every_count_that_is_not_zero():
    figure = transformer.head_families(torch.tensor([[0, 2], [3, 1]]), ["tense", "topic"], "t")
    (ax,) = figure.axes
    assert {(t.get_position(), t.get_text()) for t in ax.texts} == {
        ((1, 0), "2"), ((0, 1), "3"), ((1, 1), "1"),
    }  # fmt: skip
    assert labels(ax.get_yticklabels()) == ["head 0", "head 1"]
    with pytest.raises(ValueError, match="counts has shape"):
        transformer.head_families(torch.zeros(2, 3), ["tense", "topic"], "t")


def test_sources_are_stacked_by_head_up_and_down():
    by_head = torch.tensor([[1.0, -1.0], [2.0, -2.0], [-0.5, 0.5]])
    figure = transformer.source_bars(by_head, ["a", "b"], "t")
    (ax,) = figure.axes
    spans = [(b.get_y(), b.get_y() + b.get_height()) for group in ax.containers for b in group]
    assert spans == [(0, 1), (0, -1), (1, 3), (-1, -3), (0, -0.5), (0, 0.5)]
    assert labels(ax.get_xticklabels()) == ["a", "b"]


def test_ratios_have_a_line_at_one_and_at_the_goal():
    figure = transformer.ratio_dots({"SAE": [2.0, 4.0], "random": [1.0, 0.9]}, ["x", "y"], 3.0, "t")
    (ax,) = figure.axes
    assert points(ax, "o") == [([2.0, 4.0], [0, 1])]
    assert sorted(xs[0] for xs, _ in points(ax, "None")) == [1, 3]
    assert labels(ax.get_yticklabels()) == ["x", "y"]


def test_no_series_and_no_head_is_left_out_for_want_of_colours_and_markers():
    many = {f"s{k}": {"row": 0.1 * (k + 1)} for k in range(9)}
    kinds = transformer.detector_dots({"p": many}, {"p": {"row": 0.3}}, "t").legends[0]
    assert labels(kinds.get_texts()) == list(many)
    costs = transformer.cost_dots(many, 0.5, "floor", "t").legends[0]
    assert labels(costs.get_texts()) == [*many, "floor"]
    ratios = transformer.ratio_dots({name: [1.0] for name in many}, ["row"], 3.0, "t").legends[0]
    assert labels(ratios.get_texts()) == list(many)
    assert len(transformer.source_bars(torch.ones(9, 2), ["a", "b"], "t").axes[0].containers) == 9


@pytest.mark.parametrize(
    ("draw", "kind", "message"),
    [
        (lambda: transformer.detector_dots({"p": {}}, {"p": {}}, "t"), ValueError, "free, p has 0"),
        (
            lambda: transformer.detector_dots({"p": {"s": {"a": 1}}}, {"q": {"a": 1}}, "t"),
            ValueError, "free has nothing for 'p'",
        ),
        (
            lambda: transformer.cost_dots({"s": {"a": 1}, "t": {}}, 0.1, "m", "t"),
            ValueError, "t has 0 entries",
        ),
        (
            lambda: transformer.ratio_dots({"s": [1.0]}, ["a", "b"], 3.0, "t"),
            ValueError, r"s has shape \[1\]",
        ),
        (
            lambda: transformer.source_bars(torch.full((2, 1), torch.nan), ["a"], "t"),
            ValueError, "by_head has 2 of 2 entries",
        ),
        (
            lambda: transformer.head_families(-torch.ones(2, 1), ["a"], "t"),
            ValueError, "counts has 2 of 2 entries",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_by_name(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()
