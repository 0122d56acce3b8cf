/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One GSource drives a connection: its descriptor, its deadlines and whatever a caller leaves to be
 * done make it ready, and pump() then reads, delivers, expires, writes and, at the end,
 * disconnects.
 *
 * Nothing is ever delivered from elsewhere than pump() (and a cancellable's own source), one thing
 * at a time: when GTask puts a callback off to an idle source, delivery waits for that callback.
 *
 * A QEMU may be hostile. What it says is worked off in slices, and what it was not asked takes a
 * twentieth of the thread's time (time-share.h): the rest waits in the socket, and then in QEMU.
 */
#include "qmp-client.h"

#include <sys/socket.h>

#include "error.h"
#include "fd.h"
#include "json-get.h"
#include "json-limits.h"
#include "thread-time.h"
#include "time-share.h"

#define READ_SIZE ((gsize)64 * 1024)           /* at most, in one dispatch */
#define SLICE_US 1000                          /* of work, before others have their turn */
#define FLOOD_US (G_USEC_PER_SEC / 2)          /* it has had to wait that long in all */
#define HELD_MAX_SIZE ((gsize)4 * 1024 * 1024) /* received while events are held */
#define HELD_MAX_EVENTS 10000u
#define MAX_CALLS 1024u       /* without a reply */
#define MAX_DESCRIPTION 1024u /* bytes of an error's text */

typedef struct {
    VbQmp *qmp;  /* borrowed */
    GTask *task; /* NULL: nobody waits any more, but a part has been written already */
    guint64 id;
    char *command;
    char *wire; /* the whole message; NULL once it is written */
    gsize size;
    gsize written;
    int fd; /* goes with the first byte */
    guint timeout_ms;
    gint64 deadline; /* monotonic, µs; 0 for none */
    GSource *cancelled;
} VbQmpCall;

struct VbQmp {
    const VbQmpCallbacks *callbacks;
    gpointer user_data;
    VbQmpState state;
    guint version;
    int fd;
    GSource *source; /* holds a reference on the client; NULL when `disconnected` has been told */
    gpointer fd_tag; /* NULL until started */
    GIOCondition watched;
    VbJsonScanner *scanner;
    guint64 last_id;        /* of the calls made */
    guint64 sent_id;        /* of the calls written */
    VbQmpCall *negotiation; /* qmp_capabilities, until the greeting has come; then it is queued */
    guint64 negotiation_id;
    GQueue outgoing;     /* VbQmpCall: not written, the first one perhaps in part */
    GQueue pending;      /* VbQmpCall: written, without a reply yet */
    guint returning;     /* tasks that are completed, but their callbacks have yet to run */
    gboolean unwritable; /* the peer reads no more; what it has said before still counts */
    gboolean holding;
    gsize held_size;   /* bytes read while holding */
    GQueue held;       /* JsonNode: events */
    gboolean backlog;  /* there is more to deliver: the slice was over */
    VbTimeShare share; /* what it has said unasked has cost */
    gboolean asked;    /* the message that is being handled was asked for */
    gint64 waited;     /* by it, for its share, µs */
    GError *reason;    /* why it ended; set in VB_QMP_DISCONNECTED only */
};

typedef struct {
    GSource base;
    VbQmp *qmp;
} VbQmpSource;

static const VbQmpCallbacks no_callbacks = {NULL, NULL, NULL};

static void qmp_clear(gpointer data)
{
    VbQmp *qmp = data;

    vb_json_scanner_free(qmp->scanner);
    g_queue_clear_full(&qmp->held, (GDestroyNotify)json_node_unref);
    g_clear_error(&qmp->reason);
    vb_clear_fd(&qmp->fd);
}

static void qmp_unref(gpointer qmp)
{
    g_rc_box_release_full(qmp, qmp_clear);
}

static void call_free(VbQmpCall *call)
{
    if (call->cancelled) {
        g_source_destroy(call->cancelled);
        g_source_unref(call->cancelled);
    }
    g_clear_object(&call->task);
    vb_clear_fd(&call->fd);
    g_free(call->command);
    g_free(call->wire);
    g_free(call);
}

/* Has pump() run in the next iteration. */
static void kick(VbQmp *qmp)
{
    if (qmp->source)
        g_source_set_ready_time(qmp->source, 0);
}

/* Has the source watch the descriptor for `wanted`. For nothing it must not be watched at all: the
 * kernel tells of a hang-up even who has not asked. */
static void watch(VbQmp *qmp, GIOCondition wanted)
{
    if (qmp->fd < 0 || qmp->last_id == 0 || qmp->watched == wanted) /* closed, or not started */
        return;
    if (!wanted)
        g_source_remove_unix_fd(qmp->source, g_steal_pointer(&qmp->fd_tag));
    else if (qmp->fd_tag)
        g_source_modify_unix_fd(qmp->source, qmp->fd_tag, wanted);
    else
        qmp->fd_tag = g_source_add_unix_fd(qmp->source, qmp->fd, wanted);
    qmp->watched = wanted;
}

static void end(VbQmp *qmp, const char *why)
{
    if (qmp->state == VB_QMP_DISCONNECTED)
        return;
    qmp->state = VB_QMP_DISCONNECTED;
    qmp->reason =
        g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR, "the QEMU monitor was closed: %s", why);
    qmp->holding = FALSE;
    g_clear_pointer(&qmp->scanner, vb_json_scanner_free);
    watch(qmp, 0);
    vb_clear_fd(&qmp->fd);
    kick(qmp);
}

