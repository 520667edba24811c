"""`hacheck ipfailover`: what it is told, where it reads, and what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hachecks.ipfailover import document, sources, table, workloads
from hachecks.ipfailover.against import ALARMING, against
from hachecks.ipfailover.files import LedgerFile, Reader
from hachecks.ipfailover.ledger import read, released, write
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.settings import FIELDS, NEWEST, Given, settings_of, version
from hachecks.settings import Invalid, argument, option, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.settings import Settings
    from hachecks.registry import Output


ASSUMED = "ids begin after 10, as in OpenShift since 4.20; before, the stock image began after 0 (--stock 4.19)"


class StockVersion(str):
    """A version of the stock image, such as 4.20."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> StockVersion:
        """From text; raises `ValueError`."""
        version(text)
        return cls(text)


def _flag(field: str, short: str | None = None) -> Any:
    """The option of a variable, with the help that its declaration has."""
    variable = FIELDS[field]
    whose = ", a variable of ours" if variable.ours else ""
    text = f"{variable.help}; in place of {variable.name}{whose}."
    return option(default=None, metavar=variable.metavar, short=short, help=text)


@settings
class Ipfailover:
    """Show what OpenShift's ipfailover is going to do, before anything is done.

    It reads the variables OPENSHIFT_HA_* and shows each VIP with its virtual router id, the node that has it and those
    that take it over, and where the VIPs are after the loss of each node and each pair, and when these are back. Ids
    are those of the stock image, kept in a ledger from then on. Nothing is asked of a cluster or of Keepalived, and
    nothing is changed but the ledger, with --save.

    The variables are the environment's, unless --file or --env-file names others; each container, ConfigMap or
    env file is a configuration of its own, and options count for all. A wrong value is refused, not left out.

    Exit status 0, 1 if --against finds that a VIP moves, gets another id or is served twice, 2 for what cannot be
    understood.
    """

    verb: Literal["plan"] = argument(metavar="plan", help="Show the plan.")
    file: tuple[str, ...] = option(
        default=(),
        metavar="FILE",
        help="A Deployment, DeploymentConfig, DaemonSet or ConfigMap in YAML or JSON, several times; - is standard "
        "input.",
    )
    env_file: tuple[str, ...] = option(
        default=(), metavar="FILE", help="Lines of NAME=VALUE, several times; - is standard input."
    )
    virtual_ips: str | None = _flag("virtual_ips")
    virtual_ip_groups: str | None = _flag("virtual_ip_groups")
    vrrp_id_offset: str | None = _flag("vrrp_id_offset")
    excluded_vrrp_ids: str | None = _flag("excluded_vrrp_ids")
    config_name: str | None = _flag("config_name")
    interface: str | None = _flag("interface", "-i")
    replicas: str | None = _flag("replicas", "-r")
    preemption_strategy: str | None = _flag("preemption")
    unicast_peers: str | None = _flag("unicast_peers")
    nodes: str | None = _flag("nodes")
    nodes_file: str | None = option(
        default=None, metavar="FILE", help="The nodes, as oc get nodes -o name prints them; - is standard input."
    )
    spread: Literal["even", "hash"] | None = option(
        default=None,
        help="Evenly over all nodes, or as each node ranks itself by a hash when it does not know the others "
        "(default even where nodes are named).",
    )
    prefer: str | None = _flag("prefer")
    apart: str | None = _flag("apart")
    together: str | None = _flag("together")
    stock: StockVersion | None = option(
        default=None,
        metavar="VERSION",
        help=f"The OpenShift whose defaults and numbers hold (default the image's in --file, or {NEWEST}).",
    )
    ledger: str | None = option(
        default=None, metavar="FILE", help="Ids and nodes as they were planned before, which are kept."
    )
    save: bool = option(
        default=False, help="Write the plan to the ledger, unless --against finds that something moves."
    )
    rolled_out: bool = option(
        default=False, help="Every node has what the ledger says: the ids of removed VIPs are free again."
    )
    against: str | None = option(
        default=None, metavar="FILE", help="An older plan, as --format json printed it: tell VIP by VIP what changes."
    )
    format: Literal["table", "json"] = option(default="table", help="For people, or for programs.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        for flag in ("save", "rolled_out"):
            if getattr(self, flag) and not self.ledger:
                raise ValueError(f"--{flag.replace('_', '-')} needs --ledger")
        if self.nodes and self.nodes_file:
            raise ValueError("--nodes and --nodes-file name the nodes twice; name them once")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Show the plan; returns whether no VIP moves, gets another id or is served twice; raises `Invalid`."""
        reader = Reader()
        configurations, notes = self._configurations(environ, reader)
        file = LedgerFile(self.ledger) if self.ledger else None
        plans, after = plan_all(configurations, self._kept(file), self.spread)
        plans = tuple(plan._replace(notes=(*said, *plan.notes)) for plan, said in zip(plans, notes))
        changes = None
        if self.against:
            changes = against(document.read(reader.text(self.against), reader.place(self.against)), plans)
        alarming = [one for one in changes or () if one.kind in ALARMING]
        text = write(after)
        if file and self.save and not alarming:
            file.replace(text)
        if self.format == "json":
            output.say(document.written(plans, configurations, changes))
        else:
            end = _about_ledger(file, text, self.save and not alarming) if file else ()
            output.say("\n".join([*table.lines(plans, changes), *end]).rstrip("\n"))
        if alarming and self.save:
            output.complain(f"{self.ledger} is left as it was, since something moves; without --against it is saved")
        return not alarming

    def _kept(self, file: LedgerFile | None) -> Ledger:
        if file is None:
            return {}
        if file.before is None:
            # A name misspelt would number everything anew.
            if not self.save:
                raise Invalid(f"{file.name}: there is no such ledger; name the right file, or begin one with --save")
            return {}
        kept = read(file.before, file.name)
        return {name: released(one) for name, one in kept.items()} if self.rolled_out else kept

    def _configurations(
        self, environ: Mapping[str, str], reader: Reader
    ) -> tuple[list[Settings], list[tuple[str, ...]]]:
        """The settings of each source, under what the options say, and what is to be said of the source."""
        found = [
            *(workloads.documents(reader.texts(self.file)) if self.file else ()),
            *(sources.env_file(*one) for one in reader.texts(self.env_file)),
        ] or [sources.environment(environ)]
        flags = dict(self._flags(reader))
        named = version(self.stock) if self.stock else None
        configurations, notes = [], []
        for source in found:
            stock = named or source.stock
            one = settings_of({**source.given, **flags}, stock or version(NEWEST))
            configurations.append(one)
            assumed = () if stock or "OPENSHIFT_HA_VRRP_ID_OFFSET" in one.places else (ASSUMED,)
            notes.append((*source.notes, *assumed))
        return configurations, notes

    def _flags(self, reader: Reader) -> Iterator[tuple[str, Given]]:
        for variable in FIELDS.values():
            text = getattr(self, variable.flag.replace("-", "_")) if variable.flag else None
            if text is not None:
                yield variable.name, Given(text, f"--{variable.flag}")
        if self.nodes_file:
            text = reader.text(self.nodes_file)
            yield FIELDS["nodes"].name, Given(text, reader.place(self.nodes_file))


def _about_ledger(file: LedgerFile, text: str, saved: bool) -> Iterator[str]:
    yield ""
    if text == file.before:
        yield f"{file.name} has this plan already."
    else:
        yield f"{file.name} {'has this plan now' if saved else 'differs from this plan; --save writes it'}."
