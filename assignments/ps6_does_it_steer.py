"""Problem set 6: does it steer? (chapters 20, 21 and 22)."""

import torch
from torch.nn import functional as F

from course_lib.grading.questions import (
    ProblemSet,
    Written,
    agrees,
    case,
    first,
    fourth,
    second,
    third,
)

SET = ProblemSet(
    "Problem set 6: Does it steer?",
    chapters=(20, 21, 22),
    written=[
        Written(
            "coffee",
            "Question 6: The coffee latent",
            minutes=10,
            objective="tell what a steering result shows from what it is said to show",
            rubric={
                "The strength was chosen on the prompts that are reported; choose it on others": 4,
                "Equal strength is neither equal norm nor equal cost; compare at equal KL": 4,
                "No random directions of equal norm with the same choice of strengths": 3,
                "Moved odds show no use: ablate it, test its name, or tell gain from loss": 4,
            },
        )
    ],
)


def uniform(draw, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=draw.generator)


def normal(draw, *shape):
    return torch.randn(shape, generator=draw.generator)


def prompts(draw, V, batch, seq, seq_source):
    """Activations of pairs; no two are patched at one place, or from the place they are patched."""
    at_base = torch.randperm(seq, generator=draw.generator)[:batch]
    base, source = normal(draw, batch, seq, V.shape[1]), normal(draw, batch, seq_source, V.shape[1])
    at_source = (at_base + 1) % seq_source
    return {"base": base, "source": source, "V": V, "at_base": at_base, "at_source": at_source}


def slanted(draw, k, d):
    """Rows of other lengths than 1 that are neither at right angles nor nearly dependent."""
    while True:
        unit = F.normalize(normal(draw, k, d), dim=1)
        closest = (unit @ unit.T - torch.eye(k)).abs().max()
        if 0.3 < closest < 0.7 and torch.linalg.cond(unit) < 4:
            return unit * torch.linspace(0.6, 1.7, k)[:, None]


def exchange_gradients(attempt, base, source, V, at_base, at_source):
    base, source, V = base.requires_grad_(), source.requires_grad_(), V.requires_grad_()
    patched = attempt(base, source, V, at_base, at_source)
    return torch.autograd.grad(patched.square().sum(), (base, source, V))


@SET.question(
    "Question 1: Exchange a subspace",
    points=15,
    minutes=15,
    objective="exchange what two runs have in a subspace, whichever rows span it",
)
def exchange(draw):
    right = draw.solved["exchange"]
    upright = torch.linalg.qr(normal(draw, 5, 2))[0].T
    open_ = prompts(draw, upright, 3, 4, 6)
    square = prompts(draw, slanted(draw, 2, 4), 4, 4, 4)
    plane = slanted(draw, 2, 6)
    repeated = prompts(draw, torch.cat([plane, -2 * plane[:1]]), 3, 5, 4)
    slopes = prompts(draw, slanted(draw, 3, 5), 3, 4, 6)
    return [
        case(
            "Rows of length 1 at right angles",
            open_,
            agrees(right(**open_)),
            "One token of each prompt changes, each at its own place, and only within the span.",
            4,
            visible=True,
        ),
        case(
            "Slanted rows, and all axes of one length",
            square,
            agrees(right(**square)),
            "V^T V projects only if the rows are at right angles and of length 1.",
            4,
        ),
        case(
            "A row that follows from another",
            repeated,
            agrees(right(**repeated), atol=1e-3),
            "V V^T has no inverse, and the span has fewer dimensions than V has rows.",
            3,
        ),
        case(
            "Gradients reach base, source and V",
            slopes,
            agrees(
                exchange_gradients(right, **{k: v.clone() for k, v in slopes.items()}), atol=1e-3
            ),
            "Look for .detach(), torch.no_grad(), and for a write into base itself.",
            4,
            call=exchange_gradients,
        ),
    ]


