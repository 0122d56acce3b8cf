/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a rule is told of each call. The rule is made from the table below: it says yes when every
 * detail is what a line of the table says, and no otherwise, so that a call succeeds only if all of
 * its checks carry what docs/authorization.md promises. */
#include "actions.h"
#include "net-namespace.h"
#include "polkit-fixture.h"

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define UUID "7d1c9a52-4a8e-4d7c-9a39-6f3f7d1f0a01"
#define OTHER_UUID "7d1c9a52-4a8e-4d7c-9a39-6f3f7d1f0a02"

/* One check. The name is the domain's or, of a network's action, the network's. */
typedef struct {
    const char *action, *method, *name, *operation, *disk, *path, *use;
} Line;

#define LIFE(action, member)                                                                       \
    {                                                                                              \
        action, VB_IFACE_DOMAIN "." member, "told", NULL, NULL, NULL, NULL                         \
    }
#define BLOCK(member, operation)                                                                   \
    {                                                                                              \
        VB_ACTION_DOMAIN_BLOCK_JOB, VB_IFACE_BLOCK "." member, "told", operation, "vda", NULL,     \
            NULL                                                                                   \
    }
#define JOB(interface, member, operation)                                                          \
    {                                                                                              \
        VB_ACTION_JOB_CONTROL, interface "." member, "told", operation, "vda", NULL, NULL          \
    }
#define IMAGE(method, path, use)                                                                   \
    {                                                                                              \
        VB_ACTION_DOMAIN_HOST_ACCESS, method, "told", NULL, NULL, path, use                        \
    }
#define NETWORK(action, member)                                                                    \
    {                                                                                              \
        action, VB_IFACE_NETWORK "." member, "told", NULL, NULL, NULL, NULL                        \
    }
#define TFTP(method)                                                                               \
    {                                                                                              \
        VB_ACTION_NETWORK_HOST_ACCESS, method, "told", NULL, NULL, "/far/boot", "TFTP root"        \
    }
#define BOTH_IMAGES(method)                                                                        \
    IMAGE(method, "/images/told.qcow2", "disk image"),                                             \
        IMAGE(method, "/images/base.qcow2", "backing image")

