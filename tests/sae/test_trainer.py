"""Training stops anywhere and goes on with the same numbers; SAEs never influence each other."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import TrainingStopped, generator
from course_lib.sae import ReLUSAE, TopKSAE, Trainer
from course_lib.sae.learner import Learner


class Planted:
    """24 directions in 12 dimensions, each active with probability 0.05."""

    dictionary = torch.nn.functional.normalize(torch.randn(24, 12, generator=generator(7)), dim=-1)

    def features(self, n, generator):
        active = torch.rand(n, 24, generator=generator) < 0.05
        return active * (0.5 + torch.rand(n, 24, generator=generator))

    def sample(self, batch_size, generator):
        return self.features(batch_size, generator) @ self.dictionary


QUICK = {"steps": 40, "batch_size": 64, "lr": 3e-3, "dead_after": 320, "log_every": 10}


def pair(seed=0):
    return [ReLUSAE(12, 32, 0.1, n_instances=2, seed=seed), TopKSAE(12, 32, 2, seed=seed)]


def weights(saes):
    return [value for sae in saes for value in sae.state_dict().values()]


def same(saes, others):
    return all(torch.equal(a, b) for a, b in zip(weights(saes), weights(others), strict=True))


class StopAt:
    """A world that presses Ctrl-C while it draws the batch of a step."""

    def __init__(self, draw):
        self.draw, self.drawn = draw, 0

    def sample(self, batch_size, generator):
        self.drawn += 1
        if self.drawn == self.draw:
            os.kill(os.getpid(), signal.SIGINT)
        return Planted().sample(batch_size, generator)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    runs = [pair(), pair(), pair()]
    for saes, seed in zip(runs, (0, 0, 1), strict=True):
        Trainer(saes, Planted(), **QUICK, resample_every=10, seed=seed).fit()
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("stop", [1, 25, 41])
def test_ctrl_c_finishes_the_step_and_a_new_process_would_go_on_bit_for_bit(tmp_path, stop):
    straight, stopped, resumed = pair(), pair(), pair()
    settings = QUICK | {"resample_every": 15, "target_l0": None}
    Trainer(straight, Planted(), **settings).fit()
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingStopped, match="stopped at step .* of 40.*saved in .*run.pt"):
        Trainer(stopped, StopAt(stop), **settings, checkpoint=path).fit()
    assert not same(straight, stopped)
    history = Trainer(resumed, Planted(), **settings, checkpoint=path).fit()
    assert same(straight, resumed)
    assert history[0]["step"].tolist() == [10, 20, 30, 40]


def test_the_same_trainer_goes_on_after_ctrl_c():
    straight, stopped = pair(), pair()
    Trainer(straight, Planted(), **QUICK).fit()
    trainer = Trainer(stopped, StopAt(20), **QUICK)
    with pytest.raises(TrainingStopped):
        trainer.fit()
    trainer.fit()
    assert same(straight, stopped)


def test_a_training_in_slices_is_one_training_bit_for_bit(tmp_path):
    straight, sliced, resumed = pair(), pair(), pair()
    settings = QUICK | {"resample_every": 15}
    expected = Trainer(straight, Planted(), **settings).fit()
    path = tmp_path / "run.pt"
    trainer = Trainer(sliced, Planted(), **settings, checkpoint=path)
    for until in (1, 17, 17, 5, 39):
        trainer.fit(until)
    assert trainer.step == 39 and not trainer.finished and not same(straight, sliced)
    assert torch.load(path)["step"] == 39
    again = Trainer(resumed, Planted(), **settings, checkpoint=path)
    again.fit(40)
    assert again.finished and same(straight, resumed)
    history = trainer.fit()
    assert same(straight, sliced)
    for one, other in zip(history, expected, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in other)
    with pytest.raises(ValueError, match="until is 41; this training has 40 steps"):
        Trainer(pair(), Planted(), **QUICK).fit(until=41)


def test_ctrl_c_works_again_after_training():
    before = signal.getsignal(signal.SIGINT)
    Trainer(pair(), Planted(), **QUICK).fit()
    assert signal.getsignal(signal.SIGINT) is before


SCRIPT = """
import sys, time, torch
sys.path[:0] = {path!r}
torch.set_num_threads(1)
from test_trainer import Planted, QUICK, pair
from course_lib.sae import Trainer

