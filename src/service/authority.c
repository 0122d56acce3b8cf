/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A check is a GTask. It waits for the sender's uid, which one question to the bus brings for all
 * the checks that wait for the same sender, in the order in which they came. */
#include "authority.h"

#include <errno.h>
#include <unistd.h>

#include "error.h"

/* A question for a sender's uid, and who waits for the answer. */
typedef struct {
    VbAuthority *authority;
    VbSender *sender;
    sd_bus_slot *slot;
    GQueue tasks;
} UidLookup;

struct VbAuthority {
    VbBus *bus;
    gboolean session;
    GHashTable *lookups; /* VbSender → UidLookup, owned */
};

typedef struct {
    char *action;
    uid_t uid;
} Check;

static void check_free(Check *check)
{
    g_free(check->action);
    g_free(check);
}

static void decide(VbAuthority *authority, GTask *task, const VbSender *sender)
{
    Check *check = g_task_get_task_data(task);

    check->uid = sender->uid;
    if (sender->uid == 0 || (authority->session && sender->uid == geteuid()))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_ACCESS_DENIED,
                                "uid %u is not authorized for %s", (guint)sender->uid,
                                check->action);
}

static void lookup_free(UidLookup *lookup)
{
    GTask *task;

    sd_bus_slot_unref(lookup->slot);
    while ((task = g_queue_pop_head(&lookup->tasks)) != NULL) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED,
                                "the daemon is ending; the call was not authorized");
        g_object_unref(task);
    }
    vb_sender_unref(lookup->sender);
    g_free(lookup);
}

/* The answers of one question, with the lookup forgotten before the first: a callback may ask for
 * the same sender again. error: NULL, or why the uid is unknown; borrowed. */
static void lookup_done(UidLookup *lookup, const char *error)
{
    VbAuthority *authority = lookup->authority;
    g_autolist(GTask) tasks = lookup->tasks.head;
    VbSender *sender = vb_sender_ref(lookup->sender);

    g_queue_init(&lookup->tasks);
    g_hash_table_remove(authority->lookups, lookup->sender);
    for (GList *link = tasks; link != NULL; link = link->next) {
        Check *check = g_task_get_task_data(link->data);

        if (error == NULL)
            decide(authority, link->data, sender);
        else
            g_task_return_new_error(link->data, VB_ERROR, VB_ERROR_ACCESS_DENIED,
                                    "not authorized for %s: the caller's uid is unknown: %s",
                                    check->action, error);
    }
    vb_sender_unref(sender);
}

static int on_uid_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    UidLookup *lookup = data;
    uint32_t uid;

    if (sd_bus_message_is_method_error(reply, NULL)) {
        lookup_done(lookup, sd_bus_message_get_error(reply)->message);
    } else if (sd_bus_message_read(reply, "u", &uid) < 0) {
        lookup_done(lookup, "the bus gave an answer that is none");
    } else {
        lookup->sender->uid = uid;
        lookup->sender->uid_known = TRUE;
        lookup_done(lookup, NULL);
    }
    return 1;
}

static UidLookup *lookup_start(VbAuthority *authority, VbSender *sender)
{
    UidLookup *lookup = g_new0(UidLookup, 1);

    lookup->authority = authority;
    lookup->sender = vb_sender_ref(sender);
    g_queue_init(&lookup->tasks);
    g_hash_table_insert(authority->lookups, lookup->sender, lookup);
    return lookup;
}

VbAuthority *vb_authority_new(VbBus *bus, gboolean session)
{
    VbAuthority *authority = g_new0(VbAuthority, 1);

    authority->bus = bus;
    authority->session = session;
    authority->lookups = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)lookup_free);
    return authority;
}

void vb_authority_free(VbAuthority *authority)
{
    if (authority == NULL)
        return;
    g_hash_table_unref(authority->lookups);
    g_free(authority);
}

void vb_authority_check_async(VbAuthority *authority, const char *sender, const char *action,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, data);
    Check *check = g_new0(Check, 1);
    VbSender *known;
    UidLookup *lookup;
    int r = 0;

    check->action = g_strdup(action);
    check->uid = (uid_t)-1;
    g_task_set_source_tag(task, vb_authority_check_async);
    g_task_set_task_data(task, check, (GDestroyNotify)check_free);
    if (sender == NULL) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_ACCESS_DENIED,
                                "not authorized for %s: the caller has no bus name", action);
        return;
    }

    known = vb_senders_get(vb_bus_senders(authority->bus), sender);
    if (known->uid_known) {
        decide(authority, task, known);
        return;
    }
    lookup = g_hash_table_lookup(authority->lookups, known);
    if (lookup == NULL) {
        lookup = lookup_start(authority, known);
        r = sd_bus_call_method_async(vb_bus_connection(authority->bus), &lookup->slot,
                                     "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionUnixUser", on_uid_reply,
                                     lookup, "s", sender);
    }
    g_queue_push_tail(&lookup->tasks, g_steal_pointer(&task));
    if (r < 0)
        lookup_done(lookup, g_strerror(-r));
}

gboolean vb_authority_check_finish(GAsyncResult *result, uid_t *ret_uid, GError **error)
{
    Check *check;

    g_return_val_if_fail(g_async_result_is_tagged(result, vb_authority_check_async), FALSE);
    check = g_task_get_task_data(G_TASK(result));
    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    if (ret_uid != NULL)
        *ret_uid = check->uid;
    return TRUE;
}
