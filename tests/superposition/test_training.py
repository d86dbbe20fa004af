"""The hand-written gradient is autograd's, and training is repeatable and can be interrupted."""

import itertools

import pytest
import torch

from course_lib.data import SparseFeatures, importance_decay
from course_lib.models import ToyModel
from course_lib.runtime import TrainingStopped, generator
from course_lib.superposition import Trainer, reconstruction_loss, training
from course_lib.superposition.gradient import BufferPool, GradientStep

VARIANTS = list(
    itertools.product(("relu", "linear"), ("linear", "relu"), (True, False), (None, torch.abs))
)


@pytest.mark.parametrize(("output", "hidden", "tied", "target"), VARIANTS)
def test_the_gradient_by_hand_is_autograds(output, hidden, tied, target):
    model = ToyModel(7, 3, 4, output=output, hidden=hidden, tied=tied, seed=1)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.b_dec)
    features = SparseFeatures(7, 0.6, 4, low=-1.0)
    importance = torch.rand(4, 1, 7)
    some = slice(1, 3)
    pool = BufferPool(model, 3, batch_size=32)
    losses = GradientStep(model, features, importance, target, pool, some, seed=3)()
    by_hand = [parameter.grad.clone() for parameter in model.parameters()]

    model.zero_grad()
    x = features.sample(32, generator(3), some)
    y = x if target is None else target(x)
    expected = reconstruction_loss(model(x, some), y, importance[some])
    expected.sum().backward()
    assert torch.allclose(losses, expected)
    for grad, parameter in zip(by_hand, model.parameters(), strict=True):
        assert torch.allclose(grad, parameter.grad, atol=1e-6)
        assert parameter.grad.any()


def trained(seed=0, n_instances=3, **kwargs) -> tuple[ToyModel, Trainer]:
    model = ToyModel(5, 2, n_instances, seed=seed)
    features = SparseFeatures(5, 0.2, n_instances)
    trainer = Trainer(model, features, **{"steps": 30, "batch_size": 64, "seed": seed} | kwargs)
    trainer.fit()
    return model, trainer


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    first, again, other = trained()[0], trained()[0], trained(seed=1)[0]
    assert torch.equal(first.W, again.W) and torch.equal(first.b_dec, again.b_dec)
    assert not torch.equal(first.W, other.W)


def test_the_number_of_threads_changes_neither_the_weights_nor_itself():
    before = torch.get_num_threads()
    weights = []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            weights.append(trained(n_instances=7)[0].W)
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(W, weights[0]) for W in weights)


def test_groups_learn_from_different_streams():
    model = ToyModel(5, 2, 8)
    with torch.no_grad():
        model.W.copy_(model.W[:1].expand_as(model.W))
    Trainer(model, SparseFeatures(5, 0.2, 8), steps=5, batch_size=64).fit()
    assert len(model.W.detach().flatten(1).unique(dim=0)) == 8


def test_instances_in_small_groups_are_all_trained(monkeypatch):
    monkeypatch.setattr(training, "CPU_CACHE_ENTRIES", 2 * 64 * 5)
    model, trainer = trained(n_instances=5, steps=200)
    assert (trainer.losses[-20:].mean(0) < trainer.losses[:20].mean(0)).all()
    assert not torch.equal(model.W, ToyModel(5, 2, 5).W)


def test_training_finds_the_state_of_lowest_analytic_loss():
    model = ToyModel(2, 1, 8)
    features = SparseFeatures(2, 0.1, 8)
    losses = Trainer(model, features, steps=1000, batch_size=256, lr=0.03).fit()
    best = losses[-100:].mean(0).argmin()
    assert torch.allclose(model.W[best].flatten().abs(), torch.ones(2), atol=0.1)
    assert model.W[best].prod() < 0


def test_importance_and_target_reach_the_loss():
    _, unweighted = trained(importance=0.0)
    assert not unweighted.losses.any()
    _, ones = trained(target=torch.ones_like, steps=400, lr=0.05)
    assert (ones.losses[-1] < 0.2 * ones.losses[0]).all()
    per_feature, _ = trained(importance=importance_decay(5, 0.1), steps=300)
    norms = per_feature.W.norm(dim=-1)
    assert (norms[:, 0] > norms[:, 4]).all()


def test_an_interrupted_training_keeps_its_weights_and_goes_on(monkeypatch):
    model = ToyModel(5, 2, 3)
    trainer = Trainer(model, SparseFeatures(5, 0.2, 3), steps=30, batch_size=64)
    whole = Trainer._train_step

    def interrupted(self, workers):
        if self.step == 12:
            raise KeyboardInterrupt
        whole(self, workers)

    monkeypatch.setattr(Trainer, "_train_step", interrupted)
    with pytest.raises(TrainingStopped, match="stopped at step 12 of 30.* call fit") as stopped:
        trainer.fit()
    assert stopped.value.trainer is trainer
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert trainer.losses[:12].isfinite().all() and trainer.losses[12:].isnan().all()
    monkeypatch.setattr(Trainer, "_train_step", whole)
    trainer.fit()
    assert torch.equal(model.W, trained()[0].W), "an interruption between steps changes nothing"


def test_a_training_in_slices_is_one_training_bit_for_bit():
    straight, expected = trained()
    model = ToyModel(5, 2, 3)
    trainer = Trainer(model, SparseFeatures(5, 0.2, 3), steps=30, batch_size=64)
    for until in (1, 12, 12, 5):
        losses = trainer.fit(until=until)
    assert trainer.step == 12 and losses[:12].isfinite().all() and losses[12:].isnan().all()
    assert torch.equal(trainer.fit(), expected.losses)
    assert torch.equal(model.W, straight.W) and torch.equal(model.b_dec, straight.b_dec)


@pytest.mark.parametrize(
    ("until", "error"), [(0, ValueError), (31, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_training_stops_only_at_a_step_that_it_has(until, error):
    _, trainer = trained()
    with pytest.raises(error, match="until is"):
        trainer.fit(until=until)


def test_a_diverging_loss_is_said_with_its_step():
    with pytest.raises(FloatingPointError, match="not finite from step .* lower lr"):
        trained(lr=1e30, steps=10)
    trainer = Trainer(ToyModel(5, 2, 3), SparseFeatures(5, 0.2, 3), steps=10, lr=1e30)
    with pytest.raises(FloatingPointError, match="not finite from step .* lower lr"):
        trainer.fit(until=9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": -5}, "batch_size is -5"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"importance": -1.0}, "importance has 1 of 1 entries"),
        ({"importance": torch.ones(4)}, r"importance has shape \[4\]; .* \[3, 5\]"),
    ],
)
def test_bad_arguments_are_named_with_their_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        trained(**arguments)


def test_features_must_fit_the_model():
    with pytest.raises(ValueError, match="features has n_features = 4; it must be the model's, 5"):
        Trainer(ToyModel(5, 2), SparseFeatures(4, 0.1), steps=1)
    with pytest.raises(ValueError, match="features has n_instances = 2"):
        Trainer(ToyModel(5, 2), SparseFeatures(5, 0.1, 2), steps=1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_training_on_a_gpu_reaches_the_loss_of_the_cpu():
    model = ToyModel(5, 2, 64).cuda()
    losses = Trainer(model, SparseFeatures(5, 0.1, 64), steps=500, batch_size=256).fit()
    on_cpu = Trainer(ToyModel(5, 2, 64), SparseFeatures(5, 0.1, 64), steps=500, batch_size=256)
    assert losses[-50:].mean().item() == pytest.approx(on_cpu.fit()[-50:].mean().item(), rel=0.1)
