"""The picture of a plan says what the plan says, in XML that is well-formed whatever the names are."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.against import against
from hachecks.ipfailover.picture.columns import common_domain
from hachecks.ipfailover.picture.drawing import sans_width, shortened, wrapped
from hachecks.ipfailover.picture.page import picture
from hachecks.ipfailover.plan import Instance, Plan
from hachecks.ipfailover.preemption import Preemption
from hachecks.verdict import visible
from tests.ipfailover.given import any_text, many, masters, node_lists, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

SVG = "{http://www.w3.org/2000/svg}"


def parsed(*plans: Plan) -> ElementTree.Element:
    return ElementTree.fromstring(picture(plans, None))


def words(root: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def heads(root: ElementTree.Element, nodes: Sequence[str]) -> dict[int, str]:
    """The first head of each node, by the middle of its column."""
    found: dict[int, str] = {}
    for text in root.iter(f"{SVG}text"):
        name, x = "".join(text.itertext()), int(text.get("x", ""))
        if name in nodes and name not in found.values():
            found[x - 4 if text.get("transform") else x] = name
    return found


def drawn(root: ElementTree.Element, nodes: Sequence[str]) -> dict[str, list[str]]:
    """The nodes in each VIP's row, in the order of the numbers in their cells."""
    columns = heads(root, nodes)
    found: dict[str, list[str]] = {}
    for row in root.iter(f"{SVG}g"):
        texts = row.findall(f"{SVG}text")
        cells = [text for text in texts if "middle" in text.get("class", "")]
        if cells:
            ranked = sorted((int(cell.text or ""), columns[int(cell.get("x", ""))]) for cell in cells)
            assert [rank for rank, _ in ranked] == list(range(1, len(cells) + 1))
            found["".join(texts[0].itertext())] = [node for _, node in ranked]
    return found


@many
@given(st.integers(1, 40), st.integers(0, 9), node_lists, st.sampled_from(["even", "hash"]))
def test_the_ranks_of_every_vip_are_those_of_the_plan(
    count: int, groups: int, nodes: list[str], placement: str
) -> None:
    found = plan(
        placement=placement,
        VIRTUAL_IPS=f"10.0.0.1-{count},fd00::1",
        VIP_GROUPS=str(groups),
        NODES=",".join(nodes),
    )
    assert drawn(parsed(found), nodes) == {vip: list(one.nodes) for one in found.instances for vip in one.vips}


def test_of_many_nodes_the_first_three_ranks_are_shown() -> None:
    nodes = [f"node-{number}" for number in range(50)]
    found = plan(VIRTUAL_IPS="10.0.0.1-255", VRRP_ID_OFFSET="0", NODES=",".join(nodes))
    text = picture([found], None)
    shown = drawn(ElementTree.fromstring(text), nodes)
    assert shown == {vip: list(one.nodes[:3]) for one in found.instances for vip in one.vips}
    assert {vip: ranked[0] for vip, ranked in shown.items()} == masters(found)
    assert len(text) < 400_000


def test_masters_are_the_darkest_and_every_shade_has_its_number() -> None:
    root = parsed(plan(VIRTUAL_IPS="10.0.0.1-9", NODES="a,b,c,d"))
    rows = [row for row in root.iter(f"{SVG}g") if row.findall(f"{SVG}rect") and "id" in (row[0].text or "")]
    for row in rows:
        shades = [box.get("class") for box in row.findall(f"{SVG}rect")]
        assert Counter(shades) == {"one": 1, "two": 1, "three": 1}
        inks = {text.text: text.get("class", "").split()[-1] for text in row.findall(f"{SVG}text")[2:]}
        assert inks == {"1": "on-one", "2": "on-two", "3": "on-three", "4": "muted"}


def test_each_loss_has_its_bars_and_numbers() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-5", NODES="a,b,c")
    groups = {(one[0].text or "").partition(":")[0]: one for one in parsed(found).iter(f"{SVG}g")}
    lost = {name: one for name, one in groups.items() if name.endswith(" lost")}
    assert list(lost) == ["a lost", "b lost", "c lost", "a and b lost", "a and c lost", "b and c lost"]
    told = ["".join(text.itertext()) for text in lost["a and b lost"].iter(f"{SVG}text")]
    gained = 5 - Counter(masters(found).values())["c"]
    assert told == [
        "a and b lost",
        f"{gained} VIPs taken over, then 5 each",
        *("a", "lost", "b", "lost", "c", "5", f"+{gained}"),
    ]
    kept, more = (int(box.get("width", "")) for box in lost["a and b lost"].iter(f"{SVG}rect"))
    assert kept + more == 130
    assert abs(more - 130 * gained / 5) <= 1


def test_of_many_pairs_the_worst_is_shown() -> None:
    root = parsed(plan(VIRTUAL_IPS="10.0.0.1-30", NODES=",".join(f"n{number}" for number in range(9))))
    headings = [text for text in words(root) if re.match(r"n\d.* lost", text)]
    assert len(headings) == 10
    assert headings[-1].endswith(" lost, the worst of 36 pairs")


def test_what_comes_back_otherwise_than_the_bars_show_is_written() -> None:
    assert "back with nopreempt: a 3, b 0" in words(parsed(plan(VIRTUAL_IPS="10.0.0.1-3", NODES="a,b")))
    assert not [text for text in words(parsed(plan(VIRTUAL_IPS="10.0.0.1-3", NODES="a,b,c"))) if "back with" in text]


