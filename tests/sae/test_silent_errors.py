"""Errors that make no noise: each was, or is, in a library that people train with.

Every test names the error, and would fail if it were ours.
"""

import pytest
import torch

from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.runtime import generator
from course_lib.sae import (
    BatchTopKSAE,
    JumpReLUSAE,
    MatryoshkaSAE,
    TopKSAE,
    Trainer,
)
from course_lib.sae.topk import AUX_COEFFICIENT
from tests.sae.family import FAMILY, lived_in

D_IN, D_SAE = 6, 10
AUX = {
    "TopK": lambda **shared: TopKSAE(D_IN, D_SAE, 2, aux_k=3, **shared),
    "BatchTopK": lambda **shared: BatchTopKSAE(D_IN, D_SAE, 2, aux_k=3, **shared),
    "Matryoshka": lambda **shared: MatryoshkaSAE(D_IN, D_SAE, 2, [4, 10], aux_k=3, **shared),
}
DEAD = torch.arange(D_SAE) >= 6


@pytest.fixture(params=[(name, n) for name in AUX for n in (None, 1)], ids=str)
def with_aux(request):
    """Through the sparse codes, and, with an instance axis, densely."""
    name, n = request.param
    return lived_in(AUX[name](n_instances=n).double())


def batch(rows=12, seed=1):
    return 1.5 * torch.randn(rows, D_IN, generator=generator(seed), dtype=torch.float64)


def aux(sae, x, dead=DEAD):
    return sae.loss(x, dead=dead.expand(*sae.lead, D_SAE)).terms["aux"].squeeze()


# --- AuxK ----------------------------------------------------------------------------------------


def test_auxk_residual_is_detached_so_living_latents_learn_nothing_from_it(with_aux):
    """sparsify#57: through the residual, AuxK trains the latents that it is not about."""
    aux(with_aux, batch()).backward()
    rows = with_aux.W_dec.grad.squeeze(0), with_aux.W_enc.grad.squeeze(0).T
    assert all(not grad[~DEAD].any() and grad[DEAD].any() for grad in rows)


def test_auxk_sends_its_gradient_to_the_encoder(with_aux):
    """sparsify 1.3.3: the fused encoder returned none. Here it is the slope of the term."""
    x, step = batch(), 1e-6
    with torch.no_grad():
        with_aux.b_enc[..., ~DEAD] += 20.0  # the dead are silent, the residual is a constant
    aux(with_aux, x).backward()
    direction = torch.randn_like(with_aux.W_enc) * DEAD
    analytic = (with_aux.W_enc.grad * direction).sum().item()
    slopes = []
    for sign in (1, -1):
        with torch.no_grad():
            with_aux.W_enc += sign * step * direction
            slopes.append(aux(with_aux, x).item())
            with_aux.W_enc -= sign * step * direction
    assert analytic == pytest.approx((slopes[0] - slopes[1]) / (2 * step), rel=1e-5)
    assert abs(analytic) > 1e-3


def test_auxk_does_not_count_the_decoder_bias_twice(with_aux):
    """sparsify#132: the residual holds no b_dec any more, so its reconstruction must not add it."""
    with torch.no_grad():
        with_aux.b_dec.fill_(100.0)
    x = batch() + 100.0
    loss = with_aux.loss(x, dead=DEAD.expand(*with_aux.lead, D_SAE))
    pre = with_aux.pre_activations(x).reshape(12, D_SAE)[:, DEAD].relu()
    total = 0.0
    for row, left in zip(pre, (x - loss.x_hat).reshape(12, D_IN), strict=True):
        largest = row.topk(3).indices
        rebuilt = sum(row[j] * with_aux.W_dec.squeeze(0)[DEAD][j] for j in largest)
        total += (left - rebuilt).square().sum()
    expected = AUX_COEFFICIENT * total.item() / 12
    assert loss.terms["aux"].item() == pytest.approx(expected)


def test_auxk_counts_dead_latents_by_the_size_of_the_input_not_of_the_dictionary():
    """SAELens#432: k_aux is half of d_in."""
    assert TopKSAE(8, 1024, 4).aux_k == 4


def test_auxk_has_less_weight_where_fewer_latents_are_dead_than_it_may_use(with_aux):
    x = batch()
    one = torch.arange(D_SAE) == 7
    loss = with_aux.loss(x, dead=one.expand(*with_aux.lead, D_SAE))
    z = with_aux.pre_activations(x).reshape(12, D_SAE)[:, 7:8].relu()
    left = (x - loss.x_hat).reshape(12, D_IN) - z @ with_aux.W_dec.squeeze(0)[7:8]
    expected = AUX_COEFFICIENT / 3 * left.square().sum().item() / 12
    assert loss.terms["aux"].item() == pytest.approx(expected)


# --- selection -----------------------------------------------------------------------------------


