"""The maker of the students' notebooks."""

import json
import re

import pytest

from tools.exercises import ROOT, BuildError, build, student_source

ANSWER = """def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def code(source, *tags, id="a"):
    return {
        "cell_type": "code",
        "id": id,
        "metadata": {"tags": list(tags)},
        "source": source.splitlines(keepends=True),
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["out"]}],
        "execution_count": 3,
    }


@pytest.fixture
def project(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "exercises").mkdir()

    def write(*cells):
        (tmp_path / "solutions" / "ps.ipynb").write_text(json.dumps(notebook(*cells)))
        return tmp_path

    return write


def built(root):
    assert build(root) == []
    return json.loads((root / "exercises" / "ps.ipynb").read_text())


def test_a_solution_becomes_a_stub_that_keeps_signature_and_docstring():
    assert student_source(ANSWER, "here") == (
        'def double(x):\n    """Twice x."""\n    # YOUR CODE HERE\n    raise NotImplementedError'
    )


def test_a_stub_region_stands_in_for_the_solution():
    source = ANSWER.replace(
        "    ### BEGIN SOLUTION",
        "    ### BEGIN STUB\n    # y = x  # a copy\n    #\n    # return y\n    ### END STUB\n"
        "    ### BEGIN SOLUTION",
    )
    expected = 'def double(x):\n    """Twice x."""\n    y = x  # a copy\n\n    return y'
    assert student_source(source, "here") == expected


@pytest.mark.parametrize(
    "source, says",
    [
        ("def double(x):\n    return 2 * x", "has no `### BEGIN SOLUTION`"),
        (ANSWER.replace("    ### END SOLUTION", ""), "has 1 `### BEGIN SOLUTION` and 0"),
        (ANSWER + "\n" + ANSWER, "has 2 `### BEGIN SOLUTION` and 2"),
        (ANSWER.replace("    return 2 * x\n", ""), "with lines between them"),
        (ANSWER.replace("    ###", "    ### BEGIN STUB\n    ###", 1), "has 1 `### BEGIN STUB`"),
    ],
)
def test_an_answer_cell_without_exactly_one_region_stops_with_a_sentence(source, says):
    with pytest.raises(BuildError, match="cell 'q1'") as error:
        student_source(source, "ps.ipynb, cell 'q1'")
    assert says in str(error.value)


def test_outputs_solution_only_cells_and_the_folding_tag_are_left_out(project):
    root = project(
        code("1 + 1", id="a"),
        code("assert double(2) == 4", "solution-only", id="b"),
        code(ANSWER, "answer", "hide-input", id="c"),
    )
    first, second = built(root)["cells"]
    assert (first["id"], first["outputs"], first["execution_count"]) == ("a", [], None)
    assert (second["id"], second["metadata"]) == ("c", {"tags": ["answer"]})


def test_the_same_source_gives_the_same_bytes_and_does_not_touch_the_file(project):
    root = project(code(ANSWER, "answer"))
    built(root)
    target = root / "exercises" / "ps.ipynb"
    before = target.stat().st_mtime_ns, target.read_bytes()
    built(root)
    assert (target.stat().st_mtime_ns, target.read_bytes()) == before


def test_a_hand_edited_student_file_is_reported_and_left_alone_by_the_check(project):
    root = project(code(ANSWER, "answer"))
    built(root)
    target = root / "exercises" / "ps.ipynb"
    target.write_text(target.read_text() + " ")
    (problem,) = build(root, check=True)
    assert "exercises/ps.ipynb is not what solutions/ gives" in problem
    assert target.read_text().endswith(" ")


def test_a_student_file_without_a_source_is_reported(project):
    root = project(code(ANSWER, "answer"))
    (root / "exercises" / "old.ipynb").write_text("{}")
    (problem,) = build(root)
    assert "exercises/old.ipynb has no source" in problem


def test_a_marker_in_a_cell_without_the_tag_stops_the_build(project):
    with pytest.raises(BuildError, match="no tag `answer`"):
        build(project(code(ANSWER)))


def test_a_cell_id_that_stands_twice_stops_the_build(project):
    with pytest.raises(BuildError, match="'a' stands twice"):
        build(project(code("1"), code("2")))


@pytest.mark.parametrize(
    "chapter", sorted((ROOT / "book").glob("*/*.ipynb")), ids=lambda path: path.stem
)
def test_a_chapter_lists_its_exercises_by_their_names(chapter):
    def text(path):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells)

    listed = re.findall(r"^\| (\d) \| (.+?) \| .+\|$", text(chapter), re.MULTILINE)
    solved = text(ROOT / "solutions" / chapter.name)
    assert listed == re.findall(r"^## Exercise (\d): (.+)$", solved, re.MULTILINE) != []
