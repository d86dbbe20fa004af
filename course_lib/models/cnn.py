"""A small convolutional network, on pictures or on a line, that classifies or predicts a field."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LAYERS = {1: (nn.Conv1d, nn.MaxPool1d), 2: (nn.Conv2d, nn.MaxPool2d)}


@dataclass(frozen=True)
class CNNConfig:
    """The shape of a `CNN`.

    Attributes:
        n_in: channels of the input.
        size: pixels along each axis of the input.
        classes: how many classes each label has; () to predict a field instead.
        dimensions: 2 for pictures, 1 for a line.
        channels: of each convolution.
        kernel: pixels that a convolution sees along each axis; odd.
        ring: whether the first and the last pixel are neighbours.
    """

    n_in: int
    size: int
    classes: tuple[int, ...] = (10,)
    dimensions: int = 2
    channels: tuple[int, ...] = (16, 32)
    kernel: int = 3
    ring: bool = False

    def __post_init__(self) -> None:
        for name in ("n_in", "size", "dimensions", "kernel"):
            validate.positive_int(name, getattr(self, name))
        for name in ("classes", "channels"):
            value = getattr(self, name)
            if not isinstance(value, Sequence) or isinstance(value, str):
                raise TypeError(f"{name} is {value!r}; it must be a tuple of whole numbers.")
            sizes = tuple(validate.positive_int(f"an entry of {name}", size) for size in value)
            object.__setattr__(self, name, sizes)  # a tuple, also when it was read from JSON
        if self.dimensions not in LAYERS:
            raise ValueError(f"dimensions is {self.dimensions}; it must be 1 or 2.")
        if self.kernel % 2 == 0 or self.kernel > self.size:
            raise ValueError(
                f"kernel is {self.kernel}; it must be odd and at most size = {self.size}."
            )
        if not self.channels or (self.classes and self.size >> len(self.channels) == 0):
            raise ValueError(
                f"channels is {self.channels}; it must name one convolution at least, and each "
                f"halves the picture of {self.size} pixels."
            )


class CNN(nn.Module):
    """Convolutions with a ReLU each, then a linear read-out.

    To classify, each layer halves the picture by its largest values, and the read-out has the last
    layer's pixels. To predict a field, nothing is halved, the read-out is one and the same at each
    place, and it gives the change since the input's last channel.

    `layers.i.act` gives the activations of layer i, [batch, channels, *space] before halving.

    Args:
        config: its shape.
        seed: of the initial weights (He normal, biases 0; a field's read-out starts at no change).
    """

    def __init__(self, config: CNNConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = validate.instance("config", config, CNNConfig)
        convolution, pool = LAYERS[config.dimensions]
        padding = {"padding": "same", "padding_mode": "circular" if config.ring else "zeros"}
        self.layers, n_in, size = nn.Sequential(), config.n_in, config.size
        for n_out in config.channels:
            layer = OrderedDict(conv=convolution(n_in, n_out, config.kernel, **padding))
            layer["act"] = nn.ReLU()
            if config.classes:
                layer["pool"], size = pool(2), size // 2
            self.layers.append(nn.Sequential(layer))
            n_in = n_out
        if config.classes:
            n_features = n_in * size**config.dimensions
            self.readout = nn.Linear(n_features, sum(config.classes))
        else:
            self.readout = convolution(n_in, 1, 1)
        generator = runtime.generator(seed)
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        if not config.classes:
            nn.init.zeros_(self.readout.weight)

    def forward(self, x: Float[Tensor, "batch n_in *space"]) -> Float[Tensor, "batch ..."]:
        """Logits [batch, sum of classes], label after label, or the field [batch, 1, *space].

        Raises ValueError when x has another shape than the config says.
        """
        config = self.config
        validate.shape("x", x, ("batch", config.n_in, *[config.size] * config.dimensions))
        features = self.layers(x)
        if config.classes:
            return self.readout(features.flatten(1))
        return x[:, -1:] + self.readout(features)

    def loss(
        self,
        x: Float[Tensor, "batch n_in *space"],
        target: Int[Tensor, "batch ..."] | Float[Tensor, "batch 1 *space"],
    ) -> Float[Tensor, ""]:
        """The labels' cross-entropies (nats), summed, or the square error: a mean over the batch.

        With one label, target may be [batch].
        """
        out = self(x)
        if not self.config.classes:
            return F.mse_loss(out, target)
        target = target[:, None] if target.ndim == 1 else target
        validate.shape("target", target, (len(x), len(self.config.classes)))
        parts = zip(out.float().split(self.config.classes, dim=1), target.unbind(1), strict=True)
        return sum(F.cross_entropy(logits, label) for logits, label in parts)
