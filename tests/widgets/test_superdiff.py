"""The explorable of superposed diffusion shows the particles and the densities of the library."""

import json
import re

import pytest
import torch

from course_lib.runtime import generator
from course_lib.superposition import GaussianMixtureScore, superdiff_sample
from course_lib.widgets import superdiff_explorable
from tests.browser import launched

MEANS = torch.tensor([[[-1.5, 1.0], [-1.5, -1.0]], [[1.5, 1.0], [1.5, -1.0]]])
STDS = [(0.3, 0.3), (0.3, 0.6)]
WAYS = ["or", "and"]
TIMES = [1.0, 0.5, 0.0]


def models(width: int) -> list[GaussianMixtureScore]:
    return [GaussianMixtureScore(m, s) for m, s in zip(MEANS, STDS[width], strict=True)]


def given(**changes) -> dict:
    paths = torch.stack([
        torch.stack([
            superdiff_sample(models(w), way, 20, 9, generator(0), keep=(0, 10, 20)).path
            for way in WAYS
        ])
        for w in range(2)
    ])  # fmt: skip
    right = {"paths": paths, "times": TIMES, "ways": WAYS, "means": MEANS, "stds": STDS}
    return right | {"start": (2, 1, 0)} | changes


def test_the_data_are_the_paths_and_the_start_is_said_in_words_and_in_a_table():
    picture = superdiff_explorable(**given())
    found = re.search(r'<script type="application/json">(.*?)</script>', picture.html, re.S)
    data = json.loads(found[1])["data"]
    torch.testing.assert_close(torch.tensor(data["paths"]), given()["paths"], atol=0.006, rtol=0)
    assert data["signal"][-1] == 1.0
    assert "At t = 0.00, combined by and, widths 0.3 and 0.3" in str(picture)
    assert picture.html.count("<tr>") == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": torch.zeros(2, 2, 3, 4)}, r"paths has shape \[2, 2, 3, 4\]"),
        ({"times": [1.0, 0.5]}, r"paths has shape"),
        ({"stds": [(0.3, 0.3)]}, r"paths has shape"),
        ({"times": [1.0, 0.5, 2.0]}, r"times has 1 of 3 entries"),
        ({"means": torch.zeros(2, 2)}, r"means has shape \[2, 2\]"),
        ({"start": (3, 0, 0)}, r"start is \(3, 0, 0\).*\(2, 1, 1\)"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        superdiff_explorable(**given(**change))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("explorable") / "page.html"
    html = superdiff_explorable(**given()).html
    file.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><body>{html}')
    with launched() as browser:
        opened = browser.new_page(viewport={"width": 360, "height": 900})
        problems: list[str] = []
        opened.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.goto(file.as_uri())
        yield opened
        assert problems == []


def test_the_gap_that_is_told_is_that_of_the_library_at_every_position(page):
    time, way, width = (page.locator("input").nth(k) for k in range(3))
    for w in range(2):
        width.press("ArrowRight" if w else "Home")
        for v in range(2):
            way.press("ArrowRight" if v else "Home")
            time.press("Home")
            for k, t in enumerate(TIMES):
                x = given()["paths"][w, v, k]
                log_q = [model.log_density(x, t) for model in models(w)]
                gap = (log_q[0] - log_q[1]).abs().mean().item()
                told = re.search(r"([\d.]+) nats", page.locator(".summary").inner_text())
                assert float(told[1]) == pytest.approx(gap, rel=0.05, abs=0.15)
                time.press("ArrowRight")
        way.press("Home")


def test_every_particle_is_drawn_twice_and_the_page_fits_a_phone(page):
    assert page.locator("[data-point]").count() == 9
    assert page.locator("[data-pair]").count() == 9
    assert page.locator("[data-mode]").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") == 360
