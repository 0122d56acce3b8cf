/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * qmp-client.c against a peer written out by hand: what is on the wire, in which order everything
 * is delivered, and every way in which a connection ends. */
#include "qmp-client.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "fd.h"
#include "json-get.h"
#include "json-limits.h"
#include "qmp-args.h"
#include "thread-time.h"
#include "time-share.h"
#include "wait.h"

#define GREETING                                                                                   \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "             \
    "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"

typedef struct Fixture Fixture;
struct Fixture {
    VbQmp *qmp;
    int peer;
    VbJsonScanner *commands; /* what the peer has received */
    GString *log;            /* everything that was delivered, one word each */
    guint disconnected;
    guint flooding;
    void (*in_event)(Fixture *fixture); /* run from within the event callback */
    gint64 timestamp_us;
};

static void on_event(VbQmp *qmp, const char *name, JsonObject *data, gint64 timestamp_us,
                     gpointer user_data)
{
    Fixture *f = user_data;

    g_assert_nonnull(data);
    g_string_append_printf(f->log, "%s ", name);
    f->timestamp_us = timestamp_us;
    if (f->in_event)
        f->in_event(f);
}

static void on_disconnected(VbQmp *qmp, const GError *reason, gpointer user_data)
{
    Fixture *f = user_data;

    g_assert_error(reason, VB_ERROR, VB_ERROR_HYPERVISOR);
    g_assert_nonnull(strstr(reason->message, "closed"));
    g_assert_cmpint(vb_qmp_state(qmp), ==, VB_QMP_DISCONNECTED);
    g_string_append(f->log, "disconnected ");
    f->disconnected++;
}

static void on_flooding(VbQmp *qmp, gpointer user_data)
{
    Fixture *f = user_data;

    f->flooding++;
}

static const VbQmpCallbacks callbacks = {on_event, on_disconnected, on_flooding};

/* What a call ended with: its tag, and the error's code or "ok". */
typedef struct {
    Fixture *fixture;
    const char *tag;
    void (*in_reply)(Fixture *fixture);
} Expectation;

static void log_result(Fixture *f, const char *tag, const GError *error)
{
    g_string_append_printf(f->log, "%s=", tag);
    if (!error)
        g_string_append(f->log, "ok ");
    else if (g_error_matches(error, VB_ERROR, VB_ERROR_HYPERVISOR))
        g_string_append(f->log, "refused ");
    else if (g_error_matches(error, VB_ERROR, VB_ERROR_TIMEOUT))
        g_string_append(f->log, "timeout ");
    else if (g_error_matches(error, VB_ERROR, VB_ERROR_INVALID_STATE))
        g_string_append(f->log, "state ");
    else if (g_error_matches(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED))
        g_string_append(f->log, "limits ");
    else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_string_append(f->log, "cancelled ");
    else
        g_assert_no_error(error);
}

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Expectation *expectation = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    g_assert_true((value == NULL) == (error != NULL));
    log_result(expectation->fixture, expectation->tag, error);
    if (expectation->in_reply)
        expectation->in_reply(expectation->fixture);
}

static void on_started(GObject *source, GAsyncResult *result, gpointer data)
{
    Fixture *f = data;
    g_autoptr(GError) error = NULL;

    g_assert_true(vb_qmp_start_finish(result, &error) == (error == NULL));
    log_result(f, "start", error);
}

static void call_full(Fixture *f, const char *tag, guint timeout_ms, GCancellable *cancellable,
                      void (*in_reply)(Fixture *))
{
    Expectation *expectation = g_new(Expectation, 1);

    *expectation = (Expectation){.fixture = f, .tag = tag, .in_reply = in_reply};
    vb_qmp_call_async(f->qmp, tag, NULL, timeout_ms, cancellable, on_reply, expectation);
}

static void call(Fixture *f, const char *tag)
{
    call_full(f, tag, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, NULL);
}

static void say(Fixture *f, const char *text)
{
    gsize size = strlen(text);

    g_assert_cmpint(send(f->peer, text, size, MSG_NOSIGNAL), ==, (gssize)size);
}

static void say_event(Fixture *f, const char *name)
{
    g_autofree char *text = g_strdup_printf("{\"event\": \"%s\"}\r\n", name);

    say(f, text);
}

