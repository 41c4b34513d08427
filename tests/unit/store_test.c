/*
 * os/store: what is committed stays, and what is damaged is set aside.
 */

#include "os/store.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/log.h"
#include "tap.h"

static struct err e;
static char dir[] = "/tmp/store.XXXXXX", path[64];
static const char *const schema[] = {
    "CREATE TABLE t (v INTEGER);", "ALTER TABLE t ADD COLUMN w TEXT;"};

static int
open_store(int versions, enum store_found *found, struct store **s)
{
	return store_open(path, schema, versions, found, s, &e);
}

static int
run(struct store *s, const char *sql)
{
	struct query *q = query_new(s, sql);
	int rv = query_run(q, &e);

	query_free(q);
	return rv;
}

static int64_t
number(struct store *s, const char *sql)
{
	struct query *q = query_new(s, sql);
	int64_t v = query_step(q, &e) == 1 ? query_get_int(q, 0) : -1;

	query_free(q);
	return v;
}

/* A process that is killed in the middle of a transaction. */
static void
run_and_die(void)
{
	enum store_found found;
	struct store *s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (open_store(2, &found, &s) == -1 ||
		    store_begin(s, &e) == -1 ||
		    run(s, "INSERT INTO t (v) VALUES (10)") == -1 ||
		    store_commit(s, &e) == -1 || store_begin(s, &e) == -1 ||
		    run(s, "INSERT INTO t (v) VALUES (100)") == -1)
			_exit(1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "killed in a transaction");
}

static void
test_life(void)
{
	enum store_found found;
	struct store *s;

	is_int(open_store(1, &found, &s), 0, "opened: %s", e.text);
	is_int(found, STORE_NEW, "new");
	quiet(run(s, "INSERT INTO t VALUES (1)") == 0, "%s", e.text);
	is_int(store_begin(s, &e), 0, "begin");
	quiet(run(s, "INSERT INTO t VALUES (2)") == 0, "%s", e.text);
	store_rollback(s);
	is_int(number(s, "SELECT sum(v) FROM t"), 1, "rolled back");
	is_int(number(s, "PRAGMA synchronous"), 2, "synchronous=FULL");
	store_close(s);
	is_int(open_store(2, &found, &s), 0, "migrated: %s", e.text);
	is_int(found, STORE_FOUND, "found");
	is_int(number(s, "SELECT count(*) FROM t WHERE w IS NULL"), 1,
	    "with its rows");
	store_close(s);
	is_int(open_store(1, &found, &s), -1, "by an older program");
	is_int(err_exit(&e), 78, "refused: %s", e.text);
	run_and_die();
	is_int(open_store(2, &found, &s), 0, "opened again: %s", e.text);
	is_int(found, STORE_FOUND, "found after a kill");
	is_int(number(s, "SELECT sum(v) FROM t"), 11,
	    "what was committed, and no more");
	store_close(s);
}

static void
test_text(void)
{
	enum store_found found;
	struct store *s;
	struct query *q;
	struct span got;

	quiet(open_store(2, &found, &s) == 0, "%s", e.text);
	q = query_new(s, "INSERT INTO t (v, w) VALUES (?1, ?2)");
	query_int(q, 1, 7);
	query_text(q, 2, span_bytes("a\0b'", 4));
	is_int(query_run(q, &e), 0, "text with a NUL and a quote");
	query_free(q);
	q = query_new(s, "SELECT w, v FROM t WHERE v = 7");
	is_int(query_step(q, &e), 1, "a row");
	got = query_get_text(q, 0);
	is_mem(got.p, got.n < 4 ? got.n : 1, "a", "its text");
	is_int((long long)got.n, 4, "all of it");
	ok(query_is_int(q, 1) && !query_is_int(q, 0), "its types");
	query_free(q);
	store_close(s);
}

