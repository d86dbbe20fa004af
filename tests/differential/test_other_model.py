"""The chapters on interventions run on a saved model of transformers by one changed name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course_lib.activations import n_blocks
from course_lib.data import Retold, StoryWorld
from course_lib.models import open_world
from course_lib.runtime import generator
from course_lib.steering import evaluate, find_vectors, impossible, story_behaviour
from tests.differential.saved import save_story_gpt2

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [
    path for path in sorted(ROOT.glob("book/4_interventions/*.ipynb"))
    if "open_world(MODEL)" in path.read_text(encoding="utf-8")
]  # fmt: skip
RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code" and cell.get("id") != "setup":
        shell.run_cell("".join(cell["source"])).raise_error()
print("COURSE_MODEL reached", shell.user_ns["MODEL"])
"""


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    return save_story_gpt2(tmp_path_factory.mktemp("model"))


def test_its_world_is_the_stories_in_its_own_tokens(name):
    model, world = open_world(name)
    assert isinstance(world, Retold) and n_blocks(model) == 3
    stories, told = StoryWorld().sample(8, generator(1)), world.sample(8, generator(1))
    text = StoryWorld().decode(stories.tokens[0])
    assert told.tokens[0].tolist() == world.tokenizer(text)["input_ids"][: world.seq]
    assert text.startswith(world.decode(told.tokens[0]))
    assert torch.isfinite(world.log_prob(told.tokens)).all()
    assert world.decode(world.encode("gladly con-la-tía α")) == "gladly con-la-tía α"


@torch.no_grad()
def test_a_vector_is_found_and_evaluated_in_it(name):
    model, world = open_world(name)
    told = world.sample(32, generator(2))
    (vector, _) = find_vectors(
        model, ["blocks.0.resid_post", "blocks.1.resid_post"], told.tokens, told.labels["valence"],
        name=name,
    )  # fmt: skip
    behaviour = story_behaviour(world, "valence", 12, generator(3))
    report = evaluate(
        model, vector, behaviour, [1.0, 4.0], neutral=told.tokens[:4], n_random=2, n_new=5,
        rules=lambda tokens: impossible(world, tokens, behaviour.prompts.shape[1]),
    )  # fmt: skip
    assert report.effect.shape == (4, 2, len(behaviour))
    assert (report.violations > 0.5).all()  # random weights write no stories


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_runs_on_it(chapter, name, tmp_path):
    pythonpath = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "COURSE_MODEL": name, "MPLBACKEND": "agg", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(tmp_path), "PYTHONPATH": pythonpath,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(chapter)],
        cwd=chapter.parent, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"COURSE_MODEL reached {name}" in done.stdout
