/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads and writes a whole `<network>`: what concerns the network itself, and the order of the
 * rest. A parse is: read strictly, fill in the defaults, validate. */
#include "network-xml.h"

#include "definition.h"
#include "mac-address.h"
#include "network-dns-xml.h"
#include "network-ip-xml.h"
#include "network-validate.h"
#include "words.h"

#define MAX_DELAY 30 /* seconds: the kernel's */
#define MIN_MTU 68
#define MAX_MTU 65535

const char *const vb_network_unsupported[] = {"driver", "pf", "virtualport", NULL};

/* --- how it is connected --- */

static void parse_device(VbXmlReader *reader, VbXmlElement *element, const char *attribute,
                         char **ret_name)
{
    g_autofree char *name = vb_xml_attr(reader, element, attribute);

    if (name && !vb_is_device_name(name))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' is not the name of a network device (1 to 15 letters, "
                    "digits, '_', '.' and '-')",
                    attribute, name);
    *ret_name = g_steal_pointer(&name);
}

static void parse_bridge(VbXmlReader *reader, VbXmlElement *network, VbNetworkDef *def)
{
    VbXmlElement *element = vb_xml_child(reader, network, "bridge");
    VbTristate stp = VB_TRISTATE_ABSENT;

    if (!element)
        return;
    parse_device(reader, element, "name", &def->bridge);
    vb_xml_on_off_attr(reader, element, "stp", &stp);
    def->stp = stp != VB_TRISTATE_NO;
    gboolean has_delay = vb_xml_uint_attr(reader, element, "delay", 0, MAX_DELAY, &def->delay);
    vb_xml_refuse_attr(reader, element, "zone");
    g_autofree char *manager = vb_xml_attr(reader, element, "macTableManager");
    if (manager && !g_str_equal(manager, "kernel"))
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED,
                    "macTableManager='%s' is not supported, only 'kernel'", manager);
    if (!vb_network_def_owns_bridge(def) && (stp || has_delay))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "'stp' and 'delay' are not for a bridge that exists already");
}

char *vb_forward_dev_parse(VbXmlReader *reader, VbXmlElement *element)
{
    guint connections;
    char *dev;

    parse_device(reader, element, "dev", &dev);
    if (!dev)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'dev' is missing");
    /* what a dump of libvirt's says of a running network */
    vb_xml_uint_attr(reader, element, "connections", 0, G_MAXUINT, &connections);
    return dev;
}

static void parse_nat(VbXmlReader *reader, VbXmlElement *element, VbForwardDef *forward)
{
    VbXmlElement *child;

    vb_xml_yes_no_attr(reader, element, "ipv6", &forward->nat_ipv6);
    if ((child = vb_xml_child(reader, element, "address")))
        vb_ip_range_parse(reader, child, &forward->nat_addresses);
    if ((child = vb_xml_child(reader, element, "port"))) {
        if (!vb_xml_uint_attr(reader, child, "start", 1, 65535, &forward->nat_port_start) ||
            !vb_xml_uint_attr(reader, child, "end", 1, 65535, &forward->nat_port_end))
            vb_xml_fail(reader, child, VB_ERROR_INVALID_XML,
                        "attribute 'start' or 'end' is missing");
        else if (forward->nat_port_start > forward->nat_port_end)
            vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "'start' is behind 'end'");
    }
}

static void parse_forward_devs(VbXmlReader *reader, VbXmlElement *element, VbForwardDef *forward)
{
    g_autofree char *dev = NULL;
    VbXmlElement *child = NULL;

    parse_device(reader, element, "dev", &dev);
    while ((child = vb_xml_next(reader, element, child, "interface"))) {
        char *name = vb_forward_dev_parse(reader, child);

        if (name)
            g_ptr_array_add(forward->devs, name);
    }
    if (dev && forward->devs->len > 0 && !g_str_equal(dev, forward->devs->pdata[0]))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'dev': '%s' is not the first <interface>, '%s'", dev,
                    (const char *)forward->devs->pdata[0]);
    if (dev && forward->devs->len == 0)
        g_ptr_array_add(forward->devs, g_steal_pointer(&dev));
}

