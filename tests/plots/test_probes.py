"""Figures of probes show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import probes


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(ticks) -> list[str]:
    return [tick.get_text() for tick in ticks]


def line(ax, label: str):
    return next(one for one in ax.lines if one.get_label() == label)


def test_scores_have_a_row_each_a_marker_per_series_and_a_line_at_chance():
    series = {"trained": {"a": 0.9, "b": 0.6}, "untrained": {"a": 0.2, "b": 0.5}}
    figure = probes.score_dots({"p": series}, "accuracy", chance=0.5, limits=(0.4, 1.0))
    (ax,) = figure.axes
    assert texts(ax.get_yticklabels()) == ["a", "b"]
    assert list(line(ax, "trained").get_xdata()) == [0.9, 0.6]
    assert list(line(ax, "untrained").get_xdata()) == [0.4, 0.5]  # 0.2 stands at the edge
    heights = line(ax, "untrained").get_ydata() - line(ax, "trained").get_ydata()
    assert (heights > 0.05).all()  # equal scores do not hide each other
    assert ax.lines[-1].get_xdata()[0] == 0.5
    assert texts(figure.legends[0].get_texts()) == ["trained", "untrained"]


def test_maps_have_the_first_site_at_the_bottom_and_one_scale():
    maps = {"one": torch.eye(2, 3), "two": torch.zeros(2, 3)}
    figure = probes.site_maps(maps, ["low", "high"], ["x", "y", "z"], "accuracy", (0.0, 1.0))
    one, two, _ = figure.axes
    assert (one.get_title(), two.get_title()) == ("one", "two")
    assert texts(one.get_yticklabels()) == ["low", "high"]
    assert one.get_ylim()[0] < one.get_ylim()[1]
    assert one.images[0].get_array().tolist() == maps["one"].tolist()
    assert one.images[0].get_clim() == two.images[0].get_clim() == (0.0, 1.0)


def test_a_map_of_another_size_is_refused_by_its_title():
    with pytest.raises(ValueError, match="one has shape"):
        probes.site_maps({"one": torch.zeros(2, 2)}, ["low"], ["x", "y"], "accuracy")


def test_curves_are_means_and_named_ticks_stand_at_equal_distances():
    values = torch.tensor([[0.2, 0.4], [0.6, 0.8], [1.0, 1.0]])
    figure = probes.curves([1, 8, 64], {"p": {"s": values}}, "k", "F1", ticks=["1", "8", "64"])
    (ax,) = figure.axes
    drawn = line(ax, "s")
    assert list(drawn.get_xdata()) == [0, 1, 2]
    assert drawn.get_ydata().tolist() == pytest.approx([0.3, 0.7, 1.0])
    assert texts(ax.get_xticklabels()) == ["1", "8", "64"]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.2) and band.max() == pytest.approx(1.0)


def test_panels_of_the_same_series_share_a_legend_and_others_have_their_own():
    values = torch.rand(3, 2)
    shared = probes.curves([1, 2, 3], {"p": {"s": values}, "q": {"s": values}}, "x", "y")
    assert len(shared.legends) == 1 and shared.axes[0].get_legend() is None
    apart = probes.curves([1, 2, 3], {"p": {"s": values}, "q": {"t": values}}, "x", "y")
    assert not apart.legends and texts(apart.axes[1].get_legend().get_texts()) == ["t"]


def test_arrows_lead_from_held_out_places_to_where_they_are_put():
    truth = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    held_out = torch.tensor([False, True, True])
    predicted = torch.tensor([[1.0, 0.0], [2.0, 2.0]])
    (ax,) = probes.predicted_places(truth, {"p": (predicted, held_out)}).axes
    (arrows,) = ax.collections
    assert arrows.XY.tolist() == [[1, 1], [2, 0]]
    assert list(zip(arrows.U, arrows.V, strict=True)) == [(0, -1), (0, 2)]
    assert ax.lines[0].get_xydata().tolist() == [[0, 0]]
    with pytest.raises(ValueError, match="p has shape"):
        probes.predicted_places(truth, {"p": (predicted[:1], held_out)})


def test_a_seventh_series_is_drawn_too():
    series = {f"s{k}": {"a": 0.1 * k} for k in range(9)}
    figure = probes.score_dots({"p": series}, "accuracy")
    assert len(figure.axes[0].lines) == 9


@pytest.mark.parametrize(
    ("draw", "kind", "message"),
    [
        (lambda: probes.score_dots({}, "x"), ValueError, "panels has 0 entries"),
        (lambda: probes.score_dots({"p": {"s": 0.5}}, "x"), TypeError, "p is of type float"),
        (
            lambda: probes.score_dots({"p": {"s": {"a": 1.0}, "t": {"b": 1.0}}}, "x"),
            ValueError, "t of p has no 'a'",
        ),
        (
            lambda: probes.score_dots({"p": {"s": {"a": "b"}}}, "x"),
            TypeError, r"s of p\['a'\] is 'b'",
        ),
        (
            lambda: probes.score_dots({"p": {"s": {"a": 1.0}}}, "x", limits=(1.0, 0.0)),
            ValueError, "limits is",
        ),
        (
            lambda: probes.curves([1, 2], {"p": {"s": torch.zeros(2, 1)}}, "x", "y", ticks=["1"]),
            ValueError, "ticks has 1 names; x has 2 entries",
        ),
        (
            lambda: probes.curves([1, 2], {"p": {"kind": torch.zeros(3, 1)}}, "x", "y"),
            ValueError, r"kind has shape \[3, 1\]",
        ),
        (
            lambda: probes.curves([1, 2], {"p": {"s": [0.1, 0.2]}}, "x", "y"),
            TypeError, "s is of type list",
        ),
        (
            lambda: probes.predicted_places(
                torch.eye(3, 2), {"p": (torch.eye(2), torch.arange(3))}
            ),
            ValueError, "the mask of p has entries from 0 to 2",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_by_name(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()
