"""The hostile submissions: each file here is one, its cells parted by `# %%`; `RAW` holds those
that are no notebook, or more than one. What stands between @ signs is filled in by the test."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.grading.toy import cell, notebook

HERE = Path(__file__).parent
RIGHT = "def double(x):\n    return 2 * x"


def write_all(folder: Path, words: Mapping[str, str]) -> list[str]:
    """Write every hostile submission into the folder; returns the students' names."""
    scripts = [p.stem for p in sorted(HERE.glob("*.py")) if p.name != "corpus.py"]
    for name in [*scripts, *RAW]:
        write(folder, name, words)
    return [*scripts, *RAW]


def write(folder: Path, name: str, words: Mapping[str, str]) -> None:
    """Write one hostile submission."""
    if name in RAW:
        RAW[name](folder, words)
        return
    source = (HERE / f"{name}.py").read_text(encoding="utf-8")
    for word, value in words.items():
        source = source.replace(f"@{word}@", value)
    (folder / f"{name}.ipynb").write_text(notebook(*map(cell, source.split("# %%"))))


def _link_to_the_key(folder: Path, words: Mapping[str, str]) -> None:
    (folder / "link_to_the_key.ipynb").symlink_to(Path(words["KEY"]) / "toy.ipynb")


def _folder_of_links(folder: Path, words: Mapping[str, str]) -> None:
    (folder / "folder_of_links").mkdir()
    (folder / "folder_of_links" / "toy.ipynb").symlink_to(Path(words["KEY"]) / "toy.ipynb")
    (folder / "folder_of_links" / "more").symlink_to(words["KEY"], target_is_directory=True)


def _link_to_a_folder(folder: Path, words: Mapping[str, str]) -> None:
    (folder / "link_to_a_folder").symlink_to(words["KEY"], target_is_directory=True)


def _pipe(folder: Path, words: Mapping[str, str]) -> None:
    os.mkfifo(folder / "pipe.ipynb")


def _zip_slip(folder: Path, words: Mapping[str, str]) -> None:
    with zipfile.ZipFile(folder / "zip_slip.zip", "w") as archive:
        for name in ("../../slipped.txt", "/tmp/slipped.txt", words["HOME"] + "/slipped.txt"):
            archive.writestr(name, "x")
        archive.writestr("../../slipped.ipynb", notebook(cell("x = 1")))
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, words["KEY"])


def _zip_bomb(folder: Path, words: Mapping[str, str]) -> None:
    with zipfile.ZipFile(folder / "zip_bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy.ipynb", b" " * (300 * 2**20))


def _deep(folder: Path, words: Mapping[str, str]) -> None:
    (folder / "deep.ipynb").write_text('{"cells": ' + "[" * 200_000)


def _giant(folder: Path, words: Mapping[str, str]) -> None:
    (folder / "giant.ipynb").write_text(notebook(cell("#" * (11 * 2**20))))


def _no_text(folder: Path, words: Mapping[str, str]) -> None:
    (folder / "no_text.ipynb").write_bytes(os.urandom(5000))


def _metadata(folder: Path, words: Mapping[str, str]) -> None:
    """Kernels, scores and trust in the metadata; the right answer only where nothing is run."""
    made = json.loads(notebook(cell("x = 1", "answer"), cell(RIGHT, kind="markdown")))
    made["metadata"] = {
        "kernelspec": {"name": "python3", "argv": ["touch", words["HOME"] + "/owned"]},
        "grade": {"score": 7, "max_score": 7},
        "student": "perfect",
        "widgets": {"state": "<script>alert(1)</script>"},
        "signature": "trusted",
    }
    made["cells"][0]["metadata"] |= {"nbgrader": {"points": 7, "grade": True}, "trusted": True}
    made["cells"][0]["outputs"] = [{"output_type": "stream", "text": [RIGHT, "7 of 7"]}]
    made["cells"].append(cell(RIGHT, "demo"))
    (folder / "metadata.ipynb").write_text(json.dumps(made))


RAW = {
    "link_to_the_key": _link_to_the_key,
    "folder_of_links": _folder_of_links,
    "link_to_a_folder": _link_to_a_folder,
    "pipe": _pipe,
    "zip_slip": _zip_slip,
    "zip_bomb": _zip_bomb,
    "deep": _deep,
    "giant": _giant,
    "no_text": _no_text,
    "metadata": _metadata,
}
