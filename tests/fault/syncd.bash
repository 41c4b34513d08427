# shellcheck shell=bash
# What tests/fault/run does to syncd. Sourced there, never run.
#
# SCENARIO is what has happened on either side since the last run:
#	first	nothing was ever synced
#	new	mail came on both sides; some of it without Message-ID, or twice
#	flags	flags and keywords changed on both sides
#	moves	mail was moved on both sides, and marked at once
#	onward	a reader moved mail, and moves it on, or back, after the run that is
#		struck
#	partly	likewise, and before all the others each of the folders is synced
#		alone: where it was to go, and where it came from, or (-from) the
#		other way round
#	undone	a reader deleted mail, and puts it back after the run that is struck
#	backup	a reader moved mail, and after the run that is struck the Maildir
#		comes back from a backup
#	gone	mail was deleted on both sides, or marked so
#	trash	the same, with a folder for it
#	made	folders were made on both sides
#	removed	folders were removed on both sides, and renamed here; with `remove`
#	again	the same without, so that they come back
#	lost	the state was lost, and each side has something of its own
#	ground	the server began to count anew (UIDVALIDITY), likewise
#	up-only	mail came on both sides, and only ours is to travel (pull none)
#	mirror	the state was lost of a copy that sends nothing (push none)
#	all	nearly everything at once
#	few	a message of each kind, for cuts at every byte
# Without $SOAK it is some of these, and fewer faults, each at every point.
# With -bare behind it the server has no extension (the others are those that
# Dovecot has); then nothing tells the UIDs of what was sent or moved.
#
# The run that is struck may exit with 75; with 73 or 74 where the disk is bad.
# When the server has done all that it was sent, the next run must exit with 0
# and say nothing, and then: both sides have the folders, messages and flags that
# they are to have, each message once; nothing is left in tmp/ or beside the
# state; and nothing more would be done.
# shellcheck disable=SC2034 # run reads some, others by their names

# shellcheck source=tests/fault/dovecot.bash
. "$root/tests/fault/dovecot.bash"
SYNCD=$BUILD/syncd
INPUT=/dev/null
COMMAND=("$SYNCD" -c conf)
declare -A NAME_OF=() WANT=()
settings=''

DISK='kill full filling bad harsh soft'
matrix() {
	local s
	if [ -z "${SOAK-}" ]; then
		echo "all kill full bad harsh"
		echo "all-bare kill"
		echo "few down up"
		echo "first kill harsh"
		echo "again kill"
		echo "lost kill"
		echo "onward kill"
		echo "partly kill"
		echo "partly-from kill"
		echo "undone kill"
		echo "backup kill"
		return
	fi
	for s in all all-bare few; do
		echo "$s $DISK down up"
	done
	for s in first new flags moves onward partly partly-from undone backup gone \
		trash made removed again lost ground up-only mirror new-bare \
		moves-bare onward-bare partly-bare partly-from-bare undone-bare \
		backup-bare gone-bare trash-bare; do
		echo "$s $DISK"
	done
}

# --- the mail, the servers -----------------------------------------------------

begin() {
	local n text
	mkdir msgs
	for n in a b c d e f g h i j n1 n2 n3 m1 m2 m3 twin; do
		printf 'Message-ID: <%s@x>\nSubject: %s\n\n%s\n' $n $n $n >msgs/$n
	done
	# Two that nothing but their headers tell apart.
	printf 'Subject: x\n\nx\n' >msgs/bare1
	printf 'Subject: y\n\nx\n' >msgs/bare2
	for n in msgs/*; do
		mapfile -d '' text <"$n"
		NAME_OF[${text[*]}]=${n##*/}
	done
	(umask 077 && echo pw >pw)
}

end() {
	stop_servers "$T"/w*/server-*
}

# What the scenario needs, one for each worker: so it is seen when it is quiet.
choose_server() {
	local kind=full extensions='SASL-IR LITERAL+ MULTIAPPEND UIDPLUS MOVE
		ENABLE CONDSTORE QRESYNC ESEARCH LIST-EXTENDED LIST-STATUS UNSELECT'
	[[ $scenario != *-bare ]] || kind=bare extensions=SASL-IR
	SERVER=$W/server-$kind
	if [ -e "$SERVER/env" ]; then
		# shellcheck source=/dev/null
		. "$SERVER/env"
	else
		# shellcheck disable=SC2086 # words
		start_server "$SERVER" IMAP4rev1 $extensions
	fi
	PORT=$IMAP_PORT
}

