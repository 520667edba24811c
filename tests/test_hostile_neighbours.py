"""Whatever another user puts where state is kept: every check and notify does its work, and nothing of his is believed.

Paths of state x hostile things x the user who runs the checks and hooks. The neighbour has no right but to write into
/dev/shm and into a state directory that was handed out 0777, as an emptyDir of a pod is.
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from hachecks.checks import answer
from hachecks.checks.answer import Answer, Asked
from hachecks.state import boot_id
from tests.cli import ROOT
from tests.failover.namespace import namespace
from tests.logdaemons import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.failover.namespace import Namespace

pytestmark = pytest.mark.executable

NEIGHBOUR, SCRIPT_USER, EXPORTER = 65534, 64998, 64997
AS = "setpriv --reuid={0} --regid={0} --clear-groups --bounding-set=-all --inh-caps=-all "
MOUNTS = """
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=1777 none /dev/shm
mkdir -m 755 /run/work
mkdir -m 777 /run/hacheck /run/loot
mkdir -m 700 /run/secret
echo root >/run/secret/file
chmod 777 /run/hacheck
"""
CONFIG = """
[check.refused]
probe = "tcp"
target = "127.0.0.1:1"
fall = 2
[check.there]
probe = "file"
path = "/run/work/hacheck"
track_file = "/run/hacheck/track"
rise = 2
fall = 2
"""
COMMAND = "exec\x1c--command\x1csh -c 'id >/run/loot/ran'"
RECORD = f"\x1e1\x1fINSTANCE\x1fFORGED\x1fMASTER\x1f100\x1f99\x1f1\x1f{boot_id()}\x1f{COMMAND}\n"
UP_FOR_EVER = f"{boot_id()} 0.0 up -1000000\n"
EVENT = {
    "number": 1,
    "key": "k" * 32,
    "at": 1.0,
    "kind": "INSTANCE",
    "name": "FORGED",
    "state": "MASTER",
    "priority": 100,
    "before": None,
    "since": None,
    "late": False,
    "options": COMMAND.split("\x1c"),
    "order": [boot_id(), 1, 1],
}
ANSWERS = {
    name: Answer(Asked(name, "/run/work/hacheck.toml", answer.given({})), boot_id(), 0, 10**11, good, "PASS - FORGED")
    for name, good in (("refused", True), ("there", False))
}
FORGED = {
    "answer-refused": ANSWERS["refused"].to_text(),
    "answer-refused~new": ANSWERS["refused"].to_text(),
    "answer-there": ANSWERS["there"].to_text(),
    "journal": RECORD,
    "journal.000000000000001": RECORD,
    "journal-new": RECORD,
    "history": json.dumps(EVENT) + "\n",
    "history.000000000000001": json.dumps(EVENT) + "\n",
    "history.read": "1-00 5\n",
    "history.lock": "",
    "delivering": "1 1\n",
    "claim-0-0-0": "1\n",
    "deliveries.log": "",
    "transitions.log": "",
    "dead-letters": json.dumps({"at": 1, "notifier": "log", "reason": "r", "events": [EVENT]}) + "\n",
    "silence": '{"until": 9999999999}',
    "queue-log": '{"told": 1000000, "not_before": 9999999999.0}',
    "queue-log~new": "",
    "last-failure": "refused: forged\n",
    "last-failure~new": "",
    "streak-refused": UP_FOR_EVER,
    "streak-refused~lock": "",
    "streak-refused~new": UP_FOR_EVER,
    "track": "1\n",
    "track~lock": "",
    "track~new": "1\n",
    "streak-there": UP_FOR_EVER.replace("up", "down"),
    "verdict-refused": "",
    "verdict-refused~lock": "",
    "verdict-there~new": "",
}
"""What the neighbour would have each file of state say, by its name."""

KINDS = ("file", "link", "dangling-link", "fifo", "directory", "sparse")


def planted(path: str, content: str, kind: str) -> str:
    """How the neighbour puts it there."""
    path = shlex.quote(path)
    return {
        "file": f"printf %s {shlex.quote(content)} >{path}; chmod 666 {path}",
        "link": f"ln -s /run/secret/file {path}",
        "dangling-link": f"ln -s /run/secret/made {path}",
        "fifo": f"mkfifo -m 666 {path}",
        "directory": f"mkdir -m 777 {path}; touch {path}/inside",
        "sparse": f"truncate -s 100G {path}; chmod 666 {path}",
    }[kind]


class Node:
    """A machine of its own with a neighbour; checks and hooks run as one user."""

    def __init__(self, space: Namespace, user: int, *, keep: bool = False) -> None:
        self.space = space
        self.user = user
        if keep:
            return
        space.must("cp", str(ROOT / "dist/hacheck"), "/run/work/hacheck")
        space.must("sh", "-c", f"printf %s {shlex.quote(CONFIG)} >/run/work/hacheck.toml; chmod 644 /run/work/*")

    def neighbour(self, script: str) -> None:
        self.space.must("sh", "-c", f"umask 0; exec {AS.format(NEIGHBOUR)} sh -c {shlex.quote(script)}")

    def hacheck(self, words: str, within: int = 10) -> tuple[int, str]:
        """The exit status and what is said; 124 when it hangs."""
        asked = f"timeout -k 1 {within} sh /run/work/hacheck {words}"
        environ = "HACHECK_CONFIG=/run/work/hacheck.toml KEEPALIVED_CONFIG=/dev/null"
        answer = self.space.run("sh", "-c", f"umask 0177; {environ} exec {AS.format(self.user)} {asked}")
        return answer.returncode, answer.stdout + answer.stderr

    def told(self) -> str:
        """What the log notifier wrote, in whichever directory is this user's own."""
        where = "/run/hacheck /dev/shm/hacheck-0" if self.user == 0 else f"/dev/shm/hacheck-{self.user}*"
        look = f"for d in {where}; do f=$d/transitions.log; [ ! -f $f ] || head -c 9999 $f; done"
        return self.space.run("sh", "-c", look).stdout

    def holds(self, *, remembers: bool = True) -> None:
        """Checks say what is, events are told, and nothing of the neighbour's is believed, run or written through."""
        for _ in range(2):
            code, line = self.hacheck("run refused")
            assert (code, line[:4]) == (1, "FAIL"), line
            assert not remembers or "no rise/fall" not in line or "does not answer" in line  # on a busy machine
        for _ in range(2):
            code, line = self.hacheck("run there")
        assert (code, line[:4]) == (0, "PASS"), line
        assert self.hacheck("notify INSTANCE VI_2 FAULT 100") == (0, "")
        eventually(lambda: "INSTANCE VI_2 FAULT" in self.told())
        assert "FORGED" not in self.told()
        code, said = self.hacheck("history")
        assert code == 0, said
        assert " VI_2\n" in said
        believed = [line for line in said.splitlines() if "FORGED" in line and "recorded by nobody" not in line]
        assert believed == []
        code, said = self.hacheck("notifications")
        assert code in (0, 1)  # 1 where it says what cannot be read
        assert "Traceback" not in said
        assert "FORGED" not in said
        assert self.space.run("ls", "/run/loot").stdout == ""
        assert self.space.run("sh", "-c", "ls /run/secret; cat /run/secret/file").stdout == "file\nroot\n"


