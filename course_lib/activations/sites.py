"""Where activations are: a module of any model, and its input or output; names for transformers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from course_lib import validate
from course_lib.models.gpt import GPT, SITES

ENDS = ("input", "output")
STANDARD = re.compile(r"blocks\.(\d+)\.(\w+)")


@dataclass(frozen=True)
class Site:
    """One place in a model: the input or the output of a module.

    Attributes:
        path: of the module, as `model.named_modules()` has it.
        end: "input" or "output".
        index: which entry, where these are several (a tuple); the first tensor if None.
        part: (groups, i) where queries, keys and values come out of one layer: of the last axis,
            seen as [groups, 3, d_group], the i-th of three, as [groups · d_group].
        why_fixed: empty, or why a change here would not do what one expects; reading is fine.
    """

    path: str
    end: str = "output"
    index: int | None = None
    part: tuple[int, int] | None = None
    why_fixed: str = ""

    def __post_init__(self) -> None:
        validate.choice("end", self.end, ENDS)

    def __str__(self) -> str:
        return self.path if self.end == "output" else f"{self.path}:{self.end}"

    # --- the tensor among a module's inputs or outputs -------------------------------------------

    def read(self, value: Any) -> Tensor:
        """The site's tensor in what goes into the module, or comes out of it.

        Raises TypeError when there is none.
        """
        tensor = value if isinstance(value, Tensor) else value[self._key(value)]
        if not isinstance(tensor, Tensor):
            raise TypeError(f"entry {self.index} of {self} is of type {type(tensor).__name__}.")
        if self.part is None:
            return tensor
        groups, i = self.part
        return tensor.unflatten(-1, (groups, 3, -1))[..., i, :].flatten(-2)

    def write(self, value: Any, new: Tensor) -> Any:
        """`value` with `new` in the place of the site's tensor; `value` itself stays as it is."""
        key = None if isinstance(value, Tensor) else self._key(value)
        if self.part is not None:
            groups, i = self.part
            whole = (value if key is None else value[key]).clone()
            whole.unflatten(-1, (groups, 3, -1))[..., i, :] = new.unflatten(-1, (groups, -1))
            new = whole
        if key is None:
            return new
        if isinstance(value, dict):
            changed = copy(value)
            changed[key] = new
            return changed
        items = [*value[:key], new, *value[key + 1 :]]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)

    def _key(self, value: Any) -> Any:
        """The index of the site's tensor in a tuple or a list, its key in a dict."""
        if isinstance(value, dict):
            keys = list(value)
        elif isinstance(value, (tuple, list)):
            keys = list(range(len(value)))
        else:
            raise TypeError(f"{self} is of type {type(value).__name__}; it holds no tensor.")
        if self.index is None:
            keys = [key for key in keys if isinstance(value[key], Tensor)]
        elif self.index < len(keys):
            keys = [keys[self.index]]
        else:
            keys = []
        if not keys:
            raise TypeError(f"{self} holds no tensor to read: it is {_described(value)}.")
        return keys[0]


def _described(value: Any) -> str:
    items = value.values() if isinstance(value, dict) else value
    return f"{type(value).__name__} of {', '.join(type(item).__name__ for item in items) or 0}"


def listed(sites: str | Site | Iterable[str | Site]) -> list[str | Site]:
    """The sites that are meant, one or several; TypeError for what is neither."""
    if not isinstance(sites, (Site, Iterable)) or getattr(sites, "ndim", 1) == 0:
        raise TypeError(f"sites is {sites!r}; it must be the name of a site, or several.")
    return [sites] if isinstance(sites, (str, Site)) else list(sites)


def find(model: nn.Module, name: str | Site) -> Site:
    """The site that a name means in a model.

    A name is a standard one, `blocks.3.resid_post` (for our `GPT`, and for transformers' GPT-2,
    GPT-NeoX, Llama, Gemma and BERT and what is built like them), or a module's path for its output,
    or `path:input` for its input. Standard names are

        resid_pre, resid_mid, resid_post   the stream before, within and after a block
        attn_out, mlp_out                  what attention and MLP add to it
        q, k, v                            before rotary positions, all heads side by side
        pattern                            [batch, head, query, key]
        z                                  of all heads side by side, before the output matrix
        mlp_pre, mlp_post                  the neurons before and after their non-linearity

    Raises:
        TypeError: the name is no string.
        ValueError: the model has no such site; saying what it has.
    """
    validate.instance("model", model, nn.Module)
    if isinstance(name, Site):
        site = name
    elif not isinstance(name, str):
        raise TypeError(f"site is {name!r}; it must be a name such as 'blocks.0.resid_post'.")
    elif (standard := STANDARD.fullmatch(name)) and (known := _standard(model, *standard.groups())):
        site = known
    else:
        path, _, end = name.partition(":")
        site = Site(path, end or "output")
    modules = dict(model.named_modules())
    if site.path not in modules:
        near = get_close_matches(site.path, modules, n=3, cutoff=0.3)
        raise ValueError(
            f"site is {str(name)[:100]!r}; {type(model).__name__} has no such module"
            + (f" (near it are {', '.join(near)})" if near else "")
            + (f", and of the names for transformers it has {_offer(model)}." if _offer(model)
               else "; the names for transformers do not apply to it.")
        )  # fmt: skip
    module = modules[site.path]
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        raise ValueError(
            f"site is {str(name)!r}, a {type(module).__name__}, which is never called itself; name "
            "one of its entries."
        )
    if not site.path and site.end == "input":
        raise ValueError("site is the input of the model itself; change what you call it with.")
    return site


