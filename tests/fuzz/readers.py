"""Every reader of files, as a function of the bytes: it reads them, or says what is wrong.

`READERS[name].judge(data)` is None, or a finding. Where a checksum ties files together, it is made
right again after the damage, for someone who means harm would do so too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from course_lib import models, runtime, sae, steering
from course_lib.activations import Store, harvest
from course_lib.activations.shards import read_shard, shard_shape, write_shard
from course_lib.grading import submissions, talk, visible, wire
from course_lib.grading.limits import Limits
from course_lib.models import zoo
from course_lib.sae import files
from course_lib.study import store
from tests.fuzz.judge import complaint
from tests.fuzz.mutation import pack, unpack

DOCUMENTED = "FileNotFoundError OSError Malformed Unreadable"
IDENTITY = {"model": "GPT", "steps": 3}
JOB = talk.Job(["x = 1"], [{"name": "q", "seconds": 1.0, "calls": [[None], [None]]}], ([], []))


@dataclass(frozen=True)
class Reader:
    """A reader of one file or of several.

    Attributes:
        files: their names.
        read: reads them in the folder it is given.
        write: writes right ones to a folder, in several versions.
        sign: makes checksums right again.
    """

    files: tuple[str, ...]
    read: Callable[[Path], Any]
    write: Sequence[Callable[[Path], Any]]
    sign: Callable[[dict[str, bytes]], None] = lambda content: None

    def seeds(self) -> list[list[bytes]]:
        """The contents of the right files, of each version."""
        made = []
        for write in self.write:
            with folder() as path:
                write(path)
                made.append([_content(path / name) for name in self.files])
        return made

    def judge(self, data: bytes) -> str | None:
        """What is wrong with how the reader takes `data`, None if nothing."""
        content = dict(zip(self.files, unpack(data, len(self.files)), strict=True))
        self.sign(content)
        with folder() as path:
            for name, part in content.items():
                (path / name).write_bytes(part)
            return complaint(lambda: self.read(path), DOCUMENTED)

    def packed(self) -> list[bytes]:
        return [pack(parts) for parts in self.seeds()]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for a moment, in memory where there is one."""
    memory = "/dev/shm"
    path = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


# --- SAEs -----------------------------------------------------------------------------------------


def _sign_sae(content: dict[str, bytes]) -> None:
    with contextlib.suppress(Exception):
        cfg = json.loads(content[files.CFG])
        digest = hashlib.sha256(content[files.WEIGHTS])
        cfg[files.OURS]["sha256"] = files._checksum(cfg, digest)
        content[files.CFG] = json.dumps(cfg).encode()


def _saes() -> list[sae.SAE]:
    return [
        sae.TopKSAE(3, 4, 2), sae.JumpReLUSAE(3, 4), sae.GatedSAE(3, 4, n_instances=2),
        sae.BatchTopKSAE(3, 4, 2), sae.MatryoshkaSAE(3, 4, 2, [2, 4]),
        sae.MatchingPursuitSAE(3, 4, 2), sae.SpectralSAE(2, 4, 1), sae.ThresholdSAE(3, 4, 0.1),
        sae.Transcoder(3, 4, 2, 2), sae.PAnnealSAE(3, 4), sae.GroupSparseSAE(3, 4),
    ]  # fmt: skip


def _write_saelens(made: sae.SAE, path: Path) -> None:
    """As SAELens would have saved it: without our part of cfg.json, nor our mark."""
    from safetensors.torch import load, save

    sae.save(made, path)
    cfg = json.loads((path / files.CFG).read_text())
    del cfg[files.OURS]
    (path / files.CFG).write_text(json.dumps(cfg))
    (path / files.WEIGHTS).write_bytes(save(load((path / files.WEIGHTS).read_bytes())))
    (path / files.SCALER).write_text('{"scaling_factor": 2.0}')


def _used(made: sae.SAE) -> None:
    """What was read can be used."""
    made(torch.zeros(*made.lead, 1, made.d_in))


# --- activations, vectors, checkpoints, cards -----------------------------------------------------


def _write_store(path: Path) -> None:
    model = models.GPT(models.GPTConfig(d_vocab=5, n_ctx=4, d_model=4, n_heads=2, n_layers=1))
    harvest(model, torch.arange(8).reshape(2, 4) % 5, ["blocks.0.mlp_out"], path / "store")
    for name in ("index.json", "blocks.0.mlp_out/000000.safetensors"):
        shutil.move(path / "store" / name, path)


def _read_store(path: Path) -> None:
    inside = path / "blocks.0.mlp_out"
    inside.mkdir(exist_ok=True)
    (path / "000000.safetensors").rename(inside / "000000.safetensors")
    opened = Store.open(path)
    for site in opened.index.sites:
        opened[site]
    len(opened), opened.token, opened.sequence, opened.position


def _write_vector(path: Path) -> None:
    found = steering.SteeringVector(torch.ones(3), "blocks.0.mlp_out", source="a test")
    found.save(path / "vector")


def _sign_vector(content: dict[str, bytes]) -> None:
    with contextlib.suppress(Exception):
        card = json.loads(content["vector.json"])
        card["sha256"] = hashlib.sha256(content["vector.safetensors"]).hexdigest()
        content["vector.json"] = json.dumps(card).encode()


def _use_vector(path: Path) -> None:
    found = steering.SteeringVector.load(path / "vector")
    found.unit() if found.norm else found.opposite()


def _write_checkpoint(path: Path) -> None:
    state = {"step": 2, "model": {"W": torch.ones(2, 2)}, "names": ["a"]}
    runtime.save_checkpoint(path / "checkpoint", IDENTITY, state)


