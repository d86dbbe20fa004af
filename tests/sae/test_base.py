"""The base class, and the ReLU autoencoder against its definition written out in loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import generator
from course_lib.sae import SAE, ReLUSAE, squared_error
from course_lib.sae.start import geometric_median
from tests.sae.family import lived_in


def relu(decoder_norm="free", **arguments) -> ReLUSAE:
    return lived_in(ReLUSAE(3, 4, 0.7, decoder_norm=decoder_norm, **arguments).double())


def batch(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def by_hand(sae, x):
    """z, x_hat and the two terms of the loss, one number at a time."""
    W_enc, W_dec = sae.W_enc.tolist(), sae.W_dec.tolist()
    b_enc, b_dec, rows = sae.b_enc.tolist(), sae.b_dec.tolist(), x.tolist()
    d_in, d_sae = len(W_enc), len(W_dec)
    norm = [sum(w**2 for w in row) ** 0.5 for row in W_dec]
    z, x_hat, error, penalty = [], [], 0.0, 0.0
    for row in rows:
        pre = [
            sum((row[i] - b_dec[i]) * W_enc[i][j] for i in range(d_in)) + b_enc[j]
            for j in range(d_sae)
        ]
        z.append([max(value, 0.0) for value in pre])
        x_hat.append(
            [sum(z[-1][j] * W_dec[j][i] for j in range(d_sae)) + b_dec[i] for i in range(d_in)]
        )
        error += sum((a - b) ** 2 for a, b in zip(row, x_hat[-1], strict=True))
        penalty += sum(value * length for value, length in zip(z[-1], norm, strict=True))
    return z, x_hat, error / len(rows), float(sae.l1_coefficient) * penalty / len(rows)


@pytest.mark.parametrize("decoder_norm", ["free", "unit"])
def test_the_relu_autoencoder_is_its_definition(decoder_norm):
    sae, x = relu(decoder_norm), batch(6, 3)
    z, x_hat, error, penalty = by_hand(sae, x)
    loss = sae.loss(x)
    found = loss.z.dense()
    assert torch.allclose(found, torch.tensor(z).double())
    assert torch.allclose(loss.x_hat, torch.tensor(x_hat).double())
    assert loss.terms["reconstruction"].item() == pytest.approx(error)
    assert loss.terms["sparsity"].item() == pytest.approx(penalty)
    assert loss.total.item() == pytest.approx(error + penalty)
    assert (found == 0).any() and (found > 0).any()


def test_a_target_replaces_the_input_as_what_is_rebuilt():
    sae, x, target = relu(), batch(6, 3), batch(6, 3, seed=2)
    loss = sae.loss(x, target)
    assert torch.allclose(loss.x_hat, sae(x))
    assert loss.terms["reconstruction"].item() == pytest.approx(
        squared_error(target, sae(x)).item()
    )


@given(
    scales=st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_with_a_free_norm_a_smaller_latent_on_a_longer_direction_saves_nothing(scales):
    sae, x, c = relu(), batch(6, 3), torch.tensor(scales, dtype=torch.float64)
    before = sae.loss(x).total
    with torch.no_grad():
        sae.W_enc /= c
        sae.b_enc /= c
        sae.W_dec *= c[:, None]
    assert torch.allclose(sae.loss(x).total, before)


def test_several_coefficients_weigh_several_instances():
    sae = lived_in(ReLUSAE(3, 4, [0.0, 1.0, 2.0], n_instances=3))
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(parameter[:1].expand_as(parameter))
    sparsity = sae.loss(batch(6, 3).float()).terms["sparsity"]
    assert sparsity[0] == 0 and sparsity[1] > 0
    assert sparsity[2].item() == pytest.approx(2 * sparsity[1].item())
    assert sae.config["l1_coefficient"] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("coefficient", "n", "error", "message"),
    [
        (-1.0, None, ValueError, "l1_coefficient has 1 of 1 entries .* first is -1"),
        (float("nan"), None, ValueError, "l1_coefficient has 1 of 1 entries"),
        ([1.0, 2.0], 3, ValueError, r"l1_coefficient has shape \[2\]; .* a number or 3 numbers"),
        ([1.0, 2.0], None, ValueError, r"l1_coefficient has shape \[2\]; it must be a number\."),
        ("much", None, TypeError, "l1_coefficient is 'much'; it must be a tensor or numbers"),
        (None, None, TypeError, "l1_coefficient is None; it must be a tensor or numbers"),
    ],
)
def test_a_coefficient_is_a_number_or_one_per_instance(coefficient, n, error, message):
    with pytest.raises(error, match=message):
        ReLUSAE(3, 4, coefficient, n_instances=n)


def test_a_decoder_norm_that_is_none_is_refused():
    with pytest.raises(ValueError, match="decoder_norm is 'units'; it must be one of 'unit', 'fr"):
        ReLUSAE(3, 4, decoder_norm="units")


# --- the start -----------------------------------------------------------------------------------


def test_the_encoder_starts_as_the_transpose_of_the_decoder_and_apart_from_it():
    for decoder_norm, norm in (("unit", 1.0), ("free", 0.1)):
        sae = ReLUSAE(6, 9, decoder_norm=decoder_norm, n_instances=2)
        assert torch.equal(sae.W_enc, sae.W_dec.mT)
        assert torch.allclose(sae.W_dec.norm(dim=-1), torch.tensor(norm))
        assert not torch.equal(sae.W_dec[0], sae.W_dec[1])
        assert sae.W_enc.data_ptr() != sae.W_dec.data_ptr()
        assert sae.W_enc.mT.is_contiguous() and sae.W_dec.is_contiguous()
        assert not sae.b_enc.any() and not sae.b_dec.any()


def test_the_centre_is_taken_over_the_batch_of_each_instance():
    shared, own = batch(50, 3) + 2, batch(2, 50, 3) + torch.tensor([[[5.0]], [[-5.0]]])
    one, two = relu(), relu(n_instances=2)
    one.start("mean", shared)
    assert torch.allclose(one.b_dec, shared.mean(dim=0))
    one.start("geometric_median", shared)
    assert torch.allclose(one.b_dec, geometric_median(shared))
    one.start("zero", shared)
    assert not one.b_dec.any()
    two.start("mean", shared)
    assert torch.allclose(two.b_dec, shared.mean(dim=0).expand(2, 3))
    two.start("mean", own)
    assert torch.allclose(two.b_dec, own.mean(dim=1))


# --- the unit norm -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [None, 2])
def test_a_step_on_prepared_gradients_only_turns_unit_rows(n):
    sae = lived_in(ReLUSAE(3, 4, decoder_norm="unit", n_instances=n).double())
    sae.loss(batch(6, 3)).total.sum().backward()
    raw = sae.W_dec.grad.clone()
    sae.prepare_gradients()
    assert torch.allclose((sae.W_dec.grad * sae.W_dec).sum(dim=-1), torch.zeros(1).double())
    assert torch.allclose(
        sae.W_dec.grad, raw - (raw * sae.W_dec).sum(dim=-1, keepdim=True) * sae.W_dec
    )
    assert not torch.allclose(raw, sae.W_dec.grad)
    with torch.no_grad():
        sae.W_dec += batch(*sae.W_dec.shape)
    moved = sae.W_dec.clone()
    sae.constrain()
    assert torch.allclose(sae.W_dec.norm(dim=-1), torch.ones(1).double())
    assert torch.allclose(torch.nn.functional.normalize(moved, dim=-1), sae.W_dec)


def test_a_free_norm_is_left_alone():
    sae = relu("free")
    sae.loss(batch(6, 3)).total.backward()
    grad, rows = sae.W_dec.grad.clone(), sae.W_dec.clone()
    sae.prepare_gradients()
    sae.constrain()
    assert torch.equal(sae.W_dec.grad, grad) and torch.equal(sae.W_dec, rows)


def test_a_row_of_zeros_does_not_become_nan():
    sae = relu("unit")
    with torch.no_grad():
        sae.W_dec[0] = 0.0
    sae.constrain()
    assert sae.W_dec.isfinite().all()


# --- an architecture of one's own ----------------------------------------------------------------


class Softplus(SAE):
    """Two lines that are its own, the rest by keyword: what a reader would write first."""

    def __init__(self, d_in, d_sae, sharpness=2.0, **shared):
        super().__init__(d_in, d_sae, **shared)
        self.sharpness = sharpness

    def activate(self, pre):
        return torch.nn.functional.softplus(pre, beta=self.sharpness)


def test_an_architecture_is_its_activation_and_the_rest_comes_with_the_base():
    sae = Softplus(3, 4, 5.0, n_instances=2, decoder_norm="free")
    assert sae.config == {
        "d_in": 3, "d_sae": 4, "sharpness": 5.0, "n_instances": 2, "decoder_norm": "free",
    }  # fmt: skip
    assert "sharpness=5.0" in repr(sae)
    loss = sae.loss(torch.zeros(6, 3))
    assert list(loss.terms) == ["reconstruction"] and loss.total.shape == (2,)
    one = sae.instance(1)
    assert isinstance(one, Softplus) and one.sharpness == 5.0
    assert torch.equal(one(torch.ones(6, 3)), sae(torch.ones(6, 3))[1])


def test_the_base_itself_is_no_architecture():
    with pytest.raises(TypeError, match="abstract"):
        SAE(3, 4)
