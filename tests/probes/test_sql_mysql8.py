"""MySQL 8 is asked in its own words, and its passwords are not given to everybody."""

from __future__ import annotations

import json
import sys

import pytest

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from hachecks.verdict import Status, Verdict
from tests.contracts import MEMORY_KIB
from tests.measured import measured
from tests.mysql8 import GROUP_CHANNEL, REPLICA, MySQL8, packet, pairs, table

WRITABLE = pairs(read_only="OFF", super_read_only="OFF", offline_mode="OFF", innodb_read_only="OFF")
EMPTY_PASSWORD = repr(packet(3, b"\0"))
READ_ONLY = pairs(read_only="ON", super_read_only="ON", offline_mode="OFF", innodb_read_only="OFF")


def ask(server: MySQL8, **given: object) -> Verdict:
    """The verdict on the server."""
    values = {"url": f"mysql://u@127.0.0.1:{server.port}/", "password": "secret", **given}
    return runner.conclude(build(SqlProbe, "sql", {}, {}, values, "hacheck.toml"), Deadline.after(20))


def test_cached_password_is_proved() -> None:
    with MySQL8("secret", {}) as server:
        assert repr(ask(server)) == f"PASS - 127.0.0.1:{server.port} accepts the login"
        assert ask(server, password="wrong").status is Status.UNKNOWN
        assert any(s.startswith("set session max_execution_time = ") for s in server.statements)


@pytest.mark.parametrize(
    "refuses",
    [
        pytest.param({"set session max_execution_time": (1193, "Unknown system variable")}, id="execution-time"),
        pytest.param({"set session": (1193, "Unknown system variable")}, id="every-limit"),
        pytest.param({"set names": (1115, "Unknown character set: 'utf8mb4'")}, id="names"),
        pytest.param({"set": (1227, "Access denied; you need (at least one of) the SUPER privilege")}, id="everything"),
        pytest.param({"start transaction read only": (1064, "You have an error in your SQL syntax")}, id="read-only"),
    ],
)
def test_server_that_does_not_know_our_niceties_serves_all_the_same(refuses: dict[str, tuple[int, str]]) -> None:
    with MySQL8("secret", {"select": table({"x": "1"})}, refuses=refuses) as server:
        verdict = ask(server, query="select 1", expect="1")
        assert repr(verdict) == f"PASS - 127.0.0.1:{server.port} answers the query with 1"


def test_password_that_is_not_cached_needs_tls() -> None:
    with MySQL8("secret", {}, cached=False) as server:
        verdict = ask(server)
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.endswith("(caching_sha2_password), which needs --tls")
    assert server.statements == [EMPTY_PASSWORD]  # not even the key was asked for


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog", "sha256_password"])
def test_clear_password_needs_tls(plugin: str) -> None:
    with MySQL8("secret", {}, plugin=plugin) as server:
        verdict = ask(server)
    told = "wants the password in clear text, which needs --tls"
    assert repr(verdict) == f"UNKNOWN - 127.0.0.1:{server.port} {told}"
    assert server.statements == [EMPTY_PASSWORD]


def test_unknown_plugin_is_unknown() -> None:
    with MySQL8("secret", {}, plugin="parsec") as server:
        verdict = ask(server)
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.endswith("wants the authentication plugin parsec, which a check does not speak")
    assert server.statements == [EMPTY_PASSWORD]  # so that it counts no broken handshake


@pytest.mark.parametrize(
    ("variables", "channels", "role"),
    [
        pytest.param(WRITABLE, table(), "primary", id="primary"),
        pytest.param(WRITABLE, table(GROUP_CHANNEL), "primary", id="primary-of-a-group"),
        pytest.param(READ_ONLY, table(REPLICA), "standby", id="standby"),
        pytest.param(WRITABLE, table(REPLICA), "standby", id="standby-that-takes-writes"),
        pytest.param(READ_ONLY, table(), "", id="neither"),
        pytest.param(pairs(offline_mode="ON"), table(), "", id="offline"),
        pytest.param(READ_ONLY, table(REPLICA, {**REPLICA, "Replica_SQL_Running": "No"}), "", id="one-channel-broken"),
    ],
)
def test_role_is_told(variables: object, channels: object, role: str) -> None:
    answers = {"show global variables": variables, "show replica status": channels}
    with MySQL8("secret", answers) as server:  # type: ignore[arg-type]
        passing = [asked for asked in ("primary", "standby") if ask(server, role=asked).status is Status.PASS]
    assert passing == [role] * bool(role)


def members(*states: str, role: str = "PRIMARY") -> object:
    """A group in which the server comes first."""
    roles = [role, *("SECONDARY" for _ in states[1:])]
    rows = [
        {"MEMBER_ID": str(number), "MEMBER_HOST": "x", "MEMBER_STATE": state, "MEMBER_ROLE": each}
        for number, (state, each) in enumerate(zip(states, roles))
    ]
    return table(*rows)


APPLIER = {**GROUP_CHANNEL, "Channel_Name": "group_replication_applier"}


