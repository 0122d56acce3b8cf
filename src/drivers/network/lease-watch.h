/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbLeaseWatch: the leases of one dnsmasq as they are now: what its lease file says, and then what
 * virtbus-lease-helper reports to a socket. Owned by VbDnsmasq. */
#pragma once

#include <sys/types.h>

#include "lease.h"

typedef struct VbLeaseWatch VbLeaseWatch;

/* All leases as they are now, in the order of their addresses: of VbLease (transfer full). */
typedef void (*VbLeasesChanged)(GPtrArray *leases, gpointer user_data);

/* Opens the socket `socket_path`, to which only `uid` and root can send. Leases are reported from
 * the main context of the caller. VB_ERROR_FAILED. */
VbLeaseWatch *vb_lease_watch_new(const char *socket_path, const char *file_path, uid_t uid,
                                 VbLeasesChanged changed, gpointer user_data, GError **error);
/* Closes the socket; its file stays. Accepts NULL. */
void vb_lease_watch_free(VbLeaseWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbLeaseWatch, vb_lease_watch_free)

/* Reads the lease file and reports what it says, also when it says what was known. A file that is
 * not there has no leases. */
void vb_lease_watch_read(VbLeaseWatch *watch);
