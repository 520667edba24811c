"""What is known of this node's VIPs at one instant?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES = ("UNKNOWN", "BACKUP", "MASTER", "FAULT", "STOP")
"""What an instance can be in; UNKNOWN is one of which Keepalived has said nothing, or that has nobody to speak for."""


@dataclass(frozen=True)
class Vip:
    """A VIP of the configuration, and where it is.

    `present` is None where the addresses of this node could not be read, `expected` where Keepalived's state is not
    known. `trouble` says in one sentence what contradicts what, and is empty while all agrees.
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


@dataclass(frozen=True)
class Instance:
    """A `vrrp_instance`: what it is configured as, and what Keepalived has said of it.

    Times are seconds of the epoch. `interface`, `vrid`, `base_priority` and `family` are None, or empty, where no
    configuration tells; `since` and `priority` where nothing has been said. `entered` counts the changes into each
    state, `released` those from MASTER to another, and `master_seconds` is how long it has been MASTER for before its
    last change. `why` is the reason that a check gives while the instance is in FAULT. `timeline` are the changes of
    the last day, oldest first; the first may be older and tells the state in which the day began.
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


@dataclass(frozen=True)
class Check:
    """A check as its last run left it; `status` is PASS, FAIL or UNKNOWN, and empty when it has not run lately.

    `interval` is how often Keepalived is configured to run it, in seconds, and None where that is not known.
    `at` is the end of the last run in seconds of the epoch, None if it never ran.
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


@dataclass(frozen=True)
class Notifier:
    """A notifier as its queue stands: `trouble` is why the last try failed, and empty after one that did not."""

    name: str
    waiting: int
    trouble: str
    last_success: float | None


@dataclass(frozen=True)
class SourceStatus:
    """Where something is known from; `trouble` says in one line why it is not, and what to do."""

    name: str
    up: bool
    trouble: str
    last_success: float | None
    errors: int


@dataclass(frozen=True)
class View:
    """Everything about this node, with `at` in seconds of the epoch.

    `keepalived_runs` is None where that cannot be told. `hints` are sentences about what is missing for a full picture,
    `findings` about what the configuration says otherwise than Keepalived takes it.
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

    @property
    def disagreements(self) -> tuple[str, ...]:
        """What contradicts what, in sentences, worst first."""
        return tuple(vip.trouble for vip in self.vips if vip.trouble)

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

        What is not known agrees with nothing.
        """
        known = all(instance.state != "UNKNOWN" for instance in self.instances)
        runs = self.keepalived_runs is True
        there = all(vip.present == vip.expected is not None for vip in self.vips)
        return bool(self.instances) and runs and self.knows_configuration and known and there
