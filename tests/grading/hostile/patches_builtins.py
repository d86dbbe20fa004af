"""Changes what the worker itself is made of."""

import builtins
import json
import os
import struct
import sys
import time

real = os.write
os.write = lambda descriptor, data: real(descriptor, bytes(data)[:1] * len(data))
struct.pack = lambda *a: b"\xff" * 8
json.loads = lambda text: {}
os.fork = lambda: 0
os.waitpid = lambda *a: (1, 0)
time.monotonic = lambda: 0.0
builtins.__import__ = lambda *a, **w: sys
builtins.enumerate = lambda *a: iter(())
sys.settrace(lambda *a: None)
