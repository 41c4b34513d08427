#!/usr/bin/env bats
# The demo and the installation: what a newcomer meets first.

bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_env
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
	# Root's server runs as nobody.
	chmod o+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" \
		"$BATS_TEST_TMPDIR" "$TMPDIR"
}

@test "the demo shows what it says, and leaves nothing behind" {
	run "$ROOT/tests/demo/run" </dev/null
	assert_status 0
	assert_contains "$output" '$ fetchd inbox'
	assert_contains "$output" "= 40 messages, each there once, byte for byte"
	assert_contains "$output" '$ syncd -n laptop'
	assert_contains "$output" "= both have the same 45 messages, flags and bytes"
	assert_contains "$output" "is missing or empty, and had mail"
	assert_contains "$output" '$ sendq -i -t <~/letter'
	assert_contains "$output" "Subject: Re: Tea"
	assert_contains "$output" " sent ada@example.org bob@example.net 250 "
	assert_contains "$output" "All as it should be."
	assert_eq "" "$(find "$TMPDIR" -mindepth 1)" "left behind"
}

# DIR: what the demo needs, to be replaced in part.
other_build() {
	mkdir -p "$1/tests" "$1/servers" "$BUILD/pkg"
	ln -s "$BUILD/tests/servers" "$1/tests/servers"
	ln -s "$CERTS" "$1/servers/certs"
	ln -s "$BUILD/pkg" "$BUILD/fetchd" "$BUILD/sendq" "$BUILD/syncd" "$1"
}