/* The peer's next command; waits for it. Returns its id. */
static gint64 expect_command(Fixture *f, const char *command)
{
    gint64 id;

    for (;;) {
        g_autoptr(JsonNode) node = vb_json_scanner_pop(f->commands, NULL);
        char chunk[65536];
        ssize_t n;

        if (node) {
            JsonObject *message = vb_json_node_object(node);
            g_assert_cmpstr(vb_json_get_string(message, "execute"), ==, command);
            g_assert_true(vb_json_get_int(message, "id", &id));
            return id;
        }
        VB_WAIT_FOR((n = recv(f->peer, chunk, sizeof chunk, MSG_DONTWAIT)) > 0);
        g_assert_true(vb_json_scanner_push(f->commands, chunk, (gsize)n, NULL));
    }
}

/* Nothing more was sent by the client. */
static void expect_silence(Fixture *f)
{
    char byte;

    g_assert_null(vb_json_scanner_pop(f->commands, NULL));
    g_assert_cmpint(recv(f->peer, &byte, 1, MSG_DONTWAIT), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
}

static void say_return(Fixture *f, gint64 id)
{
    g_autofree char *text =
        g_strdup_printf("{\"return\": {}, \"id\": %" G_GINT64_FORMAT "}\r\n", id);

    say(f, text);
}

static void expect_log(Fixture *f, const char *expected)
{
    VB_WAIT_FOR(f->log->len >= strlen(expected));
    g_assert_cmpstr(f->log->str, ==, expected);
    g_string_truncate(f->log, 0);
}

/* Runs everything that is ready. */
static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static void fixture_set_up(Fixture *f, gconstpointer data)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    f->peer = pair[0];
    f->commands = vb_json_scanner_new();
    f->log = g_string_new(NULL);
    f->qmp = vb_qmp_new(pair[1], &callbacks, f);
}

static void fixture_start(Fixture *f, gconstpointer data)
{
    fixture_set_up(f, data);
    vb_qmp_start_async(f->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_started, f);
    say(f, GREETING);
    say_return(f, expect_command(f, "qmp_capabilities"));
    expect_log(f, "start=ok ");
}

static void fixture_tear_down(Fixture *f, gconstpointer data)
{
    g_clear_pointer(&f->qmp, vb_qmp_free);
    settle();
    vb_json_scanner_free(f->commands);
    g_string_free(f->log, TRUE);
    vb_clear_fd(&f->peer);
}

static void hang_up(Fixture *f)
{
    vb_clear_fd(&f->peer);
}

/* -- the handshake */

static void test_handshake(Fixture *f, gconstpointer data)
{
    gint64 id;

    g_assert_cmpint(vb_qmp_state(f->qmp), ==, VB_QMP_GREETING);
    vb_qmp_start_async(f->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_started, f);
    call(f, "early");
    expect_log(f, "early=state ");
    expect_silence(f);
    say(f, GREETING);
    id = expect_command(f, "qmp_capabilities");
    g_assert_cmpint(vb_qmp_state(f->qmp), ==, VB_QMP_NEGOTIATING);
    g_assert_cmpuint(vb_qmp_version(f->qmp), ==, 7002022);
    call(f, "early");
    expect_log(f, "early=state ");
    say_return(f, id);
    expect_log(f, "start=ok ");
    g_assert_cmpint(vb_qmp_state(f->qmp), ==, VB_QMP_RUNNING);
}

static void test_handshake_refused(Fixture *f, gconstpointer data)
{
    vb_qmp_start_async(f->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_started, f);
    say(f, GREETING);
    expect_command(f, "qmp_capabilities");
    say(f, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 1}");
    expect_log(f, "start=refused disconnected ");
}

static void test_no_greeting(Fixture *f, gconstpointer data)
{
    vb_qmp_start_async(f->qmp, 20, NULL, on_started, f);
    expect_log(f, "start=timeout disconnected ");
}

static void test_start_cancelled(Fixture *f, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    vb_qmp_start_async(f->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, cancellable, on_started, f);
    settle();
    g_cancellable_cancel(cancellable);
    expect_log(f, "start=cancelled disconnected ");
}

static void test_other_greeting(Fixture *f, gconstpointer data)
{
    vb_qmp_start_async(f->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_started, f);
    say(f, data);
    expect_log(f, "start=refused disconnected ");
}

static void test_closed_before_start(Fixture *f, gconstpointer data)
{
    vb_qmp_close(f->qmp);
    vb_qmp_start_async(f->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_started, f);
    g_assert_cmpstr(f->log->str, ==, "");
    VB_WAIT_FOR(f->log->len == strlen("disconnected start=refused "));
    g_assert_cmpuint(f->disconnected, ==, 1);
}

