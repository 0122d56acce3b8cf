/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the ports of domains: what an interface asks of the network driver, the opening of all ports
 * of a domain that starts, all or none, and their end. See network.h. */
#include "network.h"

#include "network-private.h"
#include "error.h"
#include "fd.h"

/* ---- what an interface is plugged into --------------------------------------------------------
 */

static VbNetwork *find_network(const VbDomain *domain, const VbInterfaceDef *interface,
                               GError **error)
{
    VbNetwork *network = vb_host_network_by_name(domain->host, interface->network);

    if (!network)
        vb_fail(error, VB_ERROR_NO_NETWORK, "domain '%s': there is no network '%s'",
                domain->info.name, interface->network);
    else if (network->phase != VB_NETWORK_ACTIVE)
        vb_fail(error, VB_ERROR_NETWORK_NOT_RUNNING, "domain '%s': network '%s' is not active",
                domain->info.name, interface->network);
    else
        return network;
    return NULL;
}

/* What the interface itself says. */
static VbPortSpec *own_spec(const VbInterfaceDef *interface)
{
    VbPortSpec *spec = vb_port_spec_new();

    spec->name = g_strdup(interface->target);
    spec->existing =
        interface->type == VB_INTERFACE_ETHERNET && interface->managed == VB_TRISTATE_NO;
    spec->bridge = interface->type == VB_INTERFACE_ETHERNET ? NULL : g_strdup(interface->bridge);
    spec->mac = g_strdup(interface->mac);
    spec->mtu = interface->mtu;
    spec->bandwidth = interface->bandwidth;
    spec->vlan = vb_vlan_def_copy(interface->vlan);
    spec->isolated = interface->isolated == VB_TRISTATE_YES;
    return spec;
}

/* What it leaves to its portgroup and its network. */
static void complete_spec(VbPortSpec *spec, const VbInterfaceDef *interface,
                          const VbNetworkDef *network, const VbPortgroupDef *portgroup)
{
    g_free(spec->bridge);
    spec->bridge = g_strdup(network->bridge);
    if (portgroup && !vb_bandwidth_def_is_set(&spec->bandwidth))
        spec->bandwidth = portgroup->bandwidth;
    if (!spec->vlan)
        spec->vlan =
            vb_vlan_def_copy(portgroup && portgroup->vlan ? portgroup->vlan : network->vlan);
    if (interface->isolated == VB_TRISTATE_ABSENT)
        spec->isolated = network->port_isolated == VB_TRISTATE_YES;
    if (spec->mtu == 0)
        spec->mtu = network->mtu;
}

VbPortSpec *vb_domain_port_spec(const VbDomain *domain, const VbInterfaceDef *interface,
                                GError **error)
{
    if (interface->type != VB_INTERFACE_NETWORK)
        return own_spec(interface);
    const VbNetwork *network = find_network(domain, interface, error);
    if (!network)
        return NULL;
    const VbPortgroupDef *portgroup =
        vb_network_def_find_portgroup(network->live, interface->portgroup);
    if (interface->portgroup && !portgroup) {
        vb_fail(error, VB_ERROR_FAILED, "domain '%s': network '%s' has no portgroup '%s'",
                domain->info.name, interface->network, interface->portgroup);
        return NULL;
    }
    VbPortSpec *spec = own_spec(interface);
    complete_spec(spec, interface, network->live, portgroup);
    return spec;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

typedef struct {
    VbDomain *domain;
    VbDomainDef *life; /* the live definition: it may be another one by the time */
    GPtrArray *specs;  /* of VbPortSpec, for each interface: NULL where it needs no port */
    GPtrArray *ports;  /* of VbPort, as the specs: NULL where it is not open */
    guint pending;
    GError *error; /* the first one */
} Opening;

static void opening_free(Opening *opening)
{
    g_ptr_array_unref(opening->ports);
    g_ptr_array_unref(opening->specs);
    vb_domain_def_unref(opening->life);
    vb_domain_unref(opening->domain);
    g_clear_error(&opening->error);
    g_free(opening);
}

static gboolean make_specs(Opening *opening, GError **error)
{
    const VbDomain *domain = opening->domain;

    for (guint i = 0; i < opening->life->interfaces->len; i++) {
        const VbInterfaceDef *interface = g_ptr_array_index(opening->life->interfaces, i);
        VbPortSpec *spec = NULL;

        g_ptr_array_add(opening->ports, NULL);
        if (interface->type != VB_INTERFACE_USER) {
            if (!domain->host->networks)
                return vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                               "domain '%s': this virtbusd has no virtual networks: an interface "
                               "of type '%s' cannot be plugged in",
                               domain->info.name, vb_interface_type_to_string(interface->type));
            spec = vb_domain_port_spec(domain, interface, error);
            if (!spec)
                return FALSE;
        }
        g_ptr_array_add(opening->specs, spec);
    }
    return TRUE;
}

