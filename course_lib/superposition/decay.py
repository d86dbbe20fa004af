"""Weight decay with a sign: the switch between weak and strong superposition."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


@torch.no_grad()
def signed_decay_(
    W: Float[Tensor, "*batch n_features d_hidden"],
    decay: float | Float[Tensor, "*#batch"],
    lr: float,
) -> Tensor:
    """One decoupled step of signed weight decay on the rows of W, in place.

    decay >= 0 shrinks every row: W_i ← (1 - lr decay) W_i. decay < 0 pulls the norm of every row
    towards 1, from below and from above: |W_i| ← |W_i| + lr |decay| (1 - |W_i|). A row of zeros has
    no direction and stays. `decay` may differ by instance. To be followed by the optimiser's own
    step, as in AdamW. Source: Liu, Liu & Gore 2025, "Superposition Yields Robust Neural Scaling".

    Raises ValueError where lr |decay| exceeds 1, a step that would overshoot.
    """
    validate.tensors("floating", W=(W, "*batch n_features d_hidden"))
    lr = validate.number("lr", lr)
    if isinstance(decay, Real):  # in double precision, not rounded to single
        decay = torch.tensor(validate.number("decay", decay), dtype=torch.double)
    decay = validate.finite("decay", decay).to(W)
    if (lr * decay.abs() > 1).any():
        raise ValueError(
            f"decay is {decay.abs().max():g} in size; at lr = {lr:g} it must be at most {1 / lr:g}."
        )
    try:
        decay = decay.expand(W.shape[:-2])[..., None, None]
    except RuntimeError:
        raise ValueError(
            f"decay has shape {list(decay.shape)}; it must be a number or broadcast to "
            f"{list(W.shape[:-2])}, one for each instance."
        ) from None
    norm = W.norm(dim=-1, keepdim=True)
    missing = (1 - norm) / norm.where(norm > 0, 1.0)
    return W.mul_(1 + lr * torch.where(decay < 0, -decay * missing, -decay))
