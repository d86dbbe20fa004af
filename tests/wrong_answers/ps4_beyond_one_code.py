"""Answers to problem set 4 that lose points; each docstring names the misconception.

`keeps` is what the answer is still worth: the points of the cases in which it makes no difference.
"""

import torch

from tests.grading.registry import registry

WRONG, wrong = registry()


# --- paired_pursuit ----------------------------------------------------------------------------


def _pursue(x, D, n_steps, tol, scores, coefficients=torch.relu):
    """A pursuit right but for how `scores` ranks the atoms and what `coefficients` are taken."""
    z, residual = x.new_zeros(len(x), 2, len(D)), x
    enough = tol * x.flatten(1).norm(dim=1)
    for _ in range(n_steps):
        going_on = (residual.flatten(1).norm(dim=1) > enough)[:, None, None]
        fit = residual @ D.T
        atom = scores(fit).argmax(dim=1)[:, None, None].expand(-1, 2, 1)
        taken = torch.zeros_like(z).scatter(2, atom, (coefficients(fit) * going_on).gather(2, atom))
        z, residual = z + taken, residual - taken @ D
    return z


def _with_end(x, D, n_steps, going_on):
    """A pursuit right but for when it ends: `going_on(residual)` for each pair and view."""
    z, residual = x.new_zeros(len(x), 2, len(D)), x
    for _ in range(n_steps):
        fit = (residual @ D.T).relu() * going_on(residual)
        atom = fit.square().sum(dim=1, keepdim=True).argmax(dim=2, keepdim=True).expand(-1, 2, 1)
        taken = torch.zeros_like(z).scatter(2, atom, fit.gather(2, atom))
        z, residual = z + taken, residual - taken @ D
    return z


@wrong("paired_pursuit")
def largest_sum_of_products(x, D, n_steps, tol):
    """The atom that fits both views best has the largest sum of products."""
    return _pursue(x, D, n_steps, tol, lambda fit: fit.sum(dim=1))


@wrong("paired_pursuit")
def largest_sum_of_coefficients(x, D, n_steps, tol):
    """The atom is the one of which the two views take most."""
    return _pursue(x, D, n_steps, tol, lambda fit: fit.relu().sum(dim=1))


@wrong("paired_pursuit")
def the_louder_view_decides(x, D, n_steps, tol):
    """The atom with the largest product with either view is taken."""
    return _pursue(x, D, n_steps, tol, lambda fit: fit.amax(dim=1))


@wrong("paired_pursuit", keeps=5)
def squares_of_both_signs(x, D, n_steps, tol):
    """A product explains its square, whatever its sign."""
    return _pursue(x, D, n_steps, tol, lambda fit: fit.square().sum(dim=1))


@wrong("paired_pursuit", keeps=5)
def codes_of_both_signs(x, D, n_steps, tol):
    """A projection may be negative."""
    return _pursue(x, D, n_steps, tol, lambda fit: fit.relu().square().sum(dim=1), lambda fit: fit)


@wrong("paired_pursuit")
def the_image_decides(x, D, n_steps, tol):
    """The first view leads, and the second takes of its atom what it can."""
    return _pursue(x, D, n_steps, tol, lambda fit: fit[:, 0])


@wrong("paired_pursuit")
def one_coefficient_for_both(x, D, n_steps, tol):
    """A shared latent has one value, the mean of the two views'."""
    return _pursue(
        x, D, n_steps, tol, lambda fit: fit.relu().square().sum(dim=1),
        lambda fit: fit.relu().mean(dim=1, keepdim=True).expand_as(fit),
    )  # fmt: skip


@wrong("paired_pursuit")
def one_atom_for_the_batch(x, D, n_steps, tol):
    """Every step takes one atom, for all pairs."""
    return _pursue(
        x, D, n_steps, tol,
        lambda fit: fit.relu().square().sum(dim=(0, 1)).expand(len(fit), -1),
    )  # fmt: skip


