"""The algebra of each act, on tensors alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.sae import TopKSAE
from course_lib.steering import Action, ClampLatent, SteeringVector
from tests.steering.small import D, normal

X = normal(2, 3, D, seed=9, dtype=torch.float64)
SITE = "blocks.1.resid_post"
VECTOR = SteeringVector(normal(D, seed=1, dtype=torch.float64), SITE, scale=1.7)
UNIT = VECTOR.unit().delta


@settings(deadline=None)
@given(s=st.floats(-5, 5))
def test_each_action_does_what_its_formula_says(s):
    delta = VECTOR.delta
    part = (X @ UNIT)[..., None] * UNIT
    expected = {
        "add": X + s * delta,
        "ablate": X - s * part,
        "ablate_then_add": X - part + s * delta,
        "relative": X + s * X.norm(dim=-1, keepdim=True) * UNIT,
    }
    for how, value in expected.items():
        torch.testing.assert_close(Action(VECTOR, how).change(X, s), value)
    torch.testing.assert_close(VECTOR.change(X, s), expected["add"])


def test_after_ablation_nothing_is_left_along_the_vector_and_setting_leaves_what_was_set():
    mean = normal(D, seed=3, dtype=torch.float64)
    gone = Action(VECTOR, "ablate").change(X, 1.0)
    torch.testing.assert_close(gone @ UNIT, torch.zeros(2, 3).double())
    torch.testing.assert_close(Action(VECTOR, "ablate").change(X, 0.0), X)
    to_mean = Action(VECTOR, "ablate", mean=mean).change(X, 1.0)
    torch.testing.assert_close(to_mean @ UNIT, (mean @ UNIT).expand(2, 3))
    set_to = Action(VECTOR, "ablate_then_add", mean=mean).change(X, 2.0)
    torch.testing.assert_close(set_to @ UNIT, (mean @ UNIT + 2 * VECTOR.norm).expand(2, 3))
    torch.testing.assert_close(set_to - (set_to @ UNIT)[..., None] * UNIT, gone)


@pytest.mark.parametrize("how", ["add", "ablate", "ablate_then_add", "relative"])
def test_renormalised_activations_keep_their_norm_and_the_direction_of_the_change(how):
    plain = Action(VECTOR, how).change(X, 0.7)
    kept = Action(VECTOR, how, renormalise=True).change(X, 0.7)
    torch.testing.assert_close(kept.norm(dim=-1), X.norm(dim=-1))
    torch.testing.assert_close(
        torch.cosine_similarity(kept, plain, dim=-1), torch.ones(2, 3).double()
    )


def test_an_activation_that_was_ablated_to_nothing_stays_nothing():
    only = 3 * UNIT.expand(1, 2, D)
    gone = Action(VECTOR, "ablate", renormalise=True).change(only, 1.0)
    assert gone.isfinite().all()


def test_controls_of_an_action_are_the_same_action_with_another_vector():
    act = Action(VECTOR, "relative", renormalise=True)
    assert act.opposite().vector.cos(VECTOR) == pytest.approx(-1)
    random = act.random(torch.Generator().manual_seed(0))
    assert (random.how, random.renormalise) == ("relative", True)
    assert random.vector.norm == pytest.approx(VECTOR.norm)
    assert (act.site, act.axis, act.tokens) == (SITE, -1, VECTOR.tokens)
    assert "relative" in act.source and "renormalised" in act.source


def test_a_strength_for_each_row_acts_on_each_row():
    strengths = torch.tensor([0.5, -2.0]).double()[:, None, None]
    for act in (VECTOR, *(Action(VECTOR, how) for how in ("ablate", "ablate_then_add"))):
        both = act.change(X, strengths)
        for row, s in enumerate((0.5, -2.0)):
            torch.testing.assert_close(both[row], act.change(X[row], s))


def test_actions_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="how is 'multiply'"):
        Action(VECTOR, "multiply")
    with pytest.raises(ValueError, match="the vector is 0"):
        Action(0 * VECTOR, "ablate")


# --- latents --------------------------------------------------------------------------------------

SAE = TopKSAE(D, 12, 3, seed=0).double()
Z = SAE.encode(X).detach()
LATENT = int((Z != 0).flatten(0, 1).float().mean(0).sub(0.5).abs().argmin())  # on some places only
ACTIVE = Z[..., LATENT] != 0


def test_a_clamped_latent_moves_along_its_decoder_row_and_the_error_stays():
    assert ACTIVE.any() and not ACTIVE.all()
    new = ClampLatent(SAE, LATENT, SITE).change(X, 4.0)
    expected = X + (4.0 - Z[..., LATENT])[..., None] * SAE.W_dec[LATENT].detach()
    torch.testing.assert_close(new.detach(), expected)


def test_a_latent_may_be_clamped_only_where_it_is_active():
    new = ClampLatent(SAE, LATENT, SITE, only_active=True).change(X, 4.0).detach()
    always = ClampLatent(SAE, LATENT, SITE).change(X, 4.0).detach()
    torch.testing.assert_close(new[~ACTIVE], X[~ACTIVE])
    torch.testing.assert_close(new[ACTIVE], always[ACTIVE])


def test_clamping_to_what_it_is_changes_nothing_and_without_the_error_leaves_the_reconstruction():
    same = ClampLatent(SAE, LATENT, SITE).change(X[ACTIVE][:1], Z[ACTIVE][0, LATENT].item())
    torch.testing.assert_close(same.detach(), X[ACTIVE][:1])
    off = ClampLatent(SAE, LATENT, SITE, keep_error=False).change(X, 0.0).detach()
    zero = Z.clone()
    zero[..., LATENT] = 0
    torch.testing.assert_close(off, SAE.decode(zero).detach())


def test_a_clamped_activation_may_keep_its_norm():
    plain = ClampLatent(SAE, LATENT, SITE).change(X, 4.0).detach()
    kept = ClampLatent(SAE, LATENT, SITE, renormalise=True).change(X, 4.0).detach()
    torch.testing.assert_close(kept.norm(dim=-1), X.norm(dim=-1))
    expected = plain * (X.norm(dim=-1) / plain.norm(dim=-1))[..., None]
    torch.testing.assert_close(kept, expected)


def test_units_and_strengths_multiply_and_may_differ_by_row():
    strengths = torch.tensor([1.0, 3.0]).double()[:, None, None]
    both = ClampLatent(SAE, LATENT, SITE, unit=2.0).change(X, strengths).detach()
    for row, s in enumerate((1.0, 3.0)):
        one = ClampLatent(SAE, LATENT, SITE).change(X[row], 2.0 * s).detach()
        torch.testing.assert_close(both[row], one)


def test_the_random_control_of_a_latent_is_another_that_writes_as_much():
    act = ClampLatent(SAE, LATENT, SITE, unit=2.0)
    draws = [act.random(torch.Generator().manual_seed(seed)) for seed in range(40)]
    assert LATENT not in {a.latent for a in draws} and len({a.latent for a in draws}) > 5
    for other in draws[:5]:
        size = other.unit * SAE.W_dec[other.latent].norm()
        assert size.item() == pytest.approx(2.0 * SAE.W_dec[LATENT].norm().item())
    assert act.opposite().unit == -2.0
    with pytest.raises(ValueError, match="latent is 12; the SAE has 12"):
        ClampLatent(SAE, 12, SITE)
