"""Where and how the course runs: device, seed, scale, progress, safe stops and files, report."""

from __future__ import annotations

import io
import json
import os
import platform
import random
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from course_lib import validate
from course_lib.files import Newer, seal_bytes, unseal_bytes, write_file

T = TypeVar("T")

PACKAGES = (
    "features-in-superposition", "torch", "numpy", "matplotlib", "ipywidgets", "scikit-learn",
    "scipy", "safetensors", "tqdm", "jaxtyping", "jupyter-book", "nbval", "ipykernel",
)  # fmt: skip

OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


def device(name: str | None = None) -> torch.device:
    """The device to compute on: `name` if given, else CUDA, else Apple's MPS, else the CPU.

    A process that torchrun started gets a GPU of its own.

    Raises ValueError when the named device is unknown or is not in this machine.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if (name or available[0]) == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if name is None:
        return torch.device(available[0])
    kind, colon, index = validate.text("name", name).partition(":")
    if kind not in available or (colon and not index.isdecimal()):
        raise ValueError(f"name is {name!r}; this machine offers {', '.join(available)}.")
    return torch.device(name)


def seed() -> int:
    """The seed of this run: the environment variable COURSE_SEED, 0 when it is not set."""
    text = os.environ.get("COURSE_SEED", "0")
    if not text.isdecimal():
        raise ValueError(f"COURSE_SEED is {text!r}; it must be a whole number such as 0.")
    return int(text)


def model_name(default: str) -> str:
    """The model of this run: the environment variable COURSE_MODEL, `default` when it is not set.

    What `course_lib.models.open_world` takes: a model that comes with the course, one of the
    Hugging Face hub, or a folder that holds one.
    """
    return os.environ.get("COURSE_MODEL", "") or default


def generator(seed: int) -> torch.Generator:
    """A CPU generator that starts at `seed`: the same seed gives the same numbers everywhere.

    Raises TypeError for what is no whole number, ValueError for one of more than 64 bits.
    """
    return torch.Generator().manual_seed(checked_seed(seed))


def step_generator(seed: int, step: int) -> torch.Generator:
    """A generator for one step: unrelated to those of all other steps and seeds.

    Raises TypeError for a seed that is no whole number, ValueError for one below 0.
    """
    seed = checked_seed(seed, 0)
    return generator(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))


def checked_seed(seed: int, least: int = -(2**63)) -> int:
    """`seed` as an int; TypeError for what is no whole number, ValueError for one out of range."""
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f"seed is {seed!r}; it must be a whole number.")
    if not least <= seed < 2**64:
        raise ValueError(f"seed is {seed}; it must be a whole number from {least} to 2**64 - 1.")
    return int(seed)


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, numpy (if it is in use) and torch, and return `generator(seed)`."""
    random.seed(seed)
    torch.manual_seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    return generator(seed)


def seed_torch(seed: int) -> None:
    """torch.manual_seed, which without a GPU spends a millisecond on notes for one to come."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def full_scale() -> bool:
    """True when the environment variable COURSE_SCALE is `full`, False when `quick` or not set."""
    size = os.environ.get("COURSE_SCALE", "quick")
    if size not in ("quick", "full"):
        raise ValueError(f"COURSE_SCALE is {size!r}; it must be 'quick' or 'full'.")
    return size == "full"


def scale(quick: T, full: T) -> T:
    """`quick` on a laptop, `full` under COURSE_SCALE=full: the course's one switch of size."""
    return full if full_scale() else quick


def progress(steps: Iterable[T], description: str) -> Iterable[T]:
    """`steps` with a progress bar; TQDM_DISABLE=1 in the environment hides it.

    Of the processes that torchrun starts, the first shows it.
    """
    if os.environ.get("RANK", "0") != "0":
        return steps
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError:
        return steps
    hidden = bool(os.environ.get("TQDM_DISABLE"))  # tqdm's bar for notebooks does not read it
    return tqdm(steps, desc=description, leave=False, mininterval=0.5, disable=hidden)


