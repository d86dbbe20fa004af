"""SAEs on disk: a folder with `cfg.json` and `sae_weights.safetensors`, laid out as by SAELens."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_lib import validate
from course_lib.files import check_version, write_together
from course_lib.sae import saelens
from course_lib.sae.base import SAE

if TYPE_CHECKING:
    from safetensors import safe_open

CFG, WEIGHTS, SCALER = "cfg.json", "sae_weights.safetensors", "activation_scaler.json"
OURS = "course_lib"  # our own part of cfg.json, and a mark in the header of the weights
VERSION = 1  # of our part of cfg.json; 0, without a version, is read alike
FLOATS = ("F64", "F32", "F16", "BF16")
LARGEST_JSON = 2**26  # bytes
SIZES = (  # arguments of constructors; no more than their product of numbers is in the weights
    ("n_instances", "d_in", "d_sae"), ("n_instances", "d_out", "d_sae"),
    ("n_instances", "modes", "lift", "d_sae"),
)  # fmt: skip


def save(sae: SAE, folder: str | Path) -> Path:
    """Write `sae` to `folder`, which is made if need be, and return the folder.

    What SAELens computes too is written so that `sae_lens.SAE.load_from_disk(folder)` reads it:
    ReLU, p-anneal and group-sparse SAEs as its "standard", TopK and g-SAE as "topk"; JumpReLU,
    threshold, BatchTopK and Matryoshka as "jumprelu", as at inference; Gated; and matching pursuit
    without a tolerance. All else (transcoders, spectral SAEs, several instances, classes of your
    own) goes under the architecture "course_lib.CLASS", which SAELens answers with a KeyError.
    `load` gives back class, arguments and state of both exactly; dtypes are kept.

    Each file is written whole or not at all, and a checksum in cfg.json ties the two together: if
    something stops this between the files, `load` says so. So edit neither by hand.

    Raises:
        TypeError: `sae` is no SAE, or an argument it was made with cannot be written as JSON.
        ValueError: a weight is NaN or infinite, or a threshold below 0.
        OSError: the folder cannot be written to.
    """
    from safetensors.torch import save as packed

    if not isinstance(sae, SAE):
        raise TypeError(f"sae is of type {type(sae).__name__}; it must be a course_lib.sae.SAE.")
    _check_finite(sae.state_dict())
    stored, rest = _split(sae)
    stored = {name: tensor.cpu().contiguous() for name, tensor in stored.items()}
    weights = packed(stored, metadata={OURS: type(sae).__name__})
    cfg: dict[str, Any] = {
        "architecture": saelens.architecture(sae) or f"{OURS}.{type(sae).__name__}",
        "dtype": _name(sae.W_dec.dtype),
        **(saelens.settings(sae) if saelens.architecture(sae) else {}),
        OURS: {
            "class": type(sae).__name__, "config": sae.config, "state": rest, "version": VERSION,
        },
    }  # fmt: skip
    cfg[OURS]["sha256"] = _checksum(cfg, hashlib.sha256(weights))
    folder = validate.path("folder", folder)
    text = json.dumps(cfg, indent=1, allow_nan=False)
    write_together({folder / WEIGHTS: weights, folder / CFG: text + "\n"})
    return folder


def load(folder: str | Path) -> SAE:
    """The SAE in `folder`, on the CPU: one of ours exactly as it was saved, or one from SAELens.

    It is in evaluation mode, so that no latent depends on the rest of a batch.

    A class of your own is found by its name among the subclasses of `SAE`, so define or import it
    first; of several with one name the last counts. From SAELens, options that weights can absorb
    are folded into them (b_dec not subtracted from the input, TopK by decoder norms, a scale of
    the activations that stands beside in activation_scaler.json), others are refused; what only
    training needs, such as the weight of a penalty, gets our defaults.

    Nothing in a file is ever executed; checksum, names, shapes and kinds are checked before a
    weight is read, its numbers after.

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
        ValueError: a file is damaged or not what it should be; naming it, and what to do.
    """
    folder = validate.path("folder", folder)
    cfg = _read_json(folder / CFG)
    with _opened(folder / WEIGHTS) as file:
        ours = OURS in cfg or OURS in (file.metadata() or {})
        with _blamed(folder / CFG):
            if ours:
                _check_together(cfg, folder / WEIGHTS)
                sae, rest = _ours(cfg[OURS], file)
            else:
                cfg = saelens.completed(cfg)
                _check_size(cfg, file)
                sae = saelens.made(cfg)
        with _blamed(folder / WEIGHTS):
            stored = _tensors(file, _split(sae)[0])
    if ours:
        return _filled(sae, {own: stored[name] for name, own in _names(sae).items()} | rest)
    dtype = sae.W_dec.dtype
    sae = _filled(sae, saelens.folded(cfg, {name: t.to(dtype) for name, t in stored.items()}))
    if cfg["normalize_activations"] != "none":
        sae.fold_scale(_activation_scale(folder))
    return sae


def _names(sae: SAE) -> dict[str, str]:
    """Name in the file and name in the state of each tensor among the weights."""
    known = saelens.architecture(sae) is not None
    return saelens.names(sae) if known else {name: name for name in sae.state_dict()}


def _split(sae: SAE) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What of an SAE goes into the weights, and what of its state is left over for cfg.json."""
    state = sae.state_dict()
    stored = saelens.tensors(sae) if saelens.architecture(sae) else state
    there = {own: stored[name] for name, own in _names(sae).items()}
    rest = {
        name: {"dtype": _name(tensor.dtype), "value": tensor.tolist()}
        for name, tensor in state.items()
        if name not in there or there[name].shape != tensor.shape
    }
    return stored, rest


