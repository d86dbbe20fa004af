"""Files go both ways between course_lib and SAELens, and both sides compute the same."""

import json

import pytest
import torch
from safetensors.torch import save_file

from course_lib import runtime
from course_lib.sae import (
    BatchTopKSAE,
    GatedSAE,
    GradientTopKSAE,
    GroupSparseSAE,
    JumpReLUSAE,
    MatchingPursuitSAE,
    MatryoshkaSAE,
    PAnnealSAE,
    RandomDictionary,
    ReLUSAE,
    ThresholdSAE,
    TopKSAE,
    Transcoder,
    files,
    load,
    saelens,
    save,
)
from tests.differential.peers import peer

D_IN, D_SAE, BATCH, SCALE = 16, 64, 64, 2.3
OURS = {
    ReLUSAE: {},
    PAnnealSAE: {},
    GroupSparseSAE: {},
    GatedSAE: {},
    TopKSAE: {"k": 5},
    GradientTopKSAE: {"k": 5},
    BatchTopKSAE: {"k": 5},
    MatryoshkaSAE: {"k": 5, "prefixes": (8, 64)},
    JumpReLUSAE: {},
    ThresholdSAE: {"tau": 0.3},
    MatchingPursuitSAE: {"steps": 5},
    RandomDictionary: {"steps": 3},
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
PURSUIT = {"max_iterations": 5, "residual_threshold": 0.0, "stop_on_duplicate_support": False}
ARCHITECTURES = {  # theirs: class, options, and the class that reads it here
    "standard": ("StandardSAE", {}, ReLUSAE),
    "topk": ("TopKSAE", {"k": 5}, TopKSAE),
    "topk by norms": ("TopKSAE", {"k": 5, "rescale_acts_by_decoder_norm": True}, TopKSAE),
    "jumprelu": ("JumpReLUSAE", {}, JumpReLUSAE),
    "gated": ("GatedSAE", {}, GatedSAE),
    "matching pursuit": ("MatchingPursuitSAE", PURSUIT, MatchingPursuitSAE),
    "matching pursuit to the end": (
        "MatchingPursuitSAE", PURSUIT | {"max_iterations": None}, MatchingPursuitSAE
    ),
}  # fmt: skip
NOT_BY_NORMS = {"rescale_acts_by_decoder_norm": False}
TRAINING = {  # their training classes, and the class that reads what they save for inference
    "standard": ("StandardTrainingSAE", {}, ReLUSAE),
    "topk": ("TopKTrainingSAE", {"k": 5}, TopKSAE),
    "topk, not by norms": ("TopKTrainingSAE", {"k": 5} | NOT_BY_NORMS, TopKSAE),
    "batchtopk": ("BatchTopKTrainingSAE", {"k": 5.0}, JumpReLUSAE),
    "batchtopk, not by norms": ("BatchTopKTrainingSAE", {"k": 5.0} | NOT_BY_NORMS, JumpReLUSAE),
    "matryoshka": (
        "MatryoshkaBatchTopKTrainingSAE", {"k": 5.0, "matryoshka_widths": [8, 64]}, JumpReLUSAE
    ),
    "jumprelu": ("JumpReLUTrainingSAE", {}, JumpReLUSAE),
    "gated": ("GatedTrainingSAE", {}, GatedSAE),
}  # fmt: skip


pytestmark = pytest.mark.filterwarnings("ignore:The 'utils' module has been deprecated")


@pytest.fixture(scope="module")
def sae_lens():
    return peer("sae_lens")


def fill(module, generator):
    """Random numbers for every parameter: rows of different norms, biases and thresholds too."""
    for name, tensor in module.named_parameters():
        drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        if name == "W_enc":
            drawn /= D_IN**0.5
        elif name == "W_dec":
            drawn *= torch.rand(len(drawn), 1, generator=generator) / 4
        elif "threshold" in name:
            drawn = drawn.abs()
        tensor.data.copy_(drawn)
    for name, tensor in module.named_buffers():
        if "threshold" in name:  # of BatchTopK, as training leaves it
            tensor.fill_(0.4)
    return module


def inputs(dtype=torch.float32, seed=9):
    return torch.randn(BATCH, D_IN, generator=runtime.generator(seed), dtype=dtype)


def agree(one, other, x):
    """Whether two SAEs have the same latents, some and not all active, and the same output."""
    tolerance = TOLERANCE[x.dtype]
    z, other_z = one.encode(x), other.encode(x)
    assert 0 < (z > 0).sum() < z.numel()
    assert torch.allclose(z, other_z, rtol=0, atol=tolerance)
    assert torch.allclose(one(x), other(x), rtol=0, atol=tolerance)


def of_theirs(sae_lens, name, **options):
    cls = getattr(sae_lens, name)
    config = getattr(sae_lens, f"{name}Config")(d_in=D_IN, d_sae=D_SAE, **options)
    return cls(config)


def test_every_class_that_saelens_has_too_is_exchanged_here():
    assert OURS.keys() == saelens.ARCHITECTURE.keys()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("cls", OURS)
@pytest.mark.parametrize("seed", [0, 1])
def test_saelens_reads_ours_and_computes_the_same(sae_lens, tmp_path, cls, dtype, seed):
    sae = fill(cls(D_IN, D_SAE, **OURS[cls]), runtime.generator(seed)).to(dtype).eval()
    read = sae_lens.SAE.load_from_disk(save(sae, tmp_path))
    assert (read.cfg.architecture(), read.dtype) == (saelens.ARCHITECTURE[cls], dtype)
    agree(read, sae, inputs(dtype))


@pytest.mark.parametrize("cls", OURS)
def test_what_saelens_saves_of_ours_is_read_back_and_computes_the_same(sae_lens, tmp_path, cls):
    sae = fill(cls(D_IN, D_SAE, **OURS[cls]), runtime.generator(2)).eval()
    sae_lens.SAE.load_from_disk(save(sae, tmp_path / "ours")).save_model(tmp_path / "theirs")
    agree(load(tmp_path / "theirs"), sae, inputs())


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_we_read_theirs_and_compute_the_same(sae_lens, tmp_path, name, shift, dtype):
    cls, options, reader = ARCHITECTURES[name]
    told = str(dtype).removeprefix("torch.")
    sae = of_theirs(sae_lens, cls, apply_b_dec_to_input=shift, dtype=told, **options)
    fill(sae, runtime.generator(3)).save_model(tmp_path)
    read = load(tmp_path)
    assert type(read) is reader
    agree(read, sae, inputs(dtype))


@pytest.mark.parametrize("name", TRAINING)
def test_we_read_what_their_training_saves_for_inference(sae_lens, tmp_path, name):
    cls, options, reader = TRAINING[name]
    sae = fill(of_theirs(sae_lens, cls, **options), runtime.generator(4))
    sae.save_inference_model(tmp_path)
    read = load(tmp_path)
    assert type(read) is reader
    agree(read, sae_lens.SAE.load_from_disk(tmp_path), inputs())


def test_a_scale_beside_the_weights_is_folded_as_theirs_is(sae_lens, tmp_path):
    sae = of_theirs(sae_lens, "StandardSAE", normalize_activations="expected_average_only_in")
    fill(sae, runtime.generator(5)).save_model(tmp_path)
    scaler = peer("sae_lens.training.activation_scaler").ActivationScaler(SCALE)
    scaler.save(str(tmp_path / files.SCALER))
    x = inputs()
    assert torch.allclose(load(tmp_path)(x), scaler.unscale(sae(scaler(x))), rtol=0, atol=1e-5)
    sae.fold_activation_norm_scaling_factor(SCALE)
    assert torch.allclose(load(tmp_path)(x), sae(x), rtol=0, atol=1e-5)
    sae.save_model(tmp_path / "folded")
    agree(load(tmp_path / "folded"), sae, x)


OLD = {
    "plain": {"hook_point": "blocks.3.hook_resid_pre", "activation_fn_str": "relu"},
    "topk": {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}},
    "topk called standard": {
        "architecture": "standard", "activation_fn": "topk", "activation_fn_kwargs": {"k": 5}
    },
    "no normalisation": {"normalize_activations": False, "activation_fn_str": "relu"},
    "b_dec not subtracted": {"apply_b_dec_to_input": False, "normalize_activations": None},
}  # fmt: skip


