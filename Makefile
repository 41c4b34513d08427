# mailroom: three small tools that move one person's mail.
#
# Modules are listed in reading order, and a module includes only modules
# listed before it (tests/lint/layers checks that). Everything that make makes
# goes below $(B).

CC ?=	cc
B ?=	build
PREFIX ?= /usr/local
PKG_CONFIG ?= pkg-config
VERSION = 0.1

BASE =	mem err span buf hash wire time words suggest glob enc encword json utf7 \
	uidset url address address_form header
PROTO =	scram sasl pop3 pop3_session imap_lex imap_queue imap imap_code \
	imap_item imap_folder imap_reply imap_session smtp_caps smtp smtp_reply \
	smtp_session
OS =	clock log stop file durable lock conf conf_read conf_apply tls_cert \
	tls socks account command secret store maildir mbox sandbox net srv \
	deflate pump progress notify ask parent idn
CLIENT = server link imap_client imap_idle stay

FETCHD = options seen inbox_commands inbox_batch inbox_settle inbox run \
	pop3_conn pop3_plan pop3_fetch imap_conn imap_plan imap_remove \
	imap_fetch watch worker main
SENDQ =	face envelope history mime_field mime_walk mime_code mime \
	letter_field letter_write letter_scan letter_rcpt letter outcome \
	retry bounce_text bounce bounce_say queue ledger message \
	standing_page standing options options_keys when aliases accept_input \
	accept_body accept_rcpts accept_intake accept report copies tend \
	cargo submit flight flight_note flight_write flight_read flight_run \
	batch batch_account worker runner watch list list_show list_log \
	list_change smtpd smtpd_data main

SYNCD =	plan placeholder options state local local_name local_keywords \
	local_list local_files local_identity local_turn local_watch folders \
	remote remote_watch remote_survey remote_judge remote_diff remote_get \
	remote_append remote_change remote_remove remote_folder apply \
	tour_item tour_rows tour_restore tour_folders tour_look tour_ask \
	tour_pushed tour_judge tour_copied tour_left tour_held tour_know \
	tour_pull tour_push tour_flags tour_move tour_delete watch worker main

have =	$(strip $(foreach m,$(2),$(patsubst %.c,%,$(wildcard $(1)/$(m).c))))
COMMON_M = $(call have,common/base,$(BASE)) $(call have,common/proto,$(PROTO)) \
	$(call have,common/os,$(OS)) $(call have,common/client,$(CLIENT))
