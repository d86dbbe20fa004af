"""What is saved comes back exactly; what is damaged, foreign or hostile is refused, never run."""

import inspect
import json
import os
import pickle
import struct

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import course_lib.sae
from course_lib import runtime
from course_lib.sae import (
    SAE,
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
    SpectralSAE,
    ThresholdSAE,
    TopKSAE,
    Transcoder,
    files,
    load,
    saelens,
    save,
)

ARGUMENTS = {  # of each class, what it needs or what a file must not lose
    ReLUSAE: {"l1_coefficient": 0.3},
    PAnnealSAE: {"p_end": 0.4, "anneal_start": 0.3},
    GroupSparseSAE: {"group_coefficient": 0.2, "mask_prob": 0.4},
    GatedSAE: {"l1_coefficient": 0.3},
    TopKSAE: {"k": 2, "aux_k": 3},
    GradientTopKSAE: {"k": 2, "beta": 0.7},
    BatchTopKSAE: {"k": 2},
    MatryoshkaSAE: {"k": 2, "prefixes": (1, 2)},
    JumpReLUSAE: {"l0_coefficient": 0.3, "target_l0": 2.5, "bandwidth": 0.2},
    ThresholdSAE: {"tau": 0.4},
    MatchingPursuitSAE: {"steps": 2, "tol": 0.1},
    RandomDictionary: {"steps": 2},
    Transcoder: {"k": 2, "d_out": 4, "skip": True},
    SpectralSAE: {"k": 2, "lift": 2},
}
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def trained(cls=TopKSAE, d_in=3, d_sae=5, *, seed=0, dtype=torch.float32, **arguments) -> SAE:
    """An SAE that no start gives: every number of its state is random, buffers are positive."""
    arguments = ARGUMENTS.get(cls, {}) | arguments
    if cls is MatryoshkaSAE:
        arguments["prefixes"] = (*arguments["prefixes"], d_sae)
    sae = cls(d_in, d_sae, **arguments).to(dtype)
    generator = runtime.generator(seed)
    for name, tensor in sae.state_dict().items():
        drawn = torch.randn(tensor.shape, generator=generator)
        learnt = name in dict(sae.named_parameters()) and name != "threshold"
        tensor.copy_(drawn if learnt else (drawn.abs() + 0.01).clamp(max=1))
    return sae.eval()


def same(one: SAE, other: SAE) -> bool:
    """Equal in class, arguments, and every bit of the state."""
    a, b = one.state_dict(), other.state_dict()
    return (
        type(one) is type(other)
        and one.config == other.config
        and list(a) == list(b)
        and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)
    )


def theirs(folder, tensors, **cfg):
    """A folder as SAELens writes it."""
    d_in, d_sae = tensors["W_enc"].shape
    cfg = {"architecture": "standard", "d_in": d_in, "d_sae": d_sae, "dtype": "float32"} | cfg
    folder.mkdir(exist_ok=True)
    (folder / files.CFG).write_text(json.dumps(cfg), encoding="utf-8")
    save_file(tensors, folder / files.WEIGHTS)
    return folder


def weights(d_in=3, d_sae=5, seed=0, **more):
    draw = runtime.generator(seed)
    shapes = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    return {k: torch.randn(*shape, generator=draw) for k, shape in (shapes | more).items()}


def rewritten(folder, *, tensors=None, checksum=True, **changes):
    """Change the files of a saved SAE as someone would who knows how the checksum is made."""
    path = folder / files.CFG
    cfg = json.loads(path.read_text(encoding="utf-8"))
    ours = cfg[files.OURS]
    for name, value in changes.items():
        (ours["config"] if name in ours["config"] else ours)[name] = value
    if tensors is not None:
        save_file(tensors, folder / files.WEIGHTS, metadata={files.OURS: "x"})
    if checksum:
        digest = files.hashlib.sha256((folder / files.WEIGHTS).read_bytes())
        ours["sha256"] = files._checksum(cfg, digest)
    path.write_text(json.dumps(cfg), encoding="utf-8")


# --- round trips ---------------------------------------------------------------------------------