def _ours(told: dict[str, Any], file: safe_open) -> tuple[SAE, dict[str, Tensor]]:
    """The SAE that our part of cfg.json tells of, weights still to come, and the rest of its state.

    Raises any exception for what it does not like.
    """
    name = told["class"]
    named = [cls for cls in _subclasses(SAE) if cls.__name__ == name]
    if not named or inspect.isabstract(named[-1]):
        raise ValueError(f"its class {name!r} is not there; import or define it, then load again.")
    _check_size(told["config"], file)
    sae = named[-1](**told["config"])
    own, (_, wanted) = sae.state_dict(), _split(sae)
    rest = {
        name: torch.tensor(value["value"], dtype=getattr(torch, value["dtype"]))
        for name, value in told["state"].items()
    }
    if rest.keys() != wanted.keys():
        raise ValueError(f"its state holds {sorted(rest)}; it must hold {sorted(wanted)}.")
    for name, tensor in rest.items():
        validate.shape(name, tensor, own[name].shape)
    _check_finite(rest)
    return sae, rest


def _filled(sae: SAE, stored: dict[str, Tensor]) -> SAE:
    """`sae` with the stored tensors for its own, in the same memory layout; others stay."""
    own = sae.to(stored["W_dec"].dtype).eval().state_dict()
    for name, tensor in stored.items():
        own[name] = torch.empty_like(own[name], dtype=tensor.dtype).copy_(tensor)
    sae.load_state_dict(own, assign=True)
    return sae


def _subclasses(cls: type[SAE]) -> Iterator[type[SAE]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """Whatever is wrong with what a file says becomes a ValueError that names the file."""
    try:
        yield
    except Exception as error:
        told = str(error) if isinstance(error, ValueError) else repr(error)
        raise ValueError(f"{path} holds no SAE that can be loaded: {told[:1000]}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; an SAE is a folder with {CFG} and {WEIGHTS}."
        )
    told = f"it has {path.stat().st_size} bytes, more than {LARGEST_JSON}"
    try:
        if path.stat().st_size <= LARGEST_JSON:
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                return content
            told = f"it holds a {type(content).__name__}"
    except (ValueError, RecursionError) as error:
        told = str(error)
    raise ValueError(f"{path} is no JSON object ({told}); fetch or save the SAE again.")


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """The weights with their header read and checked, no tensor read."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; an SAE is a folder with {CFG} and {WEIGHTS}."
        )
    try:
        file = safe_open(path, framework="pt")
    except SafetensorError as error:
        with path.open("rb") as start:
            first = start.read(2)
        if first == b"PK" or first[:1] == b"\x80":
            raise ValueError(
                f"{path} is a pickle, as torch.save writes it: opening it could run code, so it "
                "was not opened. Ask for the weights as safetensors."
            ) from None
        raise ValueError(
            f"{path} is no whole safetensors file ({str(error)[:99]}); fetch or save the SAE again."
        ) from error
    with file:
        yield file


def _check_size(config: dict[str, Any], file: safe_open) -> None:
    """Raise ValueError before anything is made of sizes for which the file has too few numbers."""
    held = sum(math.prod(file.get_slice(name).get_shape()) for name in set(file.keys()))
    for sizes in SIZES:
        told = {name: config[name] for name in sizes if isinstance(config.get(name), int)}
        if math.prod(told.values()) > held:
            said = ", ".join(f"{name} {size}" for name, size in told.items())
            raise ValueError(f"{said} do not fit the {held} numbers in {WEIGHTS}.")


def _tensors(file: safe_open, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file, once their names, kinds and shapes are those of `expected`."""
    names = set(file.keys())
    if names != expected.keys():
        raise ValueError(f"it has tensors {sorted(names)}; they must be {sorted(expected)}.")
    for name, tensor in expected.items():
        told = file.get_slice(name)
        if told.get_shape() != list(tensor.shape):
            raise ValueError(
                f"{name} has shape {told.get_shape()}; by {CFG} it must be {list(tensor.shape)}."
            )
        if (told.get_dtype() in FLOATS) != tensor.is_floating_point():
            raise ValueError(
                f"{name} has dtype {told.get_dtype()}; it must be like {tensor.dtype}."
            )
    tensors = {name: file.get_tensor(name) for name in expected}
    _check_finite(tensors)
    return tensors


def _check_finite(tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            validate.finite(name, tensor)


def _checksum(cfg: dict[str, Any], weights: Any) -> str:
    """Of the weights, whose sha256 object is given, and of all of cfg.json but the checksum."""
    ours = {key: value for key, value in cfg[OURS].items() if key != "sha256"}
    weights.update(json.dumps(cfg | {OURS: ours}, sort_keys=True).encode())
    return weights.hexdigest()


def _check_together(cfg: dict[str, Any], weights: Path) -> None:
    """Raise ValueError unless cfg.json and the weights are as they were saved, together."""
    digest = hashlib.sha256()
    with weights.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    ours = cfg.get(OURS)
    check_version(ours if isinstance(ours, dict) else {}, VERSION)
    if not isinstance(ours, dict) or ours.get("sha256") != _checksum(cfg, digest):
        raise ValueError(
            f"it and {WEIGHTS} are not as they were saved together: a save was interrupted, or one "
            "of them was changed. Fetch or save the SAE again."
        )


def _activation_scale(folder: Path) -> float:
    path = folder / SCALER
    if not path.is_file():
        raise ValueError(
            f"{folder / CFG} says normalize_activations is 'expected_average_only_in', and the "
            f"scale is not in {SCALER}: in SAELens, call fold_activation_norm_scaling_factor and "
            "save again, or load a copy with 'none' and call `fold_scale` with the scale."
        )
    with _blamed(path):
        return validate.number("scaling_factor", _read_json(path).get("scaling_factor"), 1e-30)
