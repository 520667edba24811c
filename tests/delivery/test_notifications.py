"""What was recorded and what was told is shown to people, and dead letters are theirs to send again or to drop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery.dead_letters import DeadLetters, Letter
from hachecks.node import node_of
from hachecks.proc import process_start
from hachecks.transitions import journal
from hachecks.transitions.event import Event
from hachecks.transitions.show_history import ShowHistory, as_text
from hachecks.transitions.transition import Transition
from tests.cli import ROOT, Answer, hacheck
from tests.events import event
from tests.logdaemons import eventually
from tests.servers import Http, Route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """
[notifier.hook]
notifier = "webhook"
url = "{url}/hook"
[notifier.file]
notifier = "log"
file = "{directory}/all"
"""


class Node:
    """A node with a webhook and a log file, on which nobody delivers."""

    def __init__(self, directory: Path, server: Http, routes: dict[str, Route]) -> None:
        self.state = directory / "state"
        self.state.mkdir(mode=0o755)
        self.server = server
        self.routes = routes
        self.config = directory / "hacheck.toml"
        self.config.write_text(CONFIG.format(url=server.url, directory=directory))
        self.letters = DeadLetters(str(self.state))
        self.environ = {
            "HACHECK_STATE_DIR": str(self.state),
            "HACHECK_CONFIG": str(self.config),
            "KEEPALIVED_CONFIG": "/dev/null",
            "NODE_NAME": "node-1",
        }

    def say(self, *words: str) -> Answer:
        """Run a command on it."""
        return hacheck(*words, **self.environ)  # type: ignore[arg-type]

    def record(self, name: str = "VI_1", state: str = "FAULT", kind: str = "INSTANCE") -> None:
        """As the notify script does."""
        journal.append(Transition.of_now(kind, name, state), node_of(self.environ).places)

    def letter(self, name: str, notifier: str = "hook", options: tuple[str, ...] = ()) -> None:
        """Something that could not be told."""
        one = event(name, at=time.time())
        one.options = options
        self.letters.add(Letter(time.time(), notifier, "400 no", (one,)))

    def names(self) -> list[str]:
        """Whom the dead letters are about."""
        return [letter.events[0].name if letter else "?" for _, letter in self.letters.lines()]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    routes = {"/hook": Route(b"ok")}
    with Http(routes) as server:
        yield Node(tmp_path, server, routes)


def test_what_nobody_has_read_yet_waits(node: Node) -> None:
    node.record("VI_1", "MASTER")
    node.record("VI_1", "FAULT")
    answer = node.say("notifications")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "hook: 2 waiting",
        "file: 2 waiting",
        "nobody delivers at the moment: the next change starts it, or `hacheck deliver` does",
    ]
    assert sorted(path.name for path in node.state.iterdir()) == ["journal"], "to ask changes nothing"
    (node.state / "delivering").write_text(f"{os.getpid()} {process_start()}\n")
    assert "nobody delivers" not in node.say("notifications").out


LOOKING = """
import os, sys
from hachecks import cli
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGING = ("os.mkdir", "os.rename", "os.remove", "os.chmod", "os.utime", "os.truncate", "os.link", "shutil.move")

def watch(event, words):
    writes = event == "open" and words[0] != os.devnull and words[2] & WRITING
    if writes or event in CHANGING:
        changed.append(f"{event} {words[0]}")

