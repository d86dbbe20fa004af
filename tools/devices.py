"""How far the same computation may come out apart on two devices: one table, for tests and book."""

from dataclasses import dataclass
from pathlib import Path

from tools.markdown import table


@dataclass(frozen=True)
class Tolerance:
    """The largest difference allowed, in units of the largest entry of the tensor, and its reason.

    Of float32 with full products; TF32, which torch leaves off, is coarser.
    """

    bound: float
    what: str
    why: str


TOLERANCES = {
    "pass": Tolerance(
        1e-5,
        "Latents, reconstructions, losses and gradients of every SAE architecture",
        "a few roundings of float32, 6e-8 each, in sums that each device adds up in its own order",
    ),
    "training": Tolerance(
        1e-4,
        "Weights and losses after 50 steps of training, of toy models and SAEs",
        "Adam divides by the size of the gradient, so a small gradient's rounding is no small step",
    ),
    "probes": Tolerance(
        1e-4,
        "Scores of probes, and what LEACE leaves",
        "logistic regression stops when a step is below 1e-5; the others are formulas, in float64 "
        "where the device has it",
    ),
    "geometry": Tolerance(
        1e-6,
        "The causal inner product",
        "computed in float64, on the CPU where the device has none (MPS), and rounded once",
    ),
    "hooks": Tolerance(
        1e-5,
        "Activations that are harvested, logits of a model that is steered",
        "a few roundings per layer, as in a pass without hooks",
    ),
}


def tolerance_table(root: Path, page: Path) -> str:
    """What `tests/devices` holds each device to."""
    rows = [(t.what, f"{t.bound:.0e}", t.why) for t in TOLERANCES.values()]
    return table(("What", "Apart by at most", "Because"), rows)


GENERATORS = {"devices": tolerance_table}
