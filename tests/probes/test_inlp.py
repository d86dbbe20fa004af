"""INLP removes what its probes read; how many rounds it takes is counted on rows held out."""

import pytest
import torch
from torch.nn.functional import normalize

from course_lib.probes import inlp, leace, probe, random_split, subspace_angles
from course_lib.runtime import generator


def planted(n_directions=1, n=600, d=12, seed=0, strength=3.0):
    """y and a Gaussian in which independent copies of it stand along so many directions."""
    draws = generator(seed)
    y = torch.randint(2, (n,), generator=draws)
    basis = torch.linalg.qr(torch.randn(d, d, generator=draws, dtype=torch.float64)).Q
    x = torch.randn(n, d, generator=draws, dtype=torch.float64)
    return x + strength * (2 * y - 1)[:, None] * basis[:n_directions].sum(0), y, basis


def test_the_projection_is_orthogonal_idempotent_and_of_the_rank_it_says():
    x, y, _ = planted()
    found = inlp(x, y, rounds=4)
    for rounds in range(5):
        P = found.projection(rounds)
        torch.testing.assert_close(P, P.mT)
        torch.testing.assert_close(P @ P, P)
        assert torch.linalg.matrix_rank(P) == 12 - rounds
        torch.testing.assert_close(found.erase(x, rounds), x @ P)
    Q = found.directions
    torch.testing.assert_close(Q @ Q.mT, torch.eye(4, dtype=x.dtype))
    torch.testing.assert_close(found.erase(found.erase(x)), found.erase(x))


def test_the_first_direction_is_the_probes_and_a_planted_one_is_gone_after_one_round():
    x, y, basis = planted()
    split = random_split(len(y), seed=1)
    found = inlp(x, y, split=split)
    first = probe(x, y, split=split)
    torch.testing.assert_close(found.directions[0], normalize(first.direction, dim=0))
    assert float(found.accuracy[0]) == pytest.approx(float(first.accuracy))
    assert float(found.majority) == pytest.approx(float(first.majority))
    assert (found.directions[0] @ basis[0]).abs() > 0.97
    assert found.accuracy[0] > 0.97


def test_a_direction_is_counted_as_about_one_and_shuffled_labels_as_none():
    x, y, _ = planted(n=4000)
    shuffled = y[torch.randperm(len(y), generator=generator(7))]
    rounds = inlp(x, torch.stack([y, shuffled])).n_rounds()
    assert 1 <= int(rounds[0]) <= 2 and int(rounds[1]) == 0


def test_rounds_counted_in_sample_grow_with_the_dimensions_though_nothing_is_there():
    """280 rows whose labels mean nothing: held-out rows say so at once."""
    y = torch.randint(2, (3, 400), generator=generator(2))
    in_sample = []
    for d in (10, 100, 280):
        x = torch.randn(400, d, generator=generator(1), dtype=torch.float64)
        found = inlp(x, y, rounds=8)
        in_sample.append(int((found.train_accuracy > 0.6).sum(-1).min()))
        assert found.n_rounds().max() <= 2
    assert in_sample[0] <= 1 < in_sample[1] < in_sample[2] and in_sample[2] >= 7


def test_leace_takes_one_direction_where_inlp_takes_more():
    draws = generator(0)
    y = torch.randint(2, (3000,), generator=draws)
    x = torch.randn(3000, 8, generator=draws, dtype=torch.float64) * torch.logspace(0, 1.2, 8)
    x += (2 * y - 1)[:, None] * torch.logspace(0, 1.2, 8)
    found = inlp(x, y, C=1e-4)
    assert int(found.n_rounds()) > 1
    assert int(leace(x, y).rank) == 1
    erased = probe(leace(x, y).erase(x), y)
    assert erased.accuracy <= erased.majority + 0.05


def test_three_classes_take_two_directions_a_round():
    draws = generator(2)
    y = torch.randint(3, (900,), generator=draws)
    x = torch.randn(900, 6, generator=draws, dtype=torch.float64)
    x[:, :3] += 4 * torch.nn.functional.one_hot(y, 3)
    found = inlp(x, y)
    assert found.per_round == 2 and found.directions.shape[-2] % 2 == 0
    assert subspace_angles(found.directions[:2], torch.eye(6)[:3].double()).max() < 0.3
    assert found.accuracy[0] > 0.9 and found.accuracy[-1] < 0.45


def test_problems_side_by_side_are_those_one_by_one_and_unlabelled_rows_do_not_count():
    x, y, _ = planted()
    labels = torch.stack([y, (x[:, 0] > 0).long()])
    labels[1, ::3] = -1
    together = inlp(torch.stack([x, 2 * x])[:, None], labels, rounds=2)
    assert together.accuracy.shape == (2, 2, 3) and together.directions.shape == (2, 2, 2, 12)
    alone = inlp(2 * x, labels[1], rounds=2)
    torch.testing.assert_close(together.accuracy[1, 1], alone.accuracy)
    torch.testing.assert_close(together.projection()[1, 1], alone.projection(), atol=1e-2, rtol=0)
    assert int(together.n_tested[0, 1]) < int(together.n_tested[0, 0])


def test_a_rotation_of_x_rotates_what_is_removed():
    x, y, basis = planted()
    found, turned = inlp(x, y, rounds=2), inlp(x @ basis, y, rounds=2)
    torch.testing.assert_close(found.accuracy, turned.accuracy)
    torch.testing.assert_close(
        turned.projection(), basis.mT @ found.projection() @ basis, atol=1e-3, rtol=0
    )


def test_collinear_and_constant_features_run_dry_without_false_directions():
    x, y, _ = planted(d=2, n=200)
    x = torch.cat([x, x.sum(1, keepdim=True), torch.ones(200, 1).double()], 1)
    found = inlp(x, y, rounds=4)
    assert torch.isfinite(found.accuracy).all()
    norms = found.directions.norm(dim=-1)
    assert (((norms - 1).abs() < 1e-9) | (norms == 0)).all()
    P = found.projection()
    torch.testing.assert_close(P @ P, P)


def test_tolerance_is_the_callers_or_the_error_of_the_majority():
    x, y, _ = planted(n_directions=3, strength=1.0)
    found = inlp(x, y, rounds=6)
    assert found.n_rounds(0.5) == 0
    assert found.n_rounds(0.0) == -1 or found.n_rounds(0.0) >= found.n_rounds()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 13}, "rounds is 13; with d_model 12 at most 12"),
        ({"rounds": 0}, "rounds is 0"),
        ({"method": "mlp"}, "method is 'mlp'; a probe without directions"),
        ({"method": "ridge"}, "method is 'ridge'"),
    ],
)
def test_a_bad_argument_is_named(options, message):
    x, y, _ = planted()
    with pytest.raises(ValueError, match=message):
        inlp(x, y, **options)


def test_what_was_not_run_cannot_be_erased():
    x, y, _ = planted()
    with pytest.raises(ValueError, match="rounds is 3; 2 were run"):
        inlp(x, y, rounds=2).erase(x, 3)
    with pytest.raises(ValueError, match="class 1"):
        inlp(x, torch.zeros_like(y))
