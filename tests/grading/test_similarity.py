"""Copies are found under every disguise, who works alone is left alone, and nothing is executed."""

import csv
import json
import random
import re

import pytest

from course_lib.grading import cli, similarity
from course_lib.grading.fingerprints import MAX_CHARACTERS, cells_of, known_names, of_code
from course_lib.grading.similarity import SHOWN, compare, table
from course_lib.grading.similarity_page import page
from course_lib.grading.submissions import find
from tests.grading import honest
from tests.grading.hostile import corpus
from tests.grading.problem_sets import KEY, notebook_of, problem_set, wrong
from tests.grading.toy import cell, notebook, write_set

PROBLEMS = problem_set(honest.SET)
PLAIN = known_names([honest.GIVEN, "def read_error(W, p):\n    pass"])


def prints(*cells):
    return frozenset().union(*(p.prints for p in of_code(cells, PLAIN)))


def write_class(folder, seed=0, size=20):
    """A class of honest students, by name; answers to be copied from."""
    made = {f"student{k:03}": honest.answers(1000 * seed + k) for k in range(size)}
    for student, parts in made.items():
        put(folder, student, parts)
    return made


def put(folder, student, parts):
    folder.mkdir(exist_ok=True)
    (folder / f"{student}.ipynb").write_text(honest.notebook_with(student, parts))


def pairs_of(folder):
    return {
        (pair.first.student, pair.second.student): pair
        for pair in compare(PROBLEMS, find(folder)).pairs
    }


def renamed(text):
    return re.sub(r"\b[a-z]+_([a-z])\b", lambda m: f"my_{m[1]}{m[1]}", text)


def commented(text):
    lines = [re.sub(r"#.*", "", line) + "  # as in the lecture" for line in text.split("\n")]
    return "\n".join(lines).replace(":  # as", ':\n    """My own."""  # as', 1)


def reformatted(text):
    return re.sub(r"([=*,@])", r" \1  ", text).replace("*   *", "**").replace("    ", "\t")


def padded(text):
    return "noise = [k for k in range(9) if k % 2]\nprint(sum(noise))\n" + text


def retyped(text):
    return re.sub(r"^(\s+)(\w+_[a-z]) = ", r"\1\2: Tensor = ", text, flags=re.MULTILINE)


DISGUISES = {f.__name__: f for f in (renamed, commented, reformatted, padded, retyped)}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_copy_is_found_under_a_disguise(disguise, tmp_path):
    made = write_class(tmp_path)
    changed = {q: DISGUISES[disguise](text) for q, text in made["student003"].items()}
    changed["free"] = made["student011"]["free"] + " But I differ."
    put(tmp_path, "zz", changed)
    (first, *others) = compare(PROBLEMS, find(tmp_path)).pairs
    assert (first.first.student, first.second.student) == ("student003", "zz")
    assert first.score >= SHOWN > max(pair.score for pair in others)


def test_a_copy_is_found_when_functions_and_cells_change_places(tmp_path):
    made = write_class(tmp_path)
    parts = [renamed(text) for q, text in made["student007"].items() if q != "free"]
    one = notebook(cell("\n\n".join(reversed(parts))), cell(honest.GIVEN))
    (tmp_path / "zz.ipynb").write_text(one)
    assert pairs_of(tmp_path)["student007", "zz"].score >= SHOWN


def test_a_copy_with_a_syntax_error_in_every_cell_is_found(tmp_path):
    made = write_class(tmp_path)
    broken = {q: renamed(t) + "\n)" * (q != "free") for q, t in made["student005"].items()}
    put(tmp_path, "zz", broken | {"free": "Nothing."})
    (first, *_) = compare(PROBLEMS, find(tmp_path)).pairs
    assert (first.first.student, first.second.student) == ("student005", "zz")


@pytest.mark.parametrize("seed", range(5))
def test_twenty_who_work_alone_are_left_alone(seed, tmp_path):
    write_class(tmp_path, seed + 1)
    found = compare(PROBLEMS, find(tmp_path))
    assert len(found.works) == 20 and found.usual[0] > 0
    assert [pair.score for pair in found.pairs if pair.score >= SHOWN] == [] == found.groups


def test_of_two_hundred_who_work_alone_a_few_pairs_at_most_are_to_be_read(tmp_path):
    write_class(tmp_path, 40, size=200)
    found = compare(PROBLEMS, find(tmp_path))
    assert sum(pair.score >= SHOWN for pair in found.pairs) <= 3 and found.groups == []
    assert found.usual[1] < SHOWN - 0.1


def test_the_sets_wrong_answers_accuse_nobody(tmp_path):
    write_class(tmp_path, size=12)
    answers = {q: of for q, of in wrong(honest.SET).items() if q != "my_numbers"}  # has a helper
    for k in range(11):
        given = {q: of[k].answer for q, of in answers.items() if k < len(of)}
        made = json.loads(notebook_of(honest.SET, f"s{k:02}", given))
        made["cells"] = [c for c in made["cells"] if "written" not in c["metadata"].get("tags", [])]
        (tmp_path / f"s{k:02}.ipynb").write_text(json.dumps(made))
    assert not [p for p in compare(PROBLEMS, find(tmp_path)).pairs if p.score >= SHOWN]


