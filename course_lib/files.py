"""Write a file whole or not at all, and one at a time. Needs no torch: a command can be quick."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# What a lock that another has is called by the systems there are.
BUSY = (errno.EAGAIN, errno.EDEADLK) + ((errno.EACCES,) if os.name == "nt" else ())


class InUse(RuntimeError):
    """Another run is writing here."""


@contextmanager
def only_writer(path: str | Path) -> Iterator[None]:
    """Hold `path`, a file to come, for this run; whatever ends the run lets it go, even a kill.

    Where nothing can be written, or the file system has no locks, nothing is held. Raises InUse
    when another run holds it.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    held = None
    try:
        held = _held(lock)
    except OSError as error:
        if error.errno in BUSY:
            raise InUse(
                f"{path} is being written by another run; wait for its end, or name another place."
            ) from None
    try:
        yield
    finally:
        if held is not None:
            if os.name != "nt":
                lock.unlink(missing_ok=True)
            held.close()


def _held(lock: Path) -> TextIO:
    """The lock's file, open and locked; OSError, of BUSY if another holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = open(lock, "a")  # noqa: SIM115, open as long as it is held
        try:
            _lock(file.fileno())
            if os.path.samestat(os.fstat(file.fileno()), os.stat(lock)):
                return file
        except FileNotFoundError:
            pass  # whoever held it has ended and deleted it
        except OSError:
            file.close()
            raise
        file.close()


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed; OSError if another process or opening has it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_file(path: str | Path, content: str | bytes) -> Path:
    """Write `content` to `path` whole or not at all: a crash leaves the old file as it was.

    Raises OSError with one clear sentence when the disk is full or may not be written to.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            reason = {errno.ENOSPC: "the disk is full", errno.EROFS: "the disk is read-only"}.get(
                error.errno, error.strerror or str(error)
            )
            raise OSError(
                error.errno,
                f"could not write {path} ({len(data)} bytes): {reason}. Whatever stood there "
                "before is untouched; make room or choose another folder, then run this again.",
            ) from error
        raise
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
