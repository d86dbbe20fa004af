"""Where each term of the glossary is met: chapters, exercises, functions, papers.

Nothing is listed by hand. A term belongs to a chapter or an exercise whose text uses it, to a
function whose description begins with it, and to the papers of the claims that are about it.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat

import course_lib

GLOSSARY = Path("book/back/glossary.md")
MOST = 3  # chapters, exercises, functions and papers that a line of the finder names
SEVERAL = 3  # uses that make a chapter one of the term's, beside the one with the most


@dataclass(frozen=True)
class Topic:
    """One term as the glossary writes it, and the pattern of its uses; chapters (most uses first),
    exercises as (notebook, number), functions' names.
    """

    term: str
    pattern: re.Pattern[str]
    chapters: tuple[Path, ...]
    exercises: tuple[tuple[Path, str], ...]
    functions: tuple[str, ...]


def terms(root: Path) -> list[str]:
    """The terms of the glossary, as they stand there."""
    text = (root / GLOSSARY).read_text(encoding="utf-8")
    body = text.split("```{glossary}")[1].split("\n```")[0]
    return re.findall(r"^(\S.*)$", body, re.MULTILINE)


def uses(term: str) -> re.Pattern[str]:
    """Matches the term, less what it has in brackets, as words of their own, also in the plural."""
    term = re.sub(r" \(.*\)$", "", term)
    capital = r"[A-Z]" if term[:1].isupper() else ""
    words = re.escape(term).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<![\w-]){words}(?:s|es)?(?![\w-])", 0 if capital else re.IGNORECASE)


def topics(root: Path, chapters: list[tuple[Path, list[Path]]]) -> list[Topic]:
    """Every term that a chapter uses; `chapters` are (notebook, notebooks below it)."""
    texts = {notebook: "\n".join(_markdown(root / notebook)) for notebook, _ in chapters}
    tasks = [task for _, below in chapters for task in _exercises(root, below)]
    found = []
    for term in terms(root):
        pattern = uses(term)
        counts = {notebook: len(pattern.findall(text)) for notebook, text in texts.items()}
        ranked = sorted((n for n in counts if counts[n]), key=lambda n: -counts[n])
        ranked = ranked[:1] + [n for n in ranked[1:MOST] if counts[n] >= SEVERAL]
        if ranked:
            where = ((path, number) for path, number, text in tasks if pattern.search(text))
            functions = dict.fromkeys(name for name, said in described() if pattern.search(said))
            found.append(
                Topic(
                    term,
                    pattern,
                    tuple(ranked),
                    tuple(where)[:MOST],
                    tuple(functions)[:MOST],
                )
            )
    return found


@cache
def described() -> tuple[tuple[str, str], ...]:
    """Every public name of the library's rooms, with its words, and with its description.

    First the names themselves, so that `CausalInnerProduct` leads for "causal inner product".
    """
    found = []
    for room in pkgutil.iter_modules(course_lib.__path__):
        module = importlib.import_module(f"course_lib.{room.name}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                plain = name.removesuffix("SAE")
                words = plain + " " + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", plain)
                said = (inspect.getdoc(thing) or "").split("\n\n")[0]
                found += [(f"{room.name}.{name}", words), (f"{room.name}.{name}", said)]
    return tuple(found[::2] + found[1::2])


def _markdown(notebook: Path) -> list[str]:
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


def _exercises(root: Path, below: list[Path]) -> Iterator[tuple[Path, str, str]]:
    """(notebook, number such as 5.2, text) of each exercise, as the reader meets it."""
    for path in below:
        if path.parts[0] != "exercises":
            continue
        chapter = str(int(path.name[:2]))
        for text in _markdown(root / path):
            number = re.match(r"## Exercise (\d+)", text)
            if number:
                yield path, f"{chapter}.{number[1]}", text
