"""Faults that can be seen in built pages without a browser: dead links, missing text, other hosts.

Each function takes the folder of a built site and returns sentences, one per fault.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

# Attributes through which a page loads something by itself; `<a href>` waits for the reader.
LOADING = ("src", "srcset", "poster", "data", "data-src")
CSS_URL = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)")
FILE_NAME = re.compile(r"[\w./-]+\.(?:png|jpe?g|svg|gif|webp)", re.IGNORECASE)
MOST_BYTES = 2_000_000
MOST_DATA = 300_000  # bytes of numbers that the moving pictures of a page hold
BUTTONS = ("hidden", "submit", "button", "reset")


def faults(site: Path) -> list[str]:
    """All faults of all pages."""
    return [*dead_links(site), *unreadable(site), *other_hosts(site), *heavy(site)]


def html_pages(site: Path) -> list[Path]:
    """The pages a reader sees: every HTML file that is not a mere redirect."""
    return [
        path
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.relative_to(site).parts
        and not _parse(path).find("meta", attrs={"http-equiv": re.compile("refresh", re.I)})
    ]


def dead_links(site: Path) -> list[str]:
    """Links, pictures and scripts of the site that lead nowhere, and anchors that do not exist."""
    return [
        f"{path.relative_to(site)}: {link} leads nowhere"
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.relative_to(site).parts
        for link in _internal_links(path)
        if not _resolves(path, link)
    ]


def unreadable(site: Path) -> list[str]:
    """What a screen reader would miss: language, one main heading, picture texts, form labels."""
    return [
        f"{path.relative_to(site)}: {fault}"
        for path in html_pages(site)
        for fault in _unreadable(_parse(path))
    ]


def other_hosts(site: Path) -> list[str]:
    """Resources that a page would load from another host."""
    found = [
        f"{path.relative_to(site)}: loads {address}"
        for path in html_pages(site)
        for address in _loaded(_parse(path))
        if urlsplit(address).netloc
    ]
    styles = sorted(site.rglob("*.css"))
    return found + [
        f"{path.relative_to(site)}: loads {address}"
        for path in styles
        for address in CSS_URL.findall(path.read_text(encoding="utf-8"))
    ]


def heavy(site: Path, limit: int = MOST_BYTES, data: int = MOST_DATA) -> list[str]:
    """Pages that weigh too much, with their own pictures, or whose moving pictures hold too much.

    What all pages share is not counted.
    """
    found = []
    for path in html_pages(site):
        weight = path.stat().st_size + sum(p.stat().st_size for p in _pictures(path))
        numbers = sum(
            _numbers(path, s) for s in _parse(path).select("script[type='application/json']")
        )
        for what, bytes_, most in (("weighs", weight, limit), ("holds data of", numbers, data)):
            if bytes_ > most:
                told = f"{what} {bytes_ / 1e6:.2f} MB; {most / 1e6:g} MB are allowed"
                found.append(f"{path.relative_to(site)}: {told}")
    return found


def _numbers(path: Path, store: Tag) -> int:
    """Bytes of one picture's numbers, in the page or in a file that is loaded later."""
    if "data-src" not in store.attrs:
        return len(store.text.encode())
    file = path.parent / store["data-src"]
    return file.stat().st_size if file.is_file() else 0  # a dead link, which is told elsewhere


def _pictures(path: Path) -> set[Path]:
    sources = (urlsplit(tag.get("src", "")) for tag in _parse(path).find_all("img"))
    files = (unquote(source.path) for source in sources if not source.scheme and source.path)
    found = ((path.parent / file).resolve() for file in files)
    return {picture for picture in found if picture.is_file()}


def _internal_links(path: Path) -> Iterator[str]:
    for tag in _parse(path).find_all(["a", "link", "img", "script", "source", "iframe"]):
        for name in ("href", "src", "data-src"):
            address = urlsplit(tag.get(name, ""))
            if tag.get(name) and not address.scheme and not address.netloc:
                yield tag[name]


def _resolves(path: Path, link: str) -> bool:
    address = urlsplit(link)
    target = (path.parent / unquote(address.path)).resolve() if address.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    if not address.fragment or target.suffix != ".html":
        return True
    return unquote(address.fragment) in _anchors(target)


def _unreadable(page: BeautifulSoup) -> Iterator[str]:
    if not page.html or not page.html.get("lang"):
        yield "<html> has no lang"
    # The theme repeats the title for paper in an element that screens do not show.
    headings = sum(not title.find_parent(class_="onlyprint") for title in page.find_all("h1"))
    if headings != 1:
        yield f"{headings} main headings (h1) instead of one"
    for picture in page.find_all("img"):
        text = picture.get("alt", "").strip()
        if not text or FILE_NAME.fullmatch(text):
            yield f"the picture {picture.get('src', '')[:80]} has alt text {text!r}; describe it"
    for control in page.find_all(["input", "select", "textarea"]):
        if control.get("type") not in BUTTONS and not _labelled(page, control):
            yield f"the form control {str(control)[:80]} has no label"


def _labelled(page: BeautifulSoup, control: Tag) -> bool:
    named = any(control.get(name) for name in ("aria-label", "aria-labelledby", "title"))
    by_id = control.get("id") and page.find("label", attrs={"for": control["id"]})
    return bool(named or by_id or control.find_parent("label"))


def _loaded(page: BeautifulSoup) -> Iterator[str]:
    for tag in page.find_all(True):
        for name in LOADING:
            if isinstance(tag.get(name), str):
                yield tag[name]
        if tag.name == "link" and "canonical" not in tag.get("rel", []) and tag.get("href"):
            yield tag["href"]
        yield from CSS_URL.findall(tag.get("style", ""))
        if tag.name == "style":
            yield from CSS_URL.findall(tag.get_text())


@lru_cache(maxsize=256)
def _parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@lru_cache(maxsize=256)
def _anchors(path: Path) -> frozenset[str]:
    tags = _parse(path).find_all(True)
    return frozenset(tag[name] for tag in tags for name in ("id", "name") if tag.get(name))