/* -- calls */

static void test_value_and_arguments(Fixture *f, gconstpointer data)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
    g_autoptr(JsonNode) node = NULL;
    Expectation *expectation = g_new(Expectation, 1);
    char wire[256];
    ssize_t n;

    *expectation = (Expectation){.fixture = f, .tag = "done"};
    vb_qmp_call_async(f->qmp, "block-job-cancel", vb_qmp_args(VB_ARG_STRING("device", "a\"b")),
                      1000, NULL, on_reply, expectation);
    VB_WAIT_FOR((n = recv(f->peer, wire, sizeof wire, MSG_DONTWAIT)) > 0);
    wire[n] = '\0';
    g_assert_cmpstr(wire, ==,
                    "{\"execute\":\"block-job-cancel\",\"arguments\":{\"device\":\"a\\\"b\"},"
                    "\"id\":2}");
    say(f, "{\"return\": [1], \"id\": 2}");
    expect_log(f, "done=ok ");
}

typedef struct {
    VbQmpErrorClass class;
    char *message;
} Refusal;

static void on_refused(GObject *source, GAsyncResult *result, gpointer data)
{
    Refusal *refusal = data;
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_qmp_call_finish(result, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    refusal->class = vb_qmp_call_error_class(result);
    refusal->message = g_strdup(error->message);
}

static void test_error_classes(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *name;
        VbQmpErrorClass class;
    } cases[] = {
        {"GenericError", VB_QMP_ERROR_GENERIC},
        {"CommandNotFound", VB_QMP_ERROR_COMMAND_NOT_FOUND},
        {"DeviceNotActive", VB_QMP_ERROR_DEVICE_NOT_ACTIVE},
        {"DeviceNotFound", VB_QMP_ERROR_DEVICE_NOT_FOUND},
        {"KVMMissingCap", VB_QMP_ERROR_KVM_MISSING_CAP},
        {"SomethingNew", VB_QMP_ERROR_GENERIC},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = NULL;
        Refusal refusal = {VB_QMP_ERROR_NONE, NULL};

        vb_qmp_call_async(f->qmp, "job-cancel", NULL, 0, NULL, on_refused, &refusal);
        text = g_strdup_printf("{\"id\": %" G_GINT64_FORMAT
                               ", \"error\": {\"class\": \"%s\", \"desc\": \"no\\nway\"}}",
                               expect_command(f, "job-cancel"), cases[i].name);
        say(f, text);
        VB_WAIT_FOR(refusal.message);
        g_assert_cmpint(refusal.class, ==, cases[i].class);
        g_assert_cmpstr(refusal.message, ==, "QEMU refused job-cancel: no way");
        g_free(refusal.message);
    }
}

static void test_ids_out_of_order(Fixture *f, gconstpointer data)
{
    gint64 a, b, c;

    call(f, "a");
    call(f, "b");
    call(f, "c");
    a = expect_command(f, "a");
    b = expect_command(f, "b");
    c = expect_command(f, "c");
    say_return(f, c);
    say_return(f, a);
    say_return(f, b);
    expect_log(f, "c=ok a=ok b=ok ");
}

static void test_unknown_id(Fixture *f, gconstpointer data)
{
    call(f, "a");
    expect_command(f, "a");
    say_return(f, 99);
    expect_log(f, "a=refused disconnected ");
}

static void test_protocol_errors(Fixture *f, gconstpointer data)
{
    call(f, "a");
    expect_command(f, "a");
    say_event(f, "BEFORE"); /* what came whole still counts */
    say(f, data);
    expect_log(f, "BEFORE a=refused disconnected ");
}

static void test_deadline(Fixture *f, gconstpointer data)
{
    gint64 slow, quick;

    call_full(f, "slow", 500, NULL, NULL); /* time enough to be sent */
    call(f, "quick");
    slow = expect_command(f, "slow");
    quick = expect_command(f, "quick");
    expect_log(f, "slow=timeout ");
    say_return(f, slow); /* too late: dropped */
    say_return(f, quick);
    say_return(f, quick); /* answered already: dropped */
    say_event(f, "LAST");
    expect_log(f, "quick=ok LAST ");
    g_assert_cmpuint(f->disconnected, ==, 0);
}

