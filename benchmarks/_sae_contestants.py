"""One library, one architecture, one process: trains and prints its figures as JSON.

Called by benchmarks/sae.py, under the Python that has the library. A contestant is given the
batches as an iterable and trains one step on each, by the library's own trainer where it has one
that takes tensors, else by the loop its documentation shows. It returns the dictionary
[d_sae, d_in] and a function that reconstructs. All have Adam at the same constant rate, the same
batches in the same order, and unit decoder rows or the library's own default.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import json
import resource
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator
from unittest.mock import MagicMock

import torch
from torch import Tensor

N_FEATURES, PROBABILITY, NOISE = 1024, 0.01, 0.01
POOL = 32  # batches made ahead, taken in turn
Result = tuple[Tensor, Callable[[Tensor], Tensor]]


class Batches:
    """`size.steps` batches from a pool, and the time at which the first timed one was asked for."""

    def __init__(self, size: argparse.Namespace) -> None:
        generator = torch.Generator().manual_seed(size.seed)
        D = torch.randn(N_FEATURES, size.d_in, generator=generator)
        self.dictionary = (D / D.norm(dim=1, keepdim=True)).to(size.device)
        self.size, self.pool = size, []
        for _ in range(POOL):
            shape = (size.batch, N_FEATURES)
            active = torch.rand(shape, generator=generator) < PROBABILITY
            features = active * (0.5 + torch.rand(shape, generator=generator))
            noise = NOISE * torch.randn(size.batch, size.d_in, generator=generator)
            self.pool.append(features.to(size.device) @ self.dictionary + noise.to(size.device))

    def __iter__(self) -> Iterator[Tensor]:
        for step in range(self.size.steps):
            if step == self.size.warmup:
                synchronize()
                self.started = time.perf_counter()
            yield self.pool[step % POOL]


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def ours(size: argparse.Namespace, batches: Batches) -> Result:
    from course_lib.sae import BatchTopKSAE, ReLUSAE, TopKSAE, Trainer

    make, argument = {
        "topk": (TopKSAE, size.k), "batchtopk": (BatchTopKSAE, size.k),
        "relu": (ReLUSAE, size.l1),
    }[size.architecture]  # fmt: skip
    sae = make(size.d_in, size.d_sae, argument, decoder_norm="unit").to(size.device)
    Trainer(
        sae, batches, steps=size.steps, batch_size=size.batch, lr=size.lr, lr_warmup=0,
        lr_decay=0, sparsity_warmup=0, dead_after=10_000_000, scale_activations=False,
        autocast=size.device == "cuda",
    ).fit()  # fmt: skip
    return sae.W_dec, sae


def plain(size: argparse.Namespace, batches: Iterable[Tensor]) -> Result:
    """What a good engineer writes first: dense products, autograd, Adam."""
    W = torch.randn(size.d_sae, size.d_in, device=size.device)
    W_dec = torch.nn.Parameter(W / W.norm(dim=1, keepdim=True))
    W_enc = torch.nn.Parameter(W_dec.detach().T.clone())
    b_enc = torch.nn.Parameter(torch.zeros(size.d_sae, device=size.device))
    b_dec = torch.nn.Parameter(torch.zeros(size.d_in, device=size.device))
    optimizer = torch.optim.Adam([W_dec, W_enc, b_enc, b_dec], lr=size.lr)

    def encode(x: Tensor) -> Tensor:
        z = torch.relu((x - b_dec) @ W_enc + b_enc)
        if size.architecture == "relu":
            return z
        flat = z if size.architecture == "topk" else z.flatten()
        k = size.k if size.architecture == "topk" else size.k * len(x)
        values, latents = flat.topk(k, dim=-1)
        return torch.zeros_like(flat).scatter(-1, latents, values).view_as(z)

    for x in batches:
        z = encode(x)
        loss = (x - z @ W_dec - b_dec).square().sum(-1).mean()
        if size.architecture == "relu":
            loss = loss + size.l1 * z.sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            W_dec /= W_dec.norm(dim=1, keepdim=True)
    return W_dec, lambda x: encode(x) @ W_dec + b_dec


def sae_lens(size: argparse.Namespace, batches: Iterable[Tensor]) -> Result:
    import sae_lens as sl
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    name = {"topk": "TopK", "batchtopk": "BatchTopK", "relu": "Standard"}[size.architecture]
    own = {"l1_coefficient": size.l1} if size.architecture == "relu" else {"k": size.k}
    config = getattr(sl, f"{name}TrainingSAEConfig")
    sae = getattr(sl, f"{name}TrainingSAE")(
        config(d_in=size.d_in, d_sae=size.d_sae, device=size.device, **own)
    )
    settings = SAETrainerConfig(
        total_training_samples=size.steps * size.batch, train_batch_size_samples=size.batch,
        lr=size.lr, lr_end=size.lr, device=size.device, autocast=size.device == "cuda",
    )  # fmt: skip
    SAETrainer(settings, sae, iter(batches)).fit()
    return sae.W_dec, sae


def dictionary_learning(size: argparse.Namespace, batches: Iterable[Tensor]) -> Result:
    _stand_in("nnsight")
    from dictionary_learning.trainers import batch_top_k, standard, top_k

    make = {
        "topk": top_k.TopKTrainer, "batchtopk": batch_top_k.BatchTopKTrainer,
        "relu": standard.StandardTrainer,
    }[size.architecture]  # fmt: skip
    own = {"l1_penalty": size.l1} if size.architecture == "relu" else {"k": size.k}
    if size.architecture == "relu":
        own |= {"sparsity_warmup_steps": None}
    trainer = make(
        steps=max(size.steps, 10), activation_dim=size.d_in, dict_size=size.d_sae, layer=0,
        lm_name="none", lr=size.lr, warmup_steps=0, device=size.device, seed=0, **own,
    )  # fmt: skip
    for step, x in enumerate(batches):
        trainer.update(step, x)
    return trainer.ae.decoder.weight.T, trainer.ae


def sparsify(size: argparse.Namespace, batches: Iterable[Tensor]) -> Result:
    from sparsify import SparseCoder, SparseCoderConfig

    if size.architecture != "topk":
        raise NotImplementedError
    coder = SparseCoder(
        size.d_in, SparseCoderConfig(num_latents=size.d_sae, k=size.k), device=size.device
    )
    optimizer = torch.optim.Adam(coder.parameters(), lr=size.lr)
    for step, x in enumerate(batches):
        if step == 0:
            coder.b_dec.data = x.mean(0)
        coder.set_decoder_norm_to_unit_norm()
        optimizer.zero_grad()
        coder(x).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
    return coder.W_dec, lambda x: coder(x).sae_out


def overcomplete(size: argparse.Namespace, batches: Iterable[Tensor]) -> Result:
    for name in ("cv2", "timm", "torchvision", "torchvision.transforms", "skimage"):
        _stand_in(name)
    _package_alone("overcomplete")
    from overcomplete.sae import SAE, BatchTopKSAE, TopKSAE, losses, train

    own = {
        "topk": lambda: TopKSAE(size.d_in, size.d_sae, top_k=size.k, device=size.device),
        "batchtopk": lambda: BatchTopKSAE(
            size.d_in, size.d_sae, top_k=size.k * size.batch, device=size.device
        ),
        "relu": lambda: SAE(size.d_in, size.d_sae, device=size.device),
    }
    sae = own[size.architecture]()

    def mse(x: Tensor, x_hat: Tensor, *_: Tensor) -> Tensor:
        return (x - x_hat).square().mean()

    def mse_l1(x: Tensor, x_hat: Tensor, pre: Tensor, z: Tensor, D: Tensor) -> Tensor:
        return mse(x, x_hat) + size.l1 * z.abs().sum(-1).mean() / size.d_in

    assert losses
    train.train_sae(
        sae, batches, mse_l1 if size.architecture == "relu" else mse,
        torch.optim.Adam(sae.parameters(), lr=size.lr), nb_epochs=1, monitoring=0,
        device=size.device,
    )  # fmt: skip
    return sae.get_dictionary(), lambda x: sae(x)[2]


def floor(size: argparse.Namespace, batches: Iterable[Tensor]) -> Result:
    """The encoder's product alone, which no architecture can avoid."""
    W = torch.randn(size.d_in, size.d_sae, device=size.device)
    W = W.bfloat16() if size.device == "cuda" else W
    pre = torch.empty(size.batch, size.d_sae, device=size.device, dtype=W.dtype)
    for x in batches:
        torch.mm(x.to(W.dtype), W, out=pre)
    return W.T.float(), torch.zeros_like


