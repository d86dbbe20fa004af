"""Words of the book's prose that no dictionary knows: `python -m tools.spelling`.

Checked are Markdown pages and the Markdown cells of notebooks, without code, formulas, addresses
and directives. A word is right if pyspellchecker's English dictionary has it, or `tools/words.txt`:
terms of the field, names, and British forms, one to a line.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
WORDS = ROOT / "tools" / "words.txt"
NOT_PROSE = re.compile(
    r"```.*?```|<!--.*?-->|<[^>]+>|\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\{[\w:]+\}"
    r"|\]\([^)]*\)|https?://\S+|arXiv:\S+|&\w+;",
    re.DOTALL,
)
WORD = re.compile(r"(?<![\w@/.\\-])[A-Za-z][a-z']*[a-z](?![\w/@\\]|\.\w)")


def prose(root: Path) -> Iterator[tuple[Path, str]]:
    """(file relative to root, its prose) of every page."""
    for folder in ("book", "solutions"):
        for path in sorted((root / folder).rglob("*.ipynb")):
            cells = nbformat.read(path, as_version=4).cells
            text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
            yield path.relative_to(root), NOT_PROSE.sub(" ", text)
    for path in [*sorted((root / "book").rglob("*.md")), root / "README.md"]:
        text = path.read_text(encoding="utf-8")
        if path.name == "glossary.md":
            text = text.replace("```", "")
        yield path.relative_to(root), NOT_PROSE.sub(" ", text)


def unknown(root: Path) -> dict[str, list[str]]:
    """Every unknown word, with the files where it stands."""
    from spellchecker import SpellChecker

    dictionary = SpellChecker(language="en", distance=1)
    own = set(WORDS.read_text(encoding="utf-8").split())
    found: dict[str, list[str]] = defaultdict(list)
    known: dict[str, bool] = {}
    for path, text in prose(root):
        for word in sorted(set(WORD.findall(text))):
            plain = word.removesuffix("'s").removesuffix("'")
            if plain not in known:
                known[plain] = plain in own or plain.lower() in own or plain.lower() in dictionary
            if not known[plain]:
                found[plain].append(path.as_posix())
    return dict(found)


if __name__ == "__main__":
    faults = unknown(ROOT)
    for word, files in sorted(faults.items()):
        print(f"{word}: {', '.join(files)}")
    sys.exit(bool(faults))
