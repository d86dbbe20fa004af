"""The mixing buffer loses no row, repeats none, and lets rows of different chunks meet."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.activations.mixing import mix
from course_lib.runtime import generator


def chunks(sizes):
    start = 0
    for number, size in enumerate(sizes):
        rows = torch.arange(start, start + size)
        yield rows, torch.stack([rows, torch.full_like(rows, number)], dim=1)
        start += size


@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    batch_size=st.integers(1, 9),
    more=st.integers(0, 40),
    seed=st.integers(0, 9),
)
def test_every_row_comes_once_and_fewer_than_a_batch_are_left(sizes, batch_size, more, seed):
    batches = list(mix(chunks(sizes), batch_size, batch_size + more, generator(seed)))
    assert all(len(part) == batch_size for batch in batches for part in batch)
    assert len(batches) == sum(sizes) // batch_size
    if batches:
        rows, pairs = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert len(rows.unique()) == len(rows)
        assert torch.equal(pairs[:, 0], rows)  # the tensors of a chunk stay together


def test_no_more_than_the_buffer_and_a_chunk_is_held():
    held, most = 0, 0

    def counted():
        nonlocal held, most
        for chunk in chunks([10] * 20):
            held += 10
            most = max(most, held)
            yield chunk

    for rows, _ in mix(counted(), 4, 32, generator(0)):
        held -= len(rows)
    assert most <= 32 + 10 + 4  # a batch that is on its way counts as held here


def test_rows_of_many_chunks_meet_in_a_batch():
    batches = list(mix(chunks([16] * 32), 16, 256, generator(0)))
    together = [len(pairs[:, 1].unique()) for _, pairs in batches]
    assert min(together) >= 5  # of 16; in the order of the chunks it would be 1
    # Of 16 rows drawn from 16 chunks, 16 · (1 - (15/16)^16) = 10.3 chunks come up on average.
    assert sum(together) / len(together) > 8


def test_the_seed_gives_the_order():
    first, same, other = (
        torch.cat([rows for rows, _ in mix(chunks([30, 30]), 5, 20, generator(seed))])
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_buffer_holds_a_batch_at_least():
    with pytest.raises(ValueError, match="buffer_rows is 3; it must be .* at least 4"):
        next(mix(chunks([9]), 4, 3, generator(0)))


def test_half_of_the_buffer_stays_to_meet_the_next_chunk():
    batches = list(mix(chunks([64] * 8), 16, 64, generator(0)))  # each chunk fills the buffer
    assert sum(len(pairs[:, 1].unique()) > 1 for _, pairs in batches) > len(batches) / 2
