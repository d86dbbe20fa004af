"""The baselines against scikit-learn and scipy, which every environment of the course has."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from sklearn.decomposition import NMF, PCA

from course_lib import runtime
from course_lib.sae import PCABaseline, SemiNMF, fvu


def correlated(rows=200, d_in=12, seed=0):
    generator = runtime.generator(seed)
    mixing = torch.randn(d_in, d_in, generator=generator, dtype=torch.float64)
    return torch.randn(rows, d_in, generator=generator, dtype=torch.float64) @ mixing + 3


def non_negative(rows=120, d_in=20, rank=6, noise=0.1, seed=1):
    """Sparse non-negative mixtures of non-negative parts, with non-negative noise."""
    generator = runtime.generator(seed)
    z = torch.rand(rows, rank, generator=generator, dtype=torch.float64)
    z *= torch.rand(rows, rank, generator=generator) < 0.5
    parts = torch.rand(rank, d_in, generator=generator, dtype=torch.float64)
    return z @ parts + noise * torch.rand(rows, d_in, generator=generator, dtype=torch.float64)


def squared(error) -> float:
    return float((torch.as_tensor(error) ** 2).sum())


@pytest.mark.parametrize("n_components", [1, 5, 12])
def test_pca_transforms_and_explains_as_scikit_learn_does(n_components):
    x, new = correlated(), correlated(seed=2)
    ours, theirs = PCABaseline(n_components).fit(x), PCA(n_components).fit(x.numpy())
    z = torch.as_tensor(theirs.transform(new.numpy()))
    assert torch.allclose(ours.encode(new), z, atol=1e-9)
    assert torch.allclose(ours(new), torch.as_tensor(theirs.inverse_transform(z)), atol=1e-9)
    left = 1 - theirs.explained_variance_ratio_.sum()
    assert float(fvu(x, ours(x))) == pytest.approx(left, abs=1e-9)


@pytest.mark.parametrize("rank", [3, 5])
def test_semi_nmf_loses_more_than_svd_and_less_than_nmf_whose_features_may_not_be_signed(rank):
    x = non_negative()
    theirs = NMF(rank, init="nndsvda", max_iter=3000, tol=1e-5, random_state=0)
    by_nmf = squared(x.numpy() - theirs.fit_transform(x.numpy()) @ theirs.components_)
    by_svd = float((torch.linalg.svdvals(x)[rank:] ** 2).sum())
    ours = SemiNMF(rank, steps=1000).fit(x)
    by_ours = float(ours.losses[-1]) * len(x)
    assert by_svd < by_ours < by_nmf


def test_latents_of_semi_nmf_for_new_inputs_are_those_of_non_negative_least_squares():
    fitted, new = SemiNMF(5, steps=200).fit(non_negative()), non_negative(rows=40, seed=3)
    W = fitted.W_dec.numpy()
    exact = torch.as_tensor(np.stack([nnls(W.T, row)[0] for row in new.numpy()]))
    z = fitted.encode(new, steps=1000)
    assert (z >= 0).all()
    error, least = squared(new - z @ fitted.W_dec), squared(new - exact @ fitted.W_dec)
    assert least * (1 - 1e-9) <= error <= least * 1.001
