"""Effective features, participation ratio and von Neumann entropy obey their definitions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.superposition import (
    effective_features,
    participation_ratio,
    von_neumann_entropy,
)

MEASURES = (effective_features, participation_ratio, von_neumann_entropy)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


rows = st.builds(
    lambda batch, d, seed: normal(batch, d, seed=seed),
    st.integers(2, 9), st.integers(1, 6), st.integers(0, 2**31),
)  # fmt: skip


def orthogonal(d: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(normal(d, d, seed=seed)).Q


@settings(max_examples=50, deadline=None)
@given(rows)
def test_the_measures_equal_their_definitions_term_by_term(h):
    batch, d = h.shape
    activity = [sum(abs(float(h[s, j])) for s in range(batch)) for j in range(d)]
    p = [a / sum(activity) for a in activity]
    F = math.exp(-sum(q * math.log(q) for q in p))
    assert math.isclose(effective_features(h), F, rel_tol=1e-9)

    eigenvalues = torch.linalg.eigvalsh(torch.cov(h.T).reshape(d, d)).clamp(min=0).tolist()
    ratio = sum(eigenvalues) ** 2 / sum(v**2 for v in eigenvalues)
    assert math.isclose(participation_ratio(h), ratio, rel_tol=1e-6)

    rho = sum(torch.outer(row, row) / float(row @ row) for row in h) / batch
    S = -sum(v * math.log(v) for v in torch.linalg.eigvalsh(rho).tolist() if v > 1e-12)
    assert math.isclose(von_neumann_entropy(h), S, abs_tol=1e-6)


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(0, 2**31))
def test_each_stays_in_its_range_and_only_the_spectra_survive_a_rotation(h, seed):
    batch, d = h.shape
    turned = h @ orthogonal(d, seed)
    assert 1 - 1e-9 <= effective_features(h) <= d + 1e-9
    assert 1 - 1e-9 <= participation_ratio(h) <= min(d, batch - 1) + 1e-9
    assert -1e-6 <= von_neumann_entropy(h) <= math.log(min(d, batch)) + 1e-6
    assert torch.isclose(participation_ratio(turned), participation_ratio(h))
    assert torch.isclose(von_neumann_entropy(turned), von_neumann_entropy(h), atol=1e-6)


def test_effective_features_of_one_input_depend_on_the_basis():
    one = torch.tensor([[3.0, 0.0]])
    assert effective_features(one) == 1
    assert effective_features(one @ torch.tensor([[1.0, 1.0], [1.0, -1.0]])).item() == 2


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=20, deadline=None)
@given(rows, st.floats(0.01, 100))
def test_scale_silent_dimensions_and_the_order_of_inputs_change_nothing(measure, h, scale):
    padded = torch.cat([h, torch.zeros(len(h), 3, dtype=h.dtype)], dim=1)
    for changed in (scale * h, padded, h.flip(0)):
        assert torch.isclose(measure(changed), measure(h), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_leading_axes_are_instances_that_never_meet(measure):
    h = normal(3, 2, 10, 4)
    each = torch.stack([torch.stack([measure(h[i, j]) for j in range(2)]) for i in range(3)])
    torch.testing.assert_close(measure(h), each)


def test_known_values():
    assert effective_features(torch.tensor([[8.0, 4, 2, 1, 1]])).item() == pytest.approx(
        3.668, 1e-3
    )
    axes = torch.cat([torch.eye(5), -torch.eye(5)])
    assert participation_ratio(axes).item() == pytest.approx(5)
    assert von_neumann_entropy(axes).exp().item() == pytest.approx(5)
    line = torch.tensor([[1.0, 2.0], [2.0, 4.0], [-3.0, -6.0]])
    assert participation_ratio(line).item() == pytest.approx(1)
    assert von_neumann_entropy(line).item() == pytest.approx(0, abs=1e-5)


def test_an_offset_is_invisible_to_the_one_and_everything_to_the_other():
    h = normal(400, 6)
    far = h + 100
    assert torch.isclose(participation_ratio(far), participation_ratio(h), rtol=1e-6)
    assert von_neumann_entropy(h) > 1.7 and von_neumann_entropy(far) < 0.01


def test_what_is_silent_or_does_not_vary_has_no_features():
    assert effective_features(torch.zeros(3, 4)) == 0
    for constant in (torch.zeros(3, 4), torch.full((3, 4), 0.1)):
        assert participation_ratio(constant) == 0
    assert von_neumann_entropy(torch.zeros(3, 4)).item() == pytest.approx(0, abs=1e-6)
    assert von_neumann_entropy(torch.tensor([[1.0, 0], [0, 0]])).item() == pytest.approx(
        0, abs=1e-5
    )


def test_the_entropy_can_be_trained_for():
    h = torch.ones(8, 3, dtype=torch.float64) + 0.1 * normal(8, 3)
    h.requires_grad_()
    before = von_neumann_entropy(h)
    (slope,) = torch.autograd.grad(before, h)
    assert slope.isfinite().all()
    assert von_neumann_entropy(h + 0.01 * slope / slope.norm()) > before


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "bad", [torch.ones(3), torch.ones(0, 3), [[1.0]], torch.tensor([[1.0, math.nan]])]
)
def test_what_is_no_table_of_numbers_is_refused_by_name(measure, bad):
    with pytest.raises(ValueError, match="(z|h) (is|has)"):
        measure(bad)


def test_half_precision_is_added_up_in_single():
    z = torch.full((4096, 8), 0.1, dtype=torch.float16)
    assert effective_features(z).item() == pytest.approx(8, rel=1e-4)
