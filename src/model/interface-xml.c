/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads and writes network interfaces. Elements that do not go with the type of interface are
 * refused here; what else has to fit is interface-validate.c's. */
#include "device-info-xml.h"
#include "device-xml.h"
#include "mac-address.h"
#include "network-ip-xml.h"

#define MIN_MTU 68 /* what IPv4 asks of every link */

#define TAP_TYPES                                                                                  \
    (1u << VB_INTERFACE_NETWORK | 1u << VB_INTERFACE_BRIDGE | 1u << VB_INTERFACE_ETHERNET)
#define BRIDGE_TYPES (1u << VB_INTERFACE_NETWORK | 1u << VB_INTERFACE_BRIDGE)
#define USER_TYPE (1u << VB_INTERFACE_USER)

/* Which types may have an element that not all have. */
static const struct {
    const char *element;
    guint types;
} special[] = {
    {"source", BRIDGE_TYPES}, {"target", TAP_TYPES},      {"bandwidth", TAP_TYPES},
    {"vlan", BRIDGE_TYPES},   {"port", BRIDGE_TYPES},     {"backend", USER_TYPE},
    {"ip", USER_TYPE},        {"portForward", USER_TYPE},
};

static void check_elements(VbXmlReader *reader, VbXmlElement *element, VbInterfaceType type)
{
    VbXmlElement *child = NULL;

    while ((child = vb_xml_next_any(element, child))) {
        const char *name = vb_xml_name(child);

        for (gsize i = 0; i < G_N_ELEMENTS(special); i++)
            if (g_str_equal(name, special[i].element) && !(special[i].types & 1u << type))
                vb_xml_fail(reader, child, VB_ERROR_INVALID_XML,
                            "an interface of type '%s' has no <%s>",
                            vb_interface_type_to_string(type), name);
        if (g_str_equal(name, "driver"))
            vb_xml_fail(reader, child, VB_ERROR_NOT_SUPPORTED,
                        "<driver> of an interface is not supported");
    }
}

/* The name of a network device of the host; NULL when there is no such attribute. */
static char *parse_device_name(VbXmlReader *reader, VbXmlElement *element, const char *attribute)
{
    g_autofree char *name = vb_xml_attr(reader, element, attribute);

    if (name && !vb_is_device_name(name))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' cannot be the name of a network device: it has 1 to 15 "
                    "letters, digits, '_', '.' and '-'",
                    attribute, name);
    return g_steal_pointer(&name);
}

/* --- what it is plugged into --- */

static void parse_network_source(VbXmlReader *reader, VbXmlElement *source, VbXmlFlags flags,
                                 VbInterfaceDef *interface)
{
    /* The port's id: libvirt's dumps of running guests have one, which means nothing to others. */
    g_autofree char *port = vb_xml_attr(reader, source, "portid");
    g_autofree char *bridge = parse_device_name(reader, source, "bridge");

    interface->network = vb_xml_required_attr(reader, source, "network");
    interface->portgroup = vb_xml_attr(reader, source, "portgroup");
    if (flags & VB_XML_LIVE)
        interface->bridge = g_steal_pointer(&bridge);
}

static void parse_source(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags,
                         VbInterfaceDef *interface)
{
    if (!((BRIDGE_TYPES)&1u << interface->type))
        return;
    VbXmlElement *source = vb_xml_required_child(reader, element, "source");
    if (!source)
        return;
    if (interface->type == VB_INTERFACE_NETWORK) {
        parse_network_source(reader, source, flags, interface);
    } else {
        interface->bridge = parse_device_name(reader, source, "bridge");
        if (!interface->bridge)
            vb_xml_fail(reader, source, VB_ERROR_INVALID_XML, "attribute 'bridge' is missing");
    }
}

static void parse_target(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags,
                         VbInterfaceDef *interface)
{
    VbXmlElement *target = vb_xml_child(reader, element, "target");

    if (!target)
        return;
    interface->target = parse_device_name(reader, target, "dev");
    if (interface->type == VB_INTERFACE_ETHERNET)
        vb_xml_yes_no_attr(reader, target, "managed", &interface->managed);
    if (!(flags & VB_XML_LIVE) && vb_interface_def_has_live_target(interface))
        g_clear_pointer(&interface->target, g_free);
}

static void format_source(VbXmlWriter *writer, const VbInterfaceDef *interface, VbFormatFlags flags)
{
    if (!interface->network && !interface->bridge)
        return;
    vb_xml_write_start(writer, "source");
    vb_xml_write_attr(writer, "network", interface->network);
    vb_xml_write_attr(writer, "portgroup", interface->portgroup);
    if (interface->type == VB_INTERFACE_BRIDGE || (flags & VB_FORMAT_LIVE))
        vb_xml_write_attr(writer, "bridge", interface->bridge);
    vb_xml_write_end(writer);
}

