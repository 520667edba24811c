"""Rules about several keepalived.conf of the nodes that share VIPs: what has to be alike, and what must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.conf_instances import authentication
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.lint.speakers import members, speakers
from hachecks.keepalived.instance import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.speakers import Speaker
    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.lint.written import Instance


def together(subject: Subject) -> Iterator[tuple[Instance, Instance]]:
    """Each instance with the first of each other file before it that elects with it: it has its id and a VIP of it."""
    firsts: dict[str, dict[str, Speaker]] = {}
    for one in speakers(subject):
        met: dict[str, Speaker] = {}
        for vip in one.vips if one.instance else ():
            known = firsts.setdefault(vip, {})
            met.update((owner, other) for owner, other in known.items() if owner not in met)
            known.setdefault(one.owner, one)
        for owner, other in met.items():
            if owner != one.owner and one.id == other.id and one.hears(other) and one.instance and other.instance:
                yield one.instance, other.instance


@rule(
    "HA320",
    ERROR,
    "nodes that advertise different VIPs",
    why="A backup drops an advert whose list of VIPs is not its own, and becomes master beside the one that sent it.",
    cure="write the same virtual_ipaddress on all nodes; virtual_ipaddress_excluded may differ",
    evidence="acassen/keepalived#1603",
)
def lists_differ(subject: Subject) -> Iterator[Found]:
    """Instances of one id whose adverts list different VIPs."""
    for one, other in together(subject):
        mine, theirs = ({vip.address for vip in each.read.addresses if not vip.excluded} for each in (one, other))
        if mine != theirs:
            what = f"{', '.join(sorted(mine ^ theirs))} is not advertised on all nodes: see {other.place().exact}"
            yield Found(one.place(one.line("virtual_ipaddress")), what)


@rule(
    "HA321",
    ERROR,
    "nodes that do not understand each other",
    why="An advert of another version, with another interval in VRRP 2, or with another password is dropped, and the "
    "node that drops it becomes master as well.",
    cure="write the same vrrp_version, advert_int and auth_pass on all nodes",
    evidence="RFC 3768, section 7.1; RFC 5798, section 7.1",
)
def do_not_understand(subject: Subject) -> Iterator[Found]:
    """Instances of one id that differ in what has to be alike."""
    for one, other in together(subject):
        compared = [("VRRP", str(one.version), str(other.version))]
        if one.version == other.version == 2:
            compared += [
                ("advert_int", one.value("advert_int") or "1", other.value("advert_int") or "1"),
                ("auth_pass", _password(one), _password(other)),
            ]
        for what, mine, theirs in compared:
            if mine != theirs:
                told = "is another" if what == "auth_pass" else f"{mine} is {theirs}"
                yield Found(one.place(one.line(what)), f"{what} {told} at {other.place().exact}")


def _password(one: Instance) -> str:
    line = authentication(one, "auth_pass")
    return "".join(line.words[1:2])[:8] if line else ""


@rule(
    "HA322",
    WARNING,
    "two nodes of one priority",
    why="Of two with the same priority the one with the higher address wins. Which one is master is then no decision "
    "of anybody, and changes with the addresses.",
    cure="write different priorities, such as 254, 234 and 214",
    evidence="RFC 5798, section 6.4.3",
)
def equal_priorities(subject: Subject) -> Iterator[Found]:
    """Instances of one id with the same priority."""
    for one, other in together(subject):
        if one.read.priority is not None and one.read.priority == other.read.priority:
            what = f"priority {one.read.priority} is that of {other.place().exact}, too"
            yield Found(one.place(one.line("priority")), what)


@rule(
    "HA323",
    WARNING,
    "nodes that are not all peers",
    why="A node that another does not name is not told of its adverts: it is master beside it.",
    cure="name every other node in unicast_peer of each",
    evidence="machine-config-operator#3342",
)
def members_differ(subject: Subject) -> Iterator[Found]:
    """Instances of one id that name different nodes."""
    for one, other in together(subject):
        if one.peers and other.peers and one.value("unicast_src_ip") and other.value("unicast_src_ip"):
            missing = members(one) ^ members(other)
            if missing:
                what = f"{', '.join(sorted(missing))} is not in both this list and that of {other.place().exact}"
                yield Found(one.place(one.line("unicast_peer")), what)


@rule(
    "HA324",
    WARNING,
    "a weight that is too small to move the VIP",
    why="A check with a weight lowers the priority by it. Where that is still above the next node's, a failure moves "
    "nothing.",
    cure="write a weight above the distance of the priorities, or none, so that a failure is a FAULT",
    evidence="keepalived.conf(5), weight",
)
def small_weight(subject: Subject) -> Iterator[Found]:
    """Instances that stay above the other node's priority with all their checks failing."""
    weights = {
        (conf.name, script.read.name): script.value("weight") for conf in subject.confs for script in conf.scripts()
    }
    for pair in together(subject):
        one, other = sorted(pair, key=lambda each: -(each.read.priority or 0))
        tracked = [
            (entry, weight or weights.get((one.conf.name, entry.words[0]), ""))
            for kind, entry, weight in one.tracked()
            if kind == "track_script"
        ]
        numbers = [whole_number(text.lstrip("-"), 1, 253) or 0 for _, text in tracked]
        distance = (one.read.priority or 0) - (other.read.priority or 0)
        if tracked and all(numbers) and one.read.priority and other.read.priority and sum(numbers) <= distance:
            what = f"{sum(numbers)} is not above the distance {distance} of the priorities"
            yield Found(one.place(tracked[0][0]), what)


RULES = (lists_differ, do_not_understand, equal_priorities, members_differ, small_weight)
