/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tables of words. */
#include "labels.h"

typedef struct {
    const char *name;
    const char *label;
} Label;

static const char *find_label(const Label *labels, gsize n_labels, const char *name)
{
    for (gsize i = 0; i < n_labels; i++)
        if (g_str_equal(labels[i].name, name))
            return labels[i].label;
    return name;
}

const char *vb_label_state(const char *state)
{
    static const Label labels[] = {
        {"shutting-down", "in shutdown"},
        {"shut-off", "shut off"},
        {"pm-suspended", "pmsuspended"},
    };

    return find_label(labels, G_N_ELEMENTS(labels), state);
}

char *vb_label_reason(const char *reason)
{
    if (reason[0] == '\0')
        return g_strdup("unknown");
    if (g_str_equal(reason, "io-error"))
        return g_strdup("I/O error");
    return g_strdelimit(g_strdup(reason), "-", ' ');
}

const char *vb_label_verdict(const char *verdict)
{
    static const Label labels[] = {{"challenge", "when authenticated"}};

    return find_label(labels, G_N_ELEMENTS(labels), verdict);
}

const char *vb_label_block_job(const char *type)
{
    static const Label labels[] = {
        {"pull", "Block Pull"},     {"copy", "Block Copy"},
        {"commit", "Block Commit"}, {"active-commit", "Active Block Commit"},
        {"backup", "Backup"},
    };

    return find_label(labels, G_N_ELEMENTS(labels), type);
}

guint vb_label_percent(guint64 current, guint64 total, gboolean through)
{
    if (through)
        return 100;
    if (total == 0)
        return 0;
    if (current >= total)
        return 99;
    return MIN(99, (guint)((double)current / (double)total * 100));
}
