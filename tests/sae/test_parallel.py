"""Many processes train and harvest what one does, whatever happens to one of them."""

import itertools
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from course_lib import files, parallel
from course_lib.activations import Store
from course_lib.activations.shards import SHARD_KEY, write_shard
from course_lib.activations.store import LABELS
from course_lib.runtime import generator
from course_lib.sae import BatchTopKSAE, TopKSAE, Trainer
from course_lib.sae.batches import batches
from tests.sae import parallel_jobs as jobs

SCRIPT = Path(__file__).with_name("parallel_jobs.py")
WITH_FOUR = ["relu", "topk", "batch topk", "jump", "shards", "harvest"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="starts forks of this process")


def shards(folder):
    for n in range(9):
        x = jobs.rows(40 + n, 100 + 2 * n)  # of which a batch is more, but not a stream's part
        write_shard(folder / "shards" / f"{n}.safetensors", {"activations": x})
    return folder


def torchrun(n, folder, *names):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    return subprocess.Popen(
        [*command, str(n), str(SCRIPT), str(folder), *names],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=SCRIPT.parents[2],
    )  # fmt: skip


def fork(n, folder, *names):
    """Exit codes of processes that no launcher watches, so that each has to end by itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(rank):
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
        jobs.main(folder, *names)

    made = [multiprocessing.get_context("fork").Process(target=run, args=(r,)) for r in range(n)]
    for process in made:
        process.start()
    for process in made:
        process.join(60)
    alive = [process for process in made if process.is_alive()]
    for process in alive:
        process.kill()
    assert not alive, "a process waits for one that is gone"
    return [process.exitcode for process in made]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes of torchrun made, until the last job, in which the second was killed."""
    folder = shards(tmp_path_factory.mktemp("two"))
    names = [*jobs.JOBS, "harvest", "slow", "sliced", "different"]
    process = torchrun(2, folder, *names, "killed")
    while not (folder / "run.pt").exists() and process.poll() is None:
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()[0]
    pids = [int((folder / f"pid.{rank}").read_text()) for rank in range(2)]
    os.kill(pids[1], signal.SIGKILL)
    told, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and "Signal 9 (SIGKILL)" in told
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert 0 < torch.load(folder / "run.pt")["step"] < jobs.QUICK["steps"]
    return folder


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """What four processes made that torchrun's own launcher forked."""
    folder = shards(tmp_path_factory.mktemp("four"))
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=4, start_method="fork", rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", run_id="four", monitor_interval=0.05, max_restarts=0,
    )  # fmt: skip
    elastic_launch(config, jobs.main)(folder, *WITH_FOUR)
    return folder


def same(many, one, tolerance=1e-4):
    for part in ("history", "state"):
        assert many[part].keys() == one[part].keys()
        for name, expected in one[part].items():
            torch.testing.assert_close(
                many[part][name], expected, rtol=tolerance, atol=tolerance, msg=name
            )
    assert many["scale"] == pytest.approx(one["scale"], rel=1e-6)
    assert torch.equal(many["dead"], one["dead"])
    assert torch.equal(many["silent for"], one["silent for"])


def of(folder, name, rank=0):
    return torch.load(folder / f"{name}.{rank}.pt")


@pytest.mark.parametrize("name", jobs.JOBS)
def test_two_processes_learn_what_one_does(name, two):
    one = jobs.train(name, two)
    for rank in range(2):
        same(of(two, name, rank), one)
    assert (one["history"]["fvu"][-1] < one["history"]["fvu"][0]).all()


@pytest.mark.parametrize("name", [name for name in WITH_FOUR if name in jobs.JOBS])
def test_four_processes_learn_what_one_does(name, four):
    one = jobs.train(name, four)
    for rank in range(4):
        same(of(four, name, rank), one)


def test_what_is_compared_has_dead_latents_aux_and_resampling(two):
    assert of(two, "topk")["dead"][:5].all()
    for name, without in (("topk", {}), ("relu", {"resample_every": None})):
        make, kind, own = jobs.JOBS[name]
        sae = make()
        sae.aux_k = 0
        Trainer(sae, jobs.data(kind, two), **jobs.QUICK | own | without).fit()
        moved = of(two, name)["state"]["W_dec"][:5] - sae.W_dec[:5]
        assert moved.abs().max() > 1e-3


def test_each_process_opens_the_shards_of_its_streams_alone(two, four):
    opened = [of(four, "shards", rank)["files"] for rank in range(4)]
    assert [names[0] for names in opened] == [f"{n}.safetensors" for n in range(4)]
    assert sorted(itertools.chain(*opened)) == [f"{n}.safetensors" for n in range(9)]
    assert len(of(two, "shards", 0)["files"]) == 5
    assert len(of(two, "shards", 1)["files"]) == 4


