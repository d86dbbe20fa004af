"""Vocabularies with planted directions: unembeddings in which the concepts of words are known."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int


def random_map(d: int, condition: float, generator: Generator) -> Float[Tensor, "d d"]:
    """A random invertible map of this condition number κ, in double precision.

    Singular values from √κ to 1/√κ, evenly in their logarithm, between two random rotations. A
    generator at the same seed gives the same rotations for every κ: κ alone can then be turned.
    """
    validate.instance("generator", generator, Generator)
    validate.positive_int("d", d)
    validate.number("condition", condition, 1.0)
    rotations = []
    for _ in range(2):
        normal = torch.randn(
            d, d, generator=generator, device=generator.device, dtype=torch.float64
        )
        rotation, triangle = torch.linalg.qr(normal)
        rotations.append(rotation * triangle.diagonal().sign())  # uniform over rotations
    exponent = torch.linspace(0.5, -0.5, d, device=generator.device, dtype=torch.float64)
    return rotations[0] * condition**exponent @ rotations[1]


class FactorialVocabulary:
    """Words for every combination of a stem and k binary concepts, as an unembedding matrix.

    Planted: γ(word) = A (stem + Σ_i c_i · direction_i + noise), with c_i 0 or 1, so that two words
    which differ in one concept differ by its direction. Stems and directions are normal, of
    variance 1 in each dimension, so about √d_model long; stems are independent of concepts, and
    concepts of each other, unless some words are deleted.

    Args:
        n_lexemes: stems, with 2^n_concepts words each.
        n_concepts: binary concepts.
        d_model: dimensions.
        condition: κ of the map A, a `random_map`; κ = 1 only turns.
        noise: mean length of every word's own part before A; that of a direction is √d_model.
        correlate: (a, b, rho): words that have one of the two concepts a and b alone are deleted,
            as many of each, until over the words the two correlate at rho in [0, 1) or a little
            less; other concepts and stems are left as independent as they can be.
        seed: of everything drawn.

    Attributes:
        W_U: [d_vocab, d_model], in double precision, so that what is exact can be seen to be.
        concepts: [d_vocab, n_concepts], 0 or 1.
        lexeme: [d_vocab].
        directions: [n_concepts, d_model], after A.
        A: [d_model, d_model].

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_lexemes: int = 6,
        n_concepts: int = 5,
        d_model: int = 16,
        *,
        condition: float = 1.0,
        noise: float = 0.0,
        correlate: tuple[int, int, float] | None = None,
        seed: int = 0,
    ) -> None:
        validate.positive_int("n_lexemes", n_lexemes)
        if validate.positive_int("n_concepts", n_concepts) > 12:
            raise ValueError(f"n_concepts is {n_concepts}; more than 12 make too many words.")
        validate.positive_int("d_model", d_model)
        validate.number("noise", noise, 0.0)
        generator = runtime.generator(seed)
        values = torch.cartesian_prod(
            torch.arange(n_lexemes), *[torch.arange(2)] * n_concepts
        )  # [d_vocab, 1 + n_concepts]
        stems = _normal(n_lexemes, d_model, generator)
        directions = _normal(n_concepts, d_model, generator)
        own = noise / d_model**0.5 * _normal(len(values), d_model, generator)
        self.A = random_map(d_model, condition, generator)
        W_U = (stems[values[:, 0]] + values[:, 1:].double() @ directions + own) @ self.A.T
        kept = torch.ones(len(values), dtype=torch.bool)
        if correlate is not None:
            kept = _correlating(values, *_checked_correlate(correlate, n_concepts), generator)
        self.W_U, self.directions = W_U[kept], directions @ self.A.T
        self.lexeme, self.concepts = values[kept, 0], values[kept, 1:]

    @property
    def correlation(self) -> Float[Tensor, "n_concepts n_concepts"]:
        """Of the concepts, over the words."""
        return torch.atleast_2d(torch.corrcoef(self.concepts.double().T))

    def pairs(self, concept: int) -> Int[Tensor, "n 2"]:
        """The pairs of words that differ in this concept alone: without it, with it."""
        n_concepts = self.concepts.shape[1]
        if validate.positive_int("concept", concept, minimum=0) >= n_concepts:
            raise ValueError(f"concept is {concept}; it must be from 0 to {n_concepts - 1}.")
        bits = 2 ** torch.arange(n_concepts)
        code = self.lexeme * 2**n_concepts + self.concepts @ bits
        without = (self.concepts[:, concept] == 0).nonzero()[:, 0]
        same = code[without, None] + bits[concept] == code
        found, partner = same.nonzero().T
        return torch.stack([without[found], partner], dim=1)