static const Line lines[] = {
    {VB_ACTION_DOMAIN_MANAGE, VB_IFACE_MANAGER ".DefineDomain", "told", NULL, NULL, NULL, NULL},
    BOTH_IMAGES(VB_IFACE_MANAGER ".DefineDomain"),
    {VB_ACTION_DOMAIN_MANAGE, VB_IFACE_MANAGER ".CreateDomain", "told", NULL, NULL, NULL, NULL},
    BOTH_IMAGES(VB_IFACE_MANAGER ".CreateDomain"),
    LIFE(VB_ACTION_DOMAIN_MANAGE, "Redefine"),
    BOTH_IMAGES(VB_IFACE_DOMAIN ".Redefine"),
    LIFE(VB_ACTION_DOMAIN_MANAGE, "SetAutostart"),
    LIFE(VB_ACTION_DOMAIN_MANAGE, "Undefine"),
    LIFE(VB_ACTION_DOMAIN_READ_XML, "GetXml"),
    LIFE(VB_ACTION_DOMAIN_READ_SECRETS, "GetXml"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Start"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Suspend"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Resume"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Reset"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Reboot"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Shutdown"),
    LIFE(VB_ACTION_DOMAIN_OPERATE, "Destroy"),
    BLOCK("Pull", "block-pull"),
    BLOCK("Commit", "block-commit"),
    BLOCK("Copy", "block-copy"),
    {VB_ACTION_DOMAIN_HOST_ACCESS, VB_IFACE_BLOCK ".Copy", "told", "block-copy", "vda",
     "/copies/vda.qcow2", "disk image"},
    BLOCK("Backup", "backup"),
    {VB_ACTION_DOMAIN_HOST_ACCESS, VB_IFACE_BLOCK ".Backup", "told", "backup", "vda",
     "/copies/backup.qcow2", "disk image"},
    BLOCK("AbortJob", "block-commit"),
    JOB(VB_IFACE_JOB, "Pause", "block-pull"),
    JOB(VB_IFACE_JOB, "Resume", "block-pull"),
    JOB(VB_IFACE_JOB, "SetBandwidth", "block-pull"),
    JOB(VB_IFACE_JOB, "Cancel", "block-pull"),
    JOB(VB_IFACE_JOB, "Dismiss", "block-pull"),
    JOB(VB_IFACE_BLOCK_JOB, "Pivot", "block-copy"),
    {VB_ACTION_NETWORK_MANAGE, VB_IFACE_MANAGER ".DefineNetwork", "told", NULL, NULL, NULL, NULL},
    TFTP(VB_IFACE_MANAGER ".DefineNetwork"),
    {VB_ACTION_NETWORK_MANAGE, VB_IFACE_MANAGER ".CreateNetwork", "told", NULL, NULL, NULL, NULL},
    {VB_ACTION_NETWORK_OPERATE, VB_IFACE_MANAGER ".Reload", "", NULL, NULL, NULL, NULL},
    NETWORK(VB_ACTION_NETWORK_MANAGE, "Redefine"),
    TFTP(VB_IFACE_NETWORK ".Redefine"),
    NETWORK(VB_ACTION_NETWORK_MANAGE, "Update"),
    NETWORK(VB_ACTION_NETWORK_MANAGE, "SetAutostart"),
    NETWORK(VB_ACTION_NETWORK_MANAGE, "Undefine"),
    NETWORK(VB_ACTION_NETWORK_READ_XML, "GetXml"),
    NETWORK(VB_ACTION_NETWORK_OPERATE, "Start"),
    NETWORK(VB_ACTION_NETWORK_OPERATE, "Destroy"),
};

static void append_detail(GString *rules, const char *key, const char *value)
{
    if (value != NULL)
        g_string_append_printf(rules, "%s: '%s', ", key, value);
}

/* What the object of the call is said to be. A call on the manager is about a domain, a network or
 * neither: what it is not about has an empty name. */
static void append_object(GString *rules, const Line *line)
{
    gboolean is_network = g_str_has_prefix(line->action, "org.virtbus1.network.");
    const char *none = g_str_has_prefix(line->method, VB_IFACE_MANAGER ".") ? "" : NULL;

    append_detail(rules, "domain_name", is_network ? none : line->name);
    append_detail(rules, "network_name", is_network ? line->name : none);
    if (line->name[0] != '\0')
        append_detail(rules, is_network ? "network_uuid" : "domain_uuid", UUID);
    append_detail(rules, "driver", is_network ? NULL : "test");
}

static char *make_rules(void)
{
    GString *rules = g_string_new("var lines = [\n");

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        const Line *line = &lines[i];

        g_string_append_printf(rules, "{action: '%s', details: {", line->action);
        append_detail(rules, "method", line->method);
        append_object(rules, line);
        append_detail(rules, "job_operation", line->operation);
        append_detail(rules, "disk", line->disk);
        append_detail(rules, "path", line->path);
        append_detail(rules, "use", line->use);
        g_string_append(rules, "}},\n");
    }
    g_string_append(rules,
                    "];\n"
                    "var keys = ['method', 'driver', 'domain_name', 'domain_uuid',\n"
                    "            'network_name', 'network_uuid', 'job_operation', 'disk',\n"
                    "            'path', 'use', 'polkit.message'];\n"
                    "polkit.addRule(function (action, subject) {\n"
                    "    return lines.some(function (line) {\n"
                    "        return line.action == action.id && keys.every(function (key) {\n"
                    "            return action.lookup(key) === line.details[key];\n"
                    "        });\n"
                    "    }) ? polkit.Result.YES : polkit.Result.NO;\n"
                    "});\n");
    return g_string_free(rules, FALSE);
}

