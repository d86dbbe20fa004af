"""Dose and response: cells are those of `score`, and a share's interval is Wilson's."""

import pytest
import torch
from scipy.stats import binomtest

from course_lib.steering import (
    Behaviour,
    SteeringVector,
    TokenRule,
    dose_response,
    plain_score,
    score,
    share_interval,
)
from tests.steering.small import MODEL, TOKENS, D, normal

YES, NO = torch.tensor([1, 4]), torch.tensor([2])
STRENGTHS = [0.5, 3.0]


def groups():
    return [Behaviour("one", TOKENS[:, :4], YES, NO), Behaviour("two", TOKENS[:, 3:], YES, NO)]


def acts():
    rule = TokenRule("last")
    sites = ("blocks.0.resid_post", "blocks.1.resid_post", "blocks.2.resid_post")
    return [SteeringVector(normal(D, seed=i), site, tokens=rule) for i, site in enumerate(sites)]


def test_every_cell_is_the_score_of_its_group():
    found = dose_response(MODEL, acts(), groups(), STRENGTHS)
    assert found.log_odds.shape == (3, 2, 2, 3) and found.clean.shape == (2, 3)
    for g, group in enumerate(groups()):
        alone = score(MODEL, acts(), group, STRENGTHS).log_odds
        assert torch.equal(found.log_odds[:, g], alone)
        assert torch.equal(found.clean[g], plain_score(MODEL, group).log_odds)
    assert torch.equal(found.share, (found.log_odds > 0).float().mean(-1))
    assert 0 < found.share.mean() < 1
    assert torch.equal(found.interval(), share_interval(found.won))


def test_groups_of_two_sizes_or_none_are_refused():
    with pytest.raises(ValueError, match=r"groups have \[2, 3\] contexts"):
        dose_response(MODEL, acts(), [groups()[0], Behaviour("s", TOKENS[:2], YES, NO)], STRENGTHS)
    with pytest.raises(ValueError, match=r"groups have \[\] contexts"):
        dose_response(MODEL, acts(), [], STRENGTHS)


@pytest.mark.parametrize("n, k", [(1, 0), (8, 8), (8, 3), (100, 80), (48, 0)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_is_that_of_scipy(n, k, level):
    wanted = binomtest(k, n).proportion_ci(level, method="wilson")
    found = share_interval(torch.arange(n) < k, level)
    assert found.tolist() == pytest.approx([wanted.low, wanted.high], abs=1e-6)


def test_intervals_keep_the_cells_and_name_what_is_no_success():
    assert share_interval(torch.ones(2, 3, 5) > 0).shape == (2, 3, 2)
    with pytest.raises(ValueError, match="won has dtype torch.float32"):
        share_interval(torch.ones(4))
    with pytest.raises(ValueError, match="level is 1"):
        share_interval(torch.ones(4) > 0, 1.0)
