/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Networks in the core: define, start … undefine, update, the one slot for operations, and what is
 * stored; each with its failures. */
#include "net-stub.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

static char *definition(Net *net)
{
    return vb_paths_network_definition(net->stub->paths, NET_UUID);
}

static gboolean exists(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void define(Net *net, const char *uuid, const char *network, guint subnet, const char *parts,
                   const char *reply, const char *pattern)
{
    g_autofree char *xml = net_xml(network, uuid, subnet, parts);

    net_define(net, xml, reply);
    net_wait(net, reply, pattern);
}

static void operate(Net *net, VbNetwork *network, VbNetworkOp op, const char *reply,
                    const char *pattern)
{
    net_operate(net, network, op, reply);
    net_wait(net, reply, pattern);
}

/* ---- definitions ---- */

static void test_define(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);
    const VbNetworkInfo *info = vb_network_info(network);
    g_autofree char *path = definition(net);
    g_autofree char *text = NULL;
    g_autofree char *upper = g_ascii_strup(NET_UUID, -1);
    GStatBuf st;

    stub_assert_order(net->stub, "net prepare n of 0", "network n added",
                      "lifecycle n defined/added", "reply defined ok", NULL);
    g_assert_true(vb_host_network_by_uuid(net->stub->host, upper) == network);
    g_assert_true(vb_network_host(network) == net->stub->host);
    g_assert_cmpstr(info->uuid, ==, NET_UUID);
    g_assert_true(info->persistent);
    g_assert_false(info->active || info->autostart || info->config_pending);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autoptr(VbNetworkDef) stored = vb_network_def_parse(text, -1, VB_XML_NONE, NULL);
    g_assert_cmpstr(stored->bridge, ==, "virtbus0");
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
    g_autoptr(GPtrArray) networks = vb_host_networks(net->stub->host);
    g_assert_cmpuint(networks->len, ==, 1);
}

static void test_define_errors(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);

    define(net, NET_UUID_2, "n", 131, NULL, "uuid", ": *'n' with UUID " NET_UUID " already");
    define(net, NET_UUID, "other", 131, NULL, "name", ": *'n' with UUID " NET_UUID " already");
    define(net, NET_UUID_2, "n2", 131, "<bridge name='virtbus0'/>", "bridge",
           ": *bridge virtbus0 is that of network 'n'");
    net->fail[NET_PREPARE] = "no such device";
    define(net, NET_UUID_2, "n2", 131, NULL, "refused", ": no such device");
    net->fail[NET_PREPARE] = NULL;
    g_assert_null(net_find(net, "n2"));
    /* The file cannot be written: nothing is there, and the name is free. */
    g_autofree char *path = vb_paths_network_definition(net->stub->paths, NET_UUID_2);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    define(net, NET_UUID_2, "n2", 131, NULL, "unwritten", ": cannot write *");
    g_assert_null(net_find(net, "n2"));
    g_assert_cmpint(g_rmdir(path), ==, 0);
    define(net, NET_UUID_2, "n2", 130, NULL, "second", " ok");
    g_assert_cmpstr(vb_network_def(net_find(net, "n2"))->bridge, ==, "virtbus1");
    g_assert_cmpstr(vb_network_def(network)->bridge, ==, "virtbus0");
}

#define BRIDGE_XML(name)                                                                           \
    "<network><name>" name "</name><forward mode='bridge'/><bridge name='br0'/></network>"

/* Several networks on one bridge of the host's; but none of them may make it. */
static void test_shared_bridge(void)
{
    g_autoptr(Net) net = net_new();

    net_define(net, BRIDGE_XML("b1"), "first");
    net_wait(net, "first", " ok");
    net_define(net, BRIDGE_XML("b2"), "second");
    net_wait(net, "second", " ok");
    define(net, NET_UUID, "n", 130, "<bridge name='br0'/>", "third", ": *br0 is that of network*");
}

/* Each sees the bridges that those before it were given. */
static void test_define_at_once(void)
{
    g_autoptr(Net) net = net_new();
    g_autofree char *a = net_xml("a", NET_UUID, 130, NULL);
    g_autofree char *b = net_xml("b", NET_UUID_2, 131, NULL);

    net->keep[NET_PREPARE] = TRUE;
    net_define(net, a, "a");
    net_define(net, b, "b");
    net_define(net, a, "again");
    g_assert_cmpuint(net->waiting[NET_PREPARE]->len, ==, 1);
    net->keep[NET_PREPARE] = FALSE;
    net_answer(net, NET_PREPARE, NULL);
    net_wait(net, "again", " ok");
    stub_assert_order(net->stub, "reply a ok", "reply b ok", "reply again ok", NULL);
    g_assert_cmpstr(vb_network_def(net_find(net, "a"))->bridge, ==, "virtbus0");
    g_assert_cmpstr(vb_network_def(net_find(net, "b"))->bridge, ==, "virtbus1");
    g_assert_cmpuint(stub_lines(net->stub, "lifecycle a defined/updated"), ==, 1);
}

