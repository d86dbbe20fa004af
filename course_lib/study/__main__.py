"""`python -m course_lib.study`: write the page of your progress and say where it is."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from course_lib.study import store, write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, help="the file to write (progress.html beside what is kept)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in your browser")


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks; its exit code."""
    try:
        file = store.path()
        beside = file.with_name("progress.html") if file else Path("progress.html")
        page = write_page(options.output or beside).resolve()
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except RuntimeError as error:  # there is no home
        print(error, store.HOW, file=sys.stderr)
        return 1
    if complaint := store.read().complaint:
        print(complaint, file=sys.stderr)
    print(f"Your progress: {page.as_uri()}")
    if options.open:
        webbrowser.open(page.as_uri())
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="course progress", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
