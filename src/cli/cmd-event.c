/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands event and monitor: print what the daemon signals of domains and their block jobs,
 * one event or, with --loop and monitor, all until Ctrl-C, SIGTERM or the timeout. */
#include "handlers.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "object-ref.h"
#include "labels.h"

typedef struct {
    VbCli *cli;
    const char *kind; /* of --event; NULL: all */
    gboolean loop;
    GMainLoop *main_loop;
    GHashTable *names;  /* object path → name; signals carry the path, and a domain may be gone */
    const char *reason; /* why it ended before its event came; NULL: it did not */
    gboolean lost;      /* the bus closed */
    guint received;
    guint sources[3];
} Listener;

static const char *path_basename(const char *path)
{
    return strrchr(path, '/') + 1;
}

static const char *get_name(Listener *listener, const char *path, gboolean refresh)
{
    g_autoptr(GVariant) properties = NULL;
    const char *name = g_hash_table_lookup(listener->names, path);

    if (name != NULL && !refresh)
        return name;
    properties = vb_cli_get_properties(listener->cli, path, VB_DOMAIN_INTERFACE, NULL);
    if (properties == NULL || !g_variant_lookup(properties, "Name", "&s", &name))
        return name != NULL ? name : path_basename(path);
    g_hash_table_insert(listener->names, g_strdup(path), g_strdup(name));
    return g_hash_table_lookup(listener->names, path);
}

static void finish(Listener *listener, const char *reason)
{
    listener->reason = reason;
    g_main_loop_quit(listener->main_loop);
}

/* One event has come. The text is what follows the domain's name; more are members of the document
 * that --json prints. Sinks more. */
static void emit(Listener *listener, const char *kind, const char *path, const char *name,
                 const char *text, GVariant *more)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(more);

    if (listener->cli->json) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(sunk);

        g_variant_dict_insert(&dict, "Event", "s", kind);
        g_variant_dict_insert(&dict, "Domain", "s", name);
        g_variant_dict_insert(&dict, "Path", "o", path);
        vb_cli_print_json(g_variant_dict_end(&dict));
    } else {
        printf("event '%s' for domain '%s': %s\n", kind, name, text);
        fflush(stdout);
    }
    listener->received++;
    if (!listener->loop)
        finish(listener, NULL);
}

static gboolean wants(const Listener *listener, const char *kind)
{
    /* Without --loop one event is all; more may have been queued before the loop ended. */
    if (!listener->loop && listener->received > 0)
        return FALSE;
    return listener->kind == NULL || g_str_equal(listener->kind, kind);
}

static void on_lifecycle(GDBusConnection *connection, const char *sender, const char *path,
                         const char *interface, const char *signal, GVariant *parameters,
                         gpointer data)
{
    g_auto(GVariantDict) more = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) details = NULL;
    g_autofree char *label = NULL;
    g_autofree char *text = NULL;
    const char *event, *reason;
    Listener *listener = data;

    if (!wants(listener, "lifecycle") ||
        !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(ssa{sv})")))
        return;
    g_variant_get(parameters, "(&s&s@a{sv})", &event, &reason, &details);
    label = vb_label_reason(reason);
    text = reason[0] != '\0' ? g_strdup_printf("%s %s", event, label) : g_strdup(event);
    g_variant_dict_insert(&more, "Detail", "s", event);
    g_variant_dict_insert(&more, "Reason", "s", reason);
    g_variant_dict_insert_value(&more, "Details", details);
    emit(listener, "lifecycle", path, get_name(listener, path, g_str_equal(event, "defined")), text,
         g_variant_dict_end(&more));
}

static void on_block_job(GDBusConnection *connection, const char *sender, const char *path,
                         const char *interface, const char *signal, GVariant *parameters,
                         gpointer data)
{
    g_auto(GVariantDict) more = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) details = NULL;
    g_autofree char *state = NULL;
    g_autofree char *text = NULL;
    const char *job, *disk, *type, *message;
    Listener *listener = data;

    if (!wants(listener, "block-job") || !g_str_has_prefix(signal, "BlockJob") ||
        !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(osssa{sv})")))
        return;
    g_variant_get(parameters, "(&o&s&s&s@a{sv})", &job, &disk, &type, &message, &details);
    state = g_ascii_strdown(signal + strlen("BlockJob"), -1);
    text = g_strdup_printf("%s for %s %s%s%s", vb_label_block_job(type), disk, state,
                           message[0] != '\0' ? ": " : "", message);
    g_variant_dict_insert(&more, "Signal", "s", signal);
    g_variant_dict_insert(&more, "Job", "o", job);
    g_variant_dict_insert(&more, "Disk", "s", disk);
    g_variant_dict_insert(&more, "Type", "s", type);
    g_variant_dict_insert(&more, "Message", "s", message);
    g_variant_dict_insert_value(&more, "Details", details);
    emit(listener, "block-job", path, get_name(listener, path, FALSE), text,
         g_variant_dict_end(&more));
}