def _stand_in(name: str) -> None:
    """A module that a library imports and training on tensors never uses."""
    module = types.ModuleType(name)
    module.__getattr__ = lambda attribute: MagicMock()  # type: ignore[method-assign]
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__path__ = []
    sys.modules.setdefault(name, module)


def _package_alone(name: str) -> None:
    """The package without its own __init__, which imports more than it declares."""
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is not installed"
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations or [])
    sys.modules[name] = package


CONTESTANTS = {
    "course_lib": ours, "plain PyTorch": plain, "sae-lens": sae_lens,
    "dictionary-learning": dictionary_learning, "eai-sparsify": sparsify,
    "overcomplete": overcomplete, "floor": floor,
}  # fmt: skip


def main() -> None:
    size = argparse.Namespace(**json.loads(sys.argv[1]))
    torch.set_num_threads(size.threads)
    torch.manual_seed(size.seed + 1)  # or weights would start at the planted directions
    batches = Batches(size)
    W_dec, reconstruct = CONTESTANTS[size.library](size, batches)
    synchronize()
    seconds = time.perf_counter() - batches.started
    x = torch.cat(batches.pool[:4])
    with torch.no_grad():
        x_hat = torch.cat([reconstruct(part).float() for part in x.split(size.batch)])
        fvu = (x - x_hat).square().sum() / (x - x.mean(0)).square().sum()
        unit = torch.nn.functional.normalize(W_dec.detach().float(), dim=-1)
        cosine = (batches.dictionary @ unit.T).amax(dim=-1).mean()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if size.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    steps_per_second = (size.steps - size.warmup) / seconds
    figures = {"steps_per_second": steps_per_second, "fvu": fvu.item(), "mmcs": cosine.item()}
    print("RESULT", json.dumps(figures | {"peak_mib": peak}))


if __name__ == "__main__":
    main()
