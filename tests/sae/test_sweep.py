"""Tasks share the runs out, do each once, and go on where one was killed."""

import json
import multiprocessing
import os
import signal
import sys
import time

import pytest
import torch

from course_lib import files
from course_lib.activations.shards import write_shard
from course_lib.runtime import generator
from course_lib.sae import TopKSAE, Trainer, load, sweep


@pytest.fixture
def config(tmp_path):
    for n in range(3):
        x = torch.randn(300, 6, generator=generator(n))
        write_shard(tmp_path / f"data/{n}.safetensors", {"activations": x})
    return {
        "data": str(tmp_path / "data"),
        "folder": str(tmp_path / "runs"),
        "sae": {"class": "TopKSAE", "d_in": 6, "d_sae": 12},
        "train": {"steps": 40, "batch_size": 50, "checkpoint_every": 5},
        "grid": {"sae.k": [1, 2], "train.lr": [1e-3, 1e-2], "sae.seed": [0, 1]},
    }


def started(config, task, of):
    """A task of a sweep as a process of its own."""
    process = multiprocessing.get_context("fork").Process(
        target=sweep.work, args=(config, task, of)
    )
    process.start()
    return process


def results(config):
    folder = sweep.Path(config["folder"])
    return {path.stem: path.read_bytes() for path in folder.glob("*.json")}


@pytest.mark.skipif(sys.platform != "linux", reason="forks this process")
def test_two_workers_do_every_run_once_as_one_worker_would(config, tmp_path):
    workers = [started(config, task, 2) for task in range(2)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    alone = config | {"folder": str(tmp_path / "alone")}
    sweep.work(alone, 0, 1)
    assert len(results(config)) == 8
    assert results(config) == results(alone)


@pytest.mark.skipif(sys.platform != "linux", reason="forks this process")
def test_a_killed_task_goes_on_and_repeats_nothing(config):
    config["train"]["steps"] = 400
    config["grid"] = {"sae.k": [2], "train.lr": [1e-3, 1e-2]}
    folder = sweep.Path(config["folder"])
    worker = started(config, 0, 1)
    second = folder / "sae.k=2,train.lr=0.01.pt"
    while not second.exists() and worker.is_alive():
        time.sleep(0.001)
    worker.kill()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    (done,) = folder.glob("*.json")
    assert 0 < torch.load(second)["step"] < 400
    before = os.stat(done).st_mtime_ns
    assert sweep.table(config).count("open") == 1
    sweep.work(config, 0, 1)
    assert os.stat(done).st_mtime_ns == before
    assert sweep.table(config).count("open") == 0
    assert not list(folder.glob("*.pt"))


def test_a_run_is_what_the_trainer_makes_of_its_settings(config, tmp_path):
    config["grid"] = {"sae.k": [2], "train.lr": [1e-2]}
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(config))
    sweep.main([str(path), "--task", "0"])
    sae = TopKSAE(6, 12, 2)
    (history,) = Trainer(sae, config["data"], steps=40, batch_size=50, lr=1e-2).fit()
    saved = load(sweep.Path(config["folder"]) / "sae.k=2,train.lr=0.01")
    assert torch.equal(saved.W_dec, sae.W_dec)
    told = json.loads(results(config)["sae.k=2,train.lr=0.01"])
    assert told["measured"]["fvu"] == pytest.approx(history["fvu"][-10:].mean().item())
    assert told["chosen"] == {"sae.k": 2, "train.lr": 0.01}


def test_a_run_that_another_worker_is_at_is_left_alone(config, tmp_path, capsys):
    config["grid"] = {"sae.k": [2]}
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(config))
    busy = files.only_writer(sweep.Path(config["folder"]) / "sae.k=2.pt")
    with busy, pytest.raises(SystemExit, match="1"):
        sweep.main([str(path), "--task", "0"])
    assert "is being written by another run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"grid": {"k": [1]}}, "grid has 'k'; its settings are sae.NAME and train.NAME"),
        ({"grid": {"sae.k": [0]}}, "k is 0"),
        ({"sae": {"class": "TopKSAE", "n_instances": 2}}, "leave n_instances out"),
        ({"sae": {"class": "Nothing"}}, "class is 'Nothing'; it must be one of"),
        ({"sae": {"d_in": 6}}, "sae lacks class, the name of an SAE"),
        ({"grid": {"sae.k": 2}}, "grid has sae.k 2; it must be a list of values"),
        ({"data": "nowhere"}, "nowhere is no safetensors file"),
    ],
)
def test_a_config_that_cannot_be_run_is_refused(changed, message, config, tmp_path, capsys):
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(config | changed))
    with pytest.raises(SystemExit):
        sweep.main([str(path), "--task", "0"])
    assert message in capsys.readouterr().err
    with pytest.raises(ValueError, match="the config lacks grid"):
        sweep.runs({"data": "", "folder": "", "sae": {}, "train": {}})
    with pytest.raises(ValueError, match="task is 2; it must be from 0 to 1"):
        sweep.work(config, 2, 2)


@pytest.mark.parametrize(
    ("part", "value"),
    [("train", {"steps": 20, "batch_size": 50}), ("data", "elsewhere")],
)
def test_what_was_done_with_other_settings_does_not_count_as_done(part, value, config):
    config["grid"] = {"sae.k": [2]}
    sweep.work(config, 0, 1)
    for read in (sweep.table, lambda changed: sweep.work(changed, 0, 1)):
        with pytest.raises(
            ValueError, match=f"sae.k=2.json was made with other settings of {part}"
        ):
            read(config | {part: value})
