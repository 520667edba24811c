"""What real Keepalived makes of odd configurations is what we make of them, and what is odd in them is told.

Each file of odd_files/, or each directory's keepalived.conf, holds one oddity. Its first lines say which findings
it has to give (`! finding: part of it`), and with which options Keepalived is run (`! options: -i ID`).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks.keepalived.configuration import read_configuration
from tests.keepalived_dump import addresses_in, blocks, dump_of, fact

if TYPE_CHECKING:
    from hachecks.keepalived.configuration import Configuration

DIRECTORY = Path(__file__).parent / "odd_files"
ODDITIES = sorted(path.name for path in DIRECTORY.iterdir())
NOTHING = "serves no instance at all"
NOT_KNOWN = {"random.conf": "VI_1", "a-condition-in-a-definition.conf": "VI_1"}
"""Instances whose priority is drawn anew at each start, or garbled by 2.2.7, as a finding tells."""


class Facts(NamedTuple):
    """What is compared of an instance."""

    vrid: int | None
    priority: int | None
    interface: str
    unicast: bool
    vips: list[tuple[str, int, str]]
    excluded: list[tuple[str, int, str]]


class Oddity:
    """One configuration of the directory, and what its first lines say of it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        source = DIRECTORY / name
        if source.is_dir():
            shutil.copytree(source, directory, dirs_exist_ok=True)
        else:
            shutil.copy(source, directory / "keepalived.conf")
        self.directory = directory
        self.path = directory / "keepalived.conf"
        said = re.findall(r"^! (finding|options): (.*)$", self.path.read_text(), re.MULTILINE)
        self.expected = [value for kind, value in said if kind == "finding"]
        self.options = [word for kind, value in said if kind == "options" for word in value.split()]

    def ours(self) -> Configuration:
        """What we make of it."""
        return read_configuration(str(self.path), self.options[1] if self.options else "")

    def theirs(self) -> str | None:
        """What Keepalived says that it makes of it; None if it ends with it."""
        return dump_of(self.directory, *self.options)


def facts_of(block: str) -> Facts:
    """What a dump says of an instance."""
    return Facts(
        int(fact(block, "Virtual Router ID")),
        int(fact(block, "Priority")),
        re.split("vlan on |vmac on ", fact(block, "Interface"))[-1].partition(",")[0],
        "Using unicast" in block,
        addresses_in(block, r"Virtual IP \("),
        addresses_in(block, "Virtual IP Excluded"),
    )


def facts_of_ours(configuration: Configuration) -> dict[str, Facts]:
    found = {}
    for one in configuration.instances:
        vips, excluded = (
            [(vip.address, vip.prefixlen, vip.interface) for vip in one.addresses if vip.excluded == wanted]
            for wanted in (False, True)
        )
        found[one.name] = Facts(one.vrid, one.priority, one.interface, one.unicast, vips, excluded)
    return found


@pytest.mark.parametrize("name", ODDITIES)
def test_keepalived_makes_the_same_of_it(name: str, tmp_path: Path) -> None:
    oddity = Oddity(name, tmp_path)
    ours, dump = oddity.ours(), oddity.theirs()
    told = any(NOTHING in finding for finding in ours.findings)
    assert told == (dump is None or (not dump and bool(ours.instances)))
    if not dump:
        return
    found = facts_of_ours(ours)
    theirs = {instance: facts_of(block) for instance, block in blocks(dump, "Instance").items()}
    if name in NOT_KNOWN:
        instance = NOT_KNOWN[name]
        assert ours.findings
        found[instance] = found[instance]._replace(priority=theirs[instance].priority)
    assert found == theirs
    groups = {group.partition(",")[0]: text for group, text in blocks(dump, "Sync Group").items()}
    members = {group: tuple(re.findall(r"^     (\w+)$", text, re.MULTILINE)) for group, text in groups.items()}
    assert dict(ours.groups) == members
    for script, text in blocks(dump, "Script").items():
        tracking = {one.name for one in ours.instances if script in one.scripts}
        assert tracking == set(re.findall(r"     (\w+), weight", text))


@pytest.mark.parametrize("name", ODDITIES)
def test_what_is_odd_is_told_and_nothing_else(name: str, tmp_path: Path) -> None:
    oddity = Oddity(name, tmp_path)
    findings = oddity.ours().findings
    for expected in oddity.expected:
        assert [finding for finding in findings if expected in finding], (expected, findings)
    unexpected = [one for one in findings if not any(expected in one for expected in oddity.expected)]
    assert not unexpected
    assert all("\n" not in finding and str(tmp_path) in finding for finding in findings)
