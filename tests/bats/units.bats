#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The systemd units: that they are right, locked up, and let fetchd and its
# filters work.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" install \
		PREFIX="$BATS_FILE_TMPDIR/usr"
	# As installed under names that a user gives them.
	for m in system user; do
		for k in fetchd fetchd-watch; do
			cp "$BATS_FILE_TMPDIR/usr/lib/systemd/$m/$k@.service" \
				"$BATS_FILE_TMPDIR/usr/lib/systemd/$m/$k@work.service"
		done
		cp "$BATS_FILE_TMPDIR/usr/lib/systemd/$m/fetchd@.timer" \
			"$BATS_FILE_TMPDIR/usr/lib/systemd/$m/fetchd@work.timer"
	done
}

setup() {
	setup_env
	UNITS=$BATS_FILE_TMPDIR/usr/lib/systemd
}

@test "systemd finds nothing wrong with the units" {
	local unit
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
	for unit in fetchd@work.service fetchd@work.timer \
		fetchd-watch@work.service; do
		run systemd-analyze verify --man=no "$UNITS/system/$unit"
		assert_status 0
		assert_eq "" "$output" "$unit"
		run systemd-analyze verify --man=no --user "$UNITS/user/$unit"
		assert_status 0
		assert_eq "" "$output" "user $unit"
	done
	# It can find something wrong.
	sed 's/^KillMode=.*/KillMode=maybe/' "$UNITS/system/fetchd@work.service" \
		>"$BATS_TEST_TMPDIR/wrong@work.service"
	run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/wrong@work.service"
	assert_contains "$output" "maybe"
}

@test "the system's services are exposed by less than 2.0" {
	local unit
	for unit in fetchd@work.service fetchd-watch@work.service; do
		# --threshold is in tenths; above it, the exit status is 1.
		run systemd-analyze security --offline=true --threshold=19 \
			"$UNITS/system/$unit"
		assert_status 0
		[[ $output =~ level\ for\ .*:\ [01]\.[0-9] ]]
	done
}

# NAME DEPTH: a set's calls, or the call's own name.
expand() {
	local name
	if [[ $1 != @* ]]; then
		echo "$1"
		return
	fi
	[ "$2" -lt 5 ] || return 1
	systemd-analyze syscall-filter "$1" 2>/dev/null |
		sed -n 's/^ *\([@a-z0-9_-]*\)$/\1/p' | grep -vxF -- "$1" |
		while read -r name; do
			expand "$name" $(($2 + 1))
		done
}

@test "the services allow every system call of fetchd and procmail" {
	local got unit set filter
	start_dovecot
	feed u INBOX 3 1000
	printf 'MAILDIR=%s\nDEFAULT=sorted/\n' "$HOME" >"$HOME/.procmailrc"
	printf 'pw' >"$HOME/pw"
	chmod 600 "$HOME/pw"
	for url in "pop3s://u@localhost:$POP3S_PORT" \
		"imaps://u@localhost:$IMAPS_PORT"; do
		# The detector of leaks does not go with a tracer.
		ASAN_OPTIONS=detect_leaks=0 run strace -f -qq -o "$HOME/trace" \
			"$FETCHD" -o "password-command=cat $HOME/pw" \
			-o "tls-ca=$CA" -o 'filter=cat' \
			-o "deliver=pipe procmail -t -m $HOME/.procmailrc" \
			"$url"
		assert_status 0
		sed -n 's/^[0-9]* *\(<\.\.\. \)\{0,1\}\([a-z0-9_]*\)[( ].*/\2/p' \
			"$HOME/trace" >>"$HOME/calls"
	done
	assert_eq 6 "$(find "$HOME/sorted/new" -type f | wc -l)" messages
	got=$(sort -u "$HOME/calls")
	for call in landlock_restrict_self sendmsg clone fsync execve; do
		grep -q "^$call" <<<"$got" || fail "no $call was seen"
	done
	# All units have the same filter.
	filter=$(sed -n 's/^SystemCallFilter=//p' "$UNITS/user/fetchd@.service")
	for unit in "$UNITS"/{system,user}/fetchd{,-watch}@.service; do
		assert_eq "$filter" \
			"$(sed -n 's/^SystemCallFilter=//p' "$unit")" "$unit"
	done
	for set in $filter; do
		expand "$set" 0
	done | sort -u >"$HOME/allowed"
	[ "$(wc -l <"$HOME/allowed")" -gt 200 ]
	assert_eq "" "$(comm -23 <(echo "$got") "$HOME/allowed")" forbidden
}

@test "a credential is the password, as LoadCredential= passes it" {
	start_dovecot
	feed u INBOX 2 500
	mkdir "$BATS_TEST_TMPDIR/credentials"
	echo pw >"$BATS_TEST_TMPDIR/credentials/password"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
	STATE_DIRECTORY=$BATS_TEST_TMPDIR/var run "$FETCHD" \
		-o credential=password -o "tls-ca=$CA" \
		"imaps://u@localhost:$IMAPS_PORT" "$HOME/in"
	assert_status 0
	assert_eq 2 "$(maildir_count "$HOME/in")" messages
	[ -n "$(ls "$BATS_TEST_TMPDIR"/var/*.db)" ]
}
