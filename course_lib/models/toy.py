"""The toy model of superposition, many instances side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float

ALL_INSTANCES = slice(None)


class ToyModel(nn.Module):
    """x̂ = ReLU(x W Wᵀ + b_dec): n features squeezed through d_hidden dimensions and read back.

    All instances share a shape and nothing else; one tensor product serves them all. Source:
    Elhage et al. 2022, "Toy Models of Superposition": section 2 (linear and ReLU output) and
    section "Computation in superposition" (hidden ReLU, untied).

    Args:
        n_features: number of input features, n.
        d_hidden: number of hidden dimensions, m.
        n_instances: number of independent models.
        output: "relu", or "linear" for the model that can only do PCA.
        hidden: "linear", or "relu" for neurons that compute.
        tied: decode with Wᵀ; otherwise with a matrix W_dec of its own.
        seed: of the initial weights (Xavier normal; biases start at 0).

    Attributes:
        W: [n_instances, n_features, d_hidden], row i is the direction of feature i.
        W_dec: [n_instances, d_hidden, n_features], Wᵀ when tied.
        b_dec: [n_instances, n_features].

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_features: int,
        d_hidden: int,
        n_instances: int = 1,
        *,
        output: str = "relu",
        hidden: str = "linear",
        tied: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.n_features = validate.positive_int("n_features", n_features)
        self.d_hidden = validate.positive_int("d_hidden", d_hidden)
        self.n_instances = validate.positive_int("n_instances", n_instances)
        self.output = validate.choice("output", output, ("relu", "linear"))
        self.hidden = validate.choice("hidden", hidden, ("linear", "relu"))
        generator = runtime.generator(seed)
        scale = (2 / (n_features + d_hidden)) ** 0.5

        def xavier(*shape: int) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(shape, generator=generator))

        self.W = xavier(n_instances, n_features, d_hidden)
        self.b_dec = nn.Parameter(torch.zeros(n_instances, n_features))
        self.tied = tied
        if not tied:
            self._W_dec = xavier(n_instances, d_hidden, n_features)

    @property
    def W_dec(self) -> Float[Tensor, "n_instances d_hidden n_features"]:
        return self.W.mT if self.tied else self._W_dec

    def encode(
        self, x: Float[Tensor, "n_instances batch n_features"], instances: slice = ALL_INSTANCES
    ) -> Float[Tensor, "n_instances batch d_hidden"]:
        """Hidden activations h = x W, through a ReLU when hidden="relu"."""
        W = self.W[validate.instance("instances", instances, slice)]
        validate.tensors(
            "alike", x=(x, "*lead n_features"), W=(W, "*instances n_features d_hidden")
        )
        h = x @ W
        return h.relu() if self.hidden == "relu" else h

    def decode(
        self, h: Float[Tensor, "n_instances batch d_hidden"], instances: slice = ALL_INSTANCES
    ) -> Float[Tensor, "n_instances batch n_features"]:
        """Reconstruction h W_dec + b_dec, through a ReLU when output="relu"."""
        W_dec = self.W_dec[validate.instance("instances", instances, slice)]
        validate.tensors("alike", h=(h, "n batch d_hidden"), W=(W_dec, "n d_hidden n_features"))
        x_hat = torch.baddbmm(self.b_dec[instances, None], h, W_dec)
        return x_hat.relu() if self.output == "relu" else x_hat

    def forward(
        self, x: Float[Tensor, "n_instances batch n_features"], instances: slice = ALL_INSTANCES
    ) -> Float[Tensor, "n_instances batch n_features"]:
        """Reconstruct x. `instances` runs some instances only, on inputs for just those.

        Raises ValueError when x is not [n_instances, batch, n_features].
        """
        validate.instance("instances", instances, slice)
        n_instances = len(range(*instances.indices(self.n_instances)))
        validate.shape("x", x, (n_instances, "batch", self.n_features))
        return self.decode(self.encode(x, instances), instances)

    def extra_repr(self) -> str:
        return (
            f"n_features={self.n_features}, d_hidden={self.d_hidden}, "
            f"n_instances={self.n_instances}, output={self.output!r}, hidden={self.hidden!r}, "
            f"tied={self.tied}"
        )
