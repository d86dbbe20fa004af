"""What SECURITY.md says of the code is so, and the tests that it names exist."""

import ast
import re

import pytest

from tests.project import tree

SECURITY = (tree.ROOT / "SECURITY.md").read_text(encoding="utf-8")
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNS_TEXT = {"exec", "eval", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
NEEDED = {"torch.load": ("weights_only", True), "extractall": ("filter", "data")}
FORBIDDEN = {"shell": True, "allow_pickle": True, "trust_remote_code": True}

ALLOWED = {
    ("course_lib/grading/worker.py", "exec"): "runs the submission, inside the sandbox",
    ("course_lib/grading/visible.py", "exec"): "the call of an open case, of the lecturer's file",
    ("course_lib/grading/questions.py", "exec"): "the solved notebook of a set, the lecturer's own",
    ("tools/solved.py", "exec"): "the solved notebooks of this repository",
    ("tools/asked.py", "exec"): "edits of the solutions of this repository",
}
SCRIPT = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|"
    r"fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\("
)


def dangers(source):
    """Every call or import in Python text that could run what it is given."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += PICKLES & {name.split(".")[0] for name in names}
        if isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
            given = {k: v.value for k, v in given.items() if isinstance(v, ast.Constant)}
            found += [name] if name in RUNS_TEXT | SHELLS else []
            found += [f"{k}={v}" for k, v in FORBIDDEN.items() if given.get(k) is v]
            for ending, (keyword, value) in NEEDED.items():
                if name.endswith(ending) and given.get(keyword) != value:
                    found.append(name)
    return found


def test_no_code_opens_pickles_evaluates_text_or_asks_a_shell():
    found = {
        (name.as_posix(), danger)
        for name in tree.files()
        if name.suffix == ".py" and name.parts[0] in ("course_lib", "tools")
        for danger in dangers((tree.ROOT / name).read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import joblib", "exec(text)", "eval('1')",
        "__import__(name)", "os.system('ls')", "subprocess.run('ls', shell=True)",
        "torch.load(path)", "torch.load(path, weights_only=False)", "archive.extractall(folder)",
        "np.load(path, allow_pickle=True)", "get(name, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_search_finds_each_danger(source):
    assert len(dangers(source)) == 1


def test_the_search_lets_safe_calls_pass():
    safe = "torch.load(p, weights_only=True); sae.eval(); a.extractall(f, filter='data'); run([1])"
    assert dangers(safe) == []


def test_no_script_makes_markup_or_code_of_text_or_asks_a_host():
    scripts = [
        name
        for name in tree.files()
        if name.suffix == ".js" and name.parts[:2] == ("course_lib", "widgets")
    ]
    assert len(scripts) > 10
    for name in scripts:
        assert not SCRIPT.findall((tree.ROOT / name).read_text(encoding="utf-8")), name


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", SECURITY)
    assert len(named) > 15
    for path, function in named:
        assert f"def {function}(" in (tree.ROOT / path).read_text(encoding="utf-8"), function


def test_the_readme_names_the_page():
    assert "(SECURITY.md)" in (tree.ROOT / "README.md").read_text(encoding="utf-8")
