"""Matching pursuit as a picture that moves: input, dictionary and step sliders."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.data import tree_names
from course_lib.data.hierarchy import as_tree
from course_lib.sae import MatchingPursuitSAE, Pursuit
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded


def matching_pursuit_explorable(
    features: Tensor,
    planted: Tensor,
    parent: Sequence[int] | Tensor,
    dictionaries: Mapping[str, tuple[Tensor, Tensor]],
    steps: int = 5,
    start: tuple[int, int, int] = (0, 0, 0),
) -> Explorable:
    """The residual of a pursuit, shrinking in a plane, beside the tree of the atoms it takes.

    features [n_inputs, n_features] are planted magnitudes; an input is features · planted, with
    planted [n_features, d_in] the true directions and `parent` their tree. Each dictionary is a
    pair (W [n_features, d_in], b [d_in]): the direction that stands for each feature, used at norm
    1, and where the pursuit starts from, x - b. `start` is the input, the dictionary and the step
    shown first.

    The plane of an input is that of the true directions of its root and of the active child, else
    of the root's first child, else of the next feature.

    Raises ValueError for shapes that do not fit each other, numbers that are not finite and a start
    that is not there; TypeError for what is no tensor.
    """
    planted = drawable.numbers("planted", planted, ("n_features", "d_in")).float()
    n_features = len(drawable.some("planted", planted, least=2))
    tree = as_tree(parent)
    validate.shape("parent", tree, (n_features,))
    features = drawable.numbers("features", features, ("n_inputs", n_features), 0.0).float()
    validate.positive_int("steps", steps)
    drawable.texts("dictionaries", drawable.named("dictionaries", dictionaries))
    sizes = len(features), len(dictionaries), steps + 1
    start = drawable.start(start, "an input, a dictionary and a step", sizes)
    names = tree_names(tree)
    shown = [[i for i, f in enumerate(row) if f > 0] for row in features.tolist()]
    planes = [_plane(on, tree.tolist()) for on in shown]
    bases = torch.stack([_basis(planted[list(plane)]) for plane in planes])
    x = features @ planted
    traces = []
    for name, pair in dictionaries.items():
        if len(validate.items(name, pair)) != 2:
            raise ValueError(f"{name} has {len(pair)} entries; it must be a pair (W, b).")
        W, b = (
            drawable.numbers(name, given, axes).float()
            for given, axes in zip(pair, (planted.shape, planted.shape[1:]), strict=True)
        )
        traces.append(_trace(W, b, x, bases, steps))
    data = {
        "names": names,
        "parent": tree.tolist(),
        "inputs": [{"on": on, "plane": plane} for on, plane in zip(shown, planes, strict=True)],
        "range": _range(torch.stack([t["path"][..., :2] for t in traces])),
        **{
            key: [t[key].tolist() if key == "latents" else rounded(t[key]) for t in traces]
            for key in ("atoms", "path", "latents", "values")
        },
    }
    described = [" + ".join(names[i] for i in on) or "nothing" for on in shown]
    first = traces[start[1]]
    return explorable(
        "matching_pursuit.js",
        title="Matching pursuit, step by step",
        sliders=[
            Slider("Input", described, start[0]),
            Slider("Dictionary", list(dictionaries), start[1]),
            Slider("Step", [str(step) for step in range(steps + 1)], start[2]),
        ],
        data=data,
        caption=(
            "Every position is a pursuit computed in this chapter's notebook. Left: the plane of "
            "two true directions. The thick arrow is what is left of the input, its earlier ends "
            "are dots; dashed lines are the dictionary's atoms as far as they lie in this plane, "
            "solid ones have been taken. Right: the tree of features; a latent stands for the "
            "feature that it was matched with."
        ),
        start_text=(
            f"Input {described[start[0]]}, dictionary {list(dictionaries)[start[1]]}. The table "
            "says which latent each step takes, with how much, and what is left."
        ),
        start_table=_table(names, first, start[0]),
    )


def _plane(on: list[int], parent: list[int]) -> tuple[int, int]:
    """Two features whose true directions span the plane to draw."""
    children = [i for i in on if parent[i] >= 0]
    if children:
        return parent[children[0]], children[0]
    root = on[0] if on else 0
    others = [i for i, up in enumerate(parent) if up == root] or [(root + 1) % len(parent)]
    return root, others[0]


def _basis(pair: Tensor) -> Tensor:
    """Orthonormal rows: the first direction, and the part of the second that is new."""
    first = pair[0] / pair[0].norm()
    second = pair[1] - (pair[1] @ first) * first
    return torch.stack([first, second / second.norm()])


@torch.no_grad()
def _trace(W: Tensor, b: Tensor, x: Tensor, bases: Tensor, steps: int) -> dict[str, Tensor]:
    """Of each input: atoms [n, 2], path [steps + 1, 3], latents and values [steps]."""
    sae = MatchingPursuitSAE(W.shape[1], len(W), steps)
    sae.W_dec.copy_(W / W.norm(dim=-1, keepdim=True))
    sae.b_dec.copy_(b)
    pursuit = _to_the_end(sae.pursuit(x), steps)
    left = pursuit.residuals.transpose(0, 1)
    inside = left @ bases.mT
    outside = (left - inside @ bases).norm(dim=-1, keepdim=True)
    return {
        "atoms": sae.W_dec @ bases.mT,
        "path": torch.cat([inside, outside], dim=-1),
        "latents": pursuit.latents.T,
        "values": pursuit.values.T,
    }


def _range(path: Tensor) -> list[float]:
    """Lowest and highest coordinate to draw: all of the path, and atoms of norm 1."""
    low, high = min(-0.3, path.min().item()), max(1.2, path.max().item())
    room = 0.08 * (high - low)
    return [round(low - room, 3), round(high + room, 3)]


def _to_the_end(pursuit: Pursuit, steps: int) -> Pursuit:
    """A pursuit that ended early, with steps that take nothing added."""
    missing = steps - len(pursuit.values)
    return Pursuit(
        torch.cat([pursuit.latents, pursuit.latents[-1:].repeat(missing, 1)]),
        torch.cat([pursuit.values, torch.zeros_like(pursuit.values[-1:]).repeat(missing, 1)]),
        torch.cat([pursuit.residuals, pursuit.residuals[-1:].repeat(missing, 1, 1)]),
    )


def _table(names: list[str], trace: dict[str, Tensor], index: int) -> list[list[str]]:
    left = trace["path"][index].norm(dim=-1).tolist()
    rows = [["step", "takes", "with", "left"], ["0", "", "", f"{left[0]:.2f}"]]
    pairs = zip(trace["latents"][index].tolist(), trace["values"][index].tolist(), strict=True)
    for step, (latent, value) in enumerate(pairs, start=1):
        taken = [names[latent], f"{value:.2f}"] if value > 0 else ["nothing", ""]
        rows.append([str(step), *taken, f"{left[step]:.2f}"])
    return rows
