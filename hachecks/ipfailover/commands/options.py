"""What every command of ipfailover is told: where the variables are, and what counts in their place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from hachecks.ipfailover import sources, workloads
from hachecks.ipfailover.ledger import read, released
from hachecks.ipfailover.pod_ledgers import kept_by
from hachecks.ipfailover.settings import FIELDS, RANGE_CHECK, RANGE_CHECKS, settings_of
from hachecks.ipfailover.variable import NEWEST, Given, version
from hachecks.settings import Invalid, argument, option, settings
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.files import LedgerFile, Reader
    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.sources import Source
    from hachecks.registry import Output


STOCK = "stock"
"""Names the place of the stock version among those of the variables, where it is told."""
ASSUMED = "ids begin after 10, as in OpenShift since 4.20; before, the stock image began after 0 (--stock 4.19)"


class StockVersion(str):
    """A version of the stock image, such as 4.20."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> StockVersion:
        """From text; raises `ValueError`."""
        version(text)
        return cls(text)


def _flag(field: str, *, several: bool = False) -> Any:
    """The option of a variable, with the help that its declaration has; `several` times where there are several."""
    variable = FIELDS[field]
    whose = ", a variable of ours" if variable.ours else ""
    text = f"{variable.help}; in place of {variable.name}{whose}."
    return option(default=() if several else None, metavar=variable.metavar, short=variable.short, help=text)


