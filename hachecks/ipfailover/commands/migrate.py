"""`hacheck ipfailover migrate`: a configuration takes the place of another without two owners of a VIP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from hachecks.ipfailover import instant
from hachecks.ipfailover.against import against
from hachecks.ipfailover.commands.migration_files import of_nodes, of_pods
from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.commands.render import KeepalivedVersion, options_of
from hachecks.ipfailover.files import LedgerFile, Reader, write_files
from hachecks.ipfailover.migrate import told
from hachecks.ipfailover.migrate.cases import cases, exchanged
from hachecks.ipfailover.migrate.promise import down, missed, promise
from hachecks.ipfailover.migrate.steps import several, steps
from hachecks.ipfailover.older import Rules, older
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.variable import NEWEST, Given, version
from hachecks.settings import Invalid, option, settings
from hachecks.units import Duration, parse_duration
from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.migrate.cases import Case
    from hachecks.ipfailover.older import Older
    from hachecks.ipfailover.plan import Plan
    from hachecks.registry import Output

LEAST = {"run": 120.0, "keepalived": 8.0}
"""Seconds that it takes until every node has what it is to change to: kubelet brings a ConfigMap within 90."""
FARTHEST = 366 * 86400.0


class At:
    """The instant of the change: so long from now, or a time."""

    def __init__(self, at: int) -> None:
        self.at = at

    @classmethod
    def parse(cls, text: str) -> At:
        """From `10m` or `2026-11-30T22:00:00Z`; raises `ValueError`."""
        now = time.time()
        try:
            at = instant.parse(text)
        except ValueError:
            try:
                # Nodes change at whole seconds.
                at = int(now + parse_duration(text)) + 1
            except (ValueError, OverflowError):
                raise ValueError(f"{text!r} is no time; write 10m or {instant.written(now)}") from None
        if not now < at < now + FARTHEST:
            raise ValueError(f"{text!r} is not in the year to come")
        return cls(at)

    def __repr__(self) -> str:
        return instant.written(self.at)


@settings
class MigrateCommand(ConfigurationOptions):
    """Change what parts nodes in an election, without two owners of a VIP.

    Between multicast and unicast, VRRP 2 and 3, or ids of two kinds, old nodes and new ones do not hear each other:
    changed one after another, each side has its own master. This tells whether that is so, and what it costs to change
    all nodes at one instant: how long a VIP has no owner, and how long it may have two. Nothing is done here.

    With --at and --output it writes what has the nodes do that. For pods of hacheck ipfailover run it is an env file
    with the new variables and OPENSHIFT_HA_CHANGE_AT, until which the pods keep the old ones. For a Keepalived without
    hachecks it is a directory for each node, with the new keepalived.conf and a script.

    Exit status 0 where there is nothing to migrate, or the files are written; 1 where nodes cannot be changed so, where
    --at is missing, or the outage may be longer than --max-outage; 2 for what cannot be understood.
    """

    flags_only = True

    against: str = option(
        metavar="FILE",
        help="The old configuration: variables in an env file, a Deployment or the like, a plan as --format json "
        "prints it, or a node's keepalived.conf.",
    )
    at: At | None = option(
        default=None, metavar="INSTANT", help="When all nodes change: 10m from now, or 2026-11-30T22:00:00Z."
    )
    output: str | None = option(default=None, metavar="DIR", help="Write the files for it to this directory.")
    write: Literal["run", "keepalived"] = option(
        default="run", help="The files are for pods of hacheck ipfailover run, or for a Keepalived without hachecks."
    )
    clocks: Duration = option(default=0.05, help="How far apart the nodes' clocks are at most.")
    max_outage: Duration | None = option(default=None, help="The longest outage that is allowed (default any).")
    keepalived_version: KeepalivedVersion | None = option(
        default=None, metavar="VERSION", help="The Keepalived that reads the files, as for hacheck ipfailover render."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        super().validate()
        if self.output and not self.at:
            raise ValueError("--output needs --at, the instant at which nodes change")
        if self.change_at:
            raise ValueError("--change-at is what --at comes to; leave it out")
        if self.clocks > 60:
            raise ValueError("--clocks: nodes whose clocks are a minute apart cannot change at one instant; use NTP")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Tell, and write the files; returns whether nothing is to be migrated, or they are written."""
        reader = Reader()
        sources = self.sources(environ, reader)
        configurations, notes = self.configurations(environ, reader, sources)
        ledger = LedgerFile(self.ledger) if self.ledger else None
        kept = self.kept(ledger, sources)
        plans, _ = plan_all(configurations, kept, self.spread)
        nodes = Given(" ".join(configurations[0].nodes), "--nodes") if self.nodes or self.nodes_file else None
        rules = Rules(nodes, version(self.stock or NEWEST), kept, self.spread)
        old = older(reader.text(self.against), reader.place(self.against), *rules)
        for note in (*old.notes, *(note for some in notes for note in some)):
            output.complain(note)
        found = cases(old.plans, plans)
        if not found:
            self._safe(old, plans, output)
            return True
        output.say("Changed one after another, nodes would elect two owners of these VIPs:")
        for line in told.parted(found):
            output.say(f"    {line}")
        adverts = {plan.name: missed(one) for plan, one in zip(plans, configurations)}
        judged = [(case, adverts[case.plan.name]) for case in found]
        if not self._can(judged, old, plans, output):
            return False
        if not self.at or not self.output:
            output.say("Give --at, the instant, and --output, a directory, to have the files for it written.")
            return False
        if self.write == "run":
            files = of_pods(sources, configurations, dict(self.flags(reader)), self.at.at)
        else:
            options = [options_of(one, self.keepalived_version, ledger=bool(self.ledger)) for one in configurations]
            files = of_nodes(plans, configurations, options, self.at.at)
        self._refuse_haste(self.at.at)
        write_files(self.output, {name: (text.encode(), mode) for name, (text, mode) in files.items()})
        for line in (told.of_pods if self.write == "run" else told.of_nodes)(self.output, list(files), self.at.at):
            output.say(line)
        return True

    def _safe(self, old: Older, plans: Sequence[Plan], output: Output) -> None:
        output.say("\n".join((told.SAFE, *told.otherwise(against(old.plans, plans)))))
        if self.output:
            output.complain(f"{self.output} is left as it was, since no instant is needed")

    def _can(self, judged: Sequence[tuple[Case, int]], old: Older, plans: Sequence[Plan], output: Output) -> bool:
        """Tell the way; returns whether it is an instant."""
        found = [case for case, _ in judged]
        way = several(found)
        if way or old.stock:
            lines = steps(found, way) if way else told.replaced(found, max(down(*one) for one in judged))
            output.say("\n".join(lines))
            return False
        clash = exchanged(found, old.plans)
        if clash:
            output.say(told.exchange(*clash))
            return False
        promised = promise(judged, sum(len(plan.instances) for plan in plans), self.clocks)
        changes = against(old.plans, plans)
        hint = () if self.ledger else told.of_ids(found, old.plans, plans, kept=old.kept)
        costs = (*told.at_an_instant(promised, self.clocks, changes), *told.otherwise(changes), *told.notes(found))
        output.say("\n".join((*costs, *hint)))
        if self.max_outage is not None and promised.outage > self.max_outage:
            allowed = in_words(self.max_outage)
            output.complain(f"--max-outage allows {allowed}; VRRP 3 with a shorter --advert-int has a shorter outage")
            return False
        return True

    def _refuse_haste(self, at: int) -> None:
        """Refuse an instant at which not every node would have its files."""
        least = LEAST[self.write]
        if at - time.time() < least:
            what = "kubelet may take 90 s to bring a ConfigMap to every pod" if self.write == "run" else "files travel"
            raise Invalid(f"--at: {instant.written(at)} is too near, since {what}; let it be {in_words(least)} off")
