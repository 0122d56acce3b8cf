/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Networks over a restart of the daemon, killed in each phase of their lives; files that cannot be
 * read; and what starts by itself, in which order. */
#include "net-stub.h"

#include <glib/gstdio.h>

#include "error.h"

#define ONE NET_INTERFACE(NET_MAC, "n", "")

static Net *next_life(Net *before)
{
    g_autofree char *root = stub_snapshot(before->stub);

    return net_new_dead(root);
}

static char *run_path(Net *net, const char *name)
{
    g_autofree char *dir = vb_paths_network_run(net->stub->paths, NET_UUID);

    return g_build_filename(dir, name, NULL);
}

static gboolean run_dir_exists(Net *net)
{
    g_autofree char *dir = vb_paths_network_run(net->stub->paths, NET_UUID);

    return g_file_test(dir, G_FILE_TEST_EXISTS);
}

static void overwrite(Net *net, const char *name, const char *contents)
{
    g_autofree char *path = run_path(net, name);

    g_assert_true(g_file_set_contents(path, contents, -1, NULL));
}

static VbNetwork *create(Net *net)
{
    g_autofree char *xml = net_xml("n", NET_UUID, 130, NULL);

    net_create(net, xml, "created");
    net_wait(net, "created", " ok");
    return net_find(net, "n");
}

/* ---- each phase ---- */

static void test_active(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    g_autofree char *other = net_xml("n", NET_UUID, 140, NULL);
    VbNetwork *network;

    net_active(first);
    net_define(first, other, "other");
    net_wait(first, "other", " ok");
    net_autostart(first, net_find(first, "n"), TRUE, "mark");
    net_wait(first, "mark", " ok");
    second = next_life(first);
    net_begin(second);
    network = net_find(second, "n");
    stub_assert_order(second->stub, "net reconnect n (active)", "loaded", NULL);
    g_assert_cmpuint(stub_lines(second->stub, "network n *"), ==, 0);
    g_assert_true(vb_network_info(network)->active && vb_network_info(network)->persistent);
    g_assert_true(vb_network_info(network)->autostart && vb_network_info(network)->config_pending);
    g_autofree char *live = vb_network_format(network, FALSE);
    g_assert_nonnull(strstr(live, "192.168.130.1"));
    net_operate(second, network, VB_NETWORK_OP_DESTROY, "destroy");
    net_wait(second, "destroy", " ok");
    g_assert_cmpuint(second->count[NET_START], ==, 0);
}

static void test_inactive(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    net_defined(first);
    second = next_life(first);
    net_begin(second);
    g_assert_false(vb_network_info(net_find(second, "n"))->active);
    g_assert_cmpuint(second->count[NET_RECONNECT] + second->count[NET_CLEAN], ==, 0);
    g_assert_cmpstr(vb_network_def(net_find(second, "n"))->bridge, ==, "virtbus0");
}

/* In the middle of a start or a stop: what there is of it is removed. */
static void test_interrupted(gconstpointer stopping)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    VbNetwork *network;

    if (stopping) {
        network = net_active(first);
        first->keep[NET_STOP] = TRUE;
        net_operate(first, network, VB_NETWORK_OP_DESTROY, "stop");
        VB_WAIT_FOR(first->waiting[NET_STOP]->len == 1);
    } else {
        network = net_defined(first);
        first->keep[NET_START] = TRUE;
        net_operate(first, network, VB_NETWORK_OP_START, "start");
    }
    second = next_life(first);
    second->fail[NET_CLEAN] = "a rule stays";
    net_begin(second);
    network = net_find(second, "n");
    stub_assert_order(second->stub, stopping ? "net clean n (stopping)" : "net clean n (starting)",
                      "loaded", NULL);
    g_assert_cmpuint(second->count[NET_RECONNECT], ==, 0);
    g_assert_false(vb_network_info(network)->active || run_dir_exists(second));
    g_assert_cmpuint(stub_lines(second->stub, "lifecycle n *"), ==, 0);
    net_operate(second, network, VB_NETWORK_OP_START, "again");
    net_wait(second, "again", " ok");
}

