# shellcheck shell=bash
# What tests/fault/run does to fetchd. Sourced there, never run.
#
# SCENARIO is PROTOCOL-KEEP-TARGET, as in pop3-never-maildir:
#	maildir	five messages into a Maildir; the first run there ever is
#	more	two new messages for a Maildir and a state that have five
#	many	300 messages, so that some come in while others are made durable;
#		of a few thousand points some 60 are tried, others each time
#	mbox	three messages to an mbox that holds one
#	two	three to a Maildir and an mbox
#	pipe	three to a command
#	both	three to a command and a Maildir (so each message is a batch)
#	learn	the same; one of the three is in the Maildir already
#
# The run that is struck may exit with 75; with 73 or 74 where the disk is bad.
# The next run must exit with 0 and say nothing, and then: every message is at
# its target, once (pipes: at least once, when not just the connection was
# cut); nothing is left in tmp/, the spool or beside the state; the server has
# none (keep never) or all (keep always); nothing would be fetched again.
# shellcheck disable=SC2034 # run reads some, others by their names

# shellcheck source=tests/fault/dovecot.bash
. "$root/tests/fault/dovecot.bash"
FETCHD=$BUILD/fetchd
INPUT=/dev/null
COMMAND=("$FETCHD" -c conf)
declare -A MAIL=() TAKEN=() SERVED=()

DISK='kill full bad harsh soft'
matrix() {
	local p k
	for p in pop3 imap; do
		for k in never always; do
			echo "$p-$k-maildir $DISK filling down up"
			echo "$p-$k-more $DISK"
		done
		echo "$p-never-many kill bad harsh soft filling"
		echo "$p-never-mbox $DISK"
		echo "$p-always-two $DISK"
		echo "$p-never-pipe kill full bad harsh down up"
		echo "$p-always-both kill harsh"
		echo "$p-always-learn kill harsh"
	done
}

# --- the mail, the server ------------------------------------------------------

begin() {
	start_server "$T/server" IMAP4rev1 SASL-IR LITERAL+ UIDPLUS MOVE ENABLE \
		CONDSTORE
	make_mail
	(umask 077 && echo pw >pw)
	# Takes a message whole or not at all, unless it is to be quick. Where it
	# puts it is spared power cuts: its durability is its own affair.
	cat >take <<-'END'
		#!/bin/sh
		[ -d "$1" ] || mkdir "$1"
		[ -z "$2" ] || exec cat >"$1/m.$FETCHD_UID.$$"
		cat >"$1/tmp.$$" && mv "$1/tmp.$$" "$1/m.$FETCHD_UID.$$"
	END
	chmod 755 take
}

end() {
	stop_servers "$T/server"
}

make_mail() {
	local i
	mkdir msgs
	printf 'Subject: dots\n\n.\n..\n.x\n' >msgs/1
	printf 'From: a@b\n\nFrom c\n>From d\n' >msgs/2
	printf 'Subject: no body\n\n' >msgs/3
	# Two that only their bodies tell apart.
	printf 'Subject: twin\n\nCastor \xe9\n' >msgs/4
	printf 'Subject: twin\n\nPollux' >msgs/5
	printf 'Subject: late\n\n1\r2\n' >msgs/6
	printf 'Subject: late\n\n\n' >msgs/7
	mkdir many
	for i in {1..300}; do
		printf 'Subject: %d\n\n%d\n' "$i" "$i" >many/"$i"
	done
}

write_conf() { # USER PORT
	local targets=''
	case $target in
	maildir | more | many) targets="deliver maildir $W/root/in" ;;
	mbox)	targets="deliver mbox $W/root/mbox" ;;
	two)	targets="deliver maildir $W/root/in
		deliver mbox $W/root/mbox" ;;
	pipe)	targets="deliver pipe $T/take $W/took $quick" ;;
	both | learn) targets="deliver pipe $T/take $W/took
		deliver maildir $W/root/in" ;;
	esac
	printf '%s\n' "account a" "user $1" "password-file $T/pw" \
		"auth plain" "tls-ca $CA" "$proto $proto+plain://127.0.0.1:$2" \
		"fetch a" "from $proto" "keep $policy" "$targets" >conf
}

aim() {
	write_conf "$user" "$1"
}

# --- looking at what came out -----------------------------------------------------

# What an mbox holds, without the dates; in TEXT.
read_mbox() {
	local lines i
	mapfile lines <root/mbox
	for i in "${!lines[@]}"; do
		[[ ${lines[i]} != 'From '* ]] || lines[i]=$'From\n'
	done
	TEXT=${lines[*]}
}

