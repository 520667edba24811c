"""Each source of what is known is read as it stands, whatever stands there, and fails without the others."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hachecks import state
from hachecks.checks.results import CheckResults
from hachecks.exporter import body, compatibility, metrics, page, queues
from hachecks.exporter.additions import Additions
from hachecks.exporter.checks import DEFAULT_INTERVAL, FORGET_SECONDS, NEVER_RAN, STALE_SECONDS, CheckSource
from hachecks.exporter.configuration import ConfigurationSource
from hachecks.exporter.document import document
from hachecks.exporter.instance_history import InstanceHistories
from hachecks.exporter.journal_source import EVENTS_PER_CLOCK_LOOK
from hachecks.exporter.source import SourceHealth
from hachecks.exporter.sources import Sources
from hachecks.exporter.view import Instance
from hachecks.exporter.view_builder import ViewBuilder, with_reasons
from hachecks.keepalived.configuration import Configuration, VrrpScript
from hachecks.services.exposition import TEXT
from hachecks.services.exposition_text import rendered
from hachecks.transitions import journal
from tests import nodes
from tests.exporter.running import configuration, say
from tests.monitors import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hachecks.exporter.body import CachedSection
    from hachecks.exporter.view import View


# How a source fares


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def source(told: list[str]) -> SourceHealth:
    return SourceHealth("journal", told.append)


def test_a_source_that_answers_again_is_news_though_nothing_in_it_changed(source: SourceHealth) -> None:
    source.succeeded(changed=True)
    before = source.version
    source.succeeded(changed=False)
    assert source.version == before
    source.failed("it is away")
    broken = source.version
    assert broken > before
    source.succeeded(changed=False)
    assert source.version > broken, "a page that showed the trouble would go on showing it"


def test_trouble_is_told_once_and_its_end_too(source: SourceHealth, told: list[str]) -> None:
    for _ in range(3):
        source.failed("it is away")
    source.succeeded(changed=False)
    source.succeeded(changed=False)
    assert told == ["it is away", "journal: all is well again"]
    assert (source.errors, source.up, source.trouble) == (3, True, "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(24, "Too many open files", "/run/hacheck"), "journal: /run/hacheck: Too many open files"),
        (OSError("nothing more"), "journal: it cannot be read"),
        (MemoryError(), "journal: there is not enough memory to read it"),
        (RecursionError("maximum"), "journal: what it says is not understood (internal error at test_sources.py:"),
        (TypeError("'str' < 'int'"), "journal: what it says is not understood (internal error at test_sources.py:"),
    ],
    ids=repr,
)
def test_whatever_happens_on_a_look_is_told_in_plain_words(
    source: SourceHealth, told: list[str], error: Exception, said: str
) -> None:
    with source.looked_at():
        raise error
    assert told[0].startswith(said)
    assert not source.up
    assert type(error).__name__ not in told[0]


# The checks


def published(name: str, at: float, *, good: bool = True, interval: float = 0.0) -> CheckResults:
    one = CheckResults(name, "file")
    one.status, one.good, one.at, one.reason = ("PASS" if good else "FAIL"), good, at, f"{name} said so {interval}"
    one.runs, one.durations = 1, [1] * len(one.durations)
    return one


def checks(directory: Path, *scripts: VrrpScript) -> CheckSource:
    found = CheckSource(lambda: [str(directory)], {}, SourceHealth("verdicts", lambda _: None), Additions())
    found.configure(Configuration((), scripts, {}, ()))
    return found


def script(name: str, check: str, interval: float | None = 2.0) -> VrrpScript:
    return VrrpScript(name, f"sh /etc/keepalive/hacheck run {check}", interval, None, None, None)


def write(directory: Path, one: CheckResults) -> None:
    """As a check does, which puts another file in the place of the former."""
    state.replace(str(directory / f"verdict-{one.name}"), one.to_text())


def test_a_verdict_says_something_about_now_for_a_minute_or_five_intervals(tmp_path: Path) -> None:
    found, now = checks(tmp_path, script("quick", "web"), script("slow", "backup", 600.0)), time.time()
    for name, age, fresh in (
        ("web", STALE_SECONDS - 1, True),
        ("web", STALE_SECONDS + 1, False),
        ("backup", 5 * 600 - 1, True),
        ("backup", 5 * 600 + 1, False),
    ):
        assert found.checks.is_fresh(published(name, now - age), now) is fresh, (name, age)


def test_a_check_that_says_how_often_it_is_run_is_waited_for_as_long(tmp_path: Path) -> None:
    found, now = checks(tmp_path), time.time()
    for age, fresh in ((5 * 600 - 1, True), (5 * 600 + 1, False)):
        one = published("by-cron", now - age)
        one.interval = 600.0
        assert found.checks.is_fresh(one, now) is fresh, age


@pytest.mark.parametrize("ahead", [STALE_SECONDS + 1, 1e9, 1e300])
def test_a_verdict_from_the_future_says_nothing_about_now(tmp_path: Path, ahead: float) -> None:
    now = time.time()
    write(tmp_path, published("web", now + ahead))
    found = checks(tmp_path, script("web", "web"))
    found.refresh()
    assert [(check.status, check.passes) for check in found.checks.view(now)] == [("", None)]


def test_a_check_that_nobody_configured_is_forgotten_after_an_hour(tmp_path: Path) -> None:
    found, now = checks(tmp_path, script("web", "web")), time.time()
    for name, age in (("web", 2 * FORGET_SECONDS), ("lately", FORGET_SECONDS - 60), ("once", FORGET_SECONDS + 60)):
        write(tmp_path, published(name, now - age))
    found.refresh()
    assert sorted(name for name, _ in found.checks.shown(now)) == ["lately", "web"]


def test_a_check_that_never_ran_is_shown_as_that(tmp_path: Path) -> None:
    found = checks(tmp_path, script("chk", "web", None))
    found.refresh()
    (one,) = found.checks.view(time.time())
    assert (one.name, one.status, one.reason, one.interval) == (
        "web", "", NEVER_RAN, DEFAULT_INTERVAL,
    )  # fmt: skip


def test_a_script_that_is_no_check_is_left_to_keepalived(tmp_path: Path) -> None:
    odd = VrrpScript("odd", "hacheck nonsense", 1.0, None, None, None)
    other = VrrpScript("other", "/bin/true", 1.0, None, None, None)
    assert checks(tmp_path, odd, other).checks.of_script == {}


def test_the_reason_of_a_fault_is_of_the_first_tracked_check_that_fails_right_now(tmp_path: Path) -> None:
    now = time.time()
    found = checks(tmp_path, script("a", "passes"), script("b", "stale"), script("c", "fails"), script("d", "too"))
    write(tmp_path, published("passes", now))
    write(tmp_path, published("stale", now - 2 * STALE_SECONDS, good=False))
    write(tmp_path, published("fails", now, good=False))
    write(tmp_path, published("too", now, good=False))
    found.refresh()
    instances = [
        Instance(name, "lo", 1, "ipv4", 100, state, now, 100, "", {}, 0.0, (), scripts=tuple(scripts.split()))
        for name, state, scripts in (
            ("VI_1", "FAULT", "a b none c d"),
            ("VI_2", "FAULT", "a b"),
            ("VI_3", "BACKUP", "c"),
        )
    ]
    first, second, third = with_reasons(instances, found.checks.view(now))
    assert first.why.startswith("fails said so")
    assert (second.why, third.why) == ("", "")


def test_verdicts_are_read_again_when_one_has_come(tmp_path: Path) -> None:
    found, now = checks(tmp_path), time.time()
    found.refresh()
    before = found.health.version
    found.refresh()
    assert (found.health.version, found.checks.verdicts) == (before, {})
    write(tmp_path, published("web", now))
    found.refresh()
    assert (list(found.checks.verdicts), found.health.version > before) == (["web"], True)


# The configuration


def test_a_configuration_that_cannot_be_read_leaves_the_former_in_force_and_is_read_when_it_can(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    source = SourceHealth("configuration", lambda _: None)
    path.write_text(configuration(2))
    read = ConfigurationSource(nodes.node_at(tmp_path, keepalived_config=str(path)), source)
    read.refresh()
    assert (len(read.configuration.instances), source.up) == (2, True)
    path.unlink()
    read.refresh()
    assert (len(read.configuration.instances), source.up) == (2, False)
    path.write_text(configuration(3))
    read.refresh()
    assert (len(read.configuration.instances), source.up) == (3, True)


def test_the_variables_of_openshift_count_until_there_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    source = SourceHealth("configuration", lambda _: None)
    variables = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-2"}
    read = ConfigurationSource(nodes.node_at(tmp_path, variables, keepalived_config=str(path)), source)
    read.refresh()
    assert (len(read.configuration.instances), source.up) == (2, True)
    path.write_text(configuration(3))
    read.refresh()
    assert len(read.configuration.instances) == 3


ODD_NAMES = [b"a\xffb", b"a\x85b", "a\u2028b".encode(), "a\u202eb".encode(), b"a\x1bb", b"\xc3"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_an_odd_name_is_one_name_wherever_it_is_read(tmp_path: Path, told: list[str], name: bytes) -> None:
    """Of two names whose bytes are no text one was missing, and neither had a state."""
    other = name + b"\xfe"
    blocks = (b"vrrp_instance %s {\n  interface lo\n  virtual_router_id %d\n}\n" % (name, 7),
              b"vrrp_instance %s {\n  interface lo\n  virtual_router_id %d\n}\n" % (other, 8))  # fmt: skip
    (tmp_path / "keepalived.conf").write_bytes(b"".join(blocks))
    sources = sources_at(tmp_path, told)
    for one in (name, other):
        command = [os.fsencode(sys.executable), b"-m", b"hachecks", b"notify", b"INSTANCE", one, b"BACKUP", b"100"]
        subprocess.run(command, env={**os.environ, "HACHECK_STATE_DIR": str(tmp_path)}, check=True)
    heard_all(sources)
    assert len(view(sources).instances) == 2
    for instance in view(sources).instances:
        assert instance.name.isprintable()
        assert sources.journal.said.instances[instance.name].state == "BACKUP", (
            "what is said and what is configured have one name"
        )
    assert rendered([metrics.INSTANCES], view(sources), TEXT).count("hachecks_vrrp_transitions_total{") == 8
    json.dumps(document(view(sources)), ensure_ascii=False).encode()
    page.render(view(sources)).encode()


def test_findings_are_counted_and_told_beside_the_rest(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "keepalived.conf").write_text(configuration(2))
    sources = sources_at(tmp_path, told)
    heard_all(sources)
    before = view(sources).findings
    (tmp_path / "keepalived.conf").write_text(configuration(2) + "}\n")
    heard_all(sources)
    after = view(sources).findings
    assert len(after) > len(before)
    assert document(view(sources))["findings"] == list(after)
    assert len(view(sources).instances) == 2
    assert f"\nhachecks_configuration_findings {len(after)}\n" in rendered([metrics.FINDINGS], view(sources), TEXT)


def test_an_instance_without_vips_has_its_series(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "keepalived.conf").write_text("vrrp_instance VI_9 {\n  interface lo\n  virtual_router_id 9\n}\n")
    sources = sources_at(tmp_path, told)
    heard_all(sources)
    assert 'hachecks_vrrp_state{vrrp_instance="VI_9",state="UNKNOWN"} 1' in rendered(
        [metrics.INSTANCES], view(sources), TEXT
    )
    text = rendered(compatibility.TABLES, view(sources), TEXT)
    assert 'keepalived_vrrp_state{iname="VI_9",intf="lo",vrid="9",ip_address=""} 0' in text


# The queues of the notifiers

BEST = {"told": 3, "waiting": 1, "deliveries": 4, "failures": {"refused": 2}, "dropped": {"expired": 1},
        "last_success": 1_790_000_000.0, "durations": [1, 1, 2, 2, 3, 3, 4, 4, 4, 4], "seconds": 3.5}  # fmt: skip
ODD: tuple[object, ...] = (
    None,
    True,
    "x",
    [],
    {},
    [None],
    -1,
    -0.5,
    10**400,
    1e300,
    -1e300,
    float("nan"),
    float("inf"),
    "NaN",
    "\udcff",
)


def queue(directory: Path, name: str, **facts: Any) -> None:
    (directory / f"queue-{name}").write_text(json.dumps({**BEST, **facts}))


def test_a_queue_is_told_as_it_stands(tmp_path: Path) -> None:
    queue(tmp_path, "slack")
    (one,) = queues.latest([str(tmp_path)])
    assert (one.name, one.waiting, one.deliveries, one.seconds) == ("slack", 1, 4, 3.5)
    assert (one.failures["refused"], one.dropped["expired"]) == (2, 1)
    assert list(one.durations) == BEST["durations"]


def test_of_two_queues_of_a_notifier_the_one_that_was_told_last_counts(tmp_path: Path) -> None:
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    queue(old, "slack", last_success=1.0, waiting=7)
    queue(new, "slack", last_success=2.0, waiting=0)
    for order in ((old, new), (new, old)):
        (one,) = queues.latest(map(str, order))
        assert (one.waiting, one.last_success) == (0, 2.0)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("fact", sorted(BEST))
def test_a_queue_file_may_hold_anything(tmp_path: Path, fact: str, odd: object) -> None:
    queue(tmp_path, "slack", **{fact: odd})
    (one,) = queues.latest([str(tmp_path)])
    assert 0 <= one.waiting <= queues.MAX_COUNT
    assert 0 <= one.deliveries <= queues.MAX_COUNT
    assert 0 <= one.seconds < 1e12
    assert one.last_success is None or 0 <= one.last_success < 1e12
    assert list(one.durations) == sorted(one.durations)
    assert all(isinstance(count, int) and count >= 0 for count in (*one.failures.values(), *one.dropped.values()))


def test_many_queues_do_not_fill_the_memory(tmp_path: Path) -> None:
    for number in range(queues.MAX_QUEUES + 10):
        queue(tmp_path, f"n{number}")
    assert len(queues.latest([str(tmp_path)])) == queues.MAX_QUEUES


# All sources of a node


def sources_at(directory: Path, told: list[str]) -> Sources:
    configured = str(directory / "keepalived.conf")
    return Sources(nodes.node_at(directory, os.environ, keepalived_config=configured), told.append)


@pytest.fixture
def sources(tmp_path: Path, told: list[str]) -> Sources:
    (tmp_path / "keepalived.conf").write_text(configuration(2))
    return sources_at(tmp_path, told)


@contextmanager
def no_more_files() -> Iterator[None]:
    """A time in which this process can open nothing."""
    free = os.dup(0)
    os.close(free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def view(sources: Sources) -> View:
    return ViewBuilder(sources).view()


def heard_all(sources: Sources) -> None:
    sources.refresh()
    while sources.is_behind:
        sources.refresh()


def test_a_long_history_is_read_bit_by_bit_and_believed_when_it_is_read(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hachecks.exporter.journal_source.READING_SECONDS", 0.0)
    for number in range(2 * EVENTS_PER_CLOCK_LOOK):
        say(tmp_path, "VI_1", ("BACKUP", "MASTER")[number % 2], seconds_ago=(2 * EVENTS_PER_CLOCK_LOOK - number) / 100)
    sources.refresh()
    assert sources.is_behind
    assert not sources.is_ready
    assert sources.journal.said.instances == {}, "what is read so far is old news"
    heard_all(sources)
    assert sources.journal.said.instances["VI_1"].entered["MASTER"] == EVENTS_PER_CLOCK_LOOK


def test_a_source_that_breaks_leaves_the_others_and_is_read_again(
    sources: Sources, tmp_path: Path, told: list[str]
) -> None:
    heard_all(sources)
    say(tmp_path, "VI_1", "BACKUP")
    with no_more_files():
        sources.refresh()
        sources.refresh()
    lacking = [line for line in told if "Too many open files" in line]
    assert lacking
    assert len(lacking) == len(set(lacking)), "each is told once"
    assert [one.name for one in view(sources).instances] == ["VI_1", "VI_2"]
    heard_all(sources)
    assert not [name for name, one in sources.health.items() if "Too many" in one.trouble]
    assert sources.journal.said.instances["VI_1"].state == "BACKUP"


def test_a_mistake_of_ours_in_one_source_leaves_the_others(
    sources: Sources, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        raise TypeError("'>' not supported between instances of 'str' and 'int'")

    say(tmp_path, "VI_1", "BACKUP")
    with monkeypatch.context() as patch:
        patch.setattr(InstanceHistories, "add", mistaken)
        sources.refresh()
    (line,) = [line for line in told if "internal" in line]
    assert line.startswith("journal: what it says is not understood (internal error at test_sources.py:")
    assert [one.name for one in view(sources).instances] == ["VI_1", "VI_2"]
    heard_all(sources)
    assert sources.journal.said.instances["VI_1"].state == "BACKUP", "what was lost by the mistake is read again"


def test_nothing_recorded_is_told_with_what_to_do(sources: Sources, tmp_path: Path) -> None:
    heard_all(sources)
    if not sources.health["journal"].up:  # something else may have left a journal in /dev/shm
        assert "have Keepalived call `hacheck notify`" in sources.health["journal"].trouble
    say(tmp_path, "VI_1", "BACKUP")
    heard_all(sources)
    assert sources.health["journal"].up
    assert (tmp_path / journal.NAME).exists()


def test_the_death_of_keepalived_is_in_the_histories_and_its_return(sources: Sources, tmp_path: Path) -> None:
    say(tmp_path, "VI_1", "MASTER")
    sources.journal.refresh()
    for alive in (True, False, False, True):
        sources.journal.settle(keepalived_alive=alive)
    found = sources.journal.said.instances["VI_1"]
    assert [state for _, state in found.changes] == ["MASTER", "UNKNOWN", "MASTER"]
    assert found.entered["MASTER"] == 1


def test_what_was_said_stays_the_same_object_until_there_is_news(sources: Sources, tmp_path: Path) -> None:
    say(tmp_path, "VI_1", "MASTER")
    say(tmp_path, "VI_2", "BACKUP")
    heard_all(sources)
    before, version = sources.journal.said, sources.fingerprint()
    heard_all(sources)
    assert sources.journal.said is before
    assert sources.fingerprint() == version
    say(tmp_path, "VI_1", "BACKUP")
    heard_all(sources)
    after = sources.journal.said
    assert after.instances["VI_1"].state == "BACKUP"
    assert after.instances["VI_2"] is before.instances["VI_2"]
    assert sources.fingerprint() != version


def scraped(sections: list[CachedSection], views: ViewBuilder) -> str:
    views.sources.refresh()
    return body.joined(sections, views.view(), TEXT).decode()


def test_news_of_every_source_are_in_the_next_scrape(sources: Sources, tmp_path: Path) -> None:
    views, sections = ViewBuilder(sources), metrics.sections(compatible=True)
    instances, keyword, script = configuration(2).partition("vrrp_script")  # it is tracked by what stands below it
    (tmp_path / "keepalived.conf").write_text(keyword + script + instances)
    assert "hachecks_check_up" not in scraped(sections, views)
    write(tmp_path, published("web", time.time()))
    text = scraped(sections, views)
    assert 'hachecks_check_up{check="web",probe="file"} 1\n' in text
    assert 'keepalived_script_status{name="web"} 1\n' in text
    assert (
        'keepalived_exporter_check_script_status{iname="VI_1",intf="eth0",vrid="1",ip_address="10.250.0.1"} 1' in text
    )
    write(tmp_path, published("web", time.time(), good=False))
    text = scraped(sections, views)
    assert 'hachecks_check_up{check="web",probe="file"} 0\n' in text
    assert 'keepalived_script_status{name="web"} 0\n' in text
    say(tmp_path, "VI_1", "MASTER")
    text = scraped(sections, views)
    assert 'hachecks_vrrp_transitions_total{vrrp_instance="VI_1",state="MASTER"} 1\n' in text
    assert 'hachecks_notify_events_total{type="INSTANCE",state="MASTER"} 1\n' in text
    assert 'keepalived_become_master_total{iname="VI_1",intf="eth0",vrid="1"} 1\n' in text
    queue(tmp_path, "slack", waiting=3)
    assert 'hachecks_notify_queue_length{notifier="slack"} 3\n' in scraped(sections, views)
    queue(tmp_path, "slack", waiting=4)
    assert 'hachecks_notify_queue_length{notifier="slack"} 4\n' in scraped(sections, views)
    (tmp_path / "keepalived.conf").write_text(configuration(3))
    text = scraped(sections, views)
    assert 'hachecks_vip_info{vrrp_instance="VI_3",vip="10.250.0.3",vrid="3"' in text
    assert 'hachecks_vip_present{vrrp_instance="VI_1"' not in text, "no address has been read"
    sources.health["netlink"].succeeded(changed=True)
    assert 'hachecks_vip_present{vrrp_instance="VI_1",vip="10.250.0.1"} 0\n' in scraped(sections, views)


def test_a_verdict_that_grows_old_is_no_more_told_though_nothing_came(sources: Sources, tmp_path: Path) -> None:
    views, sections = ViewBuilder(sources), metrics.sections(compatible=True)
    write(tmp_path, published("web", time.time() - STALE_SECONDS + 8))
    assert 'hachecks_check_up{check="web",probe="file"} 1\n' in scraped(sections, views)
    until(lambda: "hachecks_check_up" not in scraped(sections, views))
    assert 'hachecks_check_runs_total{check="web",probe="file"} 1\n' in scraped(sections, views)
