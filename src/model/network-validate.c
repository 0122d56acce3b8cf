/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules between the parts of a network, for those who parse one and those who edit one: what
 * concerns the network itself. What a single element may say is checked where it is read. */
#include "network-validate.h"

#include <string.h>

#include "definition.h"

#define MIN_IPV6_MTU 1280

/* Of an element that the network has once; `reader` may be NULL. */
#define LINE(path) (reader ? vb_xml_line_of(reader, path) : 0)
#define INVALID(path, ...)                                                                         \
    vb_definition_fail(error, VB_ERROR_INVALID_XML, LINE(path), "network/" path, __VA_ARGS__)
#define INVALID_AT(part, path, ...)                                                                \
    vb_definition_fail(error, VB_ERROR_INVALID_XML, (part)->line, "network/" path, __VA_ARGS__)

/* --- for all files of these rules --- */

gboolean vb_network_check_count(const GPtrArray *array, guint max, guint line, const char *where,
                                const char *what, GError **error)
{
    return array->len <= max ||
           vb_definition_fail(error, VB_ERROR_LIMITS_EXCEEDED, line, where,
                              "there are %u %s, and at most %u can be", array->len, what, max);
}

gboolean vb_network_check_ip(const VbIpAddress *address, guint line, const char *where,
                             GError **error)
{
    const char *unusable = vb_ip_unusable(address);

    if (!unusable)
        return TRUE;
    g_autofree char *text = vb_ip_to_string(address);
    return vb_definition_fail(error, VB_ERROR_INVALID_XML, line, where, "%s is %s", text, unusable);
}

GHashTable *vb_string_set_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

gboolean vb_string_set_add(GHashTable *set, char *string)
{
    return g_hash_table_add(set, string);
}

/* --- the network itself --- */

static gboolean check_identity(const VbNetworkDef *def, VbXmlReader *reader, GError **error)
{
    if (!vb_definition_is_name(def->name))
        return INVALID("name", "a name has 1 to 255 bytes, not all of them blank, without '/' and "
                               "control characters, and is not '.' or '..'");
    if (!g_uuid_string_is_valid(def->uuid))
        return INVALID("uuid", "'%s' is not a UUID", def->uuid);
    return TRUE;
}

/* An existing bridge is used as it is. */
static gboolean check_foreign_bridge(const VbNetworkDef *def, VbXmlReader *reader, GError **error)
{
    const VbNetworkDnsDef *dns = &def->dns;
    const struct {
        gboolean present;
        const char *element;
    } own[] = {
        {def->ips->len > 0, "ip"},
        {def->routes->len > 0, "route"},
        {dns->line || dns->enable || dns->forward_plain_names, "dns"},
        {dns->forwarders->len + dns->txts->len + dns->srvs->len + dns->hosts->len > 0, "dns"},
        {def->domain != NULL, "domain"},
        {def->mac != NULL, "mac"},
        {def->mtu != 0, "mtu"},
    };

    if (def->forward.devs->len > 0)
        return vb_definition_fail(error, VB_ERROR_NOT_SUPPORTED, def->forward.line,
                                  "network/forward",
                                  "mode 'bridge' with devices (macvtap) is not supported, only "
                                  "with a <bridge>");
    if (!def->bridge)
        return INVALID("bridge", "mode 'bridge' needs the name of a bridge");
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
        if (own[i].present) {
            g_autofree char *where = g_strconcat("network/", own[i].element, NULL);

            return vb_definition_fail(error, VB_ERROR_INVALID_XML, LINE(own[i].element), where,
                                      "mode 'bridge' uses a bridge as it is");
        }
    if (def->ipv6)
        return vb_definition_fail(error, VB_ERROR_INVALID_XML, LINE(""), "network",
                                  "'ipv6' does not go with mode 'bridge'");
    if (vb_bandwidth_def_is_set(&def->bandwidth))
        return vb_definition_fail(error, VB_ERROR_NOT_SUPPORTED, LINE("bandwidth"),
                                  "network/bandwidth",
                                  "the traffic of an existing bridge as a whole cannot be limited; "
                                  "use a <portgroup>");
    return TRUE;
}

