# shellcheck shell=bash
# What the benchmarks share: a place to work in, the delaying proxy, and figures.
# Sourced, never run. Sets root, build, runs (RUNS, or 3), and dir, which is
# removed at the end; before that, `cleanup` is called if there is such a function.
# shellcheck disable=SC2034 # variables are for those who source this

set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath -m "${BUILD:-$root/build}")
runs=${RUNS:-3}
dir=$(mktemp -d "${TMPDIR:-/tmp}/mailroom-bench.XXXXXX")
export HOME=$dir/home LC_ALL=C
unset XDG_STATE_HOME XDG_CONFIG_HOME
mkdir -p "$HOME"

proxy_pid=
bench_end() {
	[ -z "$proxy_pid" ] || kill "$proxy_pid" 2>/dev/null
	! declare -F cleanup >/dev/null || cleanup
	rm -rf "$dir"
}
trap bench_end EXIT
trap 'exit 1' INT TERM

# Names of a million files that are no more, in the kernel's caches, make it
# several times slower to create one.
forget_names() {
	sync
	[ ! -w /proc/sys/vm/drop_caches ] || echo 3 >/proc/sys/vm/drop_caches
}
forget_names

say() { printf '%s\n' "$*"; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
verdict() { # FIGURE <= LIMIT
	awk -v a="$1" -v b="$2" 'BEGIN { print a <= b ? "met" : "MISSED" }'
}

# Starts the proxy in front of a server's port; sets port.
proxy_start() { # PORT RTT
	rm -f "$dir/port" "$dir/stats"
	"$build/tests/bench/proxy" -t "$1" -p "$dir/port" -d "$2" \
		-s "$dir/stats" &
	proxy_pid=$!
	for _ in $(seq 100); do
		[ ! -s "$dir/port" ] || break
		sleep 0.05
	done
	port=$(cat "$dir/port")
}

proxy_stat() { awk -v k="$1" '$1 == k { print $2 }' "$dir/stats"; }

# Ends it; sets turns, connections, and bytes sent and received.
proxy_stop() {
	kill "$proxy_pid"
	wait "$proxy_pid" 2>/dev/null
	proxy_pid=
	turns=$(proxy_stat turns)
	connections=$(proxy_stat connections)
	sent=$(proxy_stat bytes_up) received=$(proxy_stat bytes_down)
}

# NAME: fetches that package and unpacks it, once for all; sets PKG to where it
# is. For peers that need not be installed.
unpack_package() {
	local here=$root/tests/servers
	# shellcheck source=tests/servers/lib.bash
	PKG=$(. "$here/lib.bash" && unpack "$1" "$1" && echo "$PKG") || exit 1
}

# Sets seconds to how long the command took, and returns its status. What the one
# before it has left to be written is not on its account.
timed() {
	local t0 rc=0
	sync
	t0=$(date +%s%N)
	"$@" || rc=$?
	seconds=$(awk -v n=$(($(date +%s%N) - t0)) \
		'BEGIN { printf "%.3f", n / 1e9 }')
	return $rc
}
