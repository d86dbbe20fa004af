"""LEACE here and in concept-erasure, which its authors wrote, is the same map."""

import pytest
import torch
from torch.nn.functional import one_hot

from course_lib.probes import Moments, leace
from course_lib.runtime import generator
from tests.differential.peers import peer

N, D = 500, 12
EXACT = {"shrinkage": False, "constrain_cov_trace": False, "svd_tol": 1e-7}  # theirs, unregularised


@pytest.fixture
def Fitter():
    return peer("concept_erasure").LeaceFitter


def world(n_classes, seed, offset=3.0):
    draws = generator(seed)
    z = torch.randint(n_classes, (N,), generator=draws)
    mixing = torch.randn(D, D, generator=draws, dtype=torch.float64)
    x = torch.randn(N, D, generator=draws, dtype=torch.float64) @ mixing + offset
    return x + torch.randn(n_classes, D, generator=draws, dtype=torch.float64)[z], z


@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_the_projection_and_what_it_leaves_equal_theirs(Fitter, n_classes, seed):
    x, z = world(n_classes, seed)
    theirs = Fitter.fit(x, one_hot(z).double(), **EXACT).eraser
    ours = leace(x, z)
    torch.testing.assert_close(ours.projection.T, theirs.P, atol=1e-9, rtol=0)
    new, _ = world(n_classes, seed + 10)
    torch.testing.assert_close(ours.erase(new), theirs(new), atol=1e-8, rtol=0)


def test_batches_add_up_to_the_same_as_theirs(Fitter):
    x, z = world(4, 0)
    ours, theirs = Moments(D, 4), Fitter(D, 4, dtype=torch.float64, **EXACT)
    for rows in torch.arange(N).split(77):
        ours.update(x[rows], z[rows])
        theirs.update(x[rows], one_hot(z[rows], 4).double())
    torch.testing.assert_close(ours.eraser().projection.T, theirs.eraser.P, atol=1e-9, rtol=0)


def test_full_shrinkage_is_their_orthogonal_method(Fitter):
    x, z = world(3, 1)
    theirs = Fitter.fit(x, one_hot(z).double(), method="orth", svd_tol=1e-7).eraser
    torch.testing.assert_close(leace(x, z, 1.0).projection.T, theirs.P, atol=1e-9, rtol=0)


def test_a_real_valued_concept_is_erased_as_theirs(Fitter):
    x, _ = world(2, 2)
    place = x[:, :2] + torch.randn(N, 2, generator=generator(9), dtype=torch.float64)
    theirs = Fitter.fit(x, place, **EXACT).eraser
    torch.testing.assert_close(leace(x, place).projection.T, theirs.P, atol=1e-9, rtol=0)


def test_collinear_features_are_treated_as_theirs(Fitter):
    x, z = world(2, 3)
    x = torch.cat([x, x[:, :2] @ torch.randn(2, 3, generator=generator(4)).double()], 1)
    theirs = Fitter.fit(x, one_hot(z).double(), **EXACT).eraser
    torch.testing.assert_close(leace(x, z).erase(x), theirs(x), atol=1e-7, rtol=0)
