"""One style for all code: ruff's rules, and ruff's format for Python files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


FOLDERS = ["course_lib", "tools", "tests", "benchmarks"]


@pytest.mark.parametrize("arguments", [["check", "."], ["format", "--check", *FOLDERS]])
def test_the_code_is_as_ruff_wants_it(arguments):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
