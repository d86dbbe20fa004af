"""What every architecture keeps to; a new one is one more line of `family.py`."""

import copy
import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import course_lib.sae
from course_lib.runtime import generator
from course_lib.sae import SAE
from tests.sae.family import FAMILY, lived_in

quickly = settings(
    max_examples=8, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
SIZES = {"d_in": st.integers(1, 6), "d_sae": st.integers(1, 9), "batch": st.integers(1, 5)}
BOTH_MODES = (True, False)


@pytest.fixture(params=FAMILY)
def kind(request):
    return FAMILY[request.param]


def made(kind, d_in=5, d_sae=9, dtype=torch.float64, **shared) -> SAE:
    return lived_in(kind.make(d_in, d_sae, **shared).to(dtype))


def inputs(*shape, seed=1, dtype=torch.float64):
    return 1.5 * torch.randn(*shape, generator=generator(seed), dtype=dtype)


def loss_of(sae, batch, dead=None):
    torch.manual_seed(0)  # of the swaps between paired views
    return sae.loss(*batch, dead=dead)


def gradients(sae, batch, dead=None):
    sae.zero_grad()
    loss_of(sae, batch, dead).total.sum().backward()
    return {name: parameter.grad for name, parameter in sae.named_parameters()}


def same(one, other, tolerance=1e-9):
    return torch.allclose(one, other, rtol=tolerance, atol=tolerance)


def same_outputs(one, other, x):
    """In training and at inference."""
    for training in BOTH_MODES:
        a, b = one.train(training), other.train(training)
        if not (torch.equal(a.encode(x), b.encode(x)) and torch.equal(a(x), b(x))):
            return False
    return True


def test_every_architecture_of_the_package_is_in_the_family():
    there = {v for v in vars(course_lib.sae).values() if isinstance(v, type) and issubclass(v, SAE)}
    assert there - {SAE, course_lib.sae.SpectralSAE} == {  # functions, not rows: its own test file
        type(kind.make(4, 6)) for kind in FAMILY.values()
    }


# --- reading and writing -------------------------------------------------------------------------


@quickly
@given(**SIZES)
def test_latents_are_not_negative_and_the_loss_has_one_finite_value_per_term(
    kind, d_in, d_sae, batch
):
    for n in (None, 2):
        sae = made(kind, d_in, d_sae, n_instances=n)
        x = inputs(batch, d_in)
        lead = () if n is None else (n,)
        z = sae.encode(x)
        assert z.shape == (*lead, batch, d_sae) and (z >= 0).all()
        assert sae.decode(z).shape[:-1] == sae(x).shape[:-1] == (*lead, batch)
        loss = loss_of(sae, kind.batch(x, generator(2)), dead=torch.ones(*lead, d_sae).bool())
        assert "reconstruction" in loss.terms
        assert set(loss.terms) <= {"reconstruction", "sparsity", "aux"}
        assert all(term.shape == lead and term.isfinite().all() for term in loss.terms.values())
        assert same(loss.total, sum(loss.terms.values()))


def test_decoding_is_linear_up_to_the_bias(kind):
    for n in (None, 2):
        sae = made(kind, n_instances=n)
        z = inputs(2, 3, 4, 9) if n is None else inputs(2, 2, 4, 9)
        zero = sae.decode(torch.zeros_like(z[0]))
        combined = sae.decode(2 * z[0] - 3 * z[1]) - zero
        assert same(combined, 2 * (sae.decode(z[0]) - zero) - 3 * (sae.decode(z[1]) - zero))


def test_leading_axes_are_all_the_same(kind):
    sae = made(kind)
    x = inputs(2, 3, 4, 5)
    for training in BOTH_MODES:
        sae.train(training)
        flat = sae.encode(x.reshape(-1, 5)), sae(x.reshape(-1, 5))
        assert same(sae.encode(x), flat[0].reshape(2, 3, 4, 9))
        assert same(sae(x), flat[1].reshape(2, 3, 4, -1))


def test_at_inference_a_latent_depends_on_its_own_input_alone(kind):
    sae = made(kind).eval()
    x = inputs(7, 5)
    assert same(sae.encode(x), torch.cat([sae.encode(row) for row in x.split(1)]))


@pytest.mark.parametrize(
    ("n", "shapes", "wanted"),
    [
        (None, [(4, 6), (6,), ()], r"\[\.\.\., 5\]"),
        (2, [(4, 6), (), (5,), (3, 4, 5)], r"\[batch, 5\] or \[2, batch, 5\]"),
    ],
)
def test_an_input_of_the_wrong_shape_is_named(kind, n, shapes, wanted):
    sae = made(kind, n_instances=n)
    for shape in shapes:
        with pytest.raises(ValueError, match=r"x has shape \[.*\]; it must be " + wanted):
            sae.encode(torch.zeros(shape, dtype=torch.float64))


# --- training ------------------------------------------------------------------------------------


def test_the_gradient_is_the_derivative_of_the_loss(kind):
    """Along random directions, but for the parameters of a declared surrogate."""
    sae = made(kind)
    batch = kind.batch(inputs(6, 5), generator(2))
    grads = gradients(sae, batch)
    assert all(grad is not None and grad.isfinite().all() for grad in grads.values())
    step = 1e-6
    for name, parameter in sae.named_parameters():
        if name in kind.surrogate:
            continue
        direction = torch.randn(parameter.shape, generator=generator(3), dtype=torch.float64)
        slopes = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * step * direction
                slopes.append(loss_of(sae, batch).total)
                parameter -= sign * step * direction
        numeric = (slopes[0] - slopes[1]) / (2 * step)
        analytic = (grads[name] * direction).sum()
        assert numeric.item() == pytest.approx(analytic.item(), rel=1e-5, abs=1e-6), name


def test_instances_are_the_single_saes_side_by_side(kind):
    several = made(kind, n_instances=2, **kind.varying)
    shared, own = inputs(6, 5), inputs(2, 6, 5, seed=4)
    dead = torch.rand(2, 9, generator=generator(5)) < 0.6
    for training in BOTH_MODES:
        several.train(training)
        singles = [several.instance(i).train(training) for i in range(2)]
        for x in (shared, own):
            rows = x.expand(2, 6, 5)
            for output in ("encode", "forward"):
                apart = torch.stack(
                    [getattr(one, output)(rows[i]) for i, one in enumerate(singles)]
                )
                assert same(getattr(several, output)(x), apart)
    batch = kind.batch(own, generator(2))
    together = loss_of(several.train(), batch, dead).terms
    apart = [
        loss_of(one.train(), [part[i] for part in batch], dead[i]).terms
        for i, one in enumerate(singles)
    ]
    for name, term in together.items():
        assert same(term, torch.stack([one[name] for one in apart])), name


def test_instances_never_influence_each_other(kind):
    sae = made(kind, n_instances=2, **kind.varying)
    batch = kind.batch(inputs(6, 5), generator(2))
    loss_of(sae, batch, dead=torch.ones(2, 9).bool()).total[0].backward()
    for name, parameter in sae.named_parameters():
        assert not parameter.grad[1].any(), name


@quickly
@given(scale=st.floats(0.01, 100))
def test_folding_the_scale_changes_the_units_and_nothing_else(kind, scale):
    """The loss in the units of x is that in the scaled units over scale²; so are gradients."""
    x = inputs(6, 5)
    batch = kind.batch(x, generator(2))
    dead = torch.rand(9, generator=generator(5)) < 0.6
    before = made(kind)
    after = copy.deepcopy(before)
    after.fold_scale(scale)
    scaled = before.scale_batch(scale, *batch)
    for training in BOTH_MODES:
        before.train(training), after.train(training)
        assert same(after.encode(x), before.encode(scale * x) / scale)
        assert same(after(x), before(scale * x) / scale)
    before.train(), after.train()
    old, new = copy.deepcopy(before), copy.deepcopy(after)
    want, got = loss_of(old, scaled, dead).terms, loss_of(new, batch, dead).terms
    assert want.keys() == got.keys()
    assert all(same(got[name] * scale**2, want[name]) for name in want)
    want, got = gradients(before, scaled, dead), gradients(after, batch, dead)
    for name in want:
        power = 1 if name.startswith(("b_", "threshold")) else 2
        assert same(got[name] * scale**power, want[name], 1e-7), name


def test_a_scale_that_is_none_is_refused(kind):
    sae = made(kind)
    for scale in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="scale is .*; it must be"):
            sae.fold_scale(scale)


