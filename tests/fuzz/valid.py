"""Arguments with which everything public can be called rightly, from annotations and one table.

A tensor has the sizes that `SIZES` gives the letters of its annotation; what an annotation cannot
say (which latents, which site, what a callback answers) stands in `MAKERS`, by parameter, or by
subject and parameter where that is needed.
"""

from __future__ import annotations

import sys
import tempfile
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_lib import (
    activations,
    data,
    geometry,
    models,
    probes,
    runtime,
    sae,
    steering,
)
from tests.fuzz.census import Subject, subjects
from tests.fuzz.explorables import EXPLORABLES
from tests.fuzz.figures import FIGURES

SIZES = {
    "batch": 6, "n": 6, "m": 6, "rows": 6, "samples": 6, "points": 8, "d_in": 4, "d": 4,
    "d_model": 4, "d_sae": 5, "n_features": 3, "d_hidden": 2, "d_vocab": 7, "vocab": 7, "seq": 8,
    "slots": 8, "k": 2, "n_heads": 2, "d_head": 2, "length": 3, "n_instances": 1, "n_edges": 2,
    "n_tasks": 2, "n_items": 4, "n_inputs": 5, "n_classes": 2, "n_sizes": 6, "grid": 8,
    "n_concepts": 3, "n_units": 3, "d_out": 3, "d_mlp": 5, "n_modules": 3, "n_axes": 2,
    "t": 3, "steps": 4, "restarts": 2, "n_strengths": 2, "s": 2, "n_values": 3, "n_factors": 2,
}  # fmt: skip
VARIADIC = {"batch": (6,), "predictions": (6,), "places": (6,), "grid": (3,), "instances": ()}


def gpt() -> models.GPT:
    return models.GPT(models.GPTConfig(d_vocab=7, n_ctx=12, d_model=4, n_heads=2, n_layers=1))


def vector() -> steering.SteeringVector:
    return steering.SteeringVector(numbers(4), "blocks.0.mlp_out")


def behaviour() -> steering.Behaviour:
    return steering.Behaviour("b", wholes(2, 5), torch.tensor([1, 2]), torch.tensor([3]))


def toy() -> models.ToyModel:
    return models.ToyModel(3, 2, 1)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=runtime.generator(0))


def wholes(*shape: int) -> Tensor:
    return torch.arange(max(1, torch.Size(shape).numel())).reshape(shape or ()) % 2


def topk() -> sae.TopKSAE:
    return sae.TopKSAE(4, 5, 2)


def memory() -> models.GRU:
    return models.GRU(models.GRUConfig(5, 3, d_model=4, d_hidden=6))


def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz"))


def tasks() -> data.InContextTasks:
    return data.InContextTasks(torch.tensor([[0, 1, 1], [1, 0, 1]]), 2)


def split() -> probes.Split:
    return probes.random_split(6)


def report() -> steering.SteeringReport:
    return steering.evaluate(gpt(), vector(), behaviour(), [1.0, 2.0], n_random=2)


