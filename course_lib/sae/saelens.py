"""The words of SAELens for our architectures: its settings, its tensors, and what it adds to them.

An SAE in SAELens's files is d_in, d_sae, an architecture and options. The options that only move
numbers about (whether b_dec is subtracted from the input, scales) are folded into the weights when
such a file is read; those that compute something else are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import SAE
from course_lib.sae.baselines import RandomDictionary
from course_lib.sae.batch_topk import BatchTopKSAE
from course_lib.sae.gated import GatedSAE
from course_lib.sae.gradient_topk import GradientTopKSAE
from course_lib.sae.group_sparse import GroupSparseSAE
from course_lib.sae.jumprelu import JumpReLUSAE
from course_lib.sae.matching_pursuit import MatchingPursuitSAE
from course_lib.sae.matryoshka import MatryoshkaSAE
from course_lib.sae.p_anneal import PAnnealSAE
from course_lib.sae.relu import ReLUSAE
from course_lib.sae.threshold import ThresholdSAE
from course_lib.sae.topk import TopKSAE

VERSION = "6.54.12"  # the release whose layout this is
READ: dict[str, type[SAE]] = {
    "standard": ReLUSAE, "topk": TopKSAE, "jumprelu": JumpReLUSAE, "gated": GatedSAE,
    "matching_pursuit": MatchingPursuitSAE,
}  # fmt: skip
ARCHITECTURE: dict[type[SAE], str] = {cls: name for name, cls in READ.items()} | {
    PAnnealSAE: "standard", GroupSparseSAE: "standard", GradientTopKSAE: "topk",
    BatchTopKSAE: "jumprelu", MatryoshkaSAE: "jumprelu", ThresholdSAE: "jumprelu",
    RandomDictionary: "matching_pursuit",
}  # fmt: skip
PLAIN = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
TENSORS = {  # of each architecture: SAELens's name and ours
    "standard": PLAIN,
    "topk": PLAIN,
    "jumprelu": PLAIN | {"threshold": "threshold"},
    "gated": {name: name for name in ("W_enc", "r_mag", "b_mag", "W_dec", "b_dec")}
    | {"b_gate": "b_enc"},
    "matching_pursuit": {"W_dec": "W_dec", "b_dec": "b_dec"},
}
DTYPES = {
    "float64": torch.float64, "float32": torch.float32, "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}  # fmt: skip
ROW_NORM_FLOOR = 1e-8  # as SAELens divides by the norm of a decoder row


def architecture(sae: SAE) -> str | None:
    """SAELens's name for what `sae` computes at inference; None where it computes no such thing.

    It has no instances, and a pursuit with a tolerance always takes its first step there.
    """
    name = ARCHITECTURE.get(type(sae))
    tolerant = name == "matching_pursuit" and sae.tol > 0
    return None if sae.n_instances is not None or tolerant else name


def names(sae: SAE) -> dict[str, str]:
    """SAELens's name and ours of each tensor that it stores of `sae`, whose architecture it has."""
    told = TENSORS[architecture(sae)]
    return told | {"threshold": "tau"} if isinstance(sae, ThresholdSAE) else told


def tensors(sae: SAE) -> dict[str, Tensor]:
    """What SAELens stores of `sae`; it has a threshold for every latent.

    Raises ValueError where a threshold is below 0, through which SAELens lets nothing pass.
    """
    stored = {name: getattr(sae, ours).detach() for name, ours in names(sae).items()}
    if "threshold" in stored:
        threshold = validate.finite("threshold", stored["threshold"], 0.0)
        stored["threshold"] = threshold.expand(sae.d_sae)
    return stored


