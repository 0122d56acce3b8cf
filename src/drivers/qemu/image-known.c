/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbImageKnown: a table of answers, and the order in which they were last of use. The header
 * of a qcow2 image is its first cluster: QEMU finds the backing image's name, and all that extends
 * the header, nowhere else (docs/interop/qcow2.txt of QEMU). See image-known.h. */
#include "image-known.h"

#include <string.h>
#include <unistd.h>

#include "fd.h"

#define MAX_ANSWERS 1024u
#define MAX_ANSWER_SIZE ((gsize)8 * 1024) /* more says one with hundreds of snapshots */
#define FIRST_READ ((gsize)64 * 1024)     /* the cluster size of nearly all */
#define CLUSTER_BITS_AT 20
#define MIN_CLUSTER_BITS 9
#define MAX_CLUSTER_BITS 21

struct VbImageKnown {
    GHashTable *answers; /* key → Answer, owned */
    GQueue order;        /* of Answer; the first was of use last */
};

typedef struct {
    char *key;
    GBytes *text;
    GList link; /* in `order` */
} Answer;

static void answer_free(gpointer data)
{
    Answer *answer = data;

    g_free(answer->key);
    g_bytes_unref(answer->text);
    g_free(answer);
}

VbImageKnown *vb_image_known_new(void)
{
    VbImageKnown *known = g_rc_box_new0(VbImageKnown);

    known->answers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, answer_free);
    g_queue_init(&known->order);
    return known;
}

VbImageKnown *vb_image_known_ref(VbImageKnown *known)
{
    return g_rc_box_acquire(known);
}

static void known_clear(gpointer data)
{
    VbImageKnown *known = data;

    g_hash_table_unref(known->answers);
}

void vb_image_known_unref(VbImageKnown *known)
{
    if (known)
        g_rc_box_release_full(known, known_clear);
}

/* ---- headers ----------------------------------------------------------------------------------
 */

static gboolean read_at(int fd, guint8 *bytes, gsize size, gsize offset)
{
    while (size > 0) {
        ssize_t n = pread(fd, bytes, size, (off_t)offset);
        if (n <= 0)
            return FALSE;
        bytes += n;
        offset += (gsize)n;
        size -= (gsize)n;
    }
    return TRUE;
}

/* The size of a cluster; 0: that is no header of a qcow2 image. */
static gsize cluster_size(const guint8 *header)
{
    guint32 bits;

    if (memcmp(header, "QFI\xfb", 4) != 0)
        return 0;
    memcpy(&bits, header + CLUSTER_BITS_AT, sizeof bits);
    bits = GUINT32_FROM_BE(bits);
    return bits >= MIN_CLUSTER_BITS && bits <= MAX_CLUSTER_BITS ? (gsize)1 << bits : 0;
}

char *vb_image_known_key(const char *path, VbDiskFormat format, VbFileBounds bounds)
{
    vb_autofd int fd = format == VB_DISK_FORMAT_QCOW2 ? vb_file_open(path, bounds, NULL) : -1;
    g_autofree guint8 *header = g_malloc(FIRST_READ);

    if (fd < 0 || !read_at(fd, header, FIRST_READ, 0))
        return NULL;
    gsize size = cluster_size(header);
    if (size > FIRST_READ) {
        header = g_realloc(header, size);
        if (!read_at(fd, header + FIRST_READ, size - FIRST_READ, FIRST_READ))
            return NULL;
    }
    /* Most of it is empty: that is not worth a digest. */
    while (size > 0 && header[size - 1] == 0)
        size--;
    return size > 0 ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, header, size) : NULL;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void unlink_answer(VbImageKnown *known, Answer *answer)
{
    g_queue_unlink(&known->order, &answer->link);
    g_hash_table_remove(known->answers, answer->key);
}

GBytes *vb_image_known_find(VbImageKnown *known, const char *key)
{
    Answer *answer = g_hash_table_lookup(known->answers, key);

    if (!answer)
        return NULL;
    g_queue_unlink(&known->order, &answer->link);
    g_queue_push_head_link(&known->order, &answer->link);
    return answer->text;
}

void vb_image_known_add(VbImageKnown *known, const char *key, GBytes *answer)
{
    Answer *old = g_hash_table_lookup(known->answers, key);

    if (old)
        unlink_answer(known, old);
    if (g_bytes_get_size(answer) > MAX_ANSWER_SIZE)
        return;
    Answer *fresh = g_new0(Answer, 1);
    fresh->key = g_strdup(key);
    fresh->text = g_bytes_ref(answer);
    fresh->link.data = fresh;
    g_hash_table_insert(known->answers, fresh->key, fresh);
    g_queue_push_head_link(&known->order, &fresh->link);
    if (known->order.length > MAX_ANSWERS)
        unlink_answer(known, g_queue_peek_tail(&known->order));
}