def remaining(step: int, steps: int, until: int | None, description: str) -> Iterable[int]:
    """The steps of a training of `steps` that are to be done once `step` of them are.

    Those up to `until` if it is given, for somebody who watches; else all, with a progress bar.

    Raises TypeError and ValueError for an `until` that is no whole number from 1 to `steps`.
    """
    if until is None:
        return progress(range(step, steps), description)
    if validate.positive_int("until", until) > steps:
        raise ValueError(f"until is {until}; this training has {steps} steps.")
    return range(step, until)


class TrainingStopped(KeyboardInterrupt):
    """Training was interrupted; `trainer.fit()` goes on where it stopped."""

    def __init__(self, trainer: Any, note: str = "") -> None:
        self.trainer = trainer
        super().__init__(
            f"Training stopped at step {trainer.step} of {trainer.steps}. The model keeps what it "
            f"has learnt; call fit() of the same trainer to go on from there.{note}"
        )

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def interruptions() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is never left half done; a second one stops at once."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(signum: int, frame: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def memory_advice(advice: str) -> Iterator[None]:
    """Where memory runs out, raise a MemoryError with advice: what was tried, and what to try.

    Torch has an error of its own for a GPU, and for a CPU a RuntimeError like many others; its
    writer of files answers a MemoryError with one of its own.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        told = str(error).lower()
        named = any(isinstance(one, MemoryError) for one in (error, error.__context__))
        named = named or type(error).__name__ == "OutOfMemoryError"
        if not (named or any(sign in told for sign in OUT_OF_MEMORY)):
            raise
        reason = str(error).partition("\n")[0]
        raise MemoryError(f"Out of memory. {advice} The system says: {reason}") from error


def save_checkpoint(path: Path, identity: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a training's `state`, sealed; `identity` must be equal for it to go on from there.

    Raises OSError as `write_file`, and MemoryError when there is no room for copies of the state.
    """
    advice = f"{path} was not written, and takes three times the memory of weights and optimiser."
    with memory_advice(f"{advice} Train fewer or smaller models at once."):
        content = io.BytesIO()
        torch.save({"identity": identity, **state}, content)
        write_file(path, seal_bytes(content.getvalue()))


def load_checkpoint(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote, on the CPU. Nothing in the file is executed.

    Raises ValueError when the file cannot be read or belongs to a training of another identity;
    a part of the identity that is a dict is compared, and named, entry by entry.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise ValueError("it is no file")
        content = io.BytesIO(unseal_bytes(Path(path).read_bytes()))
        state = torch.load(content, map_location="cpu", weights_only=True)
        was, now = _flat(state.pop("identity")), _flat(identity)
    except Newer as error:
        raise Newer(f"{path} cannot be read: {error}.") from None
    except Exception as error:
        told = error if type(error) is ValueError else type(error).__name__
        raise ValueError(
            f"{path} is no checkpoint that can be read ({told}); delete it to train from the "
            "start, or name another file."
        ) from error
    if was != now:
        changed = ", ".join(
            f"{key} {was.get(key)} (now {now.get(key)})"
            for key in {**now, **was}
            if was.get(key) != now.get(key)
        )
        raise ValueError(
            f"{path} belongs to another training: {changed}. Train with the same arguments to go "
            "on, or name another file."
        )
    return state


def _flat(identity: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in identity.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    return flat


def report() -> dict[str, object]:
    """What a bug report needs: versions, machine, device, threads, switches."""
    packages = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = None
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "device": str(device()),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch threads": torch.get_num_threads(),
        "COURSE_SCALE": "full" if full_scale() else "quick",
        "COURSE_SEED": seed(),
        "COURSE_MODEL": model_name("that of each chapter"),
        "packages": packages,
    }


if __name__ == "__main__":
    print(json.dumps(report(), indent=2))
