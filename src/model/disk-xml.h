/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Disks and chains of images in XML: `<disk>` and `<backingStore>`, alone and within a domain. */
#pragma once

#include "disk-def.h"
#include "domain-def.h"
#include "xml-reader.h"
#include "xml-writer.h"

/* Parses a `<disk type='file|block|network'>` document that says where a copy goes: <source>, and
 * optionally <driver type=…/> (VB_DISK_FORMAT_DEFAULT when absent) and <backingStore>; nothing else
 * but a <driver name='qemu'>. Errors: as vb_domain_def_parse(). */
VbDiskSource *vb_disk_source_parse(const char *xml, gssize len, GError **error);

/* Within a domain; errors go to the reader. The disk may be incomplete then. */
VbDiskDef *vb_disk_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags);
void vb_disk_def_format(VbXmlWriter *writer, const VbDiskDef *disk, VbFormatFlags flags);
