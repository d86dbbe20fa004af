"""Full and read-only disks, no memory, a clock that jumps, two runs in one place: one sentence."""

import errno
import io
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from course_lib import files
from course_lib.activations import harvest
from course_lib.data import SparseFeatures
from course_lib.grading.grade import Journal
from course_lib.models import ToyModel
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.models.training import Trainer as ModelTrainer
from course_lib.runtime import generator, save_checkpoint
from course_lib.sae import TopKSAE, Trainer
from course_lib.superposition import Trainer as ToyTrainer
from tests.grading.test_sandbox import needs_bubblewrap
from tests.models.worlds import Chain

ROOT = Path(__file__).resolve().parents[2]
X = torch.randn(256, 8, generator=generator(0))
TOKENS = torch.randint(0, 7, (32, 4), generator=generator(1))
QUICK = {"steps": 6, "batch_size": 32, "lr": 1e-3}


def gpt():
    return GPT(GPTConfig(7, 6, d_model=8, n_heads=2, n_layers=1))


def train_sae(folder, sae=None, **changed):
    sae = sae or TopKSAE(8, 16, 2)
    how = QUICK | {"checkpoint": folder / "sae.pt", "checkpoint_every": 2} | changed
    Trainer(sae, X, **how).fit()
    return [value.tolist() for value in sae.state_dict().values()]


def train_model(folder, model=None, **changed):
    model = model or gpt()
    how = QUICK | {"checkpoint": folder / "model.pt", "checkpoint_every": 2} | changed
    ModelTrainer(model, Chain(), **how).fit()
    return [value.tolist() for value in model.state_dict().values()]


def run_harvest(folder, model=None, **changed):
    how = {"batch_size": 8, "shard_rows": 32} | changed
    store = harvest(model or gpt().eval(), TOKENS, "blocks.0", folder / "store", **how)
    return store["blocks.0"].tolist()


def write_grade(folder):
    journal = Journal(folder / "journal", "set")
    if not journal.load("ada", "k"):
        journal.save({"student": "ada", "key": "k", "said": "x" * 20000})
    return journal.load("ada", "k")


JOBS = {"sae": train_sae, "model": train_model, "harvest": run_harvest, "grade": write_grade}

ON_A_DISK = """
import json, os, sys
from pathlib import Path
from course_lib.files import TORN
from tests.faults.test_faults import JOBS
folder, told = Path(sys.argv[1]), {}

def attempt(name, said):
    try:
        JOBS[name](folder / name)
    except OSError as error:
        said.append(str(error))
    said.append([path.name for path in folder.rglob("*") if path.name.endswith(TORN)])

for name in JOBS:
    said = told.setdefault(name, [])
    if sys.argv[2] == "full":
        with open(folder / "ballast", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
    attempt(name, said)
    if sys.argv[2] == "full":
        (folder / "ballast").unlink()
        attempt(name, said)
print(json.dumps(told))
"""


def on_a_disk(folder, state, *options):
    """What each job says on a disk in a state: its sentence, then names of torn files."""
    words = ["bwrap", "--dev-bind", "/", "/", *options, str(folder)]
    command = [*words, sys.executable, "-c", ON_A_DISK, str(folder), state]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_bubblewrap
def test_a_full_disk_is_one_sentence_nothing_stays_half_written_and_later_it_goes_on(tmp_path):
    told = on_a_disk(tmp_path, "full", "--size", str(2**20), "--tmpfs")
    assert told.keys() == JOBS.keys()
    for sentence, *rest in told.values():
        assert re.search(r"could not write .* bytes\): the disk is full\. .* make room", sentence)
        assert rest == [[], []]  # nothing torn; then, with room, no sentence and nothing torn


@needs_bubblewrap
def test_a_read_only_disk_is_one_sentence_and_what_is_finished_can_be_read(tmp_path):
    read_only = ("read-only", "--ro-bind", str(tmp_path))
    for sentence, *rest in on_a_disk(tmp_path, *read_only).values():
        assert re.search(r"could not write .* bytes\): the disk is read-only\. ", sentence)
        assert rest == [[]]
    for name, job in JOBS.items():
        job(tmp_path / name)
    assert on_a_disk(tmp_path, *read_only) == {name: [[]] for name in JOBS}


def too_much(*args, **kwargs):
    """Torch's own error: it asks for more than any machine has."""
    return torch.empty(2**50)


class TooMuch(TopKSAE):
    loss = too_much


def failing(model, name, after=0):
    """The model with a method that needs too much memory, after some calls that do not."""
    usual, calls = getattr(model, name), []

    def method(*args, **kwargs):
        calls.append(args)
        return usual(*args, **kwargs) if len(calls) <= after else too_much()

    setattr(model, name, method)
    return model


