"""Prometheus knows the states and counts of instances by a file or a Pushgateway, whatever they are called."""

from __future__ import annotations

import base64
import os
import re
import resource
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from hachecks.deadline import Deadline
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.notifiers.prometheus import PrometheusNotifier
from hachecks.services.instance_metrics import InstanceMetrics
from tests.cli import hacheck
from tests.events import AT, event, message, messages, storm
from tests.monitors import get, get_json, node_exporter, promtool_complaints, pushgateway
from tests.notifier_contracts import Contract
from tests.receivers import Always
from tests.servers import Route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message

CONTRACTS = {
    "pushgateway": Contract(
        "prometheus",
        lambda url: {"pushgateway": url, "basic": "user:S3CRET-password-5"},
        ("S3CRET-password-5", base64.b64encode(b"user:S3CRET-password-5").decode()),
    )
}
BASES = ("--pushgateway http://h/", "--pushgateway https://h/", "--pushgateway https://h/ --proxy http://p:1", "")
SAMPLES = {"--textfile": "/x.prom"}


@pytest.fixture
def textfile(tmp_path: Path) -> Path:
    return tmp_path / "hachecks.prom"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pushgateway(tmp_path_factory.mktemp("pushgateway")) as url:
        yield url


@pytest.fixture(autouse=True)
def _state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HACHECK_STATE_DIR", str(tmp_path))


def send(notifier: PrometheusNotifier, told: Message) -> str:
    return notifier.send(told, Deadline.after(30))


def write(textfile: Path, *told: Message) -> str:
    for one in told:
        assert send(PrometheusNotifier(textfile=str(textfile)), one) == f"wrote {textfile}"
    return textfile.read_text()


def push(gateway: str, told: Message, **more: Any) -> str:
    return send(PrometheusNotifier(pushgateway=Url.parse(gateway), **more), told)


def samples(text: str, name: str = "VI_1") -> dict[str, float]:
    """The values about an instance, by family and state."""
    found = re.findall(rf'^(\w+)\{{.*?vrrp_instance="{re.escape(name)}".*\}} (\S+)$', text, re.MULTILINE)
    lines = [line for line in text.splitlines() if f'vrrp_instance="{name}"' in line]
    states = [re.search(r'state="(\w+)"', line) for line in lines]
    return {f"{family} {state[1] if state else ''}".strip(): float(v) for (family, v), state in zip(found, states)}


def test_the_file_says_states_counts_times_and_priorities(textfile: Path) -> None:
    text = write(
        textfile,
        message(event(state="BACKUP", before=None, priority=None)),
        message(event(state="MASTER", before="BACKUP", number=2, at=AT + 4, priority=150)),
        message(event(state="FAULT", before="MASTER", number=3, at=AT + 9, priority=150)),
    )
    assert samples(text) == {
        "hachecks_vrrp_state UNKNOWN": 0,
        "hachecks_vrrp_state BACKUP": 0,
        "hachecks_vrrp_state MASTER": 0,
        "hachecks_vrrp_state FAULT": 1,
        "hachecks_vrrp_state STOP": 0,
        "hachecks_vrrp_transitions_total BACKUP": 1,
        "hachecks_vrrp_transitions_total MASTER": 1,
        "hachecks_vrrp_transitions_total FAULT": 1,
        "hachecks_vrrp_transitions_total STOP": 0,
        "hachecks_vrrp_last_transition_timestamp_seconds": AT + 9,
        "hachecks_vrrp_priority": 150,
    }
    assert promtool_complaints(text) == ""


def test_node_exporter_reads_it(tmp_path: Path, textfile: Path) -> None:
    write(textfile, storm())
    with node_exporter(tmp_path, tmp_path) as url:
        text = get(f"{url}/metrics")
    assert (
        len(re.findall(r'^hachecks_vrrp_state\{state="FAULT",vrrp_instance="VI_\d+"\} 1$', text, re.MULTILINE)) == 255
    )
    assert "node_textfile_scrape_error 0" in text
    assert f'node_textfile_mtime_seconds{{file="{textfile}"}}' in text


def test_the_file_is_readable_whatever_the_umask_and_nothing_is_left_beside_it(textfile: Path) -> None:
    former = os.umask(0o177)
    try:
        write(textfile, message())
    finally:
        os.umask(former)
    assert textfile.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in textfile.parent.iterdir()] == [textfile.name]


def test_a_message_that_is_sent_again_is_counted_once(textfile: Path) -> None:
    text = write(textfile, message(), message())
    assert samples(text)["hachecks_vrrp_transitions_total FAULT"] == 1


def test_every_change_of_a_flap_is_counted(textfile: Path) -> None:
    flap = [
        event(state="FAULT" if n % 2 else "BACKUP", before="BACKUP" if n % 2 else "FAULT", number=n)
        for n in range(1, 8)
    ]
    found = samples(write(textfile, message(*flap)))
    assert (found["hachecks_vrrp_transitions_total FAULT"], found["hachecks_vrrp_transitions_total BACKUP"]) == (4, 3)


