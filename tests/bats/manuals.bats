#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The manuals: that they tell of everything there is, and that what they show is
# so.

bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_env
	SENDQ=$BUILD/sendq
	SPOOL=$XDG_STATE_HOME/mailroom/sendq
	cd "$HOME" || return
}

# PAGE SECTION [N]: the N-th literal block of a (sub)section, as it is displayed.
block() {
	awk -v want="$2" -v n="${3:-1}" '
		/^\.S[sh] / { here = substr($0, 5) == want; block = 0; next }
		/^\.Bd -literal/ { if (here) block++; next }
		/^\.Ed/ { if (here && block == n) exit; next }
		here && block == n { print; found = 1 }
		END { exit !found }' "$ROOT/man/$1"
}

# A spool with the message that sendq.spool(5) shows; FILE holds the history.
show_spool() {
	mkdir -p "$SPOOL/queue"
	{ block sendq.spool.5 "The envelope" && cat "$1"; } \
		>"$SPOOL/queue/6925c0a0-3f9ac1b2.env"
	printf 'Subject: Lunch\r\n\r\nat four\r\n' \
		>"$SPOOL/queue/6925c0a0-3f9ac1b2.eml"
}

@test "every option of the tools is in their manuals" {
	local tool option
	for tool in fetchd sendq syncd; do
		for option in $("$BUILD/$tool" --help | grep -oE -- '--[a-z-]{2,}' |
			sort -u); do
			grep -qE -- "(Fl |, )-${option#--}( |$)" \
				"$ROOT/man/$tool.1" || fail "$tool.1: $option"
		done
	done
}

keywords() {
	(cd "$ROOT" && grep -ohE \
		'((CONF_[A-Z_]+|KEY)\(|\.name = )"[a-z0-9-]+"' \
		common/os/account.c {fetchd,sendq,syncd}/options*.c) |
		sed 's/.*"\(.*\)"/\1/' | sort -u
}

@test "every keyword is in mailroom.conf(5), and no other" {
	cd "$ROOT" || return
	keywords >"$HOME/known"
	[ "$(wc -l <"$HOME/known")" -gt 50 ]
	sed -n 's/^\.It Ic \([a-z0-9-]*\).*/\1/p' man/mailroom.conf.5 | sort -u |
		grep -vxE 'account|fetch|sync|send|include' >"$HOME/told"
	assert_eq "" "$(comm -23 "$HOME/known" "$HOME/told")" "not told"
	assert_eq "" "$(comm -13 "$HOME/known" "$HOME/told")" "not known"
}

@test "every event and line of the spool is in sendq.spool(5)" {
	local word
	for word in $(sed -n '/rules\[EVENTS\] = {/,/^};/s/.*{\(\.name = \)\{0,1\}"\([a-z]*\)".*/\2/p' \
		"$ROOT/sendq/history.c") $(sed -n \
		'/^} fields\[\] = {/,/^};/s/^    {"\([a-z0-9-]*\)".*/\1/p' \
		"$ROOT/sendq/envelope.c"); do
		grep -q "^\.It Li $word\( \|\$\)" "$ROOT/man/sendq.spool.5" ||
			fail "$word"
		echo "$word"
	done >told
	[ "$(wc -l <told)" -gt 30 ]
}

# SECTION: its tables, a line for each row, with a tab between.
tables() {
	awk -v want="$1" '/^\.Sh / { here = substr($0, 5) == want }
		here && /^\.It / && !/^\.It Sy / {
			sub(/^\.It /, "")
			sub(/ Ta /, "\t")
			gsub(/\\-/, "-")
			print
		}' "$ROOT/man/mailroom.7"
}

# FILE WORD...: each is in the left column.
are_told() {
	local file=$1 word
	shift
	for word; do
		cut -f 1 "$file" | grep -qwF -e "$word" || fail "not told: $word"
	done
}

