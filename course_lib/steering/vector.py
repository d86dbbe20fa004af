"""A steering vector, and all that has to be known to use it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from course_lib import files, validate
from course_lib.activations import ProjectOut, find
from course_lib.activations.harvest import fingerprint
from course_lib.steering.directions import random_like
from course_lib.steering.tokens import EVERYWHERE, TokenRule

if TYPE_CHECKING:
    from jaxtyping import Float

SAME = ("model", "weights", "site", "axis", "tokens")  # of vectors that may be added


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """A direction at one site of one model, and where it came from; at strength s it adds s · δ.

    Attributes:
        vector: [d], as it was found.
        site: where it is added, a name for `course_lib.activations.find`.
        model: the model's name.
        source: how it was found, in words.
        tokens: which tokens it is added at.
        scale: δ = scale · vector.
        weights: a fingerprint of the model it was found in; "" where that is not to be checked.
        axis: the axis of the activation that is d: -1, or 1 for the channels of a convolution.
    """

    vector: Float[Tensor, " d"] = field(repr=False)
    site: str
    model: str = ""
    source: str = ""
    tokens: TokenRule = EVERYWHERE
    scale: float = 1.0
    weights: str = field(default="", repr=False)
    axis: int = -1

    def __post_init__(self) -> None:
        vector = validate.finite("vector", validate.instance("vector", self.vector, Tensor))
        validate.shape("vector", vector, ("d",))
        object.__setattr__(self, "vector", self.vector.detach())
        validate.number("scale", self.scale)

    @property
    def delta(self) -> Float[Tensor, " d"]:
        """What strength 1 adds."""
        return self.scale * self.vector

    @property
    def norm(self) -> float:
        return self.delta.norm().item()

    # --- how it acts -----------------------------------------------------------------------------

    def change(
        self, x: Float[Tensor, "*places d"], strength: float | Float[Tensor, "*#places 1"] = 1.0
    ) -> Float[Tensor, "*places d"]:
        """x + strength · δ."""
        self._check_fits(x)
        validate.broadcasts("strength", strength, "x", x)
        return x + strength * self.delta.to(x)

    def along(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places"]:
        """x's coordinate along the vector: what it reads, in the units of the activations."""
        self._check_fits(x)
        if not x.is_floating_point():
            raise TypeError(f"x has dtype {x.dtype}; it must hold floating-point numbers.")
        return x @ self.unit().delta.to(x)

    def _check_fits(self, x: Tensor) -> None:
        if validate.instance("x", x, Tensor).shape[-1:] != self.vector.shape:
            raise ValueError(
                f"x has shape {list(x.shape)}; it must be [..., {len(self.vector)}], as the vector."
            )

    def opposite(self) -> SteeringVector:
        """The control of opposite sign."""
        return replace(-self, source=f"opposite of {self.source or 'a vector'}")

    def random(self, generator: Generator) -> SteeringVector:
        """The control of equal norm in a random direction, at the same place."""
        made = random_like(self.delta, generator)
        return replace(self, vector=made, scale=1.0, source="random direction of equal norm")

    def check(self, model: nn.Module) -> None:
        """Raise ValueError if the model has no such site, or is not the one it was found in."""
        find(model, self.site)
        if self.weights and fingerprint(model) != self.weights:
            raise ValueError(
                f"the vector was found in {self.model or 'another model'}, whose weights are "
                'others; to try it here all the same, take dataclasses.replace(vector, weights="").'
            )

    # --- algebra ---------------------------------------------------------------------------------

    def __mul__(self, factor: float) -> SteeringVector:
        return replace(self, scale=self.scale * validate.number("factor", factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> SteeringVector:
        return self * (1 / divisor)

    def __neg__(self) -> SteeringVector:
        return self * -1.0

    def __add__(self, other: SteeringVector) -> SteeringVector:
        return self._sum(other, 1.0)

    def __sub__(self, other: SteeringVector) -> SteeringVector:
        return self._sum(other, -1.0)

    def unit(self) -> SteeringVector:
        """The same direction with norm 1."""
        return self.with_norm(1.0)

    def with_norm(self, norm: float | SteeringVector) -> SteeringVector:
        """The same direction with this norm, or another vector's. Raises ValueError for 0."""
        wanted = norm.norm if isinstance(norm, SteeringVector) else norm
        if self.norm == 0:
            raise ValueError("the vector is 0; it has no direction to give a norm to.")
        return self * (validate.number("norm", wanted, 0.0) / self.norm)

    def orthogonal_to(self, *others: SteeringVector) -> SteeringVector:
        """What is left without the part in the span of the others' directions."""
        for other in others:
            self._check_same(other)
        rest = ProjectOut(torch.stack([other.delta for other in others]))(self.delta)
        names = ", ".join(other.source or "a vector" for other in others)
        source = f"{self.source or 'a vector'}, orthogonal to {names}"
        return replace(self, vector=rest, scale=1.0, source=source)

    def cos(self, other: SteeringVector) -> float:
        """The cosine of the angle between the two."""
        validate.instance("other", other, SteeringVector)
        return torch.cosine_similarity(self.delta, other.delta, dim=0).item()

    @staticmethod
    def mean(vectors: Sequence[SteeringVector]) -> SteeringVector:
        """The mean of several vectors of one place. Raises ValueError for none."""
        if not len(validate.sequence("vectors", vectors)):
            raise ValueError("vectors is empty; give one at least.")
        for vector in vectors:
            validate.instance("a vector", vector, SteeringVector)
        total = vectors[0]
        for vector in vectors[1:]:
            total = total + vector
        if len(vectors) == 1:
            return total
        return replace(total / len(vectors), source=f"mean of ({total.source})")

    def _sum(self, other: SteeringVector, sign: float) -> SteeringVector:
        self._check_same(other)
        names = [vector.source or "a vector" for vector in (self, other)]
        source = (" + " if sign > 0 else " - ").join(names)
        return replace(self, vector=self.delta + sign * other.delta, scale=1.0, source=source)

    def _check_same(self, other: SteeringVector) -> None:
        validate.instance("other", other, SteeringVector)
        for name in SAME:
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"{name} is {getattr(self, name)!r} of one vector and "
                    f"{getattr(other, name)!r} of the other; they must be equal."
                )
        validate.shape("the other vector", other.vector, self.vector.shape)

    # --- files -----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the vector to `path`.safetensors and its card to `path`.json; returns `path`."""
        from safetensors.torch import save as packed

        path = Path(path)
        content = packed({"vector": self.vector.cpu().contiguous()})
        card = {key: value for key, value in self.__dict__.items() if key != "vector"}
        card |= {
            "tokens": asdict(self.tokens), "d": len(self.vector), "norm": self.norm,
            "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        files.write_together(
            {
                _ending(path, ".safetensors"): content,
                _ending(path, ".json"): files.sealed_text(card),
            }
        )
        return path

    @classmethod
    def load(cls, path: str | Path) -> SteeringVector:
        """The vector that `save` wrote.

        Raises:
            FileNotFoundError: one of the two files is not there.
            ValueError: they are damaged, or do not belong together.
        """
        from safetensors.torch import load as unpacked

        path = validate.path("path", path)
        for ending in (".safetensors", ".json"):
            if not _ending(path, ending).is_file():
                raise FileNotFoundError(
                    f"{_ending(path, ending)} is not there; a vector is two files."
                )
        content = _ending(path, ".safetensors").read_bytes()
        try:
            card = files.unseal(json.loads(_ending(path, ".json").read_text(encoding="utf-8")))
            if hashlib.sha256(content).hexdigest() != card.pop("sha256"):
                raise ValueError("the checksum of the tensor is another")
            rule = card.pop("tokens")
            rule = TokenRule(**rule | {"only": tuple(rule["only"])})
            card = {key: value for key, value in card.items() if key not in ("d", "norm")}
            return cls(unpacked(content)["vector"], tokens=rule, **card)
        except files.Newer as error:
            raise files.Newer(f"{path}.json cannot be read: {error}.") from None
        except Exception as error:  # whatever is wrong with what the files say
            raise ValueError(f"{path} holds no whole steering vector: {error}.") from error


def _ending(path: Path, ending: str) -> Path:
    if not path.name:
        raise ValueError(f"path is {str(path)!r}; it must end in a name, as 'runs/first' does.")
    return path.with_name(path.name + ending)


@dataclass(frozen=True)
class Shared:
    """Two vectors split into what they share and what each has alone.

    Attributes:
        shared: of norm 1.
        unique_a, unique_b: what is left of a and b without their part along `shared`.
    """

    shared: SteeringVector
    unique_a: SteeringVector
    unique_b: SteeringVector


def shared_axis(a: SteeringVector, b: SteeringVector) -> Shared:
    """The axis that two vectors share: the first right singular vector of the two of norm 1.

    It is the bisector of the two, or of one and the other's opposite where they point apart; its
    sign is a's. Source: the split of intrinsic and prompted value vectors in arXiv:2509.24319.
    """
    validate.instance("a", a, SteeringVector)
    validate.instance("b", b, SteeringVector)
    a._check_same(b)
    pair = torch.stack([a.unit().delta, b.unit().delta])
    axis = torch.linalg.svd(pair.double(), full_matrices=False).Vh[0].to(a.vector)
    axis = axis * (1.0 if axis @ a.delta >= 0 else -1.0)
    names = f"{a.source or 'a'} and {b.source or 'b'}"
    shared = replace(a, vector=axis, scale=1.0, source=f"shared by {names}")
    return Shared(shared, a.orthogonal_to(shared), b.orthogonal_to(shared))
