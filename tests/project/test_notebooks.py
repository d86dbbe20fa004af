"""The plugin that turns nbval's run into the book's executed notebooks."""

import sys

import nbformat
import pytest

from tools import records

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester):
    """A repository with one library file and one notebook folder."""
    (pytester.path / "course_lib").mkdir()
    (pytester.path / "course_lib" / "a.py").write_text("x = 1\n")
    (pytester.path / "constraints.txt").write_text("torch==2.13.0\n")
    (pytester.path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (pytester.path / "book").mkdir()
    return pytester


def write_notebook(project, *sources):
    path = project.path / "book" / "chapter.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def run(project, *options):
    return project.runpytest_inprocess(
        "-p", "tools.notebooks", "--nbval-lax", "--nbval-current-env", *options, "book"
    )


def test_a_passed_notebook_is_kept_with_its_outputs_and_its_cost_and_then_reused(project):
    path = write_notebook(
        project,
        "import sys\nprint('out')\nprint('noise', file=sys.stderr)",
        "from IPython.display import display\n"
        "display({'text/plain': 'card', 'application/x+json': {'value': 1}}, raw=True)\n6 * 7",
        "6 * 8;",
    )
    run(project).assert_outcomes(passed=4)

    executed = nbformat.read(
        records.record_path(project.path, path).with_suffix(".ipynb"), as_version=4
    )
    assert [cell.execution_count for cell in executed.cells] == [1, 2, 3]
    assert [output.text for output in executed.cells[0].outputs] == ["out\n"]
    assert executed.cells[1].outputs[0].data["application/x+json"] == {"value": 1}
    assert executed.cells[1].outputs[1].data["text/plain"] == "42"
    assert executed.cells[2].outputs == []
    record = records.load(project.path, path)
    assert 0 < record.cpu_seconds < 60
    assert 10 < record.peak_mb < 1000
    assert records.is_current(project.path, path)

    again = run(project)
    again.assert_outcomes(deselected=4)
    assert again.ret == pytest.ExitCode.OK
    again.stdout.fnmatch_lines(
        ["reused 1 notebook that passed with the same inputs: book/chapter.ipynb"]
    )

    (project.path / "course_lib" / "a.py").write_text("x = 2\n")
    run(project).assert_outcomes(passed=4)


def test_a_failed_notebook_leaves_no_record_and_removes_the_old_one(project):
    path = write_notebook(project, "1 + 1", "raise ValueError('no')")
    old = records.record_path(project.path, path)
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    run(project).assert_outcomes(passed=1, failed=1, skipped=1)
    assert not old.exists()
    assert not old.with_suffix(".ipynb").exists()


def test_a_notebook_over_budget_fails_in_one_sentence_and_is_not_recorded(project, monkeypatch):
    monkeypatch.setattr(records, "PEAK_MB_BUDGET", 1.0)
    path = write_notebook(project, "1 + 1")
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["over budget: the notebook took * MB of memory (allowed: 1)*"])
    assert records.load(project.path, path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
@pytest.mark.parametrize(
    "allocate", ["x = bytearray({})", "import torch; x = torch.ones({}, dtype=torch.uint8)"]
)
def test_a_notebook_has_the_memory_of_binder_and_no_more(project, allocate):
    fits, too_much = (allocate.format(int(gigabytes * 2**30)) for gigabytes in (1, 2.5))
    path = write_notebook(project, fits)
    run(project).assert_outcomes(passed=2)
    assert records.load(project.path, path).peak_mb > 1000, "it was filled, not only reserved"
    path = write_notebook(project, too_much)
    result = run(project, "--lenient-budget")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.re_match_lines([".*(MemoryError|can't allocate memory)"])
    assert records.load(project.path, path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_process_that_a_notebook_starts_has_the_same_limit(project):
    ask = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[1])"
    command = f"[sys.executable, '-c', {ask!r}]"
    path = write_notebook(
        project, f"import subprocess, sys\nsubprocess.check_output({command}, text=True)"
    )
    run(project).assert_outcomes(passed=2)
    executed = records.record_path(project.path, path).with_suffix(".ipynb")
    said = nbformat.read(executed, as_version=4).cells[0].outputs[0].data["text/plain"]
    assert said == repr(f"{records.DATA_BYTES_LIMIT}\n")


def test_a_slow_machine_may_be_lenient_about_the_budget_and_the_next_strict_run_is_not(
    project, monkeypatch
):
    monkeypatch.setattr(records, "PEAK_MB_BUDGET", 1.0)
    path = write_notebook(project, "1 + 1")
    result = run(project, "--lenient-budget")
    result.assert_outcomes(passed=2, warnings=1)
    assert records.is_current(project.path, path)
    run(project, "--lenient-budget").assert_outcomes(deselected=2)
    run(project).assert_outcomes(passed=1, failed=1)


def test_more_time_than_the_budget_is_told_and_twice_as_much_fails(project, monkeypatch):
    monkeypatch.setattr(records, "CPU_SECONDS_BUDGET", 0.0)
    path = write_notebook(project, "1 + 1")
    result = run(project)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*over budget: the notebook took * CPU seconds (allowed: 0)*"])
    assert records.is_current(project.path, path)
    monkeypatch.setattr(records, "CPU_SECONDS_REFUSED", 0.0)
    run(project).assert_outcomes(passed=1, failed=1)


def test_an_output_that_changes_after_it_was_shown_is_refused(project):
    write_notebook(project, "from IPython.display import clear_output\nclear_output()")
    result = run(project)
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*clear_output, which the page of the book cannot show*"])


def test_a_notebook_that_asks_the_network_fails(project):
    write_notebook(
        project, "from urllib.request import urlopen\nurlopen('https://example.org', timeout=5)"
    )
    result = run(project)
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*Connection refused*"])


def test_a_notebook_run_in_part_is_not_recorded(project):
    path = write_notebook(project, "1 + 1", "2 + 2")
    result = project.runpytest_inprocess(
        "-p", "tools.notebooks", "--nbval-lax", "--nbval-current-env", "-k", "0 or cost", "book"
    )
    result.assert_outcomes(passed=1, skipped=1, deselected=1)
    assert records.load(project.path, path) is None


@pytest.mark.parametrize("change", ["notebook", "library", "lock file", "setting"])
def test_the_inputs_digest_changes_with(change, project, monkeypatch):
    path = write_notebook(project, "1 + 1")
    before = records.inputs_digest(project.path, path)
    if change == "notebook":
        write_notebook(project, "1 + 2")
    elif change == "library":
        (project.path / "course_lib" / "b.json").write_text("{}")
    elif change == "lock file":
        (project.path / "constraints.txt").write_text("torch==2.4.0\n")
    else:
        monkeypatch.setenv("COURSE_SCALE", "full")
    assert records.inputs_digest(project.path, path) != before