/* Gone meanwhile: a transient one with all that there was of it. */
static void test_gone(gconstpointer transient)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    if (transient)
        create(first);
    else
        net_active(first);
    second = next_life(first);
    second->fail[NET_RECONNECT] = "there is no bridge virtbus0";
    second->code = VB_ERROR_NETWORK_NOT_RUNNING;
    net_begin(second);
    stub_assert_order(second->stub, "network n active 0", "lifecycle n stopped/lost", "loaded",
                      NULL);
    g_assert_false(run_dir_exists(second));
    g_assert_true((net_find(second, "n") == NULL) == (transient != NULL));
    if (!transient)
        g_assert_false(vb_network_info(net_find(second, "n"))->active);
}

static void test_transient(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    create(first);
    second = next_life(first);
    net_begin(second);
    g_assert_true(vb_network_info(net_find(second, "n"))->active);
    g_assert_false(vb_network_info(net_find(second, "n"))->persistent);
    net_operate(second, net_find(second, "n"), VB_NETWORK_OP_DESTROY, "destroy");
    net_wait(second, "destroy", " ok");
    g_assert_null(net_find(second, "n"));
}

/* A name server that cannot be started takes nobody's bridge away. */
static void test_not_whole(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    net_active(first);
    second = next_life(first);
    second->fail[NET_RECONNECT] = "no dnsmasq";
    net_begin(second);
    g_assert_true(vb_network_info(net_find(second, "n"))->active);
    net_operate(second, net_find(second, "n"), VB_NETWORK_OP_DESTROY, "destroy");
    net_wait(second, "destroy", " ok");
}

/* The driver does not answer: after 5 s the daemon goes on, and the network is busy. */
static void test_deadline(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    VbNetwork *network;

    net_active(first);
    second = next_life(first);
    second->keep[NET_RECONNECT] = TRUE;
    net_begin(second);
    network = net_find(second, "n");
    g_assert_true(vb_network_info(network)->active);
    g_assert_true(g_cancellable_is_cancelled(
        g_task_get_cancellable(second->waiting[NET_RECONNECT]->pdata[0])));
    net_operate(second, network, VB_NETWORK_OP_DESTROY, "busy");
    net_wait(second, "busy", ": *busy*");
    net_answer(second, NET_RECONNECT, NULL);
    stub_settle();
    net_operate(second, network, VB_NETWORK_OP_DESTROY, "destroy");
    net_wait(second, "destroy", " ok");
}

/* ---- what cannot be read ---- */

typedef struct {
    const char *file, *contents;
} Damage;

static const Damage damages[] = {
    {"network.record", "nonsense"},
    {"network.record", "[network]\nversion=99\n"},
    {"network.record", "[network]\nversion=1\nstate=asleep\n"},
    {"network.record", "[network]\nversion=1\n"},
    {"live.xml", "<network>"},
    {"live.xml", "<network><name>n</name><uuid>" NET_UUID_2 "</uuid></network>"},
};

/* With the stored definition that there is it is removed as far as possible, and can be started. */
static void test_damaged_run(gconstpointer data)
{
    const Damage *damage = data;
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    g_autofree char *aside = NULL;

    net_active(first);
    second = next_life(first);
    overwrite(second, damage->file, damage->contents);
    net_begin(second);
    g_assert_cmpuint(second->count[NET_CLEAN], ==, 1);
    g_assert_cmpuint(second->count[NET_RECONNECT], ==, 0);
    g_assert_false(vb_network_info(net_find(second, "n"))->active || run_dir_exists(second));
    aside = g_strconcat(vb_network_run_dir(net_find(second, "n")), ".broken", NULL);
    g_assert_true(g_file_test(aside, G_FILE_TEST_IS_DIR));
    net_operate(second, net_find(second, "n"), VB_NETWORK_OP_START, "again");
    net_wait(second, "again", " ok");
}

static void test_damaged_transient(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    create(first);
    second = next_life(first);
    overwrite(second, "live.xml", "<network>");
    net_begin(second);
    g_assert_null(net_find(second, "n"));
    g_assert_cmpuint(second->count[NET_CLEAN], ==, 0);
    g_assert_false(run_dir_exists(second));
}

/* One that was not yet on record: nothing was done. */
static void test_no_record(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    g_autofree char *path = NULL;

    net_active(first);
    second = next_life(first);
    path = run_path(second, "network.record");
    g_assert_cmpint(g_unlink(path), ==, 0);
    net_begin(second);
    g_assert_cmpuint(second->count[NET_CLEAN] + second->count[NET_RECONNECT], ==, 0);
    g_assert_false(run_dir_exists(second));
}