@pytest.mark.parametrize("n", [None, 2])
def test_a_revived_latent_has_its_new_direction_and_no_past(kind, n):
    sae = made(kind, n_instances=n)
    before = copy.deepcopy(sae.state_dict())
    latents = torch.tensor([1, 4])
    where = latents if n is None else (1, latents)
    directions = torch.nn.functional.normalize(inputs(2, 5), dim=-1)
    if not sae.resamples:
        return
    sae.revive(where, directions, 0.25)
    W_dec, W_enc = sae.W_dec[where], sae.W_enc.mT[where]
    assert same(torch.nn.functional.cosine_similarity(W_dec, directions), torch.ones(2).double())
    assert same(torch.nn.functional.cosine_similarity(W_enc, directions), torch.ones(2).double())
    assert sae.tied or same(W_enc.norm(dim=-1), torch.full((2,), 0.25).double())
    pre = torch.full((*sae.lead, 1, 9), -10.0, dtype=torch.float64)
    for latent in latents:
        there = (latent,) if n is None else (1, latent)
        alone = pre.clone()
        alone[(*there[:-1], 0, latent)] = 0.45
        assert sae.activate(alone)[(*there[:-1], 0, latent)] == 0.45  # nothing of its past is left
    for name, tensor in sae.state_dict().items():
        if tensor.shape[-1:] == (9,) or name in ("W_dec", "W_enc"):
            new, old = (t.mT if name == "W_enc" else t for t in (tensor, before[name]))
            touched = torch.zeros(9).bool().index_fill(0, latents, True)
            for i in range(n or 1):
                kept = ~touched if i == (n or 1) - 1 else torch.ones(9).bool()
                at = () if n is None else (i,)
                assert torch.equal(new[at][kept], old[at][kept]), name