def test_every_architecture_of_the_room_is_tried_here():
    public = [getattr(course_lib.sae, name) for name in course_lib.sae.__all__]
    saes = {c for c in public if inspect.isclass(c) and issubclass(c, SAE) and c is not SAE}
    assert saes == ARGUMENTS.keys()


@settings(max_examples=100, deadline=None)
@given(
    cls=st.sampled_from(list(ARGUMENTS)), d_in=st.integers(1, 6), d_sae=st.integers(3, 9),
    n_instances=st.sampled_from([None, None, 1, 3]), dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)  # fmt: skip
def test_a_saved_sae_comes_back_bit_for_bit(
    tmp_path_factory, cls, d_in, d_sae, n_instances, dtype, seed
):
    sae = trained(cls, d_in, d_sae, n_instances=n_instances, dtype=dtype, seed=seed)
    folder = tmp_path_factory.mktemp("sae")
    assert save(sae, folder) == folder
    assert sorted(os.listdir(folder)) == [files.CFG, files.WEIGHTS]
    back = load(folder)
    assert same(back, sae)
    assert not back.training
    if dtype in (torch.float32, torch.float64):
        x = torch.randn(4, 2 * d_in, generator=runtime.generator(seed)).to(dtype)
        x = x if cls is SpectralSAE else x[:, :d_in]
        assert torch.equal(back(x), sae(x))
    for (name, new), old in zip(back.named_parameters(), sae.parameters(), strict=True):
        assert new.requires_grad and new.is_leaf, name
        assert new.stride() == old.stride(), name


def test_each_tensor_keeps_a_dtype_of_its_own(tmp_path):
    sae = trained(JumpReLUSAE, dtype=torch.bfloat16)
    sae.threshold.data = sae.threshold.data.float() + 1e-6
    sae.bandwidth = sae.bandwidth.double() + 1e-12
    assert same(load(save(sae, tmp_path)), sae)


def test_a_loaded_sae_trains_like_the_one_that_was_saved(tmp_path):
    sae = trained(TopKSAE, 6, 12)
    both = [sae, load(save(sae, tmp_path / "a"))]
    x = torch.randn(20, 6, generator=runtime.generator(1))
    for model in both:
        model.train()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        model.loss(x).total.backward()
        optimizer.step()
        model.constrain()
    assert same(*both)


def test_weights_are_stored_whole_and_under_the_names_that_saelens_reads(tmp_path):
    sae = trained(ReLUSAE, 3, 5)
    assert not sae.W_enc.is_contiguous()
    save(sae, tmp_path)
    stored = load_file(tmp_path / files.WEIGHTS)
    assert {k: list(v.shape) for k, v in stored.items()} == {
        "W_enc": [3, 5], "b_enc": [5], "W_dec": [5, 3], "b_dec": [3]
    }  # fmt: skip
    assert torch.equal(stored["W_enc"], sae.W_enc)
    cfg = json.loads((tmp_path / files.CFG).read_text(encoding="utf-8"))
    assert (cfg["architecture"], cfg["dtype"]) == ("standard", "float32")


def test_saving_again_replaces_what_was_there(tmp_path):
    save(trained(ReLUSAE, 3, 5), tmp_path)
    sae = trained(TopKSAE, 4, 6)
    save(sae, tmp_path)
    assert same(load(tmp_path), sae)


def test_a_class_of_your_own_is_found_by_its_name_and_never_passed_off_as_its_parent(tmp_path):
    class Shouting(TopKSAE):
        def __init__(self, *args, volume=2.0, **kwargs):
            super().__init__(*args, **kwargs)
            self.volume = volume

        def activate(self, pre):
            return self.volume * super().activate(pre)

    sae = trained(Shouting, 3, 5, k=2, volume=3.0)
    back = load(save(sae, tmp_path))
    assert type(back) is Shouting and back.volume == 3.0
    cfg = json.loads((tmp_path / files.CFG).read_text(encoding="utf-8"))
    assert cfg["architecture"] == "course_lib.Shouting"


def test_of_two_classes_with_one_name_the_last_defined_counts(tmp_path):
    def define(factor):
        class Redefined(ReLUSAE):
            def activate(self, pre):
                return factor * super().activate(pre)

        return Redefined

    first = define(1)
    folder = save(trained(first), tmp_path)
    second = define(2)
    assert type(load(folder)) is second


