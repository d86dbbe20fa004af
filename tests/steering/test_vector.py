"""A steering vector knows what it is, adds up as vectors do, and comes back from disk the same."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.activations.harvest import fingerprint
from course_lib.steering import SteeringVector, TokenRule, shared_axis
from tests.steering.small import MODEL, D, make_gpt, normal

SITE = "blocks.1.resid_post"


def vector(seed=0, **changes):
    told = {"site": SITE, "model": "small", "source": f"draw {seed}"} | changes
    return SteeringVector(normal(D, seed=seed), **told)


def test_vectors_add_average_and_scale_as_their_deltas_do():
    a, b = vector(0, scale=2.0), vector(1)
    torch.testing.assert_close((a + b).delta, a.delta + b.delta)
    torch.testing.assert_close((a - b).delta, a.delta - b.delta)
    torch.testing.assert_close((3 * a / 2).delta, 1.5 * a.delta)
    torch.testing.assert_close((-a).delta, -a.delta)
    mean = SteeringVector.mean([a, b, b])
    torch.testing.assert_close(mean.delta, (a.delta + 2 * b.delta) / 3)
    assert (a + b).source == "draw 0 + draw 1" and (a + b).site == SITE
    assert SteeringVector.mean([a]) is a
    with pytest.raises(ValueError, match="vectors is empty"):
        SteeringVector.mean([])


@settings(deadline=None)
@given(k=st.integers(1, 4), seed=st.integers(0, 30), repeated=st.booleans())
def test_what_is_orthogonalised_has_nothing_along_the_others_and_all_beside(k, seed, repeated):
    others = [vector(seed + 1 + i) for i in range(k)]
    if repeated:
        others.append(2 * others[0])
    rest = vector(seed).orthogonal_to(*others)
    span = torch.linalg.qr(torch.stack([o.delta for o in others[:k]]).double().T).Q
    torch.testing.assert_close(
        rest.delta.double() @ span, torch.zeros(k).double(), atol=1e-5, rtol=0
    )
    whole = vector(seed).delta.double()
    torch.testing.assert_close(
        rest.delta.double(), whole - span @ (span.T @ whole), atol=1e-5, rtol=0
    )


def test_a_vector_takes_the_norm_it_is_given_and_the_controls_have_its_own():
    a = vector(scale=-3.0)
    assert a.unit().norm == pytest.approx(1) and a.with_norm(7).norm == pytest.approx(7)
    assert a.with_norm(vector(1)).norm == pytest.approx(vector(1).norm)
    assert a.unit().cos(a) == pytest.approx(1)
    random = a.random(torch.Generator().manual_seed(0))
    assert random.norm == pytest.approx(a.norm) and abs(random.cos(a)) < 0.9
    assert a.opposite().cos(a) == pytest.approx(-1)
    assert random.site == a.site and "random" in random.source
    with pytest.raises(ValueError, match="no direction"):
        replace(a, scale=0.0).unit()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("site", "blocks.0.resid_post"),
        ("model", "another"),
        ("tokens", TokenRule("new")),
        ("axis", 1),
        ("weights", "ab"),
    ],
)
def test_vectors_of_different_places_do_not_add_up(name, other):
    with pytest.raises(ValueError, match=f"^{name} is"):
        vector() + vector(1, **{name: other})
    with pytest.raises(ValueError, match="shape"):
        vector() + SteeringVector(normal(3), SITE, "small")


def test_a_vector_comes_back_from_disk_bit_for_bit_with_all_it_knows(tmp_path):
    rule = TokenRule("answer", only=(3, 5), skip=2)
    made = vector(4, tokens=rule, scale=-0.3, weights="abc", axis=1)
    path = made.save(tmp_path / "v1.2")
    back = SteeringVector.load(path)
    assert torch.equal(back.vector, made.vector)
    for name in ("site", "model", "source", "tokens", "scale", "weights", "axis"):
        assert getattr(back, name) == getattr(made, name)
    card = json.loads((tmp_path / "v1.2.json").read_text())
    assert card["d"] == D and card["norm"] == pytest.approx(made.norm)


def test_a_vector_reads_how_far_an_activation_is_along_it():
    made, x = vector(scale=-2.0), normal(2, 3, D, seed=3)
    torch.testing.assert_close(made.along(x), x @ made.delta / made.delta.norm())
    step = made.along(made.change(x, 1.5)) - made.along(x)
    torch.testing.assert_close(step, torch.full((2, 3), 1.5 * made.norm))


def test_files_that_do_not_belong_together_are_not_read(tmp_path):
    one, other = vector(0).save(tmp_path / "one"), vector(1).save(tmp_path / "other")
    (tmp_path / "one.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(ValueError, match="one holds no whole steering vector: the checksum"):
        SteeringVector.load(one)
    (tmp_path / "other.json").write_text("{")
    with pytest.raises(ValueError, match="no whole steering vector"):
        SteeringVector.load(other)
    with pytest.raises(FileNotFoundError):
        SteeringVector.load(tmp_path / "none")


def test_a_vector_of_another_model_is_refused():
    made = vector(weights=fingerprint(MODEL))
    made.check(MODEL)
    with pytest.raises(ValueError, match="the vector was found in small, whose weights are others"):
        made.check(make_gpt(seed=1))
    replace(made, weights="").check(make_gpt(seed=1))
    with pytest.raises(ValueError, match="no such module"):
        vector(site="blocks.7.resid_post").check(MODEL)


def test_a_vector_is_finite_and_one_row():
    with pytest.raises(ValueError, match="vector has 1 of 2"):
        SteeringVector(torch.tensor([1.0, torch.inf]), SITE)
    with pytest.raises(ValueError, match="vector has shape"):
        SteeringVector(normal(2, D), SITE)


@settings(deadline=None)
@given(seed=st.integers(0, 50))
def test_the_shared_axis_is_as_near_to_both_and_leaves_nothing_shared(seed):
    a, b = vector(seed), vector(seed + 100)
    split = shared_axis(a, b)
    assert split.shared.norm == pytest.approx(1, abs=1e-5) and split.shared.cos(a) >= 0
    assert abs(split.shared.cos(a)) == pytest.approx(abs(split.shared.cos(b)), abs=1e-4)
    for whole, unique in ((a, split.unique_a), (b, split.unique_b)):
        assert abs(unique.delta @ split.shared.delta) < 1e-4
        along = (whole.delta @ split.shared.delta) * split.shared.delta
        torch.testing.assert_close(unique.delta + along, whole.delta, atol=1e-4, rtol=0)
    near = shared_axis(a, replace(2 * a, source="twice"))
    assert near.shared.cos(a) == pytest.approx(1) and near.unique_b.norm < 1e-4
