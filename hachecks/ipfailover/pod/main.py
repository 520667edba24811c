"""The main of `hacheck ipfailover run`: what is needed for all else, the pod at work, and its end."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from hachecks import state
from hachecks.ipfailover.follow.files import ENV, LEDGER
from hachecks.ipfailover.pod.before import OFF, STRICT, found_before
from hachecks.ipfailover.pod.claim import Claim
from hachecks.ipfailover.pod.configuration import Configuration
from hachecks.ipfailover.pod.pipe import Pipe
from hachecks.ipfailover.pod.pod import Pod
from hachecks.ipfailover.pod.preflight.rights import not_root
from hachecks.ipfailover.pod.signals import Signals
from hachecks.ipfailover.pod.stop import Stop
from hachecks.ipfailover.pod.teller import Teller
from hachecks.node import Node
from hachecks.settings import Invalid
from hachecks.transitions import journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.registry import Output

FIFO = "notify.fifo"


def run(command: RunCommand, environ: Mapping[str, str], output: Output) -> bool:
    """Run until SIGTERM; returns whether all went well. Raises `Invalid`."""
    teller, node = Teller(output.complain), Node(command, environ)
    if command.preflight == STRICT and os.geteuid():
        teller.tell(not_root(os.geteuid()).text)
        return False
    signals = Signals()
    directory = _state_directory(node)
    configuration = Configuration(command, node, directory, teller)
    configuration.is_to_end = signals.is_to_end
    configuration.fifo = command.fifo or os.path.join(directory, FIFO)
    if command.follow_services:
        configuration.added = (os.path.join(directory, ENV),)
        configuration.ledger = os.path.join(directory, LEDGER)
        configuration.shares_ids = not command.check_once
    if command.check_once:
        return _check(configuration, command.preflight, output, teller)
    with contextlib.suppress(OSError):  # The agent would miss it at once, and say so.
        os.close(state.written(os.path.join(directory, journal.NAME), os.O_WRONLY | os.O_APPEND))
    pipe = _pipe(configuration.fifo, node, teller)
    configuration.begin()
    pod = Pod(command, node, directory, configuration, pipe, signals, teller)
    pod.work()
    pod.tell_news()
    is_well = not pod.before.fatal
    return Stop(pod).run() and is_well


def _check(configuration: Configuration, mode: str, output: Output, teller: Teller) -> bool:
    """Look once; returns whether Keepalived would be started. Raises `Invalid`."""
    try:
        found = configuration.read()
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    finally:
        configuration.close()
    if found.target is None:
        teller.tell("this node is none of the plan's; Keepalived would not be started here")
        return False
    findings = found_before(found) if mode != OFF else ()
    for one in findings:
        teller.tell(one.text)
    claim = Claim()
    is_free = claim.take(found.target)
    for line in claim.findings:
        teller.tell(line)
    claim.let_go()
    if not is_free or (mode == STRICT and any(one.kind != "warn" for one in findings)):
        return False
    output.say(f"{found.target.node} may begin with {len(found.vips)} VIPs on {found.settings.interface}")
    return True


def _state_directory(node: Node) -> str:
    try:
        return journal.state_directory(node.places)
    except OSError as error:
        raise Invalid(f"{error.filename or 'state'}: {error.strerror or error}; mount an emptyDir there") from None


def _pipe(path: str, node: Node, teller: Teller) -> Pipe:
    try:
        return Pipe(path, node, teller.tell)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}; name another place by --fifo, such as in an emptyDir") from None
