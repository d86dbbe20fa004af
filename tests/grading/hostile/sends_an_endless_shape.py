"""Sends an empty tensor of axes so long that nothing of its shape can be made."""

import gc
import struct

import wire

self = next(o for o in gc.get_objects() if type(o).__name__ == "Submission")
shape = struct.pack("<BB8I", 0, 8, 0, *[2**16] * 7)
self.send(wire.OUTPUT, 0, 0, 0, body=b"T" + shape)
