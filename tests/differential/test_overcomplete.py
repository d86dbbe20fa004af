"""Matching pursuit here and in overcomplete takes the same steps."""

import pytest
import torch

from course_lib import runtime
from course_lib.sae import MatchingPursuitSAE
from tests.differential.peers import peer_without_init

D_IN, D_SAE, BATCH = 16, 64, 100


pytestmark = pytest.mark.filterwarnings("ignore:To copy construct from a tensor")


@pytest.fixture
def MpSAE(monkeypatch):
    return peer_without_init("overcomplete", "sae", monkeypatch).MpSAE


@pytest.mark.parametrize("steps", [1, 2, 5, 12])
@pytest.mark.parametrize("seed", [0, 1])
def test_codes_and_residuals_equal_those_of_overcomplete(MpSAE, steps, seed):
    ours = MatchingPursuitSAE(D_IN, D_SAE, steps, seed=seed)
    dictionary = {"initializer": ours.W_dec.detach(), "normalization": "identity"}
    theirs = MpSAE(D_IN, D_SAE, k=steps, dictionary_params=dictionary).eval()
    x = torch.randn(BATCH, D_IN, generator=runtime.generator(seed))
    residual, codes = theirs.encode(x)
    z = ours.encode(x)
    assert torch.equal(z > 0, codes > 0) and (z > 0).any()
    assert torch.allclose(z, codes, rtol=0, atol=1e-5)
    assert torch.allclose(x - ours(x), residual, rtol=0, atol=1e-5)


def test_a_bias_is_a_shift_of_the_input(MpSAE):
    ours = MatchingPursuitSAE(D_IN, D_SAE, 4)
    ours.b_dec.data = torch.linspace(-1, 1, D_IN)
    dictionary = {"initializer": ours.W_dec.detach(), "normalization": "identity"}
    theirs = MpSAE(D_IN, D_SAE, k=4, dictionary_params=dictionary).eval()
    x = torch.randn(BATCH, D_IN, generator=runtime.generator(3))
    codes = theirs.encode(x - ours.b_dec)[1]
    assert torch.allclose(ours.encode(x), codes, rtol=0, atol=1e-5)
