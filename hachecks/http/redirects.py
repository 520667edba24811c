"""Where does a redirect lead, and is it followed?"""

from __future__ import annotations

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.http.answer import Answer
    from hachecks.http.url import Url

MOST = 10
CODES = frozenset({301, 302, 303, 307, 308})


def leads_on(answer: Answer) -> bool:
    """Whether the answer is a redirect that says where to."""
    return answer.status in CODES and bool(answer.values_of("location"))


def next_url(answer: Answer, passed: list[Url], allowed: str) -> Url:
    """Where the answer to the last of the passed URLs leads; raises `Failure` when it must not be followed there."""
    here = passed[-1]
    try:
        there = here.join(answer.values_of("location")[0])
    except ValueError as error:
        raise Failure(f"{here} redirects to what is no URL: {error}", "protocol") from None
    if there.host.lower() != here.host.lower() and allowed == "same-host":
        raise Failure(f"{here} redirects to {there}, another host (--redirects any-host follows it)")
    if (here.scheme, there.scheme) == ("https", "http"):
        raise Failure(f"{here} redirects to {there}, out of TLS, which is never followed")
    if there in passed:
        raise Failure(f"{passed[0]} redirects in a circle: {there} comes again")
    if len(passed) > MOST:
        raise Failure(f"{passed[0]} redirects more than {MOST} times")
    return there


def next_method(status: int, method: str) -> str:
    """The method for the next request: as browsers do, a GET where the status does not ask for the same again."""
    if status == 303 and method != "HEAD":
        return "GET"
    return "GET" if status in (301, 302) and method == "POST" else method
