"""What the configuration files come to on this node: its plan, and its keepalived.conf."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover import sources
from hachecks.ipfailover.ledger import read, released, write
from hachecks.ipfailover.ledger_map import held
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.pod.added import with_added
from hachecks.ipfailover.pod.own_node import own_node, with_own_address
from hachecks.ipfailover.render import Options, rendered, target
from hachecks.keepalived.lines import uncommented
from hachecks.secret_file import read_secret, read_text
from hachecks.settings import Invalid
from hachecks.verdict import CannotLook

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.pod.texts import Texts
    from hachecks.ipfailover.render.keywords import Version
    from hachecks.ipfailover.render.target import Target
    from hachecks.ipfailover.settings import Settings


class Here(NamedTuple):
    """This node: its name, its addresses, its Keepalived's version and the FIFO, and what is added to its files."""

    name: str
    addresses: Collection[str]
    version: Version
    fifo: str
    environ: Mapping[str, str]
    added: Sequence[str] = ()
    """Paths of env files whose VIPs are added; one that is not there adds nothing."""
    ledger: str = ""
    """The path of a ledger that counts in place of the option's, once it is there."""
    shares: bool = False
    """Whether all ids have to be in that ledger, which all nodes share: another may be about to give one away."""


class Unshared(Invalid):
    """The ledger that all nodes share does not have each id yet."""


class Wanted(NamedTuple):
    """A configuration on this node; `target` and `text` are None and empty where the plan has no such node, or no VIP.

    `texts` are the files by path, `secrets` those whose content nobody else must see, and `change_at` is the instant at
    which all nodes change to it, in seconds of the epoch, 0 where none is named.
    """

    plan: Plan
    settings: Settings
    target: Target | None
    text: str
    texts: Mapping[str, str]
    secrets: Mapping[str, str]
    change_at: float
    notes: tuple[str, ...]

    @property
    def vips(self) -> tuple[str, ...]:
        """All VIPs."""
        return tuple(vip for one in self.plan.instances for vip in one.vips)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of keepalived.conf without comments."""
        return bare(self.text)

    @property
    def bare(self) -> tuple[str, ...]:
        """All that Keepalived reads: the lines, with the password among them, and the key that they name."""
        key = self.settings.auth_hmac_key_file
        return (*self.lines, *([self.secrets[key]] if key else []))


def bare(text: str) -> tuple[str, ...]:
    """The lines of a keepalived.conf as Keepalived has them: without comments, and blanks around them."""
    return tuple(line for line in (uncommented(one).strip() for one in text.splitlines()) if line)


def wanted(command: RunCommand, here: Here, texts: Texts, known: Mapping[str, str] | None = None) -> Wanted:
    """What the files say; raises `Invalid`. `known` is what secret files said earlier, by path."""
    found = command.sources(here.environ, texts)
    if len(found) > 1:
        raise Invalid(f"these are {len(found)} configurations, and a pod runs one; start one for each")
    # A file without any variable has lost its text, and is none that leaves all VIPs to Services.
    may_be_empty = command.follow_services and bool(found[0].given)
    found = [reduce(with_added, _added(here, texts), found[0])]
    (settings,), (said,) = command.configurations(here.environ, texts, found)
    kept, before = _kept(command, here, texts)
    (plan,), after = plan_all([settings], kept, command.spread, may_be_empty=may_be_empty)
    if here.shares:
        _see_shared(plan, settings.config_name, (here.ledger and texts.optional(here.ledger)) or "")
    has_ledger = before is not None
    unsaved = ("the ledger does not have this plan yet; save it by plan --save",) if _differs(after, before) else ()
    plan = plan._replace(notes=(*said, *unsaved, *plan.notes))
    node = own_node(plan, command.node or here.name, here.addresses) if plan.instances else ""
    settings = with_own_address(settings, node, here.addresses)
    password, secrets = _secrets(settings, texts, known or {})
    options = Options(here.version, password, has_ledger, here.fifo)
    change_at = float(settings.change_at)
    aim = target(plan, settings, node, options) if node else None
    text = rendered(plan, settings, node, options) if node else ""
    return Wanted(plan, settings, aim, text, dict(texts.known), secrets, change_at, plan.notes)


def _added(here: Here, texts: Texts) -> Sequence[sources.Source]:
    return [sources.env_file(text, path) for path in here.added if (text := texts.optional(path)) is not None]


def _kept(command: RunCommand, here: Here, texts: Texts) -> tuple[Ledger, str | None]:
    """The ledger that counts, and its text; None where there is none."""
    own = texts.optional(here.ledger) if here.ledger else None
    path = here.ledger if own is not None else command.ledger
    if not path:
        return {}, None
    text = own if own is not None else texts.text(path)
    before = held(text, path, path).ledger or ""
    kept = read(before, path) if before else {}
    return ({name: released(one) for name, one in kept.items()} if command.rolled_out else kept), before


def _see_shared(plan: Plan, name: str, text: str) -> None:
    """Raise `Unshared` where a VIP has not the id that the shared ledger has for it."""
    kept = (read(text, "the shared ledger") if text else {}).get(name)
    shared = {vip: one.id for one in (kept.entries if kept else ()) for vip in one.vips}
    missing = [vip for one in plan.instances for vip in one.vips if shared.get(vip) != one.id]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Unshared(
            f"the ledger that all nodes share does not have the id of {missing[0]}{more} yet; following Services "
            "writes it there, see what that says"
        )


def _differs(after: Ledger, before: str | None) -> bool:
    return before is not None and write(after) != before


def _secrets(settings: Settings, texts: Texts, known: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """The password, and what is in each file that only its owner reads; raises `Invalid`."""
    found: dict[str, str] = {}
    read_by = (
        ("OPENSHIFT_HA_AUTH_PASS_FILE", settings.auth_pass_file, read_secret),
        ("OPENSHIFT_HA_AUTH_HMAC_KEY_FILE", settings.auth_hmac_key_file, read_text),
    )
    for variable, path, read_it in read_by:
        try:
            if path:
                texts.see(path)
                found[path] = known[path] if path in known else read_it(path)
        except CannotLook as error:
            raise Invalid(f"{settings.where(variable)}: {error}") from None
    return found.get(settings.auth_pass_file, ""), found
