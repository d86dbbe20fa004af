"""Benchmarks hand on rows of one form; the table and the book's page say what was measured."""

import json
import os
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tools import bench, bench_page, pages, site, tables

FOLDER = bench.ROOT / "benchmarks"
PAGE = Path("book/back/benchmarks.md")
FIELDS = {
    "what", "unit", "ours", "peer", "theirs", "floor", "missing", "rate", "ratio",
    "share of floor",
}  # fmt: skip


def module(name: str, monkeypatch: pytest.MonkeyPatch):
    """A script of benchmarks/ as a module, found as it finds its neighbours."""
    monkeypatch.syspath_prepend(FOLDER)
    spec = util.spec_from_file_location(f"benchmarks.{name}", FOLDER / f"{name}.py")
    loaded = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, loaded)
    spec.loader.exec_module(loaded)
    return loaded


def run(script: str, path: Path) -> dict:
    """What the script hands on in its tiny size."""
    command = [sys.executable, str(FOLDER / f"{script}.py"), "--tiny", "--json", str(path)]
    environment = os.environ | {"PYTHONPATH": str(bench.ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


@pytest.fixture
def planted(monkeypatch):
    """Results as `tools.bench` collects them: every kind of row, a failure, a power law."""
    rows, scaling = module("_rows", monkeypatch), module("scaling", monkeypatch)
    found = [
        rows.Row("`import it`", "s", 2.0, "slow", 6.0, 0.5),
        rows.Row("training", "inputs/s", 3000.0, "fast", 4000.0, 12000.0, ("absent",), rate=True),
        rows.Row("a fit", "ms", 1.0, missing=("absent", "gone")),
        rows.Row("the site", "s", None, floor=2.5),
    ]
    sizes = [1000, 2000, 8000, 64_000]
    curves = [
        scaling.curve("step, batch 4", "d_sae", sizes, [3e-4 * n**1.5 for n in sizes]),
        scaling.curve("fit", "probes", [1, 10, 100], [2.0, 2.0, 2.0]),
    ]
    machine = {
        "name": "Planted CPU, 4 cores", "cores": 4, "threads": 4, "ram_gib": 15.5, "gpu": None,
        "system": "Linux", "python": "3.11.7", "torch": "2.9", "date": "2026-01-02", "load": 0.1,
    }  # fmt: skip
    return {
        "machine": machine, "size": "full", "curves": curves,
        "profiles": [{"what": "4 steps", "shares": [("aten::mm", 0.625), ("aten::add", 0.25)]}],
        "rows": [{"script": "one", **row.fields()} for row in found],
        "failed": {"grading": "exit code 1"},
    }  # fmt: skip


@pytest.mark.parametrize("script", ["probes", "toy_models", "scaling", "imports"])
def test_a_script_hands_on_rows_that_agree_with_themselves(script, tmp_path):
    rows = run(script, tmp_path / "told.json")["rows"]
    assert rows
    for row in rows:
        assert row.keys() == FIELDS
        assert row["what"] and row["unit"]
        assert (row["theirs"] is None) == (row["peer"] is None)
        for key, other in (("ratio", row["theirs"]), ("share of floor", row["floor"])):
            if None in (other, row["ours"]):
                assert row[key] is None
            else:
                better = row["ours"] / other if row["rate"] else other / row["ours"]
                assert row[key] == pytest.approx(better)


@pytest.mark.parametrize("script", sorted(FOLDER.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_every_script_has_the_common_options_and_its_own_name(script):
    text = script.read_text(encoding="utf-8")
    assert re.search(rf'parse\(\s*parser,\s*"{script.stem}"', text)
    assert re.search(r"^ +write\(", text, re.MULTILINE)


def test_what_is_given_beside_a_size_holds(monkeypatch):
    import argparse

    parse = module("_rows", monkeypatch).parse

    def options(*given: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        parser.add_argument("--batch", type=int, default=1000)
        parser.add_argument("--rounds", type=int, default=8)
        return parse(parser, "x", tiny={"batch": 2, "rounds": 1}, arguments=given)

    assert (options().batch, options("--quick").batch) == (1000, 1000)
    assert (options("--tiny").batch, options("--tiny").rounds) == (2, 1)
    assert (options("--tiny", "--batch", "7").batch, options("--batch", "7").rounds) == (7, 8)


def test_a_planted_power_law_gives_its_exponent_and_a_bend_at_small_sizes_leaves_it(monkeypatch):
    curve = module("scaling", monkeypatch).curve
    sizes = [4**k for k in range(9)]
    exact = curve("step", "d_sae", sizes, [2e-5 * n**1.25 for n in sizes])
    assert exact["exponent"] == pytest.approx(1.25)
    assert exact["scale"] == pytest.approx(2e-5)
    assert exact["margin"] == pytest.approx(0, abs=1e-6)
    bent = curve("step", "d_sae", sizes, [1e-3 + 2e-5 * n for n in sizes])
    assert bent["exponent"] < 0.8
    assert bent["exponent of the largest"] == pytest.approx(1, abs=0.02)


def test_the_table_shows_ratio_and_share_so_that_more_is_better(planted):
    told = [tuple(bench_page.cells(row)) for row in planted["rows"]]
    assert told == [
        ("`import it`", "2 s", "slow, 6", "3.00 ×", "0.5", "25%"),
        ("training", "3,000 inputs/s", "fast, 4,000", "0.75 ×", "12,000", "25%"),
        ("a fit", "1 ms", "not measured here: absent, gone", "", "", ""),
        ("the site", "not measured here", "", "", "2.5", ""),
    ]
    lines = bench.table(planted).splitlines()
    assert len(lines) == 5
    columns = [
        line.index(word) for line, word in zip(lines, ("Ours", "2 s", "3,000"), strict=False)
    ]
    assert len(set(columns)) == 1


def test_the_page_holds_the_stored_figures_and_what_was_left_out(planted, tmp_path):
    path = bench.store(tmp_path, planted)
    assert path == tmp_path / bench_page.RESULTS / "planted-cpu-4-cores.json"
    text = tables.fill("<!-- generated: benchmarks --> old <!-- end -->", tmp_path, PAGE)
    for part in (
        "## Planted CPU, 4 cores", "15.5 GiB; Python 3.11.7, torch 2.9; 2026-01-02",
        "idle: its load was 0.1", "| training | 3,000 inputs/s | fast, 4,000 | 0.75 × |",
        "not measured here: absent, gone.", "`benchmarks/grading.py` is left out: exit code 1.",
        "exponent 1.50 ± 0.00, 1.50 over the three largest", "| `d_sae` | 1,000 | 2,000 |",
        "4 steps, set-up included", "| `aten::mm` | 62.5% |",
    ):  # fmt: skip
        assert part in text
    picture = BeautifulSoup(text, "html.parser").img
    assert "between 1,000 and 64,000 d_sae, exponent 1.50" in picture["alt"]
    assert tables.fill("<!-- generated: benchmarks --><!-- end -->", tmp_path, PAGE) == text


def test_a_busy_machine_and_reduced_sizes_are_told(planted):
    planted["machine"]["load"] = 1.5
    planted["size"] = "quick"
    assert "The machine was busy with other work: its load was 1.5" in bench_page.condition(planted)
    assert "sizes are reduced (`--quick`)" in bench_page.condition(planted)


def test_a_script_that_fails_or_gives_no_rows_is_named_and_the_others_are_kept(tmp_path):
    write = "import json, sys; p = sys.argv[sys.argv.index('--json') + 1]; open(p, 'w').write({!r})"
    row = {"what": "w", "unit": "s", "ours": 1.0}
    for name, code in (
        ("fails", "raise SystemExit(3)"),
        ("good", write.format(json.dumps({"rows": [row], "curves": [1]}))),
        ("old", write.format(json.dumps({"rows": {"a": 1}}))),
        ("silent", "assert '--tiny' in __import__('sys').argv"),
    ):
        (tmp_path / f"{name}.py").write_text(code)
    (tmp_path / "silent.json").write_text(json.dumps({"rows": [row]}))  # of an earlier run
    found = bench.measure(sorted(tmp_path.glob("*.py")), "tiny", tmp_path)
    assert found["rows"] == [{"script": "good", **row}]
    assert found["curves"] == [1] and found["profiles"] == []
    assert found["failed"] == {
        "fails": "exit code 3", "old": "it gave no figures", "silent": "it gave no figures",
    }  # fmt: skip
    assert found["machine"]["threads"] == os.cpu_count()


def test_the_page_builds_without_warning_with_results_of_two_machines_and_with_none(
    planted, tmp_path
):
    source, full = tmp_path / "source", tmp_path / "full"
    source.mkdir()
    bench.store(full, planted)
    planted["machine"]["name"] = "Another, 1 cores"
    bench.store(full, planted)
    text = (bench.ROOT / PAGE).read_text(encoding="utf-8")
    for name, root in (("full", full), ("none", tmp_path)):
        (source / f"{name}.md").write_text(tables.fill(text, root, PAGE), encoding="utf-8")
    (source / "_config.yml").write_text("title: Two pages\n")
    (source / "_toc.yml").write_text("format: jb-book\nroot: full\nchapters: [{file: none}]\n")
    built = site.run_jupyter_book(source, tmp_path / "built")
    assert pages.unreadable(built) == []
    assert "No results are stored in this edition" in (built / "none.html").read_text()
    page = BeautifulSoup((built / "full.html").read_text(), "html.parser")
    assert len(page.select("article table")) == 2 * (2 + len(planted["curves"]))
    assert len(page.select("article img")) == 2
