"""The channels of a node: the notifiers of hacheck.toml, and those on a notify script's own command line."""

from __future__ import annotations

import os
import zlib

from hachecks import argv, homes, state
from hachecks.config import Configuration, names_of, nearest, refuse_unknown
from hachecks.delivery.channel import Channel
from hachecks.delivery.options import DeliveryOptions
from hachecks.notifiers.log import LogNotifier
from hachecks.registry import NOTIFIERS
from hachecks.settings import Invalid, build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hachecks.node import Node
    from hachecks.notifiers import Notifier


def declared_channels(node: Node, directory: str, tell: Callable[[str], None]) -> dict[str, Channel]:
    """The notifiers of the configuration; a log file where it declares none, or cannot be understood.

    The log is in a directory of the node's own, in this one at last; it has the default name of a log without one.
    """
    try:
        declared = Configuration.read(node.config)
        if declared.notifiers:
            return channels_of(declared, node.environ)
    except Invalid as error:
        tell(str(error))
    log = LogNotifier(file=_log_of(node, directory)) if directory else LogNotifier()
    return {"log": Channel("log", log, DeliveryOptions())}


def _log_of(node: Node, directory: str) -> str:
    """The log beside the journal, where people look; with the queue, where no more files can be made there."""
    for home in homes.own(node.places):
        path = os.path.join(home, "transitions.log")
        try:
            os.close(state.written(path, os.O_WRONLY | os.O_APPEND))
            return path
        except OSError:
            continue
    return os.path.join(directory, "transitions.log")


def channels_of(declared: Configuration, environ: Mapping[str, str]) -> dict[str, Channel]:
    """The notifiers of the configuration; raises `Invalid`."""
    channels = {}
    for name in declared.notifiers:
        notifier, options = _declared(declared, name, environ)
        channels[name] = Channel(name, notifier, options)
    return channels


def _declared(declared: Configuration, name: str, environ: Mapping[str, str]) -> tuple[Notifier, DeliveryOptions]:
    """The notifier of `[notifier.NAME]`, and how it is told; raises `Invalid`."""
    table, where = declared.notifiers[name], f"{declared.path}: [notifier.{name}]"
    kind = str(table.get("notifier", ""))
    if kind not in NOTIFIERS:
        wrong = f"no notifier {kind}{nearest(kind, NOTIFIERS)}" if kind else 'needs notifier = "…"'
        raise Invalid(f"{where}: {wrong}")
    notifier_class = NOTIFIERS[kind].load()
    refuse_unknown(where, table, ["notifier", *names_of(DeliveryOptions, notifier_class)])
    options: DeliveryOptions = build(DeliveryOptions, kind, {}, environ, table, where)
    if options.fallback is not None and options.fallback not in declared.notifiers:
        unknown = f"no notifier {options.fallback}{nearest(options.fallback, declared.notifiers)}"
        raise Invalid(f"{where}: fallback: {unknown}")
    return build(notifier_class, kind, {}, environ, table, where), options


def channel_of(words: Sequence[str], environ: Mapping[str, str]) -> Channel:
    """The notifier on a notify script's own command line, as in `hacheck notify log --file F`; raises `Invalid`."""
    kind = words[0]
    if kind not in NOTIFIERS:
        raise Invalid(f"no notifier {kind}{nearest(kind, NOTIFIERS)}")
    notifier_class = NOTIFIERS[kind].load()
    flags = argv.read(words[1:], (notifier_class, DeliveryOptions))
    if flags is None:
        # The words are not repeated: what made them wrong may be a secret.
        raise Invalid(f"notify {kind}: its options are not understood (see hacheck notify {kind} --help)")
    notifier = build(notifier_class, kind, flags, environ, {})
    options = build(DeliveryOptions, kind, flags, environ, {})
    return Channel(channel_name(words), notifier, options, words)


def channel_name(words: Sequence[str]) -> str:
    """What the queue of a notifier on a command line is called."""
    return f"{words[0]}-{zlib.crc32(' '.join(words).encode()):08x}"
