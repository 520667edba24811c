"""What does this interpreter compile sources to? Run by each interpreter that the build machine has.

Standard input and output are marshalled: pairs of file name and source; the magic number, and the code objects' bytes.
Compiled code leaves out what nothing reads when a check runs: docstrings and annotations (but for those of what is
decorated: settings are, whose docstrings are the help) and the table of line numbers. The sources are carried too.
"""

# ruff: noqa: S302 - it is given sources by the build

from __future__ import annotations

import ast
import marshal
import sys
from importlib.util import MAGIC_NUMBER
from types import CodeType


def compiled(file: str, source: bytes) -> bytes:
    """The marshalled code."""
    return marshal.dumps(without_lines(compile(lean(ast.parse(source)), file, "exec", dont_inherit=True)))


def lean(tree: ast.Module) -> ast.Module:
    """The tree without docstrings and annotations that nothing reads; a decorator may, as `singledispatch` does."""
    for node in ast.walk(tree):
        if getattr(node, "decorator_list", ()):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
            every = node.args
            for argument in [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]:
                if argument:
                    argument.annotation = None
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            # Nothing may stand before `from __future__ import`, not even `pass`.
            node.body = node.body[1:] or [ast.Pass()]
    return ast.fix_missing_locations(tree)


def without_lines(code: CodeType) -> CodeType:
    """The code without its table of line numbers: an eighth of the size, and a check shows no traceback."""
    constants = tuple(without_lines(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    if sys.version_info >= (3, 10):
        return code.replace(co_consts=constants, co_linetable=b"")
    return code.replace(co_consts=constants, co_lnotab=b"")


if __name__ == "__main__":
    results = [compiled(file, source) for file, source in marshal.load(sys.stdin.buffer)]
    marshal.dump((MAGIC_NUMBER, results), sys.stdout.buffer, 2)
