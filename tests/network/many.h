/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Many networks on a NetHost, and a count of what there is of them: for hundred.c, a test, and
 * bench-network.c. */
#pragma once

#include "net-host.h"

typedef struct {
    guint links, rules, processes; /* of the host's namespace; rules: lines of all tables */
    guint fds;                     /* of the daemon */
} ManyCount;

ManyCount many_count(NetHost *host);

/* The document of a network "<name>-<n>" with 10.77.<n>.1/24 (n: 0..255). `parts`: of the network,
 * <forward> and so on. (transfer full) */
char *many_xml(const char *name, guint n, gboolean dhcp, const char *parts);

/* `n` of them with NAT, DHCP and DNS; their objects. (transfer full) */
GPtrArray *many_define(NetHost *host, guint n);
/* "Start", "Destroy", "Undefine": of all at once. */
void many_do(NetHost *host, const GPtrArray *networks, const char *method);
