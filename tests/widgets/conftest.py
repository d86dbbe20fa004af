"""A moving picture on a page of its own, in a browser."""

import pytest

from tests.browser import launched


@pytest.fixture(scope="module")
def browser():
    with launched() as running:
        yield running


@pytest.fixture
def open_picture(browser, tmp_path):
    """Opens a picture in a page; an error, a warning or another request then fails the test."""
    problems, contexts = [], []

    def opened(picture, width=800, copies=1, **options):
        file = tmp_path / "page.html"
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title>'
        head += '<meta name="viewport" content="width=device-width">'
        file.write_text(head + copies * picture.html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.on("request", lambda r: r.url != file.as_uri() and problems.append(r.url))
        shown.goto(file.as_uri())
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
