"""Each variable is taken as it is meant, and refused where the stock image would make something else of it."""

from __future__ import annotations

import pytest
from hypothesis import given

from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.settings import FIELDS, Settings
from hachecks.ipfailover.variable import version
from hachecks.settings import Invalid
from tests.ipfailover.given import any_environments, many, settings, variables

STOCK = (
    "CONFIG_NAME MONITOR_PORT NETWORK_INTERFACE REPLICA_COUNT VIRTUAL_IPS VIP_GROUPS VRRP_ID_OFFSET IPTABLES_CHAIN "
    "NFTABLES_RULE CHECK_SCRIPT CHECK_INTERVAL NOTIFY_SCRIPT PREEMPTION USE_UNICAST UNICAST_PEERS ADMIN_EMAILS "
    "SMTP_SERVER SELECTOR"
)
"""The stock image's, of those that begin with OPENSHIFT_HA_."""
OURS = {
    *variables(NODES="", PREFER="", APART="", TOGETHER="", ON_FAIL="", TRACK_FILE="", VERBATIM="", VERBATIM_GLOBAL=""),
    *variables(CHECK_TIMEOUT="", CHECK_RISE="", CHECK_FALL="", VRRP_VERSION="", ADVERT_INT="", AUTH_PASS_FILE=""),
    *variables(AUTH_HMAC_KEY_FILE="", AUTH_HMAC_MODE="", DRAIN_FILE="", CHANGE_AT=""),
    "OPENSHIFT_HA_CHECK_SCRIPT_<n>",
}


def test_what_nobody_gives_is_as_the_stock_image_has_it() -> None:
    found = settings({})
    assert (found.config_name, found.replicas, found.monitor_port) == ("OpenShift-IPFailover", 1, 80)
    assert (found.check_interval, found.virtual_ip_groups) == (2, 0)
    assert str(found.preemption) == "preempt_delay 5 min"
    assert found.places == {}


@pytest.mark.parametrize(("stock", "offset"), [("3.11", 0), ("4.19", 0), ("4.20", 10), ("4.21", 10), ("5.1", 10)])
def test_the_offset_is_by_default_that_of_the_version(stock: str, offset: int) -> None:
    assert settings({}, stock).vrrp_id_offset == offset


@pytest.mark.parametrize(
    "text", ["2026-11-30T22:00:00Z", "2026-11-30t22:00:00z", "2026-11-30 22:00:00+00:00", "2026-12-01T00:30:00+02:30"]
)
def test_an_instant_is_the_same_however_it_is_written(text: str) -> None:
    assert settings(variables(CHANGE_AT=text)).change_at == 1796076000


