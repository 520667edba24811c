"""The follower as a process: it follows until it is ended, or looks once and says what it would do."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from hachecks import state
from hachecks.ipfailover.follow.allocation import needed, served, vips_of
from hachecks.ipfailover.follow.api import Account, Api, Away, Refused
from hachecks.ipfailover.follow.configuration import Configuration
from hachecks.ipfailover.follow.follower import Follower
from hachecks.ipfailover.follow.pace import DEFAULT
from hachecks.ipfailover.follow.watch import TooOld
from hachecks.settings import Invalid
from hachecks.transitions import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hachecks.ipfailover.follow.command import FollowCommand
    from hachecks.ipfailover.follow.pace import Pace


def follow(
    options: FollowCommand, environ: Mapping[str, str], tell: Callable[[str], None], pace: Pace = DEFAULT
) -> bool:
    """Follow until the process is ended; raises `Invalid`."""
    try:
        directory = journal.state_directory(dict.fromkeys((options.state_dir, *state.PLACES)))
    except OSError as error:
        raise Invalid(
            f"--state-dir {options.state_dir}: {error.strerror or error}; name a directory of this user's"
        ) from None
    try:
        asyncio.run(made(options, environ, directory, tell, pace).follow())
    except KeyboardInterrupt:
        pass
    return True


def made(
    options: FollowCommand, environ: Mapping[str, str], directory: str, tell: Callable[[str], None], pace: Pace
) -> Follower:
    """The follower of these options; raises `Invalid`."""
    api = Api(environ, Account(options.service_account), pace)
    configuration = Configuration(options, environ)
    configuration.read()
    return Follower(api, options, configuration, options.node_name or os.uname().nodename, directory, tell, pace)


def once(
    options: FollowCommand, environ: Mapping[str, str], say: Callable[[str], None], tell: Callable[[str], None]
) -> bool:
    """Say what would be done; returns whether the cluster could be asked. Raises `Invalid`."""
    follower = made(options, environ, options.state_dir, tell, DEFAULT)
    try:
        asyncio.run(follower.look())
    except (Away, Refused) as error:
        tell(str(error))
        return False
    except TooOld:
        tell("the list of Services changed while it was read; try again")
        return False
    for line in _lines(follower):
        say(line)
    return True


def _lines(follower: Follower) -> Iterator[str]:
    wishes, shared = follower.wishes(), follower.config_map.shared()
    outcome = needed(wishes, shared)
    kept = (outcome.shared.ledger or {}).get(wishes.name)
    ids = {vip: one.id for one in (kept.entries if kept else ()) for vip in one.vips}
    now = {checked.vip for checked, _ in served(wishes, shared)}
    for checked, service in served(wishes, outcome.shared):
        verb = "has" if checked.vip in now else "would get"
        yield f"{service.key} {verb} {checked.vip} with the id {ids[checked.vip]}, checked by: {checked.check}"
    for service in wishes.services:
        vips = vips_of(service, wishes, outcome.shared)
        if set(vips) != set(service.ingress) and service.is_ours:
            yield f"{service.key}: its status would become {', '.join(vips) or 'empty'}, by the node that has the VIP"
    yield from follower.remarks(wishes, outcome)
    yield f"the ledger {'has all of this' if outcome.shared == shared else 'would be written'}"
