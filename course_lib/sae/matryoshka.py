"""Matryoshka: a dictionary whose first latents must also do alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from course_lib import validate
from course_lib.sae.base import squared_error
from course_lib.sae.batch_topk import BatchTopKSAE

if TYPE_CHECKING:
    from jaxtyping import Float


class MatryoshkaSAE(BatchTopKSAE):
    """BatchTopK whose loss is the mean over `prefixes` m of the error of the first m latents alone.

    Early latents cannot leave a general feature to later, more special ones. Source: Bussmann et
    al. 2025, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders"
    (arXiv:2503.17547), section 3; they write a sum, which is the mean times the number of
    prefixes.

    Args:
        prefixes: increasing numbers of latents; the last is d_sae.
        d_in, d_sae, k, aux_k, n_instances, decoder_norm, seed: as in `BatchTopKSAE`.
    """

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        k: float | Sequence[float],
        prefixes: Sequence[int],
        *,
        aux_k: int | None = None,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, k, aux_k=aux_k, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        if not isinstance(prefixes, Sequence):
            raise TypeError(f"prefixes is {prefixes!r}; it must be a list of numbers of latents.")
        self.prefixes = tuple(validate.positive_int("prefixes", m) for m in prefixes)
        if sorted({*self.prefixes, d_sae}) != list(self.prefixes):
            raise ValueError(
                f"prefixes is {self.prefixes}; it must increase and end with d_sae = {d_sae}."
            )

    def nested(
        self, z: Float[Tensor, "*n_instances batch d_sae"]
    ) -> Iterator[Float[Tensor, "*n_instances batch d_in"]]:
        """The reconstruction from each prefix of latents, one after the other."""
        x_hat = self.b_dec[..., None, :]
        for start, end in zip((0, *self.prefixes), self.prefixes, strict=False):
            x_hat = x_hat + z[..., start:end] @ self.W_dec[..., start:end, :]
            yield x_hat

    def reconstruction_loss(
        self, target: Tensor, z: Tensor, x_hat: Tensor
    ) -> Float[Tensor, "*n_instances"]:
        shorter = zip(self.prefixes[:-1], self.nested(z), strict=False)
        errors = [squared_error(target, level) for _, level in shorter]
        return sum(errors, squared_error(target, x_hat)) / len(self.prefixes)
