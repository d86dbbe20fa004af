"""Reports are right where the answer is known: in the last layer a vector's effect is algebra."""

from dataclasses import replace

import pytest
import torch

from course_lib.data import StoryWorld
from course_lib.models import load
from course_lib.runtime import generator
from course_lib.steering import (
    Action,
    Behaviour,
    SteeringVector,
    TokenRule,
    compare,
    estimate,
    evaluate,
    find_vectors,
    fit_exponent,
    impossible,
    interval,
    story_behaviour,
)
from course_lib.steering.evaluation import OPPOSITE, RANDOM, VECTOR
from tests.steering.small import MODEL, TOKENS, normal

PROMPTS = torch.randint(0, 11, (20, 5), generator=generator(3))
W = MODEL.unembed.weight.detach()
BEHAVIOUR = Behaviour("b", PROMPTS, torch.tensor([1]), torch.tensor([2]), prompted=PROMPTS + 0)
OTHER = Behaviour("other", PROMPTS[:7], torch.tensor([3]), torch.tensor([4]))
LAST = SteeringVector(0.3 * (W[1] - W[2]), "ln_final", source="read-out")
STRENGTHS = [0.5, 1.0, 2.0]
REPORT = evaluate(
    MODEL, LAST, BEHAVIOUR, STRENGTHS, off_target=[OTHER], neutral=TOKENS, n_random=6,
    rules=lambda tokens: (tokens[:, 5:] == 1).float().mean(dim=1), n_new=4,
)  # fmt: skip


def test_at_the_last_layer_the_effect_is_the_vectors_product_with_the_read_out():
    s = torch.tensor(STRENGTHS)
    for run, sign in ((VECTOR, 1), (OPPOSITE, -1)):
        expected = sign * s * (LAST.delta @ (W[1] - W[2]))
        torch.testing.assert_close(
            REPORT.effect[run], expected[:, None].expand(3, 20), rtol=1e-3, atol=1e-4
        )
    off = s * (LAST.delta @ (W[3] - W[4]))
    torch.testing.assert_close(
        REPORT.off_target["other"], off[:, None].expand(3, 7), rtol=1e-3, atol=1e-4
    )
    torch.testing.assert_close(REPORT.gain - REPORT.loss, REPORT.effect)
    torch.testing.assert_close(REPORT.prompt_effect, torch.zeros(20))


def test_every_run_is_there_and_the_random_ones_have_the_norm():
    assert REPORT.effect.shape == (8, 3, 20) and REPORT.kl.shape == (8, 3, 3)
    assert REPORT.violations.shape == (3, 3, 20) and REPORT.clean_violations.shape == (20,)
    again = evaluate(MODEL, LAST, BEHAVIOUR, STRENGTHS, n_random=6)
    assert torch.equal(again.effect, REPORT.effect)
    assert again.violations is None and again.off_target == {}
    other = evaluate(MODEL, LAST, BEHAVIOUR, STRENGTHS, n_random=6, seed=1)
    assert torch.equal(other.effect[:RANDOM], REPORT.effect[:RANDOM])
    assert not torch.equal(other.effect[RANDOM:], REPORT.effect[RANDOM:])


def test_the_margin_over_random_directions_is_the_gap_of_the_means():
    margin = REPORT.margin()
    means = REPORT.effect.mean(-1)
    expected = means[VECTOR] - means[RANDOM:].abs().mean(0)
    torch.testing.assert_close(margin[:, 0], expected)
    assert (margin[:, 1] < margin[:, 0]).all() and (margin[:, 0] < margin[:, 2]).all()
    assert (margin[:, 1] > 0).all()
    random = replace(LAST, vector=LAST.random(generator(9)).vector)
    chance = evaluate(MODEL, random, BEHAVIOUR, [1.0], n_random=30)
    mean, low, _ = chance.margin()[0].tolist()
    size = chance.effect[RANDOM:].mean(-1).abs().mean().item()
    assert abs(mean) < 3 * size and low < 2 * size  # one random direction is like another


def test_random_directions_count_by_size_whatever_their_sign():
    effects = torch.tensor([3.0, -3.0, 1.0, -1.0, 1.0, -1.0]).view(6, 1, 1)
    told = replace(REPORT.scores, positive=effects.expand(6, 3, 20), negative=torch.zeros(6, 3, 20))
    clean = replace(REPORT.clean, positive=torch.zeros(20), negative=torch.zeros(20))
    margin = replace(REPORT, scores=told, clean=clean).margin()
    torch.testing.assert_close(margin, torch.full((3, 3), 2.0))


