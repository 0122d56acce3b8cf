/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * <address>, <alias> and <boot order> of a device in XML. */
#pragma once

#include "domain-def.h"
#include "xml-reader.h"
#include "xml-writer.h"

/* Without VB_XML_LIVE an alias that is not the user's ("ua-…") is dropped. */
void vb_device_info_parse(VbXmlReader *reader, VbXmlElement *device, VbXmlFlags flags,
                          VbDeviceInfo *info);
/* <boot order=…/>, of those that one can boot from. */
void vb_device_boot_parse(VbXmlReader *reader, VbXmlElement *device, VbDeviceInfo *info);

void vb_device_info_format(VbXmlWriter *writer, const VbDeviceInfo *info, VbFormatFlags flags);
