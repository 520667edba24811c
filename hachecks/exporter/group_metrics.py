"""The metrics of the group: on how many nodes each VIP is, which nodes answer, and whether they are alike."""

from __future__ import annotations

from hachecks.services.exposition import Table, gauge, single

GROUP_VIPS = Table(
    lambda view: view.group.vips if view.group else (),
    ("vip",),
    lambda vip: (vip.address,),
    (
        gauge(
            "hachecks_group_vip_owners",
            "On how many nodes of the group the VIP is; absent where none has it and one cannot tell.",
            lambda vip: vip.owners,
        ),
    ),
)
PEERS = Table(
    lambda view: [one for one in view.group.members if one.peer] if view.group else (),
    ("peer",),
    lambda one: (one.peer,),
    (
        gauge("hachecks_peer_up", "Whether the other node answered in the last round.", lambda one: bool(one.answer)),
        gauge(
            "hachecks_peer_last_answer_timestamp_seconds",
            "When the other node last answered, in seconds of the epoch.",
            lambda one: one.answered,
        ),
    ),
)
GROUP = single(
    lambda view: view.group and len(view.group.differences),
    gauge(
        "hachecks_group_differences",
        "In how many points nodes of the group are not alike; the status page has the sentences.",
        lambda count: count,
    ),
)
