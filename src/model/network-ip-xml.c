/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes the addresses of a network: `<ip>` and `<route>`. */
#include "network-ip-xml.h"

#include <string.h>

#include "dns-name.h"
#include "mac-address.h"

#define MIN_LEASE 120u    /* seconds: dnsmasq gives no shorter ones */
#define MAX_BOOT_FILE 127 /* bytes: the field of a DHCP packet */

/* --- attributes --- */

gboolean vb_ip_parse_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                          VbIpAddress *ret_address)
{
    g_autofree char *text = vb_xml_attr(reader, element, name);

    if (!text)
        return FALSE;
    if (!vb_ip_parse(text, ret_address))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' is not an IP address", name, text);
    return TRUE;
}

static void parse_required_ip(VbXmlReader *reader, VbXmlElement *element, const char *name,
                              VbIpAddress *ret_address)
{
    if (!vb_ip_parse_attr(reader, element, name, ret_address))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute '%s' is missing", name);
}

void vb_ip_write_attr(VbXmlWriter *writer, const char *name, const VbIpAddress *address)
{
    g_autofree char *text = NULL;

    if (address->family == VB_IP_NONE)
        return;
    text = vb_ip_to_string(address);
    vb_xml_write_attr(writer, name, text);
}

void vb_ip_range_parse(VbXmlReader *reader, VbXmlElement *element, VbIpRange *ret_range)
{
    parse_required_ip(reader, element, "start", &ret_range->start);
    parse_required_ip(reader, element, "end", &ret_range->end);
    if (ret_range->start.family != ret_range->end.family)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "'start' and 'end' are not of the same family");
    else if (vb_ip_compare(&ret_range->start, &ret_range->end) > 0)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'start' is behind 'end'");
}

void vb_ip_range_format(VbXmlWriter *writer, const VbIpRange *range)
{
    vb_ip_write_attr(writer, "start", &range->start);
    vb_ip_write_attr(writer, "end", &range->end);
}

void vb_xml_refuse_attr(VbXmlReader *reader, VbXmlElement *element, const char *name)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);

    if (value)
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED, "attribute '%s' is not supported",
                    name);
}

gboolean vb_network_check_text(VbXmlReader *reader, VbXmlElement *element, const char *attribute,
                               const char *text, const char *also)
{
    if (!text)
        return TRUE;
    if (strlen(text) > VB_NETWORK_MAX_TEXT) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute '%s' is longer than %d bytes",
                    attribute, VB_NETWORK_MAX_TEXT);
        return FALSE;
    }
    if (text[strcspn(text, "\"\\")] || text[strcspn(text, also)]) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s' holds one of the characters \"\\%s", attribute, also);
        return FALSE;
    }
    return TRUE;
}

/* The attributes family, netmask and prefix, which go with `address`. */
static guint parse_prefix(VbXmlReader *reader, VbXmlElement *element, const VbIpAddress *address)
{
    VbIpFamily family = VB_IPV4;
    VbIpAddress netmask = {0};
    guint prefix = 0;

    VB_XML_ENUM_ATTR(reader, element, "family", vb_ip_family, &family);
    gboolean has_netmask = vb_ip_parse_attr(reader, element, "netmask", &netmask);
    gboolean has_prefix =
        vb_xml_uint_attr(reader, element, "prefix", 0, vb_ip_family_bits(family), &prefix);
    if (vb_xml_reader_failed(reader))
        return 0;
    if (address->family != family) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the address is not of family '%s'",
                    vb_ip_family_to_string(family));
    } else if (has_netmask && has_prefix) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'netmask' excludes 'prefix'");
    } else if (has_netmask) {
        if (family != VB_IPV4)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                        "'netmask' is for IPv4; use 'prefix'");
        else if (!vb_ip_netmask_to_prefix(&netmask, &prefix))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                        "attribute 'netmask': the ones are not at the beginning");
    } else if (!has_prefix) {
        VbIpAddress none = {.family = family};

        /* IPv4 as in the days of classes */
        if (vb_ip_equal(address, &none))
            prefix = 0;
        else if (family == VB_IPV6)
            prefix = 64;
        else if (!(address->bytes[0] & 0x80))
            prefix = 8;
        else
            prefix = address->bytes[0] & 0x40 ? 24 : 16;
    }
    return prefix;
}