def pairs(draw, n, d, cosine):
    """Pairs whose mean difference has this cosine with the read-out; they themselves differ."""
    reads = F.normalize(normal(draw, d), dim=0)
    across = normal(draw, d)
    across = F.normalize(across - (across @ reads) * reads, dim=0)
    moves = cosine * reads + (1 - cosine.square()).sqrt() * across
    change = 2 * normal(draw, n, d)
    change = change - change.mean(dim=0) + uniform(draw, 0.8, 1.2) * moves
    base = 1 + normal(draw, n, d)
    return {"base": base, "source": base + change, "w_out": uniform(draw, 2, 4) * reads}


def without_the_share(attempt, base, source, w_out):
    v, recovered, _ = attempt(base, source, w_out)
    return v, recovered


def share_alone(attempt, base, source, w_out):
    return attempt(base, source, w_out)[2]


@SET.question(
    "Question 2: More than everything",
    points=20,
    minutes=20,
    objective="say how much the best single direction recovers, and from what",
)
def strongest_patch(draw):
    right = draw.solved["strongest_patch"]
    open_ = pairs(draw, 6, 4, uniform(draw, 0.3, 0.6))
    down = {k: v.double() for k, v in pairs(draw, 7, 5, -uniform(draw, 0.3, 0.6)).items()}
    wide = pairs(draw, 12, 12, uniform(draw, 0.04, 0.08))
    unseen = pairs(draw, 8, 5, -uniform(draw, 0.2, 0.4))
    return [
        case(
            "A layer of four neurons",
            open_,
            agrees(right(**open_)),
            "Write R(v) with the unit vectors along the mean difference and along the read-out; "
            "only the plane of these two matters.",
            5,
            visible=True,
        ),
        case(
            "The source's output is lower",
            down,
            agrees(right(**down)[:2]),
            "Below the line of R(v) stands a negative number; the one above must be as negative "
            "as can be.",
            5,
            call=without_the_share,
        ),
        case(
            "A wide layer that moves nearly across what is read",
            wide,
            agrees(right(**wide)[:2]),
            "Is anything cut off at 1, or averaged over pairs as a ratio?",
            5,
            call=without_the_share,
        ),
        case(
            "Read off the null space, where the output falls",
            unseen,
            agrees(right(**unseen)[2]),
            "The share is of how far the patch moves along v, not of the length of v.",
            5,
            call=share_alone,
        ),
    ]


def steered(draw, n, k, n_words, n_positive, wanted):
    """A small model, a vector whose effect has this sign, and random directions of its norm.

    Redrawn until each part of the definition makes a difference: directions push to both sides, and
    some push some contexts up and others down; the vector pushes all of them to one side.
    """
    while True:
        h, W_U = normal(draw, n, 4), 1.5 * normal(draw, n_words, 4)
        words = torch.randperm(n_words, generator=draw.generator)
        sides = words[:n_positive], words[n_positive : 2 * n_positive + (n > 1)]
        pushes = 1.3 * F.normalize(normal(draw, 1 + k, 4), dim=1)

        def odds(x, W_U=W_U, sides=sides):
            up, down = ((x @ W_U[side].T).logsumexp(dim=-1) for side in sides)
            return up - down

        effect = odds(h + pushes[:, None]) - odds(h)
        mean = effect.mean(dim=1)
        mixed = (effect[1:].abs().mean(dim=1) - mean[1:].abs()).mean()
        tells = n == 1 or (mixed > 0.1 and mean[1:].max() > 0.3)
        if tells and mean[1:].min() < -0.3 and (wanted * effect[0]).min() > 0.2:
            break
    resamples = torch.randint(n, (30, n), generator=draw.generator)
    return {
        "h": h,
        "W_U": W_U,
        "positive": sides[0],
        "negative": sides[1],
        "v": pushes[0],
        "randoms": pushes[1:],
        "resamples": resamples,
    }


