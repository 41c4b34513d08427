/*
 * os/secret: where secrets come from, in which order, and what is refused.
 * That a prompt is not attempted without a terminal is all that can be tested
 * of it here: the test puts itself in a session without one.
 */

#include <sys/stat.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/secret.h"

#include "tap.h"

static char dir[] = "/tmp/secret_test.XXXXXX";
static struct account a;
static struct err e;
static int rv;

static char *
at(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

/* Makes a file of these bytes and this mode; its path, to be freed. */
static char *
put(const char *name, const char *bytes, size_t n, mode_t mode)
{
	char *path = at(name);
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) == EOF ||
	    chmod(path, mode) == -1)
		abort();
	return path;
}

/* The password found, or the text of the error; NULL after neither. */
static const char *
password(void)
{
	static char got[2048];
	char *secret = NULL;

	err_clear(&e);
	rv = secret_password(&a, "imap.example.org", true, &secret, &e);
	strlcpy(got, rv == 0 && secret != NULL ? secret : e.text, sizeof(got));
	mem_free_secret(secret);
	return got;
}

static void
set(char **to, const char *value)
{
	free(*to);
	*to = value == NULL ? NULL : mem_strdup(value);
}

static void
test_command(void)
{
	char *big;

	set(&a.password_command, "printf 'geheim \\r\\nsecond line\\n'");
	is_str(password(), "geheim ", "the first line, without line end");
	set(&a.password_command, "printf x");
	is_str(password(), "x", "no newline at the end");
	set(&a.password_command, "true");
	is_str(password(), "password-command 'true': gave an empty secret",
	    "empty");
	is_int(err_exit(&e), EX_NOPERM, "exit code 77");
	set(&a.password_command, "echo geheim; exit 3");
	is_str(password(),
	    "password-command 'echo geheim; exit 3' exited with "
	    "3",
	    "failed");
	is_int(err_exit(&e), EX_TEMPFAIL, "exit code 75");
	set(&a.password_command, "pas show x");
	is_str(password(),
	    "password-command 'pas show x': pas: command not found", "typo");
	is_int(err_exit(&e), EX_CONFIG, "exit code 78");
	set(&a.password_command, "printf 'a\\000b\\n'");
	ok(strstr(password(), "NUL") != NULL && rv == -1, "a NUL");
	set(&a.password_command, "head -c 8000 /dev/zero | tr '\\0' x");
	rv = secret_password(&a, "h", false, &big, &e);
	is_int(rv == 0 ? strlen(big) : 0, 8000, "a long one");
	mem_free_secret(big);
	set(&a.password_command, NULL);
}

static void
test_file(void)
{
	char *path = put("pw", "from file\nrest", 14, 0600), want[256];

	set(&a.password_file, path);
	is_str(password(), "from file", "password-file");
	chmod(path, 0640);
	snprintf(want, sizeof(want),
	    "password-file: %s: others may read or change it; do: chmod 600 "
	    "'%s'",
	    path, path);
	is_str(password(), want, "readable by the group");
	is_int(err_exit(&e), EX_CONFIG, "exit code 78");
	chmod(path, 0604);
	is_str(password(), want, "readable by the world");
	chmod(path, 0400);
	is_str(password(), "from file", "read-only is fine");
	set(&a.password_command, "echo from command");
	is_str(password(), "from command", "a command comes first");
	set(&a.password_command, NULL);
	free(path);

	set(&a.password_file, "/no/such/file");
	is_str(password(),
	    "password-file: /no/such/file: No such file or directory",
	    "no such file");
	set(&a.password_file, NULL);
}

static void
test_credential(void)
{
	char *path = put("cred", "from systemd\n", 13, 0440);

	set(&a.credential, "cred");
	unsetenv("CREDENTIALS_DIRECTORY");
	is_str(password(),
	    "credential 'cred': not started by systemd with "
	    "LoadCredential=cred:FILE",
	    "not under systemd");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	is_str(password(), "from systemd", "credential");
	set(&a.credential, "../cred");
	is_str(
	    password(), "credential '../cred': a name, not a path", "no path");
	set(&a.credential, "none");
	ok(strstr(password(), "No such file") != NULL && rv == -1, "none");
	set(&a.credential, NULL);
	free(path);
}

