/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Manager.GetStats: what the domains know of themselves, from memory, with what the hypervisors of
 * those that are active answer. No domain waits for another: all are asked before any has answered,
 * and the core bounds each question's time. */
#include "manager-stats.h"

#include <string.h>

#include "call.h"
#include "domain-object.h"
#include "domain-stats.h"
#include "errors.h"
#include "host.h"
#include "message.h"

/* A domain whose hypervisor has been asked. */
typedef struct {
    VbDomain *domain;
    GVariant *stats; /* NULL: see error */
    GError *error;
} Answer;

/* A call that waits for answers. */
typedef struct {
    VbCall *call;
    VbStatsGroups groups;
    GPtrArray *domains;  /* in the order of the reply, owned */
    GHashTable *answers; /* domain → Answer, owned */
    guint pending;
} Stats;

/* ---- the reply --------------------------------------------------------------------------------
 */

/* What is appended, and how many bytes that is at most: a message that grew beyond the bus's limit
 * would end our connection. */
typedef struct {
    sd_bus_message *message;
    gsize size;
} Reply;

/* Length, NUL and padding of a string, and as much for the variant around a value. */
#define ENTRY_OVERHEAD 32

static void add_uint(Reply *reply, const char *key, guint value)
{
    reply->size += strlen(key) + ENTRY_OVERHEAD;
    sd_bus_message_append(reply->message, "{sv}", key, "u", value);
}

static void add_uint64(Reply *reply, const char *key, guint64 value)
{
    reply->size += strlen(key) + ENTRY_OVERHEAD;
    sd_bus_message_append(reply->message, "{sv}", key, "t", value);
}

static void add_string(Reply *reply, const char *key, const char *value)
{
    if (value == NULL)
        return;
    reply->size += strlen(key) + strlen(value) + ENTRY_OVERHEAD;
    vb_message_append_entry_string(reply->message, key, value);
}

static void add_string_of(Reply *reply, const char *device, guint index, const char *what,
                          const char *value)
{
    char key[64];

    g_snprintf(key, sizeof key, "%s.%u.%s", device, index, what);
    add_string(reply, key, value);
}

static void add_devices(Reply *reply, const VbDomainSummary *summary, VbStatsGroups groups)
{
    if (groups & VB_STATS_INTERFACE) {
        add_uint(reply, "net.count", summary->n_interfaces);
        for (guint i = 0; i < summary->n_interfaces; i++)
            add_string_of(reply, "net", i, "name", vb_domain_summary_interface(summary, i).target);
    }
    if (groups & VB_STATS_BLOCK) {
        add_uint(reply, "block.count", summary->n_disks);
        for (guint i = 0; i < summary->n_disks; i++) {
            const VbDiskSummary disk = vb_domain_summary_disk(summary, i);

            add_string_of(reply, "block", i, "name", disk.target);
            add_string_of(reply, "block", i, "path", disk.source);
        }
    }
}

static void add_memory(Reply *reply, VbDomain *domain, VbStatsGroups groups)
{
    const VbDomainInfo *info = vb_domain_info(domain);
    const VbDomainSummary summary = vb_domain_summary(domain);

    if (groups & VB_STATS_STATE) {
        add_string(reply, "state.state", vb_domain_state_to_string(info->state));
        add_string(reply, "state.reason", info->reason);
    }
    if (groups & VB_STATS_BALLOON) {
        add_uint64(reply, "balloon.current", summary.current_memory / 1024);
        add_uint64(reply, "balloon.maximum", summary.memory / 1024);
    }
    if (groups & VB_STATS_VCPU) {
        add_uint(reply, "vcpu.current", summary.vcpus);
        add_uint(reply, "vcpu.maximum", summary.vcpus_max);
    }
    if (vb_domain_is_active(domain))
        add_devices(reply, &summary, groups);
}

/* Drivers give numbers. */
static void add_answer(Reply *reply, const Answer *answer)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;

    if (answer->stats == NULL) {
        add_string(reply, "error.name", vb_error_bus_name(answer->error));
        add_string(reply, "error.message", answer->error->message);
        return;
    }
    g_variant_iter_init(&iter, answer->stats);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value))
        add_uint64(reply, key, g_variant_get_uint64(value));
}

/* The path is given only as long as the domain is on the bus. */
static void add_domain(Reply *reply, VbDomain *domain, VbStatsGroups groups, const Answer *answer)
{
    const VbObject *object = vb_domain_user_data(domain);

    if (object == NULL)
        return;
    reply->size += strlen(vb_object_path(object)) + ENTRY_OVERHEAD;
    sd_bus_message_open_container(reply->message, SD_BUS_TYPE_DICT_ENTRY, "oa{sv}");
    sd_bus_message_append_basic(reply->message, SD_BUS_TYPE_OBJECT_PATH, vb_object_path(object));
    sd_bus_message_open_container(reply->message, SD_BUS_TYPE_ARRAY, "{sv}");
    add_memory(reply, domain, groups);
    if (answer != NULL)
        add_answer(reply, answer);
    sd_bus_message_close_container(reply->message);
    sd_bus_message_close_container(reply->message);
}

