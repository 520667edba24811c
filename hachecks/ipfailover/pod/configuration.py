"""The configuration of a pod as its files say it, and the one in force: taken, refused, or held until an instant."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover import instant
from hachecks.ipfailover.pod import change, conf_file, in_force, program
from hachecks.ipfailover.pod.claim import Claim
from hachecks.ipfailover.pod.disk import PATIENCE, Disk
from hachecks.ipfailover.pod.newcomers import Newcomers
from hachecks.ipfailover.pod.texts import Texts, Watch
from hachecks.ipfailover.pod.wanted import Here, Unshared, wanted
from hachecks.settings import Invalid
from hachecks.wire.addresses import here as addresses_here

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.ipfailover.pod.teller import Teller
    from hachecks.ipfailover.pod.wanted import Wanted
    from hachecks.ipfailover.render.target import Target
    from hachecks.node import Node

AGAIN = 5.0
"""Seconds after which what is refused is looked at again: what is wrong may be elsewhere on the node."""
ALONE_AFTER = 10.0
"""Seconds after which a first configuration does not wait for ids any more: VIPs are served though no API answers."""


class Configuration:
    """What is in force, `refusal`, why the files say something else that is wrong, and `held`, why it waits."""

    def __init__(self, command: RunCommand, node: Node, directory: str, teller: Teller) -> None:
        self.in_force: Wanted | None = None
        self.refusal = self.held = ""
        self.added: Sequence[str] = ()
        self.ledger = ""
        self.shares_ids = False
        """Whether ids have to be in that ledger before they are used."""
        self._alone_at = monotonic() + ALONE_AFTER
        self._command, self._node, self._directory, self._teller = command, node, directory, teller
        self.disk = Disk(directory, teller)
        self.is_to_end: Callable[[], bool] = lambda: False
        """Whether we are to end, and so wait for nobody."""
        self._watch = Watch()
        self._again = 0.0
        self._waiting: Wanted | None = None
        self._at = 0.0
        self._prepared = ""
        self.fifo = ""
        self.claim = Claim()
        self.newcomers = Newcomers(command.preflight, teller)
        self._looked_for: Wanted | None = None
        self._is_asked = False

    def read(self) -> Wanted:
        """What the files say now, which Keepalived takes; raises `Invalid`, or `OSError`."""
        new = self._read()
        if new.target:
            self._prepare(new)
            self._test(new)
        return new

    def begin(self) -> None:
        """Begin with what was in force when our predecessor was killed, if it was."""
        conf_file.tidy(self._command.keepalived_config)
        try:
            kept = in_force.kept(self._directory, self._command, self._here())
            if kept and kept.target:
                self._prepare(kept)
                self._put()
            self.in_force = kept
        except (Invalid, OSError) as error:
            self._teller.tell(f"what was in force before cannot be taken up: {error}")

    def look(self, *, asked: bool = False) -> bool:
        """Take what the files say now, where that can be; returns whether another configuration is in force."""
        self._is_asked = self._is_asked or asked
        try:
            if self._waiting and self.seconds_left <= 0:
                return self._take(self._waiting)
            if self.newcomers.is_looking and self._looked_for:
                return False
            if self._looked_for:
                return self._take_looked_for(self._looked_for)
            asked, self._is_asked = self._is_asked, False
            if asked or self._watch.has_changed() or monotonic() >= self._again:
                self._again = float("inf")
                return self._judge(self._read())
        except Unshared as error:
            self._wait_for_ids(error)
        except (Invalid, OSError) as error:
            self._refuse(error)
        return False

    def _wait_for_ids(self, error: Unshared) -> None:
        """Go on with what is in force until all nodes know the ids of the new one, at the start for a while."""
        self._waiting, self.refusal = None, ""
        self.held = f"the new configuration waits: {error}" if self.in_force else ""
        self._again = monotonic() + AGAIN if self.in_force else self._alone_at

    def _read(self) -> Wanted:
        """What the files say now, which are followed from now on; raises `Invalid`, or `OSError`."""
        texts, secrets = Texts(), self.in_force.secrets if self.in_force else {}
        try:
            new = self._wanted(texts)
            secrets = new.secrets
            return new
        finally:
            self._follow(texts, secrets)

    def _wanted(self, texts: Texts) -> Wanted:
        here = self._here()
        try:
            return wanted(self._command, here, texts)
        except Unshared as error:
            # Who has nothing that is shared serves what he knows, and should not stop there.
            if monotonic() < self._alone_at or (self.in_force and os.path.exists(self.ledger)):
                raise
            self._teller.rarely(f"{error}; VIPs are served by the numbers that are known here")
            return wanted(self._command, here._replace(shares=False), texts)

    def fail(self) -> None:
        """Say that we could not judge what the files say, for a fault of ours, and look again."""
        self._refuse(Invalid("what the files say now has made us fail"))

    @property
    def coming(self) -> Target | None:
        """This node as it is to be at the instant that is named."""
        return self._waiting.target if self._waiting and self._at else None

    @property
    def seconds_left(self) -> float:
        """Until the instant at which the one that waits is taken."""
        return self._at - time.time() if self._waiting and self._at else float("inf")

    def _here(self) -> Here:
        version = program.version(self._command.keepalived, self.is_to_end)
        known = self._node.name, addresses_here(), version, self.fifo, self._node.environ
        return Here(*known, self.added, self.ledger, self.shares_ids)

    def _follow(self, texts: Texts, secrets: Mapping[str, str]) -> None:
        command = self._command
        named = (*command.files, *command.env_file, command.nodes_file, command.ledger, *self.added, self.ledger)
        self._watch.follow(filter(None, (*named, *texts.known, *secrets)), texts.signs)

    def _judge(self, new: Wanted) -> bool:
        decision = self._decide(new)
        if decision.kind == change.SAME:
            self._settle(new)
            return False
        if new.target:
            self._prepare(new)
            self._test(new)
        self._waiting = None
        looks = self.newcomers.begin(self.in_force, new)
        if decision.kind == change.HOLD:
            self.refusal = ""
            self._waiting, self._at, self.held = new, decision.at, decision.why
            return False
        if looks:
            self._looked_for = new
            return False
        return self._take(new)

    def _take_looked_for(self, new: Wanted) -> bool:
        """Have it in force, unless what was found of its new VIPs has to go first; raises `Invalid`."""
        self._looked_for = None
        if self.newcomers.objection:
            raise Invalid(self.newcomers.objection)
        return self._take(new)

    def _decide(self, new: Wanted) -> change.Decision:
        now = time.time()
        if self.in_force:
            return change.decide(self.in_force, new, now)
        if new.change_at > now and new.target:
            at = instant.written(new.change_at)
            why = f"all nodes begin at {at} ({change.VARIABLE}), and what they have before is not known here"
            return change.Decision(change.HOLD, why, new.change_at)
        return change.Decision(change.TAKE)

    def _settle(self, new: Wanted) -> None:
        """Nothing that Keepalived reads is another."""
        if self.in_force and new.text != self.in_force.text and new.target:
            self._prepare(new)
            self._put()
        self._know(new)

    def _take(self, new: Wanted) -> bool:
        """Have it in force; raises `Invalid` where it has ids that another pod of this node serves."""
        if new.target:
            self.claim.extend(new.target)
            self._put()
        self._know(new)
        return True

    def _know(self, new: Wanted) -> None:
        self.in_force, self._waiting, self.held, self.refusal = new, None, "", ""
        self._again = float("inf") if new.target else monotonic() + AGAIN
        keep = partial(in_force.keep, self._directory, self._command, self._node.environ, new)
        self.disk.do(keep, "what is in force is not kept for a restart", PATIENCE)

    def _refuse(self, error: Exception) -> None:
        self._waiting, self.held = None, ""
        self._again = monotonic() + AGAIN
        what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        ending = "what was in force stays" if self.in_force else "nothing is served here before it is mended"
        self.refusal = f"{what}; {ending}"

    def _prepare(self, new: Wanted) -> None:
        """Have its keepalived.conf beside the place where Keepalived reads it."""
        conf_file.remove(self._prepared)
        self._prepared = ""
        path = self._command.keepalived_config
        mode = conf_file.SECRET if new.target and new.target.options.password else conf_file.OPEN
        try:
            self._prepared = conf_file.prepared(path, new.text, mode)
        except OSError as error:
            cure = "mount an emptyDir there, or name another place by --keepalived-config"
            raise Invalid(f"{path}: {error.strerror}; {cure}") from None

    def _test(self, new: Wanted) -> None:
        """Have Keepalived test it; raises `Invalid`."""
        for path in filter(None, (new.settings.track_file, new.settings.drain_file)):
            with contextlib.suppress(OSError):  # which Keepalived complains of
                os.makedirs(os.path.dirname(path), exist_ok=True)
        complaints = program.complaints(self._command.keepalived, self._prepared, self.is_to_end)
        if complaints:
            conf_file.remove(self._prepared)
            self._prepared = ""
            raise Invalid(f"Keepalived does not take the configuration: {'; '.join(complaints)}")

    def _put(self) -> None:
        if self._prepared:
            conf_file.put(self._prepared, self._command.keepalived_config)
            self._prepared = ""

    def close(self) -> None:
        """Leave nothing half done, and nothing for a restart."""
        conf_file.remove(self._prepared)
        if self._directory:
            in_force.forget(self._directory)
