"""The compiler of the carried sources, run by each interpreter that the build machine has.

Standard input and output are marshalled: pairs of file name and source; the magic number, and the code objects' bytes.
Compiled code leaves out what nothing reads when a check runs: docstrings and annotations (but for those of what is
decorated: settings are, whose docstrings are the help), the import of `__future__` and the table of line numbers.
Regular expressions are compiled, too, where a module's names are given them. The sources are carried as well.
"""

# ruff: noqa: S102, S302 - it is given sources by the build

from __future__ import annotations
import __future__

import _sre  # type: ignore[import-not-found] # it is re's own
import array
import ast
import importlib
import marshal
import sys
from importlib.machinery import ModuleSpec
from importlib.util import MAGIC_NUMBER
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

VARARGS, VARKEYWORDS = 0x04, 0x08
"""Flags of a code object: it takes `*names`, and `**names`."""
READ_LOCALS = {"locals", "vars", "dir", "eval", "exec"}
"""What may look for local variables by their names."""
ENGINE: Any = importlib.import_module("re._compiler" if "re._compiler" in sys.modules else "sre_compile")


class Sources:
    """Finds modules among the sources, and loads them."""

    def __init__(self, sources: dict[str, bytes]) -> None:
        self.sources = {path[: -len(".py")].replace("/", "."): (path, source) for path, source in sources.items()}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The module's spec, if its source is there."""
        is_package = f"{name}.__init__" in self.sources
        if not is_package and name not in self.sources:
            return None
        return ModuleSpec(name, self, is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """The default module will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source in it."""
        name = module.__name__
        path, source = self.sources[name if name in self.sources else f"{name}.__init__"]
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)


def compiled(file: str, source: bytes) -> bytes:
    """The marshalled code; nothing where it would do nothing, as in most packages."""
    tree = lean(with_patterns(file, ast.parse(source)))
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    flags = 0
    for node in future:
        tree.body.remove(node)
        for alias in node.names:
            flags |= getattr(__future__, alias.name).compiler_flag
    if all(isinstance(node, ast.Pass) for node in tree.body):
        return b""
    return marshal.dumps(bare(compile(tree, file, "exec", flags, dont_inherit=True)))


def with_patterns(file: str, tree: ast.Module) -> ast.Module:
    """The tree with `NAME = re.compile(…)` made `NAME = re.ready(…)`, which `lean.re` understands."""
    made = [node for node in tree.body if isinstance(node, ast.Assign) and _calls_compile(node.value)]
    if made and "import lean.re as re" in map(ast.unparse, tree.body):
        module = importlib.import_module(file[: -len(".py")].replace("/", "."))
        for node in made:
            arguments = engine_arguments(getattr(module, ast.unparse(node.targets[0])))
            node.value = ast.parse(f"re.ready{arguments!r}", mode="eval").body
    return tree


def _calls_compile(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"


def engine_arguments(pattern: Any) -> tuple[Any, ...]:
    """The engine's magic number, and what `re` gives it for this pattern."""
    given: list[tuple[Any, ...]] = []
    ENGINE._sre = SimpleNamespace(**{**vars(_sre), "compile": lambda *arguments: given.append(arguments)})
    try:
        ENGINE.compile(pattern.pattern, pattern.flags)
    finally:
        ENGINE._sre = _sre
    text, flags, code, groups, names, numbers = given[0]
    return _sre.MAGIC, text, int(flags), array.array("I", code).tobytes(), groups, dict(names), tuple(numbers)


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


def bare(code: CodeType) -> CodeType:
    """The code without what a traceback shows: lines, the names of local variables, and in which class a function is.

    That is a quarter of its size, and a check shows no traceback.
    """
    constants = tuple(bare(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    arguments = (
        code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & VARARGS) + bool(code.co_flags & VARKEYWORDS)
    )
    kept = {*code.co_varnames[:arguments], *code.co_cellvars}
    changes: dict[str, Any] = {"co_consts": constants}
    if not READ_LOCALS & {*code.co_names}:
        changes["co_varnames"] = tuple(name if name in kept else "" for name in code.co_varnames)
    if sys.version_info >= (3, 11):
        changes["co_qualname"] = code.co_name
    changes["co_linetable" if sys.version_info >= (3, 10) else "co_lnotab"] = b""
    return code.replace(**changes)


if __name__ == "__main__":
    given = marshal.load(sys.stdin.buffer)
    sys.meta_path.insert(0, Sources(dict(given)))
    results = [compiled(file, source) for file, source in given]
    marshal.dump((MAGIC_NUMBER, results), sys.stdout.buffer, 2)
