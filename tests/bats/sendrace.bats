#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# sendq, with many at it at once: nothing is sent twice, nothing stays behind,
# nothing is sent that its owner has taken back, and the account's limits hold.

load helper

SENDQ=$BUILD/sendq

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" "$b/sendq" "$b/tests/peer/sink" \
		"$b/tests/bench/proxy" "$b/tests/fault/later.so"
}

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	PIDS=()
	mkdir got
	"$BUILD/tests/peer/sink" -p port got >/dev/null 3>&- &
	PIDS+=($!)
	await port
	SINK_PORT=$(<port)
}

teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# FILE: waits for it.
await() {
	local i
	for ((i = 0; i < 500; i++)); do
		[ ! -s "$1" ] || return 0
		sleep 0.02
	done
	fail "no $1"
}

# PORT LINE...: the configuration; the lines are of its send section.
configure() {
	local port=$1
	shift
	printf '%s\n' 'account a' 'address a@x.org' 'auth none' \
		"smtp submission+plain://127.0.0.1:$port" 'send a' 'hello me' \
		"sent $PWD/sent" "$@" >conf
}

sendq() {
	"$SENDQ" --config conf "$@" 3>&-
}

# NUMBER RCPT...: one message is accepted.
enqueue() {
	local n=$1
	shift
	printf 'Message-ID: <%s@x>\nFrom: a@x.org\nTo: x@x.org\n\n%s\n' "$n" "$n" |
		sendq -i "$@"
}

# MS [OPTION...]: a proxy with that round-trip time before the sink; sets PORT.
through_proxy() {
	rm -f proxy.port
	"$BUILD/tests/bench/proxy" -t "$SINK_PORT" -p proxy.port -d "$@" 3>&- &
	PIDS+=($!)
	await proxy.port
	PORT=$(<proxy.port)
}

# Until nobody is connected any more.
await_quiet() {
	local ask
	exec {ask}<>"/dev/tcp/127.0.0.1/$SINK_PORT"
	printf 'XQUIET\r\n' >&"$ask"
	read -r -t 20 -u "$ask"
	read -r -t 20 -u "$ask"
	exec {ask}>&-
}

# The numbers of what arrived, sorted, one a line.
arrived() {
	local f
	for f in got/*; do
		[ ! -e "$f" ] || sed -n 's/^Message-ID: <\(.*\)@x>.*/\1/p' "$f"
	done | sort -n
}

