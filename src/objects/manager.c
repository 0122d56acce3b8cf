/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one object that everybody finds first: vtable, handlers and getters of org.virtbus1.Manager.
 */
#include "manager.h"

#include <string.h>

#include "actions.h"
#include "call.h"
#include "config.h"
#include "host-access.h"
#include "manager-call.h"
#include "manager-networks.h"
#include "manager-stats.h"
#include "message.h"
#include "object-path.h"

#define MANAGE VB_ACTION(VB_ACTION_DOMAIN_MANAGE)
#define MANAGE_NETWORK VB_ACTION(VB_ACTION_NETWORK_MANAGE)

/* ---- defining ---------------------------------------------------------------------------------
 */

/* Of both methods: the document says what the rules are told, and what else they are asked. */
static gboolean prepare_definition(VbCall *call, gpointer data, GError **error)
{
    VbHost *host = data;
    VbDetails *details = vb_call_details(call);
    VbDomainDef *def = vb_host_access_read_domain(call, host, error);

    if (def == NULL)
        return FALSE;
    vb_call_set_argument(call, def, (GDestroyNotify)vb_domain_def_unref);
    vb_details_set(details, "driver", vb_host_driver_name(host, def->type));
    vb_details_set(details, "domain_name", def->name);
    vb_details_set(details, "domain_uuid", def->uuid);
    return TRUE;
}

static char *finish_define(VbHost *host, GAsyncResult *result, GError **error)
{
    g_autoptr(VbDomain) domain = vb_host_define_finish(host, result, error);

    return domain != NULL ? vb_domain_path(domain) : NULL;
}

static void handle_define_domain(VbCall *call, gpointer data)
{
    VbHost *host = data;
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_host_define_async(host, vb_call_steal_argument(call), vb_call_uid(call),
                             vb_manager_answer, vb_manager_wait(call, host, finish_define));
}

static char *finish_create(VbHost *host, GAsyncResult *result, GError **error)
{
    g_autoptr(VbDomain) domain = vb_host_create_finish(host, result, error);

    return domain != NULL ? vb_domain_path(domain) : NULL;
}

static void handle_create_domain(VbCall *call, gpointer data)
{
    VbHost *host = data;
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    gboolean paused = FALSE;

    if (options != NULL)
        vb_options_take_bool(options, "paused", &paused);
    if (options == NULL || !vb_options_finish(options, &error))
        vb_call_fail(call, error);
    else
        vb_host_create_async(host, vb_call_steal_argument(call),
                             paused ? VB_DOMAIN_OP_FLAG_PAUSED : VB_DOMAIN_OP_FLAG_NONE,
                             vb_call_uid(call), vb_manager_answer,
                             vb_manager_wait(call, host, finish_create));
}

/* ---- finding ----------------------------------------------------------------------------------
 */

static gpointer domain_by_name(VbHost *host, const char *name)
{
    return vb_host_domain_by_name(host, name);
}

static gpointer domain_by_uuid(VbHost *host, const char *uuid)
{
    return vb_host_domain_by_uuid(host, uuid);
}

static gboolean domain_is_active(gconstpointer domain)
{
    return vb_domain_is_active(domain);
}

static gboolean domain_is_persistent(gconstpointer domain)
{
    return vb_domain_info(domain)->persistent;
}

static char *domain_path(gconstpointer domain)
{
    return vb_domain_path(domain);
}

static const VbManagerKind domains = {
    "domain",        VB_ERROR_NO_DOMAIN, domain_by_name,       domain_by_uuid,
    vb_host_domains, domain_is_active,   domain_is_persistent, domain_path};

static void handle_get_domain_by_name(VbCall *call, gpointer data)
{
    vb_manager_get_by_name(call, data, &domains);
}

static void handle_get_domain_by_uuid(VbCall *call, gpointer data)
{
    vb_manager_get_by_uuid(call, data, &domains);
}

static void handle_list_domains(VbCall *call, gpointer data)
{
    vb_manager_list(call, data, &domains);
}

/* ---- pages of objects -------------------------------------------------------------------------
 */

/* Each kind of object lies below a path of its own; in the order of their paths. */
static const struct {
    const char *kind; /* NULL: only among all */
    const char *parent;
} object_kinds[] = {
    {"domain", VB_DOMAIN_PATH_PREFIX},
    {"job", VB_JOB_PATH_PREFIX},
    {NULL, VB_REGISTRY_PREFIX}, /* the manager */
    {"network", VB_NETWORK_PATH_PREFIX},
};

/* At most so many paths behind the cursor, which is the one that was given last: its object may be
 * gone by now. NULL: there is no such kind. The paths are borrowed from the objects. */
