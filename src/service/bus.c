/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The connection, its source, its filter and the request for the name. sd_bus_start() only
 * connects; the handshake and Hello happen in the main loop, with our messages queued behind. */
#include "bus.h"

#include <errno.h>

#include "admission.h"
#include "bus-source.h"
#include "error.h"
#include "errors.h"
#include "thread-time.h"

struct VbBus {
    sd_bus *connection;
    GSource *source;
    sd_bus_slot *filter_slot;
    sd_bus_slot *gone_slot;
    VbSenders *senders;
    VbAdmission *admission;

    char *trusted; /* whose signals are heard besides the bus's; or NULL */
    VbBusFilter filter;
    gpointer filter_data;
    VbBusClosed closed;
    gpointer closed_data;
    VbBusSenderGone sender_gone;
    gpointer sender_gone_data;

    GTask *name_task; /* NULL when no name is being asked for */
    sd_bus_slot *name_slot;
};

/* sd-bus answers reads by itself, also for nobody: it does all the work and then sends no reply. */
static gboolean is_read_for_nobody(sd_bus_message *call)
{
    const char *interface = sd_bus_message_get_interface(call);

    return sd_bus_message_get_expect_reply(call) == 0 && interface != NULL &&
           g_str_has_prefix(interface, "org.freedesktop.DBus.");
}

static int bus_filter(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    VbBus *bus = data;
    const char *name = sd_bus_message_get_sender(message);
    VbSender *sender;
    uint8_t type = 0;

    sd_bus_message_get_type(message, &type);
    /* Anybody may send us a signal, and sd-bus would take it for that of whom we listen to: the
     * bus, which has another kind of name, and one more. */
    if (type == SD_BUS_MESSAGE_SIGNAL && g_strcmp0(name, "org.freedesktop.DBus") != 0 &&
        (bus->trusted == NULL || g_strcmp0(name, bus->trusted) != 0))
        return 1;
    sender = name != NULL ? vb_senders_get(bus->senders, name) : NULL;
    if (sender != NULL)
        sender->messages++;
    if (type != SD_BUS_MESSAGE_METHOD_CALL)
        return 0;
    if (is_read_for_nobody(message) ||
        (sender != NULL &&
         vb_admission_holds(bus->admission, sender, message, g_get_monotonic_time())))
        return 1;
    return bus->filter != NULL && bus->filter(message, bus->filter_data);
}

static int bus_process(sd_bus *connection, gpointer data)
{
    VbBus *bus = data;
    gint64 start = vb_thread_time();
    int r = sd_bus_process(connection, NULL);

    vb_admission_message_done(bus->admission, vb_thread_time() - start);
    return r;
}

/* Unique names only: a well-known one that nobody owns any more is no sender. */
static int on_name_lost(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    VbBus *bus = data;
    const char *name;

    if (sd_bus_message_read(message, "s", &name) <= 0 || name[0] != ':')
        return 0;
    vb_senders_forget(bus->senders, name);
    if (bus->sender_gone != NULL)
        bus->sender_gone(name, bus->sender_gone_data);
    return 0;
}

/* Without waiting for the bus; nothing that is sent later can overtake it. Should the bus refuse,
 * sd-bus closes the connection. */
static void watch_senders(VbBus *bus)
{
    sd_bus_add_match_async(bus->connection, &bus->gone_slot,
                           "type='signal',sender='org.freedesktop.DBus',"
                           "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                           "member='NameOwnerChanged',arg2=''",
                           on_name_lost, NULL, bus);
}

