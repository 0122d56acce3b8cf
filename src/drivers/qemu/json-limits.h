/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guard in front of json-glib, whose parser recurses without limit, takes comments and single
 * quotes, and asserts on bad surrogates. The scanner cuts a byte stream into complete top-level
 * values (objects or arrays) and lets through only what is bounded in size and depth, valid UTF-8,
 * free of NUL and lexically strict JSON; json-glib then judges the grammar. A value that is let
 * through takes at most 45 MiB and a tenth of a second to parse.
 * Called by the QMP client for its stream and, through vb_json_parse(), for whole documents.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#define VB_JSON_MAX_SIZE ((gsize)16 * 1024 * 1024) /* of one top-level value: its bytes … */
#define VB_JSON_ITEM_SIZE ((gsize)64)              /* … and that for each bracket and comma */
#define VB_JSON_MAX_STRING ((gsize)64 * 1024)      /* bytes, as it is written; also of a number */
#define VB_JSON_MAX_DEPTH 128u                     /* nested objects and arrays */

typedef struct VbJsonScanner VbJsonScanner;

VbJsonScanner *vb_json_scanner_new(void);
void vb_json_scanner_free(VbJsonScanner *scanner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbJsonScanner, vb_json_scanner_free)

/* Takes the next bytes of the stream, cut anywhere. FALSE with VB_ERROR_HYPERVISOR when they break
 * a rule; that is final: each later push fails alike, and so does pop once the values that were
 * completed before are gone. */
gboolean vb_json_scanner_push(VbJsonScanner *scanner, const char *data, gsize size, GError **error);

/* The oldest complete value, parsed (json_node_unref). NULL when there is none: with `error` set if
 * the stream is broken and no more will come, without if it is not complete yet. */
JsonNode *vb_json_scanner_pop(VbJsonScanner *scanner, GError **error);

/* TRUE while a value has begun and not ended: an end of stream now means that it was cut off. */
gboolean vb_json_scanner_is_inside(const VbJsonScanner *scanner);

/* Parses a document of exactly one object or array, under the same limits.
 * VB_ERROR_HYPERVISOR otherwise; the message says what is wrong, not whose document it was. */
JsonNode *vb_json_parse(const char *data, gsize size, GError **error);
