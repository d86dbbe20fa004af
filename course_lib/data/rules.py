"""Questions about a scene of many yes-or-no variables; a rule over three of them answers each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "majority": lambda v: v.sum(dim=-1) > 0,
    "parity": lambda v: v.prod(dim=-1) > 0,
}


class TripleRules:
    """n variables that are -1 or 1 with equal chance, and questions about three of them each.

    Question q looks at its own triple of variables, each turned by a sign of its own, and asks
    whether at least two are 1 ("majority") or whether the number of -1 is even ("parity"): a sparse
    factor graph, in which every factor holds few variables. Source: Bengio 2017, "The
    Consciousness Prior", on what joint laws of concepts look like; the two rules are ours.

    Args:
        n_variables: at least 3. n_questions: each with a triple and signs drawn from `seed`.
        rule: "majority" or "parity". n_instances: worlds with triples of their own.

    Attributes:
        triples, signs: [n_instances, n_questions, 3].
    """

    def __init__(
        self,
        n_variables: int = 20,
        n_questions: int = 8,
        rule: str = "majority",
        n_instances: int = 1,
        seed: int = 0,
    ) -> None:
        self.n_variables = validate.positive_int("n_variables", n_variables, 3)
        self.n_questions = validate.positive_int("n_questions", n_questions)
        self.rule = validate.choice("rule", rule, tuple(RULES))
        shape = (validate.positive_int("n_instances", n_instances), n_questions)
        draw = runtime.generator(seed)
        self.triples = torch.rand(*shape, n_variables, generator=draw).topk(3).indices
        self.signs = torch.where(torch.rand(*shape, 3, generator=draw) < 0.5, -1.0, 1.0)

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[
        Float[Tensor, "n_instances batch n_variables"],
        Int[Tensor, "n_instances batch"],
        Float[Tensor, "n_instances batch"],
    ]:
        """Scenes, one question about each, and its answer, 0 or 1."""
        shape = (len(self.triples), validate.positive_int("batch_size", batch_size))
        x = torch.where(torch.rand(*shape, self.n_variables, generator=generator) < 0.5, -1.0, 1.0)
        question = torch.randint(self.n_questions, shape, generator=generator)
        world = torch.arange(len(self.triples))[:, None]
        asked = x.gather(-1, self.triples[world, question]) * self.signs[world, question]
        return x, question, RULES[self.rule](asked).float()

    def ceiling(self, k: int) -> float:
        """The best share of right answers of one who sees k of the three variables.

        By counting: of the patterns that look alike, the more frequent answer is right.
        """
        validate.positive_int("k", k, 0)
        patterns = torch.tensor(list(product((-1.0, 1.0), repeat=3)))
        answers = RULES[self.rule](patterns).float()
        best = 0.0
        for seen in combinations(range(3), min(k, 3)):
            group = (patterns[:, list(seen)] > 0).long() @ (2 ** torch.arange(len(seen)))
            right = 0.0
            for look in group.unique():
                yes = answers[group == look].sum().item()
                right += max(yes, (group == look).sum().item() - yes)
            best = max(best, right / len(patterns))
        return best
