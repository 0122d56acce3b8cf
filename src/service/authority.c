/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A check's way: the uid of its sender (one question to the bus brings it for all the checks of
 * that sender, in the order in which they came) → its turn (check-queue.c) → polkit
 * (polkit-check.c) → its end. A check that is given up while polkit has it, because its caller left
 * or does not want it any more, ends at once and is cancelled there, but keeps its place among
 * those that polkit may have until polkit answers: the bus counts it, too, and nobody gets around a
 * limit by leaving.
 *
 * A task is returned when the authority is in order again: its callback may ask the next thing. */
#include "authority.h"

#include <unistd.h>

#include "check-queue.h"
#include "error.h"
#include "polkit-check.h"

/* Questions for uids that the bus has at a time. It answers them by itself, so they never wait
 * long. */
#define LOOKUPS_MAX 16

static const VbCheckLimits check_limits = {
    .all = VB_AUTHORITY_CHECKS_MAX,
    .uid = VB_AUTHORITY_CHECKS_UID_MAX,
    .uid_prompts = VB_AUTHORITY_PROMPTS_UID_MAX,
};

struct VbAuthority {
    VbBus *bus;
    gboolean session;
    GHashTable *clients;    /* name → Client, owned */
    GQueue lookups_waiting; /* of Client */
    guint n_lookups;
    VbCheckQueue *queue;
    GQueue given_up; /* of Check, in polkit's hands */
    guint64 last_id;
};

/* A sender with checks under way. */
typedef struct {
    VbAuthority *authority;
    VbSender *sender;
    sd_bus_slot *lookup; /* the question for its uid, or NULL */
    gboolean lookup_waits;
    GList lookup_link;
    GQueue checks; /* of Check, in the order of their start */
} Client;

/* What a task is about. */
typedef struct {
    char *action;
    VbDetails *details; /* or NULL */
    gboolean interactive;
    uid_t uid;
} Question;

typedef struct {
    VbAuthority *authority;
    Client *client; /* NULL: given up */
    GTask *task;    /* NULL: given up */
    GSource *cancelled;
    VbTurn turn;
    VbPolkitCheck *polkit; /* NULL: not there yet */
    GList link;            /* in the client's checks, or among those given up */
} Check;

static void question_free(gpointer data)
{
    Question *question = data;

    g_free(question->action);
    vb_details_free(question->details);
    g_free(question);
}

/* ---- the end of a check -----------------------------------------------------------------------
 */

static gboolean is_query(GTask *task)
{
    return g_task_get_source_tag(task) == (gpointer)vb_authority_query_async;
}

static void G_GNUC_PRINTF(3, 4) task_fail(GTask *task, VbError code, const char *format, ...)
{
    const Question *question = g_task_get_task_data(task);
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_task_return_new_error(task, VB_ERROR, code, "not authorized for %s: %s", question->action,
                            text);
}

static void task_deny(GTask *task)
{
    const Question *question = g_task_get_task_data(task);

    g_task_return_new_error(task, VB_ERROR, VB_ERROR_ACCESS_DENIED,
                            "uid %u is not authorized for %s", (guint)question->uid,
                            question->action);
}

/* The verdict of whoever was asked. */
static void task_answer(GTask *task, VbPolkitAnswer answer, const char *text)
{
    const Question *question = g_task_get_task_data(task);

    switch (answer) {
    case VB_POLKIT_AUTHORIZED:
        g_task_return_int(task, VB_VERDICT_YES);
        return;
    case VB_POLKIT_REFUSED:
        task_fail(task, VB_ERROR_LIMITS_EXCEEDED, "polkit cannot be asked one thing more: %s",
                  text);
        return;
    case VB_POLKIT_FAILED:
        task_fail(task, is_query(task) ? VB_ERROR_FAILED : VB_ERROR_ACCESS_DENIED,
                  "polkit gave no answer: %s", text);
        return;
    default:
        break;
    }

    if (is_query(task))
        g_task_return_int(task,
                          answer == VB_POLKIT_CHALLENGE ? VB_VERDICT_CHALLENGE : VB_VERDICT_NO);
    else if (answer == VB_POLKIT_ABSENT)
        task_fail(task, VB_ERROR_ACCESS_DENIED, "polkit is not running, so only root is: %s", text);
    else if (answer == VB_POLKIT_DISMISSED)
        task_fail(task, VB_ERROR_ACCESS_DENIED, "the authentication of uid %u was dismissed",
                  (guint)question->uid);
    else if (answer == VB_POLKIT_DENIED)
        task_deny(task);
    else if (question->interactive)
        task_fail(task, VB_ERROR_ACCESS_DENIED, "uid %u was to authenticate and could not be asked",
                  (guint)question->uid);
    else
        task_fail(task, VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                  "uid %u has to authenticate, and the call does not allow to ask",
                  (guint)question->uid);
}