static void format_prefix(VbXmlWriter *writer, const VbIpAddress *address, guint prefix)
{
    if (address->family == VB_IPV6)
        vb_xml_write_attr(writer, "family", "ipv6");
    vb_ip_write_attr(writer, "address", address);
    if (address->family == VB_IPV6) {
        vb_xml_write_attr_printf(writer, "prefix", "%u", prefix);
    } else {
        VbIpAddress netmask = vb_ip_netmask(prefix);

        vb_ip_write_attr(writer, "netmask", &netmask);
    }
}

/* --- DHCP --- */

static const struct {
    const char *word;
    guint seconds;
} lease_units[] = {{"hours", 3600}, {"minutes", 60}, {"seconds", 1}};

static guint parse_lease(VbXmlReader *reader, VbXmlElement *parent)
{
    VbXmlElement *element = vb_xml_child(reader, parent, "lease");
    guint expiry = 0;
    guint factor = 0;

    if (!element)
        return VB_LEASE_DEFAULT;
    g_autofree char *unit = vb_xml_attr(reader, element, "unit");
    for (gsize i = 0; i < G_N_ELEMENTS(lease_units); i++)
        if (g_str_equal(unit ? unit : "minutes", lease_units[i].word))
            factor = lease_units[i].seconds;
    if (factor == 0) {
        vb_xml_fail_value(reader, element, "unit", unit);
        return VB_LEASE_DEFAULT;
    }
    if (!vb_xml_uint_attr(reader, element, "expiry", 0, (VB_LEASE_INFINITE - 1) / factor,
                          &expiry)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'expiry' is missing");
        return VB_LEASE_DEFAULT;
    }
    if (expiry == 0)
        return VB_LEASE_INFINITE;
    if (expiry * factor < MIN_LEASE)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "the shortest lease is of %u seconds (0: without an end)", MIN_LEASE);
    return expiry * factor;
}

static void format_lease(VbXmlWriter *writer, guint lease)
{
    gsize unit = 0;

    if (lease == VB_LEASE_DEFAULT)
        return;
    vb_xml_write_start(writer, "lease");
    if (lease == VB_LEASE_INFINITE) {
        vb_xml_write_attr(writer, "expiry", "0");
    } else {
        while (lease % lease_units[unit].seconds)
            unit++;
        vb_xml_write_attr_printf(writer, "expiry", "%u", lease / lease_units[unit].seconds);
        vb_xml_write_attr(writer, "unit", lease_units[unit].word);
    }
    vb_xml_write_end(writer);
}

VbDhcpRangeDef *vb_dhcp_range_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbDhcpRangeDef *range = g_new0(VbDhcpRangeDef, 1);

    range->line = vb_xml_line(element);
    vb_ip_range_parse(reader, element, &range->range);
    range->lease = parse_lease(reader, element);
    return range;
}

VbDhcpHostDef *vb_dhcp_host_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbDhcpHostDef *host = g_new0(VbDhcpHostDef, 1);
    g_autofree char *mac = vb_xml_attr(reader, element, "mac");
    g_autofree char *id = vb_xml_attr(reader, element, "id");

    host->line = vb_xml_line(element);
    host->name = vb_xml_attr(reader, element, "name");
    vb_ip_parse_attr(reader, element, "ip", &host->ip);
    if (mac && !(host->mac = vb_mac_normalize(mac)))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'mac': '%s' is not the MAC address of one device", mac);
    if (id && !(host->id = vb_duid_normalize(id)))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'id': '%s' is not a DUID",
                    id);
    if (host->name && !vb_is_dhcp_name(host->name))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'name': '%s' is not a host name", host->name);
    host->lease = parse_lease(reader, element);
    return host;
}

static void parse_bootp(VbXmlReader *reader, VbXmlElement *element, VbNetworkIpDef *ip)
{
    VbIpAddress address;

    ip->bootp_file = vb_xml_required_attr(reader, element, "file");
    ip->bootp_server = vb_xml_attr(reader, element, "server");
    if (!vb_network_check_text(reader, element, "file", ip->bootp_file, ",#") || !ip->bootp_file)
        return;
    if (strlen(ip->bootp_file) > MAX_BOOT_FILE)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'file' is longer than %d "
                    "bytes",
                    MAX_BOOT_FILE);
    /* These are no names for dnsmasq, and blanks around a name are cut off. */
    if (g_str_has_prefix(ip->bootp_file, "tag:") || g_str_has_prefix(ip->bootp_file, "net:") ||
        strchr(ip->bootp_file, ' '))
        vb_xml_fail_value(reader, element, "file", ip->bootp_file);
    if (ip->bootp_server && !vb_is_dns_name(ip->bootp_server) &&
        !(vb_ip_parse(ip->bootp_server, &address) && address.family == VB_IPV4))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'server': '%s' is neither a name nor an IPv4 address",
                    ip->bootp_server);
}

