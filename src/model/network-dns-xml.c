/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes VbNetworkDnsDef. */
#include "network-dns-xml.h"

#include <string.h>

#include "dns-name.h"
#include "network-ip-xml.h"

char *vb_dns_name_attr(VbXmlReader *reader, VbXmlElement *element, const char *name)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);

    if (value && !vb_is_dns_name(value))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute '%s': '%s' is not a DNS name",
                    name, value);
    return g_steal_pointer(&value);
}

VbDnsTxtDef *vb_dns_txt_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbDnsTxtDef *txt = g_new0(VbDnsTxtDef, 1);

    txt->line = vb_xml_line(element);
    txt->name = vb_dns_name_attr(reader, element, "name");
    txt->value = vb_xml_attr(reader, element, "value");
    vb_network_check_text(reader, element, "value", txt->value, "");
    return txt;
}

VbDnsSrvDef *vb_dns_srv_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbDnsSrvDef *srv = g_new0(VbDnsSrvDef, 1);

    srv->line = vb_xml_line(element);
    srv->service = vb_xml_attr(reader, element, "service");
    srv->protocol = vb_xml_attr(reader, element, "protocol");
    srv->domain = vb_dns_name_attr(reader, element, "domain");
    srv->target = vb_xml_attr(reader, element, "target");
    vb_xml_uint_attr(reader, element, "port", 0, 65535, &srv->port);
    vb_xml_uint_attr(reader, element, "priority", 0, 65535, &srv->priority);
    vb_xml_uint_attr(reader, element, "weight", 0, 65535, &srv->weight);
    if (srv->service && !vb_is_dns_label(srv->service))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'service': '%s' is not the name of a service", srv->service);
    if (srv->protocol && !g_str_equal(srv->protocol, "tcp") && !g_str_equal(srv->protocol, "udp"))
        vb_xml_fail_value(reader, element, "protocol", srv->protocol);
    if (srv->target && !g_str_equal(srv->target, ".") && !vb_is_dns_name(srv->target))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute 'target': '%s' is not a DNS name", srv->target);
    return srv;
}

VbDnsHostDef *vb_dns_host_def_parse(VbXmlReader *reader, VbXmlElement *element)
{
    VbDnsHostDef *host = vb_dns_host_def_new();
    VbXmlElement *child = NULL;

    host->line = vb_xml_line(element);
    vb_ip_parse_attr(reader, element, "ip", &host->ip);
    while ((child = vb_xml_next(reader, element, child, "hostname"))) {
        g_autofree char *name = vb_xml_text(reader, child);

        if (name && vb_is_dns_name(name))
            g_ptr_array_add(host->hostnames, g_steal_pointer(&name));
        else
            vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "'%s' is not a DNS name",
                        name ? name : "");
    }
    return host;
}

static VbDnsForwarderDef *parse_forwarder(VbXmlReader *reader, VbXmlElement *element)
{
    VbDnsForwarderDef *forwarder = g_new0(VbDnsForwarderDef, 1);

    forwarder->line = vb_xml_line(element);
    forwarder->domain = vb_dns_name_attr(reader, element, "domain");
    vb_ip_parse_attr(reader, element, "addr", &forwarder->address);
    return forwarder;
}

void vb_network_dns_def_parse(VbXmlReader *reader, VbXmlElement *network, VbNetworkDnsDef *dns)
{
    VbXmlElement *parent = vb_xml_child(reader, network, "dns");
    VbXmlElement *element = NULL;

    if (!parent)
        return;
    dns->line = vb_xml_line(parent);
    vb_xml_yes_no_attr(reader, parent, "enable", &dns->enable);
    vb_xml_yes_no_attr(reader, parent, "forwardPlainNames", &dns->forward_plain_names);
    while ((element = vb_xml_next(reader, parent, element, "forwarder")))
        g_ptr_array_add(dns->forwarders, parse_forwarder(reader, element));
    while ((element = vb_xml_next(reader, parent, element, "txt")))
        g_ptr_array_add(dns->txts, vb_dns_txt_def_parse(reader, element));
    while ((element = vb_xml_next(reader, parent, element, "srv")))
        g_ptr_array_add(dns->srvs, vb_dns_srv_def_parse(reader, element));
    while ((element = vb_xml_next(reader, parent, element, "host")))
        g_ptr_array_add(dns->hosts, vb_dns_host_def_parse(reader, element));
}

static void format_number(VbXmlWriter *writer, const char *name, guint value)
{
    if (value)
        vb_xml_write_attr_printf(writer, name, "%u", value);
}

static void format_srv(VbXmlWriter *writer, const VbDnsSrvDef *srv)
{
    vb_xml_write_start(writer, "srv");
    vb_xml_write_attr(writer, "service", srv->service);
    vb_xml_write_attr(writer, "protocol", srv->protocol);
    vb_xml_write_attr(writer, "domain", srv->domain);
    vb_xml_write_attr(writer, "target", srv->target);
    format_number(writer, "port", srv->port);
    format_number(writer, "priority", srv->priority);
    format_number(writer, "weight", srv->weight);
    vb_xml_write_end(writer);
}

static void format_host(VbXmlWriter *writer, const VbDnsHostDef *host)
{
    vb_xml_write_start(writer, "host");
    vb_ip_write_attr(writer, "ip", &host->ip);
    for (guint i = 0; i < host->hostnames->len; i++)
        vb_xml_write_element(writer, "hostname", host->hostnames->pdata[i]);
    vb_xml_write_end(writer);
}

void vb_network_dns_def_format(VbXmlWriter *writer, const VbNetworkDnsDef *dns)
{
    if (!dns->enable && !dns->forward_plain_names &&
        !(dns->forwarders->len + dns->txts->len + dns->srvs->len + dns->hosts->len))
        return;
    vb_xml_write_start(writer, "dns");
    vb_xml_write_yes_no(writer, "enable", dns->enable);
    vb_xml_write_yes_no(writer, "forwardPlainNames", dns->forward_plain_names);
    for (guint i = 0; i < dns->forwarders->len; i++) {
        const VbDnsForwarderDef *forwarder = dns->forwarders->pdata[i];

        vb_xml_write_start(writer, "forwarder");
        vb_xml_write_attr(writer, "domain", forwarder->domain);
        vb_ip_write_attr(writer, "addr", &forwarder->address);
        vb_xml_write_end(writer);
    }
    for (guint i = 0; i < dns->txts->len; i++) {
        const VbDnsTxtDef *txt = dns->txts->pdata[i];

        vb_xml_write_start(writer, "txt");
        vb_xml_write_attr(writer, "name", txt->name);
        vb_xml_write_attr(writer, "value", txt->value);
        vb_xml_write_end(writer);
    }
    for (guint i = 0; i < dns->srvs->len; i++)
        format_srv(writer, dns->srvs->pdata[i]);
    for (guint i = 0; i < dns->hosts->len; i++)
        format_host(writer, dns->hosts->pdata[i]);
    vb_xml_write_end(writer);
}
