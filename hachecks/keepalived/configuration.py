"""Keepalived's configuration as Keepalived itself takes it, and what it says otherwise than it counts.

Its own defaults and late mends are followed (vrrp.c and vrrp_sync.c of 2.2.7), and each that may surprise is a finding.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hachecks.keepalived.files import ENDS
from hachecks.keepalived.files import Unreadable as Unreadable  # noqa: PLC0414 - what its readers catch
from hachecks.keepalived.instance import DEFAULT, DOWN_TIMER, LONGEST_DOWN_TIMER, OWNER, Draft, whole_number
from hachecks.keepalived.interfaces import Interfaces
from hachecks.keepalived.parser import Parser, split_command
from hachecks.keepalived.track_files import KEYWORDS, Tracked, TrackFile, track_file, tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hachecks.keepalived.files import Told
    from hachecks.keepalived.parser import Statement

MOST_ADVERTISED = {"ipv4": 255, "ipv6": 89}
"""Addresses that an advert holds, on an interface whose packets are 1500 bytes."""
MAX_SECONDS = 2**31 - 1
"""Of a vrrp_script's rise and fall, which are counted in 32 bits."""
SHORTEST_DELAY, LONGEST_STARTUP = 0.001, (2**32 - 1) / 1e6
"""Seconds that vrrp_startup_delay may be."""
SECONDS = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)


class VirtualAddress(NamedTuple):
    """A VIP: its address in canonical form, and the interface that it is to be on."""

    address: str
    prefixlen: int
    interface: str
    excluded: bool


class VrrpInstance(NamedTuple):
    """A `vrrp_instance`; None stands for what is no valid number.

    `scripts` and `files` are those that it tracks, its sync groups' included. `family` is `ipv4` or `ipv6`, and empty
    where no configuration tells. `nopreempt` and `preempt_delay` are as they count: `state MASTER` clears them.
    `down_timer` is how many advert intervals without an advert it waits before it takes over. Times are seconds.
    """

    name: str
    interface: str
    vrid: int | None
    priority: int | None
    unicast: bool
    addresses: tuple[VirtualAddress, ...]
    scripts: tuple[str, ...]
    family: str = ""
    files: tuple[Tracked, ...] = ()
    nopreempt: bool = False
    preempt_delay: float = 0.0
    advert_interval: float = 1.0
    down_timer: int = DOWN_TIMER


class VrrpScript(NamedTuple):
    """A `vrrp_script`; times are seconds, and None stands for what is not set, or is no number."""

    name: str
    command: str
    interval: float | None
    timeout: float | None
    rise: int | None
    fall: int | None


class Configuration(NamedTuple):
    """What Keepalived makes of what is written.

    `files` are all that it was read from, and the directories that its includes look into. `findings` are sentences
    about what is written otherwise than it counts, or cannot be judged, each with its file and line where these are
    known: the rest is served none the less. `unfinished` says that a block is open at the end. `script_users` are those
    whom scripts are run as, by name or number, where any is named. `weighted_groups` are those whose members may track
    something with a weight; in others Keepalived ignores what has one. `startup_delay` is how many seconds after its
    start Keepalived begins to wait for adverts, before which it takes nothing over.
    """

    instances: tuple[VrrpInstance, ...]
    scripts: tuple[VrrpScript, ...]
    groups: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...]
    findings: tuple[str, ...] = ()
    unfinished: bool = False
    script_users: tuple[str, ...] = ()
    track_files: tuple[TrackFile, ...] = ()
    weighted_groups: tuple[str, ...] = ()
    startup_delay: float = 0.0


class Written(NamedTuple):
    """A configuration with the statements that it is made of, and its findings each with its place.

    `defaults` are the words after each keyword of global_defs.
    """

    configuration: Configuration
    statements: tuple[Statement, ...]
    told: tuple[Told, ...]
    defaults: Mapping[str, Sequence[str]]


def read_configuration(path: str, config_id: str = "") -> Configuration:
    """The configuration in a file and its includes; raises `Unreadable` where that cannot be read at all.

    `config_id`, Keepalived's `-i`, is what the conditions in it ask for; by default the host's name.
    """
    return read_written(path, config_id).configuration