# FILE: what the right column names is there.
exist() {
	local word known
	known=" account sync $(keywords | paste -sd " ") "
	for word in $(cut -f 2 "$1" | grep -v '^[(-]' | sed 's/[ ,].*//' |
		sort -u); do
		[[ $word = syncd || $known == *" $word "* ]] || fail "no $word"
	done
	for word in $(cut -f 2 "$1" | grep -oE -- '(^|[ ,])-[a-zA-Z-]+' |
		tr -d ' ,'); do
		"$BUILD/syncd" --help | grep -qE -- "(^|[^a-z])$word" ||
			fail "no $word"
	done
}

@test "every option of mbsync has its counterpart in mailroom(7), or a reason" {
	tables "COMING FROM MBSYNC" >rows
	# shellcheck disable=SC2046 # words
	are_told rows $(zcat /usr/share/man/man1/mbsync.1.gz |
			sed -n '/^\.TP/{n;s/\\f[BRI]//g;p}' |
			sed -n 's/^{*\([A-Z][A-Za-z]*\).*/\1/p')
	# Those of 1.5.
	are_told rows TLSType TLSVersions Gone Upgrade Old Full ExpireSide \
		ExpungeSolo --ext-exit --dry-run
	are_told rows -c -a -l -C -R -X -n -N -d -f -0 -F -L -H -h -v -V -D -q
	[ "$(wc -l <rows)" -gt 50 ]
	exist rows
}

@test "every option of offlineimap has its counterpart in mailroom(7), or a reason" {
	tables "COMING FROM OFFLINEIMAP" >rows
	are_told rows accounts auth_mechanisms authproxy autorefresh \
		cert_fingerprint copy_ignore_eval createfolders customflag_a \
		decodefoldernames dynamic_folderfilter enabled expunge filename \
		filename_use_mail_timestamp filterheaders folderfilter \
		folderincludes foldersort footer fsync header \
		holdconnectionopen idlefolders ignorelabels incremental ipv6 \
		keepalive labelsheader localfolders localrepository maxage \
		maxconnections maxsize maxsyncaccounts metadata nametrans \
		newmail_hook oauth2_access_token oauth2_access_token_eval \
		oauth2_client_id oauth2_client_secret oauth2_refresh_token \
		oauth2_request_url peritem postsynchook preauthtunnel \
		presynchook proxy pythonfile quick readonly reference \
		remote_identity remotehost remotehosteval remotepass \
		remotepasseval remotepassfile remoteport remoteporteval \
		remoterepository remoteuser remoteusereval restoreatime \
		retrycount sep singlethreadperfolder skipsleep socktimeout \
		sort_keyfunc spamfolder ssl ssl_version sslcacertfile \
		sslclientcert sslclientkey startdate starttls status_backend \
		subscribedonly sync_deletes synclabels tls_level \
		transporttunnel trashfolder type ui usecompression \
		utf8foldernames utime_from_header -a -f -c -k -o -1 -q -s -l -d \
		-u -P --dry-run --info --delete-folder \
		--migrate-fmd5-using-nametrans --mbnames-prune
	exist rows
}

# A state, as a run makes it that reaches no server.
make_state() {
	run "$BUILD/syncd" -o 'password-command=echo pw' \
		imap+plain://ada@127.0.0.1:1 "$HOME/md"
	assert_status 75
	STATE=$(find "$XDG_STATE_HOME/mailroom/syncd" -name '*.db')
	[ -s "$STATE" ]
}

@test "every table and column of the state is in syncd.state(5), and no other" {
	make_state
	for t in $(sqlite3 "$STATE" \
		"SELECT name FROM sqlite_schema WHERE type = 'table'"); do
		sqlite3 "$STATE" "SELECT '$t ' || name FROM pragma_table_info('$t')"
	done | sort >have
	[ "$(wc -l <have)" -ge 20 ]
	awk '/^\.S[sh] / { table = $2 == "Table" ? $3 : "" }
		/^\.It Li / && table != "" {
			for (i = 3; i <= NF; i++)
				if ($i != ",")
					print table, $i
		}' "$ROOT/man/syncd.state.5" | sort >told
	diff have told
}

