"""Questions are answered by their three variables, and the ceiling is what counting gives."""

from itertools import combinations, product

import pytest
import torch

from course_lib.data import TripleRules, k_sparse_codes
from course_lib.runtime import generator


@pytest.mark.parametrize("rule", ["majority", "parity"])
def test_an_answer_is_the_rule_over_the_three_signed_variables(rule):
    world = TripleRules(n_variables=6, n_questions=4, rule=rule, n_instances=2, seed=3)
    x, question, answer = world.sample(50, generator(0))
    assert x.shape == (2, 50, 6) and question.shape == answer.shape == (2, 50)
    for w, (scenes, asked, answers) in enumerate(zip(x, question, answer, strict=True)):
        for scene, q, yes in zip(scenes, asked.tolist(), answers.tolist(), strict=True):
            values = scene[world.triples[w, q]] * world.signs[w, q]
            ones = sum(v.item() > 0 for v in values)
            assert yes == (ones >= 2 if rule == "majority" else (3 - ones) % 2 == 0)


def test_variables_are_fair_triples_have_three_members_and_seeds_differ():
    world = TripleRules(n_instances=5)
    x, question, answer = world.sample(4000, generator(0))
    assert set(x.unique().tolist()) == {-1.0, 1.0} and x.mean().abs() < 0.01
    assert abs(answer.mean().item() - 0.5) < 0.03
    assert question.unique().tolist() == list(range(8))
    assert all(len(set(triple)) == 3 for triple in world.triples.flatten(0, 1).tolist())
    assert not torch.equal(world.triples, TripleRules(n_instances=5, seed=1).triples)


@pytest.mark.parametrize("rule", ["majority", "parity"])
def test_the_ceiling_is_that_of_the_best_table_over_the_best_subset(rule):
    world = TripleRules(rule=rule)
    patterns = list(product((-1, 1), repeat=3))

    def truth(p):
        return sum(p) > 0 if rule == "majority" else p[0] * p[1] * p[2] > 0

    for k in range(4):
        best = 0
        for seen in combinations(range(3), k):
            for table in product((False, True), repeat=2**k):
                views = list(product((-1, 1), repeat=k))
                guess = dict(zip(views, table, strict=True))
                right = sum(guess[tuple(p[i] for i in seen)] == truth(p) for p in patterns)
                best = max(best, right / 8)
        assert world.ceiling(k) == best
    assert world.ceiling(7) == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_variables": 2}, "n_variables is 2"),
        ({"rule": "and"}, "rule is 'and'; it must be one of 'majority', 'parity'"),
        ({"n_questions": 0}, "n_questions is 0"),
        ({"n_instances": 0}, "n_instances is 0"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        TripleRules(**change)


def test_codes_have_exactly_k_active_features_of_either_sign_anywhere():
    z = k_sparse_codes(40, 50, n_features=9, k=3, generator=generator(0))
    assert z.shape == (40, 50, 9) and ((z != 0).sum(-1) == 3).all()
    sizes = z[z != 0].abs()
    assert (
        sizes.min() >= 0.2 and sizes.max() <= 1.2 and sizes.mean() == pytest.approx(0.7, abs=0.02)
    )
    assert abs((z > 0).float().sum() / (z != 0).sum() - 0.5) < 0.02
    assert ((z != 0).float().mean((0, 1)) - 1 / 3).abs().max() < 0.05


def test_more_active_features_than_there_are_is_refused():
    with pytest.raises(ValueError, match="k is 4; it must be at most n_features = 3"):
        k_sparse_codes(2, n_features=3, k=4, generator=generator(0))
