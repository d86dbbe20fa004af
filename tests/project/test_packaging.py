"""What is installed, with which versions, and that each of them is named once."""

import ast
import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project import tree
from tools.lock import locked_version, pin

PYPROJECT = (tree.ROOT / "pyproject.toml").read_text(encoding="utf-8")
LOCK = (tree.ROOT / "constraints.txt").read_text(encoding="utf-8")
LOCKED = {
    canonicalize_name(line.partition("==")[0]): re.split(r"==|;", line)[1]
    for line in LOCK.splitlines()
    if not line.startswith("#")
}
NEEDS = [Requirement(text) for text in re.findall(r'"([a-z][a-z-]+>=[^"]+)"', PYPROJECT)]
LAZY = sorted(
    {"matplotlib", "ipywidgets", "sklearn", "scipy", "safetensors", "tqdm", "jaxtyping", "IPython"}
)
DATA = {".py", ".json", ".js", ".css", ".safetensors"}


@pytest.mark.parametrize("need", NEEDS, ids=str)
def test_every_range_admits_the_locked_version(need):
    assert need.specifier.contains(LOCKED[canonicalize_name(need.name)])


def test_the_lock_holds_no_cuda_package():
    assert not [name for name in LOCKED if name.startswith(("nvidia", "cuda"))]


def test_a_version_is_named_in_the_lock_alone():
    names = "|".join(re.escape(name).replace(r"\-", "[-_.]") for name in LOCKED)
    pinned = re.compile(rf"(?<![\w-])(?:{names})\s*==\s*\d", re.IGNORECASE)
    repeats = {
        name.as_posix(): found[0]
        for name in tree.files()
        if name.name != "constraints.txt"
        and name.parts[0] != "tests"
        and name.suffix in {".py", ".toml", ".md", ".yml", ".cff", ".ipynb", ""}
        and (found := pinned.search((tree.ROOT / name).read_text(encoding="utf-8")))
    }
    assert repeats == {}


def test_what_the_project_imports_is_in_the_lock():
    ours = {"course_lib", "tools", "tests"} | set(sys.stdlib_module_names)
    for folder in ("book/extension", "benchmarks", "course_lib/grading"):
        ours |= {path.stem for path in (tree.ROOT / folder).glob("*.py")}
    # Other libraries, measured or used where they are installed.
    ours |= {"dictionary_learning", "overcomplete", "sae_lens", "sparsify", "triton", "atheris"}
    distributions = packages_distributions()
    for name in tree.files():
        if name.suffix != ".py":
            continue
        for node in ast.walk(ast.parse((tree.ROOT / name).read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            for module in {module.split(".")[0] for module in modules} - ours:
                owners = map(canonicalize_name, distributions.get(module, [module]))
                assert LOCKED.keys() & set(owners), f"{name} imports {module}"


def test_importing_the_library_and_its_checks_needs_torch_and_numpy_alone():
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({LAZY!r}));"
        "import course_lib, course_lib.checks, course_lib.data, course_lib.models,"
        " course_lib.superposition, course_lib.sae, course_lib.claims, course_lib.runtime"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tree.ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_the_wheel_holds_the_whole_library_and_nothing_else(tmp_path):
    source = tree.copy(tmp_path / "source")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {Path(name) for name in wheel.namelist() if ".dist-info/" not in name}
    library = {name for name in tree.files() if name.parts[0] == "course_lib"}
    assert {name for name in library if name.suffix not in DATA} == set()
    assert held == library


def test_the_lock_says_which_torch():
    assert re.fullmatch(r"\d+\.\d+\.\d+", locked_version("torch"))
    with pytest.raises(KeyError, match="make lock"):
        locked_version("no-such-package")


@pytest.mark.parametrize(
    ("requires", "line"),
    [
        (">=3.11", 'a-b==1.0; python_version >= "3.11"'),
        (">=3.12,!=3.14.1", 'a-b==1.0; python_version >= "3.12"'),
        (">=3.9", "a-b==1.0"),
        (None, "a-b==1.0"),
    ],
)
def test_a_pin_applies_where_its_release_does(requires, line):
    assert pin({"name": "A_b", "version": "1.0+cpu", "requires_python": requires}) == line
