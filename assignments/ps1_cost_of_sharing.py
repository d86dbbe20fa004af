"""Problem set 1: what it costs to share dimensions (chapters 1 and 2)."""

import torch

from course_lib.grading.questions import ProblemSet, Written, agrees, case, first, second, third

SET = ProblemSet(
    "Problem set 1: What it costs to share",
    chapters=(1, 2),
    rooms=("data",),
    written=[
        Written(
            "free",
            "Question 5: Free?",
            minutes=15,
            objective="tell what a mean overlap says and what it does not",
            rubric={
                "The mean is over pairs; what disturbs is the sum over all active others": 6,
                "It estimates that sum: number of active features times 1/100": 4,
                "Overlaps vary: some pairs, and so some features, are far worse than the mean": 5,
                "It names a remedy: bias and ReLU, sparsity, better arrangement, frequency": 5,
            },
        )
    ],
)


def directions(draw, n, d):
    """Unit rows whose cosines are at least 0.02 apart for every row, so that a largest one is."""
    while True:
        W = torch.nn.functional.normalize(torch.randn(n, d, generator=draw.generator), dim=1)
        top = ((W @ W.T).abs() - 2 * torch.eye(n)).topk(2, dim=1).values
        if (top[:, 0] - top[:, 1] > 0.02).all() and (top[:, 0] < 0.98).all():
            return W


@SET.question(
    "Question 1: What a linear read-out costs",
    points=25,
    minutes=25,
    objective="work out the error that interference causes, its mean included",
)
def read_error(draw):
    right = draw.solved["read_error"]
    W, p = directions(draw, 7, 4), 0.2 + 0.7 * torch.rand(7, generator=draw.generator)
    lengths = 0.5 + 1.5 * torch.rand(7, 1, generator=draw.generator)
    same_side = W.abs() + 0.1
    few = torch.rand(7, generator=draw.generator) * 0.05 + 0.01
    return [
        case(
            "Directions of length 1",
            {"W": W, "p": p},
            agrees(right(W, p), atol=1e-5),
            "Write r_i - s_i as a sum over the other features. What are the mean and the variance "
            "of one s_j, the times when it is 0 included?",
            7,
            visible=True,
        ),
        case(
            "Directions of seven lengths",
            {"W": lengths * W, "p": p},
            agrees(right(lengths * W, p), atol=1e-5),
            "Only the row that reads sets the scale: x · w_i is divided by the square of its "
            "length, and w_j stays as long as it is.",
            8,
        ),
        case(
            "All directions on one side, where means add up",
            {"W": same_side, "p": p},
            agrees(right(same_side, p), atol=1e-5),
            "The squared mean of the sum is not the sum of the squared means.",
            6,
        ),
        case(
            "Features that are nearly never active",
            {"W": lengths * W, "p": few},
            agrees(right(lengths * W, few), atol=1e-6),
            "The variance of s_j is p/3 - p²/4; for small p the first term is what remains.",
            4,
        ),
    ]


def gradients(attempt, x, W, b, importance):
    W, b = W.requires_grad_(), b.requires_grad_()
    loss = attempt(x, W, b, importance)
    return (loss.detach(), *torch.autograd.grad(loss.sum(), (W, b)))


@SET.question(
    "Question 2: The loss of many toy models",
    points=25,
    minutes=25,
    objective="write a batched loss whose gradient is right",
)
def toy_losses(draw):
    right = draw.solved["toy_losses"]

    def world(n_models, batch, n, d):
        x = torch.rand(batch, n, generator=draw.generator)
        x = x * (torch.rand(batch, n, generator=draw.generator) < 0.6)
        x[0, 1] = 0.7  # so that no batch is empty
        W = torch.randn(n_models, n, d, generator=draw.generator)
        b = torch.rand(n_models, n, generator=draw.generator) - 0.5
        b[:, 0] -= 5  # so that the ReLU is off somewhere
        return {"x": x, "W": W, "b": b, "importance": 0.7 ** torch.arange(n) * 2}

    open_, square, single, slopes = (
        world(3, 6, 5, 2),
        world(5, 5, 5, 2),
        world(1, 1, 4, 1),
        world(2, 6, 5, 3),
    )
    return [
        case(
            "Three models, six samples",
            open_,
            agrees(right(**open_), atol=1e-3),
            "Follow the equation: hidden activations, the way back, the bias, the ReLU; then the "
            "weighted squares, summed over features and averaged over samples.",
            7,
            visible=True,
        ),
        case(
            "As many models as samples and features",
            square,
            agrees(right(**square), atol=1e-3),
            "When axes are of one length, a wrong axis raises no error. Name each one.",
            5,
        ),
        case(
            "One model and one sample",
            single,
            agrees(right(**single), atol=1e-3),
            "Axes of length 1 stay: the loss has the shape [1].",
            3,
        ),
        case(
            "The gradient reaches W twice, and b",
            slopes,
            agrees(gradients(right, **{k: v.clone() for k, v in slopes.items()}), atol=1e-3),
            "Look for .detach(), .data, .item() or torch.no_grad() on the way.",
            10,
            call=gradients,
        ),
    ]


@SET.question(
    "Question 3: The loudest rival",
    points=15,
    minutes=15,
    objective="find who interferes with whom",
)
def loudest_rival(draw):
    right = draw.solved["loudest_rival"]
    W = directions(draw, 8, 4)
    lengths = torch.tensor([[0.2], [3.0], [0.4], [2.5], [0.6], [2.0], [0.8], [1.5]])
    opposed = directions(draw, 8, 4)
    opposed[4:] = -(opposed[:4] + 0.15 * opposed[4:])
    opposed = torch.nn.functional.normalize(opposed, dim=1)
    return [
        case(
            "Directions of length 1",
            {"W": W},
            agrees(right(W)),
            "A feature is most nearly in line with itself; that one does not count.",
            4,
            visible=True,
        ),
        case(
            "Short and long directions in turn",
            {"W": lengths * W},
            agrees(right(lengths * W)),
            "A long direction is not a near one: divide by both lengths.",
            5,
        ),
        case(
            "Rivals on the other side",
            {"W": opposed},
            agrees(right(opposed)),
            "Opposite directions are in line, too: which j has the largest absolute cosine?",
            6,
        ),
    ]


@SET.question(
    "Question 4: Your own world",
    points=15,
    minutes=10,
    objective="measure a dictionary against what is possible",
    value=True,
)
def my_numbers(draw):
    coherence, welch, worst = draw.solved["my_numbers"]
    hint = "Is STUDENT the name under which you hand in?"
    return [
        case("The coherence of your directions", {}, agrees(coherence), hint, 5, call=first),
        case("The Welch bound", {}, agrees(welch), "n is 40 and m is 12.", 4, call=second),
        case("The feature that suffers most", {}, agrees(worst), hint, 6, call=third),
    ]
