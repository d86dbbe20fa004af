"""Writes the public address of the repository, and the edition, wherever they are used.

    python tools/sync.py [--url https://github.com/owner/repository] [--edition main] [--check]

Both stand in pyproject.toml alone. Generated from them: the marked parts of README.md, the set-up
cell of every notebook, and single lines of _config.yml, CITATION.cff and the issue forms. `--check`
writes nothing and fails if a file differs, or names the address in a place that is not generated.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK_FOLDERS = ("book", "solutions", "exercises", "assignments")

# Lines that hold the address, as (file, what stands before it on its line, the value).
LINES = (
    ("_config.yml", "  url: ", "{url}"),
    ("_config.yml", "  branch: ", "{edition}"),
    ("_config.yml", "  baseurl: ", "{site}"),
    ("CITATION.cff", "repository-code: ", "{url}"),
    ("CITATION.cff", "url: ", "{site}"),
    (".github/ISSUE_TEMPLATE/config.yml", "    url: ", "{url}/discussions"),
)

SETUP_CELL = """\
try:
    import course_lib
except ModuleNotFoundError:
    %pip install -q --no-deps "git+{url}@{edition}"
    import course_lib"""

README = {
    "start": """\
```console
$ git clone {url}
$ cd {repository}
$ make book   # set up, run every notebook, build the book and say where it is
$ make test   # set up, then prove it: tests, notebooks, warnings, links, pages
```""",
    "library": """\
