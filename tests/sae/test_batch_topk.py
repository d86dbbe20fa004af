"""BatchTopK shares k latents an input out over the batch, and k may be a fraction."""

import pytest
import torch

from course_lib import runtime
from course_lib.sae import BatchTopKSAE, GradientTopKSAE, TopKSAE


@pytest.mark.parametrize("n_instances", [None, 2])
def test_a_batch_keeps_its_k_times_batch_largest_for_k_of_one_and_a_third(n_instances):
    sae = BatchTopKSAE(4, 6, 4 / 3, n_instances=n_instances)
    pre = 3 + torch.randn(*sae.lead, 30, 6, generator=torch.Generator().manual_seed(0))
    z, pre = sae.activate(pre).flatten(-2), pre.flatten(-2)
    smallest_kept = pre.sort(descending=True).values[..., 39:40]
    assert torch.equal(z, pre.where(pre >= smallest_kept, 0.0))


def test_the_short_way_without_instances_keeps_as_many():
    sae = BatchTopKSAE(4, 6, 4 / 3)
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sae.codes(x).dense(), sae.activate(sae.pre_activations(x)))


@pytest.mark.parametrize("k", [0, -1, 7, float("nan")])
def test_a_k_beyond_the_latents_or_below_any_is_refused(k):
    with pytest.raises(ValueError, match=r"k is .*; it must be a finite number from"):
        BatchTopKSAE(4, 6, k)


def test_each_instance_may_have_its_own_k():
    x = torch.randn(50, 5, generator=runtime.generator(0))
    sae = BatchTopKSAE(5, 9, [1, 2, 3.5], n_instances=3)
    assert (sae.train().encode(x) != 0).sum(dim=(1, 2)).tolist() == [50, 100, 175]
    assert [sae.instance(i).k for i in range(3)] == [1.0, 2.0, 3.5]
    z = TopKSAE(5, 9, [1, 2, 3], n_instances=3).encode(x)
    assert (z != 0).sum(dim=-1).amax(dim=-1).tolist() == [1, 2, 3]


@pytest.mark.parametrize("cls", [TopKSAE, BatchTopKSAE])
def test_a_k_for_each_instance_that_does_not_fit_is_refused_by_name(cls):
    with pytest.raises(ValueError, match=r"k is \[1, 2\]; it must be a number or 3 numbers"):
        cls(5, 9, [1, 2], n_instances=3)
    with pytest.raises(ValueError, match=r"k is \[1, 2\]; it must be a number\."):
        cls(5, 9, [1, 2])
    with pytest.raises(ValueError, match="30"):
        cls(5, 9, [1, 30], n_instances=2)
    with pytest.raises(TypeError, match=r"k is \[1, 2\]; it must be a whole number"):
        GradientTopKSAE(5, 9, [1, 2], n_instances=2)
