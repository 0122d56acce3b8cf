/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command blockjob: shows, paces or ends the live job of a disk. */
#include "handlers.h"

#include <stdio.h>

#include "block-args.h"
#include "object-ref.h"
#include "labels.h"

#define MEBIBYTE (1 << 20)

/* The target of a disk that is named by its target or by its source, as the daemon's own methods
 * take it. To be freed with g_free(). */
static char *resolve_disk(const VbObjectRef *domain, const char *disk, GError **error)
{
    g_autoptr(GVariant) disks =
        g_variant_lookup_value(domain->properties, "Disks", G_VARIANT_TYPE("a(ssssa{sv})"));
    g_autofree char *found = NULL;
    guint matches = 0;

    for (gsize i = 0; disks != NULL && i < g_variant_n_children(disks); i++) {
        const char *target, *source;

        g_variant_get_child(disks, i, "(&s&s&s&sa{sv})", &target, NULL, NULL, &source, NULL);
        if (g_str_equal(target, disk))
            return g_strdup(target);
        if (g_str_equal(source, disk)) {
            g_free(found);
            found = g_strdup(target);
            matches++;
        }
    }
    if (matches == 1)
        return g_steal_pointer(&found);
    g_set_error(error, VB_ERROR, VB_ERROR_FAILED,
                matches == 0 ? "domain '%s' has no disk '%s'"
                             : "more than one disk of domain '%s' has the source '%s'",
                vb_object_ref_get_string(domain, "Name"), disk);
    return NULL;
}

/* The path of the live job on the target, NULL when there is none. To be freed with
 * g_free(). */
static char *find_job(const VbObjectRef *domain, const char *target)
{
    g_autoptr(GVariant) jobs =
        g_variant_lookup_value(domain->properties, "BlockJobs", G_VARIANT_TYPE("a{so}"));
    char *job = NULL;

    if (jobs != NULL)
        g_variant_lookup(jobs, target, "o", &job);
    return job;
}

static void print_raw(const char *label, guint64 bandwidth, guint64 current, guint64 total)
{
    printf(" type=%s\n"
           " bandwidth=%" G_GUINT64_FORMAT "\n"
           " cur=%" G_GUINT64_FORMAT "\n"
           " end=%" G_GUINT64_FORMAT "\n",
           label, bandwidth, current, total);
}

static void print_summary(const char *label, guint64 bandwidth, guint percent)
{
    printf("%s: [%3u %%]", label, percent);
    if (bandwidth != 0)
        printf("    Bandwidth limit: %" G_GUINT64_FORMAT " bytes/s (%.3f MiB/s)", bandwidth,
               (double)bandwidth / MEBIBYTE);
    printf("\n");
}

static gboolean print_no_job(VbCli *cli, const VbArgs *args, const char *target)
{
    if (cli->json)
        printf("null\n");
    else if (!vb_args_has(args, "raw"))
        printf("No current block job for %s\n", target);
    return TRUE;
}

static void print_job_json(const char *job, GVariant *properties, GVariant *block_properties)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(properties);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_dict_insert(&dict, "Path", "o", job);
    g_variant_iter_init(&iter, block_properties);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
        g_variant_dict_insert_value(&dict, name, value);
        g_variant_unref(value);
    }
    vb_cli_print_json(g_variant_dict_end(&dict));
}

