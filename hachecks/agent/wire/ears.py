"""The sockets by which the agent hears the segment, opened before anything else, and the rights given up after that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.agent.wire import rights
from hachecks.config import Configuration
from hachecks.settings import Invalid
from hachecks.wire.behind import BehindFirewall
from hachecks.wire.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

NOT_WATCHED = "not watched: whether another node has a VIP as well, and hears this one"
NEEDS = "the agent needs CAP_NET_RAW when it starts, and gives it up at once; --no-wire says that this is not wanted"


class Ears(NamedTuple):
    """The sockets, or why there are none; nothing is said of that where nobody wants them."""

    tap: Tap | None
    behind: BehindFirewall | None
    remark: str = ""


def opened(wanted: bool, config: str, tell: Callable[[str], None]) -> Ears:
    """The ears of this process, which has no right of networks afterwards but those that its checks need."""
    if not wanted:
        return Ears(None, None)
    try:
        tap = Tap()
    except OSError as error:
        why = NEEDS if isinstance(error, PermissionError) else str(error.strerror)
        return Ears(None, None, f"{NOT_WATCHED}; {why}")
    try:
        behind: BehindFirewall | None = BehindFirewall()
    except OSError:
        behind = None
    _give_up(config, tell)
    return Ears(tap, behind)


def _give_up(config: str, tell: Callable[[str], None]) -> None:
    needed = dict(needs(config))
    if "exec" in needed.values():
        tell(f"the rights of networks are kept: {', '.join(needed)} may need them")
        return
    try:
        rights.give_up({rights.NET_ADMIN if key == "mark" else rights.NET_RAW for key in needed.values()})
    except OSError as error:
        tell(f"rights cannot be given up: {error.strerror}")


def needs(config: str) -> list[tuple[str, str]]:
    """What in hacheck.toml needs a right of networks, and why: its key, or that it is a command of somebody's own."""
    try:
        declared = Configuration.read(config)
    except Invalid:  # that is told by whoever runs the checks
        return []
    found = [(f"[check.{name}]", key) for name, table in declared.tables.items() for key in _keys(table)]
    return found + [
        (f"[notifier.{name}]", "exec") for name, one in declared.notifiers.items() if one.get("notifier") == "exec"
    ]


def _keys(table: Mapping[str, Any]) -> Iterable[str]:
    return [key for key in ("mark", "interface") if key in table]
