"""What every SAE must beat: principal components, and directions nobody learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.matching_pursuit import MatchingPursuitSAE

if TYPE_CHECKING:
    from jaxtyping import Float
    from typing_extensions import Self


class PCABaseline:
    """The leading principal components of x, by scikit-learn, with an SAE's methods and names.

    Latents are signed and dense: what PCA can do without sparsity, `n_components` directions deep.

    Attributes:
        W_dec: [n_components, d_in], orthonormal rows, the most variance first.
        b_dec: [d_in], the mean.

    Raises ValueError when n_components is more than inputs or dimensions.
    """

    def __init__(self, n_components: int) -> None:
        self.n_components = validate.positive_int("n_components", n_components)

    def fit(self, x: Float[Tensor, "batch d_in"]) -> Self:
        from sklearn.decomposition import PCA

        if self.n_components > min(x.shape):
            raise ValueError(
                f"n_components is {self.n_components}; for x of shape {list(x.shape)} it must be "
                f"at most {min(x.shape)}."
            )
        pca = PCA(self.n_components).fit(x.cpu().numpy())
        self.W_dec = torch.as_tensor(pca.components_).to(x)
        self.b_dec = torch.as_tensor(pca.mean_).to(x)
        return self

    def encode(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch n_components"]:
        return (x - self.b_dec) @ self.W_dec.mT

    def decode(self, z: Float[Tensor, "*batch n_components"]) -> Float[Tensor, "*batch d_in"]:
        return z @ self.W_dec + self.b_dec

    def __call__(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_in"]:
        return self.decode(self.encode(x))


class RandomDictionary(MatchingPursuitSAE):
    """Random unit rows, used as well as a dictionary can be: by matching pursuit from the mean.

    What is left between this and a trained SAE of equal l0 is what learning the directions buys.
    """

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "batch d_in"]) -> Self:
        """Put b_dec at the mean; the directions stay as they were drawn."""
        self.start("mean", x)
        return self
