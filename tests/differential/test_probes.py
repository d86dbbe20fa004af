"""Probes against scikit-learn: the same optimum, the same scores, the same measures."""

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from course_lib import runtime
from course_lib.probes import fit, probe


def worlds(m=6, n=300, d=10, classes=2, seed=0, dtype=torch.float64):
    """m labellings of one x: from noise to nearly separable, from balanced to rare."""
    generator = runtime.generator(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    x = x @ torch.randn(d, d, generator=generator, dtype=torch.float64) + 2
    W = torch.randn(m, classes, d, generator=generator, dtype=torch.float64)
    W *= torch.logspace(-1.5, 0.5, m)[:, None, None]
    scores = torch.einsum("nd,mkd->mnk", x - 2, W)
    scores += torch.randn(m, n, classes, generator=generator, dtype=torch.float64)
    scores[..., -1] -= torch.linspace(0, 1, m)[:, None]
    return x.to(dtype), scores.argmax(-1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_batched_logistic_probes_stop_at_the_optimum_of_scikit_learn(C, classes):
    x, y = worlds(classes=classes)
    ours = fit(x, y, C=C)
    for i in range(len(y)):
        theirs = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(x.numpy(), y[i].numpy())
        W, b = ours.direction[i].reshape(-1, x.shape[1]), ours.bias[i].reshape(-1)
        scale = np.abs(theirs.coef_).max()
        assert np.abs(W.numpy() - theirs.coef_).max() < 1e-4 * max(scale, 1)
        shift = b.mean() - theirs.intercept_.mean() if classes > 2 else 0.0
        assert np.allclose(b.numpy() - float(shift), theirs.intercept_, atol=1e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_single_precision_gives_the_same_optimum_to_a_thousandth_and_the_same_accuracy(classes):
    x, y = worlds(m=8, n=1000, d=24, classes=classes, dtype=torch.float32)
    ours = fit(x, y)
    for i in range(len(y)):
        theirs = LogisticRegression(tol=1e-10, max_iter=10_000).fit(
            x.double().numpy(), y[i].numpy()
        )
        W = ours.direction[i].reshape(-1, x.shape[1]).numpy()
        assert np.abs(W - theirs.coef_).max() < 1e-3 * max(np.abs(theirs.coef_).max(), 1)
        said = ours.scores(x)[i]
        said = (said > 0).long() if classes == 2 else said.argmax(-1)
        agree = (said.numpy() == theirs.predict(x.double().numpy())).mean()
        assert agree > 0.998


def test_one_probe_alone_equals_the_same_probe_among_many():
    x, y = worlds()
    many, one = fit(x, y), fit(x, y[2])
    assert torch.allclose(many.direction[2], one.direction, atol=1e-4)
    assert torch.allclose(many.bias[2], one.bias, atol=1e-3)


@pytest.mark.parametrize("n", [40, 200])
@pytest.mark.parametrize("classes", [2, 3])
def test_lda_at_a_given_shrinkage_is_scikit_learns(classes, n):
    x, y = worlds(n=n, d=20, classes=classes, seed=3)
    x = (x - x.mean(0)) / x.std(0)
    ours = fit(x, y, "lda", shrinkage=0.3)
    for i in range(len(y)):
        theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3)
        scores = theirs.fit(x.numpy(), y[i].numpy()).decision_function(x.numpy())
        mine = ours.scores(x)[i]
        if classes > 2:
            mine, scores = mine - mine[:, :1], scores - scores[:, :1]
        assert np.allclose(mine.numpy(), scores, atol=1e-6)


def test_the_automatic_shrinkage_is_that_of_ledoit_and_wolf():
    x, y = worlds(n=120, d=20)
    ours = fit(x, y, "lda")
    for i in range(len(y)):
        centred = x.clone()
        for k in range(2):
            centred[y[i] == k] -= x[y[i] == k].mean(0)
        s = ledoit_wolf_shrinkage(centred.numpy(), assume_centered=True)
        given = fit(x, y[i], "lda", shrinkage=float(s))
        assert torch.allclose(ours.direction[i], given.direction, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_ridge_probes_are_scikit_learns(alpha):
    x, _ = worlds()
    y = torch.randn(5, len(x), generator=runtime.generator(1), dtype=torch.float64) + x[:, 0]
    ours = fit(x, y, "ridge", alpha=alpha)
    for i in range(len(y)):
        theirs = Ridge(alpha).fit(x.numpy(), y[i].numpy())
        assert np.allclose(ours.direction[i].numpy(), theirs.coef_, atol=1e-8)
        assert float(ours.bias[i]) == pytest.approx(theirs.intercept_, abs=1e-7)


@pytest.mark.parametrize("method", ["logistic", "mass_mean"])
def test_the_measures_are_scikit_learns_with_ties_too(method):
    x, y = worlds()
    x = (2 * x).round() / 2  # ties
    found = probe(x, y, method, seed=4)
    for i in range(len(y)):
        labels, scores = found.labels[i].numpy(), found.scores[i].numpy()
        assert float(found.auroc[i]) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert float(found.f1[i]) == pytest.approx(f1_score(labels, scores > 0))
        assert float(found.accuracy[i]) == pytest.approx(((scores > 0) == labels).mean())


def test_of_more_classes_the_auroc_is_scikit_learns_mean_of_one_against_the_rest():
    x, y = worlds(classes=4)
    found = probe(x, y)
    for i in range(len(y)):
        p = found.scores[i].softmax(-1).numpy()
        theirs = roc_auc_score(found.labels[i].numpy(), p, multi_class="ovr")
        assert float(found.auroc[i]) == pytest.approx(theirs, abs=1e-12)


def test_the_r2_of_held_out_targets_is_scikit_learns():
    x, _ = worlds()
    y = x[:, :3].T + torch.randn(3, len(x), generator=runtime.generator(2)) + 1000
    found = probe(x, y, "ridge")
    for i in range(3):
        theirs = r2_score(found.labels[i].numpy(), found.scores[i].numpy())
        assert float(found.r2[i]) == pytest.approx(theirs, abs=1e-9)