static void parse_dhcp(VbXmlReader *reader, VbXmlElement *dhcp, VbNetworkIpDef *ip)
{
    VbXmlElement *element = NULL;

    ip->dhcp = TRUE;
    while ((element = vb_xml_next(reader, dhcp, element, "range")))
        g_ptr_array_add(ip->ranges, vb_dhcp_range_def_parse(reader, element));
    while ((element = vb_xml_next(reader, dhcp, element, "host")))
        g_ptr_array_add(ip->hosts, vb_dhcp_host_def_parse(reader, element));
    if ((element = vb_xml_child(reader, dhcp, "bootp")))
        parse_bootp(reader, element, ip);
}

static void format_dhcp(VbXmlWriter *writer, const VbNetworkIpDef *ip)
{
    if (!ip->dhcp)
        return;
    vb_xml_write_start(writer, "dhcp");
    for (guint i = 0; i < ip->ranges->len; i++) {
        const VbDhcpRangeDef *range = ip->ranges->pdata[i];

        vb_xml_write_start(writer, "range");
        vb_ip_range_format(writer, &range->range);
        format_lease(writer, range->lease);
        vb_xml_write_end(writer);
    }
    for (guint i = 0; i < ip->hosts->len; i++) {
        const VbDhcpHostDef *host = ip->hosts->pdata[i];

        vb_xml_write_start(writer, "host");
        vb_xml_write_attr(writer, "mac", host->mac);
        vb_xml_write_attr(writer, "id", host->id);
        vb_xml_write_attr(writer, "name", host->name);
        vb_ip_write_attr(writer, "ip", &host->ip);
        format_lease(writer, host->lease);
        vb_xml_write_end(writer);
    }
    if (ip->bootp_file) {
        vb_xml_write_start(writer, "bootp");
        vb_xml_write_attr(writer, "file", ip->bootp_file);
        vb_xml_write_attr(writer, "server", ip->bootp_server);
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- addresses and routes --- */

VbNetworkIpDef *vb_network_ip_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbNetworkIpDef *ip = vb_network_ip_def_new();
    VbXmlElement *child;

    ip->line = vb_xml_line(element);
    parse_required_ip(reader, element, "address", &ip->address);
    ip->prefix = parse_prefix(reader, element, &ip->address);
    vb_xml_yes_no_attr(reader, element, "localPtr", &ip->local_ptr);
    if ((child = vb_xml_child(reader, element, "tftp"))) {
        ip->tftp_root = vb_xml_path_attr(reader, child, "root");
        if (!ip->tftp_root)
            vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "attribute 'root' is missing");
        vb_network_check_text(reader, child, "root", ip->tftp_root, ",#");
    }
    if ((child = vb_xml_child(reader, element, "dhcp")))
        parse_dhcp(reader, child, ip);
    return ip;
}

void vb_network_ip_def_format(VbXmlWriter *writer, const VbNetworkIpDef *ip)
{
    vb_xml_write_start(writer, "ip");
    format_prefix(writer, &ip->address, ip->prefix);
    vb_xml_write_yes_no(writer, "localPtr", ip->local_ptr);
    if (ip->tftp_root) {
        vb_xml_write_start(writer, "tftp");
        vb_xml_write_attr(writer, "root", ip->tftp_root);
        vb_xml_write_end(writer);
    }
    format_dhcp(writer, ip);
    vb_xml_write_end(writer);
}

VbRouteDef *vb_route_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbRouteDef *route = g_new0(VbRouteDef, 1);
    VbIpAddress address = {0};

    route->line = vb_xml_line(element);
    parse_required_ip(reader, element, "address", &address);
    parse_required_ip(reader, element, "gateway", &route->gateway);
    guint prefix = parse_prefix(reader, element, &address);
    vb_xml_uint_attr(reader, element, "metric", 1, G_MAXUINT32, &route->metric);
    route->destination = vb_ip_subnet(&address, prefix);
    if (!vb_ip_equal(&route->destination.address, &address))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "the address has bits behind its prefix of %u: it is not a subnet's", prefix);
    return route;
}

void vb_route_def_format(VbXmlWriter *writer, const VbRouteDef *route)
{
    vb_xml_write_start(writer, "route");
    format_prefix(writer, &route->destination.address, route->destination.prefix);
    vb_ip_write_attr(writer, "gateway", &route->gateway);
    if (route->metric)
        vb_xml_write_attr_printf(writer, "metric", "%u", route->metric);
    vb_xml_write_end(writer);
}
