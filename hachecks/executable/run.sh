# `hacheck run NAME` gives the verdict that the agent has published, while that is fresh: builtins only, no fork, no
# Python. It goes on to Python when there is no such verdict, when anything about it is odd (torn, another's, of another
# boot, file or run, over, or from the future), and when more is asked than the name. What a shell has not come to when
# it exits costs nothing, and each byte that it reads of a file is a system call.
answer() {
	case $1 in '' | -* | *[!A-Za-z0-9_-]*) return ;; esac
	if [ "${HACHECK_FORMAT-}${HACHECK_VERBOSE-}" ]; then return; fi
	case $config in @CONFIG@) config='' ;; esac
	IFS=' .' read -r now hundredths _ </proc/uptime || return
	for place in ${state:+"$state"} /run/hacheck /dev/shm; do
		# Each user's own directory, as state.home has it: the place itself where it is his, else one in it.
		answer_in "$place" "$1"
		tries=0
		for directory in "$place"/hacheck-*; do
			answer_in "$directory" "$1"
			# Who fills it with directories of his own holds nobody up: Python looks for ours by its name.
			tries=$((tries + 1))
			[ $tries -lt 32 ] || return
		done
	done
}

answer_in() {
	file=$1/answer-$2
	if [ ! -f "$file" ] || [ -L "$file" ] || [ ! -O "$file" ] || [ -L "$1" ] || [ ! -O "$1" ]; then return; fi
	{
		read -r format of boot since until code
		# It may have blanks, and so has a line of its own, which is empty where no more than the name is asked.
		IFS= read -r asked || return
		# Keepalived gives its scripts nobody to tell it to.
		# shellcheck disable=SC3013 # POSIX has it since 2024, and each of the shells has had it before
		if [ /proc/self/fd/1 -ef /dev/null ]; then line=''; else IFS= read -r line || return; fi
	} <"$file" || return
	case $since$until in *[!0-9]*) return ;; esac
	# What is in memory alone does not outlive the boot.
	if [ "$format$of" = "@FORMAT@$2" ] && [ "${asked:-@USUAL@}" = "@GIVEN@|$config" ] &&
		[ "$since" -le "$now$hundredths" ] && [ "$now$hundredths" -lt "$until" ] &&
		{ [ "$boot" = @IN_MEMORY@ ] || { read -r booted </proc/sys/kernel/random/boot_id && [ "$boot" = "$booted" ]; }; }; then
		case $code in [01]) ;; *) return ;; esac
		if [ -n "$line" ]; then
			# Who reads it, if anybody does, changes no exit status, under set -e neither.
			trap '' PIPE
			printf '%s\n' "$line" || :
		fi
		exit "$code"
	fi
}

config=${HACHECK_CONFIG-} state=${HACHECK_STATE_DIR-}
# Whatever a shell thinks of an odd file or /proc, Python has the word.
[ "${1-}$#" != run2 ] || answer "$2" 2>&-
