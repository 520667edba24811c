"""Options of manifests, alone and in pairs: each is seen in the objects, or refused in one line."""

from __future__ import annotations

import json
import random
from typing import Any

import click
import pytest

from hachecks.ipfailover.commands.manifests import ManifestsCommand
from hachecks.settings import Invalid, settings_of
from tests.cli import ROOT
from tests.ipfailover.given import EXAMPLES
from tests.ipfailover.manifesting import CONFIGMAPS, VERSIONS, loaded, run, sound, valid

ROUTER = ("router", "--virtual-ips", "10.0.0.1-4", "-i", "eth0")
EXECUTABLE = ROOT / "hachecks/executable/prelude.sh"
STOCK = ("--keep-stock", "--executable", EXECUTABLE, "--image", "x.test/ose-keepalived-ipfailover:v4.20")

GOOD: dict[str, tuple[object, ...]] = {
    "--namespace": ("ha", "1", "a" * 63),
    "--create-namespace": (None,),
    "--openshift": (None,),
    "--kind": ("deployment",),
    "--image": ("r.test:5000/a/b:1", "a@sha256:" + "a" * 64, "localhost/x__y/z-1.2"),
    "--images": ("r.test/ose-${component}:${version}",),
    "--latest-images": (None,),
    "--pull-secret": ("a", "b"),
    "--keep-stock": (None,),
    "--executable": (EXECUTABLE,),
    "--agent-image": ("example.test/hachecks:1",),
    "--service-account": ("other", "a.b"),
    "--config": (CONFIGMAPS / "hacheck.toml",),
    "--agent-port": (1, 65535),
    "--secret": ("vrrp", "vrrp=/etc/vrrp"),
    "--mount": ("a=/etc/scripts", "a=/scripts", "b=/etc/scripts"),
    "--drain-volume": ("pod",),
    "--follow-services": (None,),
    "--load-balancer-class": ("example.test/class",),
    "--service-range": ("10.2.0.1-9",),
    "--external-ip-range": ("10.3.0.0/24",),
    "--ledger-config-map": ("ids",),
    "--pod-monitor": (None,),
    "--prometheus-rule": (None,),
    "--dashboard": (None,),
    "--format": ("json",),
    "--type": ("keepalived",),
    "--dry-run": (None,),
    "--virtual-ips": ("fd00::1-4", "10.0.0.9,fd00::1", "10.0.0.0/29"),
    "--virtual-ip-groups": (2, 1000),
    "--vrrp-id-offset": (0, 251),
    "--excluded-vrrp-ids": ("11 12",),
    "--config-name": ("yes", "0755", "a.b", "A_b", "ledger", "ipfailover", "a-", "x" * 52),
    "--interface": ("br-ex", "eth0.7"),
    "--replicas": (3, 2),
    "--preemption-strategy": ("nopreempt", "preempt_delay 9", "preempt"),
    "--unicast-peers": ("10.1.0.1,10.1.0.2", "10.1.0.1 10.1.0.2 10.1.0.3"),
    "--use-unicast": ("true", "false"),
    "--nodes": ("a,b,c", "10.1.0.1,10.1.0.2", "a,10.1.0.1"),
    "--spread": ("even", "hash"),
    "--prefer": ("10.0.0.1=a",),
    "--apart": ("10.0.0.1,10.0.0.2",),
    "--together": ("10.0.0.1,10.0.0.2",),
    "--watch-port": (0, 8080, 30060),
    "--check-script": ("/bin/true", "sh -c 'a: b # c'", "sh /etc/keepalive/hacheck run vip", "echo $$ $(X) é"),
    "--check-interval": (5,),
    "--check-timeout": (1,),
    "--check-rise": (2,),
    "--check-fall": (2,),
    "--range-check": ("1=/bin/true",),
    "--on-fail": ("last-resort",),
    "--track-file": ("/run/x",),
    "--drain-file": ("/var/lib/x/drain", "/run/drain"),
    "--notify-script": ("/bin/true", "sh /etc/keepalive/hacheck notify"),
    "--vrrp-version": (3,),
    "--advert-int": (2, "0.1"),
    "--auth-pass-file": ("/etc/vrrp/password",),
    "--auth-hmac-key-file": ("/etc/vrrp/key",),
    "--auth-hmac-mode": ("enforce",),
    "--verbatim": ("garp_master_delay 1",),
    "--verbatim-global": ("vrrp_priority 5", "vrrp_no_swap"),
    "--change-at": ("2036-11-30T22:00:00Z",),
    "--iptables-chain": ("INPUT",),
    "--nftables-rule": ("yes",),
    "--admin-emails": ("a: b #c",),
    "--smtp-server": ("mail",),
    "--selector": ("a=b", "a=", "a=yes,b.test/c=0755"),
    "--stock": ("4.19",),
}
BAD: dict[str, tuple[object, ...]] = {
    "--namespace": ("a.b", "A", "a" * 64, "-a"),
    "--kind": ("x",),
    "--image": ("https://a/b", "A/B:c", "a${component}", "a:b:c", "a//b", "a:", "a b"),
    "--images": ("r/${foo}:1", "r/$component"),
    "--pull-secret": ("A", "-"),
    "--executable": ("/nonexistent",),
    "--agent-image": ("A/B:c",),
    "--service-account": ("A", "x" * 254, "a..b"),
    "--config": ("/nonexistent",),
    "--agent-port": (0, 65536, "x"),
    "--secret": ("S", "s=x", "s=/usr", "=/x"),
    "--mount": (
        "a=x",
        "a=/",
        "=/a",
        "a=/../b",
        "a",
        "a=/etc/keepalive",
        "a=/usr",
        "a=/usr/lib/x",
        "a=/etc",
        "a=/sys/x",
    ),
    "--drain-volume": ("x",),
    "--format": ("xml",),
    "--type": ("ipvs",),
    "--create": (None,),
    "--virtual-ips": ("x", "10.0.0.1,10.0.0.1", "127.0.0.1", "224.0.0.1", "0.0.0.0", "10.0.0.1/24", "10.0.0.9-1"),
    "--virtual-ip-groups": (-1, "x"),
    "--vrrp-id-offset": (255, -1, "010", 254),
    "--excluded-vrrp-ids": (0, "x"),
    "--config-name": ("é", "-a", "a b", "x" * 53, "x" * 64),
    "--interface": ("a b", "x" * 16),
    "--replicas": (0, -1, "x"),
    "--preemption-strategy": ("x", "preempt_delay -1"),
    "--unicast-peers": ("x",),
    "--use-unicast": ("x",),
    "--unicast-source": ("10.1.0.1",),
    "--multicast-source": ("10.1.0.1",),
    "--nodes": ("a,a", "Node", "a_b", "a..b"),
    "--nodes-file": ("/nonexistent",),
    "--spread": ("x",),
    "--prefer": ("x",),
    "--apart": ("x",),
    "--watch-port": (65536, "tcp/80", -1, 10112),
    "--check-script": ('a "b', "/x/y", "sh /etc/keepalive/hacheck run nothing"),
    "--check-interval": (0, "x"),
    "--check-timeout": (0,),
    "--check-rise": (0,),
    "--check-fall": ("x",),
    "--range-check": ("x", "9=/bin/true"),
    "--on-fail": ("x",),
    "--track-file": ("x",),
    "--drain-file": ("x", "/drain", "/usr/bin/drain"),
    "--notify-script": ("/x/y",),
    "--vrrp-version": (4,),
    "--advert-int": (300, "x"),
    "--auth-pass-file": ("x",),
    "--auth-hmac-mode": ("x",),
    "--verbatim": ("{", "x"),
    "--verbatim-global": ("}",),
    "--change-at": ("x",),
    "--iptables-chain": ("a b",),
    "--nftables-rule": ('a"b',),
    "--selector": ("a", "a!=b", "=b", "a/b/c=d", "a=-x", "a=" + "x" * 64, "a=b,a=c", "kubernetes.io/os=windows"),
    "--stock": ("x", "9.9"),
    "--ledger-config-map": ("ipfailover-router", "A"),
    "--ledger": ("/nonexistent",),
    "--rolled-out": (None,),
    "--env-file": ("/nonexistent",),
}
NEEDED: dict[str, tuple[object, ...]] = {
    "--create-namespace": ("-n", "ha"),
    "--openshift": ("-n", "ha"),
    "--latest-images": ("--images", "r.test/${component}:${version}"),
    "--keep-stock": ("--executable", EXECUTABLE, "--image", "x:1"),
    "--executable": ("--keep-stock", "--image", "x:1"),
    "--agent-image": ("--keep-stock", "--executable", EXECUTABLE, "--image", "x:1"),
    "--follow-services": ("-n", "ha"),
    **dict.fromkeys(
        ("--load-balancer-class", "--service-range", "--external-ip-range", "--ledger-config-map"),
        ("-n", "ha", "--follow-services"),
    ),
    "--secret": ("--auth-pass-file", "/etc/vrrp/password"),
    "--auth-pass-file": ("--secret", "vrrp"),
    "--auth-hmac-key-file": ("--secret", "vrrp", "--vrrp-version", 3),
    "--auth-hmac-mode": ("--secret", "vrrp", "--vrrp-version", 3, "--auth-hmac-key-file", "/etc/vrrp/key"),
    "--use-unicast": ("--unicast-peers", "10.1.0.1,10.1.0.2"),
    **dict.fromkeys(("--spread", "--prefer", "--apart", "--together"), ("--nodes", "a,b,c")),
    "--advert-int": ("--vrrp-version", 3),
    "--check-script": ("--config", CONFIGMAPS / "hacheck.toml"),
}
"""What an option is given with, where it means nothing by itself."""
NO_TRACE = {"--type", "--dry-run", "--format"}
"""What changes no object by itself."""


