"""p-anneal: from the sum of the latents towards their number, without a jump in the penalty."""

import contextlib

import pytest
import torch

from course_lib.runtime import generator
from course_lib.sae import PAnnealSAE, ReLUSAE, Trainer
from course_lib.sae.p_anneal import SOFTENING
from tests.sae.family import lived_in


def annealed(decoder_norm="unit", **arguments) -> PAnnealSAE:
    return lived_in(PAnnealSAE(3, 5, 0.7, decoder_norm=decoder_norm, **arguments).double())


def batch(*shape, seed=1):
    return 1.5 * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("decoder_norm", ["unit", "free"])
@pytest.mark.parametrize("p", [1.0, 0.6, 0.2])
def test_the_penalty_is_the_softened_pth_power_summed(decoder_norm, p):
    sae, x = annealed(decoder_norm), batch(20, 3)
    sae.p.fill_(p)
    loss = sae.loss(x)
    norms = sae.W_dec.norm(dim=-1)
    total = 0.0
    for row in loss.z:
        for value, norm in zip(row.tolist(), norms.tolist(), strict=True):
            total += (value * norm + SOFTENING) ** p - SOFTENING**p
    assert loss.terms["sparsity"].item() == pytest.approx(0.7 * total / 20)


@pytest.mark.parametrize("decoder_norm", ["unit", "free"])
def test_with_p_1_it_is_the_relu_autoencoder(decoder_norm):
    sae, x = annealed(decoder_norm), batch(20, 3)
    sae.p.fill_(1.0)
    plain = ReLUSAE(3, 5, 0.7, decoder_norm=decoder_norm).double()
    plain.load_state_dict({name: sae.state_dict()[name] for name in plain.state_dict()})
    ours, theirs = sae.loss(x).terms, plain.loss(x).terms
    assert all(torch.allclose(ours[name], theirs[name]) for name in theirs)


def test_small_p_punishes_being_active_more_than_being_large():
    sae = PAnnealSAE(3, 4)
    spread, single = torch.ones(1, 4), torch.tensor([[4.0, 0.0, 0.0, 0.0]])
    for p, ratio in ((1.0, 1.0), (0.5, 2.0), (0.2, 4**0.8)):  # 4 · 1^p against 4^p
        sae.p.fill_(p)
        got = sae.sparsity_loss(spread, spread) / sae.sparsity_loss(single, single)
        assert got.item() == pytest.approx(ratio, rel=0.2)
    assert got > 2.5


# --- the schedule --------------------------------------------------------------------------------


def values_of_p(sae, steps, x):
    seen = []
    for step in range(steps):
        sae.schedule(step / steps)
        sae.loss(x)
        seen.append(round(sae.p.item(), 6))
    return seen


def test_p_falls_in_ten_equal_changes_and_trains_the_last_stretch_at_its_end():
    seen = values_of_p(PAnnealSAE(3, 4, p_end=0.5, anneal_start=0.2), 100, torch.ones(2, 3))
    assert seen[:20] == [1.0] * 20
    assert sorted(set(seen), reverse=True) == pytest.approx([1 - 0.05 * i for i in range(11)])
    assert seen == sorted(seen, reverse=True)
    assert seen[-8:] == pytest.approx([0.5] * 8)


def test_p_can_fall_from_the_first_step_or_not_at_all():
    assert values_of_p(PAnnealSAE(3, 4, anneal_start=0.0, p_end=0.5), 10, torch.ones(2, 3))[
        0
    ] == pytest.approx(0.95)
    assert set(values_of_p(PAnnealSAE(3, 4, p_end=1.0), 20, torch.ones(2, 3))) == {1.0}


@pytest.mark.parametrize("decoder_norm", ["unit", "free"])
def test_a_change_of_p_leaves_the_penalty_of_the_batch_where_it_was(decoder_norm):
    sae = lived_in(PAnnealSAE(3, 5, [0.3, 2.0], decoder_norm=decoder_norm, n_instances=2).double())
    sae.p.fill_(1.0)
    x = batch(20, 3)
    before, coefficient = sae.loss(x).terms["sparsity"], sae.l1_coefficient.clone()
    for progress in (0.3, 0.5, 0.99):
        sae.schedule(progress)
        loss = sae.loss(x)
        assert torch.allclose(loss.terms["sparsity"], before)
        loss.total.sum().backward()  # the change is no part of what is learnt
    assert sae.p.item() == pytest.approx(0.2)
    assert not torch.allclose(sae.l1_coefficient, coefficient, rtol=0.1)


def test_a_batch_on_which_nothing_fires_changes_p_and_no_coefficient():
    sae = annealed()
    with torch.no_grad():
        sae.b_enc.sub_(100.0)
    sae.schedule(0.99)
    assert sae.loss(batch(20, 3)).terms["sparsity"] == 0
    assert sae.p.item() == pytest.approx(0.2)
    assert sae.l1_coefficient.item() == pytest.approx(0.7)


def test_only_training_changes_p():
    sae = annealed().eval()
    sae.schedule(0.99)
    sae.loss(batch(20, 3))
    assert sae.p.item() == pytest.approx(0.6)


def test_a_loaded_sae_goes_on_with_the_p_it_was_saved_with():
    sae, x = annealed(), batch(20, 3)
    sae.schedule(0.99)
    sae.loss(x)
    loaded = PAnnealSAE(3, 5).double()
    loaded.load_state_dict(sae.state_dict())
    assert torch.equal(loaded.loss(x).total, sae.loss(x).total)
    assert loaded.p.item() == pytest.approx(0.2)


@pytest.mark.parametrize("stop", [3, 11, 19])
def test_resumed_training_has_the_same_p_and_weights_bit_for_bit(tmp_path, stop):
    x = batch(64, 3).float()
    settings = {"steps": 24, "batch_size": 16, "lr": 1e-2}

    class Interrupted(Exception):
        pass

    def batches(until):
        for step in range(until):
            yield x[16 * (step % 4) :][:16]
        if until < 24:
            raise Interrupted

    def run(until, **checkpoint):
        sae = PAnnealSAE(3, 5, 0.3)
        data = list(batches(24)) if until == 24 else batches(until)
        trainer = Trainer(sae, data, **settings, **checkpoint)
        with contextlib.suppress(Interrupted):
            trainer.fit()
        return sae

    path = tmp_path / "run.pt"
    straight = run(24)
    run(stop, checkpoint=path, checkpoint_every=1)
    resumed = run(24, checkpoint=path)
    assert straight.p.item() == pytest.approx(0.2)
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p_end": 0.0}, "p_end is 0.0; it must be a finite number from 0.01 to 1"),
        ({"p_end": 1.5}, "p_end is 1.5"),
        ({"anneal_start": 1.0}, "anneal_start is 1.0; it must be a finite number from 0 to 0.99"),
        ({"anneal_start": -0.1}, "anneal_start is -0.1"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        PAnnealSAE(3, 4, **arguments)
