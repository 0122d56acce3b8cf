/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `<ip>` with what is in it, and `<route>`, within a network or as fragments. Errors go to the
 * reader; what was read may be incomplete: vb_network_def_check() asks for what must be there. */
#pragma once

#include "network-def.h"
#include "xml-reader.h"
#include "xml-writer.h"

VbNetworkIpDef *vb_network_ip_def_parse(VbXmlReader *reader, VbXmlElement *element);
VbDhcpRangeDef *vb_dhcp_range_def_parse(VbXmlReader *reader, VbXmlElement *element);
VbDhcpHostDef *vb_dhcp_host_def_parse(VbXmlReader *reader, VbXmlElement *element);
VbRouteDef *vb_route_def_parse(VbXmlReader *reader, VbXmlElement *element);
void vb_network_ip_def_format(VbXmlWriter *writer, const VbNetworkIpDef *ip);
void vb_route_def_format(VbXmlWriter *writer, const VbRouteDef *route);

/* An attribute that is an address; FALSE when it is absent. */
gboolean vb_ip_parse_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                          VbIpAddress *ret_address);
/* The attributes `start` and `end`, which must be there and in order. */
void vb_ip_range_parse(VbXmlReader *reader, VbXmlElement *element, VbIpRange *ret_range);
void vb_ip_range_format(VbXmlWriter *writer, const VbIpRange *range);
void vb_ip_write_attr(VbXmlWriter *writer, const char *name, const VbIpAddress *address);

/* Notes that an attribute of libvirt's format, where it is given, is not supported. */
void vb_xml_refuse_attr(VbXmlReader *reader, VbXmlElement *element, const char *name);
/* May `text` stand in the name server's configuration (see network-def.h)? `also` are further bytes
 * that it may not have. Otherwise FALSE with an error that names the attribute. NULL is no text. */
gboolean vb_network_check_text(VbXmlReader *reader, VbXmlElement *element, const char *attribute,
                               const char *text, const char *also);
