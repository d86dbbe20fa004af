"""Swaps between two views, the group penalty, and what they do to a split dictionary."""

import math
import os
import signal

import pytest
import torch

from course_lib.data import PairedViews, SparseFeatures
from course_lib.runtime import TrainingStopped, generator
from course_lib.sae import GroupSparseSAE, TopKSAE, Trainer, same_latent
from tests.sae.family import lived_in


def made(d_in=3, d_sae=5, **arguments) -> GroupSparseSAE:
    return lived_in(GroupSparseSAE(d_in, d_sae, **arguments).double())


def pairs(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def loss_of(sae, x, seed=0):
    torch.manual_seed(seed)
    return sae.loss(x)


@pytest.mark.parametrize("norm", ["unit", "free"])
def test_the_loss_is_its_definition_written_out(norm):
    sae = made(decoder_norm=norm, l1_coefficient=0.2, group_coefficient=0.3, mask_prob=0.4)
    x = pairs(6, 2, 3)
    loss = loss_of(sae, x)
    torch.manual_seed(0)
    swapped = (torch.rand(6, 1, 5) < 0.4)[:, 0].tolist()
    z = sae.encode(x).tolist()
    W_dec, b_dec = sae.W_dec.tolist(), sae.b_dec.tolist()
    norms = [math.hypot(*row) for row in W_dec]
    error, penalty = 0.0, 0.0
    for i in range(6):
        for view in (0, 1):
            used = [z[i][1 - view if swapped[i][j] else view][j] for j in range(5)]
            for c in range(3):
                x_hat = b_dec[c] + sum(used[j] * W_dec[j][c] for j in range(5))
                assert loss.x_hat[i, view, c].item() == pytest.approx(x_hat)
                error += (x[i, view, c].item() - x_hat) ** 2
        for j in range(5):
            both = z[i][0][j], z[i][1][j]
            penalty += (0.2 * sum(both) + 0.3 * math.hypot(*both)) * norms[j]
    assert loss.terms["reconstruction"].item() == pytest.approx(error / 6)
    assert loss.terms["sparsity"].item() == pytest.approx(penalty / 6)
    assert torch.equal(loss.z, sae.encode(x))


def test_a_chance_of_one_decodes_each_view_from_the_other_and_of_zero_from_itself():
    x = pairs(8, 2, 3)
    for chance in (0.0, 1.0):
        sae = made(mask_prob=chance)
        x_hat = sae.decode(sae.encode(x))
        assert torch.allclose(sae.loss(x).x_hat, x_hat.flip(-2) if chance else x_hat)


@pytest.mark.parametrize("chance", [0.2, 0.5])
def test_latents_are_swapped_with_their_chance_and_each_on_its_own(chance):
    sae = made(d_sae=400, mask_prob=chance)
    z = torch.zeros(500, 2, 400, dtype=torch.float64)
    z[:, 1] = 1.0
    torch.manual_seed(0)
    first, second = sae._swapped(z).unbind(-2)
    assert torch.equal(first, 1 - second)
    noise = (chance * (1 - chance) / 200_000) ** 0.5
    assert first.mean().item() == pytest.approx(chance, abs=4 * noise)
    for axis in (0, 1):  # whole pairs or whole latents would scatter by chance (1 - chance)
        n = first.shape[axis]
        assert first.mean(dim=axis).var().item() < 1.5 * chance * (1 - chance) / n


def test_in_evaluation_nothing_is_swapped():
    sae, x = made(mask_prob=1.0).eval(), pairs(8, 2, 3)
    assert torch.allclose(sae.loss(x).x_hat, sae(x))
    before = torch.get_rng_state()
    sae.loss(x)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_group_penalty_is_cheaper_where_both_views_use_one_latent():
    sae = GroupSparseSAE(2, 2, 0.0, 1.0)
    shared = torch.tensor([[[3.0, 0.0], [3.0, 0.0]]])
    split = torch.tensor([[[3.0, 0.0], [0.0, 3.0]]])
    assert sae._group_loss(shared).item() == pytest.approx(3 * 2**0.5)
    assert sae._group_loss(split).item() == pytest.approx(6)


def test_views_in_which_no_latent_is_active_have_a_finite_gradient():
    sae = GroupSparseSAE(3, 5)
    with torch.no_grad():
        sae.b_enc.fill_(-100.0)
    sae.loss(torch.randn(4, 2, 3, generator=generator(0))).total.backward()
    assert all(p.grad.isfinite().all() for p in sae.parameters())
    assert not sae.W_enc.grad.any()


def test_instances_may_have_pairs_of_their_own_and_share_the_swaps():
    sae = made(n_instances=2, mask_prob=[0.5, 0.5])
    x = pairs(2, 6, 2, 3)
    own, shared = loss_of(sae, x), loss_of(sae, x[1])
    assert own.x_hat.shape == shared.x_hat.shape == (2, 6, 2, 3)
    assert own.z.shape == (2, 6, 2, 5)
    assert torch.allclose(own.total[1], shared.total[1])
    assert torch.allclose(own.total[0], loss_of(sae.instance(0), x[0]).total)


def test_a_single_view_is_read_as_by_any_sae():
    sae = made(n_instances=2)
    x = pairs(7, 3)
    z = torch.relu(sae.pre_activations(x))
    assert torch.equal(sae.encode(x), z) and z.shape == (2, 7, 5)


def small_world():
    return PairedViews(SparseFeatures(16, 1 / 8, low=0.5, high=1.5), 32)


QUICK = {"steps": 30, "batch_size": 32, "lr": 3e-3, "scale_activations": False}


def test_swaps_are_the_same_after_a_stop_and_beside_another_sae(tmp_path):
    world = small_world()
    straight, stopped, resumed, beside = (GroupSparseSAE(32, 32) for _ in range(4))
    Trainer(straight, world, **QUICK).fit()
    trainer = Trainer(stopped, world, **QUICK, checkpoint=tmp_path / "run.pt")
    stop_at(trainer, 13)
    Trainer(resumed, world, **QUICK, checkpoint=tmp_path / "run.pt").fit()
    Trainer([GroupSparseSAE(32, 8), beside], world, **QUICK).fit()
    for other in (resumed, beside):
        assert torch.equal(other.W_dec, straight.W_dec)
    assert not torch.equal(stopped.W_dec, straight.W_dec)


def stop_at(trainer, step):
    """Press Ctrl-C during a step."""
    draw = trainer.source.batch

    def batch(number):
        if number == step:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(number)

    trainer.source.batch = batch
    with pytest.raises(TrainingStopped):
        trainer.fit()


class Rows:
    """Both views of a world of pairs, as rows."""

    def __init__(self, world):
        self.world = world

    def sample(self, batch_size, generator):
        return self.world.sample(batch_size // 2, generator).flatten(0, 1)


def test_swaps_and_group_penalty_mend_a_split_dictionary_at_the_cost_of_reconstruction():
    world = small_world()
    settings = {"steps": 500, "scale_activations": False}
    group, topk = GroupSparseSAE(32, 32), TopKSAE(32, 32, 4)
    Trainer(group, world, batch_size=128, lr=3e-3, **settings).fit()
    Trainer(topk, Rows(world), batch_size=256, lr=1e-2, **settings).fit()
    x, f = world.sample_with_features(2000, generator(5))
    same, error = {}, {}
    for name, sae in {"group": group, "topk": topk}.items():
        with torch.no_grad():
            same[name] = same_latent(sae.encode(x[:, 0]), sae.encode(x[:, 1]), f).float().mean()
            error[name] = (x - sae(x)).square().sum(dim=-1).mean()
    assert same["group"] > 0.85 and same["topk"] < 0.3
    assert error["group"] > 3 * error["topk"]


def test_what_does_not_fit_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"x has shape \[4, 3\]; it must be \[batch, 2, 3\]"):
        made().loss(pairs(4, 3))
    with pytest.raises(ValueError, match="mask_prob has 1 of 1 entries that are not allowed"):
        GroupSparseSAE(3, 5, mask_prob=1.5)
    with pytest.raises(ValueError, match="group_coefficient"):
        GroupSparseSAE(3, 5, group_coefficient=-1.0)
