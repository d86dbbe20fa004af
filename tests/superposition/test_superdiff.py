"""Exact scores are exact, and superposed diffusion does what its algebra says."""

import pytest
import torch

from course_lib.runtime import generator
from course_lib.superposition import (
    GaussianMixtureScore,
    and_weights,
    ito_increment,
    noise_rate,
    signal,
    superdiff_sample,
)

TIMES = [0.0, 0.15, 0.6, 1.0]


def mixture(seed: int = 0, instances: tuple[int, ...] = (2,), d: int = 3) -> GaussianMixtureScore:
    draw = generator(seed)
    means = torch.randn(*instances, 4, d, generator=draw, dtype=torch.double)
    stds = 0.2 + torch.rand(*instances, 4, generator=draw, dtype=torch.double)
    return GaussianMixtureScore(means, stds, torch.tensor([1.0, 2.0, 3.0, 0.5]))


def points(seed: int = 1, d: int = 3) -> torch.Tensor:
    return torch.randn(2, 5, d, generator=generator(seed), dtype=torch.double)


@pytest.mark.parametrize("t", TIMES)
def test_log_density_is_the_sum_over_components_written_out(t):
    model, x = mixture(), points()
    a = signal(t)
    for i in range(2):
        total = 0.0
        for k in range(4):
            spread = ((a * model.stds[i, k]) ** 2 + 1 - a**2).sqrt()
            normal = torch.distributions.Normal(a * model.means[i, k], spread)
            total = total + model.weights[i, k] * normal.log_prob(x[i]).sum(-1).exp()
        torch.testing.assert_close(model.log_density(x, t)[i], total.log())


@pytest.mark.parametrize("t", TIMES)
def test_score_and_curvature_are_derivatives_of_the_log_density(t):
    model, x = mixture(), points().requires_grad_()
    (gradient,) = torch.autograd.grad(model.log_density(x, t).sum(), x)
    torch.testing.assert_close(model.score(x, t), gradient)
    score = model.score(x, t)
    hessian = torch.stack(
        [torch.autograd.grad(score[..., j].sum(), x, retain_graph=True)[0] for j in range(3)], -1
    )
    trace = hessian.diagonal(dim1=-2, dim2=-1).sum(-1)
    torch.testing.assert_close(model.curvature(x, t), trace)
    n = torch.nn.functional.normalize(points(2), dim=-1)
    along = torch.einsum("ibj,ibjk,ibk->ib", n, hessian, n)
    torch.testing.assert_close(model.curvature(x, t, n), along)


def test_the_noised_density_obeys_the_equation_of_the_noising_process():
    """∂q/∂t = -∇·(f q) + ½ g² Δq, divided by q."""
    model, x, t, h = mixture(), points(), 0.4, 1e-5
    change = (model.log_density(x, t + h) - model.log_density(x, t - h)) / (2 * h)
    score = model.score(x, t)
    beta = noise_rate(t)
    spread = model.curvature(x, t) + score.square().sum(-1)
    drift = 0.5 * beta * (3 + (x * score).sum(-1))
    torch.testing.assert_close(change, drift + 0.5 * beta * spread, rtol=1e-4, atol=1e-4)


def test_samples_have_the_mean_and_the_share_of_each_component():
    means = torch.tensor([[[-4.0, 0.0], [4.0, 1.0]]])
    x = GaussianMixtureScore(means, 0.3, torch.tensor([1.0, 3.0])).sample(4000, generator(0))
    right = x[0, :, 0] > 0
    assert abs(right.float().mean() - 0.75) < 0.03
    torch.testing.assert_close(x[0, right].mean(0), means[0, 1], atol=0.03, rtol=0)
    assert abs(x[0, right].std(0).mean() - 0.3) < 0.02


def test_instances_do_not_see_each_other():
    model, x = mixture(), points()
    alone = GaussianMixtureScore(model.means[1], model.stds[1], model.weights[1])
    torch.testing.assert_close(model.score(x, 0.3)[1], alone.score(x[1], 0.3))


def pair(std_1: float, std_2: float) -> list[GaussianMixtureScore]:
    means = torch.tensor([[[-1.5, 0.3]], [[1.5, 0.0]]], dtype=torch.double)
    return [GaussianMixtureScore(m, s) for m, s in zip(means, (std_1, std_2), strict=True)]


def test_the_bias_of_the_tracked_density_is_of_first_order_and_a_path_with_divergence_is_too():
    model = [mixture(3, (), 2)]
    bias, size, exact = [], [], []
    for steps in (50, 200):
        run = superdiff_sample(model, "or", steps, 3000, generator(0))
        error = run.log_q[0] - model[0].log_density(run.x)
        bias.append(error.mean().abs())
        size.append(error.abs().mean())
        run = superdiff_sample(model, "or", steps, 3000, generator(0), divergence=True)
        exact.append((run.log_q[0] - model[0].log_density(run.x)).abs().mean())
    assert 2.8 < bias[0] / bias[1] < 5.6  # 4 at order one
    assert 1.6 < size[0] / size[1] < 2.8  # 2 at order one half
    assert 3.0 < exact[0] / exact[1] < 6.0


