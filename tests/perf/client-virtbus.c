/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfDialect of virtbus. */
#include "stack.h"

#include <unistd.h>

#define NAME "org.virtbus1"
#define MANAGER "/org/virtbus1/manager"
#define IFACE_MANAGER "org.virtbus1.Manager"
#define IFACE_DOMAIN "org.virtbus1.Domain"
#define IFACE_BLOCK "org.virtbus1.Domain.Block"

static void launch(PerfStack *stack)
{
    g_autofree char *root = g_build_filename(stack->dir, "root", NULL);
    g_autofree char *config_dir = g_build_filename(root, "etc/virtbus", NULL);
    g_autofree char *config = g_build_filename(config_dir, "virtbusd.conf", NULL);
    g_autofree char *root_option = g_strconcat("--root=", root, NULL);
    g_autofree char *address_option = g_strconcat("--address=", stack->address, NULL);
    gboolean system = geteuid() == 0;
    const char *argv[] = {stack->daemon, system ? "--system" : "--session", root_option,
                          address_option, NULL};
    g_autoptr(GError) error = NULL;

    /* The user that an installation makes for QEMU is not there. */
    if (system && !g_file_test(config, G_FILE_TEST_EXISTS) &&
        (g_mkdir_with_parents(config_dir, 0711) < 0 ||
         !g_file_set_contents(config, "[qemu]\nuser=nobody\n[network]\nuser=nobody\n", -1, &error)))
        perf_fail("%s cannot be written", config);
    perf_stack_spawn(stack, argv, NULL);
}

static sd_bus_message *method(PerfStack *stack, sd_bus *bus, const char *path,
                              const char *interface, const char *member, const char *types, ...)
{
    sd_bus_message *call = NULL;
    va_list arguments;

    PERF_CHECK(stack, member,
               sd_bus_message_new_method_call(bus, &call, NAME, path, interface, member));
    va_start(arguments, types);
    PERF_CHECK(stack, member, sd_bus_message_appendv(call, types, arguments));
    va_end(arguments);
    return call;
}

static sd_bus_message *on_disk(PerfStack *stack, sd_bus *bus, PerfVerb verb, const char *path,
                               const PerfDomain *domain)
{
    g_autofree char *image = NULL, *copy = NULL;

    if (verb == PERF_CANCEL_WAIT)
        return method(stack, bus, path, IFACE_BLOCK, "AbortJob", "sa{sv}", "vda", 0);
    if (verb == PERF_CANCEL)
        return method(stack, bus, path, IFACE_BLOCK, "AbortJob", "sa{sv}", "vda", 1, "async", "b",
                      1);
    image = perf_domain_image(domain, &stack->site, 'a');
    copy = g_strdup_printf(
        "<disk type='file'><driver type='qcow2'/><source file='%s.copy'/></disk>", image);
    return method(stack, bus, path, IFACE_BLOCK, "Copy", "ssa{sv}", "vda", copy, 0);
}

