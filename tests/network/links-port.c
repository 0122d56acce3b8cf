/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ports of guests on a real kernel: taps that come with the descriptor and go with it, what they
 * are on their bridge, and taps that are somebody else's. */
#include "links-host.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include "error.h"
#include "fd.h"

#define BRIDGE "br0"

static VbLinks *links;

static VbPort *open_port(const VbPortSpec *spec)
{
    GError *error = NULL;
    VbPort *port = links_host_open(links, spec, &error);

    g_assert_no_error(error);
    g_assert_cmpint(port->fd, >=, 0);
    return port;
}

static void plug(const VbPortSpec *spec)
{
    g_autoptr(GError) error = NULL;

    links_host_plug(links, spec, &error);
    g_assert_no_error(error);
}

static void close_port(const VbPortSpec *spec)
{
    g_autoptr(GError) error = NULL;

    links_host_close(links, spec, &error);
    g_assert_no_error(error);
}

static void assert_refused(const VbPortSpec *spec, VbError code, const char *message)
{
    g_autofree char *before = links_host_snapshot();
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_null(links_host_open(links, spec, &error));
    g_assert_error(error, VB_ERROR, (int)code);
    g_assert_cmpstr(error->message, ==, message);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
}

static void test_open(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec(BRIDGE);
    g_autofree char *before = links_host_snapshot();
    g_autofree char *after = NULL;
    VbPort *port = open_port(spec), *second = open_port(spec);
    struct ifreq request = {0};

    g_assert_cmpstr(port->name, ==, "vnet0");
    g_assert_cmpstr(second->name, ==, "vnet1");
    g_assert_cmpint(fcntl(port->fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_cmpint(ioctl(port->fd, TUNGETIFF, &request), ==, 0);
    g_assert_cmphex(request.ifr_flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), ==,
                    IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
    g_autofree char *shown = links_host_run("ip link show vnet0");
    links_host_assert_contains(shown, "link/ether fe:54:00:aa:bb:cc");
    links_host_assert_contains(shown, "alias virtbus");
    links_host_assert_contains(shown, " mtu 1450 "); /* the bridge's */
    links_host_assert_contains(shown, " master br0 ");
    links_host_assert_contains(shown, ",UP,");
    links_host_assert_prints("isolated off", "bridge -d link show dev vnet0");
    links_host_assert_prints("1", "cat /proc/sys/net/ipv6/conf/vnet0/disable_ipv6");

    spec->name = g_strdup(port->name);
    vb_port_free(port);
    vb_port_free(second);
    close_port(spec);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
}

/* What a QEMU that was taken over may do with its tap, as whoever it is. Its name may be another
 * guest's by the time that the port is closed: that one stays. */
static void test_made_to_stay(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec(BRIDGE);
    g_autofree char *before = links_host_snapshot();
    struct ifreq other = {.ifr_hwaddr = {ARPHRD_ETHER, {0x02, 0, 0, 0, 0, 0x09}}};
    VbPort *port = open_port(spec);

    spec->name = g_strdup(port->name);
    g_assert_cmpint(ioctl(port->fd, TUNSETPERSIST, 1), ==, 0);
    g_assert_cmpint(ioctl(port->fd, SIOCSIFHWADDR, &other), ==, 0);
    vb_port_free(port);
    g_assert_cmpuint(if_nametoindex(spec->name), !=, 0);
    close_port(spec);
    g_autofree char *after = links_host_snapshot();
    links_host_assert_same(before, after);

    port = open_port(spec);
    close_port(spec);
    g_assert_cmpuint(if_nametoindex(spec->name), !=, 0);
    vb_port_free(port);
    g_autofree char *end = links_host_snapshot();
    links_host_assert_same(before, end);

    /* An administrator's, meanwhile. */
    g_free(links_host_run("ip tuntap add dev %s mode tap", spec->name));
    close_port(spec);
    g_free(links_host_run("ip link del %s", spec->name));
}

static void test_as_the_spec_says(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec(BRIDGE);
    g_autoptr(VbPort) port = NULL;

    spec->name = g_strdup("guest-eth0");
    spec->mtu = 1300;
    spec->isolated = TRUE;
    g_free(spec->mac);
    spec->mac = g_strdup("fe:54:00:00:00:07");
    port = open_port(spec);
    g_assert_cmpstr(port->name, ==, "guest-eth0");
    links_host_assert_prints(" mtu 1300 ", "ip link show guest-eth0");
    /* Not the guest's own. */
    links_host_assert_prints("link/ether fa:54:00:00:00:07", "ip link show guest-eth0");
    links_host_assert_prints("isolated on", "bridge -d link show dev guest-eth0");
}

static void test_without_a_bridge(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec(NULL);
    g_autoptr(VbPort) port = open_port(spec);
    g_autofree char *shown = links_host_run("ip link show %s", port->name);

    links_host_assert_contains(shown, "link/ether fe:54:00:aa:bb:cc");
    links_host_assert_contains(shown, ",UP,");
    links_host_assert_lacks(shown, "master");
}

/* The bridge goes and comes while the guest runs; so does what the spec says. */
static void test_plug_again(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br1");
    g_autoptr(VbPort) port = NULL;
    g_autofree char *plugged = NULL;
    g_autofree char *again = NULL;
    g_autofree char *alone = NULL;
    g_autoptr(GError) error = NULL;

    spec->isolated = TRUE;
    g_free(links_host_run("ip link add br1 type bridge; ip link set br1 up"));
    port = open_port(spec);
    spec->name = g_strdup(port->name);
    plugged = links_host_snapshot();
    plug(spec);
    again = links_host_snapshot();
    links_host_assert_same(plugged, again);

    g_free(links_host_run("ip link del br1"));
    alone = links_host_snapshot();
    g_assert_false(links_host_plug(links, spec, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_cmpstr(error->message, ==, "there is no bridge br1 on this host");
    g_autofree char *still = links_host_snapshot();
    links_host_assert_same(alone, still);

    g_free(links_host_run("ip link add br1 type bridge; ip link set br1 up"));
    plug(spec);
    links_host_assert_prints(" master br1 ", "ip link show vnet0");
    links_host_assert_prints("isolated on", "bridge -d link show dev vnet0");
    links_host_assert_prints(",UP,", "ip link show vnet0");

    /* Into another one. */
    spec->isolated = FALSE;
    g_free(spec->bridge);
    spec->bridge = g_strdup(BRIDGE);
    plug(spec);
    links_host_assert_prints(" master br0 ", "ip link show vnet0");
    links_host_assert_prints("isolated off", "bridge -d link show dev vnet0");
    links_host_assert_prints(" mtu 1450 ", "ip link show vnet0");
    g_free(links_host_run("ip link del br1"));
}

static void test_refused(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec("br9");

    assert_refused(spec, VB_ERROR_FAILED, "there is no bridge br9 on this host");
    g_free(links_host_run("ip link add eth0 type veth peer name peer0"));
    g_free(spec->bridge);
    spec->bridge = g_strdup("eth0");
    assert_refused(spec, VB_ERROR_FAILED, "the network device eth0 is not a bridge");
    spec->name = g_strdup("eth0");
    assert_refused(spec, VB_ERROR_FAILED,
                   "cannot make the tap eth0: the name is taken by another network device");
    spec->existing = TRUE;
    assert_refused(spec, VB_ERROR_FAILED, "the network device eth0 is not a tap");
    g_free(spec->name);
    spec->name = g_strdup("tap9");
    assert_refused(spec, VB_ERROR_FAILED, "there is no tap tap9 on this host");
    g_free(links_host_run("ip link del eth0"));

    spec->existing = FALSE;
    g_free(spec->bridge);
    spec->bridge = g_strdup(BRIDGE);
    spec->mtu = 100000;
    assert_refused(spec, VB_ERROR_FAILED,
                   "cannot plug the tap tap9 into bridge br0: Invalid argument (mtu greater than "
                   "device maximum)");
}

/* Made by an administrator for this guest: left as it is, but for what the spec says. */
static void test_existing(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec(NULL);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    g_free(links_host_run("ip tuntap add dev mine mode tap multi_queue;"
                          "ip link set mine address 02:00:00:00:00:09 mtu 1234"));
    spec->existing = TRUE;
    spec->name = g_strdup("mine");
    before = links_host_run("ip link show mine");
    for (guint i = 0; i < 2; i++) {
        g_autoptr(VbPort) port = open_port(spec);
        g_assert_cmpstr(port->name, ==, "mine");
        g_autofree char *open = links_host_run("ip link show mine");
        links_host_assert_same(before, open);
    }
    close_port(spec);
    after = links_host_run("ip link show mine");
    links_host_assert_same(before, after);

    spec->bridge = g_strdup(BRIDGE);
    spec->bandwidth.inbound.average = 1000;
    g_autoptr(VbPort) port = open_port(spec);
    links_host_assert_prints(" master br0 ", "ip link show mine");
    links_host_assert_prints(" mtu 1234 ", "ip link show mine");
    links_host_assert_prints("02:00:00:00:00:09", "ip link show mine");
    links_host_assert_prints("tbf 7662: root", "tc qdisc show dev mine");
    vb_clear_fd(&port->fd);
    close_port(spec);
    g_autofree char *left = links_host_run("ip link show mine; tc qdisc show dev mine");
    links_host_assert_lacks(left, "master");
    links_host_assert_lacks(left, "tbf");

    /* Refused in the middle: it is what it was. */
    g_free(links_host_run("ip link set mine down"));
    g_autofree char *down = links_host_snapshot();
    g_free(spec->bridge);
    spec->bridge = g_strdup("br9");
    g_autoptr(GError) error = NULL;
    g_assert_null(links_host_open(links, spec, &error));
    g_autofree char *same = links_host_snapshot();
    links_host_assert_same(down, same);
    g_free(links_host_run("ip link del mine"));
}

/* Where the kernel can filter VLANs, what it says about the port; else the error that says so. */
static void test_vlan(void)
{
    g_autoptr(VbPortSpec) spec = links_host_port_spec(BRIDGE);
    g_autofree char *bridge = links_host_run("ip -d link show br0");
    guint tags[] = {42, 43};

    spec->name = g_strdup("vlan0");
    spec->vlan = g_new0(VbVlanDef, 1);
    spec->vlan->tags = g_array_new(FALSE, FALSE, sizeof(guint));
    g_array_append_val(spec->vlan->tags, tags[0]);
    if (!strstr(bridge, "vlan_default_pvid")) {
        assert_refused(spec, VB_ERROR_NOT_SUPPORTED,
                       "a VLAN for vlan0: this kernel's bridges have no VLAN filtering");
        return;
    }
    g_autoptr(VbPort) port = open_port(spec);
    g_assert_cmpstr(port->name, ==, "vlan0");
    links_host_assert_prints("vlan_filtering 1", "ip -d link show br0");
    g_autofree char *access = links_host_run("bridge -o vlan show dev vlan0 | tail -n +2");
    links_host_assert_contains(access, "42 PVID Egress Untagged");
    links_host_assert_lacks(access, " 1 ");

    /* A trunk of both, 43 for what has no tag. */
    g_array_append_val(spec->vlan->tags, tags[1]);
    spec->vlan->trunk = TRUE;
    spec->vlan->native_mode = VB_VLAN_NATIVE_TAGGED;
    spec->vlan->native_tag = tags[1];
    plug(spec);
    g_autofree char *trunk = links_host_run("bridge vlan show dev vlan0 | tail -n +2");
    links_host_assert_contains(trunk, "42\n");
    links_host_assert_contains(trunk, "43 PVID\n");

    /* The bridge's usual one. */
    g_clear_pointer(&spec->vlan, vb_vlan_def_free);
    plug(spec);
    g_autofree char *usual = links_host_run("bridge vlan show dev vlan0 | tail -n +2");
    links_host_assert_contains(usual, "1 PVID Egress Untagged");
    links_host_assert_lacks(usual, "4");
    g_free(links_host_run("ip link set br0 type bridge vlan_filtering 0"));
}

int main(int argc, char **argv)
{
    if (!links_host_enter())
        return 0;
    g_test_init(&argc, &argv, NULL);
    g_free(links_host_run("ip link add " BRIDGE " type bridge;"
                          "ip link set " BRIDGE " mtu 1450 up address 52:54:00:00:00:01;"
                          "echo 1 > /proc/sys/net/ipv6/conf/br0/disable_ipv6"));
    links = vb_links_new();
    g_test_add_func("/links/port/open", test_open);
    g_test_add_func("/links/port/made-to-stay", test_made_to_stay);
    g_test_add_func("/links/port/as-the-spec-says", test_as_the_spec_says);
    g_test_add_func("/links/port/without-a-bridge", test_without_a_bridge);
    g_test_add_func("/links/port/plug-again", test_plug_again);
    g_test_add_func("/links/port/refused", test_refused);
    g_test_add_func("/links/port/existing", test_existing);
    g_test_add_func("/links/port/vlan", test_vlan);
    int status = g_test_run();
    vb_links_free(links);
    return status;
}