/* `answers`: NULL when nobody had to be asked. */
static void send_reply(VbCall *call, const GPtrArray *domains, VbStatsGroups groups,
                       GHashTable *answers)
{
    Reply reply = {.message = vb_call_new_reply(call)};

    sd_bus_message_open_container(reply.message, SD_BUS_TYPE_ARRAY, "{oa{sv}}");
    for (guint i = 0; i < domains->len && reply.size <= VB_REGISTRY_REPLY_MAX; i++)
        add_domain(&reply, domains->pdata[i], groups,
                   answers != NULL ? g_hash_table_lookup(answers, domains->pdata[i]) : NULL);
    if (reply.size > VB_REGISTRY_REPLY_MAX) {
        sd_bus_message_unref(reply.message);
        vb_call_failf(call, VB_ERROR_LIMITS_EXCEEDED,
                      "the statistics of %u domains do not fit into one message: name fewer",
                      domains->len);
        return;
    }
    sd_bus_message_close_container(reply.message);
    vb_call_reply_message(call, reply.message);
}

/* ---- hypervisors ------------------------------------------------------------------------------
 */

static void answer_free(gpointer data)
{
    Answer *answer = data;

    g_clear_pointer(&answer->stats, g_variant_unref);
    g_clear_error(&answer->error);
    g_free(answer);
}

static void stats_finish(Stats *stats)
{
    if (!vb_call_replied(stats->call)) /* the daemon's end was not faster */
        send_reply(stats->call, stats->domains, stats->groups, stats->answers);
    vb_call_unref(stats->call);
    g_ptr_array_unref(stats->domains);
    g_hash_table_unref(stats->answers);
    g_free(stats);
}

typedef struct {
    Stats *stats;
    VbDomain *domain; /* borrowed */
} Question;

static void on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Question *question = data;
    Stats *stats = question->stats;
    Answer *answer = g_hash_table_lookup(stats->answers, question->domain);

    answer->stats = vb_domain_stats_finish(question->domain, result, &answer->error);
    if (--stats->pending == 0)
        stats_finish(stats);
}

static void ask(Stats *stats, VbDomain *domain)
{
    Question *question = g_new(Question, 1);

    *question = (Question){stats, domain};
    stats->pending++;
    g_hash_table_insert(stats->answers, domain, g_new0(Answer, 1));
    vb_domain_stats_async(domain, stats->groups, on_answer, question);
}

/* Only these have what a hypervisor must be asked for. */
#define ASKED_GROUPS (VB_STATS_ALL & ~VB_STATS_STATE)

static gboolean must_be_asked(gconstpointer domain, VbStatsGroups groups)
{
    return (groups & ASKED_GROUPS) != 0 && vb_domain_is_active(domain);
}

static void ask_and_reply(VbCall *call, GPtrArray *domains, VbStatsGroups groups)
{
    Stats *stats = g_new0(Stats, 1);

    stats->call = vb_call_ref(call);
    stats->groups = groups;
    stats->domains = g_ptr_array_new_with_free_func((GDestroyNotify)vb_domain_unref);
    stats->answers = g_hash_table_new_full(NULL, NULL, NULL, answer_free);
    for (guint i = 0; i < domains->len; i++)
        g_ptr_array_add(stats->domains, vb_domain_ref(domains->pdata[i]));
    for (guint i = 0; i < domains->len; i++)
        if (must_be_asked(domains->pdata[i], groups))
            ask(stats, domains->pdata[i]);
}

/* ---- the call ---------------------------------------------------------------------------------
 */

/* Borrowed domains; none named: all. */
static GPtrArray *find_domains(VbCall *call, VbHost *host, const char *const *paths, GError **error)
{
    g_autoptr(GPtrArray) domains = NULL;
    g_autoptr(GHashTable) seen = NULL;

    if (paths[0] == NULL)
        return vb_host_domains(host);
    domains = g_ptr_array_new();
    seen = g_hash_table_new(NULL, NULL);
    for (; *paths != NULL; paths++) {
        VbObject *object = vb_registry_lookup(vb_call_registry(call), *paths);

        if (object == NULL) {
            vb_fail(error, VB_ERROR_UNKNOWN_OBJECT, "there is no object %s", *paths);
            return NULL;
        }
        if (!vb_object_has_interface(object, &vb_domain_interface)) {
            vb_fail(error, VB_ERROR_INVALID_ARGS, "%s is no domain", *paths);
            return NULL;
        }
        if (g_hash_table_add(seen, object)) /* a key of a dictionary is there once */
            g_ptr_array_add(domains, vb_object_data(object));
    }
    return g_steal_pointer(&domains);
}

static gboolean find_groups(const char *const *names, VbStatsGroups *ret_groups, GError **error)
{
    VbStatsGroups groups = names[0] == NULL ? VB_STATS_ALL : VB_STATS_NONE;

    for (; *names != NULL; names++) {
        VbStatsGroups group = vb_stats_group_from_string(*names);

        if (group == VB_STATS_NONE)
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "there is no group of statistics '%s'",
                           *names);
        groups |= group;
    }
    *ret_groups = groups;
    return TRUE;
}

static gboolean any_must_be_asked(const GPtrArray *domains, VbStatsGroups groups)
{
    for (guint i = 0; i < domains->len; i++)
        if (must_be_asked(domains->pdata[i], groups))
            return TRUE;
    return FALSE;
}

void vb_manager_get_stats(VbCall *call, gpointer data)
{
    g_auto(GStrv) paths = NULL, names = NULL;
    g_autoptr(GPtrArray) domains = NULL;
    VbStatsGroups groups = VB_STATS_NONE;
    GError *error = NULL;

    if (!vb_call_read_strv(call, &paths, &error) || !vb_call_read_strv(call, &names, &error) ||
        !vb_call_read_no_options(call, &error) ||
        !find_groups((const char *const *)names, &groups, &error) ||
        (domains = find_domains(call, data, (const char *const *)paths, &error)) == NULL)
        vb_call_fail(call, error);
    else if (any_must_be_asked(domains, groups))
        ask_and_reply(call, domains, groups);
    else
        send_reply(call, domains, groups, NULL);
}
