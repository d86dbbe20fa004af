"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class WrongAnswer:
    answer: Callable[..., Any]
    says: str

    @property
    def name(self) -> str:
        return self.answer.__name__


WRONG: dict[str, list[WrongAnswer]] = {}


def wrong(exercise: str, says: str) -> Callable:
    def register(answer: Callable) -> Callable:
        WRONG.setdefault(f"steering_vectors.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- reading_vector ----------------------------------------------------------------------------


def _gap(h, y):
    return h[y].mean(0) - h[~y].mean(0)


def _axis(rows):
    return torch.linalg.svd(rows, full_matrices=False)[2][0]


def _along(u, gap):
    return u * (u @ gap)


@wrong("reading_vector", says="rows that still have their mean")
def uncentred(h, y):
    """Sign and length are repaired, and the mean is left in."""
    return _along(_axis(h), _gap(h, y))


@wrong("reading_vector", says="its sign is wrong")
def sign_by_the_largest_entry(h, y):
    """Decompositions fix the sign themselves."""
    u = _axis(h - h.mean(0))
    return u * u[u.abs().argmax()].sign() * (u @ _gap(h, y)).abs()


@wrong("reading_vector", says="its length is that of the whole gap")
def as_long_as_the_whole_gap(h, y):
    """The length is the distance of the means."""
    u, gap = _axis(h - h.mean(0)), _gap(h, y)
    return u * (u @ gap).sign() * gap.norm()


@wrong("reading_vector", says="and along it the means are")
def of_unit_length(h, y):
    """A direction has length 1."""
    u = _axis(h - h.mean(0))
    return u * (u @ _gap(h, y)).sign()


@wrong("reading_vector", says="each class was centred by itself")
def each_class_centred(h, y):
    """Every class has a mean of its own, and it is taken off."""
    rows = h - torch.where(y[:, None], h[y].mean(0), h[~y].mean(0))
    return _along(_axis(rows), _gap(h, y))


@wrong("reading_vector", says="that is the difference of means")
def difference_of_the_means(h, y):
    """The gap is all one needs."""
    return _gap(h, y)


@wrong("reading_vector", says="that is the mean of the rows")
def mean_of_all_rows(h, y):
    """What all rows have in common is the concept."""
    return h.mean(0)


@wrong("reading_vector", says="its sign is wrong")
def from_class_one_to_class_zero(h, y):
    """The gap the other way round."""
    return -_along(_axis(h - h.mean(0)), _gap(h, y))


@wrong("reading_vector", says="entries differ from the plan")
def last_direction(h, y):
    """Singular vectors are sorted from small to large."""
    return _along(torch.linalg.svd(h - h.mean(0), full_matrices=False)[2][-1], _gap(h, y))


@wrong("reading_vector", says="after all rows moved by the same vector")
def centred_by_one_class(h, y):
    """The mean of class 0 is the origin; shifts that change the labels' side do the rest."""
    return _along(_axis(h - h[~y].mean(0)), _gap(h, y)) + 0.1 * h.mean(0)


# --- steer_pass --------------------------------------------------------------------------------


def _hook(mask):
    """An answer that steers where mask(place [new], n_prompt [batch, 1], part, seen) says so."""

    def answer(h, seen, n_prompt, delta, part):
        place = torch.arange(h.shape[1]) + seen
        meant = mask(place, n_prompt[:, None], part, seen).expand(h.shape[:2])
        return h + delta * meant[..., None]

    return answer


def _right(place, end, part, seen):
    rules = {
        "all": lambda: place >= 0, "prompt": lambda: place < end, "last": lambda: place == end - 1,
        "new": lambda: place >= end, "answer": lambda: place >= end - 1,
    }  # fmt: skip
    return rules[part]()


@wrong("steer_pass", says="places are counted from the start of each pass")
def seen_forgotten(h, seen, n_prompt, delta, part):
    """The pass holds all there is."""
    return _hook(lambda p, end, part, seen: _right(p - seen, end, part, 0))(
        h, seen, n_prompt, delta, part
    )


@wrong("steer_pass", says="that is the last token of each pass")
def last_of_the_pass(h, seen, n_prompt, delta, part):
    """The last token is at -1."""
    if part != "last":
        return _hook(_right)(h, seen, n_prompt, delta, part)
    out = h.clone()
    out[:, -1] += delta
    return out


@wrong("steer_pass", says="that is one token late")
def places_from_one(h, seen, n_prompt, delta, part):
    """The last token of a prompt of n stands at n."""
    return _hook(lambda p, end, part, seen: _right(p, end + 1, part, seen))(
        h, seen, n_prompt, delta, part
    )


@wrong("steer_pass", says="that is one token early")
def one_too_early(h, seen, n_prompt, delta, part):
    """`seen` counts the token that comes now."""
    return _hook(lambda p, end, part, seen: _right(p, end - 1, part, seen))(
        h, seen, n_prompt, delta, part
    )


@wrong("steer_pass", says="the first new token is written after the prompt's last")
def answer_without_the_last(h, seen, n_prompt, delta, part):
    """The answer is the new tokens."""
    return _hook(_right)(h, seen, n_prompt, delta, "new" if part == "answer" else part)


@wrong("steer_pass", says="that would be right for the first row's prompt")
def one_length_for_all(h, seen, n_prompt, delta, part):
    """All prompts of a batch are of one length."""
    return _hook(lambda p, end, part, seen: _right(p, end[:1], part, seen))(
        h, seen, n_prompt, delta, part
    )


@wrong("steer_pass", says="changes the right tokens, but")
def taken_off(h, seen, n_prompt, delta, part):
    """The vector is subtracted."""
    return _hook(_right)(h, seen, n_prompt, -delta, part)


@wrong("steer_pass", says="changed its argument `h` in place")
def in_place(h, seen, n_prompt, delta, part):
    """The stream may as well be changed where it lies."""
    h += _hook(_right)(torch.zeros_like(h), seen, n_prompt, delta, part)
    return h


@wrong("steer_pass", says="you steer the places")
def everything_once_a_token_is_meant(h, seen, n_prompt, delta, part):
    """A pass is steered as a whole."""

    def mask(place, end, part, seen):
        return _right(place, end, part, seen).expand(len(h), h.shape[1]).any(1, keepdim=True)

    return _hook(mask)(h, seen, n_prompt, delta, part)


@wrong("steer_pass", says="part 'new', a prompt of")
def new_means_every_later_pass(h, seen, n_prompt, delta, part):
    """What comes after the first pass is new."""
    if part == "new":
        return h + delta if seen > 0 else h
    return _hook(_right)(h, seen, n_prompt, delta, part)


# --- gain_and_loss -----------------------------------------------------------------------------


def _told(before, after, positive, negative, read):
    return (
        read(after, positive) - read(before, positive),
        read(before, negative) - read(after, negative),
    )


def _log_p(z, words):
    return z.log_softmax(-1)[:, words].logsumexp(-1)


@wrong("gain_and_loss", says="the sign of the loss is wrong")
def loss_is_a_rise(before, after, positive, negative):
    """Both are after minus before."""
    gain, loss = _told(before, after, positive, negative, _log_p)
    return gain, -loss


@wrong("gain_and_loss", says="before and after are exchanged")
def before_minus_after(before, after, positive, negative):
    """before and after are exchanged."""
    return _told(after, before, positive, negative, _log_p)


@wrong("gain_and_loss", says="the normaliser is missing")
def of_logits(before, after, positive, negative):
    """The normaliser cancels."""
    return _told(before, after, positive, negative, lambda z, w: z[:, w].logsumexp(-1))


@wrong("gain_and_loss", says="the mean of log-probabilities over the words")
def mean_of_logs(before, after, positive, negative):
    """A side is as likely as its words are on average."""
    return _told(before, after, positive, negative, lambda z, w: z.log_softmax(-1)[:, w].mean(-1))


@wrong("gain_and_loss", says="the sum of log-probabilities over the words")
def sum_of_logs(before, after, positive, negative):
    """The words of a side come one after the other."""
    return _told(before, after, positive, negative, lambda z, w: z.log_softmax(-1)[:, w].sum(-1))


@wrong("gain_and_loss", says="the likeliest word of each side alone")
def likeliest_word(before, after, positive, negative):
    """A side is as likely as its best word."""
    return _told(before, after, positive, negative, lambda z, w: z.log_softmax(-1)[:, w].amax(-1))


@wrong("gain_and_loss", says="the first word of each side alone")
def first_word(before, after, positive, negative):
    """One word stands for its side."""
    return _told(before, after, positive, negative, lambda z, w: z.log_softmax(-1)[:, w[0]])


@wrong("gain_and_loss", says="differences of probabilities")
def probabilities(before, after, positive, negative):
    """Probabilities need no logarithm."""
    return _told(before, after, positive, negative, lambda z, w: z.softmax(-1)[:, w].sum(-1))


@wrong("gain_and_loss", says="the softmax is over the two sides alone")
def two_sides_alone(before, after, positive, negative):
    """What belongs to neither side does not matter."""
    both = torch.cat([positive, negative])
    return _told(
        before, after, positive, negative,
        lambda z, w: z[:, w].logsumexp(-1) - z[:, both].logsumexp(-1),
    )  # fmt: skip


@wrong("gain_and_loss", says="gain and loss are exchanged")
def loss_first(before, after, positive, negative):
    """Loss, then gain."""
    return _told(before, after, positive, negative, _log_p)[::-1]


@wrong("gain_and_loss", says="two tensors are needed")
def their_sum(before, after, positive, negative):
    """The change of the log odds says it all."""
    gain, loss = _told(before, after, positive, negative, _log_p)
    return gain + loss


# --- kl_curvature ------------------------------------------------------------------------------


def _variance(logits, slope):
    p = logits.softmax(-1)
    return (p * slope**2).sum(-1) - (p * slope).sum(-1) ** 2


@wrong("kl_curvature", says="that is twice the cost")
def no_one_half(logits, slope):
    """The second derivative is the second term."""
    return _variance(logits, slope)


@wrong("kl_curvature", says="the mean of the slopes is not taken off")
def mean_square(logits, slope):
    """A mean square is a variance."""
    return (logits.softmax(-1) * slope**2).sum(-1) / 2


@wrong("kl_curvature", says="the mean of the slopes is not taken off")
def mean_square_without_one_half(logits, slope):
    """Both slips at once."""
    return (logits.softmax(-1) * slope**2).sum(-1)


@wrong("kl_curvature", says="all words weigh the same")
def plain_variance(logits, slope):
    """The variance over the vocabulary."""
    return slope.var(-1, correction=0) / 2


@wrong("kl_curvature", says="half the squared length of the slope")
def squared_length(logits, slope):
    """The cost of a push is its length."""
    return slope.square().sum(-1) / 2


@wrong("kl_curvature", says="a standard deviation")
def square_root(logits, slope):
    """The spread of the slopes."""
    return _variance(logits, slope).sqrt()


@wrong("kl_curvature", says="the sign is wrong")
def negative(logits, slope):
    """Pushing lowers the likelihood, so the number is negative."""
    return -_variance(logits, slope) / 2


@wrong("kl_curvature", says="the mean slope, which the first-order terms cancel")
def first_order(logits, slope):
    """The first order is what counts for small pushes."""
    return (logits.softmax(-1) * slope).sum(-1)


@wrong("kl_curvature", says="the divergence at strength 1")
def the_divergence_itself(logits, slope):
    """KL at strength 1 is c."""
    log_p = logits.log_softmax(-1)
    return (log_p.exp() * (log_p - (logits + slope).log_softmax(-1))).sum(-1)


@wrong("kl_curvature", says="with twice the slope")
def an_absolute_slope(logits, slope):
    """A cost grows with the size of the push."""
    return (logits.softmax(-1) * slope.abs()).sum(-1)


# --- told_and_honest ---------------------------------------------------------------------------


def _cross(right, half, rows=None, same=False, pick=torch.argmax):
    right = right.float()
    rows = right if rows is None else rows
    gained = []
    for asked in (half, ~half):
        chosen = rows[:, asked if same else ~asked].mean(1)
        gained.append(rows[pick(chosen)][asked] - right[0][asked])
    return gained


def _told_gain(right):
    return right.float().mean(1).max() - right[0].float().mean()


def _last(values):
    return (values >= values.max() - 1e-9).nonzero()[-1, 0]


@wrong("told_and_honest", says="chosen on the half that it is reported on")
def same_half(right, half):
    """Half of the questions are held out, and then used for both."""
    return _told_gain(right), torch.cat(_cross(right, half, same=True)).mean()


@wrong("told_and_honest", says="the strength was chosen on all questions")
def chosen_on_all(right, half):
    """Choosing is harmless, as long as the report is of a half."""
    best = right.float().mean(1).argmax()
    return _told_gain(right), (right[best].float() - right[0].float())[half].mean()


@wrong("told_and_honest", says="that counts one half alone")
def one_half(right, half):
    """The other half has done its work when it has chosen."""
    return _told_gain(right), _cross(right, half)[0].mean()


@wrong("told_and_honest", says="counts questions of the smaller half more")
def mean_of_the_halves(right, half):
    """The gain is the mean of the two halves' gains."""
    first, second = _cross(right, half)
    return _told_gain(right), (first.mean() + second.mean()) / 2


@wrong("told_and_honest", says="shares answered right, not gains")
def shares_and_no_gains(right, half):
    """The best share is what is told."""
    base = right[0].float().mean()
    return _told_gain(right) + base, torch.cat(_cross(right, half)).mean() + base


@wrong("told_and_honest", says="a strength for each single question")
def an_oracle(right, half):
    """Each question at its best strength."""
    return _told_gain(right), right.float().amax(0).mean() - right[0].float().mean()


@wrong("told_and_honest", says="that is the mean over the strengths")
def mean_over_strengths(right, half):
    """Without a choice there is no optimism."""
    return _told_gain(right), right.float().mean() - right[0].float().mean()


@wrong("told_and_honest", says="the last of several equally good")
def last_of_equals(right, half):
    """Any of the best strengths will do."""
    return _told_gain(right), torch.cat(_cross(right, half, pick=_last)).mean()


@wrong("told_and_honest", says="strength 0 does not take part")
def without_strength_zero(right, half):
    """A vector is always added."""
    rows = right[1:].float()
    return (
        rows.mean(1).max() - right[0].float().mean(),
        torch.cat(_cross(right, half, rows=rows)).mean(),
    )


@wrong("told_and_honest", says="the two numbers are exchanged")
def honest_first(right, half):
    """The honest one comes first."""
    return torch.cat(_cross(right, half)).mean(), _told_gain(right)


@wrong("told_and_honest", says="numbers of questions, not shares")
def counted(right, half):
    """Four more questions are a gain of four."""
    n = right.shape[1]
    return _told_gain(right) * n, torch.cat(_cross(right, half)).sum()


# --- reads_not_steers --------------------------------------------------------------------------


def _plane(readout):
    unit = readout / readout.norm()
    copy = torch.zeros_like(unit)
    copy[unit.abs().argmin()] = 1.0
    copy = copy - (copy @ unit) * unit
    return unit, copy / copy.norm()


def _world(readout, inside, gap=(1.0, 1.0), scale=2.0):
    unit, copy = _plane(readout)
    basis, inside = torch.stack([unit, copy], 1), torch.tensor(inside)
    sigma = torch.eye(len(unit)) - basis @ basis.T + basis @ inside @ basis.T
    factor = scale / readout.norm()
    return factor * (basis @ torch.tensor(gap)), factor**2 * sigma


GOOD = [[1.0, 0.03], [0.03, 0.03]]


@wrong("reads_not_steers", says="the model does not use the concept")
def only_the_copy(readout):
    """The concept stands where the model does not look."""
    return _world(readout, [[1.0, 0.0], [0.0, 0.03]], gap=(0.0, 1.0))


@wrong("reads_not_steers", says="Σ might as well be a sphere")
def a_small_sphere(readout):
    """The classes are far apart, so that any direction reads."""
    return _world(readout, [[0.01, 0.0], [0.0, 0.01]], gap=(1.0, 0.0))


@wrong("reads_not_steers", says="it still leans along the readout")
def wide_but_not_correlated(readout):
    """It is enough that rows spread widely along the readout."""
    return _world(readout, [[0.5, 0.0], [0.0, 0.03]])


@wrong("reads_not_steers", says="standard deviations apart, and it reads")
def reads_badly(readout):
    """The copy may be as wide as the rest."""
    return _world(readout, [[1.0, 0.5], [0.5, 0.5]])


@wrong("reads_not_steers", says="nats; 1 is needed (mind the length of r)")
def a_length_of_one(readout):
    """A gap of length 1 moves the odds by 1."""
    return _world(readout, GOOD, scale=0.3)


@wrong("reads_not_steers", says="the wrong way")
def against_the_readout(readout):
    """Which way the gap points does not matter."""
    return _world(readout, [[1.0, -0.03], [-0.03, 0.03]], gap=(-1.0, 1.0))


@wrong("reads_not_steers", says="all must be positive")
def covariance_too_large(readout):
    """The more correlated, the better."""
    return _world(readout, [[1.0, 0.4], [0.4, 0.03]])


@wrong("reads_not_steers", says="Σ is not symmetric")
def one_sided(readout):
    """Only the column of the copy matters."""
    return _world(readout, [[1.0, 0.03], [0.0, 0.03]])


@wrong("reads_not_steers", says="differ by a factor of")
def a_copy_without_noise(readout):
    """A perfect copy reads best."""
    return _world(readout, [[1.0, 1e-7], [1e-7, 1e-7]])


@wrong("reads_not_steers", says="less than 10% of that is needed")
def correlated_the_other_way(readout):
    """The sign of the covariance does not matter."""
    return _world(readout, [[1.0, -0.03], [-0.03, 0.03]])


@wrong("reads_not_steers", says="for a readout along an axis")
def first_axis_as_the_copy(readout):
    """Some axis is at right angles to the readout, as good as."""
    unit = readout / readout.norm()
    copy = torch.zeros_like(unit)
    copy[0] = 1.0
    if unit[0].abs() > 0.9 or unit[0] == 0:
        factor = 2 / readout.norm()
        return factor * (unit + copy), factor**2 * 0.03 * torch.eye(len(unit))
    return _world(readout, GOOD)
