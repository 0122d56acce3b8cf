/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `<dns>` of a network and the records in it, which are fragments, too. Errors go to the reader;
 * what was read may be incomplete: vb_network_def_check() asks for what must be there. */
#pragma once

#include "network-def.h"
#include "xml-reader.h"
#include "xml-writer.h"

void vb_network_dns_def_parse(VbXmlReader *reader, VbXmlElement *network, VbNetworkDnsDef *dns);
void vb_network_dns_def_format(VbXmlWriter *writer, const VbNetworkDnsDef *dns);
VbDnsTxtDef *vb_dns_txt_def_parse(VbXmlReader *reader, VbXmlElement *element);
VbDnsSrvDef *vb_dns_srv_def_parse(VbXmlReader *reader, VbXmlElement *element);
VbDnsHostDef *vb_dns_host_def_parse(VbXmlReader *reader, VbXmlElement *element);

/* An attribute that is a DNS name, or NULL. */
char *vb_dns_name_attr(VbXmlReader *reader, VbXmlElement *element, const char *name);
