"""The minified source of a carried module: without comments, docstrings and types, which people and checkers read."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

Documented = Union[ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef]
Span = tuple[int, int, int, int, bytes]
"""From line and column to line and column (in bytes), and the text instead."""


IDLE_DECORATORS = {"property", "staticmethod", "classmethod", "contextmanager", "contextlib.contextmanager", "overload"}
"""Those known to read neither docstring nor annotations, as `singledispatch` does."""


def minified(source: bytes) -> bytes:
    """The source without these, every line where it was; it means the same but for them."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    spans = sorted([*_comments(source), *_docstrings(tree), *_types(tree, lines)], reverse=True)
    for first, start, last, end, instead in spans:
        text = lines[first - 1][:start] + instead + b"\n" * (last - first) + lines[last - 1][end:]
        lines[first - 1 : last] = text.splitlines(keepends=True)
    shorter = b"".join(lines)
    if _meaning(shorter) != _meaning(source):
        raise AssertionError("the source means something else without its comments and types")
    return shorter


def _comments(source: bytes) -> Iterator[Span]:
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            start = len(token.line[: token.start[1]].rstrip(" ").encode())
            yield token.start[0], start, token.end[0], len(token.line[: token.end[1]].encode()), b""


def _types(tree: ast.Module, lines: list[bytes]) -> Iterator[Span]:
    """The annotations of functions (those of classes are settings), and what is imported for a type checker only."""
    for block in filter(_is_for_checkers, ast.walk(tree)):
        yield block.body[0].lineno, block.body[0].col_offset, *_end(block.body[-1]), b"pass"
    for node in filter(_is_plain, ast.walk(tree)):
        for argument in _annotated(node):
            start = argument.col_offset + len(argument.arg.encode())
            yield argument.lineno, start, *_end(argument.annotation), b""
        if node.returns:
            line, before = node.returns.lineno, node.returns.col_offset
            arrow = lines[line - 1].rfind(b"->", 0, before)
            if arrow >= 0 and node.returns.end_lineno == line:
                yield line, len(lines[line - 1][:arrow].rstrip()), *_end(node.returns), b""


def _is_plain(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Whether it is a function whose annotations nothing reads."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _is_read(node)


def _is_read(node: ast.AST) -> bool:
    """Whether a decorator may read its docstring or annotations."""
    decorators = map(ast.unparse, getattr(node, "decorator_list", ()))
    return any(name not in IDLE_DECORATORS and not name.endswith(".setter") for name in decorators)


def _is_for_checkers(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    every = node.args
    arguments = [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]
    return [argument for argument in arguments if argument and argument.annotation]


def _end(node: ast.expr | ast.stmt | None) -> tuple[int, int]:
    return (node.end_lineno or 0, node.end_col_offset or 0) if node else (0, 0)


def _docstrings(tree: ast.Module) -> Iterator[Span]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _documented(node):
            text = node.body[0]
            instead = b"" if isinstance(node, ast.Module) or len(node.body) > 1 else b"pass"
            yield text.lineno, text.col_offset, text.end_lineno or 0, text.end_col_offset or 0, instead


def _documented(node: Documented) -> bool:
    """Whether it has a docstring that nothing reads: `dataclass` writes one, dearly, where there is none."""
    if _is_read(node):
        return False
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _meaning(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _documented(node):
            node.body[:1] = [] if isinstance(node, ast.Module) or len(node.body) > 1 else [ast.Pass()]
        if _is_for_checkers(node):
            node.body = [ast.Pass()]
        if _is_plain(node):
            node.returns = None
            for argument in _annotated(node):
                argument.annotation = None
    return ast.dump(tree)
