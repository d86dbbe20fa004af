"""What the public gets holds no key: neither the quiz's nor a problem set's."""

from functools import cache

import nbformat
import pytest

from course_lib import study
from tests.exercises.notebook import ROOT
from tools import quiz, site

PUBLIC = [ROOT / "exercises", ROOT / "course_lib"]
TEXT = {".py", ".json", ".ipynb", ".html", ".js", ".md", ".xml", ".txt", ".css"}


@cache
def keys():
    """Sentences that stand in the quiz's key and nowhere else."""
    return quiz.key_phrases(quiz.items())


def problem_sets():
    """The names of the files that hold the problem sets and their answers."""
    return {path.name for path in (ROOT / "assignments").glob("ps*")}


def found_in(folder):
    texts = [p for p in folder.rglob("*") if p.suffix in TEXT and p.is_file()]
    assert texts, f"{folder} is empty"
    found = []
    for path in texts:
        text = path.read_text(encoding="utf-8", errors="replace")
        plain = text.replace("\\n", "\n").replace('\\"', '"')
        found += [f"{path.relative_to(ROOT)}: {key}" for key in keys() if key in plain]
        if '"quiz"' in text and path.suffix == ".ipynb":
            found.append(f"{path.relative_to(ROOT)} holds the quiz")
    return found


@pytest.mark.parametrize("folder", PUBLIC, ids=lambda folder: folder.name)
def test_students_notebooks_and_the_library_hold_no_key(folder):
    assert found_in(folder) == []
    assert not [path for path in folder.rglob("*") if path.name in problem_sets()]


def test_the_search_finds_a_key():
    assert any("solutions/" in one for one in found_in(ROOT / "solutions"))


def test_the_built_site_holds_no_key_and_no_file_of_a_problem_set():
    built = ROOT / "_build" / "html"
    if not (built / "index.html").exists():
        pytest.skip("the site is not built; the tests of the site look through it")
    assert found_in(built) == []
    assert not [path for path in built.rglob("*") if path.name in problem_sets()]


def test_the_page_of_a_solved_notebook_is_made_without_what_is_for_lecturers():
    notebook = nbformat.read(ROOT / "solutions" / "02_toy_models.ipynb", as_version=4)
    tasks = [cell for cell in notebook.cells if "quiz" in cell.metadata.get("course", {})]
    for cell in tasks:
        site.dress(cell, ROOT, path=None)
    assert len(tasks) >= 3 and not any("course" in cell.metadata for cell in tasks)


def test_the_catalogue_of_the_library_asks_no_quiz():
    assert not any(hasattr(one, "quiz") for one in study.exercises())
