/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The <disk> document that says where a copy goes. What is understood can be pivoted to. */
#include <gio/gio.h>

#include "as-disk.h"
#include "disk-xml.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDiskSource) source = vb_disk_source_parse((const char *)data, (gssize)size, &error);

    g_assert((source == NULL) == (error != NULL));
    if (!source)
        return 0;
    g_autoptr(VbDiskSource) copy = vb_disk_source_copy(source);
    g_autofree char *text = vb_disk_source_to_string(copy);
    g_assert(vb_disk_source_equal(source, copy) && text);
    as_disk_check(source);
    return 0;
}
