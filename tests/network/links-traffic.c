/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Traffic limits on a real kernel: what tc says of them, frames that really go by them, and the ifb
 * devices that they need, of which none stays. */
#include "links-host.h"

#include <glib-unix.h>
#include <net/ethernet.h>
#include <string.h>

#include "error.h"

#define VNET_HEADER 10 /* bytes before each frame of a tap with IFF_VNET_HDR */
#define PAYLOAD 1400
#define FRAME (sizeof(struct ether_header) + PAYLOAD)

static VbLinks *links;

static VbPort *open_port(const VbPortSpec *spec)
{
    GError *error = NULL;
    VbPort *port = links_host_open(links, spec, &error);

    g_assert_no_error(error);
    return port;
}

static void close_port(const VbPortSpec *spec)
{
    g_autoptr(GError) error = NULL;

    links_host_close(links, spec, &error);
    g_assert_no_error(error);
}

static char *ifb_of(const char *device)
{
    return g_strdup_printf("vbi%x", links_host_index(device));
}

static gboolean exists(const char *device)
{
    g_autofree char *shown = links_host_run("ip link show %s 2>/dev/null || true", device);

    return shown[0] != '\0';
}

static void test_port(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br0");
    g_autofree char *before = links_host_snapshot();
    g_autofree char *after = NULL;
    VbPort *port = NULL;

    spec->bandwidth.inbound = (VbTrafficRate){.average = 1000, .peak = 2000, .burst = 512};
    spec->bandwidth.outbound = (VbTrafficRate){.average = 8000000};
    port = open_port(spec);
    g_autofree char *ifb = ifb_of(port->name);
    g_autofree char *received = links_host_run("tc qdisc show dev %s root", port->name);
    links_host_assert_contains(received, "tbf 7662: root refcnt 2 rate 8192Kbit burst 512Kb");
    links_host_assert_contains(received, "peakrate 16384Kbit");
    /* 65.5 Gbit/s: more than 32 bits of bytes. */
    links_host_assert_prints("rate 65536Mbit", "tc qdisc show dev %s root", ifb);
    links_host_assert_prints("mirred (Egress Redirect to device vbi",
                             "tc filter show dev %s ingress", port->name);
    links_host_assert_prints("alias virtbus:vnet0", "ip link show %s", ifb);

    /* Without limits again. */
    spec->name = g_strdup(port->name);
    spec->bandwidth = (VbBandwidthDef){0};
    g_autoptr(GError) error = NULL;
    links_host_plug(links, spec, &error);
    g_assert_no_error(error);
    g_assert_false(exists(ifb));
    g_autofree char *nothing = links_host_run("tc qdisc show dev %s", port->name);
    links_host_assert_lacks(nothing, "tbf");
    links_host_assert_lacks(nothing, "ingress");

    vb_port_free(port);
    close_port(spec);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
}

/* What the guests of a network send is the firewall's. */
static void test_bridge(void)
{
    g_autoptr(VbNetworkDef) def =
        links_host_network("<ip address='192.168.130.1' prefix='24'/><bandwidth>"
                           "<inbound average='1000'/><outbound average='500'/></bandwidth>");
    g_autofree char *before = links_host_snapshot();
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    links_host_make(links, def, &error);
    g_assert_no_error(error);
    links_host_assert_prints("rate 8192Kbit", "tc qdisc show dev virtbus0 root");
    g_autofree char *links_of_all = links_host_run("ip link show");
    links_host_assert_lacks(links_of_all, "vbi");
    links_host_remove(links, def, &error);
    g_assert_no_error(error);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
}

static void send_frame(VbPort *from)
{
    guint8 bytes[VNET_HEADER + FRAME] = {0};
    struct ether_header header = {.ether_type = GUINT16_TO_BE(0x88b5)}; /* for experiments */

    memset(header.ether_dhost, 0xff, sizeof header.ether_dhost);
    memcpy(header.ether_shost, "\x52\x54\x00\xaa\xbb\xcc", sizeof header.ether_shost);
    memcpy(bytes + VNET_HEADER, &header, sizeof header);
    g_assert_cmpint(write(from->fd, bytes, sizeof bytes), ==, (gssize)sizeof bytes);
}

static gboolean on_frame(int fd, GIOCondition condition, gpointer data)
{
    guint8 bytes[VNET_HEADER + FRAME + 1];
    guint *frames = data;

    while (read(fd, bytes, sizeof bytes) == VNET_HEADER + (gssize)FRAME)
        *frames += 1;
    return G_SOURCE_CONTINUE;
}

/* What a guest sends goes through the bucket of the ifb and reaches the other guest; a second frame
 * has to wait for one more second's tokens. */