# Recipients of all that arrived.
arrived_rcpts() {
	cat got/* /dev/null | grep -c '^RCPT ' || true
}

# Until none of ours runs any more. (Whoever tried their locks would disturb.)
await_nobody() {
	local i p busy
	for ((i = 0; i < 500; i++)); do
		busy=
		for p in /proc/[0-9]*; do
			[ "$(readlink "$p/exe")" != "$SENDQ" ] ||
				[ "$(readlink "$p/cwd")" != "$PWD" ] || busy=$p
		done
		[ -n "$busy" ] || return 0
		sleep 0.02
	done
	fail "still there: $busy"
}

STATE=state/mailroom/sendq

# Nothing is in the spool, and nobody holds a lock there.
assert_clean() {
	local f
	assert_eq "" "$(find $STATE/tmp $STATE/queue -mindepth 1)" "left behind"
	for f in $STATE/lock $STATE/log $STATE/accounts/*; do
		flock -n "$f" true || fail "$f is locked"
	done
}

@test "eight runners and four who enqueue: each message arrives once" {
	local i n runners=() writers=() want=400
	[ -z "${SOAK-}" ] || want=20000
	configure "$SINK_PORT" 'connections 4'
	touch go
	for i in {1..8}; do
		while [ -e go ]; do
			sendq --run || echo "runner: exit $?" >>wrong
		done 2>>wrong &
		runners+=($!)
	done
	for i in {0..3}; do
		# Two of them start runners of their own.
		for ((n = i; n < want; n += 4)); do
			if [ $i -lt 2 ]; then
				enqueue $n b@x.org
			else
				enqueue $n -odq b@x.org
			fi || echo "enqueue: exit $?" >>wrong
		done 2>>wrong &
		writers+=($!)
	done
	wait "${writers[@]}"
	rm go
	wait "${runners[@]}"
	# Those that were started in the background end by themselves.
	await_nobody
	sendq --run
	await_quiet
	assert_eq "" "$(cat wrong)" "what was said"
	assert_eq "$(seq 0 $((want - 1)))" "$(arrived)"
	assert_eq $want "$(maildir_count sent)"
	assert_eq "" "$(find sent/tmp -type f)"
	assert_eq $want "$(grep -c ' sent ' $STATE/log)"
	assert_clean
}

@test "what is taken back is never sent; what is sent is not taken back" {
	local round rounds=8 id n removed=0 refused=0 rc f
	local -a runners queued
	[ -z "${SOAK-}" ] || rounds=200
	through_proxy 6
	configure "$PORT" 'session-messages 7' queue-only
	for ((round = 0; round < rounds; round++)); do
		rm -rf got/* wrong
		for n in {1..25}; do
			enqueue $n b@x.org
		done
		queued=()
		for f in $STATE/queue/*.env; do
			n=$(sed -n 's/.*<\([0-9]*\)@x>.*/\1/p' "$f")
			f=${f##*/}
			queued+=("${f%.env} $n")
		done
		# They come while it is taken back; who has it first, keeps it.
		(sleep 0.$((RANDOM % 5)) && sendq --run 2>>wrong) &
		runners=($!)
		(sleep 0.$((RANDOM % 5)) && sendq --run 2>>wrong) &
		runners+=($!)
		: >gone
		while read -r id n; do
			rc=0
			sendq --remove "$id" 2>>wrong.remove || rc=$?
			if [ $rc -eq 0 ]; then
				echo "$n" >>gone
			fi
		done < <(shuf -e "${queued[@]}")
		wait "${runners[@]}"
		sendq --run
		await_quiet
		assert_eq "$(seq 25)" "$(arrived | cat - gone | sort -n)"
		removed=$((removed + $(wc -l <gone)))
		refused=$((refused + 25 - $(wc -l <gone)))
	done
	echo "# removed $removed, sent $refused" >&3
	[ $removed -gt 0 ]
	[ $refused -gt 0 ]
	assert_clean
}

# SECONDS_LATER N: N runners at once, then; waits for them.
run_later() {
	local i pids=()
	for ((i = 0; i < $2; i++)); do
		LATER=$1 LD_PRELOAD=$BUILD/tests/fault/later.so \
			ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0 \
			"$SENDQ" --config conf --run 2>>said 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	await_quiet
}

@test "limit 5/minute 20/hour: recipients, whoever runs, and how often" {
	local n
	configure "$SINK_PORT" 'limit 5/minute 20/hour' 'connections 3' queue-only
	# 33 recipients: one that does not fit is sent in parts.
	for n in {1..11}; do
		enqueue "$n" "a$n@x.org" "b$n@x.org" "c$n@x.org"
	done
	run_later 0 4
	assert_eq 5 "$(arrived_rcpts)"
	run_later 0 4
	run_later 30 2
	assert_eq 5 "$(arrived_rcpts)" "the same minute"
	# Each minute's first is a moment later than the last one's.
	for n in 1 2 3; do
		run_later $((n * 70)) 4
		assert_eq $((5 + 5 * n)) "$(arrived_rcpts)" "after $n minutes"
	done
	run_later 280 3
	run_later 3500 3
	assert_eq 20 "$(arrived_rcpts)" "within the hour"
	run_later 3680 4
	assert_eq 25 "$(arrived_rcpts)" "the next one"
	run_later 3750 4
	run_later 3820 4
	assert_eq 33 "$(arrived_rcpts)" "all"
	assert_eq 33 "$(sed -n 's/^RCPT //p' got/* | sort -u | wc -l)"
	assert_clean
	# What was said is no error: it waits.
	assert_eq "" "$(cat said)"
}

@test "limit: a runner that is killed does not give more" {
	local n pid
	configure "$SINK_PORT" 'limit 5/minute' 'session-messages 1' queue-only
	for n in {1..20}; do
		enqueue "$n" b@x.org
	done
	for n in {1..10}; do
		sendq --run &
		pid=$!
		sleep 0.0$((RANDOM % 5))
		kill -9 $pid 2>/dev/null || true
		wait $pid || true
	done 2>/dev/null
	run_later 0 2
	[ "$(arrived_rcpts)" -le 5 ]
	for n in {1..8}; do
		run_later $((n * 3600)) 1
	done
	# One each time was perhaps under way; nothing is lost.
	assert_eq "$(seq 20)" "$(arrived | sort -nu)"
	assert_clean
}

@test "runners that start while one works leave it to that one" {
	local n first began
	through_proxy 100
	configure "$PORT" queue-only 'disable CHUNKING PIPELINING'
	for n in {1..6}; do
		enqueue "$n" b@x.org
	done
	sendq --run &
	first=$!
	await got/00000001
	began=$SECONDS
	sendq --run
	sendq --run
	kill -0 $first
	[ $((SECONDS - began)) -le 2 ]
	# What comes now is not forgotten, though nobody else will look.
	enqueue 7 b@x.org
	sendq --run
	kill -0 $first
	wait $first
	await_quiet
	assert_eq "$(seq 7)" "$(arrived)"
	assert_clean
}