/* -- completing calls */

static void on_task_completed(GObject *task, GParamSpec *pspec, gpointer data)
{
    VbQmp *qmp = data;

    qmp->returning--;
    kick(qmp);
}

/* Returns `value` or `error` (both taken over) to whoever waits. */
static void settle(VbQmp *qmp, GTask *task, JsonNode *value, GError *error)
{
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_pointer(task, value, (GDestroyNotify)json_node_unref);

    if (!g_task_get_completed(task)) {
        qmp->returning++;
        g_signal_connect_data(task, "notify::completed", G_CALLBACK(on_task_completed),
                              g_rc_box_acquire(qmp), (GClosureNotify)(GCallback)qmp_unref, 0);
    }
    g_object_unref(task);
}

/* Fails a call whose reply is not awaited any longer. What has not been written never will be,
 * but a message that was begun must be finished. */
static void abandon(VbQmp *qmp, VbQmpCall *call, GError *error)
{
    GTask *task = g_steal_pointer(&call->task);

    if (call->id == qmp->negotiation_id)
        end(qmp, error->message);
    if (call->wire && call->written > 0) {
        call->deadline = 0;
        if (call->cancelled)
            g_source_destroy(call->cancelled);
    } else {
        if (call == qmp->negotiation)
            qmp->negotiation = NULL;
        else
            g_queue_remove(call->wire ? &qmp->outgoing : &qmp->pending, call);
        call_free(call);
    }
    settle(qmp, task, NULL, error);
}

static gboolean on_cancelled(GCancellable *cancellable, gpointer data)
{
    VbQmpCall *call = data;
    VbQmp *qmp = g_rc_box_acquire(call->qmp);

    abandon(qmp, call,
            g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "%s was cancelled", call->command));
    qmp_unref(qmp);
    return G_SOURCE_REMOVE;
}

static VbQmpCall *first_expired(VbQmp *qmp, gint64 now)
{
    GQueue *queues[] = {&qmp->pending, &qmp->outgoing};

    if (qmp->negotiation && qmp->negotiation->deadline && qmp->negotiation->deadline <= now)
        return qmp->negotiation;
    for (guint i = 0; i < G_N_ELEMENTS(queues); i++) {
        for (GList *l = queues[i]->head; l; l = l->next) {
            VbQmpCall *call = l->data;
            if (call->deadline && call->deadline <= now)
                return call;
        }
    }
    return NULL;
}

