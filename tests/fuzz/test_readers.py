"""Readers of files take whatever bytes there are: they read them, or say what is wrong."""

from random import Random

import pytest

from tests.fuzz.judge import little_memory
from tests.fuzz.mutation import mutated, pack, unpack
from tests.fuzz.readers import READERS, folder

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


def test_files_come_back_as_they_were_packed():
    parts = [b"one", b"", b"\x00two"]
    assert unpack(pack(parts), 3) == parts
    assert unpack(b"", 2) == [b"", b""]
