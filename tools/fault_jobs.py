"""The jobs that `tools.faults` kills: each is small, real, and has a folder of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SITES = ["blocks.0.resid_post", "blocks.1.mlp_out"]
STUDENTS = 5
PAGE = """# {title}

{text}

- [The first page](intro.md)
"""


@dataclass(frozen=True)
class Job:
    """What is killed and how it is judged.

    Attributes:
        what: in words, for the table.
        prepare: fills an empty folder with what the job starts from.
        run: begins the job in the folder, or goes on with it.
        broken: yields what is in a folder and is neither whole nor said to be damaged; the second
            folder is that of a run that nobody killed.
        result: what must come out, by name; of measured times, nothing.
    """

    what: str
    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    broken: Callable[[Path, Path], Iterator[str]]
    result: Callable[[Path], dict[str, Any]]


# --- training ------------------------------------------------------------------------------------


def train(folder: Path) -> None:
    """Two SAEs on one stream, then a transformer with snapshots; all with many checkpoints."""
    import torch

    from course_lib import models, runtime, sae
    from course_lib.data import RepeatCopy
    from course_lib.models.training import Trainer

    x = torch.randn(1024, 16, generator=runtime.generator(0))
    saes = [sae.BatchTopKSAE(16, 64, k=4), sae.ReLUSAE(16, 64, 0.1)]
    sae.Trainer(
        saes, x, steps=250, batch_size=128, lr=1e-3, resample_every=50, dead_after=1280,
        checkpoint=folder / "saes.pt", checkpoint_every=5,
    ).fit()  # fmt: skip
    for one in saes:
        sae.save(one, folder / type(one).__name__)
    world = RepeatCopy(5, 3)
    model = models.GPT(models.GPTConfig(len(world.vocabulary), world.seq, 16, 2, 1))
    Trainer(
        model, world, steps=100, batch_size=32, lr=1e-3, checkpoint=folder / "model.pt",
        checkpoint_every=4, snapshots=(0, 50, 100),
    ).fit()  # fmt: skip


def broken_training(folder: Path, clean: Path) -> Iterator[str]:
    import torch
    from safetensors.torch import load_file

    from course_lib import sae
    from course_lib.files import SEAL_OF_BYTES, unseal_bytes

    for path in sorted(folder.glob("[!.]*.pt")):
        if not SEAL_OF_BYTES.search(path.read_bytes()[-100:]):
            yield f"{path.name} has no seal"
        unseal_bytes(path.read_bytes())
        torch.load(path, map_location="cpu", weights_only=True)
    for path in sorted(folder.glob("[!.]*.safetensors")):
        load_file(path)
    for path in sorted(folder.glob("*/cfg.json")):
        sae.load(path.parent)


def trained(folder: Path) -> dict[str, Any]:
    import torch

    states = {
        path.name: _digest(torch.load(path, map_location="cpu", weights_only=True))
        for path in sorted(folder.glob("[!.]*.pt"))
    }
    return states | files_of(folder, "**/*.safetensors") | files_of(folder, "*/cfg.json")


# --- harvest -------------------------------------------------------------------------------------


def harvest(folder: Path) -> None:
    """Two sites of a transformer, in 64 shards."""
    import torch

    from course_lib import activations, models, runtime

    model = models.GPT(models.GPTConfig(64, 16, 64, 4, 2))
    tokens = torch.randint(0, 64, (800, 16), generator=runtime.generator(0))
    activations.harvest(model, tokens, SITES, folder / "store", batch_size=8, shard_rows=200)


def broken_harvest(folder: Path, clean: Path) -> Iterator[str]:
    from course_lib.activations.shards import read_shard
    from course_lib.activations.store import LABELS, Index

    store = folder / "store"
    if (store / "index.json").exists():
        Index.load(store)
    for path in sorted(store.glob("*/[!.]*.safetensors")):
        for name in ("activations", *LABELS):
            read_shard(path, name)
        if path.read_bytes() != (clean / path.relative_to(folder)).read_bytes():
            yield f"{path.relative_to(folder)} is another one"


def harvested(folder: Path) -> dict[str, Any]:
    return files_of(folder, "store/**/*")


# --- the book ------------------------------------------------------------------------------------


def write_book(folder: Path) -> None:
    """A book of two pages and a notebook, built once; then a page and the notebook change."""
    made = folder.parent / "book as it was"
    if not made.exists():
        for name in ("course_lib", "exercises", "solutions"):
            (made / name).mkdir(parents=True)
        shutil.copytree(ROOT / "book" / "extension", made / "book" / "extension")
        shutil.copytree(ROOT / "book" / "static", made / "book" / "static")
        shutil.copy(ROOT / "book" / "references.bib", made / "book")
        shutil.copy(ROOT / "_config.yml", made)
        (made / "constraints.txt").write_text("", encoding="utf-8")
        (made / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (made / "_toc.yml").write_text(
            "format: jb-book\nroot: book/intro\n"
            "parts: [{caption: Pages, chapters: [{file: book/01_one}, {file: book/two}]}]\n",
            encoding="utf-8",
        )
        write_pages(made, "before")
        run_book(made)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    write_pages(folder, "after")


def write_pages(folder: Path, text: str) -> None:
    import nbformat

    for name in ("intro", "two"):
        page = PAGE.format(title=f"Page {name}", text=text)
        (folder / "book" / f"{name}.md").write_text(page, encoding="utf-8")
    cells = [
        nbformat.v4.new_markdown_cell("# One", id="one-1"),
        nbformat.v4.new_code_cell(f"print({text!r})", id="one-2"),
    ]
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    made = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.write(made, folder / "book" / "01_one.ipynb")


def run_book(folder: Path) -> None:
    """Run what has changed and build the site, as `make book` does."""
    import pytest

    from tools import site

    os.chdir(folder)
    if stale := site.stale_notebooks(folder):
        words = ["-q", "-p", "tools.notebooks", "-p", "no:cacheprovider", "--nbval-lax"]
        words += ["--nbval-current-env", "--lenient-budget", f"--rootdir={folder}"]
        if code := pytest.main([*words, *map(str, stale)]):
            raise SystemExit(code)
    site.build(folder)


def broken_book(folder: Path, clean: Path) -> Iterator[str]:
    """A site that is not one build's, whole, and a notebook that passed without its outputs."""
    from tools import records, site

    pages = folder / "_build" / "html"
    if pages.exists():
        stamp = (pages / site.STAMP).read_text(encoding="utf-8")
        if stamp.split()[1] != site._digest(pages):
            yield "the site is half of one build and half of another"
    elif not (folder / "_build" / "html.old" / site.STAMP).exists():
        yield "there is no site"
    notebook = folder / "book" / "01_one.ipynb"
    if records.is_current(folder, notebook):
        executed = records.record_path(folder, notebook).with_suffix(".ipynb")
        if "after" not in json.dumps(json.loads(executed.read_text(encoding="utf-8"))):
            yield "the executed notebook is an old one"


