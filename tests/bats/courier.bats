#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# Courier as the second opinion: another server's idea of both protocols. It
# has users u and u1 to u9, and no SASL-IR, MOVE or LITERAL+.

bats_require_minimum_version 1.5.0
load helper
load fetching

U=u$BATS_TEST_NUMBER

setup_file() {
	start_courier
}

# Sets FILES: awkward mail with the line ends that Courier wants in a Maildir.
awkward() {
	local f
	FILES=()
	mkdir lf
	for f in "$ROOT"/tests/mail/{dots,dot-first,from-lines,from-first}.eml \
		"$ROOT"/tests/mail/{8bit-header,bom,empty-body,long-header}.eml \
		"$ROOT"/../shared/mail/*.eml; do
		[ -e "$f" ] || continue
		perl -0777 -pe 's/\r\n/\n/g' "$f" >"lf/${f##*/}"
		FILES+=("lf/${f##*/}")
	done
}

# FILE...: what maildir_digest prints for these.
digest() {
	local f
	for f; do sha256sum <"$f"; done | cut -d' ' -f1 | sort
}

@test "Courier: all once by every kind of connection, then what is new" {
	feed "$U" INBOX 30 ~5000
	for proto in pop3 imap pop3s imaps pop3t imapt; do
		fetch_quietly $proto in.$proto
		same_mail in.$proto
		fetch_quietly $proto in.$proto
	done
	feed "$U" INBOX 3 400
	for proto in pop3 imap pop3s imaps; do
		fetch_quietly $proto in.$proto
		same_mail in.$proto
	done
}

@test "Courier: any bytes arrive by IMAP" {
	awkward
	feed "$U" INBOX "${FILES[@]}"
	fetch_quietly imap in
	assert_eq "$(digest "${FILES[@]}")" "$(maildir_digest in)"
}

# Over POP3, Courier encodes whatever is not ASCII in headers, and forgets to
# double a dot that a message begins with.
@test "Courier: any ASCII arrives by POP3, in whole lines" {
	local f ascii=()
	awkward
	for f in "${FILES[@]}"; do
		if grep -q '[^ -~[:space:]]' "$f" || [ "$(head -c 1 "$f")" = . ]
		then
			continue
		fi
		[ -z "$(tail -c 1 "$f")" ] || echo >>"$f"
		ascii+=("$f")
	done
	[ ${#ascii[@]} -ge 5 ]
	feed "$U" INBOX "${ascii[@]}"
	fetch_quietly pop3 in
	assert_eq "$(digest "${ascii[@]}")" "$(maildir_digest in)"
}

@test "Courier: keep never" {
	for proto in pop3 imap pop3s imaps; do
		feed "$U" INBOX 20 ~2000
		want=$(maildir_digest "$(on_server)")
		fetch_quietly $proto -o keep=never in
		assert_eq "$want" "$(maildir_digest in)"
		server_has 0
		rm -rf in
	done
}

@test "Courier: archive" {
	feed "$U" INBOX 3 300
	feed "$U" Old/Mail 1 300
	fetch_quietly imap -o keep=never -o archive=INBOX.Old.Mail in
	assert_eq 3 "$(maildir_count in)"
	server_has 0
	server_has 4 Old/Mail
}

@test "Courier: folders by pattern; unseen; mark seen; headers; limits" {
	feed "$U" INBOX 1 301
	feed "$U" Lists/one 1 302
	FLAGS=S feed "$U" Lists/two 1 303
	sizes() { find in/new -type f -printf '%s\n' | sort -n | xargs; }
	fetch_quietly imap -o 'from=imap INBOX.Lists.*' in
	assert_eq "302 303" "$(sizes)"
	afresh
	fetch_quietly imap -o 'from=imap *' -o select=unseen in
	assert_eq "301 302" "$(sizes)"
	afresh
	fetch_quietly imap -o 'from=imap *' -o 'limit=messages 2' in
	fetch_quietly imap -o 'from=imap *' -o 'limit=messages 2' in
	assert_eq "301 302 303" "$(sizes)"
	afresh
	fetch_quietly imap -o mark=seen in
	fetch_quietly imap -o select=unseen in
	find "$(on_server)/cur" -name "*:2,S" | grep -q .
	for proto in pop3 imap; do
		afresh
		fetch_quietly $proto -o headers-only in
		cmp <(sed '/^$/q' "$(find "$(on_server)"/{new,cur} -type f)") \
			<(cat in/new/*)
	done
}

# It gives UIDs in the order of the files' names, and only a session that may
# write remembers them.
@test "Courier: a UID is not given twice" {
	feed "$U" INBOX 1 301
	fetch_quietly imap in
	feed "$U" INBOX 1 302
	fetch_quietly imap in
	find "$(on_server)" -name '*.feed,S=302,*' -delete
	feed "$U" INBOX 1 303
	fetch_quietly imap in
	assert_eq "301 302 303" \
		"$(find in/new -type f -printf '%s\n' | sort -n | xargs)"
}

@test "Courier: a wrong password is 77" {
	# One only: Courier takes its time to refuse.
	fetch 77 imap -o 'password-command=printf wrong' in
}

@test "Courier: a message that a command refuses comes again" {
	feed "$U" INBOX 3 300
	for proto in pop3 imap; do
		fetch 75 $proto -o keep=never -o 'deliver=pipe false'
		server_has 3
	done
	fetch_quietly pop3 -o keep=never -o 'deliver=pipe true'
	server_has 0
}
