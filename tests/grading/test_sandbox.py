"""What a submission can reach, and what ends it. Needs bubblewrap; says so where it is missing."""

import os
import time
from pathlib import Path

import pytest
import torch

from course_lib.grading.limits import Limits
from course_lib.grading.sandbox import NoSandbox, Sandbox, exposed, probe
from course_lib.grading.talk import Job

QUICK = Limits(cell=1.0, cells=3.0, idle=6.0)
X = torch.tensor([1.0, -2.0, 0.5])
SECRET = torch.tensor([7.0, 7.5, 8.0])


def unavailable() -> str:
    try:
        probe()
    except NoSandbox as reason:
        return str(reason)
    return ""


REASON = unavailable()
needs_bubblewrap = pytest.mark.skipif(bool(REASON), reason=f"NO SANDBOX TESTED: {REASON}")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(("data",), limits=QUICK) as made:
        yield made


def job(*cells: str, seconds: float = 1.0, skip=()) -> Job:
    question = {"name": "f", "value": False, "seconds": seconds, "inputs": [[["x"]], [["x"]]]}
    questions = [question | {"calls": [[None], [None]]}]
    return Job(list(cells), questions, ([[[X]]], [[[SECRET]]]), list(skip))


def told(outcome) -> str:
    return f"{outcome.troubles} {outcome.failures}"


pytestmark = needs_bubblewrap


def test_a_function_is_run_on_open_and_hidden_inputs(sandbox):
    outcome = sandbox.run(job("def f(x): return 2 * x"))
    assert outcome.ended == "finished" and outcome.failures == outcome.troubles == {}
    assert torch.equal(outcome.outputs[0, 0, 0], 2 * X)
    assert torch.equal(outcome.outputs[1, 0, 0], 2 * SECRET)


def test_a_cold_sandbox_gives_what_a_warm_one_gives():
    with Sandbox(kind="cold") as cold:  # with time enough to import torch on a busy machine
        outcome = cold.run(job("def f(x): return 2 * x", seconds=10.0))
    assert outcome.ended == "finished" and told(outcome) == "{} {}"
    assert torch.equal(outcome.outputs[1, 0, 0], 2 * SECRET)


def test_a_failing_statement_does_not_take_what_follows_with_it(sandbox):
    cells = "import no_such_module\nimport matplotlib.pyplot as plt", "def f(x: return", "1 / 0"
    outcome = sandbox.run(job(*cells, "fig, ax = plt.subplots()\ndef f(x): return x"))
    assert torch.equal(outcome.outputs[0, 0, 0], X)
    assert list(outcome.troubles) == [0, 1, 2]
    assert "no_such_module" in outcome.troubles[0] and "SyntaxError" in outcome.troubles[1]


def test_the_rooms_that_a_set_names_are_there_and_all_others_do_nothing(sandbox):
    cell = """
from course_lib.data import SparseFeatures
from course_lib import checks, plots, sae
from course_lib.checks import core
def f(x):
    known = [SparseFeatures.__module__ == "course_lib.data.sparse", bool(callable(sae.TopKSAE))]
    return [*known, type(sae).__name__, type(checks).__name__, hasattr(core, "__file__")]
"""
    assert sandbox.run(job(cell)).outputs[0, 0, 0] == [True, True, "Nothing", "Nothing", False]


def test_the_sandbox_shows_no_home_no_process_no_network_and_nothing_to_write(sandbox):
    cell = """
import os, socket
def reachable(path):
    return os.path.exists(path)
def writable(path):
    try:
        open(os.path.join(path, "x"), "w").close()
        return True
    except OSError:
        return False
def f(x):
    places = [%r, "/proc/self", "/sys", "/var", "/etc/passwd", "/run", "/home"]
    return (
        [p for p in places if reachable(p)],
        [p for p in ["/", "/usr", "/dev", "/grader", "/grader/course_lib", %r] if writable(p)],
        [name for _, name in socket.if_nameindex() if name != "lo"],
        sorted(os.environ), os.getpid() < 50, writable("/tmp"),
    )
""" % (str(Path(__file__)), str(exposed()[0]))  # noqa: UP031
    seen, written, network, names, alone, tmp = sandbox.run(job(cell)).outputs[0, 0, 0]
    assert (seen, written, network) == ([], [], [])
    assert names == ["HOME", "OMP_NUM_THREADS", "PATH", "TMPDIR"]
    assert alone and tmp