static void test_redefine(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_active(net);
    g_autofree char *same = net_xml("n", NET_UUID, 130, NULL);
    g_autofree char *other = net_xml("n", NET_UUID, 140, NULL);
    g_autofree char *renamed = net_xml("m", NET_UUID, 140, NULL);

    net_redefine(net, network, renamed, "renamed");
    net_wait(net, "renamed", ": *'m'*not of 'n'*");
    net_redefine(net, network, same, "same");
    net_wait(net, "same", " ok");
    g_assert_false(vb_network_info(network)->config_pending);
    net_redefine(net, network, other, "other");
    net_wait(net, "other", " ok");
    /* The live one goes on, and the bridge stays, which nobody named. */
    g_assert_true(vb_network_info(network)->config_pending);
    g_assert_cmpstr(vb_network_stored_def(network)->bridge, ==, "virtbus0");
    g_autofree char *live = vb_network_format(network, FALSE);
    g_autofree char *stored = vb_network_format(network, TRUE);
    g_assert_nonnull(strstr(live, "192.168.130.1"));
    g_assert_nonnull(strstr(stored, "192.168.140.1"));
    stub_assert_order(net->stub, "network n pending 1", "reply other ok", NULL);
    operate(net, network, VB_NETWORK_OP_DESTROY, "destroy", " ok");
    stub_assert_order(net->stub, "net stop n (stopping)", "network n pending 0", NULL);
    operate(net, network, VB_NETWORK_OP_START, "start", " ok");
    g_autofree char *again = vb_network_format(network, FALSE);
    g_assert_nonnull(strstr(again, "192.168.140.1"));
}

static void test_undefine(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);
    g_autofree char *path = definition(net);
    g_autofree char *mark = vb_paths_network_autostart(net->stub->paths, NET_UUID);

    net_autostart(net, network, TRUE, "mark");
    net_wait(net, "mark", " ok");
    g_assert_true(exists(mark) && vb_network_info(network)->autostart);
    stub_assert_order(net->stub, "network n autostart 1", "reply mark ok", NULL);
    /* Marks beside the undefine do not outlive it. */
    net_autostart(net, network, TRUE, "before");
    net_undefine(net, network, "undefine");
    net_autostart(net, network, TRUE, "beside");
    net_wait(net, "undefine", " ok");
    net_wait(net, "before", " ok");
    net_wait(net, "beside", ": *busy*'undefine'*");
    g_assert_false(exists(path) || exists(mark));
    g_assert_null(net_find(net, "n"));
    stub_assert_order(net->stub, "lifecycle n undefined/removed", "network n removed",
                      "reply undefine ok", NULL);
}

static void test_undefine_active(void)
{
    g_autoptr(Net) net = net_new();
    g_autoptr(VbNetwork) network = vb_network_ref(net_active(net));

    net_undefine(net, network, "undefine");
    net_wait(net, "undefine", " ok");
    g_assert_false(vb_network_info(network)->persistent);
    g_assert_null(vb_network_stored_def(network));
    g_assert_null(vb_network_format(network, TRUE));
    net_undefine(net, network, "twice");
    net_wait(net, "twice", ": *transient*");
    net_autostart(net, network, TRUE, "mark");
    net_wait(net, "mark", ": *transient*");
    /* And the other way round. */
    define(net, NET_UUID, "n", 130, NULL, "defined again", " ok");
    g_assert_true(vb_network_info(network)->persistent && vb_network_info(network)->active);
    net_undefine(net, network, "last");
    net_wait(net, "last", " ok");
    operate(net, network, VB_NETWORK_OP_DESTROY, "destroy", " ok");
    stub_assert_order(net->stub, "network n active 0", "lifecycle n stopped/destroyed",
                      "network n removed", "reply destroy ok", NULL);
    g_assert_null(net_find(net, "n"));
    g_assert_nonnull(vb_network_def(network));
}

static void test_undefine_fails(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);
    g_autofree char *path = definition(net);

    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    net_undefine(net, network, "undefine");
    net_wait(net, "undefine", ": cannot remove *");
    g_assert_true(net_find(net, "n") == network);
    g_assert_cmpint(g_rmdir(path), ==, 0);
    net_undefine(net, network, "again");
    net_wait(net, "again", " ok");
}

