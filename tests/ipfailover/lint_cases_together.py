"""Cases of configurations that do not go together: each wrong, then right."""

from __future__ import annotations

from hachecks.ipfailover.lint.subject import Cluster
from tests.ipfailover.linting import Given, conf_with, deployment_with, env, shows, together

ROUTER = {"CONFIG_NAME": "router", "VIRTUAL_IPS": "10.0.0.1-2", "VRRP_ID_OFFSET": "10", "NETWORK_INTERFACE": "br-ex"}
GEO = {"CONFIG_NAME": "geo", "VIRTUAL_IPS": "10.0.0.3-4", "VRRP_ID_OFFSET": "20", "NETWORK_INTERFACE": "br-ex"}
PEERS = {"UNICAST_PEERS": "10.9.0.1,10.9.0.2"}


def two(first: dict[str, str] | None = None, second: dict[str, str] | None = None) -> Given:
    """Two env files that go together, with changes in each."""
    return together(env(**{**ROUTER, **(first or {})}), env(**{**GEO, **(second or {})}))


GOOD = two()
shows("HA301", two({}, {"VIRTUAL_IPS": "10.0.0.2-4"}), GOOD)
shows("HA302", two({}, {"VRRP_ID_OFFSET": "11"}), GOOD)
shows("HA302", two({}, {"VRRP_ID_OFFSET": "10"}), two({}, {"VRRP_ID_OFFSET": "10", "NETWORK_INTERFACE": "br-int"}))
shows(
    "HA302",
    together(
        env(**{**ROUTER, "VRRP_ID_OFFSET": "49", **PEERS, "NETWORK_INTERFACE": "vrrp0", "VIRTUAL_IPS": "10.0.0.8-9"}),
        conf_with(),
    ),
    together(env(**ROUTER), conf_with()),
)
OTHER = (("ipfailover-keepalived", "geo"), ("10.0.0.100", "10.0.0.101"), ("value: router", "value: geo"))
OFFSET = ('value: "10"', 'value: "20"')
PORT = ("63010", "63020")
shows(
    "HA303",
    together(deployment_with(), deployment_with(*OTHER, OFFSET)),
    together(deployment_with(), deployment_with(*OTHER, OFFSET, PORT)),
)
shows("HA304", deployment_with(OFFSET), deployment_with(OFFSET, PORT))
shows("HA305", two({"CONFIG_NAME": "ipf-ha-router"}, {"CONFIG_NAME": "ipf-ha-ro2"}), GOOD)
ALIKE = {"CONFIG_NAME": "ipf-ha-router"}
shows(
    "HA305",
    two(ALIKE, {"CONFIG_NAME": "ipf-ha-ro2"}),
    two(ALIKE, {"CONFIG_NAME": "ipf-ha-ro2", "AUTH_PASS_FILE": "/x"}),
)
shows("HA306", two(PEERS, {"UNICAST_PEERS": "10.9.0.1,10.9.0.3"}), two(PEERS, PEERS))
shows("HA307", two({}, {"CONFIG_NAME": "router"}), GOOD)
shows("HA308", GOOD._replace(cluster=Cluster("ocp2")), GOOD._replace(cluster=Cluster("other")))
shows(
    "HA309", together(env(**ROUTER), env(**{**ROUTER, "VRRP_ID_OFFSET": "0"})), together(env(**ROUTER), env(**ROUTER))
)
shows(
    "HA309", together(env(**ROUTER), env(**ROUTER, **PEERS)), together(env(**ROUTER, **PEERS), env(**ROUTER, **PEERS))
)
SPOKEN = together(env(**ROUTER), env(**ROUTER))
shows("HA309", together(env(**ROUTER), env(**ROUTER, VRRP_VERSION="3")), SPOKEN)
shows("HA309", together(env(**ROUTER), env(**{**ROUTER, "NETWORK_INTERFACE": "ens3"})), SPOKEN)
WITHOUT_THE_FIRST = {**ROUTER, "VIRTUAL_IPS": "10.0.0.2"}
shows("HA309", together(env(**ROUTER), env(**WITHOUT_THE_FIRST)), SPOKEN)
shows("HA310", env(**{**ROUTER, **PEERS, "VIRTUAL_IPS": "10.9.0.2"}), env(**ROUTER, **PEERS))