static gboolean info(VbCli *cli, const VbArgs *args, const char *target, const char *job,
                     GError **error)
{
    g_autoptr(GVariant) properties = NULL;
    g_autoptr(GVariant) block_properties = NULL;
    guint64 bandwidth = 0, current = 0, total = 0;
    const char *type = "", *state = "", *label;
    gboolean through = FALSE;

    properties = vb_cli_get_properties(cli, job, VB_JOB_INTERFACE, error);
    if (properties == NULL)
        return FALSE;
    block_properties = vb_cli_get_properties(cli, job, VB_BLOCK_JOB_INTERFACE, error);
    if (block_properties == NULL)
        return FALSE;
    g_variant_lookup(properties, "State", "&s", &state);
    /* It was live when the domain was read. */
    if (g_str_equal(state, "concluded"))
        return print_no_job(cli, args, target);

    if (cli->json) {
        print_job_json(job, properties, block_properties);
        return TRUE;
    }
    g_variant_lookup(properties, "Bandwidth", "t", &bandwidth);
    g_variant_lookup(properties, "Current", "t", &current);
    g_variant_lookup(properties, "Total", "t", &total);
    g_variant_lookup(block_properties, "Type", "&s", &type);
    g_variant_lookup(block_properties, "Ready", "b", &through);
    label = vb_label_block_job(type);

    if (!vb_args_has(args, "raw"))
        print_summary(label, bandwidth, vb_label_percent(current, total, through));
    else if (vb_args_has(args, "bytes"))
        print_raw(label, bandwidth, current, total);
    else /* MiB/s, rounded up: a limit must not read as none */
        print_raw(label, bandwidth / MEBIBYTE + (bandwidth % MEBIBYTE != 0 ? 1 : 0), current,
                  total);
    return TRUE;
}

static gboolean set_bandwidth(VbCli *cli, const char *target, const char *job, guint64 bandwidth,
                              GError **error)
{
    g_autoptr(GVariant) reply =
        vb_cli_call(cli, job, VB_JOB_INTERFACE, "SetBandwidth",
                    g_variant_new("(ta{sv})", bandwidth, NULL), "()", error);

    if (reply == NULL)
        return FALSE;
    if (cli->json) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        g_variant_dict_insert(&dict, "Job", "o", job);
        g_variant_dict_insert(&dict, "Disk", "s", target);
        g_variant_dict_insert(&dict, "Bandwidth", "t", bandwidth);
        vb_cli_print_json(g_variant_dict_end(&dict));
    }
    return TRUE;
}

/* The daemon is asked by the disk, not by the job that we may have seen: what counts is the job at
 * the moment of the call, and "no job" is its answer to give. */
static gboolean abort_job(VbCli *cli, const VbObjectRef *domain, const VbArgs *args, GError **error)
{
    static const char *const flags[] = {"async", "pivot", "force"};
    gboolean pivot = vb_args_has(args, "pivot");
    const char *disk = vb_args_get(args, "path"), *state;
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) reply = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
        if (vb_args_has(args, flags[i]))
            g_variant_dict_insert(&options, flags[i], "b", TRUE);
    reply =
        vb_cli_call(cli, domain->path, VB_DOMAIN_BLOCK_INTERFACE, "AbortJob",
                    g_variant_new("(s@a{sv})", disk, g_variant_dict_end(&options)), "()", error);
    if (reply == NULL)
        return FALSE;

    if (cli->json) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        if (vb_args_has(args, "async"))
            state = pivot ? "pivot-requested" : "cancel-requested";
        else
            state = pivot ? "completed" : "canceled";
        g_variant_dict_insert(&dict, "Disk", "s", disk);
        g_variant_dict_insert(&dict, "State", "s", state);
        vb_cli_print_json(g_variant_dict_end(&dict));
    } else if (vb_args_has(args, "async")) {
        printf("Block job %s requested\n", pivot ? "pivot" : "cancel");
    } else {
        printf("%s\n", pivot ? "Successfully pivoted" : "Block job canceled");
    }
    return TRUE;
}

gboolean vb_cmd_blockjob(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) domain = NULL;
    g_autofree char *target = NULL;
    g_autofree char *job = NULL;
    VbBlockjobArgs parsed;

    if (!vb_blockjob_args_parse(args, &parsed, error))
        return FALSE;
    domain = vb_domain_ref_lookup(cli, args, error);
    if (domain == NULL)
        return FALSE;
    if (parsed.mode == VB_BLOCKJOB_ABORT)
        return abort_job(cli, domain, args, error);

    target = resolve_disk(domain, vb_args_get(args, "path"), error);
    if (target == NULL)
        return FALSE;
    job = find_job(domain, target);
    if (parsed.mode == VB_BLOCKJOB_INFO)
        return job != NULL ? info(cli, args, target, job, error) : print_no_job(cli, args, target);
    if (job == NULL) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "no current block job for %s", target);
        return FALSE;
    }
    return set_bandwidth(cli, target, job, parsed.bandwidth, error);
}