static void test_limit(void)
{
    g_autoptr(Net) net = net_new();

    for (guint i = 0; i <= VB_HOST_NETWORKS_MAX; i++) {
        g_autofree char *name = g_strdup_printf("n%u", i);
        g_autofree char *xml = g_strdup_printf("<network><name>%s</name><bridge name='b%u'/>"
                                               "</network>",
                                               name, i);
        net_create(net, xml, i < VB_HOST_NETWORKS_MAX ? "created" : "too many");
    }
    VB_WAIT_FOR(net->count[NET_PREPARE] == VB_HOST_NETWORKS_MAX + 1);
    net_wait(net, "too many", ": there are 4096 networks already");
    VB_WAIT_FOR(stub_lines(net->stub, "reply created ok") == VB_HOST_NETWORKS_MAX);
    g_autoptr(GPtrArray) networks = vb_host_networks(net->stub->host);
    g_assert_cmpuint(networks->len, ==, VB_HOST_NETWORKS_MAX);
}

/* ---- life ---- */

static void test_start_and_destroy(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_active(net);
    const char *dir = vb_network_run_dir(network);
    g_autofree char *below = g_build_filename(dir, "hosts", NULL);
    g_autofree char *file = g_build_filename(below, "one", NULL);
    GStatBuf st;

    stub_assert_order(net->stub, "net start n (starting)", "network n active 1",
                      "lifecycle n started/", "reply started ok", NULL);
    g_assert_true(vb_network_info(network)->active);
    g_assert_cmpstr(vb_network_driver_data(network), ==, "data");
    g_assert_cmpint(g_stat(dir, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0711);
    operate(net, network, VB_NETWORK_OP_START, "twice", ": network 'n' is active already");
    /* Whatever the driver put there goes. */
    g_assert_cmpint(g_mkdir(below, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    operate(net, network, VB_NETWORK_OP_DESTROY, "destroy", " ok");
    stub_assert_order(net->stub, "net stop n (stopping)", "network n active 0",
                      "lifecycle n stopped/destroyed", "reply destroy ok", NULL);
    g_assert_false(exists(dir));
    g_assert_null(vb_network_driver_data(network));
    operate(net, network, VB_NETWORK_OP_DESTROY, "again", ": network 'n' is not active");
}

static void test_start_fails(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);

    net->fail[NET_START] = "192.168.130.0/24 is a route";
    operate(net, network, VB_NETWORK_OP_START, "start", ": 192.168.130.0/24 is a route");
    g_assert_false(vb_network_info(network)->active);
    g_assert_false(exists(vb_network_run_dir(network)));
    g_assert_null(vb_network_driver_data(network));
    g_assert_cmpuint(stub_lines(net->stub, "lifecycle n started*"), ==, 0);
    net->fail[NET_START] = NULL;
    operate(net, network, VB_NETWORK_OP_START, "again", " ok");
    /* A stop that failed leaves no network that is half there. */
    net->fail[NET_STOP] = "the rules stay";
    operate(net, network, VB_NETWORK_OP_DESTROY, "destroy", ": the rules stay");
    g_assert_false(vb_network_info(network)->active);
    g_assert_cmpuint(stub_lines(net->stub, "lifecycle n stopped/destroyed"), ==, 1);
}

static void test_busy(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);
    g_autofree char *xml = net_xml("n", NET_UUID, 130, NULL);

    net->keep[NET_START] = TRUE;
    net_operate(net, network, VB_NETWORK_OP_START, "start");
    g_assert_false(vb_network_info(network)->active);
    operate(net, network, VB_NETWORK_OP_DESTROY, "destroy", ": *busy*'start'*");
    operate(net, network, VB_NETWORK_OP_START, "again", ": *busy*'start'*");
    net_update(net, network, "192.168.130.9", FALSE, FALSE, "update");
    net_wait(net, "update", ": *busy*'start'*");
    net_undefine(net, network, "undefine");
    net_wait(net, "undefine", ": *busy*'start'*");
    net_redefine(net, network, xml, "redefine");
    net_wait(net, "redefine", ": *busy*'start'*");
    net_autostart(net, network, TRUE, "autostart");
    net_wait(net, "autostart", " ok");
    net_answer(net, NET_START, NULL);
    net_wait(net, "start", " ok");
    net->keep[NET_STOP] = TRUE;
    net_operate(net, network, VB_NETWORK_OP_DESTROY, "stop");
    operate(net, network, VB_NETWORK_OP_START, "beside", ": *busy*'destroy'*");
    VB_WAIT_FOR(net->waiting[NET_STOP]->len == 1);
    net_answer(net, NET_STOP, NULL);
    net_wait(net, "stop", " ok");
}

static void test_create(void)
{
    g_autoptr(Net) net = net_new();
    g_autofree char *xml = net_xml("n", NET_UUID, 130, NULL);
    g_autofree char *path = definition(net);

    net->fail[NET_START] = "no";
    net_create(net, xml, "failed");
    net_wait(net, "failed", ": no");
    stub_assert_order(net->stub, "network n added", "network n removed", "reply failed: no", NULL);
    g_assert_null(net_find(net, "n"));
    net->fail[NET_START] = NULL;
    net_create(net, xml, "create");
    net_wait(net, "create", " ok");
    g_assert_false(vb_network_info(net_find(net, "n"))->persistent || exists(path));
    net_create(net, xml, "twice");
    net_wait(net, "twice", ": *exists already*");
    operate(net, net_find(net, "n"), VB_NETWORK_OP_DESTROY, "destroy", " ok");
    g_assert_null(net_find(net, "n"));
    stub_assert_order(net->stub, "reply create ok", "lifecycle n stopped/destroyed",
                      "network n removed", "reply destroy ok", NULL);
}

/* Two definitions may say the same; two active networks may not. */
static void test_overlap(void)
{
    g_autoptr(Net) net = net_new();
    g_autofree char *transient = net_xml("n3", NULL, 130, NULL);

    net_active(net);
    define(net, NET_UUID_2, "n2", 130, NULL, "second", " ok");
    operate(net, net_find(net, "n2"), VB_NETWORK_OP_START, "start",
            ": network 'n2': its subnet 192.168.130.0/24 overlaps 192.168.130.0/24 of *'n'");
    g_assert_cmpuint(net->count[NET_START], ==, 1);
    g_autoptr(GString) xml = g_string_new(transient);
    g_string_replace(xml, "<uuid>(null)</uuid>", "", 1);
    net_create(net, xml->str, "create");
    net_wait(net, "create", ": *overlaps*");
    g_assert_null(net_find(net, "n3"));
    operate(net, net_find(net, "n"), VB_NETWORK_OP_DESTROY, "destroy", " ok");
    operate(net, net_find(net, "n2"), VB_NETWORK_OP_START, "start2", " ok");
}

/* ---- update ---- */

static guint hosts(const VbNetworkDef *def)
{
    return def->dns.hosts->len;
}

static void test_update(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_defined(net);

    net_update(net, network, "192.168.130.9", TRUE, FALSE, "inactive");
    net_wait(net, "inactive", ": *not active*");
    net_update(net, network, "nonsense", FALSE, FALSE, "nonsense");
    net_wait(net, "nonsense", ": *nonsense*");
    net_update(net, network, "192.168.130.9", FALSE, FALSE, "stored");
    net_wait(net, "stored", " ok");
    stub_assert_order(net->stub, "network n definition", "lifecycle n updated/", "updated stored",
                      "reply stored ok", NULL);
    g_assert_cmpuint(net->count[NET_UPDATE], ==, 0);
    operate(net, network, VB_NETWORK_OP_START, "start", " ok");
    net_update(net, network, "192.168.130.10", FALSE, FALSE, "both");
    net_wait(net, "both", " ok");
    stub_assert_order(net->stub, "net hosts 1 to 2", "updated live stored", "reply both ok", NULL);
    g_assert_cmpuint(hosts(vb_network_def(network)), ==, 2);
    g_assert_cmpuint(hosts(vb_network_stored_def(network)), ==, 2);
    g_assert_false(vb_network_info(network)->config_pending);
    net_update(net, network, "192.168.130.11", TRUE, FALSE, "live");
    net_wait(net, "live", " ok");
    g_assert_cmpuint(hosts(vb_network_def(network)), ==, 3);
    g_assert_cmpuint(hosts(vb_network_stored_def(network)), ==, 2);
    stub_assert_order(net->stub, "network n pending 1", "updated live", "reply live ok", NULL);
    /* Not possible in one of both: nothing is done. */
    net_update(net, network, "192.168.130.11", TRUE, TRUE, "twice");
    net_wait(net, "twice", ": *");
    g_assert_cmpuint(net->count[NET_UPDATE], ==, 2);
    net_undefine(net, network, "undefine");
    net_wait(net, "undefine", " ok");
    net_update(net, network, "192.168.130.12", FALSE, TRUE, "transient");
    net_wait(net, "transient", ": *transient*");
}

static void test_update_fails(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_active(net);
    g_autofree char *path = definition(net);

    net->fail[NET_UPDATE] = "no";
    net_update(net, network, "192.168.130.9", FALSE, FALSE, "refused");
    net_wait(net, "refused", ": no");
    g_assert_cmpuint(hosts(vb_network_def(network)), ==, 0);
    g_assert_cmpuint(hosts(vb_network_stored_def(network)), ==, 0);
    net->fail[NET_UPDATE] = NULL;
    /* The definition cannot be written: the live network becomes what it was. */
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    net_update(net, network, "192.168.130.9", FALSE, FALSE, "unwritten");
    net_wait(net, "unwritten", ": cannot write *");
    stub_assert_order(net->stub, "net hosts 0 to 1", "net hosts 1 to 0", NULL);
    g_assert_cmpuint(hosts(vb_network_def(network)), ==, 0);
    g_assert_cmpuint(hosts(vb_network_stored_def(network)), ==, 0);
    g_assert_cmpuint(stub_lines(net->stub, "lifecycle n updated*"), ==, 0);
    /* … unless it cannot: then it says what it is. */
    net->keep[NET_UPDATE] = TRUE;
    net_update(net, network, "192.168.130.9", FALSE, FALSE, "stuck");
    net_answer(net, NET_UPDATE, NULL);
    VB_WAIT_FOR(net->waiting[NET_UPDATE]->len == 1);
    net_answer(net, NET_UPDATE, "no");
    net_wait(net, "stuck", ": cannot write *");
    g_assert_cmpuint(hosts(vb_network_def(network)), ==, 1);
    g_assert_true(vb_network_info(network)->config_pending);
    g_assert_cmpint(g_rmdir(path), ==, 0);
}

/* ---- the host ---- */

static void on_default(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    VbNetworkDef **ret_def = user_data;

    *ret_def = vb_host_default_network_finish(NULL, result, &error);
    g_assert_no_error(error);
}

static void test_default_and_reload(void)
{
    g_autoptr(Net) net = net_new();
    VbNetworkDef *def = NULL;

    vb_host_default_network_async(net->stub->host, on_default, &def);
    VB_WAIT_FOR(def != NULL);
    g_assert_cmpstr(def->name, ==, "default");
    vb_network_def_unref(def);
    vb_host_reload_networks_async(net->stub->host, stub_on_boolean,
                                  stub_reply(net->stub, "reload"));
    net_wait(net, "reload", " ok");
    g_assert_cmpuint(net->count[NET_RELOAD], ==, 1);
}

static void on_unsupported(GObject *source, GAsyncResult *result, gpointer reply)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_host_default_network_finish(NULL, result, &error));
    stub_log_reply(reply, error);
}