def n_blocks(model: nn.Module) -> int:
    """How many blocks a model has whose sites have standard names.

    Raises ValueError for a model of no known family.
    """
    layout = _layout(model)
    if layout is None:
        raise ValueError(f"{type(model).__name__} has no blocks with standard names.")
    return len(model.get_submodule(layout[0]))


def _offer(model: nn.Module) -> str:
    layout = _layout(model)
    if layout is None:
        return ""
    return f"blocks.0 to blocks.{n_blocks(model) - 1}, each with {', '.join(layout[1])}"


def _standard(model: nn.Module, block: str, name: str) -> Site | None:
    """The site of a standard name; None where the model or the block has none of that name."""
    layout = _layout(model)
    if layout is None or name not in layout[1]:
        return None
    blocks, sites = layout
    if int(block) >= len(model.get_submodule(blocks)):
        return None
    site = sites[name]
    if name == "pattern" and not isinstance(model, GPT):
        used = getattr(model.config, "_attn_implementation", "eager")
        if used != "eager":
            raise ValueError(
                f"{used!r} attention never makes the pattern: call "
                "model.set_attn_implementation('eager') first (it is slower, and rounds otherwise)."
            )
    return replace(site, path=f"{blocks}.{block}{'.' if site.path else ''}{site.path}")


def _layout(model: nn.Module) -> tuple[str, dict[str, Site]] | None:
    """The path of the blocks, and the sites of a block; None for a model of no known family."""
    if isinstance(model, GPT):
        return "blocks", {
            name: Site(path.removeprefix("blocks.{}").removeprefix("."), end)
            for name, (path, end) in SITES.items()
        }
    config = getattr(model, "config", None)
    family = FAMILIES.get(getattr(config, "model_type", None))
    if family is None:
        return None
    last_names, sites = family
    paths = [
        path for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and f".{path}".endswith(f".{last_names}")
    ]  # fmt: skip
    if not paths:
        return None
    return paths[0], sites(config) if callable(sites) else sites


# --- transformers' models, by `config.model_type` ------------------------------------------------

_BRANCH = "here only the branch that reads it would change; change attn_out or resid_post instead"
_RESULT = "the pattern is a by-product here, which nothing reads; with our GPT it can be changed"
_STREAM = {"resid_pre": Site("", "input"), "resid_post": Site("", "output")}
_GPT2 = {
    **_STREAM,
    **{name: Site("attn.c_attn", part=(1, i)) for i, name in enumerate("qkv")},
    "pattern": Site("attn", index=1, why_fixed=_RESULT),
    "z": Site("attn.c_proj", "input"),
    "attn_out": Site("attn"),
    "resid_mid": Site("ln_2", "input", why_fixed=_BRANCH),
    "mlp_pre": Site("mlp.c_fc"),
    "mlp_post": Site("mlp.c_proj", "input"),
    "mlp_out": Site("mlp"),
}


def _neox(config: Any) -> dict[str, Site]:
    fused = "attention.query_key_value"  # each head's q, k and v lie together
    sites = {
        **_STREAM,
        **{name: Site(fused, part=(config.num_attention_heads, i)) for i, name in enumerate("qkv")},
        "pattern": Site("attention", index=1, why_fixed=_RESULT),
        "z": Site("attention.dense", "input"),
        "attn_out": Site("attention"),
        "resid_mid": Site("post_attention_layernorm", "input", why_fixed=_BRANCH),
        "mlp_pre": Site("mlp.dense_h_to_4h"),
        "mlp_post": Site("mlp.dense_4h_to_h", "input"),
        "mlp_out": Site("mlp"),
    }
    if config.use_parallel_residual:
        del sites["resid_mid"]  # attention and MLP read the same stream: there is nothing between
    return sites


_LLAMA = {
    **_STREAM,
    **{name: Site(f"self_attn.{name}_proj") for name in "qkv"},
    "pattern": Site("self_attn", index=1, why_fixed=_RESULT),
    "z": Site("self_attn.o_proj", "input"),
    "attn_out": Site("self_attn"),
    "resid_mid": Site("post_attention_layernorm", "input", why_fixed=_BRANCH),
    "mlp_pre": Site("mlp.gate_proj"),
    "mlp_post": Site("mlp.down_proj", "input"),
    "mlp_out": Site("mlp"),
}
_GEMMA2 = {  # attention's and MLP's outputs are normalised before they are added
    **_LLAMA,
    "attn_out": Site("post_attention_layernorm"),
    "resid_mid": Site("pre_feedforward_layernorm", "input", why_fixed=_BRANCH),
    "mlp_out": Site("post_feedforward_layernorm"),
}
_BERT = {  # the stream is normalised after each addition: resid_mid = norm(resid_pre + attn_out)
    **_STREAM,
    **{n[0]: Site(f"attention.self.{n}") for n in ("query", "key", "value")},
    "pattern": Site("attention.self", index=1, why_fixed=_RESULT),
    "z": Site("attention.output.dense", "input"),
    "attn_out": Site("attention.output.dense"),
    "resid_mid": Site("attention"),
    "mlp_pre": Site("intermediate.dense"),
    "mlp_post": Site("output.dense", "input"),
    "mlp_out": Site("output.dense"),
}
FAMILIES: dict[str | None, tuple[str, dict[str, Site] | Callable[[Any], dict[str, Site]]]] = {
    "gpt2": ("h", _GPT2),
    "gpt_neox": ("layers", _neox),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma"), ("layers", _LLAMA)),
    **dict.fromkeys(("gemma2", "gemma3_text"), ("layers", _GEMMA2)),
    **dict.fromkeys(("bert", "roberta"), ("encoder.layer", _BERT)),
}
