/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two things make others wait: many calls in flight of one sender, and calls that take long.
 *
 * How many calls a sender has in flight cannot be seen: they are queued in the bus, not here. So it
 * is measured: what comes from one sender while a Ping of ours goes to the bus and back is what it
 * had in flight then. Whoever waits for each answer before the next call has one or two in such a
 * round, however fast it is and however slow the bus.
 *
 * Refusals leave at a fixed pace. A caller with a hundred calls in flight that were refused at once
 * would send a hundred new ones at once, and the bus would do nothing else. */
#include "admission.h"

#include <errno.h>
#include <glib.h>

#include "error.h"
#include "errors.h"
#include "message.h"
#include "thread-time.h"

#define SECOND G_USEC_PER_SEC
/* Refusals sent in each interval (ms), and how many may wait for that: beyond, they leave at once.
 */
#define PACE_INTERVAL 10
#define PACE_REFUSALS 32
#define REFUSALS_MAX 16384

struct VbAdmission {
    sd_bus *connection;

    gint64 second_start;
    guint64 second; /* a number */
    guint calls;    /* in this second, of all senders */
    guint senders;  /* in this second */
    guint senders_before;
    gint64 time;      /* µs of all calls in this second */
    gint64 long_time; /* of the long ones */

    guint64 round;
    sd_bus_slot *ping; /* a round is on */

    GHashTable *long_methods; /* name → the last second in which it was long (a guint64, owned) */

    const VbAdmissionServer *server;
    gpointer server_data;
    GQueue postponed;  /* of Postponed, in the order in which they will be served */
    gint64 rest_until; /* monotonic: no long call before then */
    GSource *turn;     /* ready at the end of the rest while any is postponed */

    VbSender *current; /* whose call is being handled */
    sd_bus_message *current_call;

    GPtrArray *held; /* of VbSender: refused until they have calmed down */
    GQueue refusals; /* of sd_bus_message */
    GSource *pace;   /* ready as long as there are any of both */
};

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void send_refusals(VbAdmission *admission, guint n)
{
    sd_bus_message *refusal;

    while (n-- > 0 && (refusal = g_queue_pop_head(&admission->refusals)) != NULL) {
        sd_bus_send(admission->connection, refusal, NULL);
        sd_bus_message_unref(refusal);
    }
}

static void refuse(VbAdmission *admission, sd_bus_message *call, const char *why)
{
    const sd_bus_error error =
        SD_BUS_ERROR_MAKE_CONST(vb_error_info(VB_ERROR_LIMITS_EXCEEDED)->bus_name, why);
    sd_bus_message *refusal = NULL;

    if (sd_bus_message_get_expect_reply(call) <= 0 ||
        sd_bus_message_new_method_error(call, &refusal, &error) < 0)
        return;
    if (admission->refusals.length >= REFUSALS_MAX)
        send_refusals(admission, 1);
    g_queue_push_tail(&admission->refusals, refusal);
    if (g_source_get_ready_time(admission->pace) < 0)
        g_source_set_ready_time(admission->pace, g_get_monotonic_time() + PACE_INTERVAL * 1000);
}

/* ---- seconds ----------------------------------------------------------------------------------
 */

/* Those who were calm in the second that ends are served again. */
static void release_calm(VbAdmission *admission)
{
    for (guint i = admission->held->len; i-- > 0;) {
        VbSender *sender = admission->held->pdata[i];

        if (sender->load.second == admission->second &&
            sender->load.calls > VB_ADMISSION_SENDER_CALLS_FREE)
            continue;
        sender->load.held = FALSE;
        g_ptr_array_remove_index_fast(admission->held, i);
    }
}

/* A method that has not been long for more than a second. */
static gboolean is_forgotten(gpointer name, gpointer second, gpointer data)
{
    const VbAdmission *admission = data;

    return *(guint64 *)second + 1 < admission->second;
}

static void begin_second(VbAdmission *admission, gint64 now)
{
    gboolean next = now - admission->second_start < 2 * SECOND;

    release_calm(admission);
    admission->senders_before = next ? admission->senders : 0;
    admission->senders = 0;
    admission->calls = 0;
    admission->time = 0;
    admission->long_time = 0;
    admission->second++;
    g_hash_table_foreach_remove(admission->long_methods, is_forgotten, admission);
    admission->second_start = now;
}

static void count(VbAdmission *admission, VbSenderLoad *load, gint64 now)
{
    if (now - admission->second_start >= SECOND)
        begin_second(admission, now);
    if (load->second != admission->second) {
        load->second = admission->second;
        load->calls = 0;
        load->long_time = 0;
        admission->senders++;
    }
    load->calls++;
    admission->calls++;
}

