"""One library, one architecture, one process: trains and prints its figures as JSON.

Called by benchmarks/sae.py, under the Python that has the library. A contestant is given the
batches as an iterable and trains one step on each, by the library's own trainer where it has one
that takes tensors, else by the loop its documentation shows. All see the same batches in the same
order, start from the same weights, and have Adam at the same constant rate. What is left is the
library's own: dictionary-learning and sae-lens clip gradients, overcomplete has no b_dec,
sae-lens leaves decoder norms free, and none but ours and eai-sparsify starts b_dec at the mean.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import json
import resource
import sys
import time
import types
from unittest.mock import MagicMock

import torch
from _sae_planted import Batches, Trained, quality, synchronize
from torch import Tensor


def ours(size: argparse.Namespace, batches: Batches) -> Trained:
    from course_lib.sae import BatchTopKSAE, ReLUSAE, TopKSAE, Trainer

    make, argument = {
        "topk": (TopKSAE, size.k), "batchtopk": (BatchTopKSAE, size.k),
        "relu": (ReLUSAE, size.l1),
    }[size.architecture]  # fmt: skip
    sae = make(size.d_in, size.d_sae, argument, decoder_norm="unit").to(size.device)
    sae.W_dec.data.copy_(batches.W)
    sae.W_enc.data.copy_(batches.W.T)
    Trainer(
        sae, batches, steps=size.steps, batch_size=size.batch, lr=size.lr, lr_warmup=0,
        lr_decay=0, sparsity_warmup=0, dead_after=10_000_000, scale_activations=False,
        autocast=size.device == "cuda",
    ).fit()  # fmt: skip
    return Trained(sae.W_dec, lambda x, training: sae.train(training).encode(x), sae.decode)


def plain(size: argparse.Namespace, batches: Batches) -> Trained:
    """What a good engineer writes first: dense products, autograd, Adam.

    Its BatchTopK has no threshold for inference and selects within the batch there, too.
    """
    W_dec = torch.nn.Parameter(batches.W.clone())
    W_enc = torch.nn.Parameter(batches.W.T.clone())
    b_enc = torch.nn.Parameter(torch.zeros(size.d_sae, device=size.device))
    b_dec = torch.nn.Parameter(batches.pool[0].mean(dim=0))
    optimizer = torch.optim.Adam([W_dec, W_enc, b_enc, b_dec], lr=size.lr)

    def encode(x: Tensor, training: bool = True) -> Tensor:
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
        with torch.no_grad():
            W_dec.grad -= (W_dec.grad * W_dec).sum(dim=1, keepdim=True) * W_dec
            optimizer.step()
            W_dec /= W_dec.norm(dim=1, keepdim=True)
    return Trained(W_dec, encode, lambda z: z @ W_dec + b_dec)


def sae_lens(size: argparse.Namespace, batches: Batches) -> Trained:
    import sae_lens as sl
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    name = {"topk": "TopK", "batchtopk": "BatchTopK", "relu": "Standard"}[size.architecture]
    own = {"l1_coefficient": size.l1} if size.architecture == "relu" else {"k": size.k}
    config = getattr(sl, f"{name}TrainingSAEConfig")
    sae = getattr(sl, f"{name}TrainingSAE")(
        config(d_in=size.d_in, d_sae=size.d_sae, device=size.device, **own)
    )
    sae.W_dec.data.copy_(batches.W)
    sae.W_enc.data.copy_(batches.W.T)
    settings = SAETrainerConfig(
        total_training_samples=size.steps * size.batch, train_batch_size_samples=size.batch,
        lr=size.lr, lr_end=size.lr, device=size.device, autocast=size.device == "cuda",
    )  # fmt: skip
    SAETrainer(settings, sae, iter(batches)).fit()

    def encode(x: Tensor, training: bool) -> Tensor:
        z, pre = sae.encode_with_hidden_pre(x)
        if size.architecture == "batchtopk" and not training:
            return pre.where(pre > sae.topk_threshold, 0.0)
        return z

    return Trained(sae.W_dec, encode, sae.decode)


def dictionary_learning(size: argparse.Namespace, batches: Batches) -> Trained:
    _stand_in("nnsight")
    from dictionary_learning.trainers import batch_top_k, standard, top_k

    make, own = {
        "topk": (top_k.TopKTrainer, {"k": size.k}),
        "batchtopk": (batch_top_k.BatchTopKTrainer, {"k": size.k, "threshold_start_step": 0}),
        "relu": (
            standard.StandardTrainer, {"l1_penalty": size.l1, "sparsity_warmup_steps": None}
        ),
    }[size.architecture]  # fmt: skip
    trainer = make(
        steps=max(size.steps, 10), activation_dim=size.d_in, dict_size=size.d_sae, layer=0,
        lm_name="none", lr=size.lr, warmup_steps=0, device=size.device, seed=0, **own,
    )  # fmt: skip
    ae = trainer.ae
    ae.encoder.weight.data.copy_(batches.W)
    ae.decoder.weight.data.copy_(batches.W.T)
    for step, x in enumerate(batches):
        trainer.update(step, x)

    def encode(x: Tensor, training: bool) -> Tensor:
        choice = {"use_threshold": not training} if size.architecture == "batchtopk" else {}
        return ae.encode(x, **choice)

    return Trained(ae.decoder.weight.T, encode, ae.decode)


def sparsify(size: argparse.Namespace, batches: Batches) -> Trained:
    from sparsify import SparseCoder, SparseCoderConfig

    if size.architecture != "topk":
        raise NotImplementedError
    coder = SparseCoder(
        size.d_in, SparseCoderConfig(num_latents=size.d_sae, k=size.k), device=size.device
    )
    coder.W_dec.data.copy_(batches.W)
    coder.encoder.weight.data.copy_(batches.W)
    coder.b_dec.data.copy_(batches.pool[0].mean(dim=0))
    optimizer = torch.optim.Adam(coder.parameters(), lr=size.lr)
    for x in batches:
        coder.set_decoder_norm_to_unit_norm()
        optimizer.zero_grad()
        coder(x).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()

    def encode(x: Tensor, training: bool) -> Tensor:
        values, latents, pre = coder.encode(x)
        return torch.zeros_like(pre).scatter(-1, latents, values)

    return Trained(coder.W_dec, encode, lambda z: z @ coder.W_dec + coder.b_dec)


def overcomplete(size: argparse.Namespace, batches: Batches) -> Trained:
    for name in ("cv2", "timm", "torchvision", "torchvision.transforms", "skimage"):
        _stand_in(name)
    _package_alone("overcomplete")
    from overcomplete.sae import SAE, BatchTopKSAE, TopKSAE, train

    make, own = {
        "topk": (TopKSAE, {"top_k": size.k}),
        "batchtopk": (BatchTopKSAE, {"top_k": size.k * size.batch}),
        "relu": (SAE, {}),
    }[size.architecture]
    sae = make(size.d_in, size.d_sae, device=size.device, **own)
    linear = sae.encoder.final_block[0]
    linear.weight.data.copy_(batches.W)
    linear.bias.data.zero_()
    sae.dictionary._weights.data.copy_(batches.W)

    def mse(x: Tensor, x_hat: Tensor, *_: Tensor) -> Tensor:
        return (x - x_hat).square().mean()

    def mse_l1(x: Tensor, x_hat: Tensor, pre: Tensor, z: Tensor, D: Tensor) -> Tensor:
        return mse(x, x_hat) + size.l1 * z.abs().sum(-1).mean() / size.d_in

    train.train_sae(
        sae, batches, mse_l1 if size.architecture == "relu" else mse,
        torch.optim.Adam(sae.parameters(), lr=size.lr), nb_epochs=1, monitoring=0,
        device=size.device,
    )  # fmt: skip
    return Trained(
        sae.get_dictionary(), lambda x, training: sae.train(training).encode(x)[1], sae.decode
    )


def floor(size: argparse.Namespace, batches: Batches) -> None:
    """The encoder's product alone, which no architecture can avoid."""
    W = batches.W.T.contiguous()
    W = W.bfloat16() if size.device == "cuda" else W
    pre = torch.empty(size.batch, size.d_sae, device=size.device, dtype=W.dtype)
    for x in batches:
        torch.mm(x.to(W.dtype), W, out=pre)


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
    torch.manual_seed(size.seed)
    batches = Batches(size)
    trained = CONTESTANTS[size.library](size, batches)
    synchronize()
    seconds = time.perf_counter() - batches.started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if size.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    figures = {"steps_per_second": (size.steps - size.warmup) / seconds, "peak_mib": peak}
    if trained is not None:
        figures |= quality(trained, batches)
    print("RESULT", json.dumps(figures))


if __name__ == "__main__":
    main()
