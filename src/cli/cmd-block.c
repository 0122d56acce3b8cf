/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands that start a block job, and wait for it where asked: blockpull, blockcopy,
 * blockcommit. They differ in their options and their words; run_job() does the rest. */
#include "handlers.h"

#include <stdio.h>

#include "block-wait.h"
#include "object-ref.h"
#include "input.h"
#include "labels.h"

typedef struct {
    const char *method; /* of org.virtbus1.Domain.Block; also what its end is told of */
    const char *type;   /* as BlockJob.Type */
} JobKind;

static const JobKind pull_kind = {"Pull", "pull"};
static const JobKind copy_kind = {"Copy", "copy"};
static const JobKind commit_kind = {"Commit", "commit"};
static const JobKind active_commit_kind = {"Commit", "active-commit"};

static void print_end_json(VbCli *cli, const VbBlockEnd *end, const char *disk)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert(&dict, "Job", "o", end->job);
    g_variant_dict_insert(&dict, "Disk", "s", disk);
    g_variant_dict_insert(&dict, "State", "s", vb_block_end_state_name(end->state));
    g_variant_dict_insert(&dict, "Message", "s", end->message);
    g_variant_dict_insert(&dict, "Reason", "s", end->reason);
    g_variant_dict_insert(&dict, "Pivoted", "b", end->pivoted);
    g_variant_dict_insert(&dict, "Consistent", "b", end->consistent);
    vb_cli_print_json(g_variant_dict_end(&dict));
}

static gboolean start_only(VbCli *cli, const VbBlockStart *start, const char *disk, GError **error)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) reply = NULL;
    const char *job;

    reply = vb_cli_call(cli, start->domain, VB_DOMAIN_BLOCK_INTERFACE, start->method,
                        start->parameters, "(o)", error);
    if (reply == NULL)
        return FALSE;
    if (!cli->json) {
        printf("%s started\n", start->label);
        return TRUE;
    }
    g_variant_get(reply, "(&o)", &job);
    g_variant_dict_insert(&dict, "Job", "o", job);
    g_variant_dict_insert(&dict, "Disk", "s", disk);
    g_variant_dict_insert(&dict, "State", "s", "started");
    vb_cli_print_json(g_variant_dict_end(&dict));
    return TRUE;
}

/* Sinks parameters, the method's. */
static gboolean run_job(VbCli *cli, const VbArgs *args, const JobKind *kind,
                        const VbBlockWaitArgs *wait_args, GVariant *parameters, GError **error)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(parameters);
    const char *disk = vb_args_get(args, "path");
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_auto(VbBlockEnd) end = {0};
    g_autofree char *message = NULL;
    VbBlockStart start;
    gboolean reached;

    if (domain == NULL)
        return FALSE;
    start = (VbBlockStart){
        .domain = domain->path,
        .method = kind->method,
        .parameters = sunk,
        .label = vb_label_block_job(kind->type),
    };
    if (!wait_args->wait)
        return start_only(cli, &start, disk, error);

    if (!vb_block_wait_run(cli, &start, wait_args, &end, error))
        return FALSE;
    reached = vb_block_end_judge(&end, wait_args->goal, kind->method, &message);
    if (cli->json)
        print_end_json(cli, &end, disk);
    else if (reached)
        printf("%s\n", message);
    if (!reached)
        g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, message);
    return reached;
}

static void add_flag(GVariantDict *options, const VbArgs *args, const char *name)
{
    if (vb_args_has(args, name))
        g_variant_dict_insert(options, name, "b", TRUE);
}

static void add_string(GVariantDict *options, const VbArgs *args, const char *name)
{
    if (vb_args_has(args, name))
        g_variant_dict_insert(options, name, "s", vb_args_get(args, name));
}

static gboolean add_bandwidth(GVariantDict *options, const VbArgs *args, GError **error)
{
    guint64 bandwidth;

    if (!vb_bandwidth_parse(args, &bandwidth, error))
        return FALSE;
    if (vb_args_has(args, "bandwidth"))
        g_variant_dict_insert(options, "bandwidth", "t", bandwidth);
    return TRUE;
}

