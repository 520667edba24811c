"""`hacheck ipfailover render`: the keepalived.conf of one node, or of all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hachecks.ipfailover.commands.options import STOCK, ConfigurationOptions, hand_out
from hachecks.ipfailover.files import LedgerFile, Reader, write_files
from hachecks.ipfailover.ledger import write
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.render import Options, remarks, rendered, target
from hachecks.ipfailover.render.header import BEGIN
from hachecks.ipfailover.render.keywords import DEFAULT, of_stock, parse
from hachecks.secret_file import read_secret
from hachecks.settings import Invalid, option, settings
from hachecks.verdict import CannotLook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings
    from hachecks.registry import Output

UNSAVED = "{}: it does not have this plan yet; save it by plan --save, or the next plan may have other ids"
SECRET, OPEN = 0o600, 0o644


class KeepalivedVersion(str):
    """A version of Keepalived, such as 2.2.7."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> KeepalivedVersion:
        """From text; raises `ValueError`."""
        parse(text)
        return cls(text)


@settings
class RenderCommand(ConfigurationOptions):
    """Write the keepalived.conf that the plan comes to.

    It has the instances, ids and priorities that hacheck ipfailover plan shows for the same variables and the same
    ledger, which is read and never written. keepalived --config-test accepts it, and its comments say where each value
    came from. Without a check of your own, the node is checked by hacheck tcp, or hacheck nodeport for a nodePort,
    which is expected at /etc/keepalive/hacheck; commands of yours are started through env, which notices when they are
    missing, and {vip} in one stands for the VIP.

    A node that the plan does not have gets no file: it must not take part. Where nobody names the nodes, any node's
    file can be made, with the priorities that it gives itself by its name.

    Exit status 0, 2 for what cannot be understood; then no file is written at all.
    """

    flags_only = True

    node: str | None = option(
        default=None, metavar="NODE", help="Print the file of this node, by the name or address that the plan has."
    )
    output: str | None = option(
        default=None,
        metavar="DIR",
        help="Write NODE.conf for every node to this directory, each at once; in a directory for each configuration "
        "where there are several.",
    )
    keepalived_version: KeepalivedVersion | None = option(
        default=None,
        metavar="VERSION",
        help="The Keepalived that reads it, 2.1.5 or newer (default the stock image's where --stock or FILE tells it, "
        "or 2.2.7).",
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        super().validate()
        if bool(self.node) == bool(self.output):
            raise ValueError("give --node for one file, or --output for those of all nodes")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Print or write the files; raises `Invalid`."""
        reader = Reader()
        sources = self.sources(environ, reader)
        configurations, said = self.configurations(environ, reader, sources)
        ledger = LedgerFile(self.ledger) if self.ledger else None
        plans, after = plan_all(configurations, self.kept(ledger, sources), self.spread)
        if self.node and len(plans) > 1:
            raise Invalid(f"these are {len(plans)} configurations, each with a file of its own; use --output")
        files: dict[str, tuple[str, int]] = {}
        told: dict[str, None] = {}
        unsaved = (UNSAVED.format(ledger.name),) if ledger and write(after) != ledger.before else ()
        for plan, one, notes in zip(plans, configurations, said):
            noted = plan._replace(notes=(*notes, *unsaved, *plan.notes))
            options = options_of(one, self.keepalived_version, ledger=bool(self.ledger))
            for node in (self.node,) if self.node else nodes_of_files(plan, one):
                path = os.path.join(plan.name, f"{node}.conf") if len(plans) > 1 else f"{node}.conf"
                files[path] = rendered(noted, one, node, options), SECRET if options.password else OPEN
                told.update(dict.fromkeys(remarks(target(noted, one, node, options))))
        self._hand_out(files, output)
        for remark in told:
            output.complain(remark)
        return True

    def _hand_out(self, files: Mapping[str, tuple[str, int]], output: Output) -> None:
        if self.output:
            write_files(self.output, {name: (text.encode(), mode) for name, (text, mode) in files.items()})
            for path in _left_over(self.output, files):
                output.complain(f"{path} is of no node of this plan; remove it there and on the node, which takes part")
            output.say(f"{self.output} has the files of {len(files)} node{'s' * (len(files) != 1)} now")
            return
        ((text, _),) = files.values()
        hand_out(text.rstrip("\n"), output)


def options_of(one: Settings, wanted: str | None, *, ledger: bool) -> Options:
    """How a configuration's files are rendered, for the Keepalived that is `wanted` where it is named."""
    version = DEFAULT
    if wanted:
        version = parse(wanted)
    elif STOCK in one.places:
        version = of_stock(one.stock)
    return Options(version, password_in_file(one), ledger)


def nodes_of_files(plan: Plan, one: Settings) -> Sequence[str]:
    """The nodes that each have a file; raises `Invalid` where that is not known, or they would all have one node's."""
    if not plan.nodes:
        raise Invalid("--output: nobody names the nodes; give --nodes, or --node for one file")
    for variable, value in (("UNICAST", one.unicast_source), ("MULTICAST", one.multicast_source)):
        if value and len(plan.nodes) > 1:
            where = one.where(f"{variable}_SOURCE_IPADDRESS")
            raise Invalid(f"{where}: {value} is one node's own, and --output is for all; use --node")
    return plan.nodes


def password_in_file(one: Settings) -> str:
    """The password in its file, empty where none is named; raises `Invalid`."""
    if not one.auth_pass_file:
        return ""
    try:
        password = read_secret(one.auth_pass_file)
    except CannotLook as error:
        raise Invalid(f"{one.where('OPENSHIFT_HA_AUTH_PASS_FILE')}: {error}") from None
    return password


def _left_over(directory: str, files: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    """The files in the directories that were made for a node which the plan does not have any more."""
    for inner in sorted({os.path.dirname(name) for name in files}):
        for entry in sorted(os.listdir(os.path.join(directory, inner))):
            path = os.path.join(directory, inner, entry)
            if entry.endswith(".conf") and os.path.join(inner, entry) not in files and os.path.isfile(path):
                with open(path, "rb") as file:
                    if file.read(len(BEGIN)) == BEGIN.encode():
                        yield path
