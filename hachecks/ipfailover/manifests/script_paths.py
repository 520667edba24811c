"""Scripts that variables name: each is to be in the pod, since Keepalived holds a VIP unchecked whose check is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.config import nearest
from hachecks.ipfailover.lint.commands import is_within, script
from hachecks.ipfailover.lint.pod_files import OF_THE_IMAGE
from hachecks.ipfailover.render.command_line import HACHECK
from hachecks.ipfailover.settings import RANGE_CHECK
from hachecks.keepalived.parser import split_command
from hachecks.settings import Invalid
from hachecks.verdict import visible

if TYPE_CHECKING:
    from hachecks.ipfailover.manifests.wanted import Common, Configuration

COMMANDS = ("OPENSHIFT_HA_CHECK_SCRIPT", "OPENSHIFT_HA_NOTIFY_SCRIPT")


def refuse_missing(one: Configuration, common: Common) -> None:
    """Refuse a script that neither the image nor a volume has, and a check that no hacheck.toml declares."""
    there = (*OF_THE_IMAGE, *(path for _, path in common.maps))
    for name, command in one.variables.items():
        if name not in COMMANDS and not RANGE_CHECK.fullmatch(name):
            continue
        where, path = one.settings.where(name), script(command)
        if path and path != HACHECK and not is_within(path, there):
            cure = "give --mount NAME=DIR, a ConfigMap that has it, in a directory of its own"
            raise Invalid(f"{where}: {path} is in no volume of the pod; {cure}")
        check = _declared(command) if path == HACHECK else ""
        if check and check not in common.checks:
            what = f"no hacheck.toml declares the check {visible(check)}"
            raise Invalid(f"{where}: {what}{nearest(check, common.checks) or '; give --config, the file that does'}")


def _declared(command: str) -> str:
    """The check of `hacheck run NAME`; empty for any other command."""
    words = split_command(command)
    after = words[words.index(HACHECK) + 1 :] if HACHECK in words else []
    return next((word for word in after[1:] if not word.startswith("-")), "") if after[:1] == ["run"] else ""