def _write_card(path: Path) -> None:
    told = zoo.card("torus_1")
    config = {"d_vocab": 5, "n_ctx": 4, "d_model": 4, "n_heads": 2, "n_layers": 1}
    told = zoo.Card(**vars(told) | {"name": "made", "config": config})
    model = models.GPT(models.GPTConfig(**config))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    zoo.store(told, weights, {1: weights}, path)


def _sign_card(content: dict[str, bytes]) -> None:
    with contextlib.suppress(Exception):
        card = json.loads(content["made.json"])
        for name in card["sha256"]:
            card["sha256"][name] = hashlib.sha256(content[name]).hexdigest()
        content["made.json"] = json.dumps(card).encode()


def _read_card(path: Path) -> None:
    zoo.load(str(path / "made"))
    zoo.load(str(path / "made"), step=1)
    zoo.card(str(path / "made")).outside()


# --- what is handed in, and what students keep ----------------------------------------------------


def _write_notebook(path: Path) -> None:
    cells = [
        {"cell_type": "code", "id": "a", "metadata": {"tags": ["answer"]}, "source": ["x = 1\n"]},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "%pip install x\n!ls"},
        {"cell_type": "markdown", "metadata": {}, "source": "<!-- written: q --> because"},
    ]
    made = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (path / "student.ipynb").write_text(json.dumps(made))


def _write_zip(path: Path) -> None:
    _write_notebook(path)
    shutil.make_archive(str(path / "student"), "zip", path, "student.ipynb")
    (path / "student.ipynb").unlink()


def _write_wire(value: Any, path: Path) -> None:
    (path / "value").write_bytes(wire.encode(value))


def _write_frames(path: Path) -> None:
    words = [
        wire.frame(wire.HELLO), wire.frame(wire.CELL, number=0),
        wire.frame(wire.TROUBLE, number=0, body=wire.encode("no")),
        wire.frame(wire.CELL, number=1), wire.frame(wire.OUTPUT, body=wire.encode(torch.ones(2))),
        wire.frame(wire.READY), wire.frame(wire.FAILED, 1, body=wire.encode((True, "no"))),
        wire.frame(wire.DONE),
    ]  # fmt: skip
    (path / "frames").write_bytes(b"".join(words))


def _read_frames(path: Path) -> None:
    heard, data = talk._Talk(JOB, Limits()), bytearray((path / "frames").read_bytes())
    while heard.take(data):
        pass


def _write_open(path: Path) -> None:
    case = {
        "title": "a case", "hint": "look", "call": "def call(attempt, x):\n    return attempt(x)\n",
        "atol": 1e-5, "inputs": {"x": {"dtype": "float32", "values": [[1.0, 2.0]]}},
        "expected": {"items": [1, {"dtype": "int64", "values": [3]}]},
    }  # fmt: skip
    stored = {"question": {"title": "A question", "cases": [case, case | {"call": None}]}}
    (path / "set.open.json").write_text(json.dumps(stored))


def _read_open(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path)
    try:
        visible.load("set.question")
    finally:
        os.chdir(before)


def _write_progress(path: Path) -> None:
    at = "2025-01-01T10:00:00+00:00"
    done = {"kind": "check", "name": "n", "done": True, "passed": 1, "cases": 2, "at": at}
    said = {"kind": "prediction", "chapter": "c", "question": "q", "guess": "1", "outcome": "2"}
    lines = [json.dumps(line) for line in (done, said | {"at": at}, done)]
    (path / "progress.jsonl").write_text("\n".join(["", *lines, ""]))


def _read_progress(path: Path) -> None:
    os.environ[store.VARIABLE] = str(path / "progress.jsonl")
    store.read()


WIRED = (None, True, 3, 0.5, "words", (1, [2, "x"]), torch.ones(2, 3), torch.zeros(0, 2).bool())


def _readers() -> dict[str, Reader]:
    weights = (files.CFG, files.WEIGHTS)
    return {
        "sae": Reader(
            weights, lambda path: _used(sae.load(path)),
            [lambda path, made=made: sae.save(made, path) for made in _saes()], _sign_sae,
        ),
        "saelens": Reader(
            (*weights, files.SCALER), lambda path: _used(sae.load(path)),
            [lambda path, made=made: _write_saelens(made, path) for made in _saes()[:2]],
        ),
        "shard": Reader(
            ("shard",), lambda path: (read_shard(path / "shard"), shard_shape(path / "shard")),
            [lambda path: write_shard(path / "shard", {"activations": torch.ones(2, 3)})],
        ),
        "store": Reader(("index.json", "000000.safetensors"), _read_store, [_write_store]),
        "vector": Reader(
            ("vector.json", "vector.safetensors"), _use_vector, [_write_vector], _sign_vector
        ),
        "checkpoint": Reader(
            ("checkpoint",), lambda path: runtime.load_checkpoint(path / "checkpoint", IDENTITY),
            [_write_checkpoint],
        ),
        "card": Reader(
            ("made.json", "made.safetensors"), _read_card, [_write_card], _sign_card
        ),
        "notebook": Reader(
            ("student.ipynb",), lambda path: submissions.parse(submissions.read(path)),
            [_write_notebook],
        ),
        "zip": Reader(
            ("student.zip",), lambda path: submissions.parse(submissions.read(path)), [_write_zip]
        ),
        "wire": Reader(
            ("value",), lambda path: wire.decode((path / "value").read_bytes()),
            [lambda path, value=value: _write_wire(value, path) for value in WIRED],
        ),
        "frames": Reader(("frames",), _read_frames, [_write_frames]),
        "open": Reader(("set.open.json",), _read_open, [_write_open]),
        "progress": Reader(("progress.jsonl",), _read_progress, [_write_progress]),
    }  # fmt: skip


READERS = _readers()
