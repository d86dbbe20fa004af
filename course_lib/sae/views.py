"""Whether two views of the same concepts share latents: z_a and z_b [batch, d_sae], row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def support_jaccard(
    z_a: Float[Tensor, "batch d_sae"], z_b: Float[Tensor, "batch d_sae"]
) -> Float[Tensor, ""]:
    """Mean over the pairs of |S_a ∩ S_b| / |S_a ∪ S_b|, S the set of active latents.

    Pairs with no active latent in either view are left out; NaN when that leaves none.
    """
    a, b = (z != 0 for z in _pair(z_a, z_b))
    union = (a | b).sum(dim=-1)
    overlap = (a & b).sum(dim=-1) / union
    return overlap[union > 0].mean()


@torch.no_grad()
def modality_score(
    z_a: Float[Tensor, "batch d_sae"], z_b: Float[Tensor, "batch d_sae"]
) -> Float[Tensor, " d_sae"]:
    """How evenly a latent serves both views: the smaller mean activation over the larger.

    1 for a latent that both use alike, 0 for one that is active in one view alone, NaN for a dead
    one.
    """
    means = torch.stack([z.abs().mean(dim=0) for z in _pair(z_a, z_b)])
    return means.amin(dim=0) / means.amax(dim=0)


@torch.no_grad()
def same_latent(
    z_a: Float[Tensor, "batch d_sae"],
    z_b: Float[Tensor, "batch d_sae"],
    features: Float[Tensor, "batch n_features"],
) -> Bool[Tensor, " n_features"]:
    """Whether a concept's best latent, by correlation with the concept, is the same in both views.

    False in a split dictionary, and for a concept that is constant over the batch.
    """
    z_a, z_b = _pair(z_a, z_b)
    features = validate.finite("features", features)
    validate.shape("features", features, (len(z_a), "n_features"))
    f = _standard(features.to(z_a))
    best_a, best_b = ((f.T @ _standard(z)).argmax(dim=-1) for z in (z_a, z_b))
    return (best_a == best_b) & (f != 0).any(dim=0)


@torch.no_grad()
def retrieval_at_k(
    a: Float[Tensor, "batch d"], b: Float[Tensor, "batch d"], k: int = 1
) -> Float[Tensor, ""]:
    """R@k: the share of rows of a whose partner in b is among the k most similar rows, by cosine.

    A partner that ties with others for the last place counts as missed, so codes without any
    active latent find nothing. Works on latents as on embeddings; subtract each view's mean from
    embeddings with a modality gap.
    """
    a, b = _pair(a, b, ("a", "b"))
    if validate.positive_int("k", k) > len(a):
        raise ValueError(f"k is {k}; it must be at most the number of pairs, {len(a)}.")
    cosine = torch.nn.functional.normalize(a, dim=-1) @ torch.nn.functional.normalize(b, dim=-1).T
    at_least = (cosine >= cosine.diagonal()[:, None]).sum(dim=-1)
    return (at_least <= k).float().mean()


def _pair(a: Tensor, b: Tensor, names: tuple[str, str] = ("z_a", "z_b")) -> tuple[Tensor, Tensor]:
    a, b = validate.finite(names[0], a), validate.finite(names[1], b)
    validate.shape(names[1], b, validate.shape(names[0], a, ("batch", "d")).shape)
    if a.dtype != b.dtype:
        raise ValueError(f"{names[0]} is {a.dtype} and {names[1]} {b.dtype}; they must be alike.")
    return a, b


def _standard(z: Tensor) -> Tensor:
    """Columns with mean 0 and norm 1; columns of zeros where z is constant."""
    varies = (z != z[0]).any(dim=0)
    z = z - z.mean(dim=0)
    return torch.where(varies, z / z.norm(dim=0).where(varies, 1.0), 0.0)
