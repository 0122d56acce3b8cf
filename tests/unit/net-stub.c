/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns a network driver that the test plays. See net-stub.h. */
#include "net-stub.h"

#include <fcntl.h>

#include "error.h"
#include "parse-domain.h"

/* ---- the driver ---- */

static void finish(Net *net, NetCall call, GTask *task, const char *error)
{
    g_autoptr(GTask) owned = task;

    if (error) {
        g_task_return_new_error(task, VB_ERROR, (int)net->code, "%s", error);
        return;
    }
    if (call != NET_OPEN) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    const VbPortSpec *spec = g_task_get_task_data(task);
    VbPort *port = g_new0(VbPort, 1);
    port->name = spec->name ? g_strdup(spec->name) : g_strdup_printf("vnet%u", net->next_port++);
    port->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    g_assert_cmpint(port->fd, >=, 0);
    net->open++;
    g_task_return_pointer(task, port, (GDestroyNotify)vb_port_free);
}

static void take(Net *net, NetCall call, GTask *task)
{
    net->count[call]++;
    if (net->keep[call])
        g_ptr_array_add(net->waiting[call], task);
    else
        finish(net, call, task, net->fail[call]);
}

void net_answer(Net *net, NetCall call, const char *error)
{
    g_assert_cmpuint(net->waiting[call]->len, >, 0);
    finish(net, call, g_ptr_array_steal_index(net->waiting[call], 0), error);
}

static gboolean is_taken(const GPtrArray *others, const char *bridge)
{
    for (guint i = 0; i < others->len; i++)
        if (g_strcmp0(((const VbNetworkDef *)others->pdata[i])->bridge, bridge) == 0)
            return TRUE;
    return FALSE;
}

static void net_prepare(gpointer self, VbNetworkDef *def, const GPtrArray *others, GTask *task)
{
    for (guint i = 0; !def->bridge; i++) {
        g_autofree char *bridge = g_strdup_printf("virtbus%u", i);
        if (!is_taken(others, bridge))
            def->bridge = g_steal_pointer(&bridge);
    }
    stub_note(((Net *)self)->stub, "net prepare %s of %u", def->name, others->len);
    take(self, NET_PREPARE, task);
}

static gboolean any_subnet(const VbIpSubnet *subnet, gpointer data)
{
    return TRUE;
}

static void net_find_default(gpointer self, const GPtrArray *others, GTask *task)
{
    Net *net = self;

    net->count[NET_DEFAULT]++;
    g_task_return_pointer(task, vb_network_def_new_default(any_subnet, NULL, NULL),
                          (GDestroyNotify)vb_network_def_unref);
    g_object_unref(task);
}

