"""What every device computes: the same weights, inputs and steps, put where a place says."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

import course_lib.sae
import course_lib.superposition
from course_lib.activations import Add, harvest, intervene
from course_lib.data import SparseFeatures
from course_lib.geometry import CausalInnerProduct
from course_lib.models import ToyModel
from course_lib.probes import fit, leace
from course_lib.runtime import generator
from course_lib.sae import ReLUSAE, TopKSAE
from course_lib.steering import SteeringVector, steer
from tests.probes.labelled import gaussian
from tests.sae.family import FAMILY, lived_in
from tests.steering.small import TOKENS, D, make_gpt

Put = Callable[[Tensor | nn.Module], Tensor | nn.Module]
Case = Callable[[Put], dict[str, Tensor]]
SITE = "blocks.1.resid_post"


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def one_pass(kind: str, put: Put) -> dict[str, Tensor]:
    """Forward, loss and gradient of one architecture, half of its latents dead."""
    sae = put(lived_in(FAMILY[kind].make(16, 48)))
    x = 1.5 * normal(64, 16, seed=1)
    batch = [put(part) for part in FAMILY[kind].batch(x, generator(2))]
    dead = torch.arange(48, device=batch[0].device) < 24
    torch.manual_seed(0)
    loss = sae.loss(*batch, dead=dead)
    loss.total.sum().backward()
    grads = {f"gradient of {name}": p.grad for name, p in sae.named_parameters()}
    return {"latents": sae.encode(put(x)), "x_hat": sae(put(x)), **loss.terms, **grads}


class Replayed(SparseFeatures):
    """Draws on the CPU whatever the device, so that all of them see the same batches."""

    source: torch.Generator

    def sample(self, batch_size, generator, instances=slice(None), out=None):
        return out.copy_(super().sample(batch_size, self.source, instances))


def toy_model(put: Put) -> dict[str, Tensor]:
    features = Replayed(20, 0.1)
    features.source = generator(0)
    model = put(ToyModel(20, 5))
    trainer = course_lib.superposition.Trainer(model, features, steps=50, batch_size=128)
    return {"loss": trainer.fit(), "W": model.W, "b_dec": model.b_dec}


def trained_saes(put: Put) -> dict[str, Tensor]:
    saes = [put(TopKSAE(16, 48, 4)), put(ReLUSAE(16, 48, l1_coefficient=0.3))]
    x = normal(512, 48).clamp(min=0) @ normal(48, 16, seed=1)
    course_lib.sae.Trainer(saes, x, steps=50, batch_size=128, lr=0.01).fit()
    return {f"{type(sae).__name__} {k}": v for sae in saes for k, v in sae.named_parameters()}


def probes(put: Put) -> dict[str, Tensor]:
    x, y = gaussian(m=(2,), dtype=torch.float32)
    x, y = put(x), y.to(put(x).device)
    methods = ("logistic", "mass_mean", "lda", "ridge")
    scores = {m: fit(x, y.to(x) if m == "ridge" else y, m).scores(x) for m in methods}
    return scores | {"erased": leace(x, y[0]).erase(x)}


def causal_product(put: Put) -> dict[str, Tensor]:
    product = CausalInnerProduct.from_unembedding(put(normal(200, 16)))
    a, b = put(normal(5, 16, seed=1)), put(normal(5, 16, seed=2))
    return {"cos": product.cos(a, b), "whiten": product.whiten(a), "riesz": product.riesz(b)}


def hooks(put: Put) -> dict[str, Tensor]:
    model = put(make_gpt())
    rows = harvest(model, TOKENS, SITE)[SITE]
    tokens = TOKENS.to(put(normal(1)).device)
    vector = normal(D, seed=1)
    with torch.no_grad(), intervene(model, SITE, Add(vector, 2.0)):
        added = model(tokens)
    with torch.no_grad(), steer(model, SteeringVector(vector, SITE), 3.0):
        steered = model(tokens)
    return {"harvested": rows, "added": added, "steered": steered}


CASES: dict[str, tuple[str, Case]] = {  # name: (its tolerance, what is computed)
    **{kind: ("pass", partial(one_pass, kind)) for kind in FAMILY},
    "toy model": ("training", toy_model),
    "saes": ("training", trained_saes),
    "probes": ("probes", probes),
    "causal inner product": ("geometry", causal_product),
    "harvest and steer": ("hooks", hooks),
}
