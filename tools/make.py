"""Every command of the course: `make COMMAND`, or `python tools/make.py COMMAND` without make.

    book              run the notebooks that have changed, build the site, say where the page is
    test              everything that CI proves: tests, every notebook, the strict site, its pages
    lab               open the chapters and exercises in JupyterLab, which it installs
    peers             ours against sae-lens, transformers and others, which it installs (1.7 GB)
    fuzz SECONDS=..   throw damaged files at each reader of files for so long, 60 for one
    exercises         write exercises/ from solutions/
    bands CHAPTER=..  measure a chapter's claims again over many seeds (02_toy_models, for one)
    mutants CHAPTER=..  edit a chapter's solutions a little and count what its checks reject; a
                      problem set's, too
    sets              write the cards of the problem sets, which the lecturer's pages are made from
    public FOLDER=..  the course without the problem sets' key; the key in _build/key.zip
    pack              slides and quiz for a lecturer, with the key, in _build/pack
    pdf               the book as one file to print
    bench             one table of speed: ours, the best peer, the machine's own limit; half an
                      hour of an idle machine, after `book` and `peers`
    faults            kill training, harvesting, book and grading, and count what is lost
    lock              resolve the dependencies again and write constraints.txt
    address URL=..    change the public address of the repository everywhere
    clean             remove .venv, _build and .cache

Needs Python alone. `book` and `test` make a virtual environment in .venv and install into it; the
second time they use what is there.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.guard import Stop, Turn, only_one, raise_if_full  # noqa: E402
from tools.install import ensure, ensure_with  # noqa: E402

NOTEBOOKS = ["book", "exercises", "solutions"]
PYTEST = [
    *("-m", "pytest", "-q", "-p", "tools.notebooks", "--nbval-lax", "--nbval-current-env"),
    *("--nbval-cell-timeout", "300", "-n", "2", "--dist", "loadfile"),
]
FIRST = Path("book", "1_superposition", "02_toy_models.ipynb")
OUTSIDE = dict(os.environ)  # what the reader has set
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONUTF8": "1"}
PAGE = ROOT / "_build" / "html" / "index.html"


def book(turn: Turn) -> None:
    python = ensure(turn, ROOT)
    code, told = turn.run([str(python), "-m", "tools.site", "stale"], ROOT, quiet=True)
    if code:
        raise Stop(f"The notebooks could not be listed:\n{told}")
    stale = [line for line in told.splitlines() if line.endswith(".ipynb")]
    if stale:
        run = [*PYTEST, "--lenient-budget", *stale]
        stage("1 of 2: the notebooks that have changed", turn, python, run)
    else:
        print("\n== 1 of 2: every notebook has passed as it stands")
    stage("2 of 2: the site", turn, python, ["-m", "tools.site", "build"])
    print(f"The book: {PAGE.as_uri()}")


def test(turn: Turn) -> None:
    python = ensure(turn, ROOT)
    logs = [ROOT / "_build" / "tests.xml", ROOT / "_build" / "site-tests.xml"]
    everything = ["--ignore=tests/site", "tests", *NOTEBOOKS, f"--junitxml={logs[0]}"]
    stage("1 of 3: tests and notebooks", turn, python, [*PYTEST, *everything])
    stage("2 of 3: the site, warnings as errors", turn, python, ["-m", "tools.site", "build"])
    pages = ["-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "tests/site"]
    pages += [f"--junitxml={logs[1]}"]
    stage("3 of 3: the pages in a browser", turn, python, pages)
    print(
        f"All is well. Tests and notebooks: {counts(logs[0])}; the site: no warning; "
        f"its pages: {counts(logs[1])}. The book: {PAGE.as_uri()}"
    )


def lab(turn: Turn) -> None:
    """Become JupyterLab: progress bars and all threads, and other commands can run beside it."""
    python = str(ensure_with(turn, ROOT, "lab"))
    arguments = ["-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}", str(ROOT / FIRST)]
    os.chdir(ROOT)
    os.execve(python, [python, *arguments], OUTSIDE)


def peers(turn: Turn) -> None:
    log = ROOT / "_build" / "peers.xml"
    run = [
        "-m",
        "pytest",
        "-q",
        "tests/differential",
        "tests/models/test_hub.py",
        f"--junitxml={log}",
    ]
    stage("ours against their peers", turn, ensure_with(turn, ROOT, "peers"), run)
    if "skipped" in counts(log):
        raise Stop(f"Not everything was compared: {counts(log)}; the reasons stand above.")


def fuzz(turn: Turn, seconds: str) -> None:
    run = ["-m", "tools.fuzz", "--seconds", seconds]
    stage("damaged files", turn, ensure_with(turn, ROOT, "fuzz"), run)


def exercises(turn: Turn) -> None:
    stage("exercises/ from solutions/", turn, ensure(turn, ROOT), ["-m", "tools.exercises"])


def bands(turn: Turn, chapter: str) -> None:
    python = ensure(turn, ROOT)
    stage(f"the bands of {chapter}", turn, python, ["-m", "tools.bands", chapter])


def mutants(turn: Turn, chapter: str) -> None:
    python = ensure(turn, ROOT)
    stage(f"the mutants of {chapter}", turn, python, ["-m", "tools.mutants", chapter])


def sets(turn: Turn) -> None:
    stage("the cards of the problem sets", turn, ensure(turn, ROOT), ["-m", "tools.set_cards"])


def public(turn: Turn, folder: str) -> None:
    run = ["-m", "tools.public", folder, "--key", str(ROOT / "_build" / "key.zip")]
    stage("the public copy, and the key", turn, ensure(turn, ROOT), run)


def pack(turn: Turn) -> None:
    book(turn)
    python, folder = ensure(turn, ROOT), ROOT / "_build" / "pack"
    stage("the slides", turn, python, ["-m", "tools.slides", str(folder / "slides")])
    stage("the quiz", turn, python, ["-m", "tools.quiz", str(folder)])


def pdf(turn: Turn) -> None:
    book(turn)
    stage("the book on paper", turn, ensure(turn, ROOT), ["-m", "tools.pdf"])


def bench(turn: Turn) -> None:
    book(turn)  # whose cost is one of the figures
    stage("the benchmarks", turn, ensure_with(turn, ROOT, "peers"), ["-m", "tools.bench"])


def faults(turn: Turn) -> None:
    stage("the kills", turn, ensure(turn, ROOT), ["-m", "tools.faults"])


def lock(turn: Turn) -> None:
    stage("constraints.txt", turn, sys.executable, ["-m", "tools.lock"])


def address(turn: Turn, url: str) -> None:
    stage("the address", turn, sys.executable, [str(ROOT / "tools" / "sync.py"), "--url", url])


def clean(turn: Turn) -> None:
    for name in (".venv", "_build", ".cache"):
        shutil.rmtree(ROOT / name, ignore_errors=True)


COMMANDS: dict[str, Callable[..., None]] = {
    command.__name__: command
    for command in (
        *(book, test, lab, peers, fuzz, exercises, bands, mutants, sets, public, pack, pdf),
        *(bench, faults, lock, address, clean),
    )
}
ARGUMENTS = {
    "bands": "CHAPTER=02_toy_models",
    "mutants": "CHAPTER=02_toy_models",
    "fuzz": "SECONDS=60",
    "public": "FOLDER=../public",
    "address": "URL=https://github.com/you/repository",
}


def stage(what: str, turn: Turn, python: Path | str, arguments: list[str]) -> None:
    """Run one stage with `python`; raises Stop if it fails."""
    print(f"\n== {what}", flush=True)
    code, _ = turn.run([str(python), *arguments], ROOT)
    if code:
        raise Stop(f"Failed at: {what} (exit code {code}); the reason stands above.")


def counts(log: Path) -> str:
    """What a JUnit file says, in words: '12 passed, 1 skipped'."""
    suite = ElementTree.parse(log).getroot()[0]
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    return f"{total - skipped} passed" + (f", {skipped} skipped" if skipped else "")


def main(arguments: list[str]) -> int:
    command, *rest = arguments or ["help"]
    if command not in COMMANDS:
        print(__doc__)
        return 0 if command in ("help", "-h", "--help") else 2
    if len(rest) != (command in ARGUMENTS) or "" in rest:
        print(f"Say it so: make {command} {ARGUMENTS.get(command, '')}".rstrip())
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job starts with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    os.environ.update(ENVIRONMENT)
    try:
        with only_one(ROOT / ".make.lock", f"make {command}") as turn:
            COMMANDS[command](turn, *rest)
    except Stop as stop:
        print(f"\n{stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is lost, the same command goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:
        try:
            raise_if_full(str(error), ROOT)
            print(f"\nThe system refuses: {error}.", file=sys.stderr)
        except Stop as stop:
            print(f"\n{stop}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
