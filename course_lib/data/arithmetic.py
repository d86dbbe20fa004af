"""Arithmetic on a circle, in words and in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.draws import in_64_bits, uniform_then_certain
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int

NUMBERS = (
    "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
NAMES = WEEKDAYS + MONTHS


class CalendarArithmetic:
    """`two days from Monday is Wednesday`, `five months from October is March`.

    | planted                                 | where                                      |
    |-----------------------------------------|--------------------------------------------|
    | which circle, of 7 or of 12 places      | label `cycle`, from the second token on    |
    | how far, one to seven or one to twelve  | label `offset`, from the first token on    |
    | from where                              | label `start`, from its name on            |
    | where to                                | label `answer`, from the start's name on   |
    | the law of the next token               | `log_prob`; only three tokens are chance   |

    `start` and `answer` count through `NAMES`: weekdays are 0 to 6, months 7 to 18. There are
    49 + 144 = 193 sentences, the prompts of Engels et al. 2024, "Not All Language Model Features
    Are Linear"; `every_sentence` lists them, to split or to score.

    Args:
        weekdays: the share of sentences about weekdays; all 49 of them are equally likely, and so
            are all 144 about months.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    seq = 6
    vocabulary = (*NUMBERS, "days", "months", "from", "is", *NAMES)

    def __init__(self, weekdays: float = 0.5) -> None:
        self.weekdays = validate.number("weekdays", weekdays, 0.0, 1.0)
        self.attributes = {
            "cycle": ("weekday", "month"),
            "offset": NUMBERS,
            "start": NAMES,
            "answer": NAMES,
        }
        days, months = (self._sentences(first, size) for first, size in ((0, 7), (7, 12)))
        self._facts = torch.cat([days, months])
        share = torch.tensor([weekdays / len(days), (1 - weekdays) / len(months)])
        self._probability = share.double()[self._facts[:, 0]]

    @staticmethod
    def _sentences(first: int, size: int) -> Int[Tensor, "sentences 4"]:
        """Cycle, offset, start and answer of every sentence about one circle."""
        offset, start = torch.cartesian_prod(torch.arange(size), torch.arange(size)).T
        answer = (start + offset + 1) % size
        cycle = torch.full_like(start, int(first > 0))
        return torch.stack([cycle, offset, first + start, first + answer], dim=1)

    def every_sentence(self) -> Sequences:
        """The 193 sentences: weekdays first, by offset and then by start."""
        return self._sequences(torch.arange(len(self._facts)))

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw sentences on the generator's device."""
        validate.positive_int("batch_size", batch_size)
        probability = self._probability.to(generator.device)
        chosen = torch.multinomial(probability, batch_size, replacement=True, generator=generator)
        return self._sequences(chosen)

    def _sequences(self, chosen: Int[Tensor, " batch"]) -> Sequences:
        cycle, offset, start, answer = self._facts.to(chosen.device)[chosen].T
        names = self.vocabulary.index(NAMES[0])
        unit = self.vocabulary.index("days") + cycle
        middle, verb = (
            torch.full_like(offset, self.vocabulary.index(word)) for word in ("from", "is")
        )
        tokens = torch.stack([offset, unit, middle, names + start, verb, names + answer], dim=1)
        since = {"cycle": (cycle, 1), "offset": (offset, 0), "start": (start, 3)}
        since["answer"] = (answer, 3)
        place = torch.arange(self.seq, device=chosen.device)
        labels = {
            name: value[:, None].where(place >= first, NONE)
            for name, (value, first) in since.items()
        }
        return Sequences(tokens, labels)

    def log_prob(self, tokens: Int[Tensor, "batch 6"]) -> Float[Tensor, "batch 6"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        tokens = in_64_bits(validate.shape("tokens", tokens, ("batch", self.seq)))
        sentences = self.every_sentence().tokens.to(tokens.device)
        fits = torch.ones(len(tokens), len(sentences), dtype=torch.float64, device=tokens.device)
        fits = fits * self._probability.to(tokens.device)
        so_far, result = fits.sum(-1), []
        for place in range(self.seq):
            fits = fits * (tokens[:, place, None] == sentences[:, place])
            now = fits.sum(-1)
            result.append((now / so_far).log().masked_fill(now == 0, float("-inf")))
            so_far = now
        return torch.stack(result, 1).to(torch.get_default_dtype())


class MovingWindowSum:
    """Numbers, a sign, then the sum of each number and those just before it, around a circle.

    `3 1 4 1 = 3 4 5 5` for modulus 10 and window 2: a sum takes the numbers that there are.

    | planted                         | where                                             |
    |---------------------------------|---------------------------------------------------|
    | the number that a token is      | label `value`, at all tokens but the sign         |
    | the sum that ends at a number   | label `sum`, at the numbers before the sign       |
    | the law of the next token       | `log_prob`: numbers are uniform, the rest certain |

    After Gopalani and Hu 2025, "What Happens During the Loss Plateau? Understanding Abrupt Learning
    in Transformers".

    Args:
        modulus: places on the circle. length: numbers to sum. window: numbers in a sum.

    Attributes:
        seq: 2 length + 1.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(self, modulus: int = 17, length: int = 16, window: int = 2) -> None:
        self.modulus = validate.positive_int("modulus", modulus, 2)
        self.length = validate.positive_int("length", length)
        if validate.positive_int("window", window) > length:
            raise ValueError(f"window is {window}; it must be at most length = {length}.")
        self.window, self.seq = window, 2 * length + 1
        values = tuple(str(value) for value in range(modulus))
        self.vocabulary = (*values, "=")
        self.attributes = {"value": values, "sum": values}

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw sequences on the generator's device."""
        shape = (validate.positive_int("batch_size", batch_size), self.length)
        x = torch.randint(self.modulus, shape, generator=generator, device=generator.device)
        y = self._sums(x)
        sign, none = torch.full_like(x[:, :1], self.modulus), torch.full_like(y, NONE)
        value = torch.cat([x, none[:, :1], y], 1)
        labels = {"value": value, "sum": torch.cat([y, none[:, :1], none], 1)}
        return Sequences(torch.cat([x, sign, y], 1), labels)

    def _sums(self, x: Int[Tensor, "batch length"]) -> Int[Tensor, "batch length"]:
        until = x.cumsum(1)
        before = torch.nn.functional.pad(until, (self.window, 0))[:, : self.length]
        return (until - before) % self.modulus

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        validate.shape("tokens", tokens, ("batch", self.seq))
        x = tokens[:, : self.length]
        sign = torch.full_like(x[:, :1], self.modulus)
        right = torch.cat([x % self.modulus, sign, self._sums(x)], 1)
        return uniform_then_certain(tokens, right, self.length, self.modulus)
