"""Keepalived takes every file that is rendered, and what is read in it is the plan."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings

from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.render import Options, rendered
from hachecks.ipfailover.render.target import target
from hachecks.keepalived import read_configuration
from hachecks.settings import Invalid
from tests.failover.namespace import Namespace, namespace, wait_until
from tests.failover.requirements import missing_command
from tests.ipfailover.given import EXAMPLES, settings
from tests.ipfailover.rendering import CASES, planned, render, rendered_environments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings

LACKING = missing_command("ip", "keepalived", "nsenter", "setpriv", "unshare")
pytestmark = pytest.mark.skipif(LACKING is not None, reason=LACKING or "")

ETH0 = """
ip link add eth0 type veth peer name other
ip link set eth0 up
ip link set other up
ip addr add 10.9.0.1/24 dev eth0
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Namespace]:
    """A machine whose only interface is eth0."""
    with namespace(ETH0) as inside:
        yield inside


def judged(machine: Namespace, file: Path) -> tuple[int, str]:
    """What Keepalived says of a file."""
    done = machine.run("keepalived", "--config-test", "-f", str(file))
    return done.returncode, f"{done.stdout}{done.stderr}"


def accept(machine: Namespace, file: Path, plan: Plan, found: Settings, node: str, text: str) -> None:
    """Fail unless Keepalived takes a file without a word, and what we read in it is the plan."""
    file.write_text(text)
    assert judged(machine, file) == (0, "")
    read = read_configuration(str(file))
    assert read.findings == ()
    here = target(plan, found, node, Options())
    assert [
        (one.name, one.vrid, one.priority, one.interface, one.unicast, [vip.address for vip in one.addresses])
        for one in read.instances
    ] == [
        (one.name, one.id, here.priority(one), found.interface, bool(found.unicast_peers), list(one.vips))
        for one in plan.instances
    ]
    assert all(
        [vip.excluded for vip in one.addresses] == [False, *[True] * (len(one.addresses) - 1)] for one in read.instances
    )
    assert {one.timeout or one.interval for one in read.scripts} <= {found.check_timeout or found.check_interval}
    assert {name for one in read.instances for name in one.scripts} == {one.name for one in read.scripts}


@pytest.mark.parametrize("case", CASES)
def test_keepalived_takes_a_rendered_file(machine: Namespace, tmp_path: Path, case: str) -> None:
    short, node, options = CASES[case]
    plan, found = planned(short)
    accept(machine, tmp_path / "keepalived.conf", plan, found, node, rendered(plan, found, node, options))


