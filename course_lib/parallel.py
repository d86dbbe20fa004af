"""Many processes, one batch: what training and harvesting need under torchrun.

Started by `torchrun` (`python -m torch.distributed.run`), `accelerate launch` or anything else that
sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, the processes hold equal copies of the weights
and each a part of every batch. Inside `with processes():` the functions here answer for the whole
batch: a mean is the mean over all rows of all processes. Outside, and in a single process, they
answer for what they are given, so that code which calls them reads the same either way.

This stands on torch.distributed alone. Its DistributedDataParallel, and accelerate's `prepare`,
which wraps it, take over `forward` of one module; here several SAEs train on a `loss`, and their
gradients are few large tensors that are ready at the end of backward, with little to overlap.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

T = TypeVar("T")

PATIENCE = timedelta(minutes=10)  # with a process that does not answer
_together = False  # whether the work under way is shared out


@contextmanager
def processes() -> Iterator[None]:
    """Inside, the processes of this run work together; every one of them must come here."""
    global _together
    before, _together = _together, _joined()
    try:
        yield
    finally:
        _together = before


def _joined() -> bool:
    if not dist.is_available() or (not dist.is_initialized() and "RANK" not in os.environ):
        return False
    if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backends = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        _call(dist.init_process_group, backends, timeout=PATIENCE)
        atexit.register(lambda: dist.is_initialized() and dist.destroy_process_group())
        _call(dist.all_reduce, torch.zeros(1))  # or who ends soon is lost to who is still joining
    return dist.is_initialized() and dist.get_world_size() > 1


def size() -> int:
    """How many processes share the work; 1 outside of `processes`."""
    return dist.get_world_size() if _together else 1


def rank() -> int:
    """Which of them this one is; 0 writes files."""
    return dist.get_rank() if _together else 0


def mean(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The mean over processes; of means over equally many rows, the mean over all rows.

    Its gradient by the local x is 1 and not 1 / size: `average_gradients` divides.
    """
    return _Mean.apply(x) if _together else x


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        _call(dist.all_reduce, total)
        return total / size()

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad


def minimum(x: Tensor) -> Tensor:
    """The smallest over processes, entry by entry."""
    return _reduced(x, "MIN")


def maximum(x: Tensor) -> Tensor:
    """The largest over processes, entry by entry."""
    return _reduced(x, "MAX")


def total(count: int) -> int:
    """The sum over processes."""
    return int(_reduced(torch.tensor(count, device=_device()), "SUM")) if _together else count


def anywhere(mask: Bool[Tensor, "*shape"] | bool) -> Bool[Tensor, "*shape"] | bool:
    """Whether it holds in some process, entry by entry."""
    if not _together:
        return mask
    if isinstance(mask, bool):
        return total(mask) > 0
    return maximum(mask.to(torch.uint8)).bool()


def gather(x: Tensor, axis: int = 0) -> Tensor:
    """The parts of all processes, which are shaped alike, one after the other."""
    if not _together:
        return x
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(size())]
    _call(dist.all_gather, parts, x.detach().contiguous())
    return torch.cat(parts, dim=axis)


def own(x: Tensor, axis: int = 0) -> Tensor:
    """This process's part of what all of them have whole; it is `gather` undone."""
    return x.tensor_split(size(), dim=axis)[rank()] if _together else x


def largest(values: Float[Tensor, " n"], k: int) -> Bool[Tensor, " n"]:
    """Which of these are among the k largest of all processes, which may have unequally many."""
    longest = int(maximum(torch.tensor(len(values), device=_device())))
    padded = values.new_full((longest,), -torch.inf)
    padded[: len(values)] = values.detach()
    everyone = gather(padded)
    chosen = torch.zeros_like(everyone, dtype=torch.bool)
    chosen[everyone.topk(min(k, len(everyone))).indices] = True
    return own(chosen)[: len(values)]


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by its mean over processes, in place."""
    if _together:
        for parameter in parameters:
            if parameter.grad is not None:
                grad = parameter.grad.contiguous()
                _call(dist.all_reduce, grad)
                grad /= size()
                if grad is not parameter.grad:
                    parameter.grad.copy_(grad)


def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by process 0's, in place."""
    if _together:
        for tensor in tensors:
            content = tensor.detach().contiguous()
            _call(dist.broadcast, content, src=0)
            tensor.detach().copy_(content)


def from_first(make: Callable[[], T]) -> T:
    """What `make` gives, or raises, in process 0; it is called nowhere else."""
    if not _together:
        return make()
    answer: list[object] = [None, None]
    if rank() == 0:
        try:
            answer[0] = make()
        except Exception as error:
            answer[1] = error
    _call(dist.broadcast_object_list, answer, src=0, device=_device())
    if answer[1] is not None:
        raise answer[1]
    return answer[0]


def wait() -> None:
    """Go on when all processes have come here."""
    total(0)


def _reduced(x: Tensor, how: str) -> Tensor:
    if not _together:
        return x
    x = x.clone(memory_format=torch.contiguous_format)
    _call(dist.all_reduce, x, getattr(dist.ReduceOp, how))
    return x


def _device() -> str:
    """Where small tensors are sent from."""
    return "cuda" if _together and dist.get_backend() == "nccl" else "cpu"


def _call(collective: Callable, *arguments: object, **options: object) -> None:
    try:
        collective(*arguments, **options)
    except RuntimeError as error:
        raise ConnectionError(
            f"Process {os.environ.get('RANK', rank())} of {os.environ.get('WORLD_SIZE', size())} "
            "has lost the others: one of them ended, or did not answer for "
            f"{PATIENCE.total_seconds():.0f} seconds; what it printed says why. Start again with "
            "the same arguments, with as many processes or others, to go on."
        ) from error
