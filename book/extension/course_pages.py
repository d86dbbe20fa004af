"""What the book adds to Sphinx: MathJax from itself, names of menus, cards for shared links, and
numbers of pictures that wait until they are seen."""

import re
from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# One file that loads no fonts, so formulas also show on pages opened without a server.
MATHJAX = "mathjax/tex-svg-full.js"
NUMBERS = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
DESCRIPTION = 200  # letters that a shared link shows of a page
CARD = "Five arrows at equal angles in the plane: five features in two dimensions."


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax among the static files of a finished HTML build."""
    if error is None and app.builder.format == "html":
        source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / MATHJAX
        target = Path(app.outdir) / "_static" / MATHJAX
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(source, target)


def name_menus(app: Sphinx, page: str, template: str, context: dict[str, Any], _: object) -> None:
    """Give the arrows of the sidebar, which the theme leaves nameless, a name to be read out."""
    generate = context.get("generate_toctree_html")
    if generate is None:
        return

    def named(*args: Any, **options: Any) -> str:
        html = str(generate(*args, **options))
        return html.replace("<summary>", '<summary aria-label="Pages of this chapter">')

    context["generate_toctree_html"] = named


def add_card(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Say to whoever shows a link to the page (OpenGraph): title, first sentences, picture."""
    if doctree is None:
        return
    base = app.config.html_baseurl
    first = next(iter(doctree.findall(nodes.paragraph)), None)
    said = " ".join(first.astext().split()) if first else ""
    about = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": nodes.Element.astext(next(iter(doctree.findall(nodes.title)))),
        "og:description": said if len(said) <= DESCRIPTION else f"{said[: DESCRIPTION - 1]}…",
        "og:url": f"{base}{page}.html",
        "og:image": f"{base}_static/card.png",
        "og:image:alt": CARD,
        "twitter:card": "summary_large_image",
    }
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<meta property="{name}" content="{escape(value)}">' for name, value in about.items()
    )


def put_numbers_apart(
    app: Sphinx, page: str, template: str, context: dict[str, Any], _: object
) -> None:
    """Move the numbers of a page's moving pictures into scripts, loaded when a picture is near.

    A file is named by the hash of what it holds; `explorable.js` says how it is read.
    """

    def moved(found: re.Match[str]) -> str:
        text = f"document.currentScript.courseData = {found[1]};"
        name = f"_static/numbers/{sha256(text.encode()).hexdigest()[:16]}.js"
        target = Path(app.outdir) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        source = escape(context["pathto"](name, 1))
        return f'<script type="application/json" data-src="{source}"></script>'

    if "body" in context:
        context["body"] = NUMBERS.sub(moved, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx; raises ExtensionError if the package that carries MathJax is missing."""
    if find_spec("sphinx-mathjax-offline") is None:
        raise ExtensionError(
            "sphinx-mathjax-offline is not installed; `make book` installs it, "
            "or run `pip install -c constraints.txt -e '.[book]'`"
        )
    app.config.mathjax_path = MATHJAX
    app.connect("html-page-context", name_menus, priority=900)
    app.connect("html-page-context", add_card)
    app.connect("html-page-context", put_numbers_apart)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
