"""The toy model is what its equation says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.models import ToyModel


def randomized(*args, **kwargs) -> ToyModel:
    model = ToyModel(*args, **kwargs)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(1, 4),
    st.sampled_from(["relu", "linear"]), st.sampled_from(["relu", "linear"]), st.booleans(),
)  # fmt: skip
def test_forward_equals_the_equation_term_by_term(n, m, batch, instances, output, hidden, tied):
    model = randomized(n, m, instances, output=output, hidden=hidden, tied=tied)
    x = torch.randn(instances, batch, n)
    x_hat = model(x)
    for a in range(instances):
        for s in range(batch):
            h = [sum(x[a, s, i] * model.W[a, i, k] for i in range(n)) for k in range(m)]
            h = [max(v, torch.tensor(0.0)) if hidden == "relu" else v for v in h]
            for i in range(n):
                W_dec = model.W[a].T if tied else model.W_dec[a]
                value = sum(h[k] * W_dec[k, i] for k in range(m)) + model.b_dec[a, i]
                value = value.clamp(min=0) if output == "relu" else value
                assert torch.isclose(x_hat[a, s, i], value, atol=1e-5)


def test_instances_do_not_see_each_other():
    model = randomized(4, 2, 3)
    x = torch.rand(3, 5, 4)
    alone = model(x[1:2], slice(1, 2))
    assert torch.allclose(model(x)[1:2], alone)
    with torch.no_grad():
        model.W[0] += 1
        model.b_dec[2] -= 1
    assert torch.allclose(model(x)[1:2], alone)


def test_the_same_seed_gives_the_same_weights():
    assert torch.equal(ToyModel(5, 2, 3, seed=4).W, ToyModel(5, 2, 3, seed=4).W)
    assert not torch.equal(ToyModel(5, 2, 3, seed=4).W, ToyModel(5, 2, 3, seed=5).W)


def test_weights_survive_saving_and_loading():
    model, other = randomized(4, 2, tied=False), ToyModel(4, 2, tied=False)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(torch.ones(1, 1, 4)), model(torch.ones(1, 1, 4)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ToyModel(-1, 2), "n_features is -1"),
        (lambda: ToyModel(3, 0), "d_hidden is 0"),
        (lambda: ToyModel(3, 2, output="gelu"), "output is 'gelu'"),
        (lambda: ToyModel(3, 2, hidden="gelu"), "hidden is 'gelu'"),
        (lambda: ToyModel(3, 2)(torch.rand(5, 3)), r"x has shape \[5, 3\]; .* \[1, batch, 3\]"),
        (lambda: ToyModel(3, 2, 2)(torch.rand(1, 5, 3)), r"must be \[2, batch, 3\]"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()
