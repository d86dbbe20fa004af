"""What a convolutional network learns from worlds that are no sequences: worlds of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data import PhysicsFields, TwoViewScenes, digits

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class DigitPictures:
    """The training digits, drawn again and again; `test` holds the others.

    Args:
        test: the share of digits to set aside.
        seed: of the split.

    Attributes:
        train, test: pictures [n, 1, 8, 8], 1 is ink, and digits [n].
    """

    def __init__(self, test: float = 0.2, seed: int = 0) -> None:
        data = digits(test, seed)
        self.train = data.x_train.view(-1, 1, 8, 8), data.y_train
        self.test = data.x_test.view(-1, 1, 8, 8), data.y_test

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch 1 8 8"], Int[Tensor, " batch"]]:
        """Pictures and digits, each drawn from all training digits."""
        x, y = self.train
        rows = torch.randint(len(x), (batch_size,), generator=generator)
        return x[rows], y[rows]


class NextFrame:
    """Fields of physics: some frames, and the one that comes next.

    Args:
        n_frames: frames that are given; two tell how fast things move.
        fields: arguments of `PhysicsFields`; n_times is set here.
    """

    def __init__(self, n_frames: int = 2, **fields) -> None:
        self.n_frames = validate.positive_int("n_frames", n_frames)
        self.fields = PhysicsFields(**fields)

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch n_frames space"], Float[Tensor, "batch 1 space"]]:
        """Frames from anywhere in the fields' times, and the next frame of each."""
        u = self.fields.sample(batch_size, generator).u
        n_starts = u.shape[1] - self.n_frames
        start = torch.randint(n_starts, (batch_size, 1), generator=generator)
        times = start + torch.arange(self.n_frames + 1)
        frames = u[torch.arange(batch_size)[:, None], times]
        return frames[:, :-1], frames[:, -1:]


class SceneFactors:
    """Pictures of one object, and its shape, colour and position.

    Args:
        noise: standard deviation of the noise on each pixel.
    """

    def __init__(self, noise: float = 0.1) -> None:
        self.scenes = TwoViewScenes(1, noise)

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch 3 12 12"], Int[Tensor, "batch 3"]]:
        """Pictures, and the indices of shape, colour and position."""
        drawn = self.scenes.sample(batch_size, generator)
        return drawn.image, torch.cat([drawn.shape, drawn.colour, drawn.position], dim=1)
