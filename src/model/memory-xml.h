/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A size of memory as an element: a number with a unit. */
#pragma once

#include "xml-reader.h"
#include "xml-writer.h"

/* In bytes, rounded up to whole KiB, as libvirt counts. A value that is wrong is the reader's
 * error, and 0. */
guint64 vb_memory_parse(VbXmlReader *reader, VbXmlElement *element);
/* In KiB; nothing for 0. */
void vb_memory_format(VbXmlWriter *writer, const char *name, guint64 bytes);
