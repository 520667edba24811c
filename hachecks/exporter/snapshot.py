"""A snapshot of one node: what all its sources said at one instant, as values that nothing changes any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.delivery.queue_state import Queue
    from hachecks.exporter.addresses import Present
    from hachecks.exporter.checks import Checks
    from hachecks.exporter.instance_history import Said
    from hachecks.exporter.view import SourceStatus
    from hachecks.keepalived.configuration import Configuration
    from hachecks.keepalived.json_dump import Dump
    from hachecks.keepalived.process import Running


class Snapshot(NamedTuple):
    """What the sources said; a part is the same object as in the snapshot before while its source has no news.

    `boot` is the kernel's id, `present` is None where the addresses could not be read, `said` empty until all that is
    remembered has been read. `multicast` has for each interface of an instance whether it has joined VRRP's group, and
    `hints` what sources say beside what they are for. `drained` says since when the node is and why; it is empty while
    it is not, and None where nothing could drain it. `remarks` are findings of others than the configuration itself,
    `conflicts` what is wrong on the segment.
    """

    node: str
    boot: str
    configuration: Configuration
    said: Said
    dumps: Mapping[str, Dump]
    running: Running
    present: Present | None
    checks: Checks
    queues: tuple[Queue, ...]
    multicast: tuple[tuple[str, bool], ...]
    sources: tuple[SourceStatus, ...]
    hints: tuple[str, ...]
    drained: str | None = None
    remarks: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
