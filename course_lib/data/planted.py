"""Activations with a planted dictionary: sparse features written along known directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.sparse import of_one_instance

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.data.sparse import SparseFeatures


class PlantedActivations:
    """x = f D + shift + noise, the world on which an SAE can be scored against the truth.

    Planted: which features f are active in each input and how strongly, by the law of `features`;
    their directions, the rows of D; a shift common to all inputs; white noise.

    Args:
        features: a law of features with n_instances 1: `SparseFeatures`, `CorrelatedPairs`,
            `HierarchicalFeatures` or any other with the same `sample`.
        dictionary: D [n_features, d_in]; its dtype is that of x.
        noise: standard deviation of the Gaussian noise on each coordinate of x.
        shift: [d_in], or None for none.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        features: SparseFeatures,
        dictionary: Float[Tensor, "n_features d_in"],
        noise: float = 0.0,
        shift: Float[Tensor, " d_in"] | None = None,
    ) -> None:
        self.features = of_one_instance(features)
        validate.shape("dictionary", dictionary, (features.n_features, "d_in"))
        self.dictionary = validate.finite("dictionary", dictionary)
        self.n_features, self.d_in = dictionary.shape
        self.noise = validate.number("noise", noise, 0.0)
        if shift is None:
            shift = dictionary.new_zeros(self.d_in)
        self.shift = validate.shape("shift", validate.finite("shift", shift), (self.d_in,))

    def sample(self, batch_size: int, generator: Generator) -> Float[Tensor, "batch d_in"]:
        """Draw activations on the generator's device."""
        return self.sample_with_features(batch_size, generator)[0]

    def sample_with_features(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch d_in"], Float[Tensor, "batch n_features"]]:
        """The same draw as `sample`, with the features that made it."""
        D, shift = self.dictionary.to(generator.device), self.shift.to(generator.device)
        f = self.features.sample(batch_size, generator)[0].to(D.dtype)
        x = torch.addmm(shift.to(D.dtype), f, D)
        if self.noise:
            x += self.noise * torch.randn(
                x.shape, generator=generator, device=x.device, dtype=x.dtype
            )
        return x, f