BY_CLASS: dict[type, Callable[[], Any]] = {
    nn.Module: gpt, models.GPT: gpt, sae.SAE: topk, models.ToyModel: toy,
    data.SparseFeatures: lambda: data.SparseFeatures(3, 0.5),
    data.StoryWorld: lambda: data.StoryWorld(1),
    data.InContextTasks: tasks, steering.SteeringVector: vector, steering.Act: vector,
    steering.Behaviour: behaviour, steering.SteeringReport: report,
    torch.Generator: lambda: runtime.generator(0), Path: folder, probes.Split: split,
    models.CNNConfig: lambda: models.CNNConfig(2, 8), models.GPTConfig: lambda: gpt().config,
    models.GRUConfig: lambda: memory().config,
}  # fmt: skip
SITE = "blocks.0.mlp_out"
MAKERS: dict[str, Callable[[], Any]] = {
    **FIGURES,
    **EXPLORABLES,
    # of any subject
    "site": lambda: SITE,
    "sites": lambda: [SITE],
    "senders": lambda: [SITE],
    "receivers": lambda: ["ln_final:input"],
    "sae": topk,
    "acts": lambda: [vector()],
    "parent": lambda: torch.tensor([-1, 0, 0]),
    "tokens": lambda: wholes(6, 8),
    "measure": lambda: lambda logits: logits[:, -1, 0],
    "strengths": lambda: [1.0, 2.0],
    "steps": lambda: 2,
    "restarts": lambda: 2,
    "seed": lambda: 0,
    "start": lambda: wholes(6) * 0.5,
    "factors": lambda: torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1], [0, 1], [1, 0]]),
    "memory": memory,
    "state": lambda: "topic",
    "exponent": lambda: 1.0,
    "place": lambda: torch.arange(6) % 3,
    "which": lambda: "2.1",
    # activations
    "activations.Store.index": lambda: harvested().index,
    "activations.Store.shards": list,
    "activations.Store.folder.self": lambda: harvested(folder()),
    "activations.Store.batches.self": lambda: harvested(),
    "activations.Store.folder.site": lambda: SITE,
    "activations.Store.open.path": lambda: harvested(folder()).path,
    "activations.find.name": lambda: SITE,
    "activations.read.inputs": lambda: (wholes(2, 8),),
    "activations.Splice.sae": topk,
    # causal
    "causal.changed_words.world": lambda: data.RepeatCopy(6, 3),
    "causal.neighbours.tokens": lambda: (
        data.StoryWorld(1).sample(1, runtime.generator(0)).tokens[0]
    ),
    "causal.neighbours.attributes": lambda: ["topic"],
    "causal.cross_entropy.target": lambda: wholes(6),
    "causal.illusion_report.forward": lambda: lambda h: h.sum(-1),
    "causal.illusion_report.source": lambda: numbers(6, 4) + 1,
    "causal.mean_squared_error.output": lambda: numbers(2, 6),
    "causal.mean_squared_error.target": lambda: numbers(6),
    "causal.recovered.goal": lambda: numbers(6) + 1,
    "causal.recovered.start": lambda: numbers(6),
    "causal.search_text.candidates": lambda: [wholes(2)] * 8,
    "causal.search_text.encode": lambda: lambda tokens: tokens.float(),
    "causal.search_text.target": lambda: torch.zeros(8),
    "causal.search_text.start": lambda: wholes(8),
    "causal.das.forward": lambda: lambda h, *rows: h,
    "causal.das.target": lambda: numbers(6, 4),
    # claims and study
    "claims.claim.name": lambda: "02_toy_models.none",
    "claims.claim.expected": lambda: (0.0, None),
    "claims.stored_runs.name": lambda: "02_toy_models.none",
    "claims.runs_table.chapter": lambda: "07_sae_family",
    "claims.stored_tuning.chapter": lambda: "07_sae_family",
    "study.compare.outcomes": lambda: [1.0],
    "study.write_page.path": lambda: folder() / "page.html",
    # data
    "data.AntiCorrelatedPairs.n_features": lambda: 4,
    "data.CorrelatedPairs.n_features": lambda: 4,
    "data.FeatureFrequencies.law": lambda: "power",
    "data.Retold.world": lambda: data.StoryWorld(1),
    "data.Retold.tokenizer": lambda: None,
    "data.concepts.drawn": lambda: data.StoryWorld(1).sample(2, runtime.generator(0)),
    "data.planar_points.kind": lambda: "circle",
    "data.random_map.condition": lambda: 2.0,
    "data.varied_patterns.patterns": lambda: (wholes(3, 8) == 0).float(),
    "data.varied_patterns.n_changed": lambda: 1,
    # geometry
    "geometry.Rotation.d": lambda: 6,
    "geometry.additive_codes.states": lambda: numbers(20, 4),
    "geometry.additive_codes.tokens": lambda: wholes(20, 3),
    "geometry.combination_split.n_support": lambda: 6,
    "geometry.concept_vectors.members": lambda: torch.eye(3, 7) == 1,
    "geometry.draw_replacements.n_symbols": lambda: 4,
    "geometry.fit_edit.n_symbols": lambda: 4,
    "geometry.fit_edit.edit": lambda: geometry.FreeCodes(6, 4, 3),
    "geometry.edits_right.edit": lambda: geometry.FreeCodes(6, 4, 3),
    "geometry.edits_right.drawn": lambda: replacement(),
    "geometry.edits_right.first": lambda: 4,
    "geometry.fit_rotation.rotation": lambda: geometry.Rotation(4, [2, 2]),
    "geometry.fit_rotation.loss": lambda: lambda rotation, generator: rotation.subspace(0).sum(),
    "geometry.laid_into.plane": lambda: torch.eye(4)[:2],
    "geometry.laid_into.other": lambda: torch.eye(4)[2:],
    "geometry.measured_leakage.pairs": lambda: [wholes(2, 2)] * 6,
    "geometry.shuffled_parents.parent": lambda: torch.tensor([-1, -1, 0, 1]),
    "geometry.shuffled_tokens.members": lambda: torch.eye(3, 7) == 1,
    "geometry.CausalInnerProduct.tokens": lambda: geometry.covariance("W_U", numbers(9, 4)),
    # models
    "models.CNNConfig.size": lambda: 8,
    "models.TopKAttention.k": lambda: torch.tensor([2]),
    "models.Trainer.model": gpt,
    "models.Trainer.world": lambda: data.RepeatCopy(2, 3),
    "models.card.name": lambda: "torus_1",
    "models.load.name": lambda: "torus_1",
    "models.open_world.name": lambda: "torus_1",
    "models.ToyModel.decode.h": lambda: numbers(1, 6, 2),
    "models.pgd.model": lambda: models.Classifiers(4, 3, 2),
    "models.pgd.x": lambda: numbers(6, 4).sigmoid(),
    # probes
    "probes.Split.train": lambda: torch.arange(6) < 3,
    "probes.Split.test": lambda: torch.arange(6) >= 3,
    "probes.control_task.types": lambda: torch.arange(12) % 4,
    "probes.kernel_analysis.n_dims": lambda: 3,
    "probes.score.readout": lambda: readout(),
    "probes.score.y": lambda: wholes(6),
    "probes.ProbeResult.readout": lambda: readout(),
    # sae
    "sae.BatchTopKSAE.k": lambda: 2.0,
    "sae.MatryoshkaSAE.k": lambda: 2.0,
    "sae.TopKSAE.k": lambda: 2,
    "sae.MatryoshkaSAE.prefixes": lambda: [2, 5],
    "sae.SpectralSAE.modes": lambda: 2,
    "sae.Trainer.saes": topk,
    "sae.Trainer.data": lambda: numbers(60, 4),
    "sae.Trainer.batch_size": lambda: 6,
    "sae.density_histogram.density": lambda: numbers(5).sigmoid(),
    "sae.head_shares.n_heads": lambda: 2,
    "sae.load.folder": lambda: sae.save(topk(), folder()),
    "sae.precision_by_decile.values": lambda: numbers(6).sigmoid(),
    "sae.specificity.values": lambda: numbers(6).sigmoid(),
    "sae.train_front.architecture": lambda: sae.TopKSAE,
    "sae.train_front.data": lambda: numbers(60, 4),
    "sae.train_front.sparsities": lambda: [1, 2],
    "sae.train_front.batch_size": lambda: 6,
    "sae.SAE.instance.self": lambda: sae.TopKSAE(4, 5, 2, n_instances=2),
    "sae.SAE.instance.index": lambda: 1,
    "sae.downstream.forward": lambda: lambda x: x,
    "sae.score_front.saes": lambda: [[topk()]],
    # steering
    "steering.Behaviour.positive": lambda: torch.tensor([1, 2]),
    "steering.Behaviour.negative": lambda: torch.tensor([3]),
    "steering.Behaviour.prompts": lambda: wholes(2, 5),
    "steering.causal.product": lambda: product(),
    "steering.fit_exponent.kl": lambda: numbers(2).exp(),
    "steering.impossible.world": lambda: data.RepeatCopy(),
    "steering.impossible.tokens": lambda: wholes(6, 13),
    "steering.reading_vector_of_pairs.h1": lambda: numbers(6, 4) + 1,
    "steering.sweep.inputs": lambda: wholes(6, 8),
    "steering.sweep.measure": lambda: lambda logits: logits,
    "steering.compare.reports": lambda: [report()],
    "steering.find_vectors.labels": lambda: wholes(6),
    "steering.SteeringVector.orthogonal_to.others": lambda: (other(),),
    "steering.SteeringVector.load.path": lambda: vector().save(folder() / "vector"),
    # superposition
    "superposition.SDRMemory.n_inputs": lambda: 5,
    "superposition.fit_power_law.sizes": lambda: torch.arange(1.0, 7.0),
    "superposition.fit_power_law.loss": lambda: 1 / torch.arange(1.0, 7.0),
    "superposition.optimal_l2_attack.feature": lambda: 1,
    "superposition.orthogonal_matching_pursuit.k": lambda: 2,
    "superposition.superdiff_sample.mode": lambda: "or",
    "superposition.unrepresented_mass.probability": lambda: numbers(3).sigmoid(),
    "superposition.Trainer.batch_size": lambda: 6,
    "superposition.monotonicity_violations.n_pairs": lambda: 10,
}
BRIEF = ("steps", "restarts")


