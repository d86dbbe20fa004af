"""Read and change activations of any model while it runs, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.activations import positions as places
from course_lib.activations.positions import Positions
from course_lib.activations.running import Run, run_of, tapped
from course_lib.activations.sites import Site, find, listed

if TYPE_CHECKING:
    from jaxtyping import Float

Intervention: TypeAlias = Callable[[Tensor], Tensor]


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
        stop: end each run of the model as soon as all sites are read; it then returns None.

    Raises:
        TypeError, ValueError: no such site.
    """
    found = {str(name): find(model, name) for name in listed(sites)}
    with ExitStack() as stack:
        run = stack.enter_context(run_of(model))
        recording = Recording(found, run, stop)
        run.recorders.append(recording)
        stack.callback(run.recorders.remove, recording)
        for name, site in found.items():
            module = model.get_submodule(site.path)
            stack.enter_context(tapped(module, site.end, _Keep(recording, name)))
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
    for intervention in interventions:
        if not callable(intervention):
            raise TypeError(
                f"an intervention is of type {type(intervention).__name__}; it must be a function "
                "[batch, seq, d] -> the same, such as Add(direction)."
            )
    with run_of(model) as run:
        before = run.whole_passes
        change = _Change(str(site), found, run, interventions, places.checked(positions))
        with tapped(model.get_submodule(found.path), found.end, change):
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
    validate.instance("model", model, nn.Module)
    with record(model, sites, stop=True) as acts:
        model(*inputs, **named)
    return acts[str(sites)] if isinstance(sites, (str, Site)) else dict(acts)


class Recording(Mapping[str, Tensor]):
    """The activations of the last sequence that was read, by the names of their sites.

    With a KV cache a sequence is read in several passes; their activations stand one after the
    other, as if it had been read at once (a pattern is 0 where its queries could not yet look).
    """

    def __init__(self, sites: dict[str, Site], run: Run, stop: bool) -> None:
        self.sites, self.run, self.stop = sites, run, stop
        self._calls: dict[str, list[tuple[int, Tensor, int]]] = {}  # pass, tensor, its version
        self._seen: set[str] = set()  # in this pass
        self._end = 0

    def calls(self, site: str) -> list[Tensor]:
        """What each call of the site's module gave; for one that runs more than once in a pass.

        Raises:
            KeyError: the site is not recorded.
            ValueError: the model has changed the tensor since.
        """
        if site not in self.sites:
            raise KeyError(f"{site!r} is not recorded; {', '.join(self.sites)} are.")
        for _, tensor, version in self._calls.get(site, []):
            if version != tensor._version:
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

    def begin(self, start: int) -> None:
        """A pass begins at position `start`; only one that goes on keeps what is there."""
        self._seen.clear()
        if start == 0 or start != self._end:
            self._calls.clear()

    def may_stop(self) -> bool:
        return self.stop and len(self._seen) == len(self.sites)

    def keep(self, name: str, tensor: Tensor) -> None:
        """Keep what the site of this name has now."""
        site, run = self.sites[name], self.run
        if not run.inside and site.path:  # a part of the model that was called by itself
            self._calls.pop(name, None)
        if not torch.is_grad_enabled():
            with torch.inference_mode(False), torch.no_grad():  # a tensor one can train on later
                tensor = tensor.clone()
        self._calls.setdefault(name, []).append((run.passes, tensor, tensor._version))
        self._seen.add(name)
        if tensor.ndim > 2:
            self._end = run.start_at(site) + tensor.shape[-2]


class _Keep:
    """What `record` does at one of its sites."""

    changes = False

    def __init__(self, recording: Recording, name: str) -> None:
        self.recording, self.name = recording, name

    def __call__(self, value: Any) -> Any:
        site = self.recording.sites[self.name]
        kept = site.read(value)
        self.recording.keep(self.name, kept)
        self.recording.run.stop_if_done()
        if site.part is not None and torch.is_grad_enabled():
            return site.write(value, kept)  # so that what comes of it has a gradient by it
        return value


class _Change:
    """What `intervene` does at its site."""

    changes = True

    def __init__(
        self, name: str, site: Site, run: Run, interventions: tuple, positions: Positions
    ) -> None:
        self.name, self.site, self.run = name, site, run
        self.interventions, self.positions = interventions, positions
        self.length = 0  # of the longest sequence that was read

    def __call__(self, value: Any) -> Any:
        x = self.site.read(value)
        start = self.run.start_at(self.site)
        self.length = max(self.length, start + (x.shape[-2] if x.ndim > 2 else 1))
        new = self._changed(x, start)
        return value if new is x else self.site.write(value, new)

    def _changed(self, x: Tensor, start: int) -> Tensor:
        if self.positions is None:
            return self._apply(x, torch.arange(start, start + x.shape[-2]))
        columns, rows = places.choose(self.positions, start, x)
        if len(columns) == 0:
            return x
        here = columns.to(x.device)
        part = x.index_select(-2, here)
        new = self._apply(part, columns + start)
        if new is part:
            return x
        if rows is not None:
            rows = rows.view(len(rows), *[1] * (x.ndim - 3), -1, 1).to(x.device)
            new = torch.where(rows, new, part)
        return x.index_copy(-2, here, new)

    def _apply(self, x: Tensor, at: Tensor) -> Tensor:
        for intervention in self.interventions:
            act = intervention.at(at) if hasattr(intervention, "at") else intervention
            new = act(x)
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
