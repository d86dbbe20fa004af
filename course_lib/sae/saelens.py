"""The words of SAELens for our architectures: its settings, its tensors, and what it adds to them.

An SAE in SAELens's files is d_in, d_sae, an architecture and options. The options that only move
numbers about (whether b_dec is subtracted from the input, scales) are folded into the weights when
such a file is read; those that compute something else are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import SAE
from course_lib.sae.relu import ReLUSAE
from course_lib.sae.topk import TopKSAE

VERSION = "6.54.12"  # the release whose layout this is
ARCHITECTURE: dict[type[SAE], str] = {ReLUSAE: "standard", TopKSAE: "topk"}
READ: dict[str, Callable[..., SAE]] = {"standard": ReLUSAE, "topk": TopKSAE}
PLAIN = ("W_enc", "b_enc", "W_dec", "b_dec")
TENSORS = {"standard": PLAIN, "topk": PLAIN}
DTYPES = {
    "float64": torch.float64, "float32": torch.float32, "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}  # fmt: skip
ROW_NORM_FLOOR = 1e-8  # as SAELens divides by the norm of a decoder row


def architecture(sae: SAE) -> str | None:
    """SAELens's name for what `sae` computes; None where it has none, as for several instances."""
    return ARCHITECTURE.get(type(sae)) if sae.n_instances is None else None


def settings(sae: SAE) -> dict[str, object]:
    """The settings that stand beside architecture and sizes."""
    ours = {"apply_b_dec_to_input": True, "normalize_activations": "none"}
    if architecture(sae) == "topk":
        ours |= {"k": sae.k, "rescale_acts_by_decoder_norm": False}
    versions = {"sae_lens_version": VERSION, "sae_lens_training_version": None}
    return ours | {"reshape_activations": "none", "device": "cpu", "metadata": versions}


def tensors(sae: SAE) -> dict[str, Tensor]:
    """What SAELens stores of `sae`, which must be of an architecture that it knows."""
    return {name: getattr(sae, name).detach() for name in TENSORS[architecture(sae)]}


def made(cfg: Mapping[str, Any]) -> SAE:
    """An SAE of the class and sizes that `cfg` describes, its weights still to be filled in.

    Its decoder norm is free, and what only training needs has the value of our constructor.

    Raises ValueError for an architecture or an option that our classes do not compute.
    """
    name = validate.choice("architecture", cfg["architecture"], tuple(READ))
    for option, allowed, remedy in (
        (
            "reshape_activations", ("none",),
            "its inputs have a head axis, ours have not: save it with the axis flattened",
        ),
        (
            "normalize_activations", ("none", "expected_average_only_in"),
            "SAELens can fold a scale or a whitening into the weights, save it so; a norm of each "
            "input's own cannot be folded: train without it",
        ),
        ("activation_fn", ("relu", "topk"), "only these activation functions are known here"),
    ):  # fmt: skip
        if cfg[option] not in allowed:
            raise ValueError(f"{option} is {cfg[option]!r}; {remedy}.")
    for option in ("apply_b_dec_to_input", "rescale_acts_by_decoder_norm"):
        if not isinstance(cfg.get(option, True), bool):
            raise TypeError(f"{option} is {cfg[option]!r}; it must be true or false.")
    dtype = validate.choice("dtype", str(cfg["dtype"]).removeprefix("torch."), tuple(DTYPES))
    arguments = {"k": cfg.get("k")} if name == "topk" else {}
    sae = READ[name](cfg["d_in"], cfg["d_sae"], decoder_norm="free", **arguments)
    return sae.to(DTYPES[dtype])


def completed(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """`cfg` with the defaults of SAELens and, before its version 6, in the words of version 6."""
    function = cfg.get("activation_fn_str", cfg.get("activation_fn", "relu"))
    hook = str(cfg.get("hook_name", cfg.get("hook_point", "")))
    defaults = {
        "architecture": "standard",
        "reshape_activations": "hook_z" if "hook_z" in hook else "none",
        "normalize_activations": "none",
        "apply_b_dec_to_input": True,
        "dtype": "float32",
    }
    full = defaults | dict(cfg) | {"activation_fn": function}
    if function == "topk":
        full |= {"architecture": "topk"} | (cfg.get("activation_fn_kwargs") or {})
    normalize = full["normalize_activations"]
    if normalize is None or isinstance(normalize, bool):
        full["normalize_activations"] = "expected_average_only_in" if normalize else "none"
    return full


def folded(cfg: Mapping[str, Any], stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as our classes use them: (x - b_dec) W_enc, latents that W_dec alone decodes."""
    stored = dict(stored)
    if cfg["architecture"] == "topk" and cfg.get("rescale_acts_by_decoder_norm", False):
        norm = stored["W_dec"].norm(dim=-1).clamp_min(ROW_NORM_FLOOR)
        stored["W_enc"] = stored["W_enc"] * norm
        stored["b_enc"] = stored["b_enc"] * norm
        stored["W_dec"] = stored["W_dec"] / norm[:, None]
    if not cfg["apply_b_dec_to_input"]:
        shift = (stored["b_dec"].double() @ stored["W_enc"].double()).to(stored["W_enc"].dtype)
        stored["b_enc"] = stored["b_enc"] + shift
    return stored
