"""Tune the SAEs of the chapter "SAEs inside a transformer" on documents that it never reads.

    python -m tools.tuning_inside_a_transformer          # about five minutes on one quiet core

Every SAE gets the same learning rates, g-SAE and the small world times its own β, with the
chapter's steps; each is given the cell in which splicing it in costs the model least, in nats. In
the small world, where there is no model to splice it into, the score is the share of labels that
the read-out still gets right.

Stored in course_lib/claims/tuning/09_saes_inside_a_transformer.json with its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from course_lib import models, runtime
from course_lib.activations import Patch, harvest, intervene, read, record
from course_lib.data import QuietLabels
from course_lib.data.sequences import Sequences
from course_lib.sae import SAE, GradientTopKSAE, TopKSAE, Trainer, Transcoder, fvu
from tools.tuning import store

CHAPTER = "09_saes_inside_a_transformer"
SEED = 1000  # the chapter's seeds are below this
K, STEPS, BATCH = 16, 400, 512
D_SAE, D_SAE_MLP = 384, 128  # the second has a semi-NMF of the same size beside it
RATES = (0.003, 0.01, 0.03, 0.1)
BETAS = (5.0, 100.0, 1000.0, 10_000.0)
SITES = {
    "residual stream": "blocks.2.resid_post", "attention": "blocks.0.z", "MLP": "blocks.0.mlp_post",
}  # fmt: skip
MLP_IN, MLP_OUT = "blocks.0.mlp:input", "blocks.0.mlp_out"
SMALL_BETAS, SMALL_STEPS = (10.0, 30.0, 100.0, 300.0), 500


def fit(
    sae: SAE, data: Tensor | tuple[Tensor, ...] | QuietLabels, lr: float, steps: int = STEPS
) -> SAE:
    settings = {"batch_size": BATCH, "dead_after": 20_000, "seed": SEED}
    Trainer(sae, data, steps=steps, lr=lr, **settings).fit()
    return sae.eval()


class Stage:
    """The story model, its activations, and what a reconstruction of them costs it."""

    def __init__(self, n_docs: int = 1024) -> None:
        self.model, world = models.load("story"), models.card("story").make_world()
        self.train = world.sample(n_docs, runtime.generator(SEED))
        self.test = world.sample(96, runtime.generator(SEED + 1))
        sites = [*SITES.values(), MLP_IN, MLP_OUT]
        self.store = harvest(self.model, self.train.tokens[:, :-1], sites)
        self.x = read(self.model, sites, self.test.tokens[:, :-1])
        self.clean = self.loss(self.test).mean().item()

    def loss(self, docs: Sequences) -> Tensor:
        logits = self.model(docs.tokens[:, :-1])
        return F.cross_entropy(logits.transpose(1, 2), docs.tokens[:, 1:], reduction="none")

    @torch.no_grad()
    def cost(self, site: str, x_hat: Tensor) -> dict[str, float]:
        with intervene(self.model, site, Patch(x_hat)):
            rise = self.loss(self.test).mean().item() - self.clean
        x = self.x[site]
        error = fvu(x.flatten(0, 1), x_hat.flatten(0, 1)).item()
        return {"ce_increase": round(rise, 5), "fvu": round(error, 4)}

    def gradients(self, site: str) -> Tensor:
        parts = []
        for i in range(0, len(self.train), 64):
            with record(self.model, site) as acts:
                loss = self.loss(self.train[i : i + 64]).sum()
            parts.append(torch.autograd.grad(loss, acts[site])[0])
        return torch.cat(parts).flatten(0, 1)


def swept(score: Callable[..., dict[str, float]], choices: Sequence[dict] = ({},)) -> dict:
    """Every learning rate with every other choice, and the best cell by its first score."""
    cells = [{"lr": lr, **own} for lr in RATES for own in choices]
    scores = [score(**cell) for cell in tqdm(cells)]
    key = next(iter(scores[0]))
    best = max if key == "right" else min
    cells = [cell | score for cell, score in zip(cells, scores, strict=True)]
    return {"cells": cells, "best": best(cells, key=lambda cell: cell[key])}


def tune_sites(stage: Stage) -> dict[str, dict]:
    found = {}
    for name, site in SITES.items():

        def score(lr: float, name: str = name, site: str = site) -> dict[str, float]:
            x, d_sae = stage.store[site], D_SAE_MLP if name == "MLP" else D_SAE
            sae = fit(TopKSAE(x.shape[1], d_sae, K, seed=SEED), x, lr)
            return stage.cost(site, sae(stage.x[site]).detach())

        found[name] = swept(score)
    return found


def tune_gradients(stage: Stage) -> dict:
    site = SITES["residual stream"]
    data = (stage.store[site], stage.gradients(site))

    def score(lr: float, beta: float) -> dict[str, float]:
        sae = fit(GradientTopKSAE(data[0].shape[1], D_SAE, K, beta, seed=SEED), data, lr)
        return stage.cost(site, sae(stage.x[site]).detach())

    return swept(score, [{"beta": beta} for beta in BETAS])


def tune_transcoders(stage: Stage) -> dict[str, dict]:
    x, y = stage.store[MLP_IN], stage.store[MLP_OUT]

    def score(lr: float, skip: bool) -> dict[str, float]:
        sae = fit(Transcoder(x.shape[1], D_SAE, K, y.shape[1], skip=skip, seed=SEED), (x, y), lr)
        with torch.no_grad():
            y_hat = sae.reconstruct(stage.x[MLP_IN], sae.encode(stage.x[MLP_IN]))
        return stage.cost(MLP_OUT, y_hat)

    names = {"transcoder": False, "transcoder, skip connection": True}
    return {name: swept(score, [{"skip": skip}]) for name, skip in names.items()}


def tune_small_world() -> dict[str, dict]:
    world = QuietLabels(seed=SEED)
    x_test, _, label = world.sample_with_labels(4000, runtime.generator(SEED + 1))

    def score(lr: float, beta: float = 0.0) -> dict[str, float]:
        sae = fit(GradientTopKSAE(world.d_in, 64, 4, beta, seed=SEED), world, lr, SMALL_STEPS)
        x_hat = sae(x_test).detach()
        right = (world.logits(x_hat).argmax(dim=1) == label).float().mean().item()
        return {"right": round(right, 4), "fvu": round(fvu(x_test, x_hat).item(), 4)}

    return {
        "small world: TopK": swept(score),
        "small world: g-SAE": swept(score, [{"beta": beta} for beta in SMALL_BETAS]),
    }


def main() -> None:
    torch.set_num_threads(1)
    stage = Stage()
    found = tune_sites(stage)
    found["g-SAE"] = tune_gradients(stage)
    found |= tune_transcoders(stage) | tune_small_world()
    print(f"stored in {store(CHAPTER, found)}")


if __name__ == "__main__":
    main()
