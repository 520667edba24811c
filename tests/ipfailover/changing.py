"""Nodes with a plain Keepalived that change together, by the files that `hacheck ipfailover migrate` writes."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover import instant
from hachecks.units import parse_duration
from tests.cli import Answer, hacheck
from tests.failover.namespace import PATIENCE
from tests.ipfailover.given import variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.ipfailover.cluster import Change, Cluster, Node

ABOVE = "/run/configurations"
COMMON = {"NETWORK_INTERFACE": "eth0", "MONITOR_PORT": "0", "PREEMPTION": "preempt"}
OUTAGE = re.compile(r"without an owner for (?:no time|up to ([0-9.]+ m?s)),")
TWO_OWNERS = re.compile(r"has two for at most ([0-9.]+ m?s),")


class Spans(NamedTuple):
    """The longest time of any VIP without an owner, and with more than one, in seconds."""

    outage: float
    two_owners: float


class Migration:
    """What `migrate` says and writes for one configuration, from its old variables to its new ones."""

    def __init__(self, directory: Path, name: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        self.name = name
        self.old = {**COMMON, "CONFIG_NAME": name, **old}
        self.new = {**COMMON, "CONFIG_NAME": name, **new}
        directory.mkdir(exist_ok=True)
        self.files = directory / name
        self.against = directory / f"{name}.env"
        self.against.write_text("".join(f"{name}={text}\n" for name, text in variables(**self.old).items()))
        self.vips: tuple[str, ...] = ()
        self.promised = Spans(0.0, 0.0)
        self.at = 0

    def present(self, nodes: Iterable[Node]) -> dict[str, str]:
        """The old keepalived.conf of each node, by its name."""
        into = self.files.with_suffix(".present")
        answer = hacheck("ipfailover", "render", "--output", into, timeout=PATIENCE, **variables(**self.old))
        assert answer.code == 0, answer
        return {node.name: _one_of(into, node, ".conf").read_text() for node in nodes}

    def write(self, *words: str) -> Answer:
        """Have the files written, and note what is promised."""
        answer = hacheck(
            *("ipfailover", "migrate", "--against", self.against, "--write", "keepalived", "--output", self.files),
            *words,
            timeout=PATIENCE,
            **variables(**self.new),
        )
        assert answer.code == 0, answer
        outage, two = OUTAGE.search(answer.out), TWO_OWNERS.search(answer.out)
        assert outage, answer
        assert two, answer
        self.promised = Spans(parse_duration(outage[1]) if outage[1] else 0.0, parse_duration(two[1]))
        return answer

    def put(self, node: Node) -> None:
        """Copy the directory of a node to it."""
        directory = node.path(f"/run/change/{self.name}")
        directory.mkdir(parents=True, exist_ok=True)
        for file in _one_of(self.files, node, "").iterdir():
            (directory / file.name).write_text(file.read_text())


def _one_of(directory: Path, node: Node, suffix: str) -> Path:
    return next(found for name in (node.name, *node.addresses) if (found := directory / f"{name}{suffix}").exists())


def change(node: Node, name: str, word: str, **environ: str) -> Answer:
    """Run the script of a node on it."""
    where = {"CONF": f"{ABOVE}/{name}/keepalived.conf", "PID": f"{ABOVE}/{name}/pid", **environ}
    words = ("env", *(f"{key}={text}" for key, text in where.items()), "sh", f"/run/change/{name}/change.sh", word)
    done = node.run(*words)
    return Answer(done.returncode, done.stdout, done.stderr)


def spans(history: Iterable[Change], vips: Iterable[str]) -> Spans:
    """How long these VIPs had no owner, or more than one, in this part of the history."""
    outage = two = 0.0
    history = list(history)
    for vip in vips:
        changes = [one for one in history if one.vip == vip]
        for one, following in zip(changes, changes[1:]):
            seconds = following.at - one.at
            outage = max(outage, seconds if not one.owners else 0.0)
            two = max(two, seconds if len(one.owners) > 1 else 0.0)
        assert not changes or len(changes[-1].owners) == 1, changes
    return Spans(outage, two)


def wait_for_one_owner_each(cluster: Cluster, vips: Iterable[str]) -> None:
    """See that each VIP has one owner."""
    cluster.wait_for_each(vips, lambda owners: len(owners) == 1)


def soon(seconds: float) -> str:
    """A whole second that is at least so many seconds off."""
    return instant.written(int(time.time() + seconds) + 1)
