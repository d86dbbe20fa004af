"""What is kept of a reader's work, and the page that shows it."""

import json
import os
import subprocess
import sys
import threading

import pytest
import torch

from course_lib import checks
from course_lib.study import __main__ as program
from course_lib.study import compare, exercises, page, store, write_page
from tests import browser
from tests.exercises.notebook import ROOT

NAME = "toy_models.toy_forward"


def right(x, W, b):
    return torch.relu(x @ W @ W.mT + b[:, None])


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "kept" / "progress.jsonl"))
    return tmp_path / "kept" / "progress.jsonl"


def test_a_right_and_a_wrong_answer_are_kept_and_an_open_one_is_not(file):
    def stub(x, W, b):
        raise NotImplementedError

    for answer in (stub, lambda x, W, b: x, right):
        checks.check(NAME, answer)
    tries = store.read().checks
    assert [(one["name"], one["done"]) for one in tries] == [(NAME, False), (NAME, True)]
    assert tries[1]["passed"] == tries[1]["cases"] == len(checks.cases(NAME))


def test_running_the_solved_notebook_is_no_progress(file, tmp_path):
    cell = tmp_path / "cell.py"
    begin = "BEGIN"  # apart, so that no function of this file looks like a printed solution
    body = f"    ### {begin} SOLUTION\n    return x\n    ### END SOLUTION\n"
    cell.write_text(
        f"def toy_forward(x, W, b):\n{body}\nclass Model:\n    def f(x):\n        pass\n"
    )
    names = {}
    exec(compile(cell.read_text(), str(cell), "exec"), names)
    checks.check(NAME, names["toy_forward"])
    checks.check(NAME, names["Model"])
    assert not file.exists()


def test_a_file_that_cannot_be_written_gives_a_warning_and_the_check_goes_on(monkeypatch, tmp_path):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "a file" / "progress.jsonl"))
    with pytest.warns(UserWarning, match="progress was not kept: .*COURSE_PROGRESS"):
        assert checks.check(NAME, right) is right
    assert "cannot be read" in store.read().complaint