changed = []
sys.dont_write_bytecode = True
sys.addaudithook(watch)
code = cli.dispatch(["notifications"], os.environ)
print(code, *changed, sep="\\n")
"""


@pytest.mark.parametrize("declared", [True, False])
def test_to_look_writes_nothing(node: Node, declared: bool) -> None:
    node.record("VI_1", "FAULT")
    node.letter("VI_2")
    (node.state / "history.lock").touch()
    if not declared:
        node.config.unlink()
    environ = {**node.environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", LOOKING], env=environ, capture_output=True, text=True, check=True)
    name = "hook" if declared else "log"
    assert done.stdout.startswith(f"{name}: 1 waiting\n")
    assert done.stdout.splitlines()[-1] == "1", "the letter makes it, and nothing was changed"


def test_where_nothing_was_ever_recorded_there_is_nothing_to_see(node: Node) -> None:
    node.state.rmdir()
    assert node.say("notifications").out.splitlines()[:2] == ["hook: nothing waiting", "file: nothing waiting"]
    assert not node.state.exists()


def test_where_all_is_told_nothing_waits(node: Node) -> None:
    (node.state / "queue-hook").write_text('{"told": 0}')
    (node.state / "queue-file").write_text('{"told": 0}')
    assert node.say("notifications").out.splitlines() == ["hook: nothing waiting", "file: nothing waiting"]


def test_nobody_waits_for_what_he_does_not_want_or_in_silence(node: Node) -> None:
    node.record("VI_1", "BACKUP")
    assert node.say("notifications").out.splitlines()[:2] == ["hook: nothing waiting", "file: 1 waiting"]
    node.record("VI_1", "FAULT")
    assert node.say("notifications").out.splitlines()[:2] == ["hook: 1 waiting", "file: 2 waiting"]
    assert node.say("notifications", "silence", "2h", "disks are replaced").out == "silenced for 2 h\n"
    lines = node.say("notifications").out.splitlines()
    assert lines[:2] == ["hook: nothing waiting", "file: 2 waiting"]
    assert lines[-1].startswith("silenced for another 1")
    assert node.say("notifications", "unsilence") == (0, "", "")
    assert node.say("notifications", "unsilence") == (0, "", "")
    assert node.say("notifications").out.splitlines()[0] == "hook: 1 waiting"


@pytest.mark.parametrize("words", [("silence",), ("silence", "long"), ("silence", "400d")])
def test_a_silence_needs_a_duration_that_ends(node: Node, words: tuple[str, ...]) -> None:
    answer = node.say("notifications", *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("hacheck: notifications: silence")
    assert answer.err.count("\n") == 1


def test_dead_letters_are_shown_and_make_the_status_1(node: Node) -> None:
    node.letter("V\x1b[31m\u202e", "hook\x1b")
    with (node.state / "dead-letters").open("a") as file:
        file.write("nonsense\n")
    answer = node.say("notifications")
    assert answer.code == 1
    _, _, letter, unreadable = answer.out.splitlines()
    assert letter.startswith("dead letter of 2")
    assert letter.endswith(r": 1 events, hook\x1b: 400 no")
    assert unreadable == f"{node.state}/dead-letters: 1 lines cannot be read; they stay until they are dropped"


def test_retry_sends_them_again_with_the_same_key_and_keeps_what_is_not_taken(node: Node) -> None:
    node.letter("a")
    node.letter("b", "gone")
    with (node.state / "dead-letters").open("a") as file:
        file.write("nonsense\n")
    answer = node.say("notifications", "retry")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        f"hook: 127.0.0.1:{node.server.port} answered 200",
        "gone: not delivered: it is not declared any more",
    ]
    (asked,) = node.server.requests
    assert asked.headers["webhook-id"] == event("a").key
    assert node.names() == ["b", "?"]


def test_retry_that_is_refused_keeps_the_letter_with_the_new_reason(node: Node) -> None:
    node.letter("a")
    node.routes["/hook"] = Route(b"still no", 403)
    assert node.say("notifications", "retry").code == 1
    ((_, letter),) = node.letters.lines()
    assert letter is not None
    assert "answered 403" in letter.reason
    node.routes["/hook"] = Route(b"ok")
    assert node.say("notifications", "retry").code == 0
    assert node.names() == []


def test_retry_finds_the_notifier_of_a_command_line(node: Node, tmp_path: Path) -> None:
    from hachecks.delivery.channels import channel_name

    words = ("log", "--file", str(tmp_path / "own"))
    node.letter("a", channel_name(words), words)
    assert node.say("notifications", "retry").code == 0
    assert "INSTANCE a FAULT" in (tmp_path / "own").read_text()


def test_what_is_given_up_while_letters_are_sent_again_stays(node: Node, tmp_path: Path) -> None:
    with node.config.open("a") as file:
        waiting = f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done"
        file.write(f'[notifier.slow]\nnotifier = "exec"\ncommand = ["sh", "-c", "{waiting}"]\n')
    node.letter("a", "slow")
    node.letter("b", "slow")
    retrying = threading.Thread(target=node.say, args=("notifications", "retry"))
    retrying.start()
    eventually((tmp_path / "begun").exists)
    node.letter("meanwhile", "gone")
    (tmp_path / "go").touch()
    retrying.join(20)
    assert node.names() == ["meanwhile"]


def test_drop_forgets_all(node: Node) -> None:
    for name in "abc":
        node.letter(name)
    assert node.say("notifications", "drop") == (0, "dropped 3 dead letters\n", "")
    assert node.say("notifications", "drop") == (0, "dropped 0 dead letters\n", "")


def test_history_shows_groups_as_such_and_no_character_that_acts_on_the_screen(node: Node) -> None:
    node.record("V", "MASTER")
    node.record("V", "FAULT", "GROUP")
    node.record("V\u202e\u2066", "BACKUP")
    lines = node.say("history").out.splitlines()
    assert [line[21:] for line in lines] == ["MASTER  V", "FAULT   group V", r"BACKUP  V\u202e\u2066"]


def test_a_group_carries_no_vip_of_an_instance_of_its_name() -> None:
    carried = {"V": ["10.0.0.1"]}
    options = ShowHistory(vip="10.0.0.1")
    assert options.wants(event("V"), carried)
    assert not options.wants(event("V", kind="GROUP"), carried)
    assert as_text(event("V"), ["10.0.0.1"]).endswith("FAULT   V (10.0.0.1), was MASTER for 60 min")


def test_lines_of_the_history_that_are_no_events_are_passed_over(node: Node) -> None:
    facts = event(at=time.time()).facts()
    lines = [
        json.dumps({**facts, "at": "x"}),
        json.dumps({**facts, "since": float("nan")}),
        json.dumps(facts),
        "[" * 9999,
    ]
    (node.state / "history").write_text("".join(f"{line}\n" for line in lines))
    answer = node.say("history")
    assert (answer.code, answer.out.count("\n"), answer.err) == (0, 1, "")
    assert Event.parse(node.say("history", "--format", "json").out).name == "VI_1"


def test_a_long_journal_that_nobody_has_read_is_shown_in_little_memory(node: Node) -> None:
    one = Transition.of_now("INSTANCE", "VI_1", "MASTER")
    with (node.state / "journal").open("wb") as file:
        for number in range(150_000):
            one.pid = number
            file.write(one.record())
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    words = [sys.executable, "-c", script, sys.executable, "-m", "hachecks", "history", "--format", "json"]
    done = subprocess.run(words, env={**os.environ, **node.environ}, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 80 * 1024


@pytest.mark.parametrize("verb", ["list", "retry", "drop"])
def test_what_cannot_be_read_is_said_in_one_line(node: Node, verb: str) -> None:
    (node.state / "dead-letters").mkdir()
    answer = node.say("notifications", verb)
    assert answer.code == 1
    assert answer.out.splitlines()[-1].startswith(f"{node.state}/dead-letters: ")
    assert "Errno" not in answer.out + answer.err
