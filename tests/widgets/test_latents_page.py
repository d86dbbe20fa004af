"""The latent dashboard as a reader uses it: search, lists, keyboard, phone, print."""

import pytest
import torch

from course_lib.widgets import latent_dashboard

WORDS = ["sun", "moon", "sea", "star", "dog", "dogs", "cat", "tree", "ear", "king", "a b", "\n"]
N, DOCS, SEQ = len(WORDS), 30, 12
NEVER = N  # the latent that never fires


def planted() -> dict:
    """Latent i fires on word i alone and promotes word i + 1; one more never fires."""
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(N, (DOCS, SEQ), generator=g)
    tokens[0, 8:] = -1
    strength = torch.rand(DOCS, SEQ, generator=g) + 0.2
    z = torch.zeros(DOCS, SEQ, N + 1)
    for i in range(N):
        z[..., i] = strength.where(tokens == i, 0) * (1 + i)
    effect = torch.zeros(N + 1, N)
    effect[torch.arange(N), torch.arange(1, N + 1) % N] = 3.0
    effect[torch.arange(N), torch.arange(N)] = -2.0
    return {
        "sae_name": "a test",
        "tokens": tokens,
        "vocabulary": WORDS,
        "z": z,
        "logit_effect": effect,
        "labels": [f"word: {w.strip()}" if i % 2 == 0 else "" for i, w in enumerate(WORDS)] + [""],
        "f1": torch.linspace(1, 0.5, N + 1),
        "start": 3,
    }


GIVEN = planted()
PICTURE = latent_dashboard(**GIVEN).html


@pytest.fixture
def show(browser, tmp_path):
    """Open the picture; at the end nothing may have been logged as an error or asked for."""
    problems, contexts = [], []

    def opened(body=PICTURE, width=900, **options):
        file = tmp_path / "page.html"
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title>'
        head += '<meta name="viewport" content="width=device-width">'
        file.write_text(head + body, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: _foreign(r.url, file.as_uri()) and problems.append(r.url))
        page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            page.locator("[data-latent]").first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def _foreign(url: str, own: str) -> bool:
    return url != own and not url.startswith("blob:")


def latent(page) -> int:
    return int(page.locator("[data-latent]").first.get_attribute("data-latent"))


def listed(page) -> list[int]:
    rows = page.locator(".list button:visible .which")
    return [int(text) for text in rows.all_text_contents()]


def button(page, name: str):
    return page.get_by_role("button", name=f"{name} latent")


def pick(page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).select_option(label=option)


def find(page, text: str, where: str = "everything") -> None:
    pick(page, "In", where)
    page.get_by_role("searchbox").fill(text)


def test_every_latent_shows_its_planted_numbers(show):
    page = show()
    tokens, z = GIVEN["tokens"], GIVEN["z"]
    page.get_by_role("searchbox").press("PageUp")
    for i in range(N):
        assert latent(page) == i
        own = z[..., i][(z[..., i] > 0) & (tokens >= 0)]
        shown = page.locator(".head").inner_text()
        density = f"{len(own) / 356:.{2 if len(own) < 35.6 else 1}%}"
        assert f"Fires on {len(own)} of 356 tokens ({density}), at most with" in shown
        assert ("no concept" in shown) == (i % 2 == 1)
        top, *_ = page.locator(".contexts .value").all_text_contents()
        assert float(top) == pytest.approx(own.max().item(), abs=0.51 if own.max() >= 10 else 0.051)
        marks = set(page.locator(".contexts mark").all_text_contents())
        assert marks == {WORDS[i].replace(" ", "\u2423").replace("\n", "\u21b5")}
        counts = [int(c) for c in page.locator("rect title").all_text_contents()]
        assert sum(counts) == len(own)
        promoted = page.locator(".effects").first.locator(".word").first.text_content()
        assert promoted == WORDS[(i + 1) % N].replace(" ", "\u2423").replace("\n", "\u21b5")
        effect = GIVEN["logit_effect"][i]
        most = page.locator(".effects .value").first.text_content()
        assert float(most) == pytest.approx((effect.max() - effect.mean()).item(), abs=0.051)
        least = page.locator(".effects").last.locator("li").first
        assert least.locator(".value").text_content().startswith("\u2212")
        button(page, "Next").click()
    assert latent(page) == NEVER
    assert "Never fires" in page.locator(".head").inner_text()
    assert button(page, "Next").is_disabled()


def test_shades_are_the_activations_as_shares_of_the_largest_and_nothing_else_is_lit(show):
    page = show()
    z = GIVEN["z"][..., 3]
    lit = page.locator(".contexts .lit")
    assert set(lit.all_text_contents()) == {WORDS[3]}
    shares = lit.evaluate_all(
        "all => all.map(e => parseFloat(e.style.getPropertyValue('--share')))"
    )
    strengths = (100 * z[z > 0] / z.max()).tolist()
    assert max(shares) == 100
    assert all(min(abs(share - s) for s in strengths) <= 0.51 for share in shares)


