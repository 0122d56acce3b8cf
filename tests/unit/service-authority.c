/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbAuthority on a real bus, with a polkit that says what the test wants, when it wants: slow,
 * wrong, an error, nothing at all. As root, the bus and all that are on it are another user's: root
 * is not asked about. */
#include "authority.h"

#include <glib/gstdio.h>
#include <libglib-testing/dbus-queue.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "error.h"
#include "remove-tree.h"
#include "wait.h"

#define ACTION "org.virtbus1.thing.operate"
#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

static const char polkit_xml[] = "<node><interface name='" POLKIT_INTERFACE "'>"
                                 "<method name='CheckAuthorization'>"
                                 "<arg type='(sa{sv})' name='subject'/>"
                                 "<arg type='s' name='action_id'/>"
                                 "<arg type='a{ss}' name='details'/>"
                                 "<arg type='u' name='flags'/>"
                                 "<arg type='s' name='cancellation_id'/>"
                                 "<arg type='(bba{ss})' name='result' direction='out'/>"
                                 "</method>"
                                 "<method name='CancelCheckAuthorization'>"
                                 "<arg type='s' name='cancellation_id'/>"
                                 "</method>"
                                 "</interface></node>";

#define NOBODY 65534

/* Who we are for what follows: another user's processes and connections are really his. Nothing
 * without root. */
static void become(uid_t uid)
{
    uid_t real, effective, saved;

    g_assert_cmpint(getresuid(&real, &effective, &saved), ==, 0);
    if (saved != 0)
        return;
    g_assert_cmpint(setresuid(uid, uid, 0), ==, 0);
    prctl(PR_SET_DUMPABLE, 1); /* for the leak check */
}

typedef struct {
    GtDBusQueue *queue;
    GDBusNodeInfo *polkit_info;
    guint polkit_name; /* 0: it is not owned */
    guint polkit_watch;
    gboolean polkit_is_there;
    char *address;
    const char *caller; /* a unique name of NOBODY */
    VbBus *bus;
    VbAuthority *authority;
} Fixture;

static void on_appeared(GDBusConnection *connection, const char *name, const char *owner,
                        gpointer data)
{
    ((Fixture *)data)->polkit_is_there = TRUE;
}

static void on_vanished(GDBusConnection *connection, const char *name, gpointer data)
{
    ((Fixture *)data)->polkit_is_there = FALSE;
}

static void start_polkit(Fixture *f)
{
    f->polkit_name = gt_dbus_queue_own_name(f->queue, POLKIT_NAME);
    VB_WAIT_FOR(f->polkit_is_there);
}

static void stop_polkit(Fixture *f)
{
    gt_dbus_queue_unown_name(f->queue, f->polkit_name);
    f->polkit_name = 0;
    VB_WAIT_FOR(!f->polkit_is_there);
}

static void set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *client;

    become(NOBODY); /* all of the bus, which is a user's and lets nobody else in */
    f->queue = gt_dbus_queue_new();
    gt_dbus_queue_connect(f->queue, &error);
    g_assert_no_error(error);
    f->address = g_strdup(g_getenv("DBUS_SESSION_BUS_ADDRESS"));
    client = gt_dbus_queue_get_client_connection(f->queue);
    f->caller = g_dbus_connection_get_unique_name(client);

    f->polkit_info = g_dbus_node_info_new_for_xml(polkit_xml, &error);
    g_assert_no_error(error);
    gt_dbus_queue_export_object(f->queue, POLKIT_PATH, f->polkit_info->interfaces[0], &error);
    g_assert_no_error(error);
    f->polkit_watch = g_bus_watch_name_on_connection(
        client, POLKIT_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, on_vanished, f, NULL);
    start_polkit(f);

    f->bus = vb_bus_open(VB_BUS_SYSTEM, f->address, &error);
    become(0);
    g_assert_no_error(error);
    f->authority = vb_authority_new(f->bus, FALSE);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    vb_authority_free(f->authority);
    vb_bus_free(f->bus);
    if (f->polkit_name != 0)
        stop_polkit(f);
    g_bus_unwatch_name(f->polkit_watch);
    gt_dbus_queue_disconnect(f->queue, TRUE);
    gt_dbus_queue_free(f->queue);
    g_dbus_node_info_unref(f->polkit_info);
    g_free(f->address);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static GDBusConnection *connect_caller(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection;

    become(NOBODY);
    connection =
        g_dbus_connection_new_for_address_sync(f->address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    become(0);
    g_assert_no_error(error);
    return connection;
}

static void hang_up(GDBusConnection *connection)
{
    g_autoptr(GError) error = NULL;

    g_dbus_connection_close_sync(connection, NULL, &error);
    g_assert_no_error(error);
}

/* ---- what is asked ----------------------------------------------------------------------------
 */

typedef struct {
    GAsyncResult *result; /* NULL: not yet */
    guint n;
} Waiter;

static void waiter_clear(Waiter *waiter)
{
    g_clear_object(&waiter->result);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Waiter, waiter_clear)

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Waiter *waiter = data;

    g_assert_cmpuint(++waiter->n, ==, 1);
    waiter->result = g_object_ref(result);
}

