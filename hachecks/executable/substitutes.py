"""Substitutes for imports: which module of the standard library a carried one gets in a cheaper form, and how."""

from __future__ import annotations

import ast
import re
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEAN = "lean"
"""The package in which the executable carries the stand-ins of `hachecks.executable.lean`."""

STAND_INS: Mapping[str, Mapping[str, str]] = {
    "hachecks": {
        "collections": "lean.collections",
        "os": "lean.os",
        "re": "lean.re",
        "stat": "_stat",
        "struct": "_struct",
    },
    "h11": {"dataclasses": "lean.dataclasses", "re": "lean.re", "typing": "lean.typing"},
    "httpcore": {
        "contextlib": "lean.contextlib",
        "enum": "lean.enum",
        "logging": "lean.logging",
        "threading": "lean.threading",
        "typing": "lean.typing",
    },
    "hpack": {"logging": "lean.logging"},
    "pg8000": {
        "collections": "_collections",
        "hashlib": "lean.hashlib",
        "importlib.metadata": "lean.metadata",
        "struct": "_struct",
    },
    "pymysql": {"getpass": "lean.getpass", "struct": "_struct"},
    "scramp": {"importlib.metadata": "lean.metadata", "os": "lean.os", "uuid": "lean.uuid"},
}
"""For the modules of a package: what is imported instead of a module, by name."""

LATE = (
    *("base64", "contextlib", "hashlib", "inspect", "json", "scramp", "socket", "ssl", "traceback", "types"),
    *("urllib.parse", "warnings"),
)
"""Modules whose import waits until something of them is used, where only functions use them."""

INSTEAD = {"hpack.huffman_table": "huffman_table.py", "pg8000.converters": "converters.py"}
"""Modules of other packages that are carried in our own version."""

ABSENT = (
    *("asn1crypto", "asn1crypto.x509", "certifi", "click._termui_impl", "click._winconsole"),
    *("pymysql.converters", "pymysql.cursors", "pymysql.optionfile"),
)
"""Modules that a carried one imports for what no probe uses, and no command: pagers, Windows, X.509 in a handshake."""

USED_ERROR = re.compile(rb"\bER\.(\w+)")


def substituted(name: str, source: bytes) -> bytes:
    """The source of a module with its dear imports replaced, every line where it was."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    known = STAND_INS.get(name.partition(".")[0], {})
    for node in _imports(tree):
        line = lines[node.lineno - 1]
        if isinstance(node, ast.ImportFrom) and not node.level and node.module and node.module in known:
            whole, lean = f"from {node.module} ", f"from {known[node.module]} "
            lines[node.lineno - 1] = line.replace(whole.encode(), lean.encode(), 1)
        elif isinstance(node, ast.Import) and len(node.names) == 1 and node.names[0].asname is None:
            new = _instead(node.names[0].name, known, tree)
            lines[node.lineno - 1] = (
                line[: node.col_offset] + new.encode() + line[node.end_col_offset :] if new else line
            )
    return b"".join(lines)


def _imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """What is imported when the module is, be it in a `try`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, (ast.Try, ast.If)):
            yield from _imports(child)


def _instead(module: str, known: Mapping[str, str], tree: ast.Module) -> str:
    """The statement that takes the place of `import MODULE`; empty if it stays."""
    bound = module.partition(".")[0]
    if module in known and bound == module:
        return f"import {known[module]} as {module}"
    if module in LATE and bound not in _used_at_once(tree):
        return f'from {LEAN} import Late; {bound} = Late("{module}")'
    return ""


def _used_at_once(node: ast.AST) -> Iterator[str]:
    """The names that are read when the module is imported; annotations are not, where they are evaluated late."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.Name):
                yield child.id
            elif isinstance(child, ast.AST) and not _waits(node, name):
                yield from _used_at_once(child)


def _waits(node: ast.AST, field: str) -> bool:
    """Whether what is there waits until somebody calls the function; or is an annotation, as all of ours wait."""
    is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    return field in ("annotation", "returns") or (is_function and field == "body")


def stand_ins(versions: Mapping[str, str], others: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Path -> source of all substitutes; `versions` and `others` are those of the carried packages, and their files."""
    here = files("hachecks.executable") / LEAN
    sources = {entry.name: entry.read_bytes() for entry in here.iterdir() if entry.name.endswith(".py")}
    absent = sources.pop("absent.py")
    for name in ABSENT:
        is_package = any(other.startswith(f"{name}.") for other in ABSENT)
        yield name.replace(".", "/") + ("/__init__.py" if is_package else ".py"), absent
    sources["metadata.py"] += f"\n\nVERSIONS.update({dict(versions)!r})\n".encode()
    sources["converters.py"] += _encodings(others["pg8000/converters.py"])
    for name, file in INSTEAD.items():
        yield name.replace(".", "/") + ".py", sources.pop(file)
    yield from ((f"{LEAN}/{file}", source) for file, source in sources.items())
    yield "importlib/metadata.py", b"from lean.metadata import *\n"  # for who imports it by this name
    yield "pymysql/__init__.py", f"VERSION_STRING = {versions['PyMySQL']!r}\n".encode()
    yield "pymysql/charset.py", _charset_of_ours(others["pymysql/charset.py"])
    yield "pymysql/constants/ER.py", _used_errors(others)


def _encodings(converters: bytes) -> bytes:
    """pg8000's table of what PostgreSQL calls an encoding and Python another name."""
    tables = (node for node in ast.parse(converters).body if isinstance(node, ast.Assign))
    table = next(node for node in tables if ast.unparse(node.targets[0]) == "PG_PY_ENCODINGS")
    return f"\n\nPG_PY_ENCODINGS.update({ast.unparse(table.value)})\n".encode()


def _charset_of_ours(source: bytes) -> bytes:
    """PyMySQL's table of character sets, with the one alone in which a check talks: it takes a server with any."""
    lines = source.splitlines(keepends=True)
    return b"".join(line for line in lines if b"_charsets.add(" not in line or b'"utf8mb4"' in line)


def _used_errors(sources: Mapping[str, bytes]) -> bytes:
    """PyMySQL's numbers of errors, those alone that it names itself."""
    names = {name for path in sources if path.startswith("pymysql/") for name in USED_ERROR.findall(sources[path])}
    lines = sources["pymysql/constants/ER.py"].splitlines(keepends=True)
    return b"".join(line for line in lines if line.partition(b" = ")[0] in names)
