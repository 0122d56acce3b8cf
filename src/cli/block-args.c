/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of the block job commands, from VbArgs to what they mean. */
#include "block-args.h"

#include <string.h>

#define MEBIBYTE (G_GUINT64_CONSTANT(1) << 20)

/* The factor that a suffix stands for, 0 for an unknown one. */
static guint64 suffix_factor(const char *suffix)
{
    static const char letters[] = "KMGTPE";
    const char *letter;
    guint64 base, factor = 1;

    if (g_ascii_strcasecmp(suffix, "b") == 0 || g_ascii_strcasecmp(suffix, "bytes") == 0)
        return 1;
    letter = strchr(letters, g_ascii_toupper(suffix[0]));
    if (letter == NULL || *letter == '\0')
        return 0;
    if (suffix[1] == '\0' || g_ascii_strcasecmp(suffix + 1, "iB") == 0)
        base = 1024;
    else if (g_ascii_strcasecmp(suffix + 1, "B") == 0)
        base = 1000;
    else
        return 0;
    for (gsize i = 0; i <= (gsize)(letter - letters); i++)
        factor *= base;
    return factor;
}

gboolean vb_size_parse(const char *name, const char *text, guint64 scale, guint64 *ret_bytes,
                       GError **error)
{
    gsize digits = strspn(text, "0123456789");
    g_autofree char *number = g_strndup(text, digits);
    guint64 factor = text[digits] == '\0' ? scale : suffix_factor(text + digits);
    guint64 value;

    if (digits == 0 || factor == 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "--%s must be a number, with or without a suffix like K, M or GiB, not '%s'",
                    name, text);
        return FALSE;
    }
    if (!g_ascii_string_to_unsigned(number, 10, 0, G_MAXUINT64, &value, NULL) ||
        !g_uint64_checked_mul(&value, value, factor)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "--%s %s is too large", name, text);
        return FALSE;
    }
    *ret_bytes = value;
    return TRUE;
}

gboolean vb_bandwidth_parse(const VbArgs *args, guint64 *ret_bandwidth, GError **error)
{
    const char *text = vb_args_get(args, "bandwidth");

    if (text == NULL) {
        *ret_bandwidth = 0;
        return TRUE;
    }
    return vb_size_parse("bandwidth", text, vb_args_has(args, "bytes") ? 1 : MEBIBYTE,
                         ret_bandwidth, error);
}

gboolean vb_blockjob_args_parse(const VbArgs *args, VbBlockjobArgs *ret_parsed, GError **error)
{
    static const char *const abort_options[] = {"abort", "async", "pivot", "force", NULL};
    static const char *const info_options[] = {"info", "raw", NULL};
    VbBlockjobArgs parsed = {.mode = VB_BLOCKJOB_INFO};
    const char *abort = NULL, *info = NULL;

    for (gsize i = 0; abort_options[i] != NULL && abort == NULL; i++)
        if (vb_args_has(args, abort_options[i]))
            abort = abort_options[i];
    for (gsize i = 0; info_options[i] != NULL && info == NULL; i++)
        if (vb_args_has(args, info_options[i]))
            info = info_options[i];
    /* With --bandwidth, --bytes is the unit of that; alone it asks for the rate in bytes. */
    if (vb_args_has(args, "bytes") && !vb_args_has(args, "bandwidth") && info == NULL)
        info = "bytes";

    if (abort != NULL)
        parsed.mode = VB_BLOCKJOB_ABORT;
    else if (vb_args_has(args, "bandwidth"))
        parsed.mode = VB_BLOCKJOB_BANDWIDTH;

    if (abort != NULL && (info != NULL || vb_args_has(args, "bandwidth"))) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "--%s and --%s exclude each other",
                    abort, info != NULL ? info : "bandwidth");
        return FALSE;
    }
    if (info != NULL && vb_args_has(args, "bandwidth")) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "--%s and --bandwidth exclude each other", info);
        return FALSE;
    }
    if (!vb_args_exclude(args, error, "pivot", "force", NULL) ||
        !vb_bandwidth_parse(args, &parsed.bandwidth, error))
        return FALSE;
    *ret_parsed = parsed;
    return TRUE;
}

gboolean vb_block_wait_args_parse(const VbArgs *args, VbBlockGoal goal, VbBlockWaitArgs *ret_parsed,
                                  GError **error)
{
    static const char *const implying[] = {"wait",  "verbose", "timeout",      "async",
                                           "pivot", "finish",  "keep-overlay", NULL};
    VbBlockWaitArgs parsed = {
        .verbose = vb_args_has(args, "verbose"),
        .async = vb_args_has(args, "async"),
        .goal = goal,
    };
    guint64 timeout = 0;

    if (!vb_args_exclude(args, error, "pivot", "finish", NULL) ||
        !vb_args_exclude(args, error, "pivot", "keep-overlay", NULL) ||
        !vb_args_get_number(args, "timeout", 1, G_MAXINT / 1000, &timeout, error))
        return FALSE;
    for (gsize i = 0; implying[i] != NULL; i++)
        parsed.wait = parsed.wait || vb_args_has(args, implying[i]);
    if (vb_args_has(args, "pivot"))
        parsed.goal = VB_BLOCK_GOAL_PIVOT;
    else if (vb_args_has(args, "finish") || vb_args_has(args, "keep-overlay"))
        parsed.goal = VB_BLOCK_GOAL_FINISH;
    parsed.timeout = (guint)timeout;
    *ret_parsed = parsed;
    return TRUE;
}