/* ---- rounds -----------------------------------------------------------------------------------
 */

static int on_pong(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    VbAdmission *admission = data;

    admission->ping = sd_bus_slot_unref(admission->ping);
    return 1;
}

static gboolean is_busy(const VbAdmission *admission)
{
    return admission->calls > VB_ADMISSION_CALLS_FREE || admission->time > VB_ADMISSION_TIME_FREE;
}

static gboolean has_too_many_in_flight(VbAdmission *admission, VbSenderLoad *load)
{
    if (admission->ping == NULL) {
        admission->round++;
        sd_bus_call_method_async(admission->connection, &admission->ping, "org.freedesktop.DBus",
                                 "/org/freedesktop/DBus", "org.freedesktop.DBus.Peer", "Ping",
                                 on_pong, admission, "");
    }
    if (load->round != admission->round) {
        load->round = admission->round;
        load->in_round = 0;
    }
    return ++load->in_round > VB_ADMISSION_IN_FLIGHT_MAX;
}

static void hold(VbAdmission *admission, VbSender *sender)
{
    sender->load.held = TRUE;
    g_ptr_array_add(admission->held, vb_sender_ref(sender));
}

/* ---- long calls -------------------------------------------------------------------------------
 */

/* A call that waits for its turn. */
typedef struct {
    VbSender *sender;
    sd_bus_message *call;
    guint turn; /* the sender had so many waiting before it */
} Postponed;

static void postponed_free(Postponed *postponed)
{
    postponed->sender->load.postponed--;
    vb_sender_unref(postponed->sender);
    sd_bus_message_unref(postponed->call);
    g_free(postponed);
}

/* Behind all that are at their sender's same turn: so a sender with many waits behind one with one.
 */
static void enqueue(VbAdmission *admission, VbSender *sender, sd_bus_message *call)
{
    Postponed *postponed = g_new(Postponed, 1);
    GList *after = admission->postponed.tail;

    *postponed =
        (Postponed){vb_sender_ref(sender), sd_bus_message_ref(call), sender->load.postponed++};
    while (after != NULL && ((Postponed *)after->data)->turn > postponed->turn)
        after = after->prev;
    if (after != NULL)
        g_queue_insert_after(&admission->postponed, after, postponed);
    else
        g_queue_push_head(&admission->postponed, postponed);
    g_source_set_ready_time(admission->turn, admission->rest_until);
}

/* Those of its sender behind it move up by a turn. */
static Postponed *dequeue(VbAdmission *admission)
{
    Postponed *next = g_queue_pop_head(&admission->postponed);

    for (GList *link = admission->postponed.head; next != NULL && link != NULL; link = link->next) {
        Postponed *other = link->data;

        if (other->sender == next->sender && other->turn > 0)
            other->turn--;
    }
    return next;
}

static gboolean is_long(const VbAdmission *admission, sd_bus_message *call)
{
    const char *member = sd_bus_message_get_member(call);

    return member != NULL && g_hash_table_contains(admission->long_methods, member);
}

static gboolean takes_too_long(const VbAdmission *admission, const VbSender *sender,
                               sd_bus_message *call)
{
    gint64 limit = sender->load.long_time > VB_ADMISSION_LONG_TIME_SHARE
                       ? VB_ADMISSION_LONG_TIME_MAX
                       : VB_ADMISSION_LONG_TIME_OTHERS;

    return admission->long_time > limit && is_long(admission, call) &&
           !(sender->uid_known && sender->uid == 0);
}

static gboolean is_resting(const VbAdmission *admission, gint64 now)
{
    return now < admission->rest_until || admission->postponed.length > 0;
}

static gboolean postpone(VbAdmission *admission, VbSender *sender, sd_bus_message *call)
{
    if (admission->server == NULL || sender->load.postponed >= VB_ADMISSION_POSTPONED_SENDER_MAX ||
        admission->postponed.length >= VB_ADMISSION_POSTPONED_MAX ||
        !admission->server->can(call, admission->server_data) ||
        vb_message_body_size(call, VB_ADMISSION_POSTPONED_BYTES_MAX) >
            VB_ADMISSION_POSTPONED_BYTES_MAX)
        return FALSE;
    enqueue(admission, sender, call);
    return TRUE;
}

static void forget_current(VbAdmission *admission)
{
    g_clear_pointer(&admission->current, vb_sender_unref);
    admission->current_call = sd_bus_message_unref(admission->current_call);
}

static void set_current(VbAdmission *admission, VbSender *sender, sd_bus_message *call)
{
    forget_current(admission);
    admission->current = vb_sender_ref(sender);
    admission->current_call = sd_bus_message_ref(call);
}

