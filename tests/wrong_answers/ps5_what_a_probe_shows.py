"""Answers to problem set 5 that lose points; each docstring names the misconception.

`keeps` is what the answer is still worth: the points of the cases in which it makes no difference.
"""

import torch

from tests.grading.registry import registry

WRONG, wrong = registry()


# --- steered -----------------------------------------------------------------------------------


def _gap(W_U, pairs):
    return (W_U[pairs[:, 1]] - W_U[pairs[:, 0]]).mean(dim=0)


def _covariance(W_U, law):
    centred = W_U - law @ W_U
    return centred.T @ (law[:, None] * centred)


def _dosed(contexts, W_U, along, direction, shift):
    return ((contexts + shift * along / (along @ direction)) @ W_U.T).softmax(dim=1)


@wrong("steered")
def along_the_direction_itself(contexts, W_U, law, pairs, shift):
    """What reads a concept is also what steers it."""
    v = _gap(W_U, pairs)
    return _dosed(contexts, W_U, v, v, shift)


@wrong("steered")
def the_riesz_vector_as_it_is(contexts, W_U, law, pairs, shift):
    """The dose is the number of Riesz vectors that are added."""
    riesz = torch.linalg.solve(_covariance(W_U, law), _gap(W_U, pairs))
    return ((contexts + shift * riesz) @ W_U.T).softmax(dim=1)


@wrong("steered")
def a_dose_is_a_length(contexts, W_U, law, pairs, shift):
    """A steering vector has length 1 before the dose."""
    riesz = torch.linalg.solve(_covariance(W_U, law), _gap(W_U, pairs))
    return ((contexts + shift * riesz / riesz.norm()) @ W_U.T).softmax(dim=1)


@wrong("steered")
def a_dose_is_a_causal_length(contexts, W_U, law, pairs, shift):
    """The vector has length 1 under the causal product, so the dose is the same everywhere."""
    v = _gap(W_U, pairs)
    riesz = torch.linalg.solve(_covariance(W_U, law), v)
    return ((contexts + shift * riesz / (riesz @ v).sqrt()) @ W_U.T).softmax(dim=1)


@wrong("steered")
def whitened_once(contexts, W_U, law, pairs, shift):
    """Steering takes place in whitened coordinates: the covariance to the power of -1/2."""
    v = _gap(W_U, pairs)
    values, vectors = torch.linalg.eigh(_covariance(W_U, law))
    return _dosed(contexts, W_U, (vectors / values.sqrt()) @ vectors.T @ v, v, shift)


@wrong("steered")
def the_covariance_itself(contexts, W_U, law, pairs, shift):
    """The Riesz map multiplies by the covariance."""
    v = _gap(W_U, pairs)
    return _dosed(contexts, W_U, _covariance(W_U, law) @ v, v, shift)


@wrong("steered")
def pairs_the_other_way(contexts, W_U, law, pairs, shift):
    """The first word of a pair is the one with the concept."""
    v = _gap(W_U, pairs.flip(1))
    return _dosed(contexts, W_U, torch.linalg.solve(_covariance(W_U, law), v), v, shift)


@wrong("steered")
def the_first_pair_is_the_concept(contexts, W_U, law, pairs, shift):
    """All pairs of a concept have the same difference."""
    v = _gap(W_U, pairs[:1])
    return _dosed(contexts, W_U, torch.linalg.solve(_covariance(W_U, law), v), v, shift)


@wrong("steered")
def odds_of_the_sum_of_pairs(contexts, W_U, law, pairs, shift):
    """The log-odds of all pairs together rise by the dose."""
    v = _gap(W_U, pairs)
    riesz = torch.linalg.solve(_covariance(W_U, law), v)
    return _dosed(contexts, W_U, riesz, v, shift / len(pairs))


@wrong("steered", keeps=14)
def every_word_counts_once(contexts, W_U, law, pairs, shift):
    """A covariance is over the rows of the matrix, whoever says them."""
    v = _gap(W_U, pairs)
    return _dosed(contexts, W_U, torch.linalg.solve(torch.cov(W_U.T), v), v, shift)


@wrong("steered", keeps=14)
def the_plain_mean(contexts, W_U, law, pairs, shift):
    """The law weighs the products; the mean is that of all words."""
    v, centred = _gap(W_U, pairs), W_U - W_U.mean(dim=0)
    return _dosed(
        contexts, W_U, torch.linalg.solve(centred.T @ (law[:, None] * centred), v), v, shift
    )


