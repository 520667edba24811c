"""An event as a syslog message: RFC 5424, or as the C library writes it to /dev/log."""

from __future__ import annotations

import os
import time

from hachecks.messages.fields import facts, rfc3339, severity
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.messages.message import Change, Message
    from hachecks.transitions.event import Event

FACILITIES = {
    "user": 1, "daemon": 3, "auth": 4, "syslog": 5, "authpriv": 10, "local0": 16, "local1": 17, "local2": 18,
    "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}  # fmt: skip
SEVERITIES = {"info": 6, "warning": 4, "critical": 2}
STRUCTURED = "hacheck@32473"
"""The SD-ID; 32473 is the enterprise number for whoever has none (RFC 5612)."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc5424(message: Message, change: Change, event: Event, facility: str, app_name: str, longest: int) -> bytes:
    """The message, its text cut to what the transport bears."""
    header = (
        f"<{priority(event, facility)}>1",
        rfc3339(event.at),
        word(message.node, 255),
        word(app_name, 48),
        str(os.getpid()),
        word(event.state, 32),
    )
    known = facts(message, change, event)
    params = "".join(f' {name}="{escaped(value)}"' for name, value in known.items() if value)
    if len(params.encode()) > longest // 2:
        params = f' key="{event.key}"'  # 100 VIPs, for instance: the text has them, as far as it goes
    text = text_of(message, change, event)
    # What is not ASCII must be announced as UTF-8 (section 6.4), and many show the mark that does it as dirt.
    body = text.encode() if text.isascii() else BYTE_ORDER_MARK + text.encode("utf-8", "replace")
    return cut(f"{' '.join(header)} [{STRUCTURED}{params}] ".encode("utf-8", "replace") + body, longest)


def local(message: Message, change: Change, event: Event, facility: str, app_name: str, longest: int) -> bytes:
    """As syslog(3) writes it, which is what rsyslog, syslog-ng and journald expect at /dev/log."""
    at = time.localtime(event.at)
    stamp = f"{MONTHS[at.tm_mon - 1]} {at.tm_mday:2d} {time.strftime('%H:%M:%S', at)}"
    tag = f"{word(app_name, 48)}[{os.getpid()}]"
    text = f"<{priority(event, facility)}>{stamp} {tag}: {text_of(message, change, event)}"
    return cut(text.encode("utf-8", "replace"), longest)


def priority(event: Event, facility: str) -> int:
    """Facility and severity in one number."""
    return FACILITIES[facility] * 8 + SEVERITIES[severity(event).name]


def text_of(message: Message, change: Change, event: Event) -> str:
    """What people read, in one line."""
    return visible(f"{'[test] ' if message.test else ''}{change.line(event)}")


def word(text: str, longest: int) -> str:
    """The text as a field of the header: printable ASCII without spaces, or `-`."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:longest] or "-"


def escaped(text: str) -> str:
    """The text as a value of structured data."""
    return visible(text).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def cut(data: bytes, longest: int) -> bytes:
    """So many bytes at most, and no half character at the end."""
    return data if len(data) <= longest else data[:longest].decode("utf-8", "ignore").encode()
