"""Problem set 4: beyond one code (chapters 8 and 9)."""

import torch
from torch.nn.functional import normalize

from course_lib.grading.questions import ProblemSet, Written, agrees, case, first, second, third

SET = ProblemSet(
    "Problem set 4: Beyond one code",
    chapters=(8, 9),
    written=[
        Written(
            "recovered",
            "Question 5: 99 percent",
            minutes=15,
            objective="tell what a spliced loss says about a dictionary and what it does not",
            rubric={
                "The scale is 9 nats, and zero ablation is worse than guessing (ln 500 = 6.2)": 4,
                "0.09 nats is nearly twice the 0.05 that the model has still to learn: no noise": 4,
                "It asks for a baseline: components, a random dictionary, a milder ablation": 4,
                "The loss sees the reconstruction alone; other latents can give the same one": 5,
                "It names a test of latents: truth, F1 with controls, or ablation with controls": 3,
            },
        )
    ],
)


def clear(x, D, n_steps, tol, right):
    """Which pairs leave no doubt of atom or end at any step, and take no atom twice."""
    whole = x.square().sum(dim=(1, 2))
    sure = torch.ones(len(x), dtype=torch.bool)
    for taken in range(n_steps):
        z = right(x, D, taken, tol)
        residual = x - z @ D
        left = (residual.square().sum(dim=(1, 2)) / whole).sqrt()
        gain, atom = ((residual @ D.T).relu().square().sum(dim=1) / whole[:, None]).topk(2)
        new = z.sum(dim=1).gather(1, atom[:, :1])[:, 0] == 0
        sure &= (left - tol).abs() > 0.01
        sure &= (left < tol) | new & (gain[:, 0] - gain[:, 1] > 2e-3)
    return sure


def pairs(draw, right, n_steps, tol):
    """Pairs in four dimensions and twelve atoms: by squares, the first four begin otherwise than by
    the sum of the coefficients, and the last four otherwise than by the largest."""
    D = normalize(torch.randn(12, 4, generator=draw.generator), dim=1)
    x = torch.randn(3000, 2, 4, generator=draw.generator)
    x = x[clear(x, D, n_steps, tol, right)]
    fit = (x @ D.T).relu()
    begins = fit.square().sum(dim=1).argmax(dim=1)
    by_sum = x[begins != fit.sum(dim=1).argmax(dim=1)]
    by_largest = x[begins != fit.amax(dim=1).argmax(dim=1)]
    x = torch.cat([by_sum[:4], x[:8], by_largest[:4]])
    return {"x": x, "D": D, "n_steps": n_steps, "tol": tol}


def come_back(draw):
    """Two pairs, two atoms beyond a right angle in two dimensions, and products drawn up so that
    pair 0 begins with atom 0 and pair 1 with atom 1, and by no rule but the squares both."""
    angle = 2.1 + 0.3 * torch.rand((), generator=draw.generator)
    turn = 6 * torch.rand((), generator=draw.generator)
    D = torch.stack([torch.stack([a.cos(), a.sin()]) for a in (turn, turn + angle)])
    products = torch.tensor([[[2.0, 1.3], [0.2, 1.3]], [[1.5, 1.2], [0.3, 1.2]]])
    products = products * (0.98 + 0.04 * torch.rand(2, 2, 2, generator=draw.generator))
    return {"x": products @ torch.linalg.inv(D).T, "D": D, "n_steps": 5, "tol": 0.0}


def slopes(attempt, x, D, n_steps, tol):
    x, D = x.requires_grad_(), D.requires_grad_()
    z = attempt(x, D, n_steps, tol)
    weights = torch.arange(1.0, z.numel() + 1).view_as(z) / z.numel()
    return (z.detach(), *torch.autograd.grad((weights * z).sum(), (x, D)))


