"""Problem set 5: what a probe shows (chapters 12 to 15)."""

import torch

from course_lib.grading.questions import ProblemSet, Written, case, first, second, third

SET = ProblemSet(
    "Problem set 5: What a probe shows",
    chapters=(12, 13, 14, 15),
    written=[
        Written(
            "best",
            "Question 6: The best of 240",
            minutes=15,
            objective="say how high luck reaches when many probes are tried",
            rubric={
                "Luck comes to 58 to 61 %: the largest of 240 with a deviation of 3.5 points": 5,
                "The cell is chosen on the statements that score it; the controls are not": 4,
                "Topics are on both sides of the split; whole topics must be held out": 2,
                "An edit there changes answers, and another of the same length does not": 3,
            },
        )
    ],
)


def normal(draw, *shape):
    return torch.randn(*shape, generator=draw.generator, dtype=torch.float64)


def short(x):
    """Six decimals, so that the open cases have the same text on every machine."""
    return x.round(decimals=6)


def stretch(draw, scales):
    """A matrix with these singular values."""
    left, right = torch.linalg.qr(normal(draw, 2, len(scales), len(scales)))[0]
    return left * torch.tensor(scales, dtype=torch.float64) @ right


@SET.question(
    "Question 1: A dose that no coordinates change",
    points=18,
    minutes=15,
    objective="steer a concept by a given amount, alike in all coordinates of one model",
)
def steered(draw):
    right = draw.solved["steered"]
    n, d = 16, 5
    contexts, even = short(normal(draw, 3, d) / 3), torch.full((n,), 1 / n, dtype=torch.float64)
    W_U = normal(draw, n, d) @ stretch(draw, [4.5, 3.5, 3.0, 2.0, 1.5])
    W_U = short(W_U - W_U.mean(dim=0))
    size = 0  # of the concept, squared and causal: not near 1, so that each unit is another
    while size < 1.5:
        pairs = torch.randperm(n, generator=draw.generator)[:8].view(4, 2)
        gap = (W_U[pairs[:, 1]] - W_U[pairs[:, 0]]).mean(dim=0)
        riesz = torch.linalg.solve(W_U.T @ W_U / n, gap)
        size = gap @ riesz
    liking = W_U @ riesz / size.sqrt()  # words with the concept are said more often
    law = torch.softmax(0.5 * normal(draw, n) + liking, dim=0)
    shift = 1.5 + torch.rand((), generator=draw.generator).item()
    # Adds 1000 to every logit, and more with the dose.
    wanted = torch.tensor([1e3, 1e3, 1e3, -300 * size]).double()
    shared = torch.linalg.pinv(torch.cat([contexts, riesz[None]])) @ wanted
    A = stretch(draw, [3.0, 0.3, 0.1, 0.03, 0.003])
    plain = {"contexts": contexts, "W_U": W_U, "law": even, "pairs": pairs, "shift": shift}
    spoken, far = plain | {"law": law}, plain | {"W_U": W_U + shared, "shift": -shift}
    other = plain | {"contexts": contexts @ A.inverse(), "W_U": W_U @ A.T}
    return [
        case(
            "Every word is said equally often",
            plain,
            short(right(**plain)),
            "By how much does adding s to λ move the log-odds of one pair? And of the mean of all?",
            5,
            visible=True,
        ),
        case("Some words are said more often", spoken, right(**spoken), "Where does q stand?", 4),
        case(
            "Words far from the origin, and a dose below zero",
            far,
            right(**far),
            "What all words share changes no probability. Is it in your covariance, or in an exp?",
            5,
        ),
        case(
            "The same model in other coordinates",
            other,
            right(**plain),
            "A length, a ridge, a cut-off: each belongs to the coordinates that somebody chose.",
            4,
        ),
    ]


