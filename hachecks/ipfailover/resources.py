"""Kubernetes objects in YAML or JSON, each of their parts with the line on which it is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.ipfailover.variable import Place
from hachecks.settings import Invalid
from hachecks.verdict import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Union

    Key = Union[str, int]

DEEPEST = 100
"""Levels of YAML: a Deployment has 12, and PyYAML recurses."""


class Fields(dict[str, Any]):
    """A mapping with the line of each of its keys."""

    line = 0
    lines: Mapping[Any, int] = {}


class Items(list[Any]):
    """A list with the line of each of its items, by their numbers."""

    line = 0
    lines: Mapping[Any, int] = {}


class Resource(NamedTuple):
    """An object in a file."""

    file: str
    fields: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its kind, such as Deployment."""
        return str(self.fields["kind"])

    @property
    def name(self) -> str:
        """Its name, or nothing."""
        metadata = self.fields.get("metadata")
        return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""

    @property
    def namespace(self) -> str:
        """Its namespace, nothing where none is written."""
        metadata = self.fields.get("metadata")
        found = metadata.get("namespace") if isinstance(metadata, dict) else None
        return found if isinstance(found, str) else ""

    def is_beside(self, other: Resource) -> bool:
        """Whether they are in one namespace, so far as it is written."""
        return self.namespace == other.namespace or not (self.namespace and other.namespace)

    @property
    def label(self) -> str:
        """Its kind and name."""
        return visible(f"{self.kind} {self.name}")

    def place(self, path: Sequence[Key] = (), what: str = "") -> Place:
        """The place of a part of it, which is called `what`."""
        text = ": ".join(filter(None, (self.label, visible(what))))
        return Place(f"{self.file}: {text}", self.file, line_of(self.fields, path), text)

    def at(self, *path: Key) -> Any:
        """The part there, None where there is none."""
        return part(self.fields, *path)


class Container(NamedTuple):
    """A container of a workload's pod; `alone` says that the pod has no other."""

    resource: Resource
    number: int
    fields: Mapping[str, Any]
    alone: bool

    def place(self, path: Sequence[Key] = (), what: str = "") -> Place:
        """The place of a part of it, which is called `what`."""
        label = self.resource.label
        if not self.alone:
            label += f", container {visible(str(self.fields.get('name', '')))}"
        line = line_of(self.resource.fields, ("spec", "template", "spec", "containers", self.number, *path))
        text = ": ".join(filter(None, (label, visible(what))))
        return Place(f"{self.resource.file}: {text}", self.resource.file, line, text)

    def at(self, *path: Key) -> Any:
        """The part there, None where there is none."""
        return part(self.fields, *path)


def part(value: Any, *path: Key) -> Any:
    """What is there in a mapping or list, by keys and numbers; None where there is nothing, or it says so."""
    for key in path:
        if isinstance(value, str):
            return None
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return something(value)


def line_of(value: Any, path: Sequence[Key]) -> int:
    """The line of a part, or of the last one before it whose line is known; 0 where none is."""
    line = getattr(value, "line", 0)
    for key in path:
        line = getattr(value, "lines", {}).get(key, line)
        value = part(value, key)
    return line


def something(value: Any) -> Any:
    """The value, but for the ways to write none in YAML, which are read as texts."""
    return None if isinstance(value, str) and value in ("", "~", "null", "Null", "NULL") else value


def resources(text: str, place: str) -> Iterator[Resource]:
    """The Kubernetes objects of a file, those of a List among them; raises `Invalid`."""
    for document in _parsed(text, place):
        items = document.get("items") if _is_list(document) else [document]
        if not isinstance(items, list):
            raise Invalid(f"{place}: a List without items")
        for item in items:
            if item in (None, ""):
                continue
            if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
                raise Invalid(f"{place}: this is no Kubernetes object: it has no kind")
            yield Resource(place, item)


def _is_list(document: object) -> bool:
    return isinstance(document, dict) and str(document.get("kind")).endswith("List")


def _parsed(text: str, place: str) -> Sequence[Any]:
    if text.lstrip().startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            pass  # YAML begins with a brace, too
        else:
            return [_with_lines(data, text, place)]
    return _read(text, place)


def _with_lines(data: Any, text: str, place: str) -> Any:
    """What is read as JSON, with the lines that YAML finds where it reads the same."""
    try:
        (found,) = _read(text, place, is_json=True)
    except (ValueError, ImportError):
        return data  # what is JSON needs no PyYAML
    return found if found == data else data


def _read(text: str, place: str, *, is_json: bool = False) -> Sequence[Any]:
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise Invalid(f"{place}: it is nested deeper than any Kubernetes object, limit {DEEPEST} levels")
        return [_Values(place, is_json).of(node) for node in yaml.compose_all(text, Loader=loader)]
    except yaml.YAMLError as error:
        raise Invalid(f"{place}: this is no YAML: {one_line(str(error))}") from None


class _Values:
    """Values of YAML's nodes.

    Texts stay as they are written, since 010 and no are what the variables say, and no number or truth value; in JSON
    only what stands between quotes is text.
    """

    def __init__(self, place: str, is_json: bool) -> None:
        self._place = place
        self._is_json = is_json
        self._made: dict[int, Any] = {}

    def of(self, node: Any) -> Any:
        """The value of a node: an alias has that of its anchor."""
        if isinstance(node.value, str):
            return json.loads(node.value) if self._is_json and node.style is None else node.value
        if id(node) not in self._made:
            self._made[id(node)] = None
            self._made[id(node)] = self._fields(node) if node.id == "mapping" else self._items(node)
        found = self._made[id(node)]
        if found is None:
            raise Invalid(f"{self._place}: this is no YAML: line {_line(node)} contains itself")
        return found

    def _items(self, node: Any) -> Items:
        found = Items(map(self.of, node.value))
        found.line, found.lines = _line(node), {number: _line(one) for number, one in enumerate(node.value)}
        return found

    def _fields(self, node: Any) -> Fields:
        found, lines = Fields(), {}
        for key, value in node.value:
            if not isinstance(key.value, str):
                raise Invalid(f"{self._place}: this is no YAML: the key on line {_line(key)} is no text")
            found[key.value] = self.of(value)
            lines[key.value] = _line(key)
        found.line, found.lines = _line(node), lines
        return found


def _line(node: Any) -> int:
    line: int = node.start_mark.line
    return line + 1