def test_a_disk_that_is_full_in_the_middle_of_a_line_keeps_the_lines_before(file):
    resource = pytest.importorskip("resource")
    store.add(**GOOD)
    before, limits = file.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.warns(UserWarning, match="not kept: .*No space left"):
            store.add(**GOOD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before
    store.add(**GOOD)
    assert (len(store.read().checks), store.read().complaint) == (2, "")


def test_without_a_home_the_command_says_what_to_set(monkeypatch, capsys, tmp_path):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setattr(store.Path, "home", homeless)
    assert program.main(["-o", str(tmp_path / "page.html")]) == 1
    said = capsys.readouterr().err
    assert "home directory" in said and "COURSE_PROGRESS" in said


def test_off_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    monkeypatch.setenv("HOME", str(tmp_path))
    checks.check(NAME, right)
    assert list(tmp_path.rglob("*.jsonl")) == []
    assert "nothing is kept" in store.read().complaint


def test_without_the_variable_the_file_stands_at_home(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert store.path() == tmp_path / ".course_lib" / "progress.jsonl"


GOOD = {"kind": "check", "name": NAME, "done": True, "passed": 1, "cases": 1}
BAD = [
    "{",
    "[" * 100_000,
    "null",
    "[]",
    '{"kind": "check"}',
    '{"kind": ["check"], "at": 1}',
    '{"kind": "unknown", "at": "2026-01-01"}',
    json.dumps(GOOD | {"at": "yesterday"}),
    json.dumps(GOOD | {"passed": "1", "at": "2026-01-01"}),
    json.dumps(GOOD | {"passed": float("nan"), "at": "2026-01-01"}),
    "\ud7ff\u0000",
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_line_that_cannot_be_read_costs_itself_alone_and_is_told(file, bad):
    store.add(**GOOD)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(bad)  # and no end of line, as when the power goes
    store.add(**GOOD)
    kept = store.read()
    assert len(kept.checks) == 2
    assert kept.complaint.startswith("1 line of ") and "Delete the file" in kept.complaint
    assert "1 line of " in page.page(kept)


def test_bytes_that_are_no_text_are_told_too(file):
    store.add(**GOOD)
    with file.open("ab") as opened:
        opened.write(bytes(range(128, 256)))
    assert len(store.read().checks) == 1
    assert "cannot be read" in store.read().complaint


def test_notebooks_that_write_at_once_lose_nothing(file):
    def many():
        for _ in range(50):
            store.add(**GOOD)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = store.read()
    assert (len(kept.checks), kept.complaint) == (200, "")


def test_compare_prints_and_keeps_every_question(capsys):
    compare("02_toy_models", {"rare": 2, "all": "two"}, [torch.tensor(5), 2.3456])
    assert capsys.readouterr().out == (
        "rare: you said 2, this run says 5\nall: you said 'two', this run says 2.35\n"
    )
    kept = store.read().predictions
    assert [(one["question"], one["guess"], one["outcome"]) for one in kept] == [
        ("rare", "2", "5"),
        ("all", "'two'", "2.35"),
    ]


@pytest.mark.parametrize("chapter", sorted((ROOT / "book").glob("*/*.ipynb")), ids=lambda p: p.stem)
def test_a_chapter_comes_back_to_its_prediction_under_its_own_name(chapter):
    cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    calls = [text for text in code if "my_prediction, outcomes)" in text]
    assert len(calls) == 1
    assert f'compare("{chapter.stem}", my_prediction, outcomes)' in calls[0]


def test_a_question_taken_away_is_told_in_a_sentence():
    with pytest.raises(ValueError, match="1 questions and there are 2 outcomes; keep the"):
        compare("02_toy_models", {"rare": 2}, [5, 2])


def test_done_stays_done_and_the_page_counts_it():
    store.add(**GOOD)
    store.add(**GOOD | {"done": False, "passed": 0, "cases": 3})
    store.add("check", name="toy_models.pair_losses", done=False, passed=2, cases=7)
    html = page.page(store.read())
    assert f"1 of {len(exercises())} exercises done" in html
    assert html.count("✓ done") == 1 and "2 of 7 cases pass" in html


def test_the_page_shows_the_first_guess_and_the_last():
    for guess in (3, 4, 5):
        compare("02_toy_models", {"how many": guess}, [5])
    assert "how many</th><td>3</td><td>5</td><td>5</td>" in page.page(store.read())


def test_what_is_kept_cannot_put_markup_on_the_page():
    compare("02_toy_models", {"<script>alert(1)</script>": "<img src=x>"}, [1])
    html = page.page(store.read())
    assert "<script>alert" not in html and "<img" not in html
    assert "&lt;script&gt;" in html


def test_the_program_writes_the_page_and_says_where(file, capsys):
    assert program.main([]) == 0
    said = capsys.readouterr()
    assert file.with_name("progress.html").as_uri() in said.out and said.err == ""
    assert program.main(["-o", "/proc/nowhere/progress.html"]) == 1
    assert "progress.html" in capsys.readouterr().err


def test_the_library_of_studying_needs_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules)\n"
        "sys.modules.update(dict.fromkeys(['torch', 'numpy', 'IPython']))\n"
        "import types; sys.modules['course_lib'] = package = types.ModuleType('course_lib')\n"
        "package.__path__ = ['course_lib']\n"
        "from course_lib.study import compare, hint\n"
        "hint('1.1'); compare('01_features_as_directions', {'a': 1}, [2.0])\n"
    )
    off = os.environ | {"COURSE_PROGRESS": "off"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=off, check=True)


def test_the_page_fits_a_phone_asks_no_host_and_has_no_fault_that_axe_knows(tmp_path):
    store.add(**GOOD)
    compare("02_toy_models", {"kept when rare (p = 0.05)": 2}, [5])
    written = write_page(tmp_path / "progress.html")
    with browser.launched() as chromium:
        from axe_playwright_python.sync_playwright import Axe

        for scheme, width in (("light", 390), ("dark", 1280)):
            opened = chromium.new_page(
                viewport={"width": width, "height": 844}, color_scheme=scheme
            )
            asked = []
            opened.on("request", lambda one, asked=asked: asked.append(one.url))
            opened.goto(written.as_uri())
            assert asked == [written.as_uri()]
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(opened, options={"preload": False}).response["violations"]
            assert [one["help"] for one in found] == []
