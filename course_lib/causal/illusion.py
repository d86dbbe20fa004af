"""Planted illusions: models whose every direction is known to be used, dormant or unread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float

CLOSE = 1e-5  # a root this near the real line counts as real, two within thrice as one


class ThreeNeurons:
    """x → h = x w_in → y = h · w_out with w_in = (1, 0, 1), w_out = (0, 2, 1): y = x.

    Neuron 1 follows x and is not read; neuron 2 is read and never moves; neuron 3 does the work.
    Patching along (e1 + e2)/√2 works as well as along e3, and yet neither e1 nor e2 does anything.
    Source: Makelov et al. 2023 (arXiv:2311.17030).

    Attributes:
        w_in, w_out: [3], in double precision.
    """

    w_in = torch.tensor([1.0, 0.0, 1.0]).double()
    w_out = torch.tensor([0.0, 2.0, 1.0]).double()

    def hidden(
        self, x: Float[Tensor, " n"], awake: float = 0.0, generator: Generator | None = None
    ) -> Float[Tensor, "n 3"]:
        """h; on a share `awake` of inputs, drawn by the generator, neuron 2 has unit noise."""
        h = x.double()[:, None] * self.w_in
        if validate.number("awake", awake, 0.0, 1.0) > 0:
            if generator is None:
                raise ValueError("generator is None; give one to draw what wakes neuron 2.")
            noise = torch.randn(len(x), generator=generator).double()
            wakes = torch.rand(len(x), generator=generator) < awake
            h[:, 1] = h[:, 1] + noise * wakes
        return h

    def output(self, h: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        return h @ self.w_out.to(h)

    def effect(self, v: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """What patching along v / ‖v‖ recovers, exactly: (v1 + v3)(2 v2 + v3) / ‖v‖²."""
        return (v @ self.w_in.to(v)) * (v @ self.w_out.to(v)) / v.square().sum(dim=-1)

    def zero_loss(self, v3: Float[Tensor, " m"]) -> Float[Tensor, "m 2 3"]:
        """All unit v with this v3 whose patch recovers exactly 1; NaN where there are less.

        (v1 + v3)(2 v2 + v3) = 1 on the sphere is an equation of fourth degree, of whose roots two
        are real at most.
        """
        found = torch.full((len(v3), 2, 3), torch.nan).double()
        for row, z in enumerate(validate.finite("v3", v3, -1.0, 1.0).double().tolist()):
            for branch, (a, b) in enumerate(_solutions(z)):
                found[row, branch] = torch.tensor([a, b, z]).double()
        return found


def _solutions(z: float) -> list[tuple[float, float]]:
    """(v1, v2) with (v1 + z)(2 v2 + z) = 1 and v1² + v2² = 1 - z².

    With s = v1 + z: v2 = (1/s - z)/2, and times 4 s² the circle is a polynomial in s.
    """
    import numpy as np

    # 4 s² ((s - z)² + z² - 1) + (1 - z s)² = 0
    roots = np.roots([4.0, -8.0 * z, 9.0 * z * z - 4.0, -2.0 * z, 1.0])
    real: list[float] = []
    for s in sorted(r.real for r in roots if abs(r.imag) < CLOSE):
        if not real or s - real[-1] > 3 * CLOSE:  # a double root comes out as two
            real.append(s)
    return [(s - z, (1 / s - z) / 2) for s in real]


class PlantedIllusion:
    """A wide ReLU layer with a true direction, and an illusory one that works exactly as well.

    Inputs x [n, n_inputs] are answered by y = x. Pairs of units relu(g x_i), relu(-g x_i), with
    gains of their own, carry each input and are read. One more pair follows input 0 strongly and is
    not read; one unit is read by answer 0 and never moves.

    Args:
        n_hidden: units; what the pairs leave over stays silent and unread.
        n_inputs: at least 1; each has the same number of pairs.
        seed: of the gains.

    Attributes:
        W_in, b_in: [n_hidden, n_inputs], [n_hidden]. W_out: [n_inputs, n_hidden]. Double precision.
        true, illusory, disconnected, dormant: [n_hidden], of norm 1, for input 0: patching along
            the first two recovers 1 of answer 0, along the last two 0, exactly.
    """

    def __init__(self, n_hidden: int = 64, n_inputs: int = 4, *, seed: int = 0) -> None:
        validate.positive_int("n_inputs", n_inputs)
        pairs = (validate.positive_int("n_hidden", n_hidden) - 3) // (2 * n_inputs)
        if pairs < 1:
            raise ValueError(
                f"n_hidden is {n_hidden}; {n_inputs} inputs need {2 * n_inputs + 3} at least."
            )
        gains = 0.5 + torch.rand(n_inputs, pairs, generator=runtime.generator(seed)).double()
        self.W_in = torch.zeros(n_hidden, n_inputs).double()
        self.W_out = torch.zeros(n_inputs, n_hidden).double()
        self.b_in = torch.zeros(n_hidden).double()
        for i, gain in enumerate(gains):
            first = 2 * pairs * i
            up, down = slice(first, first + 2 * pairs, 2), slice(first + 1, first + 2 * pairs, 2)
            self.W_in[up, i], self.W_in[down, i] = gain, -gain
            self.W_out[i, up], self.W_out[i, down] = gain, -gain
            self.W_out[i] /= gain.square().sum()
        n_used = 2 * pairs * n_inputs
        size = 2.0
        self.W_in[n_used, 0], self.W_in[n_used + 1, 0] = size, -size
        self.disconnected = torch.zeros(n_hidden).double()
        self.disconnected[n_used], self.disconnected[n_used + 1] = 0.5**0.5, -(0.5**0.5)
        self.dormant = torch.zeros(n_hidden).double()
        self.dormant[n_used + 2] = 1.0
        # Along the illusory direction x is read with size/2 and answered with W_out/√2: to make 1.
        self.W_out[0, n_used + 2] = 2 * 2**0.5 / size
        self.illusory = (self.disconnected + self.dormant) * 0.5**0.5
        self.true = self.W_out[0].clone()
        self.true[n_used:] = 0.0
        self.true /= self.true.norm()

    def hidden(self, x: Float[Tensor, "n n_inputs"]) -> Float[Tensor, "n n_hidden"]:
        return (x.double() @ self.W_in.T + self.b_in).relu()

    def output(self, h: Float[Tensor, "*n n_hidden"]) -> Float[Tensor, "*n n_inputs"]:
        return h @ self.W_out.T