@SET.question(
    "Question 1: One pursuit for two views",
    points=25,
    minutes=25,
    objective="write a pursuit whose dictionary is shared because it cannot be split",
)
def paired_pursuit(draw):
    right = draw.solved["paired_pursuit"]
    open_, trained = pairs(draw, right, 3, 0.0), pairs(draw, right, 3, 0.0)
    ends, back = pairs(draw, right, 5, 0.45), come_back(draw)
    ends["x"][3] = 0.0
    ends["x"][[5, 6], [0, 1]] = 0.0  # one view is missing
    while not clear(ends["x"][5:7], ends["D"], 5, 0.45, right).all():
        ends["x"][[5, 6], [1, 0]] = torch.randn(2, 4, generator=draw.generator)
    return [
        case(
            "Three steps, nobody finished",
            open_,
            agrees(right(**open_)),
            "For one atom and one view: which c of 0 or more leaves least, and how much does it "
            "take off the squared length? Add that up over the two views, and compare atoms.",
            8,
            visible=True,
        ),
        case(
            "Pairs that finish at different steps, an empty one, and two that lack a view",
            ends,
            agrees(right(**ends)),
            "A pair ends by both its views together, relative to their length at the start.",
            6,
        ),
        case(
            "Two of everything, and atoms that come back",
            back,
            agrees(right(**back)),
            "A code is the sum of all visits. And name the axes: which one holds the views?",
            5,
        ),
        case(
            "Gradients reach the inputs and the dictionary",
            trained,
            agrees(slopes(right, trained["x"].clone(), trained["D"].clone(), 3, 0.0), atol=1e-3),
            "Look for .detach(), .data, .item() or torch.no_grad() on the way.",
            6,
            call=slopes,
        ),
    ]


def runs(draw, batch, seq, n_vocab, *, padded, sizes):
    """Logits of three runs; `sizes` are what clean, spliced and ablated say for the true token."""
    tokens = torch.randint(n_vocab, (batch, seq), generator=draw.generator)
    length = torch.full((batch,), seq)
    if padded:
        length[: batch - 1] = torch.arange(batch - 1) % (seq - 2) + 2
    real = torch.arange(seq) < length[:, None]
    truth = torch.zeros(batch, seq, n_vocab).scatter(2, tokens.roll(-1, 1)[..., None], 1.0)
    sure = 0.4 + torch.arange(seq)[:, None] / seq  # later places are easier
    inputs = {}
    for name, size in zip(("clean", "spliced", "ablated"), sizes, strict=True):
        noise = torch.rand(batch, seq, n_vocab, generator=draw.generator)
        logits = size * sure * truth + (1 + abs(size) / 4) * noise
        inputs[name] = torch.where(real[..., None], logits, 9 * noise)
    return inputs | {"tokens": tokens.masked_fill(~real, 0), "real": real}


@SET.question(
    "Question 2: What a splice costs, from logits",
    points=20,
    minutes=20,
    objective="report the cost of splicing on documents of different lengths",
)
def splice_cost(draw):
    right = draw.solved["splice_cost"]
    open_ = runs(draw, 3, 6, 8, padded=False, sizes=(4.0, 2.5, -1.0))
    padded = runs(draw, 7, 7, 7, padded=True, sizes=(4.0, 2.5, -1.0))
    worse = runs(draw, 5, 9, 8, padded=True, sizes=(2.0, -4.0, -0.5))
    worse = {k: v.double() if v.is_floating_point() else v for k, v in worse.items()}
    large = runs(draw, 8, 6, 5, padded=True, sizes=(0.4, -1.0, -3.0))
    for name in ("clean", "spliced", "ablated"):
        large[name] = 300 * (large[name] + torch.randn(8, 6, 1, generator=draw.generator))
    return [
        case(
            "Documents of one length",
            open_,
            agrees(right(**open_)),
            "The last logits of a document are about nothing, and its first token is predicted by "
            "nothing. Which distribution weighs the sum of the divergence?",
            6,
            visible=True,
        ),
        case(
            "Documents of different lengths, seven of everything",
            padded,
            agrees(right(**padded)),
            "A prediction counts if its token is real, not its own place; a document of two tokens "
            "has one. All predictions count alike.",
            6,
        ),
        case(
            "A splice that is worse than the ablation, in double precision",
            worse,
            agrees(right(**worse)),
            "The CE recovered is not cut off: below 0 it says that the ablation did better.",
            4,
        ),
        case(
            "Logits in the hundreds",
            large,
            agrees(right(**large), atol=1e-3),
            "A softmax of such logits holds zeros, and a zero has no logarithm.",
            4,
        ),
    ]


