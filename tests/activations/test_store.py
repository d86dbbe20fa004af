"""A harvest keeps each row once, beside its token, whatever happens on the way."""

import errno
import json
import multiprocessing
import os
import signal
import sys
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib import runtime
from course_lib.activations import Store, harvest, read
from course_lib.activations.harvest import fingerprint
from course_lib.activations.shards import read_shard, write_shard
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.runtime import generator
from course_lib.sae import TopKSAE, Trainer, Transcoder

CONFIG = GPTConfig(d_vocab=11, n_ctx=8, d_model=16, n_heads=2, n_layers=2)
MODEL = GPT(CONFIG).eval()
SITES = ["blocks.0.resid_post", "blocks.1.mlp:input"]
TOKENS = torch.randint(0, 11, (40, 8), generator=generator(0))
TOKENS[5:9, 6:] = -1  # these sequences end early
WHERE = {"batch_size": 4, "shard_rows": 60}


def same(store, other):
    assert store.index.sites == other.index.sites
    for site in store.index.sites:
        torch.testing.assert_close(store[site], other[site], rtol=0, atol=1e-5)
    for name in ("token", "sequence", "position"):
        assert torch.equal(getattr(store, name), getattr(other, name))


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_each_kept_token_is_one_row_in_order(data):
    seed, n = data.draw(st.integers(0, 99)), data.draw(st.integers(1, 40))
    keep = torch.rand(40, 8, generator=generator(seed)) < data.draw(st.floats(0.05, 1))
    keep[0, 0] = True
    tokens, keep = TOKENS[:n], keep[:n]
    store = harvest(MODEL, tokens, SITES, keep=keep, batch_size=data.draw(st.integers(1, 41)))
    rows = (keep & (tokens >= 0)).nonzero()
    assert torch.equal(torch.stack([store.sequence, store.position], dim=1), rows.int())
    assert torch.equal(store.token, tokens[store.sequence, store.position].int())
    plain = read(MODEL, SITES, tokens)
    for site in SITES:
        expected = plain[site][store.sequence, store.position]
        torch.testing.assert_close(store[site], expected, rtol=0, atol=1e-5)
    assert len(store) == len(rows)


def test_files_hold_what_memory_holds(tmp_path):
    store = harvest(MODEL, TOKENS, SITES, tmp_path / "store", **WHERE)
    same(store, harvest(MODEL, TOKENS, SITES))
    same(Store.open(tmp_path / "store"), store)
    rows = [rows for _, _, rows in store.index.shards]
    assert len(rows) == round(312 / 60)
    assert max(rows) - min(rows) <= 8  # a sequence is not cut, so shards differ by one of them
    index = json.loads((tmp_path / "store" / "index.json").read_text())
    assert index["sites"] == {site: 16 for site in SITES}
    assert (index["dtype"], index["shape"], index["model"]) == ("float32", [40, 8], "GPT")
    assert sorted(p.name for p in (tmp_path / "store").iterdir()) == [
        "blocks.0.resid_post", "blocks.1.mlp-input", "index.json",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_activations_can_be_stored_in_half_precision(dtype, tmp_path):
    store = harvest(MODEL, TOKENS, SITES[0], tmp_path, dtype=dtype, **WHERE)
    full = harvest(MODEL, TOKENS, SITES[0])[SITES[0]]
    assert store[SITES[0]].dtype == dtype
    torch.testing.assert_close(store[SITES[0]].float(), full, rtol=2**-8, atol=1e-6)


def test_the_trainer_reads_what_the_store_writes(tmp_path):
    store = harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE)
    rows = {tuple(row) for row in store[SITES[0]].tolist()}
    trainer = Trainer(
        TopKSAE(16, 32, 2), store.folder(SITES[0]), steps=3, batch_size=32, lr=1e-3, center="zero"
    )
    trainer.fit()
    assert {tuple(row) for row in trainer.source.batch(2)[0].tolist()} <= rows
    in_memory = harvest(MODEL, TOKENS, SITES)
    for source in (store, in_memory):
        pairs = source.batches(32, *SITES, epochs=None, buffer_rows=100)
        Trainer(Transcoder(16, 32, 2), pairs, steps=25, batch_size=32, lr=1e-3).fit()
    Trainer(TopKSAE(16, 32, 2), in_memory[SITES[0]], steps=3, batch_size=32, lr=1e-3).fit()


