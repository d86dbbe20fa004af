"""The prose is spelled as the dictionary or the project's own list of words has it."""

import nbformat

from tests.project.tree import ROOT
from tools import spelling


def page(root, text):
    for folder in ("book", "solutions"):
        (root / folder).mkdir()
    (root / "README.md").write_text("# Words\n")
    cell = nbformat.v4.new_markdown_cell(text)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), root / "book" / "a.ipynb")
    return root


def test_every_word_of_the_prose_is_known():
    assert spelling.unknown(ROOT) == {}


def test_a_misspelt_word_is_found_with_its_file(tmp_path):
    root = page(tmp_path, "Sparse autoencoders recieve activations.")
    assert spelling.unknown(root) == {"recieve": ["book/a.ipynb"]}


def test_code_formulas_and_addresses_are_no_prose(tmp_path):
    text = "Call `recieve`, $\\alpah$, <a href='recieve'>this</a>, [that](recieve.md), x_recieve."
    assert spelling.unknown(page(tmp_path, f"{text}\n\n```python\nrecieve()\n```")) == {}


def test_the_list_is_in_order_and_holds_no_word_that_nobody_writes():
    words = spelling.WORDS.read_text(encoding="utf-8").split()
    assert words == sorted(set(words), key=str.lower)
    written = {w for _, text in spelling.prose(ROOT) for w in spelling.WORD.findall(text)}
    plain = {word.removesuffix("'s") for word in written}
    plain |= {word.lower() for word in plain}
    assert [word for word in words if word not in plain] == []
