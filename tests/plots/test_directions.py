"""Figures of directions draw what they are given, with titles and labelled axes."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import directions


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(ax) -> bool:
    return bool(ax.get_title() and ax.get_xlabel() and ax.get_ylabel())


def test_histograms_name_their_dimensions_and_their_spread():
    values = torch.tensor([0.3, -0.3, 0.3])
    ax = directions.cosine_histograms({2: values, 8: values / 2}).axes[0]
    assert labelled(ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["$d$ = 2, spread 0.30", "$d$ = 8, spread 0.15"]


def test_every_seed_of_a_packing_is_a_mark_above_the_bound():
    mu = torch.tensor([[0.5, 0.6], [0.7, 0.65]])
    ax = directions.packing_curves([4, 6], {"packed": mu}, [0.3, 0.4], d=3).axes[0]
    drawn = [tuple(line.get_ydata()) for line in ax.lines]
    assert labelled(ax)
    for values in (mu.amin(1), mu[:, 0], mu[:, 1]):
        assert any(len(y) == 2 and torch.allclose(torch.tensor(y), values) for y in drawn)
    assert (0.3, 0.4) in drawn and "= 6" in ax.texts[0].get_text()


def test_readings_are_marks_and_predictions_lines():
    share = torch.tensor([1.0, 0.4])
    ax = directions.readout_curves([1, 2], {"a": share}, {"a": share / 2}).axes[0]
    assert labelled(ax)
    assert list(ax.lines[0].get_ydata()) == pytest.approx([0.5, 0.2])
    assert ax.lines[1].get_marker() == "o"


def test_the_transition_map_shows_success_under_its_lines():
    success = torch.rand(4, 3)
    lines = {"theory": [0.1, 0.2, 0.3], "guarantee": [0.05, 0.1, 0.1]}
    figure = directions.transition_map([0.2, 0.5, 0.8], [0.1, 0.2, 0.3, 0.4], success, lines)
    ax = figure.axes[0]
    shown = torch.as_tensor(ax.collections[0].get_array()).view(4, 3)
    torch.testing.assert_close(shown.float(), success)
    assert labelled(ax) and [text.get_text() for text in ax.texts] == list(lines)


def test_surfaces_are_drawn_with_the_points_and_their_answers():
    outputs = torch.linspace(0, 1, 16).view(4, 4)
    corners = torch.tensor([[0.0, 0], [1, 1]])
    figure = directions.surfaces([outputs, outputs], "ab", corners, torch.tensor([True, False]))
    assert all(ax.get_title() and ax.get_xlabel() for ax in figure.axes[:2])
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o", "X"]


def test_rings_stand_on_the_variables_that_decide():
    triples = torch.tensor([[0, 2, 3], [1, 2, 4]])
    ax = directions.attention_maps([torch.randn(2, 5)], triples, ["a"]).axes[0]
    rings = [list(line.get_xdata()) for line in ax.lines]
    assert rings == triples.tolist() and labelled(ax)


def test_a_curve_without_its_prediction_and_lines_beyond_the_styles_are_refused():
    share = torch.tensor([1.0, 0.4])
    with pytest.raises(ValueError, match="predicted has no 'a'"):
        directions.readout_curves([1, 2], {"a": share}, {"b": share})
    lines = {str(k): [0.1, 0.2] for k in range(4)}
    with pytest.raises(ValueError, match="lines has 4 entries"):
        directions.transition_map([0.2, 0.5], [0.1, 0.2], torch.rand(2, 2), lines)
    with pytest.raises(ValueError, match="triples has entries"):
        directions.attention_maps([torch.randn(1, 5)], torch.tensor([[0, 2, 5]]), ["a"])
