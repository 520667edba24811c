"""Cases of what the stock image makes of variables: each wrong, then right."""

from __future__ import annotations

from tests.ipfailover.linting import Given, env, shows

STOCK = "4.14"


def stock(at: str = STOCK, /, **short: str) -> Given:
    """Variables of a stock image of known version, in which all else is as it should be."""
    right = {"CONFIG_NAME": "ipf", "VIRTUAL_IPS": "10.0.0.1-3", "VRRP_ID_OFFSET": "0", "NETWORK_INTERFACE": "br-ex"}
    return env(at, **{**right, "PREEMPTION": "preempt", **short})


def list_of(text: str) -> Given:
    return stock(VIRTUAL_IPS=text)


shows("HA010", list_of("10.1.1.1/24"), list_of("10.1.1.1"))
shows("HA010", list_of("10.1.1.10/24"), list_of("10.1.1.10"))
shows("HA010", list_of("10.1.0.0/28"), list_of("10.1.0.1-14"))
shows("HA011", list_of("3.3.3.3-4  4.4.4.4"), list_of("3.3.3.3-4,4.4.4.4"))
shows("HA011", list_of("3.3.3.3 4.4.4.4"), list_of("3.3.3.3,\n4.4.4.4"))
shows("HA012", list_of("10.0.0.1;10.0.0.2"), list_of("10.0.0.1,10.0.0.2"))
shows("HA012", list_of("10.0.0.1\\,10.0.0.2"), list_of("10.0.0.1,10.0.0.2"))
shows("HA012", list_of("www.example.test"), list_of("192.0.2.1"))
shows("HA013", list_of("10.1.1.250-10.1.2.5"), list_of("10.1.1.250-255,10.1.2.0-5"))
shows("HA013", list_of("10.1.1.1-10.1.9.2"), list_of("10.1.1.1-2"))
shows("HA013", list_of("10.1.1.9-7"), list_of("10.1.1.7-9"))
shows("HA013", list_of("10.2.2.254-257"), list_of("10.2.2.254-255,10.2.3.0-1"))
shows("HA014", list_of("2001:db8::a-c"), list_of("2001:db8::a,2001:db8::b,2001:db8::c"))
shows("HA015", list_of("10.0.0.300"), list_of("10.0.0.30"))
shows("HA015", list_of("010.0.0.1"), list_of("10.0.0.1"))
shows("HA015", list_of("127.0.0.1"), list_of("10.0.0.1"))
shows("HA016", list_of("10.0.0.1,10.0.0.1"), list_of("10.0.0.1"))
shows("HA016", list_of("10.0.0.1-5,10.0.0.4-9"), list_of("10.0.0.1-9"))
shows("HA017", stock(VIRTUAL_IPS="10.0.0.1,fd00::1", VIP_GROUPS="1"), stock(VIRTUAL_IPS="10.0.0.1,fd00::1"))
shows("HA017", stock(VIRTUAL_IPS="fd00::1", UNICAST_PEERS="10.9.0.1,10.9.0.2"), stock(VIRTUAL_IPS="fd00::1"))
shows("HA018", list_of("a.b"), list_of("10.0.0.1"))
shows("HA018", stock(VRRP_ID_OFFSET="08"), stock(VRRP_ID_OFFSET="8"))
shows("HA019", list_of("fd00::1"), list_of("10.0.0.1"))
shows(
    "HA020",
    stock("4.20", VIRTUAL_IPS="10.0.0.1-254", VRRP_ID_OFFSET=""),
    stock("4.20", VIRTUAL_IPS="10.0.0.1-254", VRRP_ID_OFFSET="", VIP_GROUPS="245"),
)
shows("HA020", stock(VRRP_ID_OFFSET="-1"), stock(VRRP_ID_OFFSET="1"))
shows("HA021", stock(VRRP_ID_OFFSET="010"), stock(VRRP_ID_OFFSET="10"))
shows("HA021", stock(REPLICA_COUNT="a[$(touch /tmp/x)]"), stock(REPLICA_COUNT="3"))
shows("HA021", stock(VIP_GROUPS="abc"), stock(VIP_GROUPS="2"))
shows("HA021", stock(VIP_GROUPS="1+1"), stock(VIP_GROUPS="2"))
shows("HA022", stock("4.10", HA_EXCLUDED_VRRP_IDS="2"), stock("4.11", HA_EXCLUDED_VRRP_IDS="2"))
shows("HA022", stock(HA_EXCLUDED_VRRP_IDS="9,11"), stock(HA_EXCLUDED_VRRP_IDS="9 11"))
shows("HA030", stock(CONFIG_NAME="x {"), stock(CONFIG_NAME="x"))
shows("HA030", stock(CHECK_SCRIPT='sh -c "exit 0"'), stock())
shows("HA031", stock(PREEMPTION="preempt_delay"), stock(PREEMPTION="preempt_delay 300"))
shows("HA032", stock(CONFIG_NAME="ipf-ha-router"), stock(CONFIG_NAME="router"))
shows("HA033", stock(MONITOR_PORT="tcp/8080"), stock(MONITOR_PORT="8080"))
shows("HA033", stock(MONITOR_PORT="-1"), stock(MONITOR_PORT="0"))
shows("HA040", stock(NETWORK_INTERFACE=""), stock())
shows("HA041", stock(USE_UNICAST="true"), stock(USE_UNICAST="true", UNICAST_PEERS="10.9.0.1,10.9.0.2"))
shows("HA041", stock(USE_UNICAST="false", UNICAST_PEERS="10.9.0.1,10.9.0.2"), stock(USE_UNICAST="false"))
shows("HA042", stock(UNICAST_PEERS="10.9.0.1,10.9.0.2"), stock())
shows("HA043", stock(UNICAST_PEERS="10.9.0.1 10.9.0.2"), stock(UNICAST_PEERS="10.9.0.1,10.9.0.2"))
TWO = {"VIRTUAL_IPS": "10.0.0.1-4", "REPLICA_COUNT": "2"}
shows("HA044", stock(**TWO, NODES="10.9.0.11,10.9.0.139"), stock(**TWO, NODES="10.9.0.10,10.9.0.11"))
shows("HA044", stock(**TWO, NODES="10.9.0.128,10.9.0.11"), stock(**TWO, NODES="10.9.0.10,10.9.0.11"))
THREE = {"VIRTUAL_IPS": "10.0.0.1-3", "REPLICA_COUNT": "3"}
shows("HA044", stock(**THREE, UNICAST_PEERS="10.9.0.3,10.9.0.4,10.9.0.5"), stock(**THREE))
shows("HA045", stock(), stock(VIRTUAL_IPS="10.0.0.1"))
shows("HA045", stock(MONITOR_PORT="8080"), stock(CHECK_SCRIPT="sh /etc/keepalive/check.sh"))
shows("HA046", stock(PREEMPTION="preempt_delay 300"), stock())
shows("HA046", stock(PREEMPTION=""), stock())
shows("HA046", stock(PREEMPTION="preempt 300"), stock())
shows("HA046", stock("4.17", PREEMPTION="nopreempt"), stock("4.18", PREEMPTION="nopreempt"))
shows("HA046", stock("4.18", PREEMPTION="nopreempt "), stock("4.18", PREEMPTION="nopreempt"))
