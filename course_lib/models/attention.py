"""A bottleneck of attention: each question picks k inputs, and nothing else gets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class TopKAttention(nn.Module):
    """Answers a question from the k inputs with the highest scores for it.

    h = ReLU((x ∘ m(q)) W_in + b(q)), logit = h W_out + b_out, where m(q) is 1 for the k highest of
    the n scores of question q and 0 for the others. A choice has no gradient; backwards m counts as
    σ(score), so a score rises when more of its input would have helped. Source: the bottleneck of
    Bengio 2017, "The Consciousness Prior"; scores, choice and gradient are the simplest we know.

    Args:
        n_inputs, n_questions, d_hidden: sizes.
        k: [n_instances], how many inputs each instance picks, up to n_inputs.
        seed: of the initial weights.

    Attributes:
        scores: [n_instances, n_questions, n_inputs], all 0 at first.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_inputs: int,
        n_questions: int,
        k: Int[Tensor, " n_instances"],
        d_hidden: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, size in (("n_inputs", n_inputs), ("n_questions", n_questions)):
            validate.positive_int(name, size)
        validate.finite("k", validate.shape("k", k, ("n_instances",)), 1, n_inputs)
        validate.positive_int("d_hidden", d_hidden)
        n, draw = len(k), runtime.generator(seed)
        self.register_buffer("k", k.long())
        self.scores = nn.Parameter(torch.zeros(n, n_questions, n_inputs))
        self.W_in = nn.Parameter(0.3 * torch.randn(n, n_inputs, d_hidden, generator=draw))
        self.b_in = nn.Parameter(0.5 * torch.randn(n, n_questions, d_hidden, generator=draw))
        self.W_out = nn.Parameter(torch.randn(n, d_hidden, 1, generator=draw) / d_hidden**0.5)
        self.b_out = nn.Parameter(torch.zeros(n, 1, 1))

    def mask(
        self,
        question: Int[Tensor, "n_instances batch"],
        temperature: float = 0.0,
        generator: Generator | None = None,
    ) -> Float[Tensor, "n_instances batch n_inputs"]:
        """1 for the k inputs that are picked, else 0, with the gradient of σ(score).

        Above temperature 0 the choice is by chance, so that every input is tried now and then:
        Gumbel noise times the temperature is added to the scores before they are compared.
        """
        instance = torch.arange(len(self.k), device=self.k.device)[:, None]
        score = self.scores[instance, question]
        pick = score.detach()
        if temperature > 0:
            uniform = torch.rand(score.shape, generator=generator).clamp(1e-9, 1 - 1e-7)
            pick = pick - temperature * (-uniform.log()).log().to(pick)
        rank = pick.argsort(dim=-1, descending=True).argsort(dim=-1)
        soft = score.sigmoid()
        return (rank < self.k[:, None, None]) + (soft - soft.detach())

    def forward(
        self,
        x: Float[Tensor, "n_instances batch n_inputs"],
        question: Int[Tensor, "n_instances batch"],
        temperature: float = 0.0,
        generator: Generator | None = None,
    ) -> Float[Tensor, "n_instances batch"]:
        """The logit of the answer yes."""
        instance = torch.arange(len(self.k), device=self.k.device)[:, None]
        seen = x * self.mask(question, temperature, generator)
        h = torch.relu(seen @ self.W_in + self.b_in[instance, question])
        return (h @ self.W_out + self.b_out)[..., 0]
