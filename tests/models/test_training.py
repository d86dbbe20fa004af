"""Training reaches the floor of its world, stops anywhere and goes on with the same numbers."""

import math
import os
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from safetensors.torch import load_file

from course_lib.models.cnn import CNN, CNNConfig
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.models.gru import GRU, GRUConfig
from course_lib.models.next_token import floor, next_token_loss
from course_lib.models.training import Schedule, Trainer, log_spaced
from course_lib.runtime import TrainingStopped, generator
from tests.models.worlds import Chain, StopAt

QUICK = {"steps": 40, "batch_size": 16, "lr": 3e-3, "log_every": 10}


class Stripes:
    """Pictures of 4 x 4 pixels with a bright row or a bright column."""

    def sample(self, batch_size, generator):
        y = torch.randint(2, (batch_size,), generator=generator)
        x = torch.rand(batch_size, 1, 4, 4, generator=generator)
        x[y == 0, :, 1] += 1
        x[y == 1, :, :, 1] += 1
        return x, y


class Whole(Chain):
    """The chain without short sequences, for a model that reads before it writes."""

    def sample(self, batch_size, generator):
        return super().sample(3 * batch_size, generator)[1::3]


def small(kind="GPT"):
    config = {
        "GPT": lambda: GPT(GPTConfig(5, 5, d_model=16, n_heads=2, n_layers=1, tied=True)),
        "GRU": lambda: GRU(GRUConfig(5, 2, d_model=4, d_hidden=8)),
        "CNN": lambda: CNN(CNNConfig(1, 4, (2,), channels=(4,))),
    }
    return config[kind]()


def world_of(kind):
    return {"GPT": Chain, "GRU": Whole, "CNN": Stripes}[kind]()


def same(one, other):
    return all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))


def test_a_gpt_learns_a_chain_down_to_its_floor():
    model = GPT(GPTConfig(5, 5, d_model=16, n_heads=2, n_layers=1))
    Trainer(model, Chain(), steps=400, batch_size=64, lr=1e-2).fit()
    tokens = Chain().sample(6000, generator(9)).tokens
    loss = next_token_loss(model(tokens[:, :-1]), tokens).mean().item()
    least = floor(Chain(), tokens).mean().item()
    assert least == pytest.approx(loss, rel=0.03)
    assert loss > least - 0.01


def test_history_has_loss_and_floor_of_the_same_batch():
    model = small()
    trainer = Trainer(model, Chain(), **QUICK)
    history = trainer.fit()
    assert history["step"].tolist() == [10, 20, 30, 40]
    assert (history["loss"] > history["floor"]).all()
    # Entropy of a row of the table: five entries, two large.
    entropy = -(Chain.table[0] * Chain.table[0].log()).sum()
    torch.testing.assert_close(history["floor"].mean(), entropy, rtol=0.1, atol=0.0)
    assert not model.training


@pytest.mark.parametrize("kind", ["GPT", "GRU", "CNN"])
def test_one_loop_serves_all_models(kind):
    model = small(kind)
    history = Trainer(model, world_of(kind), **QUICK | {"steps": 200, "lr": 1e-2}).fit()
    assert history["loss"][-3:].mean() < 0.8 * history["loss"][0]
    assert ("floor" in history) == (kind != "CNN")


