"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
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
        WRONG.setdefault(f"probing.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- mass_mean ---------------------------------------------------------------------------------


def _parts(x, y):
    zero, one = x[~y].mean(0), x[y].mean(0)
    centred = x - torch.where(y[:, None], one, zero)
    return zero, one, centred.T @ centred / len(x)


def _half_way(direction, zero, one):
    return direction, -direction @ (zero + one) / 2


def _direction(x, y, whiten):
    zero, one, covariance = _parts(x, y)
    return torch.linalg.inv(covariance) @ (one - zero) if whiten else one - zero


@wrong("mass_mean", says="it points the other way")
def from_one_to_zero(x, y, whiten):
    """The direction leads from class 1 to class 0."""
    zero, one, _ = _parts(x, y)
    return _half_way(-_direction(x, y, whiten), zero, one)


@wrong("mass_mean", says="that is the difference of the means, not whitened")
def never_whitened(x, y, whiten):
    """Two means are all there is."""
    zero, one, _ = _parts(x, y)
    return _half_way(one - zero, zero, one)


@wrong("mass_mean", says="whitening was not asked for")
def always_whitened(x, y, whiten):
    """The better probe is the one to return."""
    zero, one, _ = _parts(x, y)
    return _half_way(_direction(x, y, True), zero, one)


@wrong("mass_mean", says="it is to be undone, not done again")
def covariance_instead_of_inverse(x, y, whiten):
    """Whitening multiplies by the covariance."""
    zero, one, covariance = _parts(x, y)
    return _half_way(covariance @ (one - zero) if whiten else one - zero, zero, one)


@wrong("mass_mean", says="the probe whitens x as well")
def square_root_of_the_inverse(x, y, whiten):
    """Whitening is Σ^(-1/2), so the direction is Σ^(-1/2) times the difference."""
    zero, one, covariance = _parts(x, y)
    values, basis = torch.linalg.eigh(covariance)
    white = (basis / values.sqrt()) @ basis.T
    return _half_way(white @ (one - zero) if whiten else one - zero, zero, one)


@wrong("mass_mean", says="only the variances are undone")
def divided_by_the_variances(x, y, whiten):
    """Whitening divides each feature by its variance."""
    zero, one, covariance = _parts(x, y)
    return _half_way((one - zero) / covariance.diag() if whiten else one - zero, zero, one)


@wrong("mass_mean", says="your Σ is taken around 0")
def covariance_around_the_origin(x, y, whiten):
    """x is centred already, as good as."""
    zero, one, _ = _parts(x, y)
    read = torch.linalg.solve(x.T @ x / len(x), one - zero)
    return _half_way(read if whiten else one - zero, zero, one)


@wrong("mass_mean", says="there is no bias")
def threshold_at_the_origin(x, y, whiten):
    """A direction is a probe."""
    return _direction(x, y, whiten), torch.tensor(0.0)


@wrong("mass_mean", says="nearer to the larger class")
def threshold_at_the_mean_of_all_rows(x, y, whiten):
    """The middle of the data is the middle of the classes."""
    direction = _direction(x, y, whiten)
    return direction, -direction @ x.mean(0)


@wrong("mass_mean", says="the sign of the bias is wrong")
def bias_added_and_not_taken_off(x, y, whiten):
    """The bias is the score of the middle."""
    zero, one, _ = _parts(x, y)
    direction = _direction(x, y, whiten)
    return direction, direction @ (zero + one) / 2


@wrong("mass_mean", says="the half is missing")
def sum_and_not_mean_of_the_means(x, y, whiten):
    """The middle of two points is their sum."""
    zero, one, _ = _parts(x, y)
    direction = _direction(x, y, whiten)
    return direction, -direction @ (zero + one)


@wrong("mass_mean", says="there the mean of class 0 scores 0")
def threshold_at_the_mean_of_class_0(x, y, whiten):
    """Whatever is beyond class 0 is class 1."""
    zero, _, _ = _parts(x, y)
    direction = _direction(x, y, whiten)
    return direction, -direction @ zero


@wrong("mass_mean", says="return two things, (direction, bias)")
def direction_alone(x, y, whiten):
    """The direction is the probe."""
    return _direction(x, y, whiten)


# --- control_labels ----------------------------------------------------------------------------


@wrong("control_labels", says="which is the shuffled control")
def labels_shuffled(words, y, generator):
    """A control is the true labels in another order."""
    return y[torch.randperm(len(y), generator=generator)]


@wrong("control_labels", says="have different labels at different places")
def one_draw_for_each_place(words, y, generator):
    """Random labels are drawn place by place."""
    return y[torch.randint(len(y), (len(y),), generator=generator)]


@wrong("control_labels", says="these are the true labels")
def true_labels(words, y, generator):
    """A word's labels are those it has."""
    return y.clone()


@wrong("control_labels", says="all classes are equally frequent with you")
def equal_shares(words, y, generator):
    """Random means that every class is as likely."""
    different, place = words.unique(return_inverse=True)
    return torch.randint(int(y.max()) + 1, (len(different),), generator=generator)[place]


@wrong("control_labels", says="the number of a word decides its label")
def remainder_of_the_words_number(words, y, generator):
    """The number of a word is as good as random."""
    different, place = words.unique(return_inverse=True)
    shares = torch.bincount(y).double().cumsum(0) / len(y)
    return torch.searchsorted(shares, (torch.arange(len(different)) + 0.5) / len(different))[place]


@wrong("control_labels", says="agree with the true ones")
def first_true_label_of_the_word(words, y, generator):
    """Each word has one label: the one at its first place."""
    table = {}
    for word, label in zip(words.tolist(), y.tolist(), strict=True):
        table.setdefault(word, label)
    return torch.tensor([table[word] for word in words.tolist()])


@wrong("control_labels", says="another seed gives the same labels")
def fixed_seed(words, y, generator):
    """A control must be the same in every run."""
    different, place = words.unique(return_inverse=True)
    own = torch.Generator().manual_seed(0)
    return y[torch.randint(len(y), (len(different),), generator=own)][place]


@wrong("control_labels", says="two calls with the same seed give different labels")
def torchs_own_generator(words, y, generator):
    """torch is seeded somewhere."""
    different, place = words.unique(return_inverse=True)
    return y[torch.randint(len(y), (len(different),))][place]


@wrong("control_labels", says="it must be")
def one_label_for_each_word_alone(words, y, generator):
    """The table of words is the answer."""
    different = words.unique()
    return y[torch.randint(len(y), (len(different),), generator=generator)]


@wrong("control_labels", says="y has no such class")
def words_as_labels(words, y, generator):
    """The word itself is the label that only memory can tell."""
    return words.unique(return_inverse=True)[1]


# --- best_layer --------------------------------------------------------------------------------


def _search(x, y, part, fit, *, seen=(0, 1, 2), use=(3,), tell=(4,), standard="train", pick=max):
    def rows(parts):
        return torch.isin(part, torch.tensor(parts))

    train, use, tell = rows(seen), rows(use), rows(tell)
    if standard == "all":
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    elif standard == "train":
        x = (x - x[:, train].mean(1, keepdim=True)) / x[:, train].std(1, keepdim=True)
    elif standard == "each":
        x = x.clone()
        for side in (train, use, tell):
            x[:, side] = (x[:, side] - x[:, side].mean(1, keepdim=True)) / x[:, side].std(
                1, keepdim=True
            )
    table = []
    for h in x:
        predict = fit(h[train], y[train])
        table.append([(predict(h[s]) == y[s]).float().mean().item() for s in (use, tell)])
    best = table.index(pick(table, key=lambda row: row[0]))
    return best, table[best][1]


def _rows(y):
    return torch.arange(len(y)) % 5


@wrong("best_layer", says="the layer chosen on part 4 and told on part 4")
def as_it_was(x, y, document, fit):
    """The code is right as it stands."""
    return _search(x, y, _rows(y), fit, use=(4,), standard="all")


@wrong("best_layer", says="parts by row")
def split_by_row(x, y, document, fit):
    """A random row is as good as a random document."""
    return _search(x, y, _rows(y), fit)


@wrong("best_layer", says="the layer chosen on part 4 and told on part 4")
def chosen_on_the_reported_rows(x, y, document, fit):
    """The best layer is the one with the best number."""
    return _search(x, y, document % 5, fit, use=(4,))


@wrong("best_layer", says="standardised by all rows")
def standardised_by_all_rows(x, y, document, fit):
    """Mean and spread are no labels, so they cannot leak."""
    return _search(x, y, document % 5, fit, standard="all")


@wrong("best_layer", says="the layer chosen on part 3 and told on part 3")
def tells_the_number_it_chose_by(x, y, document, fit):
    """The held-out number of the chosen layer is known already."""
    return _search(x, y, document % 5, fit, tell=(3,))


@wrong("best_layer", says="told on part 3 and 4")
def both_held_out_parts_for_both(x, y, document, fit):
    """More held-out rows make both decisions better."""
    return _search(x, y, document % 5, fit, use=(3, 4), tell=(3, 4))


@wrong("best_layer", says="you report layer")
def every_part_by_its_own_spread(x, y, document, fit):
    """Each side is standardised on its own, so nothing leaks."""
    return _search(x, y, document % 5, fit, standard="each")


@wrong("best_layer", says="you report layer")
def trained_on_the_choosing_part_too(x, y, document, fit):
    """The part that chose the layer may be trained on."""
    return _search(x, y, document % 5, fit, seen=(0, 1, 2, 3))


@wrong("best_layer", says="you report layer")
def lowest_accuracy_chosen(x, y, document, fit):
    """The layer is the argument of the minimum."""
    return _search(x, y, document % 5, fit, pick=min)


@wrong("best_layer", says="return two numbers, (layer, accuracy)")
def accuracy_alone(x, y, document, fit):
    """The number is what counts."""
    return _search(x, y, document % 5, fit)[1]


# --- online_bits -------------------------------------------------------------------------------


def _price(x, y, start, end, fit, seen=None, log=None):
    first, last = seen or (0, start)
    log_p = fit(x[first:last], y[first:last])(x[start:end])
    nats = -log_p.gather(1, y[start:end, None]).sum()
    return nats / (math.log(2) if log is None else log)


def _total(x, y, ends, n_classes, fit, first=None, **options):
    first = ends[0] * math.log2(n_classes) if first is None else first
    return first + sum(float(_price(x, y, a, b, fit, **options)) for a, b in pairwise(ends))


@wrong("online_bits", says="that is in nats")
def nats(x, y, ends, n_classes, fit):
    """A logarithm is a logarithm."""
    return _total(x, y, ends, n_classes, fit, first=ends[0] * math.log(n_classes), log=1.0)


@wrong("online_bits", says="the first block is in bits and the others in nats")
def nats_after_the_first_block(x, y, ends, n_classes, fit):
    """log2 K for the first block, and what `fit` gives for the others."""
    return _total(x, y, ends, n_classes, fit, log=1.0)


@wrong("online_bits", says="the first block is free with you")
def free_first_block(x, y, ends, n_classes, fit):
    """The first block is only there to train on."""
    return _total(x, y, ends, n_classes, fit, first=0.0)


@wrong("online_bits", says="your probe has seen the block that it codes")
def trained_on_the_block_it_codes(x, y, ends, n_classes, fit):
    """Fit to a block, then price it."""
    first = ends[0] * math.log2(n_classes)
    return first + sum(float(_price(x, y, a, b, fit, seen=(0, b))) for a, b in pairwise(ends))


@wrong("online_bits", says="your probe has seen all rows")
def one_probe_of_everything(x, y, ends, n_classes, fit):
    """The best probe gives the shortest code."""
    return _total(x, y, ends, n_classes, fit, seen=(0, len(y)))


@wrong("online_bits", says="your probe has seen the last block alone")
def forgets_all_but_the_last_block(x, y, ends, n_classes, fit):
    """Each block is coded by the one before."""
    first = ends[0] * math.log2(n_classes)
    spans = zip([0, *ends], ends, ends[1:], strict=False)
    return first + sum(float(_price(x, y, a, b, fit, seen=(z, a))) for z, a, b in spans)


@wrong("online_bits", says="your probe has seen the first block alone")
def one_probe_of_the_first_block(x, y, ends, n_classes, fit):
    """Train once, then price the rest."""
    return _total(x, y, ends, n_classes, fit, seen=(0, ends[0]))


@wrong("online_bits", says="each as a bit")
def a_bit_for_each_mistake(x, y, ends, n_classes, fit):
    """What is guessed right costs nothing, and a mistake costs a bit."""
    mistakes = sum(
        int((fit(x[:a], y[:a])(x[a:b]).argmax(1) != y[a:b]).sum()) for a, b in pairwise(ends)
    )
    return ends[0] * math.log2(n_classes) + mistakes


@wrong("online_bits", says="that is a mean over the labels")
def bits_a_label(x, y, ends, n_classes, fit):
    """A cost is a mean."""
    return _total(x, y, ends, n_classes, fit) / len(y)


@wrong("online_bits", says="what the uniform code costs for all labels")
def uniform_code_for_all(x, y, ends, n_classes, fit):
    """Every label costs log2 K."""
    return len(y) * math.log2(n_classes)


# --- erase -------------------------------------------------------------------------------------


def _gap(x, z):
    return x[z].mean(0) - x[~z].mean(0)


def _read(x, z):
    centred = x - x.mean(0)
    return torch.linalg.solve(centred.T @ centred / len(x), _gap(x, z))


@wrong("erase", says="that is the orthogonal projection")
def orthogonally_off_the_gap(x, z):
    """The shortest way to a plane is at right angles to it."""
    gap = _gap(x, z)
    return x - torch.outer((x - x.mean(0)) @ gap / (gap @ gap), gap)


@wrong("erase", says="the mean of all rows has moved")
def through_the_origin(x, z):
    """Read the row itself, not what is above the mean."""
    gap, read = _gap(x, z), _read(x, z)
    return x - torch.outer(x @ read / (gap @ read), gap)


@wrong("erase", says="the class means are still")
def off_the_probes_direction(x, z):
    """What the best probe reads is projected out."""
    read = _read(x, z)
    return x - torch.outer((x - x.mean(0)) @ read / (read @ read), read)


@wrong("erase", says="the label decides, and new rows have none")
def class_1_is_moved_to_class_0(x, z):
    """Subtract the difference from the rows that have the label."""
    gap = _gap(x, z)
    share = z.float().mean()
    return x - torch.where(z[:, None], (1 - share) * gap, -share * gap)


@wrong("erase", says="every row ends at the same place")
def everything_is_the_mean(x, z):
    """Where nothing is left, nothing can be read."""
    return x.mean(0).expand_as(x).clone()


@wrong("erase", says="you return x as it was")
def nothing_is_erased(x, z):
    """The label is not in x in the first place."""
    return x.clone()


@wrong("erase", says="the class means are still")
def reads_with_the_square_root(x, z):
    """Whiten once, and write along the whitened gap."""
    centred, gap = x - x.mean(0), _gap(x, z)
    values, basis = torch.linalg.eigh(centred.T @ centred / len(x))
    white = (basis / values.sqrt()) @ basis.T @ gap
    return x - torch.outer(centred @ white / (white @ white), white)


@wrong("erase", says="you move x by")
def reads_and_writes_with_a_half(x, z):
    """Read with Σ^(-1/2) times the gap, write along the gap."""
    centred, gap = x - x.mean(0), _gap(x, z)
    values, basis = torch.linalg.eigh(centred.T @ centred / len(x))
    read = (basis / values.sqrt()) @ basis.T @ gap
    return x - torch.outer(centred @ read / (gap @ read), gap)


@wrong("erase", says="the class means are still")
def undone_twice(x, z):
    """Twice is safer than once."""
    gap, read = _gap(x, z), _read(x, z)
    return x - 2 * torch.outer((x - x.mean(0)) @ read / (gap @ read), gap)


@wrong("erase", says="erasing from the stretched copy")
def the_largest_feature_is_read(x, z):
    """One feature shows the label best: read that one."""
    centred, gap = x - x.mean(0), _gap(x, z)
    read = torch.nn.functional.one_hot(gap.abs().argmax(), len(gap)).to(x.dtype)
    return x - torch.outer(centred @ read / (gap @ read), gap)


# --- many_rounds -------------------------------------------------------------------------------


@wrong("many_rounds", says="the probe points along the gap, and one round takes all of it")
def as_many_dimensions(n_rounds):
    """A gap in many dimensions takes many rounds."""
    return torch.ones(n_rounds), torch.eye(n_rounds)


@wrong("many_rounds", says="the probe points along the gap, and one round takes all of it")
def gap_along_one_axis(n_rounds):
    """The covariance alone decides."""
    gap = torch.zeros(n_rounds)
    gap[0] = 1
    return gap, torch.diag(torch.arange(1.0, n_rounds + 1))


@wrong("many_rounds", says="your world takes")
def two_variances_only(n_rounds):
    """Half of the directions are loud and half are quiet."""
    variances = torch.ones(n_rounds)
    variances[::2] = 4
    return torch.ones(n_rounds), torch.diag(variances)


@wrong("many_rounds", says="your world takes")
def one_variance_too_many(n_rounds):
    """The first round is not counted."""
    variances = 2.0 ** torch.arange(n_rounds + 1)
    return variances.sqrt(), torch.diag(variances)


@wrong("many_rounds", says="your world takes")
def always_eight(n_rounds):
    """More rounds than asked for will do."""
    variances = 2.0 ** torch.arange(8)
    return variances.sqrt(), torch.diag(variances)


@wrong("many_rounds", says="the variances differ by a factor above")
def variances_too_far_apart(n_rounds):
    """The further apart, the clearer."""
    variances = 1000.0 ** torch.arange(n_rounds)
    return variances.sqrt(), torch.diag(variances)


@wrong("many_rounds", says="not every one of your variances has a noticeable part in the gap")
def gap_that_fades(n_rounds):
    """The gap's parts may be as small as one likes."""
    gap = 1e-3 ** torch.arange(n_rounds, dtype=torch.double)
    return gap, torch.diag(torch.arange(1.0, n_rounds + 1))


@wrong("many_rounds", says="all must be above 0")
def variance_of_zero(n_rounds):
    """The variances are 0, 1, 2, ..."""
    return torch.ones(n_rounds), torch.diag(torch.arange(float(n_rounds)))


@wrong("many_rounds", says="it must be [d] with d from 1 to 64")
def one_gap_for_each_round(n_rounds):
    """Many rounds need many gaps."""
    return torch.eye(n_rounds), torch.eye(n_rounds)
