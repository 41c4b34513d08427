#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The systemd units: that they are right, locked up, and let the tools, filters
# and password commands work.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" install \
		PREFIX="$BATS_FILE_TMPDIR/usr"
	# As installed under names that a user gives them.
	for m in system user; do
		for k in {fetchd,syncd}{,-watch}; do
			cp "$BATS_FILE_TMPDIR/usr/lib/systemd/$m/$k@.service" \
				"$BATS_FILE_TMPDIR/usr/lib/systemd/$m/$k@work.service"
		done
		for k in fetchd syncd; do
			cp "$BATS_FILE_TMPDIR/usr/lib/systemd/$m/$k@.timer" \
				"$BATS_FILE_TMPDIR/usr/lib/systemd/$m/$k@work.timer"
		done
	done
}

setup() {
	setup_env
	UNITS=$BATS_FILE_TMPDIR/usr/lib/systemd
}

@test "systemd finds nothing wrong with the units" {
	local unit
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
	for unit in {fetchd,syncd}{@work.service,@work.timer,-watch@work.service} \
		sendq.service sendq.timer \
		sendq.path sendq-watch.service; do
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

@test "the services are exposed by less than 2.0" {
	local unit as
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
	for unit in {system,user}/{{fetchd,syncd}{,-watch}@work,sendq{,-watch}}.service; do
		as=--${unit%%/*}
		# --threshold is in tenths; above it, the exit status is 1.
		run systemd-analyze security "$as" --offline=true \
			--threshold=19 "$UNITS/$unit"
		assert_status 0
		[[ $output =~ level\ for\ .*:\ [01]\.[0-9] ]]
	done
	# It can be too much.
	grep -v '^Protect' "$UNITS/user/fetchd@work.service" \
		>"$BATS_TEST_TMPDIR/open@work.service"
	run systemd-analyze security --offline=true --threshold=19 \
		"$BATS_TEST_TMPDIR/open@work.service"
	assert_status 1
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

# CALL...: those, seen by a tracer and in a file each line, are allowed by all
# units; these are among them.
assert_allowed() {
	local got unit set filter
	got=$(sort -u "$HOME/calls")
	for call in "$@"; do
		grep -q "^$call" <<<"$got" || fail "no $call was seen" || return
	done
	# All units have the same filter.
	filter=$(sed -n 's/^SystemCallFilter=//p' "$UNITS/user/fetchd@.service")
	for unit in "$UNITS"/{system,user}/{{fetchd,syncd}{,-watch}@,sendq{,-watch}}.service; do
		assert_eq "$filter" \
			"$(sed -n 's/^SystemCallFilter=//p' "$unit")" "$unit" ||
			return
	done
	for set in $filter; do
		expand "$set" 0
	done | sort -u >"$HOME/allowed"
	[ "$(wc -l <"$HOME/allowed")" -gt 200 ] || return
	assert_eq "" "$(comm -23 <(echo "$got") "$HOME/allowed")" forbidden
}

# COMMAND...: under a tracer, with which the detector of leaks does not go.
traced() {
	ASAN_OPTIONS=detect_leaks=0 run strace -f -qq -o "$HOME/trace" "$@"
	sed -n 's/^[0-9]* *\(<\.\.\. \)\{0,1\}\([a-z0-9_]*\)[( ].*/\2/p' \
		"$HOME/trace" >>"$HOME/calls"
}

@test "the services allow every system call of fetchd and procmail" {
	start_dovecot
	feed u INBOX 3 1000
	printf 'MAILDIR=%s\nDEFAULT=sorted/\n' "$HOME" >"$HOME/.procmailrc"
	printf 'pw' >"$HOME/pw"
	chmod 600 "$HOME/pw"
	for url in "pop3s://u@localhost:$POP3S_PORT" \
		"imaps://u@localhost:$IMAPS_PORT"; do
		traced "$FETCHD" -o "password-command=cat $HOME/pw" \
			-o "tls-ca=$CA" -o 'filter=cat' \
			-o "deliver=pipe procmail -t -m $HOME/.procmailrc" \
			"$url"
		assert_status 0
	done
	assert_eq 6 "$(find "$HOME/sorted/new" -type f | wc -l)" messages
	assert_allowed landlock_restrict_self sendmsg clone fsync execve
}

@test "the services allow every system call of sendq" {
	local url sendq=$BUILD/sendq
	start_postfix
	(umask 077 && echo pw >"$HOME/pw")
	mkdir -p "$XDG_CONFIG_HOME/mailroom"
	cat >"$XDG_CONFIG_HOME/mailroom/config" <<-END
		send work
		    address ada@example.org
		    smtp submissions://localhost:$SUBMISSIONS_PORT
		    password-command cat $HOME/pw
		    tls-ca $CA
		    sent ~/sent
		    failed-to ~/failed
		    limit 1000/day
	END
	for rcpt in bob nobody-x later-x; do
		traced "$sendq" -odq "$rcpt@example.net" <<<$'Subject: x\n\nna\303ve'
		assert_status 0
	done
	traced "$sendq" --run
	assert_status 69
	traced "$sendq" -odq bob@example.net <<<$'Subject: x\n\nbody'
	traced timeout 2 "$sendq" --watch
	assert_status 124
	await_mail 2
	assert_eq 2 "$(maildir_count "$HOME/sent")" copies
	assert_eq 1 "$(maildir_count "$HOME/failed")" reports
	assert_allowed landlock_restrict_self sendmsg clone fsync execve \
		inotify_add_watch flock
}

@test "the services allow every system call of syncd" {
	local syncd=$BUILD/syncd there
	start_dovecot
	feed u INBOX 3 1000
	feed u Lists/x 2 1000
	printf 'pw' >"$HOME/pw"
	chmod 600 "$HOME/pw"
	set -- -o "password-command=cat $HOME/pw" -o "tls-ca=$CA" \
		"imaps://u@localhost:$IMAPS_PORT" "$HOME/md"
	traced "$syncd" "$@"
	assert_status 0
	# New, seen, moved, gone, and a folder, all found while it watches.
	set -- -o "poll=1s" "$@"
	traced timeout 4 sh -c '
		(	sleep 1.5
			mkdir -p "$HOME/md/mine/tmp" "$HOME/md/mine/cur" "$HOME/md/mine/new"
			echo "Subject: x" >"$HOME/md/mine/new/1.x.h"
			for f in "$HOME"/md/INBOX/new/*; do
				mv "$f" "$HOME/md/INBOX/cur/${f##*/}:2,S"
			done
			set -- "$HOME"/md/INBOX/cur/*
			mv "$1" "$HOME/md/Lists/x/cur"
			rm "$2") &
		exec "$@"' sh "$syncd" -w "$@"
	assert_status 124
	there=$MAILROOT/u
	assert_eq 1 "$(maildir_count "$there")"
	assert_eq 3 "$(maildir_count "$there/.Lists.x")"
	assert_eq 1 "$(maildir_count "$there/.mine")"
	assert_allowed landlock_restrict_self sendmsg clone fsync execve \
		inotify_add_watch
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

# --- a manager of our own -----------------------------------------------------

# COMMAND...: where the manager is, as its user; a minute at most, as a manager
# that is stuck answers nothing.
inside() {
	timeout -k 5 60 nsenter -t "$MANAGER" -m setpriv --reuid nobody --regid nogroup \
		--clear-groups env -i HOME=/srv PATH="$PATH" \
		XDG_RUNTIME_DIR="/run/user/$(id -u nobody)" "$@" 3>&-
}

# What it may find: none of the machine's own units, and no /tmp but its own.
# This becomes the manager.
# shellcheck disable=SC2016 # expanded by the shell that runs it
ENTER='
	set -e
	mount --bind "$HOME" /srv
	mount --bind "$BATS_TEST_TMPDIR/open" /media
	for d in /tmp /var/tmp /run; do mount -t tmpfs -o mode=1777 none "$d"; done
	mkdir -p /run/systemd/system /run/systemd/unit-root /run/user/$(id -u nobody)
	chown nobody:nogroup /run/user/$(id -u nobody)
	chmod 700 /run/user/$(id -u nobody)
	for g in $GROUPS_MADE; do echo $$ >"$g/cgroup.procs"; done
	cd /srv
	exec setpriv --reuid nobody --regid nogroup --clear-groups \
		env -i HOME=/srv PATH="$PATH" XDG_RUNTIME_DIR=/run/user/$(id -u nobody) \
		SYSTEMD_UNIT_PATH=/srv/units SYSTEMD_LOG_TARGET=null \
		/lib/systemd/systemd --user'

# Starts systemd for the user nobody, whose home is $HOME, in groups and with
# mounts of its own; skips where that cannot be.
start_manager() {
	local g target until
	[ "$(id -u)" -eq 0 ] || skip "only root can give a manager what it needs"
	[ -x /lib/systemd/systemd ] || skip "no systemd"
	unshare -m true 2>/dev/null || skip "no mount namespaces"
	GROUPS_MADE=
	for g in /sys/fs/cgroup{,/unified,/systemd}; do
		[ -e "$g/cgroup.procs" ] || continue
		mkdir "$g/mailroom-test.$$" 2>/dev/null || skip "no control groups"
		GROUPS_MADE+=" $g/mailroom-test.$$"
	done
	[ -n "$GROUPS_MADE" ] || skip "no control groups"
	# shellcheck disable=SC2086 # paths without spaces
	chown -R nobody:nogroup $GROUPS_MADE
	for target in basic default shutdown exit; do
		printf '[Unit]\nDefaultDependencies=no\n' \
			>"$HOME/units/$target.target"
	done
	chown -R nobody:nogroup "$HOME"
	export GROUPS_MADE
	unshare -m sh -c "$ENTER" >"$BATS_TEST_TMPDIR/manager" 2>&1 3>&- &
	MANAGER=$!
	until=$((SECONDS + 20))
	while [ $SECONDS -lt $until ] && kill -0 "$MANAGER" 2>/dev/null; do
		! inside systemctl --user is-system-running >/dev/null 2>&1 ||
			return 0
		sleep 0.05
	done
	# Nothing of ours has run yet.
	skip "systemd --user does not come up here: $(
		tail -n 1 "$BATS_TEST_TMPDIR/manager")"
}

# Ends the manager and whatever it started: all that is in its groups.
end_manager() {
	local g pids
	for _ in {1..100}; do
		pids=
		for g in $GROUPS_MADE; do
			[ ! -d "$g" ] || pids+=" $(find "$g" -name cgroup.procs \
				-exec cat {} + | tr '\n' ' ')"
		done
		[ -n "${pids// /}" ] || break
		# shellcheck disable=SC2086 # numbers
		kill -KILL $pids 2>/dev/null || true
		sleep 0.05
	done
	for g in $GROUPS_MADE; do
		[ ! -d "$g" ] || find "$g" -depth -type d -exec rmdir {} +
	done
}

teardown() {
	[ -z "${GROUPS_MADE-}" ] || end_manager
	stop_servers
}

# SERVICE...: as installed, but with the programs in ~/bin.
put_services() {
	local unit
	for unit; do
		# The detector of leaks does not go with the filter of calls.
		sed -e "s|^ExecStart=$BATS_FILE_TMPDIR/usr|ExecStart=/srv|" \
			-e '/^\[Service\]/a\
StandardOutput=append:/srv/said\
StandardError=append:/srv/said\
Environment=ASAN_OPTIONS=detect_leaks=0' "$UNITS/user/$unit" >"$HOME/units/$unit"
		grep -q '^ExecStart=/srv/bin/' "$HOME/units/$unit" || return
	done
}

# UNIT LINE...: these are added to the service.
edit() {
	local dir=$HOME/units/$1.d
	shift
	mkdir -p "$dir"
	printf '%s\n' '[Service]' "$@" >"$dir/edit.conf"
	inside systemctl --user daemon-reload
}

# UNIT: runs it; that it went well.
run_unit() {
	: >"$HOME/said"
	chmod 666 "$HOME/said"
	inside systemctl --user reset-failed "$1" 2>/dev/null || true
	run inside systemctl --user start "$1"
	[ "$status" -eq 0 ] ||
		fail "$1: $(inside systemctl --user show -p ExecMainStatus "$1") $(
			cat "$HOME/said")"
}

@test "a user's manager runs them, and commands in them" {
	local u=$BATS_FILE_TMPDIR/usr
	start_dovecot
	feed u INBOX 2 500
	mkdir "$HOME/units" "$HOME/bin" "$HOME/.config" "$HOME/.config/mailroom"
	mkdir -m 1777 "$BATS_TEST_TMPDIR/open"
	cp "$u"/bin/{fetchd,syncd} "$HOME/bin"
	cp "$CA" "$HOME/ca.pem"
	echo pw >"$HOME/pw"
	chmod 600 "$HOME/pw"
	put_services {fetchd,syncd}{,-watch}@.service
	cat >"$HOME/.config/mailroom/config" <<-END
		account work
		    user             u
		    password-command sh -c 'cat ~/pw'
		    tls-ca           ~/ca.pem
		    imap             imaps://localhost:$IMAPS_PORT
		fetch work
		    from             imap
		    filter           sed s/^Subject/X-Subject/
		    deliver          pipe ~/bin/look
		    deliver          maildir ~/in
		sync work
		    maildir          ~/mail
		account kept
		    user             u
		    credential       password
		    tls-ca           ~/ca.pem
		    pop3             pop3s://localhost:$POP3S_PORT
		fetch kept
		    from             pop3
		    deliver          maildir ~/kept
	END
	cat >"$HOME/bin/look" <<-'END'
		#!/bin/sh
		cat >/dev/null
		exec >"$HOME/seen" 2>&1
		grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/self/status
		cat /proc/self/uid_map
		touch "$HOME/x" "$XDG_RUNTIME_DIR/x" /tmp/x && echo at home
		touch /media/x && echo outside
		nice -n 5 true
		[ -e /tmp/agent ] && echo agent
		[ -e /dev/kmsg ] || echo no devices
	END
	chmod 755 "$HOME/bin/look"
	start_manager
	inside touch /tmp/agent

	run_unit fetchd@work.service
	assert_eq 2 "$(maildir_count "$HOME/in")" messages
	grep -q '^X-Subject' "$HOME"/in/new/*
	run cat "$HOME/seen"
	echo "$output"
	[[ $output =~ NoNewPrivs:.1 && $output =~ Seccomp:.2 ]]
	[[ $output =~ CapBnd:.0000000000000000 ]]
	[[ $output =~ 65534\ +65534\ +1 ]]
	assert_contains "$output" "at home"
	assert_contains "$output" "Read-only file system"
	assert_contains "$output" "nice: cannot set niceness"
	assert_contains "$output" "no devices"
	[[ $output != *outside* && $output != *agent* ]]

	# What the unit's comment offers.
	rm -r "$HOME/in" "$HOME/.local"
	edit fetchd@work.service ReadWritePaths=/media \
		SystemCallFilter=@resources PrivateTmp=no PrivateDevices=no
	run_unit fetchd@work.service
	run cat "$HOME/seen"
	assert_contains "$output" outside
	assert_contains "$output" agent
	[[ $output != *niceness* && $output != *"no devices"* ]]

	# And for machines without namespaces for users.
	rm -r "$HOME/in" "$HOME/.local"
	mapfile -t lines < <(sed -n '/217\/USER/,/^$/{
		s/^#	\([A-Z].*=.*\)/\1/p
		}' "$UNITS/user/fetchd@.service")
	[ ${#lines[@]} -eq 6 ]
	edit fetchd@work.service "${lines[@]}"
	run_unit fetchd@work.service
	assert_eq 2 "$(maildir_count "$HOME/in")" messages
	[[ $(<"$HOME/seen") =~ 0\ +0\ +4294967295 ]]

	edit fetchd@kept.service LoadCredential=password:%h/pw
	run_unit fetchd@kept.service
	assert_eq 2 "$(maildir_count "$HOME/kept")" messages

	rm -r "$HOME/in" "$HOME/.local"
	run_unit fetchd-watch@work.service
	for _ in {1..100}; do
		[ "$(maildir_count "$HOME/in")" -ne 2 ] || break
		sleep 0.1
	done
	assert_eq 2 "$(maildir_count "$HOME/in")" messages
	run inside systemctl --user show -p ActiveState fetchd-watch@work.service
	assert_eq ActiveState=active "$output"
	inside systemctl --user stop fetchd-watch@work.service
	run inside systemctl --user show -p Result fetchd-watch@work.service
	assert_eq Result=success "$output"

	run_unit syncd@work.service
	assert_eq 2 "$(maildir_count "$HOME/mail/INBOX")" messages
	run_unit syncd-watch@work.service
	# shellcheck disable=SC2016 # expanded by the shell that runs it
	inside sh -c 'cd /srv/mail/INBOX && f=$(find cur new -type f | head -n 1)
		b=${f#*/} && mv "$f" "cur/${b%:*}:2,FS"'
	for _ in {1..100}; do
		! find "$MAILROOT/u/cur" -name '*:2,FS' | grep -q . || break
		sleep 0.1
	done
	assert_eq 1 "$(find "$MAILROOT/u/cur" -name '*:2,FS' | wc -l)" flagged
	inside systemctl --user stop syncd-watch@work.service
	run inside systemctl --user show -p Result syncd-watch@work.service
	assert_eq Result=success "$output"
	assert_eq "" "$(<"$HOME/said")"
}

# N [LEAST]: waits until bob has got that many messages, 10 s at most; then LEAST
# will do.
await_bob() {
	local i n mail=$MAILROOT/bob@example.net
	for ((i = 0; i < 100; i++)); do
		n=$(find "$mail/new" -type f 2>/dev/null | wc -l)
		[ "$n" -lt "$1" ] || break
		sleep 0.1
	done
	[ "$n" -ge "${2-$1}" ] && [ "$n" -le "$1" ] ||
		fail "messages for bob: want $1, got $n: $(cat "$HOME/said")"
}

hand_in() {
	inside /srv/bin/sendq bob@example.net <<<$'Subject: x\n\nbody' 2>&1
}

@test "a user's manager sends what is handed in, what is due, and stays" {
	LMTP=1 start_dovecot
	mkdir -p "$HOME/units" "$HOME/bin" "$HOME/.config/mailroom"
	mkdir -m 1777 "$BATS_TEST_TMPDIR/open"
	cp "$BATS_FILE_TMPDIR/usr/bin/sendq" "$HOME/bin"
	put_services sendq.service sendq-watch.service
	cp "$UNITS"/user/sendq.{path,timer} "$HOME/units"
	cat >"$HOME/.config/mailroom/config" <<-END
		send work
		    address     ada@example.org
		    smtp        lmtp://localhost:$LMTP_PORT
		    sent        ~/Mail/sent
		    queue-only
	END
	start_manager
	# There is no queue yet: it is made.
	run_unit sendq.path
	run hand_in
	assert_status 0
	await_bob 1
	# It does not start itself for ever.
	sleep 1
	run inside systemctl --user show -p ActiveState sendq.service sendq.path
	assert_contains "$output" ActiveState=inactive
	assert_contains "$output" ActiveState=active
	# A burst: what comes just as a run ends is left to the timer, as the unit
	# says, but no run fails for there being many.
	for _ in {1..8}; do
		hand_in
	done
	await_bob 9 5
	run inside systemctl --user show -P Result sendq.path sendq.service
	assert_eq $'success\n\nsuccess' "$output"
	inside systemctl --user stop sendq.path

	run hand_in
	assert_status 0
	sed -i 's/^On.*//; s/^\[Timer\]/&\nOnActiveSec=1s\nOnUnitInactiveSec=1s\nAccuracySec=100ms/' \
		"$HOME/units/sendq.timer"
	inside systemctl --user daemon-reload
	run_unit sendq.timer
	await_bob 10
	inside systemctl --user stop sendq.timer

	run_unit sendq-watch.service
	run hand_in
	assert_status 0
	await_bob 11
	run inside systemctl --user show -p ActiveState,NRestarts sendq-watch.service
	assert_contains "$output" ActiveState=active
	assert_contains "$output" NRestarts=0
	inside systemctl --user stop sendq-watch.service
	run inside systemctl --user show -p Result sendq-watch.service
	assert_eq Result=success "$output"
	assert_eq 11 "$(maildir_count "$HOME/Mail/sent")" copies
	assert_eq "" "$(<"$HOME/said")"
}
