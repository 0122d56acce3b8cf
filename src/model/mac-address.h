/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MAC addresses as they stand in definitions: six bytes in lower case with colons. */
#pragma once

#include <glib.h>

/* NULL when the text is no MAC address, or that of a group. (transfer full) */
char *vb_mac_normalize(const char *text);
/* A random one of those that virtual machines have ("52:54:00:…"). (transfer full) */
char *vb_mac_random(void);