@pytest.mark.parametrize(
    ("run", "batch_size", "words"),
    [
        ("sae", 32, "batch_size = 32 and accumulate = 1 .* accumulate = 2,.* batch_size = 16"),
        ("sae", 1, "batch_size = 1 and accumulate = 1 did not fit; try fewer SAEs"),
        ("model", 32, "batch_size = 32 did not fit; try batch_size = 16"),
        ("model", 1, "batch_size = 1 did not fit; try a smaller model"),
        ("harvest", 8, "batch_size = 8 sequences at once; try batch_size = 4.* goes on"),
        ("harvest", 1, "try shorter sequences"),
        ("toy", 32, "batch_size = 32 did not fit; try batch_size = 16"),
    ],
)
def test_out_of_memory_says_what_was_tried_and_what_to_try(
    run, batch_size, words, tmp_path, monkeypatch
):
    def toy(folder, batch_size):
        trainer = ToyTrainer(
            ToyModel(5, 2), SparseFeatures(5, 0.1), **QUICK | {"batch_size": batch_size}
        )
        monkeypatch.setattr(type(trainer._gradient_steps[0]), "__call__", too_much)
        trainer.fit()

    runs = {
        "sae": lambda **how: train_sae(tmp_path, TooMuch(8, 16, 2), **how),
        "model": lambda **how: train_model(tmp_path, failing(gpt(), "loss"), **how),
        "harvest": lambda **how: run_harvest(tmp_path, failing(gpt(), "forward", 1), **how),
        "toy": lambda **how: toy(tmp_path, **how),
    }
    with pytest.raises(MemoryError, match=f"^Out of memory.*{words}.*The system says: "):
        runs[run](batch_size=batch_size)


def test_a_shard_that_does_not_fit_is_told_by_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[harvest.__module__], "_empty", too_much)
    words = "32 rows of 8 numbers did not fit; try .* shard_rows = 16.*The system says"
    with pytest.raises(MemoryError, match=words):
        run_harvest(tmp_path)


class FullMemory:
    """A file in a memory that is full."""

    def write(self, data):
        raise MemoryError


def test_a_checkpoint_that_does_not_fit_in_memory_is_told_and_the_old_one_stays(
    tmp_path, monkeypatch
):
    train_sae(tmp_path)
    before = (tmp_path / "sae.pt").read_bytes()
    monkeypatch.setattr(io, "BytesIO", FullMemory)
    with pytest.raises(MemoryError, match=r"sae\.pt was not written, .* fewer or smaller models"):
        save_checkpoint(tmp_path / "sae.pt", {}, {"w": X})
    assert (tmp_path / "sae.pt").read_bytes() == before


def test_other_errors_of_a_step_stay_what_they_are(tmp_path):
    class Wrong(TopKSAE):
        def loss(self, *args, **kwargs):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="^mat1 and mat2"):
        train_sae(tmp_path, Wrong(8, 16, 2))


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    usual = {name: job(tmp_path / "usual" / name) for name, job in JOBS.items()}
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 1e9 + (-1) ** (n := next(jumps)) * 1e7 * n)
    assert usual == {name: job(tmp_path / "jumping" / name) for name, job in JOBS.items()}


def test_the_library_asks_for_the_time_of_day_only_to_show_it():
    asks = re.compile(r"time\.time\(|datetime\.(now|today|utcnow)|st_mtime|date\.today")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "course_lib").rglob("*.py")
        if asks.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"course_lib/study/store.py"}  # when a line was kept, for the page


@pytest.mark.parametrize(
    ("name", "path"), [("sae", "sae.pt"), ("model", "model.pt"), ("harvest", "store/index.json")]
)
def test_a_second_run_in_the_same_place_is_told_so(name, path, tmp_path):
    told = pytest.raises(files.InUse, match=f"{path} is being written by another run; wait")
    with files.only_writer(tmp_path / path), told:
        JOBS[name](tmp_path)
    JOBS[name](tmp_path)


def test_what_a_killed_run_left_half_written_goes_with_the_next_run(tmp_path):
    torn, other = (tmp_path / f".{name}.abcd1234.torn" for name in ("run.pt", "run.pt.json"))
    for path in (torn, other):
        path.write_text("half")
    with files.only_writer(tmp_path / "run.pt"):
        assert not torn.exists() and other.exists() and (tmp_path / ".run.pt.lock").exists()
    files.remove_torn(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("full_after", [0, 1])
def test_files_that_belong_together_stay_when_the_disk_has_no_room_for_all(
    full_after, tmp_path, monkeypatch
):
    first, last = tmp_path / "weights", tmp_path / "cfg"
    files.write_together({first: "old", last: "old"})
    sync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > full_after:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    name = (first, last)[full_after].name
    with pytest.raises(OSError, match=rf"could not write .*{name} \(3 bytes\): the disk is full"):
        files.write_together({first: "new", last: "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "weights": "old", "cfg": "old",
    }  # fmt: skip


def test_files_that_belong_together_are_written_by_one_run_at_a_time(tmp_path):
    first, last = tmp_path / "weights", tmp_path / "cfg"
    for path in (first, last):
        path.with_name(f".{path.name}.abcd1234.torn").write_text("half")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: files.write_together({first: f"{n}", last: f"{n}"}), range(40)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cfg", "weights"]
    assert first.read_text() == last.read_text()
