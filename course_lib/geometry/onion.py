"""One symbol of a remembered sequence is replaced: which account of the memory can do it?

Three accounts of a state z that remembers symbols at places, from the strictest to the freest:

* `PlaceSubspaces` (unigrams): each place has a subspace of its own; swap it with another state's.
* `OnionCode`: all places share one code of the symbols, each place at a scale of its own.
* `FreeCodes`: each place has a code of its own, in directions that may overlap with all others.

Each is trained on its own task, edits after which the whole sequence is written, and scored on new
sequences. Source: Csordás et al. 2024, "Recurrent Neural Networks Learn to Store and Generate
Sequences using Non-Linear Representations", sections 4 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from course_lib import runtime, validate
from course_lib.geometry.alignment import Rotation, descend

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@runtime_checkable
class Memory(Protocol):
    """A model that keeps a sequence in one state, such as `course_lib.models.GRU`."""

    def encode(self, tokens: Tensor) -> Tensor: ...
    def decode(self, state: Tensor, tokens: Tensor) -> Tensor: ...
    def write(self, state: Tensor, first: int, n_new: int) -> Tensor: ...


@dataclass(frozen=True)
class Replacement:
    """Put symbol `new`, which stands at `place` in another sequence, in the place of `old`.

    Attributes:
        state, source: of the sequence to edit and of the other one, [batch, d].
        place, old, new: [batch].
        wanted: the sequence with `new` at `place`, [batch, length].
    """

    state: Float[Tensor, "batch d"]
    source: Float[Tensor, "batch d"]
    place: Int[Tensor, " batch"]
    old: Int[Tensor, " batch"]
    new: Int[Tensor, " batch"]
    wanted: Int[Tensor, "batch length"]


class PlaceSubspaces(nn.Module):
    """z' = z with the part in the place's subspace from the other state; subspaces orthogonal."""

    def __init__(self, d: int, n_symbols: int, length: int, *, seed: int = 0) -> None:
        super().__init__()
        _check_sizes(d, n_symbols, length)
        if length > d:
            raise ValueError(
                f"length is {length}; it must be at most d = {d}: each place takes one."
            )
        self.rotation = Rotation(d, [d // length] * length, seed=seed)

    def forward(self, edit: Replacement) -> Float[Tensor, "batch d"]:
        return self.rotation.swap(edit.state, edit.source, edit.place)


class OnionCode(nn.Module):
    """z' = z + s_place ⊙ (E[new] - E[old]), with s_j = g ⊙ γ^j + β j + b in each dimension.

    The scales are positive powers: γ = exp(log_gamma). `free_scales` gives each place any scale.
    """

    def __init__(
        self, d: int, n_symbols: int, length: int, *, free_scales: bool = False, seed: int = 0
    ) -> None:
        super().__init__()
        _check_sizes(d, n_symbols, length)
        normal = torch.randn(n_symbols, d, generator=runtime.generator(seed))
        self.code = nn.Parameter(0.1 * normal)
        self.free_scales, self.length = free_scales, length
        if free_scales:
            self.scale = nn.Parameter(torch.ones(length, d))
        else:
            self.gain, self.offset = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))
            self.log_gamma = nn.Parameter(torch.full((d,), -0.2))
            self.slope = nn.Parameter(torch.zeros(d))

    def scales(self) -> Float[Tensor, "length d"]:
        if self.free_scales:
            return self.scale
        place = torch.arange(self.length, device=self.code.device)[:, None]
        return self.gain * (place * self.log_gamma).exp() + self.slope * place + self.offset

    def forward(self, edit: Replacement) -> Float[Tensor, "batch d"]:
        return edit.state + self.scales()[edit.place] * (self.code[edit.new] - self.code[edit.old])


class FreeCodes(nn.Module):
    """z' = z + E[place, new] - E[place, old]."""

    def __init__(self, d: int, n_symbols: int, length: int, *, seed: int = 0) -> None:
        super().__init__()
        _check_sizes(d, n_symbols, length)
        normal = torch.randn(length, n_symbols, d, generator=runtime.generator(seed))
        self.code = nn.Parameter(0.1 * normal)

    def forward(self, edit: Replacement) -> Float[Tensor, "batch d"]:
        return edit.state + self.code[edit.place, edit.new] - self.code[edit.place, edit.old]


def _check_sizes(d: int, n_symbols: int, length: int) -> None:
    for name, size in (("d", d), ("n_symbols", n_symbols), ("length", length)):
        validate.positive_int(name, size)


def _check_memory(memory: Memory, n_symbols: int, n_signs: int = 0) -> None:
    validate.instance("memory", memory, Memory)
    most = getattr(getattr(memory, "config", None), "d_vocab", validate.MOST) - n_signs
    if validate.positive_int("n_symbols", n_symbols, 2) > most:
        raise ValueError(f"n_symbols is {n_symbols}; of this memory it must be at most {most}.")


@torch.no_grad()
def draw_replacements(
    memory: Memory, n_symbols: int, length: int, batch_size: int, generator: Generator
) -> Replacement:
    """Two sequences each, and a place where they differ (of those, any)."""
    validate.instance("generator", generator, Generator)
    _check_memory(memory, n_symbols)
    shape = tuple(
        validate.positive_int(name, size)
        for name, size in (("pairs", 2), ("batch_size", batch_size), ("length", length))
    )
    a, b = torch.randint(n_symbols, shape, generator=generator)
    place = torch.randint(length, shape[1:2], generator=generator)
    at = torch.arange(batch_size), place
    shift = torch.randint(1, n_symbols, shape[1:2], generator=generator)
    b[at] = (a[at] + shift) % n_symbols
    wanted = a.clone()
    wanted[at] = b[at]
    return Replacement(memory.encode(a), memory.encode(b), place, a[at], b[at], wanted)


