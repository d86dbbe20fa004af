"""Every kind of file that the course writes: a turned byte, a newer and an older version of each.

What is read is what was written, or the reader says in one sentence what is wrong. To turn a byte
and read the file as if nothing had happened is the one thing that must not be.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from course_lib import files, runtime
from course_lib.activations import Store, harvest
from course_lib.activations.shards import _checksum, read_shard
from course_lib.claims import core, tuning
from course_lib.grading.grade import Journal
from course_lib.models import zoo
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.sae import TopKSAE, load, save, sweep
from course_lib.steering import SteeringVector
from course_lib.study import store as progress
from tools import bench, faults_page, records

TURNS = 60  # bytes of each kind that are turned
GPT_CONFIG = GPTConfig(7, 4, d_model=8, n_heads=2, n_layers=1)
CONFIG = {
    "data": "x", "folder": "", "sae": {"class": "TopKSAE"}, "train": {}, "grid": {"sae.k": [2]},
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """write gives the file to be spoilt; read gives what the course makes of it, in plain values.

    remakes: a damaged one counts as absent and is made again, so that nobody has to be told.
    old: turns the file into one from before there were versions; None where there was no such.
    """

    write: Callable[[Path], Path]
    read: Callable[[Path], Any]
    remakes: bool = False
    old: Callable[[bytes], bytes] | None = None


def unsealed(content: bytes) -> bytes:
    told = json.loads(content)
    return json.dumps({key: told[key] for key in told if key not in ("version", "seal")}).encode()


def checkpoint(folder):
    state = {"step": 3, "w": torch.randn(40, generator=runtime.generator(0))}
    runtime.save_checkpoint(folder / "run.pt", {"recipe": {"lr": 0.1}}, state)
    return folder / "run.pt"


def read_checkpoint(path):
    state = runtime.load_checkpoint(path, {"recipe": {"lr": 0.1}})
    return state["step"], state["w"].tolist()


def sae_of(name):
    def write(folder):
        return save(TopKSAE(4, 8, 2), folder / "sae") / name

    return write


def read_sae(path):
    sae = load(path.parent)
    return sae.config, {name: value.tolist() for name, value in sae.state_dict().items()}


def shard(folder):
    harvest(GPT(GPT_CONFIG), torch.arange(28).view(7, 4) % 7, "blocks.0", folder / "store")
    return folder / "store" / "blocks.0" / "000000.safetensors"


def read_shards(path):
    return [
        read_shard(path, name).tolist() for name in ("activations", "token", "sequence", "position")
    ]


def old_shard(content):
    from safetensors.torch import load as unpacked
    from safetensors.torch import save as packed

    tensors = unpacked(content)
    return packed(tensors, {name: _checksum(tensor, 0) for name, tensor in tensors.items()})


def index(folder):
    return shard(folder).parents[1] / "index.json"


def vector(ending):
    def write(folder):
        SteeringVector(torch.arange(6.0), "blocks.0", source="by hand").save(folder / "v")
        return folder / f"v{ending}"

    return write


def read_vector(path):
    found = SteeringVector.load(path.with_name("v"))
    return found.vector.tolist(), found.site, found.source, asdict(found.tokens)


def model(ending):
    def write(folder):
        made = GPT(GPT_CONFIG)
        told = zoo.Card(
            "tiny", "quick", "GPT", asdict(GPT_CONFIG), "RepeatCopy", {}, {"steps": 1}, 0, "none",
            {"loss": 1.25}, {}, {}, [], {},
        )  # fmt: skip
        zoo.store(told, {k: v.detach() for k, v in made.named_parameters()}, {}, folder)
        return folder / f"tiny{ending}"

    return write


def read_model(path):
    name = str(path.with_name("tiny"))
    weights = {key: value.tolist() for key, value in zoo.load(name).state_dict().items()}
    return asdict(zoo.card(name)), weights


def run_of_sweep(folder):
    return files.write_sealed(folder / "sae.k=2.json", {"measured": dict.fromkeys("abcd", 0.5)})


def read_sweep(path):
    return sweep.table(CONFIG | {"folder": path.parent})


def grade(folder):
    told = {"student": "ada", "key": "k", "questions": [{"points": 7, "worth": 9}]}
    Journal(folder, "set").save(told)
    return folder / "ada.json"


def bands(part, folder_name):
    def write(folder):
        content = {part: {"one": {"values": [1.5, 2.5], "band": [1.0, 3.0]}}, "version": 1}
        content["sha256"] = core.digest(content[part])
        path = folder / folder_name / "02_x.json"
        return files.write_file(path, json.dumps(content))

    return write


def notebook(ending):
    def write(folder):
        (folder / "course_lib").mkdir()
        (folder / "constraints.txt").write_text("")
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="a")])
        nbformat.write(made, folder / "one.ipynb")
        told = records.Record(
            records.inputs_digest(folder, folder / "one.ipynb"), 1.5, 2.5, 3.5, "machine", "day"
        )
        records.save(folder, folder / "one.ipynb", made, told)
        return folder / "_build" / "notebooks" / f"one{ending}"

    return write


def read_notebook(path):
    folder = path.parents[2]
    if not records.is_current(folder, folder / "one.ipynb"):
        return None
    executed = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    return asdict(records.load(folder, folder / "one.ipynb")), executed


def kept(folder):
    progress.add("check", name="a.b", done=True, passed=12, cases=34)
    return progress.path()


def read_kept(path):
    found = progress.read()
    if found.complaint:
        raise ValueError(found.complaint)
    return found.checks


def kills(folder):
    machine = {name: "" for name in ("name", "gpu", "system", "python", "torch", "date")}
    counts = dict.fromkeys(("landed", "corrupt", "ends", "differed", "left"), 0)
    row = counts | {"job": "j", "what": "w", "seconds": 1.5, "minutes": 2.5}
    found = {"machine": machine | {"name": "M"}, "seed": 0, "rows": [row]}
    return bench.store(folder, found, faults_page.RESULTS)


def read_kills(path):
    return faults_page.page_of(path.parents[2], path)


KINDS = {
    "checkpoint": Kind(checkpoint, read_checkpoint, old=files.unseal_bytes),
    "SAE, weights": Kind(sae_of("sae_weights.safetensors"), read_sae),
    "SAE, cfg": Kind(sae_of("cfg.json"), read_sae),
    "shard": Kind(shard, read_shards, old=old_shard),
    "index of a store": Kind(index, lambda path: Store.open(path.parent).index, old=unsealed),
    "vector": Kind(vector(".safetensors"), read_vector),
    "card of a vector": Kind(vector(".json"), read_vector, old=unsealed),
    "model": Kind(model(".safetensors"), read_model),
    "card of a model": Kind(model(".json"), read_model, old=unsealed),
    "run of a sweep": Kind(run_of_sweep, read_sweep, old=unsealed),
    "grade": Kind(grade, lambda path: Journal(path.parent, "").load("ada", "k"), True, unsealed),
    "bands": Kind(
        bands("claims", "bands"), lambda path: core.stored_part(path, "claims", "make bands")
    ),
    "tuning": Kind(
        bands("tuning", "tuning"), lambda path: core.stored_part(path, "tuning", "make it")
    ),
    "record": Kind(notebook(".json"), read_notebook, True),
    "executed notebook": Kind(notebook(".ipynb"), read_notebook, True),
    "progress": Kind(kept, read_kept, old=lambda line: unsealed(line) + b"\n"),
    "results": Kind(kills, read_kills, old=unsealed),
}
VERSIONED = [  # the others are held by the file beside them
    name for name in KINDS
    if name not in ("SAE, weights", "vector", "model", "executed notebook")
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.setattr(sweep, "MEASURES", tuple("abcd"))
    return tmp_path


@pytest.mark.parametrize("name", KINDS)
def test_a_turned_byte_is_noticed_or_changes_nothing(name, folder):
    kind, dice = KINDS[name], random.Random(0)
    path = kind.write(folder)
    whole, content = kind.read(path), path.read_bytes()
    noticed = 0
    for place in sorted(dice.sample(range(len(content)), min(TURNS, len(content)))):
        turned = bytearray(content)
        turned[place] ^= 1 << dice.randrange(8)
        path.write_bytes(turned)
        try:
            found = kind.read(path)
        except (ValueError, OSError) as error:
            assert len(str(error)) > 30, f"byte {place}: {error!r} is no sentence"
            noticed += 1
            continue
        if found is None and kind.remakes:
            noticed += 1
        else:
            assert found == whole, (
                f"byte {place} was turned and read: {turned[place - 9 : place + 9]}"
            )
    assert noticed > 0.5 * min(TURNS, len(content))
    path.write_bytes(content)
    assert kind.read(path) == whole


def newer(content: bytes, version: Any = 9) -> bytes:
    """The same file as version 9 would have it, whole and sealed."""
    if told := files.SEAL_OF_BYTES.search(content):
        return files.seal_bytes(content[: told.start()], version)
    try:
        told = json.loads(content)
    except ValueError:
        return content.replace(rb"\"version\": 1", rb"\"version\": 9")
    if "course_lib" in told:
        told["course_lib"]["version"] = version
        return json.dumps(told).encode()
    told = {key: told[key] for key in told if key not in ("version", "seal")}
    return json.dumps(files.seal(told, version)).encode()


@pytest.mark.parametrize("name", VERSIONED)
def test_a_newer_version_is_refused_by_its_number_or_made_again(name, folder):
    kind = KINDS[name]
    path = kind.write(folder)
    changed = newer(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed + b"\n" * (name == "progress"))
    if kind.remakes:
        assert kind.read(path) is None
        return
    with pytest.raises(ValueError) as caught:
        kind.read(path)
    wanted = "cannot be read" if name == "progress" else r"version (is )?9.*up to 1"
    assert re.search(wanted, str(caught.value)), caught.value


@pytest.mark.parametrize("version", ["x", None, -1, True, 0.5])
@pytest.mark.parametrize("name", [n for n in VERSIONED if n not in ("checkpoint", "shard")])
def test_a_version_that_is_none_is_refused_even_when_sealed(name, version, folder):
    kind = KINDS[name]
    path = kind.write(folder)
    path.write_bytes(newer(path.read_bytes(), version) + b"\n" * (name == "progress"))
    if kind.remakes:
        assert kind.read(path) is None
        return
    wanted = "cannot be read" if name == "progress" else re.escape(f"its version is {version!r}")
    with pytest.raises(ValueError, match=wanted):
        kind.read(path)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.old])
def test_what_was_written_before_there_were_versions_is_read(name, folder):
    kind = KINDS[name]
    path = kind.write(folder)
    whole = kind.read(path)
    path.write_bytes(kind.old(path.read_bytes()))
    assert kind.read(path) == whole


def test_what_is_committed_of_each_kind_is_read():
    assert all(zoo.card(name).name for name in zoo.names())
    for path in sorted(Path(core.__file__).parent.glob("bands/*.json")):
        assert core.stored_part(path, "claims", "make bands")
    for path in sorted(Path(core.__file__).parent.glob("tuning/*.json")):
        assert tuning.stored_tuning(path.stem)