def built(folder: Path) -> dict[str, Any]:
    return files_of(folder / "_build", "html/**/*.html") | files_of(folder, "_build/**/*.ipynb")


# --- grading -------------------------------------------------------------------------------------


def write_class(folder: Path) -> None:
    from tests.grading.toy import answers, write_set

    (folder / "key").mkdir(parents=True)
    (folder / "in").mkdir()
    write_set(folder / "key")
    for k in range(STUDENTS):
        name = f"student{k}"
        text = answers(name, *(("return x + 2",) if k % 3 == 1 else ()))
        (folder / "in" / f"{name}.ipynb").write_text(text, encoding="utf-8")


def grade(folder: Path) -> None:
    from course_lib.grading import cli

    words = ["grade", str(folder / "in"), "-o", str(folder / "grades.csv"), "--jobs", "2"]
    raise SystemExit(cli.main([*words, "--key", str(folder / "key")]))


def broken_grading(folder: Path, clean: Path) -> Iterator[str]:
    from course_lib.files import read_sealed

    journal = folder / "grades" / "journal"
    for path in sorted(journal.glob("[!.]*.json")):
        if read_sealed(path, "grade again")["student"] != path.stem:
            yield f"{path.name} is of another student"
    pages = [*folder.glob("[!.]*.csv"), *folder.glob("grades/[!.]*.html")]
    for path in [*pages, *folder.glob("grades/feedback/[!.]*")]:
        if path.read_bytes() != (clean / path.relative_to(folder)).read_bytes():
            yield f"{path.relative_to(folder)} is another one"


def graded(folder: Path) -> dict[str, Any]:
    """All that students and lecturers see, and the grades but for how long they took."""
    seen = files_of(folder, "*.csv") | files_of(folder, "grades/**/*.html")
    seen |= files_of(folder, "grades/*.csv")
    for path in sorted((folder / "grades" / "journal").glob("[!.]*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        seen[path.name] = {k: told[k] for k in told if k not in ("seconds", "key", "seal")}
    return seen


JOBS = {
    "training": Job(
        "two SAEs and a transformer, a checkpoint every few steps",
        lambda folder: folder.mkdir(parents=True), train, broken_training, trained,
    ),
    "harvest": Job(
        "activations of two sites into shards",
        lambda folder: folder.mkdir(parents=True), harvest, broken_harvest, harvested,
    ),
    "book": Job(
        "a changed notebook run, a small site built over an old one",
        write_book, run_book, broken_book, built,
    ),
    "grading": Job(
        f"`course grade` on {STUDENTS} submissions", write_class, grade, broken_grading, graded
    ),
}  # fmt: skip


def load() -> None:
    """Import what the jobs need, once for all that are forked from here."""
    import pytest  # noqa: F401
    import torch
    import torch._dynamo  # an optimiser imports it

    from course_lib import activations, models, sae  # noqa: F401
    from course_lib.grading import cli, questions, sandbox  # noqa: F401
    from tools import site  # noqa: F401

    torch.set_num_threads(1)


def files_of(folder: Path, pattern: str) -> dict[str, str]:
    """The SHA-256 of each file that is not hidden, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith(".")
    }


def _digest(state: Any) -> str:
    """Of all numbers, words and tensors of a checkpoint, in their order, bit for bit."""
    import torch

    digest = hashlib.sha256()

    def take(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            digest.update(f"{part.dtype} {list(part.shape)}".encode())
            digest.update(part.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        elif isinstance(part, dict):
            for key, value in part.items():
                digest.update(repr(key).encode())
                take(value)
        elif isinstance(part, list | tuple):
            for value in part:
                take(value)
        else:
            digest.update(repr(part).encode())

    take(state)
    return digest.hexdigest()