def test_a_budget_ends_where_the_divergence_first_passes_it():
    kl = REPORT.kl[VECTOR].mean(-1)
    assert (kl.diff() > 0).all()
    assert REPORT.within(kl[1].item()) == 1
    assert REPORT.within(kl[0].item() / 2) is None
    assert REPORT.within(1e9) == 2
    returning = replace(REPORT, kl=torch.tensor([0.1, 5.0, 0.1]).expand(8, 3)[..., None])
    assert returning.within(1.0) == 0


def test_rows_say_all_in_plain_numbers():
    row = REPORT.row(1)
    assert row["strength"] == 1.0 and row["source"] == "read-out" and row["behaviour"] == "b"
    for key in ("effect", "gain", "loss", "share", "opposite", "margin", "kl", "prompt"):
        mean, low, high = row[key]
        assert low - 1e-6 <= mean <= high + 1e-6
    asked = replace(REPORT, prompted=replace(REPORT.clean, positive=REPORT.clean.positive + 2))
    torch.testing.assert_close(asked.of_prompt, REPORT.effect.mean(-1) / 2)
    assert asked.row(1)["of prompt"] == pytest.approx(row["effect"][0] / 2)
    assert row["violations"][0] == pytest.approx(REPORT.violations[VECTOR, 1].mean().item())
    kl = REPORT.kl[VECTOR].mean(-1).tolist()
    rows = compare([REPORT, REPORT], kl[0]) + compare([REPORT], kl[0] / 10)
    assert [r["strength"] for r in rows] == [0.5, 0.5, None]


def test_intervals_hold_the_mean_as_often_as_they_say():
    draws = normal(400, 60, dtype=torch.float64) + 1
    low, high = interval(draws).unbind(-1)
    held = ((low < 1) & (high > 1)).double().mean()
    assert 0.9 < held < 0.98  # 95 % less what 60 draws cost a bootstrap; 400 give ± 2 points
    narrow = interval(draws, level=0.5)
    assert ((narrow[:, 1] - narrow[:, 0]) < (high - low)).all()
    mean, low, high = estimate(torch.full((5,), 2.0))
    assert (mean, low, high) == (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="values has"):
        interval(torch.tensor([1.0, torch.nan]))


def test_divergence_grows_with_the_square_of_a_small_strength():
    s = torch.tensor([0.01, 0.02, 0.04], dtype=torch.float64)
    assert fit_exponent(s, 3 * s**2).item() == pytest.approx(2)
    assert fit_exponent(s, torch.stack([s, s**3])).tolist() == pytest.approx([1, 3])
    model = load("torus").double()
    tokens = torch.randint(0, 25, (4, 12), generator=generator(0))
    d = model.config.d_model
    act = SteeringVector(normal(d, dtype=torch.float64), "blocks.0.resid_post")
    behaviour = Behaviour("b", tokens, torch.tensor([1]), torch.tensor([2]))
    report = evaluate(model, act, behaviour, s, n_random=1)
    assert fit_exponent(report.strengths, report.kl[VECTOR].mean(-1)).item() == pytest.approx(
        2, abs=0.1
    )
    with pytest.raises(ValueError, match="kl has"):
        fit_exponent(s, 0 * s)


@pytest.mark.parametrize("strengths", [[], [0.0, 1.0], [2.0, 1.0], [-1.0]])
def test_strengths_rise_from_above_zero(strengths):
    with pytest.raises(ValueError, match="they must be above 0 and rise"):
        evaluate(MODEL, LAST, BEHAVIOUR, strengths)


def test_in_the_story_a_difference_of_means_beats_random_directions_and_the_words_before():
    model, world = load("story"), StoryWorld()
    drawn = world.sample(100, generator(5))
    behaviour = story_behaviour(world, "valence", 16, generator(1))
    vector = find_vectors(
        model, "blocks.0.resid_post", drawn.tokens[:, :-1], drawn.labels["valence"][:, :-1],
        rule=TokenRule(skip=1), name="story",
    )  # fmt: skip
    n_prompt = behaviour.prompts.shape[1]
    report = evaluate(
        model, Action(vector), behaviour, [2.0, 4.0], n_random=4, n_new=6,
        rules=lambda tokens: impossible(world, tokens, n_prompt), neutral=drawn.tokens[:4, :-1],
    )  # fmt: skip
    margin = report.margin()
    assert (margin[:, 1] > 0.5).all()
    assert (report.effect[OPPOSITE].mean(-1) < 0).all()
    assert report.gain[VECTOR, 1].mean() > 0 > report.loss[VECTOR, 1].mean()
    assert report.prompt_effect.mean() > 2
    assert report.clean_violations.mean() < 0.1
