/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns a network's leases: their order, what of them changed, and which domains have the addresses.
 * See network.h. */
#include "network.h"

#include <string.h>

#include "network-private.h"

const GPtrArray *vb_network_leases(const VbNetwork *network)
{
    return network->leases;
}

static int compare(const VbLease *a, const VbLease *b)
{
    int order = vb_ip_compare(&a->ip, &b->ip);

    return order ? order : strcmp(a->mac, b->mac);
}

static int compare_pointers(gconstpointer a, gconstpointer b)
{
    return compare(*(const VbLease *const *)a, *(const VbLease *const *)b);
}

static gboolean are_equal(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++)
        if (!vb_lease_equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
            return FALSE;
    return TRUE;
}

/* The MACs that have an address in one of the two, which are in order, and not in the other. The
 * strings are the leases'. */
static GHashTable *find_changed_macs(const GPtrArray *old, const GPtrArray *new)
{
    GHashTable *macs = g_hash_table_new(g_str_hash, g_str_equal);
    guint i = 0, j = 0;

    while (i < old->len || j < new->len) {
        const VbLease *a = i < old->len ? g_ptr_array_index(old, i) : NULL;
        const VbLease *b = j < new->len ? g_ptr_array_index(new, j) : NULL;
        int order = !a ? 1 : !b ? -1 : compare(a, b);

        if (order != 0)
            g_hash_table_add(macs, order < 0 ? a->mac : b->mac);
        i += order <= 0;
        j += order >= 0;
    }
    return macs;
}

static gboolean has_mac(const VbDomain *domain, const char *network, GHashTable *macs)
{
    for (guint i = 0; i < domain->live->interfaces->len; i++) {
        const VbInterfaceDef *interface = g_ptr_array_index(domain->live->interfaces, i);
        if (interface->type == VB_INTERFACE_NETWORK && g_str_equal(interface->network, network) &&
            g_hash_table_contains(macs, interface->mac))
            return TRUE;
    }
    return FALSE;
}

static void announce_addresses(VbNetwork *network, GHashTable *macs)
{
    const GPtrArray *users = vb_host_network_users(network->host, network->info.name);

    for (guint i = 0; users && i < users->len && g_hash_table_size(macs) > 0; i++) {
        VbDomain *domain = g_ptr_array_index(users, i);
        if (has_mac(domain, network->info.name, macs))
            VB_EMIT(network->host, domain_changed, domain, VB_DOMAIN_PROP_ADDRESSES);
    }
}

static void index_by_mac(VbNetwork *network)
{
    g_hash_table_remove_all(network->leases_by_mac);
    for (guint i = 0; i < network->leases->len; i++) {
        VbLease *lease = g_ptr_array_index(network->leases, i);
        GPtrArray *same = g_hash_table_lookup(network->leases_by_mac, lease->mac);
        if (!same) {
            same = g_ptr_array_new();
            g_hash_table_insert(network->leases_by_mac, lease->mac, same);
        }
        g_ptr_array_add(same, lease);
    }
}

/* Takes the array, whose content is another one than that of the old. */
static void replace(VbNetwork *network, GPtrArray *leases, VbNetworkProps props)
{
    g_autoptr(GPtrArray) old = g_steal_pointer(&network->leases);
    g_autoptr(GHashTable) macs = find_changed_macs(old, leases);

    network->leases = leases;
    index_by_mac(network);
    if (props)
        VB_EMIT(network->host, network_changed, network, props);
    announce_addresses(network, macs);
}

void vb_network_set_leases(VbNetwork *network, GPtrArray *leases)
{
    g_autoptr(GPtrArray) taken = leases;

    g_ptr_array_sort(taken, compare_pointers);
    if (network->live && !are_equal(network->leases, taken))
        replace(network, g_steal_pointer(&taken), VB_NETWORK_PROP_LEASES);
}

gboolean vb_network_drop_leases(VbNetwork *network)
{
    if (network->leases->len == 0)
        return FALSE;
    replace(network, g_ptr_array_new_with_free_func((GDestroyNotify)vb_lease_free), 0);
    return TRUE;
}

/* ---- of domains -------------------------------------------------------------------------------
 */

static void add_address(GPtrArray *addresses, GHashTable *seen, const VbIpAddress *ip)
{
    g_autofree char *address = vb_ip_to_string(ip);

    if (g_hash_table_contains(seen, address))
        return;
    g_hash_table_add(seen, address);
    g_ptr_array_add(addresses, g_steal_pointer(&address));
}

GPtrArray *vb_domain_addresses(const VbDomain *domain)
{
    GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; domain->ports_open && i < domain->live->interfaces->len; i++) {
        const VbInterfaceDef *interface = g_ptr_array_index(domain->live->interfaces, i);
        const VbNetwork *network = interface->type == VB_INTERFACE_NETWORK
                                       ? vb_host_network_by_name(domain->host, interface->network)
                                       : NULL;
        const GPtrArray *leases =
            network ? g_hash_table_lookup(network->leases_by_mac, interface->mac) : NULL;
        for (guint j = 0; leases && j < leases->len; j++)
            add_address(addresses, seen, &((const VbLease *)g_ptr_array_index(leases, j))->ip);
    }
    return addresses;
}
