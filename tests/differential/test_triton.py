"""The GPU's kernels give what plain PyTorch gives: on a GPU, or in Triton's interpreter on a CPU.

`make peers` installs Triton where no GPU's PyTorch has brought it along.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import generator
from course_lib.sae import BatchTopKSAE, TopKSAE, codes
from course_lib.sae.codes import Decode, Encode, Pattern

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}


@pytest.fixture(scope="module")
def kernels():
    pytest.importorskip("triton", reason="needs triton: `make peers` installs it")
    from course_lib.sae import triton_kernels

    return triton_kernels


@pytest.fixture
def through_kernels(kernels, monkeypatch):
    """Everything in `codes` takes the kernels' way; calling the value goes back to PyTorch's."""
    monkeypatch.setattr(codes, "gpu_kernels", lambda device: kernels)
    return lambda: monkeypatch.setattr(codes, "gpu_kernels", lambda device: None)


def drawn(n_bags, n_rows, width, seed, dtype):
    """Rows of a table for bags of 0 to 40 entries, with weights."""
    draw = generator(seed)
    count = torch.randint(0, 41, (n_bags,), generator=draw)
    count[:: 1 + seed % 3] = 0
    starts = torch.nn.functional.pad(count.cumsum(0), (1, 0))
    rows = torch.randint(0, n_rows, (int(starts[-1]),), generator=draw)
    table = torch.randn(n_rows, width, generator=draw, dtype=torch.float64)
    weights = torch.randn(len(rows), generator=draw, dtype=torch.float64)
    pattern = Pattern(rows.to(DEVICE), starts.to(DEVICE), n_rows)
    return pattern, table.to(DEVICE, dtype), weights.to(DEVICE, dtype)


SHAPES = given(
    n_bags=st.integers(1, 6), n_rows=st.integers(1, 50), width=st.integers(1, 300),
    seed=st.integers(0, 99), dtype=st.sampled_from(list(TOLERANCE)),
)  # fmt: skip
quickly = settings(max_examples=12, deadline=None, derandomize=True)


@SHAPES
@quickly
def test_a_bag_is_the_weighted_sum_of_its_rows(kernels, n_bags, n_rows, width, seed, dtype):
    pattern, table, weights = drawn(n_bags, n_rows, width, seed, dtype)
    exact = torch.zeros(n_bags, width, dtype=torch.float64, device=DEVICE)
    terms = weights.double()[:, None] * table.double()[pattern.latents]
    exact.index_add_(0, pattern.inputs, terms)
    size = torch.zeros_like(exact).index_add_(0, pattern.inputs, terms.abs())
    out = kernels.bags(pattern.latents, table, pattern.starts, weights)
    assert out.dtype == dtype
    assert ((out.double() - exact).abs() <= TOLERANCE[dtype] * size).all()


@SHAPES
@quickly
def test_a_product_is_that_of_two_rows(kernels, n_bags, n_rows, width, seed, dtype):
    pattern, table, _ = drawn(n_bags, n_rows, width, seed, dtype)
    left = torch.randn(n_bags, width, generator=generator(seed)).to(DEVICE, dtype)
    terms = left.double()[pattern.inputs] * table.double()[pattern.latents]
    out = kernels.products(left, table, pattern.inputs, pattern.latents)
    assert out.dtype == dtype
    error = (out.double() - terms.sum(dim=1)).abs()
    assert (error <= TOLERANCE[dtype] * terms.abs().sum(dim=1)).all()


@pytest.mark.parametrize("centred", [True, False])
def test_every_gradient_is_that_of_finite_differences(through_kernels, centred):
    pattern, W_dec, values = drawn(3, 8, 5, 1, torch.float64)
    draw = generator(0)
    x, W_enc, b_enc = (
        torch.randn(*shape, generator=draw, dtype=torch.float64).to(DEVICE).requires_grad_()
        for shape in ((3, 5), (5, 8), (8,))
    )
    center = torch.ones(5, dtype=torch.float64, device=DEVICE, requires_grad=True)
    values = values.abs().requires_grad_()
    W_dec.requires_grad_()
    assert torch.autograd.gradcheck(lambda v, W: Decode.apply(v, W, pattern), (values, W_dec))

    # `Encode` hands on values found before; here they are computed, so that they can be moved.
    def encode(x, W_enc, b_enc, *center):
        pre = (x - center[0] if center else x) @ W_enc + b_enc
        found = pre[pattern.inputs, pattern.latents].relu().detach()
        return Encode.apply(x, W_enc, b_enc, *(center or (None,)), found, pattern)

    assert torch.autograd.gradcheck(encode, (x, W_enc, b_enc) + (center,) * centred)


@pytest.mark.parametrize("make", [TopKSAE, BatchTopKSAE])
def test_a_loss_has_the_gradients_of_plain_pytorch_those_of_dead_latents_too(through_kernels, make):
    sae = make(20, 48, 4, aux_k=6, seed=1).to(DEVICE)
    x = torch.randn(30, 20, generator=generator(2)).to(DEVICE)
    dead = torch.arange(48, device=DEVICE) % 3 == 0

    def gradients():
        loss = sae.loss(x, dead=dead)
        names, weights = zip(*sae.named_parameters(), strict=True)
        return loss.total, dict(zip(names, torch.autograd.grad(loss.total, weights), strict=True))

    total, by_kernels = gradients()
    through_kernels()
    expected, by_pytorch = gradients()
    assert torch.allclose(total, expected, rtol=1e-6)
    for name, gradient in by_pytorch.items():
        assert torch.allclose(by_kernels[name], gradient, rtol=1e-5, atol=1e-6), name
    assert (by_kernels["W_enc"][:, dead].norm(dim=0) > 0).any(), "AuxK must reach the encoder"


def test_two_runs_give_the_same_bits(kernels):
    pattern, table, weights = drawn(6, 50, 300, 7, torch.float32)
    once, again = (kernels.bags(pattern.latents, table, pattern.starts, weights) for _ in range(2))
    assert torch.equal(once, again)
