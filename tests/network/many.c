/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See many.h. */
#include "many.h"

static guint count_lines(NetHost *host, const char *command)
{
    g_autofree char *output = net_host_run(host, "%s | wc -l", command);

    return atoi(output);
}

static guint count_fds(NetHost *host)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/fd", vb_bus_fixture_daemon_pid(net_host_fixture(host)));
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

ManyCount many_count(NetHost *host)
{
    g_autoptr(GPtrArray) processes = net_host_processes(host);

    return (ManyCount){.links = count_lines(host, "ip -o link"),
                       .rules = count_lines(host, "nft list ruleset"),
                       .processes = processes->len,
                       .fds = count_fds(host)};
}

char *many_xml(const char *name, guint n, gboolean dhcp, const char *parts)
{
    g_autofree char *range =
        g_strdup_printf("<dhcp><range start='10.77.%u.10' end='10.77.%u.99'/></dhcp>", n, n);

    return g_strdup_printf("<network><name>%s-%u</name>%s"
                           "<ip address='10.77.%u.1' prefix='24'>%s</ip></network>",
                           name, n, parts, n, dhcp ? range : "");
}

GPtrArray *many_define(NetHost *host, guint n)
{
    GPtrArray *networks = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < n; i++) {
        g_autofree char *xml = many_xml("many", i, TRUE, "<forward mode='nat'/>");
        g_ptr_array_add(networks, net_host_define(host, xml));
    }
    return networks;
}

void many_do(NetHost *host, const GPtrArray *networks, const char *method)
{
    VbBusClient *client = net_host_client(host);
    g_autofree guint32 *serials = g_new(guint32, networks->len);

    for (guint i = 0; i < networks->len; i++)
        serials[i] = vb_bus_client_send(client, networks->pdata[i], VB_IFACE_NETWORK, method,
                                        g_variant_new_parsed("(@a{sv} {},)"));
    for (guint i = 0; i < networks->len; i++) {
        VB_WAIT_FOR(vb_bus_client_reply(client, serials[i]) != NULL);
        g_variant_unref(vb_bus_client_finish(client, serials[i]));
    }
}
