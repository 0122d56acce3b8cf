/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns when the index of definitions is written: some seconds after the first change, for all that
 * came by then, and at the end; by a thread of its own, so that neither the main loop nor the
 * writer of definitions waits for it. A file that was changed a moment before is read again there:
 * only when it has settled can its stamp tell it from what it may become. See
 * definition-index.h. */
#include "core-private.h"
#include "log.h"

#define WRITE_DELAY_S 5

/* What the thread has, and gives back when it is joined. */
typedef struct {
    const VbPaths *paths;
    char *path;
    GArray *entries; /* of VbIndexEntry: all when it begins, those in the file when it is done */
    gboolean again;  /* one was left out that will have settled the next time */
    GError *error;
    GThread *thread;
    int done; /* atomic */
} Write;

struct VbHostIndex {
    Write *write; /* the one that is under way, or NULL */
    gboolean dirty;
    guint timer;
};

static char *index_path(const VbHost *host)
{
    return g_build_filename(host->paths->cache_dir, "domain.index", NULL);
}

VbDefinitionIndex *vb_host_open_index(VbHost *host)
{
    g_autofree char *path = index_path(host);
    g_autoptr(GError) error = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return NULL;
    VbDefinitionIndex *index = vb_definition_index_open(path, &error);
    if (!index)
        vb_log_info(NULL, NULL, "%s is not used: %s", path, error->message);
    return index;
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static void clear_entry(gpointer data)
{
    g_bytes_unref(((VbIndexEntry *)data)->summary);
}

/* Does the file (still) hold what the summary was made of, and will its stamp tell? */
static gboolean settle(Write *write, VbIndexEntry *entry)
{
    const char *uuid = vb_domain_summary_unpack(g_bytes_get_data(entry->summary, NULL)).uuid;
    VbFileStamp now;
    gsize length;

    if (vb_file_stamp_is_settled(&entry->stamp))
        return TRUE;
    g_autofree char *path = vb_paths_definition(write->paths, uuid);
    g_autofree char *contents =
        vb_store_read_stamped(path, VB_XML_STORED_MAX_SIZE, &length, &now, NULL);
    if (!contents || now.digest != entry->stamp.digest)
        return FALSE;
    if (vb_file_stamp_is_settled(&now)) {
        entry->stamp = now;
        return TRUE;
    }
    /* One from the future never does. */
    write->again |= now.mtime <= now.seen;
    return FALSE;
}

static gpointer run_write(gpointer data)
{
    Write *write = data;

    for (guint i = write->entries->len; i > 0; i--)
        if (!settle(write, &g_array_index(write->entries, VbIndexEntry, i - 1)))
            g_array_remove_index_fast(write->entries, i - 1);
    g_autoptr(GByteArray) contents = vb_definition_index_format(write->entries);
    vb_store_write_record(write->path, (const char *)contents->data, contents->len, &write->error);
    g_atomic_int_set(&write->done, TRUE);
    return NULL;
}

/* ---- the main thread --------------------------------------------------------------------------
 */

static void begin_write(VbHost *host)
{
    Write *write = g_new0(Write, 1);
    GHashTableIter iter;
    gpointer value;

    write->paths = host->paths;
    write->path = index_path(host);
    write->entries =
        g_array_sized_new(FALSE, FALSE, sizeof(VbIndexEntry), g_hash_table_size(host->by_uuid));
    g_array_set_clear_func(write->entries, clear_entry);
    g_hash_table_iter_init(&iter, host->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const VbDomain *domain = value;
        if (domain->info.persistent && domain->stamp.digest) {
            VbIndexEntry entry = {g_bytes_ref(domain->summary), domain->stamp};
            g_array_append_val(write->entries, entry);
        }
    }
    host->index->dirty = FALSE;
    host->index->write = write;
    write->thread = g_thread_new("index", run_write, write);
}

/* What was read again need not be so the next time. */
static void take_stamps(VbHost *host, const GArray *entries)
{
    for (guint i = 0; i < entries->len; i++) {
        const VbIndexEntry *entry = &g_array_index(entries, VbIndexEntry, i);
        const char *uuid = vb_domain_summary_unpack(g_bytes_get_data(entry->summary, NULL)).uuid;
        VbDomain *domain = g_hash_table_lookup(host->by_uuid, uuid);
        if (domain && domain->stamp.digest == entry->stamp.digest)
            domain->stamp = entry->stamp;
    }
}

static void end_write(VbHost *host)
{
    Write *write = g_steal_pointer(&host->index->write);

    g_thread_join(write->thread);
    take_stamps(host, write->entries);
    host->index->dirty |= write->again;
    if (write->error)
        vb_log_info(NULL, NULL, "the index of definitions: %s", write->error->message);
    g_clear_error(&write->error);
    g_array_unref(write->entries);
    g_free(write->path);
    g_free(write);
}

static gboolean on_timer(gpointer data)
{
    VbHost *host = data;
    VbHostIndex *index = host->index;

    if (index->write && !g_atomic_int_get(&index->write->done))
        return G_SOURCE_CONTINUE;
    if (index->write)
        end_write(host);
    if (index->dirty) {
        begin_write(host);
        return G_SOURCE_CONTINUE;
    }
    index->timer = 0;
    return G_SOURCE_REMOVE;
}

void vb_host_index_changed(VbHost *host)
{
    if (!host->index)
        host->index = g_new0(VbHostIndex, 1);
    host->index->dirty = TRUE;
    if (host->index->timer == 0)
        host->index->timer = g_timeout_add_seconds(WRITE_DELAY_S, on_timer, host);
}

void vb_host_close_index(VbHost *host)
{
    if (!host->index)
        return;
    g_clear_handle_id(&host->index->timer, g_source_remove);
    if (host->index->write)
        end_write(host);
    if (host->index->dirty) {
        begin_write(host);
        end_write(host);
    }
    g_clear_pointer(&host->index, g_free);
}
