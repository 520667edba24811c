"""Whatever stands in a keepalived.conf is read, in bounded work, and becomes lines that a person can read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hachecks.keepalived.configuration import Unreadable, hacheck_command, read_configuration, read_text
from hachecks.keepalived.files import MAX_ENTRIES, MAX_FILES, MAX_FINDINGS, MAX_PATTERNS, Files, Findings, Include
from hachecks.keepalived.lines import MAX_LINE_BYTES, MAX_LINES, Lines
from hachecks.keepalived.openshift import MAX_VIPS, configuration, expanded, instances

if TYPE_CHECKING:
    from hachecks.keepalived.configuration import Configuration

INPUTS = int(os.environ.get("FUZZ_INPUTS", "300"))
ODDITIES = Path(__file__).parent / "odd_files"
SEEDS = [path.read_text() for path in sorted(ODDITIES.rglob("*.conf"))]
KEYWORDS = sorted({word for seed in SEEDS for word in seed.split() if len(word) < 40})
SIGNS = [
    *"{}\"'#!\\$@~^(),=*?[]/ \t\r\n\0",
    "${A}",
    "$A=",
    "$A= \\\n",
    "~SEQ(A, 1, 9) ",
    "~LST({A, B}, {1, 2}) ",
    "@id ",
    "@^id ",
]
PATHS = [
    "include ",
    "include *",
    "include {a,b}",
    "include ../",
    "includea /*/*",
    "include keepalived.conf",
    "include fifo",
]
TEXTS = st.lists(st.sampled_from([*KEYWORDS, *SIGNS, *PATHS])).map(" ".join)
CROSSED = st.lists(st.sampled_from([line for seed in SEEDS for line in seed.split("\n")])).map("\n".join)
ANY = st.one_of(st.binary(), st.text().map(str.encode), TEXTS.map(str.encode), CROSSED.map(str.encode))


def judge(found: Configuration) -> None:
    """What is read can be served, told and counted on."""
    names = [one.name for one in found.instances]
    assert len(set(names)) == len(names)
    assert all(name in names for members in found.groups.values() for name in members)
    assert len(found.findings) <= 2 * MAX_FINDINGS + 1
    assert all(finding.isprintable() for finding in found.findings)
    assert len(found.files) <= 2 * MAX_FILES
    for one in found.instances:
        assert one.family in ("ipv4", "ipv6")
        assert one.vrid is None or 1 <= one.vrid <= 255
        assert one.priority is None or 1 <= one.priority <= 255
        assert all(("6" in one.family) == (":" in vip.address) for vip in one.addresses if not vip.excluded)
        assert len({vip.address for vip in one.addresses}) == len(one.addresses)


@given(ANY)
@settings(max_examples=INPUTS, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_file_is_read_or_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_bytes(content)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content[::2])
    if not (tmp_path / "fifo").exists():
        os.mkfifo(tmp_path / "fifo")
    with contextlib.suppress(Unreadable):
        judge(read_configuration(str(path), "id"))


@given(st.one_of(st.text(), TEXTS, CROSSED))
@settings(max_examples=INPUTS, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_text_is_read_in_bounded_work(text: str) -> None:
    lines = Lines("id", Findings())
    lines.read_text(text.encode("utf-8", "replace"))
    count = 0
    while True:
        line = lines.next_line()
        if line is None:
            break
        count += 1
        assert line
        assert len(line) <= MAX_LINE_BYTES
        assert line in ("{", "}") or '"' in line or not set(line) & {"{", "}"}
    assert count <= MAX_LINES
    judge(read_text(text))


@given(st.text(alphabet="ab{},*?[]./\\", max_size=60))
@example("{a,b}" * 40)
@example("{" * 500 + "}" * 500)
@example("/*" * 30)
@settings(max_examples=INPUTS, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_include_looks_at_a_bounded_number_of_files(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a").mkdir(exist_ok=True)
    (tmp_path / "a" / "b").touch()
    files = Files(Findings())
    found = list(files.included(Include(pattern, (f"{tmp_path}/keepalived.conf", 1), "a", files.findings), []))
    assert len(found) <= MAX_ENTRIES + MAX_PATTERNS
    assert len(files.seen) <= 2 * MAX_FILES


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{}" * 1_000_000, id="braces"),
        pytest.param("\n" * 2_000_000, id="line-ends"),
        pytest.param('"' * 2_000_000, id="quotes"),
        pytest.param("\\" * 2_000_000, id="backslashes"),
        pytest.param("$A=$B x\n$B=$A\n" + "$A\n" * 3000, id="definitions-of-one-another"),
        pytest.param("$A=" + "x" * 900 + "\n~SEQ(I, 1, 20000) " + "${A}" * 100 + "\n", id="long-lines"),
        pytest.param("~SEQ(I,1,99999) ~SEQ(J,1,99999) ~SEQ(K,1,99999) x\n" * 99, id="sequences-of-sequences"),
        pytest.param("vrrp_instance a\n{\n" * 50_000, id="instances-within-instances"),
        pytest.param(
            "$M= \\\n"
            + "$N \\\n" * 99
            + "\n$N= \\\n"
            + "$O \\\n" * 99
            + "\n$O= \\\n"
            + "x \\\n" * 99
            + "\n"
            + "$M\n" * 9,
            id="lines-of-lines-of-lines",
        ),
    ],
)
def test_what_is_written_to_be_large_stays_small(text: str) -> None:
    lines = Lines("id", Findings())
    lines.read_text(text.encode())
    assert sum(1 for _ in iter(lines.next_line, None)) <= MAX_LINES
    judge(read_text(text))


@given(st.text(), st.text(max_size=6), st.text(max_size=6), st.text())
@settings(max_examples=INPUTS, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_variables_are_survived(vips: str, groups: str, offset: str, script: str) -> None:
    environ = {
        "OPENSHIFT_HA_VIRTUAL_IPS": vips,
        "OPENSHIFT_HA_VIP_GROUPS": groups,
        "OPENSHIFT_HA_VRRP_ID_OFFSET": offset,
        "OPENSHIFT_HA_CHECK_SCRIPT": script,
        "OPENSHIFT_HA_NETWORK_INTERFACE": groups,
        "OPENSHIFT_HA_UNICAST_PEERS": script,
    }
    assert sum(map(len, instances(environ).values())) == len(expanded(vips)) <= MAX_VIPS
    judge(configuration(environ))
    hacheck_command(script)
