"""Figures of structured dictionaries show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from course_lib.plots import structure


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def dots(ax) -> list:
    return sorted(float(x) for line in ax.lines for x in line.get_xdata())


def test_cosine_maps_share_their_rows_and_name_every_feature():
    cosine = torch.eye(3)
    figure = structure.cosine_maps([cosine, -cosine], ["a", "b"], ["A", "A1", "s1"])
    first, second = figure.axes[:2]
    assert torch.equal(torch.as_tensor(second.images[0].get_array()), -cosine)
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["A", "A1", "s1"]
    assert first.get_ylabel() == "planted feature" and figure.axes[2].get_ylabel() == "cosine"
    with pytest.raises(ValueError, match=r"cosines\[\d\] has shape"):
        structure.cosine_maps([torch.eye(2)], ["a"], ["A", "A1", "s1"])


def test_every_seed_of_every_method_is_a_dot_and_the_truth_a_line():
    values = {"x": torch.tensor([[1.0, 2], [3, 4]]), "y": torch.tensor([[5.0, 6], [7, 8]])}
    figure = structure.method_dots({"q": values, "r": values}, ["one", "two"], {"q": 9.0}, "title")
    assert dots(figure.axes[0]) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert dots(figure.axes[1]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["x", "y"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["one", "two"]
    with pytest.raises(ValueError, match=r"panels\['q'\]\['x'\] has shape"):
        structure.method_dots({"q": {"x": torch.ones(2)}}, ["one"], {}, "title")


def test_a_line_of_the_tuning_joins_the_cells_of_one_setting_in_the_order_of_the_rates():
    cells = [
        {"lr": 0.1, "k": 1, "fvu": 3.0}, {"lr": 0.01, "k": 1, "fvu": 2.0},
        {"lr": 0.01, "k": 2, "fvu": 1.0},
    ]  # fmt: skip
    figure = structure.tuning({"TopK": cells}, "fvu", "FVU", {"TopK": ["k"]})
    one, two = figure.axes[0].lines
    assert list(one.get_xdata()) == [0.01, 0.1] and list(one.get_ydata()) == [2.0, 3.0]
    assert list(two.get_ydata()) == [1.0] and two.get_label() == "2"


def test_latents_of_all_panels_are_drawn_on_one_scale():
    means = [torch.tensor([[1.0, 0], [0, 1]]), torch.tensor([[3.0], [3.0]])]
    figure = structure.view_scatter(means, ["split", "shared"], ("images", "texts"))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert list(figure.axes[1].lines[1].get_xdata()) == [3.0]
    assert figure.axes[0].get_ylabel() == "mean on texts"


def test_a_function_is_drawn_at_the_points_of_its_grid():
    figure = structure.on_grids(
        {"x": [torch.ones(4), torch.ones(8)], "y": [torch.zeros(4)] * 2}, "ab"
    )
    assert list(figure.axes[0].lines[0].get_xdata()) == [0, 0.25, 0.5, 0.75]
    assert len(figure.axes[1].lines[0].get_xdata()) == 8


def test_what_cannot_be_drawn_is_named_before_a_figure_is_made():
    values = {"x": torch.ones(1, 2)}
    wrong = {
        r"panels\['r'\] has the keys \['y'\]": lambda: structure.method_dots(
            {"q": values, "r": {"y": torch.ones(1, 2)}}, ["one"], {}, "title"
        ),
        r"cells\['a'\]\[0\] has no 'k'": lambda: structure.tuning(
            {"a": [{"lr": 0.1, "fvu": 1.0}]}, "fvu", "FVU", {"a": ["k"]}
        ),
        "settings has no 'a'": lambda: structure.tuning({"a": []}, "fvu", "FVU", {"b": []}),
        "functions has 4 entries": lambda: structure.on_grids(
            {name: [torch.ones(2)] for name in "abcd"}, ["grid"]
        ),
        "titles has 2 entries": lambda: structure.view_scatter([torch.ones(2, 3)], "ab", "xy"),
    }
    for words, draw in wrong.items():
        with pytest.raises(ValueError, match=words):
            draw()
    assert not plt.get_fignums()


def test_methods_keep_their_row_and_groups_their_number_in_every_panel():
    groups = list("abcde")  # more than there are markers
    one, two = torch.ones(5, 1), torch.full((5, 1), 2.0)
    panels = {"q": {"x": one, "y": two}, "r": {"y": two, "x": one}}
    for ax in structure.method_dots(panels, groups, {}, "title").axes:
        assert [line.get_xdata()[0] for line in ax.lines] == [1] * 5 + [2] * 5