def test_answers_as_in_the_key_and_empty_ones_are_no_likeness(tmp_path):
    write_class(tmp_path)
    stubs = dict.fromkeys((q.name for q in PROBLEMS.questions), "stub")
    for k in range(2):
        (tmp_path / f"key{k}.ipynb").write_text(notebook_of(honest.SET, "a", {}))
        (tmp_path / f"stub{k}.ipynb").write_text(notebook_of(honest.SET, "a", stubs))
    found = compare(PROBLEMS, find(tmp_path))
    bits = {unit: found.weights[unit] for unit in found.units if unit != "free"}
    for work in found.works:
        if work.student[:-1] in ("key", "stub"):
            for unit, known in bits.items():
                own = frozenset().union(*(p.prints for p in work.passages[unit]))
                assert sum(known.get(p, 0) for p in own) < 50, (work.student, unit)


def test_an_obvious_line_ranks_low_and_a_shared_oddity_high(tmp_path):
    made = write_class(tmp_path, 7)
    obvious = {"my_numbers": "my_numbers = (float(worst), bound, int(first))"}
    odd = "extra = sorted({round(k ** 1.7) % 23 for k in my_p.tolist()})[::-2]\n"
    odd += "extra = [e ^ 5 for e in extra if e not in (3, 17)] or [41]"
    for k, student in enumerate(sorted(made)):
        parts = made[student] | (obvious if k % 2 else {})
        if k in (4, 12):
            parts["my_numbers"] += "\n" + (renamed(odd) if k == 4 else odd.replace("extra", "pile"))
        put(tmp_path, student, parts)
    by_unit = {p: pair.scores["my_numbers"] for p, pair in pairs_of(tmp_path).items()}
    same_line = [s for p, s in by_unit.items() if all(int(n[-3:]) % 2 for n in p)]
    assert by_unit["student004", "student012"] > 2 * max(same_line, default=0)


def test_a_written_answer_that_is_handed_in_twice_is_found_and_chance_is_not(tmp_path):
    made = write_class(tmp_path)
    dice = random.Random(1)
    own = " ".join(dice.choice(honest.WORDS) for _ in range(80)) + ". Nothing else matters."
    put(tmp_path, "student002", made["student002"] | {"free": own})
    put(tmp_path, "student009", made["student009"] | {"free": own.upper().replace(" ", "\n")})
    found = pairs_of(tmp_path)
    pair = found.pop(("student002", "student009"))
    assert pair.score >= SHOWN and pair.scores["free"] > 0.6 > pair.scores["notebook"]
    assert max(other.scores["free"] for other in found.values()) < 0.2


def test_numbers_of_a_neighbour_are_more_alike_than_obvious_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(similarity, "LISTED", 0)
    made = write_class(tmp_path)
    for k, student in enumerate(made):
        line = "(0.8134217, 0.2446, 23)" if k in (1, 2) else "(worst, bound, first)"
        put(tmp_path, student, made[student] | {"my_numbers": f"my_numbers = {line}"})
    scores = {p: pair.scores["my_numbers"] for p, pair in pairs_of(tmp_path).items()}
    assert scores.pop(("student001", "student002")) > 10 * max(scores.values()) >= 0


def test_three_with_one_answer_are_a_group(tmp_path):
    made = write_class(tmp_path)
    for name, disguise in (("x", renamed), ("y", commented)):
        put(tmp_path, name, {q: disguise(t) for q, t in made["student004"].items()})
    found = compare(PROBLEMS, find(tmp_path))
    assert found.groups == [("student004", "x", "y")]
    assert "student004, x, y" in page("Set", found)


@pytest.mark.parametrize(
    "one, other",
    [
        ("a = b + 2 * c", "q = w * 2 + e"),
        ("x += 1", "y = y + 1"),
        ("f(x, dim=1, keepdim=True)", "f(y, keepdim=True, dim=1)"),
        ("import torch.nn.functional as F\nF.relu(x)", "import torch\ntorch.nn.functional.relu(q)"),
        ("from torch import einsum as e\ne('ij', x)", "import torch\ntorch.einsum('kl', y)"),
        ("def f(a: int) -> int:\n    'doc'\n    return a", "def g(b):\n    return b  # no"),
        ("sum = 3\nprint(sum)", "n = 3\nprint(n)"),
        ("if a:\n    b()\nelse:\n    c()", "if z: y()\nelse: x()"),
    ],
)
def test_these_are_the_same(one, other):
    assert prints(one) == prints(other) != frozenset()


