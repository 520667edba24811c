"""A pod's first process looks after its firewall, and nothing waits for that: no signal, no child, no VIP."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from hachecks import pod_report
from hachecks.ipfailover.pod.firewall.apart import look
from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.cluster import nodes
from tests.ipfailover.fleet import FAST, Fleet
from tests.ipfailover.one_pod import one_pod
from tests.ipfailover.pods import STATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ipfailover.one_pod import OnePod
    from tests.ipfailover.pods import Pod

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("firewall-pod")]

SLOW = f"""#!/bin/sh
[ ! -e {STATE}/slow ] || sleep 1000
exec /usr/sbin/nft "$@"
"""
AT_IT = "hachecks.ipfailover.pod.firewall"
MANY = 20_000


def slow(one: OnePod, *, is_slow: bool) -> None:
    """Have nft never end, from now on, or end as it does."""
    if is_slow:
        (one.pod.state / "slow").touch()
    else:
        (one.pod.state / "slow").unlink()


@pytest.fixture
def one() -> Iterator[OnePod]:
    """A pod that opens the firewall, and finds another nft than others."""
    with one_pod() as found:
        found.change(NFTABLES_RULE="yes")
        (found.pod.state / "bin").mkdir()
        program = found.pod.state / "bin" / "nft"
        program.write_text(SLOW)
        program.chmod(0o755)
        found.pod.environ["PATH"] = f"{STATE}/bin:{os.environ['PATH']}"
        yield found


def ruleset(one: OnePod) -> str:
    return one.node.must("nft", "list", "ruleset")


def begins_to_look(one: OnePod, vips: str) -> None:
    """Give it other VIPs, and see it look at its firewall for them."""
    one.change(VIRTUAL_IPS=vips)
    wait_until("it looks", lambda: bool(one.pod.processes(AT_IT)))


def seconds_until_none(one: OnePod) -> float:
    """SIGTERM, and how long VIPs are there nevertheless."""
    began = time.monotonic()
    one.pod.tell(signal.SIGTERM)
    one.wait_for_none()
    return time.monotonic() - began


def test_a_look_under_way_holds_up_neither_a_reload_nor_a_restart_nor_the_end(one: OnePod) -> None:
    before = ruleset(one)
    one.start()
    assert "hacheck-ipfailover:one" in ruleset(one)
    slow(one, is_slow=True)
    begins_to_look(one, "10.78.1.1-4")
    looking = one.pod.processes(AT_IT)
    one.wait_for_vips()
    restarts = one.report.restarts["keepalived"]
    for process in one.keepalived():
        os.kill(process, signal.SIGKILL)
    one.wait_for_report("it is started again", lambda report: report.restarts["keepalived"] > restarts)
    one.wait_for_vips()
    # Which may have been about to start a program when it was seen.
    assert one.pod.processes(AT_IT) == looking[:1]
    slow(one, is_slow=False)
    assert seconds_until_none(one) < PATIENCE / 4
    assert one.pod.wait() == 0
    assert ruleset(one) == before


def test_a_look_that_never_ends_is_given_up_told_once_and_begun_again(one: OnePod) -> None:
    slow(one, is_slow=True)
    one.start()
    late = "the firewall is left as it is: looking at it has not ended within 20 s, and is not waited for"
    one.pod.wait_for_word(late)
    wait_until("nothing of it is left", lambda: not one.pod.processes(f"{STATE}/bin/nft"))
    begins_to_look(one, "10.78.1.1-4")
    one.wait_for_vips()
    wait_until("it is given up", lambda: not one.pod.processes(AT_IT))
    assert one.pod.log.count(late) == 1
    slow(one, is_slow=False)
    one.change(VIRTUAL_IPS="10.78.1.1-3")
    one.wait_for_report("all is well", lambda report: not report.findings)
    assert "hacheck-ipfailover:one" in ruleset(one)
    slow(one, is_slow=True)
    assert one.pod.stop() == 1
    assert "rules of the firewall may be left: looking at it has not ended" in one.pod.log
    one.wait_for_none()


def test_among_tens_of_thousands_of_rules_the_end_is_as_quick_as_ever() -> None:
    with one_pod() as one:
        one.change(NFTABLES_RULE="yes")
        rules = [f"-A INPUT -s 10.{number >> 8}.{number & 255}.1 -p tcp -j DROP" for number in range(MANY)]
        one.pod.state.joinpath("rules").write_text("\n".join(["*filter", *rules, "COMMIT", ""]))
        one.node.must("sh", "-c", f"iptables-nft-restore <{one.pod.directory}/state/rules")
        one.start()
        begins_to_look(one, "10.78.1.1-4")
        seconds = seconds_until_none(one)
        print(f"{MANY} rules: the VIPs are gone {seconds:.2f} s after SIGTERM")
        assert one.pod.wait() == 0, one.pod.log
        assert "hacheck-ipfailover" not in one.node.must("iptables-nft-save", "-t", "filter")


DROPS = {
    "nft": (
        "nft 'table inet site { chain early { type filter hook prerouting priority -5; meta l4proto 112 drop; }; }'",
        "nft delete table inet site",
        "rule handle 2 of chain early in table inet site",
        "nft insert rule inet site early meta l4proto 112 accept",
    ),
    "raw": (
        "iptables-nft -t raw -A PREROUTING -p 112 -j DROP",
        "iptables-nft -t raw -F",
        "rule 1 of chain PREROUTING in table raw of iptables-nft",
        "iptables-nft -t raw -I PREROUTING 1 -p 112 -j ACCEPT",
    ),
}


@pytest.mark.parametrize("kind", DROPS)
@pytest.mark.parametrize("preflight", ["strict", "off"])
def test_a_rule_that_drops_adverts_is_told_in_one_line_until_it_is_gone(
    tmp_path: Path, kind: str, preflight: str
) -> None:
    make, unmake, place, cure = DROPS[kind]
    both = {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-2,fd78::1:1-2", "NODES": "node-1,node-2", **FAST}
    with nodes(2) as cluster:
        fleet = Fleet(cluster, tmp_path, both)
        serving, deaf = (fleet.pods[name, "blue"] for name in ("node-1", "node-2"))
        serving.start()
        cluster.wait_for_owners(fleet.owners([deaf.node]))
        deaf.node.must("sh", "-ec", make)
        deaf.command = (*deaf.command, "--preflight", preflight)
        deaf.start()
        line = deaf.wait_for_word(place).text
        deaf.wait_for_word("Startup complete")
        assert told(deaf, place) == [line]
        assert line.endswith(cure)
        assert ("this node drops them before Keepalived could hear them" in line) == (preflight == "strict")
        assert ("which no rule elsewhere overrides" in line) == (preflight == "off")
        wait_until("it is reported", lambda: [place in finding for finding in findings(deaf)] == [True])
        deaf.node.must("sh", "-ec", unmake)
        fleet.replace("blue", fleet.change("blue", VIRTUAL_IPS="10.78.1.1-2,fd78::1:1-3"))
        wait_until("it is told no more", lambda: not findings(deaf))
        cluster.wait_for_owners(fleet.owners())
        assert told(deaf, place) == [line]


def told(pod: Pod, word: str) -> list[str]:
    """The lines of its first process with the word."""
    return [line for line in pod.log.splitlines() if "hacheck: run: " in line and word in line]


def findings(pod: Pod) -> list[str]:
    """What it says to be wrong now."""
    found = pod_report.read(str(pod.state))
    return list(found.findings) if found else []


def test_what_others_put_where_we_are_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hachecks").mkdir()
    (tmp_path / "hachecks" / "__init__.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    answer = look((), "lo")
    assert not (tmp_path / "run").exists()
    assert answer.are_all
