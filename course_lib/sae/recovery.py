"""Whether an SAE found the planted dictionary: directions, supports, magnitudes.

Cosines are signed: latents are not negative, so the opposite direction is not the feature. For a
method whose latents have either sign, such as PCA, pass `torch.cat([W, -W])`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FOUND_COSINE = 0.9
"""A feature counts as found when its latent's direction has at least this cosine with it."""


@dataclass(frozen=True)
class Match:
    """Features and latents paired one to one.

    Attributes:
        latent: [n_features], the latent of each feature, -1 where there was none left for it.
        cosine: [n_features], of the pair's directions; 0 where there is no pair.
        found: [n_features], cosine at least the threshold.
        precision: share of all latents that found a feature; those that doubled one, or split it,
            or are dead did not.
        recall: share of the features that were found.
        f1: harmonic mean of the two.
    """

    latent: Int[Tensor, " n_features"]
    cosine: Float[Tensor, " n_features"]
    found: Bool[Tensor, " n_features"]
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Support:
    """Whether each feature's latent fires exactly when the feature is on.

    Attributes:
        precision: [n_features], share of the inputs with the latent active that have the feature;
            NaN where the latent is never active.
        recall: [n_features], share of the inputs with the feature that have the latent active;
            NaN where the feature is never on.
        f1: [n_features], 2 hits / (2 hits + false alarms + misses); NaN where neither ever is.
    """

    precision: Float[Tensor, " n_features"]
    recall: Float[Tensor, " n_features"]
    f1: Float[Tensor, " n_features"]


def cosines(
    W_dec: Float[Tensor, "*n d_sae d_in"], dictionary: Float[Tensor, "*#n n_features d_in"]
) -> Float[Tensor, "*n n_features d_sae"]:
    """Cosine of every feature's direction with every latent's; 0 for a row of zeros.

    Raises ValueError when d_in differs or entries are not finite.
    """
    W_dec, dictionary = validate.finite("W_dec", W_dec), validate.finite("dictionary", dictionary)
    empty = 0 in (*W_dec.shape, *dictionary.shape)
    if empty or min(W_dec.ndim, dictionary.ndim) < 2 or W_dec.shape[-1] != dictionary.shape[-1]:
        raise ValueError(
            f"W_dec has shape {list(W_dec.shape)} and dictionary {list(dictionary.shape)}; they "
            "must be [..., d_sae, d_in] and [..., n_features, d_in] with the same d_in, none empty."
        )
    dtype = torch.promote_types(W_dec.dtype, dictionary.dtype)
    dtype = torch.promote_types(dtype, torch.float32)  # half precision is too coarse for cosines
    return _unit(dictionary.to(W_dec.device, dtype)) @ _unit(W_dec.to(dtype)).mT


@torch.no_grad()
def mean_max_cosine_similarity(
    W_dec: Float[Tensor, "*n d_sae d_in"], dictionary: Float[Tensor, "*#n n_features d_in"]
) -> Float[Tensor, "*n"]:
    """Mean over the features of the best cosine any latent has with it (MMCS).

    One latent may serve several features, and latents that match nothing cost nothing: see `match`
    for a score that counts both. Source: Sharkey, Braun & Millidge 2022, "Taking features out of
    superposition with sparse autoencoders".
    """
    return cosines(W_dec, dictionary).amax(dim=-1).mean(dim=-1)


@torch.no_grad()
def match(
    W_dec: Float[Tensor, "d_sae d_in"],
    dictionary: Float[Tensor, "n_features d_in"],
    threshold: float = FOUND_COSINE,
) -> Match:
    """Pair features and latents one to one with the largest sum of cosines (Hungarian method).

    To leave dead latents out of the precision, pass the rows of the living ones; `latent` then
    counts those.
    """
    from scipy.optimize import linear_sum_assignment

    validate.shape("W_dec", W_dec, ("d_sae", "d_in"))
    validate.shape("dictionary", dictionary, ("n_features", "d_in"))
    validate.number("threshold", threshold, -1.0, 1.0)
    cosine = cosines(W_dec, dictionary)
    feature, latent = map(torch.as_tensor, linear_sum_assignment(cosine.cpu().numpy(), True))
    feature, latent = feature.to(cosine.device), latent.to(cosine.device)
    n_features, d_sae = cosine.shape
    latents = torch.full((n_features,), -1, device=cosine.device).index_put((feature,), latent)
    paired = cosine.new_zeros(n_features).index_put((feature,), cosine[feature, latent])
    found = (paired >= threshold) & (latents >= 0)
    n_found = int(found.sum())
    return Match(
        latents, paired, found, n_found / d_sae, n_found / n_features,
        2 * n_found / (d_sae + n_features),
    )  # fmt: skip


