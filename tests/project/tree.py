"""The files of the project as git sees them, and copies of them."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def files() -> list[Path]:
    """Every file that is in git or would be, relative to the project; skips outside a checkout."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no git checkout, so nothing says which files belong to the project")
    names = [Path(name) for name in done.stdout.split("\0") if name]
    return [name for name in names if (ROOT / name).is_file()]


def copy(target: Path) -> Path:
    """Copy the project to `target`, a git repository of its own, and return it."""
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target
