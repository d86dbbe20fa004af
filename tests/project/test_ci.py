"""What CI runs is what the README tells the reader to run."""

import re
import subprocess

import pytest
import yaml

from tests.project import tree
from tools import editions, make

README = (tree.ROOT / "README.md").read_text(encoding="utf-8")
CI = (tree.ROOT / ".ci" / "run").read_text(encoding="utf-8")
FORMS = sorted((tree.ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (tree.ROOT / ".github" / "workflows").glob("*.yml")
}


def test_ci_runs_the_two_commands_of_the_readme_before_it_adds_the_peers():
    told = re.findall(r"^\$ (make \w+)", README, re.MULTILINE)
    *first, last = re.findall(r"^make \w+$", CI, re.MULTILINE)
    assert (sorted(told), last) == (sorted(first), "make peers")
    assert len(told) == 2


@pytest.mark.parametrize("script", ["run", "supply", "release", "publish"])
def test_a_script_of_ci_stops_at_the_first_failure_and_is_executable(script):
    path = tree.ROOT / ".ci" / script
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o100
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_workflow_on_linux_runs_what_ci_runs():
    steps = WORKFLOWS["ci.yml"]["jobs"]["book"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]


def test_the_matrix_crosses_the_oldest_and_the_newest_torch_and_numpy():
    """The newest of both is what a job without versions gets."""
    matrix = WORKFLOWS["matrix.yml"]["jobs"]["library"]["strategy"]["matrix"]["include"]
    named = [entry["versions"] for entry in matrix]
    pyproject = (tree.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    floors = [re.search(rf'"{name}>=([\d.]+)"', pyproject)[1] for name in ("torch", "numpy")]
    torch, numpy = f"torch~={floors[0]}.0", f"numpy~={floors[1]}.0"
    assert set(named) == {"", f"{torch} {numpy}", f"{torch} numpy~=2.0", numpy}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_a_commit_with_its_version_beside_it(name):
    text = (tree.ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    written = re.findall(r"uses: *(\S+)(.*)", text)
    jobs = WORKFLOWS[name]["jobs"].values()
    parsed = [one.get("uses") for job in jobs for one in (job, *job.get("steps", ()))]
    assert [action for action, _ in written] == [action for action in parsed if action]
    for action, comment in written:
        if action.startswith("./"):
            assert (tree.ROOT / action).is_file()
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


def test_a_release_is_signed_by_a_job_that_can_do_nothing_else():
    calling = WORKFLOWS["ci.yml"]["jobs"]["release"]
    assert set(calling["needs"]) == {"book", "supply"} and "ref_type == 'tag'" in calling["if"]
    jobs = WORKFLOWS["release.yml"]["jobs"]
    may = {name: job.get("permissions", {"contents": "read"}) for name, job in jobs.items()}
    assert may == {
        "build": {"contents": "read"},
        "sign": {"id-token": "write", "attestations": "write"},
        "attach": {"contents": "write"},
    }
    writes = {right for rights in may.values() for right, how in rights.items() if how == "write"}
    assert calling["permissions"] == dict.fromkeys(writes, "write")
    assert [job.get("needs") for job in jobs.values()] == [None, "build", "sign"]
    assert [step["uses"].split("@")[0] for step in jobs["sign"]["steps"]] == [
        "actions/download-artifact",
        "actions/attest",
    ]


def test_a_release_whose_tag_is_not_its_version_is_refused():
    done = subprocess.run([".ci/release", "v9.9.9"], cwd=tree.ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "The tag is v9.9.9 and pyproject.toml says version" in done.stderr


def test_an_action_has_one_commit_and_dependabot_moves_it():
    texts = [p.read_text() for p in (tree.ROOT / ".github" / "workflows").glob("*.yml")]
    pins = set(re.findall(r"uses: *([\w-]+/[\w-]+)@(.*)", "\n".join(texts)))
    assert len(pins) == len(dict(pins)) > 4
    bot = yaml.safe_load((tree.ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    assert [entry["package-ecosystem"] for entry in bot["updates"]] == ["github-actions"]


def test_every_job_may_only_read_unless_it_says_otherwise():
    assert all(workflow["permissions"] == {"contents": "read"} for workflow in WORKFLOWS.values())


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_every_issue_form_asks_for_the_environment_report(form):
    assert "python -m course_lib.runtime" in form.read_text(encoding="utf-8")
    body = yaml.safe_load(form.read_text(encoding="utf-8"))["body"]
    assert len({field["id"] for field in body}) == len(body)


def test_the_makefile_forwards_every_command():
    makefile = (tree.ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert set(phony) == {"help", *make.COMMANDS}


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("new")
    return tmp_path / "site"


def test_an_edition_is_put_beside_the_others_newest_first(site, tmp_path):
    pages = tmp_path / "pages"
    for name in ("v0.9.0", "v0.10.0", "main"):
        listed = editions.add(site, pages, name)
    assert listed == ["latest", "v0.10.0", "v0.9.0"]
    assert "latest/index.html" in (pages / "index.html").read_text()
    assert "v0.9.0/index.html" in (pages / "editions.html").read_text()
    assert (pages / ".nojekyll").exists()
    lost = (pages / "404.html").read_text()
    links = re.findall(r'href="([^"]+)"', lost)
    assert all(re.fullmatch(r"/[\w.-]+/(latest/index|editions)\.html", link) for link in links)
    assert len(links) == 2


def test_publishing_again_replaces_the_edition_alone(site, tmp_path):
    pages = tmp_path / "pages"
    for name in ("main", "v0.1.0"):
        editions.add(site, pages, name)
    (pages / "latest" / "gone.html").touch()
    (pages / "v0.1.0" / "kept.html").touch()
    editions.add(site, pages, "main")
    assert not (pages / "latest" / "gone.html").exists()
    assert (pages / "v0.1.0" / "kept.html").exists()


@pytest.mark.parametrize("name", ["../up", "a/b", ""])
def test_an_edition_never_leaves_its_folder(site, tmp_path, name):
    with pytest.raises(ValueError, match="must be a branch or tag without slashes"):
        editions.add(site, tmp_path / "pages", name)
