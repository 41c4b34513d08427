#ifndef SYNCD_LOCAL_WATCH_H
#define SYNCD_LOCAL_WATCH_H

#include "base/uidset.h"
#include "options.h"

/*
 * Being told of changes in the Maildir tree (inotify(7)), our own ones as well:
 * of messages in cur/ and new/, and of directories that come and go.
 */
struct local_watch {
	int fd;       /* readable when something happened; -1: never */
	bool partial; /* not all is watched; a warning has said so */
	bool grown;   /* directories came or went: local_watch_all() is due */

	/* private */
	struct uidset outer; /* watches of directories that hold folders */
	uint32_t newest;     /* the highest watch so far */
	bool said;
};

void local_watch_open(struct local_watch *);
void local_watch_close(struct local_watch *);

/* Watches all directories that are there by now.  What happened in them before
 * is for local_survey() to see, which is to follow. */
void local_watch_all(struct local_watch *, const struct sync *);

/* Takes what was told; true if it is about a message or a folder.  Never
 * waits. */
bool local_watch_news(struct local_watch *);

#endif
