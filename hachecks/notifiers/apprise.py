"""Apprise notifier: tells any of the services that Apprise knows."""

from __future__ import annotations

import threading

from hachecks.deadline import TimedOut
from hachecks.messages.not_delivered import NotDelivered
from hachecks.services.progress import PartialDelivery
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message

TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


@settings
class AppriseNotifier:
    """Tell services by Apprise, of which there are more than a hundred.

    Needs `pip install 'hachecks[apprise]'`, so it works in the agent's image and not in the one executable. The URLs
    hold secrets, so they stand in a file, one in a line; # begins a comment.

    Apprise only says that a service was told or was not: what was not is tried again until --max-age. Services that
    were told are not told again meanwhile. Apprise has its own timeouts, of which --send-timeout does not wait for the
    end: a service that answers later than that is told twice.
    """

    urls_file: str = option(metavar="FILE", help="The file with the services' URLs.")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Tell each service that has not been told yet."""
        library = self._library()
        parts = {f"{message.key} {url}": url for url in self._urls()}
        progress = PartialDelivery.of(self)
        progress.begin()
        left = progress.left(parts)
        for number, (part, url) in enumerate(parts.items(), 1):
            if part not in left:
                continue
            service = library.Apprise(asset=library.AppriseAsset(async_mode=False))
            if not service.add(url):
                why = f"{self.urls_file}: URL {number} is of no service that Apprise knows"
                progress.failed(part, why, retryable=False)
            elif _notify(service, message, deadline):
                progress.done(part)
            else:
                name = service[0].service_name
                progress.failed(part, f"{name} (URL {number}) was not told", retryable=True)
        count = progress.result(list(parts))
        return f"told {count} {'service' if count == 1 else 'services'}"

    def _library(self) -> Any:
        """Apprise, which is not there for everybody."""
        try:
            import apprise
        except ImportError:
            raise NotDelivered("apprise is not there: pip install 'hachecks[apprise]'", retryable=False) from None
        return apprise

    def _urls(self) -> list[str]:
        try:
            with open(self.urls_file, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            raise NotDelivered(f"{self.urls_file}: {why}", retryable=True) from None
        urls = [line for line in lines if line and not line.startswith("#")]
        if not urls:
            raise NotDelivered(f"{self.urls_file}: has no URL", retryable=True)
        return urls


def _notify(service: Any, message: Message, deadline: Deadline) -> bool:
    """Whether the service was told; in a thread that may be abandoned, since Apprise knows no deadline."""
    told: list[bool] = []

    def notify() -> None:
        told.append(bool(service.notify(message.body, message.title, TYPES[message.severity.name], "text")))

    thread = threading.Thread(target=notify, daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if not told:
        if thread.is_alive():
            raise TimedOut
        return False
    return told[0]
