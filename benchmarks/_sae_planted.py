"""What every contestant trains on and starts from, and how good it is at the end."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

N_FEATURES, PROBABILITY, NOISE = 1024, 0.01, 0.01
POOL = 32  # batches made ahead, taken in turn
HELD_OUT = 4  # batches that nothing is trained on


@dataclass
class Trained:
    """What came out: the dictionary [d_sae, d_in], encode(x, by the selection of training) -> z
    and decode(z)."""

    W_dec: Tensor
    encode: Callable[[Tensor, bool], Tensor]
    decode: Callable[[Tensor], Tensor]


class Batches:
    """`size.steps` batches from a pool, the time at which the first timed one was asked for, and
    the weights that all start from: unit rows, which are the encoder's and the decoder's."""

    def __init__(self, size: argparse.Namespace) -> None:
        generator = torch.Generator().manual_seed(size.seed)
        D = torch.randn(N_FEATURES, size.d_in, generator=generator)
        self.dictionary = (D / D.norm(dim=1, keepdim=True)).to(size.device)
        self.size, self.pool = size, []
        W = torch.randn(
            size.d_sae, size.d_in, generator=torch.Generator().manual_seed(size.seed + 1)
        )
        self.W = (W / W.norm(dim=1, keepdim=True)).to(size.device)
        for _ in range(POOL + HELD_OUT):
            shape = (size.batch, N_FEATURES)
            active = torch.rand(shape, generator=generator) < PROBABILITY
            features = active * (0.5 + torch.rand(shape, generator=generator))
            noise = NOISE * torch.randn(size.batch, size.d_in, generator=generator)
            self.pool.append(features.to(size.device) @ self.dictionary + noise.to(size.device))
        self.held_out = [self.pool.pop() for _ in range(HELD_OUT)]

    def __iter__(self) -> Iterator[Tensor]:
        for step in range(self.size.steps):
            if step == self.size.warmup:
                synchronize()
                self.started = time.perf_counter()
            yield self.pool[step % POOL]


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@torch.no_grad()
def quality(trained: Trained, batches: Batches) -> dict[str, float]:
    """On batches that were held out: FVU at inference and by the selection of training, the share
    of latents that never fire, and the mean over planted directions of the best cosine."""
    fired = torch.zeros(len(trained.W_dec), dtype=torch.bool, device=trained.W_dec.device)
    error = {True: 0.0, False: 0.0}
    for x in batches.held_out:
        for training in (True, False):
            z = trained.encode(x, training)
            error[training] += (x - trained.decode(z)).square().sum().item()
        fired |= (z > 0).any(dim=0)
    x = torch.cat(batches.held_out)
    variance = (x - x.mean(dim=0)).square().sum().item()
    unit = torch.nn.functional.normalize(trained.W_dec.float(), dim=-1)
    return {
        "fvu": error[False] / variance,
        "fvu_training": error[True] / variance,
        "dead": 1 - fired.float().mean().item(),
        "mmcs": (batches.dictionary @ unit.T).amax(dim=-1).mean().item(),
    }
