/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See links-host.h. */
#include "links-host.h"

#include <net/if.h>
#include <sched.h>
#include <string.h>

gboolean links_host_enter(void)
{
    if (unshare(CLONE_NEWNET) == 0)
        return TRUE;
    g_print("1..0 # SKIP needs root, for a network namespace: %s\n", g_strerror(errno));
    return FALSE;
}

char *links_host_run(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *errors = NULL;
    char *output = NULL;
    va_list args;
    int status;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    /* Ours are all close-on-exec; so GLib need not copy this process first, which takes its time.
     */
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_LEAVE_DESCRIPTORS_OPEN, NULL, NULL, &output,
                 &errors, &status, &error);
    g_assert_no_error(error);
    if (status != 0)
        g_error("%s: %s", command, errors);
    return output;
}

char *links_host_snapshot(void)
{
    /* Without what follows a change later, and by itself: carrier, timers; nor the kernel's
     * count of filter actions. */
    return links_host_run(
        "(ip -d link; ip addr; ip route show table all; ip -6 route show table all; tc qdisc;"
        "for d in $(ls /proc/sys/net/ipv4/conf); do [ $d = all ] || [ $d = default ] ||"
        "tc filter show dev $d parent ffff: ; done) | sed -E 's/NO-CARRIER,|,LOWER_UP|linkdown //g;"
        "s/state [A-Z]+//; s/\\tindex [0-9]+//; s/(timer|tso_max_size|tso_max_segs) +[0-9.]+//g'");
}

void links_host_assert_same(const char *before, const char *after)
{
    g_auto(GStrv) old = g_strsplit(before, "\n", -1);
    g_auto(GStrv) new = g_strsplit(after, "\n", -1);

    for (guint i = 0; old[i] || new[i]; i++)
        if (g_strcmp0(old[i], new[i]) != 0)
            g_error("was: %s\n is: %s", old[i] ? old[i] : "", new[i] ? new[i] : "");
}

guint links_host_index(const char *device)
{
    guint index = if_nametoindex(device);

    g_assert_cmpuint(index, >, 0);
    return index;
}

VbNetworkDef *links_host_network(const char *inside)
{
    g_autofree char *xml = g_strdup_printf("<network><name>lan</name><bridge name='virtbus0'/>"
                                           "<mac address='52:54:00:00:00:01'/>%s</network>",
                                           inside);
    GError *error = NULL;
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

VbPortSpec *links_host_port_spec(const char *bridge)
{
    VbPortSpec *spec = vb_port_spec_new();

    spec->bridge = g_strdup(bridge);
    spec->mac = g_strdup("52:54:00:aa:bb:cc");
    return spec;
}

void links_host_keep(GObject *source, GAsyncResult *result, gpointer kept)
{
    GAsyncResult **place = kept;

    g_assert_null(*place);
    *place = g_object_ref(result);
}

#define CALL_BOOLEAN(function)                                                                     \
    g_autoptr(GAsyncResult) result = NULL;                                                         \
    function(links, what, links_host_keep, &result);                                               \
    VB_WAIT_FOR(result != NULL);                                                                   \
    return vb_links_finish(result, error);

gboolean links_host_make(VbLinks *links, const VbNetworkDef *what,
                         GError **error){CALL_BOOLEAN(vb_links_make_bridge_async)}

gboolean links_host_remove(VbLinks *links, const VbNetworkDef *what,
                           GError **error){CALL_BOOLEAN(vb_links_remove_bridge_async)}

gboolean links_host_check(VbLinks *links, const VbNetworkDef *what,
                          GError **error){CALL_BOOLEAN(vb_links_check_bridge_async)}

gboolean links_host_plug(VbLinks *links, const VbPortSpec *what,
                         GError **error){CALL_BOOLEAN(vb_links_plug_port_async)}

gboolean links_host_close(VbLinks *links, const VbPortSpec *what,
                          GError **error){CALL_BOOLEAN(vb_links_close_port_async)}

VbPort *links_host_open(VbLinks *links, const VbPortSpec *spec, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    vb_links_open_port_async(links, spec, links_host_keep, &result);
    VB_WAIT_FOR(result != NULL);
    return vb_links_open_port_finish(result, error);
}

guint links_host_count_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir))
        n++;
    g_dir_close(dir);
    return n;
}