@pytest.mark.parametrize("how", ["slow", "sliced"])
def test_a_slow_process_or_training_in_slices_changes_nothing(how, two):
    for rank in range(2):
        straight, other = of(two, "batch topk", rank), of(two, how, rank)
        for name, value in other["state"].items():
            assert torch.equal(straight["state"][name], value)


def test_processes_that_start_with_other_weights_train_those_of_the_first(two):
    sae = TopKSAE(12, 32, 2)
    Trainer(sae, jobs.rows(1000, 0), **jobs.QUICK).fit()
    for rank in range(2):
        torch.testing.assert_close(of(two, "different", rank), dict(sae.state_dict()))


def test_parts_of_a_batch_add_up_to_it(tmp_path):
    for name in ("accumulated", "relu", "gated"):
        once, parts = (jobs.train(name, tmp_path, accumulate=n) for n in (1, 4))
        same(parts, once)


def test_two_and_four_processes_harvest_the_shards_of_one_each_its_own(two, four, tmp_path):
    written = jobs.harvested(tmp_path / "harvest")
    one = Store.open(tmp_path / "harvest")
    assert len(written) == 2 * len(one.index.shards) == 22
    for folder, n in ((two, 2), (four, 4)):
        many = Store.open(folder / "harvest")
        assert many.index == one.index
        for site, name in itertools.product(jobs.SITES, (SHARD_KEY, *LABELS)):
            for number in range(11):
                shards = (store.shard(number, site, name) for store in (many, one))
                torch.testing.assert_close(*shards, rtol=0, atol=0)
        own = [of(folder, "harvest", rank) for rank in range(n)]
        assert sorted(itertools.chain(*own)) == sorted(written)
        assert max(map(len, own)) - min(map(len, own)) <= 2


def test_accelerate_launches_the_same(tmp_path):
    pytest.importorskip("accelerate")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    settings = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    subprocess.run(
        [*command, "--num_processes", "2", *settings, str(SCRIPT), str(tmp_path), "topk"],
        check=True, timeout=240, cwd=SCRIPT.parents[2],
    )  # fmt: skip
    for rank in range(2):
        same(of(tmp_path, "topk", rank), jobs.train("topk", tmp_path))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_run_of_which_one_process_was_killed_goes_on_with_any_number(n, two, tmp_path):
    shutil.copy(two / "run.pt", tmp_path / "run.pt")
    straight = jobs.train("relu", tmp_path)
    assert fork(n, tmp_path, "killed") == [0] * n
    for rank in range(n):
        same(of(tmp_path, "killed", rank), straight)


def test_a_run_on_shards_keeps_its_streams_with_another_number_of_processes(tmp_path):
    shards(tmp_path)
    straight = jobs.train("shards", tmp_path)
    path, how = tmp_path / "run.pt", {"checkpoint": tmp_path / "run.pt", "checkpoint_every": 7}
    with pytest.raises(OSError, match="enough"):
        jobs.train("shards", tmp_path, stop_at=10, **how)
    assert torch.load(path)["step"] == 7
    resumed = jobs.train("shards", tmp_path, **how | {"streams": None})
    same(resumed, straight)
    with pytest.raises(ValueError, match="was trained on 4 streams, now it is 2"):
        jobs.train("shards", tmp_path, **how | {"streams": 2})
    (tmp_path / "shards" / "8.safetensors").unlink()
    with pytest.raises(ValueError, match="was trained on 9 shards, and there are 8 now"):
        jobs.train("shards", tmp_path, **how)


def test_a_lost_shard_is_named_and_every_process_ends(tmp_path, capfd):
    assert fork(2, shards(tmp_path), "lost") == [1, 1]
    told = capfd.readouterr().err
    assert "3.safetensors is missing; bring it back" in told
    assert "ConnectionError: Process 0 of 2 has lost the others" in told


def test_a_process_that_does_not_answer_is_given_up(tmp_path, capfd):
    start = time.monotonic()
    assert fork(2, tmp_path, "stuck") == [1, 1]
    assert time.monotonic() - start < parallel.PATIENCE.total_seconds()
    assert "did not answer for 2 seconds" in capfd.readouterr().err


def test_a_slow_process_is_not_given_up_in_a_harvest(tmp_path):
    """It falls three seconds behind, of a patience of two, but never by more than a shard."""
    assert fork(2, tmp_path, "slow harvest") == [0, 0]
    assert len(Store.open(tmp_path / "slow harvest").index.shards) == 11


def test_where_one_process_is_stopped_all_wait_for_the_checkpoint(tmp_path):
    """The others end by it, and a launcher kills the first as soon as another has ended."""
    assert fork(2, tmp_path, "stopped") == [0, 0]
    assert [of(tmp_path, "stopped", rank) for rank in range(2)] == [True, True]
    assert torch.load(tmp_path / "stopped.pt")["step"] == 4


