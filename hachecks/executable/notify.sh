# `hacheck notify` runs while Keepalived moves VIPs, once for each instance: builtins only, no fork, one write. It returns
# when the words are not Keepalived's, so that Python has a look at them.
notify() {
	shift
	options=
	while [ $# -gt 0 ]; do
		case $1 in
		INSTANCE | GROUP) break ;;
		--test | --dry-run | --help | -h) return ;;
		esac
		options=$options${options:+@FS@}$1
		shift
	done
	case $# in 3 | 4) ;; *) return ;; esac
	case $* in *[[:cntrl:]]*) return ;; esac
	trap '' TERM # Keepalived ends its scripts when it ends itself
	umask 022    # it has set 0177, and the exporter, another user, is to read what is written here
	priority=${4-}
	case $priority in *[!0-9]*) priority= ;; esac
	read -r boot </proc/sys/kernel/random/boot_id
	started_of $$
	for directory in "${HACHECK_STATE_DIR-}" /run/hacheck /dev/shm; do
		[ -n "$directory" ] || continue
		printf '\0361\037%s\037%s\037%s\037%s\037%s\037%s\037%s\037%s\n' "$1" "$2" "$3" "$priority" $$ "$started" "$boot" \
			"$options" 2>/dev/null >>"$directory/journal" || continue
		[ "${HACHECK_FSYNC-}" != 1 ] || sync -d "$directory/journal"
		see_to_delivery
		exit 0
	done
	echo "hacheck: $*: there is no place to record this" 2>/dev/null >/proc/1/fd/1
	exit 1
}

# When a process was forked, in clock ticks after boot: with the pid it gives Keepalived's order back. (`##` would take dash
# four million instructions here, ten times all the rest; a command named `x) y` is nobody's hook.)
started_of() {
	started=
	read -r started 2>/dev/null <"/proc/$1/stat" || return
	# shellcheck disable=SC2086 # one word each is meant
	set -- ${started#*) }
	started=${20}
}

# The first notify of a storm starts the deliverer, where neither agent nor deliverer lives. The mark says who does, by pid
# and start. A file that only one process can make, named after whom it follows and when, says who is the first.
see_to_delivery() {
	mine=$started follows=0 since=0
	read -r follows since 2>/dev/null <"$directory/delivering"
	started_of "$follows"
	[ "$follows" = 0 ] || [ "$started" != "$since" ] || return
	set -C
	echo $$ 2>/dev/null >"$directory/claim-$follows-$since-$((mine / 1000))" || return
	set +C
	/bin/sh "$0" deliver </dev/null >/dev/null 2>&1 &
	started_of $!
	echo "$! $started" 2>/dev/null >"$directory/delivering"
}
