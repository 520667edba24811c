# `hacheck notify` runs while Keepalived moves VIPs, once for each instance: builtins only, no fork, one write. It returns
# when the words are not Keepalived's, or something strange stands where it would write, so that Python has a look.
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
	strange=
	for place in "${HACHECK_STATE_DIR-}" /run/hacheck /dev/shm; do
		if [ -z "$place" ] || ! find_own "$place"; then continue; fi
		ours "$directory/journal" || begin_journal || return
		printf '\0361\037%s\037%s\037%s\037%s\037%s\037%s\037%s\037%s\n' "$1" "$2" "$3" "$priority" $$ "$started" "$boot" \
			"$options" 2>/dev/null >>"$directory/journal" || continue
		if [ "${HACHECK_FSYNC-}" = 1 ]; then sync_journal; fi
		see_to_delivery
		exit 0
	done
	[ -z "$strange" ] || return
	echo "hacheck: $*: there is no place to record this" 2>/dev/null >/proc/1/fd/1
	exit 1
}

# Where that cannot be done it is recorded all the same. It is said once, until it can be done again: 255 would say it.
# Not by us: nobody may be reading, and Keepalived waits for us.
sync_journal() {
	if sync -d "$directory/journal" 2>/dev/null; then
		absent "$directory/unsynced" || rm -f "$directory/unsynced"
	elif absent "$directory/unsynced"; then
		(echo "hacheck: $directory/journal cannot be synced as HACHECK_FSYNC=1 asks for" >/proc/1/fd/1) 2>/dev/null &
		echo $$ 2>/dev/null >"$directory/unsynced"
	fi
}

# The directory of this user's own at a place, as `state.home` has it: the place itself where it is his, else one in it.
find_own() {
	if [ -L "$1" ]; then return 1; fi
	if [ ! -d "$1" ] && [ -w "${1%/*}" ]; then mkdir "$1" 2>/dev/null; fi
	if [ "$1" = /run/hacheck ] || { [ "$1" != /dev/shm ] && [ ! -k "$1" ]; }; then
		directory=$1
		if [ -O "$1" ]; then return 0; fi
		if [ -w "$1" ]; then return 1; fi # others can write it, too, or it is theirs
	fi
	for directory in "$1"/hacheck-*; do
		if own_directory; then return 0; fi
	done
	if [ ! -w "$1" ]; then return 1; fi
	directory=$1/hacheck-$(id -u)
	mkdir "$directory" 2>/dev/null || own_directory || ! strange=$directory
}

own_directory() {
	[ -d "$directory" ] && [ ! -L "$directory" ] && [ -O "$directory" ]
}

# Whether it is a plain file of this user's.
ours() {
	[ -f "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]
}

# Before this user's first record: nobody else may write where it is, and nothing else may stand there.
begin_journal() {
	chmod go-w "$directory" 2>/dev/null
	absent "$directory/journal" || ours "$directory/journal"
}

absent() {
	[ ! -e "$1" ] && [ ! -L "$1" ]
}

# When a process was forked, in clock ticks after boot: with the pid it gives Keepalived's order back. A zombie counts as
# gone. (`##` would take dash four million instructions here, ten times all the rest; a command named `x) y` is nobody's hook.)
started_of() {
	started=
	read -r started 2>/dev/null <"/proc/$1/stat" || return
	# shellcheck disable=SC2086 # one word each is meant
	set -- ${started#*) }
	case $1 in Z | X) started= ;; *) started=${20} ;; esac
}

# The first notify of a storm starts the deliverer, where neither agent nor deliverer lives. The mark says who does, by pid
# and start. A file that only one process can make, named after whom it follows and when, says who is the first.
see_to_delivery() {
	mine=${started:-0} follows=0 since=0
	if ours "$directory/delivering"; then read -r follows since 2>/dev/null <"$directory/delivering"; fi
	case $follows$since in *[!0-9]*) follows=0 since=0 ;; esac
	started_of "$follows"
	[ -z "$started" ] || [ "$started" != "$since" ] || return
	claim=$directory/claim-$follows-$since-$((mine / 1000))
	if absent "$claim"; then
		set -C
		echo $$ 2>/dev/null >"$claim" || absent "$claim" || return # where no more files can be made, nobody can claim it
		set +C
	elif ours "$claim"; then
		return
	fi
	/bin/sh "$0" deliver </dev/null >/dev/null 2>&1 &
	started_of $!
	if absent "$directory/delivering" || ours "$directory/delivering"; then
		echo "$! $started" 2>/dev/null >"$directory/delivering"
	fi
}