static GPtrArray *list_kind(VbRegistry *registry, const char *kind, const char *cursor, guint most)
{
    GPtrArray *paths = g_ptr_array_new();
    gboolean all = *kind == '\0', known = all;

    for (gsize i = 0; i < G_N_ELEMENTS(object_kinds); i++)
        if (all || g_strcmp0(kind, object_kinds[i].kind) == 0) {
            g_ptr_array_extend_and_steal(paths, vb_registry_list(registry, object_kinds[i].parent,
                                                                 cursor, most - paths->len));
            known = TRUE;
        }
    if (!known)
        g_clear_pointer(&paths, g_ptr_array_unref);
    return paths;
}

/* How many of the paths make a page: one at least, and no more than keep nobody else waiting for
 * long. */
static guint page_length(VbRegistry *registry, const GPtrArray *paths, guint most)
{
    gsize size = 0;
    guint n = 0;

    for (; n < MIN(paths->len, most); n++) {
        size += vb_registry_object_size(registry, vb_registry_lookup(registry, paths->pdata[n]));
        if (n > 0 && size > VB_REGISTRY_PAGE_MAX)
            break;
    }
    return n;
}

static void handle_get_objects(VbCall *call, gpointer data)
{
    VbRegistry *registry = vb_call_registry(call);
    g_autoptr(GPtrArray) paths = NULL;
    const char *kind, *cursor;
    guint32 limit;
    guint most, end;
    GError *error = NULL;
    sd_bus_message *reply;

    if (!vb_call_read(call, &error, "ssu", &kind, &cursor, &limit) ||
        !vb_call_read_no_options(call, &error)) {
        vb_call_fail(call, error);
        return;
    }
    if (*cursor != '\0' && !g_str_has_prefix(cursor, VB_REGISTRY_PREFIX "/")) {
        vb_call_failf(call, VB_ERROR_INVALID_ARGS, "'%s' is no cursor of GetObjects", cursor);
        return;
    }
    most = limit == 0 ? VB_REGISTRY_PAGE_OBJECTS_MAX : MIN(limit, VB_REGISTRY_PAGE_OBJECTS_MAX);
    /* One more tells whether there is another page. */
    paths = list_kind(registry, kind, cursor, most + 1);
    if (paths == NULL) {
        vb_call_failf(call, VB_ERROR_INVALID_ARGS, "there is no kind of objects '%s'", kind);
        return;
    }
    end = page_length(registry, paths, most);

    reply = vb_call_new_reply(call);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}");
    for (guint i = 0; i < end; i++)
        if (!vb_registry_append_object(registry, reply,
                                       vb_registry_lookup(registry, paths->pdata[i]), &error)) {
            sd_bus_message_unref(reply);
            vb_call_fail(call, error);
            return;
        }
    sd_bus_message_close_container(reply);
    vb_message_append_string(reply, end < paths->len ? paths->pdata[end - 1] : "");
    vb_call_reply_message(call, reply);
}

/* ---- what the caller may do -------------------------------------------------------------------
 */

/* CheckActions, whose answers come one by one. */
typedef struct {
    VbCall *call;
    GStrv actions;
    VbVerdict *verdicts;
    guint pending;
    GError *error; /* the first one */
} Checks;

/* One of its questions. */
typedef struct {
    Checks *checks;
    guint index;
} Check;

static void reply_verdicts(VbCall *call, const Checks *checks)
{
    sd_bus_message *reply = vb_call_new_reply(call);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{ss}");
    for (guint i = 0; checks->actions[i] != NULL; i++)
        sd_bus_message_append(reply, "{ss}", checks->actions[i],
                              vb_verdict_to_string(checks->verdicts[i]));
    sd_bus_message_close_container(reply);
    vb_call_reply_message(call, reply);
}

static void checks_answer(Checks *checks)
{
    g_autoptr(VbCall) call = checks->call;

    if (vb_call_replied(call)) /* the daemon's end was faster */
        g_clear_error(&checks->error);
    else if (checks->error != NULL)
        vb_call_fail(call, g_steal_pointer(&checks->error));
    else
        reply_verdicts(call, checks);
    g_strfreev(checks->actions);
    g_free(checks->verdicts);
    g_free(checks);
}

static void on_verdict(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Check *check = data;
    Checks *checks = check->checks;

    vb_authority_query_finish(result, &checks->verdicts[check->index],
                              checks->error == NULL ? &checks->error : NULL);
    if (--checks->pending == 0)
        checks_answer(checks);
}

/* Takes the actions. */
static void check_actions(VbCall *call, const VbDetails *details, GStrv actions)
{
    VbAuthority *authority = vb_registry_authority(vb_call_registry(call));
    Checks *checks = g_new0(Checks, 1);
    guint n = g_strv_length(actions);

    *checks = (Checks){vb_call_ref(call), actions, g_new0(VbVerdict, n), n, NULL};
    for (guint i = 0; i < n; i++) {
        Check *check = g_new(Check, 1);

        *check = (Check){checks, i};
        vb_authority_query_async(authority, vb_call_sender(call), actions[i], details, NULL,
                                 on_verdict, check);
    }
}

