"""Small classifiers with one hidden layer, many side by side, and the attack on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ACTIVATIONS = {"relu": torch.relu, "square": torch.square}


class Classifiers(nn.Module):
    """logits = a(x W_in + b_in) W_out + b_out, for networks that share a shape and nothing else.

    Args:
        d_in, d_hidden, d_out: sizes.
        n_instances: number of independent networks.
        activation: "relu", or "square" for the network of Gromov 2023, "Grokking modular
            arithmetic".
        dropout: chance that a hidden unit is silenced in training; a number or one per instance.
        seed: of the initial weights, which are normal with variance 2 / inputs; biases start at 0.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        d_in: int,
        d_hidden: int,
        d_out: int,
        n_instances: int = 1,
        *,
        activation: str = "relu",
        dropout: float | Sequence[float] = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"d_in": d_in, "d_hidden": d_hidden, "d_out": d_out, "n_instances": n_instances}
        for name, value in sizes.items():
            setattr(self, name, validate.positive_int(name, value))
        self.activation = validate.choice("activation", activation, tuple(ACTIVATIONS))
        rate = validate.finite("dropout", dropout, 0.0, 0.99).float()
        if rate.ndim > 1 or rate.numel() not in (1, n_instances):
            raise ValueError(
                f"dropout has shape {list(rate.shape)}; it must be a number or {n_instances} "
                "numbers."
            )
        self.register_buffer("dropout", rate.expand(n_instances).clone())
        generator = runtime.generator(seed)

        def normal(rows: int, columns: int) -> nn.Parameter:
            weight = torch.randn(n_instances, rows, columns, generator=generator)
            return nn.Parameter(weight * (2 / rows) ** 0.5)

        self.W_in, self.W_out = normal(d_in, d_hidden), normal(d_hidden, d_out)
        self.b_in = nn.Parameter(torch.zeros(n_instances, 1, d_hidden))
        self.b_out = nn.Parameter(torch.zeros(n_instances, 1, d_out))

    def hidden(
        self, x: Float[Tensor, "*#n_instances batch d_in"]
    ) -> Float[Tensor, "n_instances batch d_hidden"]:
        """Hidden activations; x is [batch, d_in], or [n_instances, batch, d_in]."""
        return ACTIVATIONS[self.activation](x @ self.W_in + self.b_in)

    def logits(
        self, h: Float[Tensor, "n_instances batch d_hidden"]
    ) -> Float[Tensor, "n_instances batch d_out"]:
        return h @ self.W_out + self.b_out

    def forward(
        self, x: Float[Tensor, "*#n_instances batch d_in"]
    ) -> Float[Tensor, "n_instances batch d_out"]:
        """Logits, with no unit dropped."""
        return self.logits(self.hidden(x))

    def drop(
        self, h: Float[Tensor, "n_instances batch d_hidden"], generator: Generator
    ) -> Float[Tensor, "n_instances batch d_hidden"]:
        """h with units silenced at random, and the others larger to make up for them."""
        rate = self.dropout[:, None, None]
        if not rate.any():
            return h
        kept = torch.rand(h.shape, generator=generator) >= rate
        return h * kept / (1 - rate)

    @torch.no_grad()
    def accuracy(
        self, x: Float[Tensor, "*#n_instances batch d_in"], y: Int[Tensor, " batch"]
    ) -> Float[Tensor, " n_instances"]:
        return (self(x).argmax(dim=-1) == y).float().mean(dim=-1)


def cross_entropy(
    logits: Float[Tensor, "n_instances batch d_out"], y: Int[Tensor, " batch"]
) -> Float[Tensor, " n_instances"]:
    """Mean cross-entropy of each instance, in nats; all are asked for the same y."""
    losses = F.cross_entropy(
        logits.flatten(0, 1), y.expand(len(logits), -1).flatten(), reduction="none"
    )
    return losses.view(logits.shape[:2]).mean(dim=-1)


def one_hot_error(
    logits: Float[Tensor, "n_instances batch d_out"], y: Int[Tensor, " batch"]
) -> Float[Tensor, " n_instances"]:
    """Squared distance of the logits to the one-hot y, summed over classes, per instance."""
    target = F.one_hot(y, logits.shape[-1])
    return (logits - target).square().sum(dim=-1).mean(dim=-1)


def pgd(
    model: Classifiers,
    x: Float[Tensor, "batch d_in"],
    y: Int[Tensor, " batch"],
    epsilon: float | Float[Tensor, " n_instances"],
    steps: int = 1,
    low: float = 0.0,
    high: float = 1.0,
) -> Float[Tensor, "n_instances batch d_in"]:
    """Inputs that each instance gets as wrong as possible, no entry moved by more than epsilon.

    `steps` steps of 2 epsilon / steps (one: epsilon) along the sign of the loss's gradient, each
    followed by a projection to the allowed box and to [low, high]. One step is FGSM (Goodfellow et
    al. 2015), several are PGD (Madry et al. 2018), here without a random start.
    """
    validate.instance("model", model, Classifiers)
    x = validate.as_tensor("x", x).to(model.W_in.dtype)
    y = validate.whole("y", y, 0, model.d_out - 1).long()
    validate.tensors("any", x=(x, f"batch {model.d_in}"), y=(y, "batch"))
    most = torch.finfo(x.dtype).max
    low, high = validate.number("low", low, -most, most), validate.number("high", high, -most, most)
    validate.positive_int("steps", steps)
    bound = validate.finite("epsilon", epsilon, 0.0).to(x)
    if bound.ndim > 1 or bound.numel() not in (1, model.n_instances):
        raise ValueError(
            f"epsilon has shape {list(bound.shape)}; it must be a number or {model.n_instances} "
            "numbers."
        )
    bound = bound.expand(model.n_instances)[:, None, None]
    size = bound if steps == 1 else 2 * bound / steps
    attacked = x.expand(model.n_instances, *x.shape).clone()
    for _ in range(steps):
        attacked.requires_grad_()
        (slope,) = torch.autograd.grad(cross_entropy(model(attacked), y).sum(), attacked)
        moved = attacked.detach() + size * slope.sign()
        attacked = torch.clamp(moved, x - bound, x + bound).clamp(low, high)
    return attacked


def fit(
    model: Classifiers,
    draw: Callable[[Generator], tuple[Tensor, Tensor]],
    *,
    steps: int,
    lr: float,
    weight_decay: float = 0.0,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    epsilon: float | Float[Tensor, " n_instances"] = 0.0,
    penalty: Callable[[Tensor], Tensor] | None = None,
    after: Callable[[int], None] | None = None,
    seed: int = 0,
) -> None:
    """AdamW on the loss of every instance; instances never influence each other.

    Args:
        draw: gives a batch x [batch, d_in], y [batch], which all instances see.
        loss: of logits and y, one number per instance: `cross_entropy` or `one_hot_error`.
        epsilon: train on `pgd` inputs (one step) where it is above 0: adversarial training.
        penalty: of the hidden activations, [n_instances]; added to the loss.
        after: called with the number of steps done, 0 before the first.
        seed: of batches and dropout.
    """
    generator = runtime.generator(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    attacks = bool(torch.as_tensor(epsilon).any())
    for step in runtime.progress(range(steps), "training classifiers"):
        if after is not None:
            after(step)
        x, y = draw(generator)
        h = model.hidden(pgd(model, x, y, epsilon) if attacks else x)
        total = loss(model.logits(model.drop(h, generator)), y)
        if penalty is not None:
            total = total + penalty(h)
        optimizer.zero_grad()
        total.sum().backward()
        optimizer.step()
    if after is not None:
        after(steps)
