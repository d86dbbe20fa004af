"""Labels that only the context explains: demonstrations of a task, then a query."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.draws import draw, in_64_bits
from course_lib.data.sequences import Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class InContextTasks:
    """Item, label, item, label, …: one task per sequence says which label each item gets.

    The task of a sequence is drawn first, then each item on its own, then its label: the one that
    the task gives it, or, with probability `noise`, any label at random. Each pair is a query that
    the pairs before it help to answer; the last is the query after `n_shots` demonstrations.

    | planted                              | where                                          |
    |--------------------------------------|------------------------------------------------|
    | the task                             | label `task`, at every token                   |
    | the label that the task gives an item | label `label`, at the item and at what follows |
    | which pair                           | label `shot`, 0 to n_shots                     |
    | an ideal observer's belief           | `posterior`                                    |
    | the law of the next token            | `log_prob`, that observer's prediction         |

    Args:
        table: [n_tasks, n_items], the label (0, 1, …) that each task gives to each item.
        n_shots: demonstrations before the last query.
        task_probability: [n_tasks]; all alike when None.
        item_probability: [n_items] or, where tasks have items of their own, [n_tasks, n_items];
            all alike when None.
        noise: the chance that a label is drawn at random.
        items, labels, tasks: their names; "x0", "y0", "task 0", … when None.

    Attributes:
        vocabulary: the items, then the labels: label l is token n_items + l.
        seq: 2 (n_shots + 1).

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        table: Int[Tensor, "n_tasks n_items"],
        n_shots: int,
        *,
        task_probability: Float[Tensor, " n_tasks"] | None = None,
        item_probability: Float[Tensor, "*n_tasks n_items"] | None = None,
        noise: float = 0.0,
        items: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        tasks: Sequence[str] | None = None,
    ) -> None:
        validate.tensors("any", table=(table, "n_tasks n_items"))
        if table.is_floating_point() or table.is_complex() or table.min() < 0:
            raise ValueError("table must hold whole numbers from 0: the labels' indices.")
        self.table, self.n_shots = table.long(), validate.positive_int("n_shots", n_shots, 0)
        n_labels = len(listed("labels", labels)) or int(table.max()) + 1
        n_tasks, n_items = table.shape
        if table.max() >= n_labels:
            raise ValueError(f"table has label {table.max()}, but labels names {n_labels} only.")
        self.n_items, self.n_labels, self.seq = n_items, n_labels, 2 * (n_shots + 1)
        self.noise = validate.number("noise", noise, 0.0, 1.0)
        self.task_probability = _law("task_probability", task_probability, (n_tasks,))
        if item_probability is not None:
            item_probability = validate.probability("item_probability", item_probability)
            if item_probability.ndim == 1:
                item_probability = item_probability.expand(n_tasks, -1)
        self.item_probability = _law("item_probability", item_probability, (n_tasks, n_items))
        items = _names("items", items, n_items, "x")
        labels = _names("labels", labels, n_labels, "y")
        tasks = _names("tasks", tasks, n_tasks, "task ")
        self.vocabulary = (*items, *labels)
        shots = tuple(str(shot) for shot in range(n_shots + 1))
        self.attributes = {"task": tasks, "label": labels, "shot": shots}

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw sequences on the generator's device."""
        validate.positive_int("batch_size", batch_size)
        device, pairs = generator.device, self.n_shots + 1
        none = torch.zeros(batch_size, dtype=torch.long, device=device)
        task = draw(self.task_probability[None], none, generator)
        item = draw(self.item_probability, task[:, None].expand(-1, pairs), generator)
        label = self.table.to(device)[task[:, None], item]
        shown = torch.randint(self.n_labels, label.shape, generator=generator, device=device)
        noisy = torch.rand(label.shape, generator=generator, device=device) < self.noise
        shown = shown.where(noisy, label)
        shot = torch.arange(pairs, device=device).repeat_interleave(2)
        truth = {
            "task": task[:, None].expand(-1, self.seq),
            "label": label.repeat_interleave(2, dim=1),
            "shot": shot.expand(batch_size, -1),
        }
        return Sequences(torch.stack([item, self.n_items + shown], -1).flatten(1), truth)

    def posterior(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq n_tasks"]:
        """The probability of each task after each token, for who knows the world's law."""
        return self.joint(tokens).softmax(-1).to(torch.get_default_dtype())

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        return predictions(self.joint(tokens))

    def joint(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq n_tasks"]:
        """log p(task, tokens up to here), in 64 bits."""
        tokens = in_64_bits(validate.shape("tokens", tokens, ("batch", self.seq)))
        item, label = tokens[:, ::2], tokens[:, 1::2] - self.n_items
        is_item = (item >= 0) & (item < self.n_items)
        place = item.clamp(0, self.n_items - 1)
        of_item = self.item_probability.to(tokens.device).T[place] * is_item[..., None]
        given = self.table.to(tokens.device).T[place] == label[..., None]
        of_label = (1 - self.noise) * given + self.noise / self.n_labels
        of_label = of_label * ((label >= 0) & (label < self.n_labels))[..., None]
        each = torch.stack([of_item, of_label], 2).flatten(1, 2).log()
        return self.task_probability.to(tokens.device).log() + each.cumsum(1)


def predictions(joint: Float[Tensor, "batch seq n_tasks"]) -> Float[Tensor, "batch seq"]:
    """Log-probability of each token given those before it, from log p(task, tokens up to here)."""
    evidence = joint.logsumexp(-1)
    change = evidence.diff(dim=1, prepend=evidence.new_zeros(len(evidence), 1))
    result = change.masked_fill(evidence == float("-inf"), float("-inf"))
    return result.to(torch.get_default_dtype())


def permuted_labels(
    n_items: int = 32,
    n_classes: int = 4,
    n_shots: int = 8,
    *,
    permuted: float = 0.5,
    class_probability: Float[Tensor, " n_classes"] | None = None,
    noise: float = 0.0,
) -> InContextTasks:
    """Items with a class for life, and contexts that call the classes by each other's names.

    Item i has class i mod n_classes. Task 0, with probability 1 - `permuted`, gives every item its
    own class; all other permutations of the classes share the rest. So an item's class is worth
    knowing by heart, and in some contexts it is worth more to copy. `class_probability` is how
    often items of each class come; all alike when None. After Halawi et al. 2023, "Overthinking
    the Truth", whose demonstrations have right or permuted labels.

    Raises TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    if not 2 <= validate.positive_int("n_classes", n_classes) <= 5:
        raise ValueError(f"n_classes is {n_classes}; it must be from 2 to 5.")
    validate.positive_int("n_items", n_items, n_classes)
    order = torch.tensor(list(permutations(range(n_classes))))  # the identity is the first
    own = torch.arange(n_items) % n_classes
    permuted = validate.number("permuted", permuted, 0.0, 1.0)
    task_probability = torch.full((len(order),), permuted / (len(order) - 1), dtype=torch.float64)
    task_probability[0] = 1 - permuted
    of_class = _law("class_probability", class_probability, (n_classes,))
    labels = [chr(65 + c) for c in range(n_classes)]
    return InContextTasks(
        order[:, own],
        n_shots,
        task_probability=task_probability,
        item_probability=of_class[own] / own.bincount()[own],
        noise=noise,
        labels=labels,
        tasks=["".join(labels[c] for c in row) for row in order.tolist()],
    )


def direction_labels(
    activations: Float[Tensor, "n_items d_model"],
    axes: Float[Tensor, "n_axes d_model"],
    n_shots: int = 16,
    *,
    noise: float = 0.0,
) -> InContextTasks:
    """Labels that say on which side of the median an item's activation lies along a hidden axis.

    Task a labels item i "high" where axes[a] · activations[i] is above its median over the items.
    The axes may be random directions, principal components or probes. After Ji-An et al. 2025,
    "Language Models Are Capable of Metacognitive Monitoring and Control of Their Internal
    Activations".

    Raises TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    validate.tensors(
        "any", activations=(activations, "n_items d_model"), axes=(axes, "n_axes d_model")
    )
    axes, activations = validate.finite("axes", axes), validate.finite("activations", activations)
    dtype = torch.promote_types(axes.dtype, activations.dtype)
    along = axes.to(dtype) @ activations.to(dtype).T
    table = (along > along.median(dim=1, keepdim=True).values).long()
    tasks = [f"axis {a}" for a in range(len(axes))]
    return InContextTasks(table, n_shots, noise=noise, labels=("low", "high"), tasks=tasks)


def two_alphabets(
    generator: Generator, n_symbols: int = 16, n_tasks: int = 8, n_shots: int = 4
) -> InContextTasks:
    """The same tasks in two alphabets without a common token.

    Task t is a random permutation of the symbols. A sequence is in one alphabet, items `a0`, `a1`,
    … with labels `A0`, `A1`, … or items `b0`, … with labels `B0`, …; in the world's table this is
    task 2 t or 2 t + 1. After Luo et al. 2024, "Task Vectors are Cross-Modal"; their
    other way to give a task is `InstructedTasks`.

    Raises TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    validate.instance("generator", generator, Generator)
    validate.positive_int("n_symbols", n_symbols, 2)
    keys = torch.rand(
        validate.positive_int("n_tasks", n_tasks), n_symbols,
        generator=generator, device=generator.device,
    )  # fmt: skip
    order = keys.argsort(-1).cpu()
    table = torch.cat([order, order + n_symbols], 1).repeat_interleave(2, dim=0)
    own = torch.eye(2).repeat_interleave(n_symbols, dim=1) / n_symbols
    items, labels = ([f"{a}{s}" for a in ab for s in range(n_symbols)] for ab in ("ab", "AB"))
    return InContextTasks(
        table,
        n_shots,
        item_probability=own.repeat(n_tasks, 1),
        items=items,
        labels=labels,
        tasks=[f"task {t} in {alphabet}" for t in range(n_tasks) for alphabet in "ab"],
    )


def _law(name: str, given: Tensor | None, size: tuple[int, ...]) -> Float[Tensor, "*size"]:
    """`given`, whose last axis must sum to 1, in 64 bits; uniform when None."""
    if given is None:
        return torch.full(size, 1 / size[-1], dtype=torch.float64)
    law = validate.shape(name, validate.probability(name, given), size).double()
    if (law.sum(-1) - 1).abs().max() > 1e-5:
        raise ValueError(f"{name} sums to {law.sum(-1).flatten()[0]:.4g}; it must sum to 1.")
    return law / law.sum(-1, keepdim=True)


def listed(argument: str, given: Sequence[str] | None) -> tuple[str, ...]:
    """The words of a list, or the letters of a text; empty for None."""
    if given is None or isinstance(given, str):
        return tuple(given or ())
    return tuple(validate.sequence(argument, given))


def _names(argument: str, given: Sequence[str] | None, size: int, prefix: str) -> tuple[str, ...]:
    names = listed(argument, given) or tuple(f"{prefix}{index}" for index in range(size))
    if len(names) != size:
        raise ValueError(f"{len(names)} names were given for {size} entries of {argument}.")
    return names