# What the demo says is checked by it: a fetchd that does nothing, or loses one
# message, is found out.
@test "the demo fails when fetchd does" {
	local b=$BATS_TEST_TMPDIR/build
	other_build "$b"
	rm "$b/fetchd"
	printf '#!/bin/sh\nexit 0\n' >"$b/fetchd"
	chmod 755 "$b/fetchd"
	BUILD=$b run "$ROOT/tests/demo/run" </dev/null
	assert_status 1
	assert_contains "$output" "demo: FAILED"
	cat >"$b/fetchd" <<-END
		#!/bin/sh
		"$FETCHD" "\$@"
		rc=\$?
		rm -f "\$HOME"/Mail/in/new/*Q7R*
		exit \$rc
	END
	BUILD=$b run "$ROOT/tests/demo/run" </dev/null
	assert_status 1
	assert_contains "$output" "not the mail that was sent"
	assert_eq "" "$(find "$TMPDIR" -mindepth 1)" "left behind"
}

@test "the demo fails when sendq does" {
	local b=$BATS_TEST_TMPDIR/build
	other_build "$b"
	rm "$b/sendq"
	# It forgets what it has accepted.
	printf '#!/bin/sh\n[ "$1" = -i ] || exec "%s/sendq" "$@"\n' "$BUILD" \
		>"$b/sendq"
	chmod 755 "$b/sendq"
	BUILD=$b run "$ROOT/tests/demo/run" </dev/null
	assert_status 1
	assert_contains "$output" "demo: FAILED: bob has not got message 1"
	# It forgets what is not sent at once.
	cat >"$b/sendq" <<-END
		#!/bin/sh
		"$BUILD/sendq" "\$@"
		rc=\$?
		[ "\$1" != --run ] || rm -f ~/.local/state/mailroom/sendq/queue/*
		exit \$rc
	END
	BUILD=$b run "$ROOT/tests/demo/run" </dev/null
	assert_status 1
	assert_contains "$output" "demo: FAILED: bob has not got message 2"
	assert_eq "" "$(find "$TMPDIR" -mindepth 1)" "left behind"
}

@test "the demo fails when syncd does" {
	local b=$BATS_TEST_TMPDIR/build
	other_build "$b"
	rm "$b/syncd"
	# It does not carry flags.
	printf '#!/bin/sh\nexec "%s/syncd" -o "pull=new gone" "$@"\n' "$BUILD" \
		>"$b/syncd"
	chmod 755 "$b/syncd"
	BUILD=$b run "$ROOT/tests/demo/run" </dev/null
	assert_status 1
	assert_contains "$output" "demo: FAILED: the two are not the same"
	assert_eq "" "$(find "$TMPDIR" -mindepth 1)" "left behind"
}

@test "the demo can do without root" {
	local d=$BATS_TEST_TMPDIR/copy
	[ "$(id -u)" -eq 0 ] || skip "is shown by the others"
	mkdir -p "$d/tests" "$d/build/tests" "$d/build/servers"
	cp -rL "$ROOT/tests/demo" "$ROOT/tests/servers" "$d/tests"
	cp -rL "$BUILD/tests/servers" "$d/build/tests"
	cp -rL "$CERTS" "$d/build/servers"
	cp -L "$BUILD/fetchd" "$BUILD/sendq" "$BUILD/syncd" "$d/build"
	chown -R nobody "$d" "$TMPDIR"
	BUILD=$d/build run setpriv --reuid=nobody \
		--regid="$(id -g nobody)" --clear-groups \
		"$d/tests/demo/run" </dev/null
	assert_status 0
	assert_contains "$output" "LMTP for sending"
	assert_contains "$output" "All as it should be."
	assert_eq "" "$(find "$TMPDIR" -mindepth 1)" "left behind"
}

@test "make install installs, and make uninstall takes it back" {
	local d=$BATS_TEST_TMPDIR/root b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" install DESTDIR="$d" PREFIX=/usr
	run "$d/usr/bin/fetchd" -V
	assert_status 0
	run "$d/usr/bin/sendq" --version
	assert_status 0
	run "$d/usr/bin/syncd" --version
	assert_status 0
	for f in man/man1/fetchd.1 man/man5/mailroom.conf.5 \
		man/man1/sendq.1 man/man5/sendq.spool.5 \
		man/man1/syncd.1 man/man5/syncd.state.5 \
		man/man7/mailroom.7 doc/mailroom/README.md \
		doc/mailroom/LICENSE; do
		assert_eq 644 "$(stat -c %a "$d/usr/share/$f")" "$f"
	done
	for f in {system,user}/{fetchd,syncd}{@.service,@.timer,-watch@.service} \
		{system,user}/sendq.{service,timer,path} \
		{system,user}/sendq-watch.service; do
		assert_eq 644 "$(stat -c %a "$d/usr/lib/systemd/$f")" "$f"
	done
	assert_contains "$(cat "$d/usr/lib/systemd/user/fetchd@.service")" \
		"ExecStart=/usr/bin/fetchd %i"
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" uninstall DESTDIR="$d" \
		PREFIX=/usr
	assert_eq "" "$(find "$d" -type f)" "left behind"
}

@test "make install-sendmail replaces no other sendmail" {
	local d=$BATS_TEST_TMPDIR/root b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	mkdir -p "$d/usr/sbin" "$d/usr/bin"
	echo other >"$d/usr/sbin/sendmail"
	MAKEFLAGS='' run make -s -C "$ROOT" B="$b" install-sendmail \
		DESTDIR="$d" PREFIX=/usr
	[ "$status" -ne 0 ]
	assert_eq other "$(<"$d/usr/sbin/sendmail")"
	rm "$d/usr/sbin/sendmail"
	for i in 1 2; do
		MAKEFLAGS='' run make -s -C "$ROOT" B="$b" install \
			install-sendmail DESTDIR="$d" PREFIX=/usr
		[ "$status" -eq 0 ] || fail "time $i: $output"
	done
	for f in sbin/sendmail bin/mailq bin/newaliases; do
		assert_eq "$(realpath "$d/usr/bin/sendq")" \
			"$(realpath "$d/usr/$f")" "$f"
	done
	rm "$d/usr/bin/mailq"
	echo other >"$d/usr/bin/mailq"
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" uninstall DESTDIR="$d" \
		PREFIX=/usr
	assert_eq "$d/usr/bin/mailq" "$(find "$d" ! -type d)" "left behind"
}