def parts_and_slopes(attempt, x, z, W_dec, **others):
    x, z, W_dec = x.requires_grad_(), z.requires_grad_(), W_dec.requires_grad_()
    latents, error, biases = attempt(x, z, W_dec, *others.values())
    score = latents.square().sum() + 2 * error.sum() + biases.sum()
    made = (latents.detach(), error.detach(), biases.detach())
    return (*made, *torch.autograd.grad(score, (x, z, W_dec)))


@SET.question(
    "Question 3: What a latent says about the next word",
    points=20,
    minutes=20,
    objective="attribute a difference of logits to the latents of an SAE, exactly",
)
def word_parts(draw):
    right = draw.solved["word_parts"]

    def normal(*shape):
        return torch.randn(*shape, generator=draw.generator)

    def stream(batch, d_sae, d_model, n_vocab, centred=False):
        made = {
            "x": 2 * normal(batch, d_model) + 1,
            "z": (normal(batch, d_sae) + 0.5).relu() + 0.1,
            "W_dec": normal(d_sae, d_model) + 1,
            "b_dec": normal(d_model) + 1,
        }
        if centred:
            for name in ("x", "W_dec", "b_dec"):
                made[name] -= made[name].mean(dim=-1, keepdim=True)
        word = torch.arange(batch) % n_vocab
        return made | {
            "gain": 0.5 + normal(d_model).abs(),
            "bias": normal(d_model),
            "W_U": normal(d_model, n_vocab),
            "word": word,
            "rival": (word + 1 + word % 2) % n_vocab,
        }

    open_, means = stream(4, 5, 6, 7, centred=True), stream(6, 9, 7, 8)
    quiet, equal = stream(4, 6, 5, 9), stream(5, 5, 5, 5)
    for name in ("x", "W_dec", "b_dec"):
        quiet[name] = 0.002 * quiet[name]
    slopes_of_equal = parts_and_slopes(right, **{k: v.clone() for k, v in equal.items()})
    return [
        case(
            "Streams and rows whose mean is 0",
            open_,
            agrees(right(**open_), atol=1e-3),
            "Put the sum for x into the norm with σ fixed, and multiply out: which terms hold z_j, "
            "which e, and what is left? Do your parts add up to the difference of the logits?",
            6,
            visible=True,
        ),
        case(
            "Streams and rows of any mean",
            means,
            agrees(right(**means), atol=1e-3),
            "The norm takes the mean off x; so it takes its own mean off every part of x.",
            5,
        ),
        case(
            "A stream so quiet that 1e-5 counts",
            quiet,
            agrees(right(**quiet), atol=1e-3),
            "The 1e-5 stands within the root, and the variance divides by d_model.",
            4,
        ),
        case(
            "Five of everything, and the gradient of a frozen norm",
            equal,
            agrees(slopes_of_equal, atol=2e-3),
            "No gradient goes through σ. Where all axes are of one length, no wrong one complains.",
            5,
            call=parts_and_slopes,
        ),
    ]


@SET.question(
    "Question 4: Your own tree",
    points=15,
    minutes=15,
    objective="find an absorbed parent, and say what its latent is still worth as a detector",
    value=True,
)
def my_numbers(draw):
    fires, child, above = draw.solved["my_numbers"]
    hint = "Is STUDENT the name under which you hand in? Did you look latents up in my_latent?"
    of_f1 = "F1 is 2 hits over says and present; what are says and hits if all inputs are said?"
    return [
        case("The smallest share at which a parent fires", {}, agrees(fires), hint, 6, call=first),
        case("The child that silences it", {}, agrees(child), hint, 3, call=second),
        case("What the parent's latent is worth", {}, agrees(above), of_f1, 6, call=third),
    ]