def test_an_empty_variable_is_none() -> None:
    assert settings(variables(VRRP_ID_OFFSET="", CONFIG_NAME=" \n")) == settings({})


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        pytest.param("VRRP_ID_OFFSET", "010", "'010' is octal to the stock image", id="octal"),
        pytest.param("VRRP_ID_OFFSET", "255", "255 is not 0 to 254", id="offset-without-an-id"),
        pytest.param("VRRP_ID_OFFSET", "abc", "'abc' is no whole number; expected 0 to 254", id="word"),
        pytest.param("VRRP_ID_OFFSET", "٣", "is no whole number", id="digit-of-another-script"),
        pytest.param("REPLICA_COUNT", "a[$(id)]", "'a[$(id)]' is no whole number", id="arithmetic"),
        pytest.param("REPLICA_COUNT", "0", "0 is not 1 to", id="no-replica"),
        pytest.param("VIP_GROUPS", "-1", "'-1' is no whole number", id="negative"),
        pytest.param("MONITOR_PORT", "65536", "65536 is not 0 to 65535", id="port"),
        pytest.param("MONITOR_PORT", "tcp/8080", "'tcp/8080' is no whole number", id="port-with-a-protocol"),
        pytest.param("CHECK_INTERVAL", "0", "0 is not 1 to 86400", id="interval"),
        pytest.param("CONFIG_NAME", "a { b", "'a { b' is no name", id="name-with-braces"),
        pytest.param(
            "NETWORK_INTERFACE", "enp0s31f6-bridge", "is no interface; expected at most 15", id="long-interface"
        ),
        pytest.param("CHANGE_AT", "22:00", "'22:00' is no instant; expected 2026-11-30T22:00:00Z", id="instant"),
        pytest.param("CHANGE_AT", "2026-11-30T22:00:00", "'2026-11-30T22:00:00' is no instant", id="whose-time"),
        pytest.param("CHANGE_AT", "2026-11-31T22:00:00Z", "'2026-11-31T22:00:00Z' is no instant", id="no-such-day"),
        pytest.param("CHANGE_AT", "2026-11-30T22:00:00.5Z", "is no instant", id="half-a-second"),
        pytest.param("CHANGE_AT", "2026-11-30T22:00:60Z", "is no instant", id="leap-second"),
        pytest.param("CHANGE_AT", "٢026-11-30T22:00:00Z", "is no instant", id="instant-in-another-script"),
        pytest.param("CHANGE_AT", "0001-01-01T00:00:00+23:00", "is no instant", id="before-all-time"),
        pytest.param("CHECK_SCRIPT", 'sh -c "x"', "it has a double quote", id="quote"),
        pytest.param("NOTIFY_SCRIPT", "a\nb", "a character that cannot be printed", id="line-end"),
        pytest.param("USE_UNICAST", "maybe", "'maybe' is neither true nor false", id="bool"),
        pytest.param("UNICAST_PEERS", "10.0.0.1,node-b", "'node-b' is no address", id="peer-by-name"),
        pytest.param("UNICAST_PEERS", "10.0.0.1,10.0.0.1", "10.0.0.1 is named twice", id="peer-twice"),
        pytest.param("NODES", "a,b a", "a is named twice", id="node-twice"),
        pytest.param("NODES", "a;b", "'a;b' is no node", id="node"),
        pytest.param("NODES", ",".join(f"n{n}" for n in range(255)), "these are 255 nodes, limit 254", id="many-nodes"),
        pytest.param("PREEMPTION", "always", "'always' is no preemption strategy; expected nopreempt", id="strategy"),
        pytest.param("PREEMPTION", "preempt_delay", "the seconds are missing", id="no-delay"),
        pytest.param("PREEMPTION", "preempt_delay 1001", "'1001' is no number of seconds, limit 1000", id="delay"),
        pytest.param("PREEMPTION", "nopreempt 300", "nopreempt takes no number", id="nopreempt-with-a-number"),
        pytest.param("PREFER", "10.0.0.1", "'10.0.0.1' is no preference; expected VIPS=NODE,NODE", id="preference"),
        pytest.param("APART", "10.0.0.1", "10.0.0.1 is no set; expected two VIPs or more", id="apart-from-nobody"),
        pytest.param("TOGETHER", "10.0.0.1-2;,", "no VIP is no set; expected two VIPs or more", id="empty-set"),
        pytest.param("PREFER", ",=a", "',=a' names no VIP or no node; expected VIPS=NODE,NODE", id="no-vip-preferred"),
        pytest.param("PREFER", "10.0.0.1=,", "names no VIP or no node", id="no-node-preferred"),
        pytest.param("VIRTUAL_IPS", "10.0.0.1/24", "item 1, '10.0.0.1/24': write 10.0.0.1", id="vips"),
        pytest.param("VIRTUAL_IP", "10.0.0.1", "did you mean OPENSHIFT_HA_VIRTUAL_IPS?", id="misspelt"),
        pytest.param("HA_EXCLUDED_VRRP_IDS", "9 256", "256 is not 1 to 255", id="excluded"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable(name: str, text: str, complaint: str) -> None:
    (variable,) = variables(**{name: text})
    with pytest.raises(Invalid) as caught:
        settings({variable: text})
    assert str(caught.value).startswith(f"{variable}: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "seconds", "noted"),
    [
        ("nopreempt ", "nopreempt", 0, False),
        ("preempt_delay 300", "delay", 300, False),
        ("preempt_delay 0.5", "delay", 0.5, False),
        ("preempt_delay 0", "immediate", 0, False),
        ("preempt", "immediate", 0, False),
        ("preempt 300", "delay", 300, True),
        ("preempt_nodelay 300", "immediate", 0, True),
    ],
)
def test_a_preemption_strategy_is_what_was_meant(text: str, mode: str, seconds: float, noted: bool) -> None:
    found = settings(variables(PREEMPTION=text)).preemption
    assert (found.mode, found.seconds, bool(found.note)) == (mode, seconds, noted)


def test_nodes_are_taken_as_oc_prints_them() -> None:
    assert settings(variables(NODES="node/worker-1\nnode/worker-2\n")).nodes == ("worker-1", "worker-2")


@pytest.mark.parametrize("text", ["4", "2.1", "4.20.1", "four", "6.0", "4.200", ""])
def test_a_version_is_one_of_openshift(text: str) -> None:
    with pytest.raises(ValueError, match="is no version of OpenShift"):
        version(text)


def test_every_variable_is_declared_once_with_its_help() -> None:
    names = [variable.name for variable in FIELDS.values()]
    assert len(set(names)) == len(names)
    assert set(names) == {
        *variables(**dict.fromkeys(STOCK.split(), "")),
        *OURS,
        *("HA_EXCLUDED_VRRP_IDS", "UNICAST_SOURCE_IPADDRESS", "MULTICAST_SOURCE_IPADDRESS"),
    }
    assert all(variable.help and not variable.help.endswith(".") for variable in FIELDS.values())
    assert {variable.name for variable in FIELDS.values() if variable.ours} == OURS
    assert all(bool(variable.metavar) == bool(variable.flag) for variable in FIELDS.values())


@many
@given(any_environments)
def test_any_text_of_any_variable_is_taken_or_refused(environ: dict[str, str]) -> None:
    try:
        found = settings(environ)
        plan_all([found], {}, None)
    except Invalid:
        return
    assert isinstance(found, Settings)
