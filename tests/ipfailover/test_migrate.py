"""What `hacheck ipfailover migrate` makes of two configurations: nothing to do, an instant, steps, or no way."""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from hachecks.ipfailover import instant
from hachecks.ipfailover.migrate.cases import cases
from hachecks.ipfailover.migrate.on_node import script
from hachecks.ipfailover.migrate.promise import missed, promise
from hachecks.ipfailover.migrate.steps import several
from hachecks.ipfailover.sources import env_file
from tests.cli import hacheck
from tests.ipfailover.given import plan, settings, variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli import Answer

OLD = {
    "VIRTUAL_IPS": "10.0.0.1-3",
    "NODES": "10.0.1.1,10.0.1.2",
    "NETWORK_INTERFACE": "eth0",
    "VRRP_ID_OFFSET": "10",
    "PREEMPTION": "preempt",
}
PEERS = "10.0.1.1,10.0.1.2"
FAR = instant.written(int(time.time()) + 180 * 24 * 3600)
"""Within the year to come."""
STOCK = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: ipf}
spec:
  template:
    spec:
      containers:
      - name: ipf
        image: quay.io/openshift/origin-keepalived-ipfailover:4.19
        env:
        - {name: OPENSHIFT_HA_CONFIG_NAME, value: ipf}
        - {name: OPENSHIFT_HA_VIRTUAL_IPS, value: 10.0.0.1-3}
        - {name: OPENSHIFT_HA_NETWORK_INTERFACE, value: eth0}
        - {name: OPENSHIFT_HA_VIP_GROUPS, value: "%d"}
