/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A text table with virsh's looks: a header, a rule, columns that are as wide as their widest cell.
 * The listing commands fill it. */
#pragma once

#include <glib.h>

typedef struct VbTable VbTable;

/* Titles of the columns, ended by NULL. */
VbTable *vb_table_new(const char *first_title, ...) G_GNUC_NULL_TERMINATED;
void vb_table_free(VbTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbTable, vb_table_free)

/* As many cells as there are columns, ended by NULL. UTF-8; what is not printable shows as '?', so
 * that a title can send no control sequence to a terminal. */
void vb_table_add(VbTable *table, const char *first_cell, ...) G_GNUC_NULL_TERMINATED;

/* The whole table, every line ended by a newline. To be freed with g_free(). */
char *vb_table_format(const VbTable *table);
