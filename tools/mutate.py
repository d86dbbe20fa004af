"""Small wrong edits of a solution: operators, signs, axes, transposes, off-by-one, gradients.

`mutants(source)` makes every edit below once, at every place of the solution region.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
COMPARED = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
}  # fmt: skip
PAIRS = [
    ("mean", "sum"), ("max", "min"), ("amax", "amin"), ("argmax", "argmin"), ("any", "all"),
    ("maximum", "minimum"), ("sin", "cos"), ("floor", "ceil"), ("zeros", "ones"),
    ("zeros_like", "ones_like"), ("cumsum", "cumprod"), ("var", "std"), ("log", "exp"),
]  # fmt: skip
SWAPPED = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
DROPPED = {
    "abs", "relu", "sqrt", "square", "exp", "log", "detach", "clamp", "clamp_min", "clamp_max",
    "sign", "normalize", "sigmoid", "softmax", "unique", "round", "flip", "roll", "tril", "triu",
}  # fmt: skip
AXES = {0: 1, 1: 0, 2: 1, -1: -2, -2: -1, -3: -2}
AXIS_WORDS = ("dim", "axis", "dims")


@dataclass(frozen=True)
class Mutant:
    """One edit: what kind, the lines it changes, and the whole cell with it."""

    rule: str
    change: str
    source: str


def mutants(source: str) -> list[Mutant]:
    """Every edit of the solution in the answer cell `source`, each text once."""
    tree = _Numbers().visit(ast.parse(source))
    lines = [line.strip() for line in source.split("\n")]
    region = range(lines.index("### BEGIN SOLUTION") + 1, lines.index("### END SOLUTION") + 2)
    original = ast.unparse(tree)
    found = {original: None}
    for parent, field, place, node in _nodes(tree):
        if getattr(node, "lineno", region[0]) not in region or not _inside(parent, node, region):
            continue
        for rule, new in _edits(node, parent):
            _put(parent, field, place, new)
            text = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, field, place, node)
            if text not in found:
                found[text] = Mutant(rule, _change(original, text), text)
    return [mutant for mutant in found.values() if mutant]


class _Numbers(ast.NodeTransformer):
    """Makes `-1`, which Python reads as a sign and a 1, the one number that it is."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        number = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(node.op, ast.USub) and type(number) in (int, float):
            return ast.copy_location(ast.Constant(-number), node)
        return node


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    for parent in list(ast.walk(tree)):
        for field, value in list(ast.iter_fields(parent)):
            if isinstance(value, ast.AST):
                yield parent, field, None, value
            elif isinstance(value, list):
                for place, node in enumerate(value):
                    if isinstance(node, ast.AST):
                        yield parent, field, place, node


def _inside(parent: ast.AST, node: ast.AST, region: range) -> bool:
    return hasattr(node, "lineno") or getattr(parent, "lineno", -1) in region


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _change(before: str, after: str) -> str:
    pairs = difflib.ndiff(before.split("\n"), after.split("\n"))
    changed = {mark: [] for mark in "-+"}
    for line in pairs:
        if line[0] in changed:
            changed[line[0]].append(line[2:].strip())
    return f"{' ; '.join(changed['-'])}  →  {' ; '.join(changed['+']) or '(nothing)'}"


def _edits(node: ast.AST, parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.BinOp):
        yield from _arithmetic(node)
    elif isinstance(node, ast.UnaryOp):
        yield "sign" if isinstance(node.op, ast.USub) else "negation", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for new in COMPARED.get(type(node.ops[0]), ()):
            yield "comparison", ast.Compare(node.left, [new()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "logic", ast.BoolOp(other, node.values)
    elif isinstance(node, ast.Constant):
        yield from _constant(node, parent)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT", "H", "mH"):
        yield "transpose", node.value
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.Slice) and node.upper and not isinstance(node.upper, ast.Constant):
        yield "off by one", ast.Slice(node.lower, _plus(node.upper, -1), node.step)
    elif isinstance(node, ast.Tuple) and isinstance(parent, ast.Subscript):
        if len(node.elts) == 2 and ast.dump(node.elts[0]) != ast.dump(node.elts[1]):
            yield "axis", ast.Tuple(node.elts[::-1], node.ctx)
    elif isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Tuple):
        detached = ast.Call(ast.Attribute(node.value, "detach", ast.Load()), [], [])
        yield "detached", ast.Return(detached)
        yield "sign", ast.Return(ast.UnaryOp(ast.USub(), node.value))
    elif isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "statement left out", ast.Pass()


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    if type(node.op) in ARITHMETIC:
        yield "operator", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        yield "term left out", node.left
    if isinstance(node.op, (ast.Add, ast.Mult)):
        yield "term left out", node.right
    if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult)):
        yield "order", ast.BinOp(node.right, node.op, node.left)
    if isinstance(node.op, ast.Pow):
        yield "term left out", node.left


def _constant(node: ast.Constant, parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield "switch", ast.Constant(not value)
    elif isinstance(value, int):
        if isinstance(parent, ast.keyword) and parent.arg in AXIS_WORDS:
            yield "axis", ast.Constant(AXES.get(value, value - 1))
        else:
            yield "off by one", ast.Constant(value + 1)
            yield "off by one", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(2 * value if value else 1.0)
    elif isinstance(value, str) and "->" in value and len(value.split("->")[1].strip()) > 1:
        inputs, output = value.split("->")
        yield "transpose", ast.Constant(f"{inputs}->{output.strip()[::-1]}")


def _call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    function = node.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    if name in DROPPED:
        module = isinstance(function, ast.Name) or _is_module(function.value)
        if not module or node.args:
            yield f"{name} left out", node.args[0] if module else function.value
    if name in SWAPPED:
        other = SWAPPED[name]
        renamed = (
            ast.Attribute(function.value, other, ast.Load())
            if isinstance(function, ast.Attribute)
            else ast.Name(other, ast.Load())
        )
        yield "other function", ast.Call(renamed, node.args, node.keywords)
    if name == "range" and not isinstance(node.args[-1], ast.Constant):
        yield "off by one", ast.Call(function, [*node.args[:-1], _plus(node.args[-1], -1)], [])
    for k, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            rest = node.keywords[:k] + node.keywords[k + 1 :]
            yield f"{keyword.arg} left out", ast.Call(function, node.args, rest)


def _is_module(node: ast.AST) -> bool:
    text = ast.unparse(node)
    return text.split(".")[0] in ("torch", "math", "np", "F", "nn", "functional")


def _plus(node: ast.AST, number: int) -> ast.BinOp:
    return ast.BinOp(node, ast.Add(), ast.Constant(number))
