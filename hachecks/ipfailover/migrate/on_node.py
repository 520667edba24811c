"""What changes a node with a plain Keepalived at an instant: Keepalived itself takes the old configuration away.

Keepalived reads its time file for an instant, and deletes it when that has come, just before it reloads. The file's
second line, which Keepalived's timer passes over, is one of configuration: it has the main file include the present
configuration. So the present one is in force as long as the time file is there, whatever is restarted meanwhile, and
the new one from then on; nobody has to be awake to exchange files. Tried with 2.2.7: the first line, which is no
configuration, is harmless among the addresses of mail, to whom nobody writes without smtp_alert.
"""

from __future__ import annotations

from hachecks.ipfailover import instant

SCRIPT = "change.sh"
NEXT = "next.conf"
LEAST = 5
"""Seconds before the instant in which a node is not prepared any more: Keepalived has to have read the file."""

TEMPLATE = r"""#!/bin/sh
# Changes the election of this node's VIPs at @AT@, as all nodes do.
# Made by hacheck ipfailover migrate; next.conf, the new keepalived.conf, is beside it.
#
#   sh change.sh install        before the instant, on every node: nothing changes yet
#   sh change.sh cancel         before the instant, on every node: nothing is going to change
#   sh change.sh before-start   before Keepalived starts on a node that was off at the instant
#   sh change.sh settle         after the instant: keepalived.conf is a plain file again
#
# CONF and PID are where Keepalived's configuration and process id are.
set -eu
umask 077
CONF=${CONF:-/etc/keepalived/keepalived.conf}
PID=${PID:-/run/keepalived.pid}
MARK='# This is between two configurations'
here=$(cd "$(dirname "$0")" && pwd)
at=@EPOCH@

fail() {
    echo "change.sh: $*" >&2
    exit 1
}

accepts() {
    keepalived --config-test --use-file "$1"
}

reload() {
    [ ! -s "$PID" ] || kill -HUP "$(cat "$PID")" || fail "Keepalived is not told; have it read $CONF anew"
}

is_between() {
    head -n 1 "$CONF" | grep -qxF "$MARK"
}

# Keepalived 2.2.7 ends when a reload takes reload_check_config away, and when one brings it
# after a file that it found fault with: it stays as it was in the present file.
next() {
    if grep -q '^[[:blank:]]*reload_check_config[[:blank:]]*$' "$1"; then
        cat
        printf 'global_defs {\n    reload_check_config\n}\n'
    else
        sed '/^[[:blank:]]*reload_check_config[[:blank:]]*$/d'
    fi
}

# By rename, so that no half of a file is ever read.
put() {
    cp -p "$1" "$2.tmp"
    mv -f "$2.tmp" "$2"
}

install() {
    case $CONF in
        *[!A-Za-z0-9._/+-]*) fail "$CONF has a character that keepalived.conf does not bear" ;;
        /*) ;;
        *) fail "$CONF is no absolute path" ;;
    esac
    [ -f "$CONF" ] || fail "there is no $CONF; set CONF"
    [ ! -L "$CONF" ] || fail "$CONF is a link, which would be replaced; set CONF to the file itself"
    ! is_between || fail "$CONF is between two configurations already; cancel or settle that first"
    [ $((at - $(date +%s))) -ge @LEAST@ ] || fail "@AT@ is past or too near by this node's clock; nothing is changed"
    # Keepalived refuses digits that its own time zone leaves out, even in UTC.
    ! date -d '2000-01-01 00:00:00' >/dev/null 2>&1 || date -d '@DIGITS@' >/dev/null 2>&1 ||
        fail "the zone of this node has no @DIGITS@; choose another instant"
    accepts "$here/next.conf" || fail "Keepalived does not take next.conf; nothing is changed"
    next "$CONF" <"$here/next.conf" >"$CONF.next.tmp"
    mv -f "$CONF.next.tmp" "$CONF.next"
    put "$CONF" "$CONF.present"
    printf '%s\n$CONFIGURATION=%s\n' '@TIME@' "$CONF.present" >"$CONF.change-at.tmp"
    mv -f "$CONF.change-at.tmp" "$CONF.change-at"
    # In brackets it may be missing.
    cat >"$CONF.tmp" <<END
$MARK
# until @AT@, when Keepalived deletes $CONF.change-at and reads this again.
\$CONFIGURATION=$CONF.next
global_defs {
    reload_time_file $CONF.change-at
    notification_email {
        nobody@localhost
include $CONF.change-a[t]
    }
}
include \$CONFIGURATION
END
    # What Keepalived finds fault with already is no fault of the change.
    accepts "$CONF.tmp" || ! accepts "$CONF" || {
        rm -f "$CONF.tmp" "$CONF.change-at"
        fail "Keepalived does not take $CONF between; nothing is changed"
    }
    mv -f "$CONF.tmp" "$CONF"
    reload
    echo "this node changes at @AT@"
}

cancel() {
    is_between || fail "$CONF is not between two configurations"
    [ -e "$CONF.change-at" ] || fail "the change is done; there is nothing to cancel"
    put "$CONF.present" "$CONF"
    rm -f "$CONF.change-at"
    reload
    echo "this node does not change"
}

before_start() {
    [ "$(date +%s)" -lt "$at" ] || rm -f "$CONF.change-at"
}

settle() {
    is_between || fail "$CONF is not between two configurations"
    before_start
    [ ! -e "$CONF.change-at" ] || fail "the change is at @AT@; settle after it"
    put "$CONF.next" "$CONF"
    reload
    rm -f "$CONF.next" "$CONF.present"
    echo "$CONF is the new configuration"
}

case ${1:-} in
    install | cancel | settle) "$1" ;;
    before-start) before_start ;;
    *) fail "say install, cancel, before-start or settle" ;;
esac
"""


def script(at: int) -> str:
    """The script of a node, for an instant."""
    time = instant.of_time_file(at)
    values = {"AT": instant.written(at), "EPOCH": str(at), "TIME": time, "DIGITS": time[:-1], "LEAST": str(LEAST)}
    text = TEMPLATE
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
