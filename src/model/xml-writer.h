/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes one indented XML document. Strings that are NULL and tristates that are absent write
 * nothing, so that callers need not ask. Used by the *-xml.c files of this folder only. */
#pragma once

#include "device-address.h"

typedef struct VbXmlWriter VbXmlWriter;

VbXmlWriter *vb_xml_writer_new(void);
/* The document; frees the writer. Every element must have been ended. */
char *vb_xml_writer_free_to_string(VbXmlWriter *writer);

/* `name` must outlive the element: a literal, or a word of a table. */
void vb_xml_write_start(VbXmlWriter *writer, const char *name);
void vb_xml_write_end(VbXmlWriter *writer);

/* Attributes of the element that was just started. */
void vb_xml_write_attr(VbXmlWriter *writer, const char *name, const char *value);
void vb_xml_write_attr_printf(VbXmlWriter *writer, const char *name, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void vb_xml_write_yes_no(VbXmlWriter *writer, const char *name, VbTristate value);
void vb_xml_write_on_off(VbXmlWriter *writer, const char *name, VbTristate value);

/* The only content of the element that was just started. */
void vb_xml_write_text(VbXmlWriter *writer, const char *text);
/* <name>text</name> */
void vb_xml_write_element(VbXmlWriter *writer, const char *name, const char *text);
void vb_xml_write_empty(VbXmlWriter *writer, const char *name);
/* A whole element that is XML already. */
void vb_xml_write_raw(VbXmlWriter *writer, const char *xml);
