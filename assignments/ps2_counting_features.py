"""Problem set 2: counting features (chapters 3, 4 and 5)."""

import torch

from course_lib.grading.questions import (
    ProblemSet,
    Written,
    agrees,
    apply,
    case,
    first,
    second,
    third,
)

SET = ProblemSet(
    "Problem set 2: Counting features",
    chapters=(3, 4, 5),
    written=[
        Written(
            "forty_one",
            "Question 6: Forty-one features?",
            minutes=10,
            objective="tell what a participation ratio says and what it does not",
            rubric={
                "It counts evenly used directions of variance, and is at most 768 whatever is "
                "stored: it can neither show nor exclude superposition": 5,
                "How many features can show 41: few large variances drown the rest, or many "
                "directions share a small subspace": 4,
                "A change that moves it and no feature: a neuron in other units, undone by the "
                "weights that read it (a constant offset is none: the mean is subtracted)": 3,
                "A measurement with its control: effective features, error and dictionary size "
                "beside those of shuffled inputs, noise or an untrained SAE, or the like": 3,
            },
        )
    ],
)


def compared(right, rows, atol=1e-4, call=apply, n_open=1):
    """Cases judged by what `right` returns; a row is title, inputs, points and hint."""
    made = []
    for k, (title, inputs, points, hint) in enumerate(rows):
        judge = agrees(call(right, **inputs), atol)
        made.append(case(title, inputs, judge, hint, points, visible=k < n_open, call=call))
    return made


@SET.question(
    "Question 1: Leave out or share",
    points=20,
    minutes=20,
    objective="work out what a layer loses that leaves features out, and one that shares",
)
def leave_out_or_share(draw):
    def probabilities(n):
        """Frequent ones first, each at most 0.87 of the one before."""
        steps = 0.6 + 0.27 * torch.rand(n, generator=draw.generator)
        return 0.8 * steps.cumprod(dim=0)

    def layer(p, mean_square, sizes):
        return {"p": p, "mean_square": mean_square, "sizes": torch.tensor(sizes)}

    p, alike = probabilities(10), torch.full((10,), 4 / 3)
    loudness = (0.1 + 0.02 * torch.rand(10, generator=draw.generator)) / p**2
    some_silent = torch.cat([torch.zeros(3), probabilities(5).flip(0), torch.zeros(2)])
    rows = [
        (
            "The most frequent first, all equally loud",
            layer(p, alike, [1, 3, 6, 8]),
            5,
            "What does answering 0 cost? Shared: r_i is a multiple of s_i plus the rest; take the "
            "mean of the squared error, and ask which gain makes it smallest.",
        ),
        (
            "In any order, as many sizes as features",
            layer(p.flip(0).roll(3), alike, [2, 9, 4, 1, 7, 3, 8, 5, 6, 10]),
            5,
            "Nobody has sorted the features for you, nor the sizes.",
        ),
        (
            "The rarest are the loudest",
            layer(p, loudness, [9, 5, 1]),
            5,
            "Is it the frequency of a feature that makes it dear, or its expected square?",
        ),
        (
            "Silent features, and more dimensions than features",
            layer(some_silent, 1 + alike, [2, 12, 40]),
            5,
            "With m of n or more nothing is left out, and random directions overlap all the same.",
        ),
    ]
    return compared(draw.solved["leave_out_or_share"], rows, atol=1e-6)


@SET.question(
    "Question 2: A law with a floor",
    points=20,
    minutes=20,
    objective="fit a power law that ends on a floor, with each size counting alike",
)
def law_with_floor(draw):
    right = draw.solved["law_with_floor"]

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=draw.generator).double()

    def spaced(low, high, n):
        return torch.linspace(low, high, n).double() + uniform(0, 0.1, n)

    def law(alpha, sizes):
        start, floor = uniform(2, 20, len(alpha), 1), uniform(0.1, 0.3, len(alpha), 1)
        return start * ((sizes / 8) ** -alpha[:, None] + floor)

    def noisy(loss, sizes, exponents):
        """Curves whose exponents stand when losses change a little; the smallest model is bad."""
        loss = loss * torch.where(sizes == 8, 1.35, 1.0)
        while True:
            noise = torch.randn(2, *loss.shape, generator=draw.generator).double()
            with_noise = loss * (0.05 * noise[0]).exp()
            nearly = right(sizes, with_noise * (1 + 1e-4 * noise[1]), exponents)[0]
            if right(sizes, with_noise, exponents)[0].equal(nearly):
                return {"sizes": sizes, "loss": with_noise, "exponents": exponents}

    sizes = 8.0 * 2.0 ** torch.arange(8, dtype=torch.double)
    fine = torch.arange(2, 41, dtype=torch.double) / 10
    eight = torch.tensor([1.1, 0.7, 1.4, 0.9, 1.3, 0.8, 1.2, 1.0], dtype=torch.double)
    mixed = sizes[[3, 0, 5, 7, 1, 4, 6, 2]]
    alpha = fine[3:14][torch.randperm(11, generator=draw.generator)[:3]]
    cut_off = 5 * (sizes / 8) ** -spaced(0.3, 1.2, 8)[:, None] * (-sizes / 400).exp()
    rows = [
        (
            "Three curves without noise",
            {"sizes": sizes, "loss": law(alpha, sizes), "exponents": fine},
            5,
            "For one exponent, divide the model by L: two unknowns, two normal equations. Without "
            "noise the law comes back as it was.",
        ),
        (
            "Five curves with noise, and a small model that is far too bad",
            noisy(law(spaced(0.6, 1.4, 5), sizes), sizes, fine),
            5,
            "What is squared is the error over the loss. Each curve has an exponent of its own.",
        ),
        (
            "Curves that fall faster and faster",
            noisy(cut_off, sizes, fine),
            6,
            "Where the floor is held at 0, c is fitted anew, before exponents are compared.",
        ),
        (
            "As many curves as sizes and exponents, in no order",
            noisy(law(spaced(0.7, 1.3, 8), mixed), mixed, eight),
            4,
            "Name the axes: curves, exponents, sizes. No step may need the sizes sorted.",
        ),
    ]
    return compared(right, rows, atol=1e-5)


