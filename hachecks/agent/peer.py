"""A peer: what it answers when it is asked, and since when it is silent; httpx asks, and nothing of it is believed."""

from __future__ import annotations

import os
import ssl
from time import monotonic, time
from typing import TYPE_CHECKING

import httpx

from hachecks.group import answer as answers
from hachecks.group.judgement import Member
from hachecks.verdict import in_words, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.agent.peer_names import Place
    from hachecks.group.answer import Answer

IDENTITY = "identity"


class Unfit(Exception):  # noqa: N818 - the name says what it is
    """What a peer answers is no answer; the text says why."""


class Peer:
    """One address at which a node of the group is asked.

    `answer` is what it said in the last round, None while it is silent; `identity` and `node` are what it called
    itself last.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.answer: Answer | None = None
        self.identity = ""
        self.node = ""
        self.trouble = "it has not been asked yet"
        self.since: float | None = None
        self.answered: float | None = None
        self.asked = 0.0
        self._etag = ""
        url = place.url
        host = f"[{place.address}]" if ":" in place.address else place.address
        path = f"{url.path.rstrip('/')}{answers.PATH}"
        self._url = httpx.URL(f"{url.scheme}://{host}:{url.port}{path}")

    def member(self) -> Member:
        """As a part of the group."""
        return Member(self.place.label, self.node, self.answer, self.trouble, self.since, self.answered)

    async def ask(self, client: httpx.AsyncClient, fields: Mapping[str, str]) -> None:
        """Ask it once; who calls keeps the deadline, by cancelling."""
        self.asked = monotonic()
        try:
            await self._ask(client, fields)
        except Unfit as error:
            self.fall_silent(str(error))
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as error:
            self.fall_silent(_in_words(error))

    async def _ask(self, client: httpx.AsyncClient, fields: Mapping[str, str]) -> None:
        known = {"If-None-Match": self._etag} if self._etag and self.answer else {}
        own = {"Host": self.place.url.authority, "Accept-Encoding": IDENTITY, **known, **fields}
        request = client.build_request("GET", self._url, headers=own)
        request.extensions["sni_hostname"] = self.place.url.host.rstrip(".")
        response = await client.send(request, stream=True)
        try:
            if response.status_code == httpx.codes.NOT_MODIFIED and known:
                return self._speak()
            if response.status_code != httpx.codes.OK:
                raise Unfit(_refused(response.status_code))
            if response.headers.get("content-encoding", IDENTITY).lower() != IDENTITY:
                raise Unfit("it answers compressed, which was not asked for")
            self.take(await _body(response))
            self._etag = response.headers.get("etag", "")[: answers.LONGEST_NAME]
        finally:
            await response.aclose()
        return None

    def take(self, body: bytes) -> None:
        """Read what it answers; raises `Unfit`."""
        try:
            found = answers.parse(body)
        except ValueError as error:
            raise Unfit(f"it gives no answer of an agent or exporter: {one_line(str(error))}") from None
        self.answer = found
        self.identity, self.node = found.identity, found.node
        self._speak()

    def _speak(self) -> None:
        self.trouble, self.since, self.answered = "", None, time()

    def fall_silent(self, trouble: str) -> None:
        """It gave no answer, for this reason."""
        self.answer, self._etag = None, ""
        self.trouble, self.since = trouble, self.since or time()

    def is_late(self, seconds: float) -> None:
        """It gave no answer in the time that a round has."""
        self.fall_silent(f"no answer within {in_words(seconds)}")


async def _body(response: httpx.Response) -> bytes:
    """The body as it came; raises `Unfit` where there is more than there may be."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > answers.MOST_BYTES:
            raise Unfit(f"it answers more than {answers.MOST_BYTES >> 10} KiB")
    return bytes(body)


def _refused(status: int) -> str:
    cures = {
        401: "; give --peer-basic-file or --peer-bearer-file",
        404: "; is it an agent or exporter, of this version?",
        421: "; it does not know the name it is asked by: start it with --allowed-host",
    }
    return f"it answers {status}{cures.get(status, '')}"


def _in_words(error: BaseException) -> str:
    """Why there was no answer: the kernel's word for it, or that of TLS, which stands at the beginning of the chain."""
    told: BaseException | None = error
    for _ in range(8):
        if isinstance(told, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {one_line(told.verify_message)}"
        if isinstance(told, ssl.SSLError):
            return f"TLS failed: {one_line(told.reason or str(told))}"
        if isinstance(told, OSError) and told.errno and told.errno > 0:
            return os.strerror(told.errno).lower()
        told = told and (told.__cause__ or told.__context__)
    return one_line(str(error)) or type(error).__name__
