"""A process that has torch in memory and lends copies of itself to sandboxes.

Importing torch is nearly all that grading a submission costs. This process imports it once and runs
no student's code. Asked to, it forks; the copy enters the namespaces of a sandbox that bubblewrap
has made for one submission, gives up every right and every open file, and becomes the worker there.
The kernel then sees what it would see had bubblewrap started the worker: nothing leads back, since
the sandbox has no /proc, the copy is the only one in its PID namespace's reach, and this process
never holds a case, an answer or another submission. It is started with an empty environment and
this folder on the path, so that it has `worker` and `wire` and nothing else of the library.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct

import torch  # noqa: F401  (the point of this process)
import worker

NAMESPACES = ("pid", "net", "ipc", "uts", "cgroup", "mnt")
NS_GET_USERNS = 0xB701
NO_NEW_PRIVILEGES = 38
LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter(init: int) -> None:
    """Move this process into all namespaces of the sandbox whose first process is `init`.

    The sandbox has two user namespaces, one in the other: the outer owns the other namespaces, the
    inner, entered last, is where no further one can be made. The PID namespace is that of the
    children to come.
    """
    held = {n: os.open(f"/proc/{init}/ns/{n}", os.O_RDONLY) for n in ("user", *NAMESPACES)}
    owner = fcntl.ioctl(held["mnt"], NS_GET_USERNS)
    for namespace in (owner, *(held[n] for n in NAMESPACES), held["user"]):
        _checked(LIBC.setns(namespace, 0))
    os.chdir("/tmp")


def give_up_rights() -> None:
    """Drop all capabilities, for good."""
    _checked(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _checked(LIBC.capset(header, none))


def become_worker(init: int, jobs: int, results: int) -> None:
    """In a fresh copy: enter the sandbox and run the submission in a child there."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    enter(init)
    inside = os.fork()
    if inside:
        give_up_rights()
        os.closerange(0, 65536)
        os.waitpid(inside, 0)
        return
    os.setsid()
    results = os.dup2(results, 65)
    os.dup2(jobs, 0)
    os.closerange(3, 65)
    os.closerange(66, 65536)
    give_up_rights()
    os.environ.clear()
    os.environ.update(HOME="/tmp", PATH="/usr/bin:/bin", OMP_NUM_THREADS="1", TMPDIR="/tmp")
    worker.main(0, results)


def serve(control: socket.socket) -> None:
    """Answer each request, a sandbox's first process and two files, with the copy's process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies that ended need no waiting for
    control.sendall(b"warm")
    while True:
        request, files, *_ = socket.recv_fds(control, 8, 2)
        if len(request) < 8:
            return
        copy = os.fork()
        if copy == 0:
            try:
                control.close()
                become_worker(struct.unpack("<q", request)[0], *files)
            finally:
                os._exit(0)
        for file in files:
            os.close(file)
        control.sendall(struct.pack("<q", copy))
