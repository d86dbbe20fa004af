"""The algebra of each intervention, on tensors alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.activations import Ablate, Add, Clamp, Patch, ProjectOut, ReplaceSubspace, Splice
from course_lib.runtime import generator
from course_lib.sae import ReLUSAE, TopKSAE, Transcoder

D = 6


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def span(k, seed, rank=None):
    """k directions [k, D] of any size and angle, of which `rank` are independent."""
    directions = normal(k, D, seed=seed) * 10 ** normal(k, 1, seed=seed + 1)
    if rank is not None:
        directions = normal(k, rank, seed=seed + 2) @ directions[:rank]
    return directions


X = normal(2, 3, D)


def test_adding_a_vector_and_taking_it_away_changes_nothing():
    vector = normal(D, seed=1)
    torch.testing.assert_close(Add(vector, -2.0)(Add(vector, 2.0)(X)), X)
    assert torch.equal(Add(vector)(X)[1, 2], X[1, 2] + vector)
    places = normal(2, 3, D, seed=2)
    assert torch.equal(Add(places)(X), X + places)


def test_ablation_leaves_the_value_and_nothing_of_x():
    mean = normal(D, seed=1)
    assert torch.equal(Ablate()(X), torch.zeros_like(X))
    assert torch.equal(Ablate(3.0)(X), torch.full_like(X, 3.0))
    assert torch.equal(Ablate(mean)(X), mean.expand(2, 3, D))


@given(k=st.integers(1, 4), seed=st.integers(0, 50), repeated=st.booleans())
def test_projecting_out_leaves_nothing_in_the_span_and_all_beside_it(k, seed, repeated):
    directions = span(k, seed)
    if repeated:
        directions = torch.cat([directions, 3 * directions[:1], directions.sum(0, keepdim=True)])
    out = ProjectOut(directions)
    new = out(X)
    unit = torch.nn.functional.normalize(directions, dim=-1)
    torch.testing.assert_close(new @ unit.T, torch.zeros(2, 3, len(unit), dtype=X.dtype))
    torch.testing.assert_close(out(new), new)
    beside = torch.linalg.qr(directions[:k].T, mode="complete").Q[:, k:]
    torch.testing.assert_close(new @ beside, X @ beside)
    assert torch.linalg.matrix_rank(out.basis) == k


def test_the_mean_stays_where_its_direction_is_projected_out():
    directions, mean = span(2, 3), normal(D, seed=4)
    new = ProjectOut(directions, mean=mean)(X)
    unit = torch.nn.functional.normalize(directions, dim=-1)
    torch.testing.assert_close(new @ unit.T, (mean @ unit.T).expand(2, 3, 2))
    torch.testing.assert_close(new, mean + ProjectOut(directions)(X - mean))


@given(value=st.floats(-5, 5), size=st.sampled_from([1e-3, 1.0, 50.0]))
def test_clamping_sets_one_coordinate_and_leaves_the_others(value, size):
    direction = normal(D, seed=5) * size
    new = Clamp(direction, value)(X)
    unit = direction / direction.norm()
    torch.testing.assert_close(new @ unit, torch.full((2, 3), value, dtype=X.dtype))
    torch.testing.assert_close(ProjectOut(direction)(new), ProjectOut(direction)(X))
    each = normal(2, 3, seed=6)
    torch.testing.assert_close(Clamp(direction, each)(X) @ unit, each)


def test_patching_gives_the_other_run_where_it_was():
    source = normal(2, 5, D, seed=7)
    assert torch.equal(Patch(source[:, :3])(X), source[:, :3])
    at = Patch(source).at(torch.tensor([4, 0, 2]))
    assert torch.equal(at(X), source[:, [4, 0, 2]])
    for same_everywhere in (source[:1, :1], source[0, 0]):
        assert torch.equal(
            Patch(same_everywhere).at(torch.arange(9))(X), source[0, 0].expand(2, 3, D)
        )
    with pytest.raises(ValueError, match="source has 5 positions and none for position 7"):
        Patch(source).at(torch.tensor([1, 7]))


@given(k=st.integers(1, D - 1), seed=st.integers(0, 50))
def test_replacing_a_subspace_takes_the_span_from_one_run_and_the_rest_from_the_other(k, seed):
    directions, source = span(k, seed), normal(2, 3, D, seed=8)
    new = ReplaceSubspace(source, directions)(X)
    out = ProjectOut(directions)
    torch.testing.assert_close(out(new), out(X))
    torch.testing.assert_close(new - out(new), source - out(source))
    everything = ReplaceSubspace(source, torch.eye(D, dtype=X.dtype))
    torch.testing.assert_close(everything(X), source)
    later = ReplaceSubspace(torch.cat([X, source], dim=1), directions).at(torch.tensor([3, 4, 5]))
    assert torch.equal(later(X), new)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once_at_the_end(dtype):
    x = X.to(dtype)
    directions = span(2, 3).float()
    for act in (
        ProjectOut(directions),
        ProjectOut(directions, mean=normal(D, seed=4)),
        Clamp(directions[0], 2.0),
        ReplaceSubspace(normal(2, 3, D, seed=8), directions),
    ):
        assert act(x).dtype == dtype
        assert torch.equal(act(x), act(x.float()).to(dtype))


def sae(seed=0):
    return TopKSAE(D, 12, 3, seed=seed)


def test_an_sae_stands_in_for_x_with_its_error_dropped_or_kept():
    x, model = X.float(), sae()
    torch.testing.assert_close(Splice(model)(x), model.decode(model.encode(x)))
    assert torch.equal(Splice(model, keep_error=True)(x), x)
    assert not torch.equal(Splice(model)(x), x)


@pytest.mark.parametrize("keep_error", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_an_edited_latent_moves_x_along_its_direction(keep_error, in_place):
    def edit(z):
        z = z if in_place else z.clone()
        z[..., 7] += 2.0
        return z

    x, model = X.float(), sae()
    base = Splice(model, keep_error=keep_error)(x)
    edited = Splice(model, keep_error=keep_error, edit=edit)(x)
    torch.testing.assert_close(edited - base, (2 * model.W_dec[7]).expand(2, 3, D))


def test_gradients_see_the_error_as_a_constant():
    x, model = X.float().requires_grad_(), ReLUSAE(D, 12, 0.1)
    kept = torch.autograd.grad(Splice(model, keep_error=True)(x).sum(), x)[0]
    dropped = torch.autograd.grad(Splice(model)(x).sum(), x)[0]
    torch.testing.assert_close(kept, dropped)
    assert not torch.equal(kept, torch.ones_like(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_an_sae_computes_in_its_own_precision(dtype):
    x, model = X.to(dtype), sae()
    assert torch.equal(Splice(model)(x), Splice(model)(x.float()).to(dtype))
    assert torch.equal(Splice(model, keep_error=True)(x), x)
    half = Splice(sae().to(torch.bfloat16))(X)
    assert half.dtype == torch.float64


def test_a_skip_connection_is_part_of_what_is_spliced_in():
    model = Transcoder(D, 12, 3, skip=True)
    with torch.no_grad():
        model.W_skip.normal_(generator=generator(0))
    x = X.float()
    torch.testing.assert_close(Splice(model)(x), model(x.flatten(0, 1)).view_as(x))


class Identity:
    encode = decode = staticmethod(lambda x: x)


def test_anything_that_encodes_and_decodes_can_be_spliced_in():
    assert torch.equal(Splice(Identity())(X), X)
    doubled = Splice(Identity(), keep_error=True, edit=lambda z: z.mul_(2))
    before = X.clone()
    assert torch.equal(doubled(X), 2 * before)
    assert torch.equal(X, before)  # an edit in place reaches nothing else


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Add(normal(5))(X), ValueError, r"vector has shape \[5\] and the activation \[2"),
        (lambda: Add(normal(4, 2, 3, D))(X), ValueError, "one that broadcasts to it"),
        (lambda: Patch(normal(3, 3, D))(X), ValueError, "source has shape"),
        (lambda: ProjectOut(torch.zeros(2, D)), ValueError, "directions are all 0"),
        (lambda: ProjectOut(torch.full((D,), torch.nan)), ValueError, "directions has 6 of 6"),
        (lambda: ProjectOut(normal(2, 2, D)), ValueError, r"must be \[d\] or \[k, d\]"),
        (lambda: ProjectOut(normal(5))(X), ValueError, "directions has d = 5 and the activation 6"),
        (lambda: Clamp(torch.zeros(D), 1.0), ValueError, "direction is all 0"),
        (lambda: Clamp(normal(2, D), 1.0), ValueError, "direction has shape"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
