"""What lint reads: texts become sources and Kubernetes objects, with everything in them that cannot be understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover import workloads
from hachecks.ipfailover.lint.subject import Refusal
from hachecks.ipfailover.resources import resources
from hachecks.ipfailover.sources import env_file, environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hachecks.ipfailover.resources import Resource
    from hachecks.ipfailover.sources import Source
    from hachecks.ipfailover.variable import Place

BLOCK = re.compile(
    r"^[ \t]*(?:global_defs|vrrp_(?:instance|script|sync_group|track_process|track_file)|track_file|"
    r"static_(?:ipaddress|routes|rules)|virtual_server|bfd_instance)\b[^:\n]*$",
    re.MULTILINE,
)
FIELD = re.compile(r"^(?:apiVersion|kind|items|metadata):|^\s*\{", re.MULTILINE)


class Read(NamedTuple):
    """What texts hold."""

    sources: tuple[Source, ...]
    resources: tuple[Resource, ...]
    refused: tuple[Refusal, ...]


def is_keepalived_conf(text: str) -> bool:
    """Whether a text is a keepalived.conf, and no Kubernetes object, which may have one in it."""
    return bool(BLOCK.search(text)) and not FIELD.search(BLOCK.split(text, maxsplit=1)[0])


def read(texts: Iterable[tuple[str, str]], env_texts: Iterable[tuple[str, str]]) -> Read:
    """The configurations and objects in texts, each with its place; raises `Invalid` where one is neither."""
    refused: list[Refusal] = []

    def refuse(place: Place, why: str) -> None:
        refused.append(Refusal(place, why))

    found = [one for text, place in texts for one in resources(text, place)]
    sources = [*workloads.sources_of(found, refuse), *(env_file(*one, refuse) for one in env_texts)]
    return Read(tuple(sources), tuple(found), tuple(refused))


def read_environment(environ: Mapping[str, str]) -> Read:
    """What this process was started with."""
    return Read((environment(environ),), (), ())
