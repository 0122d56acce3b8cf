/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Terse, type-checked building of JSON objects: QMP arguments and -blockdev/-device options.
 *
 *     JsonObject *args = vb_qmp_args(VB_ARG_STRING("job-id", id),
 *                                    VB_ARG_IF(speed > 0, VB_ARG_INT("speed", speed)),
 *                                    VB_ARG_BOOL("auto-dismiss", FALSE));
 *
 * All outgoing JSON is made by json-glib, so nothing is ever quoted by hand.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

typedef enum {
    VB_QMP_ARG_END, /* ends the list; vb_qmp_args() appends it */
    VB_QMP_ARG_NONE,
    VB_QMP_ARG_STRING,
    VB_QMP_ARG_INT,
    VB_QMP_ARG_BOOL,
    VB_QMP_ARG_STRV,
    VB_QMP_ARG_OBJECT,
    VB_QMP_ARG_ARRAY,
} VbQmpArgType;

typedef struct {
    VbQmpArgType type;
    const char *name;
    union {
        const char *string;
        gint64 integer;
        gboolean boolean;
        const char *const *strv;
        JsonObject *object;
        JsonArray *array;
    };
} VbQmpArg;

/* Strings, string arrays, objects and arrays that are NULL are left out.
 * Objects and arrays are handed over. Integers are signed 64 bit, as in QMP. */
#define VB_ARG_STRING(n, v) ((VbQmpArg){.type = VB_QMP_ARG_STRING, .name = (n), .string = (v)})
#define VB_ARG_INT(n, v) ((VbQmpArg){.type = VB_QMP_ARG_INT, .name = (n), .integer = (v)})
#define VB_ARG_BOOL(n, v) ((VbQmpArg){.type = VB_QMP_ARG_BOOL, .name = (n), .boolean = (v)})
#define VB_ARG_STRV(n, v) ((VbQmpArg){.type = VB_QMP_ARG_STRV, .name = (n), .strv = (v)})
#define VB_ARG_OBJECT(n, v) ((VbQmpArg){.type = VB_QMP_ARG_OBJECT, .name = (n), .object = (v)})
#define VB_ARG_ARRAY(n, v) ((VbQmpArg){.type = VB_QMP_ARG_ARRAY, .name = (n), .array = (v)})

/* The argument when the condition holds, else nothing; the argument is evaluated only then. */
#define VB_ARG_IF(condition, arg) ((condition) ? (arg) : (VbQmpArg){.type = VB_QMP_ARG_NONE})

/* A new object with the given members, in this order. At least one argument. */
#define vb_qmp_args(...) vb_qmp_args_new((const VbQmpArg[]){__VA_ARGS__, {.type = VB_QMP_ARG_END}})
JsonObject *vb_qmp_args_new(const VbQmpArg *args);

/* Adds members to an object that is there already (NULL values are left out here too). */
#define vb_qmp_args_add(object, ...)                                                               \
    vb_qmp_args_append((object), (const VbQmpArg[]){__VA_ARGS__, {.type = VB_QMP_ARG_END}})
void vb_qmp_args_append(JsonObject *object, const VbQmpArg *args);

/* The object as compact JSON text, for -blockdev and -device; the object is consumed. */
char *vb_qmp_args_to_string(JsonObject *object);