static void format_target(VbXmlWriter *writer, const VbInterfaceDef *interface, VbFormatFlags flags)
{
    gboolean named = interface->target &&
                     ((flags & VB_FORMAT_LIVE) || !vb_interface_def_has_live_target(interface));

    if (!named && interface->managed == VB_TRISTATE_ABSENT)
        return;
    vb_xml_write_start(writer, "target");
    if (named)
        vb_xml_write_attr(writer, "dev", interface->target);
    vb_xml_write_yes_no(writer, "managed", interface->managed);
    vb_xml_write_end(writer);
}

/* --- user-mode networking --- */

static void parse_ip(VbXmlReader *reader, VbXmlElement *element, VbInterfaceDef *interface)
{
    VbIpFamily family = VB_IPV4;
    VbInterfaceIp ip = {0};

    VB_XML_ENUM_ATTR(reader, element, "family", vb_ip_family, &family);
    VbInterfaceIp *place = family == VB_IPV4 ? &interface->ipv4 : &interface->ipv6;
    if (!vb_ip_parse_attr(reader, element, "address", &ip.address))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'address' is missing");
    vb_xml_uint_attr(reader, element, "prefix", 1, vb_ip_family_bits(family), &ip.prefix);
    if (vb_xml_reader_failed(reader))
        return;
    if (ip.address.family != family)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the address is not of family '%s'",
                    vb_ip_family_to_string(family));
    else if (place->address.family != VB_IP_NONE)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "family '%s' is given twice",
                    vb_ip_family_to_string(family));
    else
        *place = ip;
}

static void format_ip(VbXmlWriter *writer, const VbInterfaceIp *ip)
{
    if (ip->address.family == VB_IP_NONE)
        return;
    vb_xml_write_start(writer, "ip");
    vb_xml_write_attr(writer, "family", vb_ip_family_to_string(ip->address.family));
    vb_ip_write_attr(writer, "address", &ip->address);
    if (ip->prefix)
        vb_xml_write_attr_printf(writer, "prefix", "%u", ip->prefix);
    vb_xml_write_end(writer);
}

static void parse_range(VbXmlReader *reader, VbXmlElement *element, VbPortForwardDef *forward)
{
    VbTristate exclude = VB_TRISTATE_ABSENT;
    guint start = 0;

    if (!vb_xml_uint_attr(reader, element, "start", 1, G_MAXUINT16, &start))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'start' is missing");
    guint end = start, to = start;
    vb_xml_uint_attr(reader, element, "end", 1, G_MAXUINT16, &end);
    gboolean has_to = vb_xml_uint_attr(reader, element, "to", 1, G_MAXUINT16, &to);
    vb_xml_yes_no_attr(reader, element, "exclude", &exclude);
    if (vb_xml_reader_failed(reader))
        return;
    if (end < start)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'start' is behind 'end'");
    else if (to + (end - start) > G_MAXUINT16)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the guest's ports end behind 65535");
    else if (has_to && exclude == VB_TRISTATE_YES)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "ports that are excluded lead nowhere: 'to' does not go with 'exclude'");
    const VbForwardRange range = {(guint16)start, (guint16)end, (guint16)to,
                                  exclude == VB_TRISTATE_YES};
    g_array_append_val(forward->ranges, range);
}

static VbPortForwardDef *parse_port_forward(VbXmlReader *reader, VbXmlElement *element)
{
    VbPortForwardDef *forward = vb_port_forward_def_new();
    VbXmlElement *child = NULL;

    forward->line = vb_xml_line(element);
    if (!VB_XML_ENUM_ATTR(reader, element, "proto", vb_forward_protocol, &forward->protocol))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'proto' is missing");
    vb_ip_parse_attr(reader, element, "address", &forward->address);
    forward->device = parse_device_name(reader, element, "dev");
    while (!vb_xml_reader_failed(reader) && (child = vb_xml_next(reader, element, child, "range")))
        parse_range(reader, child, forward);
    return forward;
}