def test_mixed_batches_show_each_row_once_an_epoch_and_sites_side_by_side(tmp_path):
    store = harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE)
    once = list(store.batches(8, buffer_rows=90, seed=3))
    assert len(once) == 312 // 8
    where = {tuple(row): n for n, row in enumerate(store[SITES[0]].tolist())}
    assert len(where) < 312  # some rows are equal: first tokens see nothing before them
    for x, y in once:
        at = [where[tuple(row)] for row in x.tolist()]
        torch.testing.assert_close(y, store[SITES[1]][at], rtol=0, atol=1e-4)
    seen = torch.cat([x for x, _ in once]).sum(0)
    torch.testing.assert_close(seen, store[SITES[0]].sum(0), rtol=1e-4, atol=1e-3)
    twice = list(store.batches(8, SITES[0], buffer_rows=90, seed=3, epochs=2))
    assert len(twice) == 2 * len(once)
    assert torch.equal(twice[0][0], once[0][0])
    assert not torch.equal(twice[39][0], once[0][0])
    again = store.batches(8, SITES[0], buffer_rows=90)
    assert all(torch.equal(a, b) for (a,), (b,) in zip(again, again, strict=True))


class Slow(GPT):
    """A model that takes its time, so that it can be killed at work."""

    def forward(self, tokens):
        time.sleep(0.01)
        return super().forward(tokens)


def begin(path):
    torch.set_num_threads(1)
    model, tokens = Slow(CONFIG).eval(), torch.arange(200 * 8).view(200, 8) % 11
    return harvest(model, tokens, ["blocks.0", "blocks.1"], path, batch_size=4, shard_rows=60)


@pytest.mark.skipif(sys.platform != "linux", reason="kills a fork of this process")
def test_a_killed_harvest_goes_on_without_a_lost_or_a_second_row(tmp_path):
    path, times = tmp_path / "store", {}
    for n_files in (1, 7, 20):
        process = multiprocessing.get_context("fork").Process(target=begin, args=(path,))
        process.start()
        while process.is_alive() and len(list(path.rglob("0*.safetensors"))) < n_files:
            time.sleep(0.001)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        with pytest.raises(ValueError, match="lacks .* of 27 shards; call harvest again"):
            Store.open(path)
        for file in path.glob("blocks.1/0*.safetensors"):  # the second site: these are whole
            written = os.stat(file).st_mtime_ns
            assert times.setdefault(file, written) == written
    torn = path / "blocks.0" / ".000026.safetensors.torn"
    torn.write_bytes(b"half a shard")
    store = begin(path)
    assert not torn.exists()
    assert all(os.stat(file).st_mtime_ns == written for file, written in times.items())
    same(store, begin(None))


def test_a_lost_or_torn_shard_alone_is_made_again(tmp_path):
    store = harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE)
    before = harvest(MODEL, TOKENS, SITES)
    file = store.folder(SITES[1]) / "000002.safetensors"
    content = file.read_bytes()
    for cut in (0, 5, 200, len(content) - 1):
        file.write_bytes(content[:cut])
        with pytest.raises(ValueError, match="000002.safetensors is no safetensors file"):
            Store.open(tmp_path)
        with pytest.raises(ValueError, match="000002.safetensors is no .* delete it and harvest"):
            harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE)
    file.unlink()
    with pytest.raises(ValueError, match="lacks 1 of 5 shards"):
        Store.open(tmp_path)
    same(harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE), before)


@pytest.mark.parametrize("bit", range(8))
def test_a_single_wrong_bit_is_found_when_it_is_read(bit, tmp_path):
    store = harvest(MODEL, TOKENS, SITES[0], tmp_path, **WHERE)
    file = store.folder(SITES[0]) / "000001.safetensors"
    content = bytearray(file.read_bytes())
    # Tensors of wide types come first in the file: the middle is of the activations.
    content[len(content) // 2] ^= 1 << bit
    file.write_bytes(content)
    message = "000001.safetensors is damaged: the checksum of its activations .* Delete the file"
    with pytest.raises(ValueError, match=message):
        store[SITES[0]]
    with pytest.raises(ValueError, match=message):
        list(store.batches(8))
    with pytest.raises(ValueError, match=message):
        Trainer(TopKSAE(16, 32, 2), store.folder(SITES[0]), steps=40, batch_size=32, lr=1e-3).fit()


def test_a_full_disk_is_one_sentence_and_the_harvest_goes_on_later(tmp_path, monkeypatch):
    real, written = os.fdopen, 0

    def full(*args, **kwargs):
        nonlocal written
        written += 1
        if written == 6:  # the index, two files of each of the first shards, then no more
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(runtime.os, "fdopen", full)
        with pytest.raises(OSError, match="could not write .*000002.*: the disk is full.*run this"):
            harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE)
    same(harvest(MODEL, TOKENS, SITES, tmp_path, **WHERE), harvest(MODEL, TOKENS, SITES))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda: {"tokens": TOKENS.flip(0)}, "tokens, kept, shards differ|tokens, kept differ"),
        (lambda: {"model": GPT(CONFIG, seed=1)}, "weights differ"),
        (lambda: {"sites": SITES[:1]}, "sites differ"),
        (lambda: {"dtype": torch.float16}, "dtype differ"),
        (lambda: {"keep": TOKENS > 3}, "kept, shards differ"),
        (lambda: {"shard_rows": 50}, "shards differ"),
    ],
)
def test_a_folder_of_another_harvest_is_left_alone(changed, message, tmp_path):
    arguments = {"model": MODEL, "tokens": TOKENS, "sites": SITES, "path": tmp_path, **WHERE}
    harvest(**arguments)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ValueError, match=f"holds another harvest: ({message})"):
        harvest(**arguments | changed())
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    harvest(**arguments | {"batch_size": 7})  # how many at once is not what is stored