def fit_edit(
    edit: nn.Module,
    memory: Memory,
    n_symbols: int,
    length: int,
    *,
    steps: int,
    lr: float,
    batch_size: int = 256,
    seed: int = 0,
) -> Float[Tensor, " steps"]:
    """Train an edit so that the memory, which stays as it is, writes the wanted sequence.

    Cross-entropy of every symbol, each given the wanted ones before it. Returns the losses.
    """
    validate.instance("edit", edit, nn.Module)
    _check_memory(memory, n_symbols, n_signs=1)
    sign = torch.full((validate.positive_int("batch_size", batch_size), 1), n_symbols)

    def loss(edit: nn.Module, generator: Generator) -> Tensor:
        drawn = draw_replacements(memory, n_symbols, length, batch_size, generator)
        logits = memory.decode(edit(drawn), torch.cat([sign, drawn.wanted[:, :-1]], 1))
        return F.cross_entropy(logits.transpose(1, 2), drawn.wanted)

    frozen = [p for p in getattr(memory, "parameters", list)() if p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        return descend(edit, loss, steps=steps, lr=lr, seed=seed)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


@torch.no_grad()
def edits_right(edit: nn.Module, memory: Memory, drawn: Replacement, first: int) -> Tensor:
    """Whether the memory, given its own output, writes all of the wanted sequence, [batch]."""
    validate.instance("edit", edit, nn.Module)
    validate.instance("memory", memory, Memory)
    validate.instance("drawn", drawn, Replacement)
    written = memory.write(edit(drawn), first, drawn.wanted.shape[1])
    return (written == drawn.wanted).all(1)


@dataclass(frozen=True)
class AdditiveCodes:
    """state ≈ mean + Σ_place codes[place, symbol at place].

    Attributes:
        mean: [d]. codes: [length, n_symbols, d], of mean 0 over the symbols at each place.
        r2: share of the states' variance explained.
    """

    mean: Float[Tensor, " d"]
    codes: Float[Tensor, "length n_symbols d"]
    r2: float

    def predict(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch d"]:
        place = torch.arange(len(self.codes), device=tokens.device)
        return self.mean + self.codes[place, tokens].sum(1)


def additive_codes(
    states: Float[Tensor, "batch d"],
    tokens: Int[Tensor, "batch length"],
    n_symbols: int,
    ridge: float = 1e-3,
) -> AdditiveCodes:
    """Ridge regression of states on which symbol stands where.

    The indicators of one place add up to 1, so least squares alone has many solutions, with norms
    as large as one likes; ridge (times the number of rows) picks the small one, and codes are then
    centred over symbols.

    Raises ValueError for NaN, symbols out of range, or fewer rows than there are free codes.
    """
    states = validate.finite("states", validate.shape("states", states, ("batch", "d"))).detach()
    states = states if states.dtype == torch.float64 else states.float()
    validate.shape("tokens", tokens, (len(states), "length"))
    validate.positive_int("n_symbols", n_symbols)
    tokens = validate.whole("tokens", tokens, 0, n_symbols - 1).long()
    length = tokens.shape[1]
    if len(states) <= (free := length * (n_symbols - 1)):
        raise ValueError(f"states has {len(states)} rows; {free} free codes need more than that.")
    if (ridge := validate.number("ridge", ridge, 0.0)) == 0:
        raise ValueError("ridge is 0; the indicators of a place add up to 1, so it must be above.")
    design = F.one_hot(tokens, n_symbols).flatten(1).to(states.dtype)
    mean = states.mean(0)
    gram = design.T @ design + ridge * len(states) * torch.eye(design.shape[1]).to(states)
    solved, singular = torch.linalg.solve_ex(gram, design.T @ (states - mean))
    if singular:
        raise ValueError(f"ridge is {ridge}, which is lost in rounding; it must be larger.")
    codes = solved.unflatten(0, (length, n_symbols))
    centre = codes.mean(1, keepdim=True)
    codes = codes - centre
    place = torch.arange(length, device=tokens.device)
    fitted = codes[place, tokens].sum(1)
    mean = (states - fitted).mean(0)
    left = (states - fitted - mean).square().sum() / (states - states.mean(0)).square().sum()
    return AdditiveCodes(mean, codes, 1 - left.item())


def subspace_overlap(A: Float[Tensor, "directions d"], B: Float[Tensor, "directions d"]) -> float:
    """Mean squared cosine of the principal angles of two row spaces; chance is rank / d.

    For the smaller of two ranks: 1 when one space lies within the other, 0 at right angles.
    """
    validate.tensors("alike", A=(A, "directions d"), B=(B, "others d"))
    spans = []
    for name, rows in (("A", A), ("B", B)):
        rows = validate.finite(name, validate.shape(name, rows, ("directions", A.shape[-1])))
        _, size, V = torch.linalg.svd(rows.detach(), full_matrices=False)
        if size[0] == 0:
            raise ValueError(f"{name} is all zeros; it spans no space.")
        spans.append(V[size > 1e-5 * size[0]])
    return ((spans[0] @ spans[1].T).square().sum() / min(map(len, spans))).item()
