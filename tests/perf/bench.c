/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The benchmark's program, which scripts/bench runs: starts the stacks below one directory,
 * measures the cases at each number of domains, writes the report; or soaks virtbus.
 *
 *     bench [--peer] [--sizes=1,100,1000,10000] [--cases=list,calls,…] [--brief] [--json=FILE]
 *           [--directory=DIR] [--soak=MINUTES [--seed=N]] VIRTBUSD
 *
 * Build it without sanitizers, except to see whether it works (--brief). */
#include "run.h"
#include "soak.h"

#include <gio/gio.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remove-tree.h"

static gboolean with_peer, brief;
static char *sizes_text, *cases_text, *json, *directory;
static double soak_minutes;
static gint64 seed = -1;

static const GOptionEntry entries[] = {
    {"peer", 0, 0, G_OPTION_ARG_NONE, &with_peer, "libvirt's daemons beside it", NULL},
    {"sizes", 0, 0, G_OPTION_ARG_STRING, &sizes_text, "numbers of domains, rising", "N,N"},
    {"cases", 0, 0, G_OPTION_ARG_STRING, &cases_text, "only these", "NAME,NAME"},
    {"brief", 0, 0, G_OPTION_ARG_NONE, &brief, "one round of everything", NULL},
    {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "where the report goes", "FILE"},
    {"soak", 0, 0, G_OPTION_ARG_DOUBLE, &soak_minutes, "no measurement: random work", "MINUTES"},
    {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the soak (default: any)", "N"},
    {"directory", 0, 0, G_OPTION_ARG_FILENAME, &directory, "for the stacks; it is left", "DIR"},
    {NULL},
};

static gboolean wanted(const char *name)
{
    g_auto(GStrv) names = cases_text == NULL ? NULL : g_strsplit(cases_text, ",", -1);

    return names == NULL || g_strv_contains((const char *const *)names, name);
}

static PerfStack *make_stack(const PerfDialect *dialect, const char *daemon)
{
    g_autofree char *dir = g_build_filename(directory, dialect->name, NULL);
    g_autofree char *images = g_build_filename(dir, "images", NULL);

    if (g_mkdir_with_parents(images, 0711) < 0)
        perf_fail("%s cannot be made", images);
    chmod(images, 0777); /* QEMU's user makes copies there */
    return perf_stack_new(dialect, dir, daemon);
}

static void run_size(PerfRun *run, guint domains)
{
    if (domains > run->domains)
        perf_case_grow(run, domains);
    if (wanted("memory"))
        perf_case_memory(run, "defined");
    if (domains > 0) {
        if (wanted("list"))
            perf_case_list(run);
        if (wanted("hold"))
            perf_case_hold(run);
        if (wanted("calls"))
            perf_case_calls(run);
        if (wanted("load"))
            perf_case_load(run);
        if (wanted("memory"))
            perf_case_memory(run, "loaded");
    }
    if (wanted("start"))
        perf_case_cold(run);
}

static void run_sizes(PerfRun *run)
{
    /* Guests do not get slower by neighbours that are only defined. */
    if (wanted("guests"))
        perf_case_guests(run);

    g_auto(GStrv) sizes = g_strsplit(sizes_text != NULL ? sizes_text : "1,100,1000,10000", ",", -1);

    for (guint i = 0; sizes[i] != NULL; i++)
        run_size(run, (guint)g_ascii_strtoull(sizes[i], NULL, 10));
    if (wanted("hang") && run->domains > 0)
        perf_case_hang(run);
}

static void start_stacks(PerfRun *run)
{
    for (guint i = 0; i < run->n_stacks; i++) {
        guint shown;

        perf_stack_start(run->stacks[i], &shown);
        if (shown != 0)
            perf_fail("%s begins with %u domains", run->stacks[i]->dialect->name, shown);
        /* What an emulator can do is asked once, and kept: not a cost of the first define. */
        perf_call(run->stacks[i], PERF_DEFINE, PERF_FIRST_GUEST - 1);
        perf_call(run->stacks[i], PERF_UNDEFINE, PERF_FIRST_GUEST - 1);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("VIRTBUSD");
    g_autoptr(GError) error = NULL;
    PerfRun run = {0};
    gboolean own_directory;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2) {
        g_printerr("bench: %s\n",
                   error != NULL ? error->message : "the path of virtbusd is missing");
        return 2;
    }
    setlocale(LC_ALL, "");
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(0022);
    own_directory = directory == NULL;
    if (own_directory)
        directory = g_dir_make_tmp("vb-bench-XXXXXX", &error);
    if (directory == NULL)
        perf_fail("%s", error->message);
    chmod(directory, 0711);

    run.report = perf_report_new();
    run.brief = brief;
    run.stacks[run.n_stacks++] = make_stack(&perf_virtbus, argv[1]);
    if (with_peer && soak_minutes <= 0)
        run.stacks[run.n_stacks++] = make_stack(&perf_peer, NULL);
    start_stacks(&run);
    if (soak_minutes > 0)
        perf_soak(run.stacks[0], soak_minutes, seed < 0 ? g_random_int() : (guint32)seed);
    else
        run_sizes(&run);
    if (json != NULL)
        perf_report_write(run.report, json);
    for (guint i = 0; i < run.n_stacks; i++)
        perf_stack_free(run.stacks[i]);
    perf_report_free(run.report);
    if (own_directory)
        vb_remove_tree(directory);
    g_free(directory);
    g_free(sizes_text);
    g_free(cases_text);
    g_free(json);
    return 0;
}