def test_a_folder_with_other_shards_is_left_alone(tmp_path):
    write_shard(tmp_path / "mine.safetensors", {"activations": torch.zeros(2, 2)})
    with pytest.raises(ValueError, match="holds files that are no harvest's"):
        harvest(MODEL, TOKENS, SITES, tmp_path)
    assert torch.equal(read_shard(tmp_path / "mine.safetensors"), torch.zeros(2, 2))


def test_a_damaged_index_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no activation store: it has no index.json"):
        Store.open(tmp_path)
    for text in ("{", "{}", "[]"):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(ValueError, match="index.json is damaged"):
            Store.open(tmp_path)


def test_the_model_comes_back_in_the_mode_in_which_it_was():
    model = nn.Sequential(nn.Embedding(11, 4), nn.Dropout(0.5), nn.Sequential(nn.Linear(4, 4)))
    model[2].eval()
    tokens = TOKENS.clamp(min=0)
    first, second = (harvest(model, tokens, "2")["2"] for _ in range(2))
    assert torch.equal(first, second)  # without dropout
    assert [module.training for module in model.modules()] == [True, True, True, False, False]


def test_stored_rows_can_be_trained_on():
    x = harvest(MODEL, TOKENS, SITES[0])[SITES[0]]
    probe = nn.Linear(16, 1)
    probe(x).sum().backward()
    assert probe.weight.grad.abs().sum() > 0


def test_the_fingerprint_sees_any_training_step():
    model, other = GPT(CONFIG), GPT(CONFIG)
    assert fingerprint(model) == fingerprint(other)
    optimizer = torch.optim.SGD(other.parameters(), lr=1e-4)
    other.loss(TOKENS).backward()
    optimizer.step()
    assert fingerprint(model) != fingerprint(other)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"tokens": TOKENS[0]}, ValueError, r"tokens has shape \[8\]; it must be \[n, seq\]"),
        ({"tokens": TOKENS.float()}, ValueError, "dtype torch.float32"),
        ({"tokens": TOKENS[:0]}, ValueError, "one whole number at least"),
        ({"keep": TOKENS < -1}, ValueError, "keep leaves no row to store"),
        ({"keep": TOKENS}, TypeError, "keep has dtype torch.int64"),
        ({"keep": TOKENS[:3] > 0}, ValueError, "keep has shape"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"sites": "blocks.0.pattern"}, ValueError, "a store keeps .batch, seq, d."),
        ({"sites": "blocks.7"}, ValueError, "no such module"),
        ({"dtype": torch.float16, "model": GPT(CONFIG)}, ValueError, "not finite in float16"),
    ],
)
def test_what_cannot_be_harvested_is_refused(changed, error, message):
    if "model" in changed:
        with torch.no_grad():
            changed["model"].embed.weight.mul_(1e6)
    with pytest.raises(error, match=message):
        harvest(**{"model": MODEL, "tokens": TOKENS, "sites": SITES} | changed)


def test_unknown_sites_and_folders_of_memory_are_refused():
    store = harvest(MODEL, TOKENS, SITES[0])
    with pytest.raises(KeyError, match="'blocks.1' is not in the store; blocks.0.resid_post are"):
        store["blocks.1"]
    with pytest.raises(KeyError, match="not in the store"):
        store.batches(4, "blocks.1")
    with pytest.raises(ValueError, match="the store is in memory and has no folder"):
        store.folder(SITES[0])
