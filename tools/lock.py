"""Write constraints.txt, the one lock: `python -m tools.lock [--torch VERSION]`.

pip resolves the package with all its extras (Python 3.11, Linux, CPU) and reports what it would
install. A pin whose release no longer supports Python 3.10 gets a marker, so that 3.10 falls back
to the ranges of pyproject.toml. torch stays where it is unless `--torch` moves it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tools.install import ALONE, python_in, torch_index

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
EXTRAS = "book,test,lab,hub,train,peers,fuzz,release"
HEADER = "# The one lock, written by `make lock` (Python 3.11, Linux, CPU). Not edited by hand.\n"


def locked_version(name: str, lock: Path = LOCK) -> str:
    """The version that the lock pins `name` to; KeyError if it does not."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        pin = re.match(rf"{re.escape(name)}==([^\s;]+)", line, re.IGNORECASE)
        if pin:
            return pin[1]
    raise KeyError(f"{lock.name} has no line '{name}==...'; run `make lock`.")


def pin(metadata: dict) -> str:
    """One line of the lock from the metadata of one distribution."""
    name = re.sub(r"[-_.]+", "-", metadata["name"]).lower()
    line = f"{name}=={metadata['version'].split('+')[0]}"
    floor = re.search(r">=?\s*3\.(\d+)", metadata.get("requires_python") or "")
    if floor and int(floor[1]) > 10:
        line += f'; python_version >= "3.{floor[1]}"'
    return line


def resolve(torch: str) -> list[str]:
    """The lines of the lock as pip resolves them today, in alphabetical order."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder) / "venv", with_pip=True)
        wanted = [f"{ROOT}[{EXTRAS}]", f"torch=={torch}", *torch_index()]
        found = _would_install(Path(folder), wanted) + _would_install(
            Path(folder), ["--no-deps", *ALONE]
        )
    return sorted(pin(d["metadata"]) for d in found if "dir_info" not in d["download_info"])


def _would_install(folder: Path, wanted: list[str]) -> list[dict]:
    report = folder / "report.json"
    python = str(python_in(folder / "venv"))
    pip = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    subprocess.run([*pip, "--report", str(report), *wanted], check=True)
    return json.loads(report.read_text(encoding="utf-8"))["install"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="the torch version to lock (default: the one locked now)")
    torch = parser.parse_args().torch or locked_version("torch")
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
        print("The lock is made with Python 3.11 on Linux; start this with that Python.")
        return 1
    lines = resolve(torch)
    if any(line.startswith("nvidia-") for line in lines):
        print(f"torch {torch} resolved to a CUDA build; make a CPU wheel of it visible to pip.")
        return 1
    LOCK.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{LOCK.name}: {len(lines)} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
