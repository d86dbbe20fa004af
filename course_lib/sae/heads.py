"""Latents of an attention layer, taken apart exactly: by head, and by the token looked at.

The SAE reads the heads' outputs side by side, before they are mixed by W_O: x is
[..., n_heads · d_head]. Its encoder is linear up to the activation, so a latent's pre-activation
is a sum over heads; and a head's output is a sum over source tokens, of values weighted by the
attention pattern. Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse
Autoencoders" (arXiv:2406.17759), sections 2 and 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import SAE

if TYPE_CHECKING:
    from jaxtyping import Float


def head_contributions(
    sae: SAE, heads: Float[Tensor, "*places n_heads d_head"]
) -> Float[Tensor, "*places n_heads d_sae"]:
    """What each head adds to each latent's pre-activation; with b_enc, the sum over heads is it.

    Raises ValueError when n_heads · d_head is not the SAE's d_in.
    """
    validate.instance("sae", sae, SAE)
    validate.tensors("alike", heads=(heads, "*places n_heads d_head"))
    rows = _by_head(sae.W_enc, sae, heads.shape[-2])
    _check_fits("heads", heads, sae, rows.shape[1])
    center = sae.encoder.center
    if center is not None:
        heads = heads - center.unflatten(0, heads.shape[-2:])
    return torch.einsum("...hd,hdj->...hj", heads, rows)


def source_contributions(
    sae: SAE,
    pattern: Float[Tensor, "*batch n_heads query key"],
    values: Float[Tensor, "*batch key n_heads d_head"],
    latent: int,
) -> Float[Tensor, "*batch n_heads query key"]:
    """What each head's look at each source token adds to one latent's pre-activation.

    Summed over heads and keys it is the pre-activation less what every input gets,
    `sae.encoder_bias`.
    """
    validate.tensors(
        "alike", pattern=(pattern, "*batch n_heads query key"),
        values=(values, "*batch key n_heads d_head"),
    )  # fmt: skip
    validate.instance("sae", sae, SAE)
    if validate.positive_int("latent", latent, 0) >= sae.d_sae:
        raise ValueError(f"latent is {latent}; it must be below {sae.d_sae}.")
    row = _by_head(sae.W_enc, sae, pattern.shape[-3])[..., latent]  # [n_heads, d_head]
    _check_fits("values", values, sae, len(row.T))
    along = torch.einsum("...khd,hd->...hk", values, row)
    return pattern * along[..., None, :]


def head_shares(sae: SAE, n_heads: int) -> Float[Tensor, "d_sae n_heads"]:
    """The share of each latent's decoder that lies in each head: norms, divided by their sum."""
    validate.instance("sae", sae, SAE)
    norms = _by_head(sae.W_dec.mT, sae, n_heads).norm(dim=1).mT
    return norms / norms.sum(dim=-1, keepdim=True)


def _check_fits(name: str, tensor: Tensor, sae: SAE, d_head: int) -> None:
    sae._check_alike(name, tensor)
    if tensor.shape[-1] != d_head:
        raise ValueError(
            f"{name} has shape {list(tensor.shape)}; its last axis must be d_head, {d_head}, so "
            f"that n_heads · d_head is the SAE's d_in, {sae.d_in}."
        )


def _by_head(weights: Float[Tensor, "d_in d_sae"], sae: SAE, n_heads: int) -> Tensor:
    """[n_heads, d_head, d_sae]."""
    validate.positive_int("n_heads", n_heads)
    if sae.lead or sae.d_in % n_heads:
        raise ValueError(
            f"The SAE has d_in {sae.d_in} and n_instances {sae.n_instances}; it must be one SAE "
            f"of {n_heads} heads side by side. Take `sae.instance(i)` of several."
        )
    return weights.unflatten(0, (n_heads, -1))
