"""What reconstructions cost downstream: known models, brute force, each ablation."""

import math

import pytest
import torch
from scipy.special import log_softmax

from course_lib.runtime import generator
from course_lib.sae import Downstream, downstream

X = torch.randn(60, 5, generator=generator(0))
READ = 2 * torch.randn(5, 3, generator=generator(1))
TARGETS = (X @ READ).argmax(dim=-1)


def forward(x: torch.Tensor) -> torch.Tensor:
    return x @ READ + torch.tensor([0.0, 0.5, -0.5])


def test_every_number_is_its_definition():
    seen = []

    def spy(x):
        seen.append(x.clone())
        return forward(x)

    result = downstream(spy, X, 0.5 * X, TARGETS, generator(2))
    clean = log_softmax(forward(X).numpy(), axis=-1)
    names = ["clean", "spliced", "zero", "mean", "resample"]
    assert list(result.ce) == names and list(result.kl) == names[1:]
    for name, x in zip(names, seen, strict=True):
        log_p = log_softmax(forward(x).numpy(), axis=-1)
        ce = -sum(log_p[i, t] for i, t in enumerate(TARGETS)) / 60
        assert result.ce[name] == pytest.approx(ce, abs=1e-5)
        if name != "clean":
            kl = (math.e**clean * (clean - log_p)).sum() / 60
            assert result.kl[name] == pytest.approx(kl, abs=1e-5)
    assert torch.equal(seen[0], X) and torch.equal(seen[1], 0.5 * X)
    assert torch.equal(seen[2], torch.zeros_like(X))
    assert torch.allclose(seen[3], X.mean(dim=0).expand_as(X))


@pytest.mark.parametrize("seed", range(5))
def test_resampling_gives_each_input_another_ones_activation_and_uses_each_once(seed):
    seen = []
    downstream(lambda x: seen.append(x) or forward(x), X[:4], X[:4], TARGETS[:4], generator(seed))
    resampled = seen[-1]
    assert not (resampled == X[:4]).all(dim=-1).any()
    assert torch.equal(resampled.sort(dim=0).values, X[:4].sort(dim=0).values)


def test_a_perfect_reconstruction_recovers_all_and_an_ablation_nothing():
    perfect = downstream(forward, X, X, TARGETS, generator(0))
    useless = downstream(forward, X, X.mean(dim=0).expand_as(X), TARGETS, generator(0))
    for ablation in ("zero", "mean", "resample"):
        assert perfect.ce_recovered(ablation) == perfect.kl_recovered(ablation) == 1
    assert useless.ce_recovered("mean") == pytest.approx(0, abs=1e-6)
    assert useless.kl_recovered("mean") == pytest.approx(0, abs=1e-6)


def test_recovered_shares_are_relative_to_the_named_ablation():
    result = Downstream(
        {"clean": 1.0, "spliced": 1.5, "zero": 6.0, "mean": 2.0, "resample": 3.5},
        {"spliced": 0.2, "zero": 2.0, "mean": 0.4, "resample": 0.8},
    )
    shares = [result.ce_recovered(a) for a in ("zero", "mean", "resample")]
    assert shares == pytest.approx([0.9, 0.5, 0.8])
    shares = [result.kl_recovered(a) for a in ("zero", "mean", "resample")]
    assert shares == pytest.approx([0.9, 0.5, 0.75])


def test_sequences_give_the_same_as_their_positions_side_by_side():
    flat = downstream(forward, X, 0.7 * X, TARGETS, generator(3))
    shaped = downstream(
        forward, X.view(6, 10, 5), 0.7 * X.view(6, 10, 5), TARGETS.view(6, 10), generator(3)
    )
    assert shaped.ce == pytest.approx(flat.ce) and shaped.kl == pytest.approx(flat.kl)


def test_a_model_may_predict_at_fewer_places_than_it_has_activations():
    x, targets = X.view(6, 10, 5), TARGETS.view(6, 10)
    result = downstream(lambda x: forward(x)[:, :-1], x, x, targets[:, 1:], generator(0))
    assert result.ce["spliced"] == result.ce["clean"]


def test_double_precision_stays_double():
    x = X.double()
    result = downstream(lambda x: x @ READ.double(), x, x * (1 + 1e-6), TARGETS, generator(0))
    assert 0 < result.kl["spliced"] < 1e-10  # float32 would round to 0, or below it


def test_a_site_the_model_ignores_has_nothing_to_recover():
    result = downstream(lambda x: torch.ones(60, 3), X, X, TARGETS, generator(0))
    with pytest.raises(ValueError, match="mean ablation changes the cross-entropy by 0"):
        result.ce_recovered("mean")
    with pytest.raises(ValueError, match="changes no prediction"):
        result.kl_recovered("zero")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: downstream(forward, X, X[:5], TARGETS, generator(0)), "x_hat has shape"),
        (lambda: downstream(forward, X, X / 0, TARGETS, generator(0)), "x_hat has .* not allowed"),
        (lambda: downstream(forward, X[:1], X[:1], TARGETS[:1], generator(0)), "x has 1 input"),
        (
            lambda: downstream(forward, X, X, TARGETS[:5], generator(0)),
            "logits of shape",
        ),
        (
            lambda: downstream(lambda x: forward(x) / 0, X, X, TARGETS, generator(0)),
            "the logits of forward has",
        ),
        (
            lambda: downstream(forward, X, X, TARGETS, generator(0)).ce_recovered("patch"),
            "ablation is 'patch'",
        ),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
