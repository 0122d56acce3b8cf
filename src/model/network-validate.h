/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vb_network_def_validate() for a definition that was just read: messages name lines. */
#pragma once

#include "network-def.h"
#include "xml-reader.h"

/* `reader` may be NULL. Errors: as vb_network_def_validate(). */
gboolean vb_network_def_check(const VbNetworkDef *def, VbXmlReader *reader, GError **error);

/* The two halves that have files of their own: all <ip> and <route>; <dns>. */
gboolean vb_network_def_check_addresses(const VbNetworkDef *def, GError **error);
gboolean vb_network_def_check_dns(const VbNetworkDef *def, GError **error);

/* Is the array short enough? Otherwise VB_ERROR_LIMITS_EXCEEDED at `line`: "at most `max` `what`".
 */
gboolean vb_network_check_count(const GPtrArray *array, guint max, guint line, const char *where,
                                const char *what, GError **error);
/* Is the address one that a host can have? */
gboolean vb_network_check_ip(const VbIpAddress *address, guint line, const char *where,
                             GError **error);
/* A set of strings, which it owns. */
GHashTable *vb_string_set_new(void);
/* FALSE when the set has it already. `string` is taken. */
gboolean vb_string_set_add(GHashTable *set, char *string);
