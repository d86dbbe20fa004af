"""What the tests run as one process and as many: python parallel_jobs.py FOLDER NAME...

Every process writes what it ended with to FOLDER/NAME.RANK.pt.
"""

import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import torch

from course_lib import parallel, runtime
from course_lib.activations import harvest
from course_lib.activations.shards import write_shard
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.runtime import generator
from course_lib.sae import (
    BatchTopKSAE,
    GatedSAE,
    GroupSparseSAE,
    JumpReLUSAE,
    MatryoshkaSAE,
    PAnnealSAE,
    ReLUSAE,
    TopKSAE,
    Trainer,
)

DICTIONARY = torch.nn.functional.normalize(torch.randn(24, 12, generator=generator(7)), dim=-1)
GPT_CONFIG = GPTConfig(d_vocab=11, n_ctx=8, d_model=16, n_heads=2, n_layers=2)
TOKENS = torch.randint(0, 11, (40, 8), generator=generator(0))
SITES = ["blocks.0.resid_post", "blocks.1.mlp:input"]
QUICK = {"steps": 24, "batch_size": 64, "lr": 3e-3, "dead_after": 320, "log_every": 1}


def rows(n, seed):
    active = torch.rand(n, 24, generator=generator(seed)) < 0.05
    sizes = 0.5 + torch.rand(n, 24, generator=generator(seed + 1))
    return (active * sizes) @ DICTIONARY + 0.3


def with_dead(sae):
    """An SAE of which five latents are silent: too weak to be selected, or below zero."""
    if isinstance(sae, TopKSAE):
        sae.W_enc.data[..., :5] *= 0.01
    else:
        sae.b_enc.data[..., :5] = -1e3
    return sae


class Pairs:
    def sample(self, n, generator):
        first = torch.rand(n, 1, 12, generator=generator)
        return first + 0.1 * torch.rand(n, 2, 12, generator=generator)


class OwnInputs:
    """Inputs for each of 32 instances, which are as many as a process has of QUICK's rows."""

    def sample(self, n, generator):
        return rows(n, 0)[torch.randint(n, (32, n), generator=generator)]


# Name of a job: the SAE, what it is trained on (see `data`), and how.
JOBS = {
    "relu": (lambda: with_dead(ReLUSAE(12, 32, 0.1)), "data", {"resample_every": 8}),
    "controlled": (lambda: ReLUSAE(12, 32, 0.1), "data", {"target_l0": 2.0}),
    "topk": (lambda: with_dead(TopKSAE(12, 32, 2)), "data", {"center": "geometric_median"}),
    "batch topk": (lambda: with_dead(BatchTopKSAE(12, 32, 1.7)), "data", {}),
    "jump": (lambda: with_dead(JumpReLUSAE(12, 32, 0.3, target_l0=3.0)), "data", {}),
    "gated": (lambda: GatedSAE(12, 32, 0.1), "data", {}),
    "annealed": (lambda: PAnnealSAE(12, 32, 0.1), "data", {}),
    "matryoshka": (lambda: MatryoshkaSAE(12, 32, 2, [8, 32], n_instances=2), "data", {}),
    "pairs": (lambda: GroupSparseSAE(12, 32, 0.01, 0.01), "pairs", {}),
    "own inputs": (lambda: ReLUSAE(12, 8, 0.1, n_instances=32), "own", {"accumulate": 2}),
    "instances": (lambda: BatchTopKSAE(12, 32, [1, 2], n_instances=2), "data", {}),
    "shards": (lambda: TopKSAE(12, 32, 2), "shards", {"streams": 4}),
    "accumulated": (lambda: with_dead(TopKSAE(12, 32, 2)), "data", {"accumulate": 4}),
    "bfloat16": (lambda: TopKSAE(12, 32, 2), "data", {"autocast": True, "accumulate": 2}),
}


def data(kind, folder):
    made = {"data": lambda: rows(1000, 0), "pairs": Pairs, "own": OwnInputs}
    return folder / "shards" if kind == "shards" else made[kind]()


