"""The state of a Galera node, as part of its cluster."""

from __future__ import annotations

from hachecks.verdict import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.sql.mysql_session import Session

STATUS = ("wsrep_cluster_status", "wsrep_connected", "wsrep_ready", "wsrep_local_state", "wsrep_local_state_comment",
          "wsrep_cluster_size", "wsrep_local_recv_queue")  # fmt: skip
VARIABLES = ("wsrep_on", "wsrep_reject_queries", "pxc_maint_mode")
DONOR, SYNCED = "2", "4"


def judge(session: Session, *, allow_donor: bool) -> Verdict:
    """Whether the node is in the primary component, connected, ready and synced, and rejects nobody."""
    status = session.pairs(f"show global status where variable_name in {STATUS}")
    variables = session.pairs(f"show global variables where variable_name in {VARIABLES}")
    measured = {"cluster_size_count": _count(status, "wsrep_cluster_size"),
                "receive_queue_count": _count(status, "wsrep_local_recv_queue")}  # fmt: skip
    trouble = _trouble(status, variables, (SYNCED, DONOR) if allow_donor else (SYNCED,))
    if trouble:
        return Verdict.failing(trouble, "body", **measured)
    state = status.get("wsrep_local_state_comment", "")
    return Verdict.passing(f"is {state} in a cluster of {measured['cluster_size_count']:.0f}", **measured)


def _trouble(status: Mapping[str, str], variables: Mapping[str, str], states: tuple[str, ...]) -> str:
    """What is wrong first; nothing when all is well."""
    if "wsrep_cluster_status" not in status or variables.get("wsrep_on") == "OFF":
        return "is not a Galera node"
    component = status["wsrep_cluster_status"]
    if component != "Primary":
        return f"is not in the primary component of its Galera cluster, but {component}"
    for name in ("wsrep_connected", "wsrep_ready"):
        if status.get(name) != "ON":
            return f"says {name} = {status.get(name)}"
    if status.get("wsrep_local_state") not in states:
        return f"is not synced with its Galera cluster, but {status.get('wsrep_local_state_comment')}"
    for name, harmless in (("wsrep_reject_queries", "NONE"), ("pxc_maint_mode", "DISABLED")):
        if variables.get(name, harmless) != harmless:
            return f"says {name} = {variables[name]}"
    return ""


def _count(status: Mapping[str, str], name: str) -> float:
    text = status.get(name, "")
    return float(text) if text.isdigit() else 0.0
