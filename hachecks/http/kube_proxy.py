"""What kube-proxy says about a service and about itself.

A service's health check node port answers `{"service": {"namespace": …, "name": …}, "localEndpoints": N,
"serviceProxyHealthy": true}`, with 200 when N > 0 and the proxy is healthy, with 503 otherwise. kube-proxy,
OVN-Kubernetes and Cilium do it alike. The status is not enough: the listener of a service that has just been closed
answers 200 with an empty body, and ports are given to other services.
"""

from __future__ import annotations

from hachecks.http import json_value
from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hachecks.http.response import Response

HEALTHZ_PORT = 10256


class ServiceName:
    """A Kubernetes service: `namespace/name`."""

    @staticmethod
    def parse(text: str) -> str:
        """The name as it was written; raises `ValueError`."""
        namespace, slash, name = text.partition("/")
        if not slash or not all(_is_label(part) for part in (namespace, name)):
            raise ValueError(f"{text!r} is not NAMESPACE/NAME of a service")
        return text


def _is_label(text: str) -> bool:
    plain = text.isascii() and text.replace("-", "").isalnum() and text == text.lower()
    return plain and len(text) <= 63 and not text.startswith("-") and not text.endswith("-")


def local_endpoints(response: Response, where: str, service: str | None, minimum: int) -> tuple[str, int]:
    """The service that answered and its endpoints on this node; raises `Failure` when that is not good enough."""
    document = _document(response, where)
    name = "/".join(str(_within(document, "service", part)) for part in ("namespace", "name"))
    if service is not None and name != service:
        raise Failure(f"{where} is the health check node port of {name}, not of {service}", "body")
    count = document.get("localEndpoints")
    if type(count) is not int:
        raise Failure(f"{where} does not tell the local endpoints of {name}", "body")
    if count < minimum:
        raise Failure(f"{name} has {endpoints(count)}, expected at least {minimum}", "body")
    if document.get("serviceProxyHealthy") is False:
        raise Failure(f"{name} has {endpoints(count)}, but kube-proxy says that itself is not healthy")
    if response.status != 200:
        raise Failure(f"{name} has {endpoints(count)}, but {where} answered {response.status}")
    return name, count


def _document(response: Response, where: str) -> dict[str, Any]:
    if not response.body:
        closed = ": the service has just been closed" if response.status == 200 else ""
        raise Failure(f"{where} answered {response.status} with an empty body{closed}", "body" if closed else "status")
    document = json_value.parse_object(response.text)
    if document is None:
        shown = json_value.preview(response.text)
        told = f"{where} answered {response.status} with {shown}, which is not a service's health"
        raise Failure(told, "body" if response.status == 200 else "status")
    return document


def _within(document: dict[str, Any], *keys: str) -> Any:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else "?"


def endpoints(count: int) -> str:
    """`1 local endpoint`, `2 local endpoints`."""
    return f"{count} local endpoint{'' if count == 1 else 's'}"


def require_healthy(response: Response, where: str) -> None:
    """Raise `Failure` unless kube-proxy's healthz says that it works here."""
    if response.status == 200:
        return
    states = _told(json_value.parse_object(response.text) or {})
    told = f" ({', '.join(states)})" if states else ""
    raise Failure(f"kube-proxy at {where} answered {response.status}{told}")


def _told(document: dict[str, Any]) -> list[str]:
    return [f"{key} {json_value.preview(document[key])}" for key in ("nodeEligible", "lastUpdated") if key in document]
