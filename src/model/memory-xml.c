/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See memory-xml.h. */
#include "memory-xml.h"

#include <string.h>

/* Far above any guest, and far from overflows in sums. */
#define MAX_MEMORY (G_GUINT64_CONSTANT(1) << 60)

guint64 vb_memory_parse(VbXmlReader *reader, VbXmlElement *element)
{
    static const char prefixes[] = "kmgtpe";
    g_autofree char *unit = vb_xml_attr(reader, element, "unit");
    g_autofree char *lower = g_ascii_strdown(unit ? unit : "KiB", -1);
    guint64 bytes = vb_xml_uint64_text(reader, element, G_MAXUINT64);
    guint64 factor = 1;

    if (!g_str_equal(lower, "b") && !g_str_equal(lower, "byte") && !g_str_equal(lower, "bytes")) {
        const char *prefix = lower[0] ? strchr(prefixes, lower[0]) : NULL;
        gboolean binary = prefix && (lower[1] == '\0' || g_str_equal(lower + 1, "ib"));

        if (!prefix || (!binary && !g_str_equal(lower + 1, "b"))) {
            vb_xml_fail_value(reader, element, "unit", unit);
            return 0;
        }
        for (const char *p = prefixes; p <= prefix; p++)
            factor *= binary ? 1024 : 1000;
    }
    if (!g_uint64_checked_mul(&bytes, bytes, factor) || bytes > MAX_MEMORY) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the size is too large");
        return 0;
    }
    return (bytes + 1023) / 1024 * 1024;
}

void vb_memory_format(VbXmlWriter *writer, const char *name, guint64 bytes)
{
    if (bytes == 0)
        return;
    g_autofree char *kib = g_strdup_printf("%" G_GUINT64_FORMAT, bytes / 1024);

    vb_xml_write_start(writer, name);
    vb_xml_write_attr(writer, "unit", "KiB");
    vb_xml_write_text(writer, kib);
    vb_xml_write_end(writer);
}
