"""What every probe that connects must do, whatever it meets: the commands, one or more for each probe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers import Server

TIMEOUT = 0.5
GRACE = 0.3
TRIES = 5
"""Runs of which one must be in time and end of itself: other tests may starve any single one of the processor."""
MEMORY_KIB = 64 * 1024

CONNECTING = {
    "dns": ("dns example.test --server {host}:{port}",),
    "http": (
        "http http://{host}:{port}/ --body-matches hello --status 200",
        "http http://{host}:{port}/ --body-matches hello --redirects same-host --http2",
        "http https://{host}:{port}/ --no-verify",
        "http https://{host}:{port}/ --no-verify --proxy http://{host}:{port}",
    ),
    "nodeport": (
        "nodeport {port} --request http --status 204",
        "nodeport {port} --request https --no-verify --status 204",
        "nodeport {port} --kube-proxy --kube-proxy-port {port} --health-check-node-port {port}",
    ),
    "sql": (
        "sql postgresql://u@{host}:{port}/db --ready-only",
        "sql postgresql://u@{host}:{port}/db",
        "sql mysql://u@{host}:{port}/ --ready-only",
        "sql mysql://u@{host}:{port}/",
    ),
    "tcp": (
        "tcp {host}:{port} --expect hello-world",
        "tcp {host}:{port} --tls --no-verify",
        "tcp {host}:{port} --starttls smtp --no-verify",
        "tcp {host}:{port} --starttls postgres --no-verify",
        "tcp {host}:{port} --starttls mysql --no-verify",
        "tcp {host}:{port} --starttls imap --no-verify",
        "tcp {host}:{port} --starttls ldap --no-verify",
    ),
}
"""By probe. What they ask for is found nowhere in the zoo."""

NOT_CONNECTING = {"file"}


PROGRAMMERS = re.compile(
    r"""bytearray|\bb['"]|\w(?:Error|Exception)\b|\bNone\b|Traceback|<[\w.]+ object|_ssl|Errno|codec|\bself\.
    |\b[A-Z0-9]+_[A-Z0-9_]+\b|\{\}|\bdict\b|\btuple\b|0x[0-9a-f]+""",
    re.VERBOSE,
)
"""What Python and OpenSSL say to programmers."""
QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")


def names_of_a_programmer(reason: str) -> list[str]:
    """What in a reason only a programmer understands; what is quoted is the server's own."""
    return PROGRAMMERS.findall(QUOTED.sub("", reason.replace("self-signed", "")))


def words(command: str, server: Server) -> list[str]:
    """The command line for a server."""
    return [*command.format(host="127.0.0.1", port=server.port).split(), "--timeout", str(TIMEOUT)]
