#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2016 # a test is a subshell; sh -c '...'
# The fault injector, the delaying proxy and the sink for mail: that they do what
# tests rely on.

bats_require_minimum_version 1.5.0
load helper

FAULT=$BUILD/tests/fault/fault
SUBJECT=$BUILD/tests/fault/subject
PROXY=$BUILD/tests/bench/proxy
SINK=$BUILD/tests/peer/sink

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" "$b/tests/bench/proxy" \
		"$b/tests/fault/fault" "$b/tests/fault/subject" \
		"$b/tests/peer/sink"
}

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	PIDS=()
}

teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# --- fault: counting, killing ----------------------------------------------

# mkdir, create, write, create, write, rename
WORK='mkdir d; printf abc >d/a; printf de >d/b; mv d/a d/c'

@test "fault counts the points of all processes, in order" {
	"$FAULT" -c count -l log -- sh -c "$WORK"
	[ "$(cat count)" = 6 ]
	run cut -f 1,3,4,5,6 log
	[ "${lines[0]}" = "1	mkdir	$PWD/d	0	0" ]
	[[ ${lines[1]} == "2	openat	$PWD/d/a	0	"? ]]
	[ "${lines[2]}" = "3	write	$PWD/d/a	3	3" ]
	[[ ${lines[5]} == "6	rename"*"	$PWD/d/a -> $PWD/d/c	0	0" ]]
	# mkdir and mv are processes of their own.
	[ "$(cut -f 2 log | sort -u | wc -l)" = 3 ]
}

@test "fault logs the error of a point that fails" {
	run "$FAULT" -c count -l log -- rmdir nothing
	[ "$status" = 1 ]
	[ "$(cut -f 3,6 log)" = "rmdir	ENOENT" ]
}

@test "fault kills just before and just after each point" {
	local n before after
	local -a states=('' d d/a0 d/a3 d/a3d/b0 d/a3d/b2 d/c3d/b2)
	tree() {
		local f
		[ ! -d d ] && return
		[ -z "$(ls d)" ] && printf d
		for f in a c b; do
			[ ! -e d/$f ] || printf 'd/%s%s' $f "$(wc -c <d/$f)"
		done
	}
	for n in 1 2 3 4 5 6; do
		rm -rf d
		"$FAULT" -k $n -l log -- sh -c "$WORK"
		before=$(tree)
		grep "^killed at $n " log
		rm -rf d
		"$FAULT" -K $n -l log -- sh -c "$WORK"
		after=$(tree)
		grep "^killed after $n " log
		echo "$n: $before | $after"
		[ "$before" = "${states[n - 1]}" ]
		[ "$after" = "${states[n]}" ]
	done
}

@test "fault tells when the point is not reached, with the command's status" {
	run "$FAULT" -k 7 -l log -c count -- sh -c "$WORK; exit 5"
	[ "$status" = 5 ]
	[ "$(cat log)" = "not reached" ]
	[ "$(cat count)" = 6 ]
	run "$FAULT" -- sh -c 'kill -15 $$'
	[ "$status" = 143 ]
	run -127 "$FAULT" -- ./nothing
}