@pytest.fixture
def space() -> Iterator[Namespace]:
    with namespace(MOUNTS) as one:
        yield one


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("user", [0, SCRIPT_USER], ids=["root", "script-user"])
def test_nothing_that_a_neighbour_puts_into_a_state_directory_does_harm(space: Namespace, user: int, kind: str) -> None:
    node = Node(space, user)
    for directory in ("/run/hacheck", "/dev/shm"):
        for name, content in FORGED.items():
            node.neighbour(planted(f"{directory}/{name}", content, kind))
    node.holds()


@pytest.mark.parametrize("name", sorted(FORGED))
@pytest.mark.parametrize("kind", ["file", "fifo"])
def test_each_single_thing_in_roots_directory_does_no_harm(space: Namespace, name: str, kind: str) -> None:
    node = Node(space, 0)
    node.neighbour(planted(f"/run/hacheck/{name}", FORGED[name], kind))
    node.holds()


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_of_a_users_own_directory_may_be_taken(space: Namespace, kind: str) -> None:
    node = Node(space, SCRIPT_USER)
    for base in ("/dev/shm", "/run/hacheck"):
        node.neighbour(planted(f"{base}/hacheck-{SCRIPT_USER}", "", kind))
    node.holds()


def test_a_directory_of_anothers_is_nobodys(space: Namespace) -> None:
    node = Node(space, SCRIPT_USER)
    for base in ("/dev/shm", "/run/hacheck"):
        directory = f"{base}/hacheck-{SCRIPT_USER}"
        node.neighbour(f"mkdir -m 777 {directory}; printf %s {shlex.quote(RECORD)} >{directory}/journal")
    node.holds()


