"""A rule means the same tokens whether they are read at once or in several passes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.steering import TokenRule
from course_lib.steering.tokens import PARTS

TOKENS = torch.randint(0, 5, (3, 9), generator=torch.Generator().manual_seed(0))


def by_hand(rule, n_prompt):
    """What the docstring says, token by token."""
    ends = [n_prompt] * 3 if isinstance(n_prompt, int) else n_prompt.tolist()
    mask = torch.zeros(3, 9, dtype=torch.bool)
    for row in range(3):
        for place in range(9):
            parts = {
                "all": True, "prompt": place < ends[row], "last": place == ends[row] - 1,
                "new": place >= ends[row], "answer": place >= ends[row] - 1,
            }  # fmt: skip
            token = int(TOKENS[row, place])
            mask[row, place] = (
                parts[rule.part] and place >= rule.skip and (not rule.only or token in rule.only)
            )
    return mask


@settings(deadline=None)
@given(
    part=st.sampled_from(PARTS), only=st.sampled_from([(), (1,), (0, 3)]), skip=st.integers(0, 4),
    cut=st.integers(1, 8), each=st.booleans(),
)  # fmt: skip
def test_a_rule_means_what_it_says_in_one_pass_and_in_several(part, only, skip, cut, each):
    rule = TokenRule(part, only, skip)
    n_prompt = torch.tensor([2, 5, 9]) if each else 4
    whole = rule.mask(TOKENS, torch.arange(9), n_prompt)
    assert torch.equal(whole, by_hand(rule, n_prompt))
    passes = [
        rule.mask(TOKENS[:, a:b], torch.arange(a, b), n_prompt) for a, b in ((0, cut), (cut, 9))
    ]
    assert torch.equal(torch.cat(passes, dim=1), whole)


def test_a_rule_that_speaks_of_the_prompt_needs_its_length():
    with pytest.raises(ValueError, match="n_prompt is None; to tell which tokens are 'new'"):
        TokenRule("new").mask(TOKENS, torch.arange(9))
    assert TokenRule(only=(1,)).mask(TOKENS, torch.arange(9)).any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"part": "end"}, ValueError, "part is 'end'"),
        ({"skip": -1}, ValueError, "skip is -1"),
        ({"only": (-1,)}, ValueError, "an entry of only is -1"),
        ({"only": ("the",)}, TypeError, "an entry of only is 'the'"),
    ],
)
def test_a_rule_that_means_nothing_is_an_error(arguments, error, message):
    with pytest.raises(error, match=message):
        TokenRule(**arguments)
