"""What a reconstruction costs the model that goes on computing with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.nn import functional

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

IGNORED = -100  # a target that `nll_loss` leaves out
ABLATIONS = ("zero", "mean", "resample")


@dataclass(frozen=True)
class Downstream:
    """Cross-entropy and divergence of a model, in nats per prediction.

    Attributes:
        ce: mean cross-entropy with the targets: "clean" with the activations as they were,
            "spliced" with x̂ in their place, "zero", "mean" and "resample" with them ablated.
        kl: mean KL(clean ‖ changed) of the predictions, for all but "clean".
    """

    ce: dict[str, float]
    kl: dict[str, float]

    def ce_recovered(self, ablation: str) -> float:
        """The share of the cross-entropy lost to an ablation that x̂ wins back; 1 is all of it.

        1 - (CE_spliced - CE_clean) / (CE_ablated - CE_clean). It flatters where the ablation is
        harsh, which zero ablation mostly is: give the ablation with the number.
        Raises ValueError where the ablation costs nothing.
        """
        lost = self.ce[validate.choice("ablation", ablation, ABLATIONS)] - self.ce["clean"]
        if lost <= 0:
            raise ValueError(
                f"The {ablation} ablation changes the cross-entropy by {lost:.3g}; the model does "
                "without these activations, and there is nothing to recover."
            )
        return 1 - (self.ce["spliced"] - self.ce["clean"]) / lost

    def kl_recovered(self, ablation: str) -> float:
        """1 - KL_spliced / KL_ablated. Raises ValueError where the ablation changes nothing."""
        lost = self.kl[validate.choice("ablation", ablation, ABLATIONS)]
        if lost <= 0:
            raise ValueError(f"The {ablation} ablation changes no prediction: nothing to recover.")
        return 1 - self.kl["spliced"] / lost


@torch.no_grad()
def downstream(
    forward: Callable[[Tensor], Tensor],
    x: Float[Tensor, "*batch d_in"],
    x_hat: Float[Tensor, "*batch d_in"],
    targets: Int[Tensor, "*predictions"],
    generator: Generator,
) -> Downstream:
    """Run the rest of a model on activations, reconstructions and three ablations.

    "zero" puts 0 in the place of every activation, "mean" their mean over all inputs of the batch,
    "resample" the activation of another input, drawn without repetition (as in causal scrubbing,
    Chan et al. 2022); it leaves the statistics as they are and destroys the information.

    Args:
        forward: from activations at the site, shaped as x, to logits [*predictions, n_classes].
        x, x_hat: the activations and what the SAE makes of them.
        targets: the right class of each prediction.
        generator: of the resampling; on the device of x or on the CPU.

    Raises:
        ValueError: for shapes that do not fit, entries that are not finite, fewer than two inputs.
    """
    validate.function("forward", forward)
    validate.instance("generator", generator, Generator)
    validate.whole("targets", targets)
    validate.tensors("floating", x=(x, "*batch d_in"))
    validate.tensors(
        "any", x=(x, "*batch d_in"), x_hat=(x_hat, "*batch d_in"),
        targets=(targets, "*predictions"),
    )  # fmt: skip
    validate.shape("x_hat", validate.finite("x_hat", x_hat), validate.finite("x", x).shape)
    rows = x.flatten(end_dim=-2) if x.ndim > 1 else x[None]
    if len(rows) < 2:
        raise ValueError(f"x has {len(rows)} input; resampling needs at least two.")
    order = torch.randperm(len(rows), generator=generator, device=generator.device).to(x.device)
    resampled = torch.empty_like(rows)
    resampled[order] = rows[order.roll(1)]  # one cycle through all rows: none keeps its own
    changed = {
        "spliced": x_hat,
        "zero": torch.zeros_like(x),
        "mean": rows.mean(dim=0).expand_as(x),
        "resample": resampled.view_as(x),
    }
    clean = _log_probabilities(forward(x), targets)
    target = targets.flatten().to(clean.device).long()
    counted = target[target != IGNORED]
    validate.whole("targets", counted, 0, clean.shape[-1] - 1)
    ce, kl = {"clean": float(functional.nll_loss(clean, target))}, {}
    for name, activations in changed.items():
        log_p = _log_probabilities(forward(activations), targets)
        ce[name] = float(functional.nll_loss(log_p, target))
        kl[name] = float((clean.exp() * (clean - log_p)).sum(dim=-1).mean())
    return Downstream(ce, kl)


def _log_probabilities(logits: Tensor, targets: Tensor) -> Float[Tensor, "n n_classes"]:
    validate.instance("what forward gives", logits, Tensor)
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"forward gives logits of shape {list(logits.shape)}; for targets of shape "
            f"{list(targets.shape)} they must be [{', '.join(map(str, targets.shape))}, n_classes]."
        )
    logits = validate.finite("the logits of forward", logits)
    rows = logits.flatten(end_dim=-2)
    return (rows if rows.dtype == torch.float64 else rows.float()).log_softmax(dim=-1)
