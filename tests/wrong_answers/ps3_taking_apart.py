"""Answers to problem set 3 that lose points; each docstring names the misconception.

`keeps` is what the answer is still worth: the points of the cases in which it makes no difference.
"""

import torch

from tests.grading.registry import registry

WRONG, wrong = registry()


# --- folded ------------------------------------------------------------------------------------


@wrong("folded")
def as_the_colleague_had_it(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """Biases of the encoder are divided by the scale, and that is all there is to it."""
    norm = W_dec.norm(dim=-1)
    return W_enc * norm, b_enc / scale, threshold, W_dec / norm[:, None], mean + b_dec


@wrong("folded")
def the_thresholds_stay(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """A threshold is a setting of the model and no quantity of the data."""
    norm = W_dec.norm(dim=-1)
    unit, middle = W_dec / norm[:, None], mean + b_dec / scale
    return W_enc * norm, b_enc * norm / scale, threshold, unit, middle


@wrong("folded", keeps=4)
def thresholds_without_the_norm(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """The scale is folded into the thresholds, the norms into everything else."""
    norm = W_dec.norm(dim=-1)
    unit, middle = W_dec / norm[:, None], mean + b_dec / scale
    return W_enc * norm, b_enc * norm / scale, threshold / scale, unit, middle


@wrong("folded", keeps=4)
def bias_without_the_norm(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """The norm of a decoder row belongs to W_enc, and a bias has none."""
    norm = W_dec.norm(dim=-1)
    unit, middle = W_dec / norm[:, None], mean + b_dec / scale
    return W_enc * norm, b_enc / scale, threshold * norm / scale, unit, middle


@wrong("folded", keeps=4)
def the_encoder_is_divided_too(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """Encoder and decoder are brought to the same norm by the same division."""
    norm = W_dec.norm(dim=-1)
    unit, middle = W_dec / norm[:, None], mean + b_dec / scale
    return W_enc / norm, b_enc / norm / scale, threshold / norm / scale, unit, middle


@wrong("folded", keeps=4)
def all_in_the_decoder(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """Inputs are scaled in the encoder, outputs in the decoder; its norms are what they are."""
    return W_enc * scale, b_enc, threshold, W_dec / scale, mean + b_dec / scale


@wrong("folded", keeps=8)
def the_mean_is_forgotten(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """A mean that was taken away is the business of who prepares the inputs."""
    norm = W_dec.norm(dim=-1)
    gain = norm / scale
    return W_enc * norm, b_enc * gain, threshold * gain, W_dec / norm[:, None], b_dec / scale


@wrong("folded", keeps=8)
def the_mean_is_scaled_too(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """Mean and b_dec are both centres, so both are in the same units."""
    norm = W_dec.norm(dim=-1)
    gain = norm / scale
    middle = (mean + b_dec) / scale
    return W_enc * norm, b_enc * gain, threshold * gain, W_dec / norm[:, None], middle


@wrong("folded")
def the_other_way_round(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """The SAE was trained on scaled activations, so its biases have to be scaled."""
    norm = W_dec.norm(dim=-1)
    gain = norm * scale
    middle = mean + b_dec * scale
    return W_enc * norm, b_enc * gain, threshold * gain, W_dec / norm[:, None], middle


@wrong("folded", keeps=4)
def the_norm_twice(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """Thresholds are on the scale of z times its row, so they take the norm twice."""
    norm = W_dec.norm(dim=-1)
    gain = norm / scale
    unit, middle = W_dec / norm[:, None], mean + b_dec / scale
    return W_enc * norm, b_enc * gain, threshold * gain * norm, unit, middle


@wrong("folded", keeps=8)
def the_longest_row_for_all(W_enc, b_enc, threshold, W_dec, b_dec, mean, scale):
    """One number brings the decoder to norm 1."""
    norm = W_dec.norm(dim=-1).max()
    gain = norm / scale
    return W_enc * norm, b_enc * gain, threshold * gain, W_dec / norm, mean + b_dec / scale


# --- gated_loss --------------------------------------------------------------------------------


def _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec):
    reading = (x - b_dec) @ W_enc
    return reading + b_enc, torch.relu(reading * r_mag.exp() + b_mag)


def _error(x, x_hat):
    return (x - x_hat).square().sum(dim=-1)


def _price(gate, W_dec):
    return (gate.relu() * W_dec.norm(dim=-1)).sum(dim=-1)


@wrong("gated_loss", keeps=12)
def magnitudes_without_a_gate(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """The ReLU of the magnitude already says when a latent is on."""
    gate, z = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss", keeps=12)
def negative_magnitudes(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """The gate says whether, so the magnitude needs no ReLU of its own."""
    reading = (x - b_dec) @ W_enc
    gate = reading + b_enc
    z = torch.where(gate > 0, reading * r_mag.exp() + b_mag, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss")
def magnitude_of_the_gate(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """The magnitude rescales the gate's pre-activation, its bias included."""
    gate, _ = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, torch.relu(gate * r_mag.exp() + b_mag), 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss")
def the_penalty_on_z(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """A sparsity penalty falls on the latents."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(z, W_dec), aux


@wrong("gated_loss", keeps=13)
def rows_of_norm_one(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """Decoder rows have norm 1, so the penalty need not look at them."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * gate.relu().sum(dim=-1), aux


@wrong("gated_loss")
def norms_of_the_columns(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """The norm of W_dec is taken over its first axis."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    price = (gate.relu() * W_dec.norm(dim=0)).sum(dim=-1)
    return _error(x, z @ W_dec + b_dec), l1 * price, aux


@wrong("gated_loss", keeps=17)
def the_decoder_learns_from_all(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """Every term may teach every weight."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec + b_dec)
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss", keeps=17)
def the_bias_still_learns(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """W_dec is the decoder; b_dec is none of it."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec)
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss", keeps=17)
def b_dec_is_fixed_everywhere(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """In the third term b_dec is a constant, before the encoder too."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    other, _ = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec.detach())
    aux = _error(x, other.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss", keeps=17)
def a_norm_without_gradient(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """A decoder norm only weighs the penalty, so no gradient goes through it."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec.detach()), aux


@wrong("gated_loss", keeps=17)
def nobody_learns_from_the_third_term(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """What is held fixed is the whole reconstruction by the gate."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, (gate.relu() @ W_dec + b_dec).detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss")
def the_latents_twice(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """The third term rebuilds x from z, only with a fixed decoder."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, z @ W_dec.detach() + b_dec.detach())
    return _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux


@wrong("gated_loss")
def mean_over_dimensions(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """A squared error is a mean over everything."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = (x - gate.relu() @ W_dec.detach() - b_dec.detach()).square().mean(dim=-1)
    return (x - z @ W_dec - b_dec).square().mean(dim=-1), l1 * _price(gate, W_dec), aux


@wrong("gated_loss", keeps=8)
def one_loss_for_the_batch(x, W_enc, b_enc, r_mag, b_mag, W_dec, b_dec, l1):
    """A loss is one number, so every input has the mean."""
    gate, size = _parts(x, W_enc, b_enc, r_mag, b_mag, b_dec)
    z = torch.where(gate > 0, size, 0.0)
    aux = _error(x, gate.relu() @ W_dec.detach() + b_dec.detach())
    terms = _error(x, z @ W_dec + b_dec), l1 * _price(gate, W_dec), aux
    return tuple(term.mean() for term in terms)


# --- threshold_gradient ------------------------------------------------------------------------


def _state(x, pre, threshold, W_dec, b_dec, target_l0):
    active = (pre > threshold).to(pre)
    error = x - (pre * active) @ W_dec - b_dec
    return error, active.sum(dim=-1).mean() / target_l0 - 1


@wrong("threshold_gradient")
def a_jump_has_no_slope(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """A jump is flat on both sides, so nothing reaches the threshold."""
    return torch.zeros_like(threshold)


@wrong("threshold_gradient")
def activity_raises_the_gradient(
    x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth
):
    """Too many active latents make the gradient larger."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    slope = 2 * threshold * (error @ W_dec.T) + 2 * l0_coefficient * excess / target_l0
    near = (pre - threshold).abs() < bandwidth / 2
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient", keeps=16)
def only_too_many_cost(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """Fewer active latents than wanted are welcome."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    price = 2 * l0_coefficient * excess.clamp_min(0) / target_l0
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) - price
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def a_plain_price(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """The price is λ for every active latent."""
    error, _ = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) - l0_coefficient
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def the_inner_slope_is_forgotten(
    x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth
):
    """The slope of the square is 2 (ℓ/ℓ* - 1), whatever is divided inside."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def the_pre_activation_jumps(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """What is lost at the threshold is the pre-activation of each input."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * pre * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def a_window_twice_as_wide(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """ε is how far the window reaches to each side."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre - threshold).abs() < bandwidth
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def only_active_latents_learn(
    x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth
):
    """A latent that is not active gets no gradient."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre > threshold) & (pre - threshold < bandwidth / 2)
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient", keeps=15)
def only_positive_inputs_count(
    x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth
):
    """Negative pre-activations are cut off by the ReLU before the threshold."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre > 0) & ((pre - threshold).abs() < bandwidth / 2)
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient", keeps=15)
def no_bias(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """b_dec does not depend on the threshold, so it can be left out."""
    error, excess = _state(x, pre, threshold, W_dec, torch.zeros_like(b_dec), target_l0)
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient", keeps=15)
def active_at_the_threshold(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """A latent at its threshold has reached it."""
    active = (pre >= threshold).to(pre)
    error = x - (pre * active) @ W_dec - b_dec
    excess = active.sum(dim=-1).mean() / target_l0 - 1
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def mean_over_the_window(x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth):
    """The mean is over the inputs in the window."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).sum(dim=0) / near.sum(dim=0)


@wrong("threshold_gradient")
def mean_squared_over_dimensions(
    x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth
):
    """The error is a mean over dimensions."""
    error, excess = _state(x, pre, threshold, W_dec, b_dec, target_l0)
    near = (pre - threshold).abs() < bandwidth / 2
    slope = 2 * threshold * (error @ W_dec.T) / x.shape[1]
    slope = slope - 2 * l0_coefficient * excess / target_l0
    return torch.where(near, slope, 0.0).mean(dim=0) / bandwidth


@wrong("threshold_gradient")
def a_difference_of_two_losses(
    x, pre, threshold, W_dec, b_dec, l0_coefficient, target_l0, bandwidth
):
    """Move the threshold by half a window each way and divide what the loss does by ε."""
    slopes = []
    for shift in torch.eye(len(threshold)).to(pre) * bandwidth / 2:
        losses = []
        for moved in (threshold + shift, threshold - shift):
            error, excess = _state(x, pre, moved, W_dec, b_dec, target_l0)
            losses.append(error.square().sum(dim=-1).mean() + l0_coefficient * excess.square())
        slopes.append((losses[0] - losses[1]) / bandwidth)
    return torch.stack(slopes)


# --- rescale -----------------------------------------------------------------------------------


@wrong("rescale", keeps=5)
def each_latent_alone(x, z, W_dec, b_dec):
    """Every latent is fitted by itself to what is there."""
    reading = (x - b_dec) @ W_dec.T
    size = z.square().sum(dim=0) * W_dec.square().sum(dim=1)
    return torch.where(size > 0, (z * reading).sum(dim=0) / size, 1.0)


@wrong("rescale")
def one_factor_for_all(x, z, W_dec, b_dec):
    """The reconstruction as a whole is too short, by one number γ."""
    x_hat = z @ W_dec
    factor = (x_hat * (x - b_dec)).sum() / x_hat.square().sum()
    return factor.expand(len(W_dec))


@wrong("rescale")
def too_short_is_not_too_long(x, z, W_dec, b_dec):
    """The factor is by how much the latent is shrunk."""
    together = (z.T @ z) * (W_dec @ W_dec.T)
    wanted = (z * ((x - b_dec) @ W_dec.T)).sum(dim=0)
    return 1 / (torch.linalg.pinv(together) @ wanted)


@wrong("rescale", keeps=5)
def x_as_it_is(x, z, W_dec, b_dec):
    """The latents rebuild x, and b_dec is added to it afterwards."""
    together = (z.T @ z) * (W_dec @ W_dec.T)
    factor = torch.linalg.pinv(together) @ (z * (x @ W_dec.T)).sum(dim=0)
    return torch.where(z.sum(dim=0) > 0, factor, 1.0)


@wrong("rescale", keeps=8)
def rows_have_norm_one(x, z, W_dec, b_dec):
    """Only the directions of the decoder matter."""
    unit = W_dec / W_dec.norm(dim=1, keepdim=True)
    together = (z.T @ z) * (unit @ unit.T)
    factor = torch.linalg.pinv(together) @ (z * ((x - b_dec) @ unit.T)).sum(dim=0)
    return torch.where(z.sum(dim=0) > 0, factor, 1.0)


@wrong("rescale", keeps=12)
def a_dead_latent_gets_nothing(x, z, W_dec, b_dec):
    """The pseudo-inverse takes care of dead latents."""
    together = (z.T @ z) * (W_dec @ W_dec.T)
    wanted = (z * ((x - b_dec) @ W_dec.T)).sum(dim=0)
    return torch.linalg.pinv(together) @ wanted


@wrong("rescale", keeps=12)
def dead_latents_are_solved_for(x, z, W_dec, b_dec):
    """As many equations as unknowns have a solution."""
    together = (z.T @ z) * (W_dec @ W_dec.T)
    wanted = (z * ((x - b_dec) @ W_dec.T)).sum(dim=0)
    return torch.linalg.solve(together, wanted)


@wrong("rescale", keeps=12)
def never_below_one(x, z, W_dec, b_dec):
    """Shrinkage makes latents too small, never too large."""
    together = (z.T @ z) * (W_dec @ W_dec.T)
    wanted = (z * ((x - b_dec) @ W_dec.T)).sum(dim=0)
    factor = torch.linalg.pinv(together) @ wanted
    return torch.where(z.sum(dim=0) > 0, factor, 1.0).clamp_min(1)


@wrong("rescale")
def latents_are_independent_of_each_other(x, z, W_dec, b_dec):
    """Read every input with the pseudo-inverse of the decoder, then compare sizes."""
    truth = (x - b_dec) @ torch.linalg.pinv(W_dec)
    on = z > 0
    return torch.where(on.any(dim=0), (truth * on).sum(dim=0) / z.sum(dim=0), 1.0)


# --- my_numbers: what a student makes of their world -------------------------------------------


def _numbers(batches, W_dec, b_dec):
    x, z = (torch.cat([batch[k] for batch in batches]) for k in (0, 1))
    error = (x - z @ W_dec - b_dec).square().sum()
    variance = (x - x.mean(dim=0)).square().sum()
    dead = (z == 0).all(dim=0).sum().item()
    return (error / variance).item(), (z > 0).sum(dim=1).float().mean().item(), dead


@wrong("my_numbers", keeps=3)
def mean_of_the_batches(my_batches, my_W_dec, my_b_dec):
    """Every batch gives an FVU and an L0, and the results are averaged."""
    rows = torch.tensor([_numbers([one], my_W_dec, my_b_dec) for one in my_batches])
    dead = _numbers(my_batches, my_W_dec, my_b_dec)[2]
    return rows[:, 0].mean().item(), rows[:, 1].mean().item(), dead


@wrong("my_numbers", keeps=6)
def fvu_about_zero(my_batches, my_W_dec, my_b_dec):
    """The variance is the mean square."""
    _, active, dead = _numbers(my_batches, my_W_dec, my_b_dec)
    x, z = (torch.cat([batch[k] for batch in my_batches]) for k in (0, 1))
    error = (x - z @ my_W_dec - my_b_dec).square().sum()
    return (error / x.square().sum()).item(), active, dead


@wrong("my_numbers", keeps=6)
def variance_within_batches(my_batches, my_W_dec, my_b_dec):
    """Each batch has a mean of its own, and the sums are added up."""
    _, active, dead = _numbers(my_batches, my_W_dec, my_b_dec)
    error = sum((x - z @ my_W_dec - my_b_dec).square().sum() for x, z in my_batches)
    variance = sum((x - x.mean(dim=0)).square().sum() for x, _ in my_batches)
    return (error / variance).item(), active, dead


@wrong("my_numbers", keeps=6)
def b_dec_is_left_out(my_batches, my_W_dec, my_b_dec):
    """The reconstruction is what the latents write."""
    _, active, dead = _numbers(my_batches, my_W_dec, my_b_dec)
    return _numbers(my_batches, my_W_dec, 0 * my_b_dec)[0], active, dead


@wrong("my_numbers", keeps=7)
def dead_in_some_batch(my_batches, my_W_dec, my_b_dec):
    """A latent that is silent in a batch is dead."""
    unexplained, active, _ = _numbers(my_batches, my_W_dec, my_b_dec)
    silent = torch.stack([(z == 0).all(dim=0) for _, z in my_batches])
    return unexplained, active, silent.any(dim=0).sum().item()


@wrong("my_numbers", keeps=7)
def dead_latents_of_the_last_batch(my_batches, my_W_dec, my_b_dec):
    """The last batch stands for all."""
    unexplained, active, _ = _numbers(my_batches, my_W_dec, my_b_dec)
    return unexplained, active, _numbers(my_batches[-1:], my_W_dec, my_b_dec)[2]


@wrong("my_numbers", keeps=7)
def the_living_latents(my_batches, my_W_dec, my_b_dec):
    """Counted are those that are not dead."""
    unexplained, active, dead = _numbers(my_batches, my_W_dec, my_b_dec)
    return unexplained, active, 24 - dead


@wrong("my_numbers", keeps=7)
def share_of_the_latents(my_batches, my_W_dec, my_b_dec):
    """L0 is the share of the latents that are active."""
    unexplained, active, dead = _numbers(my_batches, my_W_dec, my_b_dec)
    return unexplained, active / 24, dead


@wrong("my_numbers")
def the_batches_of_somebody_else(my_batches, my_W_dec, my_b_dec):
    """It is enough to hand in a neighbour's numbers."""
    others = [(x.roll(1, dims=0), z[:-1]) for x, z in my_batches]
    others = [(x[: len(z)], z) for x, z in others]
    unexplained, active, dead = _numbers(others, my_W_dec, my_b_dec)
    return unexplained, active * 1.1, dead + 1
