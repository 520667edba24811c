"""The nodePort probe: whether a Kubernetes nodePort is served by this node."""

from __future__ import annotations

from hachecks.http.connection import HttpConnection
from hachecks.http.headers import Header
from hachecks.http.kube_proxy import HEALTHZ_PORT, ServiceName, endpoints, local_endpoints, require_healthy
from hachecks.http.ranges import StatusRanges
from hachecks.http.request import Request
from hachecks.http.url import Url
from hachecks.net.own_address import own_address
from hachecks.net.target import Ip, Target, canonical
from hachecks.settings import argument, option, settings
from hachecks.units import Port
from hachecks.verdict import CannotLook, Failure, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.http.response import Response

    Step = Callable[[str, Deadline, dict[str, float]], str]


@settings
class NodeportProbe(HttpConnection):
    """Ask whether a Kubernetes nodePort is served here.

    PASS when all that is asked is so: with --health-check-node-port, that the service has endpoints on this node and
    kube-proxy works; with --kube-proxy, that kube-proxy itself is healthy; and that a request through the port itself
    is answered: a connection, unless --request or --health-check-node-port says otherwise.

    A connection alone proves little: that kube-proxy has rules for the port, and that some endpoint in the cluster
    accepts. Under externalTrafficPolicy: Local it proves nothing, since kube-proxy sends what comes from the node
    itself to all endpoints of the cluster, but drops what comes from elsewhere when none of them is local. Such a
    service of type LoadBalancer has a spec.healthCheckNodePort: name it, and the service, since ports are given again.

    Requests go to the node's own address, that of the default route or of --interface, never to 127.0.0.1, where not
    every kube-proxy serves nodePorts. The Kubernetes API is not asked.
    """

    not_offered = ("connect_to",)  # the node's address is given by --address

    port: Port = argument(metavar="PORT", help="The nodePort.")
    address: Ip | None = option(default=None, metavar="ADDR", help="The node's address, if not the default route's.")
    health_check_node_port: Port | None = option(
        default=None, metavar="PORT", help="The service's healthCheckNodePort: it must have endpoints on this node."
    )
    service: ServiceName | None = option(
        default=None, metavar="NAMESPACE/NAME", help="The service that must answer at --health-check-node-port."
    )
    local_endpoints: int = option(default=1, metavar="N", help="The service must have so many endpoints on this node.")
    kube_proxy: bool = option(default=False, help="kube-proxy itself must be healthy (/healthz).")
    kube_proxy_port: Port = option(default=HEALTHZ_PORT, help="Where kube-proxy tells its health.")
    health_address: Ip | None = option(
        default=None, metavar="ADDR", help="Where kube-proxy is asked, if not at the node's address."
    )
    request: Literal["tcp", "http", "https", "none"] | None = option(
        default=None, help="What to do through the port (default tcp; none with --health-check-node-port)."
    )
    path: str = option(default="/", help="What --request http asks for.")
    host: str | None = option(default=None, metavar="NAME", help="The Host header of --request http.")
    status: StatusRanges = option(
        default=StatusRanges((200, 299)), metavar="CODES", help="What --request http must be answered with."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()
        self.validate_tls(self.request == "https", "--request https")
        if self.address is not None and is_loopback(str(self.address)):
            raise ValueError(f"{self.address} does not serve nodePorts; give an address that others reach")
        if self.service is not None and self.health_check_node_port is None:
            raise ValueError("--service needs --health-check-node-port")
        if self.request == "none" and self.health_check_node_port is None and not self.kube_proxy:
            raise ValueError("--request none leaves nothing to ask; add --health-check-node-port or --kube-proxy")
        self._url("http", "127.0.0.1", self.port, self.path)
        if self.host is not None:
            Header.parse(f"Host: {self.host}")

    @property
    def subject(self) -> str:
        """The port, and the service if it is known."""
        return f"nodePort {self.port}{f' of {self.service}' if self.service else ''}"

    def check(self, deadline: Deadline) -> Verdict:
        """Ask kube-proxy what is to be asked, then through the port."""
        address = str(self.address or own_address(self))
        if is_loopback(address):
            raise CannotLook(
                f"this node's own address seems to be {address}, where no nodePort is served; give --address"
            )
        measured: dict[str, float] = {}
        told = [step(address, deadline, measured) for step in self._steps()]
        return Verdict.passing(", ".join(told), **measured)

    def _steps(self) -> list[Step]:
        steps: list[Step] = []
        if self.kube_proxy:
            steps.append(self._ask_kube_proxy)
        if self.health_check_node_port is not None:
            steps.append(self._ask_for_endpoints)
        request = self.request or ("tcp" if self.health_check_node_port is None else "none")
        if request == "tcp":
            steps.append(self._connect)
        elif request != "none":
            steps.append(self._request)
        return steps

    def _ask_kube_proxy(self, address: str, deadline: Deadline, _: dict[str, float]) -> str:
        url = self._url("http", str(self.health_address or address), self.kube_proxy_port, "/healthz")
        require_healthy(ask_kube_proxy(url, deadline), url.authority)
        return "kube-proxy is healthy"

    def _ask_for_endpoints(self, address: str, deadline: Deadline, measured: dict[str, float]) -> str:
        url = self._url("http", str(self.health_address or address), self.health_check_node_port or 0, "/healthz")
        service = None if self.service is None else str(self.service)
        name, count = local_endpoints(ask_kube_proxy(url, deadline), url.authority, service, self.local_endpoints)
        measured["local_endpoints_count"] = count
        return f"{name} has {endpoints(count)}"

    def _connect(self, address: str, deadline: Deadline, _: dict[str, float]) -> str:
        target = Target(address, self.port)
        self.connect(target, deadline).close()
        return f"{target} accepts connections"

    def _request(self, address: str, deadline: Deadline, measured: dict[str, float]) -> str:
        url = self._url(str(self.request), address, self.port, self.path)
        headers = [Header("Host", self.host)] if self.host else []
        response = self.exchange(Request(url, headers), deadline)
        measured.update(response.measured)
        if response.status not in self.status:
            raise Failure(f"{url} answered {response.status}; expected {self.status}")
        return f"{url} answered {response.status}"

    def _url(self, scheme: str, host: str, port: int, path: str) -> Url:
        if not path.startswith("/"):
            raise ValueError(f"the path {path!r} does not begin with /")
        return Url.parse(f"{scheme}://{Target(host, port)}{path}")


def ask_kube_proxy(url: Url, deadline: Deadline) -> Response:
    """Its answer; the options of the way to the service, such as --proxy-protocol, are none of kube-proxy's."""
    return HttpConnection().exchange(Request(url), deadline)


def is_loopback(address: str) -> bool:
    """Whether it is an address of this machine that no other can reach."""
    return canonical(address).removeprefix("::ffff:").startswith("127.") or canonical(address) == "::1"