def test_late_words_and_news_of_priorities_change_no_state(textfile: Path) -> None:
    late = event(state="BACKUP", before="MASTER", number=3, late=True)
    news = event(state="MASTER_PRIORITY", before="MASTER", number=4, priority=90)
    found = samples(write(textfile, message(event(state="MASTER", before="BACKUP"), late, news)))
    assert found["hachecks_vrrp_state MASTER"] == 1
    assert found["hachecks_vrrp_transitions_total BACKUP"] == 0
    assert found["hachecks_vrrp_priority"] == 90


def test_a_deleted_instance_disappears(textfile: Path) -> None:
    text = write(textfile, storm(2), message(event("VI_2", "DELETED", "FAULT", number=9)))
    assert samples(text, "VI_2") == {}
    assert samples(text, "VI_1") != {}


def test_groups_are_left_to_their_instances(textfile: Path) -> None:
    assert samples(write(textfile, message(event("VG_1", kind="GROUP"))), "VG_1") == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("garbage", id="garbage"),
        pytest.param('hachecks_vrrp_priority{vrrp_instance="VI_9"} 1.2.3\n\x00', id="numbers"),
        pytest.param('hachecks_vrrp_transitions_total{vrrp_instance="VI_1",state="FAULT"} 9e999\n', id="infinite"),
        pytest.param('hachecks_vrrp_state{vrrp_instance="VI_1",state="LOST"} 1\n', id="state"),
    ],
)
def test_a_damaged_file_is_replaced(textfile: Path, text: str) -> None:
    textfile.write_text(text)
    assert samples(write(textfile, message()))["hachecks_vrrp_transitions_total FAULT"] == 1


FIRST_RELEASE = r"""# The last message this tells of: 00000000000000000000000000000001
# HELP hachecks_vrrp_state Whether the instance is in this state, as Keepalived says.
# TYPE hachecks_vrrp_state gauge
hachecks_vrrp_state{vrrp_instance="V\\ \"1\"",state="UNKNOWN"} 0
hachecks_vrrp_state{vrrp_instance="V\\ \"1\"",state="BACKUP"} 0
hachecks_vrrp_state{vrrp_instance="V\\ \"1\"",state="MASTER"} 1
hachecks_vrrp_state{vrrp_instance="V\\ \"1\"",state="FAULT"} 0
hachecks_vrrp_state{vrrp_instance="V\\ \"1\"",state="STOP"} 0
# HELP hachecks_vrrp_transitions_total Changes into this state.
# TYPE hachecks_vrrp_transitions_total counter
hachecks_vrrp_transitions_total{vrrp_instance="V\\ \"1\"",state="BACKUP"} 6
hachecks_vrrp_transitions_total{vrrp_instance="V\\ \"1\"",state="MASTER"} 7
hachecks_vrrp_transitions_total{vrrp_instance="V\\ \"1\"",state="FAULT"} 8
hachecks_vrrp_transitions_total{vrrp_instance="V\\ \"1\"",state="STOP"} 9
# HELP hachecks_vrrp_last_transition_timestamp_seconds When the instance changed its state, in seconds of the epoch.
# TYPE hachecks_vrrp_last_transition_timestamp_seconds gauge
hachecks_vrrp_last_transition_timestamp_seconds{vrrp_instance="V\\ \"1\""} 1795366800.25
# HELP hachecks_vrrp_priority The priority that Keepalived said last.
# TYPE hachecks_vrrp_priority gauge
hachecks_vrrp_priority{vrrp_instance="V\\ \"1\""} 100
"""


def test_counters_go_on_from_the_file_of_an_earlier_version(textfile: Path) -> None:
    assert str(InstanceMetrics.parse(FIRST_RELEASE)) == FIRST_RELEASE
    textfile.write_text(FIRST_RELEASE)
    text = write(textfile, message(event('V\\ "1"', "FAULT", "MASTER", number=2)))
    counts = re.findall(r'^hachecks_vrrp_transitions_total.*state="(\w+)"\} (\d+)$', text, re.MULTILINE)
    assert counts == [("BACKUP", "6"), ("MASTER", "7"), ("FAULT", "9"), ("STOP", "9")]


@pytest.mark.parametrize(
    "number", ["0.00001", "999999999999999.999999999", "999999999999999", "0.5", "0", "1795366800.25"]
)
@pytest.mark.parametrize("family", ["vrrp_last_transition_timestamp_seconds", "vrrp_priority"])
def test_any_number_that_is_read_is_read_again(family: str, number: str) -> None:
    known = InstanceMetrics.parse(f'hachecks_{family}{{vrrp_instance="V"}} {number}\n')
    assert str(InstanceMetrics.parse(str(known))) == str(known)


