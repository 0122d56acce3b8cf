/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * User-mode networking, QEMU's own and passt's: a guest comes out of it by both, and ports of the
 * host lead into it. */
#include "net-guest.h"

/* Each at an interface of its own, each with a port of the host. */
static const char interfaces[] =
    "<interface type='user'><model type='virtio'/>"
    "<portForward proto='tcp' address='127.0.0.1'><range start='7001' to='80'/></portForward>"
    "</interface>"
    "<interface type='user'><model type='virtio'/><backend type='passt'/>"
    "<portForward proto='tcp' address='127.0.0.1'><range start='7002' to='80'/></portForward>"
    "</interface>";

static void test_user(void)
{
    g_autoptr(NetHost) host = net_host_new_for_guests();

    if (host == NULL)
        return;
    g_autoptr(NetServer) server = net_server_new(host, TRUE, 0);
    g_autoptr(NetGuest) guest = net_guest_new(host, "one", interfaces);
    g_autofree char *own = net_guest_await_address(guest, "eth0");
    g_autofree char *passt = net_guest_await_address(guest, "eth1");
    g_assert_cmpstr(own, ==, "10.0.2.15");
    g_assert_cmpstr(passt, ==, NET_HOST_ADDRESS); /* passt gives the guest the host's address */

    /* Out, by each of them. */
    static const char *const gateways[] = {"10.0.2.2", NET_GATEWAY};
    for (guint i = 0; i < G_N_ELEMENTS(gateways); i++) {
        g_autofree char *device = g_strdup_printf("eth%u", i);
        net_guest_route_by(guest, device, gateways[i]);
        g_autofree char *peer = net_guest_ask(guest, NET_OUTSIDE_ADDRESS, server);
        g_assert_cmpstr(peer, ==, NET_HOST_ADDRESS);
    }

    /* And in. */
    g_free(net_guest_run(guest, "echo hello from the guest >/www/index.html; "
                                "httpd -h /www -p 80 >/dev/null 2>&1"));
    for (guint port = 7001; port <= 7002; port++) {
        g_autofree char *page =
            net_host_run(host, "busybox wget -q -O - http://127.0.0.1:%u/", port);
        g_assert_cmpstr(page, ==, "hello from the guest\n");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-user/out-and-in", test_user);
    return g_test_run();
}
