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
	assert_contains "$output" "All as it should be."
	assert_eq "" "$(find "$TMPDIR" -mindepth 1)" "left behind"
}

# What the demo says is checked by it: a fetchd that does nothing, or loses one
# message, is found out.
@test "the demo fails when fetchd does" {
	local b=$BATS_TEST_TMPDIR/build
	mkdir -p "$b/tests" "$b/servers"
	ln -s "$BUILD/tests/servers" "$b/tests/servers"
	ln -s "$CERTS" "$b/servers/certs"
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

@test "make install installs, and make uninstall takes it back" {
	local d=$BATS_TEST_TMPDIR/root b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" install DESTDIR="$d" PREFIX=/usr
	run "$d/usr/bin/fetchd" -V
	assert_status 0
	for f in man/man1/fetchd.1 man/man5/mailroom.conf.5 \
		man/man7/mailroom.7 doc/mailroom/README.md \
		doc/mailroom/LICENSE; do
		assert_eq 644 "$(stat -c %a "$d/usr/share/$f")" "$f"
	done
	for f in system/fetchd@.service system/fetchd@.timer \
		system/fetchd-watch@.service user/fetchd@.service \
		user/fetchd@.timer user/fetchd-watch@.service; do
		assert_eq 644 "$(stat -c %a "$d/usr/lib/systemd/$f")" "$f"
	done
	assert_contains "$(cat "$d/usr/lib/systemd/user/fetchd@.service")" \
		"ExecStart=/usr/bin/fetchd %i"
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" uninstall DESTDIR="$d" \
		PREFIX=/usr
	assert_eq "" "$(find "$d" -type f)" "left behind"
}
