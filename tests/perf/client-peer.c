/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfDialect of the peer: libvirtd, virtlogd and libvirt-dbus. Its directories are where they
 * always are; scripts/bench puts others there, in a mount namespace. */
#include "stack.h"

#include <stdarg.h>

#define NAME "org.libvirt"
#define CONNECT "/org/libvirt/QEMU"
#define IFACE_CONNECT "org.libvirt.Connect"
#define IFACE_DOMAIN "org.libvirt.Domain"

/* libvirt's numbers. */
#define START_PAUSED 1u
#define COPY_TRANSIENT_JOB 4u
#define ABORT_ASYNC 1u
#define STATS 0x3fu /* state, cpu-total, balloon, vcpu, interface, block */
#define EVENT_SUSPENDED 3
#define EVENT_RESUMED 4
#define BLOCK_JOB_READY 3

static void launch(PerfStack *stack)
{
    g_autofree char *address = g_strconcat("DBUS_SYSTEM_BUS_ADDRESS=", stack->address, NULL);
    const char *env[] = {address, NULL};

    perf_stack_spawn(stack, (const char *[]){"/usr/sbin/virtlogd", NULL}, env);
    perf_stack_spawn(stack, (const char *[]){"/usr/sbin/libvirtd", NULL}, env);
    perf_stack_spawn(stack, (const char *[]){"/usr/sbin/libvirt-dbus", "--system", NULL}, env);
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

    if (verb != PERF_COPY)
        return method(stack, bus, path, IFACE_DOMAIN, "BlockJobAbort", "su", "vda",
                      verb == PERF_CANCEL ? ABORT_ASYNC : 0u);
    image = perf_domain_image(domain, &stack->site, 'a');
    copy = g_strdup_printf(
        "<disk type='file'><driver type='qcow2'/><source file='%s.copy'/></disk>", image);
    return method(stack, bus, path, IFACE_DOMAIN, "BlockCopy", "ssa{sv}u", "vda", copy, 0,
                  COPY_TRANSIENT_JOB);
}

static sd_bus_message *message(PerfStack *stack, sd_bus *bus, PerfVerb verb,
                               const PerfDomain *domain)
{
    static const char *const plain[PERF_N_VERBS] = {
        [PERF_STATE] = "GetState", [PERF_GET_XML] = "GetXMLDesc", [PERF_UNDEFINE] = "Undefine",
        [PERF_START] = "Create",   [PERF_DESTROY] = "Destroy",
    };
    g_autofree char *path = NULL, *xml = NULL;

    if (domain != NULL)
        path = g_strconcat("/org/libvirt/QEMU/domain/_", domain->element, NULL);
    switch (verb) {
    case PERF_PING:
        return method(stack, bus, CONNECT, "org.freedesktop.DBus.Peer", "Ping", "");
    case PERF_LIST:
        return method(stack, bus, CONNECT, IFACE_CONNECT, "ListDomains", "u", 0u);
    case PERF_STATS_ALL:
        return method(stack, bus, CONNECT, IFACE_CONNECT, "GetAllDomainStats", "uu", STATS, 0u);
    case PERF_GET_ALL:
        return method(stack, bus, path, "org.freedesktop.DBus.Properties", "GetAll", "s",
                      IFACE_DOMAIN);
    case PERF_BY_NAME:
        return method(stack, bus, CONNECT, IFACE_CONNECT, "DomainLookupByName", "s", domain->name);
    case PERF_BY_UUID:
        return method(stack, bus, CONNECT, IFACE_CONNECT, "DomainLookupByUUID", "s", domain->uuid);
    case PERF_DEFINE:
        xml = perf_domain_xml(domain, &stack->site);
        return method(stack, bus, CONNECT, IFACE_CONNECT, "DomainDefineXML", "s", xml);
    case PERF_STATS_ONE:
        return method(stack, bus, path, IFACE_DOMAIN, "GetStats", "uu", STATS, 0u);
    case PERF_START_PAUSED:
        return method(stack, bus, path, IFACE_DOMAIN, "Create", "u", START_PAUSED);
    case PERF_SUSPEND:
        return method(stack, bus, path, IFACE_DOMAIN, "Suspend", "");
    case PERF_RESUME:
        return method(stack, bus, path, IFACE_DOMAIN, "Resume", "");
    case PERF_COPY:
    case PERF_CANCEL:
    case PERF_CANCEL_WAIT:
        return on_disk(stack, bus, verb, path, domain);
    default:
        if (plain[verb] == NULL)
            return NULL;
        return method(stack, bus, path, IFACE_DOMAIN, plain[verb], "u", 0u);
    }
}

static guint count(sd_bus_message *reply)
{
    const char *path;
    guint domains = 0;

    if (sd_bus_message_enter_container(reply, 'a', "o") < 0)
        perf_fail("peer: not a list of domains");
    while (sd_bus_message_read(reply, "o", &path) > 0)
        domains++;
    return domains;
}

static PerfSignal classify(sd_bus_message *m, const PerfDomain *domain)
{
    const char *path, *disk;
    int event, detail;

    if (sd_bus_message_is_signal(m, IFACE_CONNECT, "DomainEvent") &&
        sd_bus_message_read(m, "oii", &path, &event, &detail) > 0 &&
        g_str_has_suffix(path, domain->element))
        return event == EVENT_SUSPENDED ? PERF_SIGNAL_SUSPENDED
               : event == EVENT_RESUMED ? PERF_SIGNAL_RESUMED
                                        : PERF_SIGNAL_OTHER;
    if (sd_bus_message_is_signal(m, IFACE_DOMAIN, "BlockJob") &&
        g_str_has_suffix(sd_bus_message_get_path(m), domain->element) &&
        sd_bus_message_read(m, "sii", &disk, &event, &detail) > 0)
        return detail == BLOCK_JOB_READY ? PERF_SIGNAL_JOB_READY : PERF_SIGNAL_JOB_END;
    return PERF_SIGNAL_OTHER;
}

static const PerfVerb list_each[] = {PERF_STATE, PERF_GET_XML, PERF_GET_ALL, PERF_N_VERBS};

const PerfDialect perf_peer = {
    .name = "peer",
    .bus_name = NAME,
    .most_domains = 16384,
    .list_each = list_each,
    .launch = launch,
    .message = message,
    .count = count,
    .signal = classify,
};
