"""The door to real models: those of the Hugging Face hub, and of any folder that holds one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from torch import nn

from course_lib import validate

T = TypeVar("T")


def load_hub(name: str, *, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A model of transformers with the head it was trained with, on the CPU, for evaluation.

    What is on this machine already is taken without asking the network. Code that comes with a
    model is not run.

    Args:
        name: of a model on the hub, such as "gpt2" or "EleutherAI/pythia-70m", or a folder that
            `save_pretrained` wrote.
        dtype: of the weights; single precision, whatever they are stored in, unless you say so.

    Raises:
        ModuleNotFoundError: transformers is not installed.
        ConnectionError: the model is not on this machine and the hub cannot be reached.
        ValueError: there is no such model, or not all of its weights.
    """
    transformers = _transformers(name)
    config = _fetch(transformers.AutoConfig.from_pretrained, name)
    architecture = (config.architectures or ["AutoModel"])[0]
    if not hasattr(transformers, architecture):
        raise ValueError(f"{name!r} is a {architecture}, which transformers does not have.")
    model, loaded = _fetch(
        getattr(transformers, architecture).from_pretrained,
        name,
        config=config,
        dtype=dtype,
        output_loading_info=True,
    )
    if loaded["missing_keys"]:
        raise ValueError(
            f"{name!r} came without {', '.join(sorted(loaded['missing_keys']))}, which would be "
            "random; download or save it again."
        )
    return model.eval()


def load_tokenizer(name: str) -> Any:
    """The tokenizer of a model, of transformers. Arguments and errors as for `load_hub`."""
    return _fetch(_transformers(name).AutoTokenizer.from_pretrained, name)


def _transformers(name: str) -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name!r} needs the package transformers, which is not installed "
            f"(`pip install transformers`); {_instead(name)}",
            name=error.name,
        ) from None
    return transformers


def _fetch(get: Callable[..., T], name: str, **arguments: Any) -> T:
    """`get(name, ...)` from this machine, else from the hub."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        return get(name, local_files_only=True, **arguments)
    except (OSError, ValueError) as error:
        if os.path.isdir(name):
            raise ValueError(f"{name} is no folder of a model: {_first_line(error)}") from error
    try:
        validate_repo_id(name)
    except HFValidationError:
        shown = validate.SHOWN.repr(name)
        raise ValueError(f"{shown} is no folder, and no name of a model on the hub.") from None
    if not _reachable(name):
        raise ConnectionError(
            f"{name!r} is not on this machine and the Hugging Face hub cannot be reached; "
            f"{_instead(name)}"
        )
    try:
        return get(name, **arguments)
    except (OSError, ValueError) as error:
        raise ValueError(f"the hub does not give {name!r}: {_first_line(error)}") from error


def _reachable(name: str) -> bool:
    """Whether the hub answers at all; its own client would try for half a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        urlopen(Request(f"{constants.ENDPOINT}/{name}", method="HEAD"), timeout=10).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


def _instead(name: str) -> str:
    shipped = "othello" if "othello" in name.lower() else "story"
    return f"load({shipped!r}) comes with the course and does the same chapters."


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
