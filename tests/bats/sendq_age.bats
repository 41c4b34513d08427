#!/usr/bin/env bats
# What becomes of mail that is late, or too old, or whose account waits: nothing
# fails that was not tried, and nothing is told that is over a moment later.

bats_require_minimum_version 1.5.0
load helper
load peer

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	SPOOL=$XDG_STATE_HOME/mailroom/sendq
	PIDS=()
	mkdir -p sink "$XDG_CONFIG_HOME/mailroom"
	away
}

teardown() {
	local pid
	peer_stop
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# PORT [LINE]...: the configuration.
config() {
	local port=$1
	shift
	cat >"$XDG_CONFIG_HOME/mailroom/config" <<-END
		account q
		    address ada@example.org
		    smtp submission+plain://127.0.0.1:$port
		    auth none
		send q
		    queue-only
		    failed-to $PWD/in
	END
	[ $# -eq 0 ] || printf '    %s\n' "$@" >>"$XDG_CONFIG_HOME/mailroom/config"
}

# There is no server.
away() {
	config 1
}

# [LINE]...: there is one, which takes all, or refuses by the name.
here() {
	if [ ! -e sink.port ]; then
		"$BUILD/tests/peer/sink" -p sink.port sink 3>&- >/dev/null &
		PIDS+=($!)
		await test -s sink.port
	fi
	config "$(<sink.port)" "$@"
}

post() {
	printf 'Subject: x\n\nbody\n' | "$SENDQ" "$@" 3>&-
}

# SECONDS STATUS: a run, so much later.
run_later() {
	LD_PRELOAD=$BUILD/tests/fault/later.so LATER=$1 \
		ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0 \
		expect "$2" "$SENDQ" --run
}

in_queue() {
	find "$SPOOL/queue" -name '*.env' | wc -l
}

arrived() {
	find sink -type f | wc -l
}

reports() {
	[ ! -e in ] || maildir_count in
}

@test "off for a night, or for a week: it goes out, and nothing is told" {
	post a@example.net
	here
	run_later 40000 0
	assert_eq 1 "$(arrived)"
	assert_eq 0 "$(reports)"
	post b@example.net
	run_later 600000 0
	assert_eq 2 "$(arrived)"
	assert_eq 0 "$(reports)"
	assert_eq 0 "$(in_queue)"
}

@test "a server that is away: late is told once, and nothing fails for it" {
	post a@example.net
	run_later 20000 75
	assert_eq 1 "$(reports)"
	grep -q '^Action: delayed' in/new/*
	run_later 600000 75
	run_later 700000 75
	assert_eq 1 "$(reports)"
	assert_eq 1 "$(in_queue)"
	here
	run_later 800000 0
	assert_eq 1 "$(arrived)"
	assert_eq 1 "$(reports)"
}

@test "too old, tried and refused once more: it fails with that" {
	here
	post later-a@example.net good@example.net
	run_later 600000 69
	assert_eq 1 "$(arrived)"
	assert_eq 0 "$(in_queue)"
	assert_eq 1 "$(reports)"
	grep -q '^Action: failed' in/new/*
	assert_contains "$stderr" "expired after"
}

@test "what is over the limit waits: it does not fail, whatever its age" {
	here 'limit 1/day'
	post a@example.net
	post b@example.net
	run_later 600000 0
	assert_eq 1 "$(arrived)"
	assert_eq 1 "$(in_queue)"
	# No account pauses for that: a higher limit counts at once.
	run_later 600001 0
	assert_eq 1 "$(arrived)"
	here 'limit 2/day'
	run_later 600002 0
	assert_eq 2 "$(arrived)"
	assert_eq 0 "$(in_queue)"
}

@test "a session that is over before it brings anything: not at once again" {
	peer_script cap <<-'END'
		S: 220 x
		C: EHLO *
		S: 250 x
		C: MAIL *
		S: 421 4.7.0 too many messages per connection
		C: QUIT
		connect
		S: 220 x
		C: EHLO *
		S: 250 x
		C: MAIL *
		S: 421 4.7.0 too many messages per connection
		C: QUIT
	END
	peer_start cap
	config "$PEER_PORT"
	post a@example.net
	expect 75 "$SENDQ" --run
	peer_wait
	# "TIME pause UNTIL ..."
	read -r now _ until _ <"$SPOOL/accounts/q"
	[ $((until - now)) -ge 45 ] || fail "$stderr"
	assert_eq 1 "$(in_queue)"
}

@test "a report begun for a place that is no more: it ends" {
	post a@example.net
	env=$(echo "$SPOOL"/queue/*.env)
	echo "$(date +%s) deferred 1 2000000000 450 no ." >>"$env"
	echo "$(date +%s) reporting lost ." >>"$env"
	here 'warn 0'
	sed -i /failed-to/d "$XDG_CONFIG_HOME/mailroom/config"
	expect 0 timeout 20 "$SENDQ" --run
	assert_eq 1 "$(in_queue)"
}

@test "the Maildir for copies is away: mail goes out, its copy comes later" {
	: >blocked
	here "sent $PWD/blocked"
	post a@example.net
	run --separate-stderr timeout 20 "$SENDQ" --run
	[[ $status =~ ^(73|74)$ ]] || fail "exit $status: $stderr"
	assert_contains "$stderr" "sent: "
	assert_eq 1 "$(arrived)"
	assert_eq 1 "$(in_queue)"
	rm blocked
	expect 0 "$SENDQ" --run
	assert_eq 1 "$(arrived)"
	assert_eq 1 "$(maildir_count blocked)"
	assert_eq 0 "$(in_queue)"
}

@test "sent, and that cannot be recorded: it counts for the limit" {
	here 'limit 1/day'
	post a@example.net
	cp -r "$SPOOL" fresh
	for ((i = 1; i < 60; i++)); do
		rm -rf "$SPOOL" sink/*
		cp -r fresh "$SPOOL"
		run "$BUILD/tests/fault/fault" -e "ENOSPC@$i+" -- "$SENDQ" --run
		! grep -q 'cannot record "sent"' <<<"$output" || break
	done
	assert_contains "$output" 'cannot record "sent"'
	assert_eq 1 "$(arrived)"
	refute grep -q ' back ' "$SPOOL/accounts/q"
}

@test "a disk that is full: nothing is sent that could not be recorded" {
	local n to=() host=a.host.with.a.name.that.is.rather.long.example.net
	cat >once <<-'END'
		spool=$XDG_STATE_HOME/mailroom
		mkdir -p "$spool"
		mount -t tmpfs -o size=256k none "$spool"
		printf 'Subject: x\n\nbody\n' | "$@"
		wc -c <"$(echo "$spool"/sendq/queue/*.env)" >>sizes
		cat /dev/zero >"$spool/filler" 2>/dev/null || :
		"$1" --run 2>>said || :
		rm "$spool/filler"
		export ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0
		LD_PRELOAD=$BUILD/tests/fault/later.so LATER=7200 "$1" --run
		ls "$spool/sendq/queue" >>left
	END
	here
	for ((n = 0; n < 65; n++)); do to+=("$n@$host"); done
	# Whether a line of history needs another page depends on what is there.
	for n in {1..14}; do
		expect 0 unshare -rm bash -e once "$SENDQ" "${to[@]}" \
			"$(printf '%0*d' $((n * 9 % 63 + 1)) 0)@$host"
		assert_eq "$n" "$(arrived)" "so many"
		[ "$n" -ne 7 ] || to+=("x@$host")
	done
	assert_eq "" "$(<left)"
	# It was near the end of the page, on both sides.
	[ "$(sort -n sizes | head -n 1)" -lt 4000 ]
	[ "$(sort -n sizes | tail -n 1)" -gt 4090 ]
	grep -q 'cannot record "sending".*cannot reserve room: No space' said
}

@test "killed while sending, for the third time: it rests longer than at first" {
	post a@example.net
	env=$(echo "$SPOOL"/queue/*.env)
	for _ in 1 2; do
		echo "$(date +%s) uncertain 1 1000 who knows ." >>"$env"
	done
	echo "$(date +%s) sending 1 ." >>"$env"
	expect 75 "$SENDQ" --run
	read -r now what _ until _ < <(tail -n 1 "$env")
	assert_eq uncertain "$what"
	[ $((until - now)) -ge 7200 ] || fail "$((until - now)) s"
}

# N: a server that breaks off at MAIL, so often.
breaks_off() {
	for ((i = 0; i < $1; i++)); do
		[ "$i" = 0 ] || echo connect
		printf '%s\n' 'S: 220 x' 'C: EHLO *' 'S: 250 x' 'C: MAIL *' close
	done | peer_script breaks
	peer_start breaks
	config "$PEER_PORT" 'warn 0'
}

@test "too old, and sessions break off at it: once is chance, twice is enough" {
	post a@example.net
	post b@example.net
	breaks_off 1
	run_later 600000 75
	assert_eq 2 "$(in_queue)"
	breaks_off 2
	run_later 700000 69
	assert_contains "$stderr" "expired after"
	assert_eq 1 "$(in_queue)"
}