static void test_damaged_definition(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    g_autofree char *path = NULL;
    g_autofree char *aside = NULL;
    g_autofree char *other = net_xml("n2", NET_UUID_2, 131, NULL);

    net_defined(first);
    net_define(first, other, "other");
    net_wait(first, "other", " ok");
    second = next_life(first);
    path = vb_paths_network_definition(second->stub->paths, NET_UUID);
    aside = g_strconcat(path, ".broken", NULL);
    g_assert_true(g_file_set_contents(path, "<network>", -1, NULL));
    net_begin(second);
    g_assert_null(net_find(second, "n"));
    g_assert_nonnull(net_find(second, "n2"));
    g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
}

/* ---- domains ---- */

/* Both sides are known: guests are plugged in again, or their links are taken down. */
static void test_replug(gconstpointer gone)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    VbDomain *domain;

    net_active(first);
    net_running(first, ONE);
    second = next_life(first);
    second->open = 1;
    if (gone) {
        second->fail[NET_RECONNECT] = "there is no bridge";
        second->code = VB_ERROR_NETWORK_NOT_RUNNING;
    }
    net_begin(second);
    domain = vb_host_domain_by_name(second->stub->host, "a");
    if (gone) {
        VB_WAIT_FOR(stub_lines(second->stub, "link 0 of a down") == 1);
        g_assert_cmpuint(second->count[NET_PLUG], ==, 0);
    } else {
        VB_WAIT_FOR(stub_lines(second->stub, "link 0 of a up") == 1);
        stub_assert_order(second->stub, "net reconnect n *", "net plug vnet0 on virtbus0 *",
                          "link 0 of a up", NULL);
        g_assert_cmpuint(stub_lines(second->stub, "domain a definition"), ==, 0);
    }
    stub_operate(second->stub, domain, VB_DOMAIN_OP_DESTROY, "destroy");
    net_wait(second, "destroy", " ok");
    g_assert_cmpuint(stub_lines(second->stub, "net close vnet0 *"), ==, 1);
}

/* The domain is gone: what is left of its ports is closed. */
static void test_domain_gone(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    net_active(first);
    net_running(first, ONE);
    second = next_life(first);
    second->open = 1;
    second->stub->fail[STUB_RECONNECT] = "gone";
    net_begin(second);
    g_assert_cmpuint(second->open, ==, 0);
    g_assert_cmpuint(stub_lines(second->stub, "net close vnet0 *"), ==, 1);
}

/* One that does not answer is told when it does. */
static void test_unresponsive(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    net_active(first);
    net_running(first, ONE);
    second = next_life(first);
    second->open = 1;
    second->stub->fail[STUB_RECONNECT] = "no answer";
    net_begin(second);
    stub_settle();
    g_assert_cmpuint(second->stub->count[STUB_LINK], ==, 0);
    vb_domain_reconnected(vb_host_domain_by_name(second->stub->host, "a"));
    VB_WAIT_FOR(stub_lines(second->stub, "link 0 of a up") == 1);
}

/* ---- autostart ---- */

/* A second boot of the first life's machine: what is below /run is gone. */
static Net *next_boot(Net *before)
{
    Net *net = next_life(before);
    g_autofree char *mark = g_build_filename(net->stub->paths->run_dir, "autostarted", NULL);

    g_assert_cmpint(g_unlink(mark), ==, 0);
    return net;
}

