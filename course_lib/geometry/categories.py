"""Categories as vectors: hierarchies, simplices, and the controls that make them worth a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.geometry.covariance import LEDOIT_WOLF, covariance

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from course_lib.geometry.covariance import Shrinkage


@dataclass(frozen=True, eq=False)
class HierarchyOrthogonality:
    """How orthogonal a category is to what each of its children adds.

    Attributes:
        child, parent: [n_edges], the categories.
        cosine: [n_edges], of ℓ_parent and ℓ_child - ℓ_parent.
    """

    child: Int[Tensor, " n_edges"]
    parent: Int[Tensor, " n_edges"]
    cosine: Float[Tensor, " n_edges"]


@dataclass(frozen=True, eq=False)
class Simplex:
    """How regular a simplex k vertices are.

    Attributes:
        cosines: [k(k-1)/2], of the vertices around their mean.
        edges: [k(k-1)/2], their distances.
    """

    cosines: Float[Tensor, " n_pairs"]
    edges: Float[Tensor, " n_pairs"]

    @property
    def target(self) -> float:
        """-1 / (k - 1), every cosine of a regular simplex."""
        k = (1 + (1 + 8 * len(self.edges)) ** 0.5) / 2
        return -1 / (k - 1)

    @property
    def deviation(self) -> Float[Tensor, ""]:
        """The largest |cosine - target|."""
        return (self.cosines - self.target).abs().max()

    @property
    def spread(self) -> Float[Tensor, ""]:
        """Standard deviation of the edges over their mean."""
        return self.edges.std(correction=0) / self.edges.mean()


def concept_vectors(
    g: Float[Tensor, "d_vocab d"],
    members: Bool[Tensor, "n_concepts d_vocab"],
    shrinkage: Shrinkage = LEDOIT_WOLF,
) -> Float[Tensor, "n_concepts d"]:
    """The vector ℓ_w of each category w: a direction, and a size.

    The direction g̃ is that of Cov(g_w)⁻¹ E[g_w] over the members' vectors g_w, as in linear
    discriminant analysis: where members agree, measured by how much they vary. The size is their
    mean projection, so that ℓ_w · g ≈ ‖ℓ_w‖² for members.

    Members that are all alike, or only one, have no covariance; then ℓ_w is their mean.

    Args:
        g: the tokens in coordinates that mean something, and around their mean:
            `product.whiten(W_U - product.mean)`.
        shrinkage: of Cov(g_w), above 0 where a category has fewer members than dimensions; of 1,
            ℓ_w is the mean.

    Raises:
        ValueError: a category without members; a covariance without inverse; a mean of 0.

    Source: Park, Choe, Jiang, Veitch 2024, "The Geometry of Categorical and Hierarchical Concepts
    in Large Language Models" (arXiv:2406.01506).
    """
    g = validate.shape("g", validate.finite("g", g), ("d_vocab", "d")).detach()
    members = checked_members(members, len(g)).to(g.device)
    if not isinstance(shrinkage, str):
        validate.number("shrinkage", shrinkage, 0.0, 1.0)
    return torch.stack([_concept_vector(g[row], shrinkage, w) for w, row in enumerate(members)])


def _concept_vector(own: Tensor, shrinkage: Shrinkage, w: int) -> Float[Tensor, " d"]:
    mean = own.double().mean(0)
    if not mean.any():
        raise ValueError(f"members of concept {w} have mean 0; there is no direction they share.")
    direction = mean
    rounding = 10 * own.shape[1] * torch.finfo(own.dtype).eps
    if shrinkage != 1 and (own - mean).norm() > rounding * own.norm():
        cov = covariance(f"g of concept {w}", own, shrinkage=shrinkage)
        if len(cov.variance) < own.shape[1]:
            raise ValueError(
                f"concept {w} varies in {len(cov.variance)} of {own.shape[1]} dimensions; its "
                "covariance has no inverse. Take a shrinkage above 0."
            )
        direction = cov.power(-1.0) @ mean
    direction = direction / direction.norm()
    return (direction * (direction @ mean)).to(own.dtype)


def hierarchy_orthogonality(
    vectors: Float[Tensor, "n_concepts d"], parent: Int[Tensor, " n_concepts"]
) -> HierarchyOrthogonality:
    """cos(ℓ_w, ℓ_z - ℓ_w) for every child z of every parent w.

    Near 0 says that a child adds to its parent and takes nothing back. It is also near 0 for
    means of nested sets of unrelated tokens (`shuffled_tokens`); what it must beat is the same
    with a wrong parent (`shuffled_parents`).

    Args:
        parent: the index of each concept's parent, -1 for roots.

    Raises ValueError for a parent that is none, no edge at all, or vectors of length 0 among them.
    """
    vectors = validate.shape("vectors", validate.finite("vectors", vectors), ("n_concepts", "d"))
    parent = _checked_parent(parent, len(vectors)).to(vectors.device)
    child = (parent >= 0).nonzero()[:, 0]
    up = parent[child]
    whole, added = vectors[up].double(), (vectors[child] - vectors[up]).double()
    for name, rows in (("its parent's vector", whole), ("what it adds to its parent", added)):
        if (rows.norm(dim=1) == 0).any():
            bad = int(child[rows.norm(dim=1) == 0][0])
            raise ValueError(f"of concept {bad}, {name} is 0 and has no direction.")
    cosine = (whole * added).sum(1) / whole.norm(dim=1) / added.norm(dim=1)
    return HierarchyOrthogonality(child, up, cosine.to(vectors.dtype))


def shuffled_parents(
    parent: Int[Tensor, " n_concepts"], generator: Generator
) -> Int[Tensor, " n_concepts"]:
    """Every child with a wrong parent: another, drawn from those at the depth of its own.

    Raises ValueError where a depth has only one parent, or parents do not come before children.
    """
    from course_lib.data.hierarchy import as_tree  # here, for the data room imports this one

    validate.instance("generator", generator, Generator)
    parent = as_tree(parent)
    depth = [0] * len(parent)
    for node, up in enumerate(parent.tolist()):
        depth[node] = 0 if up < 0 else depth[up] + 1
    shuffled = parent.clone()
    for node, up in enumerate(parent.tolist()):
        if up < 0:
            continue
        parents = {other for other in parent.tolist() if other >= 0 and depth[other] == depth[up]}
        wrong = sorted(parents - {up})
        if not wrong:
            raise ValueError(f"parent has only {up} at depth {depth[up]}; there is no wrong one.")
        pick = torch.randint(len(wrong), (), generator=generator, device=generator.device)
        shuffled[node] = wrong[int(pick)]
    return shuffled


def shuffled_tokens(
    members: Bool[Tensor, "n_concepts d_vocab"], generator: Generator
) -> Bool[Tensor, "n_concepts d_vocab"]:
    """The same nested sets of the same sizes, of other tokens: all tokens that are in any permuted.

    Tokens in no category stay out.
    """
    validate.instance("generator", generator, Generator)
    validate.tensors("any", members=(members, "n_concepts d_vocab"))
    members = checked_members(members, members.shape[-1])
    used = members.any(0).nonzero()[:, 0]
    order = torch.randperm(len(used), generator=generator, device=generator.device)
    shuffled = members.clone()
    shuffled[:, used] = members[:, used[order.to(used.device)]]
    return shuffled


def simplex_regularity(vertices: Float[Tensor, "k d"]) -> Simplex:
    """The angles and edges of k ≥ 2 vertices, such as the vectors of siblings.

    With k = 2 any two points are regular: a claim needs 3. And random points in high dimensions
    are nearly regular, so hold it against `shuffled_tokens`.

    Raises ValueError for fewer than 2, or a vertex that is the mean of all.
    """
    vertices = validate.shape("vertices", validate.finite("vertices", vertices), ("k", "d"))
    k = len(vertices)
    if k < 2:
        raise ValueError(f"vertices has shape {list(vertices.shape)}; there must be 2 at least.")
    exact = vertices.double()
    centred = exact - exact.mean(0)
    length = centred.norm(dim=1)
    if (length <= 1e-12 * exact.norm(dim=1).max()).any():
        raise ValueError("vertices has a row that is the mean of all; it is no corner.")
    first, second = torch.triu_indices(k, k, 1, device=vertices.device)
    cosine = (centred[first] * centred[second]).sum(1) / length[first] / length[second]
    edges = (exact[first] - exact[second]).norm(dim=1)
    return Simplex(cosine.to(vertices.dtype), edges.to(vertices.dtype))


def checked_members(members: Tensor, n_tokens: int) -> Bool[Tensor, "n_concepts d_vocab"]:
    """`members` as it is, or TypeError / ValueError naming the concept without any."""
    if not isinstance(members, Tensor) or members.dtype != torch.bool:
        kind = members.dtype if isinstance(members, Tensor) else type(members).__name__
        raise TypeError(f"members is of type {kind}; it must be a tensor of True and False.")
    validate.tensors("any", members=(members, f"n_concepts {n_tokens}"))
    if (empty := ~members.any(1)).any():
        raise ValueError(f"members has no token in concept {int(empty.nonzero()[0, 0])}.")
    return members


def _checked_parent(parent: Tensor, n: int) -> Int[Tensor, " n_concepts"]:
    """A parent or -1 for each of n concepts, and at least one that is not -1."""
    parent = validate.as_tensor("parent", parent)
    if parent.is_floating_point() or tuple(parent.shape) != (n,):
        raise ValueError(
            f"parent has shape {list(parent.shape)} and dtype {parent.dtype}; it must be [{n}] "
            "whole numbers, one for each concept."
        )
    wrong = (parent < -1) | (parent >= n) | (parent == torch.arange(n, device=parent.device))
    if wrong.any():
        node = int(wrong.nonzero()[0, 0])
        raise ValueError(
            f"parent of concept {node} is {int(parent[node])}; it must be -1 for a root, or the "
            "index of another concept."
        )
    if (parent < 0).all():
        raise ValueError("parent is -1 everywhere; at least one concept must have a parent.")
    return parent.long()
