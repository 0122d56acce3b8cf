/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Enumerations that have a word in XML. Each has one table of words (in its .c file) and this pair
 * of functions. Where the first enumerator is …_DEFAULT or …_NONE without a word of its own, it
 * means "not given": _to_string answers NULL for it and _from_string never finds it. */
#pragma once

#include <glib.h>

/* Declares `const char *prefix_to_string(Type)`: static; NULL for a value that has no word.
 * and `gboolean prefix_from_string(const char *, Type *ret_value)`: FALSE for an unknown word. */
#define VB_ENUM_DECLARE(Type, prefix)                                                              \
    const char *prefix##_to_string(Type value);                                                    \
    gboolean prefix##_from_string(const char *string, Type *ret_value);

/* Defines the pair from `static const char *const table[]`, indexed by the enumerator. */
#define VB_ENUM_DEFINE(Type, prefix, table)                                                        \
    const char *prefix##_to_string(Type value)                                                     \
    {                                                                                              \
        return (gsize)value < G_N_ELEMENTS(table) ? table[value] : NULL;                           \
    }                                                                                              \
    gboolean prefix##_from_string(const char *string, Type *ret_value)                             \
    {                                                                                              \
        for (gsize i = 0; i < G_N_ELEMENTS(table); i++)                                            \
            if (table[i] && g_strcmp0(table[i], string) == 0) {                                    \
                *ret_value = (Type)i;                                                              \
                return TRUE;                                                                       \
            }                                                                                      \
        return FALSE;                                                                              \
    }
