"""How long does the book's site take to build?  python benchmarks/site_build.py

Stages the book and runs jupyter-book on it from nothing, in a temporary folder; notebooks are not
run, they must have passed (`make book`). The floor is a book of one empty page. Once: a build takes
minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from _rows import Row, parse, write  # noqa: E402

from tools import site  # noqa: E402


def build(source: Path, output: Path) -> tuple[float, int]:
    """Seconds of wall time, and the number of pages."""
    start = time.perf_counter()
    pages = site.run_jupyter_book(source, output)
    return time.perf_counter() - start, sum(1 for _ in pages.rglob("*.html"))


def empty(source: Path) -> None:
    """A book of one page."""
    source.mkdir()
    (source / "_toc.yml").write_text("format: jb-book\nroot: intro\n", encoding="utf-8")
    (source / "_config.yml").write_text("title: Empty\n", encoding="utf-8")
    (source / "intro.md").write_text("# Empty\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options = parse(parser, "site_build", tiny={})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        empty(root / "empty")
        floor, _ = build(root / "empty", root / "empty-built")
        print(f"{'':14}{'pages':>8}{'stage, s':>10}{'build, s':>10}")
        print(f"{'empty book':14}{1:8}{'':10}{floor:10.1f}")
        row = Row("the site, from nothing", "s", None, floor=floor)
        stale = site.stale_notebooks(ROOT)
        if stale and not options.tiny:
            print(f"this book: not measured here, {len(stale)} notebooks have not passed")
        elif not options.tiny:
            start = time.perf_counter()
            site.stage(ROOT, root / "book")
            staged = time.perf_counter() - start
            built, n_pages = build(root / "book", root / "built")
            print(f"{'this book':14}{n_pages:8}{staged:10.1f}{built:10.1f}")
            row = Row(
                f"the site of {n_pages} pages, from nothing", "s", staged + built, floor=floor
            )
    write(options, [row])


if __name__ == "__main__":
    main()
