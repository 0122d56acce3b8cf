/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes one part of a network: finds the array that a section means, and in it the element that a
 * fragment of XML means. */
#include <string.h>

#include "network-def.h"
#include "network-dns-xml.h"
#include "network-ip-xml.h"
#include "network-xml.h"

static const char *const section_words[] = {
    [VB_NETWORK_SECTION_IP_DHCP_HOST] = "ip-dhcp-host",
    [VB_NETWORK_SECTION_IP_DHCP_RANGE] = "ip-dhcp-range",
    [VB_NETWORK_SECTION_FORWARD_INTERFACE] = "forward-interface",
    [VB_NETWORK_SECTION_PORTGROUP] = "portgroup",
    [VB_NETWORK_SECTION_DNS_HOST] = "dns-host",
    [VB_NETWORK_SECTION_DNS_TXT] = "dns-txt",
    [VB_NETWORK_SECTION_DNS_SRV] = "dns-srv",
};
VB_ENUM_DEFINE(VbNetworkSection, vb_network_section, section_words)

static const char *const update_words[] = {
    [VB_NETWORK_UPDATE_ADD_FIRST] = "add-first",
    [VB_NETWORK_UPDATE_ADD_LAST] = "add-last",
    [VB_NETWORK_UPDATE_MODIFY] = "modify",
    [VB_NETWORK_UPDATE_DELETE] = "delete",
};
VB_ENUM_DEFINE(VbNetworkUpdate, vb_network_update, update_words)

/* Of `wanted` only what is given has to be so. */
static gboolean agrees(const char *wanted, const char *string)
{
    return !wanted || g_strcmp0(wanted, string) == 0;
}

static gboolean name_agrees(const char *wanted, const char *name)
{
    return !wanted || (name && g_ascii_strcasecmp(wanted, name) == 0);
}

static gboolean ip_agrees(const VbIpAddress *wanted, const VbIpAddress *address)
{
    return wanted->family == VB_IP_NONE || vb_ip_equal(wanted, address);
}

static gboolean number_agrees(guint wanted, guint number)
{
    return wanted == 0 || wanted == number;
}

/* --- one kind of element each: is `part` the one that `wanted` means? --- */

/* For modify `wanted` is the new element, and only its key counts; for delete all that it says. */
typedef gboolean (*IsMeantFunc)(gconstpointer wanted, gconstpointer part, gboolean by_key);
/* Does a fragment say what could be found by it? */
typedef gboolean (*HasKeyFunc)(gconstpointer wanted);

static gboolean is_dhcp_host(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    const VbDhcpHostDef *key = wanted;
    const VbDhcpHostDef *host = part;
    gboolean same_device = agrees(key->mac, host->mac) && agrees(key->id, host->id);

    if (by_key)
        return key->mac || key->id ? same_device : name_agrees(key->name, host->name);
    return same_device && name_agrees(key->name, host->name) && ip_agrees(&key->ip, &host->ip) &&
           number_agrees(key->lease, host->lease);
}

static gboolean has_dhcp_host_key(gconstpointer wanted)
{
    const VbDhcpHostDef *key = wanted;

    return key->mac || key->id || key->name || key->ip.family != VB_IP_NONE;
}

static gboolean is_dhcp_range(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    const VbDhcpRangeDef *key = wanted;
    const VbDhcpRangeDef *range = part;

    return vb_ip_equal(&key->range.start, &range->range.start) &&
           vb_ip_equal(&key->range.end, &range->range.end) &&
           (by_key || number_agrees(key->lease, range->lease));
}

static gboolean is_forward_dev(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    return g_str_equal(wanted, part);
}

static gboolean is_portgroup(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    const VbPortgroupDef *key = wanted;
    const VbPortgroupDef *portgroup = part;

    return g_str_equal(key->name, portgroup->name);
}

static gboolean is_dns_host(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    const VbDnsHostDef *key = wanted;
    const VbDnsHostDef *host = part;

    if (!ip_agrees(&key->ip, &host->ip))
        return FALSE;
    for (guint i = 0; i < key->hostnames->len && !by_key; i++) {
        gboolean found = FALSE;

        for (guint j = 0; j < host->hostnames->len; j++)
            found |= name_agrees(key->hostnames->pdata[i], host->hostnames->pdata[j]);
        if (!found)
            return FALSE;
    }
    return TRUE;
}

static gboolean has_dns_host_key(gconstpointer wanted)
{
    const VbDnsHostDef *key = wanted;

    return key->ip.family != VB_IP_NONE || key->hostnames->len > 0;
}

static gboolean is_dns_txt(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    const VbDnsTxtDef *key = wanted;
    const VbDnsTxtDef *txt = part;

    return name_agrees(key->name, txt->name) && (by_key || agrees(key->value, txt->value));
}

static gboolean has_dns_txt_key(gconstpointer wanted)
{
    return ((const VbDnsTxtDef *)wanted)->name != NULL;
}

