# shellcheck shell=bash
# What the server rigs share: free ports, the unprivileged user that servers
# run as, and ending all of an instance. Sourced, never run.

RIG=${0##*/}

die() {
	echo "$RIG: $*" >&2
	exit 1
}

# A server must not hold what its starter had open: make would wait for its job
# server, and bats for its results.
for fd in "/proc/$$/fd"/*; do
	fd=${fd##*/}
	[ "$fd" -gt 2 ] && [ "$fd" -ne 255 ] && eval "exec $fd>&-"
done

# N: prints N different ports that nobody uses now. They lie below the range
# from which the kernel serves connecting sockets. Another instance may still
# win the race for one, so a caller tries again when its server cannot bind.
free_ports() {
	local used port hex i=0 ports=()
	used=" $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)"
	while [ ${#ports[@]} -lt "$1" ]; do
		[ $((i++)) -lt 1000 ] || die "no free ports"
		port=$((10000 + (RANDOM * 32768 + RANDOM) % 22000))
		printf -v hex ':%04X ' "$port"
		[[ $used == *"$hex"* ]] && continue
		[[ " ${ports[*]} " == *" $port "* ]] && continue
		ports+=("$port")
	done
	echo "${ports[@]}"
}

has_ipv6() {
	grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null
}

# NAME PACKAGE...: fetches these Debian packages and unpacks them, once for all,
# into BUILD/pkg/NAME; sets PKG to that. Nothing there is setuid. For what cannot be installed beside
# its likes, and should not be: the machine keeps the mail server it has.
unpack() {
	local name=$1
	PKG=$(realpath -m "${BUILD:-$here/../../build}/pkg/$name")
	shift
	mkdir -p "$PKG"
	exec 9>"$PKG/.lock"
	flock 9
	[ -e "$PKG/.done" ] || (
		rm -rf "$PKG/.new"
		mkdir "$PKG/.new" && cd "$PKG/.new" || exit 1
		apt-get download "$@" || {
			apt-get update && apt-get download "$@"
		} || exit 1
		for deb in *.deb; do
			dpkg-deb -x "$deb" "$PKG" || exit 1
		done
		find "$PKG" -type f -perm /6000 -exec chmod ug-s {} +
		rm -rf "$PKG/.new"
		: >"$PKG/.done"
	) >"$PKG/.log" 2>&1 || {
		cat "$PKG/.log" >&2
		die "cannot fetch $*"
	}
	exec 9>&-
}

# WHY: the server cannot run here; tests skip what needs it.
skip() {
	echo "$RIG: skipped: $*" >&2
	exit 77
}

# For servers that have their folders or users compiled in.
need_namespaces() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	unshare --mount --pid --fork true 2>/dev/null ||
		skip "needs private mount and process namespaces"
}

# Puts the certificate that is asked for into DIR/tls; sets CA.
put_certs() {
	local from=${CERTS:-$DIR/certs} cert=${CERT:-server}
	"$here/certs" "$from" || die "no certificates"
	CA=$(realpath "$from/ca.pem")
	mkdir -p "$DIR/tls"
	cp "$from/$cert.pem" "$DIR/tls/cert.pem" || die "no certificate $cert"
	cp "$from/$cert.key" "$DIR/tls/key.pem"
	cp "$CA" "$DIR/tls/ca.pem"
}

# USER: sets RUN_USER, RUN_GROUP and AS, a prefix that makes a command run as
# them: the caller itself, or USER when that is root.
choose_user() {
	AS=()
	RUN_USER=$(id -un) RUN_GROUP=$(id -gn)
	if [ "$(id -u)" -eq 0 ]; then
		RUN_USER=$1
		RUN_GROUP=$(id -gn "$RUN_USER")
		AS=(setpriv --reuid="$RUN_USER" --regid="$RUN_GROUP"
			--clear-groups)
	fi
}

# DIR: makes DIR reachable for RUN_USER. mktemp -d makes folders that only
# their owner can enter; below the temporary folder, and only there, others
# are allowed to pass through.
open_path() {
	local d=$1 tmp
	tmp=$(realpath "${TMPDIR:-/tmp}")
	"${AS[@]}" test -x "$1" && return
	while [[ $d == "$tmp"/* ]]; do
		chmod o+x "$d"
		d=${d%/*}
	done
	"${AS[@]}" test -x "$1" ||
		die "$1 must be below $tmp, or in reach of user $RUN_USER"
}

# FILE: waits until it has something in it, 5 s at most.
await_file() {
	local i
	for ((i = 0; i < 250; i++)); do
		[ -s "$1" ] && return 0
		sleep 0.02
	done
	return 1
}

# PORT: waits for a server's whole greeting, 5 s at most: until then it may still
# be starting what it needs to log anybody in.
greeted() {
	local line
	{ exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
	read -r -t 5 line <&3 && [[ $line == '* OK [CAP'* ]]
	set -- $?
	exec 3>&-
	return "$1"
}

# PID PORT...: waits until an SMTP server greets at all its ports, a few seconds
# at most, or until that process has ended.
await_smtp() {
	local i rc port line pid=$1
	shift
	for ((i = 0; i < 250; i++)); do
		kill -0 "$pid" 2>/dev/null || return 1
		for port; do
			{ exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null ||
				break
			rc=0 line=
			read -r -t 5 line <&3 || rc=$?
			exec 3>&-
			[ $rc -le 128 ] || return 1
			[[ $line == '220 '* ]] || break
			shift
		done
		[ $# -gt 0 ] || return 0
		sleep 0.02
	done
	return 1
}

# SID: prints the live processes of that session.
session_pids() {
	local f stat pid fields
	for f in /proc/[0-9]*/stat; do
		read -r stat 2>/dev/null <"$f" || continue
		pid=${stat%% *}
		read -ra fields <<<"${stat##*) }"
		[ "${fields[3]}" = "$1" ] && [ "${fields[0]}" != Z ] &&
			echo "$pid"
	done 2>/dev/null
	return 0
}

# SID N: waits until no more than N processes of that session are left, 5 s at
# most.
await_session() {
	local i
	for ((i = 0; i < 250; i++)); do
		[ "$(session_pids "$1" | wc -l)" -gt "$2" ] || return 0
		sleep 0.02
	done
	return 1
}

# PIDFILE [N]: ends the server whose session leader's pid the file holds: politely
# until N processes are left, if N is given; then outright, until all are gone.
# No file, no process: nothing to do.
end_session() {
	local sid
	[ -s "$1" ] || return 0
	read -r sid <"$1"
	if [ -n "$(session_pids "$sid")" ]; then
		if [ $# -eq 2 ]; then
			kill -TERM "$sid" 2>/dev/null
			await_session "$sid" "$2"
		fi
		# shellcheck disable=SC2046 # one word per process
		kill -KILL $(session_pids "$sid") 2>/dev/null
		await_session "$sid" 0 || die "cannot end session $sid"
	fi
	rm -f "$1"
}

# NAME...: prints these variables as a shell reads them back.
print_vars() {
	local name
	for name in "$@"; do
		printf '%s=%q\n' "$name" "${!name}"
	done
}
