#ifndef SENDQ_ACCEPT_RCPTS_H
#define SENDQ_ACCEPT_RCPTS_H

#include "options.h"

/*
 * Adds the recipients to the envelope, each address once: those without a
 * domain as the aliases file has them, and who is in none as the account's own
 * address. -1: ERR_MESSAGE for what is no address for an envelope; ERR_CONFIG
 * (EX_NOUSER) for a name that comes to none; ERR_LOCAL or ERR_CONFIG for the
 * file.
 */
int rcpts_add(const struct send *, const struct words *given,
    struct envelope *env, struct err *);

#endif
