"""SuperDiff: two or more diffusion models, one sampling path, densities tracked along the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.superposition.diffusion import GaussianMixtureScore, noise_rate

if TYPE_CHECKING:
    from jaxtyping import Float

MODES = ("or", "and", "and corrected", "average")


@dataclass(frozen=True)
class SuperDiffSample:
    """What a run of `superdiff_sample` leaves.

    Attributes:
        x: [*instances, n_samples, d], the samples at t = 0.
        log_q: [n_models, *instances, n_samples], each model's tracked log-density there, in nats.
        path: [n_kept, *instances, n_samples, d], x at the times that were asked for.
    """

    x: Tensor
    log_q: Tensor
    path: Tensor


def ito_increment(
    dx: Float[Tensor, "*batch d"],
    x: Float[Tensor, "*batch d"],
    score: Float[Tensor, "*batch d"],
    t: float,
    dt: float,
) -> Float[Tensor, "*batch"]:
    """How much log q changes when x moves by dx while t falls by dt, without a divergence.

    ⟨dx, s⟩ + (∇·f + ⟨f - ½ g² s, s⟩) dt with f = -½ β x, g² = β. Source: Skreta et al. 2025,
    theorem 1. It holds when dx has the noise √β dW in every direction, independent of the drift.
    """
    validate.tensors("any", dx=(dx, "*of_dx d"), x=(x, "*of_x d"), score=(score, "*of_score d"))
    validate.broadcasts("x", x, "dx", dx)
    for name, tensor in (("dx", dx), ("x", x)):
        validate.broadcasts(name, tensor, "score", score)
    if isinstance(t, Tensor) and t.numel() != 1:
        raise ValueError(f"t has shape {list(t.shape)}; it must be one time.")
    validate.broadcasts("dt", dt, "score", score[..., 0])
    beta = noise_rate(t)
    drift = -0.5 * beta * (x + score)
    return (dx * score).sum(dim=-1) + ((drift * score).sum(dim=-1) - 0.5 * beta * x.shape[-1]) * dt


def superdiff_sample(
    models: Sequence[GaussianMixtureScore],
    mode: str,
    steps: int,
    n_samples: int,
    generator: Generator,
    *,
    temperature: float = 1.0,
    bias: float | Sequence[float] = 0.0,
    keep: Sequence[int] = (),
    divergence: bool = False,
) -> SuperDiffSample:
    """Sample from several diffusion models at once by Euler–Maruyama from t = 1 to t = 0.

    Each step follows the score Σ_i κ_i s_i and adds each model's change of log-density. κ is
    - "or": softmax(temperature · log q_i + bias_i), which samples the mixture of the densities;
    - "and": chosen anew in every step so that both models' tracked densities change alike;
    - "and corrected": the same with the term that "and" leaves out (see `and_weights`);
    - "average": the same for every model.
    Source: Skreta et al. 2025, algorithm 1 (or, and).

    Args:
        models: with the same instances and d; two of them for both kinds of "and".
        steps: number of equal time steps.
        keep: at which steps, 0 to `steps`, x goes into `path`.
        divergence: track the density by the trapezoid rule with the divergence of the score in the
            place of Itô's formula: exact to first order on every path, at the divergence's price.

    Raises:
        ValueError: naming the argument, its value and what is allowed.
    """
    validate.instance("generator", generator, Generator)
    validate.choice("mode", mode, MODES)
    validate.positive_int("steps", steps)
    for model in validate.sequence("models", models):
        validate.instance("an entry of models", model, GaussianMixtureScore)
    temperature = validate.number("temperature", temperature)
    validate.sequence("keep", keep)
    if len(models) == 0 or (mode.startswith("and") and len(models) != 2):
        raise ValueError(f"models has {len(models)} entries; {mode!r} needs "
                         f"{'two' if mode.startswith('and') else 'at least one'}.")  # fmt: skip
    if len({(*model.means.shape[:-2], model.means.shape[-1]) for model in models}) > 1:
        raise ValueError("models differ in their instances or in d; those of all must be alike.")
    if not all(0 <= validate.positive_int("an entry of keep", k, 0) <= steps for k in keep):
        raise ValueError(f"keep is {list(keep)}; every entry must be a step from 0 to {steps}.")
    means = models[0].means
    shape = (*means.shape[:-2], validate.positive_int("n_samples", n_samples), means.shape[-1])
    if validate.finite("bias", bias).shape not in ((), (1,), (len(models),)):
        raise ValueError(f"bias is {bias}; it must be a number, or one for each model.")
    bias = torch.as_tensor(bias, dtype=means.dtype).expand(len(models))
    bias = bias.view(-1, *[1] * (len(shape) - 1)).to(generator.device)

    def normal() -> Tensor:
        return torch.randn(shape, generator=generator, dtype=means.dtype, device=generator.device)

    def at(t: float, what: str, *more: Tensor) -> Tensor:
        return torch.stack([getattr(model, what)(x, t, *more) for model in models])

    x, dt = normal(), 1 / steps
    log_q, scores = at(1.0, "log_density"), at(1.0, "score")
    path = [x] if 0 in keep else []
    for step in range(steps):
        t = 1 - step * dt
        beta = noise_rate(t)
        noise = (beta * dt) ** 0.5 * normal()
        if mode == "or":
            kappa = (temperature * log_q + bias).softmax(dim=0)
        elif mode == "average":
            kappa = torch.full_like(log_q, 1 / len(models))
        else:
            bend = 0.0
            if mode == "and corrected":
                gap = scores[0] - scores[1]
                unit = gap / gap.norm(dim=-1, keepdim=True).clamp(min=1e-12)
                bend = torch.sub(*at(t, "curvature", unit))
            kappa = and_weights(scores, noise, beta * dt, bend)
        dx = beta * dt * (0.5 * x + (kappa[..., None] * scores).sum(dim=0)) + noise
        if divergence:
            log_q = log_q - 0.5 * beta * dt * at(t, "curvature")
        before, scores_before = x, scores
        x = x + dx
        scores = at(max(t - dt, 0.0), "score")
        log_q = log_q + ito_increment(dx, before, scores_before, t, dt)
        if divergence:
            log_q = log_q + 0.5 * (dx * (scores - scores_before)).sum(dim=-1)
        if step + 1 in keep:
            path.append(x)
    return SuperDiffSample(x, log_q, torch.stack(path) if path else x.new_empty(0, *shape))


def and_weights(
    scores: Float[Tensor, "2 *#batch d"],
    noise: Float[Tensor, "*batch d"],
    variance: float,
    bend: float | Float[Tensor, "*batch"] = 0.0,
) -> Float[Tensor, "2 *#batch"]:
    """κ with which both models' tracked log-densities change by the same amount in this step.

    With D = s_1 - s_2, noise of variance g² dt and κ_1 + κ_2 = 1, the two changes are equal for
    κ_1 = ½ - ⟨noise, D⟩ / (g² dt |D|²): the average of the two scores, and the noise taken out
    along D. Source: the linear system of Skreta et al. 2025, proposition 6, solved for two models.

    So x has no noise along D, and the second-order term ½ g² dt nᵀ(H_1 - H_2) n, n = D / |D|, that
    Itô's formula counts on is not there. `bend` = nᵀ(H_1 - H_2) n pays it back, with a step along n
    that is never longer than four standard deviations of the noise.
    """
    if validate.instance("scores", scores, Tensor).ndim < 2 or len(scores) != 2:
        raise ValueError(f"scores has shape {list(scores.shape)}; it must be [2, ..., d].")
    validate.tensors("floating", scores=(scores, "*two_batch d"), noise=(noise, "*batch d"))
    gap = scores[0] - scores[1]
    validate.broadcasts("noise", noise, "a score", gap)
    along = (noise * gap).sum(dim=-1)
    for name, value in (("variance", variance), ("bend", bend)):
        validate.broadcasts(name, value, "a score without its last axis", along)
    if (validate.finite("variance", variance, 0.0) == 0).any():
        raise ValueError("variance is 0; it must be above 0.")
    length = gap.square().sum(dim=-1).clamp(min=1e-12)
    most = 4 * (length / variance) ** 0.5
    repaid = torch.as_tensor(0.5 * bend).clamp(-most, most)
    first = 0.5 + (repaid - along / variance) / length
    return torch.stack([first, 1 - first])