def test_the_floor_is_of_the_tokens_that_the_model_predicts():
    tokens = Whole().sample(50, generator(0)).tokens
    assert len(next_token_loss(small("GRU")(tokens[:, :-1]), tokens)) == 50 * 3
    assert torch.equal(floor(Whole(), tokens, 3), -Whole().log_prob(tokens)[:, 3:].flatten())


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    runs = [small(), small(), small()]
    for model, seed in zip(runs, (0, 0, 1), strict=True):
        Trainer(model, Chain(), **QUICK, seed=seed).fit()
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize(
    ("kind", "stop", "muon_lr"),
    [("GPT", 1, 0.0), ("GPT", 25, 0.0), ("GPT", 25, 0.02), ("GPT", 40, 0.02), ("GRU", 25, 0.0)],
)
def test_ctrl_c_finishes_the_step_and_a_new_process_would_go_on_bit_for_bit(
    tmp_path, kind, stop, muon_lr
):
    how = QUICK | {"muon_lr": muon_lr}
    straight, stopped, resumed = small(kind), small(kind), small(kind)

    class Stopping(StopAt):
        def sample(self, batch_size, generator):
            rows = 3 * batch_size if kind == "GRU" else batch_size
            drawn = super().sample(rows, generator)
            return drawn[1::3] if kind == "GRU" else drawn

    Stopping.__name__ = type(world_of(kind)).__name__
    whole = Trainer(straight, world_of(kind), **how).fit()
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingStopped, match=f"stopped at step {stop} of 40.*saved in .*run.pt"):
        Trainer(stopped, Stopping(stop), **how, checkpoint=path).fit()
    history = Trainer(resumed, world_of(kind), **how, checkpoint=path).fit()
    assert same(straight, resumed)
    assert all(torch.equal(whole[name], history[name]) for name in whole)


def test_the_same_trainer_goes_on_after_ctrl_c():
    straight, stopped = small(), small()
    Trainer(straight, Chain(), **QUICK).fit()
    trainer = Trainer(stopped, StopAt(20), **QUICK)
    with pytest.raises(TrainingStopped):
        trainer.fit()
    trainer.fit()
    assert same(straight, stopped)


SCRIPT = """
import sys, time, torch
sys.path[:0] = {path!r}
torch.set_num_threads(1)
from tests.models.test_training import QUICK, Chain, Trainer, small

class Slow(Chain):
    def sample(self, *args):
        time.sleep(0.01)
        return super().sample(*args)

Slow.__name__ = "Chain"
Trainer(small(), Slow(), **QUICK, checkpoint={file!r}, checkpoint_every=3).fit()
"""


def test_kill_9_in_the_middle_then_the_same_final_weights(tmp_path):
    path = tmp_path / "run.pt"
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    code = textwrap.dedent(SCRIPT).format(path=[root, *sys.path], file=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    while not path.exists() and process.poll() is None:
        time.sleep(0.005)
    assert process.poll() is None, "the run ended before it could be killed"
    process.kill()
    process.wait()
    straight, resumed = small(), small()
    Trainer(resumed, Chain(), **QUICK, checkpoint=path).fit()
    Trainer(straight, Chain(), **QUICK).fit()
    assert same(straight, resumed)


def test_a_checkpoint_of_another_training_is_refused_by_name(tmp_path):
    path = tmp_path / "run.pt"
    Trainer(small(), Chain(), **QUICK, checkpoint=path).fit()
    with pytest.raises(ValueError, match=r"another training: lr 0.003 \(now 0.1\)"):
        Trainer(small(), Chain(), **QUICK | {"lr": 0.1}, checkpoint=path).fit()
    with pytest.raises(ValueError, match="another training: model GPT.*now GRU"):
        Trainer(small("GRU"), Chain(), **QUICK, checkpoint=path).fit()
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="run.pt is no checkpoint that can be read"):
        Trainer(small(), Chain(), **QUICK, checkpoint=path).fit()


def test_snapshots_are_the_weights_after_their_steps_also_when_training_was_stopped(tmp_path):
    model = small()
    start = {name: p.clone() for name, p in model.named_parameters()}
    trainer = Trainer(
        model, StopAt(15), **QUICK, checkpoint=tmp_path / "a.pt", snapshots=(0, 4, 20, 40)
    )
    with pytest.raises(TrainingStopped):
        trainer.fit()
    trainer.fit()
    kept = {step: load_file(trainer.snapshot_path(step)) for step in (0, 4, 20, 40)}
    assert trainer.snapshot_path(4).name == "a-step-4.safetensors"
    for name, parameter in model.named_parameters():
        assert torch.equal(kept[0][name], start[name])
        assert torch.equal(kept[40][name], parameter)
    until = small()  # the schedule of 40 steps, cut off at the fourth
    cut = Trainer(until, StopAt(4), **QUICK)
    with pytest.raises(TrainingStopped):
        cut.fit()
    assert all(torch.equal(kept[4][name], p) for name, p in until.named_parameters())


