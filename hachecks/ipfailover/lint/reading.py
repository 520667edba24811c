"""What lint reads: texts become sources and Kubernetes objects, with everything in them that cannot be understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover import workloads
from hachecks.ipfailover.lint.subject import Refusal
from hachecks.ipfailover.lint.written import Conf
from hachecks.ipfailover.resources import resources
from hachecks.ipfailover.sources import env_file
from hachecks.keepalived.configuration import Unreadable, read_written, read_written_text
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hachecks.ipfailover.resources import Resource
    from hachecks.ipfailover.sources import Source
    from hachecks.ipfailover.variable import Place

BLOCK = re.compile(
    r"^[ \t]*(?:global_defs|vrrp_(?:instance|script|sync_group|track_process|track_file)|track_file|"
    r"static_(?:ipaddress|routes|rules)|virtual_server|bfd_instance)\b[^:\n]*$",
    re.MULTILINE,
)
OTHER = re.compile(r"^(?:apiVersion|kind|items|metadata):|^\s*\{|\A#!|^[^#!\n]*(?:<<|^\w+\s*:\s)", re.MULTILINE)
"""What stands before a block of Keepalived in YAML, JSON, or a script that writes it."""
KINDS = ("Service", "Job", "Pod")
"""Objects that are judged by themselves."""


class Read(NamedTuple):
    """What texts hold."""

    sources: tuple[Source, ...]
    resources: tuple[Resource, ...] = ()
    confs: tuple[Conf, ...] = ()
    refused: tuple[Refusal, ...] = ()


def is_keepalived_conf(text: str) -> bool:
    """Whether a text is a keepalived.conf, and no Kubernetes object or script, which may have one in it."""
    found = BLOCK.search(text)
    return found is not None and not OTHER.search(text[: found.start()])


def read(
    texts: Iterable[tuple[str, str]], env_texts: Iterable[tuple[str, str]] = (), confs: Iterable[Conf] = ()
) -> Read:
    """The configurations and objects in texts, each with its place; raises `Invalid` where one is neither."""
    refused: list[Refusal] = []

    def refuse(place: Place, why: str) -> None:
        refused.append(Refusal(place, why))

    found: list[Resource] = []
    for text, place in texts:
        before = len(found)
        found += resources(text, place)
        if len(found) == before:
            raise Invalid(f"{place}: no Kubernetes object is in it, and it is no keepalived.conf")
    sources = [*workloads.sources_of(found, refuse), *(env_file(*one, refuse) for one in env_texts)]
    confs = (*confs, *_confs_in(found))
    if found and not (sources or confs or refused or any(one.kind in KINDS for one in found)):
        places = ", ".join(dict.fromkeys(one.file for one in found))
        raise Invalid(f"{places}: no OPENSHIFT_HA_* variable, no keepalived.conf and no Service is in it")
    return Read(tuple(sources), tuple(found), confs, tuple(refused))


def conf(text: str, place: str) -> Conf:
    """A keepalived.conf in a text; what it includes is not read."""
    return Conf(place, read_written_text(text, place))


def conf_file(path: str) -> Conf:
    """A keepalived.conf with its includes; raises `Invalid`."""
    try:
        return Conf(path, read_written(path))
    except Unreadable as error:
        raise Invalid(str(error)) from None


def _confs_in(found: Iterable[Resource]) -> Iterator[Conf]:
    """Those that ConfigMaps hold, with their lines as the file has them."""
    for one in found:
        data = one.at("data") if one.kind == "ConfigMap" else None
        for key, text in data.items() if isinstance(data, dict) else ():
            if isinstance(text, str) and is_keepalived_conf(text):
                # A block of YAML begins on the line after its key.
                yield conf("\n" * one.place(("data", key)).line + text, one.file)
