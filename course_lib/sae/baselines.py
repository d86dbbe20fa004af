"""What every SAE must beat: principal components, and directions nobody learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.sae.matching_pursuit import MatchingPursuitSAE

if TYPE_CHECKING:
    from jaxtyping import Float
    from typing_extensions import Self


class PCABaseline(nn.Module):
    """The leading principal components of x, by scikit-learn, with an SAE's methods and names.

    Latents are dense and have either sign: every input uses all components, so that l0 is
    n_components. It is the best that any linear code of as many numbers can do in squared error.

    Attributes:
        W_dec: [n_components, d_in], orthonormal rows, the most variance first; None before `fit`.
        b_dec: [d_in], the mean; None before `fit`.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = validate.positive_int("n_components", n_components)
        self.register_buffer("W_dec", None)
        self.register_buffer("b_dec", None)

    def fit(self, x: Float[Tensor, "batch d_in"]) -> Self:
        """Find the components of x.

        Raises ValueError when n_components is more than inputs or dimensions.
        """
        from sklearn.decomposition import PCA

        validate.shape("x", validate.finite("x", x), ("batch", "d_in"))
        if self.n_components > min(x.shape):
            raise ValueError(
                f"n_components is {self.n_components}; for x of shape {list(x.shape)} it must be "
                f"at most {min(x.shape)}."
            )
        pca = PCA(self.n_components, svd_solver="full").fit(x.cpu().numpy())
        self.W_dec = torch.as_tensor(pca.components_).to(x)
        self.b_dec = torch.as_tensor(pca.mean_).to(x)
        return self

    def encode(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch n_components"]:
        """Coordinates along the components. Raises RuntimeError before `fit`."""
        if self.W_dec is None:
            raise RuntimeError("PCABaseline has no components yet; call fit(x) first.")
        return (x - self.b_dec) @ self.W_dec.mT

    def decode(self, z: Float[Tensor, "*batch n_components"]) -> Float[Tensor, "*batch d_in"]:
        return z @ self.W_dec + self.b_dec

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_in"]:
        return self.decode(self.encode(x))

    @property
    def config(self) -> dict[str, int]:
        return {"n_components": self.n_components}


class RandomDictionary(MatchingPursuitSAE):
    """Random unit rows, used well: by matching pursuit from the mean of the data.

    What is left between this and a trained SAE of equal l0 is what learning the directions buys.
    The pursuit is what makes the comparison fair, since it needs no training and adapts to any
    dictionary. To keep the k largest inner products, as TopK does, would count what latents share
    once for each: with 128 of them in 32 dimensions and k = 12 that is worse than the mean alone,
    where the pursuit leaves a fifth of the variance.
    """

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "batch d_in"]) -> Self:
        """Put b_dec at the mean; the directions stay as they were drawn."""
        self.start("mean", x)
        return self