@wrong("paired_pursuit")
def each_view_by_itself(x, D, n_steps, tol):
    """Two views are a batch of twice the size."""
    z, residual = x.new_zeros(len(x), 2, len(D)), x
    enough = tol * x.flatten(1).norm(dim=1)
    for _ in range(n_steps):
        going_on = (residual.flatten(1).norm(dim=1) > enough)[:, None, None]
        best, atom = ((residual @ D.T).relu() * going_on).max(dim=2, keepdim=True)
        taken = torch.zeros_like(z).scatter(2, atom, best)
        z, residual = z + taken, residual - taken @ D
    return z


@wrong("paired_pursuit")
def all_at_once(x, D, n_steps, tol):
    """The best n_steps atoms are read off the input, all at once."""
    fit = (x @ D.T).relu()
    kept = fit.square().sum(dim=1).topk(min(n_steps, len(D)), dim=1).indices
    return fit * torch.zeros_like(fit[:, 0]).scatter(1, kept, 1.0)[:, None]


@wrong("paired_pursuit")
def coefficients_of_the_input(x, D, n_steps, tol):
    """An atom's coefficient is its product with the input."""
    z, residual = x.new_zeros(len(x), 2, len(D)), x
    enough, whole = tol * x.flatten(1).norm(dim=1), (x @ D.T).relu()
    for _ in range(n_steps):
        going_on = (residual.flatten(1).norm(dim=1) > enough)[:, None, None]
        scores = (residual @ D.T).relu().square().sum(dim=1, keepdim=True)
        atom = scores.argmax(dim=2, keepdim=True).expand(-1, 2, 1)
        taken = torch.zeros_like(z).scatter(2, atom, (whole * going_on).gather(2, atom))
        z, residual = z + taken, residual - taken @ D
    return z


@wrong("paired_pursuit", keeps=20)
def the_last_visit_counts(x, D, n_steps, tol):
    """A code is what the atom took when it was taken."""
    z, residual = x.new_zeros(len(x), 2, len(D)), x
    enough = tol * x.flatten(1).norm(dim=1)
    for _ in range(n_steps):
        going_on = (residual.flatten(1).norm(dim=1) > enough)[:, None, None]
        fit = (residual @ D.T).relu()
        atom = fit.square().sum(dim=1, keepdim=True).argmax(dim=2, keepdim=True).expand(-1, 2, 1)
        found = fit.gather(2, atom)
        keep = z.gather(2, atom).where(~going_on | (found == 0), found)
        z = z.scatter(2, atom, keep)
        residual = residual - torch.zeros_like(z).scatter(2, atom, found * going_on) @ D
    return z


@wrong("paired_pursuit", keeps=19)
def never_finished(x, D, n_steps, tol):
    """All pairs take all steps."""
    return _with_end(x, D, n_steps, lambda residual: 1.0)


@wrong("paired_pursuit", keeps=19)
def views_finish_apart(x, D, n_steps, tol):
    """A view that is nearly explained takes nothing more."""
    size = x.norm(dim=2, keepdim=True)
    return _with_end(x, D, n_steps, lambda r: r.norm(dim=2, keepdim=True) > tol * size)


@wrong("paired_pursuit", keeps=19)
def the_end_is_a_length(x, D, n_steps, tol):
    """The tolerance is a length."""
    return _with_end(x, D, n_steps, lambda r: r.flatten(1).norm(dim=1)[:, None, None] > tol)


@wrong("paired_pursuit", keeps=19)
def the_end_by_squares(x, D, n_steps, tol):
    """The tolerance is a share of the squared length."""
    size = x.square().sum(dim=(1, 2), keepdim=True)
    return _with_end(x, D, n_steps, lambda r: r.square().sum(dim=(1, 2), keepdim=True) > tol * size)


@wrong("paired_pursuit", keeps=19)
def the_batch_finishes_together(x, D, n_steps, tol):
    """Steps go on until the batch is explained."""
    return _with_end(x, D, n_steps, lambda r: r.norm() > tol * x.norm())


@wrong("paired_pursuit", keeps=19)
def an_empty_pair_is_divided_by(x, D, n_steps, tol):
    """The share that is left is a quotient, and every pair has a length."""
    size = x.flatten(1).norm(dim=1)[:, None, None]
    unit = x / size
    return size * _with_end(unit, D, n_steps, lambda r: r.norm(dim=(1, 2), keepdim=True) > tol)


