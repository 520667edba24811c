"""A keepalived.conf as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.render import adverts, draining, global_block, instance, scripts, tracking, verbatim
from hachecks.ipfailover.render.command_line import with_vip, words_of, written
from hachecks.ipfailover.render.header import header
from hachecks.ipfailover.render.keywords import GLOBAL, INSTANCE
from hachecks.ipfailover.render.options import Options
from hachecks.ipfailover.render.target import target
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.plan import Instance, Plan
    from hachecks.ipfailover.render.target import Target
    from hachecks.ipfailover.settings import Settings

NOTIFY = "OPENSHIFT_HA_NOTIFY_SCRIPT"


def rendered(plan: Plan, settings: Settings, node: str, options: Options = Options()) -> str:  # noqa: B008 - a constant
    """The keepalived.conf of a node, which ends with a line end; raises `Invalid` for what cannot be one."""
    return "\n".join(_lines(target(plan, settings, node, options)))


def _lines(found: Target) -> Iterator[str]:
    adverts.refuse(found)
    checks = scripts.scripts_of(found)
    track_file = tracking.name(found, checks)
    drain_file = draining.name(found)
    notify = _notify(found)
    of_instance, of_all = _verbatim(found)
    yield from header(found)
    yield from global_block.lines(found, of_all)
    yield from scripts.blocks(found, checks)
    yield from tracking.block(found, track_file)
    yield from draining.block(found, drain_file)
    for one in found.plan.instances:
        files = [track_file] if track_file else []
        if drain_file:
            files.append(f"{drain_file} weight {draining.weight(found, one)}")
        shared = instance.Around(scripts.tracked(one, checks), files, _told(found, notify, one), of_instance)
        yield from instance.lines(found, one, shared)


def _verbatim(found: Target) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines for each instance, and those for all."""
    one, all_of = "OPENSHIFT_HA_VERBATIM", "OPENSHIFT_HA_VERBATIM_GLOBAL"
    where, settings = found.settings.where, found.settings
    of_one = verbatim.Room(INSTANCE, found.version, settings.interface, found.plan.unicast)
    of_all = of_one._replace(known=GLOBAL)
    return (
        tuple(verbatim.lines(settings.verbatim, where(one), of_one)),
        tuple(verbatim.lines(settings.verbatim_global, where(all_of), of_all)),
    )


def _notify(found: Target) -> tuple[str, ...]:
    """The words of the notify command."""
    text = found.settings.notify_script
    try:
        return words_of(text) if text else ()
    except ValueError as error:
        raise Invalid(f"{found.settings.where(NOTIFY)}: {error}") from None


def _told(found: Target, words: tuple[str, ...], one: Instance) -> str:
    """The command line that is told of an instance: Keepalived adds the instance's name, and none of its VIPs."""
    try:
        return written(with_vip(words, ",".join(one.vips)))
    except ValueError as error:
        raise Invalid(f"{found.settings.where(NOTIFY)}: {error}") from None
