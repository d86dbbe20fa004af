"""Logistic regression, two classes or more: one by scikit-learn, many at once in torch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.moments import precise
from course_lib.probes.readouts import Linear

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CHUNK = 2**18  # logits that are held at a time: what a core's cache holds
MEMORY = 8  # pairs of steps and changes that L-BFGS remembers
MAX_STEPS = 300
SLOPES = (-0.9, 0.5)  # a step is long enough, and not too long, between these times the first slope


def logistic(
    x: Float[Tensor, "g n d_model"], y: Int[Tensor, "g m n"], n_classes: int, C: float = 1.0
) -> Linear:
    """The minimum of ½‖w‖² + C Σ -log p(y | x), the intercept not penalised, for every problem.

    That is scikit-learn's `LogisticRegression(C=C)`. Of more than two classes, p is a softmax.
    Rows whose y is -1 take no part.
    """
    if not validate.number("C", C, 0.0) > 0:
        raise ValueError(f"C is {C}; it must be above 0 (1 / C is the penalty).")
    n_outputs = 1 if n_classes == 2 else n_classes
    g, m, n = y.shape
    if g * m == 1 and x.device.type == "cpu":
        W, b = _by_scikit_learn(x[0], y[0, 0], C)
        W, b = W[None, None], b[None, None]
    else:
        W, b = x.new_empty(g, m, n_outputs, x.shape[-1]), x.new_empty(g, m, n_outputs)
        unfinished = 0
        m_step = max(CHUNK // (n * n_outputs), 1)
        g_step = max(m_step // m, 1)
        for i in range(0, g, g_step):
            problem = _Problems(x[i : i + g_step], C, n_outputs)
            for j in range(0, m, m_step):
                here = slice(i, i + g_step), slice(j, j + m_step)
                W[here], b[here], left = problem.solve(y[here])
                unfinished += left
        if unfinished:
            warnings.warn(
                f"{unfinished} of {g * m} probes stopped before their optimum; lower C, or give x "
                "in float64.",
                stacklevel=2,
            )
    return Linear(n_classes, W, b) if n_classes > 2 else Linear(2, W[:, :, 0], b[:, :, 0])


def _by_scikit_learn(x: Tensor, y: Tensor, C: float) -> tuple[Tensor, Tensor]:
    from sklearn.linear_model import LogisticRegression

    there = y != NONE
    fitted = LogisticRegression(C=C, tol=1e-6, max_iter=10_000).fit(
        x[there].double().numpy(), y[there].numpy()
    )
    return x.new_tensor(fitted.coef_), x.new_tensor(fitted.intercept_)


class _Problems:
    """Problems on the same g x's, solved side by side by L-BFGS.

    x is turned to its principal axes, which leaves the penalty as it is and makes the Hessian
    nearly diagonal: C c Λ + penalty, Λ the sums of squares along the axes and c the mean curvature
    of the loss, 1/4 for two classes at first (the bound of Böhning 1992) and then what the last
    step met.
    """

    def __init__(self, x: Float[Tensor, "g n d_model"], C: float, n_outputs: int) -> None:
        self.C, self.n_outputs = C, n_outputs
        self.mean = x.mean(1, keepdim=True)
        x = x - self.mean
        values, axes = torch.linalg.eigh(precise(x).mT @ precise(x))
        used = (values > 1e-13 * values[:, -1:]).any(0)  # where n < d_model, axes without data
        self.axes = axes[:, :, used].to(x.dtype)
        self.x = F.pad(x @ self.axes, (0, 1), value=1.0)
        self.squares = F.pad(values[:, used], (0, 1), value=float(x.shape[1])).to(x.dtype)
        self.squares = C * self.squares[:, None, None]
        self.penalty = torch.ones_like(self.x[0, 0])
        self.penalty[-1] = 0.0
        self.metric = self.squares.maximum(self.penalty)
        self.tolerance = 1e-7 if x.dtype == torch.float64 else 1e-5

    def solve(
        self, y: Int[Tensor, "g m n"]
    ) -> tuple[Float[Tensor, "g m k d_model"], Float[Tensor, "g m k"], int]:
        """Directions, biases, and how many of the problems have not reached their optimum."""
        first = 1 if self.n_outputs == 1 else 0
        classes = torch.arange(first, first + self.n_outputs, device=y.device)
        target = (y[:, :, None] == classes[:, None]).to(self.x.dtype)
        there = y != NONE
        weight = None if there.all() else there.to(self.x.dtype)[:, :, None]
        theta, left = self._minimise(target, weight)
        W = (theta[..., :-1].flatten(1, 2) @ self.axes.mT).unflatten(1, theta.shape[1:3])
        return W, theta[..., -1] - (W * self.mean[:, None]).sum(-1), left

    def _gradient(
        self, theta: Tensor, target: Tensor, weight: Tensor | None
    ) -> Float[Tensor, "g m k d_model+1"]:
        p = (theta.flatten(1, 2) @ self.x.mT).view(*theta.shape[:3], -1)
        p = p.sigmoid_() if self.n_outputs == 1 else p.softmax(2)
        p -= target
        if weight is not None:
            p *= weight
        gradient = (p.flatten(1, 2) @ self.x).view_as(theta)
        return gradient.mul_(self.C).addcmul_(self.penalty, theta)

    def _minimise(self, target: Tensor, weight: Tensor | None) -> tuple[Tensor, int]:
        theta = self.x.new_zeros(*target.shape[:3], self.x.shape[-1])
        gradient = first = self._gradient(theta, target, weight)
        memory: list[tuple[Tensor, Tensor, Tensor]] = []
        curvature = torch.full_like(theta[..., :1, :1], 0.25 if self.n_outputs == 1 else 0.5)
        for _ in range(MAX_STEPS):
            hessian = curvature * self.squares + self.penalty
            direction = _two_loops(gradient, memory, hessian)
            length = -_inner(gradient, direction)  # squared, in units of the loss's own curvature
            done = length <= self.tolerance**2 * -_inner(theta, first)
            if done.all():
                return theta, 0
            old = theta, gradient
            theta, gradient = self._line_search(
                theta, direction.masked_fill_(done, 0.0), gradient, target, weight
            )
            step, change = theta - old[0], gradient - old[1]
            inner = _inner(step, change)
            inverse = (1 / inner).where(inner > 0, 0.0)
            memory = [*memory[-MEMORY + 1 :], (step, change, inverse)]
            of_loss = change - self.penalty * step
            met = _inner(of_loss, of_loss / self.metric) / _inner(step, of_loss)
            curvature = met.where(met > 0, curvature)
        return theta, int((~done).sum())

    def _line_search(
        self, theta: Tensor, direction: Tensor, gradient: Tensor, target: Tensor,
        weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Along `direction` until the slope is near 0; the loss is convex, so it has gone down."""
        slope = _inner(gradient, direction)
        t = torch.ones_like(slope)
        for _ in range(10):
            new = theta + t * direction
            new_gradient = self._gradient(new, target, weight)
            ratio = _inner(new_gradient, direction) / -slope
            bad = (ratio < SLOPES[0]) | (ratio > SLOPES[1])
            if not bad.any():
                break
            t = torch.where(bad, t * (1 / (1 + ratio)).clamp(0.05, 10), t)
        return new, new_gradient


def _two_loops(
    gradient: Tensor, memory: list[tuple[Tensor, Tensor, Tensor]], hessian: Tensor
) -> Tensor:
    """The step of L-BFGS (Nocedal & Wright, Algorithm 7.4) from a diagonal Hessian."""
    q, parts = gradient.clone(), []
    for step, change, inverse in reversed(memory):
        parts.append(inverse * _inner(step, q))
        q -= parts[-1] * change
    q /= hessian
    for (step, change, inverse), part in zip(memory, reversed(parts), strict=True):
        q += (part - inverse * _inner(change, q)) * step
    return q.neg_()


def _inner(a: Tensor, b: Tensor) -> Float[Tensor, "g m 1 1"]:
    return (a * b).sum((-2, -1), keepdim=True)