@wrong("paired_pursuit", keeps=19)
def codes_without_gradient(x, D, n_steps, tol):
    """Coefficients are found by a search, and a search has no gradient."""
    return _pursue(
        x, D, n_steps, tol, lambda fit: fit.relu().square().sum(dim=1),
        lambda fit: fit.relu().detach(),
    )  # fmt: skip


@wrong("paired_pursuit", keeps=19)
def residuals_are_constants(x, D, n_steps, tol):
    """Only the last product of a step has a gradient, the residual is a given."""
    z, residual = x.new_zeros(len(x), 2, len(D)), x
    enough = tol * x.flatten(1).norm(dim=1)
    for _ in range(n_steps):
        going_on = (residual.flatten(1).norm(dim=1) > enough)[:, None, None]
        fit = (residual @ D.T).relu() * going_on
        atom = fit.square().sum(dim=1, keepdim=True).argmax(dim=2, keepdim=True).expand(-1, 2, 1)
        taken = torch.zeros_like(z).scatter(2, atom, fit.gather(2, atom))
        z, residual = z + taken, residual - (taken @ D).detach()
    return z


# --- splice_cost -------------------------------------------------------------------------------


def _ce(logits, tokens, real):
    log_p = logits[:, :-1].log_softmax(dim=-1)
    return -log_p.gather(2, tokens[:, 1:, None])[..., 0][real[:, 1:]].mean()


def _kl(p, q, real):
    log_p, log_q = (logits[:, :-1].log_softmax(dim=-1) for logits in (p, q))
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)[real[:, 1:]].mean()


@wrong("splice_cost")
def logits_are_about_their_own_token(clean, spliced, ablated, tokens, real):
    """The logits at a place are about the token at that place."""

    def ce(logits):
        return -logits.log_softmax(dim=-1).gather(2, tokens[..., None])[..., 0][real].mean()

    rise = ce(spliced) - ce(clean)
    return rise, 1 - rise / (ce(ablated) - ce(clean)), _kl(clean, spliced, real)


@wrong("splice_cost", keeps=6)
def padding_counts(clean, spliced, ablated, tokens, real):
    """Every place has a prediction."""
    real = torch.ones_like(real)
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, 1 - rise / lost, _kl(clean, spliced, real)


@wrong("splice_cost", keeps=6)
def the_mask_of_the_place(clean, spliced, ablated, tokens, real):
    """A prediction counts if it is made at a real place."""
    real = torch.cat([real[:, :1], real[:, :-1]], dim=1)
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, 1 - rise / lost, _kl(clean, spliced, real)


@wrong("splice_cost", keeps=6)
def every_document_alike(clean, spliced, ablated, tokens, real):
    """A document has a loss, and the losses of the documents are averaged."""
    rows = [[each[i : i + 1] for each in (clean, spliced, ablated, tokens, real)]
            for i in range(len(real))]  # fmt: skip
    rise = torch.stack([_ce(s, t, r) - _ce(c, t, r) for c, s, _, t, r in rows]).mean()
    lost = torch.stack([_ce(a, t, r) - _ce(c, t, r) for c, _, a, t, r in rows]).mean()
    return rise, 1 - rise / lost, torch.stack([_kl(c, s, r) for c, s, _, _, r in rows]).mean()


@wrong("splice_cost", keeps=6)
def masked_predictions_are_zeros(clean, spliced, ablated, tokens, real):
    """What does not count is set to 0, and then all is averaged."""
    share = real[:, 1:].double().mean().to(clean.dtype)
    rise = (_ce(spliced, tokens, real) - _ce(clean, tokens, real)) * share
    lost = (_ce(ablated, tokens, real) - _ce(clean, tokens, real)) * share
    return rise, 1 - rise / lost, _kl(clean, spliced, real) * share


