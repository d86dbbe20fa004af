"""The models that come with the course, trained on its own worlds: weights and cards."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_lib import files, validate
from course_lib.models.recipes import MODELS, make_world

SHIPPED = Path(__file__).parent / "weights"
SNAPSHOTS = "-steps"  # of a model's name: the file of its weights along training


@dataclass(frozen=True)
class Card:
    """What there is to know about a trained model.

    Attributes:
        name: its name, and that of its files.
        scale: "quick" or "full".
        model, config: its class and its shape.
        world, arguments: the class of its world and its arguments; `make_world()` makes it.
        training: the arguments of `Trainer`.
        seed: of the first weights and of the batches.
        data: how much was drawn from the world.
        measures: numbers of the model as it is stored, on draws it was not trained on: "loss" and
            "floor" (nats a token), "excess" of one over the other, and what its world is about.
        bands: the lowest and the highest of these that a training may end with.
        accuracy: for each attribute, how often a linear read-out of the activations finds it
            ("read_out", after which "block"), the share of the "commonest" value, and "ideal",
            how often the best observer is right, where that is known; "needed" and "ideal,
            needed" are the same at the tokens before a word that shows the attribute.
        snapshots: steps along training whose weights are stored too.
        sha256: of each file of weights.
    """

    name: str
    scale: str
    model: str
    config: dict[str, Any]
    world: str
    arguments: dict[str, Any]
    training: dict[str, Any]
    seed: int
    data: str
    measures: dict[str, float]
    bands: dict[str, list[float]]
    accuracy: dict[str, dict[str, float]]
    snapshots: list[int]
    sha256: dict[str, str]

    def make_world(self) -> Any:
        """The world that the model was trained on."""
        return make_world(self.world, self.arguments)

    def outside(self) -> list[str]:
        """The measures that are not in their band.

        Raises ValueError for a band that is no two numbers, or of what was not measured.
        """
        try:
            return [
                name for name, (low, high) in self.bands.items()
                if not low <= self.measures[name] <= high
            ]  # fmt: skip
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"the bands of {self.name} do not fit: {error}") from error


def names() -> tuple[str, ...]:
    """The models that come with the course."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.json")))


def card(name: str) -> Card:
    """The card of a model that `load` would give: shipped, or made by `course_lib.models.train`.

    Raises ValueError for an unknown name, with those that there are, or a damaged card.
    """
    path = _card_path(name)
    if path is None:
        raise ValueError(f"name is {name!r}; the models with a card are {', '.join(names())}.")
    return files.read_sealed(path, _again(path), _checked)


def _checked(content: dict[str, Any]) -> Card:
    """The card. Raises TypeError unless every attribute is of the kind that Card says."""
    told = Card(**content)
    for field in fields(Card):
        value, kind = getattr(told, field.name), field.type.partition("[")[0]
        if type(value).__name__ != kind:
            raise TypeError(f"{field.name} is {value!r}, not of type {kind}")
    return told


def load(name: str, *, step: int | None = None) -> nn.Module:
    """A trained model, on the CPU and in evaluation mode.

    Args:
        name: a shipped model (`names()`); or the path, without its ending, of one that
            `python -m course_lib.models.train` made; or, with the extra `[hub]`, a model of the
            Hugging Face hub or a folder that holds one.
        step: the weights after this many steps of training; one of the card's `snapshots`.

    Raises:
        ValueError: unknown name or step, or files that are not as they were stored.
        ModuleNotFoundError: the name is of no shipped model and transformers is not installed.
        ConnectionError: the name is of no model on this machine and the hub cannot be reached.
    """
    if _card_path(name) is None:
        from course_lib.models.hub import load_hub

        return load_hub(name)
    told = card(name)
    folder = _card_path(name).parent
    if step is not None and step not in told.snapshots:
        raise ValueError(f"step is {step}; {name} was kept at the steps {told.snapshots}.")
    along = step is not None and step != told.training.get("steps")
    file = f"{Path(name).name}{SNAPSHOTS if along else ''}.safetensors"
    tensors = _read(folder / file, told.sha256.get(file, ""))
    if along:
        start = f"{step}/"
        tensors = {
            key.removeprefix(start): value
            for key, value in tensors.items()
            if key.startswith(start)
        }
    try:
        held = sum(tensor.numel() for tensor in tensors.values())
        for name, size in told.config.items():
            if type(size) is int and size > held:
                raise ValueError(f"{name} is {size} and its weights hold {held} numbers.")
        model_class, config_class = MODELS[validate.choice("model", told.model, tuple(MODELS))]
        model = model_class(config_class(**told.config))
        return fill(model, tensors)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the card of {told.name!r} describes no model: {error}") from error


