# shellcheck shell=bash
# What the tests of watchers share: starting and ending them, what they would
# tell systemd, other clients, and servers that go away.  Each test cleans up
# what it started.

BASICS='IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE LITERAL+'

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	CA=$CERTS/ca.pem
	PIDS=() LISTENER=
}

teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill -KILL -- "-$pid" 2>/dev/null || true
	done
	[ -z "$LISTENER" ] || kill "$LISTENER"
	peer_stop
	stop_servers
}

# [NAME]: what is sent to NOTIFY_SOCKET goes to the file `told`.
listen() {
	: >told
	socat -u "${1:-UNIX-RECV:notify}" OPEN:told,append 3>&- &
	LISTENER=$!
	case ${1-} in
	'')	await test -S notify ;;
	*)	await grep -q "@notify-$$" /proc/net/unix ;;
	esac
}

# COMMAND...: in the background, in a session of its own; sets PID. What it says
# is in the file `said`.
start() {
	setsid "$@" </dev/null >printed 2>said 3>&- &
	PID=$!
	PIDS+=("$PID")
}

# [N]: waits until it has come so far N times.
watching() {
	local i
	for ((i = 0; i < 500; i++)); do
		[ "$(grep -oaE 'STATUS=(watching|looking)' told | wc -l)" \
			-lt "${1:-1}" ] || return 0
		kill -0 "$PID" 2>/dev/null || break
		sleep 0.02
	done
	fail "it does not watch: $(<said)"
}

# STATUS [MS]: the watcher ends so, in so many milliseconds.
ends() {
	local want=$1 most=${2:-5000} began status=0
	began=$(ms)
	while kill -0 "$PID" 2>/dev/null; do
		[ $(($(ms) - began)) -lt "$most" ] ||
			fail "still there after $most ms: $(<said)"
		sleep 0.01
	done
	wait "$PID" || status=$?
	[ "$status" -eq "$want" ] ||
		fail "want exit $want, got $status: $(<said)"
}

# SIGNAL [STATUS [MS]]
stops() {
	kill "-$1" "$PID" || fail "already gone: $(<said)"
	ends "${2:-0}" "${3:-2000}"
}

ms() {
	local t=$EPOCHREALTIME
	echo $((${t/[.,]/} / 1000))
}

# FOLDER [N]: IMAP APPEND, as another client would. Each call has other mail.
append() {
	local folder=$1 n=${2:-1} i line text fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$IMAP_PORT"
	read -r -t 10 line <&"$fd"
	printf 'a LOGIN %s pw\r\n' "${U:-u}" >&"$fd"
	while read -r -t 10 line <&"$fd" && [[ $line != a\ * ]]; do :; done
	for ((i = 0; i < n; i++)); do
		text="Subject: $folder $RANDOM $EPOCHREALTIME"$'\r\n\r\nhello\r\n'
		printf 'b APPEND "%s" {%d+}\r\n%s\r\n' "$folder" \
			${#text} "$text" >&"$fd"
		while read -r -t 10 line <&"$fd" && [[ $line != b\ * ]]; do :; done
		[[ $line == 'b OK'* ]] || fail "APPEND: $line"
	done
	exec {fd}>&-
}

# How often the user has logged in, to Dovecot.
logins() {
	grep -c "imap-login: .*Login: user=<${U:-u}>" "$LOG"
}

# [CAPABILITIES]: a server that has no others, but for the BASICS.
start_idler() {
	EXTRA="imap_capability = $BASICS ${1:-IDLE}" start_dovecot
}

# Outright: no farewell from any of its processes.
kill_server() {
	# shellcheck source=tests/servers/lib.bash
	# shellcheck disable=SC1091,SC2046 # one word per process
	kill -KILL $(. "$SERVER/env" && . "$RIGS/lib.bash" && session_pids "$PID")
}

restart_server() {
	EXTRA="imap_capability = $BASICS IDLE" "$RIGS/dovecot" restart "$SERVER"
}

start_proxy() {
	setsid "$BUILD/tests/bench/proxy" -t "$IMAP_PORT" "$@" -p proxy.port \
		3>&- >/dev/null &
	PROXY=$!
	PIDS+=("$PROXY")
	await test -s proxy.port
}

# The worker does not outlive its parent.
no_session() {
	! pgrep -s "$PID"
}

# From when on SIGTERM is not simply the end.
catches_term() {
	local mask
	mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$PID/status")
	[ -n "$mask" ] && [ $((0x$mask & 1 << 14)) -ne 0 ]
}
