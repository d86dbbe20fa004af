"""Batch number `step` depends on the source, the seed and the step alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from course_lib.sae.batches import batches


class Counting:
    def sample(self, batch_size, generator):
        return torch.rand(batch_size, 3, generator=generator)


def shards(folder, sizes=(7, 5, 9), d_in=2):
    start = 0
    for number, size in enumerate(sizes):
        rows = torch.arange(start, start + size).float()[:, None].expand(-1, d_in).contiguous()
        save_file({"activations": rows}, folder / f"{number}.safetensors")
        start += size
    return folder


@given(rows=st.integers(4, 40), batch_size=st.integers(1, 4), seed=st.integers(0, 5))
def test_an_epoch_of_a_tensor_shows_no_row_twice_and_loses_less_than_a_batch(
    rows, batch_size, seed
):
    source = batches(torch.arange(rows).float()[:, None], batch_size, seed)
    per_epoch = rows // batch_size
    seen = torch.cat([source.batch(step)[0] for step in range(per_epoch)]).flatten()
    assert len(seen.unique()) == per_epoch * batch_size


@pytest.mark.parametrize("kind", ["tensor", "tuple", "world", "shards", "list"])
def test_any_step_can_be_asked_for_first(kind, tmp_path):
    x = torch.arange(20.0)[:, None].expand(-1, 2)
    data = {
        "tensor": lambda: x,
        "tuple": lambda: (x, 2 * x),
        "world": Counting,
        "shards": lambda: shards(tmp_path),
        "list": lambda: [x[:4], x[4:8], x[8:12]],
    }[kind]
    in_order = [batches(data(), 4, 0)] * 9
    in_order = [source.batch(step) for step, source in enumerate(in_order)]
    for step in (8, 3, 5):
        fresh = batches(data(), 4, 0).batch(step)
        for part, same in zip(fresh, in_order[step], strict=True):
            assert torch.equal(part, same)


def test_rows_of_a_pair_stay_together():
    x = torch.arange(20.0)[:, None]
    for step in range(7):
        first, second = batches((x, 3 * x), 6, 0).batch(step)
        assert torch.equal(second, 3 * first)


def test_epochs_and_seeds_differ():
    x = torch.arange(64.0)[:, None]
    draws = [batches(x, 64, seed).batch(step)[0] for seed in (0, 1) for step in (0, 1)]
    for i, first in enumerate(draws):
        assert not any(torch.equal(first, second) for second in draws[:i])


def test_shards_give_every_full_batch_once_an_epoch_in_a_new_order(tmp_path):
    source = batches(shards(tmp_path), 4, 0)
    epochs = [
        torch.cat([source.batch(4 * epoch + step)[0][:, 0] for step in range(4)])
        for epoch in range(2)
    ]
    for rows in epochs:
        assert len(rows.unique()) == 16
    assert not torch.equal(*epochs)


def test_shards_hold_one_file_in_memory(tmp_path):
    source = batches(shards(tmp_path), 4, 0)
    for step in range(12):
        source.batch(step)
        assert len(source.rows) in (5, 7, 9)


def test_paths_and_folders_are_the_same_shards(tmp_path):
    folder = shards(tmp_path)
    files = sorted(folder.glob("*.safetensors"))
    for step in range(5):
        assert torch.equal(
            batches(folder, 4, 0).batch(step)[0], batches(files, 4, 0).batch(step)[0]
        )


def test_a_generator_that_ends_says_so():
    source = batches((torch.zeros(2, 2) for _ in range(3)), 2, 0)
    source.batch(2)
    with pytest.raises(ValueError, match="data ended before step 3 .*DataLoader"):
        source.batch(3)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (3, TypeError, "data is of type int"),
        (torch.zeros(3, 2), ValueError, "3 rows and batch_size is 4"),
        ((torch.zeros(8, 2), torch.zeros(9, 2)), ValueError, "must have as many"),
        (torch.full((8, 2), torch.nan), ValueError, "data has 16 of 16 entries"),
        ("nowhere.safetensors", FileNotFoundError, "nowhere.safetensors is no safetensors file"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        batches(data, 4, 0)


def test_shards_that_do_not_fit_are_refused(tmp_path):
    folder = shards(tmp_path, sizes=(7, 3))
    with pytest.raises(ValueError, match=r"1.safetensors holds activations of shape \[3, 2\]"):
        batches(folder, 4, 0)
    save_file({"rows": torch.zeros(8, 2)}, folder / "1.safetensors")
    with pytest.raises(ValueError, match="1.safetensors is no safetensors file with a tensor"):
        batches(folder, 4, 0)
    (folder / "1.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(ValueError, match="1.safetensors is no safetensors file"):
        batches(folder, 4, 0)
