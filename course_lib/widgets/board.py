"""A board to press: one cell is changed in the residual stream, and the model plays on."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SCALE = 500  # of a probability in a byte: steps of 0.002, up to 0.51
HOLDS = ("mine", "theirs", "empty")


def board_explorable(
    boards: Int[Tensor, "n_positions cells"],
    before: Float[Tensor, "n_positions cells"],
    legal: Bool[Tensor, "n_positions cells"],
    legal_after: Bool[Tensor, "n_positions cells 2 cells"],
    laws: Float[Tensor, "n_positions n_depths n_vectors n_strengths cells 2 cells"],
    *,
    names: Sequence[str],
    positions: Sequence[str],
    depths: Sequence[str],
    vectors: Sequence[str],
    strengths: Sequence[str],
    start: tuple[int, int, int, int, int, int],
) -> Explorable:
    """What a model plays once a cell of the board that it keeps was changed, in some positions.

    Args:
        boards: 0 for mine, 1 for theirs, 2 for empty, from the view of the player to move.
        before, legal: the model's law of the next move, and which moves are legal.
        legal_after: for each cell as the first and the second thing that it is not: what it
            holds plus 1 and plus 2, modulo 3.
        laws: the law after each of these edits, at each depth, with each vector and strength.
        names: of the cells, row by row.
        positions, depths, vectors, strengths: what the sliders say.
        start: position, depth, vector, strength, cell, and which change (0 or 1) is shown first.

    Raises ValueError for shapes that do not fit, boards of other values, and a start that is none;
    TypeError for what is no tensor and no list of texts.
    """
    names = drawable.texts("names", names)
    positions, depths, vectors, strengths = (
        drawable.texts(name, given)
        for name, given in (
            ("positions", positions), ("depths", depths), ("vectors", vectors),
            ("strengths", strengths),
        )
    )  # fmt: skip
    cells = len(names)
    size = round(cells**0.5)
    if size**2 != cells:
        raise ValueError(f"names has {cells} cells; a board is square, such as 9 or 64.")
    validate.shape("boards", boards, (len(positions), size**2))
    for name, given in (("before", before), ("legal", legal)):
        validate.shape(name, given, (len(positions), cells))
    validate.shape("legal_after", legal_after, (len(positions), cells, 2, cells))
    sizes = (len(positions), len(depths), len(vectors), len(strengths), cells, 2)
    validate.finite("laws", validate.shape("laws", laws, (*sizes, cells)), 0.0)
    validate.finite("before", before, 0.0)
    legal = validate.whole("legal", legal, 0, 1).bool()
    legal_after = validate.whole("legal_after", legal_after, 0, 1).bool()
    held = validate.finite("boards", boards)
    if not ((held == 0) | (held == 1) | (held == 2)).all():
        raise ValueError("boards has values other than 0, 1 and 2, for mine, theirs and empty.")
    start = drawable.start(
        start, "a position, a depth, a vector, a strength, a cell and a change", sizes
    )
    packed = (laws * SCALE).round().clamp(0, 255).to(torch.uint8)
    cell, change = start[4:]
    after = legal_after[start[0], cell, change]
    found = [
        [_errors(law[cell, change], after) for law in row]
        for row in laws[start[0], :, start[2]]
    ]  # fmt: skip
    old, new = (HOLDS[(int(boards[start[0], cell]) + k) % 3] for k in (0, change + 1))
    shown = zip(
        ("Position", "Edited at", "Vector", "Strength"),
        (positions, depths, vectors, strengths),
        start[:4],
        strict=True,
    )
    sliders = [Slider(label, list(texts), at) for label, texts, at in shown]
    return explorable(
        "board.js",
        title="Change a stone that the model remembers",
        data={
            "size": size,
            "names": list(names),
            "boards": boards.tolist(),
            "before": rounded(before, 3),
            "legal": [_bits(row) for row in legal],
            "legal_after": [[[_bits(e) for e in both] for both in one] for one in legal_after],
            "laws": base64.b64encode(packed.numpy().tobytes()).decode(),
            "scale": SCALE,
            "sliders": [vars(slider) for slider in sliders],
            "start": [cell, change + 1],
        },
        caption=(
            "Left, a game that the model has read: a full stone is of the player to move, a ring "
            "the opponent's; a shade and a number (per cent) are the model's law of the next move, "
            "a frame says that it is legal. Press a cell, or walk with the arrow keys and press "
            "Enter: it changes what it holds, in the residual stream at the last move and nowhere "
            "else. Right, what the model plays then, and what the rules allow on the edited board. "
            "All laws were computed by this chapter's notebook."
        ),
        start_text=(
            f"{positions[start[0]]}: {names[cell]} is {old} and is made {new}. "
            f"{int(after.sum())} moves are legal on the edited board; the model makes "
            f"{_errors(before[start[0]], after)} errors on it without an edit, and with it as many "
            f"as the table says, with the vector {vectors[start[2]]!r}."
        ),
        start_table=[
            ["edited at", *(f"strength {text}" for text in strengths)],
            *([depth, *map(str, row)] for depth, row in zip(depths, found, strict=True)),
        ],
        style="board.css",
    )


def _bits(row: Tensor) -> str:
    return "".join(str(int(bit)) for bit in row)


def _errors(law: Tensor, legal: Tensor) -> int:
    """Of the N likeliest, N moves being legal: those that are not, and as many that are missing."""
    likeliest = law.argsort(descending=True)[: int(legal.sum())]
    return 2 * int((~legal[likeliest]).sum())