@pytest.mark.parametrize(
    ("group", "variables", "role"),
    [
        pytest.param(members("ONLINE", "ONLINE", "ONLINE"), WRITABLE, "primary", id="primary"),
        pytest.param(members("ONLINE", "ONLINE", "UNREACHABLE"), WRITABLE, "primary", id="primary-with-majority"),
        pytest.param(members("ONLINE", "RECOVERING", "UNREACHABLE"), WRITABLE, "primary", id="one-joins"),
        pytest.param(members("ONLINE", "UNREACHABLE", "UNREACHABLE"), WRITABLE, "", id="primary-without-majority"),
        pytest.param(members("ONLINE", "UNREACHABLE"), WRITABLE, "", id="half-is-no-majority"),
        pytest.param(members("ONLINE", "ONLINE", role="SECONDARY"), READ_ONLY, "standby", id="secondary"),
        pytest.param(members("ONLINE", role="SECONDARY"), READ_ONLY, "standby", id="secondary-alone"),
        pytest.param(
            members("ONLINE", "UNREACHABLE", "UNREACHABLE", role="SECONDARY"), READ_ONLY, "", id="secondary-cut-off"
        ),
        pytest.param(members("RECOVERING", "ONLINE", role="SECONDARY"), READ_ONLY, "", id="recovering"),
        pytest.param(members("ERROR", role=""), READ_ONLY, "", id="expelled"),
        pytest.param(members("OFFLINE", role=""), READ_ONLY, "", id="stopped"),
        pytest.param(members("ONLINE", "ONLINE"), READ_ONLY, "", id="primary-that-is-read-only"),
    ],
)
def test_role_in_a_group_is_told(group: object, variables: object, role: str) -> None:
    answers = {
        "show global variables": variables,
        "show replica status": table(APPLIER, GROUP_CHANNEL),
        "\nselect m.*": group,
    }
    with MySQL8("secret", answers) as server:  # type: ignore[arg-type]
        passing = [asked for asked in ("primary", "standby") if ask(server, role=asked).status is Status.PASS]
    assert passing == [role] * bool(role)


def test_group_that_may_not_be_seen_is_unknown() -> None:
    answers = {"show global variables": READ_ONLY, "show replica status": table(APPLIER)}
    with MySQL8("secret", answers, refuses={"\nselect m.*": (1142, "SELECT command denied")}) as server:
        verdict = ask(server, role="standby")
    assert verdict.status is Status.UNKNOWN
    assert "grant select on performance_schema.replication_group_members" in verdict.reason
    answers = {"show global variables": WRITABLE}
    with MySQL8("secret", answers, refuses={"\nselect m.*": (1142, "SELECT command denied")}) as server:
        assert ask(server, role="primary").status is Status.PASS  # nothing says that it is in one


def test_secondary_that_applies_late_is_behind() -> None:
    answers = {
        "show global variables": READ_ONLY,
        "show replica status": table(APPLIER),
        "\nselect m.*": members("ONLINE", "ONLINE", role="SECONDARY"),
        "\nselect max(": table({"seconds": "7"}),
    }
    with MySQL8("secret", answers) as server:  # type: ignore[arg-type]
        assert ask(server, max_lag="9s").reason.endswith("is standby, is 7 s behind")
        assert ask(server, max_lag="5s").status is Status.FAIL


def test_primary_without_majority_takes_no_writes() -> None:
    answers = {"show global variables": WRITABLE, "\nselect m.*": members("ONLINE", "UNREACHABLE", "UNREACHABLE")}
    with MySQL8("secret", answers) as server:  # type: ignore[arg-type]
        told = "is in a replication group without a majority"
        assert repr(ask(server, writable=True)) == f"FAIL - 127.0.0.1:{server.port} {told}"


@pytest.mark.parametrize(
    ("lag", "status"),
    [("3", Status.PASS), ("11", Status.FAIL), (None, Status.FAIL)],
)
def test_lag_is_judged(lag: str | None, status: Status) -> None:
    channels = table({**REPLICA, "Seconds_Behind_Source": lag})
    with MySQL8("secret", {"show global variables": READ_ONLY, "show replica status": channels}) as server:
        assert ask(server, max_lag="10s").status is status


def test_read_only_server_takes_no_writes() -> None:
    with MySQL8("secret", {"show global variables": READ_ONLY}) as server:
        told = "takes no writes (read_only, super_read_only)"
        assert repr(ask(server, writable=True)) == f"FAIL - 127.0.0.1:{server.port} {told}"


def test_endless_answer_ends_within_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HACHECK_SQL_PASSWORD", "secret")
    with MySQL8("secret", {"select": table({"x": "1"})}, endless=True) as server:
        url = f"mysql://u@127.0.0.1:{server.port}/"
        words = ("--query", "select 1", "--format", "json", "--timeout", "10s")
        run = measured(sys.executable, "-m", "hachecks", "sql", url, *words)
    assert json.loads(run.out)["status"] == "FAIL"
    assert "sent more than the 1000 rows" in run.out
    assert run.peak_kib <= MEMORY_KIB
