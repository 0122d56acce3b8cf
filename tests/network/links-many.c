/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Many links at once: order, what is left behind, the end of it all in the middle; and how long one
 * bridge takes, which is told and not asserted. */
#include "links-host.h"

#include <stdlib.h>

#define BRIDGES 100

static VbNetworkDef *network(guint n)
{
    g_autoptr(VbNetworkDef) def = links_host_network("<forward mode='nat'/>"
                                                     "<ip address='10.0.0.1' prefix='24'/>");
    VbNetworkIpDef *ip = def->ips->pdata[0];

    g_free(def->bridge);
    def->bridge = g_strdup_printf("virtbus%u", n);
    ip->address.bytes[1] = (guint8)n;
    return g_steal_pointer(&def);
}

typedef struct {
    GPtrArray *order; /* of the numbers of calls that have come back */
    guint number;
} Expected;

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Expected *expected = data;
    g_autoptr(GError) error = NULL;

    vb_links_finish(result, &error);
    if (error && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_error("%s", error->message);
    g_ptr_array_add(expected->order, GUINT_TO_POINTER(expected->number + (error ? BRIDGES : 0)));
}

static Expected *expect(GPtrArray *order, guint number)
{
    Expected *expected = g_new(Expected, 1);

    *expected = (Expected){order, number};
    return expected;
}

static void assert_order(GPtrArray *order, guint n)
{
    g_assert_cmpuint(order->len, ==, n);
    for (guint i = 0; i < n; i++)
        g_assert_cmpuint(GPOINTER_TO_UINT(order->pdata[i]), ==, i);
}

static int compare(const void *a, const void *b)
{
    return *(const gint64 *)a < *(const gint64 *)b ? -1 : 1;
}

/* GLib keeps some descriptors of its own from the first use on. */
static void warm_up(void)
{
    VbLinks *links = vb_links_new();
    g_autoptr(VbNetworkDef) def = network(0);

    links_host_remove(links, def, NULL);
    vb_links_free(links);
}

static void test_hundred(void)
{
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    g_autofree char *before = links_host_snapshot();
    guint fds = links_host_count_fds();
    VbLinks *links = vb_links_new();
    gint64 times[BRIDGES], start = g_get_monotonic_time();

    for (guint i = 0; i < BRIDGES; i++) {
        g_autoptr(VbNetworkDef) def = network(i);
        vb_links_make_bridge_async(links, def, on_done, expect(order, i));
    }
    g_assert_cmpuint(order->len, ==, 0); /* never before the call has returned */
    for (guint i = 0; i < BRIDGES; i++) {
        VB_WAIT_FOR(order->len > i);
        times[i] = g_get_monotonic_time() - start;
        start += times[i];
    }
    assert_order(order, BRIDGES);
    qsort(times, BRIDGES, sizeof times[0], compare);
    g_test_message("one bridge: median %.2f ms, slowest %.2f ms", (double)times[BRIDGES / 2] / 1000,
                   (double)times[BRIDGES - 1] / 1000);
    g_autofree char *made = links_host_run("ip -o link show type bridge | wc -l");
    g_assert_cmpint(atoi(made), ==, BRIDGES);

    g_ptr_array_set_size(order, 0);
    start = g_get_monotonic_time();
    for (guint i = 0; i < BRIDGES; i++) {
        g_autoptr(VbNetworkDef) def = network(i);
        vb_links_remove_bridge_async(links, def, on_done, expect(order, i));
    }
    VB_WAIT_FOR(order->len == BRIDGES);
    g_test_message("its removal: mean %.2f ms",
                   (double)(g_get_monotonic_time() - start) / 1000 / BRIDGES);
    assert_order(order, BRIDGES);
    vb_links_free(links);
    g_assert_cmpuint(links_host_count_fds(), ==, fds);
    g_autofree char *after = links_host_snapshot();
    links_host_assert_same(before, after);
}

/* A hundred ports, opened and closed: no descriptor and no link stays. */
static void test_ports(void)
{
    g_autofree char *before = links_host_snapshot();
    guint fds = links_host_count_fds();
    VbLinks *links = vb_links_new();
    g_autoptr(VbNetworkDef) def = network(0);
    g_autoptr(GPtrArray) ports = g_ptr_array_new_with_free_func((GDestroyNotify)vb_port_free);
    g_autoptr(VbPortSpec) spec = links_host_port_spec(def->bridge);
    g_autoptr(GError) error = NULL;
    gint64 start;

    spec->bandwidth.outbound.average = 1000;
    links_host_make(links, def, &error);
    g_assert_no_error(error);
    start = g_get_monotonic_time();
    for (guint i = 0; i < BRIDGES; i++) {
        g_ptr_array_add(ports, links_host_open(links, spec, &error));
        g_assert_no_error(error);
    }
    g_test_message("one port with limits: mean %.2f ms",
                   (double)(g_get_monotonic_time() - start) / 1000 / BRIDGES);
    spec->name = g_strdup(((VbPort *)ports->pdata[0])->name);
    g_ptr_array_set_size(ports, 0);
    links_host_close(links, spec, &error);
    g_assert_no_error(error);
    links_host_remove(links, def, &error);
    g_assert_no_error(error);
    vb_links_free(links);
    g_assert_cmpuint(links_host_count_fds(), ==, fds);
    g_autofree char *after = links_host_snapshot();
    links_host_assert_same(before, after);
}

/* Freed in the middle: each callback comes once, what was not begun is cancelled. */
static void test_freed(void)
{
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    VbLinks *links = vb_links_new();
    guint made = 0;

    for (guint i = 0; i < BRIDGES; i++) {
        g_autoptr(VbNetworkDef) def = network(i);
        vb_links_make_bridge_async(links, def, on_done, expect(order, i));
    }
    vb_links_free(links);
    VB_WAIT_FOR(order->len == BRIDGES);
    while (made < BRIDGES && GPOINTER_TO_UINT(order->pdata[made]) == made)
        made++;
    g_test_message("%u made, %u cancelled", made, BRIDGES - made);
    for (guint i = made; i < BRIDGES; i++)
        g_assert_cmpuint(GPOINTER_TO_UINT(order->pdata[i]), ==, BRIDGES + i);
    g_autofree char *left = links_host_run("ip -o link show type bridge | wc -l");
    g_assert_cmpint(atoi(left), ==, (int)made);

    /* A worker that never had anything to do ends, too. */
    vb_links_free(vb_links_new());
}

int main(int argc, char **argv)
{
    if (!links_host_enter())
        return 0;
    g_test_init(&argc, &argv, NULL);
    warm_up();
    g_test_add_func("/links/many/hundred", test_hundred);
    g_test_add_func("/links/many/ports", test_ports);
    g_test_add_func("/links/many/freed", test_freed);
    return g_test_run();
}
