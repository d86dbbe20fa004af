"""Features on a tree: a child is active only where its parent is, and siblings exclude each other.

The tree is one whole number per feature, the index of its parent, -1 for a root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.dictionaries import unit_rows

if TYPE_CHECKING:
    from jaxtyping import Float, Int

# Costa et al. 2025: three parents with three children each, and eight features without a family.
PARENT = (-1, 0, 0, 0, -1, 4, 4, 4, -1, 8, 8, 8) + (-1,) * 8
PROBABILITY = (0.2,) * 12 + (0.05,) * 8

ROUNDING = 1e-6  # of probabilities that should sum to 1


class HierarchicalFeatures:
    """Features on a tree. Where a node is active, at most one of its children is.

    Planted: child i is active with probability p_i given that its parent is, and then none of its
    siblings is; where the parent is not active, neither is the child. Roots are active with
    probability p_i, at most one of them at a time if `exclusive_roots`, else independently.
    Magnitudes of active features are independent, normal with `mean` and `std`, and floored at a
    thousandth of the mean, so that active always means positive.

    The defaults are the tree of Costa et al. 2025, "From Flat to Hierarchical: Extracting Sparse
    Representations with Matching Pursuit" (20 features; root probabilities sum to 1, so exactly
    one root is active and L0 is 1.36 on average), after Bussmann et al. 2025.

    Args:
        parent: [n_features], the index of each feature's parent, -1 for roots; parents come
            before their children.
        probability: [n_features], given the parent; over the children of one parent, and over
            exclusive roots, the sum is at most 1.
        exclusive_roots: whether at most one root is active at a time.
        mean, std: of the magnitude of active features.

    Attributes:
        parent: [n_features].
        probability: [1, n_features], of being active at all, as in `SparseFeatures`.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    n_instances = 1

    def __init__(
        self,
        parent: Sequence[int] | Int[Tensor, " n_features"] = PARENT,
        probability: Sequence[float] | Float[Tensor, " n_features"] = PROBABILITY,
        *,
        exclusive_roots: bool = True,
        mean: float = 1.5,
        std: float = 0.25,
    ) -> None:
        self.parent = as_tree(parent)
        self.n_features = len(self.parent)
        p = validate.probability("probability", probability)
        validate.shape("probability", p, (self.n_features,))
        self.exclusive_roots = exclusive_roots
        self.mean, self.std = validate.number("mean", mean), validate.number("std", std, 0.0)
        if mean <= 0:
            raise ValueError(f"mean is {mean}; it must be above 0.")
        self._group = self.parent + 1 if exclusive_roots else self._groups_of_free_roots()
        self._bounds(p.double())
        marginal = p.double().clone()
        for node, up in enumerate(self.parent.tolist()):
            if up >= 0:
                marginal[node] *= marginal[up]
        self.probability = marginal[None].to(torch.get_default_dtype())

    def _groups_of_free_roots(self) -> Tensor:
        own = torch.arange(self.n_features) + self.n_features + 1
        return torch.where(self.parent < 0, own, self.parent + 1)

    def _bounds(self, p: Tensor) -> None:
        """Each feature's interval of the uniform number that its group of siblings shares."""
        low, high = torch.zeros_like(p), torch.zeros_like(p)
        for group in self._group.unique():
            members = (self._group == group).nonzero()[:, 0]
            end = p[members].cumsum(dim=0)
            if end[-1] > 1 + ROUNDING:
                who = "exclusive roots" if group == 0 else f"children of feature {group - 1}"
                raise ValueError(
                    f"probability sums to {end[-1]:.4g} over the {who}; it must be at most 1."
                )
            low[members] = end - p[members]
            high[members] = end
        self._low, self._high = (
            low.to(torch.get_default_dtype()),
            high.to(torch.get_default_dtype()),
        )

    def sample(self, batch_size: int, generator: Generator) -> Float[Tensor, "1 batch n_features"]:
        """Draw a batch on the generator's device."""
        validate.positive_int("batch_size", batch_size)
        device, dtype = generator.device, torch.get_default_dtype()
        groups, index = self._group.unique(return_inverse=True)
        u = torch.rand(batch_size, len(groups), generator=generator, device=device, dtype=dtype)
        u = u[:, index.to(device)]
        active = (u >= self._low.to(device)) & (u < self._high.to(device))
        for node, up in enumerate(self.parent.tolist()):
            if up >= 0:
                active[:, node] &= active[:, up]
        magnitude = torch.randn(active.shape, generator=generator, device=device, dtype=dtype)
        magnitude.mul_(self.std).add_(self.mean).clamp_(min=1e-3 * self.mean)
        return magnitude.masked_fill_(~active, 0.0)[None]


def tree_dictionary(
    parent: Sequence[int] | Int[Tensor, " n_features"],
    d_in: int,
    cosine: float,
    generator: Generator,
) -> Float[Tensor, "n_features d_in"]:
    """Unit directions for a tree: siblings (and roots) at `cosine`, all else orthogonal.

    So a child is orthogonal to its parent: what the child adds is new. Costa et al. 2025 call this
    conditional orthogonality; their correlation level l is cosine l / 10 (they mix an orthonormal
    basis within siblings, which gives it to two digits; here it is exact). `cosine` is in [0, 1),
    d_in at least n_features.
    """
    validate.instance("generator", generator, Generator)
    parent = as_tree(parent).to(generator.device)
    n_features = len(parent)
    if validate.positive_int("d_in", d_in) < n_features:
        raise ValueError(f"d_in is {d_in}; the tree's {n_features} features need as many at least.")
    if validate.number("cosine", cosine, 0.0, 1.0) == 1.0:
        raise ValueError("cosine is 1.0; it must be below 1, or siblings would be one direction.")
    random = torch.randn(d_in, n_features, generator=generator, device=generator.device)
    basis = torch.linalg.qr(random).Q.T
    gram = cosine * (parent[:, None] == parent).to(basis.dtype)
    gram.fill_diagonal_(1.0)
    return unit_rows(torch.linalg.cholesky(gram) @ basis)


def tree_names(parent: Sequence[int] | Int[Tensor, " n_features"]) -> list[str]:
    """Short names: A, B … for roots with children, A1, A2 … for those, s1, s2 … for the others."""
    tree = as_tree(parent).tolist()
    roots = [node for node, up in enumerate(tree) if up < 0]
    families = [node for node in roots if node in tree]
    singles = [node for node in roots if node not in tree]
    names = {node: chr(ord("A") + k) for k, node in enumerate(families)}
    names |= {node: f"s{k}" for k, node in enumerate(singles, start=1)}
    for node, up in enumerate(tree):
        if up >= 0:
            names[node] = f"{names[up]}{tree[: node + 1].count(up)}"
    return [names[node] for node in range(len(tree))]


def as_tree(parent: Sequence[int] | Int[Tensor, " n_features"]) -> Int[Tensor, " n_features"]:
    """`parent` as a tensor, or ValueError where it is not a tree with parents first."""
    indices = validate.as_tensor("parent", parent)
    if indices.ndim != 1 or not len(indices) or indices.is_floating_point():
        raise ValueError(
            f"parent has shape {list(indices.shape)} and dtype {indices.dtype}; it must be "
            "[n_features] whole numbers, -1 for roots."
        )
    indices = indices.long()
    wrong = (indices < -1) | (indices >= torch.arange(len(indices), device=indices.device))
    if wrong.any():
        node = int(wrong.nonzero()[0])
        raise ValueError(
            f"parent of feature {node} is {int(indices[node])}; it must be -1 for a root, or the "
            "index of an earlier feature."
        )
    return indices.cpu()
