"""Speaks the worker's language: says that it is ready, and sends an output for every case."""

# %%
import gc

import torch
import wire
import worker

self = next(o for o in gc.get_objects() if type(o).__name__ == "Submission")
self.send(wire.READY)
hidden = wire.decode(worker.receive(0))
for phase in (0, 1):
    for case in (0, 1):
        self.send(wire.OUTPUT, phase, 0, case, body=wire.encode(torch.ones(4)))
self.send(wire.TROUBLE, 0, 0, body=wire.encode(f"@CANARY@ {hidden}"))
self.send(wire.FAILED, 0, 0, 0, body=wire.encode((False, f"@CANARY@ {hidden}")))
self.send(wire.DONE)