@SET.question(
    "Question 3: More than any push",
    points=20,
    minutes=20,
    objective="put a steering vector beside random directions, with an honest interval",
)
def margin(draw):
    right = draw.solved["margin"]
    open_, unequal, wrong_way = (steered(draw, 8, 5, 9, 2, wanted) for wanted in (1.0, 1.0, -1.0))
    for world in (unequal, wrong_way):
        lengths = torch.tensor([[0.2], [4.0], [0.5], [2.5], [7.0]])
        world["randoms"] = lengths * world["randoms"]
    single = steered(draw, 1, 1, 5, 1, 1.0)
    single["randoms"] = 3 * single["randoms"]
    return [
        case(
            "Random directions as long as the vector",
            open_,
            agrees(right(**open_), atol=1e-3),
            "Effects [1 + k, n] first; then the mean over contexts, then the size, then the mean "
            "over directions, in this order.",
            5,
            visible=True,
        ),
        case(
            "Random directions of five lengths",
            unequal,
            agrees(right(**unequal), atol=1e-3),
            "Bring each random direction to the norm of v before it is added.",
            6,
        ),
        case(
            "A vector that pushes the wrong way",
            wrong_way,
            agrees(right(**wrong_way), atol=1e-3),
            "Only the random directions count by their size; a margin can be negative.",
            6,
        ),
        case(
            "One context, one direction, one word for each side",
            single,
            agrees(right(**single), atol=1e-3),
            "Axes of length 1 stay, and all three numbers are the same here.",
            3,
        ),
    ]


def grid(draw, counts, n, *shape):
    """Cells in which so many of n contexts are won.

    The second best stands first, so that cells are never sorted; the rest is drawn by lot.
    """
    others = torch.randperm(len(counts) - 1, generator=draw.generator)
    cells = torch.cat([torch.tensor([1]), others + (others > 0).long()])
    order = torch.rand(len(counts), n, generator=draw.generator).argsort(dim=1)
    return (order < torch.tensor(counts)[cells, None]).view(*shape, n)


def among(draw, *values):
    return values[int(torch.randint(len(values), (), generator=draw.generator))]


@SET.question(
    "Question 4: How many cells work?",
    points=15,
    minutes=15,
    objective="count the cells of a dose-response grid without counting luck",
)
def corrected(draw):
    right = draw.solved["corrected"]
    open_ = {"won": grid(draw, [12, 11, 10, 9], 12, 4), "chance": 0.5}
    wide = {
        "won": grid(draw, [12, 11, 11, 10, 10, 9, 9, 1], 12, 2, 4),
        "chance": among(draw, 0.36, 0.38, 0.4, 0.42),
    }
    quiet = {
        "won": grid(draw, [9, 8, 8, 4, 3, 0], 10, 3, 1, 2),
        "chance": among(draw, 0.4, 0.42, 0.44, 0.46),
    }
    return [
        case(
            "Four cells in a row",
            open_,
            agrees(right(**open_), atol=1e-6),
            "First the p-values: count from k to n, both included. Then the smallest times the "
            "number of cells, and every value back to its cell.",
            5,
            visible=True,
        ),
        case(
            "A grid of layers and strengths, some cells equally good",
            wide,
            agrees(right(**wide), atol=1e-6),
            "Equal cells have equal values: a corrected value is never below one before it. And "
            "the correction is over the whole grid.",
            6,
        ),
        case(
            "A grid in which nearly nothing is better than chance",
            quiet,
            agrees(right(**quiet), atol=1e-6),
            "No probability is above 1, and a cell without a win has the p-value 1.",
            4,
        ),
    ]


@SET.question(
    "Question 5: Your own model",
    points=15,
    minutes=15,
    objective="compare a latent with the difference of means at equal cost",
    value=True,
)
def my_numbers(draw):
    exact, by_law, means, latent = draw.solved["my_numbers"]
    return [
        case(
            "The strength at the budget",
            {},
            agrees(exact, atol=1e-3),
            "The KL is from the prediction without the push to the one with it, over my_other; "
            "halve an interval of strengths until it is small. Is STUDENT your name?",
            4,
            call=first,
        ),
        case(
            "The strength by the square law",
            {},
            agrees(by_law, atol=1e-3),
            "By the law the strength goes with the root of the cost.",
            3,
            call=second,
        ),
        case(
            "What the difference of means gains",
            {},
            agrees(means, atol=2e-3),
            "Only contexts of class 0 are asked; each side is a sum of probabilities.",
            4,
            call=third,
        ),
        case(
            "What the latent gains",
            {},
            agrees(latent, atol=2e-3),
            "The latent has a strength of its own: not that of the means, nor one of equal norm.",
            4,
            call=fourth,
        ),
    ]
