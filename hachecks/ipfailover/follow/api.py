"""The cluster's API as a pod asks it: by httpx, with the token and the certificate of its service account."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from hachecks import kept
from hachecks.exporter.configuration import signature
from hachecks.ipfailover.resources import part
from hachecks.secret_file import read_secret
from hachecks.settings import Invalid
from hachecks.units import parse_port
from hachecks.verdict import CannotLook, in_words, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any

    from hachecks.ipfailover.follow.pace import Pace

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds what its service account has."""
JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"
LONGEST_REFUSAL = 65536
UNAUTHORIZED, NOT_FOUND, CONFLICT, GONE, TOO_MANY = 401, 404, 409, 410, 429


class Away(Exception):  # noqa: N818 - the name says what it is
    """The cluster gave no answer that counts; the text says why, `after` in how many seconds it wants to be asked."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Refused(Exception):  # noqa: N818
    """The cluster refused what it was asked, by this status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Account:
    """A service account: the files that the kubelet writes, which are read when they are needed, for they change."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @property
    def ca(self) -> str:
        """The file of the certificates that the API's is signed by."""
        return os.path.join(self.directory, "ca.crt")

    def token(self) -> str:
        """The token as it is now; raises `CannotLook`."""
        return read_secret(os.path.join(self.directory, "token"))

    def namespace(self) -> str:
        """The pod's namespace; raises `CannotLook`."""
        return read_secret(os.path.join(self.directory, "namespace"))


class Api:
    """Asks the API; raises `Invalid` where this is no pod of a cluster."""

    def __init__(self, environ: Mapping[str, str], account: Account, pace: Pace) -> None:
        host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise Invalid("KUBERNETES_SERVICE_HOST is not set: only a pod can follow Services; run it in one")
        try:
            self._base = httpx.URL(scheme="https", host=host, port=parse_port(port))
            self.namespace = account.namespace()
            account.token()
        except (CannotLook, ValueError, httpx.InvalidURL) as error:
            raise Invalid(f"the pod's service account: {error}; set automountServiceAccountToken") from None
        self._account = account
        self._pace = pace
        self._client: httpx.AsyncClient | None = None
        self._made_of: object = None

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> dict[str, Any]:
        """The object that is answered; raises `Away` or `Refused`."""
        try:
            return await asyncio.wait_for(self._ask(method, path, query or {}, body, kind), self._pace.request)
        except asyncio.TimeoutError:
            raise Away(_late(self._pace)) from None

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, kind: str
    ) -> dict[str, Any]:
        async with self.answer(method, path, query, body, kind) as response:
            data = await self._whole(response, self._pace.largest)
        try:
            return kept.document(data.decode())
        except ValueError:
            raise Away(f"{method} {path}: the answer is no object of Kubernetes") from None

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> AsyncIterator[httpx.Response]:
        """An answer that is not read yet, of status 2xx; raises `Away` or `Refused`, also while it is read."""
        try:
            response = await self._sent(method, path, query, body, kind)
            try:
                if response.status_code == UNAUTHORIZED:
                    # The kubelet has written another token since, or the server has not taken it up yet.
                    await response.aclose()
                    response = await self._sent(method, path, query, body, kind)
                if not 200 <= response.status_code < 300:
                    await self._refuse(response, f"{method} {path}")
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise Away(f"{method} {path}: it answers compressed, which was not asked for")
                yield response
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            raise Away(_in_words(error)) from None

    async def _sent(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, kind: str
    ) -> httpx.Response:
        client = await self._fresh_client()
        try:
            token = self._account.token()
        except CannotLook as error:
            raise Away(str(error)) from None
        fields = {
            "Authorization": f"Bearer {token}",
            "Accept": JSON,
            "Accept-Encoding": "identity",
            "User-Agent": "hachecks",
        }
        content = None
        if body is not None:
            fields["Content-Type"], content = kind, json.dumps(body).encode()
        url = self._base.copy_with(path=path, params=query) if query else self._base.copy_with(path=path)
        request = client.build_request(method, url, headers=fields, content=content)
        try:
            return await asyncio.wait_for(client.send(request, stream=True), self._pace.request)
        except asyncio.TimeoutError:
            raise Away(_late(self._pace)) from None

    async def _fresh_client(self) -> httpx.AsyncClient:
        """The client; another one when the certificates have changed. Raises `Away`."""
        made_of = signature([self._account.ca])
        if self._client is None or made_of != self._made_of:
            try:
                context = ssl.create_default_context(cafile=self._account.ca)
            except (OSError, ssl.SSLError) as error:
                raise Away(f"{self._account.ca} cannot be used: {one_line(str(error))}") from None
            await self.close()
            transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
            # Deadlines are those of whole requests; httpx's timeouts are for each operation. That of connecting closes
            # the socket, which whoever cancels it leaves to the garbage collector.
            timeout = httpx.Timeout(None, connect=self._pace.request / 2)
            self._client = httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout)
            self._made_of = made_of
        return self._client

    async def close(self) -> None:
        """End all that is under way."""
        if self._client:
            await self._client.aclose()
            self._client = None

    async def _whole(self, response: httpx.Response, most: int) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > most:
                raise Away(f"the answer is more than {most} bytes")
        return bytes(body)

    async def _refuse(self, response: httpx.Response, asked: str) -> None:
        status = response.status_code
        told = ""
        try:
            told = str(part(json.loads(await self._whole(response, LONGEST_REFUSAL)), "message") or "")
        except (ValueError, RecursionError):
            pass
        why = f"{asked}: the API answers {status}{': ' if told else ''}{one_line(told)}"
        if status in (UNAUTHORIZED, TOO_MANY) or status >= 500:
            raise Away(why, _seconds(response.headers.get("retry-after", "")))
        raise Refused(status, why)


def _late(pace: Pace) -> str:
    return f"the API gives no answer within {in_words(pace.request)}"


def _seconds(text: str) -> float | None:
    """Of Retry-After; a date is none that Kubernetes writes."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _in_words(error: BaseException) -> str:
    """Why there was no answer: the kernel's word for it, or that of TLS, which stands at the beginning of the chain."""
    told: BaseException | None = error
    for _ in range(8):
        if isinstance(told, ssl.SSLCertVerificationError):
            return f"the API's certificate is not trusted: {one_line(told.verify_message)}"
        if isinstance(told, OSError) and told.errno and told.errno > 0 and not isinstance(told, ssl.SSLError):
            return f"the API cannot be reached: {os.strerror(told.errno).lower()}"
        told = told and (told.__cause__ or told.__context__)
    return f"the API cannot be reached: {one_line(str(error)) or type(error).__name__}"