static void test_cancel(Fixture *f, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    gint64 id;

    call_full(f, "a", 0, cancellable, NULL);
    id = expect_command(f, "a");
    g_cancellable_cancel(cancellable);
    g_assert_cmpstr(f->log->str, ==, "");
    expect_log(f, "a=cancelled ");
    say_return(f, id);
    call_full(f, "b", 0, cancellable, NULL); /* cancelled before it is made: never sent */
    expect_log(f, "b=cancelled ");
    call(f, "c");
    say_return(f, expect_command(f, "c"));
    expect_log(f, "c=ok ");
}

/* A reply that has been received wins over the cancellable. */
static GCancellable *late_cancellable;

static void cancel_late(Fixture *f)
{
    g_cancellable_cancel(late_cancellable);
}

static void test_cancel_after_reply(Fixture *f, gconstpointer data)
{
    gint64 a, b;

    late_cancellable = g_cancellable_new();
    call_full(f, "a", 0, NULL, cancel_late);
    call_full(f, "b", 0, late_cancellable, NULL);
    a = expect_command(f, "a");
    b = expect_command(f, "b");
    say_return(f, a);
    say_return(f, b);
    VB_WAIT_FOR(strstr(f->log->str, "b="));
    g_assert_cmpstr(f->log->str, ==, "a=ok b=ok ");
    g_clear_object(&late_cancellable);
}