def universality(
    W_dec_a: Float[Tensor, "d_sae_a d_in"], W_dec_b: Float[Tensor, "d_sae_b d_in"]
) -> float:
    """Mean cosine of the latents of two SAEs, paired one to one: do two seeds find the same?

    Symmetric; over the smaller number of latents. 1 for the same directions in any order; for
    random directions it is the best pairing's, not 0, so compare with two untrained SAEs. The
    share of latents that two SAEs have in common is `match(W_dec_a, W_dec_b, 0.7).recall`, after
    Paulo & Belrose 2025, "Sparse Autoencoders Trained on the Same Data Learn Different Features".
    """
    pairs = match(W_dec_a, W_dec_b)
    return float(pairs.cosine[pairs.latent >= 0].mean())


def support(
    z: Float[Tensor, "batch d_sae"],
    features: Float[Tensor, "batch n_features"],
    latent: Int[Tensor, " n_features"],
) -> Support:
    """Compare when each feature is on with when its latent (`Match.latent`) is active.

    A feature without a latent counts as one whose latent is never active.
    """
    active = take_latents(z, features, latent) != 0
    on = validate.finite("features", features) != 0
    hits = (on & active).sum(dim=0).to(torch.float32)
    n_on, n_active = on.sum(dim=0), active.sum(dim=0)
    return Support(hits / n_active, hits / n_on, 2 * hits / (n_on + n_active))


@torch.no_grad()
def shrinkage(
    z: Float[Tensor, "batch d_sae"],
    features: Float[Tensor, "batch n_features"],
    W_dec: Float[Tensor, "d_sae d_in"],
    latent: Int[Tensor, " n_features"],
) -> Float[Tensor, " n_features"]:
    """What a latent writes as a multiple of what it should: 1 is right, 0.9 is shrunk by a tenth.

    The slope through 0 of z_j ‖W_dec,j‖ on the feature's magnitude (of a unit direction), over
    the inputs on which both are active: Σ z_j ‖W_dec,j‖ f / Σ f². NaN where they never are.
    Source of the effect: Wright & Sharkey 2024, "Addressing Feature Suppression in SAEs".
    """
    validate.tensors("any", z=(z, "batch d_sae"), features=(features, "batch n_features"))
    validate.tensors("any", latent=(latent, "n_features"))
    W_dec = validate.shape("W_dec", validate.finite("W_dec", W_dec), (z.shape[-1], "d_in"))
    written = take_latents(z, features, latent) * W_dec.norm(dim=-1)[latent.clamp_min(0)]
    f = torch.where(written != 0, features, 0)
    return (written * f).sum(dim=0) / f.square().sum(dim=0)


def take_latents(z: Tensor, features: Tensor, latent: Tensor) -> Float[Tensor, "batch n_features"]:
    """The activations of each feature's latent, 0 where it has none; checks the shapes."""
    z = validate.shape("z", validate.finite("z", z), ("batch", "d_sae"))
    features = validate.finite("features", features)
    validate.shape("features", features, (len(z), "n_features"))
    latent = validate.as_tensor("latent", latent)
    validate.shape("latent", latent, (features.shape[-1],))
    if latent.is_floating_point() or latent.max() >= z.shape[-1] or latent.min() < -1:
        raise ValueError(
            f"latent has entries from {latent.min():g} to {latent.max():g}; they must be whole "
            f"numbers from -1 (no latent) to {z.shape[-1] - 1}."
        )
    return z[:, latent.clamp_min(0)].masked_fill(latent < 0, 0.0)


def _unit(W: Tensor) -> Tensor:
    norm = W.norm(dim=-1, keepdim=True)
    return W / norm.where(norm > 0, 1.0)