@wrong("steered", keeps=9)
def not_centred(contexts, W_U, law, pairs, shift):
    """The second moment does as well as the covariance."""
    v = _gap(W_U, pairs)
    return _dosed(contexts, W_U, torch.linalg.solve(W_U.T @ (law[:, None] * W_U), v), v, shift)


@wrong("steered", keeps=13)
def exp_over_its_sum(contexts, W_U, law, pairs, shift):
    """A softmax is exp over its sum, in code as on paper."""
    v = _gap(W_U, pairs)
    riesz = torch.linalg.solve(_covariance(W_U, law), v)
    weight = ((contexts + shift * riesz / (riesz @ v)) @ W_U.T).exp()
    return weight / weight.sum(dim=1, keepdim=True)


@wrong("steered", keeps=14)
def a_little_ridge(contexts, W_U, law, pairs, shift):
    """A small ridge makes every inverse safe and does no harm."""
    v = _gap(W_U, pairs)
    ridge = 1e-5 * torch.eye(W_U.shape[1], dtype=W_U.dtype)
    return _dosed(contexts, W_U, torch.linalg.solve(_covariance(W_U, law) + ridge, v), v, shift)


@wrong("steered", keeps=14)
def small_singular_values_are_noise(contexts, W_U, law, pairs, shift):
    """A pseudo-inverse with a cut-off is the careful choice."""
    v = _gap(W_U, pairs)
    inverse = torch.linalg.pinv(_covariance(W_U, law), rtol=1e-3)
    return _dosed(contexts, W_U, inverse @ v, v, shift)


@wrong("steered", keeps=13)
def a_dose_is_positive(contexts, W_U, law, pairs, shift):
    """The dose is a size; the sign is in the direction."""
    v = _gap(W_U, pairs)
    riesz = torch.linalg.solve(_covariance(W_U, law), v)
    return _dosed(contexts, W_U, riesz, v, abs(shift))


@wrong("steered")
def logits_are_enough(contexts, W_U, law, pairs, shift):
    """Logits are as good as probabilities."""
    v = _gap(W_U, pairs)
    riesz = torch.linalg.solve(_covariance(W_U, law), v)
    return (contexts + shift * riesz / (riesz @ v)) @ W_U.T


@wrong("steered")
def over_contexts(contexts, W_U, law, pairs, shift):
    """The softmax is over the first axis."""
    v = _gap(W_U, pairs)
    riesz = torch.linalg.solve(_covariance(W_U, law), v)
    return ((contexts + shift * riesz / (riesz @ v)) @ W_U.T).softmax(dim=0)


# --- transfer ----------------------------------------------------------------------------------


def _table(x, y, kind, direction=None, measure=None):
    def share(ahead):
        return ((ahead > 0) + 0.5 * (ahead == 0)).mean()

    masks = kind == torch.arange(int(kind.max()) + 1)[:, None]
    rows = []
    for own in masks:
        w = x[own & y].mean(dim=0) - x[own & ~y].mean(dim=0)
        score = x @ (w if direction is None else direction(own, w))
        told = (score[other & y][:, None] - score[other & ~y] for other in masks)
        rows.append(torch.stack([(measure or share)(ahead) for ahead in told]))
    return torch.stack(rows)


@wrong("transfer", keeps=10)
def ties_are_lost(x, y, kind):
    """The yes row must be ahead."""
    return _table(x, y, kind, measure=lambda ahead: (ahead > 0).double().mean())


@wrong("transfer", keeps=10)
def ties_are_won(x, y, kind):
    """The yes row must not be behind."""
    return _table(x, y, kind, measure=lambda ahead: (ahead >= 0).double().mean())


@wrong("transfer", keeps=10)
def ties_do_not_count(x, y, kind):
    """Pairs with equal scores are left out."""
    return _table(
        x, y, kind, measure=lambda ahead: ((ahead > 0).sum() + 1e-9) / ((ahead != 0).sum() + 2e-9)
    )


@wrong("transfer", keeps=6)
def the_better_side(x, y, kind):
    """An AUROC below one half is turned round."""
    return torch.maximum(table := _table(x, y, kind), 1 - table)