/* Its copies are ready at once. */
static char *domain_xml(const char *name, const char *uuid)
{
    g_autofree char *without =
        vb_bus_test_domain_xml(name, "<faults xmlns='https://virtbus.org/xmlns/test/1'>"
                                     "<block-job disk='vda' type='copy' duration='0'/></faults>");
    g_auto(GStrv) halves = g_strsplit(without, "</name>", 2);

    return g_strconcat(halves[0], "</name><uuid>", uuid, "</uuid>", halves[1], NULL);
}

static void call(const VbPolkitWorld *world, const char *path, const char *interface,
                 const char *method, const char *params)
{
    g_autoptr(GVariant) reply = NULL;

    g_test_message("%s.%s", interface, method);
    reply = vb_bus_client_call(world->alice, path, interface, method, g_variant_new_parsed(params));
}

/* A method that returns a job: its path. */
static char *start_job(const VbPolkitWorld *world, const char *domain, const char *method,
                       const char *params)
{
    g_autoptr(GVariant) reply = NULL;
    char *job;

    g_test_message("%s", method);
    reply = vb_bus_client_call(world->alice, domain, VB_IFACE_BLOCK, method,
                               g_variant_new_parsed(params));
    g_variant_get(reply, "(o)", &job);
    return job;
}

static void live(const VbPolkitWorld *world, const char *domain)
{
    static const char *const calls[] = {"Start",  "Suspend", "Resume", "Reset",
                                        "Reboot", "Destroy", "Start",  "Shutdown"};

    for (guint i = 0; i < G_N_ELEMENTS(calls); i++)
        call(world, domain, VB_IFACE_DOMAIN, calls[i], "(@a{sv} {},)");
}

static void pull(const VbPolkitWorld *world, const char *domain)
{
    g_autofree char *job = start_job(world, domain, "Pull", "('vda', @a{sv} {})");

    call(world, job, VB_IFACE_JOB, "Pause", "(@a{sv} {},)");
    call(world, job, VB_IFACE_JOB, "Resume", "(@a{sv} {},)");
    call(world, job, VB_IFACE_JOB, "SetBandwidth", "(uint64 65536, @a{sv} {})");
    call(world, job, VB_IFACE_JOB, "Cancel", "(@a{sv} {},)");
    call(world, job, VB_IFACE_JOB, "Dismiss", "(@a{sv} {},)");
}

/* However a disk is named, the rule is told its target. */
static void commit(const VbPolkitWorld *world, const char *domain)
{
    g_autofree char *job =
        start_job(world, domain, "Commit", "('/images/told.qcow2', {'active': <true>})");

    call(world, domain, VB_IFACE_BLOCK, "AbortJob", "('/images/told.qcow2', @a{sv} {})");
}

static void copy(const VbPolkitWorld *world, const char *domain)
{
    g_autofree char *job = start_job(
        world, domain, "Copy",
        "('vda', '<disk type=\"file\"><source file=\"/copies/vda.qcow2\"/></disk>', @a{sv} {})");

    vb_bus_client_wait_string(world->alice, job, VB_IFACE_JOB, "State", "ready");
    call(world, job, VB_IFACE_BLOCK_JOB, "Pivot", "(@a{sv} {},)");
}

static void backup(const VbPolkitWorld *world, const char *domain)
{
    call(world, domain, VB_IFACE_BLOCK, "Backup",
         "('<domainbackup><disks><disk name=\"vda\" type=\"file\">"
         "<target file=\"/copies/backup.qcow2\"/></disk></disks></domainbackup>', @a{sv} {})");
}

