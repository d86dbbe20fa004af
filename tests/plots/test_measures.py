"""Figures of counts show every count against the truth, and changes from zero."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import measures


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


TRUTH = torch.tensor([[[6.0, 6.0], [24.0, 23.0]], [[6.0, 6.0], [12.0, 12.0]]])


def test_every_model_is_a_mark_at_its_truth_and_its_count_in_the_panel_of_its_measure():
    counts = {"F": 2 * TRUTH, "PR": TRUTH.clamp(max=12)}
    figure = measures.against_truth(TRUTH, counts, torch.tensor([0.03, 0.2]), d_hidden=12)
    for ax, (name, values) in zip(figure.axes, counts.items(), strict=True):
        assert ax.get_title() == name
        rare, dense = ax.lines[-2:]
        assert list(rare.get_xdata()) == [6, 6, 24, 23]
        assert list(dense.get_ydata()) == values[1].flatten().tolist()
        assert ax.get_ylim() == (0, pytest.approx(1.05 * 48))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["p = 0.03", "p = 0.2"]
    with pytest.raises(ValueError, match=r"measured\['F'\] has shape"):
        measures.against_truth(TRUTH, {"F": TRUTH[0]}, torch.tensor([0.03, 0.2]), 12)


def test_a_change_is_drawn_from_zero_with_its_mean_and_every_seed():
    x = torch.tensor([0.0, 0.1, 0.3])
    values = torch.tensor([[1.0, 3.0], [2.0, 2.0], [4.0, 6.0]])
    panels = {"count": {"F": values}, "share": {"a": values / 10, "b": values / 20}}
    figure = measures.changes(x, panels, "rate", ["one", "two"])
    first, second = figure.axes
    assert [list(line.get_ydata()) for line in first.lines] == [[1, 2, 4], [3, 2, 6], [2, 2, 5]]
    assert first.get_ylim()[0] == second.get_ylim()[0] == 0
    assert first.get_legend() is None
    assert [t.get_text() for t in second.get_legend().get_texts()] == ["a", "b"]
    assert (first.get_ylabel(), second.get_title(), first.get_xlabel()) == ("count", "two", "rate")
    same = {"one": {"a": values, "b": values}, "other": {"a": values, "b": values}}
    assert len(measures.changes(x, same, "rate", ["one", "two"]).legends) == 1
    with pytest.raises(ValueError, match=r"panels\['count'\]\['F'\] has shape"):
        measures.changes(x, {"count": {"F": values[:2]}}, "rate", ["one"])


def test_there_may_be_more_quantities_than_marks_and_a_count_may_be_missing():
    many = {str(k): torch.ones(2, 3) for k in range(9)}
    figure = measures.changes(torch.ones(2), {"y": many}, "x", ["title"])
    assert len(figure.axes[0].lines) == 9 * 4
    counts = TRUTH.clone()
    counts[0, 0, 0] = torch.nan
    figure = measures.against_truth(TRUTH, {"F": counts}, torch.tensor([0.03, 0.2]), 12)
    assert figure.axes[0].get_ylim() == (0, pytest.approx(1.05 * 24))
