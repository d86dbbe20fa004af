"""Activations in which what a model reads is a whisper among loud features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from course_lib import runtime
from course_lib.data.dictionaries import random_dictionary
from course_lib.data.sparse import SparseFeatures

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LOUD = SparseFeatures(56, 1 / 8, low=0.5, high=1.5)
D_LOUD = 24  # dimensions that the loud features share
N_LABELS = 8
QUIET = 0.2  # length of a label's direction
SHARPNESS = 25.0  # of the read-out: logits are this times the quiet coordinates


class QuietLabels:
    """x of 32 dimensions: 56 loud features, about 7 of them on, in 24; one of 8 labels in the rest.

    A label is one of 8 orthogonal directions of length 0.2, the only thing that a fixed read-out
    looks at: it gives the right label nearly all its probability. So an SAE that rebuilds what is
    loud has a small error and leaves nothing for the read-out. Source: the setting follows
    "Features that Make a Difference" (arXiv:2411.10397), section 1.

    Args:
        seed: of the loud features' directions.

    Attributes:
        d_in: 32.
        directions: [8, 32], of norm 1, of the labels.
    """

    def __init__(self, seed: int = 0) -> None:
        self.d_in = D_LOUD + N_LABELS
        self.loud = random_dictionary(LOUD.n_features, D_LOUD, runtime.generator(seed))
        self.directions = F.pad(torch.eye(N_LABELS), (D_LOUD, 0))

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch d_in"], Float[Tensor, "batch d_in"]]:
        """Activations, and the gradient of the read-out's loss by each of them."""
        return self.sample_with_labels(batch_size, generator)[:2]

    def sample_with_labels(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch d_in"], Float[Tensor, "batch d_in"], Int[Tensor, " batch"]]:
        """The same draw as `sample`, with the labels."""
        loud = LOUD.sample(batch_size, generator)[0] @ self.loud.to(generator.device)
        label = torch.randint(N_LABELS, (batch_size,), generator=generator, device=loud.device)
        said = F.one_hot(label, N_LABELS).to(loud)
        x = torch.cat([loud, QUIET * said], dim=1)
        error = self.logits(x).softmax(dim=1) - said
        return x, SHARPNESS * F.pad(error, (D_LOUD, 0)), label

    def logits(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch n_labels"]:
        """What the read-out makes of activations."""
        return SHARPNESS * x[..., D_LOUD:]