static void check(Fixture *f, Waiter *waiter, const char *sender, gboolean interactive)
{
    vb_authority_check_async(f->authority, sender, ACTION, NULL, interactive, NULL, on_done,
                             waiter);
    g_assert_null(waiter->result);
}

static void query(Fixture *f, Waiter *waiter, const char *sender)
{
    vb_authority_query_async(f->authority, sender, ACTION, NULL, NULL, on_done, waiter);
    g_assert_null(waiter->result);
}

static void assert_allowed(Waiter *waiter, uid_t uid)
{
    g_autoptr(GError) error = NULL;
    uid_t ret_uid = (uid_t)-1;

    VB_WAIT_FOR(waiter->result != NULL);
    vb_authority_check_finish(waiter->result, &ret_uid, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(ret_uid, ==, uid);
}

static void assert_message(const GError *error, GQuark domain, int code, const char *text)
{
    g_assert_error(error, domain, code);
    if (strstr(error->message, ACTION) == NULL || strstr(error->message, text) == NULL)
        g_error("'%s' and '%s' are not in '%s'", ACTION, text, error->message);
}

static void assert_refused(Waiter *waiter, VbError code, const char *text)
{
    g_autoptr(GError) error = NULL;

    VB_WAIT_FOR(waiter->result != NULL);
    g_assert_false(vb_authority_check_finish(waiter->result, NULL, &error));
    assert_message(error, VB_ERROR, code, text);
}

static uid_t caller_uid(void)
{
    return geteuid() == 0 ? NOBODY : geteuid();
}

/* ---- what polkit hears and says ---------------------------------------------------------------
 */

static GDBusMethodInvocation *pop(Fixture *f)
{
    GDBusMethodInvocation *invocation = NULL;

    VB_WAIT_FOR(gt_dbus_queue_get_n_messages(f->queue) > 0);
    g_assert_true(gt_dbus_queue_pop_message(f->queue, &invocation));
    return invocation;
}

/* The next call of it, which must be this method. */
static GDBusMethodInvocation *hear(Fixture *f, const char *method)
{
    GDBusMethodInvocation *invocation = pop(f);
    const char *unique;

    g_assert_cmpstr(g_dbus_method_invocation_get_method_name(invocation), ==, method);
    sd_bus_get_unique_name(vb_bus_connection(f->bus), &unique);
    g_assert_cmpstr(g_dbus_method_invocation_get_sender(invocation), ==, unique);
    return invocation;
}

static const char *cancellation_id(GDBusMethodInvocation *invocation)
{
    const char *id;

    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 4, "&s", &id);
    return id;
}

/* (transfer full) invocation. A body of any type, right or wrong. */
static void answer(GDBusMethodInvocation *invocation, const char *body)
{
    g_autoptr(GDBusMessage) reply =
        g_dbus_message_new_method_reply(g_dbus_method_invocation_get_message(invocation));
    g_autoptr(GError) error = NULL;

    g_dbus_message_set_body(reply, g_variant_new_parsed(body));
    g_dbus_connection_send_message(g_dbus_method_invocation_get_connection(invocation), reply,
                                   G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, &error);
    g_assert_no_error(error);
    g_object_unref(invocation);
}

