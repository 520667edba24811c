# Where the places are said in words, `hacheck run` gives the agent's verdict as well (see run.sh): it stands behind
# `notify`, which has to be quick, and need not read it.
answer_from() {
	shift
	name=
	while [ $# -gt 0 ]; do
		case $1 in
		--config | --state-dir)
			case ${2--} in '' | -*) return ;; esac
			case $1 in --config) config=$2 ;; *) state=$2 ;; esac
			shift
			;;
		--config=?*) config=${1#*=} ;;
		--state-dir=?*) state=${1#*=} ;;
		'' | -*) return ;;
		*)
			[ -z "$name" ] || return
			name=$1
			;;
		esac
		shift
	done
	answer "$name" 2>&-
}
[ "${1-}" != run ] || [ $# -lt 3 ] || answer_from "$@"
