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
        WRONG.setdefault(f"not_linear.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- frequency_shares --------------------------------------------------------------------------


@wrong("frequency_shares", says="as the others do")
def last_frequency_counts_twice(means):
    """All frequencies are alike."""
    power = torch.fft.rfft(means, dim=0).abs().square().sum(1)[1:]
    return power / power.sum()


@wrong("frequency_shares", says="frequency 0 is the mean")
def with_the_mean(means):
    """The transform starts at frequency 0."""
    power = torch.fft.rfft(means, dim=0).abs().square().sum(1)
    return power / power.sum()


@wrong("frequency_shares", says="need their squares")
def lengths_instead_of_squares(means):
    """The size of a frequency is the norm of its coefficient."""
    size = torch.fft.rfft(means - means.mean(0), dim=0).abs().square().sum(1)[1:].sqrt()
    return size / size.sum()


@wrong("frequency_shares", says="not divided by their sum")
def not_normalised(means):
    """The powers themselves will do."""
    return torch.fft.rfft(means - means.mean(0), dim=0).abs().square().sum(1)[1:]


@wrong("frequency_shares", says="so that directions cancel")
def summed_before_squaring(means):
    """First add up the dimensions, then transform."""
    power = torch.fft.rfft((means - means.mean(0)).sum(1), dim=0).abs().square()[1:]
    return power / power.sum()


@wrong("frequency_shares", says="differ from the definition")
def transform_over_dimensions(means):
    """The transform goes along the last axis, as it does by default."""
    power = torch.fft.fft(means - means.mean(0)).abs().square().sum(0)
    power = torch.nn.functional.pad(power, (0, len(means)))[1 : len(means) // 2 + 1]
    return power / power.sum()


@wrong("frequency_shares", says="it must be")
def both_halves(means):
    """Every entry of the full transform is a frequency of its own."""
    power = torch.fft.fft(means, dim=0).abs().square().sum(1)[1:]
    return power / power.sum()


# --- fitted_circle -----------------------------------------------------------------------------


def _basis(means, frequency):
    angle = 2 * torch.pi * frequency * torch.arange(len(means)) / len(means)
    return torch.stack([angle.cos(), angle.sin()])


def _wave(means, frequency, factor=2.0):
    basis, centred = _basis(means, frequency), means - means.mean(0)
    return basis.T @ (factor / len(means) * basis @ centred)


@wrong("fitted_circle", says="the centre is missing")
def without_the_centre(means, frequency):
    """A circle is around the origin."""
    return _wave(means, frequency)


@wrong("fitted_circle", says="half as large")
def mean_instead_of_two_over_n(means, frequency):
    """A coefficient is a mean over places."""
    return means.mean(0) + _wave(means, frequency, factor=1.0)


@wrong("fitted_circle", says="divide by n/2")
def sum_over_places(means, frequency):
    """A coefficient is a sum over places."""
    return means.mean(0) + _wave(means, frequency, factor=len(means))


@wrong("fitted_circle", says="the circle of frequency 1")
def always_the_calendar(means, frequency):
    """Days go around in the order of the week."""
    return means.mean(0) + _wave(means, 1)


@wrong("fitted_circle", says="differ from the definition")
def starts_one_place_late(means, frequency):
    """The first place is number 1."""
    n, centred = len(means), means - means.mean(0)
    angle = 2 * torch.pi * frequency * torch.arange(1, n + 1) / n
    basis = torch.stack([angle.cos(), angle.sin()])
    return means.mean(0) + _basis(means, frequency).T @ (2 / n * basis @ centred)


@wrong("fitted_circle", says="as they were")
def nothing_fitted(means, frequency):
    """The means are the circle."""
    return means.clone()


@wrong("fitted_circle", says="differ from the definition")
def cosine_alone(means, frequency):
    """One wave is enough."""
    cos = _basis(means, frequency)[:1]
    return means.mean(0) + cos.T @ (2 / len(means) * cos @ (means - means.mean(0)))


@wrong("fitted_circle", says="differ from the definition")
def made_round(means, frequency):
    """A circle has one radius: the mean of both axes."""
    basis, centred = _basis(means, frequency), means - means.mean(0)
    axes = 2 / len(means) * basis @ centred
    radius = axes.norm(dim=1).mean()
    return means.mean(0) + basis.T @ (radius * axes / axes.norm(dim=1, keepdim=True))


@wrong("fitted_circle", says="differ from the definition")
def two_components(means, frequency):
    """The plane of most variance is the plane of the circle."""
    centred = means - means.mean(0)
    V = torch.linalg.svd(centred)[2][:2]
    return means.mean(0) + centred @ V.T @ V


@wrong("fitted_circle", says="it must be")
def axes_instead_of_points(means, frequency):
    """The circle is its two axes."""
    return 2 / len(means) * _basis(means, frequency) @ (means - means.mean(0))


# --- ring_in_strip -----------------------------------------------------------------------------


def _between(low, high):
    low, high = (min(1.0, max(-1.0, end)) for end in (low, high))
    return (math.acos(low) - math.acos(high)) / math.pi


@wrong("ring_in_strip", says="as if it went through the centre")
def width_of_the_centre(middle, epsilon):
    """The spread is that of the ring, wherever the strip lies."""
    width = epsilon * math.sqrt(0.5)
    return _between(middle - width, middle + width)


@wrong("ring_in_strip", says="in units of the radius")
def width_in_radii(middle, epsilon):
    """epsilon is the half width."""
    return _between(middle - epsilon, middle + epsilon)


@wrong("ring_in_strip", says="the ring is dense near its edge")
def as_if_uniform(middle, epsilon):
    """A coordinate of a uniform angle is uniform."""
    width = epsilon * math.sqrt(0.5 + middle**2)
    return max(0.0, (min(middle + width, 1) - max(middle - width, -1)) / 2)


@wrong("ring_in_strip", says="one half of the ring only")
def upper_half(middle, epsilon):
    """An angle between two arc cosines, out of a full turn."""
    width = epsilon * math.sqrt(0.5 + middle**2)
    return _between(middle - width, middle + width) / 2


@wrong("ring_in_strip", says="half as wide")
def width_is_the_whole_strip(middle, epsilon):
    """epsilon times the spread is the distance of the two edges."""
    width = epsilon * math.sqrt(0.5 + middle**2) / 2
    return _between(middle - width, middle + width)


@wrong("ring_in_strip", says="it raised ValueError")
def over_the_edge(middle, epsilon):
    """The arc cosine takes any number."""
    width = epsilon * math.sqrt(0.5 + middle**2)
    return (math.acos(middle - width) - math.acos(middle + width)) / math.pi


@wrong("ring_in_strip", says="are in the strip")
def spread_about_the_mean(middle, epsilon):
    """The spread about the middle is smaller where the middle is off the centre."""
    width = epsilon * math.sqrt(max(0.0, 0.5 - middle**2))
    return _between(middle - width, middle + width)


@wrong("ring_in_strip", says="are in the strip")
def in_radians(middle, epsilon):
    """The angle itself is the share."""
    width = epsilon * math.sqrt(0.5 + middle**2)
    return 2 * math.pi * _between(middle - width, middle + width) + 0.1


# --- peel --------------------------------------------------------------------------------------


def _peel(state, codes, peel=True, product=False, order=None, shrink=1.0):
    left, found = state, {}
    for place in order or range(len(codes)):
        layer = codes[place]
        score = left @ layer.T if product else -torch.cdist(left, layer)
        found[place] = score.argmax(1)
        if peel:
            left = left - shrink * layer[found[place]]
    return torch.stack([found[place] for place in range(len(codes))], 1)


@wrong("peel", says="nothing is taken off")
def fixed_read_out(state, codes):
    """Each place has its own read-out from the state."""
    return _peel(state, codes, peel=False)


@wrong("peel", says="not the nearest code")
def largest_product(state, codes):
    """The code that the state points along most."""
    return _peel(state, codes, product=True)


@wrong("peel", says="are not those of the definition")
def from_the_inside(state, codes):
    """The innermost layer first."""
    return _peel(state, codes, order=list(range(len(codes)))[::-1])


@wrong("peel", says="are not those of the definition")
def half_is_taken_off(state, codes):
    """A step size makes it stable."""
    return _peel(state, codes, shrink=0.5)


@wrong("peel", says="in the reverse order")
def written_backwards(state, codes):
    """The last symbol found comes first."""
    return _peel(state, codes).flip(1)


@wrong("peel", says="at place 1")
def outer_code_for_all(state, codes):
    """All places share one code, so that of place 0 will do."""
    return _peel(state, codes[:1].expand_as(codes))


@wrong("peel", says="is needed")
def one_symbol_for_the_batch(state, codes):
    """The batch is one state."""
    return _peel(state.mean(0, keepdim=True), codes)[0]


@wrong("peel", says="are not those of the definition")
def codes_of_length_one(state, codes):
    """Directions are enough; lengths are noise."""
    return _peel(state, codes / codes.norm(dim=-1, keepdim=True))


@wrong("peel", says="are not those of the definition")
def farthest_code(state, codes):
    """The largest distance is the strongest signal."""
    left, found = state, []
    for layer in codes:
        found.append(torch.cdist(left, layer).argmax(1))
        left = left - layer[found[-1]]
    return torch.stack(found, 1)


@wrong("peel", says="is needed")
def distances_instead_of_symbols(state, codes):
    """The nearest code is given by its distance."""
    return torch.stack([torch.cdist(state, layer) for layer in codes], 1)


# --- patch_plane -------------------------------------------------------------------------------


@wrong("patch_plane", says="off the source")
def unit_rows_are_enough(x, source, directions):
    """Vectors of length 1 make a projection."""
    unit = directions / directions.norm(dim=1, keepdim=True)
    return x + (source - x) @ unit.T @ unit


@wrong("patch_plane", says="off the source")
def rows_as_they_are(x, source, directions):
    """P = rows^T rows."""
    return x + (source - x) @ directions.T @ directions


@wrong("patch_plane", says="off the source")
def one_after_the_other(x, source, directions):
    """Patch along the first direction, then along the second."""
    for row in directions:
        unit = row / row.norm()
        x = x + ((source - x) @ unit)[:, None] * unit
    return x


@wrong("patch_plane", says="something outside the plane has moved")
def everything(x, source, directions):
    """The whole vector of the source."""
    return source.clone()


@wrong("patch_plane", says="off the source")
def nothing(x, source, directions):
    """The source is already there."""
    return x.clone()


@wrong("patch_plane", says="off the source")
def added_to_what_is_there(x, source, directions):
    """The source's part is added; what x had in the plane stays."""
    Q = torch.linalg.qr(directions.T)[0]
    return x + source @ Q @ Q.T


@wrong("patch_plane", says="something outside the plane has moved")
def the_other_way_round(x, source, directions):
    """Keep the plane, take the rest from the source."""
    Q = torch.linalg.qr(directions.T)[0]
    return source + (x - source) @ Q @ Q.T


@wrong("patch_plane", says="off the source")
def first_direction_alone(x, source, directions):
    """The second adds nothing new."""
    unit = directions[0] / directions[0].norm()
    return x + ((source - x) @ unit)[:, None] * unit


# --- implements_anything -----------------------------------------------------------------------


def _hosts(states, w, b, wanted):
    margin = states @ w + b
    return torch.stack([states[margin.argmin()], states[margin.argmax()]])[wanted]


def _own(table, states):
    table = table.clone()
    table[torch.arange(len(states)), torch.arange(len(states))] = states
    return table


@wrong("implements_anything", says="have a twin")
def one_state_for_each_answer(states, w, b, wanted):
    """Two states are enough, one for yes and one for no."""
    return _own(_hosts(states, w, b, wanted), states)


@wrong("implements_anything", says="away from state")
def diagonal_too(states, w, b, wanted):
    """A swap with oneself is a swap like any other."""
    table = _hosts(states, w, b, wanted)
    return table + 1e-3 * torch.randn(table.shape)


@wrong("implements_anything", says="the interchange accuracy is")
def the_source_state(states, w, b, wanted):
    """Put the source in the place of the base."""
    table = states[None].repeat(len(states), 1, 1)
    return _own(table + 1e-4 * torch.randn(table.shape), states)


@wrong("implements_anything", says="the interchange accuracy is")
def the_mean_of_both(states, w, b, wanted):
    """Half of the base and half of the source."""
    return (states[:, None] + states[None]) / 2


@wrong("implements_anything", says="the interchange accuracy is")
def steps_too_large(states, w, b, wanted):
    """Different states have to be far apart."""
    table = _hosts(states, w, b, wanted)
    return _own(table + 10 * torch.randn(table.shape), states)


@wrong("implements_anything", says="the interchange accuracy is")
def base_and_source_confused(states, w, b, wanted):
    """table[source, base]."""
    table = _hosts(states, w, b, wanted.T)
    return _own(table + 1e-4 * torch.randn(table.shape), states)


@wrong("implements_anything", says="it must be")
def answers_instead_of_states(states, w, b, wanted):
    """The table holds what is answered."""
    return wanted.float()


@wrong("implements_anything", says="have a twin")
def a_step_for_each_base(states, w, b, wanted):
    """One small step for each base keeps them apart."""
    table = _hosts(states, w, b, wanted)
    return _own(table + 1e-4 * torch.arange(len(states))[:, None, None], states)