def test_and_changes_both_tracked_densities_alike_and_takes_the_noise_out_of_their_gap():
    x, noise = points(4), 0.1 * points(5)
    scores = torch.stack([points(6), points(7)])
    t, dt = 0.4, 0.01 / noise_rate(0.4)
    kappa = and_weights(scores, noise, 0.01)
    assert torch.allclose(kappa.sum(0), torch.ones(2, 5, dtype=torch.double))
    dx = 0.01 * (0.5 * x + (kappa[..., None] * scores).sum(0)) + noise
    torch.testing.assert_close(
        ito_increment(dx, x, scores[0], t, dt), ito_increment(dx, x, scores[1], t, dt)
    )
    gap = scores[0] - scores[1]
    average = 0.01 * (0.5 * x + scores.mean(0))
    torch.testing.assert_close((dx * gap).sum(-1), (average * gap).sum(-1))


def test_and_is_true_for_equal_widths_and_biased_for_unequal_ones_unless_corrected():
    def gaps(models, mode, steps):
        run = superdiff_sample(models, mode, steps, 300, generator(0))
        true = models[0].log_density(run.x) - models[1].log_density(run.x)
        return true.abs().mean(), (run.log_q[0] - run.log_q[1]).abs().mean()

    true, tracked = gaps(pair(0.4, 0.4), "and", 100)
    assert true < 0.1 and tracked < 0.1
    for steps in (100, 400):
        true, tracked = gaps(pair(0.3, 0.6), "and", steps)
        assert tracked < 0.1 and true > 0.4
    coarse, fine = (gaps(pair(0.3, 0.6), "and corrected", steps)[0] for steps in (100, 400))
    assert fine < 0.7 * coarse and fine < 0.2


def test_or_of_two_models_is_the_model_of_their_mixture_step_by_step():
    """While the tracked densities are true, both follow the same score with the same noise."""
    models = pair(0.4, 0.4)
    both = GaussianMixtureScore(torch.cat([m.means for m in models]), 0.4)
    parted = superdiff_sample(models, "or", 400, 50, generator(0), divergence=True)
    joint = superdiff_sample([both], "or", 400, 50, generator(0))
    assert (parted.x - joint.x).norm(dim=-1).median() < 0.05


def test_bias_is_a_prior_and_temperature_zero_is_the_average():
    models = pair(0.4, 0.4)
    run = superdiff_sample(models, "or", 100, 2000, generator(0), bias=[2.0, 0.0])
    assert abs((run.x[:, 0] < 0).double().mean() - 0.881) < 0.04
    cold = superdiff_sample(models, "or", 20, 10, generator(0), temperature=0.0)
    average = superdiff_sample(models, "average", 20, 10, generator(0))
    torch.testing.assert_close(cold.x, average.x)


def test_the_path_is_kept_where_it_was_asked_for_and_ends_in_the_samples():
    run = superdiff_sample([mixture()], "or", 6, 5, generator(0), keep=(0, 3, 6))
    assert run.path.shape == (3, 2, 5, 3) and run.log_q.shape == (1, 2, 5)
    assert torch.equal(run.path[-1], run.x)
    assert superdiff_sample([mixture()], "or", 2, 5, generator(0)).path.shape == (0, 2, 5, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "xor"}, "mode is 'xor'"),
        ({"steps": 0}, "steps is 0"),
        ({"models": []}, "models has 0 entries"),
        ({"models": [mixture()] * 3, "mode": "and"}, "models has 3 entries; 'and' needs two"),
        ({"models": [mixture(), mixture(d=2)]}, "models differ in their instances or in d"),
        ({"models": [mixture(), mixture(instances=(3,))]}, "models differ in their instances"),
        ({"keep": (9,)}, r"keep is \[9\]; every entry must be a step from 0 to 4"),
    ],
)
def test_a_bad_argument_of_the_sampler_is_named(change, message):
    right = {"models": [mixture()], "mode": "or", "steps": 4, "n_samples": 2}
    with pytest.raises(ValueError, match=message):
        superdiff_sample(**(right | change), generator=generator(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), 1.0), r"means has shape \[3\]"),
        ((torch.zeros(2, 3), 0.0), "stds has entries that are 0"),
        ((torch.zeros(2, 3), torch.ones(3)), r"stds has shape \[3\]; it must broadcast"),
        ((torch.zeros(2, 3), 1.0, torch.tensor([1.0, -1.0])), "weights has 1 of 2 entries"),
    ],
)
def test_a_bad_argument_of_the_mixture_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureScore(*arguments)


@pytest.mark.parametrize("variance", [0.0, -1.0])
def test_noise_without_variance_has_no_weights(variance):
    scores, noise = torch.randn(2, 3, 4, generator=generator(0)), torch.ones(3, 4)
    with pytest.raises(ValueError, match="variance (is 0|has 1 of 1)"):
        and_weights(scores, noise, variance)