@SET.question(
    "Question 2: Where does it transfer?",
    points=18,
    minutes=15,
    objective="tell how a detector that was made on one kind of document does on every other kind",
)
def transfer(draw):
    right = draw.solved["transfer"]
    order = torch.randperm(64, generator=draw.generator)
    kind = torch.tensor([0] * 24 + [1] * 24 + [2] * 16)[order]
    y = torch.tensor(([True] * 8 + [False] * 16) * 2 + [True] * 8 + [False] * 8)[order]
    y ^= kind == 1  # 8 of 24 are yes, 16 of 24, and 8 of 16

    def world(noise, *gaps):
        """Three kinds, each with its own gap along one direction, on a grid: sums are exact."""
        gap = (torch.tensor(gaps)[kind] * y)[:, None] * torch.tensor([0.5, 1.0, 0.5])
        return {"x": (1024 * noise).round() / 1024 + gap, "y": y, "kind": kind}

    def oblong(*gaps):
        noise = normal(draw, 64, 3) * torch.tensor([2.5, 1.0, 0.5])
        return world(noise + 2 * normal(draw, 3, 3)[kind], *gaps)

    def on_few_spots():
        spots = torch.randint(12, (64,), generator=draw.generator)
        return world(normal(draw, 12, 3)[spots], 0, 0, 0)

    def drawn(below, make, *gaps):
        """A world whose table is not symmetric, has no 0.5 in it, and numbers below it or none."""
        while True:
            table = right(**(made := make(*gaps)))
            clear = (table - table.T).abs().max() > 0.02 and (table - 0.5).abs().min() > 0.01
            if clear and (table[1:, 1:].min() < 0.45) == below == (table.min() < 0.5):
                return made

    alike, opposed = drawn(False, oblong, 1, 1, 1), drawn(True, oblong, 1, -1, 1)
    ties = drawn(True, on_few_spots)
    nothing, spot = opposed | {"x": opposed["x"].clone()}, opposed["x"][0]
    nothing["x"][y & (kind == 0)] = torch.tensor([[2.0], [-1], [-1], [0]] * 2) * spot
    nothing["x"][~y & (kind == 0)] = torch.tensor([[-2.0], [1], [1], [0]] * 4) * spot
    return [
        case(
            "Three kinds with one direction in common",
            alike,
            right(**alike),
            "Two loops over kinds. For one entry, compare every yes row with every no row.",
            6,
            visible=True,
        ),
        case(
            "Kinds in which the direction points the other way",
            opposed,
            right(**opposed),
            "Below one half is what it is: no absolute value, no larger of two.",
            4,
        ),
        case("Rows that stand on few spots", ties, right(**ties), "What does a tie count?", 4),
        case(
            "One mean for both labels", nothing, right(**nothing), "What is the score of a coin?", 4
        ),
    ]


def in_other_coordinates(attempt, x, z, k, A, b):
    return (attempt(x @ A + b, z, k) - b) @ A.inverse()


@SET.question(
    "Question 3: Erase one, keep the other",
    points=20,
    minutes=20,
    objective="derive an edit with the least change under conditions of your own",
)
def erase_and_keep(draw):
    right = draw.solved["erase_and_keep"]
    n, d = 48, 4

    def rows(z, k):
        """Rows, around the origin, that hold both labels along directions at an angle."""
        labels = torch.stack([(label - label.mean()) / label.std() for label in (z, k)], dim=1)
        codes = torch.tensor([[1.0, 0.0], [0.5, 0.8]]).double() @ stretch(draw, [1.0] * d)[:2]
        x = labels @ codes + normal(draw, n, d) @ stretch(draw, [2.0, 1.1, 0.7, 0.4])
        return short(x - x.mean(dim=0))

    places = torch.randperm(n, generator=draw.generator)
    z, k = (places % 2).double(), (places % 8 < 3).double()
    number = 30 + 8 * normal(draw, n)
    yes_or_no = {"x": rows(z, k), "z": z, "k": k}
    numbers = {"x": rows(number, k), "z": number, "k": 5 * k + 0.2 * number + normal(draw, n)}
    moved = {"A": stretch(draw, [1e-2, 3e-3, 3e-4, 1e-4]), "b": normal(draw, d)}
    return [
        case(
            "Two labels that are yes or no",
            yes_or_no,
            short(right(**yes_or_no)),
            "What do the conditions say of M? Then minimise the trace of M Cov(x) Mᵀ, row by row.",
            7,
            visible=True,
        ),
        case(
            "Labels that are numbers", numbers, right(**numbers), "Means of classes will not do.", 6
        ),
        case(
            "Other coordinates, with another origin",
            yes_or_no | moved,
            right(**yes_or_no),
            "The best map is one in all coordinates. What of yours is not: a mean, a ridge?",
            7,
            call=in_other_coordinates,
        ),
    ]