def test_steps_to_keep_are_spaced_by_a_factor():
    assert log_spaced(1000, 4) == (0, 10, 100, 1000)
    assert log_spaced(1000, 5, first=1) == (0, 1, 10, 100, 1000)
    many = log_spaced(5000, 20)
    assert many[:2] == (0, 10) and many[-1] == 5000 and len(many) == 20
    assert list(many) == sorted(set(many))
    with pytest.raises(ValueError, match="steps is 10; .* at least 11"):
        log_spaced(10, 5)


def test_the_rate_rises_then_falls_along_a_cosine():
    rate = [Schedule(100, 1, 2.0, lr_warmup=0.1).share_at(step) for step in range(100)]
    assert rate[:9] == pytest.approx([0.1 * (step + 1) for step in range(9)])
    assert rate[10] == pytest.approx(1.0) and max(rate) == pytest.approx(1.0)
    assert rate[55] == pytest.approx(0.5)
    assert rate[99] == pytest.approx((1 + math.cos(math.pi * 89 / 90)) / 2)
    assert Schedule(3, 1, 2.0, lr_warmup=0.0).share_at(0) == 1.0


@pytest.mark.parametrize("muon_lr", [0.0, 0.02])
def test_vectors_do_not_decay_and_matrices_do(muon_lr):
    model = small()
    trainer = Trainer(model, Chain(), **QUICK, weight_decay=0.5, muon_lr=muon_lr)
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0, 0.5][: len(groups)]
    assert all((p.ndim == 1) == (group is groups[1]) for group in groups for p in group["params"])
    held = [p for group in groups for p in group["params"]]
    assert len(held) == len(set(held)) and set(held) == set(model.parameters())


def test_muon_trains_the_matrices_in_the_blocks_and_both_optimizers_follow_the_schedule():
    model = small()
    trainer = Trainer(model, Chain(), **QUICK, muon_lr=0.02)
    adam, muon = trainer.optimizers
    assert {p.shape for group in muon.param_groups for p in group["params"]} == {
        (16, 16), (64, 16), (16, 64)
    }  # fmt: skip
    embedding = model.embed.weight
    assert any(embedding is p for p in adam.param_groups[0]["params"])
    trainer.fit()
    share = trainer.schedule.share_at(39)
    assert adam.param_groups[0]["lr"] == 3e-3 * share
    assert muon.param_groups[0]["lr"] == 0.02 * share


def test_a_loss_that_is_not_finite_stops_training_and_names_the_rate():
    model = small()
    with torch.no_grad():
        model.ln_final.weight[0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"loss of GPT is nan at step 10 with lr = 0.003"):
        Trainer(model, Chain(), **QUICK).fit()


def test_autocast_trains_in_bfloat16_and_keeps_weights_in_32_bits():
    model, exact = small(), small()
    Trainer(model, Chain(), **QUICK, autocast=True).fit()
    Trainer(exact, Chain(), **QUICK).fit()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not same(model, exact)
    for one, other in zip(model.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.3, atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"lr": 0.0}, "lr is 0"),
        ({"lr_warmup": 1.5}, "lr_warmup is 1.5"),
        ({"weight_decay": -1.0}, "weight_decay is -1"),
        ({"muon_lr": -1.0}, "muon_lr is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"snapshots": (1,)}, "name a checkpoint too"),
    ],
)
def test_bad_arguments_are_named_with_their_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        Trainer(small(), Chain(), **QUICK | arguments)


def test_muon_is_refused_for_a_model_without_blocks():
    with pytest.raises(ValueError, match=r"muon_lr is 0.02; it must be 0 for a CNN"):
        Trainer(small("CNN"), Stripes(), **QUICK, muon_lr=0.02)