@pytest.mark.parametrize("cfg", OLD.values(), ids=OLD)
def test_files_from_before_version_6_are_understood_as_they_understand_them(
    sae_lens, tmp_path, cfg
):
    sae = fill(ReLUSAE(D_IN, D_SAE), runtime.generator(6))
    save_file(
        {k: t.contiguous() for k, t in saelens.tensors(sae).items()}, tmp_path / files.WEIGHTS
    )
    cfg = {"d_in": D_IN, "d_sae": D_SAE, "dtype": "torch.float32"} | cfg
    (tmp_path / files.CFG).write_text(json.dumps(cfg), encoding="utf-8")
    agree(load(tmp_path), sae_lens.SAE.load_from_disk(tmp_path), inputs())


@pytest.mark.parametrize(
    ("option", "value"),
    [("normalize_activations", "layer_norm"), ("normalize_activations", "constant_norm_rescale"),
     ("normalize_activations", "covariance_whitening"), ("reshape_activations", "hook_z")],
)  # fmt: skip
def test_what_no_weights_can_do_is_refused(sae_lens, tmp_path, option, value):
    of_theirs(sae_lens, "StandardSAE", **{option: value}).save_model(tmp_path)
    with pytest.raises(ValueError, match=f"{option} is '{value}'"):
        load(tmp_path)


def test_saelens_does_not_read_what_it_has_not(sae_lens, tmp_path):
    class Doubling(ReLUSAE):
        def activate(self, pre):
            return 2 * super().activate(pre)

    for sae in (
        Doubling(D_IN, D_SAE),
        TopKSAE(D_IN, D_SAE, 5, n_instances=2),
        Transcoder(D_IN, D_SAE, 5),
        MatchingPursuitSAE(D_IN, D_SAE, 5, tol=0.1),
    ):
        name = type(sae).__name__
        with pytest.raises(KeyError, match=f"course_lib.{name}"):
            sae_lens.SAE.load_from_disk(save(sae, tmp_path / name))
