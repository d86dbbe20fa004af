"""Keeps what nbval's kernel produced, so that no notebook runs once for the tests and once more
for the book.

    python -m pytest -p tools.notebooks --nbval-lax --nbval-current-env book solutions exercises

Each notebook gets one test more than it has code cells, named "cost and record". If the run was
over budget it warns, and fails where that cannot be a busy machine: over the budget of memory, or
twice that of time (with `--lenient-budget`, for a reader's own machine, it only warns). Otherwise
it writes the executed notebook and its record (`tools.records`).
On Linux each process of a notebook may hold 2 GB, Binder's memory, and an allocation past that
fails in its cell; macOS and Windows have no such limit, so there the budget alone is looked at.
A notebook that passed before with the same inputs is not run again, and the summary says so.
"""

import copy
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tools import records

if sys.platform == "linux":
    import resource

# The proxy is a closed door: a notebook that asks the network fails here, as it would offline.
CLOSED = "http://127.0.0.1:9"
KERNEL_ENVIRONMENT = {
    "http_proxy": CLOSED,
    "https_proxy": CLOSED,
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "COURSE_PROGRESS": "off",
    "COURSE_STATIC": "1",
}
REUSED = pytest.StashKey[list[str]]()
LENIENT = "--lenient-budget"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        LENIENT, action="store_true", help="warn about a notebook that is over budget, do not fail"
    )


class Notebook(IPyNbFile):
    """One notebook: its cells as nbval runs them, then the test of its cost."""

    def collect(self) -> Iterator[pytest.Item]:
        self.passed: dict[int, list[Any]] = {}
        yield from super().collect()
        yield CostAndRecord.from_parent(self, name="cost and record")

    def setup(self) -> None:
        records.forget(self.config.rootpath, self.path)
        self.started = time.monotonic()
        with pytest.MonkeyPatch.context() as environment:
            for name, value in KERNEL_ENVIRONMENT.items():
                environment.setenv(name, value)
            super().setup()
        limit_memory(self.kernel.km.provisioner.pid)
        self.kernel.execute_cell_input = self.execute_as_jupyter_does

    def execute_as_jupyter_does(self, source: str, allow_stdin: bool | None = None) -> str:
        """Send one cell to the kernel with history, without which a final `;` hides nothing."""
        return self.kernel.kc.execute(
            source, store_history=True, allow_stdin=bool(allow_stdin), stop_on_error=False
        )

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub") -> dict:
        message = super().get_kernel_message(timeout=timeout, stream=stream)
        if message["msg_type"] in ("update_display_data", "clear_output"):
            raise RuntimeError(
                f"the cell sends {message['msg_type']}, which the page of the book cannot show; "
                "display the final state once"
            )
        return message

    def executed(self) -> nbformat.NotebookNode:
        """The notebook with the outputs of this run; standard error is left out."""
        notebook = copy.deepcopy(self.nb)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for number, cell in enumerate(code):
            cell.execution_count = number + 1
            cell.outputs = [out for out in self.passed[number] if out.get("name") != "stderr"]
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number + 1
        nbformat.validate(notebook)
        return notebook


