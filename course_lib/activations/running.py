"""One run of a model that is looked at: where it is in the sequence, and when it may stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from course_lib.activations.sites import Site
from course_lib.models.gpt import KVCache


class Recorder(Protocol):
    """What a run tells, and asks, those who record in it."""

    def begin(self, start: int) -> None:
        """A pass begins whose first token is at position `start`."""
        ...

    def may_stop(self) -> bool:
        """Whether the rest of this pass is not needed."""
        ...


class Use(Protocol):
    """What someone does at a site.

    Attributes:
        changes: those that change a value come before those that read it.
    """

    changes: bool

    def __call__(self, value: Any) -> Any:
        """From what goes into a module, or comes out of it, to what shall do so instead."""
        ...


class Stop(BaseException):
    """Nothing after this is needed; no error, and so not for `except Exception`."""

    def __init__(self, run: Run) -> None:
        self.run = run


class Run:
    """Stands in for a model's `forward`: counts positions and passes, and ends one early.

    One for each model, whoever reads and changes it; gone with the last of them.

    Attributes:
        start: position of the first token of this pass.
        inside: whether the model is running.
        passes, whole_passes: how many were begun, and how many ran to the end.
    """

    def __init__(self, model: nn.Module) -> None:
        self.own = model.__dict__.get("forward")  # None unless someone else stands in already
        self.forward = model.forward
        self.users = 0
        self.recorders: list[Recorder] = []
        self.passes, self.whole_passes, self.start, self.inside = 0, 0, 0, False
        update_wrapper(self, self.forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.start, self.inside = _tokens_before(args, kwargs), True
        self.passes += 1
        for recorder in self.recorders:
            recorder.begin(self.start)
        try:
            result = self.forward(*args, **kwargs)
            self.whole_passes += 1
            return result
        except Stop as stop:
            if stop.run is not self:
                raise
            return None
        finally:
            self.inside = False

    def start_at(self, site: Site) -> int:
        """The position of the first token at a site that runs now."""
        return self.start if self.inside or not site.path else 0

    def stop_if_done(self) -> None:
        """Raise Stop when all who record in this model have what they want and asked for it."""
        if self.inside and self.recorders and all(r.may_stop() for r in self.recorders):
            raise Stop(self)

    def __reduce_ex__(self, protocol: object) -> Any:
        raise RuntimeError(
            "a model cannot be copied or saved whole while `record` or `intervene` is on it."
        )


def _tokens_before(args: tuple, kwargs: dict) -> int:
    """How many tokens the KV cache among a model's arguments holds; 0 without one.

    Raises ValueError inside a model, where the cache holds some of the new tokens already.
    """
    for value in (*args, *kwargs.values()):
        if isinstance(value, KVCache):
            n_tokens = len(value)
        elif hasattr(value, "get_seq_length"):  # the caches of transformers
            n_tokens = int(value.get_seq_length())
        else:
            continue
        first = args[0] if args else kwargs.get("hidden_states")
        if n_tokens and isinstance(first, Tensor) and first.is_floating_point():
            raise ValueError(
                "model is a part of what is called, and cannot tell positions under a KV cache; "
                "give the whole model, and the path from there."
            )
        return n_tokens
    return 0


_RUNS: WeakKeyDictionary[nn.Module, Run] = WeakKeyDictionary()


@contextmanager
def run_of(model: nn.Module) -> Iterator[Run]:
    """The model's run; it stands in for `forward` until the last who asked for it has left."""
    run = _RUNS.get(model)
    if run is None:
        run = _RUNS[model] = Run(model)
        model.forward = run
    run.users += 1
    try:
        yield run
    finally:
        run.users -= 1
        if run.users == 0:
            del _RUNS[model]
            del model.forward
            if run.own is not None:
                model.forward = run.own


# --- the hooks on one module ---------------------------------------------------------------------


class _Tap:
    """The one hook at a module's input, or its output: changes first, in order, then readers."""

    def __init__(self, module: nn.Module, end: str) -> None:
        self.uses: list[Use] = []
        if end == "output":
            self.handle = module.register_forward_hook(self._output)
        else:
            self.handle = module.register_forward_pre_hook(self._input, with_kwargs=True)

    def _passed_on(self, value: Any) -> Any:
        for use in sorted(self.uses, key=lambda use: not use.changes):
            value = use(value)
        return value

    def _output(self, module: nn.Module, args: tuple, output: Any) -> Any:
        return self._passed_on(output)

    def _input(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if any(isinstance(value, Tensor) for value in args):
            return self._passed_on(args), kwargs
        return args, self._passed_on(kwargs)


_TAPS: WeakKeyDictionary[nn.Module, dict[str, _Tap]] = WeakKeyDictionary()


@contextmanager
def tapped(module: nn.Module, end: str, use: Use) -> Iterator[None]:
    """`use` acts on what goes into ("input") or comes out of ("output") a module."""
    taps = _TAPS.setdefault(module, {})
    if end not in taps:
        taps[end] = _Tap(module, end)
    tap = taps[end]
    tap.uses.append(use)
    try:
        yield
    finally:
        tap.uses.remove(use)
        if not tap.uses:
            tap.handle.remove()
            del taps[end]
