/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain with one disk, whose source is changed and told. */
#include "as-disk.h"

#include "domain-def.h"
#include "error.h"

static const char domain[] =
    "<domain type='test'><name>demo</name><memory>65536</memory><os><type>hvm</type></os>"
    "<devices><disk type='file'><source file='/a'/><target dev='vda'/></disk></devices></domain>";

static const VbDiskDef *first_disk(const VbDomainDef *def)
{
    return g_ptr_array_index(def->disks, 0);
}

void as_disk_check(const VbDiskSource *source)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(domain, -1, VB_XML_LIVE, &error);

    g_assert_no_error(error);
    VbDiskDef *disk = g_ptr_array_index(def->disks, 0);
    vb_disk_source_free(disk->source);
    disk->source = vb_disk_source_copy(source);
    /* Nobody said it: it is then as the old source has it. */
    if (disk->source->format == VB_DISK_FORMAT_DEFAULT)
        disk->source->format = VB_DISK_FORMAT_QCOW2;

    g_autofree char *xml = vb_domain_def_format(def, VB_FORMAT_LIVE | VB_FORMAT_SECURE);
    g_autoptr(VbDomainDef) again = vb_domain_def_parse(xml, -1, VB_XML_LIVE, &error);
    if (g_error_matches(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED))
        return;
    if (!again)
        g_error("not understood: %s\n%s", error->message, xml);
    if (!vb_disk_source_equal(first_disk(again)->source, disk->source))
        g_error("not the same disk:\n%s", xml);
}
