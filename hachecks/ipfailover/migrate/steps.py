"""Steps: adverts come to be signed, or cease to be, by changes of which each bears the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.plan import HMAC_MODES
from hachecks.ipfailover.render.keywords import SINCE, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.migrate.cases import Case

MODE, KEY = "OPENSHIFT_HA_AUTH_HMAC_MODE", "OPENSHIFT_HA_AUTH_HMAC_KEY_FILE"


def several(found: Sequence[Case]) -> tuple[int, int] | None:
    """From which mode of signing to which adverts go where that is too far for one change; None where it is not."""
    return next((case.hmac for case in found if abs(case.hmac[0] - case.hmac[1]) > 1), None)


def steps(found: Sequence[Case], way: tuple[int, int]) -> Iterator[str]:
    """Sentences, one for each change."""
    was, now = way
    modes = range(was + 1, now + 1) if now > was else range(was - 1, now - 1, -1)
    yield "Adverts come to be signed in steps, of which each bears the one before:"
    parted = any(case.was_plan.vrrp(case.was) != case.plan.vrrp(case.instance) for case in found)
    for number, mode in enumerate(modes, 1):
        said = f"with {MODE}={HMAC_MODES[mode]}" if HMAC_MODES[mode] else f"without {KEY}"
        if number == 1 and parted:
            yield f"{number}. the new variables {said}: another migration, at an instant"
        else:
            yield f"{number}. the new variables {said}, node by node"
    yield (
        f"Begin a step when every node has the one before. All nodes need Keepalived {written(SINCE['auth_hmac'])} or "
        "newer and the same key"
    )
