"""Directions that the reader moves: in the plane and on the sphere, with what can be read back."""

from collections.abc import Mapping

from torch import Tensor

from course_lib import drawable
from course_lib.superposition import mutual_coherence, welch_bound
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

SPACES = ("plane", "sphere")
WHERE = ("in the plane", "on the sphere")
ACTIVE = 3  # the largest number of active features to choose


def directions_explorable(
    arrangements: Mapping[str, Tensor], start: tuple[int, int, int, int] = (0, 1, 0, 0)
) -> Explorable:
    """Lines through the origin to drag by their tips, beside the table of their overlaps.

    `arrangements` maps a name to unit rows [2, n_sizes, n_max, 3]: first those in the plane, whose
    third coordinate is 0, then those on the sphere; row i of size s is 0 where that size has fewer
    directions. `start` is the position of the four sliders: space, number of directions,
    arrangement, active features less one. The page counts, for every choice of k features and
    signs, whether one look (the k largest |x·w|) and orthogonal matching pursuit name the k.

    Raises ValueError for shapes that do not fit each other, entries that are not finite, sizes
    that are not 2 to 8 directions, fewer than two names, and a start outside the sliders; TypeError
    for what is no dict of tensors.
    """
    drawable.texts("arrangements", drawable.named("arrangements", arrangements, least=2))
    packings = {
        name: _near(drawable.numbers(name, given, (2, "n_sizes", "n_max", 3)))
        for name, given in arrangements.items()
    }
    first = next(iter(packings.values()))
    there = first.norm(dim=-1) > 0
    sizes = there[0].sum(dim=-1).tolist()
    for name, given in packings.items():
        if given.shape != first.shape or not (there == (given.norm(dim=-1) > 0)).all():
            raise ValueError(f"{name} has other numbers of directions than the first arrangement.")
    if not all(2 <= size <= 8 for size in sizes):
        raise ValueError(f"the sizes are {sizes}; this picture is drawn for 2 to 8 directions.")
    shown = [
        list(SPACES),
        list(map(str, sizes)),
        list(packings),
        [str(k + 1) for k in range(ACTIVE)],
    ]
    start = drawable.start(start, "a position of each of the four sliders", list(map(len, shown)))

    space, size, kind, _ = start
    W = list(packings.values())[kind][space, size, : sizes[size]]
    mu, d = mutual_coherence(W).item(), 2 + space
    labels = ("Space", "Directions n", "Arrangement", "Active features k")
    return explorable(
        "directions.js",
        title="Directions to pull apart",
        sliders=[Slider(*given) for given in zip(labels, shown, start, strict=True)],
        data={
            "rows": [
                [
                    [rounded(given[s, i, :n], 4) for given in packings.values()]
                    for i, n in enumerate(sizes)
                ]
                for s in range(2)
            ],  # [space][size][arrangement][direction][3]
            "welch": [[round(welch_bound(n, d), 4) for n in sizes] for d in (2, 3)],
        },
        caption=(
            "Each direction is a line through the origin, so w and -w are the same and only the "
            "near half of the sphere is drawn. Drag a tip, or reach it with Tab and use the arrow "
            "keys. Right: |cos| of every two directions, the largest framed. A code is k features "
            "at +1 or -1; one look takes the k largest |x·w|, pursuit one direction after the "
            "other. A code counts if its k features are named; where another code gives the same "
            "x, that is luck."
        ),
        start_text=(
            f"{sizes[size]} {list(packings)[kind]} directions {WHERE[space]}: coherence "
            f"{mu:.2f}, Welch bound {welch_bound(sizes[size], d):.2f}. The table is |cos| of every "
            "two directions."
        ),
        start_table=_table((W @ W.T).abs()),
    )


def _near(W: Tensor) -> Tensor:
    """Lines have two ends: the one on the near half of the sphere."""
    return W.where(W[..., 2:] >= 0, -W)


def _table(overlaps: Tensor) -> list[list[str]]:
    names = [str(i + 1) for i in range(len(overlaps))]
    return [
        ["direction", *names],
        *(
            [name, *(f"{v:.2f}" for v in row)]
            for name, row in zip(names, overlaps.tolist(), strict=True)
        ),
    ]
