"""What every sparse autoencoder shares: weights, decoding, the loss, the unit-norm decoder."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate
from course_lib.sae.codes import Codes
from course_lib.sae.dense import DenseCodes
from course_lib.sae.selection import Encoder
from course_lib.sae.start import center

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from typing_extensions import Self

FREE_DECODER_START = 0.1  # norm of a decoder row at the start, where the norm is free to grow
ROWS = 1024  # of W_dec, looked at together so that they stay in the cache
OWN_STREAM = 0x5AE  # keeps initial weights apart from a world that was drawn from the same seed


@dataclass(frozen=True)
class Loss:
    """One batch through an SAE: what is minimised, and what came out on the way.

    Attributes:
        terms: each [*n_instances]; "reconstruction" always, "sparsity" and "aux" where there are.
        x_hat: [*n_instances, batch, d_in].
        z: [*n_instances, batch, d_sae], a tensor, or what stands for it where training is faster
            so: `Codes` (only active latents) or `DenseCodes`, which answer l0() and fired().
    """

    terms: dict[str, Tensor]
    x_hat: Float[Tensor, "*n_instances batch d_in"]
    z: Float[Tensor, "*n_instances batch d_sae"] | Codes | DenseCodes

    @property
    def total(self) -> Float[Tensor, "*n_instances"]:
        return sum(self.terms.values())


class SAE(nn.Module, ABC):
    """z = activate((x - b_dec) W_enc + b_enc),  x̂ = z W_dec + b_dec.

    An architecture says what `activate` does to the pre-activations and, if it trains with a
    penalty, what `sparsity_loss` is; everything else is here. Each argument of a constructor but
    `seed` is kept as an attribute of the same name, which is what `config` and files rest on.

    Args:
        d_in: size of the activations.
        d_sae: number of latents.
        n_instances: None for one SAE; else that many side by side on a leading axis of every
            weight. They see the same inputs [batch, d_in] or each its own [n_instances, batch,
            d_in], and never influence each other.
        decoder_norm: "unit" keeps every row of W_dec at norm 1 during training, "free" does not.
        seed: of the initial weights: random decoder rows, W_enc = W_decᵀ, biases 0.

    Attributes:
        W_enc: [*n_instances, d_in, d_sae], stored so that a latent's numbers lie together.
        W_dec: [*n_instances, d_sae, d_in].
        b_enc: [*n_instances, d_sae].
        b_dec: [*n_instances, d_in].

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    tied = False  # True where W_enc is a view of W_dec and no weight of its own
    resamples = True  # False where an input is no direction that `revive` could give a latent
    coefficient: str | None = None  # name of the buffer that scales the sparsity loss
    penalty_degree = 1  # the sparsity loss of scale · z is scale^degree that of z

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        *,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.d_in = validate.positive_int("d_in", d_in)
        self.d_sae = validate.positive_int("d_sae", d_sae)
        self.n_instances = n_instances
        if n_instances is not None:
            validate.positive_int("n_instances", n_instances)
        self.decoder_norm = validate.choice("decoder_norm", decoder_norm, ("unit", "free"))
        draw = runtime.generator(runtime.checked_seed(seed) ^ OWN_STREAM)
        W_dec = torch.randn(*self.lead, d_sae, d_in, generator=draw)
        W_dec /= W_dec.norm(dim=-1, keepdim=True)
        if decoder_norm == "free":
            W_dec *= FREE_DECODER_START
        self.W_dec = nn.Parameter(W_dec)
        if not self.tied:
            self.W_enc = nn.Parameter(W_dec.clone().mT)
        self.b_enc = nn.Parameter(torch.zeros(*self.lead, d_sae))
        self.b_dec = nn.Parameter(torch.zeros(*self.lead, d_in))

    @property
    def lead(self) -> tuple[int, ...]:
        """Sizes of the leading axis of every weight: () or (n_instances,)."""
        return () if self.n_instances is None else (self.n_instances,)

    def per_instance(self, name: str, value: float | Sequence[float], low: float = 0.0) -> Tensor:
        """`value` as a tensor [*n_instances], one number for all or one for each instance."""
        tensor = validate.finite(name, value, low).float()
        try:
            return tensor.expand(self.lead).clone()
        except RuntimeError:
            raise ValueError(
                f"{name} has shape {list(tensor.shape)}; it must be a number"
                + (f" or {self.n_instances} numbers." if self.lead else ".")
            ) from None

    # --- reading and writing -------------------------------------------------------------------

    def pre_activations(
        self, x: Float[Tensor, "*n_instances batch d_in"]
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        """(x - b_dec) W_enc + b_enc. Raises ValueError when the shape of x does not fit."""
        self._check_input(x)
        if x.ndim == 2 and not self.lead:
            return torch.addmm(self.encoder_bias, x, self.W_enc)
        bias = self.encoder_bias
        return x @ self.W_enc + (bias[:, None] if self.lead else bias)

    def _check_input(self, x: Tensor) -> None:
        self._check_alike("x", x)
        fits = x.ndim > len(self.lead) and x.shape[-1] == self.d_in
        if not fits or (self.lead and x.ndim > 2 and x.shape[-3] not in (1, self.n_instances)):
            wanted = f"[..., {self.d_in}]"
            if self.lead:
                wanted = f"[batch, {self.d_in}] or [{self.n_instances}, batch, {self.d_in}]"
            raise ValueError(f"x has shape {list(x.shape)}; it must be {wanted}.")

    def _check_alike(self, name: str, tensor: Tensor) -> None:
        """Raise unless it can be multiplied with the weights, or autocast will see to that."""
        validate.plain(name, validate.instance(name, tensor, Tensor))
        W = self.W_dec
        if tensor.device == W.device and (
            tensor.dtype == W.dtype or torch.is_autocast_enabled(W.device.type)
        ):
            return
        raise ValueError(
            f"{name} is {tensor.dtype} on {tensor.device} and the SAE {W.dtype} on {W.device}; "
            f"they must be alike: {name}.to(sae.W_dec)."
        )

    @property
    def encoder(self) -> Encoder:
        """W_enc, b_enc, and b_dec as what is subtracted from x before."""
        return Encoder(self.W_enc, self.b_enc, self.b_dec)

    @property
    def encoder_bias(self) -> Float[Tensor, "*n_instances d_sae"]:
        """b_enc - center W_enc: with it, pre-activations are one product of x."""
        W_enc, b_enc, center = self.encoder
        return b_enc if center is None else b_enc - (center[..., None, :] @ W_enc)[..., 0, :]

    @abstractmethod
    def activate(
        self, pre: Float[Tensor, "*n_instances batch d_sae"]
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        """The architecture's non-linearity: pre-activations to latents z ≥ 0."""

    def encode(
        self, x: Float[Tensor, "*n_instances batch d_in"]
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        """Latents z, dense."""
        return self.activate(self.pre_activations(x))

    def decode(
        self, z: Float[Tensor, "*n_instances batch d_sae"] | Codes | DenseCodes
    ) -> Float[Tensor, "*n_instances batch d_in"]:
        """Reconstruction z W_dec + b_dec."""
        if isinstance(z, (Codes, DenseCodes)):
            return z.decode(self.W_dec, self.b_dec)
        self._check_alike("z", z)
        if z.ndim < 1 + len(self.lead) or z.shape[-1] != self.d_sae:
            wanted = ", ".join(map(str, (*self.lead, "...", self.d_sae)))
            raise ValueError(f"z has shape {list(z.shape)}; it must be [{wanted}].")
        if z.ndim == 2 and not self.lead:
            return torch.addmm(self.b_dec, z, self.W_dec)
        return z @ self.W_dec + (self.b_dec[:, None] if self.lead else self.b_dec)

    def forward(
        self, x: Float[Tensor, "*n_instances batch d_in"]
    ) -> Float[Tensor, "*n_instances batch d_in"]:
        """Reconstruct x."""
        self._check_input(x)
        z = self._fast_codes(x)
        return self.reconstruct(x, self.encode(x) if z is None else z)

    def reconstruct(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        z: Float[Tensor, "*n_instances batch d_sae"],
    ) -> Float[Tensor, "*n_instances batch d_in"]:
        """The output for input x once its latents are z; only a skip connection looks at x."""
        return self.decode(z)

    # --- training ------------------------------------------------------------------------------

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        """What training minimises on a batch; `target` is x unless something else is to be built.

        The reconstruction term is the mean over the batch of Σ_i (target_i - x̂_i)². `dead` marks
        latents that have not fired for long; architectures with an auxiliary loss use it.
        """
        self._check_input(x)
        z, pre = self._fast_codes(x), None
        if z is None:
            pre = self.pre_activations(x)
            z = self.activate(pre)
        x_hat = self.reconstruct(x, z)
        terms = {"reconstruction": self.reconstruction_loss(self.target(x, target), z, x_hat)}
        sparsity = self.sparsity_loss(z, pre)
        if sparsity is not None:
            terms["sparsity"] = sparsity
        return Loss(terms, x_hat, z)

    def reconstruction_loss(
        self,
        target: Float[Tensor, "*n_instances batch d_in"],
        z: Float[Tensor, "*n_instances batch d_sae"],
        x_hat: Float[Tensor, "*n_instances batch d_in"],
    ) -> Float[Tensor, "*n_instances"]:
        """Mean over the batch of Σ_i (target_i - x̂_i)²."""
        return squared_error(target, x_hat)

    def sparsity_loss(
        self,
        z: Float[Tensor, "*n_instances batch d_sae"],
        pre: Float[Tensor, "*n_instances batch d_sae"],
    ) -> Float[Tensor, "*n_instances"] | None:
        """The penalty, coefficient included; None where sparsity comes from `activate` alone."""
        return None

    def codes(self, x: Float[Tensor, "batch d_in"]) -> Codes | DenseCodes | None:
        """What `encode` gives, in less time and memory; None where there is no shorter way."""
        return None

    def _fast_codes(self, x: Tensor) -> Codes | DenseCodes | None:
        return self.codes(x) if x.ndim == 2 and len(x) else None

    def computes_like(self, cls: type[SAE]) -> bool:
        """Whether `codes` of `cls` is right for this SAE: no instances, nothing overridden."""
        rests_on = ("pre_activations", "activate", "decode", "reconstruction_loss", "sparsity_loss")
        return not self.lead and all(
            getattr(type(self), name) is getattr(cls, name) for name in rests_on
        )

    def target(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        """What `loss` with these arguments wants to rebuild."""
        return x if target is None else target

    def scale_batch(self, scale: float, *batch: Tensor) -> tuple[Tensor, ...]:
        """The arguments of `loss` in units where activations are `scale` times as large."""
        return tuple(part * scale for part in batch)

    @torch.no_grad()
    def start(self, how: str, *batch: Tensor) -> None:
        """Put b_dec at the centre of the first batch: "mean", "geometric_median" or "zero"."""
        self.b_dec.copy_(self._center("x", batch[0], self.b_dec.shape[-1], how))

    def _center(
        self, name: str, x: Tensor, size: int, how: str
    ) -> Float[Tensor, "*#n_instances size"]:
        if x.ndim < 2 or x.shape[-1] != size:
            raise ValueError(f"{name} has shape {list(x.shape)}; it must be [..., batch, {size}].")
        own = self.lead and x.ndim > 2 and len(x) == self.n_instances
        return torch.stack([center(part, how) for part in x]) if own else center(x, how)

    def parameter_groups(self) -> list[dict[str, object]]:
        """The parameters for an optimiser; each group trains at `lr_scale` times the rate."""
        return [{"params": list(self.parameters()), "lr_scale": 1.0}]

    def schedule(self, progress: float) -> None:
        """Called before each step with the share of training done, in [0, 1]."""
        return None

    @torch.no_grad()
    def prepare_gradients(self) -> None:
        """Called between backward and the optimiser: for unit rows, keep only what turns them."""
        grad = self.W_dec.grad
        if self.decoder_norm == "unit" and grad is not None:
            parts = (tensor.split(ROWS, dim=-2) for tensor in (grad, self.W_dec))
            for by_rows, rows in zip(*parts, strict=True):
                along = (by_rows * rows).sum(dim=-1, keepdim=True)
                by_rows.addcmul_(along, rows, value=-1)

    @torch.no_grad()
    def constrain(self) -> None:
        """Called after each optimiser step: rows of W_dec back to norm 1 where they are kept so."""
        if self.decoder_norm == "unit":
            self.W_dec /= self.W_dec.norm(dim=-1, keepdim=True).clamp_min(1e-12)

    @torch.no_grad()
    def fold_scale(self, scale: float) -> None:
        """Turn an SAE trained on `scale` x into the same one for x, exactly.

        Latents and everything measured in their units (biases, thresholds) are divided by the
        scale; directions stay. A penalty's coefficient is divided by scale^(2 - penalty_degree),
        so that the loss on x is the loss on `scale` x divided by scale².
        """
        if validate.number("scale", scale, 0.0) == 0:
            raise ValueError("scale is 0; it must be above 0.")
        self.b_enc /= scale
        self.b_dec /= scale
        if self.coefficient is not None:
            getattr(self, self.coefficient).div_(scale ** (2 - self.penalty_degree))

    @torch.no_grad()
    def revive(self, latents: Tensor, directions: Float[Tensor, "n d_in"], size: float) -> None:
        """Give dead latents new directions (unit rows), encoder rows of norm `size`, no bias.

        `latents` indexes the leading axes of W_dec: [n] of d_sae, or a tuple (instance, latent).
        """
        norm = self.W_dec.norm(dim=-1).mean()
        self.W_dec[latents] = directions if self.decoder_norm == "unit" else directions * norm
        self.W_enc.mT[latents] = directions * size
        self.b_enc[latents] = 0.0

    # --- one of several, and files -------------------------------------------------------------

    @property
    def config(self) -> dict[str, object]:
        """The constructor's arguments but `seed`, so that type(sae)(**sae.config) is its twin."""
        names: dict[str, None] = {}
        for cls in type(self).__mro__:
            if "__init__" in vars(cls):
                parameters = inspect.signature(cls.__init__).parameters.values()
                named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
                names |= {parameter.name: None for parameter in named}
                if len(named) == len(parameters):  # nothing is handed on to the class above
                    break
        values = {name: getattr(self, name) for name in names if name not in ("self", "seed")}
        return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in values.items()}

    @torch.no_grad()
    def instance(self, index: int) -> Self:
        """Instance `index` of several as an SAE of its own, with copied weights.

        Raises ValueError where there are no instances, IndexError for one that there is not.
        """
        if self.n_instances is None:
            raise ValueError("This SAE has no instances; it was made with n_instances=None.")
        if not isinstance(index, int) or isinstance(index, bool):
            raise TypeError(f"index is {index!r}; it must be a whole number.")
        if not -self.n_instances <= index < self.n_instances:
            raise IndexError(f"index is {index}; there are {self.n_instances} instances.")
        config = {
            key: value[index] if isinstance(value, (list, tuple)) and key in self.varying else value
            for key, value in self.config.items()
        }
        one = type(self)(**config | {"n_instances": None}).to(self.W_dec)
        own = self.state_dict()
        for name, tensor in one.state_dict().items():
            tensor.copy_(own[name] if own[name].shape == tensor.shape else own[name][index])
        return one

    varying: tuple[str, ...] = ()  # constructor arguments that may hold one value per instance

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.config.items())


def squared_error(
    target: Float[Tensor, "*n_instances batch d_in"],
    x_hat: Float[Tensor, "*n_instances batch d_in"],
) -> Float[Tensor, "*n_instances"]:
    """Mean over the batch of Σ_i (target_i - x̂_i)², per instance."""
    for name, tensor in (("target", target), ("x_hat", x_hat)):
        validate.real(name, tensor)
    validate.broadcasts("target", target, "x_hat", x_hat)
    return (target - x_hat).square().sum(dim=-1).mean(dim=-1)
