"""The public copy of the course, the wheel and the sdist hold nothing of the key."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.grading.problem_sets import SETS, WITHOUT, problem_set
from tests.project import tree
from tools import key, public

needs_sets = pytest.mark.skipif(not SETS, reason=WITHOUT)
NAMES = [name.as_posix() for name in tree.files()] if (tree.ROOT / ".git").exists() else []


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The public copy and the key of this tree as it is, committed or not."""
    if not NAMES:
        pytest.skip("this is no git checkout")
    folder = tmp_path_factory.mktemp("public")
    private = tree.copy(folder / "private")
    git(private, "add", "--all")
    git(private, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "all")
    return public.export(folder / "public", private), public.pack(folder / "key.zip", private)


@needs_sets
def test_each_set_has_a_key_of_many_phrases():
    for name in SETS:
        found = {phrase.text for phrase in key._phrases(name)}
        problems = problem_set(name)
        hidden = [
            case
            for question in problems.questions
            for case in problems.cases(question, 0, problems.solve())
            if not case.visible
        ]
        assert len(found) > 30
        assert sum(case.hint in found for case in hidden) > len(hidden) / 2
        assert {line for w in problems.written for line in w.rubric if len(line) > 45} <= found


def page(text):
    words = re.sub(r"(\w+)", r"<span>\1</span>", html.escape(text))
    return f"<html><body><pre>{words}</pre></body></html>"


PLACES = {
    "notes.md": lambda text: f"# Notes\n\nIt is said: {text}\n",
    "wrapped.md": lambda text: text.replace(" ", "\n  "),
    "book.ipynb": lambda text: json.dumps({"source": [f"{text}\n", "print(1)"]}),
    "page.html": page,
}


@needs_sets
@pytest.mark.parametrize("name", PLACES)
def test_every_phrase_is_found_where_it_stands(tmp_path, name):
    (tmp_path / name).write_text(PLACES[name]("Nothing."), encoding="utf-8")
    assert key.leaks(tmp_path) == []
    everything = "\n\n".join(phrase.text for phrase in key.phrases())
    (tmp_path / name).write_text(PLACES[name](everything), encoding="utf-8")
    assert {f"{name}: {phrase.text}" for phrase in key.phrases()} == set(key.leaks(tmp_path))


@needs_sets
def test_the_public_copy_has_every_file_but_the_private_ones(copies):
    folder, packed = copies
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    private = {name for name in NAMES if key.is_private(key.Path(name))}
    assert held == set(NAMES) - private
    assert {f"assignments/{name}.py" for name in SETS} < private
    with zipfile.ZipFile(packed) as archive:
        assert {name for name in archive.namelist() if not name.endswith("/")} == private
    assert os.access(folder / ".ci" / "run", os.X_OK)
    assert set(key.PRIVATE) < set((folder / ".gitignore").read_text().split("\n"))


@needs_sets
def test_the_public_copy_works_without_the_key_and_with_it_unpacked(copies, tmp_path):
    folder = shutil.copytree(copies[0], tmp_path / "public")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    chosen = ["tests/grading/test_set_cards.py", "tests/grading/test_problem_sets.py"]
    chosen += ["tests/grading/test_sample_class.py", "tests/project/test_public.py"]
    chosen += ["tests/teaching/test_plans.py", "tests/exercises/test_build.py"]
    told = pytest_in(folder, *chosen)
    assert " passed" in told and told.count(WITHOUT) >= 3, told
    with zipfile.ZipFile(copies[1]) as archive:
        archive.extractall(folder)
    told = pytest_in(folder, "tests/grading/test_set_cards.py", "-k", "stored_edits")
    assert f"{len(SETS)} passed" in told
    assert git(folder, "ls-files", "--others", "--exclude-standard").split() == []


