/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See tune-def.h. */
#include "tune-def.h"

#include "memory-xml.h"

#define WEIGHT_MAX 10000
#define PERIOD_MIN 1000
#define PERIOD_MAX 1000000
#define QUOTA_MIN 1000

static void parse_size(VbXmlReader *reader, VbXmlElement *parent, const char *name, guint64 *ret)
{
    VbXmlElement *element = vb_xml_child(reader, parent, name);

    if (!element)
        return;
    *ret = vb_memory_parse(reader, element);
    if (*ret == 0)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "a limit is larger than 0");
}

static void parse_number(VbXmlReader *reader, VbXmlElement *parent, const char *name, guint min,
                         guint max, guint *ret)
{
    VbXmlElement *element = vb_xml_child(reader, parent, name);

    if (!element)
        return;
    *ret = (guint)vb_xml_uint64_text(reader, element, max);
    if (*ret < min)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "it is at least %u", min);
}

void vb_tune_def_parse(VbXmlReader *reader, VbXmlElement *domain, VbTuneDef *tune)
{
    VbXmlElement *element;

    if ((element = vb_xml_child(reader, domain, "blkiotune")))
        parse_number(reader, element, "weight", 1, WEIGHT_MAX, &tune->blkio_weight);
    if ((element = vb_xml_child(reader, domain, "memtune"))) {
        parse_size(reader, element, "hard_limit", &tune->memory_hard_limit);
        parse_size(reader, element, "soft_limit", &tune->memory_soft_limit);
    }
    if ((element = vb_xml_child(reader, domain, "cputune"))) {
        parse_number(reader, element, "shares", 1, WEIGHT_MAX, &tune->cpu_shares);
        parse_number(reader, element, "global_period", PERIOD_MIN, PERIOD_MAX,
                     &tune->cpu_global_period);
        parse_number(reader, element, "global_quota", QUOTA_MIN, G_MAXUINT,
                     &tune->cpu_global_quota);
    }
}

static void format_number(VbXmlWriter *writer, const char *name, guint number)
{
    g_autofree char *text = g_strdup_printf("%u", number);

    if (number != 0)
        vb_xml_write_element(writer, name, text);
}

void vb_tune_def_format_memory(VbXmlWriter *writer, const VbTuneDef *tune)
{
    if (tune->blkio_weight) {
        vb_xml_write_start(writer, "blkiotune");
        format_number(writer, "weight", tune->blkio_weight);
        vb_xml_write_end(writer);
    }
    if (tune->memory_hard_limit || tune->memory_soft_limit) {
        vb_xml_write_start(writer, "memtune");
        vb_memory_format(writer, "hard_limit", tune->memory_hard_limit);
        vb_memory_format(writer, "soft_limit", tune->memory_soft_limit);
        vb_xml_write_end(writer);
    }
}

void vb_tune_def_format_cpu(VbXmlWriter *writer, const VbTuneDef *tune)
{
    if (!tune->cpu_shares && !tune->cpu_global_period && !tune->cpu_global_quota)
        return;
    vb_xml_write_start(writer, "cputune");
    format_number(writer, "shares", tune->cpu_shares);
    format_number(writer, "global_period", tune->cpu_global_period);
    format_number(writer, "global_quota", tune->cpu_global_quota);
    vb_xml_write_end(writer);
}