static void
test_damage(void)
{
	char pattern[96], junk[4096];
	enum store_found found;
	struct store *s;
	glob_t g;
	int fd;

	memset(junk, 'x', sizeof(junk));
	fd = open(path, O_WRONLY | O_TRUNC);
	quiet(write(fd, junk, sizeof(junk)) == sizeof(junk), "junk");
	close(fd);
	is_int(open_store(2, &found, &s), 0, "damaged: %s", e.text);
	is_int(found, STORE_DAMAGED, "and said so");
	is_int(number(s, "SELECT count(*) FROM t"), 0, "begun anew");
	store_close(s);
	snprintf(pattern, sizeof(pattern), "%s.damaged-*", path);
	is_int(glob(pattern, 0, NULL, &g), 0, "the old one is kept aside");
	if (g.gl_pathc > 0)
		unlink(g.gl_pathv[0]);
	globfree(&g);
}

static void
test_names(void)
{
	char *got, *again;

	setenv("STATE_DIRECTORY", "/s", 1);
	is_int(store_path("syncd", "work@x", &got, &e), 0, "a section's");
	is_str(got, "/s/work%40x.db", "is named after it");
	free(got);
	is_int(store_path("syncd", "a/../b", &got, &e), 0, "whatever it is");
	is_str(got, "/s/a%2F..%2Fb.db", "it stays there");
	free(got);
	unsetenv("STATE_DIRECTORY");
	got = store_name(span_of("imaps://h\n/m"));
	again = store_name(span_of("imaps://h\n/n"));
	is_int((long long)strlen(got), 20, "without a section");
	ok(strncmp(got, "url-", 4) == 0, "a name in its place");
	ok(strcmp(got, again) != 0, "each its own");
	free(again);
	again = store_name(span_of("imaps://h\n/m"));
	is_str(again, got, "and always the same");
	free(again);
	free(got);
}

/* Garbage in the middle, which a look from outside does not show. */
static void
test_damage_inside(void)
{
	char pattern[96], junk[4096];
	enum store_found found;
	struct query *q;
	struct store *s;
	glob_t g;
	int fd, i, rv;

	quiet(open_store(2, &found, &s) == 0, "open: %s", e.text);
	q = query_new(s, "INSERT INTO t (w) VALUES (?1)");
	memset(junk, 'x', sizeof(junk));
	for (i = 0; i < 100; i++) {
		query_text(q, 1, span_bytes(junk, 1000));
		quiet(query_run(q, &e) == 0, "insert: %s", e.text);
	}
	query_free(q);
	ok(!store_is_damaged(s), "sound");
	store_close(s);
	fd = open(path, O_WRONLY);
	for (i = 0; i < 20; i++)
		quiet(pwrite(fd, junk, sizeof(junk), 8192 + i * 4096) ==
			  sizeof(junk),
		    "junk");
	close(fd);
	is_int(open_store(2, &found, &s), 0, "opened: %s", e.text);
	is_int(found, STORE_FOUND, "as if sound");
	q = query_new(s, "SELECT sum(length(w)) FROM t");
	while ((rv = query_step(q, &e)) == 1)
		;
	ok(rv == -1 && e.kind == ERR_TEMP && store_is_damaged(s),
	    "met in reading: %s", e.text);
	ok(access(path, F_OK) == -1, "set aside at once");
	query_free(q);
	store_close(s);
	is_int(open_store(2, &found, &s), 0, "and begun anew: %s", e.text);
	is_int(found, STORE_NEW, "a new one");
	store_close(s);
	snprintf(pattern, sizeof(pattern), "%s.damaged-*", path);
	is_int(glob(pattern, 0, NULL, &g), 0, "the old one is kept");
	for (i = 0; i < (int)g.gl_pathc; i++)
		unlink(g.gl_pathv[i]);
	globfree(&g);
}

/* Static. */
static const char *
log_path(void)
{
	static char log[300];

	snprintf(log, sizeof(log), "%s-wal", path);
	return log;
}

static long long
size_of_log(void)
{
	struct stat st;

	return stat(log_path(), &st) == 0 ? (long long)st.st_size : -1;
}

int
main(void)
{
	log_init("store", LOG_L_QUIET);
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/state.db", dir);
	test_names();
	test_life();
	test_text();
	test_damage();
	test_damage_inside();
	unlink(path);
	is_int(size_of_log(), 0, "a clean close leaves the log empty");
	unlink(log_path());
	ok(rmdir(dir) == 0, "and nothing else");
	return done();
}