static void close_port(const VbHostNetworks *networks, VbPortSpec *spec, VbPort *port)
{
    g_free(spec->name);
    spec->name = g_strdup(port->name);
    vb_port_free(port);
    networks->driver->port_close(networks->self, spec);
}

static void close_all(Opening *opening)
{
    for (guint i = 0; i < opening->ports->len; i++) {
        VbPort *port = g_steal_pointer(&g_ptr_array_index(opening->ports, i));
        if (port)
            close_port(opening->domain->host->networks, g_ptr_array_index(opening->specs, i), port);
    }
}

/* The world went on while the ports were being opened. */
static gboolean check_still_wanted(const Opening *opening, GTask *task, GError **error)
{
    const VbDomain *domain = opening->domain;

    if (domain->live != opening->life)
        return vb_fail(error, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                       domain->info.name);
    for (guint i = 0; i < opening->life->interfaces->len; i++) {
        const VbInterfaceDef *interface = g_ptr_array_index(opening->life->interfaces, i);
        if (interface->type == VB_INTERFACE_NETWORK && !find_network(domain, interface, error))
            return FALSE;
    }
    return !g_cancellable_set_error_if_cancelled(g_task_get_cancellable(task), error);
}

static void use_network(VbDomain *domain, const VbInterfaceDef *interface)
{
    if (interface->type == VB_INTERFACE_NETWORK && domain->host->networks)
        vb_host_add_network_user(domain->host, interface->network, domain);
}

static gboolean has_addresses(const VbDomain *domain)
{
    g_autoptr(GPtrArray) addresses = vb_domain_addresses(domain);

    return addresses->len > 0;
}

static void close_descriptor(gpointer fd)
{
    vb_clear_fd(fd);
}

/* The live definition learns of its ports; gives the descriptors. */
static GArray *settle(Opening *opening)
{
    VbDomain *domain = opening->domain;
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_set_clear_func(fds, close_descriptor);
    for (guint i = 0; i < opening->ports->len; i++) {
        VbInterfaceDef *interface = g_ptr_array_index(domain->live->interfaces, i);
        VbPort *port = g_ptr_array_index(opening->ports, i);
        const VbPortSpec *spec = g_ptr_array_index(opening->specs, i);
        int fd = port ? vb_steal_fd(&port->fd) : -1;

        g_array_append_val(fds, fd);
        if (!port)
            continue;
        g_free(interface->target);
        interface->target = g_strdup(port->name);
        if (interface->type == VB_INTERFACE_NETWORK) {
            g_free(interface->bridge);
            interface->bridge = g_strdup(spec->bridge);
            /* The guest has to know it, too. */
            interface->mtu = spec->mtu;
        }
        use_network(domain, interface);
        domain->ports_open = TRUE;
    }
    if (domain->ports_open) {
        vb_domain_save(domain);
        vb_domain_live_def_changed(domain);
    }
    /* A lease of an earlier life may still hold. */
    if (has_addresses(domain))
        VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_ADDRESSES);
    return fds;
}

