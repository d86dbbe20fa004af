"""Every architecture of the package, made small, and what its loss takes: add yours here."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from course_lib.runtime import generator
from course_lib.sae import (
    SAE,
    BatchTopKSAE,
    GatedSAE,
    GradientTopKSAE,
    GroupSparseSAE,
    JumpReLUSAE,
    MatchingPursuitSAE,
    MatryoshkaSAE,
    PAnnealSAE,
    RandomDictionary,
    ReLUSAE,
    ThresholdSAE,
    TopKSAE,
    Transcoder,
)


def plain(x: Tensor, generator: Generator) -> tuple[Tensor, ...]:
    return (x,)


def with_second(width: Callable[[int], int]) -> Callable[[Tensor, Generator], tuple[Tensor, ...]]:
    """x, and a second tensor with as many rows."""

    def batch(x: Tensor, generator: Generator) -> tuple[Tensor, ...]:
        shape = (*x.shape[:-1], width(x.shape[-1]))
        return x, torch.randn(shape, generator=generator, dtype=x.dtype)

    return batch


def pairs(x: Tensor, generator: Generator) -> tuple[Tensor, ...]:
    return (torch.stack([x, torch.randn(x.shape, generator=generator, dtype=x.dtype)], dim=-2),)


@dataclass(frozen=True)
class Architecture:
    """How to make one, and how it departs from the others where a property needs to know.

    Attributes:
        make: make(d_in, d_sae, **the arguments that all share).
        batch: the arguments of `loss` for activations x.
        varying: arguments with one value for each of two instances.
        surrogate: parameters whose gradient is not the derivative of the loss, on purpose.
    """

    make: Callable[..., SAE]
    batch: Callable[[Tensor, Generator], tuple[Tensor, ...]] = plain
    varying: dict[str, list[float]] = field(default_factory=dict)
    surrogate: tuple[str, ...] = ()


FROZEN = ("W_dec", "b_dec")  # in the gate's own reconstruction
L1 = {"l1_coefficient": [0.1, 0.5]}
L0 = {"l0_coefficient": [0.1, 0.5]}


def architecture(cls: type[SAE], arguments: Callable[[int], dict] | dict = {}, **rest):  # noqa: B006
    """One with arguments, which may depend on d_sae."""

    def make(d_in: int, d_sae: int, **shared) -> SAE:
        own = arguments(d_sae) if callable(arguments) else arguments
        return cls(d_in, d_sae, **own | shared)

    return Architecture(make, **rest)


def few(d_sae: int) -> dict:
    return {"k": min(3, d_sae), "aux_k": 2}


def nested(d_sae: int) -> dict:
    return few(d_sae) | {"prefixes": sorted({max(1, d_sae // 3), max(1, d_sae // 2), d_sae})}


FAMILY = {
    "relu": architecture(ReLUSAE, {"l1_coefficient": 0.3}, varying=L1),
    "relu, unit norm": architecture(ReLUSAE, {"decoder_norm": "unit"}, varying=L1),
    "gated": architecture(GatedSAE, varying=L1, surrogate=FROZEN),
    "gated, free norm": architecture(
        GatedSAE, {"decoder_norm": "free"}, varying=L1, surrogate=FROZEN
    ),
    "topk": architecture(TopKSAE, few, varying={"k": [1, 3]}),
    "batch topk": architecture(BatchTopKSAE, few, varying={"k": [2.5, 1]}),
    "matryoshka": architecture(MatryoshkaSAE, nested, varying={"k": [3, 1.5]}),
    "jumprelu": architecture(JumpReLUSAE, varying=L0, surrogate=("threshold",)),
    "jumprelu, target": architecture(
        JumpReLUSAE, {"target_l0": 2.0}, varying=L0 | {"target_l0": [1.0, 2.0]},
        surrogate=("threshold",),
    ),
    "p-anneal": architecture(PAnnealSAE, varying=L1),
    "p-anneal, free norm": architecture(PAnnealSAE, {"decoder_norm": "free"}, varying=L1),
    "threshold": architecture(ThresholdSAE, {"tau": 0.4}, varying={"tau": [0.3, 0.5]}),
    "matching pursuit": architecture(MatchingPursuitSAE, {"steps": 3, "tol": 0.8}),
    "random dictionary": architecture(RandomDictionary, {"steps": 2}),
    "gradient topk": architecture(GradientTopKSAE, few, batch=with_second(lambda d_in: d_in)),
    "transcoder": architecture(
        Transcoder, lambda d_sae: few(d_sae) | {"d_out": 3}, batch=with_second(lambda d_in: 3),
        varying={"k": [2, 3]},
    ),
    "transcoder, skip": architecture(
        Transcoder, lambda d_sae: few(d_sae) | {"skip": True}, batch=with_second(lambda d_in: d_in)
    ),
    "group sparse": architecture(
        GroupSparseSAE, batch=pairs, varying=L1 | {"group_coefficient": [0.2, 0.4]}
    ),
}  # fmt: skip


def lived_in(sae: SAE, seed: int = 0) -> SAE:
    """`sae` as training could leave it: no bias or threshold at 0, and p on its way."""
    draw = generator(seed)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=draw).to(parameter)
        for name, tensor in sae.state_dict().items():
            if name == "threshold":
                tensor.abs_().add_(0.5)
            if name == "p":
                tensor.fill_(0.6)
        sae.constrain()
    return sae
