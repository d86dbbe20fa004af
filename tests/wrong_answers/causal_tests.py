"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

import math
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
        WRONG.setdefault(f"causal_tests.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- replace_along -----------------------------------------------------------------------------


@wrong("replace_along", says="|v|² =")
def length_not_taken_out(h, v, other):
    """A direction is a vector; its length does not matter."""
    return h + ((other - h) @ v)[:, None] * v


@wrong("replace_along", says="|v| =")
def length_taken_out_once(h, v, other):
    """Dividing by the norm once is enough."""
    return h + ((other - h) @ v)[:, None] * v / v.norm()


@wrong("replace_along", says="the other's is added")
def added_to_what_is_there(h, v, other):
    """A patch adds the other run's part."""
    u = v / v.norm()
    return h + torch.broadcast_to(other @ u, h.shape[:1])[:, None] * u


@wrong("replace_along", says="it is 0 now")
def ablated_to_zero(h, v, other):
    """Taking a direction away means setting it to 0."""
    u = v / v.norm()
    return h - (h @ u)[:, None] * u


@wrong("replace_along", says="at a right angle to v has moved")
def everything_from_the_other_run(h, v, other):
    """Patching takes the whole vector."""
    return other.expand(h.shape).clone()


@wrong("replace_along", says="at a right angle to v has moved")
def the_rest_from_the_other_run(h, v, other):
    """Keep the direction, replace the rest."""
    u = v / v.norm()
    return other + ((h - other) @ u)[:, None] * u


@wrong("replace_along", says="you move away from it")
def the_wrong_way(h, v, other):
    """The change is what h has more than the other."""
    u = v / v.norm()
    return h + ((h - other) @ u)[:, None] * u


@wrong("replace_along", says="nothing has moved")
def nothing_at_all(h, v, other):
    """The two runs agree along v."""
    return h.clone()


@wrong("replace_along", says="the other run's coordinate along v")
def one_step_for_the_batch(h, v, other):
    """The mean change will do for all rows."""
    u = v / v.norm()
    return h + ((other - h) @ u).mean() * u


# --- recovered_effect --------------------------------------------------------------------------


def _ends(clean, corrupt, mode):
    return (corrupt, clean) if mode == "denoise" else (clean, corrupt)


@wrong("recovered_effect", says="wrong run")
def as_it_was(patched, clean, corrupt, mode):
    """The code as the colleague wrote it."""
    return ((patched - corrupt) / (clean - corrupt)).mean()


@wrong("recovered_effect", says="mean of ratios, and one of them is")
def only_the_start_repaired(patched, clean, corrupt, mode):
    """A mean over pairs is a mean over pairs."""
    start, goal = _ends(clean, corrupt, mode)
    return ((patched - start) / (goal - start)).mean()


@wrong("recovered_effect", says="what is left of the run that is patched")
def only_the_mean_repaired(patched, clean, corrupt, mode):
    """0 is always the corrupt run."""
    return (patched - corrupt).sum() / (clean - corrupt).sum()


@wrong("recovered_effect", says="over all 6 pairs the measure moves by")
def clipped_ratios(patched, clean, corrupt, mode):
    """Ratios beyond 0 and 1 are noise, and may be cut off."""
    start, goal = _ends(clean, corrupt, mode)
    return ((patched - start) / (goal - start)).clamp(0, 1).mean()


@wrong("recovered_effect", says="over all 6 pairs the measure moves by")
def a_small_number_below_the_line(patched, clean, corrupt, mode):
    """A small number added to the gap makes the division safe."""
    start, goal = _ends(clean, corrupt, mode)
    return ((patched - start) / (goal - start + 0.1)).mean()


@wrong("recovered_effect", says="over all 6 pairs the measure moves by")
def median_of_ratios(patched, clean, corrupt, mode):
    """The median takes care of outliers."""
    start, goal = _ends(clean, corrupt, mode)
    return ((patched - start) / (goal - start)).median()


@wrong("recovered_effect", says="over all 6 pairs the measure moves by")
def sizes_of_both(patched, clean, corrupt, mode):
    """Distances have no sign."""
    start, goal = _ends(clean, corrupt, mode)
    return (patched - start).abs().sum() / (goal - start).abs().sum()


@wrong("recovered_effect", says="one real number is needed")
def one_for_each_pair(patched, clean, corrupt, mode):
    """The score of each pair."""
    start, goal = _ends(clean, corrupt, mode)
    return (patched - start) / (goal - start).sum()


# --- row_null_split ----------------------------------------------------------------------------


@wrong("row_null_split", says="the two parts are exchanged")
def the_two_exchanged(v, W_out):
    """The row space is what the read-out does away with."""
    row = torch.linalg.pinv(W_out) @ (W_out @ v)
    return v - row, row


@wrong("row_null_split", says="makes an output of norm")
def no_inverse_between(v, W_out):
    """W^T W projects on the row space."""
    row = W_out.T @ (W_out @ v)
    return row, v - row


@wrong("row_null_split", says="makes an output of norm")
def one_row_after_the_other(v, W_out):
    """Taking every row's part away leaves what no row sees."""
    null = v
    for w in W_out:
        null = null - (null @ w) / (w @ w) * w
    return v - null, null


@wrong("row_null_split", says="is not made of rows of W_out alone")
def basis_filled_up(v, W_out):
    """Every column that QR returns belongs to the span."""
    basis = torch.linalg.qr(W_out.T)[0]
    row = basis @ (basis.T @ v)
    return row, v - row


@wrong("row_null_split", says="add up to something")
def parts_of_length_one(v, W_out):
    """Directions have no length, and so their parts have none."""
    row = torch.linalg.pinv(W_out) @ (W_out @ v)
    null = v - row
    return row / row.norm().clamp(min=1e-9), null / null.norm().clamp(min=1e-9)


@wrong("row_null_split", says="it must return two tensors")
def the_row_part_alone(v, W_out):
    """The other part is what is left, and need not be given."""
    return torch.linalg.pinv(W_out) @ (W_out @ v)


@wrong("row_null_split", says="makes an output of norm")
def the_strongest_row_alone(v, W_out):
    """The longest row is what matters."""
    w = W_out[W_out.norm(dim=1).argmax()]
    row = (v @ w) / (w @ w) * w
    return row, v - row


@wrong("row_null_split", says="it must be")
def outputs_instead_of_directions(v, W_out):
    """What is seen is the output."""
    return W_out @ v, v


@wrong("row_null_split", says="makes an output of norm")
def everything_is_null(v, W_out):
    """What cannot be inverted cannot be seen."""
    return torch.zeros_like(v), v.clone()


# --- illusory_directions -----------------------------------------------------------------------


def _at(*angles):
    angles = torch.tensor(angles)
    return torch.stack([angles.cos(), angles.sin()], 1)


@wrong("illusory_directions", says="you give 0 direction(s)")
def only_the_true_axis(follows, reads):
    """Without the true axis nothing is recovered."""
    return torch.zeros(0, 2)


@wrong("illusory_directions", says="recovers")
def always_the_diagonal(follows, reads):
    """The illusion is e1 + e2, as in the chapter."""
    return _at(math.pi / 4)


@wrong("illusory_directions", says="you give 1 direction(s)")
def one_of_the_two(follows, reads):
    """An arc sine has one value."""
    needed = 2 / (follows * reads)
    return torch.zeros(0, 2) if abs(needed) > 1 else _at(math.asin(needed) / 2)


@wrong("illusory_directions", says="no positive v1")
def both_ends_of_each_line(follows, reads):
    """v and -v are two solutions."""
    needed = 2 / (follows * reads)
    if abs(needed) > 1:
        return torch.zeros(0, 2)
    first = _at(math.asin(needed) / 2)
    return torch.cat([first, -first])


@wrong("illusory_directions", says="it must be 1")
def not_of_norm_one(follows, reads):
    """v1 = 1, and the rest follows."""
    return torch.tensor([[1.0, 1 / (follows * reads)]])


@wrong("illusory_directions", says="recovers")
def angle_not_halved(follows, reads):
    """sin θ = 2 / (f r)."""
    needed = 2 / (follows * reads)
    return torch.zeros(0, 2) if abs(needed) >= 1 else _at(math.asin(needed))


@wrong("illusory_directions", says="recovers")
def weaker_sleepers_too(follows, reads):
    """Where the equation has no solution the nearest value will do."""
    needed = max(-1.0, min(1.0, 2 / (follows * reads)))
    first = math.asin(needed) / 2
    return _at(first, math.copysign(math.pi / 2, needed) - first)


@wrong("illusory_directions", says="it raised ValueError")
def no_border(follows, reads):
    """There are always two."""
    first = math.asin(2 / (follows * reads)) / 2
    return _at(first, math.copysign(math.pi / 2, first) - first)


@wrong("illusory_directions", says="recovers")
def the_sign_forgotten(follows, reads):
    """Strengths are positive."""
    needed = 2 / abs(follows * reads)
    if needed > 1:
        return torch.zeros(0, 2)
    first = math.asin(needed) / 2
    return _at(first, math.pi / 2 - first)


@wrong("illusory_directions", says="recovers")
def as_if_reads_were_alone(follows, reads):
    """Only how strongly the sleeper is read counts."""
    needed = 2 / reads
    if abs(needed) > 1:
        return torch.zeros(0, 2)
    first = math.asin(needed) / 2
    return _at(first, math.copysign(math.pi / 2, needed) - first)


# --- spare_plane -------------------------------------------------------------------------------


@wrong("spare_plane", says="outside your plane")
def plane_without_the_direction(w_in, w_out, v):
    """Any plane that can be spared will do."""
    return torch.linalg.svd(v[None])[2][1:]


@wrong("spare_plane", says="as dead as without v alone")
def with_the_read_out(w_in, w_out, v):
    """The plane of v and what is read."""
    return torch.stack([v, w_out])


@wrong("spare_plane", says="as dead as without v alone")
def with_the_data(w_in, w_out, v):
    """The plane of v and what the data move along."""
    return torch.stack([v, w_in])


@wrong("spare_plane", says="span a line")
def the_direction_twice(w_in, w_out, v):
    """One direction is a plane, too."""
    return torch.stack([v, 2 * v])


@wrong("spare_plane", says="it must be")
def the_direction_and_no_plane(w_in, w_out, v):
    """Ablate v, and that is that."""
    return v[None]


@wrong("spare_plane", says="the model answers")
def the_first_two_neurons(w_in, w_out, v):
    """The idle neurons can be spared."""
    idle = torch.eye(3)[:2]
    outside = v - idle.T @ (idle @ v)
    return torch.stack([v, idle[0]]) if outside.norm() > 1e-3 else idle


@wrong("spare_plane", says="the model answers")
def any_plane_around_it(w_in, w_out, v):
    """Any second direction will do."""
    return torch.stack([v, torch.tensor([0.3, -0.8, 0.5])])


@wrong("spare_plane", says="the model answers")
def normal_of_most_output(w_in, w_out, v):
    """Leave the line along which the output is largest."""
    across = torch.linalg.svd(v[None])[2][1:]
    angle = torch.linspace(0, math.pi, 10_001)
    n = torch.stack([angle.cos(), angle.sin()], 1) @ across
    n = n[(n @ w_in).abs().argmax()]
    return torch.stack([v, torch.linalg.cross(n, v)])


# --- edit_rates --------------------------------------------------------------------------------


def _rates(before, after, values, target, goal, among=None, hit=None, other=None):
    old, new = values[:, before], values[:, after]
    counted, changed = old != -1, old != new
    if other is not None:
        counted, changed = other(old, new)
    counted, changed = counted.clone(), changed.clone()
    counted[target] = ((old != -1) & (old != goal) if among is None else among(old, new))[target]
    changed[target] = (new == goal if hit is None else hit(old, new))[target]
    return (counted & changed).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)


