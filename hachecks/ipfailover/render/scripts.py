"""The vrrp_script blocks of a file, and which of them an instance tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.render import keywords
from hachecks.ipfailover.render.command_line import HACHECK, VIP, with_vip, words_of, written
from hachecks.ipfailover.render.weight import weight
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.plan import Instance
    from hachecks.ipfailover.render.target import Target

NODE_PORTS = range(30000, 32768)
"""The ports that Kubernetes gives to nodePorts by default."""
ONE_AT_A_TIME = (2, 3, 3)
"""The version since which Keepalived does not start a check while the last one still runs."""
MARGIN = 0.5
"""Seconds that a check has left to say why it fails, before Keepalived ends it."""


class Script(NamedTuple):
    """A vrrp_script: its name, the words of its command line, and where that came from."""

    name: str
    words: tuple[str, ...]
    place: str


def scripts_of(target: Target) -> Mapping[str, tuple[Script, ...]]:
    """The scripts of each VIP; raises `Invalid`."""
    settings = target.settings
    ranges = dict(settings.range_checks)
    last = max(settings.virtual_ips.items)
    beyond = next((number for number in ranges if number > last), None)
    if beyond:
        place = settings.where(f"OPENSHIFT_HA_CHECK_SCRIPT_{beyond}")
        raise Invalid(f"{place}: there is no item {beyond} in OPENSHIFT_HA_VIRTUAL_IPS, which has {last}")
    items = dict(zip(map(str, settings.virtual_ips.addresses), settings.virtual_ips.items))
    return {vip: tuple(_script(target, vip, items[vip])) for one in target.plan.instances for vip in one.vips}


def _script(target: Target, vip: str, item: int) -> Iterator[Script]:
    settings = target.settings
    name = f"chk_{settings.config_name.replace('-', '_')}"
    text = dict(settings.range_checks).get(item, "")
    place = "OPENSHIFT_HA_CHECK_SCRIPT"
    if text:
        name, place = f"{name}_{item}", f"{place}_{item}"
    text = text or settings.check_script
    if not text and not settings.monitor_port:
        return
    if not text:
        yield Script(name, _default(target), settings.where("OPENSHIFT_HA_MONITOR_PORT"))
        return
    try:
        words = words_of(text)
        of_vip = any(VIP in word for word in words)
        yield Script(f"{name}_{vip}" if of_vip else name, with_vip(words, vip), settings.where(place))
    except ValueError as error:
        raise Invalid(f"{settings.where(place)}: {error}") from None


def _default(target: Target) -> tuple[str, ...]:
    """Our probe of the watch port on the node itself."""
    settings = target.settings
    seconds = settings.check_timeout or settings.check_interval
    timeout = () if seconds == 2 else ("--timeout", f"{seconds - MARGIN:g}")
    port = str(settings.monitor_port)
    if settings.monitor_port in NODE_PORTS:
        own = ("--address", target.address) if target.address else ()
        return ("sh", HACHECK, "nodeport", port, *own, *timeout)
    address = f"[{target.address}]" if ":" in target.address else target.address or "127.0.0.1"
    return ("sh", HACHECK, "tcp", f"{address}:{port}", *timeout)


def tracked(instance: Instance, scripts: Mapping[str, tuple[Script, ...]]) -> list[str]:
    """The names of the scripts that an instance tracks: those of all its VIPs."""
    return list(dict.fromkeys(one.name for vip in instance.vips for one in scripts[vip]))


def _refuse(target: Target, scripts: Mapping[str, tuple[Script, ...]]) -> None:
    """Refuse what Keepalived does wrongly, and what is said of a check that is not there."""
    settings = target.settings
    if settings.check_timeout > settings.check_interval and target.version < ONE_AT_A_TIME:
        raise Invalid(
            f"{settings.where('OPENSHIFT_HA_CHECK_TIMEOUT')}: {settings.check_timeout} s are more than the interval, "
            f"and before {keywords.written(ONE_AT_A_TIME)} Keepalived starts a check again while it still runs; "
            "set OPENSHIFT_HA_CHECK_INTERVAL as high"
        )
    if settings.on_fail != "fault" and not any(scripts.values()):
        where = settings.where("OPENSHIFT_HA_ON_FAIL")
        raise Invalid(f"{where}: there is no check that could fail; set OPENSHIFT_HA_MONITOR_PORT or _CHECK_SCRIPT")


def blocks(target: Target, scripts: Mapping[str, tuple[Script, ...]]) -> Iterator[str]:
    """The vrrp_script blocks, each once."""
    settings = target.settings
    _refuse(target, scripts)
    lowered = weight(target)
    for script in {one.name: one for of_vip in scripts.values() for one in of_vip}.values():
        try:
            command = written(script.words)
        except ValueError as error:
            raise Invalid(f"{script.place}: {error}") from None
        yield f"vrrp_script {script.name} {{"
        yield f'    script "{command}"'
        yield f"    interval {settings.check_interval}"
        yield f"    timeout {settings.check_timeout or settings.check_interval}"
        yield f"    rise {settings.check_rise}"
        yield f"    fall {settings.check_fall}"
        if lowered:
            yield f"    weight {lowered}"
        yield "}"
        yield ""