def at_orders(attempt, activity, orders):
    return torch.stack([attempt(activity, order) for order in orders.tolist()])


def slopes(attempt, activity, orders):
    activity = activity.clone().requires_grad_()
    counts = torch.stack([attempt(activity, order) for order in orders.tolist()])
    return torch.autograd.grad(counts.square().sum(), activity)[0]


@SET.question(
    "Question 3: A family of counts",
    points=15,
    minutes=15,
    objective="count effective features at any order, and know what each order ignores",
)
def count_of_order(draw):
    right = draw.solved["count_of_order"]

    def world(orders, n_instances, d_sae, n_silent=0):
        """Uneven activities, the largest a tenth ahead; at most `n_silent` others are silent."""
        while True:
            made = torch.randn(n_instances, d_sae, generator=draw.generator).exp() + 0.05
            top = made.topk(2, dim=1).values
            if (top[:, 0] > 1.1 * top[:, 1]).all():
                break
        order = torch.rand(n_instances, d_sae, generator=draw.generator).argsort(dim=1)
        silent = (order < n_silent) & (made < top[:, :1])
        return {"activity": made.masked_fill(silent, 0), "orders": torch.tensor(orders)}

    limits = world([0.0, 0.5, 1.0, float("inf")], 3, 9, n_silent=3)
    limits["activity"] *= torch.tensor([[1e-8], [1.0], [1e6]])
    rows = [
        (
            "Orders 0.5, 2 and 3, no latent silent",
            world([0.5, 2.0, 3.0], 3, 8),
            4,
            "Shares first, in each instance by itself; then the sum of powers, then the root.",
        ),
        (
            "The limits, silent latents, and three units",
            limits,
            4,
            "Treat 0, 1 and infinity apart; neither a silent latent nor a unit changes a count.",
        ),
        (
            "Orders 150 and 1000",
            world([150.0, 1000.0], 2, 10, n_silent=2),
            3,
            "Powers of shares are 0 in float32 long before the order is 150. What is the logarithm "
            "of a sum of exponentials?",
        ),
    ]
    gradient = (
        "The gradient, with as many instances as latents",
        world([0.5, 1.0, 2.0, float("inf")], 5, 5),
        4,
        "Look for .detach(), .item() or torch.no_grad(); a share depends on all activities.",
    )
    made = compared(right, rows, call=at_orders)
    return made + compared(right, [gradient], atol=1e-3, call=slopes, n_open=0)


@SET.question(
    "Question 4: Taking an item out",
    points=15,
    minutes=15,
    objective="say what a memory of binary weights loses when one item is taken out of it",
)
def take_out(draw):
    right = draw.solved["take_out"]

    def memory(n_active, n_inputs, n_modules, n_cells):
        """Items of which some own a part that is not 0 or 1, while three traces share a weight."""
        while True:
            x = torch.zeros(len(n_active), n_inputs)
            for row, a in zip(x, n_active, strict=True):
                row[torch.randperm(n_inputs, generator=draw.generator)[:a]] = 1
            shape = len(n_active), n_modules
            winners = torch.randint(n_cells, shape, generator=draw.generator)
            cells = torch.nn.functional.one_hot(winners, n_cells).float()
            crowded = (torch.einsum("bi,bqk->iqk", x, cells) > 2).sum() > 1
            own = right(x, winners)[1]
            if crowded and ((own > 0.2) & (own < 0.9)).sum() > 2:
                return {"x": x, "winners": winners}

    twice = memory([5] * 5, 12, 4, 3)
    for name in ("x", "winners"):
        twice[name] = torch.cat([twice[name], twice[name][1:2]])
    rows = [
        (
            "Five items with six active inputs each",
            memory([6] * 5, 12, 4, 3),
            5,
            "A trace is a set of weights: write it as a row of zeros and ones. Two rows multiplied "
            "count what they share; rows added up count how many traces lie on each weight.",
        ),
        (
            "Items of different size",
            memory([2, 9, 4, 7, 3, 6], 12, 5, 3),
            4,
            "harm[b, c] is a share of the trace of c: how large is that trace?",
        ),
        ("An item that was stored twice", twice, 3, "Both are there, and neither owns anything."),
        (
            "As many items as inputs and modules",
            memory([4, 2, 5, 3, 4, 1], 6, 6, 4),
            3,
            "When axes are of one length, a wrong axis raises no error. Name each one.",
        ),
    ]
    return compared(right, rows)


@SET.question(
    "Question 5: Your own layer",
    points=15,
    minutes=10,
    objective="predict what instruments will say of a layer from its features",
    value=True,
)
def my_numbers(draw):
    ratio, features, stored = draw.solved["my_numbers"]
    ask_1 = "Which means have v and v²? What is the mean of h? May two features be on at once?"
    ask_2 = "What does a latent say when its decoder row has length 1? Is STUDENT your name?"
    ask_3 = "The cheapest go first, and a feature costs what it adds to the mean of |h|²."
    return [
        case("The participation ratio", {}, agrees(ratio), ask_1, 6, call=first),
        case("The count of the perfect autoencoder", {}, agrees(features), ask_2, 5, call=second),
        case("How many a layer must store", {}, agrees(stored), ask_3, 4, call=third),
    ]
