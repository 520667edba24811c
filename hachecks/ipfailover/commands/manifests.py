"""`hacheck ipfailover manifests`: the Kubernetes objects that put ipfailover on nodes."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from hachecks import __version__
from hachecks.config import Configuration as Checks
from hachecks.ipfailover.commands.manifests_options import ManifestsOptions
from hachecks.ipfailover.commands.manifests_values import Image
from hachecks.ipfailover.commands.options import hand_out
from hachecks.ipfailover.commands.render import UNSAVED
from hachecks.ipfailover.files import LARGEST, LedgerFile, Reader, write_files
from hachecks.ipfailover.ledger import write
from hachecks.ipfailover.manifests import monitoring, rights
from hachecks.ipfailover.manifests.base import base
from hachecks.ipfailover.manifests.manifest import as_json, as_yaml, is_too_large
from hachecks.ipfailover.manifests.objects import objects
from hachecks.ipfailover.manifests.variables import left_out, stock_variables, variables
from hachecks.ipfailover.manifests.wanted import Common, Configuration
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.vips import parse
from hachecks.settings import Invalid, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.sources import Source
    from hachecks.registry import Output

OPEN = 0o644
OUR_IMAGE = f"hachecks:{__version__}"
SOME_VIP = "192.0.2.1"
"""In the place of VIPs that are not known yet, to see that all else can be planned."""


@settings
class ManifestsCommand(ManifestsOptions):
    r"""Write the Kubernetes objects that put ipfailover on nodes.

    It takes what oc adm ipfailover took, or the variables in files, plans as hacheck ipfailover plan does, and writes
    what oc made: pods with the node's network that run hacheck ipfailover run, with their rights, their variables as a
    file that is reloaded when it changes, and the ids of the plan. Nothing is created:

    \b
    hacheck ipfailover manifests router --virtual-ips 10.245.2.101-105 --interface br-ex | kubectl apply -f -

    Each container, ConfigMap or env file is a configuration of its own with a workload of its own; they are planned
    together, so that their ids do not meet, and may be on the same nodes.

    Exit status 0, 2 for what cannot be understood; then nothing is written.
    """

    flags_only = True

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Write the objects; raises `Invalid`."""
        reader = Reader()
        return self.completed(reader).written(environ, reader, output)

    def written(self, environ: Mapping[str, str], reader: Reader, output: Output) -> bool:
        """Write the objects of these options; raises `Invalid`."""
        flags = dict(self.flags(reader))
        sources = [one._replace(given={**one.given, **flags}) for one in self.sources(environ, reader)]
        found, said = self.configurations(environ, reader, sources)
        ledger = LedgerFile(self.ledger) if self.ledger else None
        plans, after = self._planned(found, self.kept(ledger, sources))
        configurations = self._configurations(found, plans, sources)
        manifests = list(
            objects(configurations, self._common(after, sources), self._shipped(), with_namespace=self.create_namespace)
        )
        large = [one.name for one in manifests if is_too_large(one)]
        if self.output:
            files = base(manifests)
            write_files(self.output, {name: (content, OPEN) for name, content in files.items()})
            way = " --server-side" if large else ""
            output.say(f"{self.output} has a kustomize base now; kubectl apply{way} -k {shlex.quote(self.output)}")
        else:
            hand_out((as_json if self.format == "json" else as_yaml)(manifests).rstrip("\n"), output)
        unsaved = [UNSAVED.format(ledger.name)] if ledger and write(after) != ledger.before else []
        sizes = [
            f"{one} is too large for a client-side apply: pipe into kubectl apply --server-side -f -"
            for one in large
            if not self.output
        ]
        for line in dict.fromkeys((*unsaved, *self._remarks(configurations, sources, said), *sizes)):
            output.complain(line)
        return True

    def _planned(self, found: Sequence[Settings], kept: Ledger) -> tuple[Sequence[Plan], Ledger]:
        """The plans, and the ledger afterwards; who follows Services may have no VIP of his own."""
        if self.follow_services and len(found) > 1:
            raise Invalid("--follow-services: one configuration serves Services, and these are several")
        if not self.follow_services or found[0].virtual_ips.addresses:
            return plan_all(found, kept, self.spread)
        plans, _ = plan_all([replace(found[0], virtual_ips=parse(SOME_VIP))], kept, self.spread)
        return plans, kept

    def _configurations(
        self, found: Sequence[Settings], plans: Sequence[Plan], sources: Sequence[Source]
    ) -> list[Configuration]:
        make = stock_variables if self.keep_stock else variables
        last = self.agent_port + len(found) - 1
        if last > 65535:
            raise Invalid(f"--agent-port {self.agent_port}: the last configuration would have the port {last}")
        return [
            Configuration(
                one,
                plan,
                make(one, plan, source.given),
                self.agent_port + number,
                source.container.resource if source.container else None,
            )
            for number, (one, plan, source) in enumerate(zip(found, plans, sources))
        ]

    def _common(self, ledger: Ledger, sources: Sequence[Source]) -> Common:
        return Common(
            namespace=self.namespace or "",
            service_account=self.service_account,
            image=self._image(sources),
            agent_image=self.agent_image or OUR_IMAGE,
            pull_secrets=self.pull_secret,
            kind=self.kind,
            openshift=self.openshift,
            ledger=write(ledger),
            toml=Reader().text(self.config) if self.config else None,
            checks=_checks(self.config) if self.config else (),
            spread=self.spread,
            secret=next((str(one) for one in self.secret if "=" not in one), ""),
            secrets=_mounts(one for one in self.secret if "=" in one),
            maps=_mounts(self.mount),
            drain=self.drain_volume,
            follow=("--follow-services", *self.following) if self.follow_services else (),
            follow_map=self.ledger_config_map,
            executable=_executable(self.executable) if self.executable else None,
        )

    def _image(self, sources: Sequence[Source]) -> str:
        if self.images:
            version = "latest" if self.latest_images else f"v{self.stock}" if self.stock else __version__
            return self.images.image(version)
        if self.image or not self.keep_stock:
            return self.image or OUR_IMAGE
        found = {str(one.container.fields.get("image")) for one in sources if one.container}
        if len(found) != 1:
            raise Invalid("--keep-stock: no FILE tells the image; give --image")
        try:
            return Image.parse(found.pop())
        except ValueError as error:
            raise Invalid(f"--keep-stock: {error}") from None

    def _shipped(self) -> list[str]:
        wanted = {
            monitoring.POD_MONITOR: self.pod_monitor,
            monitoring.RULES: self.prometheus_rule,
            monitoring.DASHBOARD: self.dashboard,
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]

    def _remarks(
        self, configurations: Sequence[Configuration], sources: Sequence[Source], said: Sequence[Sequence[str]]
    ) -> Iterator[str]:
        """What is to be known beside the objects."""
        for one, notes in zip(configurations, said):
            name = one.settings.config_name
            yield from (*notes, *one.plan.notes)
            if not (one.plan.nodes or one.node_selector):
                yield f"{name}: nobody names its nodes; give --selector, or every node without taints is one"
            elif not (one.named_nodes or one.node_selector):
                yield f"{name}: its nodes are told by address; give --selector, or others have idle pods"
            if self.kind == "deployment" and one.replicas < 2:
                yield f"{name}: with one pod no other node can take over; give --replicas"
        for source in sources if self.keep_stock else ():
            yield from (
                f"{place}: the stock image does not know it, and goes without" for place in left_out(source.given)
            )
        if not (self.agent_image if self.keep_stock else self.image or self.images):
            option = "--agent-image" if self.keep_stock else "--image"
            yield f"the image {OUR_IMAGE} is in no registry; build it by the Containerfile, push it, and give {option}"
        if not (self.openshift or self.create_namespace):
            label = f"kubectl label namespace {self.namespace or 'NAMESPACE'} {rights.ENFORCE}=privileged"
            yield f"unless the namespace is labelled already: {label}"


def _mounts(told: Iterable[str]) -> list[tuple[str, str]]:
    """Names of objects with the directories at which they are mounted."""
    return [(name, path) for name, _, path in (one.partition("=") for one in told)]


def _checks(path: str) -> tuple[str, ...]:
    """The checks that a hacheck.toml declares, each of which can be run; raises `Invalid`."""
    found = Checks.read(path)
    for name in found.tables:
        found.build(name, {}, {})
    return tuple(found.tables)


def _executable(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Invalid(f"--executable: {path}: {error.strerror}; make executable builds it") from None
    if not content.startswith(b"#!/bin/sh"):
        raise Invalid(f"--executable: {path}: this is no executable of ours; make executable builds it")
    return content
