/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading members of JSON of unknown shape without ever tripping json-glib's type assertions. */
#include "json-get.h"

static JsonNode *member_of_type(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node
                                                                                         : NULL;
}

const char *vb_json_get_string(JsonObject *object, const char *name)
{
    JsonNode *node = member_of_type(object, name, G_TYPE_STRING);

    return node ? json_node_get_string(node) : NULL;
}

JsonObject *vb_json_node_object(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *vb_json_node_array(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *vb_json_get_object(JsonObject *object, const char *name)
{
    return object ? vb_json_node_object(json_object_get_member(object, name)) : NULL;
}

JsonArray *vb_json_get_array(JsonObject *object, const char *name)
{
    return object ? vb_json_node_array(json_object_get_member(object, name)) : NULL;
}

gboolean vb_json_get_int(JsonObject *object, const char *name, gint64 *ret_value)
{
    JsonNode *node = member_of_type(object, name, G_TYPE_INT64);

    if (!node)
        return FALSE;
    *ret_value = json_node_get_int(node);
    return TRUE;
}

gboolean vb_json_get_size(JsonObject *object, const char *name, guint64 *ret_value)
{
    gint64 value;

    if (!vb_json_get_int(object, name, &value) || value < 0)
        return FALSE;
    *ret_value = (guint64)value;
    return TRUE;
}

gboolean vb_json_get_bool(JsonObject *object, const char *name, gboolean otherwise)
{
    JsonNode *node = member_of_type(object, name, G_TYPE_BOOLEAN);

    return node ? json_node_get_boolean(node) : otherwise;
}

JsonObject *vb_json_array_object(JsonArray *array, guint index)
{
    if (!array || index >= json_array_get_length(array))
        return NULL;
    return vb_json_node_object(json_array_get_element(array, index));
}

const char *vb_json_array_string(JsonArray *array, guint index)
{
    JsonNode *node = NULL;

    if (array && index < json_array_get_length(array))
        node = json_array_get_element(array, index);
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}
