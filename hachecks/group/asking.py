"""All nodes of a group asked at once from outside, as `hacheck status` does it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hachecks.deadline import TimedOut
from hachecks.group import answer as answers
from hachecks.group.judgement import Member, judged
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hachecks.group.judgement import Group

    Get = Callable[[Url], "tuple[int, bytes]"]

MOST_AT_ONCE = 64
"""As many as may be named: a node that is silent delays no other."""
AGAIN = 0.3
"""Seconds until all are asked again, when one VIP seems served twice or by nobody: it may have moved just now."""


def ask(urls: Sequence[Url], get: Callable[[], Get]) -> Group:
    """The group of these nodes. `get` begins a round, and gives what makes one request of it before its deadline."""
    group = judged(_round(urls, get()))
    if group.is_doubtful:
        time.sleep(AGAIN)
        group = judged(_round(urls, get()), group)
    return group


def _round(urls: Sequence[Url], get: Get) -> list[Member]:
    """What each answers; a node that has two of the URLs counts once."""
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(urls))) as pool:
        members = list(pool.map(lambda url: _member(url, get), urls))
    found: dict[str, Member] = {}
    for number, one in enumerate(members):
        found.setdefault(one.answer.identity if one.answer else f"silent {number}", one)
    return list(found.values())


def _member(url: Url, get: Get) -> Member:
    where = Url(url.scheme, url.host, url.port, f"{url.path.rstrip('/')}{answers.PATH}")
    place, now = url.authority, time.time()
    try:
        status, body = get(where)
        if status != 200:
            return Member(place, "", None, f"it answers {status}; is it an agent or exporter, of this version?", now)
        answer = answers.parse(body)
    except TimedOut:
        return Member(place, "", None, "no answer in time", now)
    except NotDelivered as failure:
        return Member(place, "", None, one_line(str(failure)), now)
    except ValueError as error:
        return Member(place, "", None, f"it gives no answer of an agent or exporter: {one_line(str(error))}", now)
    return Member(place, answer.node, answer, answered=now)