static gboolean check_forward(const VbNetworkDef *def, GError **error)
{
    const VbForwardDef *forward = &def->forward;
    g_autoptr(GHashTable) devs = vb_string_set_new();

    if (forward->mode == VB_FORWARD_NONE)
        return TRUE;
    if (!vb_network_check_count(forward->devs, VB_NETWORK_MAX_FORWARD_DEVS, forward->line,
                                "network/forward", "devices", error))
        return FALSE;
    if (def->ips->len == 0)
        return INVALID_AT(forward, "forward", "mode '%s' needs an <ip>",
                          vb_forward_mode_to_string(forward->mode));
    if (forward->mode == VB_FORWARD_OPEN && forward->devs->len > 0)
        return INVALID_AT(forward, "forward",
                          "mode 'open' has no rules, so it cannot be bound to a device");
    for (guint i = 0; i < forward->devs->len; i++) {
        const char *dev = forward->devs->pdata[i];

        if (!vb_string_set_add(devs, g_strdup(dev)))
            return INVALID_AT(forward, "forward/interface", "device '%s' is given twice", dev);
        if (g_strcmp0(dev, def->bridge) == 0)
            return INVALID_AT(forward, "forward/interface",
                              "'%s' is the bridge of the network itself", dev);
    }
    if (forward->nat_addresses.start.family == VB_IPV6)
        return INVALID_AT(forward, "forward/nat/address", "the addresses are not of IPv4");
    if (forward->nat_addresses.start.family != VB_IP_NONE)
        return vb_network_check_ip(&forward->nat_addresses.start, forward->line,
                                   "network/forward/nat/address", error) &&
               vb_network_check_ip(&forward->nat_addresses.end, forward->line,
                                   "network/forward/nat/address", error);
    return TRUE;
}

static gboolean check_portgroups(const VbNetworkDef *def, GError **error)
{
    g_autoptr(GHashTable) names = vb_string_set_new();
    const VbPortgroupDef *first = NULL;

    if (def->portgroups->len == 0)
        return TRUE;
    const VbPortgroupDef *last = def->portgroups->pdata[def->portgroups->len - 1];
    if (!vb_network_check_count(def->portgroups, VB_NETWORK_MAX_PORTGROUPS, last->line,
                                "network/portgroup", "port groups", error))
        return FALSE;
    for (guint i = 0; i < def->portgroups->len; i++) {
        const VbPortgroupDef *portgroup = def->portgroups->pdata[i];

        if (!vb_string_set_add(names, g_strdup(portgroup->name)))
            return INVALID_AT(portgroup, "portgroup", "two port groups are called '%s'",
                              portgroup->name);
        if (portgroup->is_default && first)
            return INVALID_AT(portgroup, "portgroup", "'%s' and '%s' are both the default",
                              first->name, portgroup->name);
        if (portgroup->is_default)
            first = portgroup;
        if (portgroup->bandwidth.inbound.floor && !def->bandwidth.inbound.average)
            return INVALID_AT(portgroup, "portgroup/bandwidth/inbound",
                              "'floor' is a share of the network's bandwidth, which has no inbound "
                              "'average'");
    }
    return TRUE;
}

static gboolean has_ipv6(const VbNetworkDef *def)
{
    for (guint i = 0; i < def->ips->len; i++)
        if (((const VbNetworkIpDef *)def->ips->pdata[i])->address.family == VB_IPV6)
            return TRUE;
    return FALSE;
}

static gboolean check_own_bridge(const VbNetworkDef *def, VbXmlReader *reader, GError **error)
{
    if (def->mtu && def->mtu < MIN_IPV6_MTU && has_ipv6(def))
        return INVALID("mtu", "IPv6 needs an MTU of %d", MIN_IPV6_MTU);
    if (def->bandwidth.inbound.floor)
        return INVALID("bandwidth/inbound", "'floor' is for one guest, in a <portgroup>");
    return check_forward(def, error) && vb_network_def_check_addresses(def, error) &&
           vb_network_def_check_dns(def, error);
}

gboolean vb_network_def_check(const VbNetworkDef *def, VbXmlReader *reader, GError **error)
{
    gboolean (*check_bridge)(const VbNetworkDef *, VbXmlReader *, GError **) =
        vb_network_def_owns_bridge(def) ? check_own_bridge : check_foreign_bridge;

    return check_identity(def, reader, error) && check_bridge(def, reader, error) &&
           check_portgroups(def, error);
}

gboolean vb_network_def_validate(const VbNetworkDef *def, GError **error)
{
    return vb_network_def_check(def, NULL, error);
}
