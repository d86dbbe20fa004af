"""Steering vectors from a model and labelled tokens, from an SAE's latent, from neurons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.activations import read
from course_lib.activations.harvest import fingerprint
from course_lib.steering.directions import METHODS
from course_lib.steering.tokens import EVERYWHERE, TokenRule
from course_lib.steering.vector import SteeringVector

if TYPE_CHECKING:
    from jaxtyping import Float, Int

BATCH = 64  # sequences read at once


def find_vectors(
    model: nn.Module,
    sites: str | Sequence[str],
    tokens: Int[Tensor, "n seq"],
    labels: Int[Tensor, "n ..."],
    method: str | Callable[..., Tensor] = "difference_of_means",
    *,
    name: str = "",
    rule: TokenRule = EVERYWHERE,
    axis: int = -1,
    **options: Any,
) -> SteeringVector | list[SteeringVector]:
    """A steering vector for each site, from one reading of the model.

    Args:
        sites: one, for one vector; or several, for a list.
        tokens: what the model reads.
        labels: 0 or 1 at each token that counts, -1 at the others; [n] for all tokens of a row.
        method: one of `METHODS`, or a function (h [n, d], y [n]) -> [d].
        name: the model's, for the card.
        rule: which tokens the vector will be added at.
        axis: which axis of the activations is d.
        options: of the method.

    Raises ValueError for an unknown method or site, labels that do not fit, or a class that is
    missing.
    """
    validate.instance("model", model, nn.Module)
    if not callable(method):
        method = METHODS[validate.choice("method", method, tuple(METHODS))]
    named = [sites] if isinstance(sites, str) else validate.items("sites", sites)
    for site in named:
        validate.text("an entry of sites", site)
    if validate.real("tokens", tokens).ndim == 0:
        raise ValueError("tokens has no axis; it must be [n, ...], what the model reads.")
    labels = validate.as_tensor("labels", labels)
    validate.shape("labels", labels, (len(tokens), *labels.shape[1:]))
    rows: dict[str, list[Tensor]] = {site: [] for site in named}
    classes: dict[str, list[Tensor]] = {site: [] for site in named}
    for some, their in zip(tokens.split(BATCH), labels.split(BATCH), strict=True):
        for site, x in read(model, named, some).items():
            h = _last(x, axis)
            y = their.reshape(*their.shape, *[1] * (h.ndim - 1 - their.ndim))
            try:
                y = y.expand(h.shape[:-1]).to(h.device)
            except RuntimeError:
                raise ValueError(
                    f"labels has shape {list(labels.shape)}; with axis = {axis}, {site} has one "
                    f"place for each of {list(h.shape[:-1])}, and labels must broadcast to that."
                ) from None
            rows[site].append(h[y >= 0])
            classes[site].append(y[y >= 0])
    made, weights = [], fingerprint(model)
    for site in named:
        y = torch.cat(classes[site])
        counts = f"{int((y == 1).sum())} tokens against {int((y == 0).sum())}"
        direction = method(torch.cat(rows[site]), y, **options)
        source = f"{getattr(method, '__name__', method)} of {counts}"
        made.append(SteeringVector(direction, site, name, source, rule, 1.0, weights, axis))
    return made[0] if isinstance(sites, str) else made


def vector_at(
    model: nn.Module,
    site: str,
    direction: Float[Tensor, " d"],
    *,
    source: str,
    name: str = "",
    rule: TokenRule = EVERYWHERE,
) -> SteeringVector:
    """Any direction, such as a probe's or a Riesz map's, as a steering vector of this model."""
    validate.instance("model", model, nn.Module)
    return SteeringVector(direction, site, name, source, rule, weights=fingerprint(model))


class Dictionary(Protocol):
    """What has a decoder: an SAE of `course_lib.sae`, or a `SemiNMF`."""

    W_dec: Float[Tensor, "d_sae d_in"]


def from_latent(
    model: nn.Module,
    site: str,
    sae: Dictionary,
    latent: int,
    *,
    size: float = 1.0,
    name: str = "",
    rule: TokenRule = EVERYWHERE,
) -> SteeringVector:
    """`size` times the decoder's row of a latent: what the latent adds when its activation is size.

    Raises ValueError when the SAE has no such latent, or several instances.
    """
    validate.instance("model", model, nn.Module)
    rows = validate.shape("sae.W_dec", getattr(sae, "W_dec", None), ("d_sae", "d_in"))
    source = f"latent {latent} of a {type(sae).__name__}"
    made = vector_at(model, site, rows[_index(latent, len(rows))], source=source, name=name)
    return SteeringVector(made.vector, site, name, source, rule, size, made.weights)


def from_neurons(
    model: nn.Module,
    site: str,
    W_out: Float[Tensor, "d_model d_mlp"],
    neurons: Float[Tensor, " d_mlp"],
    *,
    source: str = "neurons",
    name: str = "",
    rule: TokenRule = EVERYWHERE,
) -> SteeringVector:
    """What a group of neurons writes to the stream: W_out z.

    The neurons of a feature are a row of `course_lib.sae.SemiNMF`'s W_dec; its place is the MLP's
    output, or the stream after it. Source: arXiv:2506.10920, where it is f_i = W_out z_i.

    Args:
        W_out: of the MLP; `model.blocks[i].mlp.down.weight` of our GPT.
        neurons: how much of each.
    """
    validate.instance("model", model, nn.Module)
    validate.tensors("alike", W_out=(W_out, "d_model d_mlp"), neurons=(neurons, "d_mlp"))
    validate.shape("neurons", neurons, (W_out.shape[-1],))
    return vector_at(model, site, W_out.detach() @ neurons, source=source, name=name, rule=rule)


def _last(x: Tensor, axis: int) -> Tensor:
    """x with this axis as its last."""
    if validate.positive_int("axis", axis, -x.ndim) >= x.ndim:
        raise ValueError(f"axis is {axis}; the activations have {x.ndim}, -1 the last of them.")
    return x.movedim(axis, -1)


def _index(latent: int, n: int) -> int:
    if validate.positive_int("latent", latent, 0) >= n:
        raise ValueError(f"latent is {latent}; the dictionary has {n}, from 0 to {n - 1}.")
    return latent
