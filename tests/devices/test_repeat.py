"""On a CPU the same seed gives the same bits: in a new process and, where promised, other threads.

What is promised of threads: `course_lib.superposition.Trainer`.
"""

import os
import subprocess
import sys

import pytest

from tests.project.tree import ROOT

DIGESTS = """
import hashlib, torch
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition import Trainer
from tests.devices.cases import CASES

def say(name, tensors):
    bits = b"".join(x.detach().contiguous().numpy().tobytes() for x in tensors)
    print(name, hashlib.sha256(bits).hexdigest(), sep=": ")

model = ToyModel(5, 2, 8)
losses = Trainer(model, SparseFeatures(5, 0.2, 8), steps=100, batch_size=256).fit()
say("toy models in threads", [losses, *model.parameters()])
torch.set_num_threads(1)
for name, (_, case) in CASES.items():
    say(name, case(lambda x: x).values())
"""


def digests(threads, hash_seed):
    """What a fresh process computes, name by name."""
    environment = os.environ | {
        "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": hash_seed, "TQDM_DISABLE": "1",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    said = subprocess.run(
        [sys.executable, "-c", DIGESTS], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    return dict(line.split(": ") for line in said.stdout.splitlines())


@pytest.fixture(scope="module")
def first():
    return digests("1", "1")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_fresh_process_computes_the_same_bits(first, threads):
    again = digests(threads, "2")
    assert len(first) > 20
    assert again == first