static gboolean is_dns_srv(gconstpointer wanted, gconstpointer part, gboolean by_key)
{
    const VbDnsSrvDef *key = wanted;
    const VbDnsSrvDef *srv = part;

    if (by_key)
        return g_strcmp0(key->service, srv->service) == 0 &&
               g_strcmp0(key->protocol, srv->protocol) == 0 &&
               g_strcmp0(key->domain, srv->domain) == 0;
    return name_agrees(key->service, srv->service) && agrees(key->protocol, srv->protocol) &&
           name_agrees(key->domain, srv->domain) && name_agrees(key->target, srv->target) &&
           number_agrees(key->port, srv->port) && number_agrees(key->priority, srv->priority) &&
           number_agrees(key->weight, srv->weight);
}

static gboolean has_dns_srv_key(gconstpointer wanted)
{
    const VbDnsSrvDef *key = wanted;

    return key->service || key->protocol || key->domain || key->target;
}

static const struct {
    const char *element;
    IsMeantFunc is_meant;
    HasKeyFunc has_key; /* NULL: reading it asks for the key */
    GDestroyNotify free;
} sections[] = {
    [VB_NETWORK_SECTION_IP_DHCP_HOST] = {"host", is_dhcp_host, has_dhcp_host_key,
                                         (GDestroyNotify)vb_dhcp_host_def_free},
    [VB_NETWORK_SECTION_IP_DHCP_RANGE] = {"range", is_dhcp_range, NULL,
                                          (GDestroyNotify)vb_dhcp_range_def_free},
    [VB_NETWORK_SECTION_FORWARD_INTERFACE] = {"interface", is_forward_dev, NULL, g_free},
    [VB_NETWORK_SECTION_PORTGROUP] = {"portgroup", is_portgroup, NULL,
                                      (GDestroyNotify)vb_portgroup_def_free},
    [VB_NETWORK_SECTION_DNS_HOST] = {"host", is_dns_host, has_dns_host_key,
                                     (GDestroyNotify)vb_dns_host_def_free},
    [VB_NETWORK_SECTION_DNS_TXT] = {"txt", is_dns_txt, has_dns_txt_key,
                                    (GDestroyNotify)vb_dns_txt_def_free},
    [VB_NETWORK_SECTION_DNS_SRV] = {"srv", is_dns_srv, has_dns_srv_key,
                                    (GDestroyNotify)vb_dns_srv_def_free},
};

static gpointer parse_part(VbXmlReader *reader, VbNetworkSection section)
{
    VbXmlElement *element = vb_xml_reader_root(reader);

    switch (section) {
    case VB_NETWORK_SECTION_IP_DHCP_HOST:
        return vb_dhcp_host_def_parse(reader, element);
    case VB_NETWORK_SECTION_IP_DHCP_RANGE:
        return vb_dhcp_range_def_parse(reader, element);
    case VB_NETWORK_SECTION_FORWARD_INTERFACE:
        return vb_forward_dev_parse(reader, element);
    case VB_NETWORK_SECTION_PORTGROUP:
        return vb_portgroup_def_parse(reader, element);
    case VB_NETWORK_SECTION_DNS_HOST:
        return vb_dns_host_def_parse(reader, element);
    case VB_NETWORK_SECTION_DNS_TXT:
        return vb_dns_txt_def_parse(reader, element);
    case VB_NETWORK_SECTION_DNS_SRV:
        return vb_dns_srv_def_parse(reader, element);
    case VB_N_NETWORK_SECTIONS:
        break;
    }
    g_assert_not_reached();
}

/* --- where it goes --- */

/* Of which family is what a fragment of DHCP says? */
static VbIpFamily family_of(VbNetworkSection section, gconstpointer part)
{
    const VbDhcpHostDef *host = part;

    if (section == VB_NETWORK_SECTION_IP_DHCP_RANGE)
        return ((const VbDhcpRangeDef *)part)->range.start.family;
    if (host->ip.family != VB_IP_NONE)
        return host->ip.family;
    if (host->mac)
        return VB_IPV4;
    return host->id ? VB_IPV6 : VB_IP_NONE;
}

static VbNetworkIpDef *find_ip(VbNetworkDef *def, VbIpFamily family, int parent, GError **error)
{
    VbNetworkIpDef *found[2] = {NULL, NULL}; /* without and with <dhcp> */
    guint n[2] = {0, 0};

    if (parent >= 0) {
        if ((guint)parent < def->ips->len)
            return def->ips->pdata[parent];
        vb_fail(error, VB_ERROR_INVALID_ARGS, "network %s has no <ip> %d", def->name, parent);
        return NULL;
    }
    for (guint i = 0; i < def->ips->len; i++) {
        VbNetworkIpDef *ip = def->ips->pdata[i];

        if (family == VB_IP_NONE || ip->address.family == family) {
            found[ip->dhcp] = ip;
            n[ip->dhcp]++;
        }
    }
    if (n[TRUE] == 1)
        return found[TRUE];
    if (n[TRUE] == 0 && n[FALSE] == 1)
        return found[FALSE];
    if (n[TRUE] + n[FALSE] == 0)
        vb_fail(error, VB_ERROR_INVALID_ARGS, "network %s has no <ip> for this", def->name);
    else
        vb_fail(error, VB_ERROR_INVALID_ARGS,
                "network %s has several <ip>: say which by its index from 0", def->name);
    return NULL;
}

