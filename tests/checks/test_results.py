"""What a check leaves for the exporter, and that nothing about it makes another verdict of a verdict."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks import state
from hachecks.checks import results, runner
from hachecks.checks.publish import publish
from hachecks.checks.results import BUCKETS, CheckResults
from hachecks.checks.runner import RunOptions
from hachecks.deadline import Deadline
from hachecks.verdict import KINDS, Status, Verdict, one_line
from tests import servers
from tests.cli import ROOT, Answer, hacheck
from tests.failover.namespace import namespace
from tests.locks import stopped_with_the_lock
from tests.talker import talking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.talker import Talker

NOTING = """
import sys
from hachecks.checks import results
from hachecks.checks.runner import RunOptions
from hachecks.verdict import Verdict
verdict = Verdict.failing("it is broken " * 20, "refused", duration_seconds=0.02)
done = 0
while done < int(sys.argv[2]):
    try:
        results.record_run(sys.argv[1], "vip", "tcp", "it", verdict, RunOptions())
        done += 1
    except BlockingIOError:
        pass
"""
MD5_PASSWORD_WANTED = b"R" + (12).to_bytes(4, "big") + (5).to_bytes(4, "big") + b"salt"


def asks_for_a_password(connection: socket.socket, _talker: Talker) -> None:
    connection.recv(1000)
    connection.sendall(MD5_PASSWORD_WANTED)
    connection.recv(1)


class Raising:
    """A probe with a mistake in it."""

    subject = "it"

    def check(self, _deadline: Deadline) -> Verdict:
        raise KeyError("x")


def check(directory: Path, *words: object) -> tuple[Answer, CheckResults]:
    """Run a check, and what it has published."""
    answer = hacheck(*words, HACHECK_STATE_DIR=str(directory), PGPASSFILE="/nonexistent")
    (one,) = results.read_all(str(directory))
    return answer, one


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def address(sock: socket.socket) -> str:
    return "{}:{}".format(*sock.getsockname())


def test_a_check_leaves_its_verdict(tmp_path: Path) -> None:
    before = time.time()
    with listening() as sock:
        answer, one = check(tmp_path / "a" / "b", "tcp", address(sock), "--timeout", "2s", "--interval", "5s")
        assert answer.line == f"PASS - {one.reason}"
        assert one.subject == address(sock)
    assert (one.probe, one.status, one.good, one.kind) == ("tcp", "PASS", True, "")
    assert one.name.startswith("tcp-")
    assert before - 0.001 <= one.at <= time.time() + 0.001
    assert (one.last_success, one.boot, one.timeout, one.interval) == (one.at, state.boot_id(), 2.0, 5.0)
    assert (one.runs, one.failures, one.consecutive_failures) == (1, {}, 0)
    assert 0 < one.duration == one.seconds < 2
    assert one.durations == [*(int(one.duration <= bound) for bound in BUCKETS), 1]
    assert one.certificate_expiry is None


def test_runs_are_counted_and_the_last_success_is_kept(tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    words = ("file", switch)
    switch.touch()
    _, first = check(tmp_path / "state", *words)
    switch.unlink()
    for _ in range(2):
        answer, one = check(tmp_path / "state", *words)
        assert answer == (1, f"FAIL - {switch} does not exist\n", "")
    assert (one.runs, one.consecutive_failures, one.good) == (3, 2, False)
    assert one.failures == {"status": (2, one.at)}
    assert first.at == one.last_success
    assert first.at < one.at
    assert one.durations[-1] == 3
    assert (tmp_path / "state" / "last-failure").read_text() == f"{one.name}: {one.reason}\n"
    switch.touch()
    _, one = check(tmp_path / "state", *words)
    assert (one.runs, one.consecutive_failures, one.good) == (4, 0, True)
    assert one.failures["status"][0] == 2


def test_what_counts_is_what_the_exit_status_said(tmp_path: Path) -> None:
    words = ("tcp", "127.0.0.1:9", "--interface", "nosuch0", "--on-unknown", "pass")
    answer, one = check(tmp_path, *words)
    assert answer.code == 0
    assert (one.status, one.kind, one.good, one.failures) == ("UNKNOWN", "config", True, {})


CAUSES = {
    "timeout": "tcp {never_accepts}",
    "refused": "tcp {refusing}",
    # The broadcast address of the loopback interface: the kernel knows no way there for TCP, and sends nothing.
    "unreachable": "tcp 127.255.255.255:9",
    "dns": "tcp " + "a" * 64 + ".test:9",  # too long a label is never asked for
    "tls": "tcp {mail} --tls --no-verify",
    "status": "http {web}/missing",
    "body": "http {web}/ --body-matches goodbye",
    "auth": "sql postgresql://u@{database}/db",
    "protocol": "http http://{mail}/",
    "config": "http {web}/ --header-file /nonexistent",
}


@pytest.fixture(scope="module")
def places() -> Iterator[Mapping[str, str]]:
    with (
        servers.NeverAccepts() as never,
        servers.Refusing() as refusing,
        servers.Mail() as mail,
        servers.Http({"/": servers.Route(b"hello"), "/missing": servers.Route(b"", status=404)}) as web,
        talking(asks_for_a_password) as database,
    ):
        yield {
            "never_accepts": f"127.0.0.1:{never.port}",
            "refusing": f"127.0.0.1:{refusing.port}",
            "mail": f"127.0.0.1:{mail.port}",
            "web": web.url.rstrip("/"),
            "database": database.address,
        }


@pytest.mark.parametrize("kind", CAUSES)
def test_each_kind_of_reason_has_its_word(tmp_path: Path, places: Mapping[str, str], kind: str) -> None:
    within = "1s" if kind == "timeout" else "30s"
    answer, one = check(tmp_path, *CAUSES[kind].format(**places).split(), "--timeout", within)
    assert answer.code == 1
    assert (one.kind, list(one.failures)) == (kind, [kind]), one.reason


def test_a_mistake_of_ours_is_internal_and_no_more_kinds_are_there(tmp_path: Path) -> None:
    probe, options = Raising(), RunOptions()
    publish(probe, runner.run(probe, options, "x", Deadline.after(1.5)), options, "x", str(tmp_path), lambda _: None)
    (one,) = results.read_all(str(tmp_path))
    assert (one.status, one.kind) == ("UNKNOWN", "internal")
    assert sorted([*CAUSES, "internal"]) == list(KINDS)


def test_a_check_that_the_watchdog_ends_is_published(tmp_path: Path) -> None:
    def say_many_a(connection: socket.socket, _talker: Talker) -> None:
        connection.sendall(b"a" * 40 + b"!")
        connection.recv(1)

    with talking(say_many_a) as talker:
        answer, one = check(tmp_path, "tcp", talker.address, "--expect-regex", "(a+)+$", "--timeout", "2s",
                            "--format", "nagios")  # fmt: skip
    assert (answer.code, one.kind, one.duration, one.runs) == (2, "timeout", 2.0, 1)
    assert one.reason == f"{talker.address} was not judged within 2 s"


def test_a_composition_is_published_and_its_members_are_not(tmp_path: Path) -> None:
    config = tmp_path / "hacheck.toml"
    config.write_text(
        '[check.a]\nprobe = "file"\npath = "/etc/passwd"\n[check.b]\nprobe = "tcp"\ntarget = "127.255.255.255:9"\n'
        '[check.both]\nall = ["a", "b"]\n[check.one]\nany = ["b", "a"]\n'
    )
    answer, one = check(tmp_path / "both", "run", "both", "--config", config)
    assert (answer.code, one.name, one.probe, one.kind) == (1, "both", "all", "unreachable")
    answer, one = check(tmp_path / "one", "run", "one", "--config", config)
    assert (answer.code, one.name, one.probe, one.kind) == (0, "one", "any", "")
    _, one = check(tmp_path / "a", "run", "a", "--config", config)
    assert (one.name, one.probe) == ("a", "file")


def test_checks_at_once_all_end_well_and_are_counted_as_far_as_they_have_the_lock_in_time(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    words = [sys.executable, "-m", "hachecks", "file", "/etc/passwd"]
    running = [subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    (one,) = results.read_all(str(tmp_path))
    assert 1 <= one.runs == one.durations[-1] <= 4, "that none of the others is lost is seen below"


def test_a_run_waits_for_another_that_holds_the_lock_for_a_while(tmp_path: Path) -> None:
    began, pause = threading.Event(), 1.2 * state.LOCK_PATIENCE

    def hold(text: str) -> str:
        began.set()
        time.sleep(pause)
        return text

    holder = threading.Thread(target=state.exchange, args=(str(tmp_path), "verdict-x", hold))
    holder.start()
    began.wait(10)
    results.record_run(str(tmp_path), "x", "tcp", "it", run_of(), RunOptions())
    holder.join()
    assert results.read_all(str(tmp_path))[0].runs == 1


def noting(directory: Path, times: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", NOTING, str(directory), str(times)])


def test_processes_that_count_at_once_lose_nothing(tmp_path: Path) -> None:
    running = [noting(tmp_path, 100) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    (one,) = results.read_all(str(tmp_path))
    assert (one.runs, one.consecutive_failures, one.failures["refused"][0], one.seconds) == (400, 400, 400, 8.0)


def test_a_kill_in_the_middle_leaves_what_can_be_read_and_counted_on(tmp_path: Path) -> None:
    runs = 0
    for number in range(10):
        process = noting(tmp_path, 10**6)
        while not results.read_all(str(tmp_path)) or results.read_all(str(tmp_path))[0].runs <= runs:
            assert process.poll() is None
        time.sleep(0.001 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (one,) = results.read_all(str(tmp_path))
        assert runs < one.runs == one.failures["refused"][0]
        runs = one.runs
    assert noting(tmp_path, 1).wait(30) == 0
    assert results.read_all(str(tmp_path))[0].runs == runs + 1


def test_others_may_read_it_under_the_umask_of_keepalived(tmp_path: Path) -> None:
    script = f'umask 0177; exec "{sys.executable}" -m hachecks file /etc/passwd'
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path / "a")}
    for _ in range(2):
        assert subprocess.run(["/bin/sh", "-c", script], env=environ, check=False).returncode == 0
    (one,) = results.read_all(str(tmp_path / "a"))
    assert one.runs == 2
    assert (tmp_path / "a" / f"verdict-{one.name}").stat().st_mode & 0o777 == 0o644


def in_place(path: Path, what: str) -> None:
    """Put something there that is no published verdict."""
    path.unlink(missing_ok=True)
    if what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes({"empty": b"", "binary": b"\xff\0", "foreign": b"hacheck-verdict 99\nname x\nend\n"}[what])


@pytest.mark.parametrize("what", ["empty", "binary", "foreign", "directory", "fifo"])
def test_what_is_there_instead_changes_no_verdict(tmp_path: Path, what: str) -> None:
    _, one = check(tmp_path, "file", "/etc/passwd")
    path = tmp_path / f"verdict-{one.name}"
    in_place(path, what)
    passed_over: list[str] = []
    assert results.read_all(str(tmp_path), passed_over) == []
    assert passed_over == [path.name]
    began = time.monotonic()
    answer = hacheck("file", "/etc/passwd", HACHECK_STATE_DIR=str(tmp_path))
    # To open a FIFO that nobody writes to hangs for ever, as a file system may.
    assert time.monotonic() - began < 30
    assert (answer.code, answer.err) == (0, "")
    assert answer.line.startswith("PASS - ")
    assert [one.runs for one in results.read_all(str(tmp_path))] == [1]


def test_the_verdict_is_told_before_it_is_published_and_both_exit_codes_hold(tmp_path: Path) -> None:
    _, one = check(tmp_path, "file", "/nonexistent")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-ttt", "-o", str(trace), "-e", "trace=write,exit_group", "-e", "signal=none"]
    words += [sys.executable, "-m", "hachecks", "file", "/nonexistent", "--format", "nagios"]
    with (tmp_path / f"verdict-{one.name}~lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a run that was stopped in the middle of it
        done = subprocess.run(words, env=environ, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout[:11]) == (2, b"CRITICAL - ")
    # By its own clock, since who hears the line may be late.
    at = {call: float(at) for at, call in re.findall(r"(\d+\.\d+) (write\(1,|exit_group)", trace.read_text())}
    assert at["exit_group"] - at["write(1,"] > 0.1


def test_a_stopped_run_holds_up_no_other(tmp_path: Path) -> None:
    _, one = check(tmp_path, "file", "/etc/passwd")
    with stopped_with_the_lock(tmp_path, f"verdict-{one.name}"):
        answer, after = check(tmp_path, "file", "/etc/passwd")
        assert (answer.code, after.runs) == (0, 1)
    assert check(tmp_path, "file", "/etc/passwd")[1].runs == 2


def test_a_full_or_read_only_disk_changes_no_verdict(tmp_path: Path) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, to mount")
    with namespace() as space:
        command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "hachecks", "--state-dir", str(tmp_path)]
        command[5:5] = ["file", "/etc/passwd"]
        space.must("mount", "-t", "tmpfs", "-o", "mode=755,size=4k,nr_inodes=4", "none", str(tmp_path))
        first = space.run(*command)
        # The file has taken the only page, so that another cannot be written beside it.
        full = space.run(*command)
        kept = space.run("sh", "-c", f"cat {tmp_path}/verdict-file-*[!~a-z]").stdout
        space.must("mount", "-o", "remount,ro", str(tmp_path))
        read_only = space.run(*command)
    assert CheckResults.parse(kept).runs == 1
    for answer in (first, full, read_only):
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout.startswith("PASS - /etc/passwd exists, modified ")


def run_of(kind: str = "", **measured: float) -> Verdict:
    return Verdict.failing("bad", kind, **measured) if kind else Verdict.passing("good", **measured)


def test_a_clock_that_is_set_back_leaves_nothing_in_the_future() -> None:
    one = CheckResults("x", "tcp")
    one.count(run_of(), good=True, at=2000.0, took=0.1)
    one.count(run_of("dns"), good=False, at=3000.0, took=0.1)
    one.count(run_of("tls"), good=False, at=0.0, took=0.1)
    assert one.last_success == 0.0
    assert one.failures == {"dns": (1, 0.0), "tls": (1, 0.0)}
    assert CheckResults.parse(one.to_text()) == one


def test_the_expiry_of_a_certificate_is_kept_until_a_check_passes_without_one() -> None:
    one = CheckResults("x", "tcp")
    one.count(run_of(certificate_expires_seconds=50.0), good=True, at=1000.0, took=0.1)
    assert one.certificate_expiry == 1050.0
    one.count(run_of("refused"), good=False, at=1010.0, took=0.1)
    assert one.certificate_expiry == 1050.0
    one.count(run_of(), good=True, at=1020.0, took=0.1)
    assert one.certificate_expiry is None


def test_counters_outlive_a_boot_and_another_kind_of_probe_begins_anew(tmp_path: Path) -> None:
    results.record_run(str(tmp_path), "x", "tcp", "it", run_of(), RunOptions())
    path = tmp_path / "verdict-x"
    path.write_text(path.read_text().replace(state.boot_id(), "another"))
    results.record_run(str(tmp_path), "x", "tcp", "it", run_of("dns"), RunOptions())
    (one,) = results.read_all(str(tmp_path))
    assert (one.runs, one.boot, one.duration) == (2, state.boot_id(), 1.5)
    results.record_run(str(tmp_path), "x", "http", "it", run_of(), RunOptions())
    assert [(one.probe, one.runs) for one in results.read_all(str(tmp_path))] == [("http", 1)]


def test_a_file_of_another_name_is_passed_over(tmp_path: Path) -> None:
    results.record_run(str(tmp_path), "x", "tcp", "it", run_of(), RunOptions())
    (tmp_path / "verdict-y").write_text((tmp_path / "verdict-x").read_text())
    passed_over: list[str] = []
    assert [one.name for one in results.read_all(str(tmp_path), passed_over)] == ["x"]
    assert passed_over == ["verdict-y"]


TIMES = st.floats(min_value=0, max_value=1e12)
COUNTS = st.integers(min_value=0, max_value=2**70)
TEXTS = st.text().map(one_line)


@st.composite
def verdicts(draw: st.DrawFn) -> CheckResults:
    one = CheckResults(draw(TEXTS), draw(TEXTS))
    one.subject, one.reason, one.boot = draw(TEXTS), draw(TEXTS), draw(TEXTS)
    one.status = draw(st.sampled_from(["PASS", "FAIL", "UNKNOWN"]))
    one.good, one.kind = draw(st.booleans()), draw(st.sampled_from(["", *KINDS]))
    one.at, one.duration, one.timeout, one.seconds, one.interval = (draw(TIMES) for _ in range(5))
    one.consecutive_failures = draw(COUNTS)
    one.durations = sorted(draw(st.lists(COUNTS, min_size=len(BUCKETS) + 1, max_size=len(BUCKETS) + 1)))
    one.runs = one.durations[-1]
    one.failures = draw(st.dictionaries(st.sampled_from(KINDS), st.tuples(COUNTS, TIMES)))
    one.last_success, one.certificate_expiry = draw(st.none() | TIMES), draw(st.none() | TIMES)
    return one


@given(verdicts())
def test_what_is_told_is_read_again(one: CheckResults) -> None:
    again = CheckResults.parse(one.to_text())
    assert {name: getattr(again, name) for name in CheckResults.__slots__} == {
        name: getattr(one, name) for name in CheckResults.__slots__
    }


@given(verdicts(), st.data())
def test_a_torn_file_is_no_verdict(one: CheckResults, data: st.DataObject) -> None:
    text = one.to_text()
    with pytest.raises(ValueError, match="is no published verdict"):
        CheckResults.parse(text[: data.draw(st.integers(0, len(text) - 1))])


@given(
    st.text() | verdicts().flatmap(lambda one: st.text().map(lambda text: one.to_text().replace(" ", f" {text}", 9)))
)
def test_any_text_is_a_verdict_or_a_value_error(text: str) -> None:
    try:
        one = CheckResults.parse(text)
    except ValueError:
        return
    assert one.status in {status.value for status in (Status.PASS, Status.FAIL, Status.UNKNOWN)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("runs 1\n", "runs 2\n", id="histogram-of-other-runs"),
        pytest.param("runs 1\n", "runs -1\n", id="negative"),
        pytest.param("at ", "at -", id="before-the-epoch"),
        pytest.param("timeout 1.5", "timeout inf", id="for-ever"),
        pytest.param("timeout 1.5", "timeout nan", id="no-number"),
        pytest.param("status FAIL", "status GOOD", id="status"),
        pytest.param("kind dns", "kind bad", id="kind"),
        pytest.param("subject", "object", id="missing"),
        pytest.param("failures-dns 1", "failures-dns x", id="count"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str) -> None:
    results.record_run(str(tmp_path), "x", "tcp", "it", run_of("dns"), RunOptions())
    text = (tmp_path / "verdict-x").read_text()
    assert old in text
    with pytest.raises(ValueError, match=r"is no|does not say|could not convert"):
        CheckResults.parse(text.replace(old, new, 1))
