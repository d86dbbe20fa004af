"""What a card measures is what it says."""

from dataclasses import replace

import pytest
import torch

from course_lib import data
from course_lib.data.sequences import NONE
from course_lib.models import measures, tasks
from course_lib.models.cnn import CNN, CNNConfig
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.runtime import generator
from tests.models.worlds import Chain


class Sure(torch.nn.Module):
    """Says the same next token everywhere, or each next token as it is."""

    n_given = 1

    def __init__(self, tokens):
        super().__init__()
        self.tokens, self.calls = tokens, 0

    def forward(self, tokens):
        best = self.tokens[self.calls : self.calls + len(tokens), 1:]
        self.calls += len(tokens)
        return 50.0 * torch.nn.functional.one_hot(best.clamp(min=0), 25)


def test_a_player_of_the_games_own_moves_is_always_legal_and_one_of_others_is_not():
    world = data.TorusGame()
    games = measures.drawn(world, 64).tokens
    other = measures.drawn(world, 64, seed=1).tokens
    share = [measures.games(Sure(t.repeat(2, 1)), world, 64)["legal"] for t in (games, other)]
    assert share[0] == 1.0
    assert 0.1 < share[1] < 0.7


def test_a_linear_read_out_finds_what_is_there_and_not_what_is_not():
    model = GPT(GPTConfig(5, 6, d_model=16, n_heads=2, n_layers=1))
    torch.nn.init.normal_(model.embed.weight, generator=generator(0))
    parts = []
    for seed in (1, 2):
        drawn = Chain().sample(400, generator(seed))
        coin = torch.randint(2, drawn.tokens.shape, generator=generator(seed + 2))
        parts.append(replace(drawn, labels={**drawn.labels, "coin": coin}))
    found = measures.read_out(model, *parts)
    assert found["token"]["read_out"] == found["parity"]["read_out"] == 1.0
    assert found["coin"]["read_out"] == pytest.approx(0.5, abs=0.05)
    assert found["token"]["commonest"] == pytest.approx(0.2, abs=0.05)


class KnowsTheLaw(torch.nn.Module):
    """Predicts as the ideal observer of an in-context world does."""

    n_given = 1

    def __init__(self, world):
        super().__init__()
        self.world = world

    def forward(self, tokens):
        logits = []
        for place in range(tokens.shape[1]):
            rows = tokens[:, : place + 1]
            each = []
            for token in range(len(self.world.vocabulary)):
                next_one = torch.full((len(rows), 1), token)
                filler = torch.zeros(len(rows), self.world.seq - place - 2, dtype=torch.long)
                whole = torch.cat([rows, next_one, filler], 1)
                each.append(self.world.log_prob(whole)[:, place + 1])
            logits.append(torch.stack(each, 1).clamp(min=-50))
        return torch.stack(logits, 1)


def test_who_knows_the_law_is_at_the_floor_and_as_often_right_as_the_ideal():
    world = data.permuted_labels(6, 3, n_shots=2)
    found = measures.in_context(KnowsTheLaw(world), world, 200)
    assert found["loss"] == pytest.approx(found["floor"], abs=1e-5)
    assert found["right"] == pytest.approx(found["ideal"], abs=0.03)  # ties may fall either way
    assert 0.5 < found["ideal"] < 1
    untrained = measures.in_context(GPT(GPTConfig(9, 5)), world, 200)
    assert untrained["ideal"] == found["ideal"] > untrained["right"] + 0.1


def test_a_field_thought_to_stay_has_error_one_and_an_untrained_reader_of_scenes_guesses():
    still = CNN(CNNConfig(2, 64, (), dimensions=1, channels=(4,), ring=True))
    assert measures.frames(still, tasks.NextFrame(), 64) == {"error": 1.0}
    guesses = measures.factors(CNN(CNNConfig(3, 12, (4, 4, 4))), tasks.SceneFactors(), 1000)
    assert set(guesses) == {"shape", "colour", "position"}
    assert all(0.05 < share < 0.5 for share in guesses.values())


def test_a_state_is_asked_for_where_the_next_word_shows_it_and_nowhere_else():
    world = data.StoryWorld(n_turns=2)
    told = world.sample(30, generator(5))
    asked = measures.before_it_is_shown(world, told)
    assert torch.equal(asked.tokens, told.tokens) and "turn" not in asked.labels
    for name in ("gender", "relation"):
        shows = world.words[name][told.tokens] != NONE
        assert (asked.labels[name][:, -1] == NONE).all()
        assert (asked.labels[name][:, :-1][~shows[:, 1:]] == NONE).all()
        where = shows[:, 1:]
        assert torch.equal(asked.labels[name][:, :-1][where], told.labels[name][:, :-1][where])
        assert (asked.labels[name] != NONE).any()