# Until it has done all that it was sent, by whom there is no more.
await_quiet() {
	local i
	for ((i = 0; i < 2000; i++)); do
		[ -n "$(ss -Htn state established state close-wait \
			"sport = :$PORT")" ] || return 0
		sleep 0.002
	done
	die "$scenario: the server is not quiet"
}

there() {
	doveadm -c "$SERVER/dovecot.conf" "$@" || die "$scenario: doveadm $*"
}

aim() {
	printf '%s\n' 'account a' "user $user" "password-file $T/pw" 'auth plain' \
		"imap imap+plain://127.0.0.1:$1" 'sync a' "maildir $W/root/md" \
		"$settings" >conf
}

# --- looking at what came out --------------------------------------------------

# FOLDER DIR: adds its messages to SEEN: "FOLDER NAME FLAGS KEYWORDS".
count_folder() {
	local f text flags key words=() line i
	if [ -e "$2/dovecot-keywords" ]; then
		while read -r i line; do
			words[i]=$line
		done <"$2/dovecot-keywords"
	fi
	for f in "$2"/cur/* "$2"/new/*; do
		mapfile -d '' text <"$f"
		flags='' key=
		[[ $f != *:2,* ]] || flags=${f##*:2,}
		for ((i = 0; i < 26; i++)); do
			[[ $flags != *"${letters:i:1}"* ]] || key+=" ${words[i]-?}"
		done
		flags=${flags//[a-z]/}
		key="$1 ${NAME_OF[${text[*]}]-unknown: ${text[*]}}${flags:+ $flags}$key"
		SEEN[$key]=$((${SEEN[$key]-0} + 1))
	done
}
letters=abcdefghijklmnopqrstuvwxyz

# What is here. 1: there is litter.
count_here() {
	local d litter=(root/md/*/tmp/* root/md/*/*/tmp/* root/state/*.damaged*)
	SEEN=()
	for d in root/md/* root/md/*/*; do
		case ${d##*/} in
		cur | new | tmp | dovecot-keywords | .syncd) continue ;;
		esac
		if [[ -d $d/cur && -d $d/new && -d $d/tmp ]]; then
			SEEN["${d#root/md/}/"]=1
			count_folder "${d#root/md/}" "$d"
		else
			litter+=("$d")
		fi
	done
	[ ${#litter[@]} -eq 0 ] && return
	WHY="left behind: ${litter[*]}"
	return 1
}

# And there. What is subscribed to is part of it, but for what is not there.
count_there() {
	local d name at=$MAILROOT/$user line
	SEEN=()
	SEEN["INBOX/"]=1
	count_folder INBOX "$at"
	for d in "$at"/.*/; do
		d=${d%/} name=${d##*/.}
		SEEN["${name//.//}/"]=1
		count_folder "${name//.//}" "$d"
	done
	SUBSCRIBED=' '
	[ ! -e "$at/subscriptions" ] || while read -r line; do
		SUBSCRIBED+="$line "
	done <"$at/subscriptions"
}

# Whether both sides are what they are to be. Else WHY, which may have been told
# before.
is_done() {
	[ -z "$WHY" ] || return
	count_here && same_counts WANT here || return
	count_there
	same_counts WANT_THERE there || return
	[ "$SUBSCRIBED" = "$WANT_SUBSCRIBED" ] && return
	WHY="subscribed:$SUBSCRIBED, not$WANT_SUBSCRIBED"
	return 1
}

# --- one run -------------------------------------------------------------------

# HOOK: of the scenario, if it has such.
also() {
	! declare -F "$1_${scenario%-bare}" >/dev/null || "$1_${scenario%-bare}"
}

# FAULT
fresh() {
	rm -rf root
	cp -a tmpl/root root
	new_user
	aim "$PORT"
	also wants
}

right_status() {
	await_quiet
	if [ -z "$struck" ]; then
		[ "$rc" -eq 0 ] && is_done
		return
	fi
	case $1:$rc in
	kill:0 | harsh:0 | soft:0) return 0 ;;
	*:0)	is_done ;; # harmless, or it is not
	full:75 | filling:75 | down*:75 | up*:75) [ -s err ] ;;
	bad:73 | bad:74) [ -s err ] ;;
	*)	return 1 ;;
	esac
}

