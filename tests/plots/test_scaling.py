"""Figures of scaling laws draw what they are given, with titles and labelled axes."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import scaling

SIZES = torch.tensor([8, 12, 18, 27])
LOSS = {"a": torch.rand(3, 4) + 0.5, "b": 2 / SIZES.expand(3, 4)}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(ax) -> bool:
    return bool(ax.get_title() and ax.get_xlabel())


def test_losses_show_every_seed_the_fitted_line_and_its_exponent():
    figure = scaling.losses_by_size(SIZES, [LOSS, LOSS], ["left", "right"])
    left, right = figure.axes
    assert all(map(labelled, figure.axes)) and left.get_ylabel()
    assert left.get_yscale() == left.get_xscale() == "log"
    drawn = [line.get_ydata() for line in left.lines if len(line.get_ydata()) == 4]
    shown = torch.stack([torch.as_tensor(values) for values in drawn])
    torch.testing.assert_close(shown, torch.cat([LOSS["a"], LOSS["b"]]))
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names[1] == r"b: $\alpha_m$ = 1.00"
    assert [t.get_text() for t in left.get_xticklabels()] == ["8", "12", "18", "27"]


def test_a_quantity_is_drawn_with_its_mean_and_its_reference():
    figure = scaling.against_size(
        SIZES, LOSS, reference=1.0, reference_name="one", ylabel="y", title="t"
    )
    (ax,) = figure.axes
    assert labelled(ax) and ax.get_ylabel() == "y"
    lines = [torch.as_tensor(line.get_ydata(), dtype=torch.float) for line in ax.lines]
    torch.testing.assert_close(lines[0], LOSS["a"].mean(0))
    assert lines[-1].eq(1).all()


def test_norms_are_drawn_at_their_rank():
    W = torch.randn(6, 3)
    (ax,) = scaling.norms_by_rank([W, 2 * W], ["one", "two"], "t").axes
    assert labelled(ax) and ax.get_ylabel()
    x, y = ax.lines[1].get_data()
    assert list(x) == [1, 2, 3, 4, 5, 6]
    torch.testing.assert_close(torch.as_tensor(y), 2 * W.norm(dim=-1))


def test_every_model_is_a_point_and_equality_a_line():
    (ax,) = scaling.prediction(LOSS, LOSS, "t").axes
    assert labelled(ax) and ax.get_ylabel()
    assert [len(line.get_xdata()) for line in ax.lines] == [12, 12, 2]
    assert list(ax.lines[2].get_xdata()) == list(ax.lines[2].get_ydata())
    assert len(ax.get_legend().get_texts()) == 3
