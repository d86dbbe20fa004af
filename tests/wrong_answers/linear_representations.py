"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.wrong_answers.toy_models import WrongAnswer

WRONG: dict[str, list[WrongAnswer]] = {}


def wrong(exercise: str, says: str) -> Callable:
    def register(answer: Callable) -> Callable:
        WRONG.setdefault(f"linear_representations.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- held_out_cosines --------------------------------------------------------------------------


def _others(differences):
    return (differences.sum(0) - differences) / (len(differences) - 1)


def _cosine(a, b, M):
    def inner(x, y):
        return ((x @ M) * y).sum(-1)

    return inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()


@wrong("held_out_cosines", says="that pair itself is in its direction")
def left_in(differences, precision):
    """One pair more or less will not matter."""
    return _cosine(differences, differences.mean(0, keepdim=True), precision)


@wrong("held_out_cosines", says="that is the Euclidean cosine")
def euclidean(differences, precision):
    """A cosine is a cosine."""
    return F.cosine_similarity(differences, _others(differences), dim=1)


@wrong("held_out_cosines", says="differ from the definition")
def euclidean_lengths(differences, precision):
    """The product goes into the numerator; lengths are lengths."""
    others = _others(differences)
    inner = ((differences @ precision) * others).sum(-1)
    return inner / differences.norm(dim=1) / others.norm(dim=1)


@wrong("held_out_cosines", says="differ from the definition")
def mean_of_cosines(differences, precision):
    """The cosine with the mean is the mean of the cosines."""
    table = _cosine(differences[:, None], differences, precision)
    return (table.sum(1) - 1) / (len(table) - 1)


@wrong("held_out_cosines", says="differ from the definition")
def each_pair_of_length_one(differences, precision):
    """Only directions count, so every difference is brought to length 1 before the mean."""
    return _cosine(differences, _others(F.normalize(differences, dim=1)), precision)


@wrong("held_out_cosines", says="the sign is lost")
def absolute(differences, precision):
    """An angle between lines has no sign."""
    return _cosine(differences, _others(differences), precision).abs()


@wrong("held_out_cosines", says="differ from the definition")
def product_not_cosine(differences, precision):
    """The inner product already says how much they agree."""
    return ((differences @ precision) * _others(differences)).sum(-1)


@wrong("held_out_cosines", says="it must be [9] = [n]")
def one_number(differences, precision):
    """In the end one reports the mean."""
    return _cosine(differences, _others(differences), precision).mean()


@wrong("held_out_cosines", says="differ from the definition")
def covariance_for_its_inverse(differences, precision):
    """M and its inverse give the same angles."""
    return _cosine(differences, _others(differences), torch.linalg.inv(precision))


@wrong("held_out_cosines", says="differ from the definition")
def centred_first(differences, precision):
    """Data are centred before anything else."""
    centred = differences - differences.mean(0)
    return _cosine(centred, _others(centred), precision)


# --- two_concepts ------------------------------------------------------------------------------


def _phi(law):
    a, b = law[1].sum(), law[:, 1].sum()
    cov = law[1, 1] - a * b
    return float(cov / (a * (1 - a) * b * (1 - b)).sqrt()), float(cov), float(a), float(b)


@wrong("two_concepts", says="the sign: concepts that go together end up on opposite sides")
def alike_concepts_have_alike_directions(law):
    """What goes together has a positive cosine."""
    phi, cov, _, b = _phi(law)
    return phi, phi, cov / (b * (1 - b))


@wrong("two_concepts", says="that would be so of independent concepts")
def always_orthogonal(law):
    """Under the causal product concepts are orthogonal."""
    return 0.0, 0.0, 0.0


@wrong("two_concepts", says="that is the cosine of the pair directions")
def means_are_pairs(law):
    """A difference of means is a mean of differences."""
    phi, cov, _, b = _phi(law)
    return -phi, -phi, -cov / (b * (1 - b))


@wrong("two_concepts", says="that is a covariance and no correlation")
def covariance(law):
    """The covariance says how much two things go together."""
    _, cov, _, b = _phi(law)
    return -cov, cov, -cov / (b * (1 - b))


@wrong("two_concepts", says="that is the cosine; the leakage is not symmetric")
def leakage_is_the_cosine(law):
    """What leaks is the cosine."""
    phi, *_ = _phi(law)
    return -phi, phi, -phi


@wrong("two_concepts", says="that is the leakage onto concept 1 of steering concept 2")
def leakage_of_the_other(law):
    """The variance that divides is that of the concept that is steered."""
    phi, cov, a, _ = _phi(law)
    return -phi, phi, -cov / (a * (1 - a))


@wrong("two_concepts", says="the sign: what goes together with concept 1 is pushed the other way")
def leakage_along(law):
    """Steering a concept carries along what goes together with it."""
    phi, cov, _, b = _phi(law)
    return -phi, phi, cov / (b * (1 - b))


@wrong("two_concepts", says="in a vocabulary built word by word")
def share_of_agreement(law):
    """The correlation is how often the two agree, rather than not."""
    agree = float(law[0, 0] + law[1, 1] - law[0, 1] - law[1, 0])
    return -agree, agree, -agree


@wrong("two_concepts", says="return three numbers")
def two_of_three(law):
    """The leakage follows from the cosines."""
    phi, *_ = _phi(law)
    return -phi, phi


# --- steer_alone -------------------------------------------------------------------------------


def _cov(W_U):
    return torch.cov(W_U.T, correction=0)


def _dual(V, M):
    """The combination of the rows V M that moves each concept alone."""
    rows = V @ M
    return torch.linalg.solve(rows @ V.T, rows)


@wrong("steer_alone", says="of the table sᵢᵀ vⱼ")
def the_directions_themselves(V, W_U):
    """What reads a concept also writes it."""
    return V.clone()


@wrong("steer_alone", says="of the table sᵢᵀ vⱼ")
def riesz_alone(V, W_U):
    """The Riesz map moves one concept and no other."""
    rows = torch.linalg.solve(_cov(W_U), V.T).T
    return rows / (rows * V).sum(1, keepdim=True)


@wrong("steer_alone", says="another that moves the concepts the same has")
def least_euclidean_length(V, W_U):
    """The pseudo-inverse is the smallest solution."""
    return torch.linalg.pinv(V).T


@wrong("steer_alone", says="with one vector added to all words")
def mean_square_for_variance(V, W_U):
    """The second moment is the covariance."""
    return _dual(V, torch.linalg.inv(W_U.T @ W_U))


@wrong("steer_alone", says="another that moves the concepts the same has")
def covariance_upside_down(V, W_U):
    """The covariance measures the disturbance, so it goes into the solution as it is."""
    return _dual(V, _cov(W_U))


@wrong("steer_alone", says="of the table sᵢᵀ vⱼ")
def each_concept_by_itself(V, W_U):
    """Every concept has a problem of its own."""
    return V / (V * V).sum(1, keepdim=True)


@wrong("steer_alone", says="of the table sᵢᵀ vⱼ")
def transposed_table(V, W_U):
    """Which side the mixing stands on does not matter."""
    rows = torch.linalg.solve(_cov(W_U), V.T).T
    return (rows @ V.T) @ rows


@wrong("steer_alone", says="it must be [3, 7]")
def columns(V, W_U):
    """A steering vector is a column."""
    return _dual(V, torch.linalg.inv(_cov(W_U))).T


@wrong("steer_alone", says="another that moves the concepts the same has")
def scaled_by_the_variances_alone(V, W_U):
    """Standardising each dimension is whitening."""
    return _dual(V, torch.diag(1 / W_U.var(0)))


# --- causal_table ------------------------------------------------------------------------------


def _directions(W_U, pairs):
    return (W_U[pairs[..., 1]] - W_U[pairs[..., 0]]).mean(1)


def _table(V, M):
    gram = V @ M @ V.T
    return gram / gram.diagonal().outer(gram.diagonal()).sqrt()


@wrong("causal_table", says="concepts 0 and 1 are one concept")
def as_it_was_found(W_U, pairs):
    """Words without a concept have nothing to say about concepts."""
    words = W_U[pairs.unique()]
    return _table(_directions(W_U, pairs), torch.linalg.pinv(words.T @ words / len(words)))


@wrong("causal_table", says="concepts 0 and 1 are one concept")
def centred_but_still_the_pairs_alone(W_U, pairs):
    """The mean was all that was wrong."""
    words = W_U[pairs.unique()]
    return _table(_directions(W_U, pairs), torch.linalg.pinv(torch.cov(words.T), rtol=1e-9))


@wrong("causal_table", says="with one vector added to all words")
def all_words_but_not_centred(W_U, pairs):
    """The words were all that was wrong."""
    return _table(_directions(W_U, pairs), torch.linalg.inv(W_U.T @ W_U))


@wrong("causal_table", says="that is the Euclidean cosine")
def euclidean_table(W_U, pairs):
    """If whitening makes trouble, leave it."""
    return _table(_directions(W_U, pairs), torch.eye(W_U.shape[1]).to(W_U))


@wrong("causal_table", says="not yet divided by the lengths")
def gram_matrix(W_U, pairs):
    """The inner products are the table."""
    V = _directions(W_U, pairs)
    return V @ torch.linalg.inv(torch.cov(W_U.T, correction=0)) @ V.T


@wrong("causal_table", says="differ from the definition")
def covariance_for_its_inverse_in_the_table(W_U, pairs):
    """The covariance is the metric."""
    return _table(_directions(W_U, pairs), torch.cov(W_U.T))


@wrong("causal_table", says="differ from the definition")
def a_ridge_against_the_trouble(W_U, pairs):
    """A ridge makes any covariance fit for use."""
    words = W_U[pairs.unique()]
    cov = torch.cov(words.T)
    ridge = 0.1 * cov.diagonal().mean() * torch.eye(len(cov)).to(cov)
    return _table(_directions(W_U, pairs), torch.linalg.inv(cov + ridge))


@wrong("causal_table", says="differ from the definition")
def whitened_by_standard_deviations(W_U, pairs):
    """Dividing each dimension by its standard deviation whitens."""
    return _table(_directions(W_U, pairs), torch.diag(1 / W_U.var(0)))


@wrong("causal_table", says="it must be [3, 3]")
def upper_triangle(W_U, pairs):
    """The pairs of concepts are what counts."""
    table = _table(_directions(W_U, pairs), torch.linalg.inv(torch.cov(W_U.T)))
    return table[torch.triu_indices(3, 3, 1).unbind()]


# --- unrelated_words ---------------------------------------------------------------------------


@wrong("unrelated_words", says="some are related and others are not")
def few_dimensions(n_words, generator):
    """Random is random, in three dimensions too."""
    return torch.randn(n_words, 3, generator=generator)


@wrong("unrelated_words", says="it has a word of zeros")
def simplex_with_a_corner_at_zero(n_words, generator):
    """A simplex of n corners needs n - 1 dimensions; the last corner is the origin."""
    return torch.eye(n_words)[:, :-1]


@wrong("unrelated_words", says="one and the same direction")
def all_the_same(n_words, generator):
    """Unrelated words need no vectors of their own."""
    return torch.ones(n_words, 8)


@wrong("unrelated_words", says="some are related and others are not")
def a_real_tree(n_words, generator):
    """To look like a hierarchy there must be one."""
    groups = torch.eye(12).repeat_interleave(n_words // 12, dim=0)
    return groups + 0.1 * torch.randn(n_words, 12, generator=generator)


@wrong("unrelated_words", says="a parent and what a child adds is")
def lengths_that_differ_wildly(n_words, generator):
    """Right angles between words are enough; lengths do not matter."""
    return torch.diag(torch.logspace(0, 3, n_words)[torch.randperm(n_words, generator=generator)])


@wrong("unrelated_words", says="a parent and what a child adds is")
def a_line(n_words, generator):
    """Evenly spread numbers are related to nothing."""
    return torch.stack([torch.ones(n_words), torch.linspace(0, 1, n_words)], dim=1)


@wrong("unrelated_words", says="around their mean are")
def a_circle(n_words, generator):
    """Points all around a circle are spread as evenly as can be."""
    angle = 2 * torch.pi * torch.arange(n_words) / n_words
    return torch.stack([angle.cos(), angle.sin()], dim=1)


@wrong("unrelated_words", says="it must be [96, d]")
def one_vector(n_words, generator):
    """One vector is drawn, and the rest follows."""
    return torch.randn(n_words, generator=generator)


# --- complete_grid -----------------------------------------------------------------------------


def _means(H, seen, asked):
    parts = 0
    for i, values in enumerate(seen.T):
        means = {int(v): H[values == v].mean(0) for v in values.unique()}
        parts = parts + torch.stack([means[int(v)] for v in asked[:, i]])
    return parts


@wrong("complete_grid", says="differ from the planted sum")
def sum_of_means(H, seen, asked):
    """The code of a combination is the sum of the means of its values."""
    return _means(H, seen, asked)


@wrong("complete_grid", says="differ from the planted sum")
def sum_of_means_less_the_mean(H, seen, asked):
    """Means by value are the parts, also where values are seen unevenly."""
    return _means(H, seen, asked) - (seen.shape[1] - 1) * H.mean(0)


@wrong("complete_grid", says="the combinations that were seen are right, the others are not")
def looked_up(H, seen, asked):
    """What was not seen is the mean of what was."""
    rows = []
    for combination in asked:
        same = (seen == combination).all(1)
        rows.append(H[same].mean(0) if same.any() else H.mean(0))
    return torch.stack(rows)


@wrong("complete_grid", says="the combinations that were seen are right, the others are not")
def nearest_neighbour(H, seen, asked):
    """The most similar combination is a good guess."""
    return H[(asked[:, None] != seen).sum(-1).argmin(1)]


@wrong("complete_grid", says="differ from the planted sum")
def values_as_numbers(H, seen, asked):
    """A linear code is linear in the numbers of the values."""

    def design(rows):
        return torch.cat([rows.to(H), torch.ones(len(rows), 1)], 1)

    return design(asked) @ torch.linalg.lstsq(design(seen), H).solution


@wrong("complete_grid", says="differ from the planted sum")
def no_mean(H, seen, asked):
    """Around 0, everything is a sum of two parts that sum to 0 each."""

    def design(rows):
        blocks = [F.one_hot(v, n).to(H) for v, n in zip(rows.T, (4, 3), strict=True)]
        return torch.cat([b[:, :-1] - b[:, -1:] for b in blocks], 1)

    return design(asked) @ torch.linalg.lstsq(design(seen), H).solution


@wrong("complete_grid", says="four corners that should be a parallelogram miss")
def a_part_for_every_pair(H, seen, asked):
    """A part for every combination fits best, least squares does the rest."""

    def design(rows):
        both = F.one_hot(rows[:, 0] * 3 + rows[:, 1], 12)
        single = [F.one_hot(v, n) for v, n in zip(rows.T, (4, 3), strict=True)]
        return torch.cat([*single, both], 1).to(H)

    return design(asked) @ torch.linalg.pinv(design(seen)) @ H


@wrong("complete_grid", says="a sum that is closer exists")
def parallelogram_from_one_corner(H, seen, asked):
    """Three corners give the fourth: f(a, b) = f(a, b') + f(a', b) - f(a', b')."""
    for a0, b0 in seen.tolist():
        row, column = seen[:, 1] == b0, seen[:, 0] == a0
        if len(seen[row, 0].unique()) == 4 and len(seen[column, 1].unique()) == 3:
            break
    first = {int(a): H[row & (seen[:, 0] == a)][0] for a in seen[row, 0]}
    second = {int(b): H[column & (seen[:, 1] == b)][0] for b in seen[column, 1]}
    return torch.stack([first[a] + second[b] - first[a0] for a, b in asked.tolist()])


@wrong("complete_grid", says="it must be [12, 5]")
def the_parts(H, seen, asked):
    """Who has the parts has everything."""
    blocks = [F.one_hot(v, n) for v, n in zip(seen.T, (4, 3), strict=True)]
    return torch.linalg.pinv(torch.cat(blocks, 1).to(H)) @ H
