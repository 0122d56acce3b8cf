/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Documents that a command sends to the daemon. */
#pragma once

#include <glib.h>

/* The text of a file, of stdin for "-". It must be UTF-8 without NUL, as a D-Bus string is; whether
 * it is good XML is the daemon's to say. VB_ERROR_FAILED names the file. */
char *vb_input_read(const char *file, GError **error);