TOOLS =	fetchd sendq syncd
fetchd_M = $(call have,fetchd,$(FETCHD))
sendq_M = $(call have,sendq,$(SENDQ))
syncd_M = $(call have,syncd,$(SYNCD))
BINS =	$(foreach t,$(TOOLS),$(if $(filter $(t)/main,$($(t)_M)),$(t)))
UNIT =	$(patsubst tests/unit/%_test.c,%,$(wildcard tests/unit/*_test.c))
FUZZ =	$(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
RIGS =	$(patsubst tests/%.c,%,$(wildcard tests/peer/peer.c \
	tests/peer/sink.c \
	tests/bench/proxy.c tests/bench/floor.c tests/fault/fault.c tests/fault/subject.c \
	tests/servers/mkmail.c tests/syncd/remote_driver.c \
	tests/syncd/model.c))

# Warnings are probed once: an older compiler that lacks one still builds.
WANT =	-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wvla -Wundef -Wswitch-enum -Wimplicit-fallthrough \
	-fstack-protector-strong -fstack-clash-protection -fPIE
try =	$(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null \
	2>/dev/null && echo $(1))
ifndef PROBED
PROBED := $(foreach f,$(WANT),$(call try,$(f)))
endif
LIBS_PC = libbsd-overlay libmd libssl libcrypto sqlite3 zlib libidn2
PC_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS_PC) 2>/dev/null)
PC_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS_PC) 2>/dev/null || \
	echo -lbsd -lmd -lssl -lcrypto -lsqlite3 -lz -lidn2) -lresolv

OPT ?=	-O2 -g
FORTIFY ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
CFLAGS ?= $(OPT)
ALL_CPPFLAGS = -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Icommon \
	$(PC_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=c17 -pthread $(CFLAGS) $(FORTIFY) $(PROBED) $(WERROR) $(SAN)
ALL_LDFLAGS = -pthread -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed \
	$(SAN) $(LDFLAGS)
COMPILE = $(CC) $(ALL_CPPFLAGS) $(OWN) $(ALL_CFLAGS) -MMD -MP

all: $(BINS:%=$(B)/%)

objects = $(patsubst %,$(B)/obj/%.o,$(filter-out %/main,$(1)))
# Tools may have headers of the same name: each file sees those of one tool.
# A test sees those of the tool whose module it is named after, and is linked
# with that; seen_test.c or, where two tools have such, sendq_watch_test.c.
tool_of = $(firstword $(foreach t,$(TOOLS), \
	$(if $(filter $(1) $(1:$(t)_%=%),$($(t)_M:$(t)/%=%)),$(t))))
$(B)/obj/fetchd/%.o: OWN = -Ifetchd
$(B)/obj/sendq/%.o: OWN = -Isendq
$(B)/obj/syncd/%.o: OWN = -Isyncd
$(B)/obj/tests/syncd/%.o: OWN = -Isyncd
$(B)/obj/tests/%.o: OWN = $(addprefix -I,$(call tool_of,$(patsubst \
	%_test,%,$(patsubst %_fuzz,%,$(*F)))))

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(B)/common.a: $(call objects,$(COMMON_M))
$(B)/fetchd.a: $(call objects,$(fetchd_M))
$(B)/sendq.a: $(call objects,$(sendq_M))
$(B)/syncd.a: $(call objects,$(syncd_M))
$(B)/%.a:
	@rm -f $@
	ar rcs $@ $^

$(TOOLS:%=$(B)/%): $(B)/%: $(B)/obj/%/main.o $(B)/%.a $(B)/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PC_LIBS)

# --- tests -----------------------------------------------------------------

.SECONDEXPANSION:
with =	$(patsubst %,$(B)/%.a,$(call tool_of,$(1))) $(B)/common.a

$(B)/unit/%: $(B)/obj/tests/unit/%_test.o $$(call with,$$*)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PC_LIBS)

# The same harness, fed from files: replays the corpora without libFuzzer.
$(B)/replay/%: $(B)/obj/tests/fuzz/%_fuzz.o $(B)/obj/tests/fuzz/replay.o \
    $$(call with,$$*)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PC_LIBS)

# What drives a part of syncd by hand is linked with it.
$(B)/tests/syncd/%: $(B)/obj/tests/syncd/%.o $(B)/syncd.a $(B)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PC_LIBS)

$(B)/tests/%: $(B)/obj/tests/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $< -lssl -lcrypto -lbsd

# Preloaded: never with a sanitizer's runtime of its own.
$(B)/tests/%.so: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) -std=c17 $(CFLAGS) $(PROBED) $(WERROR) -fPIC \
	    -shared -o $@ $<

unit: $(UNIT:%=$(B)/unit/%)
replay: $(FUZZ:%=$(B)/replay/%)
rigs: $(RIGS:%=$(B)/tests/%) $(B)/tests/fault/later.so

# Packages come first, and then a make of its own, which sees what they brought.
MAKE_JOBS =	$(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
RUN =	BUILD=$(abspath $(B)) SANITIZED='$(SAN)' tests/run

demo:
	@tests/deps demo
	@$(MAKE) -s $(MAKE_JOBS) $(B)/fetchd $(B)/sendq $(B)/syncd \
	    $(B)/tests/servers/mkmail
	@BUILD=$(abspath $(B)) tests/demo/run

check:
	@tests/deps check
	@$(MAKE) -s $(MAKE_JOBS) all unit replay rigs
	@$(RUN) unit replay bats

check-unit: unit replay
	@$(RUN) unit replay

# BATS="cli recipes": these files only.
check-bats: all rigs
	@$(RUN) bats $(BATS)

# The long ones: more faults, more messages, more rounds.
soak:
	@tests/deps check
	@$(MAKE) -s $(MAKE_JOBS) all rigs
	@SOAK=1 BATS_TEST_TIMEOUT=7200 $(RUN) bats sendfault sendrace syncfault \
		syncmodel syncmoves

# A sanitizer makes all of it slower.
asan:
	@BATS_TEST_TIMEOUT=1800 $(MAKE) check B=$(B)/asan OPT='-O1 -g' FORTIFY= \
	    SAN='-fsanitize=address,undefined -fno-sanitize-recover=all'

bench:
	@tests/deps bench
	@$(MAKE) -s $(MAKE_JOBS) all rigs
	@BUILD=$(abspath $(B)) tests/bench/run
	@BUILD=$(abspath $(B)) tests/bench/send
	@BUILD=$(abspath $(B)) tests/bench/sync

# SECONDS: for each harness. FUZZERS="imap_lex pop3": these only.
SECONDS = 600
FUZZERS = $(FUZZ)
fuzz:
	@tests/deps fuzz
	@$(MAKE) -s $(MAKE_JOBS) CC=clang B=$(B)/fuzz OPT='-O1 -g' FORTIFY= PROBED=-fPIE \
	    SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
	    FUZZERS='$(FUZZERS)' fuzzers
	@BUILD=$(abspath $(B)) tests/fuzz/run $(SECONDS) $(FUZZERS)

$(B)/bin/%: $(B)/obj/tests/fuzz/%_fuzz.o $$(call with,$$*)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PC_LIBS)

fuzzers: $(FUZZERS:%=$(B)/bin/%)

LINT_FLAGS = -std=c17 $(ALL_CPPFLAGS)
lint:
	@tests/deps check
	@BASE='$(BASE)' PROTO='$(PROTO)' OS='$(OS)' CLIENT='$(CLIENT)' \
	    FETCHD='$(FETCHD)' SENDQ='$(SENDQ)' SYNCD='$(SYNCD)' TOOLS='$(TOOLS)' \
	    tests/lint/run $(LINT_FLAGS)

fmt:
	clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

# --- installing --------------------------------------------------------------

bindir = $(DESTDIR)$(PREFIX)/bin
sbindir = $(DESTDIR)$(PREFIX)/sbin
mandir = $(DESTDIR)$(PREFIX)/share/man
docdir = $(DESTDIR)$(PREFIX)/share/doc/mailroom
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd
MAN =	$(notdir $(wildcard man/*.[157]))
SYSTEM_UNITS = $(wildcard $(foreach t,$(TOOLS),$(t)/*.service $(t)/*.timer $(t)/*.path))
USER_UNITS = $(wildcard $(foreach t,$(TOOLS),$(t)/user/*.service $(t)/*.timer \
	$(t)/*.path))
# A unit names no path until it is installed.
put_units = for u in $(1); do \
	sed 's|^ExecStart=\([a-z]\)|ExecStart=$(PREFIX)/bin/\1|' $$u \
	>$(unitdir)/$(2)/$${u\#\#*/} && \
	chmod 644 $(unitdir)/$(2)/$${u\#\#*/} || exit 1; done
# What sendq is called as, where it takes the place of an MTA.
LINKS =	$(sbindir)/sendmail:../bin/sendq $(bindir)/mailq:sendq \
	$(bindir)/newaliases:sendq
each_link = for l in $(LINKS); do to=$${l\#\#*:} l=$${l%:*}; $(1); done

install: all
	install -d $(bindir) $(docdir) $(unitdir)/system $(unitdir)/user
	for b in $(BINS); do install -m 755 $(B)/$$b $(bindir)/$$b || exit 1; done
	for m in $(MAN); do d=$(mandir)/man$${m##*.}; \
	    install -d $$d && install -m 644 man/$$m $$d/$$m || exit 1; done
	$(call put_units,$(SYSTEM_UNITS),system)
	$(call put_units,$(USER_UNITS),user)
	install -m 644 README.md LICENSE $(docdir)

# Never over another's sendmail: ln fails on what is there and is not ours.
install-sendmail:
	install -d $(bindir) $(sbindir)
	$(call each_link,[ "$$(readlink $$l)" = $$to ] || ln -s $$to $$l || exit 1)

uninstall:
	rm -f $(TOOLS:%=$(bindir)/%) $(docdir)/README.md $(docdir)/LICENSE
	$(call each_link,[ "$$(readlink $$l)" != $$to ] || rm -f $$l || exit 1)
	for m in $(MAN); do rm -f $(mandir)/man$${m##*.}/$$m; done
	rm -f $(addprefix $(unitdir)/system/,$(notdir $(SYSTEM_UNITS))) \
	    $(addprefix $(unitdir)/user/,$(notdir $(USER_UNITS)))
	-rmdir $(docdir)

clean:
	rm -rf $(B)

.PHONY: all unit replay rigs demo check check-unit check-bats soak asan bench fuzz \
	fuzzers lint fmt install install-sendmail uninstall clean
.SECONDARY:

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
