"""What of a source is for people only? Comments and docstrings, which modules are carried without."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Iterator

Documented = Union[ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef]
Span = tuple[int, int, int, int, bytes]
"""From line and column to line and column (in bytes), and the text instead."""


def without_comments(source: bytes) -> bytes:
    """The source without comments and docstrings, every line where it was; means the same but for the docstrings."""
    lines = source.splitlines(keepends=True)
    for first, start, last, end, instead in sorted([*_comments(source), *_docstrings(ast.parse(source))], reverse=True):
        text = lines[first - 1][:start] + instead + b"\n" * (last - first) + lines[last - 1][end:]
        lines[first - 1 : last] = text.splitlines(keepends=True)
    shorter = b"".join(lines)
    if _meaning(shorter) != _meaning(source):
        raise AssertionError("the source means something else without its comments")
    return shorter


def _comments(source: bytes) -> Iterator[Span]:
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            start = len(token.line[: token.start[1]].rstrip(" ").encode())
            yield token.start[0], start, token.end[0], len(token.line[: token.end[1]].encode()), b""


def _docstrings(tree: ast.Module) -> Iterator[Span]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _documented(node):
            text = node.body[0]
            instead = b"" if isinstance(node, ast.Module) or len(node.body) > 1 else b"pass"
            yield text.lineno, text.col_offset, text.end_lineno or 0, text.end_col_offset or 0, instead


def _documented(node: Documented) -> bool:
    """Whether it has a docstring that nothing reads: `dataclass` writes one, dearly, where there is none."""
    if getattr(node, "decorator_list", ()):
        return False
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _meaning(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _documented(node):
            node.body[:1] = [] if isinstance(node, ast.Module) or len(node.body) > 1 else [ast.Pass()]
    return ast.dump(tree)
