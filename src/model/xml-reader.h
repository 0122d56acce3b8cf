/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A strict reader of one XML document. Whatever is asked for is marked as understood; what is left
 * over at the end is an error that names element and line, so that no element, attribute or text
 * can be forgotten. The first error sticks: after it the getters go on answering harmlessly, and
 * vb_xml_reader_finish() reports it. Used by the *-xml.c files of this folder only. */
#pragma once

#include "device-address.h"
#include "error.h"

#define VB_XML_MAX_SIZE ((gsize)4 * 1024 * 1024)

typedef struct VbXmlReader VbXmlReader;
typedef struct _xmlNode VbXmlElement;

/* Parses the document (len -1: NUL-terminated), whose root must be `root`. No DTD, no entities, no
 * network. Errors: VB_ERROR_INVALID_XML, VB_ERROR_LIMITS_EXCEEDED. */
VbXmlReader *vb_xml_reader_new(const char *xml, gssize len, gsize max_size, const char *root,
                               GError **error);
void vb_xml_reader_free(VbXmlReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbXmlReader, vb_xml_reader_free)

VbXmlElement *vb_xml_reader_root(VbXmlReader *reader);

/* FALSE with the first error, or when something was left over: an element of a name in
 * `unsupported` (NULL-terminated) is VB_ERROR_NOT_SUPPORTED, the rest VB_ERROR_INVALID_XML. */
gboolean vb_xml_reader_finish(VbXmlReader *reader, const char *const *unsupported, GError **error);

gboolean vb_xml_reader_failed(VbXmlReader *reader);
/* Notes "line N: path/of/element: message", unless there is an error already. */
void vb_xml_fail(VbXmlReader *reader, VbXmlElement *element, VbError code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
void vb_xml_fail_value(VbXmlReader *reader, VbXmlElement *element, const char *attribute,
                       const char *value);

/* The child of that name, or NULL; a second one is left over, hence an error. */
VbXmlElement *vb_xml_child(VbXmlReader *reader, VbXmlElement *parent, const char *name);
VbXmlElement *vb_xml_required_child(VbXmlReader *reader, VbXmlElement *parent, const char *name);
/* The next child of that name (NULL: the first one). */
VbXmlElement *vb_xml_next(VbXmlReader *reader, VbXmlElement *parent, VbXmlElement *previous,
                          const char *name);
/* The next child of any name, those of a namespace aside; not marked: vb_xml_accept() does that. */
VbXmlElement *vb_xml_next_any(VbXmlElement *parent, VbXmlElement *previous);
void vb_xml_accept(VbXmlElement *element);
const char *vb_xml_name(VbXmlElement *element);
guint vb_xml_line(VbXmlElement *element);
/* Of the element at "os/type" below the root, or the nearest that there is on the way to it. */
guint vb_xml_line_of(VbXmlReader *reader, const char *path);

/* Attributes; an absent one is NULL or leaves *ret_value as it is and answers FALSE. Values hold no
 * control characters. */
char *vb_xml_attr(VbXmlReader *reader, VbXmlElement *element, const char *name);
char *vb_xml_required_attr(VbXmlReader *reader, VbXmlElement *element, const char *name);
/* An absolute path. */
char *vb_xml_path_attr(VbXmlReader *reader, VbXmlElement *element, const char *name);
gboolean vb_xml_uint_attr(VbXmlReader *reader, VbXmlElement *element, const char *name, guint min,
                          guint max, guint *ret_value);
/* As above, also in hexadecimal (0x…), and for fields where -1 means "not given". */
gboolean vb_xml_hex_attr(VbXmlReader *reader, VbXmlElement *element, const char *name, guint max,
                         guint *ret_value);
gboolean vb_xml_int_attr(VbXmlReader *reader, VbXmlElement *element, const char *name, int min,
                         int max, int *ret_value);
void vb_xml_yes_no_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                        VbTristate *ret_value);
void vb_xml_on_off_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                        VbTristate *ret_value);
/* Was there such an attribute? Its word goes to *ret_value. */
#define VB_XML_ENUM_ATTR(reader, element, name, prefix, ret_value)                                 \
    ({                                                                                             \
        g_autofree char *word_ = vb_xml_attr(reader, element, name);                               \
        if (word_ && !prefix##_from_string(word_, ret_value))                                      \
            vb_xml_fail_value(reader, element, name, word_);                                       \
        word_ != NULL;                                                                             \
    })

/* The text of an element that has no child elements; NULL when it is empty. No control characters;
 * vb_xml_prose() allows line breaks and tabs. */
char *vb_xml_text(VbXmlReader *reader, VbXmlElement *element);
char *vb_xml_prose(VbXmlReader *reader, VbXmlElement *element);
char *vb_xml_path_text(VbXmlReader *reader, VbXmlElement *element);
guint64 vb_xml_uint64_text(VbXmlReader *reader, VbXmlElement *element, guint64 max);
/* The text of a child: NULL when there is no such child, or it is empty. */
char *vb_xml_child_text(VbXmlReader *reader, VbXmlElement *parent, const char *name);
char *vb_xml_child_path(VbXmlReader *reader, VbXmlElement *parent, const char *name);
#define VB_XML_ENUM_CHILD(reader, parent, name, prefix, ret_value)                                 \
    do {                                                                                           \
        VbXmlElement *child_ = vb_xml_child(reader, parent, name);                                 \
        g_autofree char *word_ = child_ ? vb_xml_text(reader, child_) : NULL;                      \
        if (child_ && !prefix##_from_string(word_, ret_value))                                     \
            vb_xml_fail(reader, child_, VB_ERROR_INVALID_XML, "'%s' is not supported",             \
                        word_ ? word_ : "");                                                       \
    } while (0)

/* The whole element in canonical XML (C14N, comments kept), namespaces declared. Its child elements
 * are understood as they are; it may have no attributes and no text of its own. */
char *vb_xml_take(VbXmlReader *reader, VbXmlElement *element);
