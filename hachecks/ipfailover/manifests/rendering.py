"""Whether a pod of ours can make a keepalived.conf of its variables: what it would refuse is refused beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hachecks.ipfailover.render import Options, rendered
from hachecks.ipfailover.render.keywords import DEFAULT, SINCE
from hachecks.ipfailover.render.target import is_address
from hachecks.ipfailover.settings import settings_of
from hachecks.ipfailover.variable import Given
from hachecks.ipfailover.vips import parse

if TYPE_CHECKING:
    from hachecks.ipfailover.manifests.wanted import Configuration


def refuse_unrendered(one: Configuration) -> None:
    """Refuse variables of which no keepalived.conf comes, as its first node would; raises `Invalid`."""
    given = {name: Given(text, one.settings.where(name)) for name, text in one.variables.items()}
    settings = settings_of(given, one.settings.stock)
    if not settings.virtual_ips.addresses:
        # Those of Services are not known yet, and the plan has some in their place.
        vips = [vip for instance in one.plan.instances for vip in instance.vips]
        settings = replace(settings, virtual_ips=parse(",".join(vips)))
    node = one.plan.nodes[0] if one.plan.nodes else "node"
    if settings.unicast_peers and not is_address(node):
        # A pod knows which of them it has.
        settings = replace(settings, unicast_source=settings.unicast_peers[0])
    version = SINCE["auth_hmac"] if settings.auth_hmac_key_file else DEFAULT
    # Neither is the password here.
    rendered(one.plan, settings, node, Options(version, "password" if settings.auth_pass_file else "", ledger=True))