def test_a_state_directory_that_was_handed_out_to_all_is_closed_by_its_owner(space: Namespace) -> None:
    node = Node(space, 0)
    node.hacheck("notify INSTANCE VI_1 MASTER 100")
    assert space.must("stat", "-c", "%a %u", "/run/hacheck") == "755 0\n"
    assert space.must("stat", "-c", "%a", "/dev/shm") == "1777\n"


@pytest.mark.parametrize("directory", ["/run/hacheck", "/dev/shm/hacheck-65534"])
def test_a_forged_state_is_not_shown(space: Namespace, directory: str) -> None:
    node = Node(space, EXPORTER)
    configuration = "vrrp_instance FORGED {\\n interface lo\\n virtual_ipaddress {\\n 10.9.9.9/32\\n }\\n}\\n"
    space.must("sh", "-c", f"printf '{configuration}' >/run/work/keepalived.conf; chmod 644 /run/work/keepalived.conf")
    node.neighbour(f"mkdir -p -m 755 {directory}; printf %s {shlex.quote(FORGED['history'])} >{directory}/history")
    look = f"{sys.executable} -m hachecks status --format json --keepalived-config /run/work/keepalived.conf"
    answer = space.run("sh", "-c", f"exec env PYTHONPATH={ROOT} {look}")
    (instance,) = json.loads(answer.stdout)["instances"]
    assert instance["state"] == "UNKNOWN", answer


@pytest.mark.parametrize("order", [(0, SCRIPT_USER), (SCRIPT_USER, 0), (0, SCRIPT_USER, 0)])
def test_what_several_users_record_is_told_once_each(space: Namespace, order: tuple[int, ...]) -> None:
    space.must("chmod", "755", "/run/hacheck")
    for place, user in enumerate(order):
        node = Node(space, user)
        assert node.hacheck(f"notify INSTANCE VI_{place} FAULT 100") == (0, "")
        eventually(lambda node=node, place=place: f"VI_{place} " in node.told())  # type: ignore[misc]
    everything = "".join(Node(space, user).told() for user in sorted(set(order)))
    assert sorted(line.split()[3] for line in everything.splitlines()) == [f"VI_{n}" for n in range(len(order))]
    said = Node(space, 0).hacheck("history")[1]
    assert [f"VI_{place}" in said for place in range(len(order))] == [True] * len(order)


@pytest.mark.parametrize("kind", ["file", "link", "dangling-link", "fifo", "sparse"])
def test_the_place_itself_may_be_anything(space: Namespace, kind: str) -> None:
    node = Node(space, 0)
    space.must("rmdir", "/run/hacheck")
    space.must("sh", "-c", planted("/run/hacheck", "x", kind))
    node.holds(remembers=kind in ("link", "dangling-link"))


def test_a_message_knows_the_reason_of_a_check_that_another_user_runs(space: Namespace) -> None:
    space.must("chmod", "755", "/run/hacheck")
    assert Node(space, 0).hacheck("run refused")[0] == 1
    declared = '[notifier.people]\nnotifier = "exec"\ncommand = ["sh", "-c", "echo $HACHECK_REASON >/run/loot/told"]\n'
    space.must("sh", "-c", f"printf %s {shlex.quote(declared)} >>/run/work/hacheck.toml")
    assert Node(space, SCRIPT_USER, keep=True).hacheck("notify INSTANCE VI_2 FAULT 100") == (0, "")
    eventually(lambda: "127.0.0.1:1 refused" in space.run("cat", "/run/loot/told").stdout)
