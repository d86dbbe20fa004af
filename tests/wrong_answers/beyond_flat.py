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
        WRONG.setdefault(f"beyond_flat.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- matching_pursuit --------------------------------------------------------------------------


def _pursue(x, D, n_steps, add=True, clamp=True, signed=False, once=False, fresh=True):
    z, r = torch.zeros(len(x), len(D)), x.clone()
    seen = torch.zeros(len(x), len(D), dtype=torch.bool)
    for _ in range(n_steps):
        products = r @ D.T
        score = products.abs() if signed else products
        if once:
            score = score.masked_fill(seen, -torch.inf)
        latent = score.argmax(dim=-1, keepdim=True)
        value = (products if fresh else x @ D.T).gather(1, latent)
        if clamp:
            value = value.clamp(min=0)
        z = z.scatter_add(1, latent, value) if add else z.scatter(1, latent, value)
        seen = seen.scatter(1, latent, True)
        r = r - value * D[latent[:, 0]]
    return z, r


@wrong("matching_pursuit", says="you have what the first visit gave")
def an_atom_is_taken_once(x, D, n_steps):
    """What has been taken need not be looked at again."""
    return _pursue(x, D, n_steps, once=True)


@wrong("matching_pursuit", says="and must be")
def second_visit_replaces_the_first(x, D, n_steps):
    """`scatter` puts the coefficient into the code."""
    return _pursue(x, D, n_steps, add=False)


@wrong("matching_pursuit", says="some of your codes are negative")
def largest_in_size(x, D, n_steps):
    """The atom with the largest |product|, as in the textbook."""
    return _pursue(x, D, n_steps, signed=True, clamp=False)


@wrong("matching_pursuit", says="all of them must stay 0")
def negative_steps_are_taken(x, D, n_steps):
    """The largest product is added whatever its sign."""
    return _pursue(x, D, n_steps, clamp=False)


@wrong("matching_pursuit", says="the residual still has")
def coefficient_from_the_input(x, D, n_steps):
    """The coefficient is the product with x, as in every other encoder."""
    return _pursue(x, D, n_steps, fresh=False)


@wrong("matching_pursuit", says="yours is what one step gives")
def one_step(x, D, n_steps):
    """A matching pursuit is an argmax."""
    return _pursue(x, D, 1)


@wrong("matching_pursuit", says="differ from the definition")
def top_k_of_the_products(x, D, n_steps):
    """The n_steps atoms with the largest products with x, all at once."""
    values, latents = (x @ D.T).topk(n_steps, dim=-1)
    z = torch.zeros(len(x), len(D)).scatter(1, latents, values.relu())
    return z, x - z @ D


@wrong("matching_pursuit", says="you return the reconstruction")
def reconstruction_instead_of_residual(x, D, n_steps):
    """The second thing wanted is what the codes rebuild."""
    z, _ = _pursue(x, D, n_steps)
    return z, z @ D


@wrong("matching_pursuit", says="z D + residual")
def residual_before_the_last_step(x, D, n_steps):
    """The residual is what the last atom was chosen for."""
    return _pursue(x, D, n_steps)[0], _pursue(x, D, n_steps - 1)[1]


@wrong("matching_pursuit", says="differ from the definition")
def one_atom_for_the_whole_batch(x, D, n_steps):
    """All inputs take the atom that suits the batch best."""
    z, r = torch.zeros(len(x), len(D)), x.clone()
    for _ in range(n_steps):
        products = r @ D.T
        latent = int(products.relu().sum(dim=0).argmax())
        value = products[:, latent].relu()
        z[:, latent] += value
        r = r - value[:, None] * D[latent]
    return z, r


@wrong("matching_pursuit", says="z D + residual")
def half_steps(x, D, n_steps):
    """A learning rate makes it stable."""
    z, r = torch.zeros(len(x), len(D)), x.clone()
    for _ in range(n_steps):
        value, latent = (r @ D.T).max(dim=-1, keepdim=True)
        z = z.scatter_add(1, latent, value.relu())
        r = r - 0.5 * value.relu() * D[latent[:, 0]]
    return z, r


@wrong("matching_pursuit", says="return two tensors, (z, residual)")
def codes_alone(x, D, n_steps):
    """The residual can be worked out from the codes."""
    return _pursue(x, D, n_steps)[0]


@wrong("matching_pursuit", says="changed its argument `x` in place")
def x_is_used_up(x, D, n_steps):
    """x is mine to subtract from."""
    z = torch.zeros(len(x), len(D))
    for _ in range(n_steps):
        value, latent = (x @ D.T).max(dim=-1, keepdim=True)
        z = z.scatter_add(1, latent, value.relu())
        x -= value.relu() * D[latent[:, 0]]
    return z, x


# --- merged_child ------------------------------------------------------------------------------


def _codes(a, b, cosine):
    sine = math.sqrt(1 - cosine**2)
    return a - b * cosine / sine, b / sine


def _whole(a, b):
    return a / math.hypot(a, b)


@wrong("merged_child", says="the child's latent has to grow")
def child_keeps_its_magnitude(a, b, cosine):
    """Only the parent's latent changes: the child's magnitude is b."""
    return _codes(a, b, cosine)[0] + b, _whole(a, b)


@wrong("merged_child", says="you count the parent in full")
def parent_keeps_its_magnitude(a, b, cosine):
    """The parent is on with a, whatever the child writes."""
    return a + _codes(a, b, cosine)[1], _whole(a, b)


@wrong("merged_child", says="they overlap, so that x would be overshot")
def products_are_the_codes(a, b, cosine):
    """A latent's value is the product of x with its direction."""
    return a + a * cosine + b * math.sqrt(1 - cosine**2), _whole(a, b)


@wrong("merged_child", says="L1 is their sum")
def euclidean_length(a, b, cosine):
    """The penalty is the norm of the codes."""
    return math.hypot(*_codes(a, b, cosine)), _whole(a, b)


@wrong("merged_child", says="the codes that rebuild x exactly add up to")
def cost_of_the_faithful_dictionary(a, b, cosine):
    """An exact code costs the same in every dictionary."""
    return a + b, _whole(a, b)


@wrong("merged_child", says="the codes that rebuild x exactly add up to")
def always_merged_whole(a, b, cosine):
    """One latent at the length of x."""
    return math.hypot(a, b), _whole(a, b)


@wrong("merged_child", says="already negative")
def any_cosine_below_one(a, b, cosine):
    """Only a child equal to its parent is too much."""
    return sum(_codes(a, b, cosine)), 0.999


@wrong("merged_child", says="where the exact code of the parent is")
def largest_for_equal_magnitudes(a, b, cosine):
    """Half of each: 45 degrees."""
    return sum(_codes(a, b, cosine)), math.sqrt(0.5)


@wrong("merged_child", says="where the exact code of the parent is")
def magnitudes_swapped_in_the_largest(a, b, cosine):
    """The child's share of the length."""
    return sum(_codes(a, b, cosine)), b / math.hypot(a, b)


@wrong("merged_child", says="a cosine below 1 is needed")
def tangent_for_cosine(a, b, cosine):
    """z_p is 0 where the ratio is a / b."""
    return sum(_codes(a, b, cosine)), max(a / b, b / a)


@wrong("merged_child", says="return (cost, largest)")
def cost_alone(a, b, cosine):
    """The largest cosine is a matter of taste."""
    return sum(_codes(a, b, cosine))


# --- rebuild -----------------------------------------------------------------------------------


def _rebuild(x, W, n_steps, choose=None, step=None, decode=None, add=True):
    unit = W / W.norm(dim=-1, keepdim=True)
    choose, step = unit if choose is None else choose, unit if step is None else step
    z, r = torch.zeros(len(x), len(W)), x
    for _ in range(n_steps):
        latent = (r @ choose.T).argmax(dim=-1, keepdim=True)
        value = (r @ step.T).gather(1, latent).relu()
        z = z.scatter_add(1, latent, value) if add else z.scatter(1, latent, value)
        r = r - value * step[latent[:, 0]]
    return z @ (unit if decode is None else decode)


@wrong("rebuild", says="differ from the definition")
def only_the_code_repaired(x, W, n_steps):
    """The overwritten code was the only bug."""
    return _rebuild(x, W, n_steps, decode=W)


@wrong("rebuild", says="what the first visit found is missing")
def only_the_rows_repaired(x, W, n_steps):
    """The rows were the only bug."""
    return _rebuild(x, W, n_steps, add=False)


@wrong("rebuild", says="takes the error of input")
def no_norm_anywhere(x, W, n_steps):
    """With the same rows everywhere it must be right."""
    return _rebuild(x, W, n_steps, choose=W, step=W, decode=W)


@wrong("rebuild", says="differ from the definition")
def chosen_by_the_longest_row(x, W, n_steps):
    """The choice is made by the rows as they are."""
    return _rebuild(x, W, n_steps, choose=W)


@wrong("rebuild", says="with rows three times as long")
def divided_by_the_mean_norm(x, W, n_steps):
    """All rows have about the same norm."""
    W = W / (0.5 + 0.5 * W.norm(dim=-1, keepdim=True))
    return _rebuild(x, W, n_steps) * W.norm(dim=-1).mean()


@wrong("rebuild", says="takes the error of input")
def whole_matrix_normalised(x, W, n_steps):
    """One norm for the matrix."""
    W = W / W.norm()
    return _rebuild(x, W, n_steps, choose=W, step=W, decode=W) * W.norm(dim=-1).max() ** -2


@wrong("rebuild", says="all numbers of steps give the same reconstruction")
def stops_after_one_step(x, W, n_steps):
    """Later steps make it worse, so leave them out."""
    return _rebuild(x, W, 1)


@wrong("rebuild", says="differ from")
def fewer_steps_when_worse(x, W, n_steps):
    """Take the best of all numbers of steps of the broken code."""
    tried = torch.stack([_rebuild(x, W, k, decode=W, add=False) for k in range(n_steps + 1)])
    best = (x - tried).norm(dim=-1).argmin(dim=0)
    return tried[best, torch.arange(len(x))]


@wrong("rebuild", says="differ from the definition")
def residual_returned(x, W, n_steps):
    """What is left is what is wanted."""
    return x - _rebuild(x, W, n_steps)


@wrong("rebuild", says="differ from the definition")
def least_squares(x, W, n_steps):
    """The best reconstruction is the best answer."""
    return x @ W.T @ torch.linalg.pinv(W @ W.T) @ W


# --- counterexample ----------------------------------------------------------------------------


def _at(*degrees):
    angle = torch.tensor(degrees) * math.pi / 180
    return torch.stack([angle.cos(), angle.sin()], dim=1)


@wrong("counterexample", says="and has 0.000 left along atom")
def orthogonal_atoms():
    """Any pursuit will do."""
    return torch.eye(2), torch.tensor([1.0, 0.7])


@wrong("counterexample", says="no atom comes twice")
def acute_atoms():
    """Atoms that overlap are enough, whatever the sign."""
    return _at(0.0, 60.0), torch.tensor([1.0, 0.6])


@wrong("counterexample", says="atoms 0 and 1 have |cos| = 1.00")
def the_same_atom_twice():
    """Two equal atoms are taken one after the other."""
    return _at(0.0, 0.0, 115.0), torch.tensor([1.0, 0.7])


@wrong("counterexample", says="it must be 1")
def long_atoms():
    """Norms do not matter."""
    return 2 * _at(0.0, 115.0), torch.tensor([1.0, 0.7])


@wrong("counterexample", says="% of the length of x")
def hardly_anything_left():
    """A right angle, nearly."""
    return _at(0.0, 92.0), torch.tensor([1.0, 0.7])


@wrong("counterexample", says="stops after 1 step(s)")
def one_atom_explains_all():
    """x lies along the first atom."""
    return _at(0.0, 115.0), torch.tensor([1.0, 0.0])


@wrong("counterexample", says="and stops; no atom comes twice")
def three_acute_atoms():
    """More atoms, more chances."""
    return _at(0.0, 50.0, 85.0), torch.tensor([0.8, 0.9])


@wrong("counterexample", says="there is nothing to take")
def empty_input():
    """0 is orthogonal to everything and to nothing."""
    return _at(0.0, 115.0), torch.zeros(2)


@wrong("counterexample", says="as x it returned the shape [1, 2]; it must be [2]")
def batch_of_one():
    """x has a batch axis."""
    return _at(0.0, 115.0), torch.tensor([[1.0, 0.7]])


@wrong("counterexample", says="return two tensors, (D, x)")
def dictionary_alone():
    """The dictionary decides."""
    return _at(0.0, 115.0)


# --- split_or_shared ---------------------------------------------------------------------------


def _split(a, cosine, strength, swap):
    return 4 * a**2 * swap * (1 - swap * cosine) + 2 * strength * a


def _shared(a, cosine, strength):
    return a**2 * (1 - cosine) + strength * a * math.sqrt(1 + cosine)


@wrong("split_or_shared", says="your shared loss")
def sharing_is_free(a, cosine, strength, swap):
    """The middle direction serves both views."""
    return _split(a, cosine, strength, swap), strength * a * math.sqrt(1 + cosine)


@wrong("split_or_shared", says="you have the error of one view alone")
def one_view_counted(a, cosine, strength, swap):
    """The loss is that of one view."""
    error = a**2 * (1 - cosine) / 2
    return _split(a, cosine, strength, swap), error + strength * a * math.sqrt(1 + cosine)


@wrong("split_or_shared", says="your shared loss")
def whole_angle_instead_of_half(a, cosine, strength, swap):
    """The shared direction is at the angle between the views."""
    error = 2 * a**2 * (1 - cosine**2)
    return _split(a, cosine, strength, swap), error + strength * a * math.sqrt(2) * cosine


@wrong("split_or_shared", says="your penalty is L1, which counts both views")
def penalty_is_l1(a, cosine, strength, swap):
    """Both views' values are added up."""
    penalty = strength * 2 * a * math.sqrt((1 + cosine) / 2)
    return _split(a, cosine, strength, swap), a**2 * (1 - cosine) + penalty


@wrong("split_or_shared", says="and the penalty")
def one_group_for_both_latents(a, cosine, strength, swap):
    """The group is the concept: one root over its two latents."""
    split = 4 * a**2 * swap * (1 - swap * cosine) + math.sqrt(2) * strength * a
    return split, _shared(a, cosine, strength)


@wrong("split_or_shared", says="the penalty is missing")
def split_codes_are_free(a, cosine, strength, swap):
    """Each latent is alone in its group, so nothing is to pay."""
    return 4 * a**2 * swap * (1 - swap * cosine), _shared(a, cosine, strength)


@wrong("split_or_shared", says="you swap both latents together")
def both_latents_swap_together(a, cosine, strength, swap):
    """A swap exchanges the views."""
    return 4 * a**2 * swap * (1 - cosine) + 2 * strength * a, _shared(a, cosine, strength)


@wrong("split_or_shared", says="your split loss")
def swaps_do_not_matter(a, cosine, strength, swap):
    """A swap changes the codes and not the loss."""
    return 2 * strength * a, _shared(a, cosine, strength)


@wrong("split_or_shared", says="your split loss")
def double_swap_forgotten(a, cosine, strength, swap):
    """At most one latent is swapped."""
    return 4 * a**2 * swap * (1 - swap) + 2 * strength * a, _shared(a, cosine, strength)


@wrong("split_or_shared", says="your split loss")
def double_swap_is_harmless(a, cosine, strength, swap):
    """Swapped twice is not swapped: 2 q (1 - q) of the cases cost 4 a² each."""
    split = 8 * a**2 * swap * (1 - swap) + 2 * strength * a
    return split, _shared(a, cosine, strength)


@wrong("split_or_shared", says="your shared loss")
def swaps_hurt_sharing_too(a, cosine, strength, swap):
    """Swapping costs every dictionary the same."""
    extra = 4 * a**2 * swap * (1 - swap * cosine)
    return _split(a, cosine, strength, swap), extra + _shared(a, cosine, strength)


@wrong("split_or_shared", says="return (split, shared)")
def only_the_difference(a, cosine, strength, swap):
    """What matters is which one wins."""
    return _split(a, cosine, strength, swap) - _shared(a, cosine, strength)


# --- spectral_decode ---------------------------------------------------------------------------


def _decode(z, atoms, n_modes, norm="backward", conjugate=False, low=0):
    masses = torch.fft.rfft(z, dim=1, norm=norm)
    spectra = torch.fft.rfft(atoms, norm=norm)
    product = masses * (spectra.conj() if conjugate else spectra).T
    spectrum = product.sum(dim=-1)
    spectrum[:, n_modes:] = 0
    spectrum[:, :low] = 0
    return torch.fft.irfft(spectrum, n=z.shape[1], norm=norm)


@wrong("spectral_decode", says="that is a correlation")
def correlation(z, atoms, n_modes):
    """The atoms' transform is conjugated, as in the encoder."""
    return _decode(z, atoms, n_modes, conjugate=True)


@wrong("spectral_decode", says="times what it should be")
def orthonormal_transforms(z, atoms, n_modes):
    """Orthonormal transforms keep lengths, so they are safe."""
    return _decode(z, atoms, n_modes, norm="ortho")


@wrong("spectral_decode", says="times what it should be")
def every_transform_divides(z, atoms, n_modes):
    """Both transforms are means over the grid."""
    return _decode(z, atoms, n_modes, norm="forward")


@wrong("spectral_decode", says="on the fine grid yours are")
def mean_over_places(z, atoms, n_modes):
    """A convolution is a mean over the grid; 15 puts the scale right again."""
    return _decode(z, atoms, n_modes) * 15 / z.shape[1]


@wrong("spectral_decode", says="you keep 5 frequencies, and 4 are asked for")
def one_mode_too_many(z, atoms, n_modes):
    """n_modes and the constant."""
    return _decode(z, atoms, n_modes + 1)


@wrong("spectral_decode", says="you keep 3 frequencies, and 4 are asked for")
def one_mode_too_few(z, atoms, n_modes):
    """The last one is not counted."""
    return _decode(z, atoms, n_modes - 1)


@wrong("spectral_decode", says="differ from the definition")
def constant_left_out(z, atoms, n_modes):
    """Frequency 0 is the bias's."""
    return _decode(z, atoms, n_modes, low=1)


@wrong("spectral_decode", says="you keep them all")
def modes_ignored(z, atoms, n_modes):
    """The transform has as many modes as it has."""
    return _decode(z, atoms, z.shape[1])


@wrong("spectral_decode", says="differ from the definition")
def multiplied_in_place(z, atoms, n_modes):
    """Convolution is a product; transform or not."""
    return (z * atoms.T).sum(dim=-1)


@wrong("spectral_decode", says="differ from the definition")
def latents_transformed(z, atoms, n_modes):
    """The last axis is the one to transform."""
    masses = torch.fft.fft(z, dim=-1)
    return torch.fft.ifft(masses * torch.fft.fft(atoms.T, dim=-1), dim=-1).real.sum(dim=-1)


@wrong("spectral_decode", says="returned the shape [1, 14]")
def grid_length_not_said(z, atoms, n_modes):
    """The inverse knows how long the grid was."""
    product = torch.fft.rfft(z, dim=1) * torch.fft.rfft(atoms).T
    return torch.fft.irfft(product.sum(dim=-1))


@wrong("spectral_decode", says="differ from the definition")
def no_way_round(z, atoms, n_modes):
    """What leaves the grid at one end is gone."""
    n = z.shape[1]
    product = torch.fft.rfft(z, n=2 * n, dim=1) * torch.fft.rfft(atoms, n=2 * n).T
    return torch.fft.irfft(product.sum(dim=-1), n=2 * n)[:, :n]
