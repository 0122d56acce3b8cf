/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text table: cells are kept row by row and measured in terminal columns when it is formatted.
 */
#include "table.h"

#include <stdarg.h>

#define GAP 3

struct VbTable {
    GPtrArray *cells; /* the header's first, then row after row */
    guint columns;
};

static char *printable(const char *text)
{
    GString *result = g_string_new(NULL);

    for (const char *c = text; *c != '\0'; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);

        g_string_append_unichar(result, g_unichar_isprint(character) ? character : '?');
    }
    return g_string_free(result, FALSE);
}

static guint display_width(const char *text)
{
    guint width = 0;

    for (const char *c = text; *c != '\0'; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);

        if (!g_unichar_iszerowidth(character))
            width += g_unichar_iswide(character) ? 2 : 1;
    }
    return width;
}

VbTable *vb_table_new(const char *first_title, ...)
{
    VbTable *table = g_new0(VbTable, 1);
    va_list titles;

    table->cells = g_ptr_array_new_with_free_func(g_free);
    va_start(titles, first_title);
    for (const char *title = first_title; title != NULL; title = va_arg(titles, const char *)) {
        g_ptr_array_add(table->cells, g_strdup(title));
        table->columns++;
    }
    va_end(titles);
    return table;
}

void vb_table_free(VbTable *table)
{
    if (table == NULL)
        return;
    g_ptr_array_unref(table->cells);
    g_free(table);
}

void vb_table_add(VbTable *table, const char *first_cell, ...)
{
    va_list cells;

    va_start(cells, first_cell);
    for (const char *cell = first_cell; cell != NULL; cell = va_arg(cells, const char *))
        g_ptr_array_add(table->cells, printable(cell));
    va_end(cells);
    g_assert(table->cells->len % table->columns == 0);
}

char *vb_table_format(const VbTable *table)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree guint *widths = g_new0(guint, table->columns);
    guint rule = 0;

    for (guint i = 0; i < table->cells->len; i++) {
        guint *width = &widths[i % table->columns];

        *width = MAX(*width, display_width(table->cells->pdata[i]));
    }
    for (guint i = 0; i < table->columns; i++)
        rule += widths[i] + GAP;

    for (guint i = 0; i < table->cells->len; i++) {
        const char *cell = table->cells->pdata[i];
        guint column = i % table->columns;

        g_string_append_printf(text, "%s%s", column == 0 ? " " : "", cell);
        if (column + 1 < table->columns) {
            guint padding = widths[column] - display_width(cell) + GAP;

            g_string_append_printf(text, "%*s", (int)padding, "");
            continue;
        }
        g_string_append_c(text, '\n');
        if (i + 1 == table->columns) {
            for (guint j = 0; j < rule; j++)
                g_string_append_c(text, '-');
            g_string_append_c(text, '\n');
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