static void assert_cancel_heard(Fixture *f, const char *id)
{
    g_autoptr(GDBusMethodInvocation) invocation = hear(f, "CancelCheckAuthorization");
    const char *cancelled;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &cancelled);
    g_assert_cmpstr(cancelled, ==, id);
    g_assert_cmpint(g_dbus_message_get_flags(g_dbus_method_invocation_get_message(invocation)), ==,
                    G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED | G_DBUS_MESSAGE_FLAGS_NO_AUTO_START);
}

static int on_round_trip(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    *(gboolean *)data = TRUE;
    return 1;
}

/* All that the authority has sent is with polkit: n calls that it has not heard yet. */
static void assert_heard_nothing_but(Fixture *f, guint n)
{
    GDBusConnection *client = gt_dbus_queue_get_client_connection(f->queue);
    g_autoptr(GPtrArray) invocations = g_ptr_array_new_with_free_func(g_object_unref);
    GDBusMethodInvocation *invocation;
    gboolean done = FALSE;

    g_assert_cmpint(
        sd_bus_call_method_async(vb_bus_connection(f->bus), NULL, "org.freedesktop.DBus",
                                 "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
                                 on_round_trip, &done, NULL),
        >=, 0);
    VB_WAIT_FOR(done);
    g_dbus_connection_call(client, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                           "CancelCheckAuthorization", g_variant_new("(s)", "mark"), NULL,
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
    for (;;) {
        invocation = pop(f);
        g_ptr_array_add(invocations, invocation);
        if (strcmp(g_dbus_method_invocation_get_sender(invocation), f->caller) == 0)
            break;
    }
    g_assert_cmpuint(invocations->len, ==, n + 1);
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static void test_question(Fixture *f, gconstpointer data)
{
    g_autoptr(VbDetails) details = vb_details_new();
    g_auto(Waiter) with = {0};
    g_auto(Waiter) without = {0};
    g_autoptr(GVariant) expected = NULL;
    g_autoptr(GVariant) expected_2 = NULL;
    GDBusMethodInvocation *invocation;

    vb_details_set(details, "method", "org.virtbus1.Thing.Operate");
    vb_details_set(details, "domain_name", "the \"first\"\nof möre");
    vb_details_set(details, "disk", "");
    vb_authority_check_async(f->authority, f->caller, ACTION, details, TRUE, NULL, on_done, &with);
    vb_details_set(details, "disk", "vda"); /* it was copied */

    invocation = hear(f, "CheckAuthorization");
    expected = g_variant_ref_sink(g_variant_new_parsed(
        "(('system-bus-name', {'name': <%s>}), %s, {'method': 'org.virtbus1.Thing.Operate', "
        "'domain_name': 'the \"first\"\\nof möre', 'disk': ''}, uint32 1, %s)",
        f->caller, ACTION, cancellation_id(invocation)));
    g_assert_cmpvariant(g_dbus_method_invocation_get_parameters(invocation), expected);
    answer(invocation, "((true, false, @a{ss} {}),)");
    assert_allowed(&with, caller_uid());

    check(f, &without, f->caller, FALSE);
    invocation = hear(f, "CheckAuthorization");
    expected_2 = g_variant_ref_sink(
        g_variant_new_parsed("(('system-bus-name', {'name': <%s>}), %s, @a{ss} {}, uint32 0, %s)",
                             f->caller, ACTION, cancellation_id(invocation)));
    g_assert_cmpvariant(g_dbus_method_invocation_get_parameters(invocation), expected_2);
    answer(invocation, "((true, false, {'polkit.retains_authorization_after_challenge': 'x'}),)");
    assert_allowed(&without, caller_uid());
}

#define OK (-1)

static const struct {
    const char *body;
    gboolean interactive;
    int code; /* of VbError */
    const char *text;
    int verdict; /* of VbVerdict */
} answers[] = {
    {"((true, false, @a{ss} {}),)", TRUE, OK, "", VB_VERDICT_YES},
    {"((false, false, @a{ss} {}),)", FALSE, VB_ERROR_ACCESS_DENIED, "is not authorized for",
     VB_VERDICT_NO},
    {"((false, false, @a{ss} {}),)", TRUE, VB_ERROR_ACCESS_DENIED, "is not authorized for",
     VB_VERDICT_NO},
    {"((false, true, @a{ss} {}),)", FALSE, VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
     "has to authenticate", VB_VERDICT_CHALLENGE},
    {"((false, true, @a{ss} {}),)", TRUE, VB_ERROR_ACCESS_DENIED, "could not be asked",
     VB_VERDICT_CHALLENGE},
    {"((false, false, {'polkit.dismissed': 'true'}),)", TRUE, VB_ERROR_ACCESS_DENIED,
     "was dismissed", VB_VERDICT_NO},
    {"((false, true, {'a': 'b', 'polkit.dismissed': 'true'}),)", TRUE, VB_ERROR_ACCESS_DENIED,
     "was dismissed", VB_VERDICT_NO},
    /* nonsense */
    {"()", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"(true,)", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"(true, false, @a{ss} {})", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"((true, false),)", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"((true, false, @a{sv} {}),)", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"((1, 0, @a{ss} {}),)", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"('yes',)", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
    {"((true, false, @a{ss} {}), true)", FALSE, VB_ERROR_ACCESS_DENIED, "not understood", OK},
};

/* The same answer to a check and to a query. */
static void test_answers(Fixture *f, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_auto(Waiter) checked = {0};
        g_auto(Waiter) queried = {0};
        g_autoptr(GError) error = NULL;
        VbVerdict verdict;

        g_test_message("%s", answers[i].body);
        check(f, &checked, f->caller, answers[i].interactive);
        answer(hear(f, "CheckAuthorization"), answers[i].body);
        if (answers[i].code == OK)
            assert_allowed(&checked, caller_uid());
        else
            assert_refused(&checked, answers[i].code, answers[i].text);

        query(f, &queried, f->caller);
        answer(hear(f, "CheckAuthorization"), answers[i].body);
        VB_WAIT_FOR(queried.result != NULL);
        if (vb_authority_query_finish(queried.result, &verdict, &error))
            g_assert_cmpint(verdict, ==, answers[i].verdict);
        else
            assert_message(error, VB_ERROR, VB_ERROR_FAILED, answers[i].text);
        g_assert_true((answers[i].verdict == OK) == (error != NULL));
    }
    g_assert_cmpstr(vb_verdict_to_string(VB_VERDICT_YES), ==, "yes");
    g_assert_cmpstr(vb_verdict_to_string(VB_VERDICT_CHALLENGE), ==, "challenge");
    g_assert_cmpstr(vb_verdict_to_string(VB_VERDICT_NO), ==, "no");
}

#define BUS_ERROR "org.freedesktop.DBus.Error."

static const struct {
    const char *name;
    VbError code;
    const char *text;
    int query_code; /* OK: it is a NO */
} errors[] = {
    {POLKIT_NAME ".Error.Failed", VB_ERROR_ACCESS_DENIED, "no answer: reason", VB_ERROR_FAILED},
    {POLKIT_NAME ".Error.Cancelled", VB_ERROR_ACCESS_DENIED, "no answer: reason", VB_ERROR_FAILED},
    {POLKIT_NAME ".Error.NotSupported", VB_ERROR_ACCESS_DENIED, "reason", VB_ERROR_FAILED},
    {POLKIT_NAME ".Error.NotAuthorized", VB_ERROR_ACCESS_DENIED, "reason", VB_ERROR_FAILED},
    {BUS_ERROR "AccessDenied", VB_ERROR_ACCESS_DENIED, "no answer: reason", VB_ERROR_FAILED},
    {BUS_ERROR "NoReply", VB_ERROR_ACCESS_DENIED, "no answer: reason", VB_ERROR_FAILED},
    {BUS_ERROR "UnknownMethod", VB_ERROR_ACCESS_DENIED, "no answer: reason", VB_ERROR_FAILED},
    {BUS_ERROR "LimitsExceeded", VB_ERROR_LIMITS_EXCEEDED, "reason", VB_ERROR_LIMITS_EXCEEDED},
    {BUS_ERROR "ServiceUnknown", VB_ERROR_ACCESS_DENIED, "not running", OK},
    {BUS_ERROR "NameHasNoOwner", VB_ERROR_ACCESS_DENIED, "not running", OK},
    {BUS_ERROR "Spawn.ChildExited", VB_ERROR_ACCESS_DENIED, "not running", OK},
    {"org.freedesktop.systemd1.UnitMasked", VB_ERROR_ACCESS_DENIED, "not running", OK},
};

static void test_errors(Fixture *f, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_auto(Waiter) checked = {0};
        g_auto(Waiter) queried = {0};
        g_autoptr(GError) error = NULL;
        VbVerdict verdict = VB_VERDICT_YES;

        check(f, &checked, f->caller, TRUE);
        g_dbus_method_invocation_return_dbus_error(hear(f, "CheckAuthorization"), errors[i].name,
                                                   "reason");
        assert_refused(&checked, errors[i].code, errors[i].text);

        query(f, &queried, f->caller);
        g_dbus_method_invocation_return_dbus_error(hear(f, "CheckAuthorization"), errors[i].name,
                                                   "reason");
        VB_WAIT_FOR(queried.result != NULL);
        if (vb_authority_query_finish(queried.result, &verdict, &error))
            g_assert_cmpint(verdict, ==, VB_VERDICT_NO);
        else
            assert_message(error, VB_ERROR, errors[i].query_code, "reason");
        g_assert_true((errors[i].query_code == OK) == (error == NULL));
    }
}

/* A check stays open while others are answered, and has no time limit. */
static void test_slow(Fixture *f, gconstpointer data)
{
    g_auto(Waiter) slow = {0};
    GDBusMethodInvocation *held;
    uint64_t until = 0;

    check(f, &slow, f->caller, TRUE);
    held = hear(f, "CheckAuthorization");
    g_assert_cmpint(sd_bus_get_timeout(vb_bus_connection(f->bus), &until), >=, 0);
    g_assert_cmpuint(until, ==, UINT64_MAX);
    for (guint i = 0; i < 20; i++) {
        g_auto(Waiter) quick = {0};
        check(f, &quick, f->caller, FALSE);
        answer(hear(f, "CheckAuthorization"), "((true, false, @a{ss} {}),)");
        assert_allowed(&quick, caller_uid());
    }
    g_assert_null(slow.result);
    answer(held, "((false, false, @a{ss} {}),)");
    assert_refused(&slow, VB_ERROR_ACCESS_DENIED, "is not authorized");
}

/* One verdict does not stand for the next. */
static void test_not_cached(Fixture *f, gconstpointer data)
{
    for (guint i = 0; i < 6; i++) {
        g_auto(Waiter) waiter = {0};
        check(f, &waiter, f->caller, FALSE);
        answer(hear(f, "CheckAuthorization"),
               i % 2 == 0 ? "((true, false, @a{ss} {}),)" : "((false, false, @a{ss} {}),)");
        if (i % 2 == 0)
            assert_allowed(&waiter, caller_uid());
        else
            assert_refused(&waiter, VB_ERROR_ACCESS_DENIED, "is not authorized");
    }
}

/* 300 of one caller, 16 at a time; each answered once. */
static void test_many(Fixture *f, gconstpointer data)
{
    Waiter *waiters = g_new0(Waiter, 300);
    GDBusMethodInvocation *held[VB_AUTHORITY_CHECKS_UID_MAX];

    for (guint i = 0; i < 300; i++)
        check(f, &waiters[i], f->caller, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(held); i++)
        held[i] = hear(f, "CheckAuthorization");
    assert_heard_nothing_but(f, 0);
    for (guint i = 0; i < 300; i++) {
        answer(held[i % G_N_ELEMENTS(held)], "((true, false, @a{ss} {}),)");
        assert_allowed(&waiters[i], caller_uid());
        if (i + G_N_ELEMENTS(held) < 300)
            held[i % G_N_ELEMENTS(held)] = hear(f, "CheckAuthorization");
    }
    for (guint i = 0; i < 300; i++)
        waiter_clear(&waiters[i]);
    g_free(waiters);
}

static void test_caller_leaves(Fixture *f, gconstpointer data)
{
    g_autoptr(GDBusConnection) other = connect_caller(f);
    g_autofree char *name = g_strdup(g_dbus_connection_get_unique_name(other));
    g_auto(Waiter) left = {0};
    g_auto(Waiter) stays = {0};
    g_auto(Waiter) late = {0};
    GDBusMethodInvocation *first, *second;

    check(f, &left, name, TRUE);
    first = hear(f, "CheckAuthorization");
    check(f, &stays, f->caller, TRUE);
    second = hear(f, "CheckAuthorization");
    g_assert_cmpstr(cancellation_id(first), !=, cancellation_id(second));

    hang_up(other);
    assert_cancel_heard(f, cancellation_id(first));
    assert_refused(&left, VB_ERROR_ACCESS_DENIED, "left the bus");
    g_assert_null(vb_senders_peek(vb_bus_senders(f->bus), name));
    answer(first, "((true, false, @a{ss} {}),)"); /* too late */

    /* its calls may still come */
    check(f, &late, name, TRUE);
    assert_refused(&late, VB_ERROR_ACCESS_DENIED, "uid is unknown");
    g_assert_null(vb_senders_peek(vb_bus_senders(f->bus), name));
    assert_heard_nothing_but(f, 0);
    g_assert_null(stays.result);
    answer(second, "((true, false, @a{ss} {}),)");
    assert_allowed(&stays, caller_uid());
}

static void test_cancelled(Fixture *f, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_auto(Waiter) waiter = {0};
    GDBusMethodInvocation *invocation;

    vb_authority_query_async(f->authority, f->caller, ACTION, NULL, cancellable, on_done, &waiter);
    invocation = hear(f, "CheckAuthorization");
    g_cancellable_cancel(cancellable);
    assert_cancel_heard(f, cancellation_id(invocation));
    VB_WAIT_FOR(waiter.result != NULL);
    g_assert_false(vb_authority_query_finish(waiter.result, NULL, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_dbus_method_invocation_return_dbus_error(invocation, POLKIT_NAME ".Error.Cancelled", "yes");
    assert_heard_nothing_but(f, 0);
}

static void test_freed(Fixture *f, gconstpointer data)
{
    g_auto(Waiter) waiter = {0};
    GDBusMethodInvocation *invocation;

    check(f, &waiter, f->caller, TRUE);
    invocation = hear(f, "CheckAuthorization");
    g_clear_pointer(&f->authority, vb_authority_free);
    assert_refused(&waiter, VB_ERROR_FAILED, "the daemon is ending");
    assert_cancel_heard(f, cancellation_id(invocation));
    answer(invocation, "((true, false, @a{ss} {}),)"); /* to nobody */
    assert_heard_nothing_but(f, 0);
}

static void test_absent(Fixture *f, gconstpointer data)
{
    g_auto(Waiter) checked = {0};
    g_auto(Waiter) queried = {0};
    g_autoptr(GError) error = NULL;
    VbVerdict verdict = VB_VERDICT_YES;

    stop_polkit(f);
    check(f, &checked, f->caller, TRUE);
    assert_refused(&checked, VB_ERROR_ACCESS_DENIED, "polkit is not running, so only root is");
    query(f, &queried, f->caller);
    VB_WAIT_FOR(queried.result != NULL);
    g_assert_true(vb_authority_query_finish(queried.result, &verdict, &error));
    g_assert_cmpint(verdict, ==, VB_VERDICT_NO);
}

static void on_polkit_call(GDBusConnection *connection, const char *sender, const char *path,
                           const char *interface, const char *method, GVariant *parameters,
                           GDBusMethodInvocation *invocation, gpointer data)
{
    g_ptr_array_add(data, invocation);
}

/* polkit dies with the questions in its hands, and another one takes over. */
static void test_dies(Fixture *f, gconstpointer data)
{
    static const GDBusInterfaceVTable vtable = {.method_call = on_polkit_call};
    g_autoptr(GDBusConnection) polkit = connect_caller(f);
    g_autoptr(GPtrArray) questions = g_ptr_array_new_with_free_func(g_object_unref);
    g_autoptr(GVariant) owned = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(Waiter) after = {0};
    Waiter waiters[20] = {0};

    stop_polkit(f);
    g_dbus_connection_register_object(polkit, POLKIT_PATH, f->polkit_info->interfaces[0], &vtable,
                                      questions, NULL, &error);
    g_assert_no_error(error);
    owned = g_dbus_connection_call_sync(polkit, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "RequestName",
                                        g_variant_new("(su)", POLKIT_NAME, 4u), NULL,
                                        G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
    g_assert_no_error(error);
    VB_WAIT_FOR(f->polkit_is_there);

    for (guint i = 0; i < G_N_ELEMENTS(waiters); i++)
        check(f, &waiters[i], f->caller, FALSE);
    VB_WAIT_FOR(questions->len == VB_AUTHORITY_CHECKS_UID_MAX);
    hang_up(polkit);
    /* those that it had end with NoReply; those that waited find nobody */
    for (guint i = 0; i < G_N_ELEMENTS(waiters); i++) {
        assert_refused(
            &waiters[i], VB_ERROR_ACCESS_DENIED,
            i < VB_AUTHORITY_CHECKS_UID_MAX ? "polkit gave no answer" : "polkit is not running");
        waiter_clear(&waiters[i]);
    }

    VB_WAIT_FOR(!f->polkit_is_there);
    start_polkit(f);
    check(f, &after, f->caller, FALSE);
    answer(hear(f, "CheckAuthorization"), "((true, false, @a{ss} {}),)");
    assert_allowed(&after, caller_uid());
}

/* On a session instance nobody is asked about. */
static void test_session(Fixture *f, gconstpointer data)
{
    gboolean owner = geteuid() != 0; /* is the caller who we are? */
    g_auto(Waiter) checked = {0};
    g_auto(Waiter) queried = {0};
    VbVerdict verdict = VB_VERDICT_CHALLENGE;

    vb_authority_free(f->authority);
    f->authority = vb_authority_new(f->bus, TRUE);
    check(f, &checked, f->caller, TRUE);
    if (owner)
        assert_allowed(&checked, caller_uid());
    else
        assert_refused(&checked, VB_ERROR_ACCESS_DENIED, "uid 65534 is not authorized");
    query(f, &queried, f->caller);
    VB_WAIT_FOR(queried.result != NULL);
    g_assert_true(vb_authority_query_finish(queried.result, &verdict, NULL));
    g_assert_cmpint(verdict, ==, owner ? VB_VERDICT_YES : VB_VERDICT_NO);
    assert_heard_nothing_but(f, 0);
}

/* The bus and its directory are NOBODY's: where GTestDBus puts its files must be, too. */
static char *make_tmp_dir(void)
{
    const char *parent = g_getenv("TMPDIR");
    char *dir = g_build_filename(parent != NULL ? parent : "/tmp", "vbt-XXXXXX", NULL);

    g_assert_nonnull(g_mkdtemp(dir));
    if (geteuid() == 0)
        g_assert_cmpint(chown(dir, NOBODY, (gid_t)-1), ==, 0);
    g_setenv("TMPDIR", dir, TRUE);
    return dir;
}

/* GTestDBus forks a watcher with the first bus of a process. It checks for leaks when it ends,
 * which it cannot as somebody else. */
static void fork_watcher(void)
{
    g_autoptr(GTestDBus) bus = g_test_dbus_new(G_TEST_DBUS_NONE);

    g_test_dbus_up(bus);
    g_test_dbus_down(bus);
}

/* libglib-testing, which has no log domain, tells of every message. */
static void ignore_log(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
}

#define ADD(name, func)                                                                            \
    g_test_add("/service/authority/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_autofree char *dir = make_tmp_dir();
    int status;

    g_test_init(&argc, &argv, NULL);
    fork_watcher();
    g_log_set_handler(NULL, G_LOG_LEVEL_DEBUG, ignore_log, NULL);
    ADD("question", test_question);
    ADD("answers", test_answers);
    ADD("errors", test_errors);
    ADD("slow", test_slow);
    ADD("not-cached", test_not_cached);
    ADD("many", test_many);
    ADD("caller-leaves", test_caller_leaves);
    ADD("cancelled", test_cancelled);
    ADD("freed", test_freed);
    ADD("absent", test_absent);
    ADD("dies", test_dies);
    ADD("session", test_session);
    status = g_test_run();
    vb_remove_tree(dir);
    return status;
}