static gboolean add_size(GVariantDict *options, const VbArgs *args, const char *name,
                         const char *key, GError **error)
{
    guint64 size;

    if (!vb_args_has(args, name))
        return TRUE;
    if (!vb_size_parse(name, vb_args_get(args, name), 1, &size, error))
        return FALSE;
    g_variant_dict_insert(options, key, "t", size);
    return TRUE;
}

gboolean vb_cmd_blockpull(VbCli *cli, const VbArgs *args, GError **error)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);
    VbBlockWaitArgs wait_args;

    if (!vb_block_wait_args_parse(args, VB_BLOCK_GOAL_COMPLETE, &wait_args, error) ||
        !add_bandwidth(&options, args, error))
        return FALSE;
    add_string(&options, args, "base");
    add_flag(&options, args, "keep-relative");
    return run_job(
        cli, args, &pull_kind, &wait_args,
        g_variant_new("(s@a{sv})", vb_args_get(args, "path"), g_variant_dict_end(&options)), error);
}

gboolean vb_cmd_blockcommit(VbCli *cli, const VbArgs *args, GError **error)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);
    gboolean active = vb_args_has(args, "active") || vb_args_has(args, "pivot") ||
                      vb_args_has(args, "keep-overlay");
    VbBlockWaitArgs wait_args;

    if (!vb_block_wait_args_parse(args, active ? VB_BLOCK_GOAL_READY : VB_BLOCK_GOAL_COMPLETE,
                                  &wait_args, error) ||
        !add_bandwidth(&options, args, error))
        return FALSE;
    if (active)
        g_variant_dict_insert(&options, "active", "b", TRUE);
    add_string(&options, args, "base");
    add_string(&options, args, "top");
    add_flag(&options, args, "shallow");
    add_flag(&options, args, "delete");
    add_flag(&options, args, "keep-relative");
    return run_job(
        cli, args, active ? &active_commit_kind : &commit_kind, &wait_args,
        g_variant_new("(s@a{sv})", vb_args_get(args, "path"), g_variant_dict_end(&options)), error);
}

/* The <disk> of the copy, from a file or from --dest and what goes with it. */
static char *get_destination(const VbArgs *args, GError **error)
{
    const char *dest = vb_args_get(args, "dest"), *format = vb_args_get(args, "format");
    gboolean is_block = vb_args_has(args, "blockdev");
    g_autofree char *driver = NULL;
    g_autofree char *source = NULL;
    g_autofree char *path = NULL;

    if (!vb_args_exclude(args, error, "xml", "dest", NULL) ||
        !vb_args_exclude(args, error, "xml", "format", NULL) ||
        !vb_args_exclude(args, error, "xml", "blockdev", NULL))
        return NULL;
    if (vb_args_has(args, "xml"))
        return vb_input_read(vb_args_get(args, "xml"), error);
    if (dest == NULL) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                            "blockcopy needs --dest or --xml");
        return NULL;
    }
    /* The daemon runs elsewhere: what is relative is so to us. */
    path = g_canonicalize_filename(dest, NULL);
    driver = format != NULL ? g_markup_printf_escaped("<driver type='%s'/>", format) : g_strdup("");
    source = g_markup_printf_escaped(is_block ? "<source dev='%s'/>" : "<source file='%s'/>", path);
    return g_strdup_printf("<disk type='%s'>%s%s</disk>", is_block ? "block" : "file", driver,
                           source);
}

gboolean vb_cmd_blockcopy(VbCli *cli, const VbArgs *args, GError **error)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);
    g_autofree char *destination = NULL;
    VbBlockWaitArgs wait_args;

    if (!vb_block_wait_args_parse(args, VB_BLOCK_GOAL_READY, &wait_args, error) ||
        !add_bandwidth(&options, args, error) ||
        !add_size(&options, args, "granularity", "granularity", error) ||
        !add_size(&options, args, "buf-size", "buffer-size", error))
        return FALSE;
    destination = get_destination(args, error);
    if (destination == NULL)
        return FALSE;
    add_flag(&options, args, "shallow");
    add_flag(&options, args, "reuse-external");
    add_flag(&options, args, "transient-job");
    add_flag(&options, args, "synchronous-writes");
    return run_job(cli, args, &copy_kind, &wait_args,
                   g_variant_new("(ss@a{sv})", vb_args_get(args, "path"), destination,
                                 g_variant_dict_end(&options)),
                   error);
}
