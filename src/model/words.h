/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What strings of the domain format look like, where it is the same in several places. */
#pragma once

#include <glib.h>

/* A DNS name or an IP address. */
gboolean vb_is_host_name(const char *string);
/* Letters, digits and `extra`, at least one of them. */
gboolean vb_is_word(const char *string, const char *extra);
/* An absolute path that can be a file's: not "/". */
gboolean vb_is_file_path(const char *string);
/* Of UTF-8: no control characters, and nothing that XML cannot hold. */
gboolean vb_is_printable(const char *string);