def test_a_latent_selected_at_zero_gets_no_gradient(with_aux):
    """sparsify 1.3.3: with fewer than k positive pre-activations, zeros were trained as active."""
    with torch.no_grad():
        with_aux.b_enc.fill_(-50.0)
        with_aux.b_enc[..., 3] = 50.0
    with_aux.loss(batch()).total.sum().backward()
    others = torch.arange(D_SAE) != 3
    for grad in (with_aux.W_enc.grad.mT, with_aux.W_dec.grad, with_aux.b_enc.grad[..., None]):
        assert not grad.reshape(D_SAE, -1)[others].any() and grad.reshape(D_SAE, -1)[3].any()


def test_batch_topk_counts_k_per_input_not_per_batch():
    """overcomplete 0.3.0: there `top_k` is for the whole batch."""
    for n in (None, 2):
        sae = BatchTopKSAE(D_IN, 40, 3, n_instances=n).double()
        active = (sae.encode(batch(50)) > 0).sum(dim=(-1, -2))
        assert (active == 150).all()


# --- thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["BatchTopK", "Matryoshka"])
def test_the_threshold_of_batch_topk_is_in_the_state_dict(name):
    """overcomplete 0.3.0: a loaded SAE had none and let everything pass."""
    sae = lived_in(AUX[name]().double())
    for seed in range(5):
        sae.loss(batch(seed=seed))
    loaded = AUX[name](seed=1).double()
    loaded.load_state_dict(sae.state_dict())
    x = batch(200, seed=9)
    assert loaded.threshold > 0.1
    assert torch.equal(loaded.eval().encode(x), sae.eval().encode(x))
    assert (loaded.encode(x) > 0).double().mean() < (sae.pre_activations(x) > 0).double().mean()


class LogThresholds(JumpReLUSAE):
    """The error itself: the parameter is the logarithm of the threshold (SAELens#494, #718)."""

    @property
    def _threshold(self):
        return super()._threshold.exp()

    def constrain(self):
        super(JumpReLUSAE, self).constrain()


def test_thresholds_move_to_the_target_from_a_bad_start_where_their_logarithms_stay():
    """With the trainer's own learning rate, from where half of the latents are active."""
    dictionary = random_dictionary(24, 16, generator(0))
    world = PlantedActivations(SparseFeatures(24, 0.05, low=0.5, high=1.5), dictionary)
    target, start = 6.0, 0.001
    direct = JumpReLUSAE(16, 24, 100.0, target_l0=target)
    logarithm = LogThresholds(16, 24, 100.0, target_l0=target)
    with torch.no_grad():
        direct.threshold.fill_(start)
        logarithm.threshold.fill_(start).log_()
    fit = {"steps": 1000, "batch_size": 64, "log_every": 20, "scale_activations": False}
    histories = Trainer([direct, logarithm], ScaledUp(world), **fit).fit()
    ours, theirs = (history["l0"] for history in histories)
    assert ours[0] > 10 and theirs[0] > 10
    assert ours[-10:].mean().item() == pytest.approx(target, rel=0.2)
    assert theirs[-10:].mean() > 10
    assert direct.threshold.mean() > 100 * start
    assert logarithm.threshold.exp().mean() < 10 * start


class ScaledUp:
    """The world in the units of training, so that no fold hides where thresholds went."""

    def __init__(self, world):
        self.world = world

    def sample(self, batch_size, generator):
        return 3.5 * self.world.sample(batch_size, generator)


# --- scale ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "forgotten"),
    [
        ("relu", "b_enc"), ("topk", "b_dec"), ("gated", "b_enc"), ("gated", "b_mag"),
        ("batch topk", "threshold"), ("jumprelu", "threshold"), ("threshold", "tau"),
        ("matching pursuit", "tol"),
    ],
)  # fmt: skip
def test_the_scale_is_folded_into_every_bias_and_threshold(name, forgotten):
    """SAELens#354 forgot the decoder bias, #763 the threshold: each changes what comes out."""
    sae = lived_in(FAMILY[name].make(D_IN, D_SAE).double()).eval()
    x, scale = batch(50), 7.0
    expected = sae(scale * x) / scale
    kept = sae.state_dict()[forgotten].clone()
    sae.fold_scale(scale)
    assert torch.allclose(sae(x), expected)
    sae.state_dict()[forgotten].copy_(kept)
    assert not torch.allclose(sae(x), expected, rtol=0.01)


def test_every_architecture_trained_on_scaled_activations_works_on_the_raw_ones():
    """SAELens#381: the fold must have happened in what `fit` leaves behind."""
    dictionary = random_dictionary(8, D_IN, generator(0))
    world = PlantedActivations(SparseFeatures(8, 0.1), 50 * dictionary, shift=torch.full((6,), 9.0))
    x = world.sample(256, generator(1))
    for name, kind in FAMILY.items():
        if kind.batch.__name__ != "plain" or name == "random dictionary":
            continue
        sae = kind.make(D_IN, D_SAE)
        history = Trainer(sae, world, steps=50, batch_size=128, lr=0.02).fit()[0]
        left = (x - sae(x)).square().sum() / (x - x.mean(dim=0)).square().sum()
        assert left < 1.5 * history["fvu"][-1] + 0.05, name
        assert history["fvu"][-1] < 0.9, name
