"""Problem set 3: taking activations apart (chapters 6 and 7)."""

import torch

from course_lib.grading.questions import ProblemSet, Written, agrees, case, first, second, third

SET = ProblemSet(
    "Problem set 3: Taking apart",
    chapters=(6, 7),
    written=[
        Written(
            "better",
            "Question 6: Better?",
            minutes=10,
            objective="say what a comparison of two SAEs needs before it means something",
            rubric={
                "FVU falls with L0 in any architecture, and 96 is three times 32": 4,
                "It asks for fronts: several sparsities of each, read at one L0, tuned alike": 3,
                "The share of dead latents falls with the number of inputs: count on the same": 4,
                "FVU and dead latents do not count features; it names a reason or a test": 4,
            },
        )
    ],
)


def uniform(draw, low, high, *shape):
    return low + (high - low) * torch.rand(*shape, generator=draw.generator)


def rows(draw, n, d, low=1.0, high=1.0):
    """Random directions of lengths between `low` and `high`."""
    W = torch.randn(n, d, generator=draw.generator)
    return W / W.norm(dim=1, keepdim=True) * uniform(draw, low, high, n, 1)


def use(attempt, x, W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """What the rewritten SAE makes of x."""
    weights = attempt(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale)
    W_enc, b_enc, threshold, W_dec, b_dec = weights
    pre = (x - b_dec) @ W_enc + b_enc
    return torch.where(pre > threshold, pre, 0.0) @ W_dec + b_dec


@SET.question(
    "Question 1: In the units of the model",
    points=15,
    minutes=15,
    objective="fold a scale, a mean and the norms of a decoder into an SAE without changing it",
)
def folded(draw):
    right = draw.solved["folded"]

    def sae(d_in, d_sae, low, high, mean, scale):
        return {
            "W_enc": rows(draw, d_sae, d_in, 0.7, 1.3).T.contiguous(),
            "b_enc": uniform(draw, 0.2, 0.6, d_sae),
            "threshold": uniform(draw, 0.3, 0.8, d_sae),
            "W_dec": rows(draw, d_sae, d_in, low, high),
            "b_dec": uniform(draw, 0.5, 1.5, d_in),
            "mean": mean * uniform(draw, 1, 2, d_in),
            "scale": scale,
        }

    unit = sae(4, 6, 1.0, 1.0, 0.0, 0.25)
    long, square = sae(4, 6, 1.5, 3.0, 0.0, 3.0), sae(5, 5, 0.3, 0.7, 2.0, 0.4)
    used, clear = sae(5, 8, 1.5, 3.0, -2.0, 0.5), False
    while not clear:  # until no pre-activation is near a threshold
        y = torch.randn(40, 5, generator=draw.generator)
        pre = (y - used["b_dec"]) @ used["W_enc"] + used["b_enc"]
        clear = ((pre - used["threshold"]).abs() > 1e-3).all()
    y_hat = use(lambda *weights: weights[:5], y, **used)
    x, x_hat = (v / used["scale"] + used["mean"] for v in (y, y_hat))
    inputs = {"x": x, **used}
    return [
        case(
            "A scale alone: rows of norm 1, mean 0", unit, agrees(right(**unit)),
            "Put s x for y and divide the reconstruction by s: in which units is each weight?",
            4, visible=True,
        ),
        case(
            "Decoder rows that are longer than 1", long, agrees(right(**long)),
            "A row divided by its norm needs a latent and a threshold to make up for it.", 4,
        ),
        case(
            "A mean, short rows, as many latents as dimensions", square, agrees(right(**square)),
            "The mean is in the units of x, b_dec in those of y. W_dec[j] is a row.", 3,
        ),
        case(
            "The same reconstruction for every input", inputs, agrees(x_hat, atol=1e-3),
            "A latent's pre-activation and its threshold must change by the same factor.",
            4, call=use,
        ),
    ]  # fmt: skip


def slopes(attempt, x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """The gradient of the mean of all terms by each of the six weights."""
    weights = [w.requires_grad_() for w in (W_enc, b_enc, r_mag, b_mag, W_dec, b_dec)]
    return torch.autograd.grad(torch.stack(attempt(x, *weights, l1)).mean(), weights)


@SET.question(
    "Question 2: What a gated SAE minimises",
    points=25,
    minutes=25,
    objective="write a loss whose terms teach the weights that they should teach, and no others",
)
def gated_loss(draw):
    right = draw.solved["gated_loss"]

    def sae(batch, d_in, d_sae, low, high, alike):
        """`alike`: magnitudes are positive exactly where gates are open."""
        while True:
            r_mag = uniform(draw, 0.3, 0.9, d_sae)
            b_enc = uniform(draw, -0.5, 0.5, d_sae)
            made = {
                "x": torch.randn(batch, d_in, generator=draw.generator),
                "W_enc": rows(draw, d_sae, d_in).T.contiguous(),
                "b_enc": b_enc,
                "r_mag": r_mag,
                "b_mag": r_mag.exp() * b_enc if alike else -2 * b_enc + 0.1,
                "W_dec": rows(draw, d_sae, d_in, low, high),
                "b_dec": uniform(draw, 0.3, 0.9, d_in),
                "l1": 0.3,
            }
            reading = (made["x"] - made["b_dec"]) @ made["W_enc"]
            gate, size = reading + b_enc, reading * r_mag.exp() + made["b_mag"]
            idle = ((gate > 0.05) & (size < -0.05)).sum() >= 3
            shut = ((gate < -0.05) & (size > 0.05)).sum() >= 3
            clear = torch.stack([gate, size]).abs().min() > 1e-3
            if clear and (alike or (idle and shut)) and (gate > 0).any(dim=0).all():
                return made

    open_, square = sae(7, 4, 6, 1.0, 1.0, True), sae(5, 5, 5, 1.5, 3.0, True)
    apart, taught = sae(8, 4, 6, 1.0, 1.0, False), sae(8, 4, 6, 1.5, 3.0, False)
    copies = {k: v.clone() if k != "l1" else v for k, v in taught.items()}
    return [
        case(
            "Decoder rows of norm 1", open_, agrees(right(**open_)),
            "Which parts use ρ, which π? Sums are over dimensions and latents, not over the batch.",
            8, visible=True,
        ),
        case(
            "Longer rows, and one length for all axes", square, agrees(right(**square)),
            "The penalty weighs each gate by the norm of its decoder row, a row of W_dec.", 4,
        ),
        case(
            "Gates open on nothing, and closed on something", apart, agrees(right(**apart)),
            "z needs both: a gate that is above 0, and a magnitude that is.", 5,
        ),
        case(
            "Who learns from which term", taught, agrees(slopes(right, **copies), atol=1e-3),
            "Hold fixed what decodes in the third term, and nothing else: no norm, no π.",
            8, call=slopes,
        ),
    ]  # fmt: skip


@SET.question(
    "Question 3: What a threshold is told",
    points=20,
    minutes=20,
    objective="work out the gradient of a loss through a jump, from a batch",
)
def threshold_gradient(draw):
    right = draw.solved["threshold_gradient"]

    def sae(batch, d_in, d_sae, target, *, thresholds=(0.4, 0.7), lengths=(1, 1), b_dec=0.0):
        """`target` is a multiple of the L0 that there is; no `pre` is near a window's edge."""
        threshold = uniform(draw, *thresholds, d_sae)
        gap = uniform(draw, 0.02, 0.23, batch, d_sae)
        gap += 0.25 * torch.randint(3, gap.shape, generator=draw.generator)
        sign = 2 * torch.randint(2, gap.shape, generator=draw.generator) - 1
        gap[:2], sign[0], sign[1] = 0.2, 1, -1  # each window has somebody on both sides
        return {
            "x": torch.randn(batch, d_in, generator=draw.generator),
            "pre": threshold + sign * gap,
            "threshold": threshold,
            "W_dec": rows(draw, d_sae, d_in, *lengths),
            "b_dec": b_dec * uniform(draw, 1, 2, d_in),
            "l0_coefficient": 0.8,
            "target_l0": target * (sign > 0).sum(dim=1).float().mean().item(),
            "bandwidth": 0.5,
        }

    over, under = sae(16, 4, 8, 0.7), sae(16, 4, 8, 1.6)
    square = sae(7, 7, 7, 0.7, lengths=(1.5, 3.0), b_dec=0.5)
    square = {k: v.double() if torch.is_tensor(v) else v for k, v in square.items()}
    square["threshold"][1], square["pre"][2, 1] = 0.5, 0.75  # at the edge of the window
    square["pre"][2, 0] = square["threshold"][0]
    below = sae(16, 4, 8, 0.7, thresholds=(0.05, 0.15))
    return [
        case(
            "Too many active latents", over, agrees(right(**over)),
            "L depends on x̂ and on ℓ, both on θ_j through the inputs in its window. Mind signs.",
            6, visible=True,
        ),
        case(
            "Fewer active latents than wanted", under, agrees(right(**under)),
            "The price is a square: its slope changes sign at ℓ = ℓ*.", 4,
        ),
        case(
            "One length for all axes, a bias, an input at θ", square, agrees(right(**square)),
            "b_dec is a part of x̂; W_dec[j] is a row, of any norm; π = θ is not active.", 5,
        ),
        case(
            "Thresholds with a window that reaches below 0", below, agrees(right(**below)),
            "The window is about π and θ. Whether π is positive is not asked.", 5,
        ),
    ]  # fmt: skip


@SET.question(
    "Question 4: Undo what the penalty took",
    points=15,
    minutes=15,
    objective="rescale the latents of an SAE so that no other scale rebuilds its inputs better",
)
def rescale(draw):
    right = draw.solved["rescale"]

    def sae(batch, W_dec, said, *, b_dec=0.5, noise=0.02, n_dead=0):
        """Latents that say `said` times the truth; the first `n_dead` say nothing."""
        n, d = W_dec.shape
        while True:
            z = uniform(draw, 0.1, 0.9, batch, n)
            z = z * (torch.rand(batch, n, generator=draw.generator) < 0.6)
            z[:, :n_dead] = 0.0
            together = (z.T @ z * (W_dec @ W_dec.T))[n_dead:, n_dead:]
            if torch.linalg.cond(together) < 100:
                break
        bias = b_dec * uniform(draw, 1, 2, d)
        x = (z / uniform(draw, *said, n)) @ W_dec + bias
        x += noise * torch.randn(batch, d, generator=draw.generator)
        return {"x": x, "z": z, "W_dec": W_dec, "b_dec": bias}

    def overlapping(n, d, low, high):
        while True:
            W = rows(draw, n, d, low, high)
            unit = W / W.norm(dim=1, keepdim=True)
            cosine = (unit @ unit.T - torch.eye(n)).abs()
            if cosine.amax(dim=1).min() > 0.2 and cosine.max() < 0.8:
                return W

    across = torch.linalg.qr(torch.randn(6, 6, generator=draw.generator)).Q[:5].contiguous()
    alone = sae(30, across, (0.4, 0.6), b_dec=0.0, noise=0.2)
    crowd = sae(30, overlapping(6, 4, 0.5, 2.0), (0.4, 0.7))
    dead = sae(30, overlapping(7, 5, 0.5, 2.0), (0.4, 0.7), n_dead=2)
    loud = sae(6, overlapping(6, 6, 1.0, 1.0), (1.3, 1.8))
    return [
        case(
            "Decoder rows at right angles", alone, agrees(right(**alone), atol=1e-3),
            "The derivative by c_i is an inner product of row i with what is left over, summed.",
            5, visible=True,
        ),
        case(
            "Latents that overlap and are on together", crowd, agrees(right(**crowd), atol=1e-3),
            "The equation of c_i has every other c_j in it. Solve them together.", 4,
        ),
        case(
            "Two dead latents", dead, agrees(right(**dead), atol=1e-3),
            "The equation of a dead latent is 0 = 0: solve for the others, and fill in.", 3,
        ),
        case(
            "Latents that say too much, all axes alike", loud, agrees(right(**loud), atol=1e-3),
            "Factors may be below 1. Inputs, dimensions and latents are three axes.", 3,
        ),
    ]  # fmt: skip


@SET.question(
    "Question 5: Batches of your own",
    points=10,
    minutes=5,
    objective="measure an SAE over batches that are not of one size",
    value=True,
)
def my_numbers(draw):
    unexplained, active, dead = draw.solved["my_numbers"]
    pool = "Put the batches together first; is STUDENT the name under which you hand in?"
    return [
        case("The FVU over all inputs", {}, agrees(unexplained), pool, 4, call=first),
        case("The L0 over all inputs", {}, agrees(active), pool, 3, call=second),
        case("The dead latents", {}, agrees(float(dead)), pool, 3, call=third),
    ]
