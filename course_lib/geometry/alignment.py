"""Interchange interventions: does a state have parts that can be swapped like variables?

A causal model says which variables stand between input and output. An *alignment map* φ says where
the network keeps them: coordinates of φ(h). Swap these between two inputs, go back through φ⁻¹, let
the network go on, and compare with what the causal model says. The share that agrees is the
interchange intervention accuracy (IIA). `Rotation` is the linear map of distributed alignment
search; `LookUp` is the map that fits everything. Sources: Geiger et al. 2024, "Finding Alignments
Between Interpretable Causal Variables and Distributed Neural Representations"; Sutter et al. 2025,
"The Non-Linear Representation Dilemma".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Rotation(nn.Module):
    """φ(h) = h Q with an orthogonal Q, whose first columns belong to variable 0, and so on.

    Args:
        d: of the state. sizes: dimensions of each variable; what is left belongs to none.
        seed: of the first Q, which is a random rotation.
    """

    def __init__(self, d: int, sizes: Sequence[int], *, seed: int = 0) -> None:
        super().__init__()
        validate.sequence("sizes", sizes)
        self.d = validate.positive_int("d", d)
        self.sizes = tuple(validate.positive_int("sizes", size) for size in sizes)
        if not self.sizes or min(self.sizes) < 1 or sum(self.sizes) > d:
            raise ValueError(f"sizes is {list(sizes)}; there must be some, of at most d = {d}.")
        normal = torch.randn(d, d, generator=runtime.generator(seed))
        self.register_buffer("start", torch.linalg.qr(normal)[0])
        self.turn = nn.Parameter(torch.zeros(d, d))

    @property
    def Q(self) -> Float[Tensor, "d d"]:
        return self.start @ torch.linalg.matrix_exp(self.turn - self.turn.T)

    def subspace(self, variable: int) -> Float[Tensor, "d size"]:
        """Orthonormal columns that span what belongs to a variable."""
        begin = sum(self.sizes[:variable])
        return self.Q[:, begin : begin + self.sizes[variable]]

    def swap(
        self,
        base: Float[Tensor, "batch d"],
        source: Float[Tensor, "batch d"],
        variable: int | Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch d"]:
        """base with a variable's part from source; which variable may differ from row to row."""
        owner = torch.full((self.d,), -1, device=base.device)
        of_each = torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))
        owner[: len(of_each)] = of_each.to(base.device)
        variable = torch.as_tensor(variable, device=base.device)
        Q = self.Q
        mask = owner == variable[..., None]
        return base + ((source - base) @ Q * mask) @ Q.T


