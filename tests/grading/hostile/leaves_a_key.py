"""Leaves a word for the next submission among the kernel's keys, and reads the lecturer's."""

import ctypes
import os

add, control = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)
for ring in (-3, -4, -5):
    left = libc.syscall(add, b"user", b"left", b"@CANARY@", 11, ctypes.c_int(ring))
    keys = libc.syscall(control, 11, ctypes.c_int(ring), None, 0)
    if max(left, keys) > 0:
        raise ValueError("@CANARY@")
