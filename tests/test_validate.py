"""Every error names the argument, its value and what is allowed."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import validate


@given(st.integers(max_value=0))
def test_a_count_below_its_minimum_is_named_with_its_value(value):
    with pytest.raises(ValueError, match=rf"n_features is {value}; .* at least 1"):
        validate.positive_int("n_features", value)


@pytest.mark.parametrize("value", [2.0, "3", None, True, torch.tensor(3)])
def test_a_count_must_be_a_whole_number(value):
    with pytest.raises(TypeError, match="n_features is .* whole number"):
        validate.positive_int("n_features", value)


@pytest.mark.parametrize("value", [10**9, 2**40, 10**400])
def test_a_count_that_no_memory_holds_is_refused_before_anything_is_made_of_it(value):
    with pytest.raises(ValueError, match=r"d_sae is .*; it must be below 10\*\*9"):
        validate.positive_int("d_sae", value)


def test_no_more_of_a_value_is_shown_than_a_message_can_hold():
    with pytest.raises(ValueError) as raised:
        validate.choice("mode", "x" * 100_000, ("one", "two"))
    assert len(str(raised.value)) < 2000 and "'one', 'two'" in str(raised.value)


UNCOMMON = {
    "sparse": torch.eye(2).to_sparse(),
    "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
    "eight bits": torch.ones(2, 2).to(torch.float8_e4m3fn),
    "without sign": torch.ones(2, 2).to(torch.uint64),
}
CHECKS = {
    "finite": lambda x: validate.finite("x", x),
    "as_tensor": lambda x: validate.as_tensor("x", x),
    "real": lambda x: validate.real("x", x),
    "instance": lambda x: validate.instance("x", x, torch.Tensor),
    "shape": lambda x: validate.shape("x", x, ("n", "d")),
    "tensors": lambda x: validate.tensors("any", x=(x, "n d")),
    "broadcasts": lambda x: validate.broadcasts("x", x, "y", torch.ones(2, 2)),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("uncommon", UNCOMMON)
def test_a_tensor_that_torch_cannot_compute_with_is_refused_by_every_check(check, uncommon):
    with pytest.raises(TypeError, match="x is .* must be a dense tensor of a common dtype"):
        CHECKS[check](UNCOMMON[uncommon])


@given(st.floats(width=32).filter(lambda p: not 0 <= p <= 1))
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(ValueError, match="p has 1 of 1 entries .* must be from 0 to 1"):
        validate.probability("p", value)


@given(st.floats(0, 1))
def test_every_probability_is_accepted_unchanged(value):
    assert validate.probability("p", torch.tensor(value, dtype=torch.float64)).item() == value


def test_an_error_counts_the_bad_entries_and_shows_the_first():
    with pytest.raises(ValueError, match="W has 2 of 4 entries .* the first is nan; .* finite"):
        validate.finite("W", torch.tensor([1.0, math.nan, math.inf, 0.0]))


@pytest.mark.parametrize("value", ["half", None, [1, "a"], torch.tensor([True]), torch.tensor(1j)])
def test_what_holds_no_real_numbers_is_refused(value):
    with pytest.raises(TypeError, match="p (is|has)"):
        validate.finite("p", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1])
def test_a_number_out_of_range_or_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="lr is .* from 0 to inf"):
        validate.number("lr", value, 0.0)


def test_a_letter_stands_for_one_size_throughout_a_shape():
    square = torch.zeros(3, 3)
    assert validate.shape("A", square, ("n", "n")) is square
    with pytest.raises(ValueError, match=r"A has shape \[3, 2\]; it must be \[n, n\]"):
        validate.shape("A", torch.zeros(3, 2), ("n", "n"))
    with pytest.raises(ValueError, match=r"it must be \[n_instances, 3\]"):
        validate.shape("A", torch.zeros(3), ("n_instances", 3))
    with pytest.raises(TypeError, match="A is of type list"):
        validate.shape("A", [[1.0]], ("n", "n"))


def test_a_choice_lists_what_is_allowed():
    with pytest.raises(ValueError, match="output is 'tanh'; it must be one of 'relu', 'linear'"):
        validate.choice("output", "tanh", ("relu", "linear"))


@pytest.mark.parametrize("value", [0.5, 2, torch.tensor(1.0), torch.ones(3), torch.ones(5, 2, 1)])
def test_numbers_and_tensors_of_a_fitting_shape_broadcast(value):
    validate.broadcasts("strength", value, "x", torch.zeros(2, 3))


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(3, 3), torch.ones(0), math.inf])
def test_what_does_not_broadcast_is_refused(value):
    with pytest.raises(ValueError, match="strength (has shape|is inf)"):
        validate.broadcasts("strength", value, "x", torch.zeros(2, 3))
    with pytest.raises(ValueError, match="strength is on meta and x on cpu"):
        validate.broadcasts("strength", torch.ones(3, device="meta"), "x", torch.zeros(2, 3))


def test_what_an_iterator_gives_is_taken_like_a_list():
    assert validate.items("sites", (site for site in "ab")) == ["a", "b"]
    with pytest.raises(TypeError, match="sites is of type str; it must be a list"):
        validate.items("sites", "ab")