static void on_network(Net *net, NetCall call, const char *what, VbNetwork *network, GTask *task)
{
    g_autofree char *record = g_build_filename(vb_network_run_dir(network), "network.record", NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *state = NULL;

    /* Whatever the driver is to do is on record by then. */
    if (g_key_file_load_from_file(file, record, G_KEY_FILE_NONE, NULL))
        state = g_key_file_get_string(file, "network", "state", NULL);
    stub_note(net->stub, "net %s %s (%s)", what, vb_network_info(network)->name,
              state ? state : "unknown");
    take(net, call, task);
}

static void net_start(gpointer self, VbNetwork *network, GTask *task)
{
    vb_network_set_driver_data(network, g_strdup("data"), g_free);
    on_network(self, NET_START, "start", network, task);
}

static void net_stop(gpointer self, VbNetwork *network, GTask *task)
{
    on_network(self, NET_STOP, "stop", network, task);
}

static void net_change(gpointer self, VbNetwork *network, const VbNetworkDef *def, GTask *task)
{
    Net *net = self;

    stub_note(net->stub, "net hosts %u to %u", vb_network_def(network)->dns.hosts->len,
              def->dns.hosts->len);
    on_network(net, NET_UPDATE, "update", network, task);
}

static void net_save(gpointer self, VbNetwork *network, GKeyFile *record)
{
    g_key_file_set_string(record, "stub", "key", "value");
}

static void net_reconnect(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task)
{
    g_autofree char *value = g_key_file_get_string(record, "stub", "key", NULL);

    g_assert_cmpstr(value, ==, "value");
    on_network(self, NET_RECONNECT, "reconnect", network, task);
}

static void net_clean(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task)
{
    on_network(self, NET_CLEAN, "clean", network, task);
}

static void net_reload(gpointer self, GTask *task)
{
    take(self, NET_RELOAD, task);
}

static void note_port(Net *net, const char *what, const VbPortSpec *spec)
{
    stub_note(net->stub, "net %s %s on %s%s%s mtu %u average %u tag %u", what,
              spec->name ? spec->name : "?", spec->bridge ? spec->bridge : "nothing",
              spec->existing ? " existing" : "", spec->isolated ? " isolated" : "", spec->mtu,
              spec->bandwidth.inbound.average,
              spec->vlan ? g_array_index(spec->vlan->tags, guint, 0) : 0);
}

static void net_port_open(gpointer self, const VbPortSpec *spec, GTask *task)
{
    note_port(self, "open", spec);
    g_task_set_task_data(task, vb_port_spec_copy(spec), (GDestroyNotify)vb_port_spec_free);
    take(self, NET_OPEN, task);
}

static void net_port_plug(gpointer self, const VbPortSpec *spec, GTask *task)
{
    g_assert_nonnull(spec->name);
    note_port(self, "plug", spec);
    take(self, NET_PLUG, task);
}

static void net_port_close(gpointer self, const VbPortSpec *spec)
{
    Net *net = self;

    g_assert_nonnull(spec->name);
    note_port(net, "close", spec);
    g_assert_cmpuint(net->open, >, 0);
    net->open--;
}

static const VbNetworkDriver net_driver = {
    .name = "stub",
    .prepare = net_prepare,
    .find_default = net_find_default,
    .start = net_start,
    .stop = net_stop,
    .update = net_change,
    .save = net_save,
    .reconnect = net_reconnect,
    .clean = net_clean,
    .reload = net_reload,
    .port_open = net_port_open,
    .port_plug = net_port_plug,
    .port_close = net_port_close,
};

/* ---- life ---- */

/* What the driver is still at ends with it. */
static void net_destroy(gpointer self)
{
    Net *net = self;

    for (guint i = 0; i < NET_N_CALLS; i++) {
        net->keep[i] = FALSE;
        while (net->waiting[i]->len > 0)
            net_answer(net, i, net->ends_well ? NULL : "the test is over");
    }
}

Net *net_new_dead(const char *root)
{
    Net *net = g_new0(Net, 1);

    net->stub = root ? stub_load(root) : stub_new_dead();
    net->stub->open_ports = TRUE;
    net->code = VB_ERROR_FAILED;
    for (guint i = 0; i < NET_N_CALLS; i++)
        net->waiting[i] = g_ptr_array_new();
    vb_host_set_network_driver(net->stub->host, &net_driver, net, net_destroy);
    return net;
}

void net_begin(Net *net)
{
    stub_begin(net->stub);
    vb_host_announce(net->stub->host);
}

Net *net_new(void)
{
    Net *net = net_new_dead(NULL);

    net_begin(net);
    return net;
}

void net_free(Net *net)
{
    stub_free(net->stub);
    for (guint i = 0; i < NET_N_CALLS; i++)
        g_ptr_array_unref(net->waiting[i]);
    g_free(net);
}

/* ---- calls ---- */

char *net_xml(const char *name, const char *uuid, guint subnet, const char *parts)
{
    return g_strdup_printf("<network><name>%s</name><uuid>%s</uuid><forward mode='nat'/>"
                           "<mac address='52:54:00:ff:00:%02x'/>"
                           "<ip address='192.168.%u.1' prefix='24'/>%s</network>",
                           name, uuid, subnet, subnet, parts ? parts : "");
}

static VbNetworkDef *parse(const char *xml)
{
    GError *error = NULL;
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

static void on_defined(GObject *source, GAsyncResult *result, gpointer reply)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbNetwork) network = vb_host_define_network_finish(NULL, result, &error);

    stub_log_reply(reply, error);
}

void net_define(Net *net, const char *xml, const char *name)
{
    vb_host_define_network_async(net->stub->host, parse(xml), on_defined,
                                 stub_reply(net->stub, name));
}

void net_create(Net *net, const char *xml, const char *name)
{
    vb_host_create_network_async(net->stub->host, parse(xml), on_defined,
                                 stub_reply(net->stub, name));
}

static void on_redefined(GObject *source, GAsyncResult *result, gpointer reply)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(vb_network_redefine_finish(NULL, result, &error) == !error);
    stub_log_reply(reply, error);
}

