"""Read and change activations of any model while it runs, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from course_lib.activations import positions as places
from course_lib.activations.positions import Positions
from course_lib.activations.sites import Site, find
from course_lib.models.gpt import KVCache

if TYPE_CHECKING:
    from jaxtyping import Float

Intervention: TypeAlias = Callable[[Tensor], Tensor]


# --- what a reader calls -------------------------------------------------------------------------


@contextmanager
def record(
    model: nn.Module, sites: str | Site | Sequence[str | Site], *, stop: bool = False
) -> Iterator[Recording]:
    """Keep the activations at some sites of a model, whenever it runs within the `with` block.

        with record(model, ["blocks.0.attn_out", "blocks.3.resid_post"]) as acts:
            logits = model(tokens)
        acts["blocks.3.resid_post"]  # [batch, seq, d_model]

    It keeps what interventions left. Under `torch.no_grad()` these are copies, safe from all that
    the model does later; with gradients they are the model's own tensors, so that one can
    differentiate by them.

    Args:
        sites: as for `find`.
        stop: end each run of the model as soon as all sites are read, which then returns None.

    Raises:
        TypeError, ValueError: no such site.
    """
    names = [sites] if isinstance(sites, (str, Site)) else list(sites)
    recording = Recording({str(name): find(model, name) for name in names}, stop)
    with ExitStack() as stack:
        run = stack.enter_context(_run_of(model))
        stack.callback(run.recordings.remove, recording)
        run.recordings.append(recording)
        for name, site in recording.sites.items():
            keep = _Keep(run, recording, name)
            stack.enter_context(_tapped(model.get_submodule(site.path), site, keep))
        yield recording


@contextmanager
def intervene(
    model: nn.Module,
    site: str | Site,
    *interventions: Intervention,
    positions: Positions = None,
) -> Iterator[None]:
    """Change the activations at a site, whenever the model runs within the `with` block.

        with intervene(model, "blocks.3.resid_post", Add(direction), positions=slice(5, None)):
            logits = model(tokens)

    Several on one site act one after the other, in the order in which they were begun. Positions
    are those of the whole sequence: with a KV cache, `positions=[7]` is the eighth token in
    whichever pass it is read.

    Args:
        interventions: functions [batch, seq, d] -> the same shape, as those of this package.
        positions: None for all; an int, several, a slice, or a mask [seq] or [batch, seq]. The
            interventions see these positions alone, of a mask all that any row of the batch has.

    Raises:
        TypeError, ValueError: no such site or positions, or a change there would do something else.
        ValueError: at the end of the block, if the model ran and never came to a position.
    """
    found = find(model, site)
    if found.why_fixed:
        raise ValueError(f"{site} can be read but not changed: {found.why_fixed}.")
    change = _Change(str(site), interventions, places.checked(positions))
    with _run_of(model) as run:
        change.run, before = run, run.whole_passes
        with _tapped(model.get_submodule(found.path), found, change):
            yield
        change.check(ran=run.whole_passes > before)


@torch.no_grad()
def read(
    model: nn.Module, sites: str | Site | Sequence[str | Site], *inputs: Any, **named: Any
) -> Float[Tensor, "batch seq d"] | dict[str, Float[Tensor, "batch seq d"]]:
    """The activations at a site, or at each of several, when the model runs on these inputs.

        x = read(model, "blocks.3.resid_post", tokens)

    The model runs without gradients, and no further than the last of the sites.
    """
    with record(model, sites, stop=True) as acts:
        model(*inputs, **named)
    return acts[str(sites)] if isinstance(sites, (str, Site)) else dict(acts)


class Recording(Mapping[str, Tensor]):
    """The activations of the last sequence that was read, by the names of their sites.

    With a KV cache a sequence is read in several passes; their activations stand one after the
    other, as if it had been read at once (a pattern is 0 where its queries could not yet look).
    """

    def __init__(self, sites: dict[str, Site], stop: bool) -> None:
        self.sites, self.stop = sites, stop
        self._calls: dict[str, list[tuple[int, Tensor, int]]] = {}  # pass, tensor, its version
        self._seen: set[str] = set()  # in this pass
        self._end = 0

    def calls(self, site: str) -> list[Tensor]:
        """What each call of the site's module gave; for one that runs more than once in a pass."""
        if site not in self.sites:
            raise KeyError(f"{site!r} is not recorded; {', '.join(self.sites)} are.")
        for _, tensor, version in self._calls.get(site, []):
            if version != _version(tensor):
                raise ValueError(
                    f"the model changed the activations of {site} in place after they were read; "
                    "run it under torch.no_grad(), where they are copied."
                )
        return [tensor for _, tensor, _ in self._calls.get(site, [])]

    def __getitem__(self, site: str) -> Float[Tensor, "batch seq d"]:
        tensors = self.calls(site)
        if not tensors:
            raise KeyError(f"{site!r} did not run: call the model within the `with` block.")
        if len({number for number, _, _ in self._calls[site]}) < len(tensors):
            raise ValueError(
                f"{site} runs {len(tensors)} times in one pass; calls({site!r}) lists what it gave."
            )
        if len(tensors) == 1:
            return tensors[0]
        width = max(tensor.shape[-1] for tensor in tensors)
        padded = [nn.functional.pad(t, (0, width - t.shape[-1])) for t in tensors]
        return torch.cat(padded, dim=-2)

    def __iter__(self) -> Iterator[str]:
        return (site for site in self.sites if site in self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def _begin(self, start: int) -> None:
        """A pass begins at position `start`; only one that goes on keeps what is there."""
        self._seen.clear()
        if start == 0 or start != self._end:
            self._calls.clear()

    def _keep(self, site: str, number: int, start: int, tensor: Tensor) -> None:
        kept = tensor if torch.is_grad_enabled() else tensor.clone()
        self._calls.setdefault(site, []).append((number, kept, _version(kept)))
        self._seen.add(site)
        if tensor.ndim > 2:
            self._end = start + tensor.shape[-2]

    @property
    def _complete(self) -> bool:
        return len(self._seen) == len(self.sites)


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


# --- one run of a model --------------------------------------------------------------------------


class _Stop(BaseException):
    """Nothing after this is needed; no error, and so not for `except Exception`."""

    def __init__(self, run: _Run) -> None:
        self.run = run


class _Run:
    """Stands in for a model's `forward`: counts positions and passes, and ends one early.

    One for each model, whichever recordings and interventions are on it; gone with the last.
    """

    def __init__(self, model: nn.Module) -> None:
        self.own = model.__dict__.get("forward")  # None unless someone else stands in already
        self.forward = model.forward
        self.users = 0
        self.recordings: list[Recording] = []
        self.passes, self.whole_passes, self.start, self.inside = 0, 0, 0, False
        update_wrapper(self, self.forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.start, self.inside = _tokens_before(args, kwargs), True
        self.passes += 1
        for recording in self.recordings:
            recording._begin(self.start)
        try:
            result = self.forward(*args, **kwargs)
            self.whole_passes += 1
            return result
        except _Stop as stop:
            if stop.run is not self:
                raise
            return None
        finally:
            self.inside = False

    def start_at(self, site: Site) -> int:
        """The position of the first token at a site that runs now."""
        return self.start if self.inside or not site.path else 0

    def may_stop(self) -> bool:
        """Whether every recording on this model has all that it wants, and asked to stop then."""
        wanted = self.recordings
        return self.inside and bool(wanted) and all(r.stop and r._complete for r in wanted)

    def __deepcopy__(self, memo: dict) -> _Run:
        raise RuntimeError("a model cannot be copied while `record` or `intervene` is on it.")

    __reduce_ex__ = __deepcopy__


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


_RUNS: WeakKeyDictionary[nn.Module, _Run] = WeakKeyDictionary()


@contextmanager
def _run_of(model: nn.Module) -> Iterator[_Run]:
    run = _RUNS.get(model)
    if run is None:
        run = _Run(model)
    run.users += 1
    try:
        _RUNS[model] = run
        model.forward = run
        yield run
    finally:
        run.users -= 1
        if run.users == 0:
            _RUNS.pop(model, None)
            model.__dict__.pop("forward", None)
            if run.own is not None:
                model.forward = run.own


# --- the hooks on one module ---------------------------------------------------------------------


class _Change:
    """What `intervene` does at its site."""

    first = True

    def __init__(self, name: str, interventions: tuple, positions: Positions) -> None:
        for intervention in interventions:
            if not callable(intervention):
                raise TypeError(
                    f"an intervention is of type {type(intervention).__name__}; it must be a "
                    "function [batch, seq, d] -> the same, such as Add(direction)."
                )
        self.name, self.interventions, self.positions = name, interventions, positions
        self.length = 0  # of the longest sequence that was read
        self.run: _Run

    def __call__(self, module: nn.Module, site: Site, value: Any) -> Any:
        x = site.read(value)
        start = self.run.start_at(site)
        self.length = max(self.length, start + (x.shape[-2] if x.ndim > 2 else 1))
        chosen = places.choose(self.positions, start, x)
        new = self._changed(x, chosen, start)
        return value if new is x else site.write(value, new)

    def _changed(self, x: Tensor, chosen: places.Chosen, start: int) -> Tensor:
        columns = chosen.columns
        if columns is None:
            return self._apply(x, torch.arange(start, start + x.shape[-2]))
        if len(columns) == 0:
            return x
        part = x.index_select(-2, columns)
        new = self._apply(part, columns + start)
        if new is part:
            return x
        if chosen.rows is not None:
            rows = chosen.rows.view(len(chosen.rows), *[1] * (x.ndim - 3), -1, 1)
            new = torch.where(rows, new, part)
        return x.index_copy(-2, columns, new)

    def _apply(self, x: Tensor, at: Tensor) -> Tensor:
        for intervention in self.interventions:
            if hasattr(intervention, "at"):
                intervention = intervention.at(at)
            new = intervention(x)
            if not isinstance(new, Tensor) or new.shape != x.shape:
                got = list(new.shape) if isinstance(new, Tensor) else type(new).__name__
                raise ValueError(
                    f"{intervention} at {self.name} made {got} of an activation of shape "
                    f"{list(x.shape)}; it must keep the shape."
                )
            x = new if new is x else new.to(x)
        return x

    def check(self, ran: bool) -> None:
        """Raise ValueError if something was never reached: a change that is none is an error."""
        if self.length and (missed := places.unreached(self.positions, self.length)):
            raise ValueError(
                f"{self.name} was not changed at {missed}: the model read {self.length} positions."
            )
        if ran and not self.length:
            raise ValueError(f"{self.name} was not changed: the model ran without it.")


class _Keep:
    """What `record` does at one of its sites."""

    first = False

    def __init__(self, run: _Run, recording: Recording, name: str) -> None:
        self.run, self.recording, self.name = run, recording, name

    def __call__(self, module: nn.Module, site: Site, value: Any) -> Any:
        run, kept = self.run, site.read(value)
        if not run.inside and site.path:  # a part of the model that was called by itself
            self.recording._calls.pop(self.name, None)
        self.recording._keep(self.name, run.passes, run.start_at(site), kept)
        if run.may_stop():
            raise _Stop(run)
        if site.part is not None and torch.is_grad_enabled():
            return site.write(value, kept)  # so that what comes of it has a gradient by it
        return value


class _Tap:
    """The one hook at a module's input, or its output: changes first, then recordings."""

    def __init__(self, module: nn.Module, end: str) -> None:
        self.users: list[tuple[Site, _Change | _Keep]] = []
        if end == "output":
            self.handle = module.register_forward_hook(self._output)
        else:
            self.handle = module.register_forward_pre_hook(self._input, with_kwargs=True)

    def _output(self, module: nn.Module, args: tuple, output: Any) -> Any:
        for site, use in sorted(self.users, key=lambda user: not user[1].first):
            output = use(module, site, output)
        return output

    def _input(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        for site, use in sorted(self.users, key=lambda user: not user[1].first):
            if any(isinstance(value, Tensor) for value in args):
                args = use(module, site, args)
            else:
                kwargs = use(module, site, kwargs)
        return args, kwargs


_TAPS: WeakKeyDictionary[nn.Module, dict[str, _Tap]] = WeakKeyDictionary()


@contextmanager
def _tapped(module: nn.Module, site: Site, use: _Change | _Keep) -> Iterator[None]:
    taps = _TAPS.setdefault(module, {})
    user = (site, use)
    try:
        if site.end not in taps:
            taps[site.end] = _Tap(module, site.end)
        tap = taps[site.end]
        tap.users.append(user)
        yield
    finally:
        tap = taps.get(site.end)
        if tap is not None:
            if user in tap.users:
                tap.users.remove(user)
            if not tap.users:
                tap.handle.remove()
                taps.pop(site.end, None)
