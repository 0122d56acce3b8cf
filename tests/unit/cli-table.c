/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The looks of virtbusctl's output: src/cli/table.c and src/cli/labels.c. */
#include <glib.h>

#include "labels.h"
#include "table.h"

static void assert_table(VbTable *table, const char *expected)
{
    g_autofree char *text = vb_table_format(table);

    g_assert_cmpstr(text, ==, expected);
}

static void test_table(void)
{
    g_autoptr(VbTable) table = vb_table_new("Id", "Name", "State", NULL);

    vb_table_add(table, "1", "test", "running", NULL);
    vb_table_add(table, "-", "a-long-name", "shut off", NULL);
    assert_table(table, " Id   Name          State\n"
                        "------------------------------\n"
                        " 1    test          running\n"
                        " -    a-long-name   shut off\n");
}

static void test_table_empty(void)
{
    g_autoptr(VbTable) table = vb_table_new("Target", "Source", NULL);

    assert_table(table, " Target   Source\n"
                        "------------------\n");
}

static void test_table_widths(void)
{
    g_autoptr(VbTable) table = vb_table_new("A", "B", NULL);

    vb_table_add(table, "äöü漢", "1", NULL); /* five columns of the terminal */
    vb_table_add(table, "e\xcc\x81", "2", NULL);
    assert_table(table, " A       B\n"
                        "------------\n"
                        " äöü漢   1\n"
                        " e\xcc\x81       2\n");
}

static void test_table_control_characters(void)
{
    g_autoptr(VbTable) table = vb_table_new("A", NULL);

    vb_table_add(table, "x\033[2J\ny", NULL);
    assert_table(table, " A\n"
                        "----------\n"
                        " x?[2J?y\n");
}

static void test_states(void)
{
    g_assert_cmpstr(vb_label_state("running"), ==, "running");
    g_assert_cmpstr(vb_label_state("paused"), ==, "paused");
    g_assert_cmpstr(vb_label_state("shutting-down"), ==, "in shutdown");
    g_assert_cmpstr(vb_label_state("shut-off"), ==, "shut off");
    g_assert_cmpstr(vb_label_state("crashed"), ==, "crashed");
    g_assert_cmpstr(vb_label_state("pm-suspended"), ==, "pmsuspended");
    g_assert_cmpstr(vb_label_state("something-new"), ==, "something-new");
}

static void test_reasons(void)
{
    static const char *const labels[][2] = {
        {"booted", "booted"},
        {"from-snapshot", "from snapshot"},
        {"io-error", "I/O error"},
        {"", "unknown"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(labels); i++) {
        g_autofree char *label = vb_label_reason(labels[i][0]);

        g_assert_cmpstr(label, ==, labels[i][1]);
    }
}

static void test_percent(void)
{
    g_assert_cmpuint(vb_label_percent(0, 0, FALSE), ==, 0);
    g_assert_cmpuint(vb_label_percent(0, 0, TRUE), ==, 100);
    g_assert_cmpuint(vb_label_percent(45, 100, FALSE), ==, 45);
    g_assert_cmpuint(vb_label_percent(999, 1000, FALSE), ==, 99);
    g_assert_cmpuint(vb_label_percent(100, 100, FALSE), ==, 99);
    g_assert_cmpuint(vb_label_percent(100, 100, TRUE), ==, 100);
    g_assert_cmpuint(vb_label_percent(G_MAXUINT64 / 2, G_MAXUINT64, FALSE), ==, 50);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/table/columns", test_table);
    g_test_add_func("/cli/table/empty", test_table_empty);
    g_test_add_func("/cli/table/widths", test_table_widths);
    g_test_add_func("/cli/table/control-characters", test_table_control_characters);
    g_test_add_func("/cli/labels/states", test_states);
    g_test_add_func("/cli/labels/reasons", test_reasons);
    g_test_add_func("/cli/labels/percent", test_percent);
    return g_test_run();
}
