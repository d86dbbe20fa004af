"""What else moves when one concept is steered, and which change of coordinates moves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.geometry.causal import off_diagonal
from course_lib.geometry.concepts import checked_pairs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from course_lib.models import GPT


@dataclass(frozen=True, eq=False)
class Leakage:
    """The log-odds (nats) of every concept, shifted by steering every concept.

    Attributes:
        shift: [n, n], row: the concept that is steered, column: the one that is read.
    """

    shift: Float[Tensor, "n n"]

    @property
    def ratio(self) -> Float[Tensor, "n n"]:
        """Each row divided by what its own concept moved: 1 on the diagonal, ideally 0 elsewhere.

        Raises ValueError when steering did not move its own concept.
        """
        own = self.shift.diagonal()
        if (own == 0).any():
            still = (own == 0).nonzero()[0, 0]
            raise ValueError(f"steering concept {still} does not move it; there is no ratio.")
        return self.shift / own[:, None]

    @property
    def off_target(self) -> Float[Tensor, " n*(n-1)"]:
        """|ratio| of the concepts that were not to be moved."""
        return off_diagonal(self.ratio).abs()


def steering_leakage(steering: Float[Tensor, "n d"], directions: Float[Tensor, "n d"]) -> Leakage:
    """The leakage at the last layer, where it is exact: adding s to λ moves λᵀγ̄ by sᵀγ̄.

    Steered with γ̄ itself it is the Gram matrix of the directions, steered with
    `CausalInnerProduct.riesz` of them their causal Gram matrix, each row divided by its diagonal
    entry: no evidence beyond the cosines. `measured_leakage` at an earlier layer is.
    """
    steering, directions = (
        validate.shape(name, validate.finite(name, value), ("n", "d"))
        for name, value in (("steering", steering), ("directions", directions))
    )
    if steering.shape != directions.shape:
        raise ValueError(
            f"steering has shape {list(steering.shape)} and directions {list(directions.shape)}; "
            "there must be one vector of each for a concept."
        )
    return Leakage(steering @ directions.to(steering).T)


def log_odds(
    logits: Float[Tensor, "*places d_vocab"], pairs: Int[Tensor, "n 2"]
) -> Float[Tensor, "*places"]:
    """log of the probability of the pairs' second tokens over that of their first ones.

    A token that stands in several pairs counts once.
    """
    logits = validate.as_tensor("logits", logits)
    if logits.ndim == 0:
        raise ValueError(f"logits is {logits}; it must be a tensor [..., d_vocab].")
    pairs = checked_pairs(pairs, logits.shape[-1]).to(logits.device)
    without, having = (logits[..., side.unique()].logsumexp(-1) for side in pairs.T)
    return having - without


@torch.no_grad()
def measured_leakage(
    model: nn.Module,
    site: str,
    steering: Float[Tensor, "n d"],
    pairs: Sequence[Int[Tensor, "n_pairs 2"]],
    tokens: Int[Tensor, "batch seq"],
    *,
    scale: float = 1.0,
    where: Bool[Tensor, "*n batch seq"] | None = None,
) -> Leakage:
    """The leakage of a model that runs with each concept steered in turn.

    Args:
        site: where `scale` times a row of `steering` is added, at every position; as for
            `course_lib.activations.intervene`.
        pairs: for each concept the tokens whose `log_odds` read it.
        where: the places over which the shift is averaged; [batch, seq] for all concepts alike, or
            [n, batch, seq] for each its own. All if None.

    Raises:
        TypeError, ValueError: naming the argument; a concept without a place.
    """
    from course_lib.activations import Add, intervene

    validate.instance("model", model, nn.Module)
    validate.tensors("any", steering=(steering, "n d"), tokens=(tokens, "batch seq"))

    validate.shape("steering", validate.finite("steering", steering), ("n", "d"))
    n = len(steering)
    validate.number("scale", scale)
    if len(validate.sequence("pairs", pairs)) != n:
        raise ValueError(f"pairs has {len(pairs)} entries for the {n} rows of steering.")
    everywhere = torch.ones(tokens.shape, dtype=torch.bool)
    places = everywhere if where is None else validate.as_tensor("where", where)
    try:
        places = places.to(tokens.device, torch.bool).expand(n, *tokens.shape)
    except RuntimeError as error:
        raise ValueError(
            f"where has shape {list(places.shape)}; it must be {list(tokens.shape)} or "
            f"{[n, *tokens.shape]}."
        ) from error
    if (empty := ~places.flatten(1).any(1)).any():
        raise ValueError(f"where has no place for concept {int(empty.nonzero()[0, 0])}.")

    def read(logits: Tensor) -> Float[Tensor, " n"]:
        odds = [log_odds(logits[at], pair).mean() for at, pair in zip(places, pairs, strict=True)]
        return torch.stack(odds)

    before = read(model(tokens))
    shifts = []
    for vector in steering:
        with intervene(model, site, Add(vector, scale)):
            shifts.append(read(model(tokens)) - before)
    return Leakage(torch.stack(shifts))


def reparametrise(
    W_U: Float[Tensor, "d_vocab d"], hidden: Float[Tensor, "*places d"], A: Float[Tensor, "d d"]
) -> tuple[Float[Tensor, "d_vocab d"], Float[Tensor, "*places d"]]:
    """γ → Aγ and λ → A⁻ᵀλ: rows W_U Aᵀ and hidden A⁻¹. Every logit λᵀγ stays what it is.

    Raises ValueError for an A that cannot be inverted.
    """
    W_U = validate.shape("W_U", validate.finite("W_U", W_U), ("d_vocab", "d"))
    d = W_U.shape[1]
    hidden = validate.finite("hidden", hidden)
    if hidden.ndim == 0 or hidden.shape[-1] != d:
        raise ValueError(f"hidden has shape {list(hidden.shape)}; it must be [..., {d}].")
    A, inverse = _with_inverse(A, d)
    return (W_U.double() @ A.T).to(W_U.dtype), (hidden.double() @ inverse).to(hidden.dtype)


def reparametrise_model(model: GPT, A: Float[Tensor, "d_model d_model"]) -> GPT:
    """A copy of the model with γ → Aγ, λ → A⁻ᵀλ, which gives the same logits.

    Its `ln_final` is followed by A⁻ᵀ, so that the site "ln_final" is the new λ; its unembedding is
    its own, also where it was tied to the embedding.

    Raises TypeError for a model without these two, ValueError for an A that cannot be inverted.
    """
    if not (hasattr(model, "unembed") and hasattr(model, "ln_final")):
        raise TypeError(
            f"model is of type {type(model).__name__}; it must have an `unembed` and a `ln_final`, "
            "as a GPT has."
        )
    W_U = model.unembed.weight
    A, inverse = _with_inverse(A, W_U.shape[1])
    copy = deepcopy(model)
    copy.unembed.weight = nn.Parameter((W_U.detach().double() @ A.T).to(W_U))
    turn = nn.Linear(len(A), len(A), bias=False, device=W_U.device, dtype=W_U.dtype)
    turn.weight = nn.Parameter(inverse.T.to(W_U))
    copy.ln_final = nn.Sequential(copy.ln_final, turn)
    return copy


def _with_inverse(A: Tensor, d: int) -> tuple[Float[Tensor, "d d"], Float[Tensor, "d d"]]:
    A = validate.shape("A", validate.finite("A", A), (d, d)).detach().double()
    condition = torch.linalg.cond(A).item()
    if not condition < 1e12:
        raise ValueError(
            f"A has condition number {condition:.1e}; it must have an inverse, below 1e12."
        )
    return A, torch.linalg.inv(A)
