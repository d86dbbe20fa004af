"""Right answers to the exercises of "What is a linear representation?", written otherwise."""

import torch
import torch.nn.functional as F


def held_out_by_whitening(differences, precision):
    root = torch.linalg.cholesky(precision.double())
    white = differences.double() @ root
    n = len(white)
    others = (torch.ones(n, n).double() - torch.eye(n).double()) @ white
    return F.cosine_similarity(white, others, dim=1)


def held_out_pair_by_pair(differences, precision):
    found = []
    for i in range(len(differences)):
        own = differences[i]
        rest = torch.cat([differences[:i], differences[i + 1 :]]).mean(0)
        lengths = (own @ precision @ own) * (rest @ precision @ rest)
        found.append((own @ precision @ rest) / lengths.sqrt())
    return torch.stack(found)


def held_out_from_the_gram_matrix(differences, precision):
    gram = differences @ precision @ differences.mT
    total = gram.sum(1)
    own = gram.diagonal()
    rest = gram.sum() - 2 * total + own
    return (total - own) / (own * rest).sqrt()


def two_concepts_from_the_matrix(law):
    a, b = law.sum(1)[1], law.sum(0)[1]
    cov = law[1, 1] - a * b
    D = torch.stack([torch.stack([a - a * a, cov]), torch.stack([cov, b - b * b])]).double()
    inverse = torch.linalg.inv(D)
    cosine = inverse[0, 1] / (inverse[0, 0] * inverse[1, 1]).sqrt()
    return torch.stack([cosine, -cosine, inverse[0, 1] / inverse[0, 0]])


def two_concepts_in_plain_python(law):
    (p00, p01), (p10, p11) = law.tolist()
    a, b = (p00 + p01) * (p10 + p11), (p00 + p10) * (p01 + p11)
    det = p00 * p11 - p01 * p10
    return [-det / (a * b) ** 0.5, det / (a * b) ** 0.5, -det / b]


def _cov(W_U):
    return torch.cov(W_U.T, correction=0)


def steer_by_lagrange(V, W_U):
    k, d = V.shape
    system = torch.zeros(d + k, d + k, dtype=V.dtype)
    system[:d, :d], system[:d, d:], system[d:, :d] = _cov(W_U), V.T, V
    right = torch.cat([torch.zeros(d, k, dtype=V.dtype), torch.eye(k, dtype=V.dtype)])
    return torch.linalg.solve(system, right)[:d].T


def steer_in_whitened_coordinates(V, W_U):
    values, axes = torch.linalg.eigh(_cov(W_U))
    white = axes / values.sqrt()
    return torch.linalg.pinv(V @ white).T @ white.T


def steer_by_mixing_riesz_vectors(V, W_U):
    riesz = torch.linalg.solve(_cov(W_U), V.T).T
    return torch.linalg.solve(riesz @ V.T, riesz)


def table_by_solving(W_U, pairs):
    V = (W_U[pairs[..., 1]] - W_U[pairs[..., 0]]).mean(dim=1)
    gram = V @ torch.linalg.solve(torch.cov(W_U.T), V.T)
    return gram / torch.outer(gram.diagonal(), gram.diagonal()).sqrt()


def table_by_whitening_first(W_U, pairs):
    centred = W_U - W_U.mean(0)
    _, size, axes = torch.linalg.svd(centred, full_matrices=False)
    white = centred @ axes.T / size
    V = torch.stack([torch.stack([white[b] - white[a] for a, b in p]).sum(0) for p in pairs])
    return F.normalize(V, dim=1) @ F.normalize(V, dim=1).T


def table_with_the_library(W_U, pairs):
    from course_lib.geometry import CausalInnerProduct, concept_direction, cosines

    V = torch.stack([concept_direction(W_U, p).vector for p in pairs])
    return cosines(V, CausalInnerProduct.from_unembedding(W_U))


def words_at_random_in_many_dimensions(n_words, generator):
    return torch.randn(n_words, 4000, generator=generator)


def words_turned_and_moved_a_little(n_words, generator):
    turn = torch.linalg.qr(torch.randn(n_words, n_words, generator=generator))[0]
    return 5 * turn + 0.05


def words_as_corners_of_a_cube(n_words, generator):
    return torch.randn(n_words, 3000, generator=generator).sign().double()


def _coded(rows, sizes):
    return torch.cat([F.one_hot(v, n) for v, n in zip(rows.T, sizes, strict=True)], 1).double()


def grid_by_pseudo_inverse(H, seen, asked):
    sizes = [int(column.max()) + 1 for column in asked.T]
    sizes = [max(n, int(c.max()) + 1) for n, c in zip(sizes, seen.T, strict=True)]
    parts = torch.linalg.pinv(_coded(seen, sizes)) @ H.double()
    return _coded(asked, sizes) @ parts


def grid_by_turns(H, seen, asked):
    H, parts = H.double(), [torch.zeros(9, H.shape[1]).double() for _ in seen.T]
    for _ in range(3000):
        for i, values in enumerate(seen.T):
            rest = sum(p[v] for j, (p, v) in enumerate(zip(parts, seen.T, strict=True)) if j != i)
            for value in values.unique():
                parts[i][value] = (H - rest)[values == value].mean(0)
    return sum(p[v] for p, v in zip(parts, asked.T, strict=True))


RIGHT = {
    "linear_representations.held_out_cosines": [
        held_out_by_whitening,
        held_out_pair_by_pair,
        held_out_from_the_gram_matrix,
    ],
    "linear_representations.two_concepts": [
        two_concepts_from_the_matrix,
        two_concepts_in_plain_python,
    ],
    "linear_representations.steer_alone": [
        steer_by_lagrange,
        steer_in_whitened_coordinates,
        steer_by_mixing_riesz_vectors,
    ],
    "linear_representations.causal_table": [
        table_by_solving,
        table_by_whitening_first,
        table_with_the_library,
    ],
    "linear_representations.unrelated_words": [
        words_at_random_in_many_dimensions,
        words_turned_and_moved_a_little,
        words_as_corners_of_a_cube,
    ],
    "linear_representations.complete_grid": [grid_by_pseudo_inverse, grid_by_turns],
}