@wrong("edit_rates", says="you count every change of the target as a flip")
def any_change_is_a_flip(before, after, values, target, goal):
    """A word whose value has changed has flipped."""
    return _rates(before, after, values, target, goal, hit=lambda old, new: old != new)


@wrong("edit_rates", says="you divide by all words")
def shares_of_all_words(before, after, values, target, goal):
    """A rate is a share of all words."""
    old, new = values[:, before], values[:, after]
    hit = (old != -1) & (old != new)
    hit[target] = (old[target] != -1) & (old[target] != goal) & (new[target] == goal)
    return hit.float().mean((1, 2))


@wrong("edit_rates", says="had the goal already")
def those_there_already_count(before, after, values, target, goal):
    """Words that have the goal after the edit, of all that had a value."""
    return _rates(before, after, values, target, goal, among=lambda old, new: old != -1)


@wrong("edit_rates", says="a word that has no value any more has changed, too")
def lost_values_do_not_count(before, after, values, target, goal):
    """Only values can be compared."""

    def both(old, new):
        return (old != -1) & (new != -1), old != new

    return _rates(
        before, after, values, target, goal, other=both,
        among=lambda old, new: (old != -1) & (old != goal) & (new != -1),
    )  # fmt: skip


@wrong("edit_rates", says="get a value and had none")
def words_without_a_value_too(before, after, values, target, goal):
    """None is a value like any other."""

    def all_of_them(old, new):
        return torch.ones_like(old, dtype=torch.bool), old != new

    return _rates(
        before, after, values, target, goal, other=all_of_them,
        among=lambda old, new: old != goal,
    )  # fmt: skip


@wrong("edit_rates", says="you give what stays")
def what_is_kept(before, after, values, target, goal):
    """Off target is measured by what is kept."""
    return _rates(
        before, after, values, target, goal, other=lambda old, new: (old != -1, old == new)
    )


@wrong("edit_rates", says="for attribute")
def always_the_first_attribute(before, after, values, target, goal):
    """The target is attribute 0, and the goal 1."""
    return _rates(before, after, values, 0, 1)


@wrong("edit_rates", says="for attribute")
def before_and_after_exchanged(before, after, values, target, goal):
    """Count among the words of the edited text."""
    return _rates(after, before, values, target, goal)


@wrong("edit_rates", says="it must be")
def the_target_alone(before, after, values, target, goal):
    """One number says how good an edit is."""
    return _rates(before, after, values, target, goal)[target]


@wrong("edit_rates", says="for attribute")
def tokens_instead_of_values(before, after, values, target, goal):
    """A word that is another word has changed."""
    return (before != after).float().mean().expand(len(values)).clone()