static void on_closed(GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
                      gpointer data)
{
    Listener *listener = data;

    listener->lost = TRUE;
    finish(listener, NULL);
}

static gboolean on_unix_signal(gpointer data)
{
    finish(data, "interrupted");
    return G_SOURCE_CONTINUE;
}

static gboolean on_timeout(gpointer data)
{
    finish(data, "timed out");
    return G_SOURCE_CONTINUE;
}

static guint subscribe(Listener *listener, const char *interface, const char *signal,
                       const char *path, GDBusSignalCallback callback)
{
    return g_dbus_connection_signal_subscribe(listener->cli->connection, VB_BUS_NAME, interface,
                                              signal, path, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                              callback, listener, NULL);
}

/* Remembers the names of the domains that there are, and fails where there is no daemon. */
static gboolean learn_names(Listener *listener, GError **error)
{
    g_autoptr(GPtrArray) domains = vb_domain_ref_list(listener->cli, error);

    if (domains == NULL)
        return FALSE;
    for (guint i = 0; i < domains->len; i++) {
        const VbObjectRef *domain = domains->pdata[i];

        g_hash_table_insert(listener->names, g_strdup(domain->path),
                            g_strdup(vb_object_ref_get_string(domain, "Name")));
    }
    return TRUE;
}

/* Subscribed first, so that what happens while the names are read is heard, too. */
static gboolean listen(Listener *listener, const char *path, guint timeout, GError **error)
{
    guint lifecycle = subscribe(listener, VB_DOMAIN_INTERFACE, "Lifecycle", path, on_lifecycle);
    guint block_jobs = subscribe(listener, VB_DOMAIN_BLOCK_INTERFACE, NULL, path, on_block_job);
    gulong closed =
        g_signal_connect(listener->cli->connection, "closed", G_CALLBACK(on_closed), listener);
    gboolean listened;

    listener->sources[0] = g_unix_signal_add(SIGINT, on_unix_signal, listener);
    listener->sources[1] = g_unix_signal_add(SIGTERM, on_unix_signal, listener);
    if (timeout > 0)
        listener->sources[2] = g_timeout_add_seconds(timeout, on_timeout, listener);
    listened = learn_names(listener, error);
    if (listened)
        g_main_loop_run(listener->main_loop);

    for (gsize i = 0; i < G_N_ELEMENTS(listener->sources); i++)
        g_clear_handle_id(&listener->sources[i], g_source_remove);
    g_signal_handler_disconnect(listener->cli->connection, closed);
    g_dbus_connection_signal_unsubscribe(listener->cli->connection, lifecycle);
    g_dbus_connection_signal_unsubscribe(listener->cli->connection, block_jobs);
    return listened;
}

static gboolean report(const Listener *listener, GError **error)
{
    if (listener->lost) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, "the bus closed the connection");
        return FALSE;
    }
    if (listener->received == 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "event loop %s before an event came",
                    listener->reason);
        return FALSE;
    }
    if (!listener->cli->json) {
        if (listener->reason != NULL)
            printf("event loop %s\n", listener->reason);
        printf("events received: %u\n", listener->received);
    }
    return TRUE;
}

static gboolean print_events(VbCli *cli, const VbArgs *args, gboolean loop, GError **error)
{
    g_autoptr(GMainLoop) main_loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(VbObjectRef) domain = NULL;
    guint64 timeout = 0;
    Listener listener = {
        .cli = cli,
        .kind = vb_args_get(args, "event"),
        .loop = loop,
        .main_loop = main_loop,
        .names = names,
    };

    if (!vb_args_get_number(args, "timeout", 1, G_MAXINT / 1000, &timeout, error) ||
        !vb_args_exclude(args, error, "all", "event", NULL))
        return FALSE;
    if (listener.kind != NULL && !g_str_equal(listener.kind, "lifecycle") &&
        !g_str_equal(listener.kind, "block-job")) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "--event must be lifecycle or block-job, not '%s'", listener.kind);
        return FALSE;
    }
    if (vb_args_has(args, "domain")) {
        domain = vb_domain_ref_lookup(cli, args, error);
        if (domain == NULL)
            return FALSE;
    }
    return vb_cli_connect(cli, error) &&
           listen(&listener, domain != NULL ? domain->path : NULL, (guint)timeout, error) &&
           report(&listener, error);
}

gboolean vb_cmd_event(VbCli *cli, const VbArgs *args, GError **error)
{
    return print_events(cli, args, vb_args_has(args, "loop"), error);
}

gboolean vb_cmd_monitor(VbCli *cli, const VbArgs *args, GError **error)
{
    return print_events(cli, args, TRUE, error);
}