def test_a_class_that_is_not_there_is_named(tmp_path):
    folder = save(trained(), tmp_path)
    rewritten(folder, **{"class": "FromAnotherNotebook"})
    with pytest.raises(ValueError, match=r"'FromAnotherNotebook' is not there; import or define"):
        load(folder)


# --- refused at saving ---------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_not_saved(tmp_path, bad):
    sae = trained()
    sae.b_enc.data[1] = bad
    with pytest.raises(ValueError, match="b_enc has 1 of 5 entries that are not allowed"):
        save(sae, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_only_saes_are_saved(tmp_path):
    with pytest.raises(TypeError, match="of type Linear; it must be a course_lib.sae.SAE"):
        save(torch.nn.Linear(2, 2), tmp_path)


def test_an_argument_that_json_cannot_hold_is_told_before_anything_is_written(tmp_path):
    class Callable(ReLUSAE):
        def __init__(self, *args, function=abs, **kwargs):
            super().__init__(*args, **kwargs)
            self.function = function

    with pytest.raises(TypeError, match="not JSON serializable"):
        save(trained(Callable), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_crash_between_the_two_files_is_noticed(tmp_path, monkeypatch):
    folder = save(trained(seed=1), tmp_path)
    put = os.replace

    def crash(written, path):
        if path.name == files.CFG:
            raise KeyboardInterrupt
        put(written, path)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        save(trained(seed=2), folder)
    with pytest.raises(ValueError, match=r"cfg\.json .* a save was interrupted, or one of them"):
        load(folder)
    monkeypatch.undo()
    assert same(load(save(trained(seed=2), folder)), trained(seed=2))


# --- damaged -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = save(trained(ReLUSAE, 3, 5), tmp_path_factory.mktemp("intact"))
    return {name: (folder / name).read_bytes() for name in (files.CFG, files.WEIGHTS)}


def written(folder, contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", [files.CFG, files.WEIGHTS])
def test_a_file_cut_anywhere_is_refused_by_name(tmp_path, intact, name):
    for length in range(0, len(intact[name].rstrip()), 7):
        folder = written(tmp_path, intact | {name: intact[name][:length]})
        with pytest.raises(ValueError, match=name):
            load(folder)


@pytest.mark.parametrize("name", [files.CFG, files.WEIGHTS])
def test_one_bit_flipped_anywhere_never_gives_another_sae(tmp_path, intact, name):
    sae = load(written(tmp_path / "intact", intact))
    for place in range(0, len(intact[name]), 2 if name == files.CFG else 1):
        content = bytearray(intact[name])
        content[place] ^= 1 << (place % 8)
        folder = written(tmp_path / "flipped", intact | {name: bytes(content)})
        try:
            back = load(folder)
        except ValueError as error:
            assert str(folder) in str(error)
        else:
            assert same(back, sae), f"bit {place % 8} of byte {place}"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bytes_of_a_foreign_file_changed_at_will_give_an_sae_of_numbers_or_one_error(
    tmp_path_factory, data
):
    folder = theirs(tmp_path_factory.mktemp("theirs"), weights())
    name = data.draw(st.sampled_from([files.CFG, files.WEIGHTS]))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(content)
    try:
        sae = load(folder)
    except ValueError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
    else:
        assert all(tensor.isfinite().all() for tensor in sae.state_dict().values())


# --- hostile -------------------------------------------------------------------------------------


class Attack:
    """A pickle that makes a file when it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def as_pickle(attack):
    return pickle.dumps(attack)


def as_torch_zip(attack):
    return as_torch(attack, True)


def as_old_torch(attack):
    return as_torch(attack, False)


def as_torch(attack, zipped):
    import io

    content = io.BytesIO()
    torch.save(attack, content, _use_new_zipfile_serialization=zipped)
    return content.getvalue()


@pytest.mark.parametrize("packed", [as_pickle, as_torch_zip, as_old_torch])
@pytest.mark.parametrize("name", [files.CFG, files.WEIGHTS])
def test_a_pickle_under_another_name_is_refused_and_not_run(tmp_path, intact, name, packed):
    trap = tmp_path / "trap"
    folder = written(tmp_path / "sae", intact | {name: packed(Attack(trap))})
    said = "is a pickle, as torch.save writes it" if name == files.WEIGHTS else "no JSON object"
    with pytest.raises(ValueError, match=said):
        load(folder)
    assert not trap.exists()


HEADERS = {
    "empty": b"",
    "a header longer than the file": struct.pack("<Q", 10**6) + b"{}",
    "a header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "a tensor beyond the end": (
        lambda h: struct.pack("<Q", len(h)) + h + b"\0" * 8
    )(b'{"W_enc":{"dtype":"F32","shape":[3,5],"data_offsets":[0,60]}}'),
    "a shape that is not the bytes": (
        lambda h: struct.pack("<Q", len(h)) + h + b"\0" * 8
    )(b'{"W_enc":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}'),
}  # fmt: skip


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_a_header_that_lies_is_refused(tmp_path, intact, content):
    folder = written(tmp_path, intact | {files.WEIGHTS: content})
    with pytest.raises(ValueError, match=r"sae_weights\.safetensors is no whole safetensors file"):
        load(folder)


CFGS = {
    "nothing": ("", "is no JSON object"),
    "no JSON": ("{'d_in': 3}", "is no JSON object"),
    "a list": ("[1, 2]", r"is no JSON object \(it holds a list\)"),
    "nested without end": ("[" * 100_000, "is no JSON object"),
    "no UTF-8": (b"\xff\xfe{}", "is no JSON object"),
    "nothing said": ("{}", "d_in is None; it must be a whole number"),
}


@pytest.mark.parametrize(("content", "said"), CFGS.values(), ids=CFGS)
def test_a_description_that_says_nothing_is_refused(tmp_path, content, said):
    folder = theirs(tmp_path, weights())
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / files.CFG).write_bytes(raw)
    with pytest.raises(ValueError, match=rf"cfg\.json.*{said}"):
        load(folder)


def test_a_description_of_gigabytes_is_not_read(tmp_path, monkeypatch):
    folder = save(trained(), tmp_path)
    monkeypatch.setattr(files, "LARGEST_JSON", 100)
    with pytest.raises(ValueError, match="bytes, more than 100"):
        load(folder)


@pytest.mark.parametrize(
    ("cfg", "said"),
    [
        ({"architecture": "../../../etc/passwd"}, "must be one of 'standard', 'topk', 'jump"),
        ({"architecture": "course_lib.SAE"}, "must be one of 'standard', 'topk'"),
        ({"architecture": ["standard"]}, "must be one of 'standard', 'topk'"),
        ({"d_sae": 10**15}, r"d_in 3, d_sae 1000000000000000 do not fit the 38 numbers"),
        ({"d_sae": 0}, "d_sae is 0; it must be a whole number of at least 1"),
        ({"d_sae": -5, "d_in": -3}, "d_in is -3; it must be a whole number"),
        ({"d_in": "3"}, "d_in is '3'; it must be a whole number"),
        ({"d_in": True}, "d_in is True; it must be a whole number"),
        ({"dtype": "load"}, "dtype is 'load'; it must be one of 'float64', 'float32'"),
        ({"dtype": "int8"}, "dtype is 'int8'; it must be one of"),
        ({"architecture": "topk"}, "k is None; it must be a whole number"),
        ({"architecture": "topk", "k": 6}, "k is 6; it must be at most d_sae = 5"),
        ({"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input is 'yes'; it must be true"),
        ({"normalize_activations": "layer_norm"}, "each input's own cannot be folded"),
        ({"normalize_activations": "constant_norm_rescale"}, "each input's own cannot be folded"),
        ({"reshape_activations": "hook_z"}, "inputs have a head axis"),
        ({"hook_point": "blocks.0.attn.hook_z"}, "inputs have a head axis"),
        ({"activation_fn": "tanh-relu"}, "activation_fn is 'tanh-relu'"),
        ({"normalize_activations": "expected_average_only_in"}, "scale is not in activation_sca"),
    ],
    ids=str,
)
def test_what_our_classes_do_not_compute_is_refused(tmp_path, cfg, said):
    folder = theirs(tmp_path, weights(), **cfg)
    with pytest.raises(ValueError, match=rf"cfg\.json.*(?:{said})"):
        load(folder)


def with_nan():
    return weights() | {"b_dec": torch.tensor([0.0, torch.nan, 1.0])}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (lambda: {k: v for k, v in weights().items() if k != "b_enc"}, "must be .*'b_enc'"),
        (lambda: weights(threshold=(5,)), "has tensors .*'threshold'.*; they must be"),
        (lambda: weights() | {"b_dec": torch.zeros(5)}, r"b_dec has shape \[5\]; by cfg.json .*3"),
        (lambda: weights() | {"W_dec": torch.zeros(3, 5)}, r"W_dec has shape \[3, 5\]"),
        (lambda: weights() | {"W_dec": torch.zeros(15)}, r"W_dec has shape \[15\]"),
        (lambda: weights() | {"b_enc": torch.zeros(5, dtype=torch.int64)}, "dtype I64"),
        (lambda: weights() | {"b_enc": torch.zeros(5).to(torch.float8_e5m2)}, "dtype F8_E5M2"),
        (with_nan, "b_dec has 1 of 3 entries that are not allowed, the first is nan"),
    ],
)
@pytest.mark.parametrize("ours", [False, True], ids=["theirs", "ours"])
def test_tensors_that_do_not_fit_are_refused_by_name(tmp_path, tensors, said, ours):
    if ours:
        rewritten(save(trained(TopKSAE), tmp_path), tensors=tensors())
    else:
        theirs(tmp_path, tensors())
    with pytest.raises(ValueError, match=rf"sae_weights\.safetensors .*{said}"):
        load(tmp_path)


def test_sizes_that_do_not_fit_the_weights_are_refused(tmp_path):
    folder = theirs(tmp_path, weights(), d_sae=6)
    with pytest.raises(
        ValueError, match=r"W_enc has shape \[3, 5\]; by cfg.json it must be \[3, 6\]"
    ):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"d_sae": 10**12}, "d_sae 1000000000000 do not fit the 38 numbers"),
        (
            {"n_instances": 10**12},
            "n_instances 1000000000000, d_in 3, d_sae 5 do not fit the 38 numbers",
        ),
        ({"d_in": 4, "d_sae": 5}, r"W_enc has shape \[3, 5\]; by cfg.json it must be \[4, 5\]"),
        ({"k": 2.5}, "k is 2.5; it must be a whole number"),
        ({"decoder_norm": "none"}, "decoder_norm is 'none'; it must be one of 'unit', 'free'"),
        ({"config": {"d_in": 3, "d_sae": 5, "k": 2, "steps": 1}}, "unexpected keyword argument"),
        ({"config": [3, 5]}, "holds no SAE that can be loaded"),
        ({"class": "os.system"}, "'os.system' is not there"),
        ({"class": "SAE"}, "'SAE' is not there"),
        ({"class": "Module"}, "'Module' is not there"),
        ({"class": ["TopKSAE"]}, "is not there"),
        ({"state": {"W_dec": {"dtype": "float32", "value": 1}}}, "its state holds"),
        ({"state": None}, "holds no SAE that can be loaded"),
    ],
    ids=str,
)
def test_our_own_part_is_checked_even_where_its_checksum_is_right(tmp_path, changes, said):
    rewritten(save(trained(TopKSAE), tmp_path), **changes)
    with pytest.raises(ValueError, match=rf"{files.CFG}|{files.WEIGHTS}") as caught:
        load(tmp_path)
    caught.match(said)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"dtype": "float32", "value": [1.0, 2.0]}, r"l1_coefficient has shape \[2\]"),
        ({"dtype": "load", "value": 1.0}, "holds no SAE that can be loaded"),
        ({"dtype": "float32", "value": 1e400}, "l1_coefficient has 1 of 1 entries"),
        ({"dtype": "float32", "value": "os"}, "holds no SAE that can be loaded"),
        (3, "holds no SAE that can be loaded"),
    ],
    ids=str,
)
def test_the_state_beside_the_weights_is_checked_too(tmp_path, value, said):
    rewritten(save(trained(ReLUSAE), tmp_path), state={"l1_coefficient": value})
    with pytest.raises(ValueError, match=rf"cfg\.json .*{said}"):
        load(tmp_path)


def test_a_change_by_hand_is_noticed(tmp_path):
    folder = save(trained(TopKSAE), tmp_path)
    rewritten(folder, k=3, checksum=False)
    with pytest.raises(ValueError, match="not as they were saved together"):
        load(folder)


def test_an_sae_of_ours_does_not_turn_into_a_foreign_one_when_our_part_is_cut_out(tmp_path):
    folder = save(trained(TopKSAE), tmp_path)
    cfg = json.loads((folder / files.CFG).read_text(encoding="utf-8"))
    del cfg[files.OURS]
    (folder / files.CFG).write_text(json.dumps(cfg), encoding="utf-8")
    with pytest.raises(ValueError, match="not as they were saved together"):
        load(folder)


@pytest.mark.parametrize("name", [files.CFG, files.WEIGHTS])
def test_a_missing_file_is_named(tmp_path, name):
    folder = save(trained(), tmp_path)
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is not there; an SAE is a folder with"):
        load(folder)
    (folder / name).mkdir()
    with pytest.raises(FileNotFoundError, match=name):
        load(folder)


# --- the options of SAELens, by their definition -------------------------------------------------


def encoded(w, x, *, shift, cut=torch.relu):
    return cut((x - w["b_dec"] if shift else x) @ w["W_enc"] + w["b_enc"])


@settings(max_examples=30, deadline=None)
@given(shift=st.booleans(), seed=st.integers(0, 2**31), d_in=st.integers(1, 8))
@example(shift=False, seed=0, d_in=5)
def test_a_foreign_relu_sae_computes_what_its_options_say(tmp_path_factory, shift, seed, d_in):
    w = weights(d_in, 12, seed)
    folder = theirs(tmp_path_factory.mktemp("x"), w, apply_b_dec_to_input=shift)
    sae, x = load(folder), torch.randn(50, d_in, generator=runtime.generator(seed))
    z = encoded(w, x, shift=shift)
    assert torch.allclose(sae.encode(x), z, atol=1e-5)
    assert torch.allclose(sae(x), z @ w["W_dec"] + w["b_dec"], atol=1e-5)


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("shift", [False, True])
def test_a_foreign_topk_sae_may_choose_by_decoder_norms(tmp_path, rescale, shift):
    w = weights(6, 20, 3)
    w["W_dec"] *= torch.linspace(0.1, 3, 20)[:, None]
    options = {"rescale_acts_by_decoder_norm": rescale, "apply_b_dec_to_input": shift}
    sae = load(theirs(tmp_path, w, architecture="topk", k=4, **options))
    x = torch.randn(60, 6, generator=runtime.generator(4))
    norm = w["W_dec"].norm(dim=-1) if rescale else torch.ones(20)
    pre = encoded(w, x, shift=shift, cut=lambda pre: pre * norm)
    z = torch.where(pre >= pre.topk(4).values[:, -1:], pre.relu(), 0.0)
    assert torch.allclose(sae.encode(x), z, atol=1e-5)
    assert torch.allclose(sae(x), (z / norm) @ w["W_dec"] + w["b_dec"], atol=1e-5)


def test_a_scale_of_the_activations_that_stands_beside_is_folded_exactly(tmp_path):
    w, scale = weights(4, 10, 5), 3.7
    folder = theirs(tmp_path, w, normalize_activations="expected_average_only_in")
    (folder / files.SCALER).write_text(json.dumps({"scaling_factor": scale}), encoding="utf-8")
    x = torch.randn(50, 4, generator=runtime.generator(6))
    expected = (encoded(w, scale * x, shift=True) @ w["W_dec"] + w["b_dec"]) / scale
    assert torch.allclose(load(folder)(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"scaling_factor": 0}', '{"scaling_factor": null}']
)
def test_a_scale_that_is_none_is_refused(tmp_path, content):
    folder = theirs(tmp_path, weights(), normalize_activations="expected_average_only_in")
    (folder / files.SCALER).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"activation_scaler\.json"):
        load(folder)


def test_files_from_before_version_6_are_read(tmp_path):
    w = weights(4, 10, 7)
    old = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}, "dtype": "torch.float32"}
    old |= {"normalize_activations": False, "hook_point": "blocks.0.hook_resid_pre"}
    sae = load(theirs(tmp_path, w, **old))
    assert type(sae) is TopKSAE and sae.k == 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_of_a_foreign_file_is_the_one_it_names(tmp_path, dtype):
    sae = load(theirs(tmp_path, weights(), dtype=str(dtype).removeprefix("torch.")))
    assert {tensor.dtype for tensor in sae.state_dict().values()} == {dtype}


def test_the_header_tells_whose_file_it_is(tmp_path):
    save(trained(TopKSAE), tmp_path)
    with safe_open(tmp_path / files.WEIGHTS, framework="pt") as file:
        assert file.metadata() == {files.OURS: "TopKSAE"}


def test_every_class_that_saelens_has_is_read_back_from_its_words():
    assert set(saelens.ARCHITECTURE.values()) == saelens.READ.keys() == saelens.TENSORS.keys()
    assert ARGUMENTS.keys() >= saelens.ARCHITECTURE.keys()


@pytest.mark.parametrize(
    ("cls", "changes"),
    [
        (TopKSAE, {"n_instances": 1}),
        (MatchingPursuitSAE, {"tol": 0.2}),
        (Transcoder, {}),
        (SpectralSAE, {}),
    ],
)
def test_what_saelens_does_not_compute_never_bears_a_name_that_it_knows(tmp_path, cls, changes):
    save(trained(cls, **changes), tmp_path)
    cfg = json.loads((tmp_path / files.CFG).read_text(encoding="utf-8"))
    assert cfg["architecture"] == f"course_lib.{cls.__name__}"


def test_a_threshold_below_zero_which_training_never_leaves_is_not_saved(tmp_path):
    sae = trained(JumpReLUSAE)
    sae.threshold.data[0] = -1.0
    with pytest.raises(ValueError, match=r"threshold has 1 of 5 .* the first is -1"):
        save(sae, tmp_path)


def test_a_foreign_threshold_below_zero_is_zero(tmp_path):
    w = weights(4, 10, 8, threshold=(10,))
    sae = load(theirs(tmp_path, w, architecture="jumprelu"))
    x = torch.randn(80, 4, generator=runtime.generator(9))
    pre = encoded(w, x, shift=True, cut=lambda pre: pre)
    assert (w["threshold"] < 0).any()
    assert torch.allclose(sae.encode(x), pre.relu() * (pre > w["threshold"]), atol=1e-5)


@pytest.mark.parametrize("shift", [False, True])
def test_both_paths_of_a_foreign_gated_sae_lose_the_same_bias(tmp_path, shift):
    w = weights(4, 10, 8, b_gate=(10,), b_mag=(10,), r_mag=(10,))
    del w["b_enc"]
    sae = load(theirs(tmp_path, w, architecture="gated", apply_b_dec_to_input=shift))
    x = torch.randn(80, 4, generator=runtime.generator(9))
    inside = (x - w["b_dec"] if shift else x) @ w["W_enc"]
    magnitude = (inside * w["r_mag"].exp() + w["b_mag"]).relu()
    assert torch.allclose(sae.encode(x), magnitude * (inside + w["b_gate"] > 0), atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"stop_on_duplicate_support": True}, {"residual_threshold": 0.1}, {"max_iterations": 0}],
    ids=str,
)
def test_a_foreign_pursuit_that_stops_otherwise_is_refused(tmp_path, changes):
    w = {k: v for k, v in weights().items() if k != "b_enc"}
    cfg = {"stop_on_duplicate_support": False, "residual_threshold": 0, "max_iterations": 3}
    theirs(tmp_path, w, architecture="matching_pursuit", **cfg | changes)
    with pytest.raises(ValueError, match=r"cfg\.json"):
        load(tmp_path)