# FAULT: the next run, and what is there then.
judge() {
	local more
	also after
	run_command
	await_quiet
	also settled
	is_done
	[ $rc -eq 0 ] && [ ! -s err ] && [ -z "$WHY" ] || {
		WHY="then exit $rc, $(<err) $WHY"
		return 1
	}
	# Cuts are many, and each is like another that left off at a call.
	[[ -n ${SOAK-} || ${1-} != [ud]* ]] || return 0
	more=$("${COMMAND[@]}" -n 2>&1)
	[ -n "$more" ] || return 0
	WHY="would do more: $more"
	return 1
}

# --- a scenario: what was on both sides, what happened, what is to be ----------

# FOLDER NAME...: mail for the server.
far() {
	local folder=$1
	shift
	feed "$user" "$folder" "${@/#/$T/msgs/}"
}

# FOLDER NAME [FLAGS]: mail for here; new without FLAGS.
near() {
	local dir=root/md/$1
	mkdir -p "$dir"/{cur,new,tmp}
	serial_here=$((serial_here + 1))
	if [ -n "${3-}" ]; then
		cp "$T/msgs/$2" "$dir/cur/1.$serial_here.here:2,$3"
	else
		cp "$T/msgs/$2" "$dir/new/1.$serial_here.here"
	fi
}
serial_here=0

# FOLDER NAME: sets FILE to where it is here.
find_file() {
	local id
	id=$(grep -lx "Subject: $2" root/md/"$1"/{cur,new}/*) ||
		die "$scenario: no $2 in $1"
	FILE=$id
}

# FOLDER NAME FLAGS [FOLDER]: as a mail reader does.
mark() {
	local name
	find_file "$1" "$2"
	name=${FILE##*/}
	mv "$FILE" "root/md/${4-$1}/cur/${name%%:*}:2,$3"
}

delete() {
	find_file "$1" "$2"
	rm "$FILE"
}

# FOLDER NAME: as doveadm asks for it.
that() {
	echo mailbox "$1" header subject "$2"
}

# FOLDER NAME FLAG...: as another client does.
mark_there() {
	local who
	who=$(that "$1" "$2")
	shift 2
	# shellcheck disable=SC2086 # words
	there flags add -u "$user" "$*" $who
}

delete_there() {
	# shellcheck disable=SC2046 # words
	there expunge -u "$user" $(that "$1" "$2")
}

# FOLDER NAME FOLDER
move_there() {
	# shellcheck disable=SC2046 # words
	there move -u "$user" "$3" $(that "$1" "$2")
}

# WHEN: what was touched just now was touched then: what is younger than two
# seconds is not trusted.
rest() {
	find root/md -type d -newermt '10 minutes ago' -exec touch -d "$1" {} +
}

# LINE...: what both sides are to have: "FOLDER/" or "FOLDER NAME FLAGS WORDS".
want() {
	local line
	WANT=() WANT_THERE=()
	for line; do
		WANT[$line]=$((${WANT[$line]-0} + 1))
		WANT_THERE[$line]=$((${WANT_THERE[$line]-0} + 1))
	done
}
declare -A WANT_THERE=()

before_first() { :; }
happens_first() {
	far INBOX a bare1
	FLAGS=FS far INBOX b
	far A c
	want INBOX/ 'INBOX a' 'INBOX bare1' 'INBOX b FS' A/ 'A c'
}

before_new() {
	far INBOX a
	far A b
}
happens_new() {
	far INBOX c m1 bare1
	far A d
	near INBOX n1
	near INBOX n2 FS
	near INBOX bare2
	near A twin S
	near A twin S
	want INBOX/ 'INBOX a' 'INBOX c' 'INBOX m1' 'INBOX bare1' 'INBOX n1' \
		'INBOX n2 FS' 'INBOX bare2' A/ 'A b' 'A d' 'A twin S' 'A twin S'
}

before_flags() {
	settings='keywords yes'
	far INBOX a b c d
	FLAGS=S far INBOX e f
}
happens_flags() {
	# shellcheck disable=SC2016 # the keyword's name
	local word='$L'
	mark INBOX a S
	mark INBOX c F
	mark INBOX e RS
	mark INBOX f ''
	mark_there INBOX b '\Flagged'
	mark_there INBOX c '\Seen' two
	mark_there INBOX d one "$word"
	want INBOX/ 'INBOX a S' 'INBOX b F' 'INBOX c FS two' "INBOX d one $word" \
		'INBOX e RS' 'INBOX f'
}

