"""No file has a keyword that its Keepalived does not know; by the release notes that a table of the tests holds."""

from __future__ import annotations

import re

import pytest

from hachecks.ipfailover.render import Options
from hachecks.ipfailover.render.keywords import GLOBAL, INSTANCE, SINCE, knows, of_stock, parse, written
from hachecks.keepalived.parser import words_of
from hachecks.settings import Invalid
from tests.ipfailover.rendering import CASES, render

VERSIONS = ["2.1.5", "2.2.0", "2.2.4", "2.2.7", "2.2.8", "2.3.1", "2.3.3", "2.4.0", "2.4.1", "2.4.2", "2.4.3"]
FIRST_KNOWN = {
    "unicast_fault_no_peer": ("2.2.7", "release notes of 2.2.7: Add option unicast_fault_no_peer"),
    "timer_expired_backup": ("2.2.8", "release notes of 2.2.8, under a name that 2.3.1's correct"),
    "vrrp_delay_after_boot": ("2.4.0", "release notes of 2.4.0"),
    "auth_hmac": ("2.4.2", "release notes of 2.4.2: adverts from a 2.4.0 or 2.4.1 node no longer verify; receive-only"),
}
"""What is rendered and younger than 2.1.5, with its source."""
OLD = """
    global_defs router_id script_user enable_script_security dynamic_interfaces vrrp_garp_master_refresh
    vrrp_garp_lower_prio_repeat log_unknown_vrids vrrp_script script interval timeout rise fall weight track_file file
    init_file vrrp_instance interface state version virtual_router_id priority advert_int preempt_delay nopreempt
    authentication auth_type auth_pass unicast_src_ip check_unicast_src unicast_peer mcast_src_ip track_script
    virtual_ipaddress virtual_ipaddress_excluded notify
"""
"""What is rendered for 2.1.5 too: keywords of the changelog up to 2.0.21, and of 2.1's manual."""
SHORT = {
    "AUTH_HMAC_KEY_FILE": "/etc/keepalived/key",
    "PREEMPTION": "nopreempt",
    "DRAIN_FILE": "/run/d",
    "TRACK_FILE": "/run/a",
    "UNICAST_PEERS": "10.9.0.1,10.9.0.2",
    "VRRP_VERSION": "3",
}


def keywords(text: str) -> set[str]:
    """The first words of the lines of a file that are no comments, VIPs, peers or names."""
    words = [words_of(line.split("  #")[0])[:1] for line in text.splitlines() if not line.startswith("#")]
    return {word for found in words for word in found if re.fullmatch("[a-z_]+", word)}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_has_the_keywords_of_its_version_and_no_other(version: str) -> None:
    for short, node in ((SHORT, "10.9.0.1"), ({"VIRTUAL_IPS": "10.0.0.1,fd00::1", "VIP_GROUPS": "1"}, "a")):
        options = Options(parse(version))
        given = dict(short)
        if not knows(options.version, "auth_hmac"):
            given.pop("AUTH_HMAC_KEY_FILE", None)
        found = keywords(render(given, node, options)) - {"key", "active_key", "mode"}
        unknown = {word for word, (since, _) in FIRST_KNOWN.items() if options.version < parse(since)}
        assert not found & unknown
        assert found - set(FIRST_KNOWN) <= set(OLD.split())


@pytest.mark.parametrize("word", FIRST_KNOWN)
def test_a_keyword_is_used_from_the_version_on_that_has_it(word: str) -> None:
    since = parse(FIRST_KNOWN[word][0])
    short = {key: text for key, text in SHORT.items() if key not in ("TRACK_FILE", "DRAIN_FILE")}
    without_key = {key: text for key, text in short.items() if key != "AUTH_HMAC_KEY_FILE"}
    for version in map(parse, VERSIONS):
        given = short if knows(version, "auth_hmac") else without_key
        assert (word in keywords(render(given, "10.9.0.1", Options(version)))) == (version >= since)


def test_the_table_is_the_one_that_is_rendered_by() -> None:
    assert {word: written(SINCE[word]) for word in FIRST_KNOWN} == {
        word: since for word, (since, _) in FIRST_KNOWN.items()
    }
    assert set(SINCE) <= INSTANCE | GLOBAL


@pytest.mark.parametrize("case", [case for case in CASES if case != "a slow check"])
@pytest.mark.parametrize("version", ["2.1.5", "2.4.3"])
def test_every_case_can_be_rendered_for_the_oldest_and_the_newest(case: str, version: str) -> None:
    short, node, options = CASES[case]
    found = keywords(render(short, node, options._replace(version=parse(version))))
    assert {"vrrp_instance", "virtual_ipaddress"} <= found


def test_ipv6_before_2_2_0_has_a_word_on_what_keepalived_says_of_it() -> None:
    told = "complains that IPv6 VIPs are not link-local"
    assert told in render({"VIRTUAL_IPS": "fd00::1"}, options=Options(parse("2.1.5")))
    assert told not in render({"VIRTUAL_IPS": "fd00::1"})


def test_nopreempt_waits_after_a_reboot_where_that_is_safe_and_says_so_where_it_is_not() -> None:
    new, old = (render({"PREEMPTION": "nopreempt"}, options=Options(parse(one))) for one in ("2.4.0", "2.3.3"))
    assert "    vrrp_delay_after_boot 30" in new
    assert "may take VIPs that others have" in old
    assert "may take VIPs that others have" not in new
    assert "vrrp_delay_after_boot" not in render({}, options=Options(parse("2.4.0")))


def test_a_check_may_take_longer_than_its_interval_where_only_one_runs_at_a_time() -> None:
    short = {"CHECK_INTERVAL": "2", "CHECK_TIMEOUT": "5"}
    assert "    timeout 5" in render(short, options=Options(parse("2.3.3")))
    with pytest.raises(Invalid, match=r"before 2\.3\.3 Keepalived starts a check again while it still runs"):
        render(short, options=Options(parse("2.3.2")))


def test_an_unknown_keyword_may_be_new_to_a_new_version_alone() -> None:
    assert "    brand_new 3" in render({"VERBATIM": "brand_new 3"}, options=Options(parse("2.4.3")))
    with pytest.raises(Invalid, match="brand_new is no keyword of vrrp_instance"):
        render({"VERBATIM": "brand_new 3"}, options=Options(parse("2.2.8")))


@pytest.mark.parametrize(
    ("stock", "version"), [((3, 11), "2.1.5"), ((4, 14), "2.1.5"), ((4, 15), "2.2.8"), ((5, 1), "2.2.8")]
)
def test_the_stock_image_has_the_version_of_its_rhel(stock: tuple[int, int], version: str) -> None:
    assert written(of_stock(stock)) == version


@pytest.mark.parametrize("text", ["2.2", "two", "", "2.1.4", "1.3.5", "2.2.7-1", "٢.2.7"])
def test_a_version_that_is_none_or_too_old_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no version of Keepalived|is older than 2\.1\.5"):
        parse(text)
