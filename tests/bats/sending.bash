# shellcheck shell=bash
# What the tests that send to a server share: `load helper`, then `load sending`.
# Messages are queued first, and sent by a run of its own.

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	SPOOL=$XDG_STATE_HOME/mailroom/sendq
	# Of a server that serves the whole file.
	[ ! -d "${MAILDIR-}" ] || rm -f "$MAILDIR"/new/*
}

# A test that starts a server of its own says so with its own teardown.
teardown() {
	:
}

teardown_file() {
	stop_servers
}

# N: so many messages are in the queue, and none has failed.
queue_has() {
	assert_eq "$1" "$(find "$SPOOL/queue" -name '*.env' | wc -l)" \
		"messages in the queue"
	assert_eq "" "$(find "$SPOOL/failed" -type f)" "failed"
}

# The one message in the queue is as it was when it was accepted: no attempt
# was made, or none that the message answers for.
queue_untouched() {
	local list
	queue_has 1
	list=$("$SENDQ" --list --json)
	assert_contains "$list" '"state":"waiting","attempts":0,'
	assert_contains "$list" '"reply":null'
	tail -n 1 "$SPOOL"/queue/*.env | grep -q '^end$\|^[0-9]* unsent 1 \.$' ||
		fail "something happened: $(cat "$SPOOL"/queue/*.env)"
}

# URL [LINE]...: the configuration; the lines are of the account, or of `send`.
config() {
	local url=$1
	shift
	{
		printf '%s\n' 'account me' 'user ada' \
			'address Ada Lovelace <ada@example.org>' \
			'password-command echo pw' "smtp $url" \
			${CA:+"tls-ca $CA"}
		printf '%s\n' 'send me' 'hello client.example' queue-only \
			"failed-to $PWD/reports" "$@"
	} >config
}

sendq() {
	"$SENDQ" --config config "$@" 3>&-
}

# [ARGUMENT]... <MESSAGE: queues it; nothing is to be said.
post() {
	local said
	said=$(sendq -i "$@" 2>&1) || fail "exit $?: $said" || return
	assert_eq "" "$said" "sendq said"
}

# STATUS [ARGUMENT]...: sends what is in the queue, whose messages stand in
# `queued` from then on, as they were.
deliver() {
	local want=$1
	shift
	rm -rf queued
	cp -r "$SPOOL/queue" queued
	expect "$want" "$SENDQ" --config config --run "$@"
}

# The same, all well: nothing is said, nothing left.
deliver_quietly() {
	deliver 0
	assert_eq "" "$output$stderr" "sendq --run said"
	queue_has 0
}

# Each message that was queued has arrived, and nothing else, N in all; byte for
# byte, but for what the server (HOPS of them) put in front. It is then taken away.
arrived_as_queued() {
	local f
	await_mail "$1"
	for f in queued/*.eml; do
		perl -pe 's/\r\n\z/\n/' "$f" | sha256sum
	done | sort -u >want
	for f in "$MAILDIR"/new/*; do
		mail_as_sent "$f" >as_sent
		[ "${HOPS-1}" -eq 1 ] || mail_as_sent as_sent >as_sent.2
		[ "${HOPS-1}" -eq 1 ] || mv as_sent.2 as_sent
		sha256sum <as_sent
	done | sort -u | diff want - >&2 || fail "not as it was queued"
	rm "$MAILDIR"/new/*
}

# Mail that servers alter, or end, if it is not sent well; 8-bit text, too: five.
post_awkward() {
	printf 'Subject: dots\n\n.\n..\n.x\nend\n' | post "$@"
	printf 'Subject: blank\n\n\n\n' | post "$@"
	printf 'Subject: no end\n\n.' | post "$@"
	printf 'Subject: 8-bit\n\ncaf\303\251\n' | post "$@"
	{
		printf 'Subject: large\n\n'
		seq 150000
	} | post "$@"
}
# What is to be found of a secret: as it is, and in base64, wherever in the
# encoded text it begins. As patterns for grep -F, a line each.
traces() {
	local i
	printf '%s\n' "$1"
	for i in '' x xx; do
		# The first and the last character depend on what is beside it.
		printf '%s%s' "$i" "$1" | base64 -w 0 | sed 's/=*$//; s/.$//' |
			cut -c $((${#i} > 0 ? ${#i} + 2 : 1))-
	done
}
