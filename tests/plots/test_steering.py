"""Figures of steering show what the report says, interval by interval."""

from dataclasses import replace

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import steering
from course_lib.steering import Scores, SteeringReport, compare, interval
from tests.steering.small import normal


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


S, N = 3, 12
POSITIVE = -3 + 0.1 * normal(5, S, N) + torch.tensor([1.0, -1, 0, 0, 0])[:, None, None]
REPORT = SteeringReport(
    behaviour="tense",
    source="a vector",
    strengths=torch.tensor([1.0, 2.0, 4.0]),
    clean=Scores(torch.full((N,), -3.0), torch.full((N,), -2.0)),
    prompted=Scores(torch.full((N,), -1.0), torch.full((N,), -4.0)),
    scores=Scores(POSITIVE, -2 - 0.5 * normal(5, S, N, seed=1).abs()),
    kl=torch.tensor([0.01, 0.1, 1.0])[:, None].expand(5, S, 6),
    violations=0.1 * torch.arange(3.0)[None, :, None].expand(3, S, N),
    clean_violations=torch.full((N,), 0.02),
    off_target={"number": normal(S, 5, seed=2)},
)


def test_a_report_draws_the_vector_its_controls_and_their_means():
    figure = steering.report(REPORT, kl=0.2)
    response, odds, margin, kl, rules, off = figure.axes
    lines = {line.get_label(): line for line in response.lines}
    effect = REPORT.effect.mean(-1)
    assert list(lines["vector"].get_ydata()) == pytest.approx(effect[0].tolist())
    assert list(lines["opposite"].get_xdata()) == [-1, -2, -4]
    assert list(lines["opposite"].get_ydata()) == pytest.approx(effect[1].tolist())
    thin = [line for line in response.lines if line.get_linewidth() == 0.8]
    drawn = [list(line.get_ydata()) for line in thin]
    assert drawn == [pytest.approx(row.tolist()) for row in effect[2:]]
    assert lines["prompt"].get_ydata()[0] == pytest.approx(4.0)
    vector = odds.lines[0]
    assert list(vector.get_xdata()) == pytest.approx(REPORT.gain[0].mean(-1).tolist())
    assert list(vector.get_ydata()) == pytest.approx(REPORT.loss[0].mean(-1).tolist())
    assert list(margin.lines[0].get_ydata()) == pytest.approx(REPORT.margin()[:, 0].tolist())
    assert [label.get_text() for label in kl.get_xticklabels(which="both")] == ["1", "2", "4"]
    assert kl.get_yscale() == "log" and "budget" in [text.get_text() for text in kl.texts]
    assert list(rules.lines[-2].get_ydata()) == pytest.approx([0, 0.1, 0.2])
    assert [label.get_text() for label in off.get_yticklabels()] == ["tense", "number"]
    assert "strength 2" in off.get_title()
    widths = [bar.get_width() for bar in off.patches]
    off_target = REPORT.off_target["number"][1].mean().item()
    assert widths == pytest.approx([effect[0, 1].item(), off_target])


def test_the_bands_are_the_intervals():
    figure = steering.report(REPORT)
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    low, high = interval(REPORT.effect[0]).unbind(-1)
    assert band.min() == pytest.approx(low.min().item())
    assert band.max() == pytest.approx(high.max().item())


def test_a_report_without_rules_or_prompt_says_so():
    bare = replace(REPORT, violations=None, clean_violations=None, prompted=None, off_target={})
    figure = steering.report(bare)
    assert figure.axes[4].texts[0].get_text() == "no rules were given"
    assert "prompt" not in [line.get_label() for line in figure.axes[0].lines]
    assert len(figure.axes[5].patches) == 1


def test_the_map_has_a_number_in_each_cell():
    values = torch.tensor([[0.5, -2.0, 0.0], [1.0, 3.0, 0.1]])
    figure = steering.strength_by_layer(values, ["block 0", "block 1"], [1, 2, 4])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.5", "-2.0", "0.0", "1.0", "3.0", "0.1"]
    assert figure.axes[0].images[0].get_clim() == (-3, 3)
    steering.strength_by_layer(torch.zeros(1, 1), ["a"], [1])


def test_methods_stand_beside_what_random_directions_do():
    rows = compare([REPORT, REPORT], 0.2) + compare([REPORT], 1e-3)
    figure = steering.methods(rows, ["one", "two", "three"])
    ax = figure.axes[0]
    marks = [line for line in ax.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert [line.get_xdata()[0] for line in marks] == pytest.approx([rows[0]["random"]] * 2)
    assert [text.get_text() for text in ax.texts] == [" too dear at every strength"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two", "three"]