@settings
class ConfigurationOptions:
    """The variables are the environment's, unless FILE or --env-file names others.

    Each container, ConfigMap or env file is a configuration of its own, and options count for all of them.
    """

    heading = "Variables of ipfailover"
    flags_only = True

    files: tuple[str, ...] = argument(
        default=(),
        metavar="FILE",
        help="A Deployment, DeploymentConfig, DaemonSet or ConfigMap in YAML or JSON, or several; - is standard input.",
    )
    env_file: tuple[str, ...] = option(
        default=(), metavar="FILE", help="Lines of NAME=VALUE, several times; - is standard input."
    )
    virtual_ips: str | None = _flag("virtual_ips")
    virtual_ip_groups: str | None = _flag("virtual_ip_groups")
    vrrp_id_offset: str | None = _flag("vrrp_id_offset")
    excluded_vrrp_ids: str | None = _flag("excluded_vrrp_ids")
    config_name: str | None = _flag("config_name")
    interface: str | None = _flag("interface")
    replicas: str | None = _flag("replicas")
    preemption_strategy: str | None = _flag("preemption")
    unicast_peers: str | None = _flag("unicast_peers")
    use_unicast: str | None = _flag("use_unicast")
    unicast_source: str | None = _flag("unicast_source")
    multicast_source: str | None = _flag("multicast_source")
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
    watch_port: str | None = _flag("monitor_port")
    check_script: str | None = _flag("check_script")
    check_interval: str | None = _flag("check_interval")
    check_timeout: str | None = _flag("check_timeout")
    check_rise: str | None = _flag("check_rise")
    check_fall: str | None = _flag("check_fall")
    range_check: tuple[str, ...] = _flag("range_checks", several=True)
    on_fail: str | None = _flag("on_fail")
    track_file: str | None = _flag("track_file")
    drain_file: str | None = _flag("drain_file")
    notify_script: str | None = _flag("notify_script")
    vrrp_version: str | None = _flag("vrrp_version")
    advert_int: str | None = _flag("advert_interval")
    auth_pass_file: str | None = _flag("auth_pass_file")
    auth_hmac_key_file: str | None = _flag("auth_hmac_key_file")
    auth_hmac_mode: str | None = _flag("auth_hmac_mode")
    verbatim: str | None = _flag("verbatim")
    verbatim_global: str | None = _flag("verbatim_global")
    change_at: str | None = _flag("change_at")
    iptables_chain: str | None = _flag("iptables_chain")
    nftables_rule: str | None = _flag("nftables_rule")
    admin_emails: str | None = _flag("admin_emails")
    smtp_server: str | None = _flag("smtp_server")
    selector: str | None = _flag("selector")
    stock: StockVersion | None = option(
        default=None,
        metavar="VERSION",
        help=f"The OpenShift whose defaults and numbers hold (default the image's in FILE, or {NEWEST}).",
    )
    ledger: str | None = option(
        default=None, metavar="FILE", help="Ids and nodes as they were planned before, which are kept."
    )
    rolled_out: bool = option(
        default=False, help="Every node has what the ledger says: the ids of removed VIPs are free again."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        if self.rolled_out and not self.ledger:
            raise ValueError("--rolled-out needs --ledger")
        if self.nodes and self.nodes_file:
            raise ValueError("--nodes and --nodes-file name the nodes twice; name them once")

    def kept(self, file: LedgerFile | None, found: Sequence[Source] = (), *, begins: bool = False) -> Ledger:
        """What the ledger holds, without a file those of the pods that are `found`.

        `begins` says that it may be missing, and is to be made.
        """
        if file is None:
            return kept_by(found)
        if file.before is None:
            # A name misspelt would number everything anew.
            if not begins:
                raise Invalid(f"{file.name}: there is no such ledger; name the right file, or begin one with --save")
            return {}
        kept = read(file.before, file.name)
        return {name: released(one) for name, one in kept.items()} if self.rolled_out else kept

    def sources(self, environ: Mapping[str, str], reader: Reader) -> list[Source]:
        """What the files say, each for itself, or else the environment."""
        return [
            *(workloads.documents(reader.texts(self.files)) if self.files else ()),
            *(sources.env_file(*one) for one in reader.texts(self.env_file)),
        ] or [sources.environment(environ)]

    def configurations(
        self, environ: Mapping[str, str], reader: Reader, found: Sequence[Source] = ()
    ) -> tuple[list[Settings], list[tuple[str, ...]]]:
        """The settings of each source, under what the options say, and what is to be said of the source.

        `found` are the sources where somebody has added to them.
        """
        found = found or self.sources(environ, reader)
        flags = dict(self.flags(reader))
        named = version(self.stock) if self.stock else None
        configurations, notes = [], []
        for source in found:
            stock = named or source.stock
            one = settings_of({**source.given, **flags}, stock or version(NEWEST))
            if stock:
                one = replace(one, places={**one.places, STOCK: "--stock" if named else source.place})
            configurations.append(one)
            assumed = () if stock or "OPENSHIFT_HA_VRRP_ID_OFFSET" in one.places else (ASSUMED,)
            notes.append((*source.notes, *assumed))
        return configurations, notes

    def flags(self, reader: Reader) -> Iterator[tuple[str, Given]]:
        """What options say in place of variables, by the names of these."""
        for variable in FIELDS.values():
            text = getattr(self, variable.flag.replace("-", "_")) if variable.flag else None
            if variable.name == RANGE_CHECKS:
                yield from map(_range_check, self.range_check)
            elif text is not None:
                yield variable.name, Given(text, f"--{variable.flag}")
        if self.nodes_file:
            text = reader.text(self.nodes_file)
            yield FIELDS["nodes"].name, Given(text, reader.place(self.nodes_file))


def _range_check(text: str) -> tuple[str, Given]:
    """The variable of `N=COMMAND`."""
    number, equals, command = text.partition("=")
    name = RANGE_CHECKS.replace("<n>", number)
    if not equals or not RANGE_CHECK.fullmatch(name):
        raise Invalid(f"--range-check: {one_line(text)} is no check of a range; expected N=COMMAND")
    return name, Given(command, f"--range-check {number}")


def hand_out(text: str, output: Output) -> None:
    """A document to standard output; raises `Invalid` where that does not take the whole of it."""
    try:
        output.hand_out(text)
    except OSError as error:
        raise Invalid(f"standard output: {error.strerror}; what it has is no whole file, throw it away") from None
