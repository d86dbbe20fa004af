"""The virtual environment of this folder: made once, renewed when the lock changes, never half."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tools.guard import Stop, Turn

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEEDED_GB = {
    False: 4.0,  # .venv, pip's cache and the environment that the tests make
    True: 1.0,  # what a change of the lock may bring
}
# Peers of which we use what needs none of their dependencies.
ALONE = ("dictionary-learning", "eai-sparsify", "overcomplete", "repeng", "steering-vectors")
# What a command adds to the environment: gigabytes, packages without their dependencies, how long.
ADDED = {
    "peers": (2.5, ALONE, "a minute or two"),
    "lab": (0.5, (), "half a minute"),
    "fuzz": (0.2, (), "a moment"),
}
STAMP = "installed"
HALF = "not-finished"


def python_in(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def demand_python(root: Path, version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raise Stop unless this Python is in the range of pyproject.toml."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    floor, ceiling = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text).groups()
    if not (3, int(floor)) <= version < (3, int(ceiling)):
        raise Stop(
            f"The course needs Python 3.{floor} to 3.{int(ceiling) - 1} and this is "
            f"{version[0]}.{version[1]}: install one of them and run `make PYTHON=python3.11 ...`."
        )


def demand_space(root: Path, gigabytes: float) -> None:
    """Raise Stop unless the disk has that much room."""
    free = shutil.disk_usage(root).free / 1e9
    if free < gigabytes:
        raise Stop(
            f"The installation needs {gigabytes:.0f} GB of disk and {free:.1f} GB are free here: "
            "make room and run the same command again."
        )


def reachable(url: str) -> bool:
    """Whether a web address answers."""
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False


def torch_index() -> list[str]:
    """pip's arguments for CPU builds of torch; empty where they come from the usual index.

    An index that does not answer is left out: pip would ask it again and again for minutes.
    """
    if sys.platform == "linux" and reachable(f"{CPU_INDEX}/torch/"):
        return ["--extra-index-url", CPU_INDEX]
    return []


def ensure(turn: Turn, root: Path) -> Path:
    """Make or renew `.venv` and give its interpreter; nothing happens if it is up to date.

    Raises Stop if this Python does not fit, space is short, or pip fails.
    """
    demand_python(root)
    venv = root / ".venv"
    python = python_in(venv)
    stamp, half = venv / STAMP, venv / HALF
    wanted = fingerprint(root)
    if venv.exists() and not stamp.exists() and not half.exists():
        raise Stop("The folder .venv was not made by this command: move it away and run it again.")
    found = stamp.read_text(encoding="utf-8") if stamp.exists() and python.exists() else ""
    if found == wanted and not half.exists():
        return python

    demand_space(root, NEEDED_GB[bool(found)])
    started = time.monotonic()
    venv.mkdir(exist_ok=True)
    if half.exists() or found.split("\n")[0] != wanted.split("\n")[0]:
        half.touch()  # first, so that whatever interrupts this is noticed by the next run
        _empty(venv, half)
        print("Installing into .venv (once; a few minutes) ...", flush=True)
        base = getattr(sys, "_base_executable", sys.executable)
        _step(turn, root, "making the virtual environment", [base, "-m", "venv", str(venv)])
    else:
        half.touch()
        print("Bringing .venv up to date ...", flush=True)
    pip = pip_in(python)
    _step(turn, root, "installing torch", [*pip, "--no-deps", "torch", *torch_index()])
    demand_cpu_torch(python)
    _step(turn, root, "installing the course", [*pip, "-e", ".[book,test]"])
    demand_cpu_torch(python)
    stamp.write_text(wanted, encoding="utf-8")
    half.unlink()
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)
    return python


def ensure_with(turn: Turn, root: Path, extra: str) -> Path:
    """Bring `.venv` up to date with one of the extras in ADDED; as `ensure` else."""
    python = ensure(turn, root)
    stamp, wanted = root / ".venv" / f"{extra} installed", fingerprint(root)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    gigabytes, alone, time_told = ADDED[extra]
    demand_space(root, gigabytes)
    print(f"Installing [{extra}] into .venv (once; {time_told}) ...", flush=True)
    pip, doing = pip_in(python), f"installing [{extra}]"
    _step(turn, root, doing, [*pip, "-e", f".[{extra}]"])
    if alone:
        _step(turn, root, doing, [*pip, "--no-deps", *alone])
    demand_cpu_torch(python)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def pip_in(python: Path) -> list[str]:
    """How packages are installed, at the versions of the lock."""
    quietly = ["--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-compile"]
    return [str(python), "-m", "pip", *quietly, "-c", "constraints.txt"]


def fingerprint(root: Path) -> str:
    """What an installation depends on: one line for Python and folder, one for what is needed."""
    needs = b"".join((root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    python = hashlib.sha256(f"{sys.version} {root}".encode()).hexdigest()
    return f"{python}\n{hashlib.sha256(needs).hexdigest()}\n"


def demand_cpu_torch(python: Path) -> None:
    """Raise Stop if the installed torch is a CUDA build (Linux), which is gigabytes larger."""
    ask = "import importlib.util as u; p = u.find_spec('torch').submodule_search_locations[0]; "
    ask += "print(open(p + '/version.py').read())"
    told = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True)
    cuda = re.search(r"^cuda\b[^=]*= *'([^']*)'", told.stdout, re.MULTILINE)
    if sys.platform == "linux" and cuda:
        raise Stop(
            f"pip found only a CUDA {cuda[1]} build of torch: make {CPU_INDEX} reachable "
            "(or give pip a CPU wheel with PIP_FIND_LINKS) and run the same command again."
        )


def _step(turn: Turn, root: Path, doing: str, arguments: list[str]) -> None:
    code, output = turn.run(arguments, root, quiet=True)
    if code:
        told = [line for line in output.splitlines() if line.strip() and "WARNING" not in line]
        print("\n".join(told[-15:]))
        raise Stop(f"It stopped while {doing}; the reason stands above, the next run starts over.")


def _empty(folder: Path, kept: Path) -> None:
    for path in folder.iterdir():
        if path != kept:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
