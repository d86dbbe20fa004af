"""The toy model of superposition as a picture that moves: sparsity and importance sliders."""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib import drawable
from course_lib.superposition import REPRESENTED_NORM
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

MOST = 1e6  # of a weight: its square must not overflow


def toy_model_explorable(
    W: Tensor,
    b_dec: Tensor,
    probabilities: Sequence[float],
    importance_decays: Sequence[float],
    loss: Tensor | None = None,
    start: tuple[int, int] = (0, 0),
) -> Explorable:
    """Feature arrows in the hidden plane beside the map of W Wᵀ, for a grid of trained models.

    W [n_probability, n_decay, n_features, 2] and b_dec [n_probability, n_decay, n_features] hold
    one trained model per cell. `probabilities` [n_probability] are P(feature active) and belong to
    the first slider; `importance_decays` [n_decay] are the factors r of importance_i = r^i and
    belong to the second. `loss` [n_probability, n_decay] is shown if given. `start` is the cell
    that is shown first.

    The hidden plane has no axes of its own, so every cell is turned to look like its neighbours
    (`align`); W Wᵀ and the loss are the same after it. Numbers are rounded to 3 decimals, the loss
    to 5. A feature (2 to 6 of them) counts as represented when |W_i| > 0.5; its dimensionality is
    D_i = |W_i|² / Σ_j (W_i/|W_i| · W_j)² ("Toy Models of Superposition", Elhage et al. 2022).

    Raises ValueError for shapes that do not fit each other, numbers that are not finite or out of
    range, and a start outside the grid; TypeError for what is no tensor.
    """
    p = drawable.numbers("probabilities", probabilities, ("n_probability",), 0.0, 1.0)
    decays = drawable.numbers("importance_decays", importance_decays, ("n_decay",), 0.0, 1.0)
    grid = (len(p), len(decays))
    W = drawable.numbers("W", W, (*grid, "n_features", 2), -MOST, MOST)
    n_features = W.shape[2]
    b_dec = drawable.numbers("b_dec", b_dec, (*grid, n_features))
    if not 2 <= n_features <= 6:
        raise ValueError(f"W has {n_features} feature(s); this picture is drawn for 2 to 6.")
    if loss is not None:
        loss = drawable.numbers("loss", loss, grid, 0.0)
    start = drawable.start(start, "a cell of the grid", grid)

    importance = decays[:, None] ** torch.arange(n_features)
    data = {
        "W": rounded(align(W)),
        "b_dec": rounded(b_dec),
        "importance": rounded(importance),
        "threshold": REPRESENTED_NORM,
        "loss": None if loss is None else rounded(loss, 5),
    }
    first_W, first_b = W[start], b_dec[start]
    represented = int((first_W.norm(dim=-1) > REPRESENTED_NORM).sum())
    sparsity = [f"{1 - q:.3g} ({n_features * q:.2g} of {n_features} active)" for q in p.tolist()]
    shown_decays = [f"{r:.3g}" for r in decays.tolist()]
    return explorable(
        "toy_model.js",
        title=f"{n_features} features, 2 dimensions: who gets a direction?",
        sliders=[
            Slider("Sparsity S", sparsity, start[0]),
            Slider("Importance decay r", shown_decays, start[1]),
        ],
        data=data,
        caption=(
            f"Every position is a model x̂ = ReLU(x W Wᵀ + b) with {n_features} features and 2 "
            "hidden dimensions, trained in this chapter's notebook. Sparsity S is the probability "
            "that a feature is zero; feature i has importance rⁱ, shown by the strength of its "
            "colour. Left: the arrow of feature i is row i of W; the plane has no axes of its own, "
            "so each picture is turned to look like its neighbours. Right: blue is negative, "
            "orange positive."
        ),
        start_text=(
            f"At sparsity {sparsity[start[0]]} and decay {shown_decays[start[1]]} the trained "
            f"model represents {represented} of {n_features} features (norm above "
            f"{REPRESENTED_NORM}). The table is W Wᵀ with the bias b."
        ),
        start_table=_table(first_W @ first_W.T, first_b),
    )


def align(W: Tensor) -> Tensor:
    """Turn or mirror the plane of each cell so that it fits the cells before it best.

    W [n_probability, n_decay, n_features, 2] → the same shape, each cell times an orthogonal
    2 x 2 matrix (orthogonal Procrustes towards the mean of the two neighbours already turned; the
    first cell puts feature 0 to the right and feature 1 up as far as it can).
    """
    turned = W.clone()
    n_probability, n_decay, n_features, d_hidden = W.shape
    for i in range(n_probability):
        for j in range(n_decay):
            target = torch.zeros(n_features, d_hidden, dtype=W.dtype)
            if i:
                target += turned[i - 1, j]
            if j:
                target += turned[i, j - 1]
            if not (i or j):
                target += torch.eye(n_features, d_hidden, dtype=W.dtype)
            left, _, right = torch.linalg.svd(W[i, j].T @ target)
            turned[i, j] = W[i, j] @ left @ right
    return turned


def _table(overlap: Tensor, bias: Tensor) -> list[list[str]]:
    names = [str(i) for i in range(len(bias))]
    rows = torch.cat([overlap, bias[:, None]], dim=1).tolist()
    return [
        ["feature", *names, "b"],
        *([name, *(f"{v:.1f}" for v in row)] for name, row in zip(names, rows, strict=True)),
    ]
