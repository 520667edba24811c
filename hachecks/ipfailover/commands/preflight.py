"""`hacheck ipfailover preflight`: what would go wrong on this node and its segment, before anything is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.commands.render import password_in_file
from hachecks.ipfailover.files import LedgerFile, Reader
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.pod.firewall import Firewall, opening
from hachecks.ipfailover.pod.preflight import Finding, look
from hachecks.ipfailover.render import Options, target
from hachecks.settings import Invalid, option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.render.target import Target
    from hachecks.registry import Output

NODE = "NODE_NAME"


@settings
class PreflightCommand(ConfigurationOptions):
    """Look at this node and its segment before anything is deployed.

    It looks for what hacheck ipfailover run looks for before it starts Keepalived: rights, the interface, whether
    adverts of others arrive, ids that somebody else has on the segment, VIPs that somebody else answers for or that are
    left on this node, and rules of the firewall that drop adverts. It changes nothing, and sends nothing but the
    questions of ARP and neighbour discovery, and that it is in VRRP's group.

    A line for each finding, with its cure: fatal, for which run would end; wait, until whose end it would not start
    Keepalived; and warn. It needs root on the node, and up to five seconds for a configuration.

    Exit status 0, 1 when something is fatal, 2 for what cannot be understood.
    """

    flags_only = True

    node: str | None = option(
        default=None,
        metavar="NODE",
        help=f"This node, by the name or address that the plan has (default the variable {NODE}).",
    )

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Look, and print what is found; raises `Invalid`."""
        node = self.node or environ.get(NODE, "")
        if not node:
            raise Invalid(f"--node: nobody says which node this is; give --node, or set {NODE}")
        reader = Reader()
        sources = self.sources(environ, reader)
        configurations, _ = self.configurations(environ, reader, sources)
        kept = self.kept(LedgerFile(self.ledger) if self.ledger else None, sources)
        plans, _ = plan_all(configurations, kept, self.spread)
        fatal = False
        for plan, one in zip(plans, configurations):
            found = _found(target(plan, one, node, Options(password=password_in_file(one))))
            named = f"{plan.name}: " if len(plans) > 1 else ""
            for finding in found:
                output.say(f"{named}{finding.kind}: {finding.text}")
            if not found:
                output.say(f"{named}nothing is wrong with {plan.interface} and its segment")
            fatal = fatal or any(finding.kind == "fatal" for finding in found)
        return not fatal


def _found(there: Target) -> list[Finding]:
    """What is found there, and where the firewall drops adverts that nobody sends yet."""
    vips = [vip for instance in there.plan.instances for vip in instance.vips]
    found = look(there, vips, there.plan.interface)
    if any(finding.kind == "fatal" for finding in found):
        return found
    drops = Firewall.of(opening(there)).foreseen()
    told = {finding.place for finding in found}
    return found + [
        Finding(f"adverts are dropped by {one.place}; {one.cure}", "warn") for one in drops if one.place not in told
    ]