def harvested(path: Path | None = None) -> activations.Store:
    return activations.harvest(gpt(), wholes(2, 8), [SITE], path)


def readout() -> Any:
    return probes.fit(numbers(6, 4), wholes(6))


def replacement() -> Any:
    return geometry.draw_replacements(memory(), 4, 3, 6, runtime.generator(0))


def product() -> geometry.CausalInnerProduct:
    return geometry.CausalInnerProduct.from_unembedding(numbers(9, 4))


def other() -> steering.SteeringVector:
    return steering.SteeringVector(torch.tensor([1.0, 0.0, 0.0, 0.0]), SITE)


def arguments(subject: Subject) -> dict[str, Any]:
    """Arguments for a call that succeeds: what has no default, and what keeps the call short."""
    given = {name: value_of(subject, name) for name in subject.required}
    for name in subject.kinds:
        if name not in given and (f"{subject.name}.{name}" in MAKERS or name in BRIEF):
            given[name] = value_of(subject, name)
    return given


def value_of(subject: Subject, name: str) -> Any:
    """One value that the parameter takes."""
    for known in (f"{subject.name}.{name}", name):
        if known in MAKERS:
            return MAKERS[known]()
    if name == "self":
        owner = getattr(sys.modules[subject.call.__module__], subject.name.split(".")[1])
        return of_kind(owner)
    kind = subject.kinds[name][0]
    return SIZES.get(name, 3) if kind is int else of_kind(kind)


