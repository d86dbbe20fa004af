"""Figures of boards show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import boards


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def names(legend) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


def test_a_board_has_its_stones_its_law_and_a_frame_for_each_legal_move():
    board = torch.tensor([[0, 1, 2, 2], [2, 2, 2, 1]])
    law = torch.tensor([[0.0, 0.0, 0.6, 0.4], [0.5, 0.5, 0.0, 0.0]])
    legal = torch.tensor([[False, False, True, True], [True, False, False, True]])
    figure = boards.board_row(board, law, legal, ["one", "two"])
    one, two = figure.axes[:2]
    kinds = [
        sorted((type(p).__name__, tuple(p.get_facecolor())) for p in ax.patches)
        for ax in (one, two)
    ]
    assert [k[0] for k in kinds[0]] == ["Circle", "Circle", "Rectangle", "Rectangle"]
    assert {p[1] for p in kinds[0][:2]} == {(0.1, 0.1, 0.1, 1.0), (1.0, 1.0, 1.0, 1.0)}
    assert [k[0] for k in kinds[1]] == ["Circle", "Rectangle"]  # a stone has no frame
    assert one.images[0].get_array().flatten().tolist() == pytest.approx(law[0].tolist())
    assert [ax.get_title() for ax in (one, two)] == ["one", "two"]
    with pytest.raises(ValueError, match="laws has shape"):
        boards.board_row(board, law[:1], legal, ["one", "two"])
    with pytest.raises(ValueError, match="boards have 3 cells"):
        boards.board_row(board[:, :3], law[:, :3], legal[:, :3], ["one", "two"])


def test_runs_of_a_kind_share_a_colour_and_one_name_in_the_legend():
    panels = {"read": {"mine": [[0.1, 0.9], [0.2, 0.8]]}, "used": {"mine": [[1.0, 0.5]]}}
    figure = boards.runs(panels, ["a", "b"], "depth", "share", lines={"used": ("no edit", 0.7)})
    read, used = figure.axes
    assert [list(line.get_ydata()) for line in read.lines] == [[0.1, 0.9], [0.2, 0.8]]
    assert len({line.get_color() for line in read.lines}) == 1
    assert used.lines[1].get_ydata()[0] == 0.7
    assert [tick.get_text() for tick in read.get_xticklabels()] == ["a", "b"]
    assert names(figure.legends[0]) == ["mine", "no edit"]
    assert (read.get_ylabel(), used.get_ylabel(), read.get_xlabel()) == ("share", "", "depth")


def test_runs_can_stand_on_a_logarithmic_axis():
    figure = boards.runs({"": {"x": [[1.0, 2.0]]}}, [10, 100], "steps", "y", logarithmic=True)
    assert figure.axes[0].get_xscale() == "log"
    assert list(figure.axes[0].lines[0].get_xdata()) == [10, 100]
    with pytest.raises(ValueError, match="x has names of places"):
        boards.runs({"": {"x": [[1.0, 2.0]]}}, ["a", "b"], "steps", "y", logarithmic=True)


def test_runs_may_have_gaps_and_must_be_as_long_as_their_places():
    nan = float("nan")
    ax = boards.runs({"": {"x": [[nan, 2.0]]}}, [1, 2], "x", "y").axes[0]
    assert ax.lines[0].get_ydata()[1] == 2
    with pytest.raises(ValueError, match=r"panels\['read'\]\['mine'\]\[1\] has shape"):
        boards.runs({"read": {"mine": [[1.0, 2.0], [1.0]]}}, [1, 2], "x", "y")


def test_an_exclusive_or_has_a_cloud_for_each_stone_and_turn():
    points = torch.arange(8.0).view(4, 2)
    stone, player = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    figure = boards.exclusive_or(points, stone, player, ("x", "y"), "t")
    (ax,) = figure.axes
    places = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines}
    assert places["black stone, White to move"] == (2, 3)
    assert places["white stone, Black to move"] == (4, 5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_probes_are_dots_in_the_row_of_their_question():
    figure = boards.probe_dots({"a": {"linear": [0.5, 0.6]}, "b": {"MLP": [0.9]}}, "share", "t")
    (ax,) = figure.axes
    dots = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}
    assert dots == {"linear": ([0.5, 0.6], [0, 0]), "MLP": ([0.9], [1])}
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