class Slow(Planted):
    def sample(self, *args):
        time.sleep(0.01)
        return super().sample(*args)

saes = pair()
Trainer(saes, Slow(), **QUICK, resample_every=7, checkpoint={file!r}, checkpoint_every=3).fit()
"""


def test_kill_9_in_the_middle_then_the_same_final_weights(tmp_path):
    path = tmp_path / "run.pt"
    here = os.path.dirname(os.path.abspath(__file__))
    code = textwrap.dedent(SCRIPT).format(path=[here, *sys.path], file=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    while not path.exists() and process.poll() is None:
        time.sleep(0.005)
    assert process.poll() is None, "the run ended before it could be killed"
    process.kill()
    process.wait()
    straight, resumed = pair(), pair()
    settings = QUICK | {"resample_every": 7}
    trainer = Trainer(resumed, Planted(), **settings, checkpoint=path)
    trainer.fit()
    Trainer(straight, Planted(), **settings).fit()
    assert same(straight, resumed)


def test_a_finished_checkpoint_is_loaded_and_not_folded_twice(tmp_path):
    path = tmp_path / "run.pt"
    first, second = pair(), pair()
    Trainer(first, Planted(), **QUICK, checkpoint=path).fit()
    Trainer(second, Planted(), **QUICK, checkpoint=path).fit()
    assert same(first, second)


def test_a_checkpoint_of_another_training_is_refused_by_name(tmp_path):
    path = tmp_path / "run.pt"
    Trainer(pair(), Planted(), **QUICK, checkpoint=path).fit()
    with pytest.raises(ValueError, match=r"another training: lr 0.003 \(now 0.1\)"):
        Trainer(pair(), Planted(), **QUICK | {"lr": 0.1}, checkpoint=path).fit()
    with pytest.raises(ValueError, match="another training: saes"):
        Trainer(TopKSAE(12, 32, 2), Planted(), **QUICK, checkpoint=path).fit()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04"])
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "run.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="run.pt is no checkpoint that can be read"):
        Trainer(pair(), Planted(), **QUICK, checkpoint=path).fit()
    assert path.read_bytes() == content


def test_a_hostile_checkpoint_is_never_executed(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    path = tmp_path / "run.pt"
    torch.save({"identity": Hostile()}, path)
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        Trainer(pair(), Planted(), **QUICK, checkpoint=path).fit()
    assert not (tmp_path / "executed").exists()


def test_saes_of_a_list_learn_as_if_alone():
    together, relu, topk = pair(), pair()[0], pair()[1]
    Trainer(together, Planted(), **QUICK).fit()
    Trainer(relu, Planted(), **QUICK).fit()
    Trainer(topk, Planted(), **QUICK).fit()
    assert same(together, [relu, topk])


@pytest.mark.parametrize("make", [ReLUSAE, TopKSAE])
def test_instances_learn_as_if_alone(make):
    parameter = {ReLUSAE: 0.1, TopKSAE: 2}[make]
    both = make(12, 32, parameter, n_instances=2)
    alone = [both.instance(0), both.instance(1)]
    Trainer(both, Planted(), **QUICK).fit()
    for index, sae in enumerate(alone):
        Trainer(sae, Planted(), **QUICK).fit()
        for ours, theirs in zip(weights([both.instance(index)]), weights([sae]), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("make", [ReLUSAE, TopKSAE])
def test_training_does_not_depend_on_the_unit_of_the_activations(make):
    """Scaled to one norm while training, and folded back: x and 1000 x give the same SAE."""

    class Large(Planted):
        def sample(self, *args):
            return 1000 * super().sample(*args)

    small, large = (make(12, 32, {ReLUSAE: 0.1, TopKSAE: 2}[make]) for _ in range(2))
    Trainer(small, Planted(), **QUICK).fit()
    Trainer(large, Large(), **QUICK).fit()
    x = Planted().sample(64, generator(1))
    torch.testing.assert_close(large(1000 * x), 1000 * small(x), rtol=1e-3, atol=1.0)
    torch.testing.assert_close(large.W_dec, small.W_dec, rtol=1e-3, atol=1e-4)


def test_folding_leaves_the_trained_function_on_raw_activations():
    sae = ReLUSAE(12, 32, 0.1)
    trainer = Trainer(sae, StopAt(35), **QUICK)
    with pytest.raises(TrainingStopped):
        trainer.fit()
    x = Planted().sample(64, generator(1))
    assert trainer.scale != 1.0
    scaled, loss = sae(trainer.scale * x) / trainer.scale, sae.loss(trainer.scale * x).total
    trainer.finish()
    torch.testing.assert_close(sae(x), scaled)
    torch.testing.assert_close(sae.loss(x).total, loss / trainer.scale**2)
    trainer.finish()
    torch.testing.assert_close(sae(x), scaled)


def test_unit_decoder_rows_stay_unit_and_their_gradient_only_turns_them():
    sae = TopKSAE(12, 32, 2, n_instances=2)
    Trainer(sae, Planted(), **QUICK).fit()
    assert torch.allclose(sae.W_dec.norm(dim=-1), torch.ones(2, 32))
    sae.loss(Planted().sample(64, generator(0))).total.sum().backward()
    sae.prepare_gradients()
    assert (sae.W_dec.grad * sae.W_dec).sum(-1).abs().max() < 1e-5


def test_the_controller_reaches_its_targets():
    sae = ReLUSAE(12, 32, 1.0, n_instances=3)
    targets = [0.8, 1.5, 3.0]
    Trainer(sae, Planted(), steps=1200, batch_size=256, lr=3e-3, target_l0=targets).fit()
    z = sae.encode(Planted().sample(4096, generator(1)))
    l0 = (z > 0).float().sum(-1).mean(-1)
    assert torch.allclose(l0, torch.tensor(targets), rtol=0.1)


def test_a_target_l0_needs_a_penalty():
    with pytest.raises(ValueError, match="target_l0 is 2.0, but TopKSAE has no penalty"):
        Trainer(TopKSAE(12, 32, 2), Planted(), **QUICK, target_l0=2.0)


def test_dead_latents_are_those_without_firing_for_long():
    sae = ReLUSAE(12, 32, 0.1)
    sae.b_enc.data[:5] = -1e3
    trainer = Trainer(sae, Planted(), **QUICK | {"steps": 5, "lr": 1e-6})
    trainer.fit()
    (learner,) = trainer.learners
    assert learner.dead[:5].all()
    assert learner.dead.sum() < 10
    assert trainer.history[0]["dead"][-1] == pytest.approx(learner.dead.float().mean().item())


@pytest.mark.parametrize("n_instances", [None, 2])
def test_resampling_revives_dead_latents_and_forgets_their_moments(n_instances):
    sae = ReLUSAE(12, 32, 0.1, n_instances=n_instances)
    sae.b_enc.data[..., :5] = -1e3
    trainer = Trainer(
        sae, Planted(), **QUICK | {"steps": 10, "lr": 1e-6, "scale_activations": False}
    )
    trainer.fit()
    (learner,) = trainer.learners
    dead, before = learner.dead, sae.W_dec.clone()
    assert dead[..., :5].all()
    x = Planted().sample(64, generator(3))
    learner.resample(sae.loss(x), (x,), generator(0))
    assert not learner.dead.any()
    assert (sae.b_enc[..., :5] == 0).all()
    assert torch.equal(sae.W_dec[~dead], before[~dead])
    revived = torch.nn.functional.normalize(sae.W_dec, dim=-1)[..., 0, :]
    towards = torch.nn.functional.normalize(x - sae.b_dec[..., None, :], dim=-1)
    assert ((towards * revived[..., None, :]).sum(-1).amax(-1) > 0.999).all()
    for weight in (sae.W_dec, sae.b_enc, learner.by_rows[sae.W_enc]):
        moment = learner.optimizer.state[weight]["exp_avg_sq"]
        assert (moment[dead] == 0).all()
        assert (moment[~dead] > 0).any()


def test_resampling_brings_back_features_that_a_harsh_start_has_lost():
    recovered = {}
    for every in (None, 100):
        sae = ReLUSAE(12, 32, 1.0, decoder_norm="unit")
        sae.b_enc.data[8:] = -1e3
        settings = QUICK | {"steps": 600, "batch_size": 256, "dead_after": 5000, "lr": 1e-2}
        Trainer(sae, Planted(), **settings, resample_every=every).fit()
        cosine = torch.nn.functional.normalize(sae.W_dec, dim=-1) @ Planted.dictionary.T
        recovered[every] = (cosine.amax(0) > 0.9).float().mean().item()
    assert recovered[None] < 0.4
    assert recovered[100] > 0.7


@given(
    steps=st.integers(1, 200),
    warmup=st.floats(0, 1),
    decay=st.floats(0, 1),
)
@settings(max_examples=50)
def test_the_rate_rises_stays_and_falls(steps, warmup, decay):
    trainer = Trainer(
        TopKSAE(4, 4, 1), torch.ones(8, 4), batch_size=2, steps=steps, lr=0.5,
        lr_warmup=warmup, lr_decay=decay,
    )  # fmt: skip
    rates = torch.tensor([trainer.recipe.lr_at(step) for step in range(steps)])
    assert (rates > 0).all() and (rates <= 0.5).all()
    top = rates.argmax()
    assert (rates[: top + 1].diff() >= 0).all() and (rates[top:].diff() <= 0).all()
    if warmup + decay < 0.9 and steps > 20:
        assert rates.max() == 0.5


def test_history_is_what_the_batches_say():
    sae = TopKSAE(12, 32, 2)
    x = Planted().sample(64, generator(0))
    history = Trainer(sae, x, **QUICK | {"log_every": 1, "scale_activations": False}).fit()[0]
    assert history["fvu"].shape == (40,)
    assert history["fvu"][-1] < history["fvu"][0]
    error = (x - sae(x)).square().sum() / (x - x.mean(0)).square().sum()
    assert history["fvu"][-1].item() == pytest.approx(error.item(), abs=0.01)
    l0 = (sae.encode(x) > 0).float().sum(-1).mean()
    assert history["l0"][-1].item() == pytest.approx(l0.item(), abs=0.05)


def test_what_stays_of_a_step_is_numbers_and_no_tensor_that_would_hold_the_heap():
    trainer = Trainer(pair(), Planted(), **QUICK)
    trainer.fit()
    for learner in trainer.learners:
        for rows in learner.history.values():
            assert not any(isinstance(row, torch.Tensor) for row in rows)


def test_the_start_is_the_centre_of_the_data():
    x = torch.randn(256, 12, generator=generator(0)) + 5
    for how, expected in (("mean", x.mean(0)), ("zero", torch.zeros(12))):
        sae = TopKSAE(12, 32, 2)
        trainer = Trainer(sae, x, **QUICK | {"batch_size": 256}, center=how)
        trainer._start()
        assert torch.allclose(sae.b_dec, trainer.scale * expected, atol=1e-4)


def test_a_loss_that_explodes_is_an_error_with_advice():
    with pytest.raises(FloatingPointError, match="not finite at step .* lower lr"):
        Trainer(ReLUSAE(12, 32, 0.1), Planted(), **QUICK | {"lr": 1e30}).fit()


def test_bfloat16_trains_as_well_and_keeps_float32_weights():
    sae = TopKSAE(12, 32, 2)
    history = Trainer(sae, Planted(), **QUICK | {"steps": 200}, autocast=True).fit()[0]
    assert sae.W_dec.dtype == torch.float32
    full = Trainer(TopKSAE(12, 32, 2), Planted(), **QUICK | {"steps": 200}).fit()[0]
    assert history["fvu"][-1].item() == pytest.approx(full["fvu"][-1].item(), abs=0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("batch_size", 2.5), ("lr", 0.0), ("lr", float("nan")), ("lr_warmup", 1.5),
        ("sparsity_warmup", -1), ("dead_after", 0), ("resample_every", 0), ("center", "median"),
        ("target_l0", 0.0), ("seed", -1), ("log_every", -1),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(name, value):
    with pytest.raises((ValueError, TypeError), match=f"{name} (is|has)"):
        Trainer(ReLUSAE(12, 32), Planted(), **QUICK | {name: value})


def test_nothing_to_train_is_an_error():
    with pytest.raises(ValueError, match="saes is empty"):
        Trainer([], Planted(), **QUICK)


def test_a_learner_counts_codes_and_tensors_alike():
    sae = TopKSAE(12, 32, 2)
    x = Planted().sample(64, generator(0))
    learner = Learner(sae, Trainer(sae, x, **QUICK).recipe)
    learner._count(39, sae.loss(x), (x,))
    active = sae.encode(x) != 0
    assert torch.equal(learner.inputs_since_fired == 0, active.any(0))
    assert learner.history["l0"][-1] == pytest.approx(active.float().sum(-1).mean().item())