# Whether all is done: what the undisturbed run left is here. Else WHY.
is_done() {
	local litter
	WHY=
	litter=(root/in/tmp/* root/state/*.damaged*)
	# Of a file that cannot be removed the next run takes care.
	[ "${1-}" = bad ] || litter+=(root/state/*.spool/*)
	[ ${#litter[@]} -eq 0 ] || {
		WHY="left behind: ${litter[*]}"
		return 1
	}
	case $target in
	maildir | more | many | two | both | learn)
		count_files root/in/new/* root/in/cur/*
		same_counts MAIL Maildir || return
		;;
	esac
	case $target in
	mbox | two)
		read_mbox
		[ "$TEXT" = "$MBOX" ] || {
			WHY="the mbox differs"
			return 1
		}
		;;
	pipe | both | learn)
		count_files took/m.*
		same_counts TAKEN pipe "$times" || return
		;;
	esac
	count_files "$MAILROOT/$user"/{cur,new}/*
	if [ "$policy" = never ]; then
		[ "$SEEN_N" -eq 0 ] || {
			WHY="$SEEN_N left on the server"
			return 1
		}
	else
		same_counts SERVED server || return
	fi
}

# --- one run ---------------------------------------------------------------------------

# FAULT: a fresh user and a fresh place for the files.
fresh() {
	times=many quick=''
	[[ $1 != down && $1 != up ]] || times=1 quick=1
	rm -rf root took
	cp -a "$W/tmpl/root" root
	new_user
	write_conf "$user" "$PORT"
}

right_status() {
	if [ -z "$struck" ]; then
		[ "$rc" -eq 0 ] && is_done
		return
	fi
	case $1:$rc in
	kill:0 | harsh:0 | soft:0) return 0 ;;
	*:0)	is_done "$1" ;; # harmless, or it is not
	full:75 | filling:75 | down:75 | up:75) [ -s err ] ;;
	bad:73 | bad:74) [ -s err ] ;;
	# The command says it in its own way: 1.
	bad:75)	[ "$target" = pipe ] ;;
	*)	return 1 ;;
	esac
}

# FAULT: the next run, and what is there then.
judge() {
	local wrong=
	run_command
	[ $rc -eq 0 ] || wrong="then exit $rc, "
	[ ! -s err ] || wrong+="then $(<err), "
	is_done || wrong+="then $WHY"
	WHY=$wrong
	[ -z "$wrong" ] || return
	[[ $1 == down || $1 == up || $policy == never ]] && return
	wrong=$("$FETCHD" -c conf -n 2>err </dev/null)
	[ -z "$wrong" ] && return
	WHY="would fetch again: $wrong"
	return 1
}

# --- a scenario --------------------------------------------------------------------------

# What it begins with, in tmpl/, and what it must end with: MAIL MBOX TAKEN
# SERVED. Nothing is checked here but that fetchd says all is well.
prepare() {
	local files=("$T"/msgs/[145]) n=3 i
	IFS=- read -r proto policy target <<<"$scenario"
	PORT=$IMAP_PORT
	[ "$proto" = imap ] || PORT=$POP3_PORT
	case $target in
	maildir) n=5 files=("$T"/msgs/[1-5]) ;;
	more)	n=7 files=("$T"/msgs/[1-5]) ;;
	many)	n=300 files=("$T"/many/*) ;;
	mbox | pipe) n=0 ;;
	esac
	quick=''
	rm -rf root took tmpl
	mkdir root tmpl
	[ "$target" != mbox ] || printf 'From x\n\nold\n\n' >root/mbox
	if [ "$target" = learn ]; then
		mkdir -p root/in/{cur,new,tmp}
		cp "$T/msgs/4" root/in/cur/1.a:2,S
	fi
	user=w$w.$((++serial)).$scenario
	feed "$user" INBOX "${files[@]}"
	# With "more", our state and the server's index as well.
	if [ "$target" = more ]; then
		write_conf "$user" "$PORT"
		for i in 1 2; do
			run_command
			[ $rc -eq 0 ] || die "$scenario, before: $(<err)"
		done
		feed "$user" INBOX "$T"/msgs/[67]
	fi
	cp -a root tmpl/root
	cp -a "$MAILROOT/$user" tmpl/mail
	count_files "$MAILROOT/$user"/{cur,new}/*
	copy_counts SERVED
	write_conf "$user" "$PORT"
	run_command
	[ $rc -eq 0 ] || die "$scenario, undisturbed: $(<err)"
	count_files root/in/{cur,new}/*
	[ "$SEEN_N" -eq "$n" ] || die "$scenario: $SEEN_N messages"
	copy_counts MAIL
	[ ! -e root/mbox ] || read_mbox
	MBOX=${TEXT-}
	count_files took/m.*
	copy_counts TAKEN
	times=1
	is_done || die "$scenario, undisturbed: $WHY"
}
