"""JumpReLU: the jump, its pseudo-derivatives, and thresholds that move."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import generator
from course_lib.sae import JumpReLUSAE
from course_lib.sae.jumprelu import Jump, Step
from tests.sae.family import lived_in

WIDTH = torch.tensor(0.5, dtype=torch.float64)


def batch(*shape, seed=1):
    return 1.5 * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def jumprelu(**arguments) -> JumpReLUSAE:
    return lived_in(JumpReLUSAE(3, 5, 0.7, **arguments).double())


# --- forward -------------------------------------------------------------------------------------


def test_what_is_above_the_threshold_passes_unchanged():
    threshold = torch.tensor([0.0, 1.0])
    pre = torch.tensor([[-1.0, 0.5], [0.0, 1.0], [0.5, 1.01]])
    jumped = Jump.apply(pre, threshold, WIDTH)
    assert jumped.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.5, pytest.approx(1.01)]]
    assert Step.apply(pre, threshold, WIDTH).tolist() == (jumped > 0).float().tolist()


@pytest.mark.parametrize("n", [None, 2])
@pytest.mark.parametrize("target", [None, 2.0])
def test_the_penalty_counts_active_latents(n, target):
    sae, x = jumprelu(n_instances=n, target_l0=target), batch(20, 3)
    loss = sae.loss(x)
    l0 = (loss.z > 0).double().sum(dim=(-1, -2)) / 20
    expected = 0.7 * l0 if target is None else 0.7 * (l0 / 2 - 1) ** 2
    assert torch.allclose(loss.terms["sparsity"], expected, rtol=1e-6)  # 0.7 is a float32
    assert torch.equal(loss.z, sae.encode(x))


# --- backward ------------------------------------------------------------------------------------


def by_threshold(function, pre, threshold, grad):
    threshold = threshold.clone().requires_grad_()
    function.apply(pre, threshold, WIDTH).backward(grad)
    return threshold.grad


@given(
    n=st.none() | st.integers(1, 3), rows=st.integers(1, 6), d=st.integers(1, 4),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_pseudo_derivatives_are_sums_over_the_inputs_in_the_window(n, rows, d, seed):
    """Equations 11 and 12 of the paper with the rectangle kernel, one entry at a time."""
    lead = () if n is None else (n,)
    pre, grad = batch(*lead, rows, d, seed=seed), batch(*lead, rows, d, seed=seed + 100)
    threshold = batch(*lead, d, seed=seed + 200).abs()
    jump, step = torch.zeros_like(threshold), torch.zeros_like(threshold)
    pre[..., 0, :] = threshold + 0.1  # in the window
    for entry in torch.cartesian_prod(*(torch.arange(size) for size in pre.shape)).view(
        -1, pre.ndim
    ):
        entry = tuple(entry.tolist())
        latent = (*entry[:-2], entry[-1])
        theta = threshold[latent]
        kernel = 1.0 if abs(pre[entry] - theta) / WIDTH < 0.5 else 0.0
        jump[latent] += -theta / WIDTH * kernel * grad[entry]
        step[latent] += -1 / WIDTH * kernel * grad[entry]
    shaped = threshold[..., None, :]
    assert torch.allclose(by_threshold(Jump, pre, shaped, grad), jump[..., None, :])
    assert torch.allclose(by_threshold(Step, pre, shaped, grad), step[..., None, :])


def test_the_pseudo_derivative_of_the_count_is_the_derivative_of_its_mean():
    """Over many inputs from a normal law, -density(threshold); the window's error is 0.5 %."""
    n = 1_000_000
    pre = torch.randn(n, 1, generator=generator(0), dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    for theta in (0.3, 1.0, 1.7):
        estimate = by_threshold(
            Step, pre, torch.tensor([theta]).double(), torch.full((n, 1), 1 / n).double()
        )
        density = normal.log_prob(torch.tensor(theta)).exp().item()
        assert estimate.item() == pytest.approx(-density, rel=0.02)


def test_the_pseudo_derivative_of_the_jump_is_the_derivative_of_the_mean_squared_error():
    """For L(z) = (a - w z)² the mean moves by density(θ) (L(0) - L(θ)) as θ grows (section 4)."""
    n, a, w = 1_000_000, 0.8, 1.3
    pre = torch.randn(n, 1, generator=generator(0), dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    for theta in (0.3, 1.0, 1.7):
        threshold = torch.tensor([theta], dtype=torch.float64, requires_grad=True)
        narrow = torch.tensor(0.05).double()
        (a - w * Jump.apply(pre, threshold, narrow)).square().mean().backward()
        density = normal.log_prob(torch.tensor(theta)).exp().item()
        true = density * (a**2 - (a - w * theta) ** 2)
        assert threshold.grad.item() == pytest.approx(true, abs=0.02)


def test_where_there_is_a_derivative_the_functions_have_it():
    threshold = torch.tensor([0.4, 1.0], dtype=torch.float64, requires_grad=True)
    pre = batch(40, 2)
    pre = pre[((pre - threshold).abs() > WIDTH).all(dim=-1)].requires_grad_()
    assert len(pre) > 5
    for function in (Jump, Step):
        assert torch.autograd.gradcheck(lambda *a: function.apply(*a, WIDTH), (pre, threshold))  # noqa: B023


def test_the_count_pulls_at_the_thresholds_alone():
    sae = jumprelu()
    sae.loss(batch(20, 3)).terms["sparsity"].backward()
    assert (sae.threshold.grad <= 0).all() and sae.threshold.grad.any()
    assert not any(p.grad is not None and p.grad.any() for p in (sae.W_enc, sae.b_enc, sae.W_dec))


# --- training ------------------------------------------------------------------------------------


def test_thresholds_do_not_go_below_zero():
    sae = jumprelu()
    with torch.no_grad():
        sae.threshold.sub_(5.0)
    sae.constrain()
    assert (sae.threshold == 0).all()


def test_a_threshold_at_zero_can_leave_it():
    sae = jumprelu()
    with torch.no_grad():
        sae.threshold.zero_()
    sae.loss(batch(50, 3)).total.backward()
    assert (sae.threshold.grad < 0).all()


def test_thresholds_train_in_a_group_of_their_own_and_no_parameter_is_forgotten():
    sae = jumprelu()
    groups = sae.parameter_groups()
    assert [group["lr_scale"] for group in groups] == [1.0, pytest.approx(3**0.5)]
    assert groups[1]["params"][0] is sae.threshold
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(map(id, sae.parameters()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bandwidth": 0.0}, "bandwidth is 0.0; it must be"),
        ({"bandwidth": -1}, "bandwidth is -1; it must be"),
        ({"target_l0": 0.0}, "target_l0 has 1 of 1 entries"),
        ({"target_l0": [1.0, 2.0]}, r"target_l0 has shape \[2\]"),
        ({"l0_coefficient": -1.0}, "l0_coefficient has 1 of 1 entries"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        JumpReLUSAE(3, 5, **arguments)