static void client_release(Client *client)
{
    if (client->checks.length == 0 && client->lookup == NULL)
        g_hash_table_remove(client->authority->clients, client->sender->name);
}

static void client_free(gpointer data)
{
    Client *client = data;

    if (client->lookup_waits)
        g_queue_unlink(&client->authority->lookups_waiting, &client->lookup_link);
    sd_bus_slot_unref(client->lookup);
    vb_sender_unref(client->sender);
    g_free(client);
}

static void check_free(Check *check)
{
    vb_check_queue_remove(check->authority->queue, &check->turn);
    vb_polkit_check_free(check->polkit);
    g_free(check);
}

/* Takes the task out of its check, for the caller to return; the check is gone, or given up. */
static GTask *check_take_task(Check *check)
{
    Client *client = g_steal_pointer(&check->client);
    GTask *task = g_steal_pointer(&check->task);

    g_queue_unlink(&client->checks, &check->link);
    client_release(client);
    if (check->cancelled != NULL) {
        g_source_destroy(check->cancelled);
        g_clear_pointer(&check->cancelled, g_source_unref);
    }
    if (check->polkit != NULL) {
        vb_polkit_check_cancel(check->polkit);
        g_queue_push_tail_link(&check->authority->given_up, &check->link);
    } else {
        check_free(check);
    }
    return task;
}

/* The same for all that the client has. */
static GPtrArray *client_take_tasks(Client *client)
{
    GPtrArray *tasks = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint n = client->checks.length; n > 0; n--) /* the last may take the client with it */
        g_ptr_array_add(tasks, check_take_task(client->checks.head->data));
    return tasks;
}

static void client_fail(Client *client, VbError code, const char *why)
{
    g_autoptr(GPtrArray) tasks = client_take_tasks(client);

    for (guint i = 0; i < tasks->len; i++)
        task_fail(tasks->pdata[i], code, "%s", why);
}

/* ---- polkit -----------------------------------------------------------------------------------
 */

static void ask_next(VbAuthority *authority);

static void on_answered(VbPolkitAnswer answer, const char *text, gpointer data)
{
    Check *check = data;
    VbAuthority *authority = check->authority;
    g_autoptr(GTask) task = NULL;

    g_clear_pointer(&check->polkit, vb_polkit_check_free);
    if (check->task != NULL) {
        task = check_take_task(check);
    } else {
        g_queue_unlink(&authority->given_up, &check->link);
        check_free(check);
    }
    ask_next(authority);
    if (task != NULL)
        task_answer(task, answer, text);
}

/* Sends to polkit whose turn it is. */
static void ask_next(VbAuthority *authority)
{
    VbTurn *turn;

    while ((turn = vb_check_queue_next(authority->queue)) != NULL) {
        Check *check = turn->data;
        const Question *question = g_task_get_task_data(check->task);
        VbPolkitQuestion asked = {
            .id = ++authority->last_id,
            .sender = check->client->sender->name,
            .action = question->action,
            .details = question->details,
            .interactive = question->interactive,
        };

        check->polkit =
            vb_polkit_check_new(vb_bus_connection(authority->bus), &asked, on_answered, check);
    }
}

/* ---- the uid ----------------------------------------------------------------------------------
 */

static gboolean uid_decides(const VbAuthority *authority, uid_t uid)
{
    return uid == 0 || authority->session;
}

static void task_decide(GTask *task, uid_t uid)
{
    Question *question = g_task_get_task_data(task);

    question->uid = uid;
    if (uid == 0 || uid == geteuid())
        g_task_return_int(task, VB_VERDICT_YES);
    else if (is_query(task))
        g_task_return_int(task, VB_VERDICT_NO);
    else
        task_deny(task);
}

static void check_wait_for_turn(Check *check, uid_t uid)
{
    Question *question = g_task_get_task_data(check->task);

    question->uid = uid;
    vb_check_queue_add(check->authority->queue, &check->turn, uid, question->interactive);
}

