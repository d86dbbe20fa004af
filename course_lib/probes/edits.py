"""What to change in an activation so that a model goes on as if something else had happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.games import EMPTY

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from course_lib.models import GPT


def board_code(
    x: Float[Tensor, "n d"], board: Int[Tensor, "n cells"], *, ridge: float = 1e-3
) -> Float[Tensor, "cells 3 d"]:
    """What each thing that a cell may hold adds to an activation, all cells being fitted at once.

    x = constant + Σ over cells of code[cell, what it holds], by least squares; within a cell the
    three codes sum to 0. A mean over the boards with a stone of mine on a cell holds what usually
    stands beside it too; here each cell has its own part alone.

    Args:
        board: 0 to 2, such as `Play.relative`.
        ridge: penalty on the codes, times n; the fit needs it where cells determine each other.
    """
    validate.finite("x", validate.shape("x", x, ("n", "d")))
    validate.shape("board", board, (len(x), "cells"))
    if board.is_floating_point() or board.min() < 0 or board.max() > EMPTY:
        raise ValueError("board has other values than 0, 1 and 2, for mine, theirs and empty.")
    holds = torch.nn.functional.one_hot(board.long(), 3).flatten(1).double()
    holds, target = (part - part.mean(0) for part in (holds, x.double()))
    gram = holds.T @ holds
    gram.diagonal().add_(validate.number("ridge", ridge, 0.0) * len(x))
    code = torch.linalg.lstsq(gram, holds.T @ target, driver="gelsd").solution
    return code.unflatten(0, (board.shape[1], 3)).to(x)


def gradient_edit(
    scores: Callable[[Float[Tensor, "n d"]], Float[Tensor, "n 3"]],
    becomes: Int[Tensor, " n"],
    length: float,
    steps: int = 10,
) -> Callable[[Tensor], Tensor]:
    """A change of activations, for `edited_moves`, that goes down a probe's loss.

    `steps` steps along the gradient, of equal length and `length` together, towards the class
    `becomes`. Source: Li et al. 2023 (arXiv:2210.13382); there steps are as long as the
    gradient, here they are comparable with a vector that is added.
    """

    @torch.enable_grad()
    def change(x: Tensor) -> Tensor:
        for _ in range(validate.positive_int("steps", steps)):
            x = x.detach().requires_grad_()
            loss = torch.nn.functional.cross_entropy(scores(x), becomes, reduction="sum")
            (slope,) = torch.autograd.grad(loss, x)
            size = slope.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
            x = x - length / steps * slope / size
        return x.detach()

    return change


def read_basis(model: GPT) -> Float[Tensor, "rank d"]:
    """An orthonormal basis of all directions of the last residual stream that moves depend on.

    logits = W_U (g ⊙ (x - mean(x)) / sd(x)) + constants: with sd(x) as it is, what is orthogonal to
    the rows of W_U ⊙ g, each less its mean, and all less what they share, adds the same to every
    logit: the law of the next move cannot depend on it.
    """
    rows = (model.unembed.weight * model.ln_final.weight).detach().double()
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows - rows.mean(0)
    _, size, basis = torch.linalg.svd(rows, full_matrices=False)
    return basis[size > size[0] * 1e-9].to(model.unembed.weight)


def unread(x: Float[Tensor, "*n d"], basis: Float[Tensor, "rank d"]) -> Float[Tensor, "*n d"]:
    """What is left of x without its mean and without its part in the span of `basis`."""
    x = x - x.mean(-1, keepdim=True)
    return x - x @ basis.T @ basis


def with_unread_of(
    x: Float[Tensor, "*n d"], source: Float[Tensor, "*n d"], basis: Float[Tensor, "rank d"]
) -> Float[Tensor, "*n d"]:
    """x, its unread part being that of `source`, as long as its own was; so sd(x) stays."""
    own, other = unread(x, basis), unread(source, basis)
    scale = own.norm(dim=-1, keepdim=True) / other.norm(dim=-1, keepdim=True)
    return x - own + scale * other
