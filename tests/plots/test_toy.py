"""Figures draw what they are given, with titles and labelled axes."""

import math

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib import plots
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition import Trainer


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(axes) -> bool:
    return all(ax.get_title() and ax.get_xlabel() for ax in axes) and bool(axes[0].get_ylabel())


def test_the_overlap_map_shows_w_times_its_transpose():
    W = torch.randn(4, 2)
    figure = plots.gram_map([W, 2 * W], ["a", "b"])
    shown = torch.as_tensor(figure.axes[1].images[0].get_array())
    assert torch.allclose(shown, 4 * W @ W.T, atol=1e-5)
    assert labelled(figure.axes[:2]) and figure.axes[2].get_ylabel()


def test_arrows_end_at_the_rows_of_w():
    W = torch.tensor([[1.0, 0.0], [0.0, -0.8], [0.1, 0.1]])
    ax = plots.feature_arrows([W], ["p"]).axes[0]
    ends = torch.tensor([(line.get_xdata()[-1], line.get_ydata()[-1]) for line in ax.lines])
    assert torch.equal(ends.unique(dim=0), W.unique(dim=0))
    assert {text.get_text() for text in ax.texts} == {"0", "1"}, (
        "a feature of norm < 0.5 has no name"
    )
    assert labelled([ax])
    with pytest.raises(ValueError, match="an entry of Ws has shape"):
        plots.feature_arrows([torch.ones(3, 3)], ["p"])


def test_instances_in_training_show_what_they_keep_and_their_losses_so_far():
    trainer = Trainer(ToyModel(3, 2, 2), SparseFeatures(3, 0.5, 2), steps=100)
    trainer.model.W.data = torch.tensor([[[1.0, 0], [0, -0.8], [0.1, 0.1]], [[0.1, 0.0]] * 3])
    trainer.losses[:60] = torch.arange(60.0)[:, None]
    first, second, last = plots.kept_features(trainer).axes
    assert first.get_title() == "start 0: 2 kept" and second.get_title() == "start 1: 0 kept"
    drawn = torch.tensor(last.lines[1].get_ydata())
    assert drawn[:2].tolist() == [12.0, 37.0] and drawn[2:].isnan().all()
    assert list(last.lines[0].get_xdata()) == [25, 50, 75, 100] and labelled([first, last])
    deep = Trainer(ToyModel(3, 4), SparseFeatures(3, 0.5), steps=2)
    with pytest.raises(ValueError, match="W has shape"):
        plots.kept_features(deep)


def test_phase_maps_share_their_axes_and_name_the_states():
    grid = torch.randint(0, 3, (4, 5))
    figure = plots.phase_maps(
        torch.logspace(-2, 0, 4), torch.logspace(-1, 1, 5), [grid, grid], "ab"
    )
    assert labelled(figure.axes[:2])
    assert [t.get_text() for t in figure.axes[2].get_xticklabels()][2] == "both, antipodal"


def test_the_strip_shows_every_feature_once():
    p, D = torch.tensor([1.0, 0.5, 0.1]), torch.rand(3, 7)
    figure = plots.dimensionality_strip(p, D, D.mean(1), {"1/2": 0.5, "2/5": 0.4, "3/8": 0.375})
    ax = figure.axes[0]
    assert len(ax.collections[0].get_offsets()) == 21 and labelled([ax])


def test_each_neuron_stacks_the_sizes_of_its_weights():
    W = torch.randn(5, 3)
    ax = plots.neuron_stacks([W], ["p"]).axes[0]
    total = sum(bar.get_height() for bar in ax.patches)
    assert total == pytest.approx(W.abs().sum().item(), rel=1e-5) and labelled([ax])


def test_the_course_style_is_set():
    with plt.rc_context():
        plots.style()
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.COLORS)


P, ROWS = torch.tensor([0.1, 0.2]), torch.ones(2, 3)
BAD = (
    (plots.gram_map, ([None], ["a"]), "an entry of Ws is None"),
    (plots.gram_map, (3, ["a"]), "Ws is of type int"),
    (plots.gram_map, ([], []), "Ws has 0 entries"),
    (plots.neuron_stacks, ([ROWS], ["a", "b"]), "Ws has 1 entries and titles 2"),
    (plots.neuron_stacks, ([ROWS * math.nan], ["a"]), "an entry of Ws has 6 of 6 entries"),
    (plots.kept_features, (None,), "trainer is of type NoneType"),
    (plots.phase_maps, (P, P, [ROWS], ["a"]), "importance has shape"),
    (plots.dimensionality_strip, (P, ROWS, torch.ones(3), {}), "average has shape"),
    (plots.dimensionality_strip, (P, ROWS, P, {"a": "b"}), r"marks\['a'\] is 'b'"),
    (plots.dimensionality_strip, (P, ROWS, P, None), "marks is of type NoneType"),
)


@pytest.mark.parametrize(("plot", "arguments", "words"), BAD)
def test_what_cannot_be_drawn_is_refused_by_name_before_a_figure_is_made(plot, arguments, words):
    before = plt.get_fignums()
    with pytest.raises((TypeError, ValueError), match=words):
        plot(*arguments)
    assert plt.get_fignums() == before
