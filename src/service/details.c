/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A handful of pairs: an array that is searched from its beginning. */
#include "details.h"

typedef struct {
    char *key, *value;
} Detail;

struct VbDetails {
    GArray *pairs; /* of Detail */
};

static void detail_clear(gpointer data)
{
    Detail *detail = data;

    g_free(detail->key);
    g_free(detail->value);
}

VbDetails *vb_details_new(void)
{
    VbDetails *details = g_new0(VbDetails, 1);

    details->pairs = g_array_new(FALSE, FALSE, sizeof(Detail));
    g_array_set_clear_func(details->pairs, detail_clear);
    return details;
}

static void copy_detail(const char *key, const char *value, gpointer copy)
{
    vb_details_set(copy, key, value);
}

VbDetails *vb_details_copy(const VbDetails *details)
{
    VbDetails *copy = vb_details_new();

    vb_details_each(details, copy_detail, copy);
    return copy;
}

void vb_details_free(VbDetails *details)
{
    if (details == NULL)
        return;
    g_array_unref(details->pairs);
    g_free(details);
}

static gboolean find(const VbDetails *details, const char *key, guint *ret_index)
{
    for (guint i = 0; i < details->pairs->len; i++)
        if (g_str_equal(g_array_index(details->pairs, Detail, i).key, key)) {
            *ret_index = i;
            return TRUE;
        }
    return FALSE;
}

void vb_details_set(VbDetails *details, const char *key, const char *value)
{
    guint i;

    if (find(details, key, &i)) {
        Detail *detail = &g_array_index(details->pairs, Detail, i);
        char *old = detail->value;

        detail->value = g_strdup(value);
        g_free(old);
    } else {
        Detail detail = {g_strdup(key), g_strdup(value)};

        g_array_append_val(details->pairs, detail);
    }
}

const char *vb_details_get(const VbDetails *details, const char *key)
{
    guint i;

    return find(details, key, &i) ? g_array_index(details->pairs, Detail, i).value : NULL;
}

gboolean vb_details_equal(const VbDetails *a, const VbDetails *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->pairs->len != b->pairs->len)
        return FALSE;
    for (guint i = 0; i < a->pairs->len; i++) {
        const Detail *detail = &g_array_index(a->pairs, Detail, i);

        if (g_strcmp0(vb_details_get(b, detail->key), detail->value) != 0)
            return FALSE;
    }
    return TRUE;
}

guint vb_details_hash(const VbDetails *details)
{
    guint hash = 0;

    for (guint i = 0; details != NULL && i < details->pairs->len; i++) {
        const Detail *detail = &g_array_index(details->pairs, Detail, i);

        hash += (g_str_hash(detail->key) * 31) ^ g_str_hash(detail->value);
    }
    return hash;
}

void vb_details_each(const VbDetails *details, VbDetailFunc func, gpointer data)
{
    for (guint i = 0; i < details->pairs->len; i++) {
        const Detail *detail = &g_array_index(details->pairs, Detail, i);

        func(detail->key, detail->value, data);
    }
}
