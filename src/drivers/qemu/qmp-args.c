/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Building JSON objects from a list of typed members. */
#include "qmp-args.h"

static void append_one(JsonObject *object, const VbQmpArg *arg)
{
    switch (arg->type) {
    case VB_QMP_ARG_STRING:
        if (arg->string)
            json_object_set_string_member(object, arg->name, arg->string);
        return;
    case VB_QMP_ARG_INT:
        json_object_set_int_member(object, arg->name, arg->integer);
        return;
    case VB_QMP_ARG_BOOL:
        json_object_set_boolean_member(object, arg->name, arg->boolean);
        return;
    case VB_QMP_ARG_STRV:
        if (arg->strv) {
            JsonArray *array = json_array_new();
            for (guint i = 0; arg->strv[i]; i++)
                json_array_add_string_element(array, arg->strv[i]);
            json_object_set_array_member(object, arg->name, array);
        }
        return;
    case VB_QMP_ARG_OBJECT:
        if (arg->object)
            json_object_set_object_member(object, arg->name, arg->object);
        return;
    case VB_QMP_ARG_ARRAY:
        if (arg->array)
            json_object_set_array_member(object, arg->name, arg->array);
        return;
    case VB_QMP_ARG_NONE:
    case VB_QMP_ARG_END:
        return;
    }
    g_assert_not_reached();
}

void vb_qmp_args_append(JsonObject *object, const VbQmpArg *args)
{
    for (; args->type != VB_QMP_ARG_END; args++)
        append_one(object, args);
}

JsonObject *vb_qmp_args_new(const VbQmpArg *args)
{
    JsonObject *object = json_object_new();

    vb_qmp_args_append(object, args);
    return object;
}

char *vb_qmp_args_to_string(JsonObject *object)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, object);
    return json_to_string(node, FALSE);
}
