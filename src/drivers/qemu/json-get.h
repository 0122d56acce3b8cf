/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading members of JSON that somebody else wrote: a member that is absent or has another type
 * is reported as such, where json-glib's own getters would log a critical warning.
 * Used by whatever reads QMP replies and events, qemu-img's output and state files.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* Borrowed from the object; NULL when absent or of another type (object may be NULL itself). */
const char *vb_json_get_string(JsonObject *object, const char *name);
JsonObject *vb_json_get_object(JsonObject *object, const char *name);
JsonArray *vb_json_get_array(JsonObject *object, const char *name);

/* FALSE, with *ret_value untouched, when absent or of another type. A fraction is no integer. */
gboolean vb_json_get_int(JsonObject *object, const char *name, gint64 *ret_value);
/* As above; a negative number is none either. Sizes, offsets, rates. */
gboolean vb_json_get_size(JsonObject *object, const char *name, guint64 *ret_value);
/* `otherwise` when absent or of another type. */
gboolean vb_json_get_bool(JsonObject *object, const char *name, gboolean otherwise);

/* The node's object or array; NULL when it is something else (or node is NULL). */
JsonObject *vb_json_node_object(JsonNode *node);
JsonArray *vb_json_node_array(JsonNode *node);

/* Element `index` of an array when it is an object or a string; else NULL. */
JsonObject *vb_json_array_object(JsonArray *array, guint index);
const char *vb_json_array_string(JsonArray *array, guint index);
