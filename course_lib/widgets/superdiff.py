"""Two superposed diffusion models as a picture that moves: time, way of combining, widths."""

from collections.abc import Sequence

from torch import Tensor

from course_lib import drawable
from course_lib.superposition import GaussianMixtureScore, signal
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded


def superdiff_explorable(
    paths: Tensor,
    times: Sequence[float],
    ways: Sequence[str],
    means: Tensor,
    stds: Sequence[tuple[float, float]],
    start: tuple[int, int, int] = (0, 0, 0),
) -> Explorable:
    """Particles on their way from noise to data beside the two log-densities of each.

    paths [n_widths, n_ways, n_times, n_points, 2] are samples of `superdiff_sample` kept at
    `times` (1 is noise, 0 is data). `ways` names the modes; `means` [2, n_components, 2] are the
    modes' centres of both models and `stds` their widths, a pair for each entry of n_widths.
    `start` is the time, the way and the widths shown first.

    Raises ValueError for shapes that do not fit each other, numbers that are not finite or out of
    range, and a start that is not there; TypeError for what is no tensor, number or text.
    """
    times_tensor = drawable.numbers("times", times, ("n_times",), 0.0, 1.0)
    widths = drawable.numbers("stds", stds, ("n_widths", 2), 0.0)
    means = drawable.numbers("means", means, (2, "n_components", 2))
    ways = drawable.texts("ways", ways)
    sizes = (len(times_tensor), len(ways), len(widths))
    expected = (sizes[2], sizes[1], sizes[0], "n_points", 2)
    paths = drawable.numbers("paths", paths, expected)
    t, way, width = drawable.start(start, "a time, a way and widths", sizes)
    shown_times = [f"t = {t:.2f}" for t in times_tensor.tolist()]
    shown_widths = [f"{a:.2g} and {b:.2g}" for a, b in widths.tolist()]
    cloud, time = paths[width, way, t], times_tensor[t].item()
    models = [
        GaussianMixtureScore(centres, std)
        for centres, std in zip(means, widths[width].tolist(), strict=True)
    ]
    log_q = [model.log_density(cloud.to(means), time) for model in models]
    gap = (log_q[0] - log_q[1]).abs().mean()
    rows = [
        [str(i), f"{x:.2f}", f"{y:.2f}", f"{a:.1f}", f"{b:.1f}"]
        for i, ((x, y), a, b) in enumerate(
            zip(cloud[:5].tolist(), log_q[0].tolist(), log_q[1].tolist(), strict=False)
        )
    ]
    return explorable(
        "superdiff.js",
        title="Two diffusion models, one path",
        sliders=[
            Slider("Time", shown_times, t),
            Slider("Combined by", list(ways), way),
            Slider("Widths of the modes", shown_widths, width),
        ],
        data={
            "paths": rounded(paths, 2),
            "signal": [round(signal(s), 4) for s in times_tensor.tolist()],
            "means": rounded(means),
            "stds": rounded(widths),
            "ways": list(ways),
        },
        caption=(
            "Samples on their way from noise (t = 1) to data (t = 0), computed in this chapter's "
            "notebook. Left: the particles; circles are the modes of model 1 (blue) and model 2 "
            "(orange) at this time, at two standard deviations. Right: the true log-density of "
            "each particle under both models; on the dashed diagonal the two are equal. "
            "Arrows at the edge stand for particles beyond it."
        ),
        start_text=(
            f"At {shown_times[t]}, combined by {ways[way]}, widths {shown_widths[width]}: the mean "
            f"gap of the two log-densities is {gap:.2f} nats. The table shows five particles."
        ),
        start_table=[["particle", "x1", "x2", "log q1", "log q2"], *rows],
    )
