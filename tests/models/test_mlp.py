"""The network is its equation, per instance, with |W| where negative weights are forbidden."""

import pytest
import torch

from course_lib.models import MLP

MIXED = torch.tensor([True, False, True])


def test_forward_is_the_equation_of_each_instance_for_shared_and_separate_inputs():
    nets, x = MLP(3, 5, 2, non_negative=MIXED, seed=1), torch.randn(3, 7, 3)
    for i in range(3):
        hidden = torch.tanh(x[i] @ nets.W_in[i] + nets.b_in[i])
        torch.testing.assert_close(nets(x)[i], hidden @ nets.W_out[i] + nets.b_out[i])
    torch.testing.assert_close(nets(x[0])[2], nets(x[0].expand(3, 7, 3))[2])


def test_weights_are_signed_only_where_they_may_be_also_after_training():
    nets = MLP(3, 5, non_negative=MIXED)
    optimizer = torch.optim.SGD(nets.parameters(), lr=1.0)
    nets(torch.randn(16, 3)).sum().backward()
    optimizer.step()
    for weights in (nets.W_in, nets.W_out):
        assert (weights[MIXED] >= 0).all() and (weights[~MIXED] < 0).any()


def test_seeds_fix_the_weights():
    assert torch.equal(
        MLP(2, 3, non_negative=MIXED, seed=4).W_in, MLP(2, 3, non_negative=MIXED, seed=4).W_in
    )
    assert not torch.equal(
        MLP(2, 3, non_negative=MIXED).W_in, MLP(2, 3, non_negative=MIXED, seed=4).W_in
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_in": 0}, "d_in is 0"),
        ({"d_hidden": 0}, "d_hidden is 0"),
        ({"d_out": -1}, "d_out is -1"),
        ({"non_negative": torch.tensor(True)}, r"non_negative has shape \[\]"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        MLP(**({"d_in": 2, "d_hidden": 3, "non_negative": MIXED} | change))
