"""Absorption and splitting, scored against a planted tree.

The tree is `parent` [n_features], -1 for roots (see `course_lib.data.HierarchicalFeatures`); its
edges are the features that have a parent, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.hierarchy import as_tree
from course_lib.sae.recovery import cosines, match, take_latents

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ABSORBING_SHARE = 0.4
"""A latent absorbs a feature on an input when it writes at least this share of it (SAEBench)."""

SPLIT_GAIN = 0.03
"""A latent is one more part of a split feature when it adds this much F1 (Chanin et al. 2024)."""


@dataclass(frozen=True)
class Absorption:
    """One row per edge of the tree; a rate is NaN where the child is never on.

    Attributes:
        child, parent: [n_edges], the features at the two ends.
        cosine: [n_edges], |cos| of the two latents' directions; 0 in a tree of new directions.
        parent_fires: [n_edges], share of the inputs with the child on (and so its parent) on which
            the parent's latent is active. 1 in a faithful dictionary.
        rate: [n_edges], share of those inputs on which the parent is absorbed: its latent is
            silent, and one other latent writes at least ABSORBING_SHARE of its magnitude along its
            direction. What is left of 1 - parent_fires is a parent that nobody wrote.
    """

    child: Int[Tensor, " n_edges"]
    parent: Int[Tensor, " n_edges"]
    cosine: Float[Tensor, " n_edges"]
    parent_fires: Float[Tensor, " n_edges"]
    rate: Float[Tensor, " n_edges"]


@torch.no_grad()
def absorption(
    z: Float[Tensor, "batch d_sae"],
    features: Float[Tensor, "batch n_features"],
    W_dec: Float[Tensor, "d_sae d_in"],
    dictionary: Float[Tensor, "n_features d_in"],
    parent: Sequence[int] | Int[Tensor, " n_features"],
) -> Absorption:
    """Score how often the latent of a parent is silent because a child's latent does its work.

    The latent of a feature is its one-to-one match by direction (`match`). Source: Chanin et al.
    2024, "A is for Absorption", in the form of SAEBench (Karvonen et al. 2025), where a probe
    stands for the feature's direction and the activation's projection on it for its magnitude;
    here both are planted, and rates are per child.
    """
    validate.tensors(
        "any", z=(z, "batch d_sae"), features=(features, "batch n_features"),
        W_dec=(W_dec, "d_sae d_in"), dictionary=(dictionary, "n_features d_in"),
    )  # fmt: skip
    z = validate.finite("z", z)
    child, up = edges(parent)
    child, up = child.to(z.device), up.to(z.device)
    features, W_dec, dictionary = features.to(z), W_dec.to(z), dictionary.to(z)
    validate.shape("dictionary", dictionary, (features.shape[-1], "d_in"))
    validate.shape("W_dec", W_dec, (z.shape[-1], dictionary.shape[-1]))
    _same_size(parent, features)
    latent = match(W_dec, dictionary).latent
    active = take_latents(z, features, latent) != 0
    direction = dictionary / dictionary.norm(dim=-1, keepdim=True)
    writes = W_dec @ direction.T  # [d_sae, n_features], per unit of z
    absorbed = torch.zeros_like(active)
    for feature in up.unique().tolist():
        most = (z * writes[:, feature]).amax(dim=-1)
        enough = most >= ABSORBING_SHARE * features[:, feature]
        absorbed[:, feature] = enough & ~active[:, feature]
    on = features[:, child] != 0
    n_on = on.sum(dim=0)
    pair = latent[torch.stack([child, up])]
    cosine = cosines(W_dec, W_dec)[pair[0], pair[1]].abs()
    return Absorption(
        child,
        up,
        cosine.masked_fill((pair < 0).any(dim=0), float("nan")),
        (on & active[:, up]).sum(dim=0) / n_on,
        (on & absorbed[:, up]).sum(dim=0) / n_on,
    )


@torch.no_grad()
def splitting(
    z: Float[Tensor, "batch d_sae"], features: Float[Tensor, "batch n_features"]
) -> Int[Tensor, " n_features"]:
    """Into how many latents each feature has split: 1 is right, 0 if none tells of it.

    Latents are added to a feature one by one, each time the one that raises most the F1 of "any of
    them is active" as a test for "the feature is on", while that gains at least SPLIT_GAIN. A
    parent absorbed by its children counts those as well. Source of the effect: Bricken et al.
    2023, "Towards Monosemanticity"; of the criterion: Chanin et al. 2024 (there F1 is that of a
    k-sparse probe).
    """
    validate.tensors("any", z=(z, "batch d_sae"), features=(features, "batch n_features"))
    take_latents(z, features, torch.zeros(features.shape[-1], dtype=torch.long, device=z.device))
    active, on = (z != 0).float(), (features != 0).float()
    any_active = torch.zeros_like(on)
    n_on, best = on.sum(dim=0), torch.zeros_like(on[0])
    count = torch.zeros_like(on[0], dtype=torch.long)
    growing = n_on > 0
    while growing.any():
        free = 1 - any_active
        hits = (on * any_active).sum(dim=0)[:, None] + (on * free).T @ active
        fired = any_active.sum(dim=0)[:, None] + free.T @ active
        f1, latent = (2 * hits / (n_on[:, None] + fired).clamp_min(1)).max(dim=-1)
        growing = growing & (f1 - best >= SPLIT_GAIN)
        added = torch.maximum(any_active, active[:, latent])
        any_active = torch.where(growing, added, any_active)
        best, count = torch.where(growing, f1, best), count + growing
    return count


@torch.no_grad()
def conditional_orthogonality(
    directions: Float[Tensor, "n_features d_in"],
    parent: Sequence[int] | Int[Tensor, " n_features"],
) -> Float[Tensor, " n_edges"]:
    """|cos| of each child's direction with its parent's: 0 where a child adds something new.

    Siblings may correlate all the same, which is what an SAE with one flat dictionary finds hard.
    For learned directions pass `W_dec[match(W_dec, dictionary).latent]`. Source: Costa et al.
    2025, "From Flat to Hierarchical: Extracting Sparse Representations with Matching Pursuit".
    """
    child, up = edges(parent)
    validate.shape("directions", directions, ("n_features", "d_in"))
    _same_size(parent, directions.T)
    child, up = child.to(directions.device), up.to(directions.device)
    return cosines(directions, directions)[child, up].abs()


def edges(
    parent: Sequence[int] | Int[Tensor, " n_features"],
) -> tuple[Int[Tensor, " n_edges"], Int[Tensor, " n_edges"]]:
    """The children of a tree and their parents. Raises ValueError for a tree of roots alone."""
    tree = as_tree(parent)
    child = (tree >= 0).nonzero()[:, 0]
    if not len(child):
        raise ValueError("parent has only roots (-1); there is no child to score.")
    return child, tree[child]


def _same_size(parent: Sequence[int] | Tensor, features: Tensor) -> None:
    if len(parent) != features.shape[-1]:
        raise ValueError(
            f"parent has {len(parent)} entries; it must have one per feature, {features.shape[-1]}."
        )
