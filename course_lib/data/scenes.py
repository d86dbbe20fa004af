"""One scene, two views: a small picture and a caption that says the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int

COLOURS = ("red", "green", "blue", "yellow")
SHAPES = ("square", "plus", "ring", "triangle")
POSITIONS = ("top-left", "top-right", "bottom-left", "bottom-right")
SIDE = 12  # of a picture, in pixels; a quarter of it has 6 x 6
SIZES = (3, 5)  # of a sprite, in pixels: small, large
FAINTEST = 0.6

_RGB = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
_SPRITES = torch.tensor(
    [
        [[float(pixel == "#") for pixel in row] for row in sprite.split()]
        for sprite in (
            "##### ##### ##### ##### #####",
            "..#.. ..#.. ##### ..#.. ..#..",
            ".###. #...# #...# #...# .###.",
            "..#.. ..#.. .###. .###. #####",
        )
    ]
)


@dataclass(frozen=True)
class Scenes(Sequences):
    """Scenes in both views, with the truth of each object; `tokens`, `labels` are the caption's.

    Attributes:
        image: [batch, 3, 12, 12], red, green and blue, from 0 to 1 before the noise.
        shape, colour, position: [batch, n_objects], indices into `SHAPES`, `COLOURS`, `POSITIONS`,
            in the order of the caption.
        corner: [batch, n_objects, 2], row and column of the sprite's first pixel.
        brightness: [batch, n_objects].
        size: [batch, n_objects], the sprite's height and width in pixels.
    """

    image: Float[Tensor, "batch 3 12 12"]
    shape: Int[Tensor, "batch n_objects"]
    colour: Int[Tensor, "batch n_objects"]
    position: Int[Tensor, "batch n_objects"]
    corner: Int[Tensor, "batch n_objects 2"]
    brightness: Float[Tensor, "batch n_objects"]
    size: Int[Tensor, "batch n_objects"]

    def _map(self, change) -> Scenes:
        own = [field.name for field in fields(self) if field.name != "labels"]
        labels = {name: change(part) for name, part in self.labels.items()}
        return replace(self, labels=labels, **{name: change(getattr(self, name)) for name in own})


class TwoViewScenes:
    """Coloured shapes in the quarters of a picture; `red ring top-left and blue plus top-right`.

    Each object has a shape, a colour and a position, four of each; no two objects share a position,
    all else is independent and uniform. The caption names the objects in random order.

    | planted                    | where                                                     |
    |----------------------------|-----------------------------------------------------------|
    | shape, colour, position    | `Scenes.shape`, `.colour`, `.position`                    |
    | the same in the caption    | labels `shape`, `colour`, `position`, once a word says it |
    | the object a word is about | label `object`                                            |
    | what the picture adds      | `Scenes.corner`, anywhere in the quarter; `.brightness`,  |
    |                            | 0.6 to 1; `.size`, any of `sizes`                         |
    | the law of the caption     | `log_prob`, without the picture                           |

    Args:
        n_objects: 1 to 4.
        noise: standard deviation of the Gaussian noise on each pixel.
        sizes: of sprites, to draw from: 5, 3 or both. A sprite of 3 pixels has the rows and columns
            1, 3 and 5 of the one of 5.

    Attributes:
        seq: words of a caption, 4 n_objects - 1.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    vocabulary = (*COLOURS, *SHAPES, *POSITIONS, "and")

    def __init__(
        self, n_objects: int = 2, noise: float = 0.0, *, sizes: Sequence[int] = (5,)
    ) -> None:
        if validate.positive_int("n_objects", n_objects) > len(POSITIONS):
            raise ValueError(f"n_objects is {n_objects}; it must be at most {len(POSITIONS)}.")
        self.n_objects, self.noise = n_objects, validate.number("noise", noise, 0.0)
        self.sizes = tuple(validate.sequence("sizes", sizes))
        if not self.sizes or not all(validate.positive_int("sizes", k) in SIZES for k in sizes):
            raise ValueError(f"sizes is {sizes!r}; it must name 3, 5 or both.")
        self.seq = 4 * n_objects - 1
        self.attributes = {
            "colour": COLOURS,
            "shape": SHAPES,
            "position": POSITIONS,
            "object": tuple(str(index) for index in range(n_objects)),
        }

    def sample(self, batch_size: int, generator: Generator) -> Scenes:
        """Draw scenes on the generator's device."""
        size = (validate.positive_int("batch_size", batch_size), self.n_objects)
        device = generator.device
        shape, colour = torch.randint(4, (2, *size), generator=generator, device=device)
        keys = torch.rand(batch_size, len(POSITIONS), generator=generator, device=device)
        position = keys.argsort(dim=1)[:, : self.n_objects]
        offset = torch.randint(4, (*size, 2), generator=generator, device=device)
        u = torch.rand(size, generator=generator, device=device)
        brightness = FAINTEST + (1 - FAINTEST) * u
        which = torch.randint(len(self.sizes), size, generator=generator, device=device)
        side = torch.tensor(self.sizes, device=device)[which]
        offset = offset % (7 - side)[..., None]  # 2 or 4 places, equally likely
        scenes = self._scenes(shape, colour, position, offset, brightness, side)
        if self.noise:
            pixels = scenes.image.shape
            error = torch.randn(pixels, generator=generator, device=device)
            scenes = replace(scenes, image=scenes.image + self.noise * error)
        return scenes

    def every_object(self) -> Scenes:
        """The 64 scenes of one large bright object, without noise; the shape changes slowest."""
        factors = torch.cartesian_prod(*[torch.arange(4)] * 3).T[..., None]
        offset = torch.zeros(*factors[0].shape, 2, dtype=torch.long)
        return self._scenes(
            *factors, offset, torch.ones(factors[0].shape), torch.full_like(factors[0], 5)
        )

    @staticmethod
    def _scenes(
        shape: Tensor, colour: Tensor, position: Tensor, offset: Tensor,
        brightness: Tensor, size: Tensor,
    ) -> Scenes:  # fmt: skip
        quarter = torch.stack([position // 2, position % 2], -1)
        corner = quarter * (SIDE // 2) + offset
        words = torch.stack([colour, 4 + shape, 8 + position], -1)
        said = {"colour": (colour, 0), "shape": (shape, 1), "position": (position, 2)}
        which = torch.arange(shape.shape[1], device=shape.device).expand_as(shape)
        said["object"] = (which, 0)
        place = torch.arange(4, device=shape.device)
        labels = {}
        for name, (value, first) in said.items():
            known = (place >= first) & (place < 3)
            labels[name] = value[..., None].where(known, NONE).flatten(1)[:, :-1]
        link = words.new_full((*shape.shape, 1), len(TwoViewScenes.vocabulary) - 1)
        tokens = torch.cat([words, link], -1).flatten(1)[:, :-1]
        image = render(shape, colour, corner, brightness, size)
        return Scenes(tokens, labels, image, shape, colour, position, corner, brightness, size)

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each word given those before it; -inf once that cannot happen."""
        validate.shape("tokens", tokens, ("batch", self.seq))
        link = tokens.new_full((len(tokens), 1), len(self.vocabulary) - 1)
        words = torch.cat([tokens, link], 1).unflatten(1, (self.n_objects, 4))
        first = torch.tensor([0, 4, 8, 12], device=tokens.device)
        size = torch.tensor([4, 4, 4, 1], device=tokens.device)
        possible = (words >= first) & (words < first + size)
        choices = size.expand_as(words).clone()
        choices[..., 2] -= torch.arange(self.n_objects, device=tokens.device)
        position = words[..., 2]
        same = position[:, :, None] == position[:, None]
        possible[..., 2] &= ~same.tril(-1).any(-1)
        value = -choices.to(torch.get_default_dtype()).log().flatten(1)[:, :-1]
        impossible = ~possible.flatten(1)[:, :-1]
        return value.masked_fill(impossible.cummax(1).values, float("-inf"))


def render(
    shape: Int[Tensor, "batch n_objects"],
    colour: Int[Tensor, "batch n_objects"],
    corner: Int[Tensor, "batch n_objects 2"],
    brightness: Float[Tensor, "batch n_objects"],
    size: Int[Tensor, "batch n_objects"] | None = None,
) -> Float[Tensor, "batch 3 12 12"]:
    """Draw sprites anywhere on a black picture; where they overlap, the brighter light shows.

    `corner` is the row and column of a sprite's first pixel; `size`, its height and width, is 3 or
    5 (5 when None). Change one of them to make a pair of scenes that differ in one property.

    Raises ValueError where a sprite leaves the picture or has another size.
    """
    device, size = shape.device, torch.full_like(shape, 5) if size is None else size
    if ((size != 3) & (size != 5)).any():
        raise ValueError("size must be 3 or 5 for every sprite.")
    if ((corner < 0) | (corner > SIDE - size[..., None])).any():
        raise ValueError(
            f"corner must be from 0 to {SIDE} - size, so that sprites are in the picture."
        )
    small = torch.zeros_like(_SPRITES)
    small[:, :3, :3] = _SPRITES[:, ::2, ::2]
    sprite = torch.stack([small, _SPRITES]).to(device)[(size == 5).long(), shape]
    light = (brightness[..., None, None] * sprite)[:, :, None]
    light = light * _RGB.to(device)[colour][..., None, None]
    step = torch.arange(5, device=device)
    # The blank rest of a small sprite may lie outside: it lights nothing, wherever it is put.
    row, column = ((corner[..., axis, None] + step).clamp(max=SIDE - 1) for axis in (0, 1))
    pixel = row[..., :, None] * SIDE + column[..., None, :]
    image = light.new_zeros(len(shape), 3, SIDE**2)
    where = pixel.flatten(1)[:, None].expand(-1, 3, -1)
    image.scatter_reduce_(2, where, light.transpose(1, 2).flatten(2), "amax")
    return image.unflatten(2, (SIDE, SIDE))
