/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What strings of the domain format look like, where it is the same in several places. */
#pragma once

#include <glib.h>

/* A DNS name or an IP address. */
gboolean vb_is_host_name(const char *string);
/* Letters, digits and `extra`, at least one of them. */
gboolean vb_is_word(const char *string, const char *extra);