/* A monitor that reads nothing: what was not sent never is. */
static void test_unsent_is_dropped(Fixture *f, gconstpointer data)
{
    g_autofree char *text = g_strnfill(VB_JSON_MAX_STRING, 'x');
    JsonArray *texts = json_array_new(); /* 4 MiB */
    JsonObject *arguments = json_object_new();
    g_autoptr(GCancellable) first = g_cancellable_new();
    g_autoptr(GCancellable) second = g_cancellable_new();
    Expectation *expectation = g_new(Expectation, 1);
    char byte;

    *expectation = (Expectation){.fixture = f, .tag = "long"};
    for (guint i = 0; i < 64; i++)
        json_array_add_string_element(texts, text);
    json_object_set_array_member(arguments, "x", texts);
    vb_qmp_call_async(f->qmp, "long", arguments, 0, first, on_reply, expectation);
    VB_WAIT_FOR(recv(f->peer, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1); /* the socket is full */
    call_full(f, "expired", 20, NULL, NULL);
    expect_log(f, "expired=timeout ");
    call_full(f, "cancelled", 0, second, NULL);
    g_cancellable_cancel(second);
    expect_log(f, "cancelled=cancelled ");
    g_cancellable_cancel(first);
    expect_log(f, "long=cancelled ");
    call(f, "next");
    expect_command(f, "long"); /* it had been begun, so it is completed */
    say_return(f, expect_command(f, "next"));
    expect_log(f, "next=ok ");
    expect_silence(f);
}

static void test_fd(Fixture *f, gconstpointer data)
{
    Expectation *expectation = g_new(Expectation, 1);
    char wire[256];
    struct iovec iov = {wire, sizeof wire};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header;
    vb_autofd int received = -1;
    vb_autofd int reader = -1;
    char byte;
    int pair[2];

    g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
    reader = pair[0];
    *expectation = (Expectation){.fixture = f, .tag = "getfd"};
    vb_qmp_call_with_fd_async(f->qmp, "getfd", vb_qmp_args(VB_ARG_STRING("fdname", "x")), pair[1],
                              0, NULL, on_reply, expectation);
    VB_WAIT_FOR(recvmsg(f->peer, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0);
    header = CMSG_FIRSTHDR(&message);
    g_assert_nonnull(header);
    g_assert_cmpint(header->cmsg_type, ==, SCM_RIGHTS);
    memcpy(&received, CMSG_DATA(header), sizeof received);
    g_assert_cmpint(write(received, "x", 1), ==, 1);
    g_assert_cmpint(read(reader, &byte, 1), ==, 1);
    vb_clear_fd(&received);
    g_assert_cmpint(read(reader, &byte, 1), ==, 0); /* the client kept no copy */
    say(f, "{\"return\": {}, \"id\": 2}");
    expect_log(f, "getfd=ok ");
}

/* -- order */

static void test_order(Fixture *f, gconstpointer data)
{
    gint64 a, b;

    call(f, "a");
    call(f, "b");
    a = expect_command(f, "a");
    b = expect_command(f, "b");
    say_event(f, "E1");
    say_return(f, a);
    say_event(f, "E2");
    say_event(f, "E3");
    say_return(f, b);
    say_event(f, "E4");
    expect_log(f, "E1 a=ok E2 E3 b=ok E4 ");
}

static gboolean call_from_source(gpointer data)
{
    call(data, "a");
    return G_SOURCE_REMOVE;
}

/* An answer to what has not been asked yet. */
static void test_premature_reply(Fixture *f, gconstpointer data)
{
    say_return(f, 2); /* the next id */
    g_idle_add_full(G_PRIORITY_HIGH, call_from_source, f, NULL);
    expect_log(f, "a=refused disconnected ");
}

static void call_and_close(Fixture *f)
{
    call(f, "inner");
    vb_qmp_close(f->qmp);
}

static gboolean call_twice_and_close(gpointer data)
{
    Fixture *f = data;

    call(f, "a");
    call_full(f, "b", 0, NULL, call_and_close);
    call(f, "c");
    vb_qmp_close(f->qmp);
    g_assert_cmpstr(f->log->str, ==, "");
    return G_SOURCE_REMOVE;
}

/* All fail in order, and `disconnected` waits for the callbacks that GTask puts off. */
static void test_close_in_one_iteration(Fixture *f, gconstpointer data)
{
    g_idle_add_full(G_PRIORITY_HIGH, call_twice_and_close, f, NULL);
    VB_WAIT_FOR(f->disconnected);
    settle();
    g_assert_true(g_str_has_prefix(f->log->str, "a=refused b=refused "));
    g_assert_nonnull(strstr(f->log->str, "c=refused disconnected "));
    g_assert_nonnull(strstr(f->log->str, "inner=refused"));
    g_assert_cmpuint(f->disconnected, ==, 1);
}

static void test_event_content(Fixture *f, gconstpointer data)
{
    say(f,
        "{\"event\": \"A\", \"data\": 7, \"timestamp\": {\"seconds\": 12, \"microseconds\": 34}}");
    expect_log(f, "A ");
    g_assert_cmpint(f->timestamp_us, ==, 12000034);
    say(f, "{\"event\": \"B\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}");
    expect_log(f, "B ");
    g_assert_cmpint(f->timestamp_us, ==, 0);
}

static void send_all(Fixture *f, const GString *text)
{
    gsize sent = 0;

    while (sent < text->len) {
        ssize_t n = send(f->peer, text->str + sent, text->len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (gsize)n;
        else
            g_main_context_iteration(NULL, TRUE);
    }
}

static void test_flood(Fixture *f, gconstpointer data)
{
    enum { N = 20000 };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);

    for (guint i = 0; i < N; i++) {
        g_string_append_printf(text, "{\"event\": \"E%u\", \"data\": {\"x\": %u}}\r\n", i, i);
        g_string_append_printf(expected, "E%u ", i);
    }
    send_all(f, text);
    expect_log(f, expected->str);
}

/* An event that costs a millisecond. */
static void take_long(Fixture *f)
{
    gint64 begin = vb_thread_time();

    while (vb_thread_time() - begin < 1000)
        continue;
}

static gboolean count_turn(gpointer turns)
{
    ++*(guint *)turns;
    return G_SOURCE_CONTINUE;
}

/* So many events of a millisecond that QEMU has to wait for two seconds when its credit is spent.
 */
#define N_TO_WAIT                                                                                  \
    ((guint)((2000 + VB_TIME_SHARE_CREDIT / 1000 * VB_TIME_SHARE_PART) / (VB_TIME_SHARE_PART - 1)))

/* Beyond the credit everything takes so much longer, and between any two slices everybody else has
 * a turn. */
static void test_share(Fixture *f, gconstpointer data)
{
    const guint n = N_TO_WAIT;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);
    guint turns = 0;
    guint other = g_timeout_add(0, count_turn, &turns);
    gint64 begin = g_get_monotonic_time();

    f->in_event = take_long;
    for (guint i = 0; i < n; i++) {
        g_string_append(text, "{\"event\": \"E\"}\r\n");
        g_string_append(expected, "E ");
    }
    send_all(f, text);
    expect_log(f, expected->str);
    gint64 took = g_get_monotonic_time() - begin;
    g_test_message("%u ms of work took %.0f ms", n, took / 1000.0);
    g_assert_cmpint(took, >=,
                    ((gint64)n * 1000 - VB_TIME_SHARE_CREDIT - 10000) * VB_TIME_SHARE_PART);
    g_assert_cmpuint(turns, >=, n / 4);
    g_assert_cmpuint(f->flooding, ==, 1);
    g_source_remove(other);
}

/* While it has to wait for its share, a QEMU that has hung up costs nothing, and its calls'
 * deadlines hold; all that it said is delivered before the end. */
static void test_share_hang_up(Fixture *f, gconstpointer data)
{
    const guint n = VB_TIME_SHARE_CREDIT / 1000 + 50;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);

    call_full(f, "a", 1, NULL, NULL);
    expect_command(f, "a");
    expect_log(f, "a=timeout ");
    f->in_event = take_long;
    for (guint i = 0; i < n; i++) {
        g_string_append(text, "{\"event\": \"E\"}\r\n");
        g_string_append(expected, "E ");
    }
    say(f, text->str);
    hang_up(f);
    g_string_append(expected, "disconnected ");
    gint64 begin = g_get_monotonic_time(), used = vb_thread_time();
    expect_log(f, expected->str);
    used = vb_thread_time() - used;
    g_test_message("the end came after %.0f ms; %.0f of them were worked",
                   (g_get_monotonic_time() - begin) / 1000.0, used / 1000.0);
    g_assert_cmpint(used, <, (n + 200) * 1000);
}

