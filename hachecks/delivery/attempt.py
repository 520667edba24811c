"""One attempt to tell a notifier, and of which kind the reason is for which it failed."""

from __future__ import annotations

from hachecks.deadline import Deadline, TimedOut
from hachecks.messages.not_delivered import NotDelivered
from hachecks.verdict import CannotLook, Failure, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.delivery.channel import Channel
    from hachecks.messages.message import Message
    from hachecks.messages.standing import Standing

_KIND_OF_CLASS = {
    "CannotLook": "config",
    "ConnectionError": "unreachable",
    "ConnectionRefusedError": "refused",
    "FileNotFoundError": "config",
    "NotADirectoryError": "config",
    "OSError": "internal",
    "PermissionError": "config",
    "SMTPAuthenticationError": "auth",
    "SMTPException": "status",
    "SSLError": "tls",
    "TimedOut": "timeout",
    "TimeoutError": "timeout",
    "gaierror": "dns",
}
"""By name, since most of these classes are in modules that few notifiers need."""
KINDS = ("auth", "config", "dns", "internal", "refused", "status", "timeout", "tls", "unreachable")
"""Kinds of reasons for which an attempt failed that are counted from zero on."""


def send(channel: Channel, message: Message) -> str:
    """One attempt to tell a channel; raises `NotDelivered`, whatever went wrong."""
    return _attempted(channel, lambda deadline: channel.notifier.send(message, deadline))


def tell_again(channel: Channel, standing: Standing) -> str:
    """One attempt to have a channel tell again what stands; raises `NotDelivered`, whatever went wrong."""
    verb: Callable[[Standing, Deadline], str] = getattr(channel.notifier, "tell_again")  # noqa: B009 - few have it
    return _attempted(channel, lambda deadline: verb(standing, deadline))


def _attempted(channel: Channel, act: Callable[[Deadline], str]) -> str:
    deadline = Deadline.after(channel.options.send_timeout)
    try:
        return act(deadline)
    except TimedOut:
        raise NotDelivered(f"no answer within {in_words(deadline.seconds)}", retryable=True) from None
    except (Failure, CannotLook, OSError) as error:
        raise NotDelivered(str(error), retryable=True) from None
    except NotDelivered:
        raise
    except Exception as error:
        # A notifier that breaks must not keep the others from being told. Its text may hold anything, secrets too.
        raise NotDelivered(f"{channel.name}: {type(error).__name__} in the notifier", retryable=True) from error


def kind_of(failure: NotDelivered) -> str:
    """The kind of reason for which an attempt failed, one of `KINDS`: its own, or that of the error it was made of."""
    behind = failure.__cause__ or failure.__context__
    kinds = (_KIND_OF_CLASS.get(of.__name__) for of in type(behind).__mro__)
    return str(
        getattr(failure, "kind", "")
        or getattr(behind, "kind", "")
        or next(filter(None, kinds), "internal" if failure.__cause__ else "status")
    )
