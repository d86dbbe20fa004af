"""What a latent fires on besides its concept, and whether two alike latents can be told apart.

The checks of "When the Coffee Feature Activates on Coffins" (arXiv:2601.03047): the label of a
latent comes from its strongest activations, so that the weak ones, which are most, are the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

TOPS = (1.0, 0.5, 0.25, 0.1)


@dataclass(frozen=True)
class Specificity:
    """How often the concept is there where a latent fires, the strongest firings first.

    Attributes:
        tops: [t], shares of the tokens where it is active at all; 1 is all of them.
        thresholds: [t], the activation from which on a token is counted.
        n: [t], tokens counted: all of at least the threshold, so a few more where some are equal.
        precision: [t], the share of them that have the concept; NaN for a latent that never fires.
        recall: [t], the share of the concept's tokens that are among them.
    """

    tops: Float[Tensor, " t"]
    thresholds: Float[Tensor, " t"]
    n: Int[Tensor, " t"]
    precision: Float[Tensor, " t"]
    recall: Float[Tensor, " t"]


@torch.no_grad()
def specificity(
    values: Float[Tensor, " n"], present: Bool[Tensor, " n"], tops: Sequence[float] = TOPS
) -> Specificity:
    """Precision and recall of a latent for a concept, from its strongest firings to all of them.

    Args:
        values: the latent's activations, 0 where it is not active.
        present: whether a token has the concept.
        tops: shares in (0, 1]; 0.1 looks at the strongest tenth of the active tokens.

    Raises ValueError for activations below 0, shares out of range, and tokens that differ in
    number.
    """
    values, present = _checked(values, present)
    validate.shape("tops", validate.as_tensor("tops", tops), ("t",))
    shares = validate.finite("tops", torch.as_tensor(tops, dtype=torch.float64), 0.0, 1.0)
    if (shares == 0).any():
        raise ValueError("tops has a 0; every share must be above 0.")
    active, order = values[values > 0].sort(descending=True)
    if not len(active):
        nothing = torch.full((len(shares),), torch.nan)
        zeros = torch.zeros(len(shares))
        return Specificity(shares.float(), nothing, zeros.long(), nothing, zeros)
    ranks = (shares * len(active) - 1e-9).ceil().long().clamp(1, len(active)) - 1
    thresholds = active[ranks]
    n = (active >= thresholds[:, None]).sum(dim=1)
    hits = present[values > 0][order].cumsum(0)[n - 1].float()
    return Specificity(shares.float(), thresholds, n, hits / n, hits / present.sum())


@torch.no_grad()
def precision_by_decile(
    values: Float[Tensor, " n"], present: Bool[Tensor, " n"]
) -> Float[Tensor, " 10"]:
    """The share of tokens with the concept in each tenth of a latent's firings, strongest first.

    Of m active tokens the one of rank r = 0, 1, … is in the tenth ⌊10 r / m⌋. NaN in a tenth
    without tokens.
    """
    values, present = _checked(values, present)
    active = values > 0
    order = values[active].argsort(descending=True, stable=True)
    tenth = 10 * torch.arange(len(order)) // max(1, len(order))
    right = present[active][order].cpu().float()
    return torch.zeros(10).index_add(0, tenth, right) / torch.bincount(tenth, minlength=10)


def _checked(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    values = validate.shape("values", validate.finite("values", values, 0.0), ("n",))
    return values, validate.shape("present", validate.as_tensor("present", present), values.shape)


@dataclass(frozen=True)
class Twins:
    """Two latents that write nearly the same.

    Attributes:
        first, second: their numbers.
        cosine: of their decoder rows.
        jaccard: of the tokens where one of them is active, the share where both are.
        correlation: of their activations over all tokens; 0 where one never fires.
    """

    first: int
    second: int
    cosine: float
    jaccard: float
    correlation: float


@torch.no_grad()
def near_duplicates(
    W_dec: Float[Tensor, "d_sae d_in"], z: Float[Tensor, "n d_sae"], least: float = 0.7
) -> list[Twins]:
    """All pairs of latents that fire and whose decoder rows have a cosine of at least `least`.

    The most alike come first.
    """
    validate.finite("W_dec", W_dec), validate.finite("z", z)
    validate.tensors("floating", z=(z, "n d_sae"), W_dec=(W_dec, "d_sae d_in"))
    validate.number("least", least, -1.0, 1.0)
    rows = torch.nn.functional.normalize(W_dec, dim=1)
    alive = (z > 0).any(dim=0)
    cosines = rows @ rows.T
    pairs = torch.ones_like(cosines).triu(1).bool() & alive[:, None] & alive
    first, second = ((cosines >= least) & pairs).nonzero().T
    found = []
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        on = z[:, [i, j]] > 0
        both, either = on.all(dim=1).sum(), on.any(dim=1).sum()
        correlation = torch.corrcoef(z[:, [i, j]].double().T)[0, 1].nan_to_num(0.0)
        found.append(Twins(i, j, cosines[i, j].item(), (both / either).item(), correlation.item()))
    return sorted(found, key=lambda pair: -pair.cosine)


@torch.no_grad()
def tell_apart(
    first: Float[Tensor, " n"],
    second: Float[Tensor, " n"],
    facts: Int[Tensor, " n"],
    generator: Generator,
) -> float:
    """Whether somebody who knows a fact about each token can say which of two latents fires more.

    On a random half of the tokens where one is larger the reader counts, for each fact, how often
    it goes with the one and with the other; on the other half it names the latent under which the
    fact is likelier, a coin where they are equal. Returns the share of right answers, the mean of
    that for either latent: 0.5 is guessing, 1 says that the fact tells all. NaN where one of them
    is never the larger in one of the halves.

    Args:
        first, second: activations. facts: any numbers from 0 on, such as tokens or kinds of words.
    """
    validate.instance("generator", generator, Generator)
    validate.shape("second", second, (len(validate.shape("first", first, ("n",))),))
    validate.whole("facts", validate.shape("facts", facts, (len(first),)), 0)
    for name, tensor in (("first", first), ("second", second)):
        validate.finite(name, tensor)
    places = (first != second).nonzero()[:, 0]
    places = places[torch.randperm(len(places), generator=generator)]
    larger, fact = (first > second)[places], facts[places].long()
    learn, ask = slice(len(places) // 2), slice(len(places) // 2, None)
    size = int(fact.max()) + 1 if len(fact) else 1
    share = []
    for which in (larger, ~larger):
        counts = torch.bincount(fact[learn][which[learn]], minlength=size).double()
        share.append(counts / counts.sum())
    says_first = ((share[0] - share[1]).sign() + 1) / 2  # 1, 0, or a coin
    answers = says_first[fact[ask]]
    right = [answers[larger[ask]].mean(), (1 - answers[~larger[ask]]).mean()]
    return ((right[0] + right[1]) / 2).item()
