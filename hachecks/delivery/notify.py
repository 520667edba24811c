"""`hacheck notify`: what Keepalived calls at every change, and what people try it with."""

from __future__ import annotations

from hachecks.delivery import dry_run, record
from hachecks.node import node_of
from hachecks.settings import Invalid, argument, option, settings
from hachecks.transitions.transition import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output


@settings
class Notify:
    r"""Record what Keepalived says, for all notifiers to be told.

    \b
    hacheck notify [NOTIFIER [OPTIONS]] GROUP|INSTANCE NAME STATE [PRIORITY]
                                  what Keepalived calls: record it, have it delivered
    hacheck notify --fifo PATH    follow Keepalived's notify FIFO, as its notify_fifo_script
    hacheck notify --test [NOTIFIER [OPTIONS]]
                                  send a marked message now, and say what was answered
    hacheck notify --dry-run [NOTIFIER [OPTIONS]] [INSTANCE NAME STATE [PRIORITY]]
                                  say what would be sent
    hacheck notify NOTIFIER --help
                                  say what a notifier can do

    Without a NOTIFIER, those that hacheck.toml declares are told; where it declares none, a log file is.
    """

    flags_only = True
    hands_on_options = True
    """Options that are not its own are a notifier's."""

    words: tuple[str, ...] = argument(
        default=(), metavar="[WORDS]...", help="A notifier with its options, and what Keepalived says."
    )
    test: bool = option(default=False, help="Send a marked message now.")
    dry_run: bool = option(default=False, help="Say what would be sent.")
    fifo: bool = option(default=False, help="Follow Keepalived's notify FIFO.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Record, follow, send or say; returns False where something was not recorded or not sent."""
        node = node_of(environ)
        if self.test:
            return dry_run.test(self.words, node, output.say)
        if self.dry_run:
            dry_run.dry_run(self.words, node, output.say)
            return True
        if self.fifo:
            if len(self.words) != 1:
                raise Invalid("notify: --fifo takes the path of Keepalived's notify FIFO (see hacheck notify --help)")
            record.follow_fifo(self.words[0], node, output.complain)
            return True
        if not any(word in KINDS for word in self.words):
            raise Invalid(
                "notify: Keepalived said nothing: notify_master, notify_backup, notify_fault and notify_stop pass no "
                "words; use notify, or write them, as in: hacheck notify INSTANCE VI_1 MASTER "
                "(see hacheck notify --help)"
            )
        try:
            record.record(self.words, node)
        except OSError as error:
            output.complain(f"notify: not recorded: {error}")
            return False
        return True
