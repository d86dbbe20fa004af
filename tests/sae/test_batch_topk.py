"""BatchTopK shares k latents an input out over the batch, and k may be a fraction."""

import pytest
import torch

from course_lib.sae import BatchTopKSAE


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
