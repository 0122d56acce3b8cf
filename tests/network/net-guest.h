/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NetGuest: a domain of the NetHost in which Linux really boots (scripts/guest-image), and whose
 * shell the test talks to over the serial port. No more than two at once. */
#pragma once

#include "net-host.h"

typedef struct NetGuest NetGuest;

/* Makes a transient domain and starts it; `interfaces`: <interface> elements. It asks for addresses
 * by DHCP on all of them, as the host `name`. */
NetGuest *net_guest_new(NetHost *host, const char *name, const char *interfaces);
/* Destroys the domain. Accepts NULL. */
void net_guest_free(NetGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetGuest, net_guest_free)

/* The domain's object. */
const char *net_guest_domain(NetGuest *guest);
/* Until it has booted, which all that follows does by itself. */
void net_guest_await_boot(NetGuest *guest);

/* Runs a shell command in the guest; it must succeed. Its output without the last newline.
 * (transfer full) */
char *net_guest_run(NetGuest *guest, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Does it succeed? */
gboolean net_guest_try(NetGuest *guest, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Again and again, until it succeeds. */
void net_guest_await(NetGuest *guest, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* What a NetServer says to who connects to that address: who that is there. NULL: it was not
 * reached. (transfer full) */
char *net_guest_ask(NetGuest *guest, const char *address, NetServer *server);

/* Until the device ("eth0") has an IPv4 address, which DHCP has given. (transfer full) */
char *net_guest_await_address(NetGuest *guest, const char *device);
/* The only default route is by that gateway. */
void net_guest_route_by(NetGuest *guest, const char *device, const char *gateway);