static void was_long(VbAdmission *admission, gint64 time)
{
    admission->long_time += time;
    admission->current->load.long_time += time;
    admission->rest_until = g_get_monotonic_time() + MAX(time, VB_ADMISSION_REST);
    g_hash_table_insert(admission->long_methods,
                        g_strdup(sd_bus_message_get_member(admission->current_call)),
                        g_memdup2(&admission->second, sizeof admission->second));
}

void vb_admission_message_done(VbAdmission *admission, gint64 time)
{
    if (admission->current != NULL)
        admission->time += time;
    if (admission->current != NULL && time > VB_ADMISSION_LONG)
        was_long(admission, time);
    forget_current(admission);
}

typedef struct {
    GSource source;
    VbAdmission *admission;
} AdmissionSource;

/* The rest is over: the next one's turn. */
static gboolean turn_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    VbAdmission *admission = ((AdmissionSource *)source)->admission;
    Postponed *next = dequeue(admission);
    gint64 start = vb_thread_time();

    if (next != NULL) {
        set_current(admission, next->sender, next->call);
        admission->server->serve(next->call, admission->server_data);
        vb_admission_message_done(admission, vb_thread_time() - start);
        postponed_free(next);
    }
    g_source_set_ready_time(source, admission->postponed.length > 0 ? admission->rest_until : -1);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs turn_funcs = {.dispatch = turn_dispatch};

void vb_admission_set_server(VbAdmission *admission, const VbAdmissionServer *server, gpointer data)
{
    Postponed *next;

    while ((next = dequeue(admission)) != NULL) {
        refuse(admission, next->call, "the daemon ends");
        postponed_free(next);
    }
    admission->server = server;
    admission->server_data = data;
}

/* ---- the decision -----------------------------------------------------------------------------
 */

/* What follows a postponed call of its sender waits behind it, in its order. */
gboolean vb_admission_holds(VbAdmission *admission, VbSender *sender, sd_bus_message *call,
                            gint64 now)
{
    VbSenderLoad *load = &sender->load;
    gboolean alone;

    count(admission, load, now);
    alone = admission->senders < 2 && admission->senders_before < 2;
    if (!alone && !load->held && is_busy(admission) &&
        load->calls > VB_ADMISSION_SENDER_CALLS_FREE && has_too_many_in_flight(admission, load))
        hold(admission, sender);
    if (load->held) {
        refuse(admission, call,
               "too many calls of this connection at once: have at most " G_STRINGIFY(
                   VB_ADMISSION_IN_FLIGHT_MAX) " in flight while others call");
        return TRUE;
    }
    if (load->postponed > 0 || (!alone && is_long(admission, call) && is_resting(admission, now))) {
        if (postpone(admission, sender, call))
            return TRUE;
        if (takes_too_long(admission, sender, call)) {
            refuse(admission, call,
                   "too many calls that take long while others call: wait a second");
            return TRUE;
        }
    }
    set_current(admission, sender, call);
    return FALSE;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static gboolean pace_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    VbAdmission *admission = ((AdmissionSource *)source)->admission;

    send_refusals(admission, PACE_REFUSALS);
    g_source_set_ready_time(source, admission->refusals.length > 0
                                        ? g_get_monotonic_time() + PACE_INTERVAL * 1000
                                        : -1);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs pace_funcs = {.dispatch = pace_dispatch};

static GSource *new_source(VbAdmission *admission, GSourceFuncs *funcs, const char *name)
{
    GSource *source = g_source_new(funcs, sizeof(AdmissionSource));

    ((AdmissionSource *)source)->admission = admission;
    g_source_set_static_name(source, name);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

VbAdmission *vb_admission_new(sd_bus *connection)
{
    VbAdmission *admission = g_new0(VbAdmission, 1);

    admission->connection = connection;
    admission->second = 1; /* a new sender's figures are of no second */
    admission->held = g_ptr_array_new_with_free_func((GDestroyNotify)vb_sender_unref);
    admission->long_methods = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_queue_init(&admission->refusals);
    g_queue_init(&admission->postponed);
    admission->pace = new_source(admission, &pace_funcs, "refusals");
    admission->turn = new_source(admission, &turn_funcs, "long calls");
    return admission;
}

void vb_admission_free(VbAdmission *admission)
{
    if (admission == NULL)
        return;
    vb_admission_set_server(admission, NULL, NULL);
    send_refusals(admission, G_MAXUINT);
    sd_bus_slot_unref(admission->ping);
    g_source_destroy(admission->pace);
    g_source_unref(admission->pace);
    g_source_destroy(admission->turn);
    g_source_unref(admission->turn);
    g_ptr_array_unref(admission->held);
    forget_current(admission);
    g_hash_table_unref(admission->long_methods);
    g_free(admission);
}