static void parse_forward(VbXmlReader *reader, VbXmlElement *network, VbForwardDef *forward)
{
    static const char *const unsupported[] = {"private", "vepa", "passthrough", "hostdev", NULL};
    VbXmlElement *element = vb_xml_child(reader, network, "forward");
    VbXmlElement *child;

    if (!element)
        return;
    forward->line = vb_xml_line(element);
    g_autofree char *mode = vb_xml_attr(reader, element, "mode");
    if (mode && g_strv_contains(unsupported, mode))
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED, "mode '%s' is not supported", mode);
    else if (!vb_forward_mode_from_string(mode ? mode : "nat", &forward->mode))
        vb_xml_fail_value(reader, element, "mode", mode);
    vb_xml_refuse_attr(reader, element, "managed");
    parse_forward_devs(reader, element, forward);
    if ((child = vb_xml_child(reader, element, "address")))
        vb_xml_fail(reader, child, VB_ERROR_NOT_SUPPORTED, "the element is not supported");
    if ((child = vb_xml_child(reader, element, "nat"))) {
        if (forward->mode != VB_FORWARD_NAT)
            vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "it goes with mode 'nat' only");
        parse_nat(reader, child, forward);
    }
}

static void format_bridge(VbXmlWriter *writer, const VbNetworkDef *def)
{
    vb_xml_write_start(writer, "bridge");
    vb_xml_write_attr(writer, "name", def->bridge);
    if (vb_network_def_owns_bridge(def)) {
        vb_xml_write_attr(writer, "stp", def->stp ? "on" : "off");
        vb_xml_write_attr_printf(writer, "delay", "%u", def->delay);
    }
    vb_xml_write_end(writer);
}

static void format_forward(VbXmlWriter *writer, const VbForwardDef *forward)
{
    gboolean has_addresses = forward->nat_addresses.start.family != VB_IP_NONE;

    if (forward->mode == VB_FORWARD_NONE)
        return;
    vb_xml_write_start(writer, "forward");
    vb_xml_write_attr(writer, "mode", vb_forward_mode_to_string(forward->mode));
    if (forward->devs->len > 0)
        vb_xml_write_attr(writer, "dev", forward->devs->pdata[0]);
    for (guint i = 0; i < forward->devs->len; i++) {
        vb_xml_write_start(writer, "interface");
        vb_xml_write_attr(writer, "dev", forward->devs->pdata[i]);
        vb_xml_write_end(writer);
    }
    if (forward->nat_ipv6 || has_addresses || forward->nat_port_start) {
        vb_xml_write_start(writer, "nat");
        vb_xml_write_yes_no(writer, "ipv6", forward->nat_ipv6);
        if (has_addresses) {
            vb_xml_write_start(writer, "address");
            vb_ip_range_format(writer, &forward->nat_addresses);
            vb_xml_write_end(writer);
        }
        if (forward->nat_port_start) {
            vb_xml_write_start(writer, "port");
            vb_xml_write_attr_printf(writer, "start", "%u", forward->nat_port_start);
            vb_xml_write_attr_printf(writer, "end", "%u", forward->nat_port_end);
            vb_xml_write_end(writer);
        }
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- port groups --- */

/* Macvtap's; "no" says what is so anyway. */
static void refuse_rx_filters(VbXmlReader *reader, VbXmlElement *element)
{
    VbTristate trusted = VB_TRISTATE_ABSENT;

    vb_xml_yes_no_attr(reader, element, "trustGuestRxFilters", &trusted);
    if (trusted == VB_TRISTATE_YES)
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED,
                    "trustGuestRxFilters='yes' is not supported");
}

VbPortgroupDef *vb_portgroup_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbPortgroupDef *portgroup = g_new0(VbPortgroupDef, 1);
    VbTristate is_default = VB_TRISTATE_ABSENT;

    portgroup->line = vb_xml_line(element);
    portgroup->name = vb_xml_required_attr(reader, element, "name");
    if (portgroup->name && !vb_is_word(portgroup->name, "_.-\\:/"))
        vb_xml_fail_value(reader, element, "name", portgroup->name);
    vb_xml_yes_no_attr(reader, element, "default", &is_default);
    portgroup->is_default = is_default == VB_TRISTATE_YES;
    refuse_rx_filters(reader, element);
    vb_bandwidth_def_parse(reader, element, &portgroup->bandwidth);
    portgroup->vlan = vb_vlan_def_parse(reader, element);
    return portgroup;
}