static void client_got_uid(Client *client, uid_t uid)
{
    VbAuthority *authority = client->authority;
    g_autoptr(GError) error = NULL;

    vb_senders_set_uid(vb_bus_senders(authority->bus), client->sender, uid);
    if (client->checks.length == 0) {
        client_release(client);
    } else if (uid_decides(authority, uid)) {
        g_autoptr(GPtrArray) tasks = client_take_tasks(client);

        for (guint i = 0; i < tasks->len; i++)
            task_decide(tasks->pdata[i], uid);
    } else if (!vb_sender_fits(client->sender, &error)) {
        client_fail(client, VB_ERROR_LIMITS_EXCEEDED, error->message);
    } else {
        for (GList *link = client->checks.head; link != NULL; link = link->next)
            check_wait_for_turn(link->data, uid);
        ask_next(authority);
    }
}

/* Whoever it was may be gone already: then it is not worth remembering. */
static void client_got_no_uid(Client *client, const char *why)
{
    g_autofree char *text = g_strdup_printf("the caller's uid is unknown: %s", why);

    vb_senders_forget(vb_bus_senders(client->authority->bus), client->sender->name);
    if (client->checks.length == 0)
        client_release(client);
    else
        client_fail(client, VB_ERROR_ACCESS_DENIED, text);
}

static void look_up_next(VbAuthority *authority);

static int on_uid_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    Client *client = data;
    VbAuthority *authority = client->authority;
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    uint32_t uid;

    client->lookup = sd_bus_slot_unref(client->lookup);
    authority->n_lookups--;
    if (error != NULL)
        client_got_no_uid(client, error->message != NULL ? error->message : error->name);
    else if (sd_bus_message_read(reply, "u", &uid) <= 0)
        client_got_no_uid(client, "the bus gave an answer that is none");
    else
        client_got_uid(client, uid);
    look_up_next(authority);
    return 1;
}

static void look_up_next(VbAuthority *authority)
{
    GList *link;

    while (authority->n_lookups < LOOKUPS_MAX &&
           (link = g_queue_pop_head_link(&authority->lookups_waiting)) != NULL) {
        Client *client = link->data;
        int r = sd_bus_call_method_async(vb_bus_connection(authority->bus), &client->lookup,
                                         "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", "GetConnectionUnixUser",
                                         on_uid_reply, client, "s", client->sender->name);

        client->lookup_waits = FALSE;
        if (r < 0)
            client_got_no_uid(client, g_strerror(-r));
        else
            authority->n_lookups++;
    }
}

/* ---- clients, and those who leave -------------------------------------------------------------
 */

static Client *client_get(VbAuthority *authority, VbSender *sender)
{
    Client *client = g_hash_table_lookup(authority->clients, sender->name);

    if (client == NULL) {
        client = g_new0(Client, 1);
        client->authority = authority;
        client->sender = vb_sender_ref(sender);
        client->lookup_link.data = client;
        g_queue_init(&client->checks);
        g_hash_table_insert(authority->clients, client->sender->name, client);
    }
    return client;
}

static void on_sender_gone(const char *name, gpointer data)
{
    VbAuthority *authority = data;
    Client *client = g_hash_table_lookup(authority->clients, name);

    if (client != NULL && client->checks.length > 0)
        client_fail(client, VB_ERROR_ACCESS_DENIED, "the caller left the bus");
}

static gboolean on_cancelled(GCancellable *cancellable, gpointer data)
{
    g_autoptr(GTask) task = check_take_task(data);

    g_task_return_error_if_cancelled(task);
    return G_SOURCE_REMOVE;
}

static void check_start(VbAuthority *authority, GTask *task, VbSender *sender)
{
    Client *client = client_get(authority, sender);
    Check *check = g_new0(Check, 1);

    check->authority = authority;
    check->client = client;
    check->task = g_object_ref(task);
    check->turn.data = check;
    check->link.data = check;
    g_queue_push_tail_link(&client->checks, &check->link);
    if (g_task_get_cancellable(task) != NULL) {
        check->cancelled = g_cancellable_source_new(g_task_get_cancellable(task));
        g_source_set_callback(check->cancelled, G_SOURCE_FUNC(on_cancelled), check, NULL);
        g_source_attach(check->cancelled, g_task_get_context(task));
    }

    if (sender->uid_known) {
        check_wait_for_turn(check, sender->uid);
        ask_next(authority);
    } else if (client->lookup == NULL && !client->lookup_waits) {
        client->lookup_waits = TRUE;
        g_queue_push_tail_link(&authority->lookups_waiting, &client->lookup_link);
        look_up_next(authority);
    }
}