```console
$ pip install "git+{url}@{edition}"
```""",
    "read": "Read it at [{site}]({site}).",
}
COLAB = "https://colab.research.google.com/github/{owner}/{repository}/blob/{edition}/{path}"
COLAB_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
BINDER = "https://mybinder.org/v2/gh/{owner}/{repository}/{edition}?urlpath=lab/tree/{path}"
BINDER_BADGE = "https://mybinder.org/badge_logo.svg"


class Wrong(Exception):
    """A wrong address or a file without its place; the message says which and what to do."""


@dataclass(frozen=True)
class Address:
    """Where the course is published. `edition` is the git ref that readers open."""

    url: str
    edition: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https://github\.com/[A-Za-z0-9-]+/[A-Za-z0-9._-]+", self.url):
            raise Wrong(f"url is {self.url!r}; it must read https://github.com/OWNER/REPOSITORY.")
        if self.url.endswith(".git"):
            raise Wrong(f"url is {self.url!r}; leave the ending .git out.")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.edition):
            raise Wrong(
                f"edition is {self.edition!r}; it must be a tag or branch: letters, digits and ._-"
            )

    def fill(self, template: str, path: str = "") -> str:
        """`template` with url, owner, repository, edition, site and path in their places."""
        owner, repository = self.url.split("/")[-2:]
        folder = "latest" if self.edition == "main" else self.edition
        site = f"https://{owner.lower()}.github.io/{repository}/{folder}/"
        return template.format(
            url=self.url, owner=owner, repository=repository, edition=self.edition,
            site=site, path=path,
        )  # fmt: skip


def address(pyproject: str) -> Address:
    """The address that pyproject.toml states."""
    url = re.search(r'^Repository = "(.*)"$', pyproject, re.MULTILINE)
    edition = re.search(r'^edition = "(.*)"$', pyproject, re.MULTILINE)
    if not url or not edition:
        raise Wrong('pyproject.toml must have the lines Repository = "..." and edition = "...".')
    return Address(url[1], edition[1])


def stated(pyproject: str, new: Address) -> str:
    """pyproject.toml with another address."""
    for name, value in (("Repository", new.url), ("edition", new.edition)):
        pyproject = re.sub(rf'(?m)^{name} = ".*"$', f'{name} = "{value}"', pyproject)
    return pyproject


def generated(root: Path, new: Address) -> dict[Path, str]:
    """The whole text of every file that holds the address, as it should be."""
    texts = {root / "pyproject.toml": stated(read(root / "pyproject.toml"), new)}
    for name, before, value in LINES:
        path = root / name
        text = texts.get(path) or read(path)
        line = rf"(?m)^{re.escape(before)}\S*$"
        if not re.search(line, text):
            raise Wrong(f"{name} has no line that begins with {before.strip()!r}; add it.")
        texts[path] = re.sub(line, before + new.fill(value), text, count=1)
    texts[root / "README.md"] = readme(root, new)
    for folder in NOTEBOOK_FOLDERS:
        for path in sorted((root / folder).rglob("*.ipynb")):
            if not any(part.startswith(".") for part in path.relative_to(root).parts):
                texts[path] = notebook(path, new)
    return texts


def readme(root: Path, new: Address) -> str:
    """README.md with its marked parts filled."""
    parts = {name: new.fill(template) for name, template in README.items()}
    parts["chapters"] = chapter_table(root, new)
    text = read(root / "README.md")
    for name, part in parts.items():
        region = rf"(?s)(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        if not re.search(region, text):
            raise Wrong(f"README.md lacks <!-- generated: {name} --> and <!-- end -->; add them.")
        text = re.sub(region, lambda found, part=part: found[1] + part + "\n" + found[2], text)
    return text


def chapter_table(root: Path, new: Address) -> str:
    """One row per chapter: read, Colab, Binder, exercises."""
    rows = ["| Chapter | Read | Colab | Binder | Exercises |", "|---|---|---|---|---|"]
    for name in re.findall(r"file: (book/\S+/\d\d_\S+)", read(root / "_toc.yml")):
        slug = name.split("/")[-1]
        cells = json.loads(read(root / f"{name}.ipynb"))["cells"]
        title = re.search(r"(?m)^# (.+)$", "".join(cells[0]["source"]))
        if not title:
            raise Wrong(f"{name}.ipynb has no title: its first cell must hold a line '# ...'.")
        page = new.fill("{site}{path}", f"{name}.html")
        exercises = f"exercises/{slug}.ipynb"
        solutions = new.fill("{site}{path}", f"solutions/{slug}.html")
        rows.append(
            f"| {int(slug[:2])}. {title[1].strip()} | [page]({page}) "
            f"| [![Open in Colab]({COLAB_BADGE})]({new.fill(COLAB, name + '.ipynb')}) "
            f"| [![Open in Binder]({BINDER_BADGE})]({new.fill(BINDER, name + '.ipynb')}) "
            f"| [Colab]({new.fill(COLAB, exercises)}), [Binder]({new.fill(BINDER, exercises)}), "
            f"[solutions]({solutions}) |"
        )
    return "\n".join(rows)


def notebook(path: Path, new: Address) -> str:
    """A notebook with its set-up cell filled, otherwise byte for byte as it was."""
    text = read(path)
    content = json.loads(text)
    cells = [cell for cell in content["cells"] if cell.get("id") == "setup"]
    if len(cells) != 1:
        raise Wrong(f"{path} has {len(cells)} cells with the id 'setup'; it must have one.")
    wanted = new.fill(SETUP_CELL).splitlines(keepends=True)
    if cells[0]["source"] == wanted:
        return text
    cells[0]["source"] = wanted
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def strays(root: Path, now: Address, known: set[Path]) -> list[str]:
    """Files that name the address although nothing generates it there."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=True).stdout
    paths = {root / name for name in names.split("\0") if name}
    needle = "/".join(now.url.split("/")[-2:]).encode()
    return [
        path.relative_to(root).as_posix()
        for path in sorted(paths - known)
        if path.is_file() and needle in path.read_bytes()
    ]


def read(path: Path) -> str:
    """A file as text with its line ends as they are; Wrong if it is missing."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise Wrong(f"{path} is missing; it is one of the files that hold the address.") from None


def sync(root: Path, url: str | None, edition: str | None, check: bool) -> int:
    """Do what the command line asks in the tree `root`; its exit code."""
    now = address(read(root / "pyproject.toml"))
    new = Address((url or now.url).rstrip("/"), edition or now.edition)
    texts = generated(root, new)
    changed = [path for path, text in texts.items() if read(path) != text]
    if check:
        complaints = [f"{path.relative_to(root).as_posix()} differs" for path in changed]
        complaints += [f"{name} names the address by hand" for name in strays(root, now, {*texts})]
        if complaints:
            print("; ".join(complaints) + ": run `python tools/sync.py`.")
        return 1 if complaints else 0
    for path in changed:
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(texts[path].encode("utf-8"))
        os.replace(part, path)
    print(f"{new.url} at {new.edition}: {len(changed)} files changed.")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="the new address, https://github.com/owner/repository")
    parser.add_argument("--edition", help="the branch or tag that Colab and Binder open")
    parser.add_argument("--check", action="store_true", help="only say what differs")
    given = parser.parse_args()
    try:
        return sync(ROOT, given.url, given.edition, given.check)
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
