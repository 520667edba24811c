"""Keepalived's JSON is as it is now or it is not there, and nobody but Keepalived is ever signalled for it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from hachecks.keepalived.json_dump import dumps_of
from tests.failover.namespace import Namespace, Process, covered, namespace, wait_until
from tests.failover.requirements import missing_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETUP = f"""
{covered("/run")}
{covered("/tmp")}
mkdir /run/upper /run/work /run/disk
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /run/disk
ip link add eth0 type veth peer name eth1
ip address add 10.79.0.2/24 dev eth0
ip link set eth0 up; ip link set eth1 up
ip link add down0 type veth peer name down1
"""
GLOBALS = """
global_defs {
    vrrp_version 3
}
vrrp_track_file low {
    file /run/low
    weight 1
    init_file -30
}
"""
INSTANCE = """
vrrp_instance {name} {{
    interface {interface}
    virtual_router_id {vrid}
    priority 200
    advert_int 0.1
    {more}
    virtual_ipaddress {{
        10.250.0.{vrid}/32 dev eth0
    }}
}}
"""
MORE = """
    track_file {
        low
    }
    virtual_ipaddress_excluded {
        fd00:79::9/128 dev eth0
    }
"""
USUAL = (
    GLOBALS
    + INSTANCE.format(name="one", interface="eth0", vrid=11, more=MORE)
    + INSTANCE.format(name="two", interface="down0", vrid=12, more="")
)
PID_FILE = "/run/keepalived.pid"

ASKER = """
import asyncio, json, sys, time
from hachecks.keepalived.json_dump import KeepalivedJson, Unavailable

directory, pid_file, allow_disk, within, *starts = json.loads(sys.argv[1])

async def ask(keepalived, start):
    await asyncio.sleep(start)
    began = time.monotonic()
    try:
        answer = {"dumps": {name: one._asdict() for name, one in (await keepalived.ask(within)).items()}}
    except Unavailable as reason:
        answer = {"trouble": str(reason)}
    return {**answer, "took": time.monotonic() - began}

async def main():
    keepalived = KeepalivedJson(directory, pid_file, allow_disk)
    print(json.dumps(await asyncio.gather(*(ask(keepalived, start) for start in starts))))

asyncio.run(main())
"""

STAND_IN = """
import ctypes, os, signal, sys, time
JSON = signal.SIGRTMIN + 2
signal.signal(JSON, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [JSON])
ctypes.CDLL(None).prctl(15, b"keepalived", 0, 0, 0)

def write(*parts, owner=0):
    with open("/tmp/new", "w") as file:
        os.chown("/tmp/new", owner, owner)
        os.rename("/tmp/new", "/tmp/keepalived.json")
        for part in parts:
            file.write(part)
            file.flush()
            time.sleep(0.1)

with open("/run/keepalived.pid", "w") as file:
    file.write(str(os.getpid()))
