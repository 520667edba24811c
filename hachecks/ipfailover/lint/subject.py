"""The subject of lint: every configuration that is given, the Kubernetes objects around it, and keepalived.conf files.

Where `plan` ends at the first thing that is wrong, here all of them are kept, each with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.lint.pod import Workload
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.running import run_of
from hachecks.ipfailover.settings import settings_of
from hachecks.ipfailover.variable import NEWEST, Place, version
from hachecks.ipfailover.workloads import WORKLOADS
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.lint.written import Conf
    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.resources import Container, Resource
    from hachecks.ipfailover.running import Run
    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.sources import Source
    from hachecks.ipfailover.variable import Given


class Refusal(NamedTuple):
    """Something that cannot be understood: where, and why; `variable` where it is the text of one."""

    place: Place
    why: str
    variable: str = ""


class Configuration(NamedTuple):
    """A configuration as far as it can be understood.

    `given` are the variables under what options say, `settings` what they come to, with the default for each of the
    `refused`. `plan` is None where none can be made, and `unplanned` says why. `stock` is None where nobody tells the
    version, or our own image runs, and `settings.stock` is what is taken for it. `partial` says that there are
    variables that are not known here.
    """

    place: Place
    given: Mapping[str, Given]
    settings: Settings
    refused: tuple[Refusal, ...]
    plan: Plan | None
    unplanned: str
    stock: tuple[int, int] | None
    notes: tuple[str, ...]
    container: Container | None
    partial: bool

    def where(self, variable: str) -> Place:
        """Where a variable is given, or else the configuration."""
        found = self.given.get(variable)
        return Place.of(found.place) if found else self.place

    def text(self, variable: str) -> str:
        """What is given for a variable, nothing where it is not; the stock image takes an empty text for none."""
        found = self.given.get(variable)
        return found.text.strip() if found else ""

    @property
    def is_stock(self) -> bool:
        """Whether its image is OpenShift's."""
        return bool(self.container and "keepalived-ipfailover" in str(self.container.fields.get("image")))

    @property
    def run(self) -> Run | None:
        """The command line where its container runs `hacheck ipfailover run`; None where it does not."""
        return run_of(self.container.fields) if self.container else None

    @property
    def follows(self) -> bool:
        """Whether the cluster's Services name its VIPs, too."""
        return self.run is not None and self.run.has("--follow-services")

    def is_understood(self, variable: str) -> bool:
        """Whether its text is none of the refused."""
        return all(one.variable != variable for one in self.refused)


class Cluster(NamedTuple):
    """What is told of the cluster: its name, and the mode of its kube-proxy; empty where nothing is."""

    name: str = ""
    proxy_mode: str = ""


class Subject(NamedTuple):
    """All that rules look at; `refused` is what cannot be understood of where configurations come from."""

    configurations: tuple[Configuration, ...] = ()
    resources: tuple[Resource, ...] = ()
    confs: tuple[Conf, ...] = ()
    refused: tuple[Refusal, ...] = ()
    cluster: Cluster = Cluster()

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        """The objects of some kinds."""
        return (one for one in self.resources if one.kind in kinds)

    def workloads(self) -> Iterator[Workload]:
        """The workloads that run Keepalived."""
        return (one for one in map(Workload, self.of_kind(*WORKLOADS)) if one.runs_keepalived)

    def pods(self) -> Iterator[tuple[Configuration, Container, Workload]]:
        """Each configuration that a pod has, with its container."""
        for one in self.configurations:
            if one.container:
                yield one, one.container, Workload(one.container.resource)

    @property
    def config_map_paths(self) -> frozenset[str]:
        """Where pods have ConfigMaps mounted."""
        return frozenset(path for one in self.workloads() for path in one.config_map_paths())


def configuration(
    source: Source,
    flags: Mapping[str, Given],
    stock: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
    spread: str | None = None,
) -> Configuration:
    """What a source comes to under flags and, where they are told, a stock version, a ledger and a way to spread."""
    given = {**source.given, **flags}
    known = stock or source.stock
    refused: list[Refusal] = []

    def refuse(name: str, why: str) -> None:
        place = Place.of(given[name].place) if name in given else source.place
        refused.append(Refusal(place, why, name))

    ours = source.container is not None and run_of(source.container.fields) is not None
    settings = settings_of(given, known or version(NEWEST), refuse)
    plan, unplanned = _planned(settings, ledger or {}, spread)
    return Configuration(
        source.place,
        given,
        settings,
        tuple(refused),
        plan,
        unplanned,
        None if ours else known,
        source.notes,
        source.container,
        source.partial,
    )


def _planned(settings: Settings, ledger: Ledger, spread: str | None) -> tuple[Plan | None, str]:
    try:
        (plan,), _ = plan_all([settings], ledger, spread)
    except Invalid as error:
        return None, str(error)
    return plan, ""


def subject(
    sources: Iterable[Source],
    flags: Mapping[str, Given],
    *,
    stock: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
    spread: str | None = None,
    resources: Sequence[Resource] = (),
    confs: Sequence[Conf] = (),
    refused: Sequence[Refusal] = (),
    cluster: Cluster = Cluster(),  # noqa: B008 - a value
) -> Subject:
    """What rules look at."""
    configurations = tuple(configuration(source, flags, stock, ledger, spread) for source in sources)
    return Subject(configurations, tuple(resources), tuple(confs), tuple(refused), cluster)
