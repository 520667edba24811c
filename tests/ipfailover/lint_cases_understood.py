"""Cases of what lint cannot understand: each wrong, then right."""

from __future__ import annotations

import yaml

from tests.ipfailover.linting import Given, env, shows

VIPS = "OPENSHIFT_HA_VIRTUAL_IPS"


def deployment(**container: object) -> Given:
    spec = {"template": {"spec": {"containers": [{"name": "keepalived", "image": "x", **container}]}}}
    return Given((yaml.safe_dump({"kind": "Deployment", "metadata": {"name": "ipf"}, "spec": spec}),))


SET = {"name": VIPS, "value": "10.0.0.1"}
shows("HA001", env(VIRTUAL_IP="10.0.0.1"), env(VIRTUAL_IPS="10.0.0.1"))
shows("HA002", env(VIRTUAL_IPS="10.0.0.1-4", VIP_GROUPS="010"), env(VIRTUAL_IPS="10.0.0.1-4", VIP_GROUPS="10"))
shows("HA002", env(VIRTUAL_IPS="10.0.0.1/24"), env(VIRTUAL_IPS="10.0.0.1"))
shows("HA003", env(VIRTUAL_IPS="10.0.0.1-254"), env(VIRTUAL_IPS="10.0.0.1-245"))
shows(
    "HA003",
    env(VIRTUAL_IPS="10.0.0.1", USE_UNICAST="true"),
    env(VIRTUAL_IPS="10.0.0.1", USE_UNICAST="true", UNICAST_PEERS="10.9.0.1,10.9.0.2"),
)
shows("HA004", env(VIRTUAL_IPS="", VIP_GROUPS="1"), env(VIRTUAL_IPS="10.0.0.1", VIP_GROUPS="1"))
shows("HA005", deployment(env=[SET, SET]), deployment(env=[SET]))
shows("HA005", deployment(env=[SET], envFrom=[{"configMapRef": {"name": "a"}}]), deployment(env=[SET]))
shows("HA005", Given(env_files=(f"{VIPS}='10.0.0.1",)), env(VIRTUAL_IPS="10.0.0.1"))
shows("HA006", deployment(env=[SET], envFrom=[{"secretRef": {"name": "a"}}]), deployment(env=[SET]))
shows("HA007", env(VIRTUAL_IPS="10.0.0.1"), env(VIRTUAL_IPS="10.0.0.1", VRRP_ID_OFFSET="0"))

VIP = {"VIRTUAL_IPS": "10.0.0.1"}
STOCK = "example.test/ose-keepalived-ipfailover:v4.14"
PINNED = {"name": "OPENSHIFT_HA_NODES", "value": "a,b"}
shows("HA001", env(**VIP, CHECK_SCRIPT_x="a"), env(**VIP, CHECK_SCRIPT_1="a"))
shows("HA090", deployment(env=[SET, PINNED], image=STOCK), deployment(env=[SET, PINNED]))
shows("HA091", env(**VIP, VRRP_VERSION="3", ADVERT_INT="0.1"), env(**VIP, VRRP_VERSION="3", ADVERT_INT="0.5"))
shows("HA092", env(**VIP, ON_FAIL="last-resort", PREEMPTION="nopreempt"), env(**VIP, ON_FAIL="last-resort"))
shows(
    "HA096",
    env(**VIP, DRAIN_FILE="/run/hacheck/drain"),
    env(**VIP, DRAIN_FILE="/var/lib/hacheck/drain"),
)
shows("HA093", env(**VIP, MONITOR_PORT="0"), env(**VIP, MONITOR_PORT="0", CHECK_SCRIPT="sh /x"))
shows("HA094", env(**VIP, MONITOR_PORT="80", CHECK_SCRIPT="sh /x"), env(**VIP, MONITOR_PORT="80"))
shows("HA094", env(**VIP, MONITOR_PORT="80", CHECK_SCRIPT="sh /x"), env(**VIP, MONITOR_PORT="0", CHECK_SCRIPT="sh /x"))
shows("HA095", env(VIRTUAL_IPS="1.1.1.1-2", VIP_GROUPS="10"), env(VIRTUAL_IPS="1.1.1.1-2", VIP_GROUPS="2"))