def read_text(text: str, place: str = "") -> Configuration:
    """The configuration in a text, which findings call `place`; what it includes is not read."""
    return read_written_text(text, place).configuration


def read_written(path: str, config_id: str = "") -> Written:
    """What is written in a file and its includes; raises `Unreadable` where that cannot be read at all."""
    parser = Parser(config_id)
    try:
        parser.lines.read_file(path)
        root = parser.parse()
        if not root.nodes and not parser.findings.sentences():
            raise Unreadable(f"{path} line 1: it says nothing; is it half-written?")
    except Unreadable as error:
        error.files = tuple(parser.lines.files.seen)
        raise
    return _written(parser, tuple(parser.lines.files.seen))


def read_written_text(text: str, place: str = "") -> Written:
    """What is written in a text."""
    parser = Parser()
    parser.lines.read_text(text.encode("utf-8", "replace"), place)
    parser.parse()
    return _written(parser, ())


def _written(parser: Parser, files: tuple[str, ...]) -> Written:
    found = _Reading(parser).configuration(files)
    if files:
        found = found._replace(unfinished=parser.unfinished)
    return Written(found, tuple(parser.root.nodes or ()), parser.findings.all(), parser.start.defaults)


def vips_of(configuration: str) -> dict[str, list[str]]:
    """The VIPs of each `vrrp_instance` in the text of a keepalived.conf."""
    return vips_by_instance(read_text(configuration))


def vips_by_instance(configuration: Configuration) -> dict[str, list[str]]:
    """The VIPs of each instance that has any, as addresses without prefix length."""
    return {one.name: [vip.address for vip in one.addresses] for one in configuration.instances if one.addresses}


def family_of(addresses: Sequence[VirtualAddress]) -> str:
    """The family of an instance that nothing else decides: that of its first VIP, and IPv4 without one."""
    first = next((one.address for one in addresses if not one.excluded), "")
    return "ipv6" if ":" in first else "ipv4"


def hacheck_command(command: str) -> tuple[str, ...]:
    """The words after `hacheck` in a script's command line; none where it runs something else."""
    words = split_command(command)
    for index, word in enumerate(words):
        if word.rpartition("/")[2] == "hacheck":
            return tuple(words[index + 1 :])
    return ()


