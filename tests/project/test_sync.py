"""The address of the repository stands in one place, and one command changes it everywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import tree
from tools import sync

OWNER, REPOSITORY = "somebody-else", "another.course"
OTHER = f"https://github.com/{OWNER}/{REPOSITORY}"


@pytest.fixture
def copied(tmp_path) -> Path:
    return tree.copy(tmp_path)


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "tools" / "sync.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=root.parent)


def contents(root: Path) -> dict[Path, bytes]:
    return {name: (root / name).read_bytes() for name in tree.files()}


def test_what_is_committed_is_what_the_address_generates():
    done = run(tree.ROOT, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_address_leaves_the_old_one_nowhere_and_the_way_back_gives_the_same_bytes(copied):
    before = contents(copied)
    old = sync.address((copied / "pyproject.toml").read_text(encoding="utf-8"))
    assert run(copied, "--url", OTHER, "--edition", "v1.2.3").returncode == 0
    after = contents(copied)
    changed = [name for name in before if before[name] != after[name]]
    assert {"README.md", "_config.yml", "pyproject.toml", "CITATION.cff"} <= set(map(str, changed))
    owner, repository = old.url.split("/")[-2:]
    for needle in (f"{owner}/{repository}", f"{owner.lower()}.github.io/{repository}"):
        assert not [name for name in after if needle.encode() in after[name]]
    assert run(copied, "--check").returncode == 0
    assert run(copied, "--url", old.url, "--edition", old.edition).returncode == 0
    assert contents(copied) == before


def test_every_notebook_sets_up_from_the_edition_and_touches_nothing_else(copied):
    run(copied, "--url", OTHER, "--edition", "v1.2.3")
    notebooks = [name for name in tree.files() if name.suffix == ".ipynb"]
    assert notebooks
    for name in notebooks:
        cells = json.loads((copied / name).read_text(encoding="utf-8"))["cells"]
        setup = "".join(next(cell for cell in cells if cell.get("id") == "setup")["source"])
        assert f'%pip install -q --no-deps "git+{OTHER}@v1.2.3"' in setup
        assert [line.split()[0] for line in setup.splitlines()] == [
            *("try:", "import", "except", "%pip", "import")
        ]


def test_every_chapter_has_a_row_with_its_links(copied):
    run(copied, "--url", OTHER, "--edition", "v1.2.3")
    readme = (copied / "README.md").read_text(encoding="utf-8")
    path = "book/1_superposition/02_toy_models"
    course = f"{OWNER}/{REPOSITORY}"
    for link in (
        f"https://colab.research.google.com/github/{course}/blob/v1.2.3/{path}.ipynb",
        f"https://mybinder.org/v2/gh/{course}/v1.2.3?urlpath=lab/tree/{path}.ipynb",
        f"https://{OWNER}.github.io/{REPOSITORY}/v1.2.3/{path}.html",
    ):
        assert link in readme


@pytest.mark.parametrize(
    "url",
    [
        "somewhere",
        "http://github.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/tree/main",
        "https://github.com/a/b.git",
        'https://github.com/a/b"; rm',
    ],
)
def test_a_wrong_address_is_refused_and_changes_nothing(copied, url):
    before = contents(copied)
    done = run(copied, "--url", url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"url is {url!r}; ")
    assert contents(copied) == before


def test_an_edition_with_a_slash_is_refused():
    with pytest.raises(sync.Wrong, match="edition is 'a/b'"):
        sync.Address("https://github.com/a/b", "a/b")


def test_the_check_names_what_differs_and_who_writes_the_address_by_hand(copied):
    citation = copied / "CITATION.cff"
    citation.write_text(
        citation.read_text().replace("github.com/", "github.com/x"), encoding="utf-8"
    )
    url = sync.address((copied / "pyproject.toml").read_text(encoding="utf-8")).url
    (copied / "book" / "intro.md").write_text(f"See {url}.", encoding="utf-8")
    done = run(copied, "--check")
    assert done.returncode == 1
    assert "CITATION.cff differs" in done.stdout
    assert "book/intro.md names the address by hand" in done.stdout


def test_a_notebook_without_its_set_up_cell_is_named(copied):
    notebook = copied / "solutions" / "02_toy_models.ipynb"
    notebook.write_text(notebook.read_text().replace('"id": "setup"', '"id": "x"'))
    done = run(copied, "--check")
    assert done.returncode == 1
    assert "02_toy_models.ipynb has 0 cells with the id 'setup'" in done.stderr
