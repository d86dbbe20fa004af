"""Features in Superposition: the library that the course explains and uses.

Rooms, from the ground up (imports only go down):
`runtime`, `validate`, `claims` · `data`, `models` · `activations` · `superposition`, `sae`,
`probes`, `geometry`, `steering`, `causal` · `plots`, `widgets` · `checks`,
`grading`.
"""

import sys
from importlib.metadata import PackageNotFoundError, version


def _torch_version() -> str:
    """The version of torch, which is not imported for it where its metadata tell."""
    if "torch" not in sys.modules:
        try:
            return version("torch")
        except PackageNotFoundError:
            pass
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "course_lib needs PyTorch 2.4 or later and found none: run `pip install torch` "
            "(or, in the course's folder, `make book`), then import again.",
            name="torch",
        ) from error
    return torch.__version__


if tuple(int(part) for part in _torch_version().split("+")[0].split(".")[:2]) < (2, 4):
    raise ImportError(
        f"course_lib needs PyTorch 2.4 or later and found {_torch_version()}: "
        "run `pip install --upgrade torch`, restart Python, then import again."
    )

try:
    __version__ = version("features-in-superposition")
except PackageNotFoundError:
    __version__ = "not installed"
