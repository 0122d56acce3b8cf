/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Statistics of a running VM: what QEMU says of its disks, balloon and vCPU threads, and what the
 * host says of its process, those threads and its network devices. QEMU is asked everything at
 * once. That it knows no answer (a device without statistics) leaves them out; that it gives none
 * ends the question. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "json-get.h"
#include "qmp-args.h"
#include "vm-private.h"

typedef struct {
    VbQemuVm *vm;
    GVariantBuilder stats;     /* a{sv} */
    GHashTable *virtual_sizes; /* node name → bytes (a guint64, owned) */
    guint pending;
    GError *error; /* the first one */
    GTask *task;
} Stats;

typedef void (*Read)(Stats *stats, const VbDomainDef *def, JsonNode *value);

typedef struct {
    Stats *stats;
    Read read;
} Question;

static void stats_free(Stats *stats)
{
    vb_qemu_vm_unref(stats->vm);
    g_variant_builder_clear(&stats->stats);
    g_hash_table_unref(stats->virtual_sizes);
    g_clear_error(&stats->error);
    g_object_unref(stats->task);
    g_free(stats);
}

static void add(Stats *stats, guint64 value, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void add(Stats *stats, guint64 value, const char *format, ...)
{
    g_autofree char *key = NULL;
    va_list args;

    va_start(args, format);
    key = g_strdup_vprintf(format, args);
    va_end(args);
    g_variant_builder_add(&stats->stats, "{sv}", key, g_variant_new_uint64(value));
}

/* ---- the host ---------------------------------------------------------------------------------
 */

/* A file of /proc or /sys. NULL: the process or the device has just gone. */
static char *read_kernel(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *read_kernel(const char *format, ...)
{
    g_autofree char *path = NULL;
    char *contents = NULL;
    va_list args;

    va_start(args, format);
    path = g_strdup_vprintf(format, args);
    va_end(args);
    g_file_get_contents(path, &contents, NULL, NULL);
    return contents;
}

/* Fields 14 and 15 of proc(5)'s stat; the name before may hold anything, and ends the last ')'. */
static void add_cpu_total(Stats *stats, pid_t pid)
{
    g_autofree char *stat = read_kernel("/proc/%d/stat", (int)pid);
    const char *fields = stat != NULL ? strrchr(stat, ')') : NULL;
    guint64 tick = G_GUINT64_CONSTANT(1000000000) / (guint64)sysconf(_SC_CLK_TCK);
    unsigned long long user, system;

    if (fields == NULL || sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                                 &user, &system) != 2)
        return;
    add(stats, (user + system) * tick, "cpu.time");
    add(stats, user * tick, "cpu.user");
    add(stats, system * tick, "cpu.system");
}

static void add_resident(Stats *stats, pid_t pid)
{
    g_autofree char *statm = read_kernel("/proc/%d/statm", (int)pid);
    unsigned long long pages;

    if (statm != NULL && sscanf(statm, "%*u %llu", &pages) == 1)
        add(stats, pages * (guint64)sysconf(_SC_PAGESIZE) / 1024, "balloon.rss");
}

/* What the guest receives, the host sends. */
static void add_interface(Stats *stats, guint index, const char *device)
{
    static const struct {
        const char *file, *key;
    } counters[] = {
        {"tx_bytes", "rx.bytes"},  {"tx_packets", "rx.pkts"}, {"tx_errors", "rx.errs"},
        {"tx_dropped", "rx.drop"}, {"rx_bytes", "tx.bytes"},  {"rx_packets", "tx.pkts"},
        {"rx_errors", "tx.errs"},  {"rx_dropped", "tx.drop"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(counters); i++) {
        g_autofree char *text =
            read_kernel("/sys/class/net/%s/statistics/%s", device, counters[i].file);

        if (text != NULL)
            add(stats, g_ascii_strtoull(text, NULL, 10), "net.%u.%s", index, counters[i].key);
    }
}

static void add_interfaces(Stats *stats, const GPtrArray *interfaces)
{
    for (guint i = 0; i < interfaces->len; i++) {
        const VbInterfaceDef *interface = interfaces->pdata[i];

        if (interface->target != NULL && strchr(interface->target, '/') == NULL)
            add_interface(stats, i, interface->target);
    }
}

/* ---- QEMU -------------------------------------------------------------------------------------
 */

/* The threads are looked for among those of this process: a QEMU cannot name another's. */
static void read_cpus(Stats *stats, const VbDomainDef *def, JsonNode *value)
{
    JsonArray *cpus = vb_json_node_array(value);

    for (guint i = 0; cpus != NULL && i < json_array_get_length(cpus) && i < def->vcpus_max; i++) {
        JsonObject *cpu = vb_json_array_object(cpus, i);
        g_autofree char *schedstat = NULL;
        guint64 index, thread;
        unsigned long long run, wait;

        if (!vb_json_get_size(cpu, "cpu-index", &index) ||
            !vb_json_get_size(cpu, "thread-id", &thread))
            continue;
        schedstat = read_kernel("/proc/%d/task/%" G_GUINT64_FORMAT "/schedstat",
                                (int)stats->vm->process->pid, thread);
        if (schedstat == NULL || sscanf(schedstat, "%llu %llu", &run, &wait) != 2)
            continue;
        add(stats, run, "vcpu.%" G_GUINT64_FORMAT ".time", index);
        add(stats, wait, "vcpu.%" G_GUINT64_FORMAT ".delay", index);
    }
}

typedef struct {
    const char *name, *key;
    guint64 unit; /* of QEMU's value, in that of the key */
} Member;

/* What the guest does not tell, QEMU gives as -1. */
static void read_guest_memory(Stats *stats, const VbDomainDef *def, JsonNode *value)
{
    static const Member members[] = {
        {"stat-swap-in", "swap_in", 1024},           {"stat-swap-out", "swap_out", 1024},
        {"stat-major-faults", "major_fault", 1},     {"stat-minor-faults", "minor_fault", 1},
        {"stat-free-memory", "unused", 1024},        {"stat-total-memory", "available", 1024},
        {"stat-available-memory", "usable", 1024},   {"stat-disk-caches", "disk_caches", 1024},
        {"stat-htlb-pgalloc", "hugetlb_pgalloc", 1}, {"stat-htlb-pgfail", "hugetlb_pgfail", 1},
    };
    JsonObject *reply = vb_json_node_object(value);
    JsonObject *memory = vb_json_get_object(reply, "stats");
    guint64 number;

    for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
        if (vb_json_get_size(memory, members[i].name, &number))
            add(stats, number / members[i].unit, "balloon.%s", members[i].key);
    if (vb_json_get_size(reply, "last-update", &number) && number > 0)
        add(stats, number, "balloon.last-update");
}

static void read_nodes(Stats *stats, const VbDomainDef *def, JsonNode *value)
{
    JsonArray *nodes = vb_json_node_array(value);

    for (guint i = 0; nodes != NULL && i < json_array_get_length(nodes); i++) {
        JsonObject *node = vb_json_array_object(nodes, i);
        const char *name = vb_json_get_string(node, "node-name");
        guint64 size;

        if (name != NULL &&
            vb_json_get_size(vb_json_get_object(node, "image"), "virtual-size", &size))
            g_hash_table_insert(stats->virtual_sizes, g_strdup(name),
                                g_memdup2(&size, sizeof size));
    }
}

/* QEMU names a device by its id, or what the device consists of by its path. */
static gboolean is_of_device(const char *qdev, const char *alias)
{
    const char *path = "/machine/peripheral/";

    if (qdev == NULL || alias == NULL)
        return FALSE;
    if (g_str_has_prefix(qdev, path))
        qdev += strlen(path);
    return g_str_has_prefix(qdev, alias) && strchr("/", qdev[strlen(alias)]) != NULL;
}

static void add_disk(Stats *stats, guint index, JsonObject *block)
{
    static const Member members[] = {
        {"rd_operations", "rd.reqs", 1},
        {"rd_bytes", "rd.bytes", 1},
        {"rd_total_time_ns", "rd.times", 1},
        {"wr_operations", "wr.reqs", 1},
        {"wr_bytes", "wr.bytes", 1},
        {"wr_total_time_ns", "wr.times", 1},
        {"flush_operations", "fl.reqs", 1},
        {"flush_total_time_ns", "fl.times", 1},
        {"wr_highest_offset", "allocation", 1},
    };
    JsonObject *counters = vb_json_get_object(block, "stats");
    const char *node = vb_json_get_string(block, "node-name");
    const guint64 *size = node != NULL ? g_hash_table_lookup(stats->virtual_sizes, node) : NULL;
    guint64 number;

    for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
        if (vb_json_get_size(counters, members[i].name, &number))
            add(stats, number / members[i].unit, "block.%u.%s", index, members[i].key);
    if (size != NULL)
        add(stats, *size, "block.%u.capacity", index);
}

static void read_blocks(Stats *stats, const VbDomainDef *def, JsonNode *value)
{
    JsonArray *blocks = vb_json_node_array(value);

    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];

        for (guint j = 0; blocks != NULL && j < json_array_get_length(blocks); j++) {
            JsonObject *block = vb_json_array_object(blocks, j);

            if (is_of_device(vb_json_get_string(block, "qdev"), disk->info.alias)) {
                add_disk(stats, i, block);
                break;
            }
        }
    }
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static void answer(Stats *stats)
{
    if (stats->error != NULL)
        g_task_return_error(stats->task, g_steal_pointer(&stats->error));
    else
        g_task_return_pointer(stats->task, g_variant_ref_sink(g_variant_builder_end(&stats->stats)),
                              (GDestroyNotify)g_variant_unref);
    stats_free(stats);
}

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Question *question = data;
    Stats *stats = question->stats;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    if (value == NULL && vb_qmp_call_error_class(result) == VB_QMP_ERROR_NONE) {
        if (stats->error == NULL)
            stats->error = g_steal_pointer(&error);
    } else if (value != NULL && !vb_qemu_vm_is_over(stats->vm)) {
        question->read(stats, vb_domain_def(stats->vm->domain), value);
    }
    if (--stats->pending == 0)
        answer(stats);
}

