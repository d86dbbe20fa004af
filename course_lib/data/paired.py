"""Two views of the same concepts, as an image and its caption are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate
from course_lib.data.dictionaries import paired_dictionary, random_dictionary
from course_lib.data.sparse import of_one_instance

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.data.sparse import SparseFeatures


class PairedViews:
    """Pairs (x_0, x_1) that share their features: x_v = (gain_v ∘ f) D_v ± gap/2 · g + noise.

    Planted: the concepts f that a pair has in common; for each concept one direction per view, at
    a fixed cosine; a constant offset between the views, the modality gap; a gain for each concept
    in each view, uniform in [1 - jitter, 1 + jitter], so that views agree on what is there but not
    on how much; white noise.
    The defaults make pairs like the image and text embeddings of one contrastive model, the case
    of Kaushik, Barch & Fanelli 2026, "Decomposing multimodal embedding spaces with group-sparse
    autoencoders" (arXiv:2601.20028).

    Args:
        features: the law of the concepts, with n_instances 1, for instance `SparseFeatures`.
        d_in: size of the embeddings of either view.
        cosine: between the two directions of a concept.
        gap: distance between the views' offsets; g is a random unit vector.
        jitter: half the range of the gains, in [0, 1].
        noise: standard deviation of the Gaussian noise on each coordinate.
        seed: of the directions.

    Attributes:
        dictionary: [2, n_features, d_in].
        shift: [2, d_in], ± gap/2 · g.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        features: SparseFeatures,
        d_in: int,
        cosine: float = 0.6,
        gap: float = 1.0,
        jitter: float = 0.2,
        noise: float = 0.02,
        seed: int = 0,
    ) -> None:
        self.features, self.n_features = of_one_instance(features), features.n_features
        self.d_in = validate.positive_int("d_in", d_in)
        self.cosine = validate.number("cosine", cosine, -1.0, 1.0)
        self.gap = validate.number("gap", gap, 0.0)
        self.jitter = validate.number("jitter", jitter, 0.0, 1.0)
        self.noise = validate.number("noise", noise, 0.0)
        generator = runtime.generator(seed)
        self.dictionary = paired_dictionary(self.n_features, d_in, cosine, generator)
        offset = random_dictionary(1, d_in, generator)
        self.shift = torch.cat([offset, -offset]) * gap / 2

    def sample(self, batch_size: int, generator: Generator) -> Float[Tensor, "batch 2 d_in"]:
        """Draw pairs on the generator's device."""
        return self.sample_with_features(batch_size, generator)[0]

    def sample_with_features(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch 2 d_in"], Float[Tensor, "batch n_features"]]:
        """The same draw as `sample`, with the shared concepts, before the gains."""
        device = generator.device
        f = self.features.sample(batch_size, generator)[0]
        gain = torch.rand(2, *f.shape, generator=generator, device=device)
        gain.mul_(2 * self.jitter).add_(1 - self.jitter)
        x = torch.baddbmm(self.shift[:, None].to(device), gain * f, self.dictionary.to(device))
        x += self.noise * torch.randn(x.shape, generator=generator, device=device)
        return x.transpose(0, 1).contiguous(), f