"""
WHOLE = '[{"data":{"iname":"one","state":2},"stats":{"advert_sent":7}}]'


class Scene:
    """A namespace in which Keepalived, or who is taken for it, runs and is asked."""

    def __init__(self, inside: Namespace) -> None:
        self.inside = inside
        self.log: list[str] = []

    def start(self, configuration: str = USUAL, *before: str) -> Process:
        """Keepalived, until it has taken up what it is configured to."""
        self.inside.path("/run/keepalived.conf").write_text(configuration)
        argv = ["keepalived", "-n", "--log-console", "-f", "/run/keepalived.conf"]
        process = self.inside.start(*before, *argv, heard=self.log.append)
        last = configuration.count("vrrp_instance")
        masters = last - configuration.count("interface down0")
        wait_until("Keepalived is MASTER", lambda: self.said("Entering MASTER STATE") == masters)
        return process

    def said(self, words: str) -> int:
        return sum(words in line for line in list(self.log))

    @property
    def questions(self) -> int:
        """How often Keepalived was asked."""
        return self.said("as json")

    def stand_in(self, behaviour: str) -> Process:
        """A program that is called keepalived, takes the signal, and then behaves like this."""
        process = self.inside.start(sys.executable, "-c", STAND_IN + behaviour, heard=self.log.append)
        wait_until("it has a pid file", lambda: self.path(PID_FILE).exists() and bool(self.path(PID_FILE).read_text()))
        return process

    def named(self, *argv: str) -> Process:
        """Any program, whose process id is in the pid file."""
        process = self.inside.start("sh", "-c", f'echo $$ > {PID_FILE}; exec "$@"', "sh", *argv)
        wait_until("it has a pid file", lambda: self.path(PID_FILE).exists() and bool(self.path(PID_FILE).read_text()))
        return process

    def has_had_no_signal(self, innocent: Process) -> None:
        """That one lives for whom the signal would be the end, and none is on its way to it."""
        status = self.inside.must("cat", f"/proc/{self.path(PID_FILE).read_text().strip()}/status")
        assert len(re.findall(r"^(?:SigPnd|ShdPnd):\t0+$", status, re.MULTILINE)) == 2, status
        assert innocent.running

    def path(self, inside: str) -> Path:
        return self.inside.path(inside)

    def ask(
        self,
        directory: str = "/tmp",
        *starts: float,
        pid_file: str = PID_FILE,
        allow_disk: bool = False,
        within: float = 20.0,
        before: tuple[str, ...] = (),
    ) -> list[Any]:
        """What the exporter is answered to questions that start after so many seconds."""
        plan = json.dumps([directory, pid_file, allow_disk, within, *(starts or (0.0,))])
        return list(json.loads(self.inside.must(*before, sys.executable, "-c", ASKER, plan)))

    def trouble(self, directory: str = "/tmp", **how: Any) -> str:
        (answer,) = self.ask(directory, **how)
        assert answer["took"] < 10, "it has not waited for what cannot come"
        return str(answer.get("trouble"))


@pytest.fixture
def scene() -> Iterator[Scene]:
    lack = missing_command("keepalived", "ip", "unshare", "setpriv")
    if lack:
        pytest.fail(lack) if os.environ.get("CI") else pytest.skip(lack)
    with namespace(SETUP) as inside:
        yield Scene(inside)


@pytest.mark.failover
def test_each_answer_is_as_things_are_now(scene: Scene) -> None:
    began = time.time()
    scene.start()
    first, second = scene.ask("/tmp", 0.0, 2.0)
    one, two = (first["dumps"][name] for name in ("one", "two"))
    assert (one["state"], one["want_state"], two["state"]) == ("MASTER", "MASTER", "FAULT")
    assert (one["interface"], one["vrid"], one["vipset"], two["vipset"]) == ("eth0", 11, True, False)
    assert (one["base_priority"], one["effective_priority"], two["effective_priority"]) == (200, 170, 200)
    assert (one["vips"], one["excluded_vips"]) == (["10.250.0.11"], ["fd00:79::9"])
    assert began - 1 < one["last_transition"] < time.time()
    assert one["garp_delay"] == 5.0
    sent = [answer["dumps"]["one"]["stats"]["advert_sent"] for answer in (first, second)]
    assert sent[1] > sent[0]
    assert scene.questions == 2


@pytest.mark.failover
def test_a_change_is_in_the_next_answer(scene: Scene) -> None:
    scene.start()
    assert scene.ask()[0]["dumps"]["one"]["effective_priority"] == 170
    scene.path("/run/low").write_text("-40")
    wait_until("Keepalived has seen it", lambda: scene.said("effective priority") > 1)
    assert scene.ask()[0]["dumps"]["one"]["effective_priority"] == 160
    scene.inside.must("ip", "link", "set", "eth1", "down")
    wait_until("one is in FAULT", lambda: scene.said("(one) Entering FAULT STATE") == 1)
    assert scene.ask()[0]["dumps"]["one"]["state"] == "FAULT"


@pytest.mark.failover
def test_all_who_ask_within_a_second_get_one_answer(scene: Scene) -> None:
    scene.start()
    answers = scene.ask("/tmp", 0.0, 0.0, 0.2, 0.4, 3.0)
    assert scene.questions == 2
    dumps = [answer["dumps"] for answer in answers]
    assert dumps[0] == dumps[1] == dumps[2] == dumps[3] != dumps[4]


@pytest.mark.failover
@pytest.mark.parametrize("whom", ["all", "vrrp"])
def test_a_stopped_keepalived_gives_no_answer_and_is_not_asked(scene: Scene, whom: str) -> None:
    keepalived = scene.start()
    assert "dumps" in scene.ask()[0]
    child = scene.inside.must("pgrep", "--oldest", "--parent", scene.path(PID_FILE).read_text().strip()).strip()
    if whom == "all":
        keepalived.signal(signal.SIGSTOP)
    else:
        scene.inside.must("kill", "-STOP", child)
    for _ in range(2):
        assert "is stopped; continue it with SIGCONT" in scene.trouble()
    keepalived.signal(signal.SIGCONT)
    assert "dumps" in scene.ask()[0]
    assert scene.questions == 2


@pytest.mark.failover
def test_a_killed_keepalived_gives_no_answer(scene: Scene) -> None:
    keepalived = scene.start()
    assert "dumps" in scene.ask()[0]
    keepalived.end()
    assert scene.path("/tmp/keepalived.json").exists()
    assert scene.trouble().startswith(f"{PID_FILE} is stale: process ")


@pytest.mark.failover
def test_one_that_hangs_gives_no_answer_in_time_and_is_asked_once(scene: Scene) -> None:
    scene.stand_in(
        """
while not os.path.exists("/run/go"):
    time.sleep(0.02)