@pytest.mark.parametrize("mode", ["nopreempt", "preempt_delay 60", "preempt"])
def test_the_strategy_that_is_configured_stands_out(mode: str) -> None:
    root = parsed(plan(VIRTUAL_IPS="10.0.0.1", NODES="a,b", PREEMPTION=mode))
    back = [text for text in root.iter(f"{SVG}text") if (text.text or "").startswith("Back with ")]
    assert [(text.text or "").split()[2].strip(":") for text in back] == ["preempt", "preempt_delay", "nopreempt"]
    (strong,) = (text.text or "" for text in back if text.get("class") == "strong")
    assert strong.startswith(f"Back with {mode.partition(' ')[0]}:")


def test_without_nodes_vips_and_ids_are_shown_and_why_no_node_is() -> None:
    root = parsed(plan(VIRTUAL_IPS="10.0.0.1-2", VRRP_ID_OFFSET="4"))
    shown = words(root)
    assert {"10.0.0.1", "5", "10.0.0.2", "6"} < set(shown)
    assert any(text.startswith("no nodes are named") for text in shown)
    assert not drawn(root, [])


def test_several_configurations_stand_one_below_the_other() -> None:
    both = [plan(CONFIG_NAME=name, VIRTUAL_IPS=f"10.0.{name[-1]}.1", NODES="a,b") for name in ("ipf-1", "ipf-2")]
    root = parsed(*both)
    tops = {text.text: int(text.get("y", "")) for text in root.iter(f"{SVG}text") if text.text in ("ipf-1", "ipf-2")}
    assert 0 < tops["ipf-1"] < tops["ipf-2"] < int(root.get("height", ""))
    assert drawn(root, "ab").keys() == {"10.0.1.1", "10.0.2.1"}
    assert root.findtext(f"{SVG}title") == "Plan of ipf-1 and ipf-2"


def test_what_changes_is_in_the_picture() -> None:
    old, new = plan(VIRTUAL_IPS="10.0.0.1-2", NODES="a,b"), plan(VIRTUAL_IPS="10.0.0.2", NODES="a,b")
    shown = words(ElementTree.fromstring(picture([new], against([old], [new]))))
    assert "renumbers" in shown
    assert "from id 12 to 11" in shown
    assert words(ElementTree.fromstring(picture([new], against([new], [new]))))[-1] == "nothing changes"


def test_it_is_an_image_with_a_title_and_a_description_and_has_no_script_nor_reference() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-2", NODES="a,b")
    text = picture([found], None)
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    title, description = (root.find(f"{SVG}{tag}") for tag in ("title", "desc"))
    assert title is not None
    assert description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    for one in found.instances:
        assert f"{one.vips[0]}: {', then '.join(one.nodes)}." in (description.text or "")
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert not re.search(r"<script|href|url\(|@import|\bon[a-z]+=", text)
    assert text.count("http") == 1  # the name of SVG itself


def test_it_is_the_same_every_time() -> None:
    def one() -> str:
        return picture([plan(VIRTUAL_IPS="10.0.0.1-30", NODES="a,b,c,d,e")], None)

    assert one() == one()


def hostile(name: str, node: str, vip: str) -> Plan:
    """A plan as no settings make one, of texts that anybody may have written."""
    ranks = ((node, 254), ("b", 253))
    one = Instance(name, 1, 1, (vip,), ranks)
    return Plan(name, name, False, name, Preemption("delay", 300.0), "even", (node, "b"), (one,), (name, node, vip))


HOSTILE = """</text><script>alert(1)</script><a href='x' b="&amp;">\x00\x1b]\u202e\ufffe\udc80]]>"""


def test_names_of_others_are_texts_and_nothing_else() -> None:
    text = picture([hostile(HOSTILE, HOSTILE + "n", HOSTILE)], None)
    root = ElementTree.fromstring(text.encode())
    tags = {element.tag.replace(SVG, "") for element in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "text", "path", "g"}
    spelled = r"""</text><script>alert(1)</script><a href='x' b="&amp;">\x00\x1b]\u202e\ufffe\x80]]>"""
    assert spelled in words(root)
    assert "\u202e" not in text


@many
@given(any_text, any_text, any_text)
def test_any_names_make_well_formed_xml(name: str, node: str, vip: str) -> None:
    assert ElementTree.fromstring(picture([hostile(name, node + "n", vip)], None).encode()) is not None


@pytest.mark.parametrize(
    ("nodes", "domain"),
    [
        pytest.param(["a.x.org", "b.x.org"], ".x.org", id="common"),
        pytest.param(["a.x.org", "a.y.org"], ".org", id="only-the-last"),
        pytest.param(["a.x.org", "x.org"], ".org", id="never-a-whole-name"),
        pytest.param(["a", "b.x"], "", id="none"),
        pytest.param(["10.0.0.1", "10.1.0.1"], "", id="addresses"),
        pytest.param(["a.x.org"], "", id="one-node"),
    ],
)
def test_what_all_nodes_end_in_is_told_once(nodes: list[str], domain: str) -> None:
    assert common_domain(nodes) == domain


@many
@given(st.text(max_size=300), st.integers(20, 800))
def test_a_text_that_is_wrapped_is_whole(text: str, width: int) -> None:
    lines = list(wrapped(text, width))
    assert "".join(lines).replace(" ", "") == visible(text).replace(" ", "")
    assert all(sans_width(line) <= width for line in lines if len(line) > 1)


def test_a_long_name_keeps_its_ends() -> None:
    assert shortened("worker-0123456789-0123456789-abc", 12) == "worker…9-abc"
    assert len(shortened("x" * 253, 28)) == 28
    assert shortened("short", 28) == "short"
