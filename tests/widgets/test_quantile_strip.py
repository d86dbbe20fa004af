"""The strip of firings: its numbers are those of counting, its examples are drawn, not chosen."""

import json
import re

import pytest
import torch

from course_lib.widgets import Strip, quantile_strip_explorable

DOCS, SEQ = 30, 8
WORDS = [[f"w{doc}.{place}" for place in range(SEQ)] for doc in range(DOCS)]


def strip(concept="drink", seed=0, **changes):
    """Fires at 100 tokens, from 1 to 100; the 40 strongest have the concept, and 10 others."""
    places = torch.randperm(DOCS * SEQ, generator=torch.Generator().manual_seed(seed))
    values, present = torch.zeros(DOCS * SEQ), torch.zeros(DOCS * SEQ, dtype=torch.bool)
    values[places[:100]] = torch.arange(100.0, 0.0, -1.0)
    present[places[:40]] = present[places[-10:]] = True
    arguments = {
        "concept": concept,
        "values": values.view(DOCS, SEQ),
        "present": present.view(DOCS, SEQ),
        "words": WORDS,
    }
    return Strip(**arguments | changes)


def given(**changes):
    return {"strips": {"latent 5": strip(), "latent 9": strip("burial", 1)}} | changes


def settings(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)


def test_the_page_holds_the_precision_of_every_tenth_and_of_every_threshold():
    held = settings(quantile_strip_explorable(**given()).html)
    latent = held["data"]["latents"][0]
    assert latent["tenths"] == [1.0] * 4 + [0.0] * 6
    assert latent["precision"] == [1, 1, 1, 1, 0.8, 0.667, 0.571, 0.5, 0.444, 0.4]
    assert latent["recall"] == [0.2, 0.4, 0.6, 0.8] + [0.8] * 6
    assert latent["least"] == pytest.approx([1.0 - tenth / 10 + 0.01 for tenth in range(1, 11)])
    assert held["sliders"][0]["shown"] == ["latent 5", "latent 9"]
    assert held["sliders"][1]["shown"][::9] == ["strongest 1/10", "all firings"]


def test_examples_are_of_their_tenth_and_of_two_documents_and_say_what_is_so():
    one = strip()
    for tenth, rows in enumerate(settings(quantile_strip_explorable(**given()).html)["data"][
        "latents"
    ][0]["examples"]):  # fmt: skip
        docs = []
        for before, word, after, on in rows:
            doc, place = (int(part) for part in word[1:].split("."))
            value = one.values[doc, place].item()
            assert 100 - 10 * (tenth + 1) < value <= 100 - 10 * tenth
            assert on == bool(one.present[doc, place])
            assert before == " ".join(WORDS[doc][max(0, place - 3) : place])
            assert after == " ".join(WORDS[doc][place + 1 : place + 2])
            docs.append(doc)
        assert len(docs) == len(set(docs)) == 2


def test_another_seed_draws_other_examples_and_the_same_seed_the_same():
    one, same, other = (quantile_strip_explorable(**given(), seed=seed).html for seed in (0, 0, 1))
    assert one == same and one != other


def test_a_page_of_four_latents_weighs_under_40_kilobytes():
    page = quantile_strip_explorable({f"latent {i}": strip(seed=i) for i in range(4)})
    assert len(page.html.encode()) < 40_000


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: quantile_strip_explorable({"one": strip()}),
            "strips has 1 entries; give at least 2",
        ),
        (lambda: quantile_strip_explorable(**given(start=(2, 0))), r"start is \(2, 0\).*\(1, 9\)"),
        (lambda: quantile_strip_explorable(**given(start=(0, 10))), r"start is \(0, 10\)"),
        (lambda: strip(words=WORDS[:3]), r"words has 3 documents of \[8\] words.*\[30, 8\]"),
        (lambda: strip(values=torch.zeros(DOCS, SEQ)), "'drink': the latent fires less than 10"),
        (lambda: strip(values=-torch.ones(DOCS, SEQ)), "values has 240 of 240"),
        (lambda: strip(present=torch.ones(DOCS, 3).bool()), r"present has shape \[30, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.fixture
def page(open_picture):
    long = [[f"{word}-is-a-long-word" for word in row] for row in WORDS]
    strips = {"latent 5": strip(), "latent 9": strip("burial", 1, words=long)}
    return lambda **options: open_picture(quantile_strip_explorable(strips), **options)


def test_the_keyboard_moves_the_threshold_and_changes_the_latent(page):
    shown = page()
    summary = shown.locator(".summary")
    assert "from 91 % of its largest on count: 100 % of them" in summary.inner_text()
    counts = shown.get_by_role("slider", name="What counts as present")
    counts.press("End")
    text = summary.inner_text()
    assert "All its firings count: 40 % of them are “drink”, and they are 80 % of all" in text
    shown.get_by_role("slider", name="Latent").press("ArrowRight")
    assert "“burial”" in summary.inner_text()
    assert shown.locator("[data-example]").count() == 20
    assert shown.locator("[data-example$=',true']").count() == 8
    assert shown.locator("[data-tenth='4']").text_content() == "100 %"
    assert shown.locator("[data-tenth='5']").text_content() == "0 %"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stays_inside_its_picture_on_a_phone_of_360_pixels(page, scheme):
    shown = page(width=360, color_scheme=scheme)
    for _ in range(2):
        assert shown.evaluate("document.documentElement.scrollWidth") == 360
        assert shown.evaluate("""() => [...document.querySelectorAll('svg text')].every((text) => {
            const outer = text.ownerSVGElement.getBoundingClientRect();
            const inner = text.getBoundingClientRect();
            return inner.left >= outer.left - 1 && inner.right <= outer.right + 1
              && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
        })""")
        shown.get_by_role("slider", name="Latent").press("ArrowRight")


def test_without_javascript_the_start_stands_in_a_table(page):
    text = page(java_script_enabled=False).locator(".stage").inner_text()
    assert "latent 5, strongest 1/10" in text and "drink in it" in text and "yes" in text