static void name_done(VbBus *bus, GError *error)
{
    g_autoptr(GTask) task = g_steal_pointer(&bus->name_task);

    bus->name_slot = sd_bus_slot_unref(bus->name_slot);
    if (error != NULL)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

static void bus_abandon_name(VbBus *bus)
{
    if (bus->name_task != NULL)
        name_done(bus, g_error_new(VB_ERROR, VB_ERROR_FAILED, "the bus connection was closed"));
}

static void bus_source_closed(sd_bus *connection, gpointer data)
{
    VbBus *bus = data;

    g_clear_pointer(&bus->source, g_source_unref); /* it removes itself */
    bus_abandon_name(bus);
    if (bus->closed != NULL)
        bus->closed(bus, bus->closed_data);
}

VbBus *vb_bus_new(sd_bus *connection)
{
    VbBus *bus = g_new0(VbBus, 1);

    bus->connection = sd_bus_ref(connection);
    bus->senders = vb_senders_new();
    bus->admission = vb_admission_new(connection);
    sd_bus_add_filter(connection, &bus->filter_slot, bus_filter, bus);
    watch_senders(bus);
    bus->source = vb_bus_source_new(connection, bus_process, bus_source_closed, bus);
    g_source_attach(bus->source, g_main_context_get_thread_default());
    return bus;
}

static int open_address(const char *address, sd_bus **ret_connection)
{
    sd_bus *connection = NULL;
    int r = sd_bus_new(&connection);

    if (r >= 0)
        r = sd_bus_set_address(connection, address);
    if (r >= 0)
        r = sd_bus_set_bus_client(connection, TRUE);
    if (r >= 0)
        r = sd_bus_start(connection);
    if (r < 0)
        sd_bus_unref(connection);
    else
        *ret_connection = connection;
    return r;
}

VbBus *vb_bus_open(VbBusKind kind, const char *address, GError **error)
{
    sd_bus *connection = NULL;
    VbBus *bus;
    int r;

    if (address != NULL)
        r = open_address(address, &connection);
    else if (kind == VB_BUS_SESSION)
        r = sd_bus_open_user(&connection);
    else
        r = sd_bus_open_system(&connection);
    if (r < 0) {
        if (address != NULL)
            vb_error_set_errno(error, r, "cannot connect to the bus at %s", address);
        else
            vb_error_set_errno(error, r, "cannot connect to the %s bus",
                               kind == VB_BUS_SESSION ? "session" : "system");
        return NULL;
    }
    bus = vb_bus_new(connection);
    sd_bus_unref(connection);
    return bus;
}

static void bus_detach(VbBus *bus)
{
    if (bus->source != NULL) {
        g_source_destroy(bus->source);
        g_clear_pointer(&bus->source, g_source_unref);
    }
    bus_abandon_name(bus);
}

void vb_bus_close(VbBus *bus)
{
    bus_detach(bus);
    g_clear_pointer(&bus->admission, vb_admission_free);
    sd_bus_flush(bus->connection);
    sd_bus_close(bus->connection);
}

void vb_bus_free(VbBus *bus)
{
    if (bus == NULL)
        return;
    bus_detach(bus);
    sd_bus_slot_unref(bus->gone_slot);
    sd_bus_slot_unref(bus->filter_slot);
    vb_admission_free(bus->admission);
    sd_bus_close_unref(bus->connection);
    vb_senders_free(bus->senders);
    g_free(bus->trusted);
    g_free(bus);
}

sd_bus *vb_bus_connection(VbBus *bus)
{
    return bus->connection;
}

VbSenders *vb_bus_senders(VbBus *bus)
{
    return bus->senders;
}

void vb_bus_set_closed_func(VbBus *bus, VbBusClosed closed, gpointer data)
{
    bus->closed = closed;
    bus->closed_data = data;
}

void vb_bus_set_late_server(VbBus *bus, const VbAdmissionServer *server, gpointer data)
{
    if (bus->admission != NULL)
        vb_admission_set_server(bus->admission, server, data);
}

void vb_bus_set_trusted(VbBus *bus, const char *name)
{
    g_free(bus->trusted);
    bus->trusted = g_strdup(name);
}

void vb_bus_set_filter(VbBus *bus, VbBusFilter filter, gpointer data)
{
    bus->filter = filter;
    bus->filter_data = data;
}

void vb_bus_set_sender_gone_func(VbBus *bus, VbBusSenderGone gone, gpointer data)
{
    bus->sender_gone = gone;
    bus->sender_gone_data = data;
}

/* RequestName's answers, from the D-Bus specification. */
enum { NAME_PRIMARY_OWNER = 1, NAME_IN_QUEUE, NAME_EXISTS, NAME_ALREADY_OWNER };

static int on_name_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    VbBus *bus = data;
    const char *name = g_task_get_task_data(bus->name_task);
    uint32_t answer = 0;
    GError *error = NULL;

    if (sd_bus_message_is_method_error(reply, NULL))
        error = g_error_new(VB_ERROR, VB_ERROR_FAILED, "cannot own the name %s: %s", name,
                            sd_bus_message_get_error(reply)->message);
    else if (sd_bus_message_read(reply, "u", &answer) < 0)
        error = g_error_new(VB_ERROR, VB_ERROR_FAILED,
                            "cannot own the name %s: the bus gave an answer that is none", name);
    else if (answer != NAME_PRIMARY_OWNER && answer != NAME_ALREADY_OWNER)
        error = g_error_new(VB_ERROR, VB_ERROR_BUSY, "another process owns the name %s on this bus",
                            name);
    name_done(bus, error);
    return 1;
}

void vb_bus_own_name_async(VbBus *bus, const char *name, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, data);
    int r;

    g_task_set_source_tag(task, vb_bus_own_name_async);
    g_task_set_task_data(task, g_strdup(name), g_free);
    if (bus->name_task != NULL) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_BUSY,
                                "another name is being asked for already");
        return;
    }
    bus->name_task = g_object_ref(task);
    r = sd_bus_request_name_async(bus->connection, &bus->name_slot, name, 0, on_name_reply, bus);
    if (r < 0) {
        GError *error = NULL;
        vb_error_set_errno(&error, r, "cannot ask for the name %s", name);
        name_done(bus, error);
    }
}

gboolean vb_bus_own_name_finish(VbBus *bus, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_async_result_is_tagged(result, vb_bus_own_name_async), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}