static sd_bus_message *message(PerfStack *stack, sd_bus *bus, PerfVerb verb,
                               const PerfDomain *domain)
{
    static const char *const plain[PERF_N_VERBS] = {
        [PERF_GET_XML] = "GetXml",  [PERF_UNDEFINE] = "Undefine", [PERF_START] = "Start",
        [PERF_DESTROY] = "Destroy", [PERF_SUSPEND] = "Suspend",   [PERF_RESUME] = "Resume",
    };
    g_autofree char *path = NULL, *xml = NULL;

    if (domain != NULL)
        path = g_strconcat("/org/virtbus1/domain/", domain->element, NULL);
    switch (verb) {
    case PERF_PING:
        return method(stack, bus, MANAGER, "org.freedesktop.DBus.Peer", "Ping", "");
    case PERF_LIST:
        return method(stack, bus, "/org/virtbus1", "org.freedesktop.DBus.ObjectManager",
                      "GetManagedObjects", "");
    case PERF_GET_ALL:
        return method(stack, bus, path, "org.freedesktop.DBus.Properties", "GetAll", "s",
                      IFACE_DOMAIN);
    case PERF_BY_NAME:
        return method(stack, bus, MANAGER, IFACE_MANAGER, "GetDomainByName", "sa{sv}", domain->name,
                      0);
    case PERF_BY_UUID:
        return method(stack, bus, MANAGER, IFACE_MANAGER, "GetDomainByUuid", "sa{sv}", domain->uuid,
                      0);
    case PERF_DEFINE:
        xml = perf_domain_xml(domain, &stack->site);
        return method(stack, bus, MANAGER, IFACE_MANAGER, "DefineDomain", "sa{sv}", xml, 0);
    case PERF_STATS_ALL:
        return method(stack, bus, MANAGER, IFACE_MANAGER, "GetStats", "aoasa{sv}", 0, 6, "state",
                      "cpu-total", "balloon", "vcpu", "interface", "block", 0);
    case PERF_STATS_ONE:
        return method(stack, bus, MANAGER, IFACE_MANAGER, "GetStats", "aoasa{sv}", 1, path, 0, 0);
    case PERF_START_PAUSED:
        return method(stack, bus, path, IFACE_DOMAIN, "Start", "a{sv}", 1, "paused", "b", 1);
    case PERF_COPY:
    case PERF_CANCEL:
    case PERF_CANCEL_WAIT:
        return on_disk(stack, bus, verb, path, domain);
    default:
        if (plain[verb] == NULL)
            return NULL;
        return method(stack, bus, path, IFACE_DOMAIN, plain[verb], "a{sv}", 0);
    }
}

/* Of the objects, those that are domains. */
static guint count(sd_bus_message *reply)
{
    const char *path;
    guint domains = 0;

    if (sd_bus_message_rewind(reply, 1) < 0 ||
        sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") < 0)
        perf_fail("virtbus: not a list of objects");
    while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
        if (sd_bus_message_read(reply, "o", &path) < 0 ||
            sd_bus_message_skip(reply, "a{sa{sv}}") < 0 || sd_bus_message_exit_container(reply) < 0)
            perf_fail("virtbus: not a list of objects");
        domains += g_str_has_prefix(path, "/org/virtbus1/domain/");
    }
    sd_bus_message_exit_container(reply);
    return domains;
}

static sd_bus_message *page(PerfStack *stack, sd_bus *bus, sd_bus_message *reply)
{
    const char *cursor = "";

    if (reply != NULL) {
        sd_bus_message_rewind(reply, 1);
        if (sd_bus_message_skip(reply, "a{oa{sa{sv}}}") < 0 ||
            sd_bus_message_read(reply, "s", &cursor) < 0)
            perf_fail("virtbus: not a page");
        if (*cursor == '\0')
            return NULL;
    }
    return method(stack, bus, MANAGER, IFACE_MANAGER, "GetObjects", "ssua{sv}", "", cursor, 0u, 0);
}

static PerfSignal classify(sd_bus_message *m, const PerfDomain *domain)
{
    const char *path = sd_bus_message_get_path(m), *event;

    if (path == NULL || !g_str_has_suffix(path, domain->element))
        return PERF_SIGNAL_OTHER;
    if (sd_bus_message_is_signal(m, IFACE_BLOCK, "BlockJobReady"))
        return PERF_SIGNAL_JOB_READY;
    if (sd_bus_message_is_signal(m, IFACE_BLOCK, NULL))
        return PERF_SIGNAL_JOB_END;
    if (!sd_bus_message_is_signal(m, IFACE_DOMAIN, "Lifecycle") ||
        sd_bus_message_read(m, "s", &event) < 0)
        return PERF_SIGNAL_OTHER;
    return g_str_equal(event, "suspended") ? PERF_SIGNAL_SUSPENDED
           : g_str_equal(event, "resumed") ? PERF_SIGNAL_RESUMED
                                           : PERF_SIGNAL_OTHER;
}

const PerfDialect perf_virtbus = {
    .name = "virtbus",
    .bus_name = NAME,
    .cache = "root/var/cache/virtbus",
    .launch = launch,
    .message = message,
    .count = count,
    .page = page,
    .signal = classify,
};
