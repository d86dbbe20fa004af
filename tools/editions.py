"""Puts a built site beside the other editions: `python tools/editions.py SITE PAGES NAME`.

PAGES is the tree that the web server shows. The branch main becomes the folder `latest`, a tag a
folder of its own name; the root leads to `latest`, `editions.html` lists every folder, and
`404.html` is what the server shows for an address that leads nowhere.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

REDIRECT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={folder}/index.html">
<title>Features in Superposition</title>
<p><a href="{folder}/index.html">Features in Superposition</a></p>
</html>
"""
LIST = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Editions of Features in Superposition</title>
<h1>Editions of Features in Superposition</h1>
<ul>
{items}
</ul>
</html>
"""
# Shown at the address that failed, at any depth, so every link begins at the root of the site.
NOT_FOUND = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>No such page: Features in Superposition</title>
<style>
body {{ max-width: 36rem; margin: 4rem auto; padding: 0 1rem; font: 18px/1.5 system-ui }}
</style>
<h1>Nothing is stored along this direction</h1>
<p>The page may have moved between editions. Begin again at the
<a href="{root}{folder}/index.html">start of the course</a>, or look through
<a href="{root}editions.html">all editions</a>.</p>
</html>
"""


def newest_first(folder: str) -> tuple[bool, list[int]]:
    """Sort key of an edition: `latest` before every tag, v0.10.0 before v0.9.0."""
    return folder != "latest", [-int(number) for number in re.findall(r"\d+", folder)]


def is_name(folder: str) -> bool:
    """Whether an edition may be called so."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder) is not None


def root_of_site() -> str:
    """Where the site begins on its host: /repository/."""
    pyproject = Path(__file__).resolve().parent.parent / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    repository = re.search(r'^Repository = "https://github\.com/[^/"]+/([^/"]+)"$', text, re.M)
    return f"/{repository[1]}/"


def add(site: Path, pages: Path, name: str) -> list[str]:
    """Copy `site` to its folder in `pages`, rewrite the root, and list the editions there are."""
    folder = "latest" if name == "main" else name
    if not is_name(folder):
        raise ValueError(f"name is {name!r}; it must be a branch or tag without slashes.")
    shutil.rmtree(pages / folder, ignore_errors=True)
    shutil.copytree(site, pages / folder)
    editions = sorted((path.parent.name for path in pages.glob("*/index.html")), key=newest_first)
    items = "\n".join(f'<li><a href="{one}/index.html">{one}</a></li>' for one in editions)
    (pages / "editions.html").write_text(LIST.format(items=items), encoding="utf-8")
    (pages / "index.html").write_text(REDIRECT.format(folder=editions[0]), encoding="utf-8")
    not_found = NOT_FOUND.format(root=root_of_site(), folder=editions[0])
    (pages / "404.html").write_text(not_found, encoding="utf-8")
    (pages / ".nojekyll").touch()
    return editions


if __name__ == "__main__":
    print("Editions:", ", ".join(add(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