class LookUp:
    """The alignment map that fits any network to any algorithm, made exactly, as a table.

    Of n inputs, state h_i gets the code (i, i): as real numbers, one for the variable, one for all
    the rest. Swapping the variable between inputs i and j gives the code (j, i), which no input
    has. So φ⁻¹ may send it anywhere, and sends it to a state of which the network makes the answer
    that the algorithm wants: one that occurs, and a step away from it that is too small to matter
    and different for each code. A bijection between finite sets of points extends to one of the
    whole space, so this is an alignment map as the theory allows it.

    Args:
        states: of the n inputs, all different.
        wanted: what the algorithm answers for base i with the variable of source j, [n, n].
        logits: of the network for each state; every answer wanted must be one that it gives.
        step: length of the steps, as a share of the distance of the nearest two states.
        seed: of the directions of the steps.

    Attributes:
        table: the state for each base and source, [n, n, d]; the diagonal is `states`.
        n_entries: swaps that it answers, n (n - 1).

    Raises:
        ValueError: two states alike, or an answer is wanted that the network never gives. Then no
            alignment map exists: the theory needs different states and an output that can be had.
    """

    def __init__(
        self,
        states: Float[Tensor, "n d"],
        wanted: Int[Tensor, "n n"],
        logits: Float[Tensor, "n classes"],
        step: float = 1e-3,
        seed: int = 0,
    ) -> None:
        states = validate.finite("states", validate.shape("states", states, ("n", "d"))).detach()
        n = len(states)
        wanted = validate.shape("wanted", validate.as_tensor("wanted", wanted), (n, n))
        validate.tensors("any", logits=(logits, f"{n} classes"))
        validate.finite("logits", logits)
        validate.number("step", step)
        exact = states.to(torch.promote_types(states.dtype, torch.float32))
        apart = torch.pdist(exact).min() if n > 1 else exact.new_ones(())
        if apart == 0:
            raise ValueError("states has two rows that are equal; no map can tell them apart.")
        answers = logits.argmax(1)
        if missing := set(wanted.flatten().tolist()) - set(answers.tolist()):
            raise ValueError(
                f"wanted has answers that the network never gives, such as {min(missing)}; every "
                "wanted answer must be the largest logit of some state."
            )
        wanted = wanted.to(answers)
        two = logits.topk(min(2, logits.shape[1]), dim=1).values
        surest = (two[:, 0] - two[:, -1]).argsort(descending=True, stable=True)
        first = torch.stack(
            [surest[(answers[surest] == a).nonzero()[0, 0]] for a in wanted.unique()]
        )
        host = first[torch.bucketize(wanted, wanted.unique())]
        away = torch.randn(n, n, states.shape[1], generator=runtime.generator(seed)).to(states)
        self.table = states[host] + step * apart * away / away.norm(dim=2, keepdim=True)
        self.table[range(n), range(n)] = states
        self.n_entries = n * (n - 1)

    def swap(
        self, base: Int[Tensor, " batch"], source: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch d"]:
        """The states after the variable of each source input is put into its base input."""
        return self.table[base, source]


def fit_rotation(
    rotation: Rotation,
    loss: Callable[[Rotation, torch.Generator], Float[Tensor, ""]],
    *,
    steps: int = 300,
    lr: float = 0.02,
    seed: int = 0,
) -> Float[Tensor, " steps"]:
    """Distributed alignment search: turn Q by Adam so that the loss of the swaps falls.

    `loss(rotation, generator)` draws its own pairs. The rate falls to 0 like half a cosine.
    """
    validate.instance("rotation", rotation, nn.Module)
    validate.function("loss", loss)
    return descend(rotation, loss, steps=steps, lr=lr, seed=seed)


@torch.enable_grad()
def descend(
    module: nn.Module,
    loss: Callable[[nn.Module, torch.Generator], Float[Tensor, ""]],
    *,
    steps: int,
    lr: float,
    seed: int = 0,
) -> Float[Tensor, " steps"]:
    """Adam on a module's parameters; the losses. The rate falls to 0 like half a cosine."""
    validate.positive_int("steps", steps)
    optimizer = torch.optim.Adam(module.parameters(), lr=validate.number("lr", lr, 0.0))
    generator, losses = runtime.generator(seed), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
        value = validate.shape("what loss gives", loss(module, generator), ())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.detach())
    return torch.stack(losses)


def agreement(logits: Float[Tensor, "*batch classes"], wanted: Int[Tensor, "*batch"]) -> float:
    """IIA: the share of the swaps after which the network answers what the algorithm does."""
    validate.tensors("any", logits=(logits, "*batch classes"), wanted=(wanted, "*batch"))
    if logits.is_complex() or logits.dtype == torch.bool:
        raise TypeError(f"logits has dtype {logits.dtype}; it must hold real numbers.")
    return (logits.argmax(-1) == wanted).double().mean().item()


def swap_loss(logits: Float[Tensor, "batch classes"], wanted: Int[Tensor, " batch"]) -> Tensor:
    """Cross-entropy of what the algorithm answers."""
    validate.tensors("any", logits=(logits, "batch classes"), wanted=(wanted, "batch"))
    validate.tensors("floating", logits=(logits, "batch classes"))
    validate.whole("wanted", wanted, 0, logits.shape[1] - 1)
    return F.cross_entropy(logits, wanted.long())