def pytest_in(folder, *chosen):
    run = [sys.executable, "-m", "pytest", "-q", *chosen]
    where = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(run, cwd=folder, env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@needs_sets
def test_a_copy_that_would_leak_is_not_made(tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "notes.md").write_text(key.phrases()[0].text)
    git(private, "init", "--quiet")
    git(private, "add", "--all")
    git(private, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "all")
    with pytest.raises(public.Refused, match=r"would be public:\nnotes\.md: "):
        public.export(tmp_path / "public", private)
    assert not (tmp_path / "public").exists()


@pytest.mark.parametrize("full", ["extractall", "write_file"])
def test_a_full_disk_leaves_no_half_of_a_public_copy(full, tmp_path, monkeypatch, capsys):
    private = tmp_path / "private"
    private.mkdir()
    (private / "notes.md").write_text("Notes")
    for words in ("init --quiet", "add --all", "-c user.name=a -c user.email=a@b.c commit -qm all"):
        git(private, *words.split())

    def fail(*arguments, **named):
        if full == "extractall":
            usual(*arguments, **named)
        raise OSError(28, "could not write: the disk is full")

    usual = tarfile.TarFile.extractall
    where = tarfile.TarFile if full == "extractall" else public
    monkeypatch.setattr(where, full, fail)
    monkeypatch.setattr(public, "SETS", ["a set"])
    archive = public._archive
    monkeypatch.setattr(public, "_archive", lambda root, kind, what: archive(private, kind, ["."]))
    assert public.main([str(tmp_path / "public"), "--key", str(tmp_path / "key.zip")]) == 1
    assert "No public copy was made: [Errno 28] could not write" in capsys.readouterr().err
    assert not (tmp_path / "public").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(public.Refused, match="is not empty"):
        public.export(tmp_path)
    assert (tmp_path / "mine").exists()


@needs_sets
def test_wheel_and_sdist_hold_no_piece_of_the_key(tmp_path):
    source = tree.copy(tmp_path / "source")
    build = "from setuptools import build_meta as b; b.build_wheel('w'); b.build_sdist('s')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next((source / "w").glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "wheel")
    with tarfile.open(next((source / "s").glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path / "sdist", filter="data")
    for kind in ("wheel", "sdist"):
        assert list((tmp_path / kind).rglob("toy.py")), f"the {kind} holds the library"
        assert key.leaks(tmp_path / kind) == []
        names = [path.name for path in (tmp_path / kind).rglob("*")]
        assert not {f"{name}.py" for name in SETS} & set(names)


@pytest.mark.skipif(not NAMES, reason="this is no git checkout")
def test_a_public_copy_has_no_private_file_in_its_history():
    if key.PRIVATE[0] not in (tree.ROOT / ".gitignore").read_text(encoding="utf-8"):
        pytest.skip("this is the private copy")
    assert git(tree.ROOT, "log", "--all", "--format=%h", "--", *key.PRIVATE) == ""


@needs_sets
@pytest.mark.skipif(not shutil.which("gpg") or os.name == "nt", reason="gpg is not installed")
def test_publishing_pushes_the_public_copy_and_encrypts_the_key(copies, tmp_path):
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    packed = shutil.copy(copies[1], tmp_path / "key.zip")
    words = {"KEY_PASSPHRASE": "a long one", "GNUPGHOME": str(tmp_path / "gpg")}
    words |= {f"GIT_{who}_{what}": "ci@b.c" for who in ("AUTHOR", "COMMITTER")
              for what in ("NAME", "EMAIL")}  # fmt: skip
    (tmp_path / "gpg").mkdir(mode=0o700)
    environment = {**os.environ, **words}
    script = str(tree.ROOT / ".ci" / "publish")
    for edition in ("v1", "v2"):
        folder = shutil.copytree(copies[0], tmp_path / edition)
        (folder / "edition.txt").write_text(edition)
        run = [script, str(folder), str(packed), str(remote), edition]
        subprocess.run(run, env=environment, check=True, capture_output=True)
    assert git(remote, "log", "--format=%s", "main").split() == ["v2", "v1"]
    names = git(remote, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert "README.md" in names and not [n for n in names if key.is_private(key.Path(n))]
    sealed = (tmp_path / "key.zip.gpg").read_bytes()
    assert b"assignments" in packed.read_bytes() and b"assignments" not in sealed
    opening = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-fd", "0"]
    opening += ["--decrypt", str(tmp_path / "key.zip.gpg")]
    for passphrase, opened in (("another", b""), ("a long one", packed.read_bytes())):
        found = subprocess.run(opening, input=passphrase.encode(), env=environment,
                               capture_output=True)  # fmt: skip
        assert found.stdout == opened