def test_training_in_bfloat16_is_training(kind):
    sae = made(kind, dtype=torch.float32)
    batch = kind.batch(inputs(64, 5, dtype=torch.float32), generator(2))
    dead = torch.arange(9) < 4
    exact = loss_of(copy.deepcopy(sae), batch, dead).total
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(sae, batch, dead)
    assert loss.total.dtype == torch.float32
    assert loss.total.item() == pytest.approx(exact.item(), rel=0.05)
    loss.total.backward()
    for name, parameter in sae.named_parameters():
        assert parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all(), name


# --- one of several, and files -------------------------------------------------------------------


@pytest.mark.parametrize("n", [None, 2])
def test_config_and_state_make_the_same_sae_again(kind, n):
    sae = made(kind, n_instances=n, **kind.varying if n else {})
    twin = type(sae)(**json.loads(json.dumps(sae.config)), seed=3).double()
    assert twin.config == sae.config
    assert "seed" not in sae.config
    assert not same_outputs(sae, twin, inputs(6, 5))
    twin.load_state_dict(sae.state_dict())
    assert same_outputs(sae, twin, inputs(6, 5))
    assert same(*(loss_of(s, kind.batch(inputs(6, 5), generator(2))).total for s in (sae, twin)))


def test_a_copy_is_equal_and_independent(kind):
    sae = made(kind)
    twin = copy.deepcopy(sae)
    assert same_outputs(sae, twin, inputs(6, 5))
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert sae.W_dec.all()


def test_the_seed_decides_the_initial_weights(kind):
    weights = [kind.make(5, 9, seed=seed).W_dec for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert {tensor.dtype for tensor in kind.make(5, 9).state_dict().values()} == {torch.float32}


def test_a_size_that_is_none_is_refused_by_name(kind):
    for name, values in {"d_in": (0, -2, 2.5, "4", True, None), "n_instances": (0, 1.5)}.items():
        for value in values:
            with pytest.raises((ValueError, TypeError), match=f"{name} is .*; it must be a whole"):
                kind.make(**{"d_in": 5, "d_sae": 9} | {name: value})


def test_only_instances_there_are_can_be_taken_out(kind):
    with pytest.raises(ValueError, match="has no instances"):
        made(kind).instance(0)
    for index in (2, -3):
        with pytest.raises(IndexError, match=f"index is {index}; there are 2"):
            made(kind, n_instances=2).instance(index)
