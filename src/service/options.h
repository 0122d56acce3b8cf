/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbOptions: the trailing a{sv} of every method, read strictly. The handler takes each option that
 * it knows, then finishes; a key left over, a value of another type, a key given twice or anything
 * beyond the limits is InvalidArgs that names the key. Nothing may be done before finish said yes.
 *
 *   gboolean async = FALSE;
 *   vb_options_take_bool(options, "async", &async);
 *   if (!vb_options_finish(options, &error)) …
 *
 * The one parser of these bytes: any sealed message will do, so a fuzz target can drive it. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

#define VB_OPTIONS_MAX 64                  /* keys */
#define VB_OPTIONS_KEY_MAX 64              /* bytes of a key */
#define VB_OPTIONS_STRING_MAX (64u * 1024) /* bytes of a string, and of an array's strings */
#define VB_OPTIONS_STRV_MAX 1024           /* strings of an array */

typedef struct VbOptions VbOptions;

/* Reads an a{sv} at the message's current position. VB_ERROR_INVALID_ARGS. Copies: the message may
 * go. */
VbOptions *vb_options_parse(sd_bus_message *message, GError **error);
void vb_options_free(VbOptions *options); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbOptions, vb_options_free)

/* Look up and remove. TRUE: the key was there, of that type, and *ret_value is set; it is untouched
 * otherwise, so that it can hold the default. A wrong type is kept for finish to report. */
gboolean vb_options_take_bool(VbOptions *options, const char *key, gboolean *ret_value);
gboolean vb_options_take_int32(VbOptions *options, const char *key, gint32 *ret_value);
gboolean vb_options_take_uint32(VbOptions *options, const char *key, guint32 *ret_value);
gboolean vb_options_take_int64(VbOptions *options, const char *key, gint64 *ret_value);
gboolean vb_options_take_uint64(VbOptions *options, const char *key, guint64 *ret_value);
/* s; the string is the caller's (replaces, and does not free, what was there). */
gboolean vb_options_take_string(VbOptions *options, const char *key, char **ret_value);
/* as */
gboolean vb_options_take_strv(VbOptions *options, const char *key, char ***ret_value);

/* A value that was taken and is not acceptable, told in the same way: "option 'key': reason". */
void vb_options_reject(VbOptions *options, const char *key, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* The first fault in the order of the message: a wrong type or value, or an unknown key. */
gboolean vb_options_finish(VbOptions *options, GError **error);
