"""The ledger in a ConfigMap: where its text is in a file, and the file with another one in its place.

In YAML nothing else of the file changes, not a blank and no comment, whatever else is in it: labels, other keys, other
objects. What is printed as JSON is written as kubectl prints it, with everything that was in it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.settings import Invalid
from hachecks.verdict import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

KEY = "ledger.json"
"""Under which the ledger is in the ConfigMap's data."""
NEW = f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: ipfailover-ledger
data:
  {KEY}: ""
"""
"""What a new file in YAML begins as."""
YAML_NAMES = (".yaml", ".yml")
ELSEWHERE = "name the right file, or keep the ledger in one of its own"


class Holder(NamedTuple):
    """What holds the ledger's text, None where there is none yet, and makes the file with another one."""

    ledger: str | None
    put: Callable[[str], str]


def held(text: str | None, path: str, place: str) -> Holder:
    """Where the ledger is in the text of a file, None where there is no file; raises `Invalid`.

    A new file is the ledger itself, unless its name ends as those of YAML do.
    """
    if text is None:
        fresh = held(NEW, path, place) if path.endswith(YAML_NAMES) else _itself("")
        return fresh._replace(ledger=None)
    begins = text.lstrip()[:1]
    if begins == "{":
        document = _json(text)
        return _in_json(document, place) if isinstance(document, dict) and "kind" in document else _itself(text)
    # Nothing else of YAML begins so, and what is damaged is told as no ledger.
    return _itself(text) if begins in ("[", "") else _in_yaml(text, place)


def _itself(text: str) -> Holder:
    return Holder(text, lambda ledger: ledger)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _in_json(document: dict[str, Any], place: str) -> Holder:
    _refuse_other(document["kind"], place)
    data = document.get("data")
    if not isinstance(data, dict) or KEY not in data:
        raise Invalid(f"{place}: the ConfigMap has no {KEY} in its data; {ELSEWHERE}")
    if not isinstance(data[KEY], str):
        raise Invalid(f"{place}: the {KEY} of the ConfigMap is no text; {ELSEWHERE}")

    def put(ledger: str) -> str:
        return json.dumps({**document, "data": {**data, KEY: ledger}}, indent=4, ensure_ascii=False) + "\n"

    return Holder((data[KEY].strip() and data[KEY]) or None, put)


def _refuse_other(kind: object, place: str) -> None:
    if kind != "ConfigMap":
        raise Invalid(f"{place}: it is a {visible(str(kind))}, and no ConfigMap nor a ledger; {ELSEWHERE}")


class _Place(NamedTuple):
    """Where a value is in the text, how far its key is from the left, and how it is written."""

    start: int
    end: int
    column: int
    written: str | None
    text: str


def _in_yaml(text: str, place: str) -> Holder:
    places = list(_places(_composed(text, place), text, place))
    if len(places) != 1:
        what = f"{len(places)} ledgers are in it; keep each in a file of its own"
        raise Invalid(f"{place}: {what if places else f'no ConfigMap with a {KEY} is in it; {ELSEWHERE}'}")
    (found,) = places

    def put(ledger: str) -> str:
        whole = text[: found.start] + _scalar(found, ledger, text)
        (again,) = _places(_composed(whole, place), whole, place)
        if again.text != ledger:
            raise Invalid(f"{place}: the {KEY} in it cannot be replaced; write it as a block that begins with |")
        return whole

    return Holder((found.text.strip() and found.text) or None, put)


def _scalar(found: _Place, ledger: str, text: str) -> str:
    """The value as it is to be written, and all that follows: a block wherever one may stand."""
    old, after = text[found.start : found.end], text[found.end :]
    quoted = found.column < 0 or (found.written not in ("|", ">") and after.split("\n", 1)[0].strip())
    if quoted:
        return json.dumps(ledger) + after
    blanks = " " * (found.column + 2)
    block = "|\n" + "".join(f"{blanks}{line}\n" for line in ledger.splitlines())
    if found.written not in ("|", ">"):
        return block + (after.split("\n", 1)[1] if "\n" in after else "")
    # Blank lines before what follows belong to the block to YAML, and to the file to those who wrote them.
    return block + "\n" * (len(old) - len(old.rstrip("\n")) - 1) + after


def _composed(text: str, place: str) -> Sequence[Any]:
    """The nodes of all documents."""
    import yaml

    try:
        return [node for node in yaml.compose_all(text, Loader=yaml.BaseLoader) if node is not None]
    except yaml.YAMLError as error:
        raise Invalid(f"{place}: this is neither a ledger nor YAML: {one_line(str(error))}") from None
    except RecursionError:
        raise Invalid(f"{place}: it is nested deeper than any ConfigMap; {ELSEWHERE}") from None


def _places(documents: Sequence[Any], text: str, place: str) -> Iterator[_Place]:
    """Each ledger's place in the ConfigMaps among the documents."""
    kinds = [str(getattr(_value(one, "kind"), "value", "")) for one in documents]
    if "ConfigMap" not in kinds:
        if any(kinds):
            _refuse_other(next(filter(None, kinds)), place)
        raise Invalid(f"{place}: this is no ledger of hacheck ipfailover; name the right file")
    for kind, document in zip(kinds, documents):
        if kind == "ConfigMap":
            yield from _in_data(_value(document, "data"), document, text, place)


def _in_data(data: Any, document: Any, text: str, place: str) -> Iterator[_Place]:
    for key, value in _pairs(data):
        if key.value != KEY:
            continue
        start, end = value.start_mark.index, value.end_mark.index
        # An alias is elsewhere, and an anchor or a tag would be lost.
        plain = re.fullmatch(r"\s*:\s*", text[key.end_mark.index : start])
        if not plain or text[start : start + 1] in ("&", "!") or not isinstance(value.value, str):
            raise Invalid(f"{place}: the {KEY} of the ConfigMap is no text of its own; {ELSEWHERE}")
        flows = document.flow_style or data.flow_style
        yield _Place(start, end, -1 if flows else key.start_mark.column, value.style, value.value)


def _pairs(node: Any) -> Sequence[tuple[Any, Any]]:
    """The keys and values of a mapping, none of anything else."""
    return node.value if getattr(node, "id", "") == "mapping" else ()


def _value(node: Any, wanted: str) -> Any:
    return next((value for key, value in _pairs(node) if key.value == wanted), None)
