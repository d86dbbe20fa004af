"""One claim: its words, its value, the stored runs it is held against."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.resources import files
from numbers import Real
from pathlib import Path
from typing import Any

from course_lib import runtime, validate
from course_lib.files import Newer, check_version

MIME_TYPE = "application/vnd.course.claim+json"
OTHER_MODEL = "asked of another model"  # the status of a claim that has no stored runs of it


class ClaimFailed(AssertionError):
    """The value of a claim lies outside the band of the stored runs."""


@dataclass(frozen=True)
class StoredRuns:
    """The values of one claim over many seeds, and the band they allow.

    Attributes:
        values: one value per seed, of the notebook at quick size.
        band: (low, high), the 99.9 % prediction interval for one more seed, never narrower than the
            values themselves nor than 2 % of their mean to either side.
        full: the value at COURSE_SCALE=full, None until it has been run.
        model: the model that was asked, "" for a claim about none of `open_world`.
    """

    values: tuple[float, ...]
    band: tuple[float, float]
    full: float | None = None
    model: str = ""


def stored_runs(name: str) -> StoredRuns | None:
    """The stored runs of the claim `chapter.claim`, None when it has none yet.

    Raises ValueError as `stored_part` does.
    """
    chapter, key = _split(name)
    return chapter_runs(chapter).get(key)


def chapter_runs(chapter: str) -> dict[str, StoredRuns]:
    """The stored runs of every claim of a chapter, in its order; empty when there are none yet.

    Raises ValueError as `stored_runs` does.
    """
    folder = files("course_lib.claims") / "bands"
    if f"{chapter}.json" not in {path.name for path in folder.iterdir()}:
        return {}
    path = folder / f"{chapter}.json"
    stored = stored_part(Path(str(path)), "claims", f"make bands CHAPTER={chapter}")
    return {
        key: StoredRuns(
            tuple(entry["values"]), tuple(entry["band"]), entry.get("full"), entry.get("model", "")
        )
        for key, entry in stored.items()
    }


def stored_part(path: Path, part: str, again: str) -> dict[str, Any]:
    """A part of a stored file that has its hash beside it.

    Raises ValueError, which ends with the command that makes the file again, when the file does not
    have the hash it was stored with, and Newer when it is of a newer version.
    """
    name = f"course_lib/claims/{path.parent.name}/{path.name}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check_version(content)
        found, told = content[part], content["sha256"]
    except Newer as error:
        raise Newer(f"{name} cannot be read: {error}.") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{name} is damaged ({error!r}). Make it again: {again}") from error
    if told != digest(found):
        raise ValueError(
            f"{name} was changed after it was stored: its hash is not the one it carries. Make it "
            f"again: {again}"
        )
    return found


def digest(claims: dict[str, Any]) -> str:
    """sha256 of the stored claims in canonical JSON."""
    return hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Claim:
    """A paper's statement with this run's value; displays itself as a card.

    `expected` is the interval that the statement needs, None for an open end.
    """

    name: str
    value: float
    paper: str
    where: str
    states: str
    measures: str
    refuted_if: str
    expected: tuple[float | None, float | None]
    contested: str = ""
    runs: StoredRuns | None = None
    scale: str = "quick"
    model: str = ""

    @property
    def other_model(self) -> bool:
        """Whether the stored runs asked another model, and so say nothing about this value."""
        return self.runs is not None and self.runs.model != self.model

    @cached_property
    def share_expected(self) -> float | None:
        """Share of the stored runs that lie in `expected`; None without runs of this model."""
        if self.runs is None or self.other_model:
            return None
        return sum(self._expects(value) for value in self.runs.values) / len(self.runs.values)

    @property
    def status(self) -> str:
        if self.other_model:
            return OTHER_MODEL
        if self.share_expected is None:
            return "not yet run over many seeds"
        if self.share_expected == 1:
            return "reproduced"
        return "partly reproduced" if self.share_expected > 0 else "contradicted at this size"

    @property
    def in_band(self) -> bool:
        """Whether the value lies in the band; without a band, whether it is a number."""
        if self.runs is None:
            return math.isfinite(self.value)
        return self.runs.band[0] <= self.value <= self.runs.band[1]

    def _expects(self, value: float) -> bool:
        low, high = self.expected
        return (low is None or value >= low) and (high is None or value <= high)

    def record(self) -> dict[str, Any]:
        """The claim as JSON: what the ledger page and `tools/bands.py` read."""
        record = asdict(self)
        runs = record.pop("runs")
        chapter, _ = _split(self.name)
        return record | {
            "chapter": chapter,
            "band": runs and runs["band"],
            "n_seeds": len(self.runs.values) if self.runs else 0,
            "full": runs and runs["full"],
            "share_expected": self.share_expected,
            "status": self.status,
        }

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        from course_lib.claims.card import card_html, card_text

        return {
            "text/plain": card_text(self),
            "text/html": card_html(self),
            MIME_TYPE: self.record(),
        }


def claim(
    name: str,
    value: float,
    *,
    paper: str,
    where: str,
    states: str,
    measures: str,
    expected: tuple[float | None, float | None],
    refuted_if: str,
    contested: str = "",
    model: str = "",
) -> Claim:
    """Hold a measured value to the stored runs, show the card, and return the claim.

    Args:
        name: `chapter.claim`, e.g. "02_toy_models.sum_rule".
        value: what this run measured.
        paper: key of the paper in the bibliography.
        where: section or figure of the paper.
        states: what the paper states.
        measures: what `value` is, with its unit.
        expected: (low, high) that the statement needs at this size; None for an open end.
        refuted_if: what outcome would refute the statement.
        contested: a sentence on who disputes it, if anyone does.
        model: the name given to `course_lib.models.open_world`, where the value depends on it.

    Raises:
        ClaimFailed: when the value lies outside the band of the stored runs (at quick size; at full
            size, or of another model than theirs, it is shown beside them and not held to them).
        TypeError, ValueError: for a name without a chapter, a value that is not one number, words
            that are no text, or an expected interval that is none or open on both sides.
    """
    _split(name)
    words = {"paper": paper, "where": where, "states": states, "measures": measures}
    words |= {"refuted_if": refuted_if, "contested": "" if contested is None else contested}
    for argument, said in words.items():
        validate.text(argument, said)
    edges = tuple(validate.sequence("expected", expected))
    if len(edges) != 2 or not all(edge is None or isinstance(edge, Real) for edge in edges):
        raise ValueError(f"expected is {expected!r}; it must be (low, high), None for an open end.")
    if edges == (None, None):
        raise ValueError(f"expected of {name} is open on both sides; nothing could refute it.")
    if not isinstance(value, Real) and validate.as_tensor("value", value).numel() != 1:
        raise ValueError(f"value is {value!r}; it must be one number.")
    value = float(validate.as_tensor("value", value))
    scale = "full" if runtime.full_scale() else "quick"
    shown = Claim(
        name, value, paper, where, states, measures, refuted_if, expected, contested,
        stored_runs(name), scale, model,
    )  # fmt: skip
    _show(shown)
    recording = os.environ.get("COURSE_CLAIMS") == "record"
    free = recording or scale == "full" or shown.other_model
    if not math.isfinite(value) or not (shown.in_band or free):
        band = "finite" if shown.runs is None else "in [{:.4g}, {:.4g}]".format(*shown.runs.band)
        raise ClaimFailed(
            f"{name} is {value:.4g}; over the stored seeds it is {band}. Either the measurement "
            "has changed or the claim is wrong here: look at the card before you trust the figure."
        )
    return shown


def _split(name: str) -> tuple[str, str]:
    chapter, dot, key = validate.text("name", name).partition(".")
    if not (chapter and dot and key):
        raise ValueError(f"name is {name[:100]!r}; it must be 'chapter.claim'.")
    return chapter, key


def _show(shown: Claim) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        get_ipython = None
    if get_ipython is not None and get_ipython() is not None:
        display(shown)
    else:
        print(shown._repr_mimebundle_()["text/plain"])
