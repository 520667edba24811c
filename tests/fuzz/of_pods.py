"""The parsers that a pod of ours has: what its processes leave for one another, and what the cluster's API says."""

from __future__ import annotations

from ipaddress import ip_network

from hachecks import kept, pod_report
from hachecks.checks.answer import Answer
from hachecks.drain import state as drain
from hachecks.ipfailover.follow import files, shared
from hachecks.ipfailover.follow.services import Reader, Unfit
from hachecks.ipfailover.follow.watch import key_of
from hachecks.settings import Invalid
from hachecks.wire import report
from tests.fuzz import seeds
from tests.fuzz.files import directory, file_of, text
from tests.fuzz.target import Target

READER = Reader("hachecks.internal/ipfailover", (ip_network("192.0.2.0/24"), ip_network("2001:db8::/64")))


def answered(data: bytes) -> None:
    found = Answer.parse(text(data))
    again = Answer.parse(found.to_text())
    assert [getattr(again, name) for name in Answer.__slots__] == [getattr(found, name) for name in Answer.__slots__]
    assert found.to_text()[found.place_of_until :].startswith(f"{found.until} ")


def drained(data: bytes) -> None:
    found = drain.parse(data)
    if found is None or found.since is None or min(found.since, found.until or 0.0) < 0:
        return  # strftime(3) writes no year before 1000 as it was read
    assert str(found).isprintable()
    again = drain.parse(found.to_text().encode())
    assert again is not None
    assert (again.number, again.since, again.until) == (found.number, found.since, found.until)


def pod_reported(data: bytes) -> None:
    file_of(data, pod_report.NAME)
    found = pod_report.read(directory())
    if found is not None:
        found.write(directory())
        assert vars(pod_report.read(directory()) or found) == vars(found)
        assert found.is_stale in (True, False)


def wire_reported(data: bytes) -> None:
    file_of(data, report.NAME)
    assert len(report.read(directory())) <= report.MOST_SENTENCES


def follow_reported(data: bytes) -> None:
    file_of(data, files.REPORT)
    found = files.read_report(directory())
    assert found is None or found.is_stale in (True, False)


def service(data: bytes) -> None:
    found = kept.document(text(data))
    if key_of(found):
        READER.service(found)


def shared_map(data: bytes) -> None:
    found = kept.document(text(data))
    before = shared.read(found, "ConfigMap ipfailover/ledger")
    shared.changed(found, "ledger", "ipfailover", before)


TARGETS = (
    Target("answer", answered, seeds.ANSWERS, (ValueError,)),
    Target("drain", drained, seeds.DRAINS),
    Target("pod-report", pod_reported, seeds.POD_REPORTS),
    Target("wire-report", wire_reported, seeds.WIRE_REPORTS),
    Target("follow-report", follow_reported, seeds.FOLLOW_REPORTS),
    Target("service", service, seeds.SERVICES, (ValueError, Unfit)),
    Target("shared-map", shared_map, seeds.SHARED_MAPS, (ValueError, Invalid)),
)
