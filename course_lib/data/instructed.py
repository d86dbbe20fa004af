"""Tasks that are told in a word, where they are not shown in examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from course_lib import validate
from course_lib.data.draws import in_64_bits
from course_lib.data.in_context import InContextTasks, listed, predictions
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int

BLANK = "?"


class InstructedTasks:
    """`do-3 a5 A2 …` or `? a5 A2 a0 A7 …`: in-context tasks with one token more, the first.

    With probability `told` it is the instruction of the sequence's task, else a question mark, and
    then only the demonstrations tell. The rest is a sequence of `world`, whichever it is.

    | planted                              | where                                          |
    |--------------------------------------|------------------------------------------------|
    | the task                             | label `task`, at every token                   |
    | whether it was told                  | label `told`, at every token                   |
    | what the world plants                | its labels `label` and `shot`, from token 1 on |
    | an ideal observer's belief           | `posterior`                                    |
    | the law of the next token            | `log_prob`, that observer's prediction         |

    So a task can be given in two ways, to be compared inside a model, as in Luo et al. 2024, "Task
    Vectors are Cross-Modal".

    Args:
        world: the tasks.
        instructions: a word for each task; where two have the same, it leaves open which.
        told: the chance that the first token is the instruction.

    Attributes:
        vocabulary: the world's, then `?` and the instructions, each once.
        seq: one more than the world's.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self, world: InContextTasks, instructions: Sequence[str], told: float = 0.5
    ) -> None:
        n_tasks = len(validate.instance("world", world, InContextTasks).table)
        instructions = [
            validate.text("instructions", word) for word in listed("instructions", instructions)
        ]
        words = tuple(dict.fromkeys(instructions))
        if len(instructions) != n_tasks:
            raise ValueError(f"instructions has {len(instructions)} words for {n_tasks} tasks.")
        if taken := set(words) & {BLANK, *world.vocabulary}:
            raise ValueError(f"instructions has {min(taken)!r}, which is a word of something else.")
        self.world, self.seq = world, world.seq + 1
        self.told = validate.number("told", told, 0.0, 1.0)
        self.vocabulary = (*world.vocabulary, BLANK, *words)
        self.attributes = world.attributes | {"told": ("shown", "told")}
        self.blank = len(world.vocabulary)
        self.instruction = torch.tensor([self.vocabulary.index(word) for word in instructions])

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw sequences on the generator's device."""
        rest = self.world.sample(batch_size, generator)
        task = rest.labels["task"][:, :1]
        u = torch.rand(task.shape, generator=generator, device=generator.device)
        told = u < self.told
        first = self.instruction.to(task.device)[task].where(told, self.blank)
        labels = {name: pad(label, (1, 0), value=NONE) for name, label in rest.labels.items()}
        labels |= {"task": task.expand(-1, self.seq), "told": told.long().expand(-1, self.seq)}
        return Sequences(torch.cat([first, rest.tokens], 1), labels)

    def posterior(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq n_tasks"]:
        """The probability of each task after each token, for who knows the world's law."""
        return self._joint(tokens).softmax(-1).to(torch.get_default_dtype())

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        return predictions(self._joint(tokens))

    def _joint(self, tokens: Tensor) -> Float[Tensor, "batch seq n_tasks"]:
        """log p(task, tokens up to here)."""
        tokens = in_64_bits(validate.shape("tokens", tokens, ("batch", self.seq)))
        first, prior = tokens[:, :1], self.world.task_probability.to(tokens.device)
        names_it = (first == self.instruction.to(tokens.device)).double()
        likely = self.told * names_it + (1 - self.told) * (first == self.blank)
        rest = self.world.joint(tokens[:, 1:])
        return (
            torch.cat([prior.log()[None, None].expand(len(tokens), 1, -1), rest], 1)
            + (likely.log()[:, None])
        )