/* ---- what others see --------------------------------------------------------------------------
 */

VbAuthority *vb_authority_new(VbBus *bus, gboolean session)
{
    VbAuthority *authority = g_new0(VbAuthority, 1);

    authority->bus = bus;
    authority->session = session;
    authority->clients = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, client_free);
    g_queue_init(&authority->lookups_waiting);
    authority->queue = vb_check_queue_new(&check_limits);
    g_queue_init(&authority->given_up);
    vb_bus_set_sender_gone_func(bus, on_sender_gone, authority);
    return authority;
}

void vb_authority_free(VbAuthority *authority)
{
    g_autolist(GTask) tasks = NULL;
    g_autoptr(GList) clients = NULL;
    GList *link;

    if (authority == NULL)
        return;
    vb_bus_set_sender_gone_func(authority->bus, NULL, NULL);
    clients = g_hash_table_get_values(authority->clients);
    for (GList *client = clients; client != NULL; client = client->next) {
        GQueue *checks = &((Client *)client->data)->checks;

        for (guint n = checks->length; n > 0; n--)
            tasks = g_list_prepend(tasks, check_take_task(checks->head->data));
    }
    while ((link = g_queue_pop_head_link(&authority->given_up)) != NULL)
        check_free(link->data);
    g_hash_table_unref(authority->clients);
    vb_check_queue_free(authority->queue);
    g_free(authority);

    tasks = g_list_reverse(tasks);
    for (link = tasks; link != NULL; link = link->next)
        task_fail(link->data, VB_ERROR_FAILED, "the daemon is ending");
}

static void ask(VbAuthority *authority, GTask *task, gpointer tag, const char *sender,
                const char *action, const VbDetails *details, gboolean interactive)
{
    Question *question = g_new0(Question, 1);
    VbSender *known;

    question->action = g_strdup(action);
    question->details = details != NULL ? vb_details_copy(details) : NULL;
    question->interactive = interactive;
    question->uid = (uid_t)-1;
    g_task_set_source_tag(task, tag);
    g_task_set_task_data(task, question, question_free);
    if (g_task_return_error_if_cancelled(task))
        return;
    if (sender == NULL) {
        task_fail(task, VB_ERROR_ACCESS_DENIED, "the caller has no bus name");
        return;
    }

    known = vb_senders_get(vb_bus_senders(authority->bus), sender);
    if (known->uid_known && uid_decides(authority, known->uid))
        task_decide(task, known->uid);
    else
        check_start(authority, task, known);
}

void vb_authority_check_async(VbAuthority *authority, const char *sender, const char *action,
                              const VbDetails *details, gboolean interactive,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, data);

    ask(authority, task, vb_authority_check_async, sender, action, details, interactive);
}

gboolean vb_authority_check_finish(GAsyncResult *result, uid_t *ret_uid, GError **error)
{
    const Question *question;

    g_return_val_if_fail(g_async_result_is_tagged(result, vb_authority_check_async), FALSE);
    question = g_task_get_task_data(G_TASK(result));
    if (g_task_propagate_int(G_TASK(result), error) < 0)
        return FALSE;
    if (ret_uid != NULL)
        *ret_uid = question->uid;
    return TRUE;
}

void vb_authority_query_async(VbAuthority *authority, const char *sender, const char *action,
                              const VbDetails *details, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, data);

    ask(authority, task, vb_authority_query_async, sender, action, details, FALSE);
}

gboolean vb_authority_query_finish(GAsyncResult *result, VbVerdict *ret_verdict, GError **error)
{
    gssize verdict;

    g_return_val_if_fail(g_async_result_is_tagged(result, vb_authority_query_async), FALSE);
    verdict = g_task_propagate_int(G_TASK(result), error);
    if (verdict < 0)
        return FALSE;
    *ret_verdict = verdict;
    return TRUE;
}

const char *vb_verdict_to_string(VbVerdict verdict)
{
    switch (verdict) {
    case VB_VERDICT_YES:
        return "yes";
    case VB_VERDICT_CHALLENGE:
        return "challenge";
    default:
        return "no";
    }
}
