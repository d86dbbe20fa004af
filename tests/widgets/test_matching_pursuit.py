"""The explorable of matching pursuit holds the pursuit that the library computes."""

import json
import re

import pytest
import torch

from course_lib.data import tree_dictionary
from course_lib.runtime import generator
from course_lib.sae import MatchingPursuitSAE
from course_lib.widgets import matching_pursuit_explorable
from tests.browser import launched

PARENT = [-1, 0, 0, -1, 3, -1]
STEPS = 4
BAD = {"W": (torch.ones(6, 8), torch.ones(8))}


def given(**changes) -> dict:
    planted = tree_dictionary(PARENT, 7, 0.3, generator(0))
    learned = planted + 0.4 * torch.randn(6, 7, generator=generator(1))
    features = torch.zeros(3, 6)
    features[0, 0], features[0, 2], features[1, 5], features[2, 3] = 1.5, 1.2, 1.0, 0.8
    arguments = {
        "features": features,
        "planted": planted,
        "parent": PARENT,
        "dictionaries": {
            "planted": (planted, torch.zeros(7)),
            "learned": (learned, 0.1 * torch.ones(7)),
        },
        "steps": STEPS,
        "start": (0, 1, 2),
    }
    return arguments | changes


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def pursuit(name: str):
    W, b = given()["dictionaries"][name]
    sae = MatchingPursuitSAE(7, 6, STEPS)
    with torch.no_grad():
        sae.W_dec.copy_(W / W.norm(dim=-1, keepdim=True))
        sae.b_dec.copy_(b)
        return sae.pursuit(given()["features"] @ given()["planted"])


def test_lengths_of_what_is_left_are_those_of_the_library_in_and_out_of_the_plane():
    path = torch.tensor(data_of(matching_pursuit_explorable(**given()).html)["data"]["path"])
    for name, shown in zip(("planted", "learned"), path, strict=True):
        left = pursuit(name).residuals.norm(dim=-1).T
        padded = torch.cat([left, left[:, -1:].expand(-1, STEPS + 1 - left.shape[1])], dim=1)
        torch.testing.assert_close(shown.norm(dim=-1), padded, atol=2e-3, rtol=0)


def test_a_planted_dictionary_leaves_nothing_of_a_parent_with_its_child_and_stays_in_the_plane():
    data = data_of(matching_pursuit_explorable(**given()).html)["data"]
    assert data["latents"][0][0][:2] == [0, 2]
    assert data["values"][0][0] == [1.5, 1.2, 0.0, 0.0]
    assert data["path"][0][0][2] == [0.0, 0.0, 0.0]
    assert data["names"] == ["A", "A1", "A2", "B", "B1", "s1"]
    assert data["inputs"][0] == {"on": [0, 2], "plane": [0, 2]}
    assert [place["plane"] for place in data["inputs"][1:]] == [[5, 0], [3, 4]]


def test_the_start_is_said_in_words_and_in_a_table():
    picture = matching_pursuit_explorable(**given())
    assert "Input A + A2, dictionary learned." in str(picture)
    assert picture.html.count("<tr>") == STEPS + 2


def test_twelve_inputs_and_four_dictionaries_of_twenty_features_weigh_less_than_100_kilobytes():
    planted = tree_dictionary([-1] * 20, 20, 0.1, generator(0))
    dictionaries = {str(k): (torch.randn(20, 20), torch.zeros(20)) for k in range(4)}
    picture = matching_pursuit_explorable(torch.rand(12, 20), planted, [-1] * 20, dictionaries)
    assert len(picture.html.encode()) < 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": -torch.ones(3, 6)}, r"features has 18 of 18 entries"),
        ({"features": torch.ones(3, 5)}, r"features has shape \[3, 5\]"),
        ({"parent": [-1] * 5}, r"parent has shape \[5\]; it must be \[6\]"),
        ({"dictionaries": BAD, "start": (0, 0, 0)}, r"W has shape \[6, 8\]"),
        ({"steps": 0}, r"steps is 0"),
        ({"start": (0, 2, 0)}, r"start is \(0, 2, 0\).*\(2, 1, 4\)"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_what_is_allowed(change, message):
    with pytest.raises(ValueError, match=message):
        matching_pursuit_explorable(**given(**change))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("explorable") / "page.html"
    html = matching_pursuit_explorable(**given()).html
    file.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><body>{html}')
    with launched() as browser:
        opened = browser.new_page(viewport={"width": 360, "height": 900})
        problems: list[str] = []
        opened.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.goto(file.as_uri())
        yield opened
        assert problems == []


def test_the_tree_shows_the_codes_of_every_dictionary_and_step(page):
    sliders = page.locator("input")
    for k, name in enumerate(("planted", "learned")):
        sliders.nth(1).press("ArrowRight" if k else "Home")
        sliders.nth(2).press("Home")
        found = pursuit(name)
        z = torch.zeros(6)
        for step in range(STEPS + 1):
            if 0 < step <= len(found.values):
                z[found.latents[step - 1, 0]] += found.values[step - 1, 0]
            drawn = [float(n.get_attribute("data-z")) for n in page.locator("[data-node]").all()]
            torch.testing.assert_close(torch.tensor(drawn), z, atol=0.01, rtol=0)
            sliders.nth(2).press("ArrowRight")


def test_rings_stand_on_the_planted_features_and_the_page_fits_a_phone(page):
    page.locator("input").nth(0).press("Home")
    on = [node.get_attribute("data-on") for node in page.locator("[data-node]").all()]
    assert on == ["true", "false", "true", "false", "false", "false"]
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(".summary").inner_text().startswith("Planted: A, A2.")
