#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# syncd held against a model of what must become of mail, with random changes on
# both sides, also while it runs, and kills: tests/syncd/model.c. A few seeds in
# `make check`; with SOAK=1, in `make soak`, all.

load helper

setup() {
	setup_env
	mkdir "$BATS_TEST_TMPDIR/w"
	cd "$BATS_TEST_TMPDIR/w" || return
}

# FEW MANY: that many seeds, at the server started last. What differed is kept
# for a look at it.
model() {
	local n=$1 kept=$BUILD/check/model.$BATS_TEST_NUMBER
	[ -z "${SOAK-}" ] || n=$2
	rm -rf "$kept"
	"$BUILD/tests/syncd/model" "$BUILD/syncd" "127.0.0.1:$IMAP_PORT" u1 1 \
		"$n" ../report || {
		mkdir -p "${kept%/*}"
		cp -r . "$kept"
		fail "what is kept was copied to $kept"
	}
	echo "# $BATS_TEST_DESCRIPTION: $(<../report)" >&3
}

# EXTENSION...: Dovecot without these.
model_without() {
	WITHOUT=$* start_dovecot
	model 1 20
}

@test "model: dovecot" {
	start_dovecot
	model 4 200
}

@test "model: dovecot without QRESYNC" {
	model_without QRESYNC
}

@test "model: dovecot without CONDSTORE" {
	model_without QRESYNC CONDSTORE
}

@test "model: dovecot without UIDPLUS" {
	model_without UIDPLUS
}

@test "model: dovecot without MOVE" {
	model_without MOVE
}

@test "model: dovecot without LITERAL+ and MULTIAPPEND" {
	model_without LITERAL+ MULTIAPPEND
}

@test "model: dovecot without LIST-STATUS" {
	model_without LIST-STATUS
}

@test "model: dovecot without any extension" {
	model_without all
}

@test "model: cyrus" {
	start_cyrus
	model 2 50
}

@test "model: courier" {
	start_courier
	model 1 50
}
