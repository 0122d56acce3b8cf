/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The index of definitions: the input is all behind the head's digest. What is taken for an index
 * is read from end to end, and what is found in it is written and found again. */
#include <string.h>

#include "definition-index.h"
#include "domain-summary.h"

#define DIGEST_AT 80 /* of the file; its size stands before, the number of entries behind */
#define HEAD_SIZE 96

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* A whole head, of a file of that size, with what the input says of the number of entries. */
static GBytes *with_head(const guint8 *data, gsize size)
{
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(VbIndexEntry));
    g_autoptr(GByteArray) file = vb_definition_index_format(none);
    guint64 file_size = HEAD_SIZE + size - sizeof(guint64), digest;

    g_assert(file->len == HEAD_SIZE);
    g_byte_array_set_size(file, file_size);
    memcpy(file->data + DIGEST_AT + sizeof digest, data, size);
    digest = vb_store_digest(file->data + DIGEST_AT + sizeof digest, size);
    memcpy(file->data + DIGEST_AT - sizeof file_size, &file_size, sizeof file_size);
    memcpy(file->data + DIGEST_AT, &digest, sizeof digest);
    /* Exactly as large as it is. */
    return g_bytes_new(file->data, file_size);
}

static gsize length(const char *text)
{
    return text ? strlen(text) : 0;
}

static gsize read_all(const VbDomainSummary *s)
{
    gsize total = length(s->type) + length(s->name) + length(s->arch) + length(s->machine) +
                  length(s->title) + length(s->description);

    for (guint i = 0; i < s->n_disks; i++) {
        VbDiskSummary d = vb_domain_summary_disk(s, i);
        total += length(d.target) + length(d.device) + length(d.bus) + length(d.source) +
                 length(d.type) + length(d.format) + length(d.serial);
    }
    for (guint i = 0; i < s->n_interfaces; i++) {
        VbInterfaceSummary n = vb_domain_summary_interface(s, i);
        total += length(n.mac) + length(n.type) + length(n.model) + length(n.source) +
                 length(n.target) + length(n.bridge) + length(n.portgroup) + length(n.link_state);
    }
    for (guint i = 0; i < s->n_graphics; i++) {
        VbGraphicsSummary g = vb_domain_summary_graphics(s, i);
        total += length(g.type) + length(g.address);
    }
    return total;
}

/* The stamp of an entry stands at its beginning; the summary behind its size. */
static void check_entry(const VbDefinitionIndex *index, const char *entry)
{
    VbFileStamp stamp, found_stamp;
    const char *packed = entry + sizeof stamp + sizeof(guint64);
    VbDomainSummary summary = vb_domain_summary_unpack(packed);

    memcpy(&stamp, entry, sizeof stamp);
    g_assert(read_all(&summary) < G_MAXUINT32 * (gsize)64);
    g_autoptr(GBytes) found = vb_definition_index_find(index, summary.uuid, &stamp, &found_stamp);
    g_assert((found != NULL) == vb_file_stamp_is_settled(&stamp));
    if (!found)
        return;
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(VbIndexEntry));
    VbIndexEntry again = {found, found_stamp};
    g_array_append_val(entries, again);
    g_autoptr(GBytes) file = g_byte_array_free_to_bytes(vb_definition_index_format(entries));
    g_autoptr(VbDefinitionIndex) other = vb_definition_index_new(file, NULL);
    g_assert(other);
    g_autoptr(GBytes) same = vb_definition_index_find(other, summary.uuid, &stamp, &found_stamp);
    g_assert(same && g_bytes_equal(found, same));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    if (size < sizeof(guint64))
        return 0;
    g_autoptr(GBytes) file = with_head(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDefinitionIndex) index = vb_definition_index_new(file, &error);
    const char *contents = g_bytes_get_data(file, NULL);

    g_assert((index == NULL) == (error != NULL));
    for (guint i = 0; index && i < vb_definition_index_size(index); i++) {
        guint64 offset;
        memcpy(&offset, contents + HEAD_SIZE + i * sizeof offset, sizeof offset);
        check_entry(index, contents + offset);
    }
    return 0;
}
