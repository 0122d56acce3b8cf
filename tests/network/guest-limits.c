/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * <bandwidth>: no more than it says comes through, in either direction. Only that is asserted; how
 * much does come depends on the machine, and is printed. */
#include "net-guest.h"

#define LIMIT G_GUINT64_CONSTANT(1048576) /* bytes/s: average='1024' */
#define TRANSFER (3 * LIMIT)
/* At that rate it takes three seconds without any burst; half of them is generous. */
#define MIN_US (TRANSFER / LIMIT * G_USEC_PER_SEC / 2)

#define BANDWIDTH "<bandwidth><inbound average='1024'/><outbound average='1024'/></bandwidth>"
#define NETWORK(name, subnet, bandwidth)                                                           \
    "<network><name>" name "</name><forward mode='nat'/>" bandwidth "<ip address='" subnet         \
    ".1' prefix='24'><dhcp><range start='" subnet ".100' end='" subnet                             \
    ".199'/></dhcp></ip></network>"
#define INTERFACE(network, bandwidth)                                                              \
    "<interface type='network'><source network='" network "'/><model type='virtio'/>" bandwidth    \
    "</interface>"

static const struct {
    const char *network, *gateway, *interface;
    gboolean limited;
} cases[] = {
    {NETWORK("free", "192.168.76", ""), "192.168.76.1", INTERFACE("free", ""), FALSE},
    {NETWORK("interface", "192.168.77", ""), "192.168.77.1", INTERFACE("interface", BANDWIDTH),
     TRUE},
    {NETWORK("network", "192.168.78", BANDWIDTH), "192.168.78.1", INTERFACE("network", ""), TRUE},
};

/* µs */
static gint64 receive(NetGuest *guest, NetServer *server)
{
    gint64 begin = g_get_monotonic_time();
    g_autofree char *size =
        net_guest_run(guest, "nc " NET_OUTSIDE_ADDRESS " %u </dev/null | tail -n +2 | wc -c",
                      net_server_port(server));

    g_assert_cmpint(atoi(size), ==, TRANSFER);
    return g_get_monotonic_time() - begin;
}

static gint64 transmit(NetGuest *guest, NetServer *server)
{
    gsize before = net_server_received(server);
    gint64 begin = g_get_monotonic_time();

    g_free(net_guest_run(guest,
                         "dd if=/dev/zero bs=65536 count=%u 2>/dev/null | "
                         "nc " NET_OUTSIDE_ADDRESS " %u >/dev/null",
                         (guint)(TRANSFER / 65536), net_server_port(server)));
    g_assert_cmpuint(net_server_received(server) - before, ==, TRANSFER);
    return g_get_monotonic_time() - begin;
}

static void test_limits(void)
{
    g_autoptr(NetHost) host = net_host_new_for_guests();

    if (host == NULL)
        return;
    g_autoptr(GString) interfaces = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        net_host_network(host, cases[i].network);
        g_string_append(interfaces, cases[i].interface);
    }
    g_autoptr(NetServer) sends = net_server_new(host, TRUE, TRANSFER);
    g_autoptr(NetServer) reads = net_server_new(host, TRUE, NET_SERVER_SINK);
    g_autoptr(NetGuest) guest = net_guest_new(host, "one", interfaces->str);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *device = g_strdup_printf("eth%u", i);
        g_free(net_guest_await_address(guest, device));
        net_guest_route_by(guest, device, cases[i].gateway);
        gint64 received = receive(guest, sends), transmitted = transmit(guest, reads);
        g_test_message("by %s: %u KiB received in %.2f s, transmitted in %.2f s", cases[i].gateway,
                       (guint)(TRANSFER / 1024), received / 1e6, transmitted / 1e6);
        if (cases[i].limited) {
            g_assert_cmpint(received, >, MIN_US);
            g_assert_cmpint(transmitted, >, MIN_US);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-limits/all", test_limits);
    return g_test_run();
}
