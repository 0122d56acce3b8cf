/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parts of a network's XML that are fragments, too (see vb_network_def_update()). Errors go to the
 * reader; what was read may be incomplete: vb_network_def_check() asks for what must be there. */
#pragma once

#include "network-def.h"
#include "xml-reader.h"

/* Elements of libvirt's network format that virtbus does not do, wherever they stand. */
extern const char *const vb_network_unsupported[];

VbPortgroupDef *vb_portgroup_def_parse(VbXmlReader *reader, VbXmlElement *element);
/* `<interface dev='…'/>` of <forward>: the name of the device, or NULL. */
char *vb_forward_dev_parse(VbXmlReader *reader, VbXmlElement *element);
