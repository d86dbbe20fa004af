"""Puts a built site beside the other editions: `python tools/editions.py SITE PAGES NAME`.

PAGES is the tree that the web server shows. The branch main becomes the folder `latest`, a tag a
folder of its own name; the root leads to `latest`, and `editions.html` lists every folder.
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


def newest_first(folder: str) -> tuple[bool, list[int]]:
    """Sort key of an edition: `latest` before every tag, v0.10.0 before v0.9.0."""
    return folder != "latest", [-int(number) for number in re.findall(r"\d+", folder)]


def add(site: Path, pages: Path, name: str) -> list[str]:
    """Copy `site` to its folder in `pages`, rewrite the root, and list the editions there are."""
    folder = "latest" if name == "main" else name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder):
        raise ValueError(f"name is {name!r}; it must be a branch or tag without slashes.")
    shutil.rmtree(pages / folder, ignore_errors=True)
    shutil.copytree(site, pages / folder)
    editions = sorted((path.parent.name for path in pages.glob("*/index.html")), key=newest_first)
    items = "\n".join(f'<li><a href="{one}/index.html">{one}</a></li>' for one in editions)
    (pages / "editions.html").write_text(LIST.format(items=items), encoding="utf-8")
    (pages / "index.html").write_text(REDIRECT.format(folder=editions[0]), encoding="utf-8")
    (pages / ".nojekyll").touch()
    return editions


if __name__ == "__main__":
    print("Editions:", ", ".join(add(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
