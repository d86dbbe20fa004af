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
SMALL = {
    "square": ["###", "###", "###"],
    "plus": [".#.", "###", ".#."],
    "ring": [".#.", "#.#", ".#."],
    "triangle": [".#.", ".#.", "###"],
}
LIGHT = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}


def described(world, scenes, row):
    """The caption's objects, by reading it."""
    text = " ".join(world.vocabulary[token] for token in scenes.tokens[row].tolist())
    return [tuple(phrase.split()) for phrase in text.split(" and ")]


def drawn(sprite, colour, down, right):
    """A quarter of a picture with that sprite, drawn pixel by pixel."""
    quarter = torch.zeros(3, 6, 6)
    for row, column, band in product(range(len(sprite)), range(len(sprite)), range(3)):
        if sprite[row][column] == "#":
            quarter[band, row + down, column + right] = LIGHT[colour][band]
    return quarter


QUARTERS = {
    (shape, colour, size, down, right): drawn(sprites[shape], colour, down, right)
    for size, sprites in ((5, SPRITES), (3, SMALL))
    for shape, colour in product(SHAPES, COLOURS)
    for down, right in product(range(7 - size), repeat=2)
}


def seen(image):
    """The picture's objects: the sprite and colour that explain each quarter exactly.

    {(colour, shape, position): (size, row, column)}.
    """
    found = {}
    for index, position in enumerate(POSITIONS):
        top, left = 6 * (index // 2), 6 * (index % 2)
        quarter = image[:, top : top + 6, left : left + 6]
        for (shape, colour, size, down, right), bright in QUARTERS.items():
            if quarter.max() > 0 and torch.equal(quarter.max() * bright, quarter):
                found[colour, shape, position] = (size, top + down, left + right)
    return found


@pytest.mark.parametrize(("n_objects", "sizes"), [(1, (5,)), (2, (5,)), (4, (3, 5)), (2, (3,))])
def test_the_picture_shows_what_the_caption_says(n_objects, sizes):
    world = TwoViewScenes(n_objects, sizes=sizes)
    scenes = world.sample(20, generator(0))
    for row in range(20):
        caption = described(world, scenes, row)
        objects = seen(scenes.image[row])
        assert set(caption) == set(objects) and len(set(caption)) == n_objects
        assert {size for size, _, _ in objects.values()} <= set(sizes)
        for index, (colour, shape, position) in enumerate(caption):
            extent = (scenes.size[row, index].item(), *scenes.corner[row, index].tolist())
            assert extent == objects[colour, shape, position]
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
        assert set(seen(scenes.image[row])) == {described(world, scenes, row)[0]}
    assert torch.equal(scenes.shape[:, 0], torch.arange(64) // 16)


def test_nuisances_fill_their_range_and_noise_is_as_strong_as_it_says():
    plain = TwoViewScenes(2).sample(2_000, generator(0))
    assert 0.6 <= plain.brightness.min() < 0.61 and 0.99 < plain.brightness.max() <= 1.0
    assert set((plain.corner % 6).flatten().tolist()) == {0, 1}
    small = TwoViewScenes(2, sizes=(3, 5)).sample(2_000, generator(0))
    assert abs((small.size == 3).float().mean() - 0.5) < 4.5 * 0.5 / 4_000**0.5
    for size, places in ((3, 4), (5, 2)):
        place = (small.corner % 6)[small.size == size].flatten()
        share = place.bincount(minlength=6) / len(place)
        assert (share[:places] - 1 / places).abs().max() < 4.5 * 0.5 / len(place) ** 0.5
        assert share[places:].sum() == 0
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
    size = torch.tensor([[5, 3]])
    edge = render(shape, colour, torch.tensor([[[0, 0], [9, 9]]]), torch.ones(1, 2), size)[0]
    assert edge[:2, 9:, 9:].sum() == 18 and edge.sum() == 18 + 25
    with pytest.raises(ValueError, match="corner must be from 0 to 12 - size"):
        render(shape, colour, corner + 1, torch.ones(1, 2))
    with pytest.raises(ValueError, match="size must be 3 or 5"):
        render(shape, colour, corner, torch.ones(1, 2), size - 1)
    with pytest.raises(ValueError, match=r"sizes is \(4,\)"):
        TwoViewScenes(2, sizes=(4,))
