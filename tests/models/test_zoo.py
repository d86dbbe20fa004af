"""A stored model is what its card says, or a clear error; a training can be made again."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from course_lib import files, models
from course_lib.models import measures, recipes, tasks, train, zoo
from course_lib.models.recipes import RECIPES, Recipe, gpt
from course_lib.models.training import log_spaced, weights_of
from course_lib.runtime import TrainingStopped, generator
from tests.models.worlds import Chain, StopAt

TINY = Recipe(
    world=("Chain", {}),
    config=gpt(d_model=8, n_heads=2, n_layers=2, tied=True),
    training={"steps": 30, "batch_size": 16, "lr": 1e-2},
    measure=measures.against_the_floor,
    bands={"excess": (0.0, 1.0)},
    n_snapshots=4,
)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def chain(monkeypatch):
    monkeypatch.setattr(tasks, "Chain", Chain, raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files of a trained model."""
    tasks.Chain = Chain
    folder = tmp_path_factory.mktemp("made")
    train.make("tiny", TINY, folder, scale="quick", device=CPU)
    return folder


@pytest.fixture
def mine(folder, tmp_path):
    """A copy of its own for a test that spoils it."""
    return shutil.copytree(folder, tmp_path / "mine")


def same(one, other):
    return all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))


def test_a_model_made_again_is_the_same_and_leaves_no_checkpoint(folder, tmp_path):
    train.make("tiny", TINY, tmp_path, scale="quick", device=CPU)
    assert same(zoo.load(str(folder / "tiny")), zoo.load(str(tmp_path / "tiny")))
    assert zoo.card(str(folder / "tiny")) == zoo.card(str(tmp_path / "tiny"))
    names = {"tiny.json", "tiny.safetensors", "tiny-steps.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_the_card_says_what_the_model_is_and_what_it_does(folder):
    told, model = zoo.card(str(folder / "tiny")), zoo.load(str(folder / "tiny"))
    assert (told.model, told.world, told.seed, told.scale) == ("GPT", "Chain", 0, "quick")
    assert told.data == "480 draws of 6 tokens, each made anew"
    assert not model.training and model.unembed.weight is model.embed.weight
    again = measures.against_the_floor(model, told.make_world())
    assert told.measures == {name: float(f"{value:.4g}") for name, value in again.items()}
    assert told.measures["loss"] > told.measures["floor"] > 0
    assert told.outside() == []
    assert replace(told, bands={"excess": [0.0, 1e-6]}).outside() == ["excess"]
    assert told.accuracy["token"]["read_out"] > 0.9 > told.accuracy["token"]["commonest"]


def test_weights_along_training_can_be_loaded(folder):
    name = str(folder / "tiny")
    told = zoo.card(name)
    assert told.snapshots == [0, 10, 17, 30]
    start, end = zoo.load(name, step=0), zoo.load(name, step=30)
    fresh = TINY.make_model(Chain())
    for key, weight in weights_of(fresh).items():
        torch.testing.assert_close(start.get_parameter(key), weight, rtol=1e-3, atol=1e-6)
        last = zoo.load(name).get_parameter(key)
        torch.testing.assert_close(end.get_parameter(key), last, rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"step is 7; .* at the steps \[0, 10, 17, 30\]"):
        zoo.load(name, step=7)


def test_a_recipe_may_name_the_steps_to_keep(folder, tmp_path):
    train.make(
        "tiny",
        replace(TINY, n_snapshots=0, snapshots=(10, 12)),
        tmp_path,
        scale="quick",
        device=CPU,
    )
    name = str(tmp_path / "tiny")
    assert zoo.card(name).snapshots == [10, 12]
    assert same(zoo.load(name, step=10), zoo.load(str(folder / "tiny"), step=10))
    assert not same(zoo.load(name, step=10), zoo.load(name, step=12))


def test_arithmetic_is_kept_in_the_midst_of_learning():
    sums = models.card("arithmetic").make_world().every_sentence().tokens
    known = []
    for step in models.card("arithmetic").snapshots:
        with torch.no_grad():
            said = models.load("arithmetic", step=step)(sums[:, :-1])[:, -1].argmax(-1)
        known.append((said == sums[:, -1]).float().mean().item())
    assert known == [pytest.approx(share, abs=0.02) for share in (0.59, 0.71, 0.78)]


@pytest.mark.parametrize("file", ["tiny.safetensors", "tiny-steps.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_weights_that_are_not_those_of_the_card_are_refused_by_name(mine, file, damage):
    path = mine / file
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
    path.write_bytes(content if damage == "flip" else content[:-5])
    if damage == "gone":
        path.unlink()
    why = "is not there" if damage == "gone" else "is not what its card says"
    with pytest.raises(ValueError, match=f"{file} {why}.*course_lib.models.train tiny"):
        zoo.load(str(mine / "tiny"), step=17 if "steps" in file else None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "tiny"}'])
def test_a_damaged_card_is_refused_by_name(mine, text):
    (mine / "tiny.json").write_text(text)
    with pytest.raises(ValueError, match="tiny.json is damaged .*; make it again"):
        zoo.load(str(mine / "tiny"))


def test_a_card_of_another_shape_is_refused(mine):
    path = mine / "tiny.json"
    told = files.read_sealed(path, "make it again")
    told["config"]["d_model"] = 16
    files.write_sealed(path, told)
    with pytest.raises(ValueError, match=r"embed.weight has shape \[5, 8\]; it must be \[5, 16\]"):
        zoo.load(str(mine / "tiny"))
    told["config"] |= {"d_model": 8, "n_layers": 1}
    files.write_sealed(path, told)
    with pytest.raises(ValueError, match="weights do not fit the model: blocks.1"):
        zoo.load(str(mine / "tiny"))


def test_a_name_without_a_card_goes_to_the_hub(monkeypatch):
    hub = ModuleType("hub")
    hub.load_hub = lambda name: f"the hub's {name}"
    monkeypatch.setitem(sys.modules, "course_lib.models.hub", hub)
    assert models.load("EleutherAI/pythia-70m") == "the hub's EleutherAI/pythia-70m"


def test_an_unknown_name_has_no_card():
    with pytest.raises(ValueError, match="name is 'storey'; the models with a card are"):
        zoo.card("storey")


def test_ctrl_c_in_a_training_and_the_same_command_goes_on(tmp_path, folder, monkeypatch):
    monkeypatch.setitem(RECIPES, "tiny", {"quick": TINY})
    StopAt.__name__ = "Chain"
    monkeypatch.setattr(tasks, "Chain", lambda: StopAt(20))
    with pytest.raises(TrainingStopped):
        train.make("tiny", TINY, tmp_path, scale="quick", device=CPU)
    assert {path.name for path in tmp_path.iterdir()} >= {"tiny.training.pt"}
    monkeypatch.setattr(tasks, "Chain", Chain)
    assert train.main(["tiny", "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert same(zoo.load(str(folder / "tiny")), zoo.load(str(tmp_path / "tiny")))


def test_the_command_says_whether_the_numbers_are_in_their_bands(tmp_path, monkeypatch, capsys):
    impossible = replace(TINY, bands={"excess": (0.0, 1e-9)}, n_snapshots=0)
    monkeypatch.setitem(RECIPES, "tiny", {"quick": TINY, "full": impossible})
    assert train.main(["tiny", "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert "within 0 to 1" in capsys.readouterr().out
    arguments = ["tiny", "--scale", "full", "--out", str(tmp_path / "full"), "--device", "cpu"]
    assert train.main(arguments) == 1
    assert "OUTSIDE 0 to 1e-09" in capsys.readouterr().out
    monkeypatch.setattr(tasks, "Chain", lambda: StopAt(3))
    assert train.main(["tiny", "--out", str(tmp_path / "b"), "--device", "cpu"]) == 130
    assert "stopped at step 3 of 30. Run the same command" in capsys.readouterr().out


def test_a_folder_that_holds_another_training_or_cannot_be_is_told_in_one_sentence(
    tmp_path, monkeypatch, capsys
):
    other = replace(TINY, training=TINY.training | {"lr": 0.5})
    monkeypatch.setitem(RECIPES, "tiny", {"quick": TINY, "full": other})
    monkeypatch.setattr(tasks, "Chain", lambda: StopAt(20))
    arguments = ["tiny", "--out", str(tmp_path), "--device", "cpu"]
    assert train.main(arguments) == 130
    monkeypatch.setattr(tasks, "Chain", Chain)
    (tmp_path / "file").touch()
    for wrong in ([*arguments, "--scale", "full"], [*arguments, "--out", str(tmp_path / "file")]):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            train.main(wrong)
        assert stop.value.code == 2
        said = capsys.readouterr().err
        assert ("another training: lr 0.01 (now 0.5)" if "full" in wrong else "file") in said


@pytest.mark.parametrize(
    "arguments", [["no-such-model"], ["digits", "--scale", "full"], ["digits", "--device", "x"]]
)
def test_a_command_that_cannot_be_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        train.main(arguments)
    assert stop.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "scale"), [(name, scale) for name in RECIPES for scale in RECIPES[name]]
)
def test_every_recipe_makes_a_model_that_takes_its_world(name, scale):
    how = recipes.recipe(name, scale)
    world = how.make_world()
    shape = how.config(world)
    assert {"steps", "batch_size", "lr"} <= how.training.keys()
    if scale == "quick":
        model = how.make_model(world)
        drawn = world.sample(3, generator(0))
        batch = (drawn.tokens,) if hasattr(drawn, "tokens") else drawn
        assert model.loss(*batch).isfinite()
        assert model.config == shape


# --- what is shipped -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", models.names())
def test_a_shipped_model_loads_in_a_second_and_is_what_its_recipe_makes(name):
    start = time.perf_counter()
    model = models.load(name)
    assert time.perf_counter() - start < 1
    told = models.card(name)
    how = recipes.recipe(name, told.scale)
    assert told.outside() == []
    assert told.training == dict(how.training) and told.seed == how.seed
    assert told.bands == {key: list(band) for key, band in how.bands.items()}
    assert type(told.make_world()) is type(how.make_world())
    assert model.config == how.config(told.make_world())
    n = how.n_snapshots
    kept = log_spaced(how.training["steps"], n) if n else how.snapshots
    assert told.snapshots == list(kept)
    for step in told.snapshots:
        assert models.load(name, step=step).config == model.config


@pytest.mark.parametrize("name", models.names())
def test_a_shipped_card_tells_what_is_measured_again(name):
    told = models.card(name)
    again = recipes.recipe(name, told.scale).measure(models.load(name), told.make_world())
    for measure, value in again.items():
        assert told.measures[measure] == pytest.approx(value, rel=1e-2, abs=1e-4)


def test_all_that_is_shipped_is_small_and_belongs_together():
    files = list(zoo.SHIPPED.iterdir())
    assert sum(path.stat().st_size for path in files) < 20e6
    named = {file for name in models.names() for file in models.card(name).sha256}
    assert {path.name for path in files} == named | {f"{name}.json" for name in models.names()}


def test_loading_needs_no_network_and_no_other_library():
    code = """
import socket, sys
sys.modules.update(dict.fromkeys(["sklearn", "matplotlib", "scipy", "tqdm", "transformers"]))
from course_lib import models
socket.socket = None
for name in models.names():
    models.load(name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ)
    assert done.returncode == 0, done.stderr.decode()


def test_a_model_of_the_course_comes_with_the_world_it_was_trained_on():
    model, world = models.open_world("story")
    assert type(world).__name__ == "StoryWorld" and model.config.d_vocab == len(world.vocabulary)
    with pytest.raises(TypeError, match="it must be a model's name"):
        models.open_world("")