@test "what syncd.state(5) shows can be done" {
	make_state
	mkdir -p "$HOME/.local/state/mailroom"
	cp -r "$XDG_STATE_HOME/mailroom/syncd" "$HOME/.local/state/mailroom"
	cd "$HOME/.local/state/mailroom/syncd" || return
	mv url-*.db work.db
	sqlite3 work.db "INSERT INTO folder (remote, local, messages, uidnext)
		VALUES ('INBOX', 'INBOX', 3, 9);
		INSERT INTO msg VALUES (1, 7, '1764104063.M1', 5, 3, 0, 10, '', 0)"
	block syncd.state.5 "Looking at it" | sed 's/^\$ //' >commands
	run bash -e commands
	assert_status 0
	assert_contains "$output" 'INBOX|3|9'
	assert_contains "$output" '7|5'
	sqlite3 work.db '.backup copy'
	diff <(sqlite3 work.db .dump) <(sqlite3 copy .dump)
}

@test "the spool that sendq.spool(5) shows is one" {
	block sendq.spool.5 "The history" >history
	show_spool history
	run "$SENDQ" --list --json
	assert_status 0
	assert_contains "$output" '"state":"failed"'
	assert_contains "$output" '"address":"bob@example.net","original":null,"state":"sent"'
	assert_contains "$output" '"address":"carol@example.org","original":null,"state":"failed"'
	assert_contains "$output" '"subject":"Lunch"'
	run "$SENDQ" --show 6925
	assert_status 0
	assert_contains "$output" "550 5.1.1 no such user"
	# Each of the lines counts.
	head -n 3 history >some
	show_spool some
	run "$SENDQ" --list --json
	assert_contains "$output" '"state":"deferred","attempts":1,"next":1764104063'
	# But for one that is torn.
	head -c -4 some >torn
	show_spool torn
	run "$SENDQ" --list --json
	assert_contains "$output" '"address":"carol@example.org","original":null,"state":"sending"'
}

@test "what sendq.spool(5) says of doing by hand" {
	: >none
	show_spool none
	# a line of the history
	echo "1764104064 hold ." >>"$SPOOL/queue/6925c0a0-3f9ac1b2.env"
	assert_contains "$("$SENDQ" --list --json)" '"held":true'
	# saved, taken back, put back
	cp -a "$SPOOL" saved
	rm "$SPOOL"/queue/*.env
	assert_eq "" "$("$SENDQ" --list --json)"
	rm -rf "$SPOOL"
	cp -a saved "$SPOOL"
	assert_contains "$("$SENDQ" --list --json)" '"held":true'
	# moved elsewhere
	export XDG_STATE_HOME=$HOME/other
	mkdir -p "$HOME/other/mailroom/sendq/queue"
	mv "$SPOOL"/queue/*.eml "$HOME/other/mailroom/sendq/queue"
	mv "$SPOOL"/queue/*.env "$HOME/other/mailroom/sendq/queue"
	run "$SENDQ" --show all
	assert_status 0
	assert_contains "$output" "at four"
	run "$SENDQ" --remove all
	assert_status 0
	assert_contains "$("$SENDQ" --log)" "removed ada@example.org bob@example.net"
}

@test "the log that sendq.spool(5) shows is one" {
	mkdir -p "$SPOOL"
	block sendq.spool.5 "The log" | tr -d '\n' | sed 's/  *sent/ sent/; s/$/\n/' \
		>"$SPOOL/log"
	run "$SENDQ" --log --json
	assert_status 0
	assert_contains "$output" '"outcome":"sent","reply":"250 2.0.0 Ok: queued as 4bZ"'
}

@test "the configurations that mailroom.conf(5) shows are right" {
	local n
	block mailroom.conf.5 DESCRIPTION >short
	block mailroom.conf.5 EXAMPLES 1 >two
	for ((n = 2; ; n++)); do
		block mailroom.conf.5 EXAMPLES "$n" >example || break
		! grep -q '^send ' example || cat example >>two
	done
	grep -q '^send home' two
	for n in short two; do
		run "$SENDQ" --config "$n" -bv bob@example.net
		assert_status 0
		run "$BUILD/fetchd" -n -c "$n" nobody
		assert_contains "$output" "nobody"
		[[ $output != *"$n:"* ]]
	done
}