@wrong("transfer")
def made_on_the_column(x, y, kind):
    """Rows are where the direction is tried."""
    return _table(x, y, kind).T


@wrong("transfer")
def no_as_yes(x, y, kind):
    """The direction leads from yes to no."""
    return 1 - _table(x, y, kind)


@wrong("transfer")
def one_direction_for_all(x, y, kind):
    """The direction is that of all rows."""
    w = x[y].mean(dim=0) - x[~y].mean(dim=0)
    return _table(x, y, kind, direction=lambda own, _: w)


@wrong("transfer")
def all_the_other_kinds(x, y, kind):
    """The direction is made on every kind but one."""
    return _table(
        x, y, kind, direction=lambda own, _: x[~own & y].mean(dim=0) - x[~own & ~y].mean(dim=0)
    )


@wrong("transfer")
def whitened(x, y, kind):
    """A detector is a linear discriminant."""

    def discriminant(own, w):
        centred = x[own] - x[own].mean(dim=0)
        return torch.linalg.solve(centred.T @ centred + 1e-9 * torch.eye(x.shape[1]).to(x), w)

    return _table(x, y, kind, direction=discriminant)


@wrong("transfer")
def accuracy_half_way(x, y, kind):
    """Share of rows on the right side of the middle between the two means."""
    masks = kind == torch.arange(int(kind.max()) + 1)[:, None]
    rows = []
    for own in masks:
        zero, one = x[own & ~y].mean(dim=0), x[own & y].mean(dim=0)
        right = ((x - (zero + one) / 2) @ (one - zero) > 0) == y
        rows.append(torch.stack([right[other].double().mean() for other in masks]))
    return torch.stack(rows)


@wrong("transfer", keeps=14)
def a_direction_has_length_one(x, y, kind):
    """Directions are divided by their length, whatever it is."""
    return _table(x, y, kind, direction=lambda own, w: w / w.norm())


# --- erase_and_keep ----------------------------------------------------------------------------


def _moments(x, *labels):
    """Rows around their mean, their scatter, and their products with each label."""
    centred = x - x.mean(dim=0)
    return centred, centred.T @ centred, [centred.T @ label for label in labels]


def _without(x, centred, read, written):
    return x - torch.outer(centred @ read / (read @ written), written)


@wrong("erase_and_keep")
def nothing_is_kept(x, z, k):
    """The least change that erases z cannot disturb anything else."""
    centred, scatter, (c_z,) = _moments(x, z)
    return _without(x, centred, torch.linalg.solve(scatter, c_z), c_z)


@wrong("erase_and_keep")
def both_are_erased(x, z, k):
    """Whatever concerns either label is taken out."""
    centred, scatter, labels = _moments(x, z, k)
    both = torch.stack(labels, dim=1)
    read = torch.linalg.solve(scatter, both)
    return x - centred @ read @ torch.linalg.inv(both.T @ read) @ both.T


@wrong("erase_and_keep")
def k_is_erased_and_z_kept(x, z, k):
    """The second label is the one to erase."""
    centred, scatter, labels = _moments(x, k, z)
    both = torch.stack(labels, dim=1)
    read = torch.linalg.solve(scatter, both)
    return x - torch.outer(centred @ read @ torch.linalg.inv(both.T @ read)[:, 0], both[:, 0])


@wrong("erase_and_keep")
def projected_off_the_covariance(x, z, k):
    """Erasing is an orthogonal projection off the direction of z."""
    centred, _, (c_z,) = _moments(x, z)
    return _without(x, centred, c_z, c_z)


@wrong("erase_and_keep")
def written_beside_k(x, z, k):
    """k is kept when nothing is written along its direction."""
    centred, scatter, (c_z, c_k) = _moments(x, z, k)
    written = c_z - (c_z @ c_k) / (c_k @ c_k) * c_k
    return _without(x, centred, torch.linalg.solve(scatter, c_z), written)


@wrong("erase_and_keep")
def read_at_a_right_angle_to_k(x, z, k):
    """The reader is made blind to k by a projection: the conditions hold, so it is the map."""
    centred, scatter, (c_z, c_k) = _moments(x, z, k)
    read = torch.linalg.solve(scatter, c_z)
    return _without(x, centred, read - (read @ c_k) / (c_k @ c_k) * c_k, c_z)


