"""Counters of a check: copied for each run, and joined with those of runs that others have made."""

from __future__ import annotations

from hachecks.checks.results import CheckResults


def copied(one: CheckResults) -> CheckResults:
    """The same results, to be counted on: a third of what `copy` takes, and it is made for each run."""
    other = object.__new__(CheckResults)
    other.name, other.probe = one.name, one.probe
    other.subject, other.status, other.reason, other.kind = one.subject, one.status, one.reason, one.kind
    other.boot, other.good, other.at, other.duration = one.boot, one.good, one.at, one.duration
    other.timeout, other.interval, other.seconds, other.runs = one.timeout, one.interval, one.seconds, one.runs
    other.consecutive_failures = one.consecutive_failures
    other.failures, other.durations = dict(one.failures), list(one.durations)
    other.last_success, other.certificate_expiry = one.last_success, one.certificate_expiry
    return other


def join(ours: CheckResults, theirs: CheckResults) -> int:
    """Let no counter of ours be lower than theirs, and return how many runs they had counted more.

    Theirs are ours and what has been counted since, by another process; that of the last run is what counts.
    """
    more = max(0, theirs.runs - ours.runs)
    if theirs.at > ours.at:
        ours.consecutive_failures = theirs.consecutive_failures
        ours.certificate_expiry = theirs.certificate_expiry
    ours.runs, ours.seconds = max(ours.runs, theirs.runs), max(ours.seconds, theirs.seconds)
    ours.durations = [max(pair) for pair in zip(ours.durations, theirs.durations)]
    for kind, (count, at) in theirs.failures.items():
        known = ours.failures.get(kind, (0, 0.0))
        ours.failures[kind] = max(count, known[0]), max(at, known[1])
    successes = [at for at in (ours.last_success, theirs.last_success) if at is not None]
    ours.last_success = max(successes) if successes else None
    return more
