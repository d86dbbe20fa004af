"""Builds the book's site from notebooks that have passed: `python -m tools.site build`.

Stages the sources in `_build/source` with executed notebooks and generated tables, runs
jupyter-book with warnings as errors, checks the pages, and only then replaces `_build/html`.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml

from course_lib.files import InUse, only_writer
from tools import pages, records, slides, tables

ROOT = Path(__file__).resolve().parent.parent
BOOK = ("book", "exercises", "solutions", "_config.yml", "_toc.yml")
STAMP = ".built-from"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class SiteError(Exception):
    """The site cannot be built; the message says why and what to do."""


def build(root: Path = ROOT) -> Path:
    """Build the site and return the path of its first page.

    Raises SiteError if a notebook has not passed in its present form, jupyter-book warns, a page is
    faulty, or another build is at work; `_build/html` then stays as it was.
    """
    demand_current(root)
    try:
        with only_writer(root / "_build" / "html"):
            _build(root)
    except InUse as error:
        raise SiteError(str(error)) from None
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return root / "_build" / "html" / f"{toc['root']}.html"


def _build(root: Path) -> None:
    source = root / "_build" / "source"
    _clear(root / "_build")
    stage(root, source)
    site = root / "_build" / "html"
    inputs = _digest(source, root / "constraints.txt")
    if not is_built_from(inputs, site):
        with tempfile.TemporaryDirectory(dir=root / "_build", prefix="site-") as output:
            fresh = run_jupyter_book(source, Path(output))
            faults = pages.faults(fresh)
            if faults:
                raise SiteError("the built pages have faults:\n" + "\n".join(faults))
            (fresh / STAMP).write_text(f"{inputs} {_digest(fresh)}", encoding="utf-8")
            _swap(fresh, site)


def is_built_from(inputs: str, site: Path) -> bool:
    """Whether a site was built here from these inputs, and nothing has touched it since."""
    stamp = site / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == f"{inputs} {_digest(site)}"


def stale_notebooks(root: Path) -> list[Path]:
    """The notebooks of the book that have not passed as they stand now, relative to `root`."""
    return [path for path in tables.notebooks(root) if not records.is_current(root, root / path)]


def demand_current(root: Path) -> None:
    """Raise SiteError unless every notebook of the book has passed as it stands now."""
    stale = stale_notebooks(root)
    if stale:
        names = ", ".join(path.as_posix() for path in stale)
        raise SiteError(
            f"not run since the last change: {names}; run `make book`, which runs what has changed"
        )


def stage(root: Path, source: Path) -> None:
    """Copy the book to `source`, with executed notebooks and filled tables.

    Raises SiteError when a table cannot be made, or too few wrong answers are caught.
    """
    shutil.rmtree(source, ignore_errors=True)
    for name in BOOK:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, source / name, ignore=shutil.ignore_patterns(".*", "__pycache__")
            )
        else:
            shutil.copy(root / name, source / name)
    for page in sorted(source.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        try:
            filled = tables.fill(text, root, page.relative_to(source))
        except ValueError as error:
            raise SiteError(str(error)) from error
        page.write_text(filled, encoding="utf-8")
    for path in tables.notebooks(root):
        executed = records.record_path(root, root / path).with_suffix(".ipynb")
        notebook = nbformat.read(executed, as_version=4)
        for cell in notebook.cells:
            dress(cell, root, path)
        nbformat.write(notebook, source / path)
    slides.write(root, source / "book" / "static" / "slides", f"../{slides.MATHJAX}")
    config = yaml.safe_load((source / "_config.yml").read_text(encoding="utf-8"))
    config["execute"]["execute_notebooks"] = "off"
    (source / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")


def dress(cell: nbformat.NotebookNode, root: Path, path: Path) -> None:
    """Prepare one executed cell for its page: tables, texts for pictures, nothing for lecturers.

    A picture's output may carry its text as metadata, `{"image/png": {"alt": "..."}}`; without it
    the cell's own `mystnb.image.alt` holds.
    """
    cell.metadata.pop("course", None)
    if cell.cell_type == "markdown":
        cell.source = tables.fill(cell.source, root, path)
        return
    for output in cell.get("outputs", []):
        for about in output.get("metadata", {}).values():
            if isinstance(about, dict) and "alt" in about:
                page = cell.metadata.setdefault("mystnb", {})
                page.setdefault("image", {})["alt"] = about["alt"]


def run_jupyter_book(source: Path, output: Path) -> Path:
    """Build `source` below `output`, return the folder of pages; a warning raises SiteError."""
    command = ["build", str(source), "--path-output", str(output), "-W", "-n", "--keep-going"]
    done = subprocess.run(
        [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", *command],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    log = ANSI.sub("", done.stdout + done.stderr)
    source.with_name("site.log").write_text(log, encoding="utf-8")
    if done.returncode:
        told = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
        raise SiteError("jupyter-book warns:\n" + "\n".join(told or log.splitlines()[-20:]))
    return output / "_build" / "html"


def _digest(folder: Path, *more: Path) -> str:
    digest = hashlib.sha256()
    inside = (path for path in folder.rglob("*") if path.is_file() and path.name != STAMP)
    for path in [*sorted(inside), *more]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _clear(folder: Path) -> None:
    """Remove what a killed build has left; a site that it had put aside comes back."""
    old = folder / "html.old"
    if old.exists() and not (folder / "html").exists():
        old.rename(folder / "html")
    for left in (old, *folder.glob("site-*/")):
        shutil.rmtree(left, ignore_errors=True)


def _swap(fresh: Path, site: Path) -> None:
    old = site.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Command line: `build`, or `stale` to list the notebooks that must run first."""
    if arguments == ["stale"]:
        print(*(path.as_posix() for path in stale_notebooks(ROOT)), sep="\n")
        return 0
    if arguments != ["build"]:
        print("use: python -m tools.site build (or stale)", file=sys.stderr)
        return 2
    try:
        page = build()
    except (SiteError, OSError) as error:
        print(f"The book was not built: {error}", file=sys.stderr)
        return 1
    print(f"The book is ready: {page}\nOpen {page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