@wrong("erase_and_keep")
def written_with_the_reader(x, z, k):
    """A projection writes along what it reads."""
    centred, scatter, labels = _moments(x, z, k)
    both = torch.stack(labels, dim=1)
    read = torch.linalg.solve(scatter, both)
    along = read @ torch.linalg.inv(both.T @ read)[:, 0]
    return _without(x, centred, along, along)


@wrong("erase_and_keep")
def what_k_says_of_z_stays(x, z, k):
    """First the part of z that goes with k is taken off the label."""
    centred, scatter, _ = _moments(x)
    z, k = z - z.mean(), k - k.mean()
    c_z = centred.T @ (z - (z @ k) / (k @ k) * k)
    return _without(x, centred, torch.linalg.solve(scatter, c_z), c_z)


@wrong("erase_and_keep")
def k_is_put_back(x, z, k):
    """z is erased, and what that took from k is added along k's direction."""
    centred, scatter, (c_z, c_k) = _moments(x, z, k)
    x = _without(x, centred, torch.linalg.solve(scatter, c_z), c_z)
    k = k - k.mean()
    return x + torch.outer(k / (k @ k), c_k - (x - x.mean(dim=0)).T @ k)


@wrong("erase_and_keep")
def in_white_coordinates(x, z, k):
    """The result stays whitened, where projections are orthogonal."""
    centred, scatter, labels = _moments(x, z, k)
    values, vectors = torch.linalg.eigh(scatter / len(x))
    white = (vectors / values.sqrt()) @ vectors.T
    c_z, c_k = (white @ label for label in labels)
    read = c_z - (c_z @ c_k) / (c_k @ c_k) * c_k
    return _without(centred @ white, centred @ white, read, c_z) + x.mean(dim=0)


@wrong("erase_and_keep", keeps=14)
def two_class_means(x, z, k):
    """What goes with a label is the difference of the means of its two classes."""
    centred, scatter, _ = _moments(x)
    z, k = (label > label.mean() for label in (z, k))
    both = torch.stack([x[on].mean(dim=0) - x[~on].mean(dim=0) for on in (z, k)], dim=1)
    read = torch.linalg.solve(scatter, both)
    return x - torch.outer(centred @ read @ torch.linalg.inv(both.T @ read)[:, 0], both[:, 0])


@wrong("erase_and_keep", keeps=13)
def applied_around_the_origin(x, z, k):
    """The map is linear: it is applied to x as it is."""
    _, scatter, labels = _moments(x, z, k)
    both = torch.stack(labels, dim=1)
    read = torch.linalg.solve(scatter, both)
    return x - torch.outer(x @ read @ torch.linalg.inv(both.T @ read)[:, 0], both[:, 0])


@wrong("erase_and_keep", keeps=13)
def second_moments(x, z, k):
    """Only labels are centred; the scatter of x is around the origin."""
    centred, _, labels = _moments(x, z, k)
    both = torch.stack(labels, dim=1)
    read = torch.linalg.solve(x.T @ x, both)
    return x - torch.outer(centred @ read @ torch.linalg.inv(both.T @ read)[:, 0], both[:, 0])


@wrong("erase_and_keep", keeps=13)
def a_ridge_for_safety(x, z, k):
    """A tiny ridge never hurts."""
    centred, scatter, labels = _moments(x, z, k)
    both = torch.stack(labels, dim=1)
    ridge = 1e-6 * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    read = torch.linalg.solve(scatter + ridge, both)
    return x - torch.outer(centred @ read @ torch.linalg.inv(both.T @ read)[:, 0], both[:, 0])


# --- turn --------------------------------------------------------------------------------------


def _circle(means, frequency):
    """Axes [2, d] of the nearest circle, and the angle of one place."""
    per_place = 2 * torch.pi * frequency / len(means)
    angle = per_place * torch.arange(len(means)).to(means)
    return 2 / len(means) * torch.stack([angle.cos(), angle.sin()]) @ means, per_place