static void expire_calls(VbQmp *qmp)
{
    gint64 now = g_get_monotonic_time();
    VbQmpCall *call;

    while (qmp->state != VB_QMP_DISCONNECTED && (call = first_expired(qmp, now)))
        abandon(qmp, call,
                g_error_new(VB_ERROR, VB_ERROR_TIMEOUT, "QEMU did not answer %s within %g s",
                            call->command, call->timeout_ms / 1000.0));
}

static gint64 earliest_deadline(VbQmp *qmp)
{
    GQueue *queues[] = {&qmp->pending, &qmp->outgoing};
    gint64 earliest = qmp->negotiation ? qmp->negotiation->deadline : 0;

    for (guint i = 0; i < G_N_ELEMENTS(queues); i++) {
        for (GList *l = queues[i]->head; l; l = l->next) {
            VbQmpCall *call = l->data;
            if (call->deadline && (!earliest || call->deadline < earliest))
                earliest = call->deadline;
        }
    }
    return earliest ? earliest : -1;
}

/* -- messages from QEMU */

static void handle_greeting(VbQmp *qmp, JsonObject *message)
{
    JsonObject *greeting = vb_json_get_object(message, "QMP");
    JsonObject *version = vb_json_get_object(vb_json_get_object(greeting, "version"), "qemu");
    guint64 major, minor, micro;

    if (!vb_json_get_size(version, "major", &major) ||
        !vb_json_get_size(version, "minor", &minor) ||
        !vb_json_get_size(version, "micro", &micro) || major > 999 || minor > 999 || micro > 999) {
        end(qmp, "it did not begin with QEMU's greeting");
        return;
    }
    qmp->version = (guint)(major * 1000000 + minor * 1000 + micro);
    qmp->state = VB_QMP_NEGOTIATING;
    g_queue_push_tail(&qmp->outgoing, g_steal_pointer(&qmp->negotiation));
}

static void deliver_event(VbQmp *qmp, JsonObject *message)
{
    JsonObject *data = vb_json_get_object(message, "data");
    JsonObject *timestamp = vb_json_get_object(message, "timestamp");
    g_autoptr(JsonObject) empty = NULL;
    guint64 seconds, us;
    gint64 timestamp_us = 0;

    if (!data)
        data = empty = json_object_new();
    if (vb_json_get_size(timestamp, "seconds", &seconds) &&
        vb_json_get_size(timestamp, "microseconds", &us) && us < G_USEC_PER_SEC &&
        seconds < G_MAXINT64 / G_USEC_PER_SEC)
        timestamp_us = (gint64)(seconds * G_USEC_PER_SEC + us);
    if (qmp->callbacks->event)
        qmp->callbacks->event(qmp, vb_json_get_string(message, "event"), data, timestamp_us,
                              qmp->user_data);
}

static VbQmpErrorClass error_class_from_string(const char *name)
{
    static const char *const names[] = {
        [VB_QMP_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
        [VB_QMP_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
        [VB_QMP_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
        [VB_QMP_ERROR_KVM_MISSING_CAP] = "KVMMissingCap",
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i] && g_strcmp0(name, names[i]) == 0)
            return (VbQmpErrorClass)i;
    }
    return VB_QMP_ERROR_GENERIC;
}

/* QEMU's own text on one line. */
static char *description(JsonObject *error)
{
    const char *text = vb_json_get_string(error, "desc");

    if (!text || !*text)
        return g_strdup("no reason given");
    return g_strdelimit(g_utf8_make_valid(text, (gssize)strnlen(text, MAX_DESCRIPTION)), "\r\n",
                        ' ');
}

static VbQmpCall *steal_pending(VbQmp *qmp, guint64 id)
{
    for (GList *l = qmp->pending.head; l; l = l->next) {
        VbQmpCall *call = l->data;
        if (call->id == id) {
            g_queue_delete_link(&qmp->pending, l);
            return call;
        }
    }
    return NULL;
}

static void complete_call(VbQmp *qmp, VbQmpCall *call, JsonObject *message)
{
    GTask *task = g_steal_pointer(&call->task);
    JsonNode *value = json_object_get_member(message, "return");
    GError *error = NULL;

    if (value) {
        value = json_node_copy(value);
    } else {
        JsonObject *refusal = vb_json_get_object(message, "error");
        g_autofree char *desc = description(refusal);
        VbQmpErrorClass class = error_class_from_string(vb_json_get_string(refusal, "class"));

        g_task_set_task_data(task, GUINT_TO_POINTER(class), NULL);
        error =
            g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR, "QEMU refused %s: %s", call->command, desc);
    }
    if (call->id == qmp->negotiation_id) {
        if (error)
            end(qmp, error->message);
        else
            qmp->state = VB_QMP_RUNNING;
    }
    call_free(call);
    settle(qmp, task, value, error);
}