class CostAndRecord(pytest.Item):
    """Passes if every cell passed within the budget, and then records the run."""

    parent: Notebook

    def runtest(self) -> None:
        notebook = self.parent
        cells = [cell for cell in notebook.nb.cells if cell.cell_type == "code"]
        if len(notebook.passed) < len(cells):
            pytest.skip("not every cell ran and passed, so nothing is recorded")
        cpu_seconds, peak_mb = kernel_cost(notebook.kernel.km.provisioner.pid)
        complaint = over_budget(cpu_seconds, peak_mb)
        if refused(cpu_seconds, peak_mb) and not self.config.getoption(LENIENT):
            pytest.fail(complaint, pytrace=False)
        if complaint:
            warnings.warn(complaint, stacklevel=1)
        root = self.config.rootpath
        record = records.Record(
            inputs=records.inputs_digest(root, notebook.path),
            cpu_seconds=round(cpu_seconds, 1),
            peak_mb=round(peak_mb),
            wall_seconds=round(time.monotonic() - notebook.started, 1),
            machine=records.machine(),
            date=datetime.now(timezone.utc).date().isoformat(),
        )
        try:
            records.save(root, notebook.path, notebook.executed(), record)
        except OSError as error:
            pytest.fail(f"the run passed but could not be kept: {error}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        where = self.path.relative_to(self.config.rootpath).as_posix()
        return self.path, 0, f"{where}::{self.name}"


def limit_memory(pid: int) -> None:
    """Let a process, and those it starts, hold `records.DATA_BYTES_LIMIT` each (Linux).

    What is limited is written memory. Address space, of which torch reserves much and uses little,
    is free; so are the pages of libraries, which Binder's kernel drops when memory is short.
    """
    if sys.platform == "linux":
        both = (records.DATA_BYTES_LIMIT, records.DATA_BYTES_LIMIT)
        resource.prlimit(pid, resource.RLIMIT_DATA, both)


def kernel_cost(pid: int) -> tuple[float, float]:
    """CPU seconds so far and the sum of peak resident MiB of a process and its living children.

    CPU seconds include children that have ended. Where the system does not tell a process's peak
    (macOS) the memory is the present one.
    """
    kernel = psutil.Process(pid)
    ended = kernel.cpu_times()
    cpu_seconds = getattr(ended, "children_user", 0.0) + getattr(ended, "children_system", 0.0)
    peak_bytes = 0
    for process in [kernel, *kernel.children(recursive=True)]:
        try:
            times = process.cpu_times()
            cpu_seconds += times.user + times.system
            peak_bytes += _peak_bytes(process)
        except psutil.NoSuchProcess:
            continue
    return cpu_seconds, peak_bytes / 2**20


def _peak_bytes(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        return next(
            int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")
        )
    except (OSError, StopIteration):
        memory = process.memory_info()
        return getattr(memory, "peak_wset", memory.rss)


def over_budget(cpu_seconds: float, peak_mb: float) -> str:
    """A sentence that says which limits a run broke, or an empty string."""
    broken = [
        f"{used:.0f} {unit} (allowed: {allowed:.0f})"
        for used, allowed, unit in (
            (cpu_seconds, records.CPU_SECONDS_BUDGET, "CPU seconds"),
            (peak_mb, records.PEAK_MB_BUDGET, "MB of memory"),
        )
        if used > allowed
    ]
    if not broken:
        return ""
    return (
        f"over budget: the notebook took {' and '.join(broken)}; "
        "make the quick size smaller, or load stored results instead of training"
    )


def refused(cpu_seconds: float, peak_mb: float) -> bool:
    """Whether a run was over budget by more than a busy machine explains."""
    return cpu_seconds > records.CPU_SECONDS_REFUSED or peak_mb > records.PEAK_MB_BUDGET


def _was_refused(root: Path, notebook: Path) -> bool:
    record = records.load(root, notebook)
    return refused(record.cpu_seconds, record.peak_mb)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[None]:
    collectors = yield
    return [
        Notebook.from_parent(parent, path=file_path) if type(one) is IPyNbFile else one
        for one in collectors
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    root = config.rootpath
    notebooks = {item.parent.path for item in items if isinstance(item.parent, Notebook)}
    lenient = config.getoption(LENIENT)
    current = {
        path
        for path in notebooks
        if records.is_current(root, path) and (lenient or not _was_refused(root, path))
    }
    config.stash[REUSED] = sorted(path.relative_to(root).as_posix() for path in current)
    reused = [item for item in items if item.path in current]
    if reused:
        config.hook.pytest_deselected(items=reused)
        items[:] = [item for item in items if item.path not in current]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    notebook = item.parent
    if isinstance(notebook, Notebook) and isinstance(item, IPyNbCell):
        if report.when == "call" and not report.failed and not hasattr(report, "wasxfail"):
            notebook.passed[item.cell_num] = item.test_outputs or []
        elif report.failed:
            notebook.passed.pop(item.cell_num, None)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):  # a worker of pytest-xdist
        config.workeroutput["reused notebooks"] = config.stash.get(REUSED, [])
    elif session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and config.stash.get(REUSED, []):
        session.exitstatus = pytest.ExitCode.OK


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes over what a worker of pytest-xdist reused; every worker collects the same notebooks."""
    reused = getattr(node, "workeroutput", {}).get("reused notebooks")
    if reused:
        node.config.stash[REUSED] = reused


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config):
    reused = config.stash.get(REUSED, [])
    if reused:
        noun = "notebook" if len(reused) == 1 else "notebooks"
        names = ", ".join(reused)
        terminalreporter.write_line(
            f"reused {len(reused)} {noun} that passed with the same inputs: {names}"
        )