def _turned(x, centre, axes, angle, inverse=None):
    here = (x - centre) @ (torch.linalg.pinv(axes) if inverse is None else inverse)
    a, b = here.T
    there = torch.stack(
        [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1
    )
    return x + (there - here) @ axes


@wrong("turn")
def backwards(x, means, frequency, steps):
    """The turn goes from sine to cosine."""
    axes, per_place = _circle(means, frequency)
    return _turned(x, means.mean(dim=0), axes, -per_place * steps)


@wrong("turn", keeps=11)
def the_angle_of_the_wall_calendar(x, means, frequency, steps):
    """One place is one n-th of a turn."""
    axes, _ = _circle(means, frequency)
    return _turned(x, means.mean(dim=0), axes, 2 * torch.pi * steps / len(means))


@wrong("turn")
def always_the_first_frequency(x, means, frequency, steps):
    """The circle is the calendar's; the frequency says how fast it is gone around."""
    axes, per_place = _circle(means, 1)
    axes = axes + 1e-2 * axes.flip(0)
    return _turned(x, means.mean(dim=0), axes, 2 * per_place * frequency * steps)


@wrong("turn")
def around_the_origin(x, means, frequency, steps):
    """A rotation leaves the origin where it is."""
    axes, per_place = _circle(means, frequency)
    return _turned(x, torch.zeros_like(means[0]), axes, per_place * steps)


@wrong("turn")
def the_rest_is_noise(x, means, frequency, steps):
    """What lies beside the plane is not part of the answer."""
    axes, per_place = _circle(means, frequency)
    on = (x - means.mean(dim=0)) @ torch.linalg.pinv(axes) @ axes + means.mean(dim=0)
    return _turned(on, means.mean(dim=0), axes, per_place * steps)


@wrong("turn", keeps=9)
def each_axis_by_itself(x, means, frequency, steps):
    """The coordinates are projections on u and on w, one after the other."""
    axes, per_place = _circle(means, frequency)
    alone = (axes / axes.square().sum(dim=1, keepdim=True)).T
    return _turned(x, means.mean(dim=0), axes, per_place * steps, alone)


@wrong("turn", keeps=9)
def a_circle_is_round(x, means, frequency, steps):
    """The plane is turned as it is, with orthonormal axes."""
    axes, per_place = _circle(means, frequency)
    first = axes[0] / axes[0].norm()
    second = axes[1] - (axes[1] @ first) * first
    axes = torch.stack([first, second / second.norm()])
    return _turned(x, means.mean(dim=0), axes, per_place * steps)


@wrong("turn")
def onto_the_circle(x, means, frequency, steps):
    """A turned activation is a point of the circle."""
    axes, per_place = _circle(means, frequency)
    here = (x - means.mean(dim=0)) @ torch.linalg.pinv(axes)
    x = x + (here / here.norm(dim=1, keepdim=True) - here) @ axes
    return _turned(x, means.mean(dim=0), axes, per_place * steps)


@wrong("turn")
def whole_places(x, means, frequency, steps):
    """A calendar has whole places only."""
    axes, per_place = _circle(means, frequency)
    return _turned(x, means.mean(dim=0), axes, per_place * steps.round())


@wrong("turn")
def one_number_of_steps(x, means, frequency, steps):
    """All rows go on by the same number of places."""
    axes, per_place = _circle(means, frequency)
    return _turned(x, means.mean(dim=0), axes, per_place * steps.mean())


@wrong("turn")
def principal_plane(x, means, frequency, steps):
    """The plane of a circle is that of the first two principal components."""
    _, per_place = _circle(means, frequency)
    axes = torch.linalg.svd(means - means.mean(dim=0))[2][:2]
    return _turned(x, means.mean(dim=0), axes, per_place * steps)


@wrong("turn", keeps=14)
def steps_are_constants(x, means, frequency, steps):
    """Steps are given, so nothing flows into them."""
    axes, per_place = _circle(means, frequency)
    return _turned(x, means.mean(dim=0), axes, per_place * steps.detach() + 0 * steps)


@wrong("turn", keeps=14)
def coordinates_are_constants(x, means, frequency, steps):
    """a and b are found first and then held fixed."""
    axes, per_place = _circle(means, frequency)
    turned = _turned(x.detach(), means.mean(dim=0), axes, per_place * steps)
    return turned + x - x.detach()


@wrong("turn", keeps=14)
def without_gradients(x, means, frequency, steps):
    """An edit is no training, so it is done without gradients."""
    axes, per_place = _circle(means, frequency)
    with torch.no_grad():
        return _turned(x, means.mean(dim=0), axes, per_place * steps)


# --- my_numbers: what a student makes of their world -------------------------------------------


def _says(x, rows, label):
    zero, one = x[rows & ~label].mean(dim=0), x[rows & label].mean(dim=0)
    return (x - (zero + one) / 2) @ (one - zero) > 0


def _answers(x, theirs, turn, fitted, middle=0.5):
    def says(rows, label):
        zero, one = x[rows & ~label].mean(dim=0), x[rows & label].mean(dim=0)
        return (x - middle * (zero + one)) @ (one - zero) > 0

    white = theirs ^ turn
    by_turn = torch.where(turn, says(fitted & turn, white), says(fitted & ~turn, white))
    return says(fitted, white), by_turn, says(fitted, theirs) ^ says(fitted, turn)


def _shares(answers, truth, scored):
    return tuple(int((answer == truth)[scored].sum()) for answer in answers)


@wrong("my_numbers")
def scored_on_what_was_fitted(my_x, my_theirs, my_turn, my_game):
    """A probe is scored on the rows that it has seen."""
    answers = _answers(my_x, my_theirs, my_turn, my_game < 40)
    return _shares(answers, my_theirs ^ my_turn, my_game < 40)


@wrong("my_numbers")
def fitted_on_everything(my_x, my_theirs, my_turn, my_game):
    """More rows make a better probe, so all are used to fit it."""
    answers = _answers(my_x, my_theirs, my_turn, my_game >= 0)
    return _shares(answers, my_theirs ^ my_turn, my_game >= 40)


@wrong("my_numbers")
def every_other_game(my_x, my_theirs, my_turn, my_game):
    """Any half of the games will do."""
    held = my_game % 2 == 1
    return _shares(_answers(my_x, my_theirs, my_turn, ~held), my_theirs ^ my_turn, held)


@wrong("my_numbers")
def zero_is_the_threshold(my_x, my_theirs, my_turn, my_game):
    """The sign of x along the direction is the answer."""
    answers = _answers(my_x, my_theirs, my_turn, my_game < 40, middle=0)
    return _shares(answers, my_theirs ^ my_turn, my_game >= 40)


@wrong("my_numbers")
def mine_or_theirs_is_told(my_x, my_theirs, my_turn, my_game):
    """The answers are held against mine or theirs."""
    answers = _answers(my_x, my_theirs, my_turn, my_game < 40)
    return _shares(answers, my_theirs, my_game >= 40)


@wrong("my_numbers", keeps=8)
def both_must_say_yes(my_x, my_theirs, my_turn, my_game):
    """Two answers are put together with *and*."""
    fitted = my_game < 40
    one, each, _ = _answers(my_x, my_theirs, my_turn, fitted)
    both = _says(my_x, fitted, my_theirs) & _says(my_x, fitted, my_turn)
    return _shares((one, each, both), my_theirs ^ my_turn, ~fitted)


@wrong("my_numbers", keeps=8)
def one_turn_only(my_x, my_theirs, my_turn, my_game):
    """The probe for White's turn answers for Black's turn, too."""
    fitted = my_game < 40
    one, _, two = _answers(my_x, my_theirs, my_turn, fitted)
    each = _says(my_x, fitted & my_turn, my_theirs ^ my_turn)
    return _shares((one, each, two), my_theirs ^ my_turn, ~fitted)


@wrong("my_numbers", keeps=4)
def mistakes_are_counted(my_x, my_theirs, my_turn, my_game):
    """Numbers two and three count mistakes."""
    answers = _answers(my_x, my_theirs, my_turn, my_game < 40)
    one, each, two = _shares(answers, my_theirs ^ my_turn, my_game >= 40)
    return one, 3840 - each, 3840 - two


@wrong("my_numbers")
def as_shares(my_x, my_theirs, my_turn, my_game):
    """How many of them is a share."""
    answers = _answers(my_x, my_theirs, my_turn, my_game < 40)
    return tuple(s / 3840 for s in _shares(answers, my_theirs ^ my_turn, my_game >= 40))


@wrong("my_numbers")
def the_world_of_somebody_else(my_x, my_theirs, my_turn, my_game):
    """It is enough to hand in a neighbour's numbers."""
    answers = _answers(my_x.flip(1) + 3 * my_x.roll(1, 0), my_theirs, my_turn, my_game < 40)
    return tuple(s + 1 for s in _shares(answers, my_theirs ^ my_turn, my_game >= 40))
