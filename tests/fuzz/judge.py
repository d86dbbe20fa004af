"""Is what a call does with hostile arguments all right? It returns, or it says what is wrong."""

from __future__ import annotations

import contextlib
import dis
import inspect
import io
import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch._dynamo  # or the first optimiser does it, in the middle of a call  # noqa: F401

import course_lib

LIBRARY = str(Path(course_lib.__file__).parent)
SECONDS = 5.0  # of the processor, whatever else the machine does
PATIENCE = 60.0  # seconds of the clock, for a call that waits
MEMORY = 4 * 2**30  # bytes that a call may add
FEWEST_WORDS = 3


class Hang(BaseException):
    """The call took too long."""


def complaint(call: Callable[[], Any], documentation: str = "") -> str | None:
    """What is wrong with how the call ends, None if nothing.

    It may return, or raise a ValueError or TypeError, or another error that its documentation
    names; and the error must come from a `raise` of course_lib and hold a sentence.
    """
    try:
        with quiet(), at_most(SECONDS):
            call()
    except Hang:
        return f"no answer in {SECONDS:g} s of the processor, or {PATIENCE:g} s of the clock"
    except Exception as error:
        kind = type(error).__name__
        if not isinstance(error, (ValueError, TypeError)) and kind not in documentation:
            return f"{kind}: {error}"
        if not raised_by_us(error):
            return f"{kind} from {_where(error)}: {error}"
        if len(str(error).split()) < FEWEST_WORDS:
            return f"{kind} without a sentence: {error}"
    return None


def raised_by_us(error: BaseException) -> bool:
    """Whether a `raise` statement of course_lib raised it, and not Python, torch or another."""
    innermost = error.__traceback__
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    code = innermost.tb_frame.f_code
    raised = code.co_code[innermost.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return raised and code.co_filename.startswith(LIBRARY)


def _where(error: BaseException) -> str:
    frames = inspect.getinnerframes(error.__traceback__, context=0)
    ours = [f for f in frames if f.filename.startswith(LIBRARY)] or frames
    return f"{os.path.relpath(ours[-1].filename, LIBRARY)}:{ours[-1].lineno}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what the call prints and warns of."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise Hang if the block takes more of the processor, or waits for PATIENCE."""

    def stop(number: int, frame: Any) -> None:
        raise Hang

    clocks = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {number: signal.signal(number, stop) for number in clocks}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        for number, clock in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Whatever would take more than MEMORY is refused by the system, and harms nobody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