def of_kind(kind: Any) -> Any:
    """A value of a type that an annotation names."""
    if hasattr(kind, "dim_str"):
        return tensor_of(kind)
    if kind is Tensor:
        return numbers(6, 4)
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind in BY_CLASS:
        return BY_CLASS[kind]()
    if origin in (list, Sequence):
        return [of_kind(inside[0]), of_kind(inside[0])]
    if origin is tuple:
        return tuple(of_kind(one) for one in inside if one is not Ellipsis)
    if origin in (dict, Mapping):
        return {"blocks.0.mlp_out": of_kind(inside[1])}
    if origin is not None and "Callable" in str(origin):
        return lambda *values: values[0]
    plain = {int: 3, float: 0.5, str: "name", bool: False, type(None): None}
    if kind in plain:
        return plain[kind]
    for subject in subjects().values():
        if subject.call is kind:
            return subject.run(arguments(subject))
    return None


def tensor_of(kind: Any) -> Tensor:
    """A tensor of the dtype and, by `SIZES`, the shape that a jaxtyping annotation names."""
    shape: list[int] = []
    for word in kind.dim_str.replace("#", "").split():
        if word == "...":
            continue
        if word.startswith("*"):
            shape += VARIADIC.get(word[1:], ())
        else:
            shape.append(int(word) if word.isdigit() else size_of(word))
    if all("bool" in dtype for dtype in kind.dtypes):
        return wholes(*shape) == 0
    return wholes(*shape) if not any("float" in d for d in kind.dtypes) else numbers(*shape)


def size_of(word: str) -> int:
    """Of a letter, or of a sum such as "steps+1"."""
    return SIZES[word] if word in SIZES else eval(word, {}, _Sizes(SIZES))


class _Sizes(dict):
    def __missing__(self, name: str) -> int:
        return 4
