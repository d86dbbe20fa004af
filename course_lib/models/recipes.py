"""How each shipped model is made: its world, its shape, its training, and what it must reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from course_lib import data, validate
from course_lib.models import measures, tasks
from course_lib.models.cnn import CNN, CNNConfig
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.models.gru import GRU, GRUConfig

MODELS: dict[str, tuple[type[nn.Module], type]] = {
    "GPT": (GPT, GPTConfig), "GRU": (GRU, GRUConfig), "CNN": (CNN, CNNConfig),
}  # fmt: skip

Band = tuple[float, float]


@dataclass(frozen=True)
class Recipe:
    """All that makes a model.

    Attributes:
        world: the name of a class in `course_lib.data` or `course_lib.models.tasks`, and its
            arguments.
        config: the model's shape, given the world.
        training: arguments of `Trainer`.
        measure: of the trained model and its world, the numbers of its card.
        bands: for some of these, the lowest and the highest that a training may end with.
        accuracy: of the trained model and its world, what can be read out of each attribute.
        n_snapshots: how many steps along training have their weights kept, evenly in logarithm.
        snapshots: or which.
        seed: of the initial weights and of the training batches.
    """

    world: tuple[str, Mapping[str, Any]]
    config: Callable[[Any], GPTConfig | GRUConfig | CNNConfig]
    training: Mapping[str, Any]
    measure: Callable[[Any, Any], dict[str, float]]
    bands: Mapping[str, Band]
    accuracy: Callable[[Any, Any], Mapping[str, dict[str, float]]] = measures.token_accuracy
    n_snapshots: int = 0
    snapshots: tuple[int, ...] = ()
    seed: int = 0

    def make_world(self) -> Any:
        return make_world(*self.world)

    def make_model(self, world: Any) -> nn.Module:
        """The model before training."""
        config = self.config(world)
        model = next(model for model, its_config in MODELS.values() if type(config) is its_config)
        return model(config, seed=self.seed)


def make_world(name: str, arguments: Mapping[str, Any]) -> Any:
    """The world of a recipe or a card."""
    return getattr(tasks if hasattr(tasks, name) else data, name)(**arguments)


def gpt(**shape: Any) -> Callable[[Any], GPTConfig]:
    """A GPT for a world of tokens: it sees all tokens of a sequence but the last."""
    return lambda world: GPTConfig(len(world.vocabulary), world.seq - 1, **shape)


TORUS = Recipe(
    world=("TorusGame", {}),
    config=gpt(d_model=64, n_heads=4, n_layers=2),
    training={"steps": 2500, "batch_size": 256, "lr": 3e-3},
    measure=measures.games,
    bands={"legal": (0.97, 1.0), "excess": (0.0, 0.03)},
    accuracy=measures.game_accuracy,
    n_snapshots=12,
)
SHORT_TORUS = replace(  # for other seeds of the same
    TORUS,
    training={"steps": 1000, "batch_size": 256, "lr": 3e-3},
    bands={"legal": (0.97, 1.0), "excess": (0.0, 0.1)},
    n_snapshots=0,
)
ARITHMETIC = Recipe(
    world=("CalendarArithmetic", {}),
    config=gpt(d_model=64, n_heads=4, n_layers=1),
    training={"steps": 3000, "batch_size": 256, "lr": 3e-3},
    measure=measures.calendar,
    bands={"weekdays": (1.0, 1.0), "months": (1.0, 1.0), "excess": (0.0, 0.01)},
    snapshots=(655, 669, 684),  # it knows 59, 71 and 78 % of the sums
)
REPEAT = Recipe(
    world=("RepeatCopy", {}),
    config=lambda world: GRUConfig(len(world.vocabulary), world.length),
    training={"steps": 5000, "batch_size": 256, "lr": 5e-3},
    measure=measures.copying,
    bands={"sequences": (0.98, 1.0)},
    accuracy=measures.state_accuracy,
)
DIGITS = Recipe(
    world=("DigitPictures", {}),
    config=lambda world: CNNConfig(1, 8),
    training={"steps": 800, "batch_size": 64, "lr": 3e-3},
    measure=measures.classes,
    bands={"accuracy": (0.97, 1.0)},
    accuracy=measures.nothing_to_read_out,
)
FIELDS = Recipe(
    world=("NextFrame", {}),
    config=lambda world: CNNConfig(
        world.n_frames, world.fields.n_space, (), dimensions=1, channels=(32, 32, 32), kernel=7,
        ring=True,
    ),
    training={"steps": 1500, "batch_size": 64, "lr": 3e-3},
    measure=measures.frames,
    bands={"error": (0.0, 0.05)},
    accuracy=measures.nothing_to_read_out,
)  # fmt: skip
SCENES = Recipe(
    world=("SceneFactors", {}),
    config=lambda world: CNNConfig(3, 12, (4, 4, 4)),
    training={"steps": 600, "batch_size": 128, "lr": 3e-3},
    measure=measures.factors,
    bands={name: (0.97, 1.0) for name in ("shape", "colour", "position")},
    accuracy=measures.nothing_to_read_out,
)
IN_CONTEXT = Recipe(
    world=("permuted_labels", {}),
    config=gpt(d_model=64, n_heads=4, n_layers=3),
    training={"steps": 3000, "batch_size": 128, "lr": 3e-3},
    measure=measures.in_context,
    bands={"right": (0.9, 1.0), "excess": (0.0, 0.05)},
)
TOWNS = Recipe(
    world=("Towns", {}),
    config=gpt(d_model=64, n_heads=4, n_layers=2),
    training={"steps": 3000, "batch_size": 256, "lr": 3e-3},
    measure=measures.against_the_floor,
    bands={"excess": (0.0, 0.05)},
)
STORY = Recipe(
    world=("StoryWorld", {}),
    config=gpt(d_model=96, n_heads=4, n_layers=4),
    training={"steps": 4500, "batch_size": 64, "lr": 3e-3, "muon_lr": 0.02},
    measure=measures.against_the_floor,
    bands={"excess": (0.0, 0.10)},
    accuracy=measures.story_accuracy,
    n_snapshots=10,
)
OTHELLO = Recipe(
    world=("Othello", {"size": 6}),
    config=gpt(d_model=64, n_heads=4, n_layers=4),
    training={"steps": 6000, "batch_size": 128, "lr": 2e-3},
    measure=measures.games,
    bands={"legal": (0.9, 1.0)},
    accuracy=measures.game_accuracy,
)

RECIPES: dict[str, dict[str, Recipe]] = {
    "arithmetic": {"quick": ARITHMETIC},
    "digits": {"quick": DIGITS},
    "fields": {"quick": FIELDS},
    "in_context": {"quick": IN_CONTEXT},
    "othello": {
        "quick": OTHELLO,
        "full": replace(
            OTHELLO,
            world=("Othello", {"size": 8}),
            config=gpt(d_model=512, n_heads=8, n_layers=8),
            training={"steps": 100_000, "batch_size": 512, "lr": 5e-4},
            bands={"legal": (0.995, 1.0)},
        ),
    },
    "repeat": {
        "quick": REPEAT,
        "full": replace(
            REPEAT,
            config=lambda world: GRUConfig(len(world.vocabulary), world.length, d_hidden=512),
            training={"steps": 20_000, "batch_size": 256, "lr": 1e-3},
        ),
    },
    "scenes": {"quick": SCENES},
    "story": {
        "quick": STORY,
        "full": replace(
            STORY,
            config=gpt(d_model=256, n_heads=8, n_layers=6),
            training={"steps": 40_000, "batch_size": 512, "lr": 1e-3, "muon_lr": 0.02},
            bands={"excess": (0.0, 0.02)},
        ),
    },
    "towns": {"quick": TOWNS},
    "torus": {
        "quick": TORUS,
        "full": replace(
            TORUS,
            config=gpt(d_model=128, n_heads=8, n_layers=4),
            training={"steps": 20_000, "batch_size": 512, "lr": 1e-3},
            bands={"legal": (0.999, 1.0), "excess": (0.0, 0.005)},
        ),
    },
    "torus_1": {"quick": replace(SHORT_TORUS, seed=1)},
    "torus_2": {"quick": replace(SHORT_TORUS, seed=2)},
}


def recipe(name: str, scale: str = "quick") -> Recipe:
    """How the model `name` is made.

    Raises ValueError, with the names that there are, for one that is not.
    """
    validate.choice("name", name, tuple(RECIPES))
    validate.choice("scale", scale, tuple(RECIPES[name]))
    return RECIPES[name][scale]
