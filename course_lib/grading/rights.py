"""Root's grading gives up root's rights before anything of a submission is touched.

The kernel limits neither the processes nor the reach of root, so that a fork bomb that root starts
stops the machine. What an ordinary user starts as it is, root starts as a user that nobody is.
Python may lie where others may not enter (/root/.pyenv); the same bubblewrap that makes sandboxes
shows that user the folders that a sandbox shows, and no more of what was closed to it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from functools import cache
from pathlib import Path


@cache
def nobody() -> int:
    """A user id that no account has, of the range that systemd keeps for such users."""
    taken = {account.pw_uid for account in pwd.getpwall()}
    return next(number for number in range(61184, 65520) if number not in taken)


def without_root(command: list[str], needed: Iterable[Path]) -> list[str]:
    """The command as it is, or, for root, the one that runs it without root's rights.

    needed: the folders that the command reads.
    """
    if os.geteuid() != 0:
        return command
    words, user = ["bwrap", "--dev-bind", "/", "/", "--die-with-parent"], str(nobody())
    closed = {path: _closed_above(path) for path in needed}
    hidden = {path: above for path, above in closed.items() if above}
    between = {p for path, above in hidden.items() for p in path.parents if above in p.parents}
    for folder in sorted(set(hidden.values())):
        words += ["--perms", "0755", "--tmpfs", str(folder)]
    for folder in sorted(between):
        words += ["--perms", "0755", "--dir", str(folder)]
    for path in sorted(hidden):
        words += ["--ro-bind", str(path), str(path)]
    words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--chdir", "/", "--"]
    words += ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs"]
    return [*words, "--pdeathsig", "KILL", "--", *command]


def _closed_above(path: Path) -> Path | None:
    """The topmost folder above `path` that other users may not enter."""
    above = (folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001)
    return next(above, None)
