"""Speaks when it ends: destructors, exit hooks and signals, with the ways out patched."""

import atexit
import gc
import os
import signal
import sys

import wire

self = next(o for o in gc.get_objects() if type(o).__name__ == "Submission")


class Bang:
    def __del__(self_):
        for kind in (wire.OUTPUT, wire.FAILED, wire.READY):
            self.send(kind, 1, 0, 0, body=wire.encode((True, "@CANARY@")))


bang = Bang()
bang.me = bang
atexit.register(Bang)
sys.unraisablehook = sys.excepthook = lambda *a: Bang()
signal.signal(signal.SIGCHLD, lambda *a: Bang())
os._exit, os.fork = lambda *a: None, lambda: 0


def double(x):
    return x