static void ask(Stats *stats, const char *command, JsonObject *arguments, Read read)
{
    Question *question = g_new(Question, 1);

    *question = (Question){stats, read};
    stats->pending++;
    vb_qemu_vm_call_async(stats->vm, command, arguments, g_task_get_cancellable(stats->task),
                          on_reply, question);
}

/* Answers come in the order of the questions. */
static void ask_all(Stats *stats, const VbDomainDef *def, VbStatsGroups groups)
{
    const VbMemballoonDef *balloon = def->memballoon;

    if (groups & VB_STATS_BALLOON && balloon != NULL && balloon->info.alias != NULL &&
        balloon->stats_period > 0) {
        g_autofree char *path = g_strconcat("/machine/peripheral/", balloon->info.alias, NULL);

        ask(stats, "qom-get",
            vb_qmp_args(VB_ARG_STRING("path", path), VB_ARG_STRING("property", "guest-stats")),
            read_guest_memory);
    }
    if (groups & VB_STATS_VCPU)
        ask(stats, "query-cpus-fast", NULL, read_cpus);
    if (groups & VB_STATS_BLOCK) {
        ask(stats, "query-named-block-nodes", vb_qmp_args(VB_ARG_BOOL("flat", TRUE)), read_nodes);
        ask(stats, "query-blockstats", NULL, read_blocks);
    }
}

void vb_qemu_vm_stats(gpointer self, VbDomain *domain, VbStatsGroups groups, GTask *task)
{
    VbQemuVm *vm = vb_qemu_vm_of(domain);
    const VbDomainDef *def = vb_domain_def(domain);
    Stats *stats;

    if (vm == NULL || vm->process == NULL) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                "domain '%s' is not running yet", vb_domain_info(domain)->name);
        g_object_unref(task);
        return;
    }
    stats = g_new0(Stats, 1);
    stats->vm = vb_qemu_vm_ref(vm);
    stats->task = task;
    stats->virtual_sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_variant_builder_init(&stats->stats, G_VARIANT_TYPE_VARDICT);
    if (groups & VB_STATS_CPU_TOTAL)
        add_cpu_total(stats, vm->process->pid);
    if (groups & VB_STATS_BALLOON)
        add_resident(stats, vm->process->pid);
    if (groups & VB_STATS_INTERFACE)
        add_interfaces(stats, def->interfaces);
    ask_all(stats, def, groups);
    if (stats->pending == 0)
        answer(stats);
}
