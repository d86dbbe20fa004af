"""Figures of sparse autoencoders draw what they are given, with titles and labels."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import sae
from course_lib.sae import ReLUSAE, Trainer


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(ax) -> bool:
    return bool(ax.get_title() and ax.get_xlabel() and ax.get_ylabel())


def test_a_sweep_draws_the_mean_as_a_line_and_every_seed_as_a_dot():
    values = torch.tensor([[0.1, 0.3], [0.6, 0.8], [0.4, 0.4]])
    panels = {"share": {"a": values, "b": 2 * values}, "L0": {"a": values}}
    left, right = sae.sweep(torch.tensor([1.0, 2.0, 4.0]), panels, "x", ["A", "B"], [1, 4]).axes
    assert labelled(left) and labelled(right)
    torch.testing.assert_close(torch.tensor(left.lines[0].get_ydata()), values.mean(dim=1))
    assert [list(line.get_ydata()) for line in left.lines[1:3]] == values.T.tolist()
    assert left.get_xscale() == "log" and [t.get_text() for t in left.get_xticklabels()] == list(
        "14"
    )
    assert left.get_legend() and not right.get_legend()
    with pytest.raises(ValueError, match=r"panels\['y'\]\['a'\] has shape"):
        sae.sweep(torch.ones(2), {"y": {"a": values}}, "x", ["A"])


def test_a_strip_has_a_row_of_dots_per_name_its_mean_and_the_threshold():
    values = {"a": torch.tensor([0.2, 0.4]), "b": torch.tensor([0.8, 1.0, 0.9])}
    ax = sae.similarity_strip(values, "title", "cosine", threshold=0.9).axes[0]
    torch.testing.assert_close(torch.tensor(ax.lines[2].get_xdata()), values["b"])
    assert [float(line.get_xdata()[0]) for line in ax.lines[1::2]] == pytest.approx([0.3, 0.9])
    assert list(ax.lines[-1].get_xdata()) == [0.9, 0.9]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_instances_in_training_show_the_features_they_found_and_their_history():
    D = torch.eye(3)
    learner = ReLUSAE(3, 3, 0.1, n_instances=2)
    learner.W_dec.data = torch.stack([torch.tensor([[0, 1.0, 0], [1, 0, 0], [0, 1, 1]]), -D])
    trainer = Trainer(learner, torch.rand(50, 3), steps=20, batch_size=8, log_every=5)
    strip, *empty = sae.found_features(trainer, D).axes
    rows = [t.get_text() for t in strip.get_yticklabels()]
    assert rows == ["start 0:\n2 of 3", "start 1:\n0 of 3"]
    assert strip.lines[0].get_xdata() == pytest.approx([1, 1, 0.5**0.5])
    assert not any(len(line.get_xdata()) for ax in empty for line in ax.lines)
    trainer.fit(until=10)
    _, fvu, l0 = sae.found_features(trainer, D).axes
    for ax, name in ((fvu, "fvu"), (l0, "l0")):
        assert [list(line.get_xdata()) for line in ax.lines] == [[5, 10]] * 2
        expected = trainer.history[0][name][:, 1]
        torch.testing.assert_close(torch.as_tensor(ax.lines[1].get_ydata()), expected)
        assert ax.get_xlim() == (0, 20) and ax.get_title() and ax.get_xlabel()


def test_an_encoder_panel_shows_every_input_and_the_best_code_of_a_feature_alone():
    planted, z = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.1, 0.2, 0.7])
    left, _ = sae.encoder_panels(planted, [z, z], [0.4, 0.0], "one").axes
    dots, truth, ideal = left.lines
    assert list(dots.get_ydata()) == z.tolist()
    assert list(truth.get_xdata()) == list(truth.get_ydata())
    assert float(ideal.get_ydata()[-1]) == pytest.approx(0.8)
    assert float(ideal.get_ydata()[0]) == 0.0


def test_a_law_is_a_line_and_its_measurements_are_dots():
    x, dots = torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 1.1], [2.0, 2.1]])
    ax = sae.law(x, {"seen": dots}, {"said": x}, ("title", "x", "y")).axes[0]
    assert labelled(ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["said", "seen"]
    torch.testing.assert_close(torch.tensor(ax.lines[1].get_ydata()), dots.flatten())


def test_dead_latents_and_missing_features_are_bars_as_long_as_the_mean_of_the_seeds():
    dead = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([0.0, 0.0])}
    missing = {"a": torch.tensor([5.0, 5.0]), "b": torch.tensor([1.0, 2.0])}
    ax = sae.dead_bars(dead, missing, "title").axes[0]
    assert [bar.get_width() for bar in ax.patches] == [2.0, 0.0, 5.0, 1.5]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "dead latents", "features not found",
    ]  # fmt: skip


def test_firing_maps_order_latents_by_their_kind_and_leave_out_the_silent():
    rate = torch.tensor([[0.0, 0.9, 0.01], [0.0, 0.0, 0.0], [0.8, 0.0, 0.0]])
    image = sae.firing_maps([rate], ["title"], 3).axes[0].images[0].get_array()
    torch.testing.assert_close(torch.as_tensor(image), rate[:, [1, 0]])


def test_guarantees_are_shaded_up_to_their_bound():
    curve = torch.tensor([1.0, 0.4])
    ax = sae.success_curves(torch.tensor([1, 2]), {"a": curve, "b": curve}, {"a": 1.5}).axes[0]
    assert labelled(ax)
    (shade,) = ax.patches
    assert shade.get_x() + shade.get_width() == 1.5


def test_a_histogram_counts_every_entry_as_a_share():
    entries = torch.tensor([0.05, 0.05, 0.95, 1.0])
    ax = sae.histograms({"a": entries}, "title", "cosine", n_bins=10).axes[0]
    assert labelled(ax)
    values = ax.patches[0].get_data().values
    assert values[0] == 0.5 and values[-1] == 0.5 and values.sum() == 1.0


def test_a_frontier_goes_through_the_means_of_the_seeds():
    l0, fvu = torch.tensor([[1.0, 3.0], [4.0, 6.0]]), torch.tensor([[0.4, 0.6], [0.1, 0.3]])
    (line,) = sae.frontier({"a": (l0, fvu)}, "title").axes[0].lines
    assert list(line.get_xdata()) == [2.0, 5.0]
    assert line.get_ydata() == pytest.approx([0.5, 0.2])


def test_no_curve_is_left_out_and_names_need_not_be_texts():
    x = torch.tensor([1.0, 2.0])
    many = dict.fromkeys(range(9), x)
    ax = sae.law(x, {}, many, ("title", "x", "y")).axes[0]
    assert len(ax.lines) == 9
    ax = sae.success_curves(x, many, {(1, 2): 1.5}).axes[0]
    assert len(ax.get_legend().get_texts()) == 9


def test_a_bar_belongs_to_its_name_in_whatever_order_the_names_come():
    dead = {"a": torch.tensor([1.0]), "b": torch.tensor([2.0])}
    missing = {"b": torch.tensor([4.0]), "a": torch.tensor([3.0])}
    ax = sae.dead_bars(dead, missing, "title").axes[0]
    assert [bar.get_width() for bar in ax.patches] == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match=r"dead has the keys \['a', 'b'\] and missing \['a'\]"):
        sae.dead_bars(dead, {"a": torch.tensor([3.0])}, "title")


def test_one_sae_that_is_not_stacked_can_be_watched_too():
    trainer = Trainer(ReLUSAE(3, 3, 0.1), torch.rand(50, 3), steps=4, batch_size=8, log_every=2)
    trainer.fit()
    strip, fvu, _ = sae.found_features(trainer, torch.eye(3)).axes
    assert len(strip.get_yticklabels()) == 1
    assert [list(line.get_xdata()) for line in fvu.lines] == [[2, 4]]
