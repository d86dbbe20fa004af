"""How a loss falls with size: power laws, fitted with what they leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class PowerLaw:
    """L = scale · size^-exponent, one for each curve.

    Attributes:
        exponent: [*curves], positive where the loss falls.
        scale: [*curves], the fitted loss at size 1.
        r2: [*curves], share of the variance of log L that the line explains.
        margin: [*curves], the exponent's confidence interval is exponent ± margin.
    """

    exponent: Float[Tensor, "*curves"]
    scale: Float[Tensor, "*curves"]
    r2: Float[Tensor, "*curves"]
    margin: Float[Tensor, "*curves"]
    _center: float
    _spread: float
    _n_sizes: int

    def __call__(self, sizes: Float[Tensor, " n_sizes"]) -> Float[Tensor, "*curves n_sizes"]:
        """The fitted loss at `sizes`."""
        sizes = validate.finite("sizes", sizes).to(self.scale)
        return self.scale[..., None] * sizes ** -self.exponent[..., None]

    def band(
        self, sizes: Float[Tensor, " n_sizes"]
    ) -> tuple[Float[Tensor, "*curves n_sizes"], Float[Tensor, "*curves n_sizes"]]:
        """Lower and upper end of the confidence band of the fitted line at `sizes`.

        Narrowest in the middle of the fitted sizes, and of no use far beyond them.
        """
        fitted = self(sizes)
        distance = validate.finite("sizes", sizes).to(fitted).log() - self._center
        width = self.margin[..., None] * (self._spread / self._n_sizes + distance.square()).sqrt()
        return fitted * (-width).exp(), fitted * width.exp()


def fit_power_law(
    sizes: Float[Tensor, " n_sizes"],
    loss: Float[Tensor, "*curves n_sizes"],
    confidence: float = 0.95,
) -> PowerLaw:
    """Least squares of log loss on log size, for any number of curves over the same sizes.

    The intervals are Student's with n_sizes - 2 degrees of freedom. They take the deviations from
    the line for independent noise: where the true curve bends, they are too narrow.

    Raises ValueError for fewer than three different sizes, for sizes or losses that are not
    positive, and for a confidence outside (0, 1).
    """
    from scipy import stats

    sizes = validate.finite("sizes", sizes).detach().cpu().double()
    loss = validate.finite("loss", loss).detach().cpu().double()
    validate.shape("sizes", sizes, ("n_sizes",))
    n = len(sizes)
    if n < 3 or len(sizes.unique()) < n:
        raise ValueError(f"sizes are {sizes.tolist()}; give at least 3, all different.")
    if loss.shape[-1:] != (n,):
        raise ValueError(f"loss has shape {list(loss.shape)}; it must end in {n}, one per size.")
    for name, values in (("sizes", sizes), ("loss", loss)):
        if (values <= 0).any():
            raise ValueError(
                f"{name} has an entry of {values.min():g}; every entry must be above 0."
            )
    if not 0 < validate.number("confidence", confidence) < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1.")

    x, y = sizes.log(), loss.log()
    center, level = x.mean(), y.mean(dim=-1, keepdim=True)
    spread = (x - center).square().sum()
    slope = ((x - center) * (y - level)).sum(dim=-1) / spread
    residual = y - level - slope[..., None] * (x - center)
    left, total = residual.square().sum(dim=-1), (y - level).square().sum(dim=-1)
    error = (left / (n - 2) / spread).sqrt()
    return PowerLaw(
        exponent=-slope,
        scale=(level[..., 0] - slope * center).exp(),
        r2=1 - left / total.where(total > 0, 1.0),
        margin=error * float(stats.t.ppf((1 + confidence) / 2, n - 2)),
        _center=center.item(),
        _spread=spread.item(),
        _n_sizes=n,
    )
