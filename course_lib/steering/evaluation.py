"""A steering claim, measured: likelihoods, baselines, dose and response, cost, and intervals.

The four demands of "Towards Reliable Evaluation of Behavior Steering Interventions" (Pres et al.
2024, arXiv:2410.17245): contexts like those of the use, likelihoods and not samples alone, one
scale for all behaviours, baselines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from course_lib import runtime, validate
from course_lib.steering.actions import Act
from course_lib.steering.applying import generate
from course_lib.steering.behaviours import Behaviour, Scores, divergence, plain_score, score

if TYPE_CHECKING:
    from jaxtyping import Float, Int

VECTOR, OPPOSITE, RANDOM = 0, 1, 2  # runs; from RANDOM on there is one for each random direction
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class SteeringReport:
    """What a vector does to a behaviour, and what it costs, strength by strength.

    Runs are the vector, its opposite, and then random directions of equal norm.

    Attributes:
        behaviour, source: names of what is steered and of the vector.
        strengths: [s], rising.
        clean: Scores [n] without a vector.
        prompted: Scores [n] after a prompt that asks for the behaviour; None without one.
        scores: Scores [runs, s, n].
        kl: [runs, s, m], nats per prediction in other contexts, see `divergence`.
        violations: [3, s, n], the share of generated tokens that break a rule, for the vector, its
            opposite and the first random direction; None where no rules were given.
        clean_violations: [n], without a vector.
        off_target: for each other behaviour the vector's effect on it, [s, n_other].
    """

    behaviour: str
    source: str
    strengths: Float[Tensor, " s"]
    clean: Scores = field(repr=False)
    prompted: Scores | None = field(repr=False)
    scores: Scores = field(repr=False)
    kl: Float[Tensor, "runs s m"] = field(repr=False)
    violations: Float[Tensor, "3 s n"] | None = field(repr=False)
    clean_violations: Float[Tensor, " n"] | None = field(repr=False)
    off_target: dict[str, Float[Tensor, "s n_other"]] = field(repr=False)

    @property
    def effect(self) -> Float[Tensor, "runs s n"]:
        """How much the log-odds of the behaviour rise (nats)."""
        return self.scores.log_odds - self.clean.log_odds

    @property
    def gain(self) -> Float[Tensor, "runs s n"]:
        """Change of the log-probability of what shows the behaviour."""
        return self.scores.positive - self.clean.positive

    @property
    def loss(self) -> Float[Tensor, "runs s n"]:
        """Change of the log-probability of what shows its opposite."""
        return self.scores.negative - self.clean.negative

    @property
    def prompt_effect(self) -> Float[Tensor, " n"] | None:
        """The effect of the prompt that asks for the behaviour."""
        return None if self.prompted is None else self.prompted.log_odds - self.clean.log_odds

    @property
    def of_prompt(self) -> Float[Tensor, "runs s"] | None:
        """The mean effect over that of the prompt: 1 for each behaviour is what words can do."""
        asked = self.prompt_effect
        return None if asked is None else self.effect.mean(dim=-1) / asked.mean()

    def margin(self, level: float = 0.95, seed: int = 0) -> Float[Tensor, "s 3"]:
        """By how much the vector beats random directions of equal norm: mean, low, high (nats).

        Its mean effect less the mean size of theirs; the interval resamples the contexts and the
        directions.
        """
        effect = self.effect
        draw = runtime.generator(seed)
        weights = _weights(effect.shape[-1], draw).to(effect)
        which = _weights(len(effect) - RANDOM, draw).to(effect)
        means = torch.einsum("vsn,rn->vsr", effect, weights)
        others = torch.einsum("vsr,rv->sr", means[RANDOM:].abs(), which)
        spread = _ends(means[VECTOR] - others, level)
        middle = effect[VECTOR].mean(-1) - effect[RANDOM:].mean(-1).abs().mean(0)
        return torch.cat([middle[:, None], spread], dim=-1)

    def within(self, kl: float) -> int | None:
        """The index of the last strength up to which the mean KL never passes `kl`, or None."""
        kl = validate.shape("kl", validate.as_tensor("kl", kl), ())
        affordable = (self.kl[VECTOR].mean(dim=-1) <= kl).long().cumprod(dim=0)
        return int(affordable.sum()) - 1 if affordable.any() else None

    def row(self, index: int) -> dict[str, Any]:
        """Plain numbers at one strength; with an interval they are (mean, low, high)."""
        found = {
            "source": self.source,
            "behaviour": self.behaviour,
            "strength": self.strengths[index].item(),
            "effect": estimate(self.effect[VECTOR, index]),
            "gain": estimate(self.gain[VECTOR, index]),
            "loss": estimate(self.loss[VECTOR, index]),
            "share": estimate(self.scores.share[VECTOR, index]),
            "opposite": estimate(self.effect[OPPOSITE, index]),
            "random": self.effect[RANDOM:, index].mean(-1).abs().mean().item(),
            "margin": tuple(self.margin()[index].tolist()),
            "kl": estimate(self.kl[VECTOR, index]),
            "off_target": {k: estimate(v[index]) for k, v in self.off_target.items()},
        }
        if self.prompt_effect is not None:
            found["prompt"] = estimate(self.prompt_effect)
            found["of prompt"] = self.of_prompt[VECTOR, index].item()
        if self.violations is not None:
            found["violations"] = estimate(self.violations[VECTOR, index])
            found["clean violations"] = estimate(self.clean_violations)
        return found


def evaluate(
    model: nn.Module,
    act: Act,
    behaviour: Behaviour,
    strengths: Sequence[float] | Float[Tensor, " s"],
    *,
    off_target: Sequence[Behaviour] = (),
    neutral: Int[Tensor, "m seq"] | None = None,
    n_prompt: int | None = None,
    rules: Callable[[Int[Tensor, "rows seq"]], Float[Tensor, " rows"]] | None = None,
    n_new: int = 20,
    n_random: int = 8,
    seed: int = 0,
    rows: int = 512,
) -> SteeringReport:
    """Measure an act on a behaviour, with its controls.

    Args:
        strengths: above 0 and rising; the opposite and the random directions get the same.
        off_target: behaviours that should stay as they are.
        neutral: contexts for the KL; those of the behaviour if None.
        n_prompt: how many of their tokens are prompt, for rules that speak of it; all if None.
        rules: the share of broken rules in [rows, seq + n_new] tokens, whose first are the
            behaviour's contexts; `impossible` with a world, for one. None to generate nothing.
        n_new: tokens generated for that, at temperature 1.
        n_random: random directions.
        seed: of the directions and of what is generated.

    Raises ValueError for strengths that do not rise from above 0.
    """
    validate.instance("model", model, nn.Module)
    validate.instance("behaviour", behaviour, Behaviour)
    validate.like("act", act, "check", "change")
    off_target = validate.items("off_target", off_target)
    for other in off_target:
        validate.instance("an entry of off_target", other, Behaviour)
    values = validate.finite("strengths", strengths).float().flatten()
    if len(values) == 0 or values[0] <= 0 or (values.diff() <= 0).any():
        raise ValueError(f"strengths is {values.tolist()}; they must be above 0 and rise.")
    draw = runtime.generator(seed)
    randoms = [act.random(draw) for _ in range(validate.positive_int("n_random", n_random))]
    acts = [act, act.opposite(), *randoms]
    violations = clean_violations = None
    if rules is not None:
        chance = {"temperature": 1.0, "rows": rows}
        prompts = behaviour.prompts
        texts = generate(
            model, prompts, n_new, acts[:3], values, generator=runtime.generator(seed), **chance
        )
        violations = rules(texts.flatten(0, 2)).view(texts.shape[:3])
        clean_violations = rules(
            generate(model, prompts, n_new, generator=runtime.generator(seed), **chance)
        )
    return SteeringReport(
        behaviour=behaviour.name,
        source=act.source,
        strengths=values,
        clean=plain_score(model, behaviour),
        prompted=(
            plain_score(model, behaviour, prompted=True) if behaviour.prompted is not None else None
        ),
        scores=score(model, acts, behaviour, values, rows=rows),
        kl=divergence(
            model,
            acts,
            behaviour.prompts if neutral is None else neutral,
            values,
            n_prompt=n_prompt,
            rows=rows,
        ),
        violations=violations,
        clean_violations=clean_violations,
        off_target={
            other.name: score(model, [act], other, values, rows=rows).log_odds[0]
            - plain_score(model, other).log_odds
            for other in off_target
        },
    )


def compare(reports: Sequence[SteeringReport], kl: float) -> list[dict[str, Any]]:
    """A row for each report, at the largest of its strengths that costs no more than `kl` nats.

    So methods whose vectors differ in length are compared at what they cost. A report none of whose
    strengths is affordable gives a row with its names and the strength None.
    """
    rows = []
    for report in validate.items("reports", reports):
        validate.instance("an entry of reports", report, SteeringReport)
        index = report.within(kl)
        names = {"source": report.source, "behaviour": report.behaviour, "strength": None}
        rows.append(names if index is None else report.row(index))
    return rows


def interval(
    values: Float[Tensor, "*cells n"], level: float = 0.95, seed: int = 0
) -> Float[Tensor, "*cells 2"]:
    """The bootstrap interval of the mean over the last axis, 1,000 resamples of the contexts."""
    values = validate.finite("values", values)
    validate.tensors("any", values=(values, "*cells n"))
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    weights = _weights(values.shape[-1], runtime.generator(seed)).to(values)
    return _ends(values @ weights.T, level)


def estimate(values: Float[Tensor, " n"]) -> tuple[float, float, float]:
    """Mean, and the ends of its interval."""
    validate.tensors("floating", values=(values, "n"))
    return (values.mean().item(), *interval(values).tolist())


def fit_exponent(
    strengths: Float[Tensor, " s"], kl: Float[Tensor, "*cells s"]
) -> Float[Tensor, "*cells"]:
    """p in KL ∝ strength^p, by least squares on the logarithms.

    2 where the strengths are small: a divergence has its least value at strength 0.
    """
    x = validate.finite("strengths", strengths).double().log()
    x = x - x.mean()
    kl = validate.finite("kl", kl, low=1e-300)
    validate.tensors("any", strengths=(x, "s"), kl=(kl, "*cells s"))
    return (kl.double().log() @ x / x.square().sum()).to(kl)


def _weights(n: int, generator: torch.Generator) -> Float[Tensor, "resamples n"]:
    """How often each of n is drawn in a resample, over n."""
    drawn = torch.randint(n, (RESAMPLES, n), generator=generator)
    return torch.zeros(RESAMPLES, n).scatter_add_(1, drawn, torch.ones(RESAMPLES, n)) / n


def _ends(means: Float[Tensor, "*cells resamples"], level: float) -> Float[Tensor, "*cells 2"]:
    tail = (1 - validate.number("level", level, 0.0, 1.0)) / 2
    ends = means.quantile(torch.tensor([tail, 1 - tail]).to(means), dim=-1)
    return ends.movedim(0, -1)
