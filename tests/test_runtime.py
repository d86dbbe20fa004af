"""Device, seed, switch, safe files and the report."""

import errno
import importlib
import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch

from course_lib import runtime


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_importing_the_library_needs_torch_alone():
    code = """
        import sys
        import course_lib, course_lib.superposition, course_lib.data, course_lib.claims
        heavy = {"matplotlib", "ipywidgets", "IPython", "sklearn", "scipy", "jaxtyping"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_a_missing_torch_is_said_in_one_sentence():
    code = """
        import sys
        sys.modules["torch"] = None
        try:
            import course_lib
        except ModuleNotFoundError as error:
            print(error)
    """
    assert (
        "needs PyTorch 2.4 or later and found none: run `pip install torch`" in python(code).stdout
    )


@pytest.mark.parametrize(("version", "accepted"), [("2.3.1+cu121", False), ("2.4.0", True)])
def test_a_too_old_torch_is_said_in_one_sentence(version, accepted):
    code = f"""
        import sys, types
        torch = types.ModuleType("torch")
        torch.__version__ = "{version}"
        sys.modules["torch"] = torch
        import course_lib
    """
    result = python(code)
    assert (result.returncode == 0) is accepted
    if not accepted:
        assert f"needs PyTorch 2.4 or later and found {version}" in result.stderr


def test_an_absent_device_is_refused_with_those_that_are_here():
    with pytest.raises(ValueError, match="name is 'tpu'; this machine offers .*cpu"):
        runtime.device("tpu")
    assert runtime.device("cpu") == torch.device("cpu")


def test_the_same_seed_gives_the_same_numbers():
    first = torch.rand(5, generator=runtime.seed_everything(3)), torch.rand(2)
    second = torch.rand(5, generator=runtime.seed_everything(3)), torch.rand(2)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_switches_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "full")
    monkeypatch.setenv("COURSE_SEED", "7")
    assert runtime.scale(quick=1, full=2) == 2
    assert runtime.seed() == 7
    monkeypatch.setenv("COURSE_SCALE", "huge")
    with pytest.raises(ValueError, match="COURSE_SCALE is 'huge'; it must be 'quick' or 'full'"):
        runtime.scale(quick=1, full=2)
    monkeypatch.setenv("COURSE_SEED", "-1")
    with pytest.raises(ValueError, match="COURSE_SEED is '-1'"):
        runtime.seed()


@pytest.mark.parametrize("switch", ["", "1"])
@pytest.mark.parametrize("bar", ["tqdm.std", "tqdm.notebook"])
def test_progress_is_shown_unless_the_environment_hides_it(monkeypatch, bar, switch):
    monkeypatch.setattr("tqdm.auto.tqdm", importlib.import_module(bar).tqdm)
    monkeypatch.setenv("TQDM_DISABLE", switch)
    monkeypatch.delenv("RANK", raising=False)
    steps = runtime.progress(range(3), "training")
    assert steps.disable is bool(switch)
    assert list(steps) == [0, 1, 2]


def test_a_file_is_written_whole(tmp_path):
    path = runtime.write_file(tmp_path / "new" / "a.txt", "één")
    assert path.read_text(encoding="utf-8") == "één"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode, "as readable as any other file"


@pytest.mark.parametrize(
    ("code", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the disk is read-only")]
)
def test_a_failed_write_says_why_and_leaves_the_old_file(tmp_path, monkeypatch, code, reason):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fails(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=rf"could not write .*a\.txt \(3 bytes\): {reason}") as raised:
        runtime.write_file(path, "new")
    assert raised.value.errno == code
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_report_is_json_with_versions_and_machine():
    command = [sys.executable, "-m", "course_lib.runtime"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    report = json.loads(output)
    assert torch.__version__.startswith(report["packages"]["torch"])
    assert {"python", "system", "device", "COURSE_SCALE"} <= set(report)


def test_the_model_of_a_run_is_named_once_and_can_be_another(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert runtime.model_name("story") == "story"
    monkeypatch.setenv("COURSE_MODEL", "gpt2")
    assert runtime.model_name("story") == "gpt2" and runtime.report()["COURSE_MODEL"] == "gpt2"