before_moves() {
	far INBOX a b c d
	far A e f
}
happens_moves() {
	mark INBOX a S A
	mark INBOX b '' A
	mark A e F INBOX
	mark INBOX d S
	move_there INBOX c A
	move_there INBOX d A
	move_there A f INBOX
	want INBOX/ 'INBOX e F' 'INBOX f' A/ 'A a S' 'A b' 'A c' 'A d S'
}

before_onward() {
	far INBOX a b
	far A c
	far B d
}
wants_onward() {
	want INBOX/ A/ 'A a S' 'A b' 'A c' B/ 'B d'
}
happens_onward() {
	mark INBOX a S A
	mark INBOX b '' A
	wants_onward
}
after_onward() {
	mark A a S B
	mark A b '' INBOX
	want INBOX/ 'INBOX b' A/ 'A c' B/ 'B d' 'B a S'
}

# FOLDER: the next run, of that folder only.
alone() {
	"${COMMAND[@]}" "a/$1" 2>err || WHY="a/$1 alone: exit $?, $(<err)"
	await_quiet
}

before_partly() { before_onward; }
wants_partly() { wants_onward; }
happens_partly() { happens_onward; }
after_partly() {
	alone A
	after_onward
	alone INBOX
}

before_partly-from() { before_onward; }
wants_partly-from() { wants_onward; }
happens_partly-from() { happens_onward; }
after_partly-from() {
	alone INBOX
	after_onward
	alone A
}

before_undone() {
	far INBOX a b c
	FLAGS=S far INBOX d
}
wants_undone() {
	want INBOX/ 'INBOX c'
}
happens_undone() {
	local n
	mkdir root/aside
	for n in a b d; do
		find_file INBOX $n
		mv "$FILE" root/aside/
	done
	wants_undone
}
after_undone() {
	local f
	for f in root/aside/*; do
		[[ $f == *:2,* ]] || f+=:2,
		mv "${f%:2,}"* "root/md/INBOX/cur/${f##*/}"
	done
	want INBOX/ 'INBOX a' 'INBOX b' 'INBOX c' 'INBOX d S'
}