static void handle_reply(VbQmp *qmp, JsonObject *message)
{
    VbQmpCall *call;
    guint64 id;

    if (!vb_json_get_size(message, "id", &id)) {
        g_autofree char *desc = description(vb_json_get_object(message, "error"));
        g_autofree char *why = g_strdup_printf("it sent a reply without an id: %s", desc);
        end(qmp, why);
        return;
    }
    call = steal_pending(qmp, id);
    qmp->asked = call != NULL;
    if (call)
        complete_call(qmp, call, message);
    else if (id == 0 || id > qmp->sent_id)
        end(qmp, "it answered a command that was never sent");
    /* else it is late: whoever asked has stopped waiting */
}

static void handle_message(VbQmp *qmp, JsonNode *node)
{
    JsonObject *message = vb_json_node_object(node);

    if (!message)
        end(qmp, "it sent something that is not an object");
    else if (qmp->state == VB_QMP_GREETING)
        handle_greeting(qmp, message);
    else if (vb_json_get_string(message, "event") && qmp->holding)
        g_queue_push_tail(&qmp->held, json_node_ref(node));
    else if (vb_json_get_string(message, "event"))
        deliver_event(qmp, message);
    else if (json_object_has_member(message, "return") || vb_json_get_object(message, "error"))
        handle_reply(qmp, message);
    else
        end(qmp, "it sent something that is neither a reply nor an event");
}

/* Delivers what there is, in order; stops where a task's callback must run first, and when the
 * slice that began at `begin` (of the thread's time) is over. */
static void deliver(VbQmp *qmp, gint64 begin)
{
    gint64 now = vb_thread_time();

    qmp->backlog = FALSE;
    while (qmp->returning == 0) {
        g_autoptr(JsonNode) node = NULL;
        g_autoptr(GError) error = NULL;

        if (!qmp->holding && (node = g_queue_pop_head(&qmp->held))) {
            deliver_event(qmp, json_node_get_object(node));
        } else if (qmp->scanner && (node = vb_json_scanner_pop(qmp->scanner, &error))) {
            handle_message(qmp, node);
        } else {
            if (error)
                end(qmp, error->message);
            return;
        }
        gint64 before = now;
        now = vb_thread_time();
        if (!qmp->asked)
            vb_time_share_charge(&qmp->share, now - before);
        qmp->asked = FALSE;
        qmp->backlog = now - begin >= SLICE_US;
        if (qmp->backlog)
            return;
    }
}

/* -- the socket */

static void read_chunk(VbQmp *qmp)
{
    g_autofree char *chunk = g_malloc(READ_SIZE);
    ssize_t n = recv(qmp->fd, chunk, READ_SIZE, MSG_DONTWAIT);

    if (n > 0) {
        vb_json_scanner_push(qmp->scanner, chunk, (gsize)n, NULL); /* popping tells the error */
        if (qmp->holding)
            qmp->held_size += (gsize)n;
        if (qmp->held_size > HELD_MAX_SIZE || g_queue_get_length(&qmp->held) > HELD_MAX_EVENTS)
            end(qmp, "it sent too much while its events were held back");
    } else if (n == 0) {
        end(qmp,
            vb_json_scanner_is_inside(qmp->scanner) ? "QEMU cut a message off" : "QEMU hung up");
    } else if (errno == EAGAIN) {
        if (qmp->unwritable)
            end(qmp, "QEMU reads it no more");
    } else if (errno != EINTR) {
        end(qmp, errno == ECONNRESET ? "QEMU hung up" : g_strerror(errno));
    }
}

