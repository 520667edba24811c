"""Adverts: how often, in which version of VRRP, how they are authenticated; what does not go together is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.render.keywords import SINCE, knows, written
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.plan import Instance
    from hachecks.ipfailover.render.target import Target

WORD = re.compile(r"[A-Za-z0-9._/+=:,%^*()@|&?-]+", re.ASCII)
"""A password that keepalived.conf takes as it is."""
LONGEST_V3 = 40.95
"""Seconds: VRRP 3 has 12 bits for hundredths of one (RFC 5798, section 5.2.7)."""


def refuse(target: Target) -> None:
    """Raise `Invalid` for what no instance could have."""
    settings = target.settings
    seconds, where = settings.advert_interval, settings.where("OPENSHIFT_HA_ADVERT_INT")
    for one in target.plan.instances:
        if target.vrrp(one) == 2 and not seconds.is_integer():
            raise Invalid(f"{where}: VRRP 2 has whole seconds, not {seconds:g}; set OPENSHIFT_HA_VRRP_VERSION=3")
        if target.vrrp(one) == 3 and seconds > LONGEST_V3:
            raise Invalid(f"{where}: {seconds:g} s are too many for {one.vips[0]} in VRRP 3, limit {LONGEST_V3}")
    _refuse_password(target)
    if settings.auth_hmac_key_file:
        _refuse_hmac(target)
    elif "OPENSHIFT_HA_AUTH_HMAC_MODE" in settings.places:
        raise Invalid(
            f"{settings.where('OPENSHIFT_HA_AUTH_HMAC_MODE')}: there is no key; set OPENSHIFT_HA_AUTH_HMAC_KEY_FILE"
        )


def _refuse_password(target: Target) -> None:
    where = target.settings.where("OPENSHIFT_HA_AUTH_PASS_FILE")
    if target.options.password and not WORD.fullmatch(target.options.password):
        raise Invalid(
            f"{where}: the password has a blank, a quote or a sign of keepalived.conf; use letters and digits"
        )
    if target.settings.auth_pass_file and not any(target.vrrp(one) == 2 for one in target.plan.instances):
        raise Invalid(f"{where}: VRRP 3, which all VIPs have here, knows no password; leave it out")


def _refuse_hmac(target: Target) -> None:
    where = target.settings.where("OPENSHIFT_HA_AUTH_HMAC_KEY_FILE")
    if not knows(target.version, "auth_hmac"):
        since = written(SINCE["auth_hmac"])
        raise Invalid(
            f"{where}: Keepalived signs adverts that others of its kind verify since {since}; this is for "
            f"{written(target.version)}, see --keepalived-version"
        )
    if any(target.vrrp(one) == 2 for one in target.plan.instances):
        raise Invalid(
            f"{where}: in VRRP 2 a key takes the place of the password, and nodes with one do not hear those with the "
            "other; set OPENSHIFT_HA_VRRP_VERSION=3"
        )


def lines(target: Target, instance: Instance) -> Iterator[str]:
    """The lines of an instance."""
    settings = target.settings
    yield f"advert_int {settings.advert_interval:g}"
    if target.vrrp(instance) == 2:
        yield from ("authentication {", "    auth_type PASS", f"    auth_pass {target.password}", "}")
    elif settings.auth_hmac_key_file:
        yield "auth_hmac {"
        yield f"    key 1 file:{settings.auth_hmac_key_file}"
        yield "    active_key 1"
        yield f"    mode {settings.auth_hmac_mode}"
        yield "}"
