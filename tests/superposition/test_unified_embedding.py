"""One table for all features, or a part for each; who collides is counted as it is."""

import pytest
import torch

from course_lib.data import ClickLog
from course_lib.runtime import generator
from course_lib.superposition import ClickModel, UnifiedEmbedding


def both(n_rows: int = 30) -> UnifiedEmbedding:
    layouts = torch.tensor([False, True])
    return UnifiedEmbedding(3, 40, n_rows, 4, 2, separate=layouts, seed=1)


def test_unified_features_reach_every_row_and_separate_ones_their_own_part():
    rows = UnifiedEmbedding(3, 400, 30, 4, 2, separate=torch.tensor([False, True])).rows
    for t in range(3):
        assert rows[0, t].unique().tolist() == list(range(30))
        assert rows[1, t].unique().tolist() == list(range(10 * t, 10 * t + 10))
    assert not torch.equal(rows[0, 0], rows[0, 1]), "each feature has a hash of its own"


def test_forward_looks_up_the_row_of_each_value_in_its_own_instance():
    embedding = both()
    values = torch.randint(40, (2, 5, 3), generator=generator(0))
    found = embedding(values)
    for i, b, t in torch.cartesian_prod(*map(torch.arange, values.shape)).tolist():
        row = embedding.rows[i, t, values[i, b, t]]
        assert torch.equal(found[i, b, t], embedding.table[i, row])


def test_instances_may_use_different_numbers_of_rows():
    embedding = UnifiedEmbedding(2, 500, torch.tensor([4, 9]), 3, 2)
    assert embedding.table.shape == (2, 9, 3)
    assert embedding.rows[0].max() == 3 and embedding.rows[1].max() == 8


def test_collisions_are_counted_value_by_value():
    embedding = both()
    found = embedding.collisions()
    for i, t in torch.cartesian_prod(torch.arange(2), torch.arange(3)).tolist():
        own = embedding.rows[i, t].tolist()
        others = {r for s in range(3) if s != t for r in embedding.rows[i, s].tolist()}
        within = sum(own.count(r) > 1 for r in own) / 40
        between = sum(r in others for r in own) / 40
        assert found.within[i, t].item() == pytest.approx(within)
        assert found.between[i, t].item() == pytest.approx(between)
    assert not found.between[1].any()


def test_the_logit_is_the_sum_of_the_readings_and_readouts_start_parallel():
    model = ClickModel(both(), seed=2)
    values = torch.randint(40, (2, 6, 3), generator=generator(0))
    with torch.no_grad():
        model.bias += torch.tensor([0.5, -1.0])
        rows = model.embedding(values)
        wanted = torch.einsum("ibtd,itd->ib", rows, model.theta) + model.bias[:, None]
        torch.testing.assert_close(model(values), wanted)
        assert model.angles().max() < 0.1
        model.theta[:, 1] = -model.theta[:, 0]
    torch.testing.assert_close(model.angles(), torch.full((2,), 120.0), atol=0.1, rtol=0)


def test_clicks_follow_their_law_and_the_truth_has_no_excess_loss():
    world = ClickLog(3, 50, n_instances=2, seed=4)
    values, clicks = world.sample(20_000, generator(0))
    logit = world.logit(values)
    torch.testing.assert_close(
        logit[1, 7], sum(world.effects[1, t, values[1, 7, t]] for t in (0, 1, 2))
    )
    assert (clicks.mean(1) - logit.sigmoid().mean(1)).abs().max() < 0.02
    share = (values == 0).float().mean()
    assert abs(share - world.frequency[0]) < 0.01
    torch.testing.assert_close(world.excess_loss(values, logit), torch.zeros(2))
    log_loss = torch.nn.functional.binary_cross_entropy_with_logits
    wrong = torch.zeros_like(logit)
    gap = log_loss(wrong, logit.sigmoid()) - log_loss(logit, logit.sigmoid())
    torch.testing.assert_close(world.excess_loss(values, wrong).mean(), gap)


def test_repeated_worlds_are_the_same_worlds():
    world = ClickLog(3, 50, n_instances=2, seed=4)
    again = world.repeat(3)
    assert again.n_instances == 6 and world.n_instances == 2
    assert torch.equal(again.effects[4], world.effects[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 2}, "n_rows is 2; it must be whole numbers of at least n_features = 3"),
        ({"n_rows": torch.tensor([5, 6, 7])}, r"n_rows has shape \[3\]"),
        ({"separate": torch.tensor([True])}, r"separate has shape \[1\]"),
        ({"d_embed": 0}, "d_embed is 0"),
    ],
)
def test_a_bad_argument_is_named(arguments, message):
    right = {"n_features": 3, "n_values": 9, "n_rows": 6, "d_embed": 2, "n_instances": 2}
    with pytest.raises(ValueError, match=message):
        UnifiedEmbedding(**(right | arguments))
