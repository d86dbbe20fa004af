"""Code and prose as fingerprints that a disguise does not change.

Of code, what is kept is what it does: names, comments, docstrings, annotations, formatting, texts
in quotation marks and the order of what may be reordered are normalised. Every statement then
stands for the runs of K tokens in it (Schleimer, Wilkerson and Aiken, 2003, "Winnowing"; all runs
are kept, since notebooks are short). Code that is no Python is cut into tokens line by line.
Nothing is executed.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

K_TOKENS, K_WORDS = 7, 4
MAX_CHARACTERS = 100_000  # of a notebook's code; what is beyond is not compared
TOKEN = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?|\w+|\*\*|//|[=!<>]=|:=|->|[^\s\w]")
QUOTED = re.compile(r"'''[\s\S]*?'''|\"\"\"[\s\S]*?\"\"\"|'[^'\n]*'|\"[^\"\n]*\"|#[^\n]*")
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Passage:
    """A statement without its block, or a sentence: lines `first` to `last` of a text, from 1."""

    text: int
    first: int
    last: int
    prints: frozenset[str]


@dataclass
class Names:
    """What is known of names: of `modules` what they stand for, `known` stay, `bound` go."""

    known: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)

    def plain(self, name: str) -> str:
        if name in self.modules:
            return self.modules[name]
        is_builtin = hasattr(builtins, name) and name not in self.bound
        return name if name in self.known or is_builtin else "v"

    def learn(self, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    whole = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.modules[alias.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.bound.add(node.id)
            elif isinstance(node, ast.arg):
                self.bound.add(node.arg)


class _Plain(ast.NodeTransformer):
    """Takes out of a tree what a disguise can change."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.plain(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg("v")

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Name("TEXT") if isinstance(node.value, (str, bytes)) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Name("TEXT")

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Import(self, node: ast.AST) -> None:
        return None

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name, node.returns = self.names.plain(node.name), None
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.plain(node.name)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        value = ast.BinOp(node.target, node.op, node.value)
        return self.visit(ast.copy_location(ast.Assign([node.target], value), node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)):
            node.left, node.right = sorted((node.left, node.right), key=_rank)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        node.keywords.sort(key=lambda word: word.arg or "")
        return node


def _rank(value: object) -> int:
    """A number that follows from a tree; remembered, so that a long chain costs what it is long."""
    if isinstance(value, list):
        return zlib.crc32(repr([_rank(item) for item in value]).encode())
    if not isinstance(value, ast.AST):
        return zlib.crc32(repr(value).encode())
    if not hasattr(value, "rank"):
        parts = [(name, _rank(part)) for name, part in ast.iter_fields(value)]
        value.rank = zlib.crc32(repr((type(value).__name__, parts)).encode())
    return value.rank


def known_names(cells: Iterable[str]) -> Names:
    """The names that handed-out code defines for all of its cells; a student's are compared to."""
    names = Names()
    for tree in filter(None, map(_tree, cells)):
        names.learn(tree)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.known.add(node.name)
            elif isinstance(node, ast.Assign):
                names.known |= {n.id for n in ast.walk(node) if _stores(n)}
    names.bound.clear()
    return names


def _stores(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except NOT_PYTHON:
        return None


def of_code(cells: Iterable[str], handed_out: Names) -> list[Passage]:
    """The passages of a notebook's code cells, in their order. Never raises."""
    left, trees, passages = MAX_CHARACTERS, [], []
    names = Names(handed_out.known, dict(handed_out.modules))
    for source in cells:
        source, left = source[:left], max(0, left - len(source))
        trees.append((source, _tree(source)))
        if trees[-1][1] is not None:
            names.learn(trees[-1][1])
    for number, (source, tree) in enumerate(trees):
        try:
            if tree is None:
                raise SyntaxError
            found = list(_statements(tree, names))
        except NOT_PYTHON:
            found = list(_lines(source, names))
        passages += [Passage(number, *where, _runs(t, K_TOKENS)) for *where, t in found if t]
    return passages


def _statements(tree: ast.Module, names: Names) -> Iterator[tuple[int, int, list[str]]]:
    for node in ast.walk(_Plain(names).visit(tree)):
        if not isinstance(node, ast.stmt):
            continue
        last, blocks = node.end_lineno, {b: [] for b in BLOCKS if getattr(node, b, None)}
        if blocks:
            inner = [n.lineno for b in blocks for n in getattr(node, b) if hasattr(n, "lineno")]
            last = max(node.lineno, min(inner, default=last + 1) - 1)
        head = type(node)(**{**dict(ast.iter_fields(node)), **blocks})
        yield node.lineno, last, TOKEN.findall(ast.unparse(ast.copy_location(head, node)))


def _lines(source: str, names: Names) -> Iterator[tuple[int, int, list[str]]]:
    """The same by tokens alone: of a line, as of a statement that is broken."""
    plain = QUOTED.sub(lambda m: " TEXT " * (m[0][0] != "#") + "\n" * m[0].count("\n"), source)
    for number, line in enumerate(plain.split("\n"), start=1):
        tokens, before, depth, told = TOKEN.findall(line), "", 0, []
        if not tokens or tokens[0] in ("import", "from") or tokens == ["TEXT"]:
            continue
        for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
            depth += (token in "([{") - (token in ")]}")
            is_name = token.isidentifier() and not keyword.iskeyword(token) and before != "."
            if is_name and token != "TEXT" and not (depth and after == "="):
                told += TOKEN.findall(names.plain(token))
            else:
                told.append(token)
            before = token
        yield number, number, told


def of_prose(text: str) -> list[Passage]:
    """The passages of a written answer, one a sentence."""
    passages, start = [], 0
    for end in (m.end() for m in re.finditer(r"[.!?:;](?=\s)|\Z", text[:MAX_CHARACTERS])):
        sentence = text[start:end]
        if words := re.findall(r"\w+", sentence.lower()):
            at = start + len(sentence) - len(sentence.lstrip())
            first, last = (text.count("\n", 0, p) + 1 for p in (at, end))
            passages.append(Passage(0, first, last, _runs(words, K_WORDS)))
        start = end
    return passages


def _runs(tokens: list[str], k: int) -> frozenset[str]:
    """All runs of k tokens; the ends count as tokens, so that a short statement has one, too."""
    padded = ["^", *tokens, "$"]
    return frozenset(" ".join(padded[i : i + k]) for i in range(max(1, len(padded) - k + 1)))


def cells_of(name: str, cells: list[str]) -> list[int]:
    """The numbers of the cells that define `name` as a function or a variable."""
    defines = re.compile(rf"^(?:def\s+{name}\s*\(|{name}\b[^\n=(.]*=(?!=))", re.MULTILINE)
    return [k for k, source in enumerate(cells) if defines.search(source)]
