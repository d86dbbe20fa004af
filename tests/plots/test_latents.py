"""Figures of latents show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import latents


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(ticks) -> list[str]:
    return [tick.get_text() for tick in ticks]


def test_tenths_are_lines_from_the_strongest_on_that_keep_their_names():
    series = {"drink": torch.linspace(1, 0, 10), "donkey": torch.ones(10)}
    (ax,) = latents.deciles(series, "share", "What?").axes
    drink, donkey = ax.lines
    assert list(drink.get_xdata()) == list(range(1, 11)) == list(ax.get_xticks())
    assert list(drink.get_ydata()) == pytest.approx(series["drink"].tolist())
    assert drink.get_color() != donkey.get_color()
    assert drink.get_marker() != donkey.get_marker()
    assert texts(ax.get_legend().get_texts()) == ["drink", "donkey"]
    assert (ax.get_title(), ax.get_ylabel()) == ("What?", "share")


def test_nine_numbers_are_no_tenths():
    with pytest.raises(ValueError, match=r"series\['drink'\] has shape \[9\]"):
        latents.deciles({"drink": torch.ones(9)}, "share", "What?")


def test_a_dose_map_has_one_panel_for_each_group_and_outlines_the_cells_that_work():
    share = torch.tensor([[[0.1, 0.8, 1.0], [0.0, 0.79, 0.9]], [[0.2, 0.3, 0.4], [0, 0, 0]]])
    figure = latents.dose_maps(share, ["layer 0", "layer 1"], ["for", "against"], [0.5, 1, 2])
    one, two, _ = figure.axes
    assert (one.get_title(), two.get_title()) == ("for", "against")
    assert one.images[0].get_array().tolist() == share[:, 0].tolist()
    assert two.images[0].get_array().tolist() == share[:, 1].tolist()
    assert one.images[0].get_clim() == two.images[0].get_clim() == (0.0, 1.0)
    boxes = [[patch.get_xy() for patch in ax.patches] for ax in (one, two)]
    assert boxes == [[(0.5, -0.5), (1.5, -0.5)], [(1.5, -0.5)]]
    assert texts(one.get_yticklabels()) == ["layer 0", "layer 1"]
    assert texts(two.get_xticklabels()) == ["0.5", "1", "2"]


def test_a_map_that_does_not_fit_its_names_is_refused():
    with pytest.raises(ValueError, match=r"share has shape \[2, 1, 3\]; it must be \[2, 1, 2\]"):
        latents.dose_maps(torch.zeros(2, 1, 3), ["a", "b"], ["for"], [1, 2])


def test_effects_have_a_dot_each_a_mean_with_its_interval_and_a_line_at_random():
    rows = {
        "means": {"each": [1.0, 3.0], "mean": (2.0, 1.0, 3.0)},
        "random": {"each": [0.2, 0.4], "mean": (0.3, 0.2, 0.4)},
    }
    (ax,) = latents.effects(rows, "nats", "Eight behaviours").axes
    each, span, mean = ax.lines[:3]
    assert list(each.get_xdata()) == [1.0, 3.0]
    assert list(span.get_xdata()) == [1.0, 3.0] and list(mean.get_xdata()) == [2.0]
    assert mean.get_ydata()[0] == span.get_ydata()[0] != each.get_ydata()[0]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"] == [0.3]
    assert texts(ax.get_yticklabels()) == ["means", "random"]
    bottom, top = ax.get_ylim()
    assert bottom > top  # the first row stands above


def test_without_a_random_row_there_is_no_line_for_it():
    rows = {"means": {"each": [1.0], "mean": (1.0, 0.5, 1.5)}}
    (ax,) = latents.effects(rows, "nats", "One").axes
    assert not [line for line in ax.lines if line.get_linestyle() == ":"]