static void test_frames_are_held_back(void)
{
    g_autoptr(VbPortSpec) limited = links_host_port_spec("br0");
    g_autoptr(VbPortSpec) free = links_host_port_spec("br0");
    guint frames = 0;

    limited->bandwidth.outbound = (VbTrafficRate){.average = 2, .burst = 1};
    g_autoptr(VbPort) sender = open_port(limited);
    g_autoptr(VbPort) receiver = open_port(free);
    g_autofree char *ifb = ifb_of(sender->name);
    guint watch = g_unix_fd_add(receiver->fd, G_IO_IN, on_frame, &frames);
    for (guint i = 0; i < 3; i++)
        send_frame(sender);
    VB_WAIT_FOR(frames >= 1);
    g_autofree char *counted = links_host_run("tc -s qdisc show dev %s root", ifb);
    links_host_assert_lacks(counted, "overlimits 0 ");
    VB_WAIT_FOR(frames == 3);
    links_host_assert_prints("Sent 4242 bytes 3 pkt", "tc -s qdisc show dev %s root", ifb);
    g_source_remove(watch);
}

/* The daemon was killed; the guest's tap went with the guest. */
static void test_stale_ifb(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br0");
    VbPort *port;

    g_free(links_host_run("ip link add vbi7ff0001 type ifb; ip link add vbi7ff0002 type ifb;"
                          "ip link add ifb7 type ifb; ip link add vbix type ifb;"
                          "ip link set vbi7ff0001 alias virtbus:gone;"
                          "ip link set vbix alias virtbus:odd; ip link set ifb7 alias virtbus:x"));
    port = open_port(spec);
    g_assert_false(exists("vbi7ff0001"));
    g_assert_true(exists("vbi7ff0002")); /* without our alias */
    g_assert_true(exists("ifb7"));       /* without our name */
    g_assert_true(exists("vbix"));
    vb_port_free(port);
    g_free(links_host_run("ip link del vbi7ff0002; ip link del ifb7; ip link del vbix"));
}

/* A guest ends, another gets the tap's name, and only then the first one's port is closed. */
static void test_name_of_another(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br0");
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    VbPort *port;

    spec->bandwidth.outbound.average = 1000;
    port = open_port(spec);
    first = ifb_of(port->name);
    vb_port_free(port);
    g_assert_true(exists(first));
    port = open_port(spec);
    g_assert_cmpstr(port->name, ==, "vnet0");
    g_assert_false(exists(first));
    second = ifb_of(port->name);
    spec->name = g_strdup("vnet0");
    close_port(spec);
    g_assert_true(exists(second));
    vb_port_free(port);
    close_port(spec);
    g_assert_false(exists(second));
}

/* The ifb's name is taken when the limit of the other direction is set already: on a tap that
 * stays, that one goes, too. */
static void test_undone(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br0");
    g_autoptr(GError) error = NULL;

    g_free(links_host_run(
        "ip tuntap add dev mine mode tap vnet_hdr; ip tuntap add dev other mode tap"));
    g_autofree char *ifb = ifb_of("mine");
    g_free(links_host_run("ip link set other name %s", ifb));
    g_autofree char *before = links_host_snapshot();
    spec->name = g_strdup("mine");
    spec->existing = TRUE;
    spec->bandwidth.inbound.average = 1000;
    spec->bandwidth.outbound.average = 1000;
    g_assert_null(links_host_open(links, spec, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_autofree char *message = g_strdup_printf(
        "cannot limit the traffic of mine: the name %s is taken by another device", ifb);
    g_assert_cmpstr(error->message, ==, message);
    g_autofree char *after = links_host_snapshot();
    links_host_assert_same(before, after);
    g_free(links_host_run("ip link del mine; ip link del %s", ifb));
}

static void test_floor(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br0");
    g_autofree char *before = links_host_snapshot();
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    spec->bandwidth.inbound.floor = 1000;
    g_assert_null(links_host_open(links, spec, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
}

int main(int argc, char **argv)
{
    if (!links_host_enter())
        return 0;
    g_test_init(&argc, &argv, NULL);
    g_free(links_host_run("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6;"
                          "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6;"
                          "ip link add br0 address 52:54:00:00:00:02 type bridge forward_delay 0;"
                          "ip link set br0 up"));
    links = vb_links_new();
    g_test_add_func("/links/traffic/port", test_port);
    g_test_add_func("/links/traffic/bridge", test_bridge);
    g_test_add_func("/links/traffic/frames-are-held-back", test_frames_are_held_back);
    g_test_add_func("/links/traffic/stale-ifb", test_stale_ifb);
    g_test_add_func("/links/traffic/name-of-another", test_name_of_another);
    g_test_add_func("/links/traffic/undone", test_undone);
    g_test_add_func("/links/traffic/floor", test_floor);
    int status = g_test_run();
    vb_links_free(links);
    return status;
}