SEARCHES = [
    ("word: sea", "concepts", [2]),
    ("WORD", "concepts", [0, 2, 4, 6, 8, 10]),
    ("dog", "tokens it fires on", [4]),
    ("og", "tokens it fires on", [4, 5]),
    ("ear", "tokens it fires on", [8]),
    ("sea", "tokens it promotes", [1]),
    ("star", "everything", [3, 2]),
    ("7", "everything", [7]),
    ("#12", "everything", [NEVER]),
]


def test_a_search_finds_by_concept_token_and_number_the_best_first(show):
    page = show()
    for text, where, found in SEARCHES:
        find(page, text, where)
        assert listed(page)[: len(found)] == found, text
        assert latent(page) == found[0], text
        if where not in ("tokens it promotes", "everything"):
            assert listed(page) == found, text  # ties of effects promote a few more


def test_a_search_that_finds_nothing_says_so_and_keeps_the_latent(show):
    page = show()
    find(page, "nowhere")
    assert page.get_by_role("status").inner_text() == "None of 13 latents"
    assert latent(page) == 3
    assert listed(page) == []
    assert all(button(page, name).is_disabled() for name in ("Previous", "Next", "Random"))
    page.get_by_role("searchbox").press("ArrowDown")
    find(page, "")
    assert latent(page) == 3
    assert page.get_by_role("status").inner_text() == "4 of 13 latents"


ORDERS = {
    "number": lambda z, i: i,
    "F1, best first": lambda z, i: -GIVEN["f1"][i] if i % 2 == 0 and i < N else 1,
    "largest activation": lambda z, i: -z[..., i].max(),
    "density, highest first": lambda z, i: -(z[..., i] > 0).sum(),
    "density, lowest first": lambda z, i: (z[..., i] > 0).sum() or 999,
}


def test_lists_are_sorted_and_begin_at_their_first(show):
    page = show()
    z = GIVEN["z"].where((GIVEN["tokens"] >= 0)[..., None], 0)
    for order, key in ORDERS.items():
        pick(page, "Sorted by", order)
        wanted = sorted(range(N + 1), key=lambda i: float(key(z, i)))
        assert listed(page) == wanted[:11], order
        assert latent(page) == wanted[0], order


def test_keys_walk_the_list_from_the_search_and_from_the_list_and_stay_in_the_picture(show):
    page = show()
    page.evaluate("addEventListener('keydown', () => { window.escaped = true })")
    page.get_by_role("searchbox").press("ArrowDown")
    assert latent(page) == 4
    row = page.locator(".list button[aria-current=true]")
    row.focus()
    for key, wanted in [("ArrowDown", 5), ("End", NEVER), ("ArrowUp", 11), ("Home", 0)]:
        page.keyboard.press(key)
        assert latent(page) == wanted
        assert row.evaluate("e => e === document.activeElement")
    assert page.evaluate("window.escaped") is None, "a key press left the picture for the page"


def test_every_control_is_reached_by_tab_and_has_a_name(show):
    page = show()
    names = []
    for _ in range(7):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                "(e => e.ariaLabel ?? e.labels?.[0]?.firstChild.textContent ?? e.textContent)"
                "(document.activeElement)"
            )
        )
    assert names[:3] == ["Search", "In", "Sorted by"]
    assert names[3].startswith("3no concept")
    assert names[4:] == ["Previous latent", "Next latent", "Random latent"]


def test_a_click_on_a_row_and_random_show_another_latent(show):
    page = show()
    page.locator(".list button", has_text="word: cat").click()
    assert latent(page) == 6
    for _ in range(5):
        before = latent(page)
        button(page, "Random").click()
        assert latent(page) != before


def test_two_dashboards_on_a_page_do_not_move_each_other(show):
    page = show(PICTURE + PICTURE)
    page.locator("[data-latent]").nth(1).wait_for()
    page.get_by_role("button", name="Next latent").nth(1).click()
    shown = page.locator("[data-latent]").evaluate_all("all => all.map(e => e.dataset.latent)")
    assert shown == ["3", "4"]


def test_a_phone_shows_everything_with_room_for_a_finger(show):
    page = show(width=360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    controls = page.locator("button:visible, select, input").all()
    assert min(control.bounding_box()["height"] for control in controls) >= 44
    right = page.locator(".latents *:visible").evaluate_all(
        "all => Math.max(...all.map(e => e.getBoundingClientRect().right))"
    )
    assert right <= 352


def test_without_javascript_the_first_latent_stands_there_in_words(show):
    page = show(width=360, java_script_enabled=False)
    assert page.locator("button").count() == 0
    assert "Latent 3 fires on" in page.locator(".stage").inner_text()
    assert "[star]" in page.locator("tbody tr").first.inner_text()


def test_print_is_a_still_without_controls(show):
    page = show()
    page.emulate_media(media="print")
    assert not page.get_by_role("searchbox").is_visible()
    assert not page.locator(".steps").is_visible()
    assert page.locator(".contexts").bounding_box()["width"] > 700
