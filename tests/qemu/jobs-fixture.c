/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See jobs-fixture.h. */
#include "jobs-fixture.h"

#include "json-get.h"
#include "parse-domain.h"
#include "qemu-host.h"
#include "qmp-args.h"
#include "vm-socket.h"
#include "vm.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "jobs"
#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"

struct JobsFixture {
    QemuHost qemu;
    char *emulator;
    const char *bus;
    GHashTable *log; /* number of a job → GString */
    GAsyncResult *result;
    VbQmp *qmp; /* while there is no host */
};

/* ---- waiting -------------------------------------------------------------------------------- */

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    JobsFixture *fixture = user_data;

    g_assert_null(fixture->result);
    fixture->result = g_object_ref(result);
}

static GAsyncResult *wait_answer(JobsFixture *fixture)
{
    g_assert_null(fixture->result);
    VB_WAIT_FOR(fixture->result);
    return g_steal_pointer(&fixture->result);
}

/* ---- the log -------------------------------------------------------------------------------- */

static void log_word(const VbJob *job, const char *word, gpointer user_data)
{
    JobsFixture *fixture = user_data;
    gpointer number = GUINT_TO_POINTER(vb_job_info(job)->number);
    GString *words = g_hash_table_lookup(fixture->log, number);

    if (!words) {
        words = g_string_new(NULL);
        g_hash_table_insert(fixture->log, number, words);
    }
    g_string_append_printf(words, "%s%s", words->len ? " " : "", word);
}

static void on_job_added(VbJob *job, gpointer user_data)
{
    log_word(job, "added", user_data);
}

static void on_job_ready(VbJob *job, gpointer user_data)
{
    log_word(job, "ready", user_data);
}

static void on_job_concluded(VbJob *job, gpointer user_data)
{
    log_word(job, "concluded", user_data);
}

static void string_free(gpointer string)
{
    g_string_free(string, TRUE);
}

char *jobs_log(JobsFixture *fixture, const VbJob *job)
{
    GString *words = g_hash_table_lookup(fixture->log, GUINT_TO_POINTER(vb_job_info(job)->number));

    return g_strdup(words ? words->str : "");
}

/* ---- the host ------------------------------------------------------------------------------- */

static const VbDriverEvents events = {
    .job_added = on_job_added,
    .job_ready = on_job_ready,
    .job_concluded = on_job_concluded,
};

void jobs_start_host(JobsFixture *fixture)
{
    g_clear_pointer(&fixture->qmp, vb_qmp_free);
    qemu_host_start(&fixture->qemu);
}

void jobs_stop_host(JobsFixture *fixture)
{
    qemu_host_stop(&fixture->qemu);
}

VbHost *jobs_host(JobsFixture *fixture)
{
    return fixture->qemu.host;
}

VbDomain *jobs_domain(JobsFixture *fixture)
{
    return vb_host_domain_by_uuid(fixture->qemu.host, UUID);
}

JobsFixture *jobs_fixture_new(void)
{
    JobsFixture *fixture = g_new0(JobsFixture, 1);

    fixture->bus = "virtio";
    fixture->log = g_hash_table_new_full(NULL, NULL, NULL, string_free);
    qemu_host_init(&fixture->qemu, &events, fixture);
    return fixture;
}

void jobs_fixture_free(JobsFixture *fixture)
{
    if (jobs_domain(fixture) && vb_domain_is_active(jobs_domain(fixture)))
        jobs_destroy_domain(fixture);
    qemu_host_clear(&fixture->qemu);
    g_hash_table_unref(fixture->log);
    g_free(fixture->emulator);
    g_free(fixture);
}

/* ---- images --------------------------------------------------------------------------------- */

char *jobs_path(JobsFixture *fixture, const char *name)
{
    return g_build_filename(fixture->qemu.dir, name, NULL);
}

static void run(JobsFixture *fixture, const char *command)
{
    g_auto(GStrv) argv = NULL;
    g_autofree char *output = NULL;
    g_autofree char *messages = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_shell_parse_argv(command, NULL, &argv, &error);
    g_assert_no_error(error);
    g_spawn_sync(fixture->qemu.dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &messages,
                 &status, &error);
    g_assert_no_error(error);
    if (!g_spawn_check_wait_status(status, &error))
        g_error("%s: %s: %s%s", command, error->message, output, messages);
}

void jobs_run(JobsFixture *fixture, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    run(fixture, command);
}

void jobs_make_chain(JobsFixture *fixture)
{
    const char *dir = fixture->qemu.dir;

    jobs_run(fixture, "qemu-img create -q -f qcow2 %s/base 16M", dir);
    jobs_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 1 0 8M' base");
    jobs_run(fixture, "qemu-img create -q -f qcow2 -b %s/base -F qcow2 %s/mid", dir, dir);
    jobs_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 2 2M 4M' mid");
    jobs_run(fixture, "qemu-img create -q -f qcow2 -b %s/mid -F qcow2 %s/top", dir, dir);
    jobs_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 3 4M 8M' top");
    jobs_run(fixture, "qemu-img convert -f qcow2 -O raw top expected");
}