def flat(option: str, value: object) -> tuple[str, ...]:
    return (option,) if value is None else (f"{option}={value}",)


def asked(option: str, value: object) -> tuple[object, ...]:
    """A command line with an option, and what it needs."""
    name = ROUTER[1:] if option == "--config-name" else ROUTER
    return (*name, *NEEDED.get(option, ()), *flat(option, value))


def outcome(*words: object) -> list[dict[str, Any]] | str:
    """The objects, which an API server would take, or why they are refused, in one line."""
    try:
        text = "\n".join(run(*words).out) + "\n"
    except (Invalid, click.UsageError) as refusal:
        why = getattr(refusal, "message", str(refusal))
        assert "\n" not in why
        return str(why)
    items = list(json.loads(text)["items"]) if text.startswith("{") else loaded(text)
    sound(items)
    return items


def test_every_option_is_tried() -> None:
    flags = {one.flag for one in settings_of(ManifestsCommand)}
    assert {*GOOD, *BAD} == {one for one in flags if one.startswith("--")} - {"--output"}


@pytest.mark.parametrize("option", GOOD)
def test_each_option_is_seen_in_the_objects(option: str) -> None:
    name = ROUTER[1:] if option == "--config-name" else ROUTER
    without = outcome(*name, *NEEDED.get(option, ())) if option not in ("--keep-stock", "--executable") else None
    for value in GOOD[option]:
        found = outcome(*asked(option, value))
        assert not isinstance(found, str), (value, found)
        valid(found, VERSIONS[-1:])
        assert (found != without) == (option not in NO_TRACE), (option, value)


@pytest.mark.parametrize("option", BAD)
def test_nonsense_is_refused_in_one_line(option: str) -> None:
    for value in BAD[option]:
        assert isinstance(outcome(*asked(option, value)), str), value


WAYS: tuple[tuple[object, ...], ...] = ((), STOCK, ("--nodes", "a,b,c"), ("-n", "ha", "--openshift"))
VALUES = [(option, value) for values in (GOOD, BAD) for option, many in values.items() for value in many]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_given_together_is_taken_by_kubernetes_or_refused_in_one_line(seed: int) -> None:
    chance = random.Random(f"pairs {seed}")
    for _ in range(max(12, EXAMPLES // 10)):
        chosen = chance.sample(VALUES, 2)
        name = ROUTER[1:] if any(option == "--config-name" for option, _ in chosen) else ROUTER
        needed = [word for option, _ in chosen for word in NEEDED.get(option, ())] if chance.random() < 0.7 else []
        words = (*name, *chance.choice(WAYS), *needed, *(word for one in chosen for word in flat(*one)))
        try:
            outcome(*words)
        except Exception as error:
            raise AssertionError(f"{words}: {error!r}") from error