/* A QEMU that answers nothing is not asked without end. */
static void test_many_calls(Fixture *f, gconstpointer data)
{
    g_autoptr(GString) expected = g_string_new("limits=limits ");

    for (guint i = 0; i < 1024; i++) {
        call(f, "c");
        g_string_append(expected, "c=refused ");
    }
    call(f, "limits");
    VB_WAIT_FOR(f->log->len > 0);
    hang_up(f);
    g_string_append(expected, "disconnected ");
    expect_log(f, expected->str);
}

/* -- holding events */

static void test_hold(Fixture *f, gconstpointer data)
{
    gint64 a, b;

    vb_qmp_hold_events(f->qmp);
    call(f, "a");
    a = expect_command(f, "a");
    say_event(f, "E1");
    say_event(f, "E2");
    say_return(f, a);
    expect_log(f, "a=ok ");
    call(f, "b");
    b = expect_command(f, "b");
    vb_qmp_release_events(f->qmp);
    g_assert_cmpstr(f->log->str, ==, "");
    say_return(f, b);
    say_event(f, "E3");
    expect_log(f, "E1 E2 b=ok E3 ");
}

static void test_hold_until_eof(Fixture *f, gconstpointer data)
{
    vb_qmp_hold_events(f->qmp);
    call(f, "a");
    expect_command(f, "a");
    say_event(f, "E1");
    settle();
    g_assert_cmpstr(f->log->str, ==, "");
    hang_up(f);
    expect_log(f, "E1 a=refused disconnected ");
}

/* Even those of a handshake that never ended. */
static void test_hold_until_timeout(Fixture *f, gconstpointer data)
{
    vb_qmp_hold_events(f->qmp);
    vb_qmp_start_async(f->qmp, 500, NULL, on_started, f); /* time enough for the rest */
    say(f, GREETING);
    expect_command(f, "qmp_capabilities");
    say_event(f, "E1");
    settle();
    g_assert_cmpstr(f->log->str, ==, "");
    expect_log(f, "start=timeout E1 disconnected ");
}