static void test_all(const VbPolkitWorld *world)
{
    g_autofree char *xml = domain_xml("told", UUID);
    g_autofree char *domain = vb_bus_client_define(world->alice, xml);
    g_autoptr(GVariant) redefined = NULL, created = NULL;

    redefined = vb_bus_client_call(world->alice, domain, VB_IFACE_DOMAIN, "Redefine",
                                   g_variant_new_parsed("(%s, @a{sv} {})", xml));
    call(world, domain, VB_IFACE_DOMAIN, "SetAutostart", "(false, @a{sv} {})");
    call(world, domain, VB_IFACE_DOMAIN, "GetXml", "({'secure': <true>},)");
    live(world, domain);
    call(world, domain, VB_IFACE_DOMAIN, "Undefine", "(@a{sv} {},)");
    created = vb_bus_client_call(world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                                 g_variant_new_parsed("(%s, @a{sv} {})", xml));
    pull(world, domain);
    commit(world, domain);
    copy(world, domain);
    backup(world, domain);
}

static const char network_xml[] = "<network><name>told</name><uuid>" UUID "</uuid>"
                                  "<bridge name='told0'/><ip address='192.0.2.1' prefix='24'/>"
                                  "<dns enable='no'/></network>";
static const char tftp_xml[] = "<network><name>told</name><uuid>" UUID "</uuid>"
                               "<bridge name='told0'/><ip address='192.0.2.1' prefix='24'>"
                               "<tftp root='/far/boot'/></ip></network>";

static char *make_network(const VbPolkitWorld *world, const char *method, const char *xml)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, method,
                           g_variant_new_parsed("(%s, @a{sv} {})", xml));
    char *path;

    g_variant_get(reply, "(o)", &path);
    return path;
}

static void test_networks(const VbPolkitWorld *world)
{
    static const char *const documents[] = {tftp_xml, network_xml};
    g_autofree char *network = make_network(world, "DefineNetwork", tftp_xml);
    g_autofree char *transient = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(documents); i++) {
        g_autoptr(GVariant) redefined =
            vb_bus_client_call(world->alice, network, VB_IFACE_NETWORK, "Redefine",
                               g_variant_new_parsed("(%s, @a{sv} {})", documents[i]));
    }
    call(world, network, VB_IFACE_NETWORK, "SetAutostart", "(false, @a{sv} {})");
    call(world, network, VB_IFACE_NETWORK, "GetXml", "({'inactive': <true>},)");
    call(world, network, VB_IFACE_NETWORK, "Update",
         "('portgroup', 'add-last', -1, '<portgroup name=\"slow\"/>', @a{sv} {})");
    call(world, network, VB_IFACE_NETWORK, "Start", "(@a{sv} {},)");
    call(world, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Reload", "(@a{sv} {},)");
    call(world, network, VB_IFACE_NETWORK, "Destroy", "(@a{sv} {},)");
    call(world, network, VB_IFACE_NETWORK, "Undefine", "(@a{sv} {},)");
    transient = make_network(world, "CreateNetwork", network_xml);
    call(world, transient, VB_IFACE_NETWORK, "Destroy", "(@a{sv} {},)");
}

/* The rule does look: one other detail, and it says no. */
static void test_other(const VbPolkitWorld *world)
{
    static const struct {
        const char *name, *uuid;
    } others[] = {{"told", OTHER_UUID}, {"untold", UUID}};

    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *xml = domain_xml(others[i].name, others[i].uuid);
        g_autofree char *domain = vb_bus_client_define(world->root, xml);
        g_autofree char *text =
            vb_bus_client_call_error(world->alice, domain, VB_IFACE_DOMAIN, "Start",
                                     g_variant_new_parsed("(@a{sv} {},)"), ACCESS_DENIED);

        vb_bus_client_do(world->root, domain, VB_IFACE_DOMAIN, "Undefine");
    }
}

int main(int argc, char **argv)
{
    g_autofree char *rules = make_rules();

    vb_enter_net_namespace(); /* who may not is no root, and the tests are skipped */
    g_test_init(&argc, &argv, NULL);
    vb_polkit_add_test("/details/all", rules, VB_BUS_FIXTURE_NONE, test_all);
    vb_polkit_add_test("/details/networks", rules, VB_BUS_FIXTURE_NONE, test_networks);
    vb_polkit_add_test("/details/other", rules, VB_BUS_FIXTURE_NONE, test_other);
    return g_test_run();
}
