"""The page of benchmarks, made from what `tools.bench` stored on each machine."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

from course_lib.files import read_sealed
from tools.markdown import table

RESULTS = Path("benchmarks") / "results"
HEADS = ("Measured", "Ours", "Best peer", "Ours is better by", "Floor", "Share of floor")
QUIET = 0.25  # load per thread below which a machine counts as idle
NOTHING = (
    "No results are stored in this edition: nothing has been measured, and this page shows no "
    "figure. `make bench` measures on your machine; the next `make book` puts the table here."
)


def page_of(root: Path, page: Path) -> str:
    """For each machine its condition, the table, what was left out, and the growth with size."""
    return "\n\n".join(map(_machine, stored(root, RESULTS))) or NOTHING


def stored(root: Path, folder: Path) -> list[dict[str, Any]]:
    """What is stored of each machine. Raises ValueError for a file that was changed."""
    return [read_sealed(path, "measure again") for path in sorted((root / folder).glob("*.json"))]


def condition(found: dict[str, Any]) -> str:
    """On what it was measured, when, at what size, and how busy the machine was with other work."""
    it = found["machine"]
    gpu = f", {it['gpu']}" if it["gpu"] else ""
    told = (
        f"{it['name']} ({it['threads']} threads), {it['ram_gib']:g} GiB{gpu}; Python "
        f"{it['python']}, torch {it['torch']}; {it['date']}."
    )
    if found["size"] != "full":
        told += f" The sizes are reduced (`--{found['size']}`)."
    if it["load"] > QUIET * it["threads"]:
        return (
            f"{told} The machine was busy with other work: its load was {it['load']:g} at the "
            "start, so times are too long, and by an unknown factor."
        )
    return f"{told} The machine was idle: its load was {it['load']:g} at the start."


def left_out(found: dict[str, Any]) -> list[str]:
    """What is not in the table, one sentence each."""
    missing = sorted({peer for row in found["rows"] for peer in row["missing"]})
    peers = [f"Not installed, and so not measured here: {', '.join(missing)}."] * bool(missing)
    return peers + [
        f"`benchmarks/{script}.py` is left out: {reason}."
        for script, reason in found["failed"].items()
    ]


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row as text, in the order of HEADS; what was not measured is said or left empty."""
    peer = "not measured here: " + ", ".join(row["missing"]) if row["missing"] else ""
    if row["theirs"] is not None:
        peer = f"{row['peer']}, {_number(row['theirs'])}"
    ours = "not measured here"
    if row["ours"] is not None:
        ours = f"{_number(row['ours'])} {row['unit']}"
    ratio, share, floor = row["ratio"], row["share of floor"], row["floor"]
    return (
        row["what"],
        ours,
        peer,
        "" if ratio is None else f"{ratio:.2f} ×",
        "" if floor is None else _number(floor),
        "" if share is None else f"{share:.0%}",
    )


def figure(curves: list[dict[str, Any]]) -> str:
    """The curves on logarithmic axes with their fitted lines, as an image for HTML."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from course_lib.plots.style import COLORS

    with rc_context({"svg.hashsalt": "benchmarks", "font.size": 10}):
        drawn = Figure(figsize=(3.4 * len(curves), 3.2), layout="constrained")
        for k, (ax, one) in enumerate(zip(drawn.subplots(1, len(curves)), curves, strict=True)):
            fitted = [one["scale"] * n ** one["exponent"] for n in one["sizes"]]
            ax.loglog(one["sizes"], fitted, "--", color="0.4")
            ax.loglog(one["sizes"], one["seconds"], "o", color=COLORS[k])
            what = one["what"].replace(", ", "\n")
            ax.set(title=f"{what}\nexponent {one['exponent']:.2f}", xlabel=one["axis"])
            ax.title.set_fontsize(9)
        drawn.axes[0].set_ylabel("seconds")
        picture = io.BytesIO()
        drawn.savefig(picture, format="svg", metadata={"Date": None})
    told = "; ".join(
        f"{one['what']}: from {_number(one['seconds'][0])} to {_number(one['seconds'][-1])} "
        f"seconds between {one['sizes'][0]:,} and {one['sizes'][-1]:,} {one['axis']}, "
        f"exponent {one['exponent']:.2f}"
        for one in curves
    )
    alt = html.escape(f"Seconds against size on logarithmic axes with fitted lines. {told}.")
    data = base64.b64encode(picture.getvalue()).decode()
    return f'<img alt="{alt}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'


def _machine(found: dict[str, Any]) -> str:
    name = found["machine"]["gpu"] or found["machine"]["name"]
    parts = [f"## {name}", condition(found), table(HEADS, map(cells, found["rows"]))]
    parts += left_out(found)
    if found["curves"]:
        parts.append("### Cost against size")
        parts.append(f"````{{raw}} html\n{figure(found['curves'])}\n````")
        parts += map(_curve, found["curves"])
    parts += map(_profile, found.get("profiles", []))
    return "\n\n".join(parts)


def _curve(one: dict[str, Any]) -> str:
    told = (
        f"{one['what'][0].upper()}{one['what'][1:]}: exponent {one['exponent']:.2f} "
        f"± {one['margin']:.2f}, {one['exponent of the largest']:.2f} over the three largest sizes."
    )
    heads = (f"`{one['axis']}`", *(f"{n:,}" for n in one["sizes"]))
    return f"{told}\n\n{table(heads, [('seconds', *map(_number, one['seconds']))])}"


def _profile(one: dict[str, Any]) -> str:
    rows = [(f"`{name}`", f"{share:.1%}") for name, share in one["shares"]]
    heads = ("Operation", "Share of the time")
    return f"### Where the time goes\n\n{one['what']}, set-up included:\n\n{table(heads, rows)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