class TreeVocabulary:
    """Nouns of a tree of categories, as an unembedding matrix.

    Planted: γ(word) = A (Σ over the categories it is in of their part + noise). The parts of
    siblings are the corners of a regular simplex around 0, of length `scale` at their depth, in
    dimensions of their own. So a category's vector, the sum of the parts down to it, is orthogonal
    to what any of its children adds; in that sense the hierarchy is orthogonal, before A.

    Args:
        branching: children of each category, from the roots on.
        words_per_leaf: words of each of the deepest categories.
        d_model: dimensions, at least as many as the simplices need: Σ (siblings - 1), over all
            groups of siblings.
        scale: of the parts, at each depth.
        noise: mean length of every word's own part, before A.
        condition: κ of the map A, a `random_map`.
        seed: of everything drawn.

    Attributes:
        W_U: [d_vocab, d_model], in double precision.
        leaf: [d_vocab], the deepest category of each word.
        parent: [n_nodes], of each category, -1 for roots; parents come first.
        depth: [n_nodes], 0 for roots.
        members: [n_nodes, d_vocab], which words are in which category.
        vectors: [n_nodes, d_model], of the categories, after A.
        A: [d_model, d_model].

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        branching: Sequence[int] = (2, 3, 4),
        words_per_leaf: int = 8,
        d_model: int = 64,
        *,
        scale: Sequence[float] = (1.0, 1.0, 1.0),
        noise: float = 0.3,
        condition: float = 1.0,
        seed: int = 0,
    ) -> None:
        for children in validate.sequence("branching", branching):
            validate.positive_int("branching", children, minimum=2)
        validate.sequence("scale", scale)
        if len(branching) == 0 or len(scale) != len(branching):
            raise ValueError(
                f"branching has {len(branching)} depths and scale {len(scale)}; there must be a "
                "scale for each depth, and at least one."
            )
        validate.positive_int("words_per_leaf", words_per_leaf)
        validate.number("noise", noise, 0.0)
        groups = [prod(branching[:depth]) for depth in range(len(branching))]
        needed = sum(n * (k - 1) for n, k in zip(groups, branching, strict=True))
        if validate.positive_int("d_model", d_model) < needed:
            raise ValueError(f"d_model is {d_model}; the simplices of this tree need {needed}.")
        generator = runtime.generator(seed)
        basis = random_map(d_model, 1.0, generator)
        parent, vectors, used = [], [], 0
        above = [(-1, basis.new_zeros(d_model))]
        for k, size in zip(branching, scale, strict=True):
            corners = validate.number("scale", size, 0.0) * _simplex(k)
            level = []
            for up, whole in above:
                for corner in corners @ basis[used : used + k - 1]:
                    level.append((len(parent), whole + corner))
                    parent.append(up)
                    vectors.append(whole + corner)
                used += k - 1
            above = level
        self.parent = torch.tensor(parent)
        self.A = random_map(d_model, condition, generator)
        self.leaf = torch.tensor([node for node, _ in above]).repeat_interleave(words_per_leaf)
        self._walk()
        true = torch.stack(vectors)
        own = noise / d_model**0.5 * _normal(len(self.leaf), d_model, generator)
        self.vectors, self.W_U = true @ self.A.T, (true[self.leaf] + own) @ self.A.T

    def _walk(self) -> None:
        """Depth and members, from the leaves up."""
        self.depth = torch.zeros_like(self.parent)
        for node, up in enumerate(self.parent.tolist()):
            self.depth[node] = 0 if up < 0 else self.depth[up] + 1
        members = [self.leaf == node for node in range(len(self.parent))]
        for node in reversed(range(len(self.parent))):
            if (up := int(self.parent[node])) >= 0:
                members[up] = members[up] | members[node]
        self.members: Bool[Tensor, "n_nodes d_vocab"] = torch.stack(members)


def _normal(n: int, d: int, generator: Generator) -> Float[Tensor, "n d"]:
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def _simplex(k: int) -> Float[Tensor, "k k-1"]:
    """The corners of a regular simplex around 0, at distance 1 from it."""
    centred = torch.eye(k, dtype=torch.float64) - 1 / k
    _, _, axes = torch.linalg.svd(centred)
    corners = centred @ axes[: k - 1].T
    return corners / corners.norm(dim=1, keepdim=True)


def _checked_correlate(correlate: tuple, n_concepts: int) -> tuple[int, int, float]:
    if len(validate.sequence("correlate", correlate)) != 3:
        raise ValueError(f"correlate is {correlate!r}; it must be (a, b, rho).")
    a, b, rho = correlate
    for name, concept in (("a", a), ("b", b)):
        if validate.positive_int(name, concept, minimum=0) >= n_concepts:
            raise ValueError(f"{name} is {concept}; it must be from 0 to {n_concepts - 1}.")
    if a == b:
        raise ValueError(f"correlate is {correlate!r}; a and b must be two concepts.")
    if validate.number("rho", rho, 0.0, 1.0) == 1.0:
        raise ValueError("rho is 1.0; it must be below 1, or the two concepts would be one.")
    return a, b, rho


def _correlating(
    values: Tensor, a: int, b: int, rho: float, generator: Generator
) -> Bool[Tensor, " d_vocab"]:
    """Which words to keep. Of the words (1, 0) and (0, 1) the share (1 - ρ) / (1 + ρ) stays."""
    unequal = values[:, 1 + a] != values[:, 1 + b]
    others = values.clone()
    others[:, [1 + a, 1 + b]] = 0
    _, cell = others.unique(dim=0, return_inverse=True)  # what else the word is
    n_cells = int(cell.max()) + 1
    n_kept = round(n_cells * (1 - rho) / (1 + rho))
    stays = torch.zeros(n_cells, dtype=torch.bool)
    stays[torch.randperm(n_cells, generator=generator)[: max(n_kept, 1)]] = True
    return ~unequal | stays[cell]