void net_redefine(Net *net, VbNetwork *network, const char *xml, const char *name)
{
    vb_network_redefine_async(network, parse(xml), on_redefined, stub_reply(net->stub, name));
}

void net_operate(Net *net, VbNetwork *network, VbNetworkOp op, const char *name)
{
    vb_network_operate_async(network, op, stub_on_boolean, stub_reply(net->stub, name));
}

void net_undefine(Net *net, VbNetwork *network, const char *name)
{
    vb_network_undefine_async(network, stub_on_boolean, stub_reply(net->stub, name));
}

void net_autostart(Net *net, VbNetwork *network, gboolean autostart, const char *name)
{
    vb_network_set_autostart_async(network, autostart, stub_on_boolean,
                                   stub_reply(net->stub, name));
}

typedef struct {
    Net *net;
    gpointer reply;
} Update;

static void on_updated(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Update *update = user_data;
    g_autoptr(GError) error = NULL;
    gboolean live = FALSE, stored = FALSE;

    if (vb_network_update_finish(result, &live, &stored, &error))
        stub_note(update->net->stub, "updated%s%s", live ? " live" : "", stored ? " stored" : "");
    stub_log_reply(update->reply, error);
}

void net_update(Net *net, VbNetwork *network, const char *ip, gboolean live, gboolean stored,
                const char *name)
{
    g_autofree char *xml = g_strdup_printf("<host ip='%s'><hostname>h</hostname></host>", ip);
    const VbNetworkChange change = {.section = VB_NETWORK_SECTION_DNS_HOST,
                                    .command = VB_NETWORK_UPDATE_ADD_LAST,
                                    .parent = -1,
                                    .xml = xml,
                                    .live = live,
                                    .stored = stored};
    Update *update = g_new(Update, 1);

    *update = (Update){net, stub_reply(net->stub, name)};
    vb_network_update_async(network, &change, on_updated, update);
}

void net_wait(Net *net, const char *name, const char *pattern)
{
    g_autofree char *ok = g_strdup_printf("reply %s ok", name);
    g_autofree char *failed = g_strdup_printf("reply %s: *", name);
    g_autofree char *wanted = g_strdup_printf("reply %s%s", name, pattern);

    VB_WAIT_FOR(stub_lines(net->stub, ok) + stub_lines(net->stub, failed) > 0);
    if (stub_lines(net->stub, wanted) == 0)
        stub_assert_order(net->stub, wanted, NULL);
}

VbNetwork *net_find(Net *net, const char *name)
{
    return vb_host_network_by_name(net->stub->host, name);
}

VbNetwork *net_defined(Net *net)
{
    g_autofree char *xml = net_xml("n", NET_UUID, 130, NULL);

    net_define(net, xml, "defined");
    net_wait(net, "defined", " ok");
    return net_find(net, "n");
}

VbNetwork *net_active(Net *net)
{
    VbNetwork *network = net_defined(net);

    net_operate(net, network, VB_NETWORK_OP_START, "started");
    net_wait(net, "started", " ok");
    return network;
}

VbDomain *net_start_domain(Net *net, const char *interfaces)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='test'><name>a</name><uuid>" STUB_UUID "</uuid><memory unit='MiB'>64</memory>"
        "<os><type arch='x86_64'>hvm</type></os><devices>%s</devices></domain>",
        interfaces);
    VbDomain *domain;

    stub_define(net->stub, xml, "domain");
    net_wait(net, "domain", " ok");
    domain = vb_host_domain_by_name(net->stub->host, "a");
    stub_operate(net->stub, domain, VB_DOMAIN_OP_START, "running");
    return domain;
}

VbDomain *net_running(Net *net, const char *interfaces)
{
    VbDomain *domain = net_start_domain(net, interfaces);

    net_wait(net, "running", " ok");
    return domain;
}

/* ---- leases ---- */

GPtrArray *net_no_leases(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)vb_lease_free);
}

void net_add_lease(GPtrArray *leases, const char *mac, const char *ip, guint64 expiry)
{
    VbLease *lease = g_new0(VbLease, 1);

    g_assert_true(vb_ip_parse(ip, &lease->ip));
    lease->mac = g_strdup(mac);
    lease->hostname = g_strdup("");
    lease->client_id = g_strdup("");
    lease->expiry = expiry;
    g_ptr_array_add(leases, lease);
}
