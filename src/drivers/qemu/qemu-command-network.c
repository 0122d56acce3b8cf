/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network interfaces: a device of the guest, and behind it the host's side. */
#include "qemu-command-private.h"

static const char *interface_driver(VbInterfaceModel model)
{
    switch (model) {
    case VB_INTERFACE_MODEL_E1000:
        return "e1000";
    case VB_INTERFACE_MODEL_E1000E:
        return "e1000e";
    case VB_INTERFACE_MODEL_RTL8139:
        return "rtl8139";
    case VB_INTERFACE_MODEL_VIRTIO:
    case VB_INTERFACE_MODEL_DEFAULT:
        return "virtio-net-pci";
    }
    g_return_val_if_reached(NULL);
}

static gboolean is_virtio(const VbInterfaceDef *interface)
{
    return interface->model == VB_INTERFACE_MODEL_VIRTIO ||
           interface->model == VB_INTERFACE_MODEL_DEFAULT;
}

/* ---- user-mode networking ---------------------------------------------------------------------
 */

static void append_address(GString *options, const char *option, const VbIpAddress *address)
{
    g_autofree char *text = vb_ip_to_string(address);

    g_string_append_printf(options, ",%s=%s", option, text);
}

/* The guest's address is the first that QEMU's DHCP server hands out. It has two addresses itself,
 * for the host and for the name server: the first two from the subnet's second on that are left. */
static void append_ipv4(GString *options, const VbInterfaceIp *ip)
{
    VbIpSubnet subnet = vb_interface_ip_subnet(ip);
    g_autofree char *net = vb_ip_subnet_to_string(&subnet);
    const char *const own[] = {"host", "dns"};
    guint32 index = 2;

    g_string_append_printf(options, ",net=%s", net);
    if (vb_ip_equal(&ip->address, &subnet.address))
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++) {
        VbIpAddress address = vb_ip_subnet_nth(&subnet, index++);

        if (vb_ip_equal(&address, &ip->address))
            address = vb_ip_subnet_nth(&subnet, index++);
        append_address(options, own[i], &address);
    }
    append_address(options, "dhcpstart", &ip->address);
}

static void append_ipv6(GString *options, const VbInterfaceIp *ip)
{
    VbIpSubnet subnet = vb_interface_ip_subnet(ip);
    g_autofree char *net = vb_ip_subnet_to_string(&subnet);

    g_string_append_printf(options, ",ipv6-net=%s", net);
}

/* QEMU takes each port by itself. */
static void append_forward(GString *options, const VbPortForwardDef *forward)
{
    g_autofree char *address =
        forward->address.family != VB_IP_NONE ? vb_ip_to_string(&forward->address) : NULL;

    for (guint i = 0; i < forward->ranges->len; i++) {
        const VbForwardRange *range = &g_array_index(forward->ranges, VbForwardRange, i);

        for (guint port = range->start; port <= range->end; port++)
            g_string_append_printf(options, ",hostfwd=%s:%s:%u-:%u",
                                   vb_forward_protocol_to_string(forward->protocol),
                                   address ? address : "", port, range->to + (port - range->start));
    }
}

static void add_user(VbCommand *command, const VbInterfaceDef *interface, const char *netdev)
{
    g_autoptr(GString) options = g_string_new("user,id=");

    g_string_append(options, netdev);
    if (interface->ipv4.address.family != VB_IP_NONE)
        append_ipv4(options, &interface->ipv4);
    if (interface->ipv6.address.family != VB_IP_NONE)
        append_ipv6(options, &interface->ipv6);
    for (guint i = 0; i < interface->port_forwards->len; i++)
        append_forward(options, interface->port_forwards->pdata[i]);
    vb_command_add(command, "-netdev", options->str);
}

/* The other end of the socket is passt's. */
static void add_passt(VbCommand *command, guint index, const char *netdev)
{
    const int *fds = command->input->taps;

    vb_command_take(command, "-netdev",
                    g_strdup_printf("stream,id=%s,server=off,addr.type=fd,addr.str=%d", netdev,
                                    fds ? fds[index] : -1));
}

/* ---- networks, bridges, taps ------------------------------------------------------------------
 */

/* Opened and plugged in by us, as QEMU could not: it is neither root nor told a name. */
static void add_tap(VbCommand *command, guint index, const char *netdev)
{
    const int *taps = command->input->taps;

    vb_command_take(command, "-netdev",
                    g_strdup_printf("tap,id=%s,fd=%d", netdev, taps ? taps[index] : -1));
}

/* ---- each ------------------------------------------------------------------------------------
 */

void vb_command_interfaces(VbCommand *command)
{
    const VbDomainDef *def = command->def;

    for (guint i = 0; i < def->interfaces->len; i++) {
        const VbInterfaceDef *interface = def->interfaces->pdata[i];
        g_autofree char *netdev = g_strconcat("host", interface->info.alias, NULL);

        if (vb_interface_def_has_tap(interface))
            add_tap(command, i, netdev);
        else if (interface->backend == VB_USER_BACKEND_PASST)
            add_passt(command, i, netdev);
        else
            add_user(command, interface, netdev);
        vb_command_device(
            command, &interface->info,
            vb_command_boot_index(def, &interface->info, VB_BOOT_DEVICE_NETWORK, i == 0),
            vb_qmp_args(VB_ARG_STRING("driver", interface_driver(interface->model)),
                        VB_ARG_STRING("netdev", netdev), VB_ARG_STRING("mac", interface->mac),
                        VB_ARG_IF(interface->mtu > 0 && is_virtio(interface),
                                  VB_ARG_INT("host_mtu", interface->mtu))));
    }
}