@pytest.mark.parametrize("n_instances", [None, 1])
def test_batch_topk_keeps_as_many_in_three_processes_as_in_one(n_instances, monkeypatch):
    """0.29 · 300 is 87, but 0.29 · 100 · 3 is a little less."""
    sae = BatchTopKSAE(12, 32, 0.29, n_instances=n_instances)
    monkeypatch.setattr(parallel, "size", lambda: 3)
    z = sae.loss(jobs.rows(100, 0)).z
    assert ((z if n_instances else z.values) != 0).sum() == 87


def test_a_process_that_never_comes_is_given_up(tmp_path, capfd):
    assert fork(2, tmp_path, "absent") == [1, 0]
    assert "ConnectionError: Process 0 of 2 has lost the others" in capfd.readouterr().err


def test_a_shard_that_a_store_lacks_is_named_before_training(tmp_path):
    jobs.harvested(tmp_path)
    folder = tmp_path / jobs.SITES[0]
    (folder / "000004.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="000004.safetensors is missing, and 0 more"):
        Trainer(TopKSAE(16, 32, 2), folder, steps=1, batch_size=8)


def test_one_run_at_a_time_writes_a_checkpoint(tmp_path, capfd):
    path = tmp_path / "run.pt"
    with files.only_writer(path):
        with pytest.raises(files.InUse, match="run.pt is being written by another run"):
            Trainer(TopKSAE(12, 32, 2), jobs.rows(100, 0), **jobs.QUICK, checkpoint=path).fit()
        assert fork(2, tmp_path, "killed") == [1, 1]
        assert capfd.readouterr().err.count("run.pt is being written by another run") == 2
    assert not path.exists()
    Trainer(TopKSAE(12, 32, 2), jobs.rows(100, 0), **jobs.QUICK, checkpoint=path).fit()
    assert not list(tmp_path.glob(".*"))


def test_where_nothing_can_be_written_a_checkpoint_says_so_and_no_lock_does(tmp_path):
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "run.pt"
    with pytest.raises(OSError, match="could not write .*run.pt"):
        Trainer(TopKSAE(12, 32, 2), jobs.rows(100, 0), **jobs.QUICK, checkpoint=path).fit()


def test_many_runs_at_once_hold_a_file_one_after_the_other(tmp_path):
    """A counter that is read and written while it is held loses no step."""
    count = tmp_path / "count"
    count.write_text("0")

    def add():
        for _ in range(50):
            while True:
                try:
                    with files.only_writer(count):
                        count.write_text(str(int(count.read_text()) + 1))
                    break
                except files.InUse:
                    time.sleep(0)

    made = [multiprocessing.get_context("fork").Process(target=add) for _ in range(3)]
    for process in made:
        process.start()
    for process in made:
        process.join(60)
    assert count.read_text() == "150"


def test_one_run_at_a_time_harvests_into_a_folder(tmp_path):
    busy = files.only_writer(tmp_path / "store" / "index.json")
    with busy, pytest.raises(files.InUse, match="index.json is being written by another run"):
        jobs.harvested(tmp_path / "store")
    assert len(jobs.harvested(tmp_path / "store")) == 22


def test_streams_of_one_process_show_every_row_and_draw_on_all_files(tmp_path):
    rows = torch.arange(96.0)[:, None].expand(-1, 2).contiguous()
    for n in range(4):
        write_shard(tmp_path / f"{n}.safetensors", {"activations": rows[24 * n : 24 * (n + 1)]})
    source = batches(tmp_path, 8, 0, streams=4)
    epoch = [source.batch(step)[0][:, 0] for step in range(12)]
    assert len(torch.cat(epoch).unique()) == 96
    for batch in epoch:
        assert torch.bincount(batch.long() // 24).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"streams": 5}, "streams is 5 with 9 files and batch_size 64; it must divide"),
        ({"streams": 16}, "streams is 16 with 9 files"),
        ({"accumulate": 5}, "batch_size is 64; 1 processes with accumulate = 5 need a multiple"),
        ({"accumulate": 0}, "accumulate is 0"),
    ],
)
def test_batches_that_cannot_be_shared_out_are_refused(how, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        jobs.train("shards", shards(tmp_path), **how)


def test_outside_of_a_run_every_answer_is_about_what_is_given():
    x = torch.randn(5, generator=generator(0))
    with parallel.processes():
        assert (parallel.rank(), parallel.size(), parallel.total(3)) == (0, 1, 3)
        for function in (parallel.mean, parallel.minimum, parallel.maximum, parallel.gather):
            assert function(x) is x
        assert parallel.from_first(lambda: 7) == 7
        assert parallel.anywhere(True) and not parallel.anywhere(False)