def open_world(name: str) -> tuple[nn.Module, Any]:
    """A language model, and the world whose documents it is asked about.

    A model of the course comes with its own world. Any other reads the documents of the story
    world in its own tokens; see `course_lib.data.Retold`. Arguments and errors as for `load`, a
    ModuleNotFoundError without transformers and a ConnectionError without the hub among them.
    """
    model = load(name)
    if _card_path(name) is not None:
        return model, card(name).make_world()
    from course_lib.data import Retold
    from course_lib.models.hub import load_tokenizer

    return model, Retold(card("story").make_world(), load_tokenizer(name))


def fill(model: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Put weights into a model, in the model's dtype, and put it in evaluation mode.

    Raises ValueError where names or shapes are not the model's.
    """
    own = dict(model.named_parameters())
    if own.keys() != tensors.keys():
        wrong = sorted(own.keys() ^ tensors.keys())
        raise ValueError(f"the weights do not fit the model: {', '.join(wrong)} are on one side.")
    with torch.no_grad():
        for key, parameter in own.items():
            parameter.copy_(validate.shape(key, tensors[key], parameter.shape))
    return model.eval()


def _card_path(name: str) -> Path | None:
    """Where the card of a model of ours is: shipped, else at a path of the reader's."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"name is {name!r}; it must be a model's name, such as 'torus'.")
    places = [SHIPPED / f"{name}.json"] if Path(name).name == name else []
    return next((path for path in [*places, Path(f"{name}.json")] if os.path.isfile(path)), None)


def _read(path: Path, sha256: str) -> dict[str, Tensor]:
    """The tensors of a file, once its checksum is what the card says."""
    from safetensors import SafetensorError
    from safetensors.torch import load as unpacked

    if not path.is_file():
        raise ValueError(f"{path} is not there; {_again(path)}.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{path} is not what its card says: its SHA-256 is another, so it was changed or "
            f"fetched in part; {_again(path)}."
        )
    try:
        return unpacked(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file ({error}); {_again(path)}.") from error


def _again(path: Path) -> str:
    if path.parent == SHIPPED:
        return "install the course again"
    return f"make it again: python -m course_lib.models.train {path.stem.partition(SNAPSHOTS)[0]}"


def store(
    told: Card,
    weights: dict[str, Tensor],
    snapshots: dict[int, dict[str, Tensor]],
    folder: Path,
) -> Card:
    """Write a model's files into a folder, and return its card with their checksums.

    Weights along training are stored in half precision, and those of its end once, whole.
    """
    from safetensors.torch import save

    contents = {f"{told.name}.safetensors": save(weights)}
    along = {step: kept for step, kept in snapshots.items() if step != told.training["steps"]}
    if along:
        contents[f"{told.name}{SNAPSHOTS}.safetensors"] = save(
            {
                f"{step}/{key}": tensor.half()
                for step, tensors in along.items()
                for key, tensor in tensors.items()
            }
        )
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    told = Card(**asdict(told) | {"sha256": sha256, "snapshots": sorted(snapshots)})
    contents[f"{told.name}.json"] = files.sealed_text(asdict(told))
    files.write_together({folder / name: content for name, content in contents.items()})
    return told