static void format_portgroup(VbXmlWriter *writer, const VbPortgroupDef *portgroup)
{
    vb_xml_write_start(writer, "portgroup");
    vb_xml_write_attr(writer, "name", portgroup->name);
    if (portgroup->is_default)
        vb_xml_write_attr(writer, "default", "yes");
    vb_bandwidth_def_format(writer, &portgroup->bandwidth);
    vb_vlan_def_format(writer, portgroup->vlan);
    vb_xml_write_end(writer);
}

/* --- the network --- */

static void parse_identity(VbXmlReader *reader, VbXmlElement *network, VbXmlFlags flags,
                           VbNetworkDef *def)
{
    VbXmlElement *element;
    guint connections = 0;

    vb_xml_uint_attr(reader, network, "connections", 0, G_MAXUINT, &connections);
    if (flags & VB_XML_LIVE)
        def->connections = connections;
    vb_xml_yes_no_attr(reader, network, "ipv6", &def->ipv6);
    refuse_rx_filters(reader, network);
    if ((element = vb_xml_required_child(reader, network, "name")))
        def->name = vb_xml_text(reader, element);
    def->uuid = vb_definition_parse_uuid(reader, network);
    def->title = vb_xml_child_text(reader, network, "title");
    if ((element = vb_xml_child(reader, network, "description")))
        def->description = vb_xml_prose(reader, element);
    if ((element = vb_xml_child(reader, network, "metadata")))
        def->metadata_xml = vb_xml_take(reader, element);
}

static void parse_link(VbXmlReader *reader, VbXmlElement *network, VbNetworkDef *def)
{
    VbXmlElement *element;

    parse_forward(reader, network, &def->forward);
    parse_bridge(reader, network, def);
    if ((element = vb_xml_child(reader, network, "mac"))) {
        g_autofree char *mac = vb_xml_required_attr(reader, element, "address");

        if (mac && !(def->mac = vb_mac_normalize(mac)))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                        "attribute 'address': '%s' is not the MAC address of one device", mac);
    }
    if ((element = vb_xml_child(reader, network, "mtu")) &&
        !vb_xml_uint_attr(reader, element, "size", MIN_MTU, MAX_MTU, &def->mtu))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'size' is missing");
    if ((element = vb_xml_child(reader, network, "domain"))) {
        def->domain = vb_dns_name_attr(reader, element, "name");
        if (!def->domain)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'name' is missing");
        vb_xml_yes_no_attr(reader, element, "localOnly", &def->domain_local_only);
    }
    if ((element = vb_xml_child(reader, network, "port")))
        vb_xml_yes_no_attr(reader, element, "isolated", &def->port_isolated);
    vb_bandwidth_def_parse(reader, network, &def->bandwidth);
    def->vlan = vb_vlan_def_parse(reader, network);
}

static void fill_defaults(VbNetworkDef *def)
{
    if (!def->uuid)
        def->uuid = g_uuid_string_random();
    /* Without one the bridge would have that of a guest, and another when the guest goes. */
    if (!def->mac && vb_network_def_owns_bridge(def))
        def->mac = vb_mac_random();
}

