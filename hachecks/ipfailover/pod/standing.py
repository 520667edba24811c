"""How the pod fares: what is wrong with it now, and the report of that for the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.follow.files import read_report
from hachecks.ipfailover.pod.firewall.drops import sentences
from hachecks.ipfailover.pod.teller import shortened
from hachecks.pod_report import STOPPING, PodReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.pod.before import Before
    from hachecks.ipfailover.pod.gate import Gate
    from hachecks.ipfailover.pod.pod import Pod


def report(pod: Pod) -> PodReport:
    """What the agent tells of the pod."""
    restarts = {"keepalived": pod.keepalived.child.restarts, "agent": pod.agent.restarts}
    if pod.command.follow_services:
        restarts["follow"] = pod.follow.restarts
    held, reloads = shortened(pod.configuration.held), pod.keepalived.reloads
    return PodReport(pod.phase, tuple(findings(pod)), held, restarts, reloads)


def findings(pod: Pod) -> list[str]:
    """What is wrong now, a sentence each."""
    wanted, child = pod.configuration.in_force, pod.keepalived.child
    found = [pod.configuration.refusal, pod.keepalived.trouble, pod.disk.trouble, *pod.claim.findings]
    if wanted and not wanted.vips:
        found.append("no Service asks for a VIP, and the variables name none: Keepalived does not run here")
    elif wanted and wanted.target is None:
        name = pod.command.node or pod.node.name
        found.append(f"{name} is none of the plan's nodes: Keepalived does not run here until it is")
    has_ended = child.ended_with is not None and not child.pid and pod.phase != STOPPING
    if wanted and wanted.target and has_ended:
        found.append(f"Keepalived does not run here: it has ended ({child.in_words()}); see what it said before")
    if pod.command.follow_services and (followed := read_report(pod.directory)):
        found.append(followed.trouble)
    found += _adverts(pod.before, pod.gate)
    added = (one.text for one in pod.configuration.newcomers.findings)
    found += (text for text in added if text not in pod.configuration.refusal)
    return [shortened(line) for line in found if line]


def _adverts(before: Before, gate: Gate) -> Iterator[str]:
    """What preflight and the firewall have found, each cause once: what was measured, or else what was read."""
    dropped = {one.place for one in gate.answer.drops}
    is_newer = gate.answer.are_all and gate.looked > before.looked
    # A rule that is not there any more is no cause any more.
    found = [one for one in before.findings if not (is_newer and one.place and one.place not in dropped)]
    yield from (one.text for one in found)
    yield from gate.answer.said
    if not before.is_first:  # which is going to measure what the rules do
        told = {one.place for one in found}
        yield from sentences(one for one in gate.answer.drops if one.certain and one.place not in told)