@wrong("splice_cost")
def divergence_the_other_way(clean, spliced, ablated, tokens, real):
    """The divergence is weighed by what the spliced run predicts."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, 1 - rise / lost, _kl(spliced, clean, real)


@wrong("splice_cost")
def divergence_per_word(clean, spliced, ablated, tokens, real):
    """A divergence is a mean over the vocabulary."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, 1 - rise / lost, _kl(clean, spliced, real) / clean.shape[-1]


@wrong("splice_cost")
def divergence_is_the_rise(clean, spliced, ablated, tokens, real):
    """The divergence of two predictions is the difference of their losses."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, 1 - rise / lost, rise.abs()


@wrong("splice_cost")
def in_bits(clean, spliced, ablated, tokens, real):
    """Information is measured in bits."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    bit = torch.tensor(2.0).log()
    return rise / bit, 1 - rise / lost, _kl(clean, spliced, real) / bit


@wrong("splice_cost")
def recovered_against_nothing(clean, spliced, ablated, tokens, real):
    """What is recovered is one minus the spliced loss over the ablated one."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    share = 1 - _ce(spliced, tokens, real) / _ce(ablated, tokens, real)
    return rise, share, _kl(clean, spliced, real)


@wrong("splice_cost")
def what_is_lost_for_what_is_recovered(clean, spliced, ablated, tokens, real):
    """The recovered share is the rise over what the ablation costs."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, rise / lost, _kl(clean, spliced, real)


