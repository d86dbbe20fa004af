"""Readers of files take whatever bytes there are: they read them, or say what is wrong."""

import os
import time
from random import Random

import pytest
import torch
import yaml

from course_lib.activations.shards import read_shard, write_shard
from tests.fuzz import judge
from tests.fuzz.judge import complaint, little_memory
from tests.fuzz.mutation import mutated, pack, unpack
from tests.fuzz.readers import DOCUMENTED, READERS, Reader, folder
from tests.project import tree

INPUTS = 300


@pytest.fixture(autouse=True)
def _little_memory():
    with little_memory():
        yield


@pytest.mark.parametrize("name", READERS)
def test_right_files_are_read(name):
    for write in READERS[name].write:
        with folder() as path:
            write(path)
            READERS[name].read(path)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused_in_a_sentence(name):
    reader, random = READERS[name], Random(0)
    seeds = reader.seeds()
    for number in range(INPUTS):
        parts = mutated(random.choice(seeds), random)
        assert reader.judge(pack(parts)) is None, (number, parts)


PATHS = set(READERS) - {"wire", "frames"}  # which read bytes, not files


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
@pytest.mark.parametrize("name", sorted(PATHS))
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name):
    reader = READERS[name]
    for which in reader.files:
        with folder() as path:
            reader.write[0](path)
            (path / which).unlink(missing_ok=True)
            os.mkfifo(path / which)
            documented = f"{DOCUMENTED} ModuleNotFoundError"  # where a name is one of the hub
            assert complaint(lambda: reader.read(path), documented) is None, which


def test_a_number_in_the_place_of_a_table_is_read_and_a_long_header_not_repeated(tmp_path):
    write_shard(tmp_path / "number", {"activations": torch.tensor(1.0)})
    assert read_shard(tmp_path / "number") == 1
    header = b'{"' + b"x" * 10**6
    (tmp_path / "long").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match="no safetensors file") as raised:
        read_shard(tmp_path / "long")
    assert len(str(raised.value)) < 1000


def test_files_come_back_as_they_were_packed():
    parts = [b"one", b"", b"\x00two"]
    assert unpack(pack(parts), 3) == parts
    assert unpack(b"", 2) == [b"", b""]


def endless():
    while True:
        yield 1


def test_a_reader_that_fails_otherwise_is_found(monkeypatch):
    broken = Reader(("file",), lambda path: {}[path.name], [lambda path: None])
    assert "KeyError" in broken.judge(b"")
    waits = Reader(("file",), lambda path: time.sleep(60), [lambda path: None])
    counts = Reader(("file",), lambda path: all(map(bool, endless())), [lambda path: None])
    monkeypatch.setattr(judge, "SECONDS", 0.1)
    monkeypatch.setattr(judge, "PATIENCE", 1.0)
    assert "no answer" in waits.judge(b"") and "no answer" in counts.judge(b"")


def test_the_nightly_run_reads_with_every_reader():
    text = (tree.ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    matrix = yaml.safe_load(text)["jobs"]["readers"]["strategy"]["matrix"]
    assert matrix["reader"] == list(READERS)
