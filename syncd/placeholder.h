#ifndef SYNCD_PLACEHOLDER_H
#define SYNCD_PLACEHOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * A placeholder: a file that stands for a message of which the server alone has
 * the body.  It is a valid message of its own: the header, but for what that
 * says of the content and the Subject, which stand as X-Syncd-Original-...; a
 * Subject that begins with "[placeholder, 5.2 MB]"; and a note to its reader.
 *
 * What it is can be told from the file alone, by the field X-Syncd-Placeholder
 * (the message's size), wherever a mail reader puts it; and the header can be
 * had back from it, so that it is known as the message that it stands for.
 * Pure; headers with any line ends.
 */

/* Whether that is the header of one; *size_r: of the whole message, with
 * CRLFs. */
bool placeholder_is(struct span header, uint64_t *size_r);

/*
 * Appends the placeholder of a message with this header (the empty line may be
 * there or not).  What is added has LFs at its ends.  -1 at *out's limit: four
 * times the header and 2,000 bytes suffice.
 */
int placeholder_write(struct span header, uint64_t size, struct buf *out);

/* Appends the header that the placeholder was made of. */
int placeholder_header(struct span header, struct buf *out);

#endif