@wrong("splice_cost", keeps=16)
def a_share_is_never_negative(clean, spliced, ablated, tokens, real):
    """A share lies between 0 and 1."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return rise, (1 - rise / lost).clamp(0, 1), _kl(clean, spliced, real)


@wrong("splice_cost")
def a_gain_is_counted_as_a_rise(clean, spliced, ablated, tokens, real):
    """The rise is the clean loss minus the spliced one."""
    rise = _ce(spliced, tokens, real) - _ce(clean, tokens, real)
    lost = _ce(ablated, tokens, real) - _ce(clean, tokens, real)
    return -rise, 1 - rise / lost, _kl(clean, spliced, real)


@wrong("splice_cost", keeps=16)
def logarithm_of_a_softmax(clean, spliced, ablated, tokens, real):
    """A cross-entropy is the logarithm of a softmax."""
    at, said = real[:, 1:], tokens[:, 1:, None]
    p, q, r = (logits[:, :-1].softmax(dim=-1) for logits in (clean, spliced, ablated))
    ce = [-each.gather(2, said)[..., 0][at].log().mean() for each in (p, q, r)]
    rise = ce[1] - ce[0]
    return rise, 1 - rise / (ce[2] - ce[0]), (p * (p / q).log()).sum(dim=-1)[at].mean()


@wrong("splice_cost", keeps=16)
def a_little_for_safety(clean, spliced, ablated, tokens, real):
    """A billionth added to each probability keeps the logarithm finite and changes nothing."""
    at, said = real[:, 1:], tokens[:, 1:, None]
    p, q, r = (logits[:, :-1].softmax(dim=-1) + 1e-9 for logits in (clean, spliced, ablated))
    ce = [-each.gather(2, said)[..., 0][at].log().mean() for each in (p, q, r)]
    rise = ce[1] - ce[0]
    return rise, 1 - rise / (ce[2] - ce[0]), (p * (p / q).log()).sum(dim=-1)[at].mean()


@wrong("splice_cost")
def softmax_twice(clean, spliced, ablated, tokens, real):
    """cross_entropy takes probabilities."""
    p, q, r = (logits.softmax(dim=-1) for logits in (clean, spliced, ablated))
    rise = _ce(q, tokens, real) - _ce(p, tokens, real)
    return rise, 1 - rise / (_ce(r, tokens, real) - _ce(p, tokens, real)), _kl(p, q, real)


# --- word_parts --------------------------------------------------------------------------------


def _reads(x, gain, W_U, word, rival):
    toward = (W_U[:, word] - W_U[:, rival]).T
    sigma = (x.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt().detach()
    reads = gain * toward / sigma
    return toward, reads - reads.mean(dim=1, keepdim=True)


def _parts(x, z, W_dec, b_dec, bias, toward, reads):
    error = x - z @ W_dec - b_dec
    return z * (reads @ W_dec.T), (error * reads).sum(dim=1), reads @ b_dec + toward @ bias


@wrong("word_parts", keeps=6)
def parts_keep_their_mean(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """The mean was taken off x, and has nothing to do with its parts."""
    toward = (W_U[:, word] - W_U[:, rival]).T
    sigma = (x.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt().detach()
    return _parts(x, z, W_dec, b_dec, bias, toward, gain * toward / sigma)


@wrong("word_parts")
def straight_to_the_logits(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """What a latent says is its row times the unembedding."""
    toward, _ = _reads(x, gain, W_U, word, rival)
    return _parts(x, z, W_dec, b_dec, bias, toward, toward)


@wrong("word_parts")
def a_norm_for_each_part(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """Each latent's part goes through the norm as x does."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    pieces = z[..., None] * W_dec
    pieces = pieces - pieces.mean(dim=-1, keepdim=True)
    pieces = gain * pieces / (pieces.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    _, error, biases = _parts(x, z, W_dec, b_dec, bias, toward, reads)
    return (pieces * toward[:, None]).sum(dim=-1), error, biases


@wrong("word_parts")
def sample_variance(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """torch's var is the norm's variance."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    wider = (x.var(dim=1, correction=0) / x.var(dim=1)).sqrt().detach()[:, None]
    return _parts(x, z, W_dec, b_dec, bias, toward, reads * wider)


@wrong("word_parts")
def divided_by_the_variance(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """The norm divides by the variance."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    sigma = (x.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt().detach()
    return _parts(x, z, W_dec, b_dec, bias, toward, reads / sigma)


@wrong("word_parts")
def divided_by_the_length(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """A norm divides by the length of x."""
    toward = (W_U[:, word] - W_U[:, rival]).T
    reads = gain * toward / x.norm(dim=1, keepdim=True).detach()
    return _parts(x, z, W_dec, b_dec, bias, toward, reads - reads.mean(dim=1, keepdim=True))


@wrong("word_parts")
def no_gain(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """The gain is the norm's own affair."""
    toward, reads = _reads(x, torch.ones_like(gain), W_U, word, rival)
    return _parts(x, z, W_dec, b_dec, bias, toward, reads)


@wrong("word_parts")
def the_norm_has_no_bias(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """A constant says nothing of a word."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    return _parts(x, z, W_dec, b_dec, 0 * bias, toward, reads)


@wrong("word_parts")
def the_norms_bias_dealt_out(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """Each latent gets its share of the norm's bias."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    latents, error, biases = _parts(x, z, W_dec, b_dec, 0 * bias, toward, reads)
    return latents + (toward @ bias)[:, None] / len(W_dec), error, biases


@wrong("word_parts")
def b_dec_is_error(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """What no latent writes is the error."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    latents, error, _ = _parts(x, z, W_dec, b_dec, bias, toward, reads)
    return latents, error + reads @ b_dec, toward @ bias


@wrong("word_parts")
def the_reconstruction_is_all(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """The norm sees the reconstruction, and its sigma is that of the reconstruction."""
    x_hat = z @ W_dec + b_dec
    toward, reads = _reads(x_hat, gain, W_U, word, rival)
    return _parts(x, z, W_dec, b_dec, bias, toward, reads)


@wrong("word_parts")
def the_word_without_its_rival(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """What a latent says of a word is its part of the word's logit."""
    toward, reads = _reads(x, gain, torch.cat([W_U, 0 * W_U[:, :1]], dim=1), word, 0 * rival - 1)
    return _parts(x, z, W_dec, b_dec, bias, toward, reads)


@wrong("word_parts")
def the_rivals_side(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """The difference is the rival minus the word."""
    toward, reads = _reads(x, gain, W_U, rival, word)
    return _parts(x, z, W_dec, b_dec, bias, toward, reads)


@wrong("word_parts")
def the_first_inputs_words(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """One pair of words is asked about."""
    toward, reads = _reads(x, gain, W_U, word[:1].expand(len(x)), rival[:1].expand(len(x)))
    return _parts(x, z, W_dec, b_dec, bias, toward, reads)


@wrong("word_parts")
def what_an_ablation_changes(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """A latent's part is what the difference loses when the latent is left out."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    without = x[:, None] - z[..., None] * W_dec
    normed = [torch.nn.functional.layer_norm(v, v.shape[-1:], gain) for v in (x, without)]
    latents = ((normed[0][:, None] - normed[1]) * toward[:, None]).sum(dim=-1)
    return latents, *_parts(x, z, W_dec, b_dec, bias, toward, reads)[1:]


@wrong("word_parts", keeps=16)
def no_small_number(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """A hundred-thousandth is there to save a division by 0 and can be left out."""
    toward = (W_U[:, word] - W_U[:, rival]).T
    reads = gain * toward / x.std(dim=1, keepdim=True, correction=0).detach()
    return _parts(x, z, W_dec, b_dec, bias, toward, reads - reads.mean(dim=1, keepdim=True))


@wrong("word_parts", keeps=16)
def small_number_behind_the_root(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """The small number is added to sigma."""
    toward = (W_U[:, word] - W_U[:, rival]).T
    reads = gain * toward / (x.std(dim=1, keepdim=True, correction=0).detach() + 1e-5)
    return _parts(x, z, W_dec, b_dec, bias, toward, reads - reads.mean(dim=1, keepdim=True))


@wrong("word_parts", keeps=15)
def sigma_learns_too(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """Frozen means that sigma is that of x."""
    toward = (W_U[:, word] - W_U[:, rival]).T
    sigma = (x.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt()
    reads = gain * toward / sigma
    return _parts(x, z, W_dec, b_dec, bias, toward, reads - reads.mean(dim=1, keepdim=True))


@wrong("word_parts", keeps=15)
def the_whole_stream_is_frozen(x, z, W_dec, b_dec, gain, bias, W_U, word, rival):
    """Frozen means that x is a constant."""
    toward, reads = _reads(x, gain, W_U, word, rival)
    return _parts(x.detach(), z, W_dec, b_dec, bias, toward, reads)


# --- my_numbers: what a student makes of their world -------------------------------------------


def _numbers(parent, on, z, latent):
    """The right ones."""
    active = z[:, latent] > 0
    fires = torch.stack([active[on[:, i], parent[i]].float().mean() for i in range(3, 12)])
    worst = 3 + fires.argmin().item()
    says, there = active[:, parent[worst]], on[:, parent[worst]]
    f1 = 2 * (says & there).sum() / (says.sum() + there.sum())
    always = 2 * there.sum() / (len(there) + there.sum())
    return fires.min().item(), worst, (f1 - always).item()


def _f1(says, there):
    return (2 * (says & there).sum() / (says.sum() + there.sum())).item()


@wrong("my_numbers", keeps=9)
def of_all_inputs(my_parent, my_on, my_z, my_latent):
    """How often both are there, of all inputs."""
    _, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    both = my_on[:, worst] & (my_z[:, my_latent[my_parent[worst]]] > 0)
    return both.float().mean().item(), worst, above


@wrong("my_numbers", keeps=9)
def wherever_the_parent_is_on(my_parent, my_on, my_z, my_latent):
    """How often a parent fires is asked of the parent, at all inputs at which it is on."""
    _, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    parent = my_parent[worst]
    fires = (my_z[:, my_latent[parent]] > 0)[my_on[:, parent]]
    return fires.float().mean().item(), worst, above


@wrong("my_numbers", keeps=6)
def most_silenced_in_number(my_parent, my_on, my_z, my_latent):
    """The child that silences its parent at most inputs is the one that silences it most."""
    _, _, above = _numbers(my_parent, my_on, my_z, my_latent)
    silent = my_on[:, 3:] & (my_z[:, my_latent[my_parent[3:]]] <= 0)
    most = silent.sum(dim=0).argmax().item()
    share = silent[:, most].sum() / my_on[:, 3 + most].sum()
    return 1 - share.item(), 3 + most, above


@wrong("my_numbers", keeps=9)
def silence_for_firing(my_parent, my_on, my_z, my_latent):
    """The share at which the parent is silent is wanted."""
    fires, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    return 1 - fires, worst, above


@wrong("my_numbers", keeps=9)
def the_childs_latent_says_when(my_parent, my_on, my_z, my_latent):
    """The child is on where its latent is active."""
    _, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    active = my_z[:, my_latent] > 0
    return active[active[:, worst], my_parent[worst]].float().mean().item(), worst, above


@wrong("my_numbers", keeps=12)
def children_counted_from_0(my_parent, my_on, my_z, my_latent):
    """The first child is number 0."""
    fires, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    return fires, worst - 3, above


@wrong("my_numbers", keeps=12)
def the_parent_is_named(my_parent, my_on, my_z, my_latent):
    """The feature that suffers is the parent."""
    fires, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    return fires, my_parent[worst].item(), above


@wrong("my_numbers", keeps=12)
def the_latent_is_named(my_parent, my_on, my_z, my_latent):
    """The child is called by the number of its latent."""
    fires, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    return fires, my_latent[worst].item(), above


@wrong("my_numbers", keeps=3)
def latent_i_is_feature_i(my_parent, my_on, my_z, my_latent):
    """Latents come in the order of the features."""
    _, worst, _ = _numbers(my_parent, my_on, my_z, my_latent)
    there = my_on[:, my_parent[worst]]
    fires = [(my_z[:, my_parent[i]] > 0)[my_on[:, i]].float().mean().item() for i in range(3, 12)]
    p = there.float().mean().item()
    return min(fires), worst, _f1(my_z[:, my_parent[worst]] > 0, there) - 2 * p / (1 + p)


@wrong("my_numbers")
def the_child_that_does_no_harm(my_parent, my_on, my_z, my_latent):
    """The largest share is the worst."""
    active = my_z[:, my_latent] > 0
    fires = [active[my_on[:, i], my_parent[i]].float().mean().item() for i in range(3, 12)]
    best = 3 + torch.tensor(fires).argmax().item()
    p = my_on[:, best].float().mean().item()
    return max(fires), best, _f1(active[:, best], my_on[:, best]) - 2 * p / (1 + p)


@wrong("my_numbers", keeps=9)
def f1_as_it_is(my_parent, my_on, my_z, my_latent):
    """An F1 speaks for itself."""
    fires, worst, _ = _numbers(my_parent, my_on, my_z, my_latent)
    parent = my_parent[worst]
    return fires, worst, _f1(my_z[:, my_latent[parent]] > 0, my_on[:, parent])


@wrong("my_numbers", keeps=9)
def always_yes_has_p(my_parent, my_on, my_z, my_latent):
    """Who always says yes has the F1 p."""
    fires, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    p = my_on[:, my_parent[worst]].float().mean().item()
    return fires, worst, above + 2 * p / (1 + p) - p


@wrong("my_numbers", keeps=9)
def accuracy_for_f1(my_parent, my_on, my_z, my_latent):
    """How often the detector is right is what it is worth."""
    fires, worst, _ = _numbers(my_parent, my_on, my_z, my_latent)
    there = my_on[:, my_parent[worst]]
    right = (my_z[:, my_latent[my_parent[worst]]] > 0) == there
    p = there.float().mean().item()
    return fires, worst, right.float().mean().item() - 2 * p / (1 + p)


@wrong("my_numbers", keeps=9)
def the_childs_latent_as_detector(my_parent, my_on, my_z, my_latent):
    """The latent that writes the parent now is that of the child."""
    fires, worst, _ = _numbers(my_parent, my_on, my_z, my_latent)
    there = my_on[:, my_parent[worst]]
    p = there.float().mean().item()
    return fires, worst, _f1(my_z[:, my_latent[worst]] > 0, there) - 2 * p / (1 + p)


@wrong("my_numbers")
def somebody_elses_tree(my_parent, my_on, my_z, my_latent):
    """It is enough to hand in a neighbour's numbers."""
    fires, worst, above = _numbers(my_parent, my_on, my_z, my_latent)
    return fires + 0.02, 3 + (worst - 2) % 9, above - 0.03
