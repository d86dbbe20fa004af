"""Fixtures for tests of the built site, which `make book` makes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import browser
from tools import pages
from tools.browser import WAKE, served

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
PAGES = [path.relative_to(SITE).as_posix() for path in pages.html_pages(SITE)]
HEIGHT = 844
WIDTHS = {"phone": 360, "tablet": 768, "desktop": 1440}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
RAW_MATH = """() => [...document.querySelectorAll('.math')]
    .filter(element => !element.querySelector('mjx-container'))
    .map(element => element.textContent)"""
# Without preload: to look into style sheets axe would load some again, from wrong addresses.
AXE = {"preload": False, "resultTypes": ["violations"]}
STRUCTURE = AXE | {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "rules": {"color-contrast": {"enabled": False}},
}
CONTRAST = AXE | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
# Coloured words of code and parts of formulas are most of a chapter's elements, and axe's time.
# They have the same few colours on every page, so their contrast is looked at on one page only;
# elsewhere code becomes text before axe comes, and formulas go before contrast is looked at.
WITH_CODE = "solutions/02_toy_models.html"
PLAIN_CODE = """() => document.querySelectorAll('.highlight pre')
    .forEach(code => { code.textContent = code.textContent; })"""
NO_FORMULAS = "() => document.querySelectorAll('mjx-container').forEach(one => one.remove())"


@dataclass(frozen=True)
class Visit:
    """What one visit to a page showed: pixels of overflow by screen, axe's findings by scheme."""

    faults: list[str]
    overflow: dict[str, int]
    raw_formulas: list[str]
    violations: dict[str, list[str]]


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not PAGES:
        pytest.fail("the site is not built; run `make book` first", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def open_page(site: Path) -> Iterator[Callable]:
    """Opens a page in a browser that reaches 127.0.0.1 only; gives it and the list of its faults.

    Unless `wake` is false, all its pictures have loaded their numbers.
    A fault is an error on the console, an exception, or a request to another host.
    """
    with browser.launched() as chromium, served(site) as address:

        def opened(name: str, width: int = WIDTHS["desktop"], scheme: str = "light", wake=True):
            context = chromium.new_context(
                viewport={"width": width, "height": HEIGHT},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            page, faults = context.new_page(), []
            page.on("console", lambda said: said.type == "error" and faults.append(_told(said)))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("request", lambda one: _is_foreign(one.url) and faults.append(one.url))
            page.goto(f"{address}/{name}")
            page.evaluate("() => window.MathJax?.startup?.promise")
            if wake:
                page.evaluate(WAKE)
            return page, faults

        yield opened


@pytest.fixture(scope="session")
def visit(open_page: Callable) -> Callable[[str], Visit]:
    """Visits a page once, at every width, light and dark, however many tests ask."""
    from axe_playwright_python.sync_playwright import Axe

    @cache
    def visited(name: str) -> Visit:
        page, faults = open_page(name)
        overflow, violations = {}, {}
        raw_formulas = page.evaluate(RAW_MATH)
        for screen, width in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": HEIGHT})
            overflow[screen] = page.evaluate(OVERFLOW)
        axe = Axe()
        if name != WITH_CODE:
            page.evaluate(PLAIN_CODE)
        structure = axe.run(page, options=STRUCTURE).response["violations"]
        if name != WITH_CODE:
            page.evaluate(NO_FORMULAS)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_selector(f"html[data-theme={scheme}]")
            contrast = axe.run(page, options=CONTRAST).response["violations"]
            found = [*structure, *contrast]
            violations[scheme] = [
                f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
                for violation in found
                for node in violation["nodes"]
            ]
        page.context.close()
        return Visit(faults, overflow, raw_formulas, violations)

    return visited


def pytest_addoption(parser: pytest.Parser) -> None:
    """Pages that are meant to look otherwise are taken anew with --update-snapshots."""
    parser.addoption("--update-snapshots", action="store_true")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `page_name` runs for every page; without a site it fails once.

    All tests of a page run in one process, which visits it once.
    """
    if "page_name" in metafunc.fixturenames:
        one = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PAGES]
        metafunc.parametrize("page_name", one or ["(no page is built)"])


def _told(message) -> str:
    return f"{message.text} ({message.location['url']})"


def _is_foreign(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in ("http", "https") and address.hostname != "127.0.0.1"
