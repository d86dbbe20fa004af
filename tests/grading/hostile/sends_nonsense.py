"""Frames whose lengths, kinds and numbers lie."""

import gc

import wire

self = next(o for o in gc.get_objects() if type(o).__name__ == "Submission")
body = b"T\x00\x08" + b"\xff" * 32
self.send(wire.OUTPUT, 1, 0, 0, body=body)
self.send(wire.OUTPUT, 9, 9, 9, body=b"N")
self.send(99, 1, 65535, 65535, body=b"")