def with_slopes(attempt, x, means, frequency, steps):
    x, steps = x.requires_grad_(), steps.requires_grad_()
    out = attempt(x, means, frequency, steps)
    return (out.detach(), *torch.autograd.grad(out.square().sum(), (x, steps)))


@SET.question(
    "Question 4: Two and a half days later",
    points=18,
    minutes=15,
    objective="move an activation along a circle by any angle, and nothing else in it",
)
def turn(draw):
    right = draw.solved["turn"]

    def calendar(n, batch, frequency, shape):
        """Places on a circle with axes of this shape [2, 2], and some of another frequency."""

        def waves(turns):
            angle = 2 * torch.pi * turns * torch.arange(n).double() / n
            return torch.stack([angle.cos(), angle.sin()], dim=1)

        axes = torch.tensor(shape).double() @ torch.linalg.qr(normal(draw, 5, 2))[0].T
        means = waves(frequency) @ axes + 0.3 * waves(5 - frequency) @ normal(draw, 2, 5)
        means = short(means + 2 * normal(draw, 5))
        place = torch.randint(n, (batch,), generator=draw.generator)
        steps = short(0.25 + 2 * torch.rand(batch, generator=draw.generator).double())
        x = short(means[place] + 0.5 * normal(draw, batch, 5))
        return {"x": x, "means": means, "frequency": frequency, "steps": steps}

    even, skew = [[1.5, 0.0], [0.0, 1.5]], [[2.0, 0.0], [0.8, 0.6]]
    circle, ellipse = calendar(7, 4, 1, even), calendar(7, 7, 1, skew)
    star, slopes = calendar(12, 3, 3, even), calendar(7, 3, 2, skew)
    star["steps"] = -star["steps"]
    return [
        case(
            "A round circle of days",
            circle,
            short(right(**circle)),
            "Find a and b of every row first; the rest, and the centre, stay in x.",
            6,
            visible=True,
        ),
        case(
            "An ellipse, its axes at an angle",
            ellipse,
            right(**ellipse),
            "What if u and w overlap?",
            5,
        ),
        case(
            "Frequency 3, gone backwards", star, right(**star), "By what angle is j + 1 ahead?", 3
        ),
        case(
            "The gradients of x and of the steps",
            slopes,
            with_slopes(right, **slopes | {k: slopes[k].clone() for k in ("x", "steps")}),
            "Look for .detach(), .item(), rounding or torch.no_grad() on the way.",
            4,
            call=with_slopes,
        ),
    ]


@SET.question(
    "Question 5: Your own board",
    points=12,
    minutes=10,
    objective="tell what one line cannot read from what is not there",
    value=True,
)
def my_numbers(draw):
    one, by_turn, two = draw.solved["my_numbers"]
    hint = "Is STUDENT the name under which you hand in? Which games are fitted, which scored?"
    return [
        case("One probe for black or white", {}, one, hint, 4, call=first),
        case("One probe for each player's turn", {}, by_turn, hint, 4, call=second),
        case("The exclusive or of two probes", {}, two, hint, 4, call=third),
    ]
