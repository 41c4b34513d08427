#!/usr/bin/env bats
# The checks of tests/lint that are ours: that they find what they are for.

bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p common/{base,proto,os,client} fetchd sendq
	export BASE='mem buf' PROTO='sasl imap' OS='file tls store' \
		CLIENT='link server' FETCHD='seen main' SENDQ='spool watch'
}

# FILE LINE...: writes it.
put() {
	local file=$1
	shift
	printf '%s\n' "$@" >"$file"
}

# CHECK FILE PART: finds fault with the file, and says so.
finds() {
	run "$ROOT/tests/lint/$1" "$2"
	assert_status 1
	assert_contains "$output" "$2:"
	assert_contains "$output" "$3"
}

passes() {
	run "$ROOT/tests/lint/$1" "$2"
	assert_status 0
	assert_eq "" "$output"
}

@test "layers: who may include whom" {
	put common/base/buf.c '#include <string.h>' '#include "base/mem.h"'
	passes layers common/base/buf.c
	put common/proto/imap.c '#include "base/buf.h"' '#include "proto/sasl.h"'
	passes layers common/proto/imap.c
	put common/os/tls.c '#include <openssl/ssl.h>' '#include "os/file.h"'
	passes layers common/os/tls.c
	put common/client/link.c '#include "os/file.h"' \
		'#include "proto/imap.h"' '#include "base/mem.h"'
	passes layers common/client/link.c
	put fetchd/main.c '#include "os/file.h"' '#include "proto/imap.h"' \
		'#include "client/link.h"' '#include "seen.h"' \
		'#include <unistd.h>'
	passes layers fetchd/main.c

	put common/base/mem.c '#include "base/buf.h"'
	finds layers common/base/mem.c "listed behind"
	put common/base/buf.c '#include "os/file.h"'
	finds layers common/base/buf.c "base must not include os"
	put common/base/buf.c '#include <sys/socket.h>'
	finds layers common/base/buf.c "not for pure code"
	put common/proto/imap.c '#include "os/file.h"'
	finds layers common/proto/imap.c "proto must not include os"
	put common/os/file.c '#include "proto/imap.h"'
	finds layers common/os/file.c "os must not include proto"
	put common/os/file.c '#include "client/link.h"'
	finds layers common/os/file.c "os must not include client"
	put common/proto/imap.c '#include "client/link.h"'
	finds layers common/proto/imap.c "proto must not include client"
	put common/client/link.c '#include "client/server.h"'
	finds layers common/client/link.c "listed behind"
	put common/client/link.c '#include "fetchd/seen.h"'
	finds layers common/client/link.c "client must not include fetchd"
	put common/os/file.c '#include <openssl/ssl.h>'
	finds layers common/os/file.c "belongs in os/tls"
	put common/os/file.c '#  include <sqlite3.h>'
	finds layers common/os/file.c "belongs in os/store"
	put common/os/file.c '#include <zlib.h>'
	finds layers common/os/file.c "belongs in os/deflate"
	put common/os/net.c '#include <idn2.h>'
	finds layers common/os/net.c "belongs in os/idn"
	put fetchd/main.c '#include "sendq/main.h"'
	finds layers fetchd/main.c "fetchd must not include sendq"
	put sendq/spool.c '#include "watch.h"'
	finds layers sendq/spool.c "listed behind"
	put fetchd/main.c '#include "../tests/unit/tap.h"'
	finds layers fetchd/main.c "nothing includes tests/"
	put fetchd/stray.c '#include "seen.h"'
	finds layers fetchd/stray.c "in no list"
}

@test "forbidden: calls, but not words" {
	put fetchd/main.c '/* strcpy(a, b) */' '/*' ' * system("x")' ' */' \
		'	puts("sprintf(");' '	x->time(1);' '	my_strcpy(a);' \
		'	time(NULL);'
	passes forbidden fetchd/main.c
	for call in 'strcpy(a, b)' 'sprintf (a, "b")' 'x = atoi(y)' \
		'strtok(a, b)' 'popen("a", "b")' '/* */ alloca(3)'; do
		put fetchd/main.c "	$call;"
		finds forbidden fetchd/main.c "is not called here"
	done
	# Pure code has no clock and no output.
	put common/proto/imap.c '	now = time(NULL);'
	finds forbidden common/proto/imap.c "time()"
	put common/base/buf.c '	printf("x");'
	finds forbidden common/base/buf.c "printf()"
}
