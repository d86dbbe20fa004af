"""What to do with a direction, beyond adding it: acts that `steer` and `sweep` apply."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Generator, Tensor, nn

from course_lib import validate
from course_lib.activations import Splice, find
from course_lib.activations.interventions import Autoencoder
from course_lib.steering.tokens import EVERYWHERE, TokenRule
from course_lib.steering.vector import SteeringVector

if TYPE_CHECKING:
    from jaxtyping import Float

HOW = ("add", "ablate", "ablate_then_add", "relative")


class Act(Protocol):
    """What can be applied at one site, at any strength: a `SteeringVector` adds itself.

    Attributes:
        site, tokens, axis, source: as of a `SteeringVector`.
    """

    site: str
    tokens: TokenRule
    axis: int
    source: str

    def change(self, x: Tensor, strength: float | Tensor) -> Tensor:
        """The activations x [*places, d] under this act; the strength broadcasts to x."""
        ...

    def opposite(self) -> Act: ...

    def random(self, generator: Generator) -> Act: ...

    def check(self, model: nn.Module) -> None: ...


@dataclass(frozen=True, eq=False)
class Action:
    """A steering vector δ that does something else than to be added.

    With P the projection on δ's direction, and s the strength:

        "add"              x + s δ
        "ablate"           x - s P (x - mean): nothing at s = 0, the whole part at 1
        "ablate_then_add"  x - P (x - mean) + s δ: sets the coordinate to that of mean + s δ
        "relative"         x + s ‖x‖ δ / ‖δ‖, in units of each activation's own norm

    Attributes:
        vector: δ, with its site and its tokens.
        how: one of these.
        renormalise: give each changed activation the norm it had.
        mean: [d], whose part along δ stays where it is ablated; 0 if None.
    """

    vector: SteeringVector
    how: str = "add"
    renormalise: bool = False
    mean: Float[Tensor, " d"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        validate.choice("how", self.how, HOW)
        if self.how != "add" and self.vector.norm == 0:
            raise ValueError(f"the vector is 0; there is no direction to {self.how}.")

    @property
    def site(self) -> str:
        return self.vector.site

    @property
    def tokens(self) -> TokenRule:
        return self.vector.tokens

    @property
    def axis(self) -> int:
        return self.vector.axis

    @property
    def source(self) -> str:
        return f"{self.vector.source} ({self.how}{', renormalised' if self.renormalise else ''})"

    def change(
        self, x: Float[Tensor, "*places d"], strength: float | Float[Tensor, "*#places 1"] = 1.0
    ) -> Float[Tensor, "*places d"]:
        delta = self.vector.delta.to(x)
        unit = delta / delta.norm()
        if self.how == "relative":
            new = x + strength * x.norm(dim=-1, keepdim=True) * unit
        elif self.how == "add":
            new = x + strength * delta
        else:
            rest = x if self.mean is None else x - self.mean.to(x)
            part = (rest @ unit)[..., None] * unit
            new = x - strength * part if self.how == "ablate" else x - part + strength * delta
        return _renormalised(new, x) if self.renormalise else new

    def opposite(self) -> Action:
        return replace(self, vector=self.vector.opposite())

    def random(self, generator: Generator) -> Action:
        return replace(self, vector=self.vector.random(generator))

    def check(self, model: nn.Module) -> None:
        self.vector.check(model)


@dataclass(frozen=True, eq=False)
class ClampLatent:
    """A latent of an SAE set to strength · unit, all else, the SAE's error included, left alone.

    The activation moves by (s · unit - z) times the latent's decoder row, so that what the SAE
    cannot reconstruct stays. Clamping is not adding: where the latent is at that value already,
    nothing changes.

    Attributes:
        sae: of activations at the site.
        latent: its number.
        site, model, tokens, axis: as of a `SteeringVector`.
        unit: activation at strength 1, such as the largest on some data.
        only_active: leave the places alone where the latent is 0.
        keep_error: False to put the SAE's reconstruction in the place of the activation.
        renormalise: give each changed activation the norm it had.
    """

    sae: Autoencoder = field(repr=False)
    latent: int
    site: str
    model: str = ""
    tokens: TokenRule = EVERYWHERE
    unit: float = 1.0
    only_active: bool = False
    keep_error: bool = True
    renormalise: bool = False
    axis: int = -1

    def __post_init__(self) -> None:
        validate.instance("sae.W_dec", getattr(self.sae, "W_dec", None), Tensor)
        if validate.positive_int("latent", self.latent, 0) >= len(self.sae.W_dec):
            raise ValueError(f"latent is {self.latent}; the SAE has {len(self.sae.W_dec)}.")
        validate.number("unit", self.unit)

    @property
    def source(self) -> str:
        when = "where it is active" if self.only_active else "always"
        return f"latent {self.latent} clamped {when}"

    def change(
        self, x: Float[Tensor, "*places d"], strength: float | Float[Tensor, "*#places 1"] = 1.0
    ) -> Float[Tensor, "*places d"]:
        value = strength * self.unit

        def edit(z: Tensor) -> Tensor:
            old = z[..., self.latent]
            wanted = value[..., 0].to(z) if isinstance(value, Tensor) else z.new_tensor(value)
            wanted = wanted.expand_as(old)
            z[..., self.latent] = torch.where(old != 0, wanted, old) if self.only_active else wanted
            return z

        new = Splice(self.sae, keep_error=self.keep_error, edit=edit)(x)
        return _renormalised(new, x) if self.renormalise else new

    def opposite(self) -> ClampLatent:
        """The latent at the opposite value, which the SAE itself could not give it."""
        return replace(self, unit=-self.unit)

    def random(self, generator: Generator) -> ClampLatent:
        """Another latent drawn evenly, clamped to a value at which it writes equally much."""
        n = len(self.sae.W_dec)
        step = int(torch.randint(1, n, (1,), generator=generator)) if n > 1 else 0
        other = (self.latent + step) % n
        sizes = self.sae.W_dec.detach().norm(dim=-1)
        return replace(
            self, latent=other, unit=self.unit * float(sizes[self.latent] / sizes[other])
        )

    def check(self, model: nn.Module) -> None:
        """Raise ValueError if the model has no such site."""
        find(model, self.site)


def _renormalised(new: Tensor, x: Tensor) -> Tensor:
    """`new` with the norms of x; 0 stays 0."""
    size = new.norm(dim=-1, keepdim=True)
    return new * (x.norm(dim=-1, keepdim=True) / size.clamp(min=torch.finfo(x.dtype).tiny))
