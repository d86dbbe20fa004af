"""`course doctor` says what is missing, and what to do."""

import collections

import pytest

from course_lib.grading import cli, doctor
from course_lib.grading.refusal import NoSandbox
from tests.grading.problem_sets import KEY, SETS

Usage = collections.namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def no_sandbox(monkeypatch):
    def refuse(*arguments, **words):
        raise NoSandbox("There is none: do this.")

    monkeypatch.setattr("course_lib.grading.sandbox.Sandbox", refuse)


def told(capsys):
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line for line in lines}


def test_it_names_the_sets_and_what_the_machine_has(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_KEY", str(KEY))
    lines = told(capsys)
    assert SETS[0] in lines["sets"] and "GB free here" in lines["disk"]
    assert "GB free" in lines["memory"] or "unknown" in lines["memory"]
    assert lines["isolation"].endswith("do this.")


def test_it_says_what_to_do_about_what_is_missing(monkeypatch, capsys, tmp_path):
    def absent(package):
        raise doctor.PackageNotFoundError(package)

    monkeypatch.setattr(doctor, "version", absent)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(2**33, 2**33, 2**28))
    monkeypatch.setattr(doctor, "_memory", lambda: 2**30)
    monkeypatch.setenv("COURSE_KEY", str(tmp_path))
    lines = told(capsys)
    assert lines["disk"].endswith("0.2 GB free here, less than 1. Make room.")
    assert lines["memory"].endswith(
        "1.0 GB free, less than 4. Close programs, or grade with --jobs 1."
    )
    assert "NONE" in lines["sets"] and "--key FOLDER" in lines["sets"]
    for package in ("torch", "numpy", "scipy"):
        assert lines[package].endswith(f"pip install {package}")
    assert lines["isolation"].split()[1:3] == ["not", "tried:"]
    assert lines["features"].endswith("pip install -e .")


def test_a_machine_that_says_nothing_of_its_memory_is_not_ill(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_memory", lambda: None)
    assert told(capsys)["memory"].split() == ["memory", "unknown"]
