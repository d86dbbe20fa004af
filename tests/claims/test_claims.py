"""A claim fails when its value leaves the band, and its card and record say what was measured."""

import json
import math

import pytest
from bs4 import BeautifulSoup

from course_lib.claims import Claim, ClaimFailed, StoredRuns, claim, runs_table, stored_runs
from course_lib.claims import core as module

WORDS = {
    "paper": "elhage2022toy", "where": "section 1", "states": "a < b & c",
    "measures": "share of things", "refuted_if": "it is small.",
}  # fmt: skip
RUNS = StoredRuns(values=(0.8, 0.9, 1.0), band=(0.7, 1.1), full=0.95)


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.setattr(module, "stored_runs", lambda name: RUNS)


def test_a_value_in_the_band_passes_and_is_printed(runs, capsys):
    made = claim("chapter.key", 0.75, **WORDS, expected=(0.85, None))
    assert made.in_band and made.value == 0.75
    printed = capsys.readouterr().out
    assert (
        "This run: 0.75. The statement needs at least 0.85. 2 of 3 stored seeds meet it" in printed
    )


@pytest.mark.parametrize("value", [0.69, 1.11, math.nan, math.inf])
def test_a_value_outside_the_band_fails_after_the_card_is_shown(runs, capsys, value):
    with pytest.raises(ClaimFailed, match=r"chapter\.key is .* it is in \[0\.7, 1\.1\]"):
        claim("chapter.key", value, **WORDS, expected=(0.85, None))
    assert "Claim chapter.key" in capsys.readouterr().out


def test_recording_and_full_size_are_not_held_to_the_band(runs, monkeypatch):
    monkeypatch.setenv("COURSE_CLAIMS", "record")
    claim("chapter.key", 5.0, **WORDS, expected=(0.85, None))
    monkeypatch.delenv("COURSE_CLAIMS")
    monkeypatch.setenv("COURSE_SCALE", "full")
    assert claim("chapter.key", 5.0, **WORDS, expected=(0.85, None)).scale == "full"
    with pytest.raises(ClaimFailed):
        claim("chapter.key", math.nan, **WORDS, expected=(0.85, None))


def test_a_value_of_another_model_is_shown_as_such_and_held_to_no_band(runs, capsys):
    made = claim("chapter.key", 5.0, **WORDS, expected=(0.85, None), model="gpt2")
    assert made.status == "asked of another model" and made.share_expected is None
    assert "It is of the model 'gpt2' and judged by no band" in capsys.readouterr().out
    assert made.record()["model"] == "gpt2"
    assert "asked of another model" in made._repr_mimebundle_()["text/html"]
    with pytest.raises(ClaimFailed):
        claim("chapter.key", math.nan, **WORDS, expected=(0.85, None), model="gpt2")


def test_a_value_of_the_model_that_the_stored_runs_asked_is_held_to_their_band(monkeypatch):
    of_story = StoredRuns((0.8, 0.9), (0.7, 1.1), model="story")
    monkeypatch.setattr(module, "stored_runs", lambda name: of_story)
    made = claim("chapter.key", 0.8, **WORDS, expected=(0.85, None), model="story")
    assert made.status == "partly reproduced"
    with pytest.raises(ClaimFailed):
        claim("chapter.key", 5.0, **WORDS, expected=(0.85, None), model="story")


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        ((0.5, None), "reproduced"),
        ((0.85, None), "partly reproduced"),
        ((None, 0.85), "partly reproduced"),
        ((0.1, 0.5), "contradicted at this size"),
    ],
)
def test_the_status_is_counted_from_the_stored_seeds(expected, status):
    assert Claim("c.k", 0.9, **WORDS, expected=expected, runs=RUNS).status == status


def test_a_claim_without_stored_runs_says_so():
    made = Claim("c.k", 0.9, **WORDS, expected=(0, 1))
    assert made.status == "not yet run over many seeds" and made.in_band
    assert made.record()["n_seeds"] == 0 and made.record()["band"] is None
    assert stored_runs("no_such_chapter.key") is None


