"""Where a page first uses a term of the glossary, it becomes a link that shows the definition."""

import html
import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/back/glossary"
PAGES = ("book/", "exercises/", "solutions/")
# Words that a sentence also uses in their everyday sense; the glossary still has them.
EVERYDAY = {"atom", "band", "code", "found", "identified", "phase", "score", "site", "support"}
EVERYDAY |= {"familiarity", "importance", "lifting", "monotone", "universality"}
LETTERS = 300  # of a definition; the link leads to the rest
QUIET = (nodes.title, nodes.reference, nodes.literal, nodes.math, nodes.raw, nodes.emphasis,
         nodes.literal_block, nodes.table, addnodes.pending_xref)  # fmt: skip


def definitions(app: Sphinx) -> dict[str, tuple[str, str]]:
    """For each term in lower case: its anchor on the glossary's page, and its definition."""
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        term, meaning = item[0], item[-1]
        words = re.sub(r" \(.*\)$", "", term.astext())
        if words.lower() not in EVERYDAY:
            found[words.lower()] = term["ids"][0], _short(_words(meaning))
    return found


def mark_terms(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mark the first use of each term on a page of HTML."""
    if app.builder.format != "html" or page == GLOSSARY or not page.startswith(PAGES):
        return
    if GLOSSARY not in app.env.found_docs:
        return
    terms = definitions(app)
    if not terms:
        return
    longest_first = sorted(terms, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])", re.I)
    seen: set[str] = set()
    for text in list(_texts(doctree)):
        pieces = list(_pieces(app, page, str(text), pattern, terms, seen))
        if len(pieces) > 1:
            text.parent.replace(text, pieces)


def _texts(doctree: nodes.document) -> Iterator[nodes.Text]:
    """The running text of a page: paragraphs, without headings, links, code and formulas."""
    for text in doctree.findall(nodes.Text):
        above, inside = text.parent, False
        while above is not None and not isinstance(above, QUIET):
            inside |= isinstance(above, nodes.paragraph)
            above = above.parent
        if above is None and inside:
            yield text


def _pieces(app, page, text, pattern, terms, seen) -> Iterator[nodes.Node]:
    end = 0
    for match in pattern.finditer(text):
        key = match[0].lower()
        if key in seen:
            continue
        seen.add(key)
        anchor, meaning = terms[key]
        address = f"{app.builder.get_relative_uri(page, GLOSSARY)}#{anchor}"
        if match.start() > end:
            yield nodes.Text(text[end : match.start()])
        link = (
            f'<a class="term" href="{html.escape(address)}" data-meaning="{html.escape(meaning)}">'
            f"{html.escape(match[0])}</a>"
        )
        yield nodes.raw("", link, format="html")
        end = match.end()
    if end < len(text):
        yield nodes.Text(text[end:])


def _words(node: nodes.Node) -> str:
    """Text without what a tooltip cannot show: formulas as their letters, no line breaks."""
    text = re.sub(r"\\(?:text|mathrm|operatorname)\{(\w+)\}", r"\1", node.astext())
    return " ".join(re.sub(r"\\(\w+)", r"\1", text).replace("$", "").split())


def _short(text: str) -> str:
    """Whole sentences up to a length, at least one."""
    sentences = re.split(r"(?<=[.:;]) ", text)
    kept = sentences[0]
    for sentence in sentences[1:]:
        if len(kept) + len(sentence) > LETTERS:
            break
        kept += f" {sentence}"
    return kept


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-resolved", mark_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
