"""The public copy of the course: everything but the key, which is packed apart.

    python -m tools.public FOLDER --key KEY.zip

FOLDER gets the files of the last commit without those of `tools.key.PRIVATE`, and a .gitignore that
names these; KEY.zip gets the others. Unpacked in a public copy, it makes the private one again. No
folder is left where a phrase of the key is found in what would be public.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from course_lib.files import write_file
from tools.exercises import ROOT
from tools.key import PRIVATE, leaks
from tools.problem_sets import SETS

NOTE = "# The key of the problem sets. It may lie here and is never committed."


class Refused(Exception):
    """No public copy was made; the message says why."""


def export(folder: Path, root: Path = ROOT) -> Path:
    """Write the public copy into a folder that is new or empty, and return it.

    Raises Refused when the folder holds something, `root` is no checkout, or a phrase of the key
    would be public; OSError when it cannot be written. Either leaves no folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty; name a new folder.")
    without = [f":(exclude){pattern}" for pattern in PRIVATE]
    try:
        with tarfile.open(fileobj=BytesIO(_archive(root, "tar", [".", *without]))) as archive:
            archive.extractall(folder, filter="data")
        with (folder / ".gitignore").open("a", encoding="utf-8") as ignored:
            ignored.write("\n".join([NOTE, *PRIVATE, ""]))
        if found := leaks(folder):
            raise Refused("a part of the key would be public:\n" + "\n".join(found))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def pack(key: Path, root: Path = ROOT) -> Path:
    """Write the key as a zip whose paths are those of the repository, and return it."""
    return write_file(key, _archive(root, "zip", list(PRIVATE)))


def _archive(root: Path, kind: str, what: list[str]) -> bytes:
    command = ["git", "archive", f"--format={kind}", "HEAD", "--", *what]
    done = subprocess.run(command, cwd=root, capture_output=True)
    if done.returncode:
        raise Refused(f"git says: {done.stderr.decode().strip()}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.public",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="where the public copy goes; new or empty")
    parser.add_argument("--key", type=Path, help="where the key goes, as a zip")
    options = parser.parse_args(arguments)
    try:
        if not SETS:
            raise Refused("there is no problem set here, so this is a public copy already.")
        secret = pack(options.key) if options.key else None
        print(f"public: {export(options.folder)}")
        if secret:
            print(f"secret: {secret}")
    except (Refused, OSError) as reason:
        print(f"No public copy was made: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
