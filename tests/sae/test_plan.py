"""The plan's arithmetic is that of files, weights and products that are really there."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_lib.activations.shards import write_shard
from course_lib.sae import TopKSAE, Trainer
from course_lib.sae.plan import HOUR, NODE, Job, Machine, scaled
from tools import tables

SMALL = Job(activations=10_000, d_in=32, d_sae=512, k=4, batch_size=100, shard_rows=1000)


def test_bytes_are_those_of_a_shard_and_of_a_checkpoint(tmp_path):
    labels = {name: torch.zeros(1000, dtype=torch.int32) for name in ("a", "b", "c")}
    x = torch.randn(1000, 32)
    write_shard(tmp_path / "x", {"activations": x.bfloat16(), **labels})
    assert (tmp_path / "x").stat().st_size == pytest.approx(1000 * SMALL.row_bytes, rel=0.02)
    sae, path = TopKSAE(32, 512, 4), tmp_path / "run.pt"
    Trainer(sae, x, steps=1, batch_size=100, checkpoint=path).fit()
    assert sae.W_enc.numel() + sae.W_dec.numel() == SMALL.weights
    assert path.stat().st_size == pytest.approx(SMALL.state_bytes * 3 / 4, rel=0.1)


def test_flops_of_the_dense_product_are_counted_by_torch():
    sae, x = TopKSAE(32, 512, 4), torch.randn(100, 32)
    with FlopCounterMode(display=False) as counter:
        sae.encode(x)
    rows = 100 + 1  # b_dec goes through W_enc once for all
    assert counter.get_total_flops() == rows * 2 * 32 * 512
    assert SMALL.training_flops == 2 * 32 * 512 + 8 * 4 * 32


def test_steps_and_shards_cover_the_activations():
    assert SMALL.steps * SMALL.batch_size == SMALL.shards * SMALL.shard_rows == 10_000
    assert Job(activations=1001, shard_rows=1000).shards == 2


def test_twice_the_machine_takes_half_the_time():
    slow = Machine(1, 1e9, 1e9, 1e9, 1e9, 1e9, float("inf"))
    fast = Machine(1, 2e9, 2e9, 2e9, 2e9, 2e9, float("inf"))
    assert SMALL.train_seconds(slow) == pytest.approx(2 * SMALL.train_seconds(fast))
    assert slow.processes == 1 and SMALL.step_seconds(slow)["exchange"] == 0
    two = Machine(2, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9)
    for part, seconds in SMALL.step_seconds(two).items():
        whole = SMALL.step_seconds(slow)[part]
        shared = {"weights": whole, "exchange": 4 * SMALL.weights / 1e9}
        assert seconds == pytest.approx(shared.get(part, whole / 2))


def test_what_the_page_says_of_the_tables_is_so():
    job = Job()
    harvest, train = sum(job.harvest_seconds(NODE).values()), job.train_seconds(NODE)
    assert harvest > train
    assert 2 * job.parameters > job.training_flops
    small, large = (Job(batch_size=batch).step_seconds(NODE) for batch in (8192, 65_536))
    assert small["weights"] + small["exchange"] > sum(small.values()) / 2
    assert small["weights"] == large["weights"] and small["exchange"] == large["exchange"]
    assert large["read"] == max(large.values()) > sum(large.values()) / 2
    assert (harvest + train) / HOUR < 10


def test_the_page_takes_its_figures_from_the_plan(tmp_path):
    page = Path("book/back/scaling_up.md")
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    found = {"rates": dict.fromkeys(vars(NODE), 1e6) | {"processes": 1}, "job": vars(SMALL)}
    found |= {"machine": {"machine": "an abacus"}, "tokens": 7}
    found |= {name: {"predicted": {"all": 2.0}, "measured": 3.0} for name in ("step", "harvest")}
    kept = tmp_path / "_build" / "dry_run.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(found))
    filled = tables.fill(text, tmp_path, page)
    assert "make book" not in filled
    hours = f"{Job().train_seconds(NODE) / HOUR:.2f} h"
    for figure in ("15,259", "14 EFLOP", "537 M ", "8.2 TB", hours, "| 2.000 | 3.000 | 1.50 |"):
        assert figure in filled


@pytest.mark.parametrize(
    ("value", "text"), [(1.4e19, "14 EFLOP"), (999, "999 FLOP"), (1.5e3, "1.5 kFLOP")]
)
def test_large_numbers_have_a_prefix(value, text):
    assert scaled(value, "FLOP") == text


def test_the_dry_run_compares_each_part_with_seconds_that_passed(tmp_path, monkeypatch, capsys):
    path = Path(__file__).parents[2] / "benchmarks" / "dry_run.py"
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location("dry_run", path)
    dry_run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dry_run)
    sizes = {"d-in": 16, "d-sae": 64, "k": 2, "batch-size": 128, "shard-rows": 1024}
    told = [str(part) for name, size in sizes.items() for part in (f"--{name}", size)]
    monkeypatch.setattr(dry_run, "ROUNDS", 1)
    monkeypatch.setattr("sys.argv", ["dry_run.py", *told, "--json", str(tmp_path / "out.json")])
    dry_run.main()
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["steps"] == 4 * 1024 // 128
    for name in ("step", "harvest"):
        assert found[name]["measured"] > 0
        assert all(seconds >= 0 for seconds in found[name]["predicted"].values())
    out = capsys.readouterr().out
    ratio = found["step"]["measured"] / sum(found["step"]["predicted"].values())
    assert f"{ratio:.2f}" in next(line for line in out.splitlines() if line.startswith("step"))