count = 0
while signal.sigtimedwait([JSON], 0.2):
    count += 1
print(f"asked {count} times", flush=True)
time.sleep(60)
"""
    )
    scene.path("/tmp/keepalived.json").write_text(WHOLE)
    answers = scene.ask("/tmp", 0.0, 1.5, 3.0, within=0.5)
    for answer in answers:
        assert "hangs; restart it; its old values are not used" in answer["trouble"]
        assert 0.4 < answer["took"] < 10
    scene.path("/run/go").touch()
    wait_until("it goes on", lambda: scene.said("asked 1 times") == 1)


@pytest.mark.failover
def test_an_innocent_process_lives_on_and_is_named(scene: Scene) -> None:
    innocent = scene.named("sleep", "60")
    assert "is sleep, which is left alone" in scene.trouble()
    scene.has_had_no_signal(innocent)


@pytest.mark.failover
def test_one_that_is_called_keepalived_but_would_die_of_the_signal_lives_on(scene: Scene) -> None:
    scene.inside.must("cp", "/bin/sleep", "/run/keepalived")
    innocent = scene.named("/run/keepalived", "60")
    assert "takes no signal for JSON" in scene.trouble()
    scene.has_had_no_signal(innocent)


@pytest.mark.failover
def test_a_pid_file_without_a_running_keepalived_is_called_stale(scene: Scene) -> None:
    ended = scene.named("true")
    ended.end(within=5.0)
    assert scene.trouble().startswith(f"{PID_FILE} is stale: process ")
    scene.path(PID_FILE).write_text("")
    assert scene.trouble() == f"{PID_FILE} holds no process id; give Keepalived's pid file"
    scene.path(PID_FILE).unlink()
    assert scene.trouble() == f"{PID_FILE}: No such file or directory; start Keepalived, or give its pid file"


@pytest.mark.failover
def test_a_child_of_keepalived_is_not_asked(scene: Scene) -> None:
    scene.start()
    main = scene.path(PID_FILE).read_text().strip()
    child = scene.inside.must("pgrep", "--oldest", "--parent", main)
    scene.path("/run/child.pid").write_text(child)
    told = scene.trouble(pid_file="/run/child.pid")
    assert told.endswith(f"is a child of Keepalived; give the pid file of {main}")
    assert scene.questions == 0


@pytest.mark.failover
def test_a_keepalived_of_another_process_namespace_is_not_asked(scene: Scene) -> None:
    command = 'mount -t proc proc /proc; exec "$@"'
    scene.start(USUAL, "unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", command, "sh")
    seen = scene.inside.must("pgrep", "--oldest", "--exact", "keepalived")
    scene.path("/run/seen.pid").write_text(seen)
    assert "is in another process namespace" in scene.trouble(pid_file="/run/seen.pid")
    assert scene.questions == 0


@pytest.mark.failover
def test_a_directory_on_disk_is_refused_unless_it_is_allowed(scene: Scene) -> None:
    scene.start(USUAL, "env", "TMPDIR=/run/disk")
    told = scene.trouble("/run/disk")
    assert told.startswith("/run/disk is on overlay, and a slow disk would hold up Keepalived")
    assert scene.questions == 0
    (answer,) = scene.ask("/run/disk", allow_disk=True)
    assert answer["dumps"]["one"]["state"] == "MASTER"


@pytest.mark.failover
def test_a_directory_that_keepalived_does_not_write_to_is_refused(scene: Scene) -> None:
    scene.path("/run/json").mkdir()
    scene.start(USUAL, "env", "TMPDIR=/run/json")
    told = scene.trouble("/tmp")
    assert told == "Keepalived writes to its TMPDIR /run/json, not to /tmp; give that directory"
    assert scene.questions == 0
    assert "dumps" in scene.ask("/run/json")[0]


@pytest.mark.failover
def test_an_old_dump_in_a_wrong_directory_is_not_told(scene: Scene) -> None:
    scene.start()
    scene.path("/run/keepalived.json").write_text(WHOLE)
    told = scene.trouble("/run", within=2.0)
    assert "has not written /run/keepalived.json; if it writes elsewhere" in told
    assert scene.trouble("/run/nowhere") == "/run/nowhere: No such file or directory; give the directory it writes to"


@pytest.mark.failover
def test_the_files_of_another_mount_namespace_are_read_there(scene: Scene) -> None:
    command = f'{covered("/tmp")} exec "$@"'
    scene.path("/tmp/keepalived.json").write_text("[]")
    scene.start(USUAL, "unshare", "--mount", "sh", "-c", command, "sh")
    assert scene.ask()[0]["dumps"]["one"]["state"] == "MASTER"
    scene.path("/run/link").symlink_to("/tmp")
    assert scene.trouble("/run/link").startswith("/run/link, as Keepalived (process ")


@pytest.mark.failover
def test_without_rights_it_says_what_it_takes(scene: Scene) -> None:
    scene.start()
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    assert "cannot be asked: Operation not permitted; be its user, or have CAP_KILL" in scene.trouble(before=nobody)
    assert scene.questions == 0


@pytest.mark.failover
@pytest.mark.serial
def test_half_a_file_is_waited_for(scene: Scene) -> None:
    scene.stand_in(f"while signal.sigwait([JSON]): write('', {WHOLE[:20]!r}, {WHOLE[20:-1]!r}, {WHOLE[-1]!r})")
    (answer,) = scene.ask()
    assert answer["dumps"]["one"]["stats"] == {"advert_sent": 7}
    assert 0.25 < answer["took"] < 10


@pytest.mark.failover
def test_half_a_file_that_stays_so_is_no_answer(scene: Scene) -> None:
    scene.stand_in(f"while signal.sigwait([JSON]): write({WHOLE[:-1]!r})")
    assert scene.trouble(within=2.0).startswith("/tmp/keepalived.json is not complete: ")


@pytest.mark.failover
def test_the_file_of_another_user_is_not_believed(scene: Scene) -> None:
    scene.stand_in(f"while signal.sigwait([JSON]): write({WHOLE!r}, owner=65534)")
    assert "is not Keepalived's: user 65534 owns it" in scene.trouble()


@pytest.mark.failover
@pytest.mark.serial
def test_255_instances_are_complete_and_quick(scene: Scene) -> None:
    instances = [INSTANCE.format(name=f"VI_{n}", interface="eth0", vrid=n, more="") for n in range(1, 256)]
    scene.start("".join([GLOBALS, *instances]).replace("advert_int 0.1", "advert_int 1"))
    answers = scene.ask("/tmp", 0.0, 1.1)
    for answer in answers:
        dumps = answer["dumps"]
        assert len(dumps) == 255
        assert {(one["state"], one["effective_priority"]) for one in dumps.values()} == {("MASTER", 200)}
        assert {len(one["stats"]) for one in dumps.values()} == {14}
        assert all(one["vips"] == [f"10.250.0.{one['vrid']}"] for one in dumps.values())
    print("seconds:", [round(answer["took"], 4) for answer in answers])
    assert answers[1]["took"] < 0.5


def test_both_versions_of_the_json_are_understood() -> None:
    (first,) = dumps_of(WHOLE).values()
    (second,) = dumps_of(f'{{"vrrp":{WHOLE},"track_process":[{{"process":"nginx"}}]}}').values()
    assert first == second
    assert (first.name, first.state, first.stats) == ("one", "MASTER", {"advert_sent": 7})


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "UNKNOWN"), (1, "BACKUP"), (2.0, "MASTER"), (3, "FAULT"), (97, "UNKNOWN"), (98, "STOP"), (5, "UNKNOWN")],
)
def test_states_are_words(number: float, word: str) -> None:
    text = json.dumps([{"data": {"iname": "one", "state": number, "wantstate": number}}])
    assert (dumps_of(text)["one"].state, dumps_of(text)["one"].want_state) == (word, word)


def test_what_is_missing_or_of_another_type_is_not_told() -> None:
    bare = dumps_of('[{"data":{"iname":"one"}},{"data":{}},{},3]')
    assert list(bare) == ["one"]
    assert bare["one"][1:] == ("", None, "UNKNOWN", "UNKNOWN", None, None, None, None, None, (), (), None, {})
    odd = dumps_of(
        '[{"data":{"iname":"one","vrid":11.0,"garp_delay":5,"last_transition":0.0,"vipset":0,"base_priority":"high",'
        '"effective_priority":NaN,"master_priority":Infinity,"state":null,"vips":"none","evips":["",7],"new":{}},'
        '"stats":{"advert_sent":8.0,"advert_rcvd":18446744073709551615,"auth_ext_new":1,"pri_zero_sent":"x"}}]'
    )["one"]
    assert (odd.vrid, odd.garp_delay, odd.last_transition, odd.vipset) == (11, 5.0, None, False)
    assert (odd.base_priority, odd.effective_priority, odd.master_priority, odd.state) == (None, None, None, "UNKNOWN")
    assert (odd.vips, odd.excluded_vips) == ((), ("7",))
    assert odd.stats == {"advert_sent": 8, "advert_rcvd": 18446744073709551615, "auth_ext_new": 1}


def test_the_password_is_kept_nowhere() -> None:
    text = '[{"data":{"iname":"one","auth_type":1,"auth_data":"s3cret"},"stats":{"auth_failure":0}}]'
    assert "s3cret" not in repr(dumps_of(text))


@pytest.mark.parametrize("text", ["", "[", WHOLE[:-1], WHOLE[:30], "{}", "7", '{"vrrp":{}}'])
def test_half_a_dump_or_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps_of(text)
