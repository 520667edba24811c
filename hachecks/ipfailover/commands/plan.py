"""`hacheck ipfailover plan`: who has which VIP, when nodes are lost and when they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hachecks.ipfailover import document, table
from hachecks.ipfailover.against import ALARMING, against
from hachecks.ipfailover.colour import painted, plain, wanted
from hachecks.ipfailover.commands.options import ConfigurationOptions, hand_out
from hachecks.ipfailover.files import LedgerFile, Reader
from hachecks.ipfailover.ledger import read, write
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.variable import NEWEST, Given, version
from hachecks.registry import Entry
from hachecks.settings import option, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.settings import Settings
    from hachecks.registry import Output

OLDER = Entry("hachecks.ipfailover.older:older", "what the plan is compared with, in whatever form it is")
PICTURE = Entry("hachecks.ipfailover.picture.page:picture", "the plan as SVG, which others need not load")


@settings
class PlanCommand(ConfigurationOptions):
    """Show what OpenShift's ipfailover is going to do, before anything is done.

    It reads the variables OPENSHIFT_HA_* and shows each VIP with its virtual router id, the node that has it and those
    that take it over, and where the VIPs are after the loss of each node and each pair, and when these are back. Ids
    are those of the stock image, kept in a ledger from then on. Nothing is asked of a cluster or of Keepalived, and
    nothing is changed but the ledger, with --save.

    The variables are the environment's, unless FILE or --env-file names others; each container, ConfigMap or
    env file is a configuration of its own, and options count for all. A wrong value is refused, not left out.

    Exit status 0, 1 if --against finds that a VIP moves, gets another id or is served twice, 2 for what cannot be
    understood.
    """

    flags_only = True

    save: bool = option(
        default=False, help="Write the plan to the ledger, unless --against finds that something moves."
    )
    against: str | None = option(
        default=None,
        metavar="FILE",
        help="An older plan as --format json printed it, or a file with the variables, or a keepalived.conf: tell VIP "
        "by VIP what changes.",
    )
    format: Literal["table", "json", "svg"] = option(default="table", help="For people, for programs, or as a picture.")
    color: Literal["auto", "always", "never"] = option(
        default="auto", help="Whether the table has colours; auto is on a terminal, unless NO_COLOR is set."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        super().validate()
        if self.save and not self.ledger:
            raise ValueError("--save needs --ledger")
        if self.color != "auto" and self.format != "table":
            raise ValueError(f"--color is for --format table, not {self.format}")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Show the plan; returns whether no VIP moves, gets another id or is served twice; raises `Invalid`."""
        reader = Reader()
        sources = self.sources(environ, reader)
        configurations, notes = self.configurations(environ, reader, sources)
        file = LedgerFile(self.ledger) if self.ledger else None
        plans, after = plan_all(configurations, self.kept(file, sources, begins=self.save), self.spread)
        plans = tuple(plan._replace(notes=(*said, *plan.notes)) for plan, said in zip(plans, notes))
        changes = None
        if self.against:
            rules = self._rules(file, configurations)
            found = OLDER.load()(reader.text(self.against), reader.place(self.against), *rules)
            changes = against(found.plans, plans)
            for note in found.notes:
                output.complain(note)
        alarming = [one for one in changes or () if one.kind in ALARMING]
        text = write(after)
        if file and self.save and not alarming:
            file.replace(text)
        if self.format == "json":
            hand_out(document.written(plans, configurations, changes), output)
        elif self.format == "svg":
            hand_out(PICTURE.load()(plans, changes), output)
        else:
            end = _about_ledger(file, text, self.save and not alarming) if file else ()
            paint = painted if wanted(self.color, environ, output.on_terminal()) else plain
            output.say("\n".join([*table.lines(plans, changes, paint), *end]).rstrip("\n"))
        if alarming and self.save:
            output.complain(f"{self.ledger} is left as it was, since something moves; without --against it is saved")
        return not alarming

    def _rules(
        self, file: LedgerFile | None, configurations: Sequence[Settings]
    ) -> tuple[Given | None, tuple[int, int], Ledger, str | None]:
        """By what older variables are planned: as the new ones, with the ids that nodes have now."""
        # What --nodes-file had may have been standard input.
        nodes = Given(" ".join(configurations[0].nodes), "--nodes") if self.nodes or self.nodes_file else None
        kept = read(file.before, file.name) if file and file.before else {}
        return nodes, version(self.stock or NEWEST), kept, self.spread


def _about_ledger(file: LedgerFile, text: str, saved: bool) -> Iterator[str]:
    yield ""
    if text == file.before:
        yield f"{file.name} has this plan already."
    else:
        yield f"{file.name} {'has this plan now' if saved else 'differs from this plan; --save writes it'}."
