"""A memory of sparse distributed codes: traces laid over each other by OR, learnt in one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class SDRMemory:
    """Q modules of K cells; a code is one winner in each module; weights are 0 or 1.

    `store` looks at an input once: it finds how familiar the input is, draws a code (the more
    familiar, the closer to the code that its inputs already point to), and switches on the weight
    from every active input to every winner. Nothing is ever switched off.
    Source: Rinkus 2017, "Superposed Episodic and Semantic Memory via Sparse Distributed
    Representation", the code selection algorithm; its sigmoid has four constants, ours is logistic.

    Args:
        n_inputs: number of binary inputs.
        n_modules, n_cells: Q and K.
        n_instances: number of independent memories.
        expansion: χ, a number or [n_instances]: χ K is about how many times likelier a fully
            supported cell is than one without support when the input is known. 0 draws every code
            at random, the control.

    Attributes:
        weights: [n_instances, n_inputs, n_modules, n_cells], 0.0 or 1.0.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    floor, exponent = 0.3, 2.0  # G below which an input counts as new, and γ
    steepness, half = 15.0, 0.8  # of the logistic in V

    def __init__(
        self,
        n_inputs: int,
        n_modules: int,
        n_cells: int,
        n_instances: int = 1,
        *,
        expansion: float | Float[Tensor, " n_instances"] = 10.0,
    ) -> None:
        self.n_inputs = validate.positive_int("n_inputs", n_inputs)
        self.n_modules = validate.positive_int("n_modules", n_modules)
        self.n_cells = validate.positive_int("n_cells", n_cells, minimum=2)
        self.n_instances = validate.positive_int("n_instances", n_instances)
        expansion = validate.finite("expansion", expansion, 0.0).float()
        if expansion.ndim:
            validate.shape("expansion", expansion, (n_instances,))
        self.expansion = expansion.expand(n_instances)
        self.weights = torch.zeros(n_instances, n_inputs, n_modules, n_cells)

    def support(
        self, x: Float[Tensor, "n_instances items n_inputs"]
    ) -> Float[Tensor, "n_instances items n_modules n_cells"]:
        """V: for each cell the share of the active inputs that have a weight to it."""
        validate.shape("x", x, (self.n_instances, "items", self.n_inputs))
        total = (x @ self.weights.flatten(2)).unflatten(-1, (self.n_modules, self.n_cells))
        return total / x.sum(dim=-1).clamp(min=1)[..., None, None]

    def familiarity(
        self, x: Float[Tensor, "n_instances items n_inputs"]
    ) -> Float[Tensor, "n_instances items"]:
        """G, the mean over modules of the best support in each: 1 for a stored input."""
        return self.support(x).amax(dim=-1).mean(dim=-1)

    def win_probability(
        self, x: Float[Tensor, "n_instances items n_inputs"]
    ) -> Float[Tensor, "n_instances items n_modules n_cells"]:
        """ρ, with which each cell is drawn: ∝ 1 + χ K g^γ · logistic(V).

        g = (G - floor) / (1 - floor), at least 0: uniform for an input that is new, nearly certain
        for one that was stored.
        """
        support = self.support(x)
        familiarity = support.amax(dim=-1).mean(dim=-1)
        familiar = ((familiarity - self.floor) / (1 - self.floor)).clamp(min=0)
        reach = self.expansion[:, None] * self.n_cells * familiar**self.exponent
        odds = 1 + reach[..., None, None] * torch.sigmoid(self.steepness * (support - self.half))
        return odds / odds.sum(dim=-1, keepdim=True)

    def store(
        self, x: Float[Tensor, "n_instances items n_inputs"], generator: Generator
    ) -> Int[Tensor, "n_instances items n_modules"]:
        """Store the items one after another, each in one look; return the winners, the codes."""
        validate.finite("x", x, 0.0, 1.0)
        if not ((x == 0) | (x == 1)).all():
            raise ValueError("x has entries other than 0 and 1; the memory is binary.")
        codes = []
        for item in x.split(1, dim=1):
            chance = self.win_probability(item).flatten(0, 2)
            code = torch.multinomial(chance, 1, generator=generator)
            code = code.view(self.n_instances, self.n_modules)
            winners = torch.nn.functional.one_hot(code, self.n_cells).to(x)
            trace = item[:, 0, :, None, None] * winners[:, None]
            self.weights = torch.maximum(self.weights, trace)
            codes.append(code)
        return torch.stack(codes, dim=1)

    def recall(
        self, x: Float[Tensor, "n_instances items n_inputs"]
    ) -> Int[Tensor, "n_instances items n_modules"]:
        """The best supported cell of each module, without chance: the code of the closest trace."""
        return self.support(x).argmax(dim=-1)

    def read(
        self, codes: Int[Tensor, "n_instances items n_modules"]
    ) -> Float[Tensor, "n_instances items n_inputs"]:
        """Back from codes to inputs: 1 for an input that has a weight to every winner, else 0."""
        validate.shape("codes", codes, (self.n_instances, "items", self.n_modules))
        winners = torch.nn.functional.one_hot(codes, self.n_cells).to(self.weights)
        reached = winners.flatten(2) @ self.weights.flatten(2).mT
        return (reached > self.n_modules - 0.5).to(self.weights)

    def fill(self) -> Float[Tensor, " n_instances"]:
        """The share of all weights that are on: 0 when empty, 1 when nothing can be told apart."""
        return self.weights.mean(dim=(1, 2, 3))


def code_overlap(
    a: Int[Tensor, "*batch n_modules"], b: Int[Tensor, "*batch n_modules"]
) -> Float[Tensor, "*batch"]:
    """The share of modules in which two codes have the same winner; 1 / K for random codes."""
    validate.tensors("any", a=(a, "*batch n_modules"), b=(b, "*batch n_modules"))
    return (a == b).float().mean(dim=-1)