static void format_port_forward(VbXmlWriter *writer, const VbPortForwardDef *forward)
{
    vb_xml_write_start(writer, "portForward");
    vb_xml_write_attr(writer, "proto", vb_forward_protocol_to_string(forward->protocol));
    vb_ip_write_attr(writer, "address", &forward->address);
    vb_xml_write_attr(writer, "dev", forward->device);
    for (guint i = 0; i < forward->ranges->len; i++) {
        const VbForwardRange *range = &g_array_index(forward->ranges, VbForwardRange, i);

        vb_xml_write_start(writer, "range");
        vb_xml_write_attr_printf(writer, "start", "%u", range->start);
        if (range->end != range->start)
            vb_xml_write_attr_printf(writer, "end", "%u", range->end);
        if (range->to != range->start)
            vb_xml_write_attr_printf(writer, "to", "%u", range->to);
        if (range->exclude)
            vb_xml_write_attr(writer, "exclude", "yes");
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

static void parse_user(VbXmlReader *reader, VbXmlElement *element, VbInterfaceDef *interface)
{
    VbXmlElement *backend = vb_xml_child(reader, element, "backend");
    VbXmlElement *child = NULL;

    if (backend)
        VB_XML_ENUM_ATTR(reader, backend, "type", vb_user_backend, &interface->backend);
    while (!vb_xml_reader_failed(reader) && (child = vb_xml_next(reader, element, child, "ip")))
        parse_ip(reader, child, interface);
    while (!vb_xml_reader_failed(reader) &&
           (child = vb_xml_next(reader, element, child, "portForward")))
        g_ptr_array_add(interface->port_forwards, parse_port_forward(reader, child));
}

static void format_user(VbXmlWriter *writer, const VbInterfaceDef *interface)
{
    if (interface->backend != VB_USER_BACKEND_DEFAULT) {
        vb_xml_write_start(writer, "backend");
        vb_xml_write_attr(writer, "type", vb_user_backend_to_string(interface->backend));
        vb_xml_write_end(writer);
    }
    format_ip(writer, &interface->ipv4);
    format_ip(writer, &interface->ipv6);
    for (guint i = 0; i < interface->port_forwards->len; i++)
        format_port_forward(writer, interface->port_forwards->pdata[i]);
}

/* --- the interface --- */

static void parse_port(VbXmlReader *reader, VbXmlElement *element, VbInterfaceDef *interface)
{
    VbXmlElement *child = vb_xml_child(reader, element, "mtu");

    if (child && !vb_xml_uint_attr(reader, child, "size", MIN_MTU, G_MAXUINT16, &interface->mtu))
        vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "attribute 'size' is missing");
    vb_bandwidth_def_parse(reader, element, &interface->bandwidth);
    interface->vlan = vb_vlan_def_parse(reader, element);
    if ((child = vb_xml_child(reader, element, "port")))
        vb_xml_yes_no_attr(reader, child, "isolated", &interface->isolated);
}

VbInterfaceDef *vb_interface_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbInterfaceDef) interface = vb_interface_def_new();
    VbXmlElement *child;

    interface->line = vb_xml_line(element);
    if (!VB_XML_ENUM_ATTR(reader, element, "type", vb_interface_type, &interface->type))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    check_elements(reader, element, interface->type);
    if ((child = vb_xml_child(reader, element, "mac"))) {
        g_autofree char *address = vb_xml_required_attr(reader, child, "address");

        if (address && !(interface->mac = vb_mac_normalize(address)))
            vb_xml_fail_value(reader, child, "address", address);
    }
    if ((child = vb_xml_child(reader, element, "model")) &&
        !VB_XML_ENUM_ATTR(reader, child, "type", vb_interface_model, &interface->model))
        vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    if ((child = vb_xml_child(reader, element, "link")))
        VB_XML_ENUM_ATTR(reader, child, "state", vb_link_state, &interface->link_state);
    parse_source(reader, element, flags, interface);
    parse_target(reader, element, flags, interface);
    parse_port(reader, element, interface);
    parse_user(reader, element, interface);
    vb_device_boot_parse(reader, element, &interface->info);
    vb_device_info_parse(reader, element, flags, &interface->info);
    return g_steal_pointer(&interface);
}

void vb_interface_def_format(VbXmlWriter *writer, const VbInterfaceDef *interface,
                             VbFormatFlags flags)
{
    vb_xml_write_start(writer, "interface");
    vb_xml_write_attr(writer, "type", vb_interface_type_to_string(interface->type));
    vb_xml_write_start(writer, "mac");
    vb_xml_write_attr(writer, "address", interface->mac);
    vb_xml_write_end(writer);
    format_source(writer, interface, flags);
    vb_vlan_def_format(writer, interface->vlan);
    vb_bandwidth_def_format(writer, &interface->bandwidth);
    if (interface->isolated != VB_TRISTATE_ABSENT) {
        vb_xml_write_start(writer, "port");
        vb_xml_write_yes_no(writer, "isolated", interface->isolated);
        vb_xml_write_end(writer);
    }
    format_target(writer, interface, flags);
    vb_xml_write_start(writer, "model");
    vb_xml_write_attr(writer, "type", vb_interface_model_to_string(interface->model));
    vb_xml_write_end(writer);
    if (interface->link_state) {
        vb_xml_write_start(writer, "link");
        vb_xml_write_attr(writer, "state", vb_link_state_to_string(interface->link_state));
        vb_xml_write_end(writer);
    }
    if (interface->mtu) {
        vb_xml_write_start(writer, "mtu");
        vb_xml_write_attr_printf(writer, "size", "%u", interface->mtu);
        vb_xml_write_end(writer);
    }
    format_user(writer, interface);
    vb_device_info_format(writer, &interface->info, flags);
    vb_xml_write_end(writer);
}
