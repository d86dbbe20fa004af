"""Exercise 4: refute the claim that nothing is left of what a pursuit has taken."""

from __future__ import annotations

from typing import Any

from torch import Generator, Tensor

from course_lib.checks.beyond_flat.worlds import slow_pursuit
from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

CLOSE, OVERLAP = 0.95, 0.1


@exercise("beyond_flat.counterexample", "Nothing is left of what was taken")
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "Atoms of norm 1, no two of them nearly the same or opposite: |cos| <= 0.95",
            {},
            lambda attempt: attempt(),
            _judge_atoms,
            "With two atoms in one line the second would be no second atom.",
        ),
        Case(
            "After two steps something is left along the atom taken first",
            {},
            lambda attempt: attempt(),
            _judge_left,
            "After step 1 the residual is orthogonal to atom 1. Step 2 subtracts a multiple of "
            "atom 2 from it. When does that bring atom 1 back in?",
        ),
        Case(
            "A later step takes an atom for the second time",
            {},
            lambda attempt: attempt(),
            _judge_again,
            "A step is taken only where the product is positive. What sign has the product of "
            "atom 1 with atom 2 if subtracting atom 2 leaves something *along* atom 1?",
        ),
    ]


def _malformed(answer: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        got = "None" if answer is None else f"a {type(answer).__name__}"
        return f"it returned {got}; return two tensors, (D, x)"
    D, x = answer
    if not isinstance(D, Tensor) or D.ndim != 2 or 0 in D.shape:
        got = f"of shape {list(D.shape)}" if isinstance(D, Tensor) else f"a {type(D).__name__}"
        return f"D is {got}; it must be a tensor of shape [n_atoms, d_in]"
    problem = not_a_tensor(D, D.shape, "n_atoms, d_in", "as D it") or not_a_tensor(
        x, D.shape[1:], "d_in", "as x it"
    )
    if problem:
        return problem
    if not x.any():
        return "x is 0; there is nothing to take"
    return None


def _judge_atoms(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    D = answer[0].detach().double()
    off = (D.norm(dim=-1) - 1).abs()
    if off.max() > 1e-3:
        return f"atom {int(off.argmax())} has norm {D[off.argmax()].norm():.3f}; it must be 1"
    cosines = (D @ D.T).fill_diagonal_(0).abs()
    if cosines.max() > CLOSE:
        i, j = divmod(int(cosines.argmax()), len(D))
        return f"atoms {min(i, j)} and {max(i, j)} have |cos| = {cosines.max():.2f}"
    return None


def _run(answer: Any, n_steps: int) -> tuple[Tensor, Tensor, list[int]]:
    D, x = (part.detach().double() for part in answer)
    _, left, taken = slow_pursuit(x[None], D, n_steps)
    return D, left[0], taken[0]


def _judge_left(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    D, left, taken = _run(answer, 2)
    if len(taken) < 2:
        return f"the pursuit stops after {len(taken)} step(s); there is no second atom"
    along = (left @ D[taken[0]]).abs().item()
    share = along / answer[1].detach().double().norm().item()
    if share >= OVERLAP * (1 - 1e-6):
        return None
    return (
        f"the pursuit takes atom {taken[0]}, then {taken[1]}, and has {along:.3f} left along atom "
        f"{taken[0]}, {share:.1%} of the length of x; {OVERLAP:.0%} or more is needed"
    )


def _judge_again(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    steps = 2 * len(answer[0]) + 1
    taken = _run(answer, steps)[2]
    distinct = len(set(taken))
    if distinct < len(taken):
        return None
    path = ", ".join(map(str, taken)) or "no atom at all"
    return f"the pursuit takes {path} and stops; no atom comes twice"