@test "fault counts neither pipes, devices and local sockets nor its output" {
	"$FAULT" -c count -l log -- "$SUBJECT" chats
	[ "$(cut -f 3,4,5 log)" = "write	socket	1
sendto	socket	2" ]
	"$FAULT" -i -c count -- "$SUBJECT" chats
	[ "$(cat count)" = 4 ]
	"$FAULT" -c count -- sh -c 'echo a; echo b >&2' >out 2>err
	[ "$(cat count)" = 0 ]
	[ "$(cat out err)" = "a
b" ]
}

@test "fault follows threads, vfork and posix_spawn" {
	"$FAULT" -c count -l log -- "$SUBJECT" threads out
	[ "$(cat count)" = 17 ]
	[ "$(cut -f 2 log | sort -u)" = 1 ]
	[ "$(wc -l <out)" = 16 ]
	rm out
	# The others may have been on their way; no later one.
	"$FAULT" -k 9 -- "$SUBJECT" threads out
	[ "$(wc -l <out)" -le 7 ]
	rm out
	"$FAULT" -K 2 -- "$SUBJECT" threads out
	[ "$(wc -l <out)" -ge 1 ]
	"$FAULT" -P -c count -- "$SUBJECT" threads out
	[ "$(cat count)" = 17 ]
	"$FAULT" -c count -l log -- "$SUBJECT" spawns both
	[ "$(cat count)" = 8 ]
	[ "$(cut -f 2 log | uniq | tr '\n' ' ')" = "2 3 " ]
	"$FAULT" -k 8 -- "$SUBJECT" spawns both
	[ "$(cat both)" = a ]
}

@test "fault works on a program that seals itself in" {
	"$FAULT" -c count -l log -- "$SUBJECT" sealed out
	# The mkdirat() its own filter refuses never happens: no point.
	[ "$(cut -f 3 log)" = "openat
write" ]
	rm out
	"$FAULT" -k 2 -- "$SUBJECT" sealed out
	[ -e out ] && [ ! -s out ]
	run "$FAULT" -e EIO@2 -- "$SUBJECT" sealed out
	[ "$status" = 1 ]
	[[ $output == *"Input/output error" ]]
}

@test "fault works without root's privileges" {
	[ "$(id -u)" = 0 ] || skip "this is how the other tests run"
	chmod 755 . .. ../..
	mkdir -m 777 open
	cp "$FAULT" open/
	cd open
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		./fault -k 2 -c count -- sh -c 'printf a >f'
	[ "$(cat count)" = 2 ]
	[ -e f ] && [ ! -s f ]
}

# The processes whose pids are in the names of p.* are gone.
all_gone() {
	local f
	for f in p.*; do
		[ ! -e "/proc/${f#p.}" ] || return 1
	done
}

@test "fault ends the whole tree at its time limit" {
	run "$FAULT" -T 1 -l log -- "$SUBJECT" lingers p
	[ "$status" = 124 ]
	[ "$(tail -n 1 log)" = timeout ]
	[ "$(find . -name 'p.*' | wc -l)" = 3 ]
	all_gone
}

@test "fault killed takes the whole tree with it" {
	"$FAULT" -- "$SUBJECT" lingers p 3>&- &
	local pid=$! i
	for ((i = 0; i < 100; i++)); do
		[ "$(find . -name 'p.*' | wc -l)" = 3 ] && break
		sleep 0.05
	done
	kill -9 "$pid"
	wait "$pid" || true
	for ((i = 0; i < 100; i++)); do
		all_gone && break
		sleep 0.05
	done
	all_gone
}

# --- fault: errors ----------------------------------------------------------

@test "fault makes one point fail, without executing it" {
	run "$FAULT" -e EIO@3 -l log -- "$SUBJECT" fails f
	[ "$status" = 3 ]
	[[ $output == *"fsync: Input/output error" ]]
	[ "$(cat log)" = "EIO 3 fsync $PWD/f" ]
	run "$FAULT" -e ENOSPC@4 -- "$SUBJECT" fails f
	[ "$status" = 4 ]
	[ "$(cat f)" = x ]
	rm f
	run "$FAULT" -e EACCES@1 -- "$SUBJECT" fails f
	[[ $output == *"Permission denied" ]]
	[ ! -e f ]
	run "$FAULT" -e ENOSPC@9 -l log -- "$SUBJECT" fails f
	[ "$status" = 0 ]
	[ "$(cat log)" = "not reached" ]
}

@test "fault makes all points from one on fail, where that makes sense" {
	local work='printf a >a; printf b >b || rm a; printf c >>old; :'
	printf o >old
	run "$FAULT" -e ENOSPC@2+ -l log -- sh -c "$work"
	[ "$status" = 0 ]
	[ ! -e a ] # created, not written, and removed
	[ ! -e b ]
	[ "$(cat old)" = o ]
	[ "$(cut -d ' ' -f 1-3 log | tr '\n' ,)" = \
		"ENOSPC 2 write,ENOSPC 3 openat,ENOSPC 6 write," ]
}

@test "fault asked with ? leaves out what makes no sense" {
	printf x >f
	"$FAULT" -e 'ENOSPC@1?' -l log -- rm f
	[ ! -e f ]
	[[ $(cat log) == "skipped 1 unlink"* ]]
	printf x >f
	run "$FAULT" -e ENOSPC@1 -- rm f
	[ "$status" = 1 ]
	[ -e f ]
}

@test "fault spares sockets from errors unless asked" {
	"$FAULT" -e EIO@2 -l log -- "$SUBJECT" chats
	[ "$(cat log)" = "skipped 2 sendto socket" ]
	run "$FAULT" -S -e EPIPE@2 -- "$SUBJECT" chats
	[ "$status" = 1 ]
	[[ $output == *"Broken pipe" ]]
}

# --- fault: power cuts ------------------------------------------------------

# HOW SCRIPT: runs it in tree/, which holds the synced file "old".
power() {
	rm -rf tree mirror
	mkdir tree
	printf old >tree/old
	# shellcheck disable=SC2086 # options
	"$FAULT" $1 -m mirror -r tree -l log -c count -- sh -c "cd tree; $2"
}

# What is in tree/: name=content, sorted.
holds() {
	local f
	find tree -mindepth 1 | sort | while read -r f; do
		if [ -L "$f" ]; then
			printf '%s->%s ' "${f#tree/}" "$(readlink "$f")"
		elif [ -d "$f" ]; then
			printf '%s/ ' "${f#tree/}"
		else
			printf '%s=%s ' "${f#tree/}" "$(cat "$f")"
		fi
	done
}

@test "a power cut keeps what was synced, name and content" {
	power '-w 2' 'printf abc >a; sync a; sync .'
	[ "$(holds)" = "a=abc old=old " ]
	[ "$(cat log)" = "1	2	fsync	$PWD/tree/a	0	0
2	3	fsync	$PWD/tree	0	0
cut after 2 fsync $PWD/tree" ]
}

@test "a power cut drops names that were not synced" {
	local work='printf abc >a; sync a; mv old new; mkdir d; sync .; sync d'
	power '-w 1' "$work"
	[ "$(holds)" = "old=old " ]
	power '-w 2' "$work"
	[ "$(holds)" = "a=abc d/ new=old " ]
}

@test "a power cut empties files whose content was not synced" {
	power '-w 1' 'printf abc >a; printf more >>old; sync .'
	[ "$(holds)" = "a= old=old " ]
	power '-w 3' 'printf abc >a; sync a; sync .; printf d >>a; printf e >b
		sync -d b'
	[ "$(holds)" = "a=abc old=old " ]
	power '-w 2' 'printf abc >a; sync -d a; sync .; printf d >>a'
	[ "$(holds)" = "a=abc old=old " ]
}

@test "a power cut loses a directory never synced into its parent" {
	local work='mkdir d; printf abc >d/a; sync d/a; sync d; sync .'
	power '-w 2' "$work"
	[ "$(holds)" = "old=old " ]
	power '-w 3' "$work"
	[ "$(holds)" = "d/ d/a=abc old=old " ]
	power '-w 2' 'mkdir d; printf abc >d/a; sync d/a; sync .'
	[ "$(holds)" = "d/ old=old " ]
}

@test "a power cut brings back what was removed or moved unsynced" {
	local setup='mkdir tmp new; printf m >tmp/m; sync tmp/m tmp new .'
	power '-w 5' "$setup; rm old; mv tmp/m new/m; sync new; :"
	[ "$(holds)" = "new/ new/m=m old=old tmp/ tmp/m=m " ]
	[ tree/new/m -ef tree/tmp/m ]
	power '-w 5' "$setup; rm old; mv tmp/m new/m; sync tmp; :"
	[ "$(holds)" = "new/ old=old tmp/ " ]
	power '-w 7' "$setup; rm old; mv tmp/m new/m; sync new tmp .; :"
	[ "$(holds)" = "new/ new/m=m tmp/ " ]
}

@test "syncfs and sync make everything durable" {
	power '-w 1' 'mkdir d; printf abc >d/a; ln -s a d/l; sync -f .; rm d/a'
	[ "$(holds)" = "d/ d/a=abc d/l->a old=old " ]
	power '-w 1' 'mkdir d; printf abc >d/a; sync; rm d/a'
	[ "$(holds)" = "d/ d/a=abc old=old " ]
}

@test "a power cut that keeps names drops only unsynced content" {
	power '-W 1' 'printf abc >a; mv a new; printf b >b; sync b; :'
	[ "$(holds)" = "b=b new= old=old " ]
	power '-W 1' 'rm old; printf b >b; sync b; sync .'
	[ "$(holds)" = "b=b " ]
}

@test "a power cut at any point, not only at syncs" {
	# mkdir, open, write, fsync, rename
	local work='mkdir d; printf a >f; sync f; mv f g'
	power '-k 5' "$work"
	[ "$(holds)" = "old=old " ]
	grep "^cut at 5 rename" log
	power '-O -k 5' "$work"
	[ "$(holds)" = "d/ f=a old=old " ]
	power '-O -K 5' "$work"
	[ "$(holds)" = "d/ g=a old=old " ]
	power '-O -k 4' "$work"
	[ "$(holds)" = "d/ f= old=old " ]
	power '-K 3' 'printf a >f; sync .'
	[ "$(holds)" = "f= old=old " ]
}

@test "shared memory of SQLite never survives" {
	power '-w 3' 'printf a >db; printf b >db-shm; sync db db-shm .'
	[ "$(holds)" = "db=a old=old " ]
	power '-W 2' 'printf a >db; printf b >db-shm; sync db db-shm .'
	[ "$(holds)" = "db=a old=old " ]
}

@test "a reused inode number does not inherit what was synced" {
	local i
	for i in 1 2 3; do
		power '-w 2' "'$SUBJECT' reuses"
		[ "$(holds)" = "old=old second= " ]
	done
}

@test "a file linked into place from O_TMPFILE is durable" {
	power '-w 2' "'$SUBJECT' unnamed f"
	[ "$(holds)" = "f=tmp old=old " ]
}

@test "modes and times of what survives are kept" {
	power '-w 2' 'printf a >f; chmod 640 f; touch -d @1000000000 f
		mkdir -m 750 d; sync f; sync .'
	[ "$(stat -c %a-%Y tree/f)" = 640-1000000000 ]
	[ "$(stat -c %a tree/d)" = 750 ]
	[ "$(cat mirror/lost/old)" = old ]
}

@test "a cut that is not reached leaves all as it is; -w 0 counts" {
	power '-w 9' 'printf abc >a; sync a; printf d >>a'
	[ "$(holds)" = "a=abcd old=old " ]
	[ "$(tail -n 1 log)" = "not reached" ]
	[ "$(cat count)" = 1 ]
	"$FAULT" -w 0 -c count -- sh -c 'printf abc >a; sync a; sync .'
	[ "$(cat count)" = 2 ]
}

@test "a mirror within the tree, or a used one, is refused" {
	mkdir tree
	run "$FAULT" -w 1 -r tree -m tree/mirror -- true
	[ "$status" = 64 ]
	mkdir -p mirror/snap
	run "$FAULT" -w 1 -r tree -m mirror -- true
	[ "$status" = 73 ]
}

# --- proxy ------------------------------------------------------------------

# FILE: waits for it.
await() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ -s "$1" ] && return
		sleep 0.02
	done
	return 1
}

# SERVICE [OPTION...]: serves it and puts the proxy before it. Sets PORT.
through() {
	rm -f sport port stats served ended
	"$SUBJECT" serve "$1" sport >served 3>&- &
	PIDS+=($!)
	shift
	await sport
	"$PROXY" -t "$(cat sport)" -p port -s stats "$@" 3>&- &
	PIDS+=($!)
	await port
	PORT=$(cat port)
}

# KEY: its value, of the proxy, which ends at the first call.
stat_of() {
	if [ ! -e ended ]; then
		rm -f stats
		kill "${PIDS[-1]}"
		touch ended
	fi
	await stats
	sed -n "s/^$1 //p" stats
}

@test "the proxy adds a round trip to the start and to each command" {
	through greeting -d 50
	ms=$("$SUBJECT" ask "$PORT" 10 6)
	echo "$ms ms"
	# One for the handshake with the greeting, and ten.
	[ "$ms" -ge 550 ]
	[ "$ms" -lt 800 ]
	[ "$(stat_of turns)" = 11 ]
	[ "$(stat_of bytes_up)" = 40 ]
	[ "$(stat_of bytes_down)" = 46 ]
}

@test "the proxy without delay costs little and counts the same" {
	through greeting
	ms=$("$SUBJECT" ask "$PORT" 1000 6)
	echo "$ms ms"
	[ "$ms" -lt 1000 ]
	[ "$(stat_of turns)" = 1001 ]
}

@test "a lock-step dialogue of N commands is N turns" {
	through echo -d 20
	"$SUBJECT" ask "$PORT" 25 0
	[ "$(stat_of turns)" = 25 ]
}

@test "replies whose tail comes in a packet of its own are counted right" {
	through pieces -d 80
	"$SUBJECT" hasten "$PORT" 10
	[ "$(stat_of turns)" = 10 ]
}

@test "commands sent without waiting are one turn, though replies come in" {
	through echo -d 100
	"$SUBJECT" flood "$PORT" 200
	[ "$(stat_of turns)" = 1 ]
}

@test "a download that is kept going is one turn" {
	through stream -d 50
	"$SUBJECT" drink "$PORT" 4
	[ "$(stat_of turns)" = 1 ]
	[ "$(stat_of bytes_down)" = 400000 ]
}

@test "the proxy tells about each connection, also while running" {
	through echo -d 10
	"$SUBJECT" ask "$PORT" 3 0
	"$SUBJECT" ask "$PORT" 5 0
	kill -USR1 "${PIDS[-1]}"
	await stats
	[ "$(grep -c '^conn ' stats)" = 2 ]
	[ "$(stat_of connections)" = 2 ]
	[ "$(stat_of turns)" = 8 ]
	grep -Eq '^conn 1 turns 3 up 12 down 12 seconds [0-9]+\.[0-9]+$' stats
	grep -Eq '^conn 2 turns 5 up 20 down 20 seconds [0-9]+\.[0-9]+$' stats
}

@test "the proxy cuts after exactly N bytes from the server" {
	local n
	for n in 0 1 6 100000 3000001; do
		through source -D $n
		run "$SUBJECT" drain "$PORT"
		echo "$n: $output"
		[[ $output == "$n "*" end" ]]
		[ "$(stat_of bytes_down)" = $n ]
	done
}

@test "the proxy cuts after exactly N bytes from the client" {
	local n
	for n in 1 70000 3000001; do
		through sink -U $n
		"$SUBJECT" pour "$PORT" 5000000
		await served
		echo "$n: $(cat served)"
		[ "$(cat served)" = "$n end" ]
		[ "$(stat_of bytes_up)" = $n ]
	done
}

@test "the proxy cuts by a reset when asked, delivering all before it" {
	local n
	for n in 6 3000001; do
		through source -D $n -R -d 10
		run "$SUBJECT" drain "$PORT"
		echo "$n: $output"
		[[ $output == "$n "*" reset" ]]
		through sink -U $n -R
		"$SUBJECT" pour "$PORT" 5000000
		await served
		[ "$(cat served)" = "$n reset" ]
	done
}

@test "the proxy cuts the first connection only when asked" {
	through greeting -1 -D 3
	run "$SUBJECT" ask "$PORT" 1 6
	[ "$status" = 1 ]
	"$SUBJECT" ask "$PORT" 1 6
}

@test "the proxy lets further connections wait when asked" {
	through echo -n 1
	exec {held}<>"/dev/tcp/127.0.0.1/$PORT"
	run timeout 0.5 "$SUBJECT" ask "$PORT" 1 0
	[ "$status" = 124 ]
	exec {held}>&-
	timeout 5 "$SUBJECT" ask "$PORT" 1 0
	[ "$(stat_of connections)" -ge 2 ]
}

@test "what the client ends is ended for the server after the delay" {
	through sink -d 20
	"$SUBJECT" pour "$PORT" 1000000
	await served
	[ "$(cat served)" = "1000000 end" ]
}

@test "the proxy carries 500 MB/s, with and without delay" {
	local d floor rate bytes try ok
	"$SUBJECT" serve source direct 3>&- &
	PIDS+=($!)
	await direct
	for d in 0 50; do
		ok=
		for try in 1 2 3; do
			through source -d $d
			read -r bytes rate _ < <("$SUBJECT" drain "$PORT")
			[ "$bytes" = 536870912 ]
			read -r _ floor _ < <("$SUBJECT" drain "$(cat direct)")
			echo "$d ms, try $try: $rate MB/s, direct $floor"
			# On a busy or slow machine: a fair part of its best.
			[ "$rate" -le 500 ] && [ "$rate" -lt $((floor / 6)) ] ||
				ok=1
			[ -z "$ok" ] || break
		done
		[ -n "$ok" ]
	done
}

# --- sink -------------------------------------------------------------------

# [OPTION...]: sets PORT.
start_sink() {
	rm -rf port got
	mkdir got
	"$SINK" "$@" -p port got >/dev/null 3>&- &
	PIDS+=($!)
	await port
	PORT=$(cat port)
}

# LINE...: says all at once, hangs up, and prints the replies.
tell_sink() {
	exec {line}<>"/dev/tcp/127.0.0.1/$PORT"
	printf '%s\r\n' "$@" >&$line
	timeout 5 cat <&$line | tr -d '\r'
	exec {line}>&-
}

@test "the sink writes down what it takes, by DATA and by BDAT" {
	start_sink
	run tell_sink 'EHLO me' 'MAIL FROM:<a@b> SIZE=3' 'RCPT TO:<c@d>' \
		'RCPT TO:<nobody-x@d>' 'RCPT TO:<later-x@d>' 'RCPT TO:<e@d>' \
		DATA 'Subject: x' '' '..dot' '.' 'MAIL FROM:<>' 'RCPT TO:<c@d>' \
		'BDAT 4' ab 'BDAT 6 LAST' .cde QUIT
	assert_contains "$output" "250-CHUNKING"
	assert_contains "$output" "550 5.1.1 "
	assert_contains "$output" "450 4.2.0 "
	assert_eq 2 "$(grep -c '^250 2.0.0 taken$' <<<"$output")"
	assert_eq "221 2.0.0 bye" "${lines[-1]}"
	assert_eq "00000001 00000002 " "$(ls got | tr '\n' ' ')"
	printf 'MAIL a@b\nRCPT c@d\nRCPT e@d\n\nSubject: x\r\n\r\n.dot\r\n' |
		cmp - got/00000001
	printf 'MAIL \nRCPT c@d\n\nab\r\n.cde\r\n' | cmp - got/00000002
}

@test "the sink does without an extension, and takes nothing for nobody" {
	start_sink -n CHUNKING
	run tell_sink 'EHLO me' 'MAIL FROM:<a@b>' 'RCPT TO:<nobody-@d>' DATA \
		'BDAT 2 LAST' RSET 'RCPT TO:<a@b>' 'MAIL FROM:<nobody-@b>' QUIT
	[[ $output != *CHUNKING* ]]
	assert_eq "220 250 250 550 503 500 250 503 550 221 " \
		"$(grep -v ^250- <<<"$output" | cut -c 1-3 | tr '\n' ' ')"
	assert_eq "" "$(ls got)"
}

@test "the sink keeps no half of a message, and tells when all is in" {
	start_sink
	exec {half}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 4 LAST\r\nab' >&$half
	exec {ask}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'XQUIET\r\n' >&$ask
	read -r -t 5 -u $ask
	run read -r -t 0.3 -u $ask
	[ "$status" -gt 128 ]
	exec {half}>&-
	read -r -t 5 -u $ask
	assert_eq $'250 2.0.0 quiet\r' "$REPLY"
	assert_eq "" "$(ls got)"
	# What was sent whole is there, though nobody reads the answer. (In one
	# piece: bash writes line by line, and the kernel would wait between.)
	exec {half}<>"/dev/tcp/127.0.0.1/$PORT"
	printf '%s\r\n' 'EHLO me' 'MAIL FROM:<a@b>' 'RCPT TO:<c@d>' 'BDAT 4 LAST' \
		ab | cat >&$half
	exec {half}>&-
	printf 'XQUIET\r\n' >&$ask
	read -r -t 5 -u $ask
	assert_eq 00000001 "$(ls got)"
	exec {ask}>&-
}
