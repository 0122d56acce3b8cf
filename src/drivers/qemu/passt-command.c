/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the options of passt. */
#include "passt-command.h"

static void add(GStrvBuilder *argv, const char *option, const char *value)
{
    g_strv_builder_add(argv, option);
    g_strv_builder_add(argv, value);
}

static void add_number(GStrvBuilder *argv, const char *option, guint number)
{
    g_autofree char *value = g_strdup_printf("%u", number);

    add(argv, option, value);
}

/* Of IPv6 the prefix is always 64. */
static void add_ip(GStrvBuilder *argv, const VbInterfaceIp *ip)
{
    if (ip->address.family == VB_IP_NONE)
        return;
    g_autofree char *address = vb_ip_to_string(&ip->address);
    add(argv, "--address", address);
    if (ip->prefix && ip->address.family == VB_IPV4)
        add_number(argv, "--netmask", ip->prefix);
}

static void append_ports(GString *spec, guint start, guint end)
{
    g_string_append_printf(spec, "%u", start);
    if (end != start)
        g_string_append_printf(spec, "-%u", end);
}

/* "127.0.0.1%lo/8000-8009:80-89,~8005"; "all" is no list. */
static void add_forward(GStrvBuilder *argv, const VbPortForwardDef *forward)
{
    g_autoptr(GString) spec = g_string_new(NULL);

    if (forward->address.family != VB_IP_NONE) {
        g_autofree char *address = vb_ip_to_string(&forward->address);

        g_string_append(spec, address);
        if (forward->device)
            g_string_append_printf(spec, "%%%s", forward->device);
        g_string_append_c(spec, '/');
    }
    for (guint i = 0; i < forward->ranges->len; i++) {
        const VbForwardRange *range = &g_array_index(forward->ranges, VbForwardRange, i);

        g_string_append(spec, i > 0 ? "," : "");
        g_string_append(spec, range->exclude ? "~" : "");
        append_ports(spec, range->start, range->end);
        if (range->to != range->start) {
            g_string_append_c(spec, ':');
            append_ports(spec, range->to, range->to + (range->end - range->start));
        }
    }
    if (forward->ranges->len == 0)
        g_string_append(spec, "all");
    add(argv, forward->protocol == VB_FORWARD_TCP ? "--tcp-ports" : "--udp-ports", spec->str);
}

GStrv vb_passt_command(const char *program, const VbInterfaceDef *interface)
{
    g_autoptr(GStrvBuilder) argv = g_strv_builder_new();

    g_strv_builder_add(argv, program);
    g_strv_builder_add(argv, "--quiet");
    add(argv, "--fd", G_STRINGIFY(VB_PASST_FD));
    if (interface->mtu)
        add_number(argv, "--mtu", interface->mtu);
    add_ip(argv, &interface->ipv4);
    add_ip(argv, &interface->ipv6);
    for (guint i = 0; i < interface->port_forwards->len; i++)
        add_forward(argv, interface->port_forwards->pdata[i]);
    return g_strv_builder_end(argv);
}
