"""A keepalived.conf as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.render import global_block, instance, scripts
from hachecks.ipfailover.render.command_line import words_of, written
from hachecks.ipfailover.render.options import Options
from hachecks.ipfailover.render.target import target
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.render.target import Target
    from hachecks.ipfailover.settings import Settings


def rendered(plan: Plan, settings: Settings, node: str, options: Options = Options()) -> str:  # noqa: B008 - a constant
    """The keepalived.conf of a node, which ends with a line end; raises `Invalid` for what cannot be one."""
    return "\n".join(_lines(target(plan, settings, node, options)))


def _lines(found: Target) -> Iterator[str]:
    checks = scripts.scripts_of(found)
    notify = _notify(found)
    yield from global_block.lines(found)
    yield from scripts.blocks(found, checks)
    for one in found.plan.instances:
        yield from instance.lines(found, one, scripts.tracked(one, checks), notify)


def _notify(found: Target) -> str:
    text = found.settings.notify_script
    try:
        return written(words_of(text)) if text else ""
    except ValueError as error:
        raise Invalid(f"{found.settings.where('OPENSHIFT_HA_NOTIFY_SCRIPT')}: {error}") from None
