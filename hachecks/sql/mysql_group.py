"""A MySQL server's place in its replication group (InnoDB Cluster), and whether the group has a majority."""

from __future__ import annotations

from hachecks.sql.expectation import number
from hachecks.sql.mysql_engine import Denied
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.sql.mysql_session import Session

MEMBERS = """
select m.*, member_id = @@server_uuid as is_own from performance_schema.replication_group_members as m
order by is_own desc
"""
QUEUED = """
select max(timestampdiff(second, applying_transaction_original_commit_timestamp, now(6))) as seconds
from performance_schema.replication_applier_status_by_worker
where channel_name = 'group_replication_applier' and applying_transaction_original_commit_timestamp > 0
"""
GRANT = "grant select on performance_schema.replication_group_members"


class Member:
    """What the server says of itself and the others of its group."""

    __slots__ = ("has_majority", "role", "state")

    def __init__(self, role: str, state: str, has_majority: bool) -> None:
        self.role = role
        self.state = state
        self.has_majority = has_majority

    @property
    def trouble(self) -> str:
        """What keeps it from serving; nothing if nothing does."""
        if self.state != "ONLINE":
            return f"is {self.state} in its replication group"
        return "" if self.has_majority else "is in a replication group without a majority"


def member(session: Session, *, is_grouped: bool) -> Member | None:
    """The server in its group; None if it is in none, which `is_grouped` contradicts; raises `CannotLook`."""
    if session.is_mariadb:
        return None
    try:
        rows = session.run(MEMBERS)
    except Denied:
        if is_grouped:
            raise CannotLook(f"{session.wire.where} does not show its replication group ({GRANT})", "auth") from None
        return None
    except Failure as failure:
        if failure.kind == "status" and not is_grouped:  # before 5.7 there is no such table
            return None
        raise
    states = [row.get("member_state") or "" for row in rows]
    if not rows or (states == ["OFFLINE"] and not is_grouped):
        return None
    heard = sum(state not in ("UNREACHABLE", "OFFLINE", "ERROR", "") for state in states)
    return Member((rows[0].get("member_role") or "").lower(), states[0], 2 * heard > len(states))


def seconds_behind(session: Session) -> float:
    """How old the oldest transaction is that is being applied."""
    try:
        rows = session.rows(QUEUED, 1)
    except (Denied, Failure):
        return 0.0
    return max(0.0, number(rows[0][0] or "") or 0.0) if rows else 0.0