@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_the_keys_of_the_kernel_are_out_of_reach(kind):
    cell = """
import ctypes, os
add, control = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)
def f(x):
    found = []
    for ring in (-3, -4, -5):
        found.append(libc.syscall(add, b"user", b"left", b"said", 4, ctypes.c_int(ring)))
        found.append(libc.syscall(control, 11, ctypes.c_int(ring), None, 0))
        found.append(ctypes.get_errno())
    return found
"""
    with Sandbox(kind=kind) as made:
        assert made.run(job(cell, seconds=10.0)).outputs[0, 0, 0] == [-1, -1, 1] * 3


def test_no_word_comes_out_once_the_hidden_inputs_are_in(sandbox):
    outcome = sandbox.run(job("def f(x): raise ValueError(x.tolist())"))
    assert outcome.failures[0, 0, 0][1].endswith("[1.0, -2.0, 0.5]")
    assert outcome.failures[1, 0, 0] == (False, "")


def test_hidden_inputs_are_not_in_the_sandbox_before_the_open_cases_are_done(sandbox):
    cell = """
import os, select
def f(x):
    ready = select.select([0], [], [], 0.3)[0]
    return len(os.read(0, 100)) if ready else 0
"""
    assert sandbox.run(job(cell)).outputs[0, 0, 0] == 0


@pytest.mark.parametrize("again", ["wire.HELLO", "wire.CELL, 0, 1"])
def test_a_deadline_is_not_moved_by_saying_the_same_again(sandbox, again):
    cell = f"""
import gc, time, wire
self = next(o for o in gc.get_objects() if type(o).__name__ == "Submission")
while True:
    self.send({again})
    time.sleep(0.05)
"""
    assert sandbox.run(job(cell)).ended == "malformed output"


def test_an_endless_cell_is_interrupted_and_the_rest_is_graded(sandbox):
    outcome = sandbox.run(job("while True: pass", "def f(x): return x"))
    assert "TimeoutError" in outcome.troubles[0] and outcome.ended == "finished"
    assert torch.equal(outcome.outputs[1, 0, 0], SECRET)


@pytest.mark.parametrize(
    "cell",
    ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)"],
)
def test_a_cell_that_ends_the_worker_is_named(sandbox, cell):
    outcome = sandbox.run(job("pass", cell, "def f(x): return x"))
    assert (outcome.ended, outcome.last_cell) == ("it ended early", 1)
    again = sandbox.run(job("pass", cell, "def f(x): return x", skip=[1]))
    assert torch.equal(again.outputs[1, 0, 0], SECRET)


def test_an_endless_question_ends_alone(sandbox):
    outcome = sandbox.run(job("def f(x):\n    while True:\n        pass"))
    assert outcome.ended == "finished" and outcome.outputs == outcome.failures == {}


def test_what_a_submission_leaves_behind_is_gone_before_the_next(sandbox):
    cell = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(0.1)
    os._exit(0)
open("/tmp/left", "w").write("x"); open("/dev/shm/left", "w").write("x")
def f(x): return x
"""
    before = processes()
    assert sandbox.run(job(cell)).ended == "finished"
    deadline = time.monotonic() + 10
    while processes() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes() - before == set()
    look = "import os\ndef f(x): return [os.path.exists(f'{p}/left') for p in ('/tmp', '/dev/shm')]"
    assert sandbox.run(job(look)).outputs[0, 0, 0] == [False, False]


def processes() -> set[str]:
    """The ids of the processes that run in another PID namespace than this one."""
    ours, found = os.readlink("/proc/self/ns/pid"), set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != ours:
                found.add(name)
        except OSError:
            continue
    return found


def test_a_secret_in_a_folder_that_is_shown_is_refused():
    with pytest.raises(NoSandbox, match="which a sandbox shows; move it"):
        Sandbox(secrets=(exposed()[0] / "key",))


def test_no_bubblewrap_is_a_refusal_that_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "defpath", "")
    with pytest.raises(NoSandbox, match="apt-get install bubblewrap"):
        Sandbox()


def test_a_worker_that_is_not_isolated_says_nothing_and_gets_no_grade(monkeypatch):
    from course_lib.grading import sandbox as module

    bare = ["bwrap", "--dev-bind", "/", "/"]
    monkeypatch.setattr(
        module, "bubblewrap", lambda rooms, command, *o: [*bare, *o, "--", *command]
    )
    monkeypatch.setattr(module, "probe", lambda: None)
    with Sandbox(kind="cold", limits=QUICK) as bad, pytest.raises(NoSandbox, match="did not start"):
        bad.run(job("def f(x): return x"))
