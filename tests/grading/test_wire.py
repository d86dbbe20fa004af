"""Only plain values cross from a sandbox, and bad bytes can do nothing but be refused."""

import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.grading import wire

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4), max_leaves=10))
@settings(max_examples=60, deadline=None)
def test_plain_values_arrive_as_they_were_sent(value):
    if wire_depth(value) <= wire.MAX_DEPTH:
        assert wire.decode(wire.encode(value)) == value


def wire_depth(value):
    return 1 + max(map(wire_depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("dtype", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 4), (2, 3, 4)])
def test_a_tensor_keeps_dtype_shape_and_every_bit(dtype, shape):
    tensor = (10 * torch.rand(shape)).to(dtype)
    (back,) = wire.decode(wire.encode([tensor.mT if tensor.ndim == 3 else tensor]))
    assert (back.dtype, back.mT.shape if tensor.ndim == 3 else back.shape) == (dtype, tensor.shape)
    assert torch.equal(back.mT if tensor.ndim == 3 else back, tensor)


@pytest.mark.parametrize("sizes", [(1,), (3,), (1, 4)])
def test_a_tensor_that_is_a_view_arrives_as_what_it_shows(sizes):
    for view in (torch.ones(()).expand(sizes), torch.arange(10.0)[::3], torch.eye(3)[:, 1]):
        assert torch.equal(wire.decode(wire.encode(view.requires_grad_())), view)


@pytest.mark.parametrize("value", [{"a": 1}, object(), 2**63, torch.ones(2) * 1j, b"x", {1}])
def test_what_does_not_pass_arrives_as_an_empty_object_of_that_name(value):
    back = wire.decode(wire.encode(value))
    assert type(back).__name__ == type(value).__name__
    assert type(back).__module__ != type(value).__module__ or vars(back) == {}


def tensor(code=0, n_axes=1, shape=(2,), data=b"\0" * 8):
    return b"T" + struct.pack(f"<BB{len(shape)}I", code, n_axes, *shape) + data


BAD = {
    "nothing": b"",
    "an unknown kind": b"P\x80\x04.",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "bytes left over": b"NN",
    "an unknown dtype": tensor(code=99),
    "too many axes": tensor(n_axes=9, shape=(1,) * 9, data=b"\0" * 4),
    "more entries than bytes": tensor(shape=(2**32 - 1,)),
    "a product that overflows 64 bits": tensor(n_axes=8, shape=(2**32 - 1,) * 8),
    "fewer entries than bytes": tensor(data=b"\0" * 9),
    "an empty tensor with a huge axis": tensor(n_axes=2, shape=(0, 2**32 - 1), data=b""),
    "an empty tensor of long axes": tensor(n_axes=8, shape=(0, *[2**16] * 7), data=b""),
    "a list that is too deep": b"L\x01" * 50 + b"N",
    "a list that lies about its length": b"L\xff" + b"N",
    "a text that lies about its length": b"S\xff\xffx",
    "a list of too many values": b"L\xff" + (b"L\xff" + b"N" * 255) * 255,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bad_bytes_are_refused(data):
    with pytest.raises(wire.Malformed):
        wire.decode(data)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_read_or_refused_and_nothing_else(data):
    try:
        wire.decode(data)
    except wire.Malformed:
        return


def test_a_bool_tensor_holds_true_and_false_alone():
    sent = tensor(code=wire.DTYPES.index(torch.bool), shape=(3,), data=b"\x00\x02\xff")
    assert wire.decode(sent).view(torch.uint8).tolist() == [0, 1, 1]