@pytest.mark.parametrize(
    "one, other",
    [
        ("x.sum()", "x.mean()"),
        ("x - y * 2", "x * 2 - y"),
        ("a = 0.51", "a = 0.52"),
        ("f(x, dim=0)", "f(x, dim=1)"),
        ("a @ b.T", "a.T @ b"),
        ("a < b", "a <= b"),
    ],
)
def test_these_are_not(one, other):
    assert prints(one) != prints(other)


EVIL = [
    "1+" * 40_000 + "1", "(" * 50_000, "'''" * 30_000, "x = " + "-" * 90_000 + "1", "\0",
    "\n".join(" " * k + "if 1:" for k in range(500)), "x = 0x" + "f" * 9000, "x = '\ud800'",
    "\r\f\x0b\x85\u2028y =",
    "\n".join("1" + "+1" * 450 for _ in range(90)), "lambda: " * 3000 + "1", "f'{" * 200,
]  # fmt: skip


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_code_that_breaks_parsers_becomes_tokens(evil):
    assert isinstance(of_code([evil, "x = spam(3)"], PLAIN), list)


def test_what_is_too_long_is_cut_and_said(tmp_path):
    made = write_class(tmp_path)
    code = "x = 1\n" * MAX_CHARACTERS
    put(tmp_path, "zz", made["student001"] | {"my_numbers": code[: 2 * MAX_CHARACTERS]})
    found = compare(PROBLEMS, find(tmp_path))
    assert f"only the first {MAX_CHARACTERS:,} characters" in page("Set", found)


def test_hostile_submissions_are_shown_as_text_and_run_nowhere(tmp_path, capsys):
    (tmp_path / "key").mkdir()
    (tmp_path / "in").mkdir()
    path = write_set(tmp_path / "key")
    words = {"KEY": str(path.parent), "HOME": str(tmp_path), "OUT": str(tmp_path / "in")}
    words |= {"PORT": "9", "CANARY": "canary", "PREFIX": "/nowhere"}
    names = corpus.write_all(tmp_path / "in", words)
    trap = "open('owned', 'w')\nz = '</pre><script>alert(1)</script>\x1b]0;x\x07\u202e'\n"
    trap += "<img src=x onerror=alert(2)>\ndouble = [print(k, z) for k in range(4711) if k % 7]"
    for k in range(2):
        both = notebook(cell(trap), cell("<!-- written: notebook -->" + trap, kind="markdown"))
        (tmp_path / "in" / f"a<b>{k}.ipynb").write_text(both)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    command = ["similarity", str(tmp_path / "in"), "--key", str(path.parent)]
    assert cli.main([*command, "-o", str(tmp_path / "out")]) == 0
    assert f"{len(names) + 2} submissions" in capsys.readouterr().out
    told = (tmp_path / "out" / "pairs.html").read_text() + (
        tmp_path / "out" / "pairs.csv"
    ).read_text()
    for evil in ("<script", "<img", "\x1b", "\x07", "\u202e", "<b>"):
        assert evil not in told
    assert "unreadable" in told and "default-src 'none'" in told
    after = sorted(p.name for p in tmp_path.rglob("*") if "out" not in p.parts[-2:])
    assert [n for n in after if n != "out"] == before


def test_the_command_writes_a_table_and_a_page_with_both_sides(tmp_path):
    made = write_class(tmp_path / "in")
    put(tmp_path / "in", "zz", {q: renamed(t) for q, t in made["student008"].items()})
    command = ["similarity", str(tmp_path / "in"), "--key", str(KEY), "--set", "ps1"]
    for folder in ("a", "b"):
        assert cli.main([*command, "-o", str(tmp_path / folder)]) == 0
    assert (tmp_path / "a" / "pairs.csv").read_bytes() == (
        tmp_path / "b" / "pairs.csv"
    ).read_bytes()
    with (tmp_path / "a" / "pairs.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["student"], first["other"]) == ("student008", "zz")
    assert float(first["score"]) >= SHOWN
    told = (tmp_path / "a" / "pairs.html").read_text()
    assert "Likeness is not guilt" in told and "student008 and zz" in told
    assert told.count("<mark class='rare'>") >= 10 and "my_gg" in told


def test_a_name_that_is_a_formula_is_none_in_the_table(tmp_path):
    made = write_class(tmp_path)
    for name in ("=SUM(1)", "+copy"):
        put(tmp_path, name, made["student001"])
    assert "\n=" not in table(compare(PROBLEMS, find(tmp_path)))
    assert ",+" not in table(compare(PROBLEMS, find(tmp_path)))


def test_the_cells_of_a_question_are_those_that_define_it():
    cells = [
        "def f(x):\n  pass",
        "y = f(1)",
        "f = 3",
        "g == f",
        "z, f = 1, 2",
        "  f = 1",
        "f: int = 2",
    ]
    assert cells_of("f", cells) == [0, 2, 6]
    assert cells_of("nothing", cells) == []
