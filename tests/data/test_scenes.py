"""The two views of a scene show the same scene, and the truth that comes with it."""

from itertools import product

import pytest
import torch

from course_lib.data import TwoViewScenes
from course_lib.data.scenes import COLOURS, POSITIONS, SHAPES, render
from course_lib.data.sequences import NONE
from course_lib.runtime import generator

SPRITES = {
    "square": ["#####"] * 5,
    "plus": ["..#..", "..#..", "#####", "..#..", "..#.."],
    "ring": [".###.", "#...#", "#...#", "#...#", ".###."],
    "triangle": ["..#..", "..#..", ".###.", ".###.", "#####"],
}
LIGHT = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}


def described(world, scenes, row):
    """The caption's objects, by reading it."""
    text = " ".join(world.vocabulary[token] for token in scenes.tokens[row].tolist())
    return [tuple(phrase.split()) for phrase in text.split(" and ")]


def drawn(shape, colour, down, right):
    """A quarter of a picture with that sprite, drawn pixel by pixel."""
    quarter = torch.zeros(3, 6, 6)
    for row, column, band in product(range(5), range(5), range(3)):
        if SPRITES[shape][row][column] == "#":
            quarter[band, row + down, column + right] = LIGHT[colour][band]
    return quarter


QUARTERS = {case: drawn(*case) for case in product(SHAPES, COLOURS, (0, 1), (0, 1))}


def seen(image):
    """The picture's objects: the sprite and colour that explain each quarter exactly."""
    found = set()
    for index, position in enumerate(POSITIONS):
        top, left = 6 * (index // 2), 6 * (index % 2)
        quarter = image[:, top : top + 6, left : left + 6]
        for (shape, colour, _, _), bright in QUARTERS.items():
            if quarter.max() > 0 and torch.equal(quarter.max() * bright, quarter):
                found.add((colour, shape, position))
    return found


@pytest.mark.parametrize("n_objects", [1, 2, 4])
def test_the_picture_shows_what_the_caption_says(n_objects):
    world = TwoViewScenes(n_objects)
    scenes = world.sample(20, generator(0))
    for row in range(20):
        caption = described(world, scenes, row)
        assert set(caption) == seen(scenes.image[row]) and len(set(caption)) == n_objects
        for index, (colour, shape, position) in enumerate(caption):
            assert COLOURS[scenes.colour[row, index]] == colour
            assert SHAPES[scenes.shape[row, index]] == shape
            assert POSITIONS[scenes.position[row, index]] == position


def test_a_caption_word_is_labelled_with_what_has_been_said_of_its_object():
    world = TwoViewScenes(3)
    scenes = world.sample(20, generator(1))
    for row, place in product(range(20), range(world.seq)):
        index, word = divmod(place, 4)
        caption = described(world, scenes, row)
        expected = {"object": str(index) if word < 3 else None}
        for said, name in enumerate(("colour", "shape", "position")):
            expected[name] = caption[index][said] if said <= word < 3 else None
        for name, right in expected.items():
            label = scenes.labels[name][row, place].item()
            assert (None if label == NONE else world.attributes[name][label]) == right


def test_every_object_comes_once_bright_and_in_its_corner():
    world = TwoViewScenes(2)
    scenes = world.every_object()
    assert len({described(world, scenes, row)[0] for row in range(64)}) == 64 == len(scenes)
    assert (scenes.image.amax((1, 2, 3)) == 1).all()
    for row in range(64):
        assert seen(scenes.image[row]) == {described(world, scenes, row)[0]}
    assert torch.equal(scenes.shape[:, 0], torch.arange(64) // 16)


def test_nuisances_fill_their_range_and_noise_is_as_strong_as_it_says():
    plain = TwoViewScenes(2).sample(2_000, generator(0))
    assert 0.6 <= plain.brightness.min() < 0.61 and 0.99 < plain.brightness.max() <= 1.0
    assert set((plain.corner % 6).flatten().tolist()) == {0, 1}
    noisy = TwoViewScenes(2, noise=0.1).sample(2_000, generator(0))
    assert torch.equal(noisy.tokens, plain.tokens)
    assert (noisy.image - plain.image).std().item() == pytest.approx(0.1, rel=0.02)


def test_a_selection_takes_the_same_rows_of_both_views():
    scenes = TwoViewScenes(2).sample(6, generator(0))
    some = scenes[torch.tensor([4, 1])]
    assert torch.equal(some.image, scenes.image[[4, 1]])
    assert torch.equal(some.tokens, scenes.tokens[[4, 1]])
    assert torch.equal(some.labels["shape"], scenes.labels["shape"][[4, 1]])
    assert scenes.to("meta").brightness.device.type == "meta"


def test_sprites_can_be_drawn_anywhere_and_the_brighter_one_covers():
    shape, colour = torch.tensor([[0, 0]]), torch.tensor([[0, 3]])
    corner = torch.tensor([[[3, 2], [7, 5]]])
    image = render(shape, colour, corner, torch.tensor([[1.0, 0.5]]))[0]
    expected = torch.zeros(3, 12, 12)
    expected[:2, 7:12, 5:10] = 0.5
    expected[0, 3:8, 2:7] = 1.0
    assert torch.equal(image, expected)
    with pytest.raises(ValueError, match="corner must be from 0 to 7"):
        render(shape, colour, corner + 1, torch.ones(1, 2))