@settings(max_examples=60, deadline=None)
@given(messages())
def test_any_name_is_written_and_read_back(told: Message) -> None:
    known = InstanceMetrics()
    known.add(told)
    again = InstanceMetrics.parse(str(known))
    assert str(again) == str(known)
    again.add(told)
    assert str(again) == str(known)


@settings(max_examples=8, deadline=None)
@given(messages())
def test_promtool_finds_no_fault_with_any_name(told: Message) -> None:
    known = InstanceMetrics()
    known.add(told)
    assert promtool_complaints(str(known)) == ""


def test_a_directory_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "hachecks.prom"
    with pytest.raises(NotDelivered, match=f"^{path}: No such file or directory$") as raised:
        send(PrometheusNotifier(textfile=str(path)), message())
    assert raised.value.retryable


def groups(gateway: str) -> list[dict[str, str]]:
    return [group["labels"] for group in get_json(f"{gateway}/api/v1/metrics")["data"]]


def test_a_pushgateway_has_the_metrics_until_all_has_stopped(gateway: str) -> None:
    told = push(gateway, storm(2))
    assert told == f"{gateway[7:]} took the metrics"
    assert {"job": "hachecks", "instance": "node-1"} in groups(gateway)
    assert 'hachecks_vrrp_state{instance="node-1",job="hachecks",state="FAULT",vrrp_instance="VI_2"} 1' in get(
        f"{gateway}/metrics"
    )
    push(gateway, message(event("VI_1", "STOP", "FAULT", number=8)))
    assert {"job": "hachecks", "instance": "node-1"} in groups(gateway)
    told = push(gateway, message(event("VI_2", "STOP", "FAULT", number=9)))
    assert told == f"{gateway[7:]} deleted the metrics, since all has stopped"
    assert {"job": "hachecks", "instance": "node-1"} not in groups(gateway)
    push(gateway, message(event("VI_1", "BACKUP", "STOP", number=10)))
    text = get(f"{gateway}/metrics")
    assert re.search(r'hachecks_vrrp_transitions_total\{.*state="STOP",vrrp_instance="VI_1"\} 1', text)


@pytest.mark.parametrize("node", ["a/b", "..", "ünïcode", "with space", "%2F"])
def test_any_node_has_its_group(gateway: str, node: str) -> None:
    push(gateway, message(node=node), job="any/job")
    assert {"job": "any/job", "instance": node} in groups(gateway)
    push(gateway, message(event(state="STOP", before="FAULT", number=2), node=node), job="any/job")
    assert {"job": "any/job", "instance": node} not in groups(gateway)


def test_a_push_that_fails_is_not_counted_twice(textfile: Path, gateway: str) -> None:
    with Always(Route(b"", 503)) as broken, pytest.raises(NotDelivered) as raised:
        send(PrometheusNotifier(textfile=str(textfile), pushgateway=Url.parse(broken.url)), message())
    assert raised.value.retryable
    told = send(PrometheusNotifier(textfile=str(textfile), pushgateway=Url.parse(gateway)), message())
    assert told == f"wrote {textfile}; {gateway[7:]} took the metrics"
    assert samples(textfile.read_text())["hachecks_vrrp_transitions_total FAULT"] == 1


def test_a_test_in_this_process_tells_the_same(textfile: Path, gateway: str) -> None:
    own = PrometheusNotifier(textfile=str(textfile), pushgateway=Url.parse(gateway))
    assert send(own, message(test=True)) == (
        f"{textfile} can be written; {gateway[7:]} took a push, and deleted it again"
    )
    with pytest.raises(NotDelivered, match="Not a directory"):
        send(PrometheusNotifier(textfile=f"{__file__}/x.prom"), message(test=True))


def test_what_cannot_be_kept_is_not_pushed(tmp_path: Path, gateway: str) -> None:
    push(gateway, message())
    (memory,) = tmp_path.glob("pushgateway-*")
    before, pushed = memory.read_text(), get(f"{gateway}/metrics")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(NotDelivered, match=r"^the state directory: File too large$") as raised:
            push(gateway, message(event(number=2)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.retryable
    assert memory.read_text() == before
    ours = re.compile(r"^hachecks_.*", re.MULTILINE)
    assert ours.findall(get(f"{gateway}/metrics")) == ours.findall(pushed)


def test_a_test_changes_nothing_that_prometheus_sees(textfile: Path, gateway: str) -> None:
    done = hacheck("notify", "--test", "prometheus", "--textfile", textfile, "--pushgateway", gateway, NODE_NAME="n")
    assert done.code == 0, done
    assert done.out.rstrip().endswith(f": {textfile} can be written; {gateway[7:]} took a push, and deleted it again")
    assert list(textfile.parent.iterdir()) == []
    assert not any(labels["job"] == "hachecks-test" for labels in groups(gateway))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param({}, "give --textfile or --pushgateway", id="nothing"),
        pytest.param({"textfile": "/x"}, "--textfile /x: node_exporter reads files whose names end with .prom", id="x"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        PrometheusNotifier(**given)
