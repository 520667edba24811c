"""Other Keepaliveds in this network namespace that have ids of ours on the interface, as far as they can be seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV6, family
from hachecks.ipfailover.pod.preflight.finding import Finding, listed
from hachecks.ipfailover.vips import parse_address, sort_key
from hachecks.keepalived.configuration import read_configuration
from hachecks.keepalived.files import Unreadable
from hachecks.keepalived.process import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hachecks.ipfailover.render.target import Target
    from hachecks.wire.frames import Advert

FILE = "/etc/keepalived/keepalived.conf"
"""What Keepalived reads without -f."""
MOST = 32
"""Keepaliveds that are looked at: a node has a few."""


class Other(NamedTuple):
    """A Keepalived: its process, the file as it calls it, and as we can open it."""

    pid: int
    file: str
    path: str


def look(target: Target) -> Iterator[Finding]:
    """Those that would be master beside us."""
    ours = {(one.id, "ipv6" if family(one.vips[0]) == IPV6 else "ipv4") for one in target.plan.instances}
    interface = target.settings.interface
    for other in seen():
        try:
            configuration = read_configuration(other.path)
        except Unreadable:
            continue
        theirs = {(one.vrid, one.family) for one in configuration.instances if one.interface == interface}
        same = sorted({number for number, _ in ours & theirs if number is not None})
        if same:
            name = "id" if len(same) == 1 else "ids"
            yield Finding(
                f"another Keepalived of this node, process {other.pid}, has the {name} {listed(map(str, same))} on "
                f"{interface} by {other.file}: both would be master; stop it, or move OPENSHIFT_HA_VRRP_ID_OFFSET",
                "wait",
            )


def leaving(target: Target, adverts: Iterable[Advert]) -> Iterator[Finding]:
    """What is said of adverts for our VIPs that leave this node before we send any: whose they are may not be seen."""
    ours = {vip for one in target.plan.instances for vip in one.vips}
    same = sorted({vip for said in adverts for vip in said.addresses if vip in ours}, key=_in_order)
    if same:
        verb, them = ("are", "them") if len(same) > 1 else ("is", "it")
        yield Finding(
            f"{listed(same)} {verb} advertised from this node by another Keepalived, such as one in a pod of the stock "
            f"image: both would be master; stop it, or take {them} out of its configuration",
            "wait",
        )


def _in_order(vip: str) -> tuple[int, int]:
    return sort_key(parse_address(vip))


def seen() -> Iterator[Other]:
    """The first process of each, of those that share our network."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and _read(f"/proc/{name}/comm").strip() in NAMES and _shares_network(name):
            found.append(int(name))
    for pid in sorted(found)[:MOST]:
        if _parent(pid) not in found:
            words = _read(f"/proc/{pid}/cmdline").decode(errors="replace").split("\0")
            file = _file(words)
            yield Other(pid, file, f"/proc/{pid}/root{os.path.join(_directory(pid), file)}")


def _file(words: list[str]) -> str:
    """The file that a command line names."""
    for number, word in enumerate(words[1:], 1):
        if word in ("-f", "--use-file") and number + 1 < len(words):
            return words[number + 1]
        for start in ("--use-file=", "-f"):
            if word.startswith(start) and not word.startswith("--f") and len(word) > len(start):
                return word[len(start) :]
    return FILE


def _directory(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return "/"


def _parent(pid: int) -> int:
    fields = _read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _shares_network(pid: str) -> bool:
    # Other than /proc/PID/ns/net, this can be looked at by everybody: see hachecks.keepalived.process.
    try:
        return os.stat(f"/proc/{pid}/net/raw").st_ino == os.stat("/proc/self/net/raw").st_ino
    except OSError:
        return False


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(65536)
    except OSError:  # it has ended
        return b""
