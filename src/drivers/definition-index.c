/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the format of the index: a head with version, size and digest; the offsets of the entries,
 * in the order of their UUIDs; the entries, each a stamp and a summary. All numbers are the host's,
 * all offsets multiples of eight. The digest is for writes that a crash tore (nothing is fsynced
 * here); the rest is checked so that no contents whatever can lead a reader astray. See
 * definition-index.h. */
#include "definition-index.h"

#include <string.h>

#include "config.h"
#include "domain-summary.h"
#include "error.h"

#define MAGIC_SIZE 64
#define BYTE_ORDER_MARK G_GUINT64_CONSTANT(0x0102030405060708)

/* With the version, as each writes XML in its own way. */
static const char magic[MAGIC_SIZE] = "virtbus definition index 1, " VB_VERSION;

typedef struct {
    char magic[MAGIC_SIZE];
    guint64 byte_order;
    guint64 size;   /* of the file */
    guint64 digest; /* of all that follows it */
    guint64 n_entries;
} Head;
#define DIGESTED_FROM G_STRUCT_OFFSET(Head, n_entries)

typedef struct {
    VbFileStamp stamp;
    guint64 summary_size; /* which follows */
} Entry;

struct VbDefinitionIndex {
    GBytes *contents;
    const char *data;
    const guint64 *offsets;
    guint n_entries;
};

/* ---- reading ----------------------------------------------------------------------------------
 */

static const Entry *entry_at(const VbDefinitionIndex *index, guint i)
{
    return (const Entry *)(index->data + index->offsets[i]);
}

/* Of an entry that was checked. */
static const char *uuid_of(const VbDefinitionIndex *index, guint i)
{
    return vb_domain_summary_unpack(entry_at(index, i) + 1).uuid;
}

static guint64 digest_of(gconstpointer file, gsize size)
{
    return vb_store_digest((const char *)file + DIGESTED_FROM, size - DIGESTED_FROM);
}

static gboolean check_head(const Head *head, gsize size)
{
    return size >= sizeof(Head) && memcmp(head->magic, magic, sizeof magic) == 0 &&
           head->byte_order == BYTE_ORDER_MARK && head->size == size &&
           head->n_entries <= (size - sizeof(Head)) / sizeof(guint64) &&
           head->digest == digest_of(head, size);
}

static gboolean check_entry(const VbDefinitionIndex *index, gsize size, guint i)
{
    guint64 at = index->offsets[i];

    if (at % sizeof(guint64) != 0 || at > size || size - at < sizeof(Entry))
        return FALSE;
    const Entry *entry = entry_at(index, i);
    return entry->summary_size <= size - at - sizeof(Entry) &&
           vb_domain_summary_check(entry + 1, entry->summary_size);
}

static gboolean check_entries(const VbDefinitionIndex *index, gsize size)
{
    for (guint i = 0; i < index->n_entries; i++)
        if (!check_entry(index, size, i))
            return FALSE;
    for (guint i = 1; i < index->n_entries; i++)
        if (strcmp(uuid_of(index, i - 1), uuid_of(index, i)) >= 0)
            return FALSE;
    return TRUE;
}

VbDefinitionIndex *vb_definition_index_new(GBytes *contents, GError **error)
{
    g_autoptr(VbDefinitionIndex) index = g_new0(VbDefinitionIndex, 1);
    gsize size;
    const Head *head = g_bytes_get_data(contents, &size);

    index->contents = g_bytes_ref(contents);
    if (!check_head(head, size)) {
        vb_fail(error, VB_ERROR_FAILED, "it is not whole, or of another version");
        return NULL;
    }
    index->data = (const char *)head;
    index->offsets = (const guint64 *)(head + 1);
    index->n_entries = head->n_entries;
    if (!check_entries(index, size)) {
        vb_fail(error, VB_ERROR_FAILED, "it is not an index");
        return NULL;
    }
    return g_steal_pointer(&index);
}

VbDefinitionIndex *vb_definition_index_open(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
    g_autoptr(GBytes) contents = file ? g_mapped_file_get_bytes(file) : NULL;

    return contents ? vb_definition_index_new(contents, error) : NULL;
}

void vb_definition_index_free(VbDefinitionIndex *index)
{
    if (!index)
        return;
    g_bytes_unref(index->contents);
    g_free(index);
}

guint vb_definition_index_size(const VbDefinitionIndex *index)
{
    return index->n_entries;
}

GBytes *vb_definition_index_find(const VbDefinitionIndex *index, const char *uuid,
                                 const VbFileStamp *now, VbFileStamp *ret_stamp)
{
    guint first = 0, end = index->n_entries;

    while (first < end) {
        guint middle = first + (end - first) / 2;
        int order = strcmp(uuid, uuid_of(index, middle));
        if (order == 0) {
            const Entry *entry = entry_at(index, middle);
            if (!vb_file_stamp_is_settled(&entry->stamp) ||
                !vb_file_stamp_is_same(&entry->stamp, now))
                return NULL;
            *ret_stamp = entry->stamp;
            return g_bytes_new_from_bytes(index->contents, (const char *)(entry + 1) - index->data,
                                          entry->summary_size);
        }
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const VbIndexEntry *first = a, *second = b;

    return strcmp(vb_domain_summary_unpack(g_bytes_get_data(first->summary, NULL)).uuid,
                  vb_domain_summary_unpack(g_bytes_get_data(second->summary, NULL)).uuid);
}

static void append_entry(GByteArray *out, guint i, const VbIndexEntry *entry)
{
    static const guint8 padding[sizeof(guint64)];
    const Entry start = {entry->stamp, g_bytes_get_size(entry->summary)};
    guint64 at = out->len;

    memcpy(out->data + sizeof(Head) + i * sizeof at, &at, sizeof at);
    g_byte_array_append(out, (const guint8 *)&start, sizeof start);
    g_byte_array_append(out, g_bytes_get_data(entry->summary, NULL), start.summary_size);
    g_byte_array_append(out, padding, -start.summary_size % sizeof(guint64));
}

GByteArray *vb_definition_index_format(GArray *entries)
{
    GByteArray *out = g_byte_array_new();
    Head head = {
        .byte_order = BYTE_ORDER_MARK,
        .n_entries = entries->len,
    };

    memcpy(head.magic, magic, sizeof magic);
    g_array_sort(entries, compare_entries);
    g_byte_array_set_size(out, sizeof head + entries->len * sizeof(guint64));
    for (guint i = 0; i < entries->len; i++)
        append_entry(out, i, &g_array_index(entries, VbIndexEntry, i));
    head.size = out->len;
    memcpy(out->data, &head, sizeof head);
    head.digest = digest_of(out->data, out->len);
    memcpy(out->data, &head, sizeof head);
    return out;
}
