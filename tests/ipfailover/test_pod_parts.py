"""Parts of a pod's first process, each for itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.systemd import ServiceManager
from hachecks.ipfailover.commands.run import RunCommand
from hachecks.ipfailover.follow.options import Range
from hachecks.ipfailover.pod import commands, conf_file, in_force, leash, program
from hachecks.ipfailover.pod.added import with_added
from hachecks.ipfailover.pod.child import FIRST_DELAY, LONGEST_DELAY, Child
from hachecks.ipfailover.pod.guard import guarded
from hachecks.ipfailover.pod.pipe import Pipe
from hachecks.ipfailover.pod.signals import HANDLED
from hachecks.ipfailover.pod.teller import Teller, shortened
from hachecks.ipfailover.pod.texts import Texts, Watch
from hachecks.ipfailover.pod.wanted import Here, wanted
from hachecks.ipfailover.pod.watchdog import Watchdog
from hachecks.ipfailover.render.keywords import DEFAULT
from hachecks.ipfailover.sources import env_file
from hachecks.node import Node, NodeOptions
from hachecks.settings import Invalid
from tests.cli import ROOT, hacheck
from tests.failover.configmap import ConfigMap
from tests.failover.namespace import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# What is added to a configuration.


@pytest.mark.parametrize(
    ("own", "added", "vips", "checks"),
    [
        pytest.param("10.0.0.1-3,10.0.0.9", "10.1.0.1,10.1.0.2", "10.0.0.1-3,10.0.0.9,10.1.0.1,10.1.0.2", (3, 4)),
        pytest.param("", "10.1.0.1,10.1.0.2", "10.1.0.1,10.1.0.2", (1, 2)),
        pytest.param("10.1.0.1", "10.1.0.1,10.1.0.2", "10.1.0.1,10.1.0.2", (None, 2)),
        pytest.param("10.0.0.1, ", "10.1.0.1,10.1.0.2", "10.0.0.1,10.1.0.1,10.1.0.2", (2, 3)),
    ],
)
def test_vips_are_added_behind_with_the_checks_of_their_own(
    own: str, added: str, vips: str, checks: tuple[int | None, ...]
) -> None:
    before = env_file(f"OPENSHIFT_HA_VIRTUAL_IPS={own}\nOPENSHIFT_HA_CONFIG_NAME=x\n", "a")
    more = "OPENSHIFT_HA_CHECK_SCRIPT_1=one\nOPENSHIFT_HA_CHECK_SCRIPT_2=two\n"
    found = with_added(before, env_file(f"OPENSHIFT_HA_VIRTUAL_IPS={added}\n{more}", "b")).given
    assert found["OPENSHIFT_HA_VIRTUAL_IPS"].text == vips
    numbers = {name: given.text for name, given in found.items() if "CHECK" in name}
    names = (f"OPENSHIFT_HA_CHECK_SCRIPT_{number}" for number in checks)
    assert numbers == {name: text for name, text in zip(names, ("one", "two")) if not name.endswith("None")}


def test_nothing_is_added_by_an_empty_file() -> None:
    before = env_file("OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1\n", "a")
    assert with_added(before, env_file("", "b")) == before


# Files.


def test_a_volume_that_is_replaced_has_changed_and_one_that_is_not_has_not(tmp_path: Path) -> None:
    volume, watch = ConfigMap(tmp_path), Watch()
    volume.replace({"a": b"1", "b": b"1"}, mode=0o644)
    watch.follow([str(tmp_path / "a"), str(tmp_path / "none")])
    assert not watch.has_changed()
    volume.replace({"a": b"2", "b": b"1"}, mode=0o644)
    assert watch.has_changed()
    assert not watch.has_changed()
    (tmp_path / "none").write_text("")
    assert watch.has_changed()


def test_a_file_that_is_replaced_while_it_is_read_has_changed(tmp_path: Path) -> None:
    volume, watch, texts = ConfigMap(tmp_path), Watch(), Texts()
    volume.replace({"a": b"1"}, mode=0o644)
    assert (texts.text(str(tmp_path / "a")), texts.optional(str(tmp_path / "none"))) == ("1", None)
    volume.replace({"a": b"2"}, mode=0o644)
    (tmp_path / "later").write_text("")
    watch.follow([str(tmp_path / name) for name in ("a", "none", "later")], texts.signs)
    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_secret_that_is_replaced_while_it_is_read_has_changed(tmp_path: Path) -> None:
    secret, watch, texts = tmp_path / "password", Watch(), Texts()
    secret.write_text("one")
    secret.chmod(0o600)
    found = wanted(RunCommand(), HERE._replace(environ={**ENVIRON, "OPENSHIFT_HA_AUTH_PASS_FILE": str(secret)}), texts)
    secret.write_text("another")
    watch.follow(found.secrets, texts.signs)
    assert watch.has_changed()


def test_texts_that_were_kept_are_those_of_the_files_no_more(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("new")
    assert Texts({str(file): "old"}).text(str(file)) == "old"
    with pytest.raises(Invalid, match="it was not there"):
        Texts({}).text(str(file))
    assert Texts({}).optional(str(file)) is None
    assert Texts().optional(str(file)) == "new"


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(Invalid, match=r"fifo: it is no file; name a file of a mounted ConfigMap"):
        Texts().text(str(path))


def test_a_file_is_put_whole_and_nobody_reads_what_has_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keepalived.conf"
    prepared = conf_file.prepared(str(path), "text\n", conf_file.SECRET)
    assert not path.exists()
    conf_file.put(prepared, str(path))
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("text\n", 0o600)
    assert os.listdir(path.parent) == [path.name]


# Keepalived as a program.


def test_the_version_is_asked_for() -> None:
    assert program.version("keepalived") >= (2, 1, 5)
    with pytest.raises(Invalid, match=r"^/nonexistent: No such file or directory; install it"):
        program.version("/nonexistent")
    with pytest.raises(Invalid, match="is no version; name the right program"):
        program.version("true")


def test_complaints_are_told_once_each_and_not_without_end(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text("".join(f"bogus{number} 1\n" for number in range(30)))
    said = program.complaints("keepalived", str(file))
    assert said[0] == "Unknown keyword 'bogus0'"
    assert len(said) == len(set(said)) == program.MOST_COMPLAINTS + 1
    assert said[-1].startswith("and ")
    file.write_text("global_defs {\n}\nvrrp_instance A {\n interface lo\n virtual_router_id 1\n priority 1\n}\n")
    assert program.complaints("true", str(file)) == []
    assert program.complaints("false", str(file)) == ["exit status 1, without a word"]


# Children.


def test_a_child_that_ends_soon_is_started_again_later_each_time_and_at_last_every_15_s() -> None:
    child, delays = Child("x"), []
    for _ in range(8):
        child.start(["true"], os.environ)
        wait_until("it has ended", child.has_ended)
        now = child.due - child._delay()
        delays.append(round(child.due - now, 3))
    assert delays == [0.0, FIRST_DELAY, 2.0, 4.0, 8.0, LONGEST_DELAY, LONGEST_DELAY, LONGEST_DELAY]
    assert (child.restarts, child.in_words(), child.pid) == (7, "exit status 0", 0)


def test_a_child_that_cannot_be_found_says_so_in_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    child = Child("x")
    child.start(["/nonexistent"], os.environ)
    wait_until("it has ended", child.has_ended)
    assert child.in_words() == "exit status 127"
    assert capfd.readouterr().err == "hacheck: /nonexistent: No such file or directory; install it, or name it\n"


def test_a_child_is_signalled_only_with_what_it_waits_for() -> None:
    child = Child("x")
    child.start(["sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.01; done"], os.environ)
    assert not child.signal(signal.SIGUSR2)
    wait_until("it waits for it", lambda: child.takes(signal.SIGUSR1))
    assert child.signal(signal.SIGUSR1)
    wait_until("it has ended", child.has_ended)
    assert child.in_words() == "exit status 7"


def test_a_child_is_asked_to_end_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); from hachecks.ipfailover.pod.child import Child\n"
        "child = Child('x')\n"
        "child.start(['sh', '-c', f'trap \"echo asked >{sys.argv[2]}; exit\" TERM; echo ready >{sys.argv[2]}; '\n"
        "             'while :; do sleep 0.01; done'], os.environ)\n"
        "time.sleep(600)\n"
    )
    said = tmp_path / "said"
    parent = subprocess.Popen([sys.executable, "-c", script, str(ROOT), str(said)])
    wait_until("the child runs", lambda: said.exists() and said.read_text() == "ready\n")
    parent.kill()
    parent.wait()
    wait_until("the child is asked", lambda: said.read_text() == "asked\n")


def test_who_has_no_parent_any_more_does_not_begin() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", leash.__file__, "1", "15", "true"], check=False)
    assert done.returncode == leash.NOT_FOUND


def test_process_1_has_a_handler_for_all_that_it_heeds() -> None:
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2} < {*HANDLED}
    said = subprocess.run(["keepalived", "--signum=JSON"], capture_output=True, text=True, check=True).stdout
    assert int(said) in HANDLED


# What others may have put there.


def test_a_fifo_is_ours_alone_and_keeps_what_it_has(tmp_path: Path) -> None:
    path, node = tmp_path / "fifo", Node(NodeOptions(state_dir=str(tmp_path / "state")), {})
    pipe = Pipe(str(path), node, print)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text('INSTANCE "A" MASTER 100\n')
    assert pipe.waiting == len('INSTANCE "A" MASTER 100\n')
    again = Pipe(str(path), node, print)
    again.record()
    assert (again.waiting, pipe.waiting) == (0, 0)
    assert "MASTER" in (tmp_path / "state" / "journal").read_text()
    pipe.remove()
    assert not path.exists()


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_is_no_fifo_is_not_taken_for_one(tmp_path: Path, kind: str) -> None:
    path, node = tmp_path / "fifo", Node(NodeOptions(state_dir=str(tmp_path / "state")), {})
    os.mkfifo(tmp_path / "other")
    {
        "file": path.touch,
        "link": lambda: path.symlink_to(tmp_path / "other"),
        "directory": path.mkdir,
    }[kind]()
    with pytest.raises(Invalid, match=r"fifo is no FIFO; remove it, or name another place by --fifo"):
        Pipe(str(path), node, print)


def test_a_fifo_that_others_may_use_is_replaced(tmp_path: Path) -> None:
    path, node = tmp_path / "fifo", Node(NodeOptions(state_dir=str(tmp_path / "state")), {})
    os.mkfifo(path)
    path.chmod(0o622)
    before = path.stat().st_ino
    Pipe(str(path), node, print)
    assert path.stat().st_ino != before or path.stat().st_mode & 0o777 == 0o600


ENVIRON = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1", "OPENSHIFT_HA_NETWORK_INTERFACE": "eth0"}
HERE = Here("a", frozenset(), DEFAULT, "/run/fifo", ENVIRON)


def kept_after(directory: Path, change: Callable[[Path], object]) -> object:
    """What was in force, after something has been done to the file in which it is kept."""
    command = RunCommand()
    directory.chmod(0o755)
    in_force.keep(str(directory), command, ENVIRON, wanted(command, HERE, Texts()))
    change(directory / in_force.NAME)
    return in_force.kept(str(directory), command, HERE)


def test_what_is_in_force_is_kept_for_its_owner(tmp_path: Path) -> None:
    assert kept_after(tmp_path, lambda path: path.stat())
    assert (tmp_path / in_force.NAME).stat().st_mode & 0o777 == 0o600
    assert in_force.kept(str(tmp_path), RunCommand(node="b"), HERE) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_text("{"), id="half"),
        pytest.param(lambda path: path.write_text("[" * 100_000), id="deep"),
        pytest.param(lambda path: path.write_text('{"boot": 1}'), id="another"),
        pytest.param(lambda path: path.write_text(path.read_text().replace("boot", "toob")), id="no-boot"),
        pytest.param(lambda path: path.chmod(0o666), id="anybody-can-write-it"),
        pytest.param(lambda path: (path.rename(f"{path}2"), path.symlink_to(f"{path}2")), id="link"),
        pytest.param(lambda path: path.unlink(), id="gone"),
    ],
)
def test_what_is_not_to_be_trusted_is_not_in_force(tmp_path: Path, change: Callable[[Path], object]) -> None:
    assert kept_after(tmp_path, change) is None


# The agent's sign of life.


def test_an_agent_that_is_silent_hangs_and_one_that_speaks_does_not(tmp_path: Path) -> None:
    watchdog = Watchdog(str(tmp_path), patience=0.5, first_patience=0.0)
    manager = ServiceManager({**watchdog.environ, "WATCHDOG_PID": ""})
    assert manager.watchdog_interval == 0.25
    watchdog.begin()
    manager.tell("READY=1")
    assert watchdog.is_silent()
    manager.tell("WATCHDOG=1")
    assert not watchdog.is_silent()
    wait_until("it is silent", watchdog.is_silent)
    watchdog.close()
    assert os.listdir(tmp_path) == []


def test_an_agent_has_longer_for_its_first_word(tmp_path: Path) -> None:
    watchdog = Watchdog(str(tmp_path), patience=0.0, first_patience=3600.0)
    watchdog.begin()
    ServiceManager(watchdog.environ).tell("WATCHDOG=1")
    assert not watchdog.is_silent()
    assert not watchdog.is_silent()
    watchdog.close()


def test_where_nobody_can_listen_nobody_is_taken_to_hang() -> None:
    watchdog = Watchdog("/proc/nonexistent", patience=0.0, first_patience=0.0)
    watchdog.begin()
    assert (watchdog.environ, watchdog.is_silent()) == ({}, False)
    watchdog.close()


# Command lines.


def test_who_follows_services_is_told_the_configuration_that_we_have() -> None:
    services = (Range("10.0.0.0/28"), Range("10.0.1.1"))
    ours = RunCommand(env_file=("/a", "/b"), ledger="/c", follow_services=True, service_range=services, rolled_out=True)
    words = commands.of_follow(ours)
    told = words[words.index("follow") + 1 :]
    assert "--rolled-out" in told
    told.remove("--rolled-out")
    assert sorted(zip(told[::2], told[1::2])) == [
        *(("--env-file", "/a"), ("--env-file", "/b"), ("--ledger", "/c")),
        *(("--service-range", "10.0.0.0/28"), ("--service-range", "10.0.1.1")),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("--service-range", "10.0.0.1"), "--service-range needs --follow-services", id="services"),
        pytest.param(("--stop-timeout", "0.5s"), "--stop-timeout is 1s to 1h", id="stop"),
        pytest.param(("--keepalived-options", "-D -f x"), "--keepalived-options: -f is given to", id="option"),
        pytest.param(("--keepalived-options", "'"), "--keepalived-options: No closing quotation", id="quote"),
        pytest.param(("--env-file", "-"), "name a file in place of -", id="stdin"),
        pytest.param(("--fifo", "relative"), "'relative' is no absolute path", id="fifo"),
        pytest.param(("--listen", "x"), "'x' is no address to listen on", id="listen"),
    ],
)
def test_what_cannot_be_understood_is_refused_at_once(words: tuple[str, ...], why: str) -> None:
    answer = hacheck("ipfailover", "run", "--virtual-ips", "10.0.0.1", *words)
    assert answer.code == 2
    assert why in answer.err


# What is told.


def test_news_is_told_when_it_is_new() -> None:
    said: list[str] = []
    teller = Teller(said.append)
    for lines in (["a", "b"], ["b"], ["b", "c"], [], ["b"]):
        teller.news(lines)
    assert said == ["run: a", "run: b", "run: c", "run: b"]


def test_what_others_wrote_does_not_fill_the_log() -> None:
    assert len(shortened("x" * 100_000)) < 1100
    assert "\n" not in shortened("a\nb\x1b[31m")


def test_a_step_that_fails_is_told_once_a_minute_and_is_no_end() -> None:
    said: list[str] = []
    teller = Teller(said.append)

    def fail() -> None:
        raise RuntimeError("no reason")

    assert not guarded(fail, teller)
    assert not guarded(fail, teller)
    (line,) = said
    assert line.startswith("run: RuntimeError in test_pod_parts.py:")
    assert guarded(lambda: None, teller)
