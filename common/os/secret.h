#ifndef OS_SECRET_H
#define OS_SECRET_H

#include <stdbool.h>

#include "base/err.h"
#include "os/account.h"

/*
 * Finds a secret: the first that is set of password-command, password-file,
 * credential (in $CREDENTIALS_DIRECTORY); else ~/.netrc, else a prompt on the
 * terminal.  Run by the parent, with the user's full rights.
 */

/*
 * The password for account at host; owned by the caller, release with
 * mem_free_secret().  ERR_AUTH when there is none, with the remedies;
 * ERR_CONFIG for a file that others may read or that is not there; ERR_TEMP
 * when the command failed or took over 60 s.  `prompt` allows the terminal.
 */
int secret_password(const struct account *, const char *host, bool prompt,
    char **secret_r, struct err *);

/* The access token from token-command; run anew at every call. */
int secret_token(const struct account *, char **secret_r, struct err *);

/*
 * The password in ~/.netrc text for (host, user): "machine H login U password
 * P", "default", quoted words; a machine without login matches any user; the
 * first match counts.  Owned by the caller; NULL: none.
 */
char *secret_netrc(const char *text, const char *host, const char *user);

#endif