/* The next bytes of a call; FALSE when the socket takes no more now. */
static gboolean write_some(VbQmp *qmp, VbQmpCall *call)
{
    struct iovec iov = {call->wire + call->written, call->size - call->written};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    ssize_t n;

    if (call->fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &call->fd, sizeof(int));
    }
    n = sendmsg(qmp->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        qmp->unwritable = errno != EAGAIN && errno != EINTR;
        return FALSE;
    }
    call->written += (gsize)n;
    vb_clear_fd(&call->fd);
    return TRUE;
}

static void write_calls(VbQmp *qmp)
{
    VbQmpCall *call;

    while (qmp->state != VB_QMP_DISCONNECTED && !qmp->unwritable &&
           (call = g_queue_peek_head(&qmp->outgoing))) {
        if (!write_some(qmp, call))
            return;
        if (call->written < call->size)
            continue;
        g_queue_pop_head(&qmp->outgoing);
        g_clear_pointer(&call->wire, g_free);
        qmp->sent_id = call->id;
        if (call->task)
            g_queue_push_tail(&qmp->pending, call);
        else
            call_free(call);
    }
}

/* -- the pump */

static VbQmpCall *steal_first_call(VbQmp *qmp)
{
    VbQmpCall *call = g_queue_pop_head(&qmp->pending);

    if (!call)
        call = g_queue_pop_head(&qmp->outgoing);
    return call ? call : g_steal_pointer(&qmp->negotiation);
}

static void fail_call(VbQmp *qmp, VbQmpCall *call)
{
    GTask *task = g_steal_pointer(&call->task);
    GError *error = g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR, "QEMU did not answer %s: %s",
                                call->command, qmp->reason->message);

    call_free(call);
    if (task)
        settle(qmp, task, NULL, error);
    else
        g_error_free(error);
}

/* The last step; the owner may free the client in it. */
static void finish(VbQmp *qmp)
{
    GSource *source = g_steal_pointer(&qmp->source);

    if (qmp->callbacks->disconnected)
        qmp->callbacks->disconnected(qmp, qmp->reason, qmp->user_data);
    g_source_destroy(source);
    g_source_unref(source);
    qmp_unref(qmp);
}

static void disconnect(VbQmp *qmp, gint64 begin)
{
    deliver(qmp, begin); /* events that were held */
    while (qmp->source && qmp->returning == 0 && !qmp->backlog) {
        VbQmpCall *call = steal_first_call(qmp);
        if (call)
            fail_call(qmp, call);
        else
            finish(qmp);
    }
}

/* Says what the next run of the pump is to wait for; `wait`: how long QEMU is not to be heard. */
static void rearm(VbQmp *qmp, gint64 wait)
{
    gboolean hearing = qmp->returning == 0;
    gboolean reading = hearing && !qmp->backlog && wait == 0;
    gboolean writing = !g_queue_is_empty(&qmp->outgoing) && !qmp->unwritable;
    gboolean released = !qmp->holding && !g_queue_is_empty(&qmp->held);
    gint64 ready = earliest_deadline(qmp);

    if (!qmp->source)
        return;
    watch(qmp, (reading ? G_IO_IN : 0) | (writing ? G_IO_OUT : 0));
    if (hearing && wait > 0)
        ready = MIN(ready < 0 ? G_MAXINT64 : ready, g_get_monotonic_time() + wait);
    else if (hearing && (qmp->unwritable || qmp->backlog || released))
        ready = 0;
    g_source_set_ready_time(qmp->source, ready);
}

/* One that has more than a slice on its account lets the others of its kind have theirs in other
 * turns of the main loop: many that flood us do not add up between two calls on the bus. */
static gboolean has_turn(VbQmp *qmp)
{
    static gint64 last_turn; /* the main loop's time of a turn that one had; on one thread */
    gint64 turn = g_source_get_time(qmp->source);

    if (qmp->share.spent <= SLICE_US)
        return TRUE;
    if (turn == last_turn)
        return FALSE;
    last_turn = turn;
    return TRUE;
}