static void one_less(GTask *task)
{
    Opening *opening = g_task_get_task_data(task);

    if (--opening->pending > 0)
        return;
    if (opening->error || !check_still_wanted(opening, task, &opening->error)) {
        close_all(opening);
        g_task_return_error(task, g_steal_pointer(&opening->error));
        return;
    }
    g_task_return_pointer(task, settle(opening), (GDestroyNotify)g_array_unref);
}

typedef struct {
    GTask *task;
    guint interface;
} PortOpening;

static void port_opened(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree PortOpening *data = user_data;
    g_autoptr(GTask) task = data->task;
    Opening *opening = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    VbPort *port = g_task_propagate_pointer(G_TASK(result), &error);

    g_ptr_array_index(opening->ports, data->interface) = port;
    if (!port && !opening->error)
        opening->error = g_steal_pointer(&error);
    one_less(task);
}

static void open_port(GTask *task, guint interface)
{
    Opening *opening = g_task_get_task_data(task);
    const VbHostNetworks *networks = opening->domain->host->networks;
    PortOpening *data = g_new(PortOpening, 1);

    *data = (PortOpening){g_object_ref(task), interface};
    opening->pending++;
    GTask *port = g_task_new(NULL, g_task_get_cancellable(task), port_opened, data);
    /* A port that was opened is not lost when the cancel comes late. */
    g_task_set_check_cancellable(port, FALSE);
    networks->driver->port_open(networks->self, g_ptr_array_index(opening->specs, interface), port);
}

void vb_domain_open_ports_async(VbDomain *domain, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Opening *opening = g_new0(Opening, 1);
    GError *error = NULL;

    g_return_if_fail(domain->live && !domain->ports_open);
    g_task_set_check_cancellable(task, FALSE);
    opening->domain = vb_domain_ref(domain);
    opening->life = vb_domain_def_ref(domain->live);
    opening->specs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_port_spec_free);
    opening->ports = g_ptr_array_new_with_free_func((GDestroyNotify)vb_port_free);
    g_task_set_task_data(task, opening, (GDestroyNotify)opening_free);
    if (!make_specs(opening, &error)) {
        g_task_return_error(task, error);
        return;
    }
    opening->pending = 1;
    for (guint i = 0; i < opening->specs->len; i++)
        if (g_ptr_array_index(opening->specs, i))
            open_port(task, i);
    one_less(task);
}

GArray *vb_domain_open_ports_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- a restart, and the end -------------------------------------------------------------------
 */

void vb_domain_load_ports(VbDomain *domain)
{
    domain->ports_open = domain->ports_open && domain->host->networks;
    for (guint i = 0; domain->ports_open && i < domain->live->interfaces->len; i++)
        use_network(domain, g_ptr_array_index(domain->live->interfaces, i));
}

VbDomainProps vb_domain_close_ports(VbDomain *domain)
{
    const VbHostNetworks *networks = domain->host->networks;
    VbDomainProps props = has_addresses(domain) ? VB_DOMAIN_PROP_ADDRESSES : 0;

    domain->replug = FALSE;
    if (!domain->ports_open)
        return 0;
    domain->ports_open = FALSE;
    for (guint i = 0; i < domain->live->interfaces->len; i++) {
        const VbInterfaceDef *interface = g_ptr_array_index(domain->live->interfaces, i);
        if (interface->type == VB_INTERFACE_USER)
            continue;
        /* Its network may be gone by now; the port is there all the same. */
        g_autoptr(VbPortSpec) spec = vb_domain_port_spec(domain, interface, NULL);
        if (!spec)
            spec = own_spec(interface);
        networks->driver->port_close(networks->self, spec);
        if (interface->type == VB_INTERFACE_NETWORK)
            vb_host_remove_network_user(domain->host, interface->network, domain);
    }
    return props;
}
