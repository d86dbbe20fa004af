"""Binder's environment: exactly its pip section, installed into a fresh environment.

The environment is kept in `.cache/` and made again when the files that decide it change.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

from tests.project import tree
from tools.guard import Stop
from tools.install import CPU_INDEX, demand_cpu_torch, demand_space, python_in, reachable
from tools.lock import locked_version

SOURCES = ("environment.yml", "pyproject.toml", "constraints.txt")
ENVIRONMENT = yaml.safe_load((tree.ROOT / "environment.yml").read_text(encoding="utf-8"))
PIP = next(part["pip"] for part in ENVIRONMENT["dependencies"] if isinstance(part, dict))
ASK = """
import importlib.metadata, json, pathlib
import course_lib
packages = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
print(json.dumps([packages, str(pathlib.Path(course_lib.__file__).resolve())]))
"""

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux",
    reason="Binder runs Python 3.11 on Linux; this is another",
)


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the environment, installed as conda installs a pip section."""
    decides = (
        b"".join((tree.ROOT / name).read_bytes() for name in SOURCES) + str(tree.ROOT).encode()
    )
    key = hashlib.sha256(decides).hexdigest()[:16]
    kept = tree.ROOT / ".cache" / "environment"
    folder = kept / key
    if not (folder / "installed").exists():
        try:
            demand_space(tree.ROOT, 2)
        except Stop as stop:
            pytest.fail(str(stop), pytrace=False)
        shutil.rmtree(kept, ignore_errors=True)
        venv.create(folder, with_pip=True)
        install(python_in(folder))
        (folder / "installed").touch()
    return python_in(folder)


def install(python: Path) -> None:
    requirements = tree.ROOT / f"condaenv.{os.getpid()}.requirements.txt"
    requirements.write_text("\n".join(PIP) + "\n", encoding="utf-8")
    speed = {"PIP_NO_COMPILE": "1"}
    if not reachable(f"{CPU_INDEX}/torch/"):
        speed["PIP_RETRIES"] = "0"  # pip would ask it five times for every package: ten minutes
    try:
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "-U", "-r", str(requirements)],
            cwd=tree.ROOT,
            env={**os.environ, **speed},
            capture_output=True,
            text=True,
        )
    finally:
        requirements.unlink()
    assert done.returncode == 0, "\n".join(done.stderr.splitlines()[-15:])


@pytest.fixture(scope="module")
def installed(python) -> tuple[dict[str, str], str]:
    """The versions that were installed, and where course_lib comes from."""
    done = subprocess.run([str(python), "-c", ASK], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


def test_the_file_holds_what_binder_reads_and_nothing_else():
    assert set(ENVIRONMENT) == {"name", "channels", "dependencies"}
    assert ENVIRONMENT["dependencies"][:2] == ["python=3.11", "pip"]


def test_the_pip_section_installs_the_course_from_this_folder(installed):
    assert Path(installed[1]).is_relative_to(tree.ROOT)


def test_every_installed_version_is_the_locked_one(installed):
    packages = {name: version.split("+")[0] for name, version in installed[0].items()}
    for name in {*packages} - {"pip", "setuptools", "features-in-superposition"}:
        assert packages[name] == locked_version(name.replace("_", "-").replace(".", "-")), name


def test_its_torch_is_a_cpu_build(python, installed):
    demand_cpu_torch(python)
    assert not [name for name in installed[0] if name.startswith("nvidia")]