void jobs_assert_content(JobsFixture *fixture, const char *name)
{
    jobs_run(fixture, "qemu-img compare -q -U %s expected", name);
}

gboolean jobs_exists(JobsFixture *fixture, const char *name)
{
    g_autofree char *path = jobs_path(fixture, name);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static char *chain_names(JobsFixture *fixture, const VbDomainDef *def, const char *target)
{
    g_autoptr(GString) names = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    const VbDiskDef *disk = vb_domain_def_find_disk(def, target, &error);

    g_assert_no_error(error);
    for (const VbDiskSource *image = disk->source; image; image = image->backing) {
        g_autofree char *name = image->type == VB_DISK_SOURCE_FILE
                                    ? g_path_get_basename(image->path)
                                    : vb_disk_source_to_string(image);
        g_string_append_printf(names, "%s%s", names->len ? " " : "", name);
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

char *jobs_live_chain(JobsFixture *fixture, const char *disk)
{
    return chain_names(fixture, vb_domain_def(jobs_domain(fixture)), disk);
}

char *jobs_stored_chain(JobsFixture *fixture, const char *disk)
{
    return chain_names(fixture, vb_domain_stored_def(jobs_domain(fixture)), disk);
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *jobs_nodes(JobsFixture *fixture, const char *disk)
{
    g_autofree char *prefix = g_strdup_printf("vb-%s-", disk);
    g_autoptr(JsonNode) reply =
        jobs_monitor(fixture, "query-blockstats", vb_qmp_args(VB_ARG_BOOL("query-nodes", TRUE)));
    JsonArray *nodes = vb_json_node_array(reply);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; i < json_array_get_length(nodes); i++) {
        const char *name = vb_json_get_string(vb_json_array_object(nodes, i), "node-name");
        if (g_str_has_prefix(name, prefix))
            g_ptr_array_add(names, (gpointer)name);
    }
    g_ptr_array_sort(names, compare_strings);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(" ", (char **)names->pdata);
}

/* ---- the domain ----------------------------------------------------------------------------- */

void jobs_set_emulator(JobsFixture *fixture, const char *body)
{
    g_autofree char *script = g_strdup_printf("#!/bin/sh\n%s", body);
    g_autoptr(GError) error = NULL;

    fixture->emulator = jobs_path(fixture, "emulator");
    g_file_set_contents_full(fixture->emulator, script, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0755,
                             &error);
    g_assert_no_error(error);
}

void jobs_set_bus(JobsFixture *fixture, const char *bus)
{
    fixture->bus = bus;
}

void jobs_start_domain(JobsFixture *fixture, const char *image, ...)
{
    g_autoptr(GString) xml = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    char letter = 'a';
    va_list images;

    g_string_append(xml, "<domain type='qemu'><name>" NAME "</name><uuid>" UUID "</uuid>"
                         "<memory unit='MiB'>32</memory><vcpu>1</vcpu>"
                         "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>");
    if (fixture->emulator)
        g_string_append_printf(xml, "<emulator>%s</emulator>", fixture->emulator);
    va_start(images, image);
    for (; image; image = va_arg(images, const char *), letter++) {
        g_string_append_printf(xml,
                               "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                               "<source file='%s/%s'/><target dev='%cd%c' bus='%s'/></disk>",
                               fixture->qemu.dir, image,
                               g_str_equal(fixture->bus, "virtio") ? 'v' : 's', letter,
                               fixture->bus);
    }
    va_end(images);
    g_string_append(xml, "<controller type='usb' model='none'/><memballoon model='none'/>"
                         "</devices></domain>");

    vb_host_define_async(fixture->qemu.host, parse_domain(xml->str), 0, answered, fixture);
    g_autoptr(GAsyncResult) defined = wait_answer(fixture);
    g_autoptr(VbDomain) domain = vb_host_define_finish(fixture->qemu.host, defined, &error);
    g_assert_no_error(error);
    vb_domain_operate_async(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_PAUSED, answered,
                            fixture);
    g_autoptr(GAsyncResult) started = wait_answer(fixture);
    vb_domain_operate_finish(domain, started, &error);
    g_assert_no_error(error);
}

JobsFixture *jobs_fixture_running(void)
{
    JobsFixture *fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    return fixture;
}

void jobs_destroy_domain(JobsFixture *fixture)
{
    g_autoptr(VbDomain) domain = vb_domain_ref(jobs_domain(fixture));
    g_autoptr(GError) error = NULL;

    vb_domain_operate_async(domain, VB_DOMAIN_OP_DESTROY, VB_DOMAIN_OP_FLAG_NONE, answered,
                            fixture);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    vb_domain_operate_finish(domain, result, &error);
    g_assert_no_error(error);
}

GPid jobs_qemu_pid(JobsFixture *fixture)
{
    return vb_qemu_vm_of(jobs_domain(fixture))->process->pid;
}

static void connect_directly(JobsFixture *fixture)
{
    g_autofree char *run_dir = vb_paths_domain_run(fixture->qemu.paths, UUID);
    g_autoptr(GError) error = NULL;
    static const VbQmpCallbacks none;
    int fd = vb_qemu_socket_connect(run_dir, &error);

    g_assert_no_error(error);
    fixture->qmp = vb_qmp_new(fd, &none, NULL);
    vb_qmp_start_async(fixture->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, answered, fixture);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    vb_qmp_start_finish(result, &error);
    g_assert_no_error(error);
}

JsonNode *jobs_monitor(JobsFixture *fixture, const char *command, JsonObject *arguments)
{
    g_autoptr(GError) error = NULL;

    if (fixture->qemu.host) {
        vb_qemu_vm_call_async(vb_qemu_vm_of(jobs_domain(fixture)), command, arguments, NULL,
                              answered, fixture);
    } else {
        if (!fixture->qmp)
            connect_directly(fixture);
        vb_qmp_call_async(fixture->qmp, command, arguments, VB_QMP_DEFAULT_TIMEOUT_MS, NULL,
                          answered, fixture);
    }
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    JsonNode *reply = vb_qmp_call_finish(result, &error);
    g_assert_no_error(error);
    return reply;
}

void jobs_hmp(JobsFixture *fixture, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *line = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(JsonNode) reply = jobs_monitor(fixture, "human-monitor-command",
                                             vb_qmp_args(VB_ARG_STRING("command-line", line)));
    g_assert_cmpstr(json_node_get_string(reply), ==, "");
}

void jobs_guest_write(JobsFixture *fixture, const char *disk, const char *command)
{
    const VbDiskDef *def = vb_domain_def_find_disk(vb_domain_def(jobs_domain(fixture)), disk, NULL);

    jobs_hmp(fixture, "qemu-io -d /machine/peripheral/%s%s \"%s\"", def->info.alias,
             def->bus == VB_DISK_BUS_VIRTIO ? "/virtio-backend" : "", command);
    jobs_run(fixture, "qemu-io -f raw -c '%s' expected", command);
}

gboolean jobs_has_status(JobsFixture *fixture, const char *status)
{
    g_autoptr(JsonNode) reply = jobs_monitor(fixture, "query-jobs", NULL);
    JsonObject *job = vb_json_array_object(vb_json_node_array(reply), 0);

    return g_strcmp0(vb_json_get_string(job, "status"), status) == 0;
}

void jobs_await_status(JobsFixture *fixture, const char *status)
{
    g_assert_null(fixture->qemu.host);
    /* Each change of it is an event on the connection, which ends the turn. */
    VB_WAIT_FOR(jobs_has_status(fixture, status));
}

static gboolean is_busy(JobsFixture *fixture)
{
    g_autoptr(JsonNode) reply = jobs_monitor(fixture, "query-block-jobs", NULL);
    JsonObject *job = vb_json_array_object(vb_json_node_array(reply), 0);

    return json_object_get_boolean_member(job, "busy");
}

void jobs_await_io(JobsFixture *fixture)
{
    guint tick = g_timeout_add(2, vb_wait_tick, NULL);

    VB_WAIT_FOR(is_busy(fixture));
    g_source_remove(tick);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

VbJobSpec *jobs_spec_target(JobsFixture *fixture, VbJobType type, const char *disk,
                            const char *target, VbDiskFormat format)
{
    VbJobSpec *spec = vb_job_spec_new(type, disk);

    spec->target = vb_disk_source_new(VB_DISK_SOURCE_FILE, format);
    spec->target->path = jobs_path(fixture, target);
    return spec;
}

static GPtrArray *start_all(JobsFixture *fixture, GPtrArray *specs, GError **error)
{
    vb_jobs_start_async(jobs_domain(fixture), specs, 0, answered, fixture);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    return vb_jobs_start_finish(jobs_domain(fixture), result, error);
}

static GPtrArray *one_spec(VbJobSpec *spec)
{
    GPtrArray *specs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_spec_free);

    g_ptr_array_add(specs, spec);
    return specs;
}

GPtrArray *jobs_start_all(JobsFixture *fixture, GPtrArray *specs)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *jobs = start_all(fixture, specs, &error);

    g_assert_no_error(error);
    for (guint i = 0; i < jobs->len; i++)
        vb_job_release(g_ptr_array_index(jobs, i));
    return jobs;
}

VbJob *jobs_start(JobsFixture *fixture, VbJobSpec *spec)
{
    g_autoptr(GPtrArray) jobs = jobs_start_all(fixture, one_spec(spec));

    g_assert_cmpuint(jobs->len, ==, 1);
    return vb_job_ref(g_ptr_array_index(jobs, 0));
}

void jobs_start_refused(JobsFixture *fixture, VbJobSpec *spec, VbError code, const char *word)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *nodes = jobs_nodes(fixture, spec->disk);
    g_autofree char *disk = g_strdup(spec->disk);
    guint known = g_hash_table_size(fixture->log);
    g_autoptr(GPtrArray) jobs = start_all(fixture, one_spec(spec), &error);

    g_assert_null(jobs);
    g_assert_error(error, VB_ERROR, (int)code);
    if (!strstr(error->message, word))
        g_error("'%s' is not in: %s", word, error->message);
    /* It never existed, and it left nothing. */
    g_autofree char *nodes_after = jobs_nodes(fixture, disk);
    g_assert_cmpstr(nodes_after, ==, nodes);
    g_assert_cmpuint(g_hash_table_size(fixture->log), ==, known);
    g_assert_null(vb_domain_live_job(jobs_domain(fixture), disk));
}

static void finish(JobsFixture *fixture, VbJob *job)
{
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    g_autoptr(GError) error = NULL;

    vb_job_finish(job, result, &error);
    g_assert_no_error(error);
}

void jobs_cancel(JobsFixture *fixture, VbJob *job, VbJobFlags flags)
{
    vb_job_cancel_async(job, flags, answered, fixture);
    finish(fixture, job);
}

void jobs_pivot(JobsFixture *fixture, VbJob *job)
{
    vb_job_pivot_async(job, VB_JOB_WAIT, answered, fixture);
    finish(fixture, job);
}

void jobs_set_paused(JobsFixture *fixture, VbJob *job, gboolean paused)
{
    vb_job_set_paused_async(job, paused, answered, fixture);
    finish(fixture, job);
}

void jobs_set_bandwidth(JobsFixture *fixture, VbJob *job, guint64 bandwidth)
{
    vb_job_set_bandwidth_async(job, bandwidth, answered, fixture);
    finish(fixture, job);
}

VbJob *jobs_find(JobsFixture *fixture)
{
    GPtrArray *jobs = vb_domain_jobs(jobs_domain(fixture));

    g_assert_cmpuint(jobs->len, ==, 1);
    return vb_job_ref(g_ptr_array_index(jobs, 0));
}

void jobs_wait_ready(JobsFixture *fixture, VbJob *job)
{
    VB_WAIT_FOR(vb_job_info(job)->ready || !vb_job_is_live(job));
    g_assert_true(vb_job_is_live(job));
}

/* Does QEMU know any job, and has it nodes of the disk that the live chain does not have? */
static gboolean is_clean(JobsFixture *fixture, const char *target)
{
    const VbDiskDef *disk =
        vb_domain_def_find_disk(vb_domain_def(jobs_domain(fixture)), target, NULL);
    g_autoptr(JsonNode) jobs = jobs_monitor(fixture, "query-jobs", NULL);
    g_autofree char *nodes = jobs_nodes(fixture, target);
    g_auto(GStrv) names = g_strsplit(nodes, " ", -1);
    guint images = 0;

    for (const VbDiskSource *image = disk->source; image; image = image->backing)
        images++;
    return json_array_get_length(vb_json_node_array(jobs)) == 0 &&
           g_strv_length(names) == 2 * images;
}

void jobs_assert_outcome(JobsFixture *fixture, VbJob *job, const char *outcome)
{
    const VbJobInfo *info = vb_job_info(job);

    VB_WAIT_FOR(!vb_job_is_live(job));
    g_autofree char *result = g_strdup_printf("%s %s", vb_job_result_to_string(info->result),
                                              vb_job_reason_to_string(info->reason));
    if (*info->error_message)
        g_test_message("%s", info->error_message);
    g_assert_cmpstr(result, ==, outcome);

    g_autofree char *log = jobs_log(fixture, job);
    const char *end = strstr(log, "concluded");
    g_assert_cmpstr(end, ==, "concluded");
}

void jobs_assert_end(JobsFixture *fixture, VbJob *job, const char *outcome)
{
    jobs_assert_outcome(fixture, job, outcome);
    VB_WAIT_FOR(is_clean(fixture, vb_job_info(job)->disk));
}

void jobs_assert_pivots(JobsFixture *fixture, VbJob *job)
{
    jobs_wait_ready(fixture, job);
    jobs_pivot(fixture, job);
    jobs_assert_end(fixture, job, "completed done");
}
