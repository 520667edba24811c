"""A link or an address that comes or goes has the checks run that it concerns, and no others."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from hachecks.agent.declared import checks_of
from hachecks.agent.watch.links import Change, Changes, Concerns
from tests.agent.running import Agent, agent, one_check
from tests.agent.test_watch import SELDOM, until_failed, watching
from tests.agent.web import web
from tests.own_network import own_network

if TYPE_CHECKING:
    from pathlib import Path

VIP = "192.0.2.77"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def runs(running: Agent, name: str) -> float:
    """How often a link or an address was the cause of a run."""
    return running.series().of("hachecks_watch_triggers_total", check=name, cause="link") or 0


def test_the_checks_that_a_change_concerns_are_run_at_once(tmp_path: Path) -> None:
    common = {"interval": SELDOM, "timeout": "2s"}
    with own_network() as address, web(tmp_path / "web") as server:
        toml = one_check("here", "http", url=server.url, **common)
        toml += one_check("vip", "http", url=f"http://{VIP}:{server.port}/", connect_to=f"{VIP}:1", **common)
        toml += one_check("from", "tcp", target="192.0.2.3:1", source=address, **common)
        toml += one_check("by", "http", url=server.url, interface="lo", **common)
        with agent(toml, tmp_path) as running:

            def has_run(*names: str) -> None:
                for name in names:
                    running.until(f"{name} is run", lambda name=name: runs(running, name) > before[name])

            def counts() -> dict[str, float]:
                return {name: runs(running, name) for name in ("here", "vip", "from", "by")}

            before = counts()
            ip("address", "add", f"{VIP}/32", "dev", "node0")
            has_run("vip")
            ip("address", "del", f"{VIP}/32", "dev", "node0")
            running.until("it is run again", lambda: runs(running, "vip") >= before["vip"] + 2)
            assert counts()["from"] == before["from"]
            before = counts()
            ip("link", "set", "node1", "down")  # node0 loses its carrier, as by a cable that is pulled
            has_run("vip", "from")
            before = counts()
            ip("address", "del", f"{address}/24", "dev", "node0")
            has_run("from")
            assert counts()["here"] == counts()["by"] == 0
            assert running.fresh("here")


def message(event: str, **fields: Any) -> dict[str, Any]:
    """What netlink says, as pyroute2 gives it."""
    return {"event": event, "index": 2, **fields}


def test_what_netlink_says_again_is_no_change() -> None:
    changes = Changes()
    vip = {"address": VIP, "flags": 0, "prefixlen": 32}
    assert changes.of(message("RTM_NEWADDR", **vip), {VIP}) is None
    assert changes.of(message("RTM_DELADDR", **vip), {VIP}) == Change(address=VIP)
    assert changes.of(message("RTM_NEWADDR", **vip), ()) == Change(address=VIP)
    assert changes.of(message("RTM_NEWADDR", **vip), {VIP}) is None
    tentative = {"address": "fd00::1", "flags": 0x40, "prefixlen": 64}
    assert changes.of(message("RTM_NEWADDR", **tentative), ()) == Change(address="fd00::1", with_route=True)
    usable = {**tentative, "flags": 0x80}
    assert changes.of(message("RTM_NEWADDR", **usable), {"fd00::1"}) == Change(address="fd00::1", with_route=True)
    assert changes.of(message("RTM_NEWADDR", **usable), {"fd00::1"}) is None
    up = {"ifname": "eth0", "flags": 0x11043}
    assert changes.of(message("RTM_NEWLINK", **up), ()) == Change(link="eth0")
    assert changes.of(message("RTM_NEWLINK", **up), ()) is None
    assert changes.of(message("RTM_NEWLINK", **{**up, "flags": 0x1003}), ()) == Change(link="eth0")
    assert changes.of(message("RTM_DELLINK", **up), ()) == Change(link="eth0")
    assert changes.of(message("RTM_NEWROUTE"), ()) is None


def test_a_change_concerns_whose_packets_go_by_it(tmp_path: Path) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(
        one_check("here", "tcp", target="127.0.0.1:1")
        + one_check("socket", "tcp", target="unix:/run/x")
        + one_check("vip", "tcp", target=f"{VIP}:1")
        + one_check("v6", "http", url="http://[FD00:0:0::1]/", source="fd00::2")
        + one_check("name", "http", url="http://name.test/", interface="eth0")
        + one_check("via", "http", url="http://name.test/", connect_to="127.0.0.1:1", interface="eth1")
        + '[check.all]\nall = ["here", "vip"]\n'
    )
    concerns = Concerns(checks_of(str(path), {}))

    def of(**change: Any) -> list[str]:
        return [check.name for check in concerns.of(Change(**change))]

    assert of(address=VIP) == ["vip", "all"]
    assert of(address="192.0.2.78") == []
    assert of(address="fd00::1") == of(address="fd00::2") == ["v6"]
    assert of(address="192.0.2.1", with_route=True) == ["vip", "name", "all"]
    assert of(address="fd00::9", with_route=True) == ["v6", "name"]
    assert of(link="eth0") == ["vip", "v6", "name", "all"]
    assert of(link="eth1") == ["vip", "v6", "via", "all"]


ACCEPTING = """
import socket
listening = socket.create_server(("0.0.0.0", 8000))
print("ready", flush=True)
held = [listening.accept() for _ in range(1000)]
"""


def test_a_server_whose_machine_is_gone_without_a_word_is_missed(tmp_path: Path) -> None:
    with (
        own_network(),
        subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "unshare", "--net", sys.executable, "-c", ACCEPTING], stdout=subprocess.PIPE
        ) as other,
    ):
        assert other.stdout is not None
        assert other.stdout.readline()

        def there(*words: str) -> None:
            subprocess.run(["nsenter", f"--net=/proc/{other.pid}/ns/net", "ip", *words], check=True)

        try:
            ip("link", "set", "node1", "netns", str(other.pid))
            there("link", "set", "node1", "up")
            there("address", "add", "192.0.2.3/24", "dev", "node1")
            toml = one_check("far", "tcp", target="192.0.2.3:8000", watch=True, interval=SELDOM, timeout="5s")
            with agent(toml, tmp_path) as running:
                watching(running, "far")
                there("address", "del", "192.0.2.3/24", "dev", "node1")
                until_failed(running, "far")
                assert running.series().of("hachecks_watch_triggers_total", check="far", cause="connection") == 1
        finally:
            other.kill()
