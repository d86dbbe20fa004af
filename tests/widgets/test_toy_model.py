import json
import re

import pytest
import torch

from course_lib.widgets import toy_model_explorable
from course_lib.widgets.toy_model import align

PROBABILITIES = [1.0, 0.25, 0.02]
DECAYS = [1.0, 0.5]


def grid(n_features: int = 5) -> dict:
    generator = torch.Generator().manual_seed(0)
    return {
        "W": torch.randn(3, 2, n_features, 2, generator=generator),
        "b_dec": torch.randn(3, 2, n_features, generator=generator),
        "probabilities": PROBABILITIES,
        "importance_decays": DECAYS,
        "loss": torch.rand(3, 2, generator=generator),
    }


def settings(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_the_grid_rounded_to_three_decimals():
    given = grid()
    data = settings(toy_model_explorable(**given).html)["data"]
    assert data["W"] == [
        [[[round(v, 3) for v in row] for row in cell] for cell in line]
        for line in align(given["W"]).double().tolist()
    ]
    assert torch.allclose(torch.tensor(data["b_dec"]), given["b_dec"], atol=5.1e-4)
    assert torch.allclose(torch.tensor(data["loss"]), given["loss"], atol=5.1e-6)
    assert data["importance"] == [[1.0] * 5, [1.0, 0.5, 0.25, 0.125, 0.062]]
    assert data["threshold"] == 0.5


def test_sliders_show_sparsity_with_the_number_of_active_features_and_the_decay():
    sliders = settings(toy_model_explorable(**grid(), start=(1, 1)).html)["sliders"]
    assert sliders[0]["shown"] == [
        "0 (5 of 5 active)",
        "0.75 (1.2 of 5 active)",
        "0.98 (0.1 of 5 active)",
    ]
    assert sliders[1]["shown"] == ["1", "0.5"]
    assert [slider["start"] for slider in sliders] == [1, 1]


def test_turning_the_plane_keeps_every_overlap_and_brings_neighbours_closer():
    W = grid()["W"]
    turned = align(W)
    torch.testing.assert_close(turned @ turned.mT, W @ W.mT)
    assert (turned[0, 1] - turned[0, 0]).norm() <= (W[0, 1] - W[0, 0]).norm() + 1e-6


def test_one_model_in_many_rotations_is_drawn_the_same_everywhere():
    one = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    angle = torch.arange(6.0).view(3, 2)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(3, 2, 2, 2)
    turned = align(one @ turn)
    torch.testing.assert_close(turned, turned[0, 0].expand_as(turned))


def test_a_full_grid_of_nine_by_seven_weighs_less_than_40_kilobytes():
    page = toy_model_explorable(
        torch.randn(9, 7, 5, 2), torch.randn(9, 7, 5), [0.1] * 9, [0.5] * 7, torch.rand(9, 7)
    )
    assert len(page.html.encode()) < 40_000


def test_weights_that_need_gradients_integers_and_a_missing_loss_are_accepted():
    given = grid() | {"loss": None, "b_dec": torch.zeros(3, 2, 5, dtype=torch.int64)}
    given["W"].requires_grad_()
    data = settings(toy_model_explorable(**given).html)["data"]
    assert data["loss"] is None
    assert data["b_dec"] == [[[0.0] * 5] * 2] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": torch.zeros(2, 2, 5, 2)}, r"W has shape \[2, 2, 5, 2\]; it must be \[3, 2,"),
        ({"W": torch.zeros(3, 2, 5, 3)}, r"W has shape"),
        ({"W": torch.full((3, 2, 5, 2), float("nan"))}, r"W has 60 of 60 entries"),
        ({"W": torch.zeros(3, 2, 7, 2), "b_dec": torch.zeros(3, 2, 7)}, r"W has 7 feature.*2 to 6"),
        ({"b_dec": torch.zeros(3, 2, 4)}, r"b_dec has shape \[3, 2, 4\]; it must be \[3, 2, 5\]"),
        ({"b_dec": torch.full((3, 2, 5), float("inf"))}, r"b_dec has 30 of 30 entries"),
        ({"probabilities": [0.5, 0.2]}, r"W has shape"),
        ({"probabilities": [1.5, 0.5, 0.1]}, r"probabilities has 1 of 3 entries.*1\.5"),
        ({"importance_decays": [1.0, -0.5]}, r"importance_decays has 1 of 2 entries.*-0\.5"),
        ({"loss": torch.zeros(2, 3)}, r"loss has shape \[2, 3\]; it must be \[3, 2\]"),
        ({"loss": -torch.ones(3, 2)}, r"loss has 6 of 6 entries"),
        ({"start": (3, 0)}, r"start is \(3, 0\).*\(2, 1\)"),
        ({"start": (0, -1)}, r"start is \(0, -1\)"),
        ({"start": (0,)}, r"start is \(0,\)"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_what_is_allowed(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        toy_model_explorable(**(grid() | change))