/* What is asked about; nothing named: all actions. */
static gboolean check_names(GStrv *names, GError **error)
{
    if ((*names)[0] == NULL) {
        g_strfreev(*names);
        *names = g_strdupv((GStrv)vb_actions());
    }
    for (guint i = 0; (*names)[i] != NULL; i++) {
        if (!vb_is_action((*names)[i]))
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "there is no action '%s'", (*names)[i]);
        if (g_strv_contains((const char *const *)*names + i + 1, (*names)[i]))
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "action '%s' is named twice", (*names)[i]);
    }
    return TRUE;
}

static void handle_check_actions(VbCall *call, gpointer data)
{
    g_autoptr(VbDetails) details = vb_details_new();
    g_auto(GStrv) names = NULL;
    const VbObject *object;
    const char *path;
    GError *error = NULL;

    if (!vb_call_read(call, &error, "o", &path) || !vb_call_read_strv(call, &names, &error) ||
        !vb_call_read_no_options(call, &error)) {
        vb_call_fail(call, error);
        return;
    }
    object = vb_registry_lookup(vb_call_registry(call), path);
    if (object == NULL) {
        vb_call_failf(call, VB_ERROR_UNKNOWN_OBJECT, "there is no object %s", path);
        return;
    }
    if (!check_names(&names, &error)) {
        vb_call_fail(call, error);
        return;
    }
    vb_details_set(details, "method", "org.virtbus1.Manager.CheckActions");
    vb_object_describe(object, details);
    check_actions(call, details, g_steal_pointer(&names));
}

/* ---- properties -------------------------------------------------------------------------------
 */

static void get_version(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, VB_VERSION);
}

static void get_drivers(sd_bus_message *reply, gpointer data)
{
    g_autofree const char **drivers = vb_host_drivers(data);

    vb_message_append_strv(reply, drivers);
}

static void get_hostname(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, g_get_host_name()); /* which GLib asks for once */
}

static const VbMethod methods[] = {
    VB_METHOD_PREPARED("DefineDomain", "sa{sv}", "xml options", "o", "domain", MANAGE,
                       prepare_definition, handle_define_domain),
    VB_METHOD_PREPARED("CreateDomain", "sa{sv}", "xml options", "o", "domain", MANAGE,
                       prepare_definition, handle_create_domain),
    VB_METHOD("GetDomainByName", "sa{sv}", "name options", "o", "domain", VB_PUBLIC,
              handle_get_domain_by_name),
    VB_METHOD("GetDomainByUuid", "sa{sv}", "uuid options", "o", "domain", VB_PUBLIC,
              handle_get_domain_by_uuid),
    VB_METHOD("ListDomains", "a{sv}", "options", "ao", "domains", VB_PUBLIC, handle_list_domains),
    VB_METHOD_PREPARED("DefineNetwork", "sa{sv}", "xml options", "o", "network", MANAGE_NETWORK,
                       vb_manager_prepare_network, vb_manager_define_network),
    VB_METHOD_PREPARED("CreateNetwork", "sa{sv}", "xml options", "o", "network", MANAGE_NETWORK,
                       vb_manager_prepare_network, vb_manager_create_network),
    VB_METHOD("GetNetworkByName", "sa{sv}", "name options", "o", "network", VB_PUBLIC,
              vb_manager_get_network_by_name),
    VB_METHOD("GetNetworkByUuid", "sa{sv}", "uuid options", "o", "network", VB_PUBLIC,
              vb_manager_get_network_by_uuid),
    VB_METHOD("ListNetworks", "a{sv}", "options", "ao", "networks", VB_PUBLIC,
              vb_manager_list_networks),
    VB_METHOD("GetDefaultNetworkXml", "a{sv}", "options", "s", "xml", VB_PUBLIC,
              vb_manager_get_default_network_xml),
    VB_METHOD("Reload", "a{sv}", "options", "", "", VB_ACTION(VB_ACTION_NETWORK_OPERATE),
              vb_manager_reload),
    VB_METHOD("GetObjects", "ssua{sv}", "kind cursor limit options", "a{oa{sa{sv}}}s",
              "objects next_cursor", VB_PUBLIC, handle_get_objects),
    VB_METHOD("GetStats", "aoasa{sv}", "objects groups options", "a{oa{sv}}", "stats", VB_PUBLIC,
              vb_manager_get_stats),
    VB_METHOD("CheckActions", "oasa{sv}", "object actions options", "a{ss}", "verdicts", VB_PUBLIC,
              handle_check_actions),
    {}};

static const VbProperty properties[] = {VB_PROPERTY("Version", "s", VB_CONST, get_version),
                                        VB_PROPERTY("Drivers", "as", VB_CONST, get_drivers),
                                        VB_PROPERTY("Hostname", "s", VB_CONST, get_hostname),
                                        {}};

/* A prompt says which domain or network it is about; before a document is read there is none. */
static void describe(gpointer data, VbDetails *details)
{
    vb_details_set(details, "domain_name", "");
    vb_details_set(details, "network_name", "");
}

const VbInterface vb_manager_interface = {"org.virtbus1.Manager", methods, properties, NULL,
                                          describe};