/* How long QEMU is not to be heard, for it has had more than its share. */
static gint64 share_wait(VbQmp *qmp)
{
    return vb_time_share_wait(&qmp->share, g_get_monotonic_time());
}

/* Notes what QEMU has to wait beyond `before`; that again. */
static gint64 note_wait(VbQmp *qmp, gint64 before)
{
    gint64 wait = share_wait(qmp);
    gboolean told = qmp->waited >= FLOOD_US;

    qmp->waited += MAX(wait - before, 0);
    if (!told && qmp->waited >= FLOOD_US && qmp->callbacks->flooding)
        qmp->callbacks->flooding(qmp, qmp->user_data);
    return wait;
}

static gboolean pump(GSource *source, GSourceFunc callback, gpointer data)
{
    VbQmp *qmp = g_rc_box_acquire(((VbQmpSource *)source)->qmp);
    gint64 begin = vb_thread_time();
    gint64 wait = share_wait(qmp);

    if (wait == 0 && qmp->source && has_turn(qmp)) {
        if (qmp->fd_tag && qmp->returning == 0 && !qmp->backlog &&
            (qmp->unwritable || (g_source_query_unix_fd(source, qmp->fd_tag) & ~G_IO_OUT)))
            read_chunk(qmp);
        vb_time_share_charge(&qmp->share, vb_thread_time() - begin);
        deliver(qmp, begin);
    }
    expire_calls(qmp);
    write_calls(qmp);
    if (qmp->state == VB_QMP_DISCONNECTED && qmp->source)
        disconnect(qmp, begin);
    rearm(qmp, note_wait(qmp, wait));
    qmp_unref(qmp);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = pump};

/* -- what owners call */

VbQmp *vb_qmp_new(int fd, const VbQmpCallbacks *callbacks, gpointer user_data)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
    VbQmp *qmp = g_rc_box_new0(VbQmp);

    qmp->callbacks = callbacks;
    qmp->user_data = user_data;
    qmp->fd = fd;
    qmp->scanner = vb_json_scanner_new();
    g_queue_init(&qmp->outgoing);
    g_queue_init(&qmp->pending);
    g_queue_init(&qmp->held);
    qmp->source = g_source_new(&source_funcs, sizeof(VbQmpSource));
    ((VbQmpSource *)qmp->source)->qmp = g_rc_box_acquire(qmp);
    g_source_set_static_name(qmp->source, "QMP");
    g_source_attach(qmp->source, context);
    return qmp;
}

void vb_qmp_close(VbQmp *qmp)
{
    end(qmp, "virtbus hung up");
    g_queue_clear_full(&qmp->held, (GDestroyNotify)json_node_unref);
}

void vb_qmp_free(VbQmp *qmp)
{
    if (!qmp)
        return;
    qmp->callbacks = &no_callbacks;
    vb_qmp_close(qmp);
    if (qmp->source && qmp->returning == 0 && !qmp->negotiation &&
        g_queue_is_empty(&qmp->pending) && g_queue_is_empty(&qmp->outgoing))
        finish(qmp);
    qmp_unref(qmp);
}

VbQmpState vb_qmp_state(const VbQmp *qmp)
{
    return qmp->state;
}

guint vb_qmp_version(const VbQmp *qmp)
{
    return qmp->version;
}

/* Makes the call with its message; takes `arguments`, `fd` and the task. */
static VbQmpCall *call_new(VbQmp *qmp, const char *command, JsonObject *arguments, int fd,
                           guint timeout_ms, GTask *task)
{
    VbQmpCall *call = g_new0(VbQmpCall, 1);
    GCancellable *cancellable = g_task_get_cancellable(task);
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *message = json_object_new();

    call->qmp = qmp;
    call->task = task;
    call->id = ++qmp->last_id;
    call->command = g_strdup(command);
    call->fd = fd;
    call->timeout_ms = timeout_ms;
    if (timeout_ms != VB_QMP_NO_TIMEOUT)
        call->deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

    json_object_set_string_member(message, "execute", command);
    if (arguments)
        json_object_set_object_member(message, "arguments", arguments);
    json_object_set_int_member(message, "id", (gint64)call->id);
    json_node_take_object(node, message);
    call->wire = json_to_string(node, FALSE);
    call->size = strlen(call->wire);

    if (cancellable) {
        call->cancelled = g_cancellable_source_new(cancellable);
        g_source_set_callback(call->cancelled, G_SOURCE_FUNC(on_cancelled), call, NULL);
        g_source_attach(call->cancelled, g_task_get_context(task));
    }
    return call;
}