before_backup() {
	far INBOX a b
	far A c
}
wants_backup() {
	want INBOX/ 'INBOX d' 'INBOX n1' A/ 'A a S' 'A b' 'A c'
}
happens_backup() {
	cp -a root/md root/old
	far INBOX d
	run_command
	rest '1 hour ago'
	mark INBOX a S A
	mark INBOX b '' A
	near INBOX n1
	wants_backup
}
# What had not been sent is lost with the tree that it was in.
after_backup() {
	rm -r root/md
	cp -a root/old root/md
	count_there
	sent=${SEEN[INBOX n1]-}
}
# Where the two are then, the backup cannot know; but they are somewhere, once.
settled_backup() {
	local key
	count_there
	want INBOX/ 'INBOX d' ${sent:+'INBOX n1'} A/ 'A c'
	for key in 'INBOX a' 'A a' 'INBOX a S' 'A a S' 'INBOX b' 'A b'; do
		[ -z "${SEEN[$key]-}" ] || WANT[$key]=1 WANT_THERE[$key]=1
	done
	key=${!WANT[*]}
	key=${key//[^ab]/}
	[ ${#key} -eq 2 ] && [ "${key/a/}" != "${key/b/}" ] ||
		WHY="a and b are not there once: ${!WANT[*]}"
}

before_gone() {
	far INBOX a b c d e f
}
happens_gone() {
	delete INBOX a
	delete INBOX c
	mark INBOX b ST
	delete_there INBOX c
	delete_there INBOX d
	mark_there INBOX e '\Flagged'
	want INBOX/ 'INBOX e F' 'INBOX f'
}

before_trash() {
	settings='trash T'
	far INBOX a b c d
	far T e
}
happens_trash() {
	delete INBOX a
	mark INBOX b ST
	delete_there INBOX c
	want INBOX/ 'INBOX d' T/ 'T e' 'T a' 'T b S' 'T c'
}

before_made() {
	far INBOX a
}
happens_made() {
	near N n1
	near N/O n2 S
	far M m1
	far M/P m2
	mkdir -p root/md/Q/{cur,new,tmp}
	want INBOX/ 'INBOX a' N/ 'N n1' N/O/ 'N/O n2 S' M/ 'M m1' M/P/ 'M/P m2' Q/
}

before_removed() {
	settings='remove both'
	far INBOX a
	far A b c
	far B d e
	far C f g
}
happens_removed() {
	rm -r root/md/A
	mv root/md/C root/md/D
	there mailbox delete -u "$user" -s B
	want INBOX/ 'INBOX a' D/ 'D f' 'D g'
}

before_again() {
	before_removed
	settings=
}
happens_again() {
	happens_removed
	want INBOX/ 'INBOX a' A/ 'A b' 'A c' B/ 'B d' 'B e' C/ 'C f' 'C g' \
		D/ 'D f' 'D g'
}

before_lost() {
	far INBOX a b bare1
	FLAGS=S far INBOX c
	far A d e
}
happens_lost() {
	rm root/state/*
	near INBOX n1
	near A n2 S
	far INBOX m1
	mark INBOX a F
	mark_there A d '\Answered'
	want INBOX/ 'INBOX a F' 'INBOX b' 'INBOX bare1' 'INBOX c S' 'INBOX n1' \
		'INBOX m1' A/ 'A d R' 'A e' 'A n2 S'
}

before_ground() {
	before_lost
}
happens_ground() {
	near INBOX n1
	near A n2 S
	far INBOX m1
	mark INBOX a F
	mark_there A d '\Answered'
	rm "$MAILROOT/$user"/{,.A/}dovecot{-uidlist,.index*}
	want INBOX/ 'INBOX a F' 'INBOX b' 'INBOX bare1' 'INBOX c S' 'INBOX n1' \
		'INBOX m1' A/ 'A d R' 'A e' 'A n2 S'
}

before_up-only() {
	settings='pull none'
	near INBOX a
	far INBOX b
}
happens_up-only() {
	near INBOX n1
	near INBOX n2 S
	far INBOX m1
	want INBOX/ 'INBOX a' 'INBOX n1' 'INBOX n2 S'
	WANT_THERE+=(['INBOX b']=1 ['INBOX m1']=1)
}

before_mirror() {
	settings='push none'
	far INBOX a b
	far A c
}
happens_mirror() {
	rm root/state/*
	near INBOX n1
	far INBOX m1
	want INBOX/ 'INBOX a' 'INBOX b' 'INBOX m1' A/ 'A c'
	WANT+=(['INBOX n1']=1)
}

before_all() {
	settings=$'keywords yes\nremove both\ntrash T'
	far INBOX a b c d
	far A e f g
	far B h
	far C i
	far T j
}
happens_all() {
	near INBOX n1 S
	far INBOX m1
	mark INBOX a F
	mark_there INBOX b '\Seen' one
	mark INBOX c '' A
	move_there A e INBOX
	delete INBOX d
	mark A f ST
	delete_there A g
	rm -r root/md/B
	there mailbox delete -u "$user" -s C
	near N n2
	far M m2
	want INBOX/ 'INBOX n1 S' 'INBOX m1' 'INBOX a F' 'INBOX b S one' 'INBOX e' \
		A/ 'A c' T/ 'T j' 'T d' 'T f S' 'T g' N/ 'N n2' M/ 'M m2'
}

before_few() {
	far INBOX a b c d
}
happens_few() {
	near INBOX n1
	far INBOX m1
	mark INBOX a S
	mark_there INBOX b '\Flagged'
	delete INBOX c
	delete_there INBOX d
	want INBOX/ 'INBOX a S' 'INBOX b F' 'INBOX n1' 'INBOX m1'
}

# What it begins with, in tmpl/.
prepare() {
	local i
	choose_server
	settings=''
	rm -rf root tmpl
	mkdir -p root/md/INBOX/{cur,new,tmp} root/state tmpl
	user=w$w.$((++serial)).$scenario
	feed "$user" INBOX
	before_"${scenario%-bare}"
	aim "$PORT"
	for i in 1 2; do
		[ "$scenario" != first ] || continue
		run_command
		[ $rc -eq 0 ] || die "$scenario, before: $(<err)"
		rest '1 hour ago'
	done
	[ "$scenario" != first ] || rm -r root/md
	happens_"${scenario%-bare}"
	[ "$scenario" = first ] || rest '20 minutes ago'
	cp -a root tmpl/root
	cp -a "$MAILROOT/$user" tmpl/mail
	aim "$PORT"
	run_command
	await_quiet
	[ $rc -eq 0 ] || die "$scenario, undisturbed: $(<err)"
	WHY=
	count_there
	WANT_SUBSCRIBED=$SUBSCRIBED
	is_done || die "$scenario, undisturbed: $WHY"
	judge none || die "$scenario, undisturbed: $WHY"
}