"""


def migrate(directory: Path, *words: object, old: str = "", **new: Any) -> Answer:
    """The command with the old configuration in a file, and the new one as it is changed by these variables."""
    file = directory / "old"
    file.write_text(old or "".join(f"{name}={text}\n" for name, text in variables(**OLD).items()))
    return hacheck("ipfailover", "migrate", "--against", file, *words, timeout=60, **variables(**{**OLD, **new}))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({}, ""),
        ({"VIRTUAL_IPS": "10.0.0.1-4"}, "By that 1 VIP moves to another node, 1 VIP is new.\n"),
        ({"VIRTUAL_IPS": "10.0.0.1-2"}, "By that 1 VIP is served no more.\n"),
        ({"CHECK_INTERVAL": "1", "PREEMPTION": "nopreempt"}, ""),
        ({"NODES": "10.0.1.2"}, "By that 2 VIPs move to other nodes.\n"),
    ],
)
def test_what_nodes_agree_on_is_not_migrated(tmp_path: Path, new: dict[str, str], said: str) -> None:
    answer = migrate(tmp_path, "--at", FAR, "--output", tmp_path / "out", **new)
    assert answer.code == 0
    head, _, rest = answer.out.partition("\n")
    assert (head.split(":")[0], rest) == ("Nothing is to be migrated", said)
    assert answer.err == f"hacheck: {tmp_path}/out is left as it was, since no instant is needed\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("new", "outage"),
    [
        # Kept: Keepalived compares the id, the interface and the way.
        ({"VRRP_VERSION": "3", "ADVERT_INT": "0.1"}, "no time, since each master stays master,"),
        ({"ADVERT_INT": "2"}, "no time, since each master stays master,"),
        ({"CONFIG_NAME": "two"}, "no time, since each master stays master,"),
        # 3 adverts, a skew of 2/256 s, 0.05 s of clocks, and a reload of three instances.
        ({"UNICAST_PEERS": PEERS}, "up to 3.27 s,"),
        ({"VRRP_ID_OFFSET": "0"}, "up to 3.27 s,"),
        ({"NETWORK_INTERFACE": "eth1"}, "up to 3.27 s,"),
        ({"VRRP_ID_OFFSET": "0", "VRRP_VERSION": "3", "ADVERT_INT": "0.1"}, "up to 560 ms,"),
        ({"VRRP_ID_OFFSET": "0", "VERBATIM": "down_timer_adverts 5"}, "up to 5.27 s,"),
    ],
)
def test_a_change_at_an_instant_costs_what_keepalived_takes(tmp_path: Path, new: dict[str, str], outage: str) -> None:
    answer = migrate(tmp_path, **new)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == "Changed one after another, nodes would elect two owners of these VIPs:"
    assert lines[1].startswith("    10.0.0.1 and 2 more: ")
    assert lines[2] == f"When all nodes change at one instant, a VIP is without an owner for {outage}"
    assert lines[3].startswith("and has two for at most 81 ms, with clocks that are 50 ms apart")
    assert lines[-1].startswith("Give --at, the instant, and --output")


def test_clocks_that_differ_more_than_adverts_may_be_missed_cost_two_owners() -> None:
    old, new = plan(**OLD), plan(**{**OLD, "VRRP_VERSION": "3", "ADVERT_INT": "0.1"})
    found = [(case, 3) for case in cases([old], [new])]
    assert [round(promise(found, 3, clocks).two_owners, 2) for clocks in (0.05, 0.09, 1.0)] == [0.08, 0.08, 0.99]
    # At the pace of VRRP 2 a second is borne.
    slow = [(case, 3) for case in cases([old], [plan(**{**OLD, "CONFIG_NAME": "two"})])]
    assert promise(slow, 3, 1.0).two_owners < 0.1


@pytest.mark.parametrize(
    ("lines", "count"), [("", 3), ("down_timer_adverts 5", 5), (" vrrp_down_timer_adverts 4 # x", 4)]
)
def test_as_many_adverts_may_be_missed_as_somebody_writes(lines: str, count: int) -> None:
    assert missed(settings(variables(VERBATIM_GLOBAL=lines))) == count


def test_an_outage_that_is_longer_than_is_allowed_is_refused(tmp_path: Path) -> None:
    words = ("--at", FAR, "--output", tmp_path / "out", "--max-outage")
    answer = migrate(tmp_path, *words, "3s", VRRP_ID_OFFSET="0")
    assert (answer.code, (tmp_path / "out").exists()) == (1, False)
    assert answer.err == ("hacheck: --max-outage allows 3 s; VRRP 3 with a shorter --advert-int has a shorter outage\n")
    assert migrate(tmp_path, *words, "4s", VRRP_ID_OFFSET="0").code == 0


def test_pods_get_an_env_file_that_says_the_same_with_the_instant(tmp_path: Path) -> None:
    new = {**OLD, "UNICAST_PEERS": PEERS, "CHECK_SCRIPT": "sh -c 'a b'"}
    answer = migrate(tmp_path, "--at", FAR, "--output", tmp_path / "out", "--vrrp-version", "3", **new)
    assert answer.code == 0
    assert answer.out.endswith(f"before\n{FAR}: they keep the old ones until then, and change together.\n")
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == "OpenShift-IPFailover.env"
    given = env_file(file.read_text(), "FILE").given
    expected = {**new, "VRRP_VERSION": "3", "CHANGE_AT": FAR}
    assert {name: one.text for name, one in given.items()} == variables(**expected)
    # Pods with it differ in nothing from what was told.
    assert migrate(tmp_path, old=file.read_text(), **{**new, "VRRP_VERSION": "3"}).code == 0


def test_what_the_stock_version_decides_is_written_out(tmp_path: Path) -> None:
    new = {name: text for name, text in OLD.items() if name != "VRRP_ID_OFFSET"}
    file = tmp_path / "old"
    file.write_text("".join(f"{name}={text}\n" for name, text in variables(**OLD).items()))
    words = ("--against", file, "--stock", "4.19", "--at", FAR, "--output", tmp_path)
    assert hacheck("ipfailover", "migrate", *words, timeout=60, **variables(**new)).code == 0
    assert "OPENSHIFT_HA_VRRP_ID_OFFSET=0\n" in (tmp_path / "OpenShift-IPFailover.env").read_text()


def test_nodes_without_hachecks_get_a_directory_each(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret")
    password.chmod(0o600)
    words = ("--at", FAR, "--write", "keepalived", "--output", tmp_path / "out")
    answer = migrate(tmp_path, *words, AUTH_PASS_FILE=str(password))
    assert answer.code == 0, answer
    assert "s3cret" not in answer.out + answer.err
    assert f"Before {FAR}, on every node:" in answer.out
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == [f"10.0.1.{node}/{name}" for node in (1, 2) for name in ("change.sh", "next.conf")]
    conf = tmp_path / "out" / "10.0.1.1" / "next.conf"
    assert "auth_pass s3cret" in conf.read_text()
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600
    assert (tmp_path / "out" / "10.0.1.1" / "change.sh").read_text() == script(instant.parse(FAR))


def test_adverts_come_to_be_signed_in_steps(tmp_path: Path) -> None:
    signed = {"VRRP_VERSION": "3", "AUTH_HMAC_KEY_FILE": "/etc/key", "AUTH_HMAC_MODE": "enforce"}
    answer = migrate(tmp_path, "--at", FAR, "--output", tmp_path / "out", **signed)
    assert (answer.code, (tmp_path / "out").exists()) == (1, False)
    assert answer.out.splitlines()[2:] == [
        "Adverts come to be signed in steps, of which each bears the one before:",
        "1. the new variables with OPENSHIFT_HA_AUTH_HMAC_MODE=receive-only: another migration, at an instant",
        "2. the new variables with OPENSHIFT_HA_AUTH_HMAC_MODE=permissive, node by node",
        "3. the new variables with OPENSHIFT_HA_AUTH_HMAC_MODE=enforce, node by node",
        "Begin a step when every node has the one before. All nodes need Keepalived 2.4.2 or newer and the same key",
    ]
    old, new = plan(**{**OLD, **signed}), plan(**{**OLD, "VRRP_VERSION": "3"})
    assert several(cases([old], [new])) == (3, 0)
    step = plan(**{**OLD, **signed, "AUTH_HMAC_MODE": "permissive"})
    assert cases([old], [step]) == cases([step], [old]) == ()


@pytest.mark.parametrize(
    ("new", "needed"),
    [
        ({"VRRP_ID_OFFSET": "10"}, ["OPENSHIFT_HA_VRRP_ID_OFFSET=0", "OPENSHIFT_HA_CONFIG_NAME=ipf"]),
        ({"VRRP_ID_OFFSET": "0", "CONFIG_NAME": "ipf", "VRRP_VERSION": "3"}, ["OPENSHIFT_HA_VRRP_VERSION=2"]),
        ({"VRRP_ID_OFFSET": "0", "CONFIG_NAME": "ipf", "ADVERT_INT": "2"}, ["OPENSHIFT_HA_ADVERT_INT=1"]),
    ],
)
def test_pods_of_the_stock_image_are_taken_over_first(tmp_path: Path, new: dict[str, str], needed: list[str]) -> None:
    answer = migrate(tmp_path, "--at", FAR, old=STOCK % 0, **new)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert "Pods of the stock image cannot be told an instant" in answer.out
    first = lines.index("First roll out new pods with the election that the old ones have; that needs")
    given = [
        line.strip()
        for line in lines[
            first + 1 : lines.index("and then migrate these, at an instant. In this way no VIP has two owners.")
        ]
    ]
    assert given == needed
    assert "no VIP has an owner from then on until" in lines[-1]
    # With these values nothing is to be migrated, which the advice says of itself.
    values = dict(line.split("=", 1) for line in given)
    file = tmp_path / "old"
    environ = {**variables(**{**OLD, **new}), **values}
    again = hacheck("ipfailover", "migrate", "--against", file, timeout=60, **environ)
    assert (again.code, again.out.split(":")[0]) == (0, "Nothing is to be migrated"), again


def test_groups_of_the_stock_image_cannot_be_taken_over(tmp_path: Path) -> None:
    answer = migrate(tmp_path, old=STOCK % 1, VIP_GROUPS="1", VRRP_ID_OFFSET="0", CONFIG_NAME="ipf")
    assert answer.code == 1
    assert "New pods cannot take their election over either, since the adverts of the stock image carry" in answer.out


def test_pods_of_ours_in_the_stock_image_are_told_an_instant(tmp_path: Path) -> None:
    ours = (STOCK % 0).replace(
        "        env:", "        command: [sh, /etc/keepalive/hacheck, ipfailover, run]\n        env:"
    )
    answer = migrate(tmp_path, old=ours, VRRP_ID_OFFSET="10")
    assert "When all nodes change at one instant" in answer.out


@pytest.mark.parametrize("peers", ["", PEERS])
def test_an_old_keepalived_conf_says_what_its_adverts_carry(tmp_path: Path, peers: str) -> None:
    same = {**OLD, "UNICAST_PEERS": peers}
    old = hacheck("ipfailover", "render", "--node", "10.0.1.1", timeout=60, **variables(**same)).out
    assert migrate(tmp_path, old=old, **same).code == 0
    for name, text in {"ADVERT_INT": "2", "CONFIG_NAME": "two", "VRRP_VERSION": "3", "VRRP_ID_OFFSET": "90"}.items():
        answer = migrate(tmp_path, old=old, **{**same, name: text})
        assert answer.code == 1
        assert "When all nodes change at one instant" in answer.out


def test_ids_that_move_because_a_vip_goes_are_a_ledger_s(tmp_path: Path) -> None:
    said = "VIPs keep their ids while others come and go where a ledger has them: give --ledger."
    assert said in migrate(tmp_path, VIRTUAL_IPS="10.0.0.2-3", VRRP_ID_OFFSET="20").out
    assert said not in migrate(tmp_path, VRRP_ID_OFFSET="20").out


@pytest.mark.parametrize(
    ("new", "vip"),
    [
        ({"VIRTUAL_IPS": "10.0.0.2-3"}, "10.0.0.2 would have the id 11, which 10.0.0.1 has now."),
        ({"VIRTUAL_IPS": "10.0.0.3,10.0.0.2,10.0.0.1"}, "10.0.0.3 would have the id 11, which 10.0.0.1 has now."),
        ({"VRRP_ID_OFFSET": "9"}, "10.0.0.2 would have the id 11, which 10.0.0.1 has now."),
        ({"VRRP_ID_OFFSET": "11", "VRRP_VERSION": "3"}, "10.0.0.1 would have the id 12, which 10.0.0.2 has now."),
        ({"VIP_GROUPS": "2"}, "10.0.0.2 would have the id 11, which 10.0.0.1 has now."),
    ],
)
def test_an_id_that_is_in_use_is_given_to_no_other_vip(tmp_path: Path, new: dict[str, str], vip: str) -> None:
    out = tmp_path / "out"
    answer = migrate(tmp_path, "--at", FAR, "--output", out, **new)
    assert (answer.code, out.exists()) == (1, False)
    assert answer.out.splitlines()[-1].startswith(f"No reload can do this: {vip}")
    # Where the old instances end, or speak another way, their ids are free.
    assert migrate(tmp_path, "--at", FAR, "--output", out, NETWORK_INTERFACE="eth1", **new).code == 0
    assert migrate(tmp_path, "--at", FAR, "--output", out, UNICAST_PEERS=PEERS, **new).code == 0


def test_new_peers_may_also_be_started_last(tmp_path: Path) -> None:
    old = "".join(f"{name}={text}\n" for name, text in variables(**{**OLD, "UNICAST_PEERS": PEERS}).items())
    more = {"NODES": f"{PEERS},10.0.1.3", "UNICAST_PEERS": f"{PEERS},10.0.1.3"}
    answer = migrate(tmp_path, old=old, **more)
    assert answer.code == 1
    assert "Without an instant: change the old nodes one after another, and start the new ones when" in answer.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--at", "5m", "--change-at", FAR], "--change-at is what --at comes to; leave it out"),
        (["--output", "x"], "--output needs --at, the instant at which nodes change"),
        (["--at", "2020-01-01T00:00:00Z"], "is not in the year to come"),
        (["--at", "soon"], "'soon' is no time; write 10m or 20"),
        (["--clocks", "2m"], "nodes whose clocks are a minute apart cannot change at one instant; use NTP"),
        (["--at", "100s", "--output", "x", "--vrrp-id-offset", "0"], "kubelet may take 90 s to bring a ConfigMap"),
        (["--at", "4s", "--output", "x", "--write", "keepalived", "--vrrp-id-offset", "0"], "is too near"),
        (["--against", "/nothing"], "/nothing: No such file or directory"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, words: list[str], why: str) -> None:
    answer = migrate(tmp_path, *words)
    assert answer.code == 2
    assert why in answer.err
    assert "Traceback" not in answer.err


def test_the_instant_is_written_as_keepalived_reads_it() -> None:
    text = script(instant.parse(FAR))
    assert f"printf '%s\\n$CONFIGURATION=%s\\n' '{FAR.replace('T', ' ')}'" in text
    assert "@" not in text.replace("nobody@localhost", "")
