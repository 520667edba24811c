"""The ledger in a ConfigMap: found wherever YAML or JSON has it, and replaced with nothing else changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.files import LedgerFile
from hachecks.ipfailover.ledger import read, write
from hachecks.ipfailover.ledger_map import held
from hachecks.settings import Invalid
from tests.ipfailover.given import many, plan_and_ledger

if TYPE_CHECKING:
    from pathlib import Path

OLD = write(plan_and_ledger({}, VIRTUAL_IPS="10.0.0.1-2", NODES="a,b")[1])
NEW = write(plan_and_ledger({}, VIRTUAL_IPS="10.0.0.1-9,fd00::1", NODES="a,b,c", VIP_GROUPS="4")[1])


def block(text: str, indent: int = 4) -> str:
    return "|\n" + "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


MAP = f"""\
# who keeps it
apiVersion: v1
kind: ConfigMap
metadata:
  name: ipf-ledger   # as in the other cluster
  labels: {{app: "ipf", version: '010'}}
  annotations:
    ledger.json: not this one
    note: |-
      data:
        ledger.json: nor this one
data:
  README: >
    keep
    me
  ledger.json: {block(OLD)}  zulu: "no"
"""


def test_the_ledger_is_found_and_replaced_and_nothing_else_changes() -> None:
    holder = held(MAP, "x.yaml", "x")
    assert holder.ledger == OLD
    assert holder.put(NEW) == MAP.replace(block(OLD), block(NEW))
    assert held(holder.put(NEW), "x", "x").put(OLD) == MAP


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(block(OLD, 3), id="another-indent"),
        pytest.param(block(OLD).replace("|", "|-"), id="stripped"),
        pytest.param(block(OLD).replace("|", "|+   # kept") + "\n\n", id="kept-with-blank-lines"),
        pytest.param(json.dumps(OLD) + "\n", id="quoted"),
        pytest.param(json.dumps(OLD) + "   # a comment\n", id="quoted-with-a-comment"),
        pytest.param("'" + json.dumps(json.loads(OLD)) + "'\n", id="single-quotes"),
        pytest.param('""\n', id="empty"),
        pytest.param("\n    " + json.dumps(OLD) + "\n", id="on-the-next-line"),
    ],
)
@pytest.mark.parametrize("rest", ["", "  zulu: z\n", "---\nkind: Service\n", "# the end"])
def test_a_value_is_replaced_however_it_is_written(value: str, rest: str) -> None:
    text = f"kind: ConfigMap\ndata:\n  alpha: a\n  ledger.json: {value}{rest}"
    whole = held(text, "x", "x").put(NEW)
    assert held(whole, "x", "x").ledger == NEW
    assert whole.startswith("kind: ConfigMap\ndata:\n  alpha: a\n  ledger.json: ")
    assert whole.endswith(rest)
    before, after = (list(yaml.safe_load_all(one)) for one in (text, whole))
    for one in (before, after):
        one[0]["data"].pop("ledger.json")
    assert before == after
    assert ("# a comment" in whole) == ("# a comment" in text)


def test_other_objects_of_the_file_are_kept_to_the_letter() -> None:
    before = "kind: Deployment\nmetadata: {name:   x}\n...\n---   # next\n"
    after = "---\n# last\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n"
    assert held(before + MAP + after, "x", "x").put(NEW) == before + MAP.replace(block(OLD), block(NEW)) + after


def test_a_map_on_one_line_stays_there() -> None:
    text = "{kind: ConfigMap, data: {a: 1}}".replace("{kind", "kind").replace("}}", "}").replace(", data", "\ndata")
    text = text.replace("a: 1", f"a: 1, ledger.json: {json.dumps(OLD)}, b: 2")
    whole = held(text, "x", "x").put(NEW)
    assert whole == text.replace(json.dumps(OLD), json.dumps(NEW))


def test_json_keeps_all_that_was_in_it() -> None:
    metadata = {"name": "x", "labels": {"ä": "ö"}, "resourceVersion": "42"}
    document = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}
    text = json.dumps({**document, "data": {"a": "b", "ledger.json": OLD, "z": "010"}})
    holder = held(text, "x", "x")
    assert holder.ledger == OLD
    whole = holder.put(NEW)
    assert json.loads(whole) == {**document, "data": {"a": "b", "ledger.json": NEW, "z": "010"}}
    assert list(json.loads(whole)["data"]) == ["a", "ledger.json", "z"]
    assert held(whole, "x", "x").put(NEW) == whole


@pytest.mark.parametrize("name", ["new.yaml", "new.yml"])
def test_a_new_file_in_yaml_is_a_config_map_and_any_other_is_the_ledger(name: str) -> None:
    holder = held(None, name, name)
    assert holder.ledger is None
    document = yaml.safe_load(holder.put(NEW))
    assert document == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ipfailover-ledger"},
        "data": {"ledger.json": NEW},
    }
    assert held(None, "new.json", "x").put(NEW) == NEW
    assert held(None, "new", "x").ledger is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("kind: Deployment\n", "it is a Deployment, and no ConfigMap nor a ledger", id="deployment"),
        pytest.param('{"kind": "Secret"}', "it is a Secret, and no ConfigMap nor a ledger", id="secret-in-json"),
        pytest.param('{"kind": "List", "items": []}', "it is a List, and no ConfigMap", id="list-in-json"),
        pytest.param("kind: List\nitems: []\n", "it is a List, and no ConfigMap", id="list"),
        pytest.param("kind: ConfigMap\n", "no ConfigMap with a ledger.json is in it", id="no-data"),
        pytest.param("kind: ConfigMap\ndata: x\n", "no ConfigMap with a ledger.json is in it", id="data-a-text"),
        pytest.param("kind: ConfigMap\ndata: {a: b}\n", "no ConfigMap with a ledger.json is in it", id="other-keys"),
        pytest.param('{"kind": "ConfigMap", "data": {}}', "the ConfigMap has no ledger.json in its data", id="json"),
        pytest.param(
            '{"kind": "ConfigMap", "data": {"ledger.json": {}}}', "ledger.json of the ConfigMap is no text", id="object"
        ),
        pytest.param("kind: ConfigMap\ndata:\n  ledger.json: {}\n", "is no text of its own", id="mapping"),
        pytest.param("kind: ConfigMap\nx: &a y\ndata:\n  ledger.json: *a\n", "is no text of its own", id="alias"),
        pytest.param("kind: ConfigMap\ndata:\n  ledger.json: &a y\n", "is no text of its own", id="anchor"),
        pytest.param(f"{MAP}---\n{MAP}", "2 ledgers are in it; keep each in a file of its own", id="two-ledgers"),
        pytest.param(
            "kind: ConfigMap\ndata:\n  ledger.json: a\n  ledger.json: b\n", "2 ledgers are in it", id="key-twice"
        ),
        pytest.param("kind: [\n", "this is neither a ledger nor YAML: ", id="damaged"),
        pytest.param("a: \x07", "this is neither a ledger nor YAML: ", id="control-character"),
        pytest.param("hello", "this is no ledger of hacheck ipfailover; name the right file", id="text"),
        pytest.param("kind: " + "- " * 3000, "", id="deep"),
    ],
)
def test_what_is_no_ledger_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=r"^FILE: ") as caught:
        held(text, "FILE", "FILE")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[", "[" * 100_000, "{}", OLD[:-5]])
def test_what_is_no_yaml_is_left_to_be_judged_as_a_ledger(text: str) -> None:
    assert held(text, "x", "x").ledger == text
    with pytest.raises(Invalid, match="this is no ledger of hacheck ipfailover"):
        read(text, "x")


keys = st.sampled_from(["a", "README", "zulu", "ledger", "x.json"])
values = st.text(st.characters(whitelist_categories=("L", "N", "P", "S", "Zs")), max_size=40)


@many
@given(
    st.dictionaries(keys, values, max_size=4),
    st.sampled_from([None, "|", ">", "'", '"']),
    st.booleans(),
    st.sampled_from([OLD, NEW, ""]),
)
def test_whatever_yaml_it_stands_in_is_the_same_but_for_the_ledger(
    data: dict[str, str], style: str | None, flow: bool, ledger: str
) -> None:
    document = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {**data, "ledger.json": ledger}}
    text = yaml.dump(document, default_style=style, default_flow_style=flow or None, allow_unicode=True)
    if text.startswith("{"):
        text = f"--- {text}"
    before = yaml.safe_load(text)  # folded lines are not always what was dumped
    holder = held(text, "x", "x")
    assert holder.ledger == ((before["data"]["ledger.json"].strip() and before["data"]["ledger.json"]) or None)
    assert yaml.safe_load(holder.put(NEW)) == {**before, "data": {**before["data"], "ledger.json": NEW}}


def test_a_map_that_somebody_has_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(MAP)
    path.chmod(0o640)
    first, second = LedgerFile(str(path)), LedgerFile(str(path))
    first.replace(NEW)
    with pytest.raises(Invalid, match="somebody has changed it meanwhile; plan again"):
        second.replace(OLD)
    assert path.read_text() == MAP.replace(block(OLD), block(NEW))
    assert path.stat().st_mode & 0o777 == 0o640
    labels = LedgerFile(str(path))
    path.write_text(path.read_text().replace("zulu", "yankee"))
    with pytest.raises(Invalid, match="somebody has changed it meanwhile"):
        labels.replace(OLD)
    assert [one.name for one in tmp_path.iterdir()] == ["map.yaml"]