static GPtrArray *find_array(VbNetworkDef *def, VbNetworkSection section, int parent,
                             gconstpointer part, GError **error)
{
    gboolean is_range = section == VB_NETWORK_SECTION_IP_DHCP_RANGE;

    if (is_range || section == VB_NETWORK_SECTION_IP_DHCP_HOST) {
        VbNetworkIpDef *ip = find_ip(def, family_of(section, part), parent, error);

        if (!ip)
            return NULL;
        ip->dhcp = TRUE;
        return is_range ? ip->ranges : ip->hosts;
    }
    if (parent > 0) {
        vb_fail(error, VB_ERROR_INVALID_ARGS, "section '%s' has no parent %d",
                vb_network_section_to_string(section), parent);
        return NULL;
    }
    switch (section) {
    case VB_NETWORK_SECTION_FORWARD_INTERFACE:
        return def->forward.devs;
    case VB_NETWORK_SECTION_PORTGROUP:
        return def->portgroups;
    case VB_NETWORK_SECTION_DNS_HOST:
        return def->dns.hosts;
    case VB_NETWORK_SECTION_DNS_TXT:
        return def->dns.txts;
    case VB_NETWORK_SECTION_DNS_SRV:
        return def->dns.srvs;
    default:
        g_assert_not_reached();
    }
}

/* The index of the one element that is meant, or -1. */
static int find_part(const VbNetworkDef *def, const GPtrArray *array, VbNetworkSection section,
                     gconstpointer wanted, gboolean by_key, GError **error)
{
    const char *element = sections[section].element;
    int found = -1;

    for (guint i = 0; i < array->len; i++) {
        if (!sections[section].is_meant(wanted, array->pdata[i], by_key))
            continue;
        if (found >= 0) {
            vb_fail(error, VB_ERROR_INVALID_ARGS, "network %s has several such <%s>: say more",
                    def->name, element);
            return -1;
        }
        found = (int)i;
    }
    if (found < 0)
        vb_fail(error, VB_ERROR_INVALID_ARGS, "network %s has no such <%s>", def->name, element);
    return found;
}

/* --- the update --- */

static gpointer parse_fragment(VbNetworkSection section, VbNetworkUpdate command, const char *xml,
                               GError **error)
{
    g_autoptr(VbXmlReader) reader =
        vb_xml_reader_new(xml, -1, VB_XML_MAX_SIZE, sections[section].element, error);
    if (!reader)
        return NULL;

    gpointer part = parse_part(reader, section);
    gboolean finds = command == VB_NETWORK_UPDATE_MODIFY || command == VB_NETWORK_UPDATE_DELETE;
    if (part && finds && sections[section].has_key && !sections[section].has_key(part))
        vb_xml_fail(reader, vb_xml_reader_root(reader), VB_ERROR_INVALID_XML,
                    "it does not say which one");
    if (vb_xml_reader_finish(reader, vb_network_unsupported, error))
        return part;
    sections[section].free(part);
    return NULL;
}

/* Takes `part`. */
static gboolean change(VbNetworkDef *def, VbNetworkSection section, VbNetworkUpdate command,
                       int parent, gpointer part, GError **error)
{
    GPtrArray *array = find_array(def, section, parent, part, error);
    gboolean by_key = command == VB_NETWORK_UPDATE_MODIFY;
    int index = 0;

    if (array && (by_key || command == VB_NETWORK_UPDATE_DELETE))
        index = find_part(def, array, section, part, by_key, error);
    if (!array || index < 0) {
        sections[section].free(part);
        return FALSE;
    }
    switch (command) {
    case VB_NETWORK_UPDATE_ADD_FIRST:
        g_ptr_array_insert(array, 0, part);
        return TRUE;
    case VB_NETWORK_UPDATE_ADD_LAST:
        g_ptr_array_add(array, part);
        return TRUE;
    case VB_NETWORK_UPDATE_MODIFY:
        g_ptr_array_remove_index(array, (guint)index);
        g_ptr_array_insert(array, index, part);
        return TRUE;
    case VB_NETWORK_UPDATE_DELETE:
        g_ptr_array_remove_index(array, (guint)index);
        sections[section].free(part);
        return TRUE;
    case VB_N_NETWORK_UPDATES:
        break;
    }
    g_assert_not_reached();
}

VbNetworkDef *vb_network_def_update(const VbNetworkDef *def, VbNetworkSection section,
                                    VbNetworkUpdate command, int parent, const char *xml,
                                    GError **error)
{
    if (section == VB_NETWORK_SECTION_FORWARD_INTERFACE && command == VB_NETWORK_UPDATE_MODIFY) {
        vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                "network %s: a forward interface has nothing to modify; add and delete it",
                def->name);
        return NULL;
    }
    gpointer part = parse_fragment(section, command, xml, error);
    if (!part)
        return NULL;

    g_autoptr(VbNetworkDef) changed = vb_network_def_copy(def);
    if (!change(changed, section, command, parent, part, error) ||
        !vb_network_def_validate(changed, error))
        return NULL;
    return g_steal_pointer(&changed);
}
