"""Who is told? The notifiers of hacheck.toml, and those on a notify script's own command line."""

from __future__ import annotations

import os
import re
import zlib

from hachecks import argv, homes, state
from hachecks.config import Configuration, nearest
from hachecks.delivery.channel import Channel, DeliveryOptions
from hachecks.keepalived import openshift
from hachecks.keepalived.configuration import Configuration as KeepalivedConfiguration
from hachecks.keepalived.configuration import Unreadable, read_configuration, vips_by_instance
from hachecks.notifiers.log import LogNotifier
from hachecks.registry import NOTIFIERS
from hachecks.settings import Invalid, build
from hachecks.transitions.journal import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
ID_OPTION = re.compile(r"""(?:^|\s)(?:-i\s*|--config-id(?:=|\s+))["']?([^\s"']+)""")


def declared_channels(
    config: str, environ: Mapping[str, str], directory: str, tell: Callable[[str], None]
) -> dict[str, Channel]:
    """The notifiers of the configuration; a log file where it declares none, or cannot be understood.

    Their queues are in the directory; there are none without one.
    """
    try:
        declared = Configuration.read(config)
        if declared.notifiers:
            return channels_of(declared, environ, directory)
    except Invalid as error:
        tell(str(error))
    log = LogNotifier(file=_log_of(environ, directory)) if directory else LogNotifier()
    return {"log": Channel("log", log, DeliveryOptions(), directory)}


def _log_of(environ: Mapping[str, str], directory: str) -> str:
    """The log beside the journal, where people look; with the queue, where no more files can be made there."""
    for home in homes.own(places(environ)):
        path = os.path.join(home, "transitions.log")
        try:
            os.close(state.written(path, os.O_WRONLY | os.O_APPEND))
            return path
        except OSError:
            continue
    return os.path.join(directory, "transitions.log")


def channels_of(declared: Configuration, environ: Mapping[str, str], directory: str) -> dict[str, Channel]:
    """The notifiers of the configuration; raises `Invalid`."""
    channels = {}
    for name in declared.notifiers:
        notifier, options = declared.notifier(name, environ, DeliveryOptions)
        channels[name] = Channel(name, notifier, options, directory)
    return channels


def channel_of(words: Sequence[str], environ: Mapping[str, str], directory: str) -> Channel:
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
    return Channel(channel_name(words), notifier, options, directory, words)


def channel_name(words: Sequence[str]) -> str:
    """What the queue of a notifier on a command line is called."""
    return f"{words[0]}-{zlib.crc32(' '.join(words).encode()):08x}"


def vips(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The VIPs of each instance, as Keepalived's configuration has them, or else OpenShift's variables."""
    return vips_by_instance(_configuration(environ)) or vips_by_instance(openshift.configuration(environ))


def script_users(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Whom Keepalived is configured to run its scripts as, by name or number."""
    return _configuration(environ).script_users


def _configuration(environ: Mapping[str, str]) -> KeepalivedConfiguration:
    """What Keepalived is configured to do; nothing where its file cannot be read."""
    try:
        return read_configuration(environ.get("KEEPALIVED_CONFIG") or KEEPALIVED_CONF, config_id(environ))
    except Unreadable:
        return KeepalivedConfiguration((), (), {}, ())


def config_id(environ: Mapping[str, str]) -> str:
    """What Keepalived's `-i` is: KEEPALIVED_CONFIG_ID, or what KEEPALIVED_OPTIONS say; empty for the host's name."""
    named = environ.get("KEEPALIVED_CONFIG_ID", "")
    found = ID_OPTION.findall(environ.get("KEEPALIVED_OPTIONS", ""))
    return named or (found[-1] if found else "")


def node_name(environ: Mapping[str, str]) -> str:
    """The node as Kubernetes calls it (NODE_NAME), or the host's name."""
    return environ.get("NODE_NAME") or os.uname().nodename
