/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What getters and handlers append to messages again and again. A message that once refused a value
 * refuses to be closed, and one bad getter would fail the whole GetManagedObjects: so strings from
 * outside go through here. Failures (out of memory, a message too large) show at the sending. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* s: NULL is "", and what is not UTF-8 is replaced by U+FFFD. */
void vb_message_append_string(sd_bus_message *message, const char *value);
/* as; NULL is empty. */
void vb_message_append_strv(sd_bus_message *message, const char *const *values);
/* An entry {sv} inside an open a{sv}: the value of a basic type or whatever sd_bus_message_append()
 * takes for types. Strings in it must be valid; vb_message_append_entry_string() cares for others.
 */
void vb_message_append_entry(sd_bus_message *message, const char *key, const char *types, ...);
void vb_message_append_entry_string(sd_bus_message *message, const char *key, const char *value);

/* Bytes of the body of a sealed message, alignment included; when there are more than max, some
 * number above that. Rewinds it. */
gsize vb_message_body_size(sd_bus_message *message, gsize max);