VbNetworkDef *vb_network_def_parse(const char *xml, gssize len, VbXmlFlags flags, GError **error)
{
    gsize max_size = flags & VB_XML_STORED ? VB_XML_STORED_MAX_SIZE : VB_XML_MAX_SIZE;
    g_autoptr(VbXmlReader) reader = vb_xml_reader_new(xml, len, max_size, "network", error);
    if (!reader)
        return NULL;

    VbXmlElement *network = vb_xml_reader_root(reader);
    VbXmlElement *element = NULL;
    g_autoptr(VbNetworkDef) def = vb_network_def_new();
    parse_identity(reader, network, flags, def);
    parse_link(reader, network, def);
    vb_network_dns_def_parse(reader, network, &def->dns);
    while ((element = vb_xml_next(reader, network, element, "ip")))
        g_ptr_array_add(def->ips, vb_network_ip_def_parse(reader, element));
    while ((element = vb_xml_next(reader, network, element, "route")))
        g_ptr_array_add(def->routes, vb_route_def_parse(reader, element));
    while ((element = vb_xml_next(reader, network, element, "portgroup")))
        g_ptr_array_add(def->portgroups, vb_portgroup_def_parse(reader, element));
    if (!vb_xml_reader_finish(reader, vb_network_unsupported, error))
        return NULL;
    fill_defaults(def);
    if (!vb_network_def_check(def, reader, error))
        return NULL;
    return g_steal_pointer(&def);
}

static void format_attr_element(VbXmlWriter *writer, const char *name, const char *attribute,
                                const char *value)
{
    if (!value)
        return;
    vb_xml_write_start(writer, name);
    vb_xml_write_attr(writer, attribute, value);
    vb_xml_write_end(writer);
}

static void format_link(VbXmlWriter *writer, const VbNetworkDef *def)
{
    g_autofree char *mtu = def->mtu ? g_strdup_printf("%u", def->mtu) : NULL;

    format_forward(writer, &def->forward);
    format_bridge(writer, def);
    format_attr_element(writer, "mtu", "size", mtu);
    format_attr_element(writer, "mac", "address", def->mac);
    if (def->domain) {
        vb_xml_write_start(writer, "domain");
        vb_xml_write_attr(writer, "name", def->domain);
        vb_xml_write_yes_no(writer, "localOnly", def->domain_local_only);
        vb_xml_write_end(writer);
    }
}

char *vb_network_def_format(const VbNetworkDef *def, VbFormatFlags flags)
{
    VbXmlWriter *writer = vb_xml_writer_new();

    vb_xml_write_start(writer, "network");
    if (def->connections && (flags & VB_FORMAT_LIVE))
        vb_xml_write_attr_printf(writer, "connections", "%u", def->connections);
    vb_xml_write_yes_no(writer, "ipv6", def->ipv6);
    vb_xml_write_element(writer, "name", def->name);
    vb_xml_write_element(writer, "uuid", def->uuid);
    vb_xml_write_element(writer, "title", def->title);
    vb_xml_write_element(writer, "description", def->description);
    vb_xml_write_raw(writer, def->metadata_xml);
    format_link(writer, def);
    vb_network_dns_def_format(writer, &def->dns);
    vb_vlan_def_format(writer, def->vlan);
    vb_bandwidth_def_format(writer, &def->bandwidth);
    if (def->port_isolated) {
        vb_xml_write_start(writer, "port");
        vb_xml_write_yes_no(writer, "isolated", def->port_isolated);
        vb_xml_write_end(writer);
    }
    for (guint i = 0; i < def->ips->len; i++)
        vb_network_ip_def_format(writer, def->ips->pdata[i]);
    for (guint i = 0; i < def->routes->len; i++)
        vb_route_def_format(writer, def->routes->pdata[i]);
    for (guint i = 0; i < def->portgroups->len; i++)
        format_portgroup(writer, def->portgroups->pdata[i]);
    vb_xml_write_end(writer);
    return vb_xml_writer_free_to_string(writer);
}