def test_keepalived_finds_what_is_wrong(machine: Namespace, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text(render({}).replace("state BACKUP", "estate BACKUP"))
    assert judged(machine, tmp_path / "conf")[0] == 5


@hypothesis_settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(rendered_environments)
def test_keepalived_takes_whatever_is_not_refused(machine: Namespace, tmp_path: Path, environ: dict[str, str]) -> None:
    try:
        found = settings(environ)
        (plan,), _ = plan_all([found], {}, None)
        node = plan.nodes[0] if plan.nodes else "a"
        text = rendered(plan, found, node)
    except Invalid as error:
        event("refused")
        refusal = str(error)
    else:
        event("rendered")
        accept(machine, tmp_path / "keepalived.conf", plan, found, node, text)
        return
    assert "\n" not in refusal


def test_keepalived_starts_a_check_with_the_words_that_were_meant(tmp_path: Path) -> None:
    words = ["a b", "#", "!x", "$HOME", "${_INSTANCE}", "{}", "~SEQ(1,2)", "<1-3>", "back\\slash", "it's", "é"]
    words += ["line\nend\ttab", "", "10.0.0.1"]
    dump = tmp_path / "dump.py"
    lines = ["import json, os, sys", "new = sys.argv[1] + '.new'", "open(new, 'w').write(json.dumps(sys.argv[2:]))"]
    dump.write_text("\n".join([*lines, "os.rename(new, sys.argv[1])", ""]))
    given_words = [*words[:-1], "{vip}"]
    command = " ".join(["python3", str(dump), str(tmp_path / "said"), *map(quoted, given_words)])
    text = render({"CHECK_SCRIPT": command, "NOTIFY_SCRIPT": command.replace("said", "told")})
    with namespace(ETH0) as machine:
        (tmp_path / "conf").write_text(text)
        machine.start("keepalived", "-n", "--vrrp", "-f", str(tmp_path / "conf"), *pid_files(tmp_path))
        files = [tmp_path / "said", tmp_path / "told"]
        wait_until("both have run", lambda: all(one.exists() for one in files))
    assert json.loads((tmp_path / "said").read_text()) == words
    assert json.loads((tmp_path / "told").read_text())[: len(words)] == words


def pid_files(directory: Path) -> tuple[str, ...]:
    """Options by which Keepalived leaves the machine's own directories alone."""
    return f"--pid={directory}/pid", f"--vrrp_pid={directory}/vrrp_pid"


def quoted(word: str) -> str:
    """A word as one writes it in OPENSHIFT_HA_CHECK_SCRIPT, which Keepalived takes escapes from twice."""
    escaped = word.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return "'" + escaped.replace("\\", "\\\\") + "'"


def test_a_check_that_is_missing_fails(tmp_path: Path) -> None:
    text = render({"CHECK_SCRIPT": str(tmp_path / "nowhere.sh"), "VRRP_VERSION": "3", "ADVERT_INT": "0.1"})
    heard: list[str] = []
    with namespace(ETH0) as machine:
        (tmp_path / "conf").write_text(text)
        options = ("-n", "-l", "--vrrp", "-f", str(tmp_path / "conf"), *pid_files(tmp_path))
        machine.start("keepalived", *options, heard=heard.append)
        wait_until("the check has failed", lambda: any("now returning 127" in line for line in heard))
        assert "10.0.0.1" not in machine.must("ip", "addr", "show", "eth0")


@contextmanager
def running(directory: Path, short: dict[str, str]) -> Iterator[tuple[Namespace, Callable[[], set[str]], list[str]]]:
    """Keepalived with a rendered file and fast adverts: its machine, the VIPs it has, and what it says."""
    file = directory / "keepalived.conf"
    file.write_text(render({"VRRP_VERSION": "3", "ADVERT_INT": "0.1", "CHECK_INTERVAL": "1", **short}))
    vips = {str(one) for one in planned(short)[1].virtual_ips.addresses}
    heard: list[str] = []
    with namespace(ETH0) as machine:

        def there() -> set[str]:
            words = machine.must("ip", "-o", "addr", "show", "eth0").split()
            return vips & {word.partition("/")[0] for word in words}

        machine.start("keepalived", "-n", "-l", "--vrrp", "-f", str(file), *pid_files(directory), heard=heard.append)
        yield machine, there, heard


@pytest.mark.parametrize(("on_fail", "keeps"), [("fault", False), ("last-resort", True)])
def test_a_node_alone_whose_check_fails_keeps_its_vips_as_the_last_resort(
    tmp_path: Path, on_fail: str, keeps: bool
) -> None:
    (tmp_path / "well").touch()
    short = {"CHECK_SCRIPT": f"sh -c 'test -e {tmp_path}/well'", "ON_FAIL": on_fail, "PREEMPTION": "preempt"}
    with running(tmp_path, short) as (_, there, heard):
        wait_until("the node has its VIP", lambda: bool(there()))
        before = len(heard)  # a busy machine may have been too slow for a check that was well
        (tmp_path / "well").unlink()
        what = "Changing effective priority from" if keeps else "Entering FAULT STATE"
        wait_until("the failure counts", lambda: any(what in line for line in heard[before:]))
        if keeps:
            assert there() == {"10.0.0.1"}
        else:
            wait_until("the VIP has gone", lambda: not there())


def test_a_node_has_no_vip_until_the_agent_says_that_it_is_well(tmp_path: Path) -> None:
    file = tmp_path / "vip"
    short = {"CHECK_SCRIPT": "sh -c 'exit 0'", "TRACK_FILE": str(file), "PREEMPTION": "preempt"}
    with running(tmp_path, short) as (_, there, heard):
        wait_until("the check has run", lambda: any("succeeded" in line for line in heard[:]))
        wait_until("the file counts", lambda: any("entering FAULT state (tracked file" in line for line in heard[:]))
        assert file.read_text().strip() == "1"
        assert there() == set()
        (tmp_path / "new").write_text("0\n")
        (tmp_path / "new").rename(file)
        wait_until("the node has its VIP", lambda: bool(there()))


def test_all_vips_of_a_group_are_on_the_node_that_has_the_first(tmp_path: Path) -> None:
    short = {"VIRTUAL_IPS": "10.0.0.1-3,fd00::1-3", "VIP_GROUPS": "1", "MONITOR_PORT": "0", "PREEMPTION": "preempt"}
    with running(tmp_path, short) as (machine, there, _):
        wait_until("the node has its VIPs", lambda: len(there()) == 6)
        lines = machine.must("ip", "-o", "-4", "addr", "show", "eth0").splitlines()
        assert sum("eth0:vip" in line for line in lines) == 3
