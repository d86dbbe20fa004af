"""Everything public that can be called: each room's `__all__`, and what its classes do most."""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import inspect
import pkgutil
import types
import typing
from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jaxtyping
import torch

from course_lib import plots

ROOMS = (
    "activations", "causal", "claims", "data", "geometry", "models", "plots", "probes", "sae",
    "steering", "study", "superposition", "widgets",
)  # fmt: skip
METHODS = {  # of the classes that are called most
    "activations.Store": ("open", "folder", "batches"),
    "models.GPT": ("forward", "generate"),
    "models.ToyModel": ("encode", "decode", "forward"),
    "sae.SAE": ("encode", "decode", "forward", "loss", "instance"),
    "steering.SteeringVector": (
        "change", "along", "random", "check", "with_norm", "orthogonal_to", "cos", "mean", "load",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A public function, class or method.

    Attributes:
        name: "sae.fvu", "sae.TopKSAE" or "sae.SAE.encode", whose first parameter is `self`.
        call: what is called.
        kinds: of each parameter, the types that its annotation allows.
        required: the parameters without a default.
    """

    name: str
    call: Callable[..., Any]
    kinds: dict[str, tuple[Any, ...]]
    required: tuple[str, ...]

    @property
    def documentation(self) -> str:
        return inspect.getdoc(self.call) or ""

    def run(self, arguments: dict[str, Any]) -> Any:
        """Call with arguments by name; of `*values`, the tuple of them."""
        parameters = inspect.signature(self.call).parameters
        if all(p.kind is not p.VAR_POSITIONAL for p in parameters.values()):
            return self.call(**arguments)
        rest, given = dict(arguments), []
        for name, parameter in parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                values = rest.pop(name, ())
                given += values if isinstance(values, tuple) else (values,)
                break
            if name in rest:
                given.append(rest.pop(name))
        return self.call(*given, **rest)


@cache
def subjects() -> dict[str, Subject]:
    """All there are, by name: functions, constructors, and the methods of METHODS."""
    found = {}
    for room, name, value in exports():
        full = f"{room}.{name}"
        if callable(value) and not (inspect.isclass(value) and _never_made(value)):
            found[full] = _subject(full, value)
        for method in METHODS.get(full, ()):
            found[f"{full}.{method}"] = _subject(f"{full}.{method}", getattr(value, method))
    return found


def exports() -> list[tuple[str, str, Any]]:
    """Room, name and value of everything that a room exports, and all functions of figures."""
    rooms = {room: importlib.import_module(f"course_lib.{room}") for room in ROOMS}
    found = [
        (room, name, getattr(module, name))
        for room, module in rooms.items()
        for name in module.__all__
    ]
    return [*found, *_figures({value for _, _, value in found if inspect.isfunction(value)})]


def _figures(known: set[Callable[..., Any]]) -> list[tuple[str, str, Callable[..., Any]]]:
    found = []
    for room in pkgutil.iter_modules(plots.__path__):
        module = importlib.import_module(f"course_lib.plots.{room.name}")
        found += [
            (f"plots.{room.name}", name, value)
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and value not in known
            and not name.startswith("_")
        ]
    return found


def _never_made(cls: type) -> bool:
    return (
        inspect.isabstract(cls)
        or getattr(cls, "_is_protocol", False)
        or issubclass(cls, BaseException)
    )


def _subject(name: str, call: Callable[..., Any]) -> Subject:
    parameters = inspect.signature(call).parameters.values()
    named = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    kinds = {p.name: kinds_of(p.annotation, call) for p in named}
    required = [p.name for p in named if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    return Subject(name, call, kinds, tuple(required))


def kinds_of(annotation: Any, call: Callable[..., Any]) -> tuple[Any, ...]:
    """The types that an annotation allows; `object` for a name that only type checkers import."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        function = inspect.unwrap(call.__init__ if inspect.isclass(call) else call)
        own = getattr(function, "__globals__", {})
        if inspect.isclass(call):
            own = {**own, **vars(importlib.import_module(call.__module__))}
        try:
            annotation = eval(annotation, {}, ChainMap(own, _known(), _Unknown()))
        except (TypeError, ValueError):  # no shape that jaxtyping could check
            annotation = object
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return tuple(k for one in typing.get_args(annotation) for k in kinds_of(one, call))
    return (object if annotation is inspect.Parameter.empty else annotation,)


@cache
def _known() -> dict[str, Any]:
    classes = {name: value for _, name, value in exports() if inspect.isclass(value)}
    words = {name: getattr(m, name) for m in (typing, collections.abc) for name in m.__all__}
    arrays = {name: getattr(jaxtyping, name) for name in ("Float", "Int", "Bool", "Shaped")}
    return {**vars(builtins), **words, **classes, **arrays, "Tensor": torch.Tensor, "Path": Path}


class _Unknown(dict):
    def __missing__(self, name: str) -> type:
        return object
