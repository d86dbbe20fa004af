"""Write a file whole or not at all, one at a time, and sealed. Needs no torch, so it is quick.

A seal is a version and a sha256. What was written before there were seals is read as version 0; a
newer version than the reader knows, and a byte that is not what was written, are refused.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

T = TypeVar("T")

TORN = ".torn"  # how a file's name ends while it is being written, and after a kill for good
SEAL_OF_BYTES = re.compile(rb"\ncourse_lib (\d{3}) ([0-9a-f]{64})\Z")

# What a lock that another has is called by the systems there are.
BUSY = (errno.EAGAIN, errno.EDEADLK) + ((errno.EACCES,) if os.name == "nt" else ())


class InUse(RuntimeError):
    """Another run is writing here."""


class Newer(ValueError):
    """A file was written by a newer edition of the course."""


@contextmanager
def only_writer(path: str | Path, patience: float = 0.0) -> Iterator[None]:
    """Hold `path`, a file to come, for this run; whatever ends the run lets it go, even a kill.

    What a killed run left of it half written is removed. Where nothing can be written, or the file
    system has no locks, nothing is held. Raises InUse when another run still holds it after
    `patience` seconds.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    held, until = None, time.monotonic() + patience
    while held is None:
        try:
            held = _held(lock)
        except OSError as error:
            if error.errno not in BUSY:
                break
            if time.monotonic() >= until:
                raise InUse(
                    f"{path} is being written by another run; wait for its end, or name another "
                    "place."
                ) from None
            time.sleep(0.05)
    try:
        if held is not None:
            remove_torn(path.parent, path.name)
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


def remove_torn(folder: Path, name: str = "") -> None:
    """Remove what killed runs left half written of a file, or of all files of a folder.

    Only for who writes there alone: another's file that is being written would go, too.
    """
    for path in folder.glob(f".*{TORN}"):
        written, _, drawn = path.name[1:].removesuffix(TORN).rpartition(".")
        if drawn and name in ("", written):
            with suppress(OSError):
                path.unlink()


def write_file(path: str | Path, content: str | bytes, mode: int | None = None) -> Path:
    """Write `content` to `path` whole or not at all: a crash leaves the old file as it was.

    mode: the file's rights; None for those it had, or those of a new file.

    Raises OSError with one clear sentence when the disk is full or may not be written to.
    """
    path = Path(path)
    _write({path: content}, mode)
    return path


def write_together(contents: dict[Path, str | bytes]) -> None:
    """Write files that belong together, in their order, while no other run writes them.

    None takes its place before all are on the disk, so that a full disk leaves the old ones. What a
    killed run left of them half written is removed. Raises OSError as `write_file`, and InUse when
    another run takes longer than a minute.
    """
    with only_writer(list(contents)[-1], patience=60.0):
        for path in contents:
            remove_torn(path.parent, path.name)
        _write(contents)


def _write(contents: dict[Path, str | bytes], mode: int | None = None) -> None:
    beside: dict[Path, str] = {}
    try:
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            with _told(path, len(data)):
                path.parent.mkdir(parents=True, exist_ok=True)
                handle, beside[path] = tempfile.mkstemp(TORN, f".{path.name}.", path.parent)
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                kept = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
                os.chmod(beside[path], kept if mode is None else mode)
        for path in contents:
            with _told(path, os.path.getsize(beside[path])):
                os.replace(beside[path], path)
    except BaseException:
        for temporary in beside.values():
            with suppress(OSError):
                os.unlink(temporary)
        raise


@contextmanager
def _told(path: Path, size: int) -> Iterator[None]:
    """Make one clear sentence of an OSError."""
    try:
        yield
    except OSError as error:
        reason = {errno.ENOSPC: "the disk is full", errno.EROFS: "the disk is read-only"}.get(
            error.errno, error.strerror or str(error)
        )
        raise OSError(
            error.errno,
            f"could not write {path} ({size} bytes): {reason}. Whatever stood there before is "
            "untouched; make room or choose another folder, then run this again.",
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# --- seals -----------------------------------------------------------------------------------


def seal(content: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """JSON's `content` with its version and the sha256 of both, as "version" and "seal"."""
    content = content | {"version": version}
    return content | {"seal": _digest(content)}


def unseal(content: dict[str, Any], newest: int = 1) -> dict[str, Any]:
    """What was sealed. Raises Newer, or ValueError when it is not what was sealed."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}")
    check_version(content, newest)
    content = dict(content)
    told, sealed = content.pop("seal", None), "version" in content
    if (told is not None or sealed) and told != _digest(content):
        raise ValueError("its seal is not that of what it holds")
    content.pop("version", None)
    return content


def check_version(content: dict[str, Any], newest: int = 1) -> None:
    """Raise Newer when the "version" of what a file holds is above the newest that is known.

    Raises ValueError for a version that is no whole number from 0 on.
    """
    version = content.get("version", 0)
    if type(version) is not int or version < 0:
        raise ValueError(f"its version is {version!r}; it must be a whole number")
    if version > newest:
        raise Newer(
            f"its version is {version}, and this edition reads versions up to {newest}; open it "
            "with the edition that wrote it, or install that one"
        )


def sealed_text(content: dict[str, Any]) -> str:
    """`content` as sealed JSON."""
    return json.dumps(seal(content), indent=1, ensure_ascii=False) + "\n"


def write_sealed(path: Path, content: dict[str, Any]) -> Path:
    """Write `content` as sealed JSON, whole or not at all."""
    return write_file(path, sealed_text(content))


def read_sealed(path: Path, remedy: str, make: Callable[[dict[str, Any]], T] = dict) -> T:
    """What `make` makes of what `write_sealed` wrote.

    Raises OSError when it cannot be read, Newer, or ValueError, which ends with the remedy, when it
    is damaged or `make` raises for it.
    """
    try:
        return make(unseal(json.loads(path.read_text(encoding="utf-8"))))
    except Newer as error:
        raise Newer(f"{path} cannot be read: {error}.") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); {remedy}.") from error


def seal_bytes(content: bytes, version: int = 1) -> bytes:
    """`content` with a seal at its end, which readers of zip files pass over."""
    digest = hashlib.sha256(content).hexdigest()
    return content + f"\ncourse_lib {version:03} {digest}".encode()


def unseal_bytes(content: bytes, newest: int = 1) -> bytes:
    """What was sealed. Raises Newer, or ValueError when it is not what was sealed."""
    told = SEAL_OF_BYTES.search(content[-100:])
    if told is None:
        return content
    check_version({"version": int(told[1])}, newest)
    content = content[: -len(told[0])]
    if hashlib.sha256(content).hexdigest() != told[2].decode():
        raise ValueError("its seal is not that of what it holds")
    return content


def _digest(content: dict[str, Any]) -> str:
    as_read = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()
