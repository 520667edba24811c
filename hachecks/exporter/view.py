"""The View: what is known of a node's VIPs at one instant, of which the page, the document and the metrics are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.checks.results import CheckResults
    from hachecks.delivery.queue_state import Queue
    from hachecks.exporter.instance_history import EventCount
    from hachecks.group.judgement import Group
    from hachecks.keepalived.json_dump import Dump

WORST_FIRST = ("UNKNOWN", "FAULT", "MASTER", "BACKUP", "STOP")
"""The states in the order in which a person looks at them."""


@dataclass(frozen=True)
class Vip:
    """A VIP of the configuration, and where it is.

    `present` is None where the addresses of this node could not be read, `expected` where Keepalived's state is not
    known. `trouble` says in one sentence what contradicts what, and is empty while all agrees. `state`, `vrid`,
    `family` and `carrier`, an interface, are the instance's.
    """

    address: str
    instance: str
    interface: str
    prefixlen: int
    excluded: bool
    present_on: tuple[str, ...]
    present: bool | None
    expected: bool | None
    trouble: str
    state: str = "UNKNOWN"
    vrid: int | None = None
    family: str = ""
    carrier: str = ""

    @property
    def contradicts(self) -> bool:
        """Whether it is not where Keepalived says."""
        known = self.present is not None and self.expected is not None
        return bool(self.trouble) or (known and self.present != self.expected)

    @property
    def is_unknown(self) -> bool:
        """Whether it cannot be told if it is where Keepalived says."""
        return not self.contradicts and (self.present is None or self.expected is None)


@dataclass(frozen=True)
class Instance:
    """A `vrrp_instance`: what it is configured as, and what Keepalived has said of it.

    Times are seconds of the epoch. `interface`, `vrid`, `base_priority` and `family` are None, or empty, where no
    configuration tells; `since` and `priority` where nothing has been said. `entered` counts the changes into each
    state, `released` those from MASTER to another, and `master_seconds` is how long it has been MASTER for until
    `master_since`, which is None while it is not MASTER. `why` is the reason that a check gives while the instance is
    in FAULT. `timeline` are the changes of the last day, oldest first; the first may be older and tells the state in
    which the day began. `scripts` are those that it tracks.
    """

    name: str
    interface: str
    vrid: int | None
    family: str
    base_priority: int | None
    state: str
    since: float | None
    priority: int | None
    why: str
    entered: Mapping[str, int]
    master_seconds: float
    timeline: tuple[tuple[float, str], ...]
    released: int = 0
    master_since: float | None = None
    scripts: tuple[str, ...] = ()

    def master_seconds_at(self, now: float) -> float:
        """Seconds that it has been MASTER for, up to now."""
        return self.master_seconds + (max(0.0, now - self.master_since) if self.master_since is not None else 0.0)


@dataclass(frozen=True)
class Check:
    """A check as its last run left it; `status` is PASS, FAIL or UNKNOWN, and empty when it has not run lately.

    `interval` is how often Keepalived is configured to run it, in seconds, and None where that is not known.
    `at` is the end of the last run in seconds of the epoch, None if it never ran. `passes` is what its exit status
    said, and None when it has not run lately; `scripts` are the vrrp_scripts that run it, `results` all that is kept.
    """

    name: str
    probe: str
    subject: str
    status: str
    reason: str
    at: float | None
    duration: float | None
    timeout: float | None
    interval: float | None
    passes: bool | None = None
    scripts: tuple[str, ...] = ()
    results: CheckResults | None = None


@dataclass(frozen=True)
class Notifier:
    """A notifier as its `queue` stands: `trouble` is why the last try failed, and empty after one that did not."""

    name: str
    waiting: int
    trouble: str
    last_success: float | None
    queue: Queue | None = None


@dataclass(frozen=True)
class SourceStatus:
    """Where something is known from; `trouble` says in one line why it is not, and what to do.

    `duration` is how many seconds the last look took that succeeded.
    """

    name: str
    up: bool
    trouble: str
    last_success: float | None
    errors: int
    duration: float = 0.0


@dataclass(frozen=True)
class View:
    """Everything about this node, with `at` in seconds of the epoch.

    `keepalived_runs` is None where that cannot be told, and so is `keepalived_started`. `hints` are sentences about
    what is missing for a full picture, `findings` about what the configuration says otherwise than Keepalived takes it.
    `events` counts what Keepalived has said, `dumps` is its own JSON by instance where it is asked for it, `multicast`
    has for each interface of an instance whether it has joined VRRP's group. `group` is this node among those that
    share its VIPs, and None where nobody has said who these are. `conflicts` says what is wrong on the segment: a
    second owner of a VIP, a node that does not hear another, an id that others use.

    `drained` says since when the node is drained and why; it is empty while it is not, and None where nothing could
    drain it.

    Instances and VIPs are in the order of the configuration. A part is the same object as in the view before while
    there is no news of it.
    """

    node: str
    version: str
    at: float
    keepalived_runs: bool | None
    vips: tuple[Vip, ...] = ()
    instances: tuple[Instance, ...] = ()
    checks: tuple[Check, ...] = ()
    notifiers: tuple[Notifier, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    hints: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    keepalived_started: float | None = None
    events: tuple[EventCount, ...] = ()
    dumps: Mapping[str, Dump] = field(default_factory=dict)
    multicast: tuple[tuple[str, bool], ...] = ()
    drained: str | None = None
    group: Group | None = None
    conflicts: tuple[str, ...] = ()

    @property
    def disagreements(self) -> tuple[str, ...]:
        """What contradicts what, in sentences, worst first."""
        return (*self.conflicts, *(vip.trouble for vip in self.worst_first if vip.trouble))

    @property
    def worst_first(self) -> tuple[Vip, ...]:
        """The VIPs, those with trouble before those in the worst states."""
        rank = {state: place for place, state in enumerate(WORST_FIRST)}
        return tuple(sorted(self.vips, key=lambda vip: (not vip.trouble, rank.get(vip.state, 0))))

    @property
    def knows_configuration(self) -> bool:
        """Whether the instances and VIPs are those of a configuration that could be read."""
        return any(source.up for source in self.sources if source.name == "configuration")

    @property
    def silent(self) -> tuple[Instance, ...]:
        """The instances without VIPs of which Keepalived has said nothing."""
        with_vips = {vip.instance for vip in self.vips}
        return tuple(one for one in self.instances if one.state == "UNKNOWN" and one.name not in with_vips)

    @property
    def agrees(self) -> bool:
        """Whether Keepalived runs, has said of every instance where its VIPs are to be, and they are just there.

        No other node may have one of them as well, as far as the segment is heard. What is not known agrees with
        nothing.
        """
        known = all(instance.state != "UNKNOWN" for instance in self.instances)
        runs = self.keepalived_runs is True
        there = all(vip.present == vip.expected is not None for vip in self.vips)
        return bool(self.instances) and runs and self.knows_configuration and known and there and not self.conflicts
