"""Equal pairs are equal, and neither variable gives the other or the answer away."""

import pytest
import torch

from course_lib.data import HierarchicalEquality
from course_lib.runtime import generator


def test_the_variables_say_which_pairs_are_equal():
    x, P, Q = HierarchicalEquality(3).sample(500, generator(0))
    a, b, c, d = x.unflatten(1, (4, 3)).unbind(1)
    assert ((a == b).all(1) == P.bool()).all() and ((c == d).all(1) == Q.bool()).all()
    assert not (a == c).any()


def test_the_answer_is_independent_of_each_variable_alone():
    _, P, Q = HierarchicalEquality().sample(20_000, generator(0))
    answer = P == Q
    for share in (answer[P == 1], answer[P == 0], answer[Q == 1], P[Q == 1]):
        assert share.double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_a_generator_fixes_the_draw():
    first, second = (HierarchicalEquality().sample(5, generator(1))[0] for _ in range(2))
    assert torch.equal(first, second)
    with pytest.raises(ValueError, match="d is 0"):
        HierarchicalEquality(0)