class _Reading:
    """What the statements come to, taken in the order in which they are written."""

    def __init__(self, parser: Parser) -> None:
        self.findings = parser.findings
        self.defaults, self.lines = parser.start.defaults, parser.start.lines
        self.scripts: dict[str, VrrpScript] = {}
        self.groups: list[Statement] = []
        self.drafts: list[Draft] = []
        self.tracked: dict[str, list[str]] = {}
        self.files: dict[str, TrackFile] = {}
        self.tracked_files: dict[str, tuple[Tracked, ...]] = {}
        self.users: list[str] = []
        takers = {
            "vrrp_script": self._take_script,
            "vrrp_instance": self._take_instance,
            "vrrp_sync_group": self._take_group,
            **dict.fromkeys(KEYWORDS, self._take_file),
        }
        for one in parser.root.nodes or ():
            taker = takers.get(one.words[0])
            if taker:
                self.users += _users_named(one)
                taker(one)

    def configuration(self, files: tuple[str, ...]) -> Configuration:
        """What Keepalived makes of it all."""
        groups = dict(self._members())
        sharing = {name: group for group, names in groups.items() for name in names}
        prefix, address_prefix = (self.defaults.get(name, [""])[0] for name in ("vmac_prefix", "vmac_addr_prefix"))
        interfaces = Interfaces(self.drafts, prefix, address_prefix)
        down_timer = self._last("vrrp_down_timer_adverts", _down_timer) or DOWN_TIMER
        instances = []
        for draft in self.drafts:
            draft.down_timer = draft.down_timer or int(down_timer)
            of_it = [f"vrrp_instance {draft.name}"]
            of_it += [f"vrrp_sync_group {sharing[draft.name]}"] if draft.name in sharing else []
            scripts = tuple(dict.fromkeys(name for whose in of_it for name in self.tracked[whose]))
            tracked = tuple(file for whose in of_it for file in self.tracked_files[whose])
            self._complete(draft)
            instances.append(_instance(draft, interfaces, scripts)._replace(files=tracked))
        self._tell_conflicts()
        return Configuration(
            tuple(instances),
            tuple(self.scripts.values()),
            groups,
            files,
            self.findings.sentences(),
            script_users=tuple(dict.fromkeys(self.users)),
            track_files=tuple(self.files.values()),
            weighted_groups=tuple(one.words[1] for one in self.groups if _has(one, "sync_group_tracking_weight")),
            startup_delay=self._last("vrrp_startup_delay", _startup_delay) or 0.0,
        )

    def _last(self, keyword: str, read: Callable[[str], float | None]) -> float | None:
        """The value of the last line of global_defs with a keyword that has one; Keepalived passes over the others."""
        found = (read("".join(words[1:2])) for words in reversed(self.lines) if words[0] == keyword)
        return next((one for one in found if one is not None), None)

    def _take_script(self, block: Statement) -> None:
        if len(block.words) < 2:
            self.findings.tell_first(block.place, f"a vrrp_script has no name; {ENDS}")
            return
        script = _script(block)
        if not script.command:
            self.findings.tell(block.place, f"{script.name} has no script, and is passed over")
        elif script.name in self.scripts:
            self.findings.tell(block.place, f"vrrp_script {script.name} is there already; only the first counts")
        else:
            self.scripts[script.name] = script

    def _take_file(self, block: Statement) -> None:
        found = track_file(block, self.findings)
        if found and found.name in self.files:
            self.findings.tell(block.place, f"track_file {found.name} is there already; only the first counts")
        elif found:
            self.files[found.name] = found

    def _take_instance(self, block: Statement) -> None:
        self.drafts.append(Draft(block, self.findings))
        self._track(block)

    def _take_group(self, block: Statement) -> None:
        self.groups.append(block)
        self._track(block)

    def _track(self, block: Statement) -> None:
        """Note the scripts and files that an instance or group tracks: those that stand above it."""
        named: dict[str, list[Statement]] = {}
        for one in block.nodes or ():
            named.setdefault(one.words[0], []).extend(one.nodes or ())
        whose = f"{block.words[0]} {block.words[1]}"
        self.tracked_files[whose] = tracked(block, named.get("track_file", ()), self.files, self.findings)
        tracking = self.tracked[whose] = []
        for entry in named.get("track_script", ()):
            name, *options = entry.words
            if name not in self.scripts:
                why = f"no vrrp_script {name} stands above {block.words[1]}, which goes on without it"
                self.findings.tell(entry.place, why)
            elif options and (options[0] != "weight" or len(options) < 2):
                self.findings.tell(entry.place, f"{entry.text[:80]} is passed over; write {name} weight NUMBER")
            else:
                tracking.append(name)

    def _members(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each group with those of its members that are there, and are in no group before it."""
        instances = {draft.name for draft in self.drafts}
        grouped: set[str] = set()
        for block in self.groups:
            lists = [one for one in block.nodes or () if one.words[0] == "group"]
            named = [(entry, word) for one in lists for entry in one.nodes or () for word in entry.words]
            members = []
            for entry, name in named:
                if name in grouped:
                    self.findings.tell(entry.place, f"{name} is in a group already, and not in {block.words[1]}")
                elif name not in instances:
                    self.findings.tell(entry.place, f"there is no instance {name}; {block.words[1]} goes on without it")
                else:
                    grouped.add(name)
                    members.append(name)
            if len(members) == 1:
                self.findings.tell(block.place, f"the group {block.words[1]} has only one member")
            if members:
                yield block.words[1], tuple(members)
            else:
                self.findings.tell(block.place, f"the group {block.words[1]} has no members, and is passed over")

    def _complete(self, draft: Draft) -> None:
        """Fill in what the lines of an instance leave open, and tell what Keepalived does not run with."""
        draft.family = draft.family or "ipv4"
        strict = "vrrp_strict" in self.defaults if draft.strict is None else draft.strict
        version = whole_number(self.defaults.get("vrrp_version", ["2"])[0], 2, 3, with_more=True)
        default = 3 if draft.family == "ipv6" else version or 2
        if draft.priority == 0:
            draft.priority = OWNER if draft.state == "MASTER" else DEFAULT
        if draft.vrid is None:
            draft.refuse("it has no virtual_router_id of 1 to 255")
        if draft.interface in ("", "lo"):
            draft.refuse(f"it has no interface{' but lo' * bool(draft.interface)}")
        if not draft.advertised and (strict or (draft.version or default) == 3):
            draft.refuse("it has no VIP in virtual_ipaddress")
        most = MOST_ADVERTISED[draft.family]
        if len(draft.advertised) > most:
            more = len(draft.advertised) - most
            draft.tell(draft.block, f"an advert holds {most} VIPs; Keepalived excludes the other {more} from it")
            draft.advertised, draft.excluded = draft.advertised[:most], draft.excluded + draft.advertised[most:]

    def _tell_conflicts(self) -> None:
        """Tell of instances that Keepalived cannot tell apart on the wire."""
        found: dict[object, Draft] = {}
        for draft in self.drafts:
            source = draft.source if draft.peers else ""
            heard = [
                (draft.vrid, draft.family, draft.interface, source, bool(draft.peers), receiver)
                for receiver in draft.peers or (draft.multicast_group,)
            ]
            other = next((found[key] for key in heard if key in found), None)
            if other and draft.vrid is not None:
                draft.refuse(f"it has virtual_router_id {draft.vrid} on {draft.interface}, as {other.name} has")
            found.update(dict.fromkeys(heard, draft))


def _instance(draft: Draft, interfaces: Interfaces, scripts: tuple[str, ...]) -> VrrpInstance:
    unicast = bool(draft.peers) or draft.fault_without_peers
    carrier = interfaces.of_instance(draft)
    found: dict[object, VirtualAddress] = {}
    for excluded, addresses in ((False, draft.advertised), (True, draft.excluded)):
        for one in addresses:
            interface = interfaces.of_address(one, draft, carrier)
            found.setdefault(one.ip, VirtualAddress(str(one.ip), one.prefixlen, interface, excluded))
    return VrrpInstance(
        draft.name,
        draft.interface,
        draft.vrid,
        draft.priority,
        unicast,
        tuple(found.values()),
        scripts,
        draft.family,
        nopreempt=draft.nopreempt and draft.state != "MASTER",
        preempt_delay=0.0 if draft.state == "MASTER" or draft.nopreempt else draft.preempt_delay,
        advert_interval=draft.advert_interval,
        down_timer=draft.down_timer or DOWN_TIMER,
    )


def _has(block: Statement, keyword: str) -> bool:
    return any(one.words[0] == keyword for one in block.nodes or ())


def _users_named(block: Statement) -> Iterator[str]:
    """Whom scripts are run as: `script_user` of global_defs, a script's `user`, the word after a notify's command."""
    for one in block.nodes or ():
        if one.words[0] in ("script_user", "user"):
            yield from one.words[1:2]
        elif one.words[0].startswith("notify"):
            yield from one.words[2:3]


def _script(block: Statement) -> VrrpScript:
    """A script; its last lines count."""
    values = {one.words[0]: one.words[1] for one in block.nodes or () if len(one.words) > 1}
    commands = [one.text for one in block.nodes or () if one.words[0] == "script"]
    interval, timeout = (_seconds(values.get(name, "")) for name in ("interval", "timeout"))
    rise, fall = (whole_number(values.get(name, ""), 1, MAX_SECONDS) for name in ("rise", "fall"))
    command = "".join(split_command(commands[-1])[1:2]) if commands else ""
    return VrrpScript(block.words[1], command, interval, timeout, rise, fall)


def _down_timer(text: str) -> float | None:
    return whole_number(text, 1, LONGEST_DOWN_TIMER)


def _startup_delay(text: str) -> float | None:
    """As global_parser.c takes it: from a millisecond on; what is none is passed over."""
    number = _seconds(text[1:] if text.startswith("+") else text)
    return number if number is not None and SHORTEST_DELAY <= number <= LONGEST_STARTUP else None


def _seconds(text: str) -> float | None:
    return float(text) if SECONDS.fullmatch(text) else None
