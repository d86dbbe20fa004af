"""The explorable scaling law holds what was measured, and its sliders show it."""

import json
import re

import pytest
import torch

from course_lib.superposition import fit_power_law, unrepresented_mass
from course_lib.widgets import scaling_law_explorable

LAWS, DECAYS, SIZES = ["flat", "steep"], [-1.0, 0.0, 1.0], [4, 6, 9]
DRAW = torch.Generator().manual_seed(0)
N = 30
W = [torch.randn(2, 3, N, m, generator=DRAW) / m**0.5 for m in SIZES]
W = [w * torch.tensor([1.0, 0.6, 0.3])[:, None, None] for w in W]
P = torch.stack([torch.full((N,), 1 / N), torch.arange(N, 0, -1.0) / 465])
LOSS = torch.rand(2, 3, 3, generator=DRAW) + torch.tensor([1.0, 0.6, 0.3])


def given(**changes) -> dict:
    arguments = {
        "laws": LAWS, "decays": DECAYS, "sizes": SIZES, "loss": LOSS, "W": W, "p": P,
        "second_moment": 4 / 3, "start": (1, 0, 2),
    }  # fmt: skip
    return arguments | changes


def data_of(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)["data"]


def test_the_page_holds_losses_fits_and_what_is_left_out():
    data = data_of(scaling_law_explorable(**given()).html)
    torch.testing.assert_close(torch.tensor(data["loss"]), LOSS, atol=1e-4, rtol=0)
    fit = fit_power_law(torch.tensor(SIZES), LOSS)
    found = torch.tensor(data["exponent"]).double()
    torch.testing.assert_close(found, fit.exponent, atol=1e-3, rtol=0)
    left = 4 / 3 * unrepresented_mass(W[1][1, 2], P[1])
    assert data["predicted"][1][2][1] == pytest.approx(left.item(), abs=1e-5)
    assert data["represented"][0][0][2] == int((W[2][0, 0].norm(dim=-1) > 0.5).sum())
    assert data["rank"][0] == 1 and data["rank"][-1] == N
    norm = W[2][1, 0].norm(dim=-1)[torch.tensor(data["rank"]) - 1]
    torch.testing.assert_close(torch.tensor(data["norm"][1][0][2]), norm, atol=6e-3, rtol=0)


def test_the_chapters_grid_weighs_less_than_100_kilobytes():
    n, sizes = 512, [8, 12, 18, 27, 40]
    page = scaling_law_explorable(
        list("abcde"), [-1.0, -0.3, 0.0, 1.0], sizes, torch.rand(5, 4, 5) + 1,
        [torch.randn(5, 4, n, m) for m in sizes], torch.full((5, n), 1 / n), 4 / 3,
    )  # fmt: skip
    assert len(page.html.encode()) < 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": (0, 3, 0)}, r"from \(0, 0, 0\) to \(1, 2, 2\)"),
        ({"loss": LOSS[:, :2]}, r"loss has shape \[2, 2, 3\]"),
        ({"W": W[:2]}, "W holds 2 tensors; it must hold one per size, 3"),
        ({"W": [W[0], W[1], W[1]]}, "W at size 9 has shape"),
        ({"p": 2 * P + 1}, "p has 60 of 60 entries"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        scaling_law_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(scaling_law_explorable(**given()), **options)


def test_the_sliders_show_the_losses_and_the_norms_of_their_position(page):
    shown = page()

    def drawn(kind):
        marks = shown.locator(f"[data-{kind}]").all()
        return torch.tensor([float(mark.get_attribute(f"data-{kind}")) for mark in marks])

    torch.testing.assert_close(drawn("loss"), LOSS[1, 0], atol=1e-4, rtol=0)
    shown.get_by_role("slider", name="Frequency law").press("ArrowLeft")
    shown.get_by_role("slider", name="Weight decay").press("End")
    shown.get_by_role("slider", name="Size m").press("Home")
    torch.testing.assert_close(drawn("loss"), LOSS[0, 2], atol=1e-4, rtol=0)
    norms = W[0][0, 2].norm(dim=-1)
    assert drawn("norm").max().item() <= norms.max().item() + 0.006
    count = int((norms > 0.5).sum())
    summary = shown.locator(".summary").inner_text()
    assert f"At m = 4 the model represents {count} of 30 features" in summary
    assert summary.startswith("With flat frequencies and decay 1.0 L falls as m to the power")


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360


def test_without_javascript_the_start_stands_in_a_table(page):
    text = page(java_script_enabled=False).locator(".stage").inner_text()
    assert "With steep frequencies and decay -1.0 the loss falls" in text
    assert "m · mean cos²" in text
