"""What lint says of a keepalived.conf Keepalived says as well, where it says anything, and takes the corrected one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.lint.catalogue import RULES
from tests.failover.requirements import missing_command
from tests.ipfailover.linting import GOOD_CONF, changed, conf_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LACKING = missing_command("keepalived", "ip", "unshare")
pytestmark = [pytest.mark.failover, pytest.mark.skipif(bool(LACKING), reason=f"needs {LACKING}")]
PRIORITY = "    priority 254\n"


@pytest.fixture
def tested(tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """Gives the exit status and the words of keepalived --config-test, in a network of its own with the interface."""

    def test(text: str) -> tuple[int, str]:
        path = tmp_path / "keepalived.conf"
        path.write_text(text)
        script = (
            "ip link add vrrp0 type veth peer name vrrp1 && ip addr add 10.9.0.1/24 dev vrrp0 && ip link set vrrp0 up "
            f"&& ip link set vrrp1 up && keepalived --config-test --log-console --log-detail -f {path}"
        )
        command = ["unshare", "--net", "sh", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    return test


def test_keepalived_finds_nothing_where_lint_does_not(tested: Callable[[str], tuple[int, str]]) -> None:
    assert conf_with().findings() == []
    assert tested(GOOD_CONF) == (0, "")


@pytest.mark.parametrize(
    ("code", "said", "changes"),
    [
        ("HA201", "interface", [("    interface vrrp0\n", "")]),
        ("HA202", "address family must match", [("10.0.0.1/32\n", "10.0.0.1/32\nfd00::1/128\n")]),
        ("HA204", "strict mode", [("    enable_script", "    vrrp_strict\n    enable_script")]),
        (
            "HA206",
            "Truncating auth_pass to 8 characters",
            [(PRIORITY, f"{PRIORITY}authentication {{\nauth_type PASS\nauth_pass secretsecret\n}}\n")],
        ),
        (
            "HA207",
            "VRRP version 3 does not support authentication",
            [(PRIORITY, f"{PRIORITY}version 3\nauthentication {{\nauth_type PASS\nauth_pass x\n}}\n")],
        ),
        ("HA220", "preempt delay will not work with initial state MASTER", [("state BACKUP", "state MASTER")]),
        (
            "HA220",
            "nopreempt will not work with initial state MASTER",
            [("state BACKUP", "state MASTER"), ("preempt_delay 60", "nopreempt")],
        ),
        ("HA221", "incompatible with priority 255", [("254", "255"), ("preempt_delay 60", "nopreempt")]),
        ("HA223", "must be an integer", [(PRIORITY, f"{PRIORITY}    advert_int 0.5\n")]),
        ("HA223", "out of range", [(PRIORITY, f"{PRIORITY}    version 3\n    advert_int 41\n")]),
        ("HA225", "Unknown keyword 'preempt_nodelay'", [("preempt_delay 60", "preempt_nodelay 300")]),
        ("HA232", "Defaulting to multicast", [("        10.9.0.2\n", "")]),
        ("HA244", "invalid number '1.5'", [("interval 2", "interval 1.5")]),
        ("HA246", "SECURITY VIOLATION", [("    enable_script_security\n", "")]),
        ("HA252", "weight", [("    fall 2\n", "    fall 2\n    weight 300\n")]),
    ],
)
def test_keepalived_says_what_lint_says(
    tested: Callable[[str], tuple[int, str]], code: str, said: str, changes: list[tuple[str, str]]
) -> None:
    status, told = tested(changed(GOOD_CONF, *changes))
    assert status != 0
    assert said.lower() in told.lower()
    assert code in conf_with(*changes).codes()


def test_keepalived_disables_a_script_that_anybody_may_replace(
    tested: Callable[[str], tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "map").mkdir(mode=0o777)
    (tmp_path / "map").chmod(0o777)
    (tmp_path / "map" / "check").write_text("#!/bin/sh\n")
    (tmp_path / "map" / "check").chmod(0o755)
    before = "/usr/bin/sh /etc/keepalive/hacheck run vip"
    assert (
        "Disabling track script service due to insecure"
        in tested(changed(GOOD_CONF, (before, f"{tmp_path}/map/check")))[1]
    )
    assert "HA247" in conf_with((before, "/etc/keepalive/check")).codes()


@pytest.mark.parametrize(
    ("code", "text", "mode", "begins"),
    [
        ("HA134", "exit 1\n", 0o755, "#!/bin/sh\n"),
        ("HA134", "#!/bin/sh\r\nexit 1\r\n", 0o755, ""),
        ("HA132", "#!/bin/sh\nexit 1\n", 0o644, ""),
        ("HA130", None, 0, ""),
    ],
    ids=["no-interpreter", "windows", "not-executable", "not-there"],
)
def test_a_check_that_cannot_be_started_holds_the_vip(
    tmp_path: Path, code: str, text: str | None, mode: int, begins: str
) -> None:
    """The script says no, and nobody hears it: the same script, mended, keeps the VIP away."""
    check = tmp_path / "check"
    (tmp_path / "keepalived.conf").write_text(
        f'vrrp_script c {{\n script "{check}"\n interval 1\n}}\nvrrp_instance V {{\n interface vrrp0\n priority 254\n'
        " virtual_router_id 9\n track_script {\n c\n }\n virtual_ipaddress {\n 10.0.0.1/32\n }\n}\n"
    )
    if text is not None:
        check.write_bytes(text.encode())
        check.chmod(mode)
    assert "10.0.0.1" in outcome(tmp_path)
    check.write_text(begins + (text or "#!/bin/sh\nexit 1\n").replace("\r", ""))
    check.chmod(0o755)
    assert "VRRP_Script(c) failed" in outcome(tmp_path)
    assert code in RULES


def outcome(directory: Path) -> str:
    """What is there first when Keepalived runs: the VIP on its interface, or the failure of the check in its log."""
    script = (
        "ip link add vrrp0 type veth peer name vrrp1; ip addr add 10.9.0.1/24 dev vrrp0; ip link set vrrp0 up\n"
        "ip link set vrrp1 up; ip link set lo up\n"
        f"cd {directory}; rm -f log *.pid; keepalived -n -l -D -f keepalived.conf -p one.pid -r two.pid >log 2>&1 &\n"
        "for _ in $(seq 200); do\n"
        f"  ip -4 addr show dev vrrp0 | grep 10.0.0.1 && exit; grep 'VRRP_Script(c) failed' {directory}/log && exit\n"
        "  sleep 0.1\ndone\n"
    )
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout
