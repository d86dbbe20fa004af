"""Journeys between invented towns: text in which a map is hidden."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate
from course_lib.data.draws import draw, in_64_bits
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int

HEADINGS = (
    "east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east",
)  # fmt: skip
FARTHEST = 1e150  # whose square is a number still
BLOCKS = 4  # columns and rows of the blocks that the map is cut into, for honest splits
_STARTS = (
    "Ba", "Be", "Bo", "Da", "Do", "Fa", "Ga", "Go", "Ha", "Ke", "Ki", "La", "Lo",
    "Mu", "Na", "No", "Pa", "Pe", "Ra", "Ro", "Sa", "Ta", "Te", "Vo", "Za",
)  # fmt: skip
_ENDS = (
    "bin", "brel", "dur", "dun", "gar", "gol", "kost", "lim", "lun", "mar",
    "mez", "mir", "nesk", "nov", "pal", "rin", "sel", "tav", "tor", "vik",
)  # fmt: skip


class Towns:
    """`Balun north Rovik east Tetor`: from Balun go north to Rovik, from there east to Tetor.

    The towns lie anywhere on a square map. A journey starts in any of them; each step leads from a
    town to another with probability proportional to exp(-d² / 2 reach²), d their distance, and says
    which of eight headings it takes. No token says where a town is: that is to be found out.

    | planted                            | where                                           |
    |------------------------------------|-------------------------------------------------|
    | how far east and north each town is | `coordinates` [n_towns, 2]                     |
    | the town where the traveller is    | label `town`, at every token                    |
    | its block of the map               | labels `column`, `row`, at every token          |
    | the heading of a step              | label `heading`, at its token                   |
    | the law of the next token          | `log_prob`                                      |

    Split towns by blocks, not at random: neighbours tell where a held-out town is. After De Sabbata
    et al. 2025, "Geospatial Mechanistic Interpretability of Large Language Models".

    Args:
        n_towns: 2 to 500. n_steps: steps of a journey.
        size: side of the map. reach: how far a step goes, in the same unit.
        seed: of the map.

    Attributes:
        vocabulary: the towns, then the headings: town t is token t.
        step: [n_towns, n_towns], the probability of a step from the first to the second.
        seq: 2 n_steps + 1.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_towns: int = 400,
        n_steps: int = 4,
        *,
        size: float = 20.0,
        reach: float = 1.5,
        seed: int = 0,
    ) -> None:
        names = [start + end for start, end in product(_STARTS, _ENDS)]
        if validate.positive_int("n_towns", n_towns, 2) > len(names):
            raise ValueError(f"n_towns is {n_towns}; there are names for {len(names)}.")
        for name, value in (("size", size), ("reach", reach)):
            if validate.number(name, value, 0.0, FARTHEST) == 0:
                raise ValueError(f"{name} is {value}; it must be above 0.")
        generator = runtime.generator(seed)
        chosen = torch.randperm(len(names), generator=generator)[:n_towns].tolist()
        self.n_towns, self.n_steps = n_towns, validate.positive_int("n_steps", n_steps)
        self.size, self.reach, self.seq = float(size), float(reach), 2 * n_steps + 1
        towns = tuple(names[index] for index in chosen)
        blocks = tuple(str(block) for block in range(BLOCKS))
        self.vocabulary = (*towns, *HEADINGS)
        self.attributes = {"town": towns, "column": blocks, "row": blocks, "heading": HEADINGS}
        self.coordinates = size * torch.rand(n_towns, 2, generator=generator)

        east, north = (self.coordinates[None] - self.coordinates[:, None]).double().unbind(-1)
        nearness = -(east**2 + north**2) / (2 * self.reach**2)
        self.step = nearness.fill_diagonal_(float("-inf")).softmax(1)
        eighth = torch.pi / 4
        self._heading = (torch.atan2(north, east) / eighth).round().long() % len(HEADINGS)
        by_heading = torch.zeros(n_towns, len(HEADINGS), dtype=self.step.dtype)
        self._by_heading = by_heading.scatter_add_(1, self._heading, self.step)

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw journeys on the generator's device."""
        validate.positive_int("batch_size", batch_size)
        device = generator.device
        step, heading = self.step.to(device), self._heading.to(device)
        here = torch.randint(self.n_towns, (batch_size,), generator=generator, device=device)
        tokens, towns, headings = [here], [here], [torch.full_like(here, NONE)]
        for _ in range(self.n_steps):
            there = draw(step, here, generator)
            way = heading[here, there]
            tokens += [self.n_towns + way, there]
            towns += [here, there]
            headings += [way, headings[0]]
            here = there
        town = torch.stack(towns, 1)
        block = (self.coordinates.to(device) / self.size * BLOCKS).long().clamp(max=BLOCKS - 1)
        labels = {"town": town, "heading": torch.stack(headings, 1)}
        labels |= {name: block[town, axis] for axis, name in enumerate(("column", "row"))}
        return Sequences(torch.stack(tokens, 1), labels)

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        tokens = in_64_bits(validate.shape("tokens", tokens, ("batch", self.seq)))
        town, way = tokens[:, ::2], tokens[:, 1::2] - self.n_towns
        known = (town >= 0) & (town < self.n_towns)
        told = (way >= 0) & (way < len(HEADINGS))
        town, way = town.clamp(0, self.n_towns - 1), way.clamp(0, len(HEADINGS) - 1)
        here, there = town[:, :-1], town[:, 1:]
        device = tokens.device
        of_way = self._by_heading.to(device)[here, way] * told
        agrees = known[:, 1:] & (self._heading.to(device)[here, there] == way)
        of_town = self.step.to(device)[here, there] * agrees / of_way
        first = known[:, :1].double() / self.n_towns
        each = torch.cat([first, torch.stack([of_way, of_town], 2).flatten(1)], 1)
        impossible = ~(each > 0)  # 0, or 0 / 0 after a step that cannot be
        result = each.log().masked_fill(impossible.cummax(1).values, float("-inf"))
        return result.to(torch.get_default_dtype())
