"""The questions about a story's tokens are those that its words and its labels answer."""

import pytest

from course_lib import runtime
from course_lib.data import StoryWorld, concepts


@pytest.fixture(scope="module")
def story():
    world = StoryWorld(n_turns=2)
    return world, world.sample(20, runtime.generator(3))


def test_each_answer_is_that_of_the_definition_token_by_token(story):
    world, drawn = story
    asked = concepts(world, drawn)
    rows = asked.present.view(20, world.seq - 1, -1)
    for i in range(0, len(asked.names), 7):
        reading, attribute, name = asked.names[i]
        value = world.attributes[attribute].index(name)
        for document in range(20):
            for place in range(world.seq - 1):
                if reading == "state":
                    own = drawn.labels[attribute][document, place]
                else:
                    token = drawn.tokens[document, place + (reading == "next")]
                    own = world.words[attribute][token]
                assert bool(rows[document, place, i]) == bool(own == value)


def test_of_gives_the_questions_of_one_reading(story):
    asked = concepts(*story, ["tense", "turn"])
    assert [asked.names[i] for i in asked.of("next")] == [
        ("next", "tense", "present"), ("next", "tense", "past"),
    ]  # fmt: skip
    assert {asked.names[i][1] for i in asked.of("state")} == {"tense", "turn"}
    assert not any(asked.names[i][1] == "turn" for i in asked.of("shown"))


def test_a_token_has_at_most_one_value_of_an_attribute_in_a_reading(story):
    asked = concepts(*story)
    kinds = sorted({name[:2] for name in asked.names})
    for kind in kinds:
        columns = [i for i, name in enumerate(asked.names) if name[:2] == kind]
        assert (asked.present[:, columns].sum(dim=1) <= 1).all(), kind


def test_what_is_shown_at_a_token_was_next_at_the_one_before(story):
    world, drawn = story
    asked = concepts(world, drawn, ["gender", "number"])
    rows = asked.present.view(20, world.seq - 1, -1)
    shown, coming = rows[..., asked.of("shown")], rows[..., asked.of("next")]
    assert (shown[:, 1:] == coming[:, :-1]).all()
    assert shown.any()


def test_an_unknown_attribute_is_named(story):
    with pytest.raises(ValueError, match="attribute is 'mood of the day'"):
        concepts(*story, ["mood of the day"])
