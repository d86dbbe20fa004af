"""Asks the kernel for rights and for other namespaces."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
done = []
for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000):
    done += [flag] if libc.unshare(flag) == 0 else []
done += ["mount"] if libc.mount(b"x", b"/tmp", b"tmpfs", 0, b"") == 0 else []
done += ["proc"] if libc.mount(b"proc", b"/tmp", b"proc", 0, b"") == 0 else []
done += ["remount"] if libc.mount(b"", b"/usr", b"", 0x20 | 0x1000, b"") == 0 else []
done += ["chroot"] if libc.chroot(b"/tmp") == 0 else []
done += ["setuid"] if libc.setuid(0) == 0 else []
done += ["keys"] if libc.syscall(250, 0, -3, 0) > 0 and os.path.exists("/proc/keys") else []
if done:
    raise ValueError("@CANARY@" + str(done))
