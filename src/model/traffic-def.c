/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbBandwidthDef and VbVlanDef, and reads and writes them. */
#include "traffic-def.h"

#define MAX_TAG 4094 /* 0 and 4095 are reserved */

static const char *const vlan_natives[] = {
    [VB_VLAN_NATIVE_TAGGED] = "tagged",
    [VB_VLAN_NATIVE_UNTAGGED] = "untagged",
};
VB_ENUM_DEFINE(VbVlanNative, vb_vlan_native, vlan_natives)

/* --- bandwidth --- */

static gboolean is_rate_set(const VbTrafficRate *rate)
{
    return rate->average || rate->floor;
}

gboolean vb_bandwidth_def_is_set(const VbBandwidthDef *bandwidth)
{
    return is_rate_set(&bandwidth->inbound) || is_rate_set(&bandwidth->outbound);
}

static void parse_rate(VbXmlReader *reader, VbXmlElement *parent, const char *name,
                       gboolean has_floor, VbTrafficRate *rate)
{
    VbXmlElement *element = vb_xml_child(reader, parent, name);

    if (!element)
        return;
    vb_xml_uint_attr(reader, element, "average", 1, G_MAXUINT32, &rate->average);
    vb_xml_uint_attr(reader, element, "peak", 1, G_MAXUINT32, &rate->peak);
    vb_xml_uint_attr(reader, element, "burst", 1, G_MAXUINT32, &rate->burst);
    vb_xml_uint_attr(reader, element, "floor", 1, G_MAXUINT32, &rate->floor);
    if (rate->floor && !has_floor)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'floor' is for <inbound> only");
    if (!is_rate_set(rate))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'average' is missing");
    if (!rate->average && (rate->peak || rate->burst))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'peak' and 'burst' need an 'average'");
    if (rate->peak && rate->peak < rate->average)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'peak' %u is below 'average' %u",
                    rate->peak, rate->average);
    if (rate->average && rate->floor > rate->average)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'floor' %u is above 'average' %u",
                    rate->floor, rate->average);
}

void vb_bandwidth_def_parse(VbXmlReader *reader, VbXmlElement *parent, VbBandwidthDef *bandwidth)
{
    VbXmlElement *element = vb_xml_child(reader, parent, "bandwidth");

    if (!element)
        return;
    parse_rate(reader, element, "inbound", TRUE, &bandwidth->inbound);
    parse_rate(reader, element, "outbound", FALSE, &bandwidth->outbound);
}

static void format_rate(VbXmlWriter *writer, const char *name, const VbTrafficRate *rate)
{
    const struct {
        const char *name;
        guint value;
    } fields[] = {
        {"average", rate->average},
        {"peak", rate->peak},
        {"floor", rate->floor},
        {"burst", rate->burst},
    };

    if (!is_rate_set(rate))
        return;
    vb_xml_write_start(writer, name);
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        if (fields[i].value)
            vb_xml_write_attr_printf(writer, fields[i].name, "%u", fields[i].value);
    vb_xml_write_end(writer);
}

void vb_bandwidth_def_format(VbXmlWriter *writer, const VbBandwidthDef *bandwidth)
{
    if (!vb_bandwidth_def_is_set(bandwidth))
        return;
    vb_xml_write_start(writer, "bandwidth");
    format_rate(writer, "inbound", &bandwidth->inbound);
    format_rate(writer, "outbound", &bandwidth->outbound);
    vb_xml_write_end(writer);
}

/* --- VLANs --- */

static VbVlanDef *vlan_def_new(void)
{
    VbVlanDef *vlan = g_new0(VbVlanDef, 1);

    vlan->tags = g_array_new(FALSE, FALSE, sizeof(guint));
    return vlan;
}

VbVlanDef *vb_vlan_def_copy(const VbVlanDef *vlan)
{
    if (!vlan)
        return NULL;
    VbVlanDef *copy = g_memdup2(vlan, sizeof *vlan);
    copy->tags = g_array_copy(vlan->tags);
    return copy;
}

void vb_vlan_def_free(VbVlanDef *vlan)
{
    if (!vlan)
        return;
    g_array_unref(vlan->tags);
    g_free(vlan);
}

static gboolean has_tag(const VbVlanDef *vlan, guint tag)
{
    for (guint i = 0; i < vlan->tags->len; i++)
        if (g_array_index(vlan->tags, guint, i) == tag)
            return TRUE;
    return FALSE;
}

static void parse_tag(VbXmlReader *reader, VbXmlElement *element, VbVlanDef *vlan)
{
    VbVlanNative native = VB_VLAN_NATIVE_NONE;
    guint tag = 0;

    if (!vb_xml_uint_attr(reader, element, "id", 1, MAX_TAG, &tag)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'id' is missing");
        return;
    }
    if (has_tag(vlan, tag))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "tag %u is given twice", tag);
    g_array_append_val(vlan->tags, tag);
    if (!VB_XML_ENUM_ATTR(reader, element, "nativeMode", vb_vlan_native, &native))
        return;
    if (vlan->native_tag)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "tags %u and %u are both native",
                    vlan->native_tag, tag);
    vlan->native_mode = native;
    vlan->native_tag = tag;
}

VbVlanDef *vb_vlan_def_parse(VbXmlReader *reader, VbXmlElement *parent)
{
    VbXmlElement *element = vb_xml_child(reader, parent, "vlan");
    VbXmlElement *child = NULL;
    VbTristate trunk = VB_TRISTATE_ABSENT;

    if (!element)
        return NULL;
    g_autoptr(VbVlanDef) vlan = vlan_def_new();
    while (!vb_xml_reader_failed(reader) && (child = vb_xml_next(reader, element, child, "tag")))
        parse_tag(reader, child, vlan);
    if (vlan->tags->len == 0)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "element <tag> is missing");
    vb_xml_yes_no_attr(reader, element, "trunk", &trunk);
    vlan->trunk = trunk == VB_TRISTATE_YES || vlan->tags->len > 1 || vlan->native_tag;
    if (trunk == VB_TRISTATE_NO && vlan->trunk)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "several tags, or a native one, need trunk='yes'");
    return g_steal_pointer(&vlan);
}

void vb_vlan_def_format(VbXmlWriter *writer, const VbVlanDef *vlan)
{
    if (!vlan)
        return;
    vb_xml_write_start(writer, "vlan");
    if (vlan->trunk)
        vb_xml_write_attr(writer, "trunk", "yes");
    for (guint i = 0; i < vlan->tags->len; i++) {
        guint tag = g_array_index(vlan->tags, guint, i);

        vb_xml_write_start(writer, "tag");
        vb_xml_write_attr_printf(writer, "id", "%u", tag);
        if (tag == vlan->native_tag)
            vb_xml_write_attr(writer, "nativeMode", vb_vlan_native_to_string(vlan->native_mode));
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}