static void
is_netrc(const char *text, const char *want, const char *name)
{
	char *got = secret_netrc(text, "imap.example.org", "ada");

	is_str(got, want, "netrc: %s", name);
	mem_free_secret(got);
}

static void
test_netrc(void)
{
	is_netrc(
	    "machine imap.example.org login ada password p\n", "p", "one line");
	is_netrc("machine\n\tIMAP.example.ORG\n\tpassword p\n\tlogin ada", "p",
	    "many lines, password first, host in any case");
	is_netrc("machine imap.example.org login bob password x\n"
		 "machine imap.example.org login ada password p\n",
	    "p", "two users");
	is_netrc("machine imap.example.org password p", "p", "any user");
	is_netrc("machine imap.example.org login Ada password p", NULL,
	    "another user");
	is_netrc("machine other login ada password x default password p\n", "p",
	    "default");
	is_netrc("machine imap.example.org login ada\n"
		 "machine other password x\n",
	    NULL, "no password");
	is_netrc("machine imap.example.org login \"ada\" password "
		 "\"a b\\\"c\\\\\"\n",
	    "a b\"c\\", "quotes");
	is_netrc("# machine imap.example.org password x\n"
		 "machine imap.example.org # it's mine\n password #p\n",
	    "#p", "comments");
	is_netrc("macdef init\nmachine imap.example.org password x\n\n"
		 "machine imap.example.org account z password ,p\n",
	    ",p", "macros, account");
	is_netrc("machine imap.example.org password a\n"
		 "machine imap.example.org password b\n",
	    "a", "the first counts");
	is_netrc("", NULL, "empty");
	is_netrc("machine", NULL, "cut");
	is_netrc("machine imap.example.org password", NULL, "cut");
	is_netrc("machine imap.example.org password \"abc", "abc",
	    "a quote that is not closed");
}

static void
test_rest(void)
{
	static const char entry[] =
	    "machine imap.example.org login ada password n\n";
	char *path;

	setenv("HOME", dir, 1);
	is_str(password(),
	    "no password for ada at imap.example.org: set password-command, "
	    "password-file or credential, or add to ~/.netrc: machine "
	    "imap.example.org login ada password ...",
	    "none, and no terminal");
	is_int(err_exit(&e), EX_NOPERM, "exit code 77");
	path = put(".netrc", entry, sizeof(entry) - 1, 0644);
	ok(strstr(password(), "chmod 600") != NULL && rv == -1,
	    "a netrc that others may read");
	chmod(path, 0600);
	is_str(password(), "n", "netrc");
	free(path);
}

static void
test_token(void)
{
	char *token = NULL;

	is_int(secret_token(&a, &token, &e), -1, "no token");
	set(&a.token_command, "echo abc");
	is_int(secret_token(&a, &token, &e), 0, "a token");
	is_str(token, "abc", "its text");
	mem_free_secret(token);
	set(&a.token_command, "false");
	is_int(secret_token(&a, &token, &e), -1, "no token now");
	is_str(e.text, "token-command 'false' exited with 1", "why");
}

int
main(void)
{
	static const char *const files[] = {"pw", "cred", ".netrc"};
	pid_t pid = fork();
	size_t i;
	int status;

	/* A child that leads no group can leave the terminal. */
	if (pid != 0) {
		while (waitpid(pid, &status, 0) == -1)
			;
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	setsid();
	if (mkdtemp(dir) == NULL)
		return 1;
	account_init(&a);
	set(&a.user, "ada");
	test_command();
	test_file();
	test_credential();
	test_netrc();
	test_rest();
	test_token();
	account_clear(&a);
	for (i = 0; i < 3; i++) {
		char *path = at(files[i]);

		unlink(path);
		free(path);
	}
	rmdir(dir);
	return done();
}