static void test_autostart(gconstpointer fails)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;
    g_autofree char *other = net_xml("n2", NET_UUID_2, 131, NULL);
    VbDomain *domain;

    net_autostart(first, net_defined(first), TRUE, "mark");
    net_define(first, other, "other");
    net_wait(first, "other", " ok");
    first->stub->open_ports = FALSE;
    domain = net_running(first, ONE);
    stub_operate(first->stub, domain, VB_DOMAIN_OP_DESTROY, "off");
    net_wait(first, "off", " ok");
    vb_domain_set_autostart_async(domain, TRUE, stub_on_boolean,
                                  stub_reply(first->stub, "domain mark"));
    net_wait(first, "domain mark", " ok");
    second = next_boot(first);
    second->keep[NET_START] = TRUE;
    net_begin(second);
    stub_settle();
    g_assert_cmpuint(second->waiting[NET_START]->len, ==, 1);
    g_assert_cmpuint(second->stub->count[STUB_OPERATE], ==, 0);
    net_answer(second, NET_START, fails ? "no" : NULL);
    if (fails) {
        VB_WAIT_FOR(!run_dir_exists(second));
        stub_settle();
        g_assert_cmpuint(second->count[NET_OPEN], ==, 0);
        g_assert_false(vb_domain_is_active(vb_host_domain_by_name(second->stub->host, "a")));
    } else {
        VB_WAIT_FOR(stub_lines(second->stub, "domain a state running/booted") == 1);
        stub_assert_order(second->stub, "lifecycle n started/", "net open *", NULL);
    }
    g_assert_false(vb_network_info(net_find(second, "n2"))->active);
}

/* Nothing is stopped when the daemon ends, and nothing of what is in memory is left. */
static void test_freed(void)
{
    g_autoptr(Net) first = net_new();
    g_autoptr(Net) second = NULL;

    vb_network_set_driver_data(net_active(first), g_strdup("more"), g_free);
    second = next_life(first);
    g_clear_pointer(&first, net_free);
    net_begin(second);
    g_assert_true(vb_network_info(net_find(second, "n"))->active);
}

/* In the middle of each operation, which is answered late, well or not: no record changes then. */
static void test_freed_busy(gconstpointer ends_well)
{
    static const NetCall calls[] = {NET_PREPARE, NET_START, NET_STOP, NET_UPDATE};

    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(Net) net = net_new();
        VbNetwork *network =
            calls[i] == NET_STOP || calls[i] == NET_UPDATE ? net_active(net) : net_defined(net);
        g_autofree char *other = net_xml("n2", NET_UUID_2, 131, NULL);

        net->keep[calls[i]] = TRUE;
        net->ends_well = ends_well != NULL;
        if (calls[i] == NET_PREPARE) {
            net_define(net, other, "define");
            net_define(net, other, "define again");
        } else if (calls[i] == NET_UPDATE) {
            net_update(net, network, "192.168.130.9", TRUE, FALSE, "update");
        } else {
            net_operate(net, network,
                        calls[i] == NET_START ? VB_NETWORK_OP_START : VB_NETWORK_OP_DESTROY,
                        "operate");
        }
        VB_WAIT_FOR(net->waiting[calls[i]]->len == 1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restart/active", test_active);
    g_test_add_func("/restart/inactive", test_inactive);
    g_test_add_data_func("/restart/starting", NULL, test_interrupted);
    g_test_add_data_func("/restart/stopping", "stopping", test_interrupted);
    g_test_add_data_func("/restart/gone/persistent", NULL, test_gone);
    g_test_add_data_func("/restart/gone/transient", "transient", test_gone);
    g_test_add_func("/restart/transient", test_transient);
    g_test_add_func("/restart/not-whole", test_not_whole);
    g_test_add_func("/restart/deadline", test_deadline);
    for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autofree char *path = g_strdup_printf("/restart/damaged/%u", i);
        g_test_add_data_func(path, &damages[i], test_damaged_run);
    }
    g_test_add_func("/restart/damaged/transient", test_damaged_transient);
    g_test_add_func("/restart/damaged/no-record", test_no_record);
    g_test_add_func("/restart/damaged/definition", test_damaged_definition);
    g_test_add_data_func("/restart/replug/active", NULL, test_replug);
    g_test_add_data_func("/restart/replug/gone", "gone", test_replug);
    g_test_add_func("/restart/replug/domain-gone", test_domain_gone);
    g_test_add_func("/restart/replug/unresponsive", test_unresponsive);
    g_test_add_data_func("/restart/autostart/works", NULL, test_autostart);
    g_test_add_data_func("/restart/autostart/fails", "fails", test_autostart);
    g_test_add_func("/restart/freed", test_freed);
    g_test_add_data_func("/restart/freed/busy", NULL, test_freed_busy);
    g_test_add_data_func("/restart/freed/busy-ends-well", "well", test_freed_busy);
    return g_test_run();
}