static void test_no_driver(void)
{
    g_autoptr(Stub) stub = stub_new();
    g_autoptr(GPtrArray) networks = vb_host_networks(stub->host);

    g_assert_cmpuint(networks->len, ==, 0);
    g_assert_null(vb_host_network_by_name(stub->host, "n"));
    g_assert_null(vb_host_network_by_uuid(stub->host, NET_UUID));
    vb_host_reload_networks_async(stub->host, stub_on_boolean, stub_reply(stub, "reload"));
    vb_host_default_network_async(stub->host, on_unsupported, stub_reply(stub, "default"));
    VB_WAIT_FOR(stub_lines(stub, "reply *: *no virtual networks") == 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/define", test_define);
    g_test_add_func("/network/define/errors", test_define_errors);
    g_test_add_func("/network/define/shared-bridge", test_shared_bridge);
    g_test_add_func("/network/define/at-once", test_define_at_once);
    g_test_add_func("/network/redefine", test_redefine);
    g_test_add_func("/network/undefine", test_undefine);
    g_test_add_func("/network/undefine/active", test_undefine_active);
    g_test_add_func("/network/undefine/fails", test_undefine_fails);
    g_test_add_func("/network/limit", test_limit);
    g_test_add_func("/network/start-and-destroy", test_start_and_destroy);
    g_test_add_func("/network/start-fails", test_start_fails);
    g_test_add_func("/network/busy", test_busy);
    g_test_add_func("/network/create", test_create);
    g_test_add_func("/network/overlap", test_overlap);
    g_test_add_func("/network/update", test_update);
    g_test_add_func("/network/update/fails", test_update_fails);
    g_test_add_func("/network/default-and-reload", test_default_and_reload);
    g_test_add_func("/network/no-driver", test_no_driver);
    return g_test_run();
}