def train(name, folder, slow=False, stop_at=None, slices=(), **settings):
    """Train the SAE of a job, in `slices`; what it ended with. It fails at the step `stop_at`."""
    make, kind, own = JOBS[name]
    sae = make()
    trainer = Trainer(sae, data(kind, folder), **QUICK | own | settings)
    draw = trainer.source.batch

    def batch(step):
        time.sleep(0.01 * slow)
        if step == stop_at:
            raise OSError("enough")
        return draw(step)

    if slow or stop_at:
        trainer.source.batch = batch
    for until in slices:
        trainer.fit(until)
    (history,) = trainer.fit()
    (learner,) = trainer.learners
    source = getattr(trainer.source, "parts", [])
    return {
        "history": history, "scale": trainer.scale, "state": sae.state_dict(),
        "dead": learner.dead, "silent for": learner.inputs_since_fired,
        "files": [path.name for stream, _ in source for path in stream.paths],
    }  # fmt: skip


def harvested(folder, slow=0.0):
    """Fill a store; the names of the shards that this process wrote, each so many seconds late."""
    written = []

    def write(path, tensors):
        time.sleep(slow)
        written.append(f"{path.parent.name}/{path.name}")
        write_shard(path, tensors)

    with patch.object(sys.modules[harvest.__module__], "write_shard", write):
        harvest(GPT(GPT_CONFIG), TOKENS, SITES, folder, batch_size=4, shard_rows=30)
    return written


def stopped(folder, rank):
    """Train until one process gets Ctrl-C; whether the checkpoint was there when it ended."""
    path, save = folder / "stopped.pt", runtime.save_checkpoint

    def save_slowly(*arguments):
        time.sleep(1)
        save(*arguments)

    def batch(step):
        if rank == 1 and step == 3:
            signal.raise_signal(signal.SIGINT)
        return draw(step)

    trainer = Trainer(TopKSAE(12, 32, 2), rows(1000, 0), **QUICK, checkpoint=path)
    draw, trainer.source.batch = trainer.source.batch, batch
    try:
        with patch.object(runtime, "save_checkpoint", save_slowly):
            trainer.fit()
    except runtime.TrainingStopped:
        return path.exists()


def work(name, folder):
    rank = int(os.environ.get("RANK", "0"))
    if name == "harvest":
        return harvested(folder / name)
    if name == "slow harvest":
        parallel.PATIENCE = timedelta(seconds=2)
        return harvested(folder / name, slow=0.3 * rank)
    if name == "stopped":
        return stopped(folder, rank)
    if name == "slow":
        return train("batch topk", folder, slow=rank == 1)
    if name == "sliced":
        return train("batch topk", folder, slices=(7, 8, 20))
    if name == "different":
        sae = TopKSAE(12, 32, 2, seed=rank)
        Trainer(sae, rows(1000, 0), **QUICK).fit()
        return sae.state_dict()
    if name == "killed":
        (folder / f"pid.{rank}").write_text(str(os.getpid()))
        return train("relu", folder, slow=True, checkpoint=folder / "run.pt", checkpoint_every=4)
    if name == "absent":
        parallel.PATIENCE = timedelta(seconds=2)
        if rank == 0:
            with parallel.processes():
                return
        sys.exit()
    if name == "stuck":
        parallel.PATIENCE = timedelta(seconds=2)
        with parallel.processes():
            parallel.wait()
            time.sleep(5 * rank)
            parallel.wait()
    if name == "lost":
        make, kind, _ = JOBS["shards"]
        trainer = Trainer(make(), data(kind, folder), **QUICK)
        with parallel.processes():
            parallel.wait()
        if rank == 0:
            (folder / "shards" / "3.safetensors").unlink()  # of the other process
        return trainer.fit()
    return train(name, folder)


def main(folder, *names):
    torch.set_num_threads(1)
    for name in names:
        result = work(name, Path(folder))
        with parallel.processes():
            torch.save(result, Path(folder) / f"{name}.{parallel.rank()}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