def test_the_record_is_json_with_what_the_ledger_needs():
    record = Claim("02_x.k", 0.9, **WORDS, expected=(0.85, None), runs=RUNS).record()
    assert json.loads(json.dumps(record))["band"] == [0.7, 1.1]
    assert record["chapter"] == "02_x" and record["n_seeds"] == 3 and record["full"] == 0.95
    assert record["share_expected"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("runs_", [RUNS, None, StoredRuns((1.0, 1.0), (1.0, 1.0))])
@pytest.mark.parametrize("expected", [(0.85, None), (None, 0.85), (0.2, 0.3)])
def test_the_card_escapes_its_words_and_describes_its_picture(runs_, expected):
    made = Claim("c.k", 1.0, **WORDS, expected=expected, runs=runs_, contested="by <b>")
    html = made._repr_mimebundle_()["text/html"]
    assert "a &lt; b &amp; c" in html and "by &lt;b&gt;" in html and "nan" not in html
    svg = BeautifulSoup(html, "html.parser").find("svg")
    assert svg["role"] == "img" and "This run: 1." in svg["aria-label"]
    assert len(svg.find_all("circle")) == (len(runs_.values) if runs_ else 0)
    width = float(svg["viewbox"].split()[2])
    assert all(0 <= float(c["cx"]) <= width for c in svg.find_all("circle"))


def test_stored_bands_carry_their_hash_and_enough_seeds():
    from importlib.resources import files

    for path in (files("course_lib.claims") / "bands").iterdir():
        content = json.loads(path.read_text())
        assert content["sha256"] == module.digest(content["claims"])
        assert len(content["seeds"]) >= 20
        for entry in content["claims"].values():
            assert len(entry["values"]) == len(content["seeds"])
            low, high = entry["band"]
            assert all(low <= value <= high for value in entry["values"])


def test_a_changed_band_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bands").mkdir()
    content = {"claims": {"k": {"values": [1.0], "band": [0.9, 1.1]}}}
    content["sha256"] = module.digest(content["claims"])
    path = tmp_path / "bands" / "ch.json"
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    path.write_text(json.dumps(content))
    assert stored_runs("ch.k") == StoredRuns((1.0,), (0.9, 1.1))
    assert stored_runs("ch.other") is None
    content["claims"]["k"]["band"] = [0.0, 9.0]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="hash is not the one it carries.* make bands CHAPTER=ch"):
        stored_runs("ch.k")


def test_the_table_of_a_chapter_has_its_stored_claims_in_its_order(tmp_path, monkeypatch):
    (tmp_path / "bands").mkdir()
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    claims = {
        "one_b": {"values": [1.0, 2.0], "band": [0.9, 2.1], "full": 4.0},
        "a": {"values": [0.5, 0.25], "band": [0.0, 1.0]},
    }
    content = {"claims": claims, "sha256": module.digest(claims)}
    (tmp_path / "bands" / "ch.json").write_text(json.dumps(content))
    assert runs_table("ch", full="longer").splitlines() == [
        "| claim | quick, 2 seeds | longer |",
        "|---|---|---|",
        "| one b | 1 to 2 | 4 |",
        "| a | 0.25 to 0.5 | not run |",
    ]
    with pytest.raises(ValueError, match="'none' has no stored runs: make bands CHAPTER=none"):
        runs_table("none")


@pytest.mark.parametrize("name", ["key", ".key", "chapter."])
def test_a_name_needs_a_chapter(name):
    with pytest.raises(ValueError, match="must be 'chapter.claim'"):
        claim(name, 1.0, **WORDS, expected=(0, 1))


def test_a_claim_that_nothing_could_refute_is_refused():
    with pytest.raises(ValueError, match="open on both sides"):
        claim("chapter.key", 1.0, **WORDS, expected=(None, None))
