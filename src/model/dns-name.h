/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names as RFC 1123 has them, in the definitions of networks. What is accepted here can stand in a
 * line of a name server's configuration as it is. */
#pragma once

#include <glib.h>

/* 1..63 letters, digits and hyphens; no hyphen at an end. */
gboolean vb_is_dns_label(const char *string);
/* Labels with dots between them, at most 253 bytes; no dot at an end. The last label is no number,
 * so that a name is never an address. */
gboolean vb_is_dns_name(const char *string);
/* A DNS name that stands for a host in the configuration of a DHCP server, where it must not be
 * taken for a lease time ("45m", "infinite") or for "ignore". */
gboolean vb_is_dhcp_name(const char *string);
/* A DHCP unique identifier as bytes in hexadecimal with colons, of type 1 to 4 (RFC 8415): in lower
 * case and with two digits each; NULL when it is none. (transfer full) */
char *vb_duid_normalize(const char *string);
