"""The explorable of coordinates shows what was measured at every position, and freezes logits."""

import json
import re
from dataclasses import replace

import pytest
import torch

from course_lib.widgets import Rewritten, coordinates_explorable
from tests.browser import launched

KAPPAS = [1, 10, 100]


def measured(n: int, seed: int = 0, n_maps: int = 2) -> Rewritten:
    generator = torch.Generator().manual_seed(seed)
    euclidean = 2 * torch.rand(n_maps, len(KAPPAS), n, n, generator=generator) - 1
    return Rewritten(
        [f"kitchen, market{i}"[1:] for i in range(n)],
        euclidean,
        torch.eye(n).expand(n_maps, len(KAPPAS), n, n),
        ["this", "that"],
        torch.tensor([3.0, -1.5]).expand(n_maps, len(KAPPAS), 2),
    )


MODEL, PLANTED = measured(7), measured(3, seed=1)
PICTURE = coordinates_explorable({"model": MODEL, "planted": PLANTED}, KAPPAS, start=1)


def test_the_page_holds_every_cosine_and_has_a_slider_for_what_can_be_chosen():
    found = re.search(r'<script type="application/json">(.*?)</script>', PICTURE.html, re.S)
    settings = json.loads(found[1])
    held = torch.tensor(settings["data"]["vocabularies"][1]["euclidean"])
    torch.testing.assert_close(held, PLANTED.euclidean, atol=0.0051, rtol=0)
    labels = [slider["label"] for slider in settings["sliders"]]
    assert labels == ["Condition number κ of A", "Map A", "Vocabulary"]
    assert "rewritten with κ = 10" in str(PICTURE)
    alone = coordinates_explorable({"model": measured(4, n_maps=1)}, KAPPAS).html
    found = re.search(r'<script type="application/json">(.*?)</script>', alone, re.S)
    assert [s["label"] for s in json.loads(found[1])["sliders"]] == ["Condition number κ of A"]


def test_nine_kappas_of_three_maps_and_two_vocabularies_weigh_under_100_kilobytes():
    table = torch.rand(3, 9, 7, 7)
    one = Rewritten(list("abcdefg"), table, -table, list("stuvwxyz"), torch.rand(3, 9, 8))
    page = coordinates_explorable({"one": one, "other": one}, [1, 2, 3, 5, 10, 20, 30, 50, 100])
    assert len(page.html.encode()) < 100_000


@pytest.mark.parametrize(
    ("change", "kappas", "start", "message"),
    [
        ({"euclidean": torch.zeros(2, 3, 7, 3)}, KAPPAS, 0, "euclidean has shape"),
        ({"causal": torch.zeros(2, 2, 4, 4)}, KAPPAS, 0, "causal has shape"),
        ({"causal": torch.full((2, 3, 7, 7), torch.nan)}, KAPPAS, 0, "causal has 294 of 294"),
        ({"logits": torch.zeros(2, 3, 5)}, KAPPAS, 0, "logits has shape"),
        ({}, [0.5, 1, 2], 0, "kappas has 1 of 3 entries"),
        ({}, KAPPAS, 3, "start is 3; it must be a position, 0 to 2"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, kappas, start, message):
    with pytest.raises(ValueError, match=message):
        coordinates_explorable({"model": replace(MODEL, **change)}, kappas, start)


def test_without_a_vocabulary_there_is_nothing_to_show():
    with pytest.raises(ValueError, match="vocabularies has 0 entries; give at least 1"):
        coordinates_explorable({}, KAPPAS)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("explorable") / "page.html"
    head = '<!doctype html><html lang="en"><meta charset="utf-8">'
    head += '<meta name="viewport" content="width=device-width"><body>'
    file.write_text(head + PICTURE.html, encoding="utf-8")
    with launched() as browser:
        opened = browser.new_page(viewport={"width": 360, "height": 900})
        problems: list[str] = []
        opened.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("request", lambda r: r.url != file.as_uri() and problems.append(r.url))
        opened.goto(file.as_uri())
        yield opened
        assert problems == []


def drawn(page, kind: str) -> torch.Tensor:
    cells = page.locator(f"[data-cell^={kind}]").all_text_contents()
    return torch.tensor([float(text.replace("\u2212", "-")) for text in cells])


def test_at_every_position_both_tables_and_the_logits_are_those_that_were_given(page):
    kappa, chosen, vocabulary = (page.locator("input").nth(k) for k in range(3))
    for one, key in ((MODEL, "Home"), (PLANTED, "End")):
        vocabulary.press(key)
        for k, step in enumerate(("Home", "End")):
            chosen.press(step)
            kappa.press("Home")
            for i in range(len(KAPPAS)):
                shown = drawn(page, "euclidean").view_as(one.euclidean[k, i])
                torch.testing.assert_close(shown, one.euclidean[k, i], atol=0.0051, rtol=0)
                assert drawn(page, "causal").tolist() == one.causal[k, i].flatten().tolist()
                assert drawn(page, "logit").tolist() == [3.0, -1.5]
                kappa.press("ArrowRight")


def test_the_summary_says_the_mean_of_what_is_off_the_diagonal_and_that_no_logit_moved(page):
    for k, key in ((0, "End"), (1, "Home"), (2, "Home")):
        page.locator("input").nth(k).press(key)
    off = MODEL.euclidean[0, 2][~torch.eye(7, dtype=torch.bool)].abs().mean()
    told = page.locator(".summary").inner_text()
    assert "κ = 100" in told and "0.000 causal" in told and "logit shown is 0.00" in told
    said = float(re.search(r"concepts ([\d.]+) Euclidean", told)[1])
    assert said == pytest.approx(off.item(), abs=0.006)


def test_a_phone_shows_everything_in_one_column(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    inside = page.evaluate("""() => [...document.querySelectorAll('svg text')].every((text) => {
        const outer = text.ownerSVGElement.getBoundingClientRect();
        const inner = text.getBoundingClientRect();
        return inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
    })""")
    assert inside
