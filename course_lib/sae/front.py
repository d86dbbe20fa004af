"""Fronts: an architecture at several sparsities and from several seeds, scored on one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import SAE
from course_lib.sae.batches import Data
from course_lib.sae.metrics import dead_share, fvu, l0, reconstruction_bias
from course_lib.sae.recovery import match, mean_max_cosine_similarity, shrinkage, support
from course_lib.sae.trainer import Trainer

if TYPE_CHECKING:
    from jaxtyping import Float


def train_front(
    architecture: type[SAE],
    d_in: int,
    d_sae: int,
    data: Data,
    sparsities: Sequence[int],
    *,
    n_seeds: int = 3,
    seed: int = 0,
    steps: int = 1000,
    batch_size: int = 256,
    lr: float = 0.01,
    **settings: object,
) -> list[list[SAE]]:
    """Train `architecture` at every sparsity from `n_seeds` initial weights, on one stream.

    An architecture that is told its sparsity gets each of `sparsities` as k; one with a penalty has
    each coefficient steered to that l0. All are instances of one SAE. `settings` go to the
    constructor. A latent counts as dead after 50 batches without firing.

    Returns the SAEs, [sparsity][seed], in evaluation mode. Raises what the constructor and
    `Trainer` raise, FileNotFoundError for shards that are not there, FloatingPointError where the
    loss is no number any more.
    """
    validate.sequence("sparsities", sparsities)
    validate.positive_int("n_seeds", n_seeds)
    validate.positive_int("batch_size", batch_size)
    if not (isinstance(architecture, type) and issubclass(architecture, SAE)):
        raise TypeError(f"architecture is {architecture!r}; it must be a class of SAEs.")
    each = [k for k in sparsities for _ in range(n_seeds)]
    told = {"k": each} if architecture.coefficient is None else {}
    sae = architecture(d_in, d_sae, n_instances=len(each), seed=seed, **told, **settings)
    Trainer(
        sae, data, steps=steps, batch_size=batch_size, lr=lr, target_l0=None if told else each,
        dead_after=50 * batch_size, seed=seed,
    ).fit()  # fmt: skip
    singles = [sae.instance(i).eval() for i in range(len(each))]
    return [singles[i : i + n_seeds] for i in range(0, len(singles), n_seeds)]


@dataclass(frozen=True)
class Front:
    """What was measured of SAEs at several sparsities and from several seeds.

    Every attribute is [n_sparsities, n_seeds].

    Attributes:
        l0, fvu, dead: as in `course_lib.sae.metrics`.
        gamma: `reconstruction_bias` of what deviates from the mean of x; 1 is right.
        mmcs: `mean_max_cosine_similarity` with the planted dictionary.
        found: share of the planted features that have a latent of their own (`Match.recall`).
        support: mean F1 of "its latent is active" as a test for "the feature is on".
        shrinkage: mean over the features found; 1 is right.
    """

    l0: Float[Tensor, "n_sparsities n_seeds"]
    fvu: Float[Tensor, "n_sparsities n_seeds"]
    dead: Float[Tensor, "n_sparsities n_seeds"]
    gamma: Float[Tensor, "n_sparsities n_seeds"]
    mmcs: Float[Tensor, "n_sparsities n_seeds"]
    found: Float[Tensor, "n_sparsities n_seeds"]
    support: Float[Tensor, "n_sparsities n_seeds"]
    shrinkage: Float[Tensor, "n_sparsities n_seeds"]

    def at(self, measure: str, sparsity: float) -> Float[Tensor, " n_seeds"]:
        """`measure` at this l0, for each seed, by the line between the two nearest points.

        FVU is read on a logarithmic scale. Beyond the ends the last line goes on.
        """
        names = [field.name for field in fields(self)]
        values = getattr(self, validate.choice("measure", measure, names))
        values = values.log() if measure == "fvu" else values
        order = self.l0.argsort(dim=0)
        x, y = self.l0.take_along_dim(order, 0).T, values.take_along_dim(order, 0).T
        wanted = torch.full_like(x[:, :1], sparsity)
        left = torch.searchsorted(x.contiguous(), wanted).clamp(1, x.shape[1] - 1) - 1
        ends = torch.cat([left, left + 1], dim=1)
        (x0, x1), (y0, y1) = x.gather(1, ends).T, y.gather(1, ends).T
        read = y0 + (y1 - y0) * (sparsity - x0) / (x1 - x0)
        return read.exp() if measure == "fvu" else read


@torch.no_grad()
def score_front(
    saes: Sequence[Sequence[SAE]],
    x: Float[Tensor, "batch d_in"],
    features: Float[Tensor, "batch n_features"],
    dictionary: Float[Tensor, "n_features d_in"],
) -> Front:
    """Score SAEs [sparsity][seed] on inputs whose features and dictionary are known."""
    for line in validate.sequence("saes", saes):
        for sae in validate.sequence("a line of saes", line):
            validate.instance("an entry of saes", sae, SAE)
    if not any(len(line) for line in saes) or len({len(line) for line in saes}) > 1:
        raise ValueError("saes is empty or ragged; give as many SAEs for each sparsity.")
    validate.tensors(
        "any", x=(x, "batch d_in"), features=(features, "batch n_features"),
        dictionary=(dictionary, "n_features d_in"),
    )  # fmt: skip
    rows = [[_scores(sae, x, features, dictionary) for sae in line] for line in saes]
    return Front(*torch.tensor(rows).permute(2, 0, 1))


def _scores(sae: SAE, x: Tensor, features: Tensor, dictionary: Tensor) -> list[float]:
    z = sae.encode(x)
    x_hat, mean = sae.reconstruct(x, z), x.mean(dim=0)
    pairs = match(sae.W_dec, dictionary)
    shrunk = shrinkage(z, features, sae.W_dec, pairs.latent)[pairs.found].nanmean()
    scores = [
        l0(z), fvu(x, x_hat), dead_share(z), reconstruction_bias(x - mean, x_hat - mean),
        mean_max_cosine_similarity(sae.W_dec, dictionary), pairs.recall,
        support(z, features, pairs.latent).f1.nan_to_num(0.0).mean(), shrunk,
    ]  # fmt: skip
    return [float(score) for score in scores]