static GTask *task_new(GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data,
                       gpointer tag)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);

    g_task_set_source_tag(task, tag);
    /* A reply that was received is the answer, even when the cancellable came right after. */
    g_task_set_check_cancellable(task, FALSE);
    return task;
}

void vb_qmp_start_async(VbQmp *qmp, guint timeout_ms, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = task_new(cancellable, callback, user_data, vb_qmp_start_async);

    g_return_if_fail(!qmp->fd_tag && qmp->last_id == 0);

    if (qmp->state == VB_QMP_DISCONNECTED) {
        g_task_return_error(task, g_error_copy(qmp->reason));
        return;
    }
    qmp->negotiation =
        call_new(qmp, "qmp_capabilities", NULL, -1, timeout_ms, g_steal_pointer(&task));
    qmp->negotiation_id = qmp->negotiation->id;
    watch(qmp, G_IO_IN);
    kick(qmp);
}

gboolean vb_qmp_start_finish(GAsyncResult *result, GError **error)
{
    g_autoptr(JsonNode) value = g_task_propagate_pointer(G_TASK(result), error);

    return value != NULL;
}

void vb_qmp_call_async(VbQmp *qmp, const char *command, JsonObject *arguments, guint timeout_ms,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    vb_qmp_call_with_fd_async(qmp, command, arguments, -1, timeout_ms, cancellable, callback,
                              user_data);
}

void vb_qmp_call_with_fd_async(VbQmp *qmp, const char *command, JsonObject *arguments, int fd,
                               guint timeout_ms, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = task_new(cancellable, callback, user_data, vb_qmp_call_async);
    g_autoptr(JsonObject) owned_arguments = arguments;
    vb_autofd int owned_fd = fd;

    if (g_task_return_error_if_cancelled(task))
        return;
    if (qmp->state == VB_QMP_DISCONNECTED) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_HYPERVISOR,
                                "QEMU cannot be asked to %s: %s", command, qmp->reason->message);
        return;
    }
    if (qmp->state != VB_QMP_RUNNING) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_INVALID_STATE,
                                "QEMU cannot be asked to %s: its monitor is not ready yet",
                                command);
        return;
    }
    if (g_queue_get_length(&qmp->outgoing) + g_queue_get_length(&qmp->pending) >= MAX_CALLS) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED,
                                "QEMU cannot be asked to %s: %u commands wait for its answer",
                                command, MAX_CALLS);
        return;
    }
    g_queue_push_tail(&qmp->outgoing,
                      call_new(qmp, command, g_steal_pointer(&owned_arguments),
                               vb_steal_fd(&owned_fd), timeout_ms, g_steal_pointer(&task)));
    kick(qmp);
}

JsonNode *vb_qmp_call_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

VbQmpErrorClass vb_qmp_call_error_class(GAsyncResult *result)
{
    return (VbQmpErrorClass)GPOINTER_TO_UINT(g_task_get_task_data(G_TASK(result)));
}

void vb_qmp_charge(VbQmp *qmp, gint64 us)
{
    vb_time_share_charge(&qmp->share, us);
}

void vb_qmp_was_asked(VbQmp *qmp)
{
    qmp->asked = TRUE;
}

void vb_qmp_hold_events(VbQmp *qmp)
{
    if (qmp->state != VB_QMP_DISCONNECTED)
        qmp->holding = TRUE;
}

void vb_qmp_release_events(VbQmp *qmp)
{
    qmp->holding = FALSE;
    qmp->held_size = 0;
    kick(qmp);
}