static void test_hold_flood(Fixture *f, gconstpointer data)
{
    g_autofree char *filler = g_strnfill(60000, 'x');
    g_autofree char *event =
        g_strdup_printf("{\"event\": \"E\", \"data\": {\"x\": \"%s\"}}", filler);
    gsize size = strlen(event);

    vb_qmp_hold_events(f->qmp);
    for (gsize sent = 0; !f->disconnected;) {
        ssize_t n = send(f->peer, event + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent = (sent + (gsize)n) % size;
        else
            g_main_context_iteration(NULL, n < 0 && errno == EAGAIN);
        g_assert_cmpuint(f->log->len, <, 256);
    }
    g_assert_true(g_str_has_suffix(f->log->str, "E disconnected "));
}

/* -- ends */

static void test_eof_with_many_pending(Fixture *f, gconstpointer data)
{
    static const char *const tags[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
    g_autoptr(GString) expected = g_string_new("LAST ");

    for (guint i = 0; i < G_N_ELEMENTS(tags); i++) {
        call(f, tags[i]);
        g_string_append_printf(expected, "%s=refused ", tags[i]);
    }
    g_string_append(expected, "disconnected ");
    expect_command(f, "c0");
    say_event(f, "LAST");
    hang_up(f);
    expect_log(f, expected->str);
    settle();
    g_assert_cmpuint(f->disconnected, ==, 1);
    call(f, "after");
    g_assert_cmpstr(f->log->str, ==, "");
    expect_log(f, "after=refused ");
}

static void test_eof_within_message(Fixture *f, gconstpointer data)
{
    say(f, "{\"event\": \"CUT");
    settle();
    hang_up(f);
    expect_log(f, "disconnected ");
}

/* QEMU reads no more, but its last words are there. */
static void test_last_words(Fixture *f, gconstpointer data)
{
    say_event(f, "SHUTDOWN");
    hang_up(f);
    call(f, "a");
    expect_log(f, "SHUTDOWN a=refused disconnected ");
}

static void test_peer_stops_reading(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(shutdown(f->peer, SHUT_RD), ==, 0);
    say_event(f, "E1");
    call(f, "a");
    expect_log(f, "E1 a=refused disconnected ");
}

static void test_close(Fixture *f, gconstpointer data)
{
    call(f, "a");
    call(f, "b");
    say_event(f, "UNSEEN");
    vb_qmp_close(f->qmp);
    vb_qmp_close(f->qmp);
    g_assert_cmpstr(f->log->str, ==, "");
    expect_log(f, "a=refused b=refused disconnected ");
}

static void close_it(Fixture *f)
{
    f->in_event = NULL;
    vb_qmp_close(f->qmp);
}

static void test_close_in_event(Fixture *f, gconstpointer data)
{
    call(f, "a");
    expect_command(f, "a");
    f->in_event = close_it;
    say(f, "{\"event\": \"E1\"}{\"event\": \"UNSEEN\"}");
    expect_log(f, "E1 a=refused disconnected ");
}

static void free_it(Fixture *f)
{
    f->in_event = NULL;
    g_clear_pointer(&f->qmp, vb_qmp_free);
}

static void test_free_in_event(Fixture *f, gconstpointer data)
{
    call(f, "a");
    expect_command(f, "a");
    f->in_event = free_it;
    say(f, "{\"event\": \"E1\"}{\"event\": \"UNSEEN\"}");
    expect_log(f, "E1 a=refused ");
    settle();
    g_assert_cmpuint(f->disconnected, ==, 0);
}

static void test_free_in_idle_event(Fixture *f, gconstpointer data)
{
    f->in_event = free_it;
    say(f, "{\"event\": \"E1\"}{\"event\": \"UNSEEN\"}");
    expect_log(f, "E1 ");
    g_assert_null(f->qmp);
}

static void test_free_in_reply(Fixture *f, gconstpointer data)
{
    call_full(f, "a", 0, NULL, free_it);
    call(f, "b");
    say_return(f, expect_command(f, "a"));
    expect_log(f, "a=ok b=refused ");
    settle();
    g_assert_cmpuint(f->disconnected, ==, 0);
}

/* Freed by the first call that fails, while others wait to be failed. */
static void test_free_in_failure(Fixture *f, gconstpointer data)
{
    call_full(f, "a", 0, NULL, free_it);
    call(f, "b");
    expect_command(f, "a");
    hang_up(f);
    expect_log(f, "a=refused b=refused ");
    settle();
    g_assert_cmpuint(f->disconnected, ==, 0);
}

static void test_free_in_timeout(Fixture *f, gconstpointer data)
{
    call_full(f, "a", 20, NULL, free_it);
    call(f, "b");
    expect_log(f, "a=timeout b=refused ");
}

static void call_more(Fixture *f)
{
    f->in_event = NULL;
    call(f, "inner");
}

static void test_call_in_event(Fixture *f, gconstpointer data)
{
    f->in_event = call_more;
    say_event(f, "E1");
    say_return(f, expect_command(f, "inner"));
    expect_log(f, "E1 inner=ok ");
}

static void release_it(Fixture *f)
{
    vb_qmp_release_events(f->qmp);
}

static void test_release_in_timeout(Fixture *f, gconstpointer data)
{
    vb_qmp_hold_events(f->qmp);
    say_event(f, "E1");
    call_full(f, "a", 20, NULL, release_it);
    expect_log(f, "a=timeout E1 ");
}

#define ADD(path, test) g_test_add(path, Fixture, NULL, fixture_start, test, fixture_tear_down)
#define ADD_RAW(path, test, data)                                                                  \
    g_test_add(path, Fixture, data, fixture_set_up, test, fixture_tear_down)
#define ADD_BROKEN(path, data)                                                                     \
    g_test_add(path, Fixture, data, fixture_start, test_protocol_errors, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_RAW("/qmp/handshake", test_handshake, NULL);
    ADD_RAW("/qmp/handshake/refused", test_handshake_refused, NULL);
    ADD_RAW("/qmp/handshake/no-greeting", test_no_greeting, NULL);
    ADD_RAW("/qmp/handshake/cancelled", test_start_cancelled, NULL);
    ADD_RAW("/qmp/handshake/garbage", test_other_greeting, "SSH-2.0-OpenSSH\r\n");
    ADD_RAW("/qmp/handshake/other-object", test_other_greeting, "{\"return\": {}}");
    ADD_RAW("/qmp/handshake/no-version", test_other_greeting, "{\"QMP\": {\"version\": 7}}");
    ADD_RAW("/qmp/handshake/array", test_other_greeting, "[]");
    ADD_RAW("/qmp/handshake/closed", test_closed_before_start, NULL);
    ADD("/qmp/call/value", test_value_and_arguments);
    ADD("/qmp/call/error-classes", test_error_classes);
    ADD("/qmp/call/out-of-order", test_ids_out_of_order);
    ADD("/qmp/call/unknown-id", test_unknown_id);
    ADD("/qmp/call/deadline", test_deadline);
    ADD("/qmp/call/cancel", test_cancel);
    ADD("/qmp/call/cancel-after-reply", test_cancel_after_reply);
    ADD("/qmp/call/unsent", test_unsent_is_dropped);
    ADD("/qmp/call/fd", test_fd);
    ADD_BROKEN("/qmp/broken/garbage", "garbage");
    ADD_BROKEN("/qmp/broken/array", "[1]");
    ADD_BROKEN("/qmp/broken/no-id", "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}");
    ADD_BROKEN("/qmp/broken/string-id", "{\"return\": {}, \"id\": \"2\"}");
    ADD_BROKEN("/qmp/broken/neither", "{\"id\": 2}");
    ADD_BROKEN("/qmp/broken/event-type", "{\"event\": 5}");
    ADD_BROKEN("/qmp/broken/utf8", "{\"event\": \"\xff\"}");
    ADD_BROKEN("/qmp/broken/grammar", "{\"event\" \"X\"}");
    ADD("/qmp/order", test_order);
    ADD("/qmp/call/premature-reply", test_premature_reply);
    ADD("/qmp/order/close", test_close_in_one_iteration);
    ADD("/qmp/event/content", test_event_content);
    ADD("/qmp/event/flood", test_flood);
    ADD("/qmp/share", test_share);
    ADD("/qmp/share/hang-up", test_share_hang_up);
    ADD("/qmp/call/many", test_many_calls);
    ADD("/qmp/hold", test_hold);
    ADD("/qmp/hold/eof", test_hold_until_eof);
    ADD_RAW("/qmp/hold/timeout", test_hold_until_timeout, NULL);
    ADD("/qmp/hold/flood", test_hold_flood);
    ADD("/qmp/hold/release-in-timeout", test_release_in_timeout);
    ADD("/qmp/end/eof", test_eof_with_many_pending);
    ADD("/qmp/end/within-message", test_eof_within_message);
    ADD("/qmp/end/last-words", test_last_words);
    ADD("/qmp/end/stops-reading", test_peer_stops_reading);
    ADD("/qmp/end/close", test_close);
    ADD("/qmp/reentrant/close-in-event", test_close_in_event);
    ADD("/qmp/reentrant/free-in-event", test_free_in_event);
    ADD("/qmp/reentrant/free-in-idle-event", test_free_in_idle_event);
    ADD("/qmp/reentrant/free-in-reply", test_free_in_reply);
    ADD("/qmp/reentrant/free-in-failure", test_free_in_failure);
    ADD("/qmp/reentrant/free-in-timeout", test_free_in_timeout);
    ADD("/qmp/reentrant/call-in-event", test_call_in_event);
    return g_test_run();
}
