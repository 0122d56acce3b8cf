/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel's settings below /proc/sys/net, in the caller's network namespace. A key is a path
 * below it: "ipv4/ip_forward". */
#pragma once

#include <glib.h>

/* -1 when there is no such setting, or when it is no number. */
int vb_sysctl_get(const char *key);
/* Writes it when it has another value. Errors: VB_ERROR_NOT_SUPPORTED: the kernel has no such
 * setting; VB_ERROR_FAILED. */
gboolean vb_sysctl_set(const char *key, int value, GError **error);

/* Of a device, of IPv6: "accept_ra". */
char *vb_sysctl_ipv6_key(const char *device, const char *setting);
/* No IPv6 on a device that only hands on: no addresses, no messages of the host's. */
gboolean vb_sysctl_disable_ipv6(const char *device, GError **error);
