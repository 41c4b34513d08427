# shellcheck shell=bash
# Starting and judging scripted servers (tests/peer) from bats. Loaded by the
# tests that need one:
#
#	load helper
#	load peer
#	teardown() { peer_stop; }
#
#	peer_script a.peer <<-'END'
#		S: +OK hello
#		C: QUIT
#		S: +OK bye
#	END
#	peer_start a.peer -t 5
#	fetchd ... 127.0.0.1:$PEER_PORT
#	peer_wait

PEER=$BUILD/tests/peer/peer
declare -gA PEER_LOG=()

# NAME: standard input becomes that script. A bare name lies in the test's own
# folder, here and in peer_start.
peer_script() {
	cat >"$(peer_path "$1")"
}

peer_path() {
	case $1 in
	*/*) echo "$1" ;;
	*) echo "$BATS_TEST_TMPDIR/$1" ;;
	esac
}

# SCRIPT [OPTION]...: starts a peer and waits until it listens. Sets PEER_PORT
# and PEER_PID. Several may run at once.
peer_start() {
	local script log i
	script=$(peer_path "$1")
	shift
	log=$(mktemp "$BATS_TEST_TMPDIR/peer.XXXXXX")
	"$PEER" -v -p "$log.port" "$@" "$script" >/dev/null 2>"$log" 3>&- &
	PEER_PID=$!
	PEER_LOG[$PEER_PID]=$log
	for ((i = 0; i < 500; i++)); do
		[ -e "$log.port" ] && break
		kill -0 "$PEER_PID" 2>/dev/null || break
		sleep 0.01
	done
	export PEER_PORT=
	if [ -e "$log.port" ]; then
		PEER_PORT=$(<"$log.port")
		return
	fi
	cat "$log" >&2
	return 1
}

# STATUS [PID]: the peer ends, with that status; else its log is shown. The
# log remains in the file $PEER_SAID.
peer_ends() {
	local want=$1 pid=${2:-$PEER_PID} status=0
	PEER_SAID=${PEER_LOG[$pid]}
	unset "PEER_LOG[$pid]"
	wait "$pid" || status=$?
	[ "$status" -eq "$want" ] && return
	echo "peer: exit $status, not $want" >&2
	cat "$PEER_SAID" >&2
	return 1
}

# [PID]: the client did exactly what the script expects.
peer_wait() {
	peer_ends 0 "$@"
}

# For teardown: no peer outlives its test.
peer_stop() {
	local pid
	for pid in "${!PEER_LOG[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	PEER_LOG=()
}