def settings(sae: SAE) -> dict[str, object]:
    """What stands in cfg.json beside dtype and architecture, which SAELens must have."""
    own = {
        "topk": lambda: {"k": sae.k, "rescale_acts_by_decoder_norm": False},
        "matching_pursuit": lambda: {
            "max_iterations": sae.steps, "residual_threshold": 0.0,
            "stop_on_duplicate_support": False,
        },
    }.get(architecture(sae), dict)()  # fmt: skip
    return own | {
        "d_in": sae.d_in,
        "d_sae": sae.d_sae,
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "device": "cpu",
        "metadata": {"sae_lens_version": VERSION, "sae_lens_training_version": None},
    }


def made(cfg: Mapping[str, Any]) -> SAE:
    """An SAE of the class and sizes that `cfg` describes, its weights still to be filled in.

    Its decoder norm is free, and what only training needs has the value of our constructor.

    Raises ValueError or TypeError for an architecture or an option that ours do not compute.
    """
    name = validate.choice("architecture", cfg["architecture"], tuple(READ))
    _check_options(cfg)
    dtype = validate.choice("dtype", str(cfg["dtype"]).removeprefix("torch."), tuple(DTYPES))
    arguments: dict[str, Any] = {"decoder_norm": "free"}
    if name == "topk":
        arguments["k"] = cfg.get("k")
    elif name == "matching_pursuit":
        steps = cfg.get("max_iterations")
        arguments = {"steps": cfg.get("d_in") if steps is None else steps}
    return READ[name](cfg.get("d_in"), cfg.get("d_sae"), **arguments).to(DTYPES[dtype])


def _check_options(cfg: Mapping[str, Any]) -> None:
    for option in ("apply_b_dec_to_input", "rescale_acts_by_decoder_norm"):
        if not isinstance(cfg.get(option, True), bool):
            raise TypeError(f"{option} is {cfg[option]!r}; it must be true or false.")
    refused = {
        "reshape_activations": (
            ("none",), "its inputs have a head axis, ours have not: save it with the axis flattened"
        ),
        "normalize_activations": (
            ("none", "expected_average_only_in"),
            "SAELens can fold a scale or a whitening into the weights, save it so; a norm of each "
            "input's own cannot be folded: train without it",
        ),
        "activation_fn": (("relu", "topk"), "only 'relu' and 'topk' are known here"),
    }  # fmt: skip
    if cfg["architecture"] == "matching_pursuit":
        stops = "our pursuit does not stop so: set it to {}, if its codes may become longer"
        refused["stop_on_duplicate_support"] = ((False,), stops.format("false"))
        refused["residual_threshold"] = ((0,), stops.format("0"))
    defaults = {"stop_on_duplicate_support": True, "residual_threshold": 0.01}
    for option, (allowed, remedy) in refused.items():
        value = cfg.get(option, defaults.get(option))
        if value not in allowed:
            raise ValueError(f"{option} is {value!r}; {remedy}.")


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


def folded(cfg: Mapping[str, Any], stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under our names and for our formulas, in which no option is left."""
    ours = {own: stored[name] for name, own in TENSORS[cfg["architecture"]].items()}
    if cfg["architecture"] == "topk" and cfg.get("rescale_acts_by_decoder_norm", False):
        norm = ours["W_dec"].norm(dim=-1).clamp_min(ROW_NORM_FLOOR)
        ours["W_enc"] = ours["W_enc"] * norm
        ours["b_enc"] = ours["b_enc"] * norm
        ours["W_dec"] = ours["W_dec"] / norm[:, None]
    if "threshold" in ours:  # they multiply by a ReLU, so that below 0 a threshold is 0
        ours["threshold"] = ours["threshold"].clamp_min(0)
    if not cfg["apply_b_dec_to_input"]:
        if "W_enc" not in ours:  # a pursuit, which does not add b_dec to its output either
            return ours | {"b_dec": torch.zeros_like(ours["b_dec"])}
        shift = (ours["b_dec"].double() @ ours["W_enc"].double()).to(ours["W_enc"].dtype)
        ours["b_enc"] = ours["b_enc"] + shift
        if "b_mag" in ours:
            ours["b_mag"] = ours["b_mag"] + shift * ours["r_mag"].exp()
    return ours
