#ifndef SENDQ_SMTPD_H
#define SENDQ_SMTPD_H

#include "accept.h"
#include "runner.h"

/*
 * -bs: an SMTP server (RFC 5321) on two descriptors, for mail readers that
 * speak it to a program. Each message is in the queue, durable, before its
 * 250, and the runner is started for it. Returns an exit code.
 */
int smtpd_run(struct accept *, struct runner *, int in, int out);

#endif
