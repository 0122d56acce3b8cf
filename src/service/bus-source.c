/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sd-bus says before each poll which events and which time it waits for; the source passes that on
 * and lets sd-bus process what came: for a millisecond, so that other sources get their turn, but
 * not one message only, since the poll between two messages takes longer than most of them.
 *
 * A bus that does not read what we send, because somebody else does not read what it has from us,
 * hears no more answers from us either: nothing is read while much waits to be written. */
#include "bus-source.h"

#include <errno.h>
#include <poll.h>

#define DISPATCH_TIME 1000 /* µs; the message that is being processed is finished */

/* Messages; the largest are replies of VB_REGISTRY_REPLY_MAX. Signals come on top. */
#define UNSENT_MAX 8

typedef struct {
    GSource source;
    sd_bus *bus;
    gpointer fd_tag; /* NULL until the fd is known */
    int events;      /* that its fd is polled for */
    VbBusProcessFunc process;
    VbBusClosedFunc closed;
    gpointer data;
    int fault; /* negative errno from a question of prepare, for dispatch to tell */
} VbBusSource;

static gboolean is_behind(sd_bus *bus)
{
    uint64_t unsent = 0;

    return sd_bus_get_n_queued_write(bus, &unsent) >= 0 && unsent > UNSENT_MAX;
}

static gboolean bus_source_prepare(GSource *source, int *timeout)
{
    VbBusSource *self = (VbBusSource *)source;
    uint64_t until = UINT64_MAX;
    int events;

    *timeout = -1;
    events = sd_bus_get_events(self->bus);
    if (events >= 0 && is_behind(self->bus)) {
        events = POLLOUT;
    } else if (events >= 0) {
        int r = sd_bus_get_timeout(self->bus, &until);
        if (r < 0)
            events = r;
    }
    if (events < 0) {
        self->fault = events;
        return TRUE;
    }
    if (events != self->events) { /* GLib ends the next poll at once, whether it changes or not */
        g_source_modify_unix_fd(source, self->fd_tag, (GIOCondition)events);
        self->events = events;
    }
    g_source_set_ready_time(source,
                            until == UINT64_MAX ? -1 : (gint64)MIN(until, (uint64_t)G_MAXINT64));
    return FALSE;
}

static gboolean bus_source_check(GSource *source)
{
    VbBusSource *self = (VbBusSource *)source;

    return self->fault < 0 || g_source_query_unix_fd(source, self->fd_tag) != 0;
}

static gboolean bus_source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    VbBusSource *self = (VbBusSource *)source;
    gint64 end = g_get_monotonic_time() + DISPATCH_TIME;
    int r = self->fault;

    if (r == 0) {
        do
            r = self->process(self->bus, self->data);
        while (r > 0 && !g_source_is_destroyed(source) && !is_behind(self->bus) &&
               g_get_monotonic_time() < end);
    }
    if (r >= 0 || r == -EBUSY)
        return G_SOURCE_CONTINUE;
    if (self->closed != NULL)
        self->closed(self->bus, self->data);
    return G_SOURCE_REMOVE;
}

static void bus_source_finalize(GSource *source)
{
    VbBusSource *self = (VbBusSource *)source;

    self->bus = sd_bus_unref(self->bus);
}

static GSourceFuncs bus_source_funcs = {
    .prepare = bus_source_prepare,
    .check = bus_source_check,
    .dispatch = bus_source_dispatch,
    .finalize = bus_source_finalize,
};

static int process_one(sd_bus *bus, gpointer data)
{
    return sd_bus_process(bus, NULL);
}

GSource *vb_bus_source_new(sd_bus *bus, VbBusProcessFunc process, VbBusClosedFunc closed,
                           gpointer data)
{
    GSource *source = g_source_new(&bus_source_funcs, sizeof(VbBusSource));
    VbBusSource *self = (VbBusSource *)source;
    int fd = sd_bus_get_fd(bus);

    self->bus = sd_bus_ref(bus);
    self->process = process != NULL ? process : process_one;
    self->closed = closed;
    self->data = data;
    if (fd >= 0)
        self->fd_tag = g_source_add_unix_fd(source, fd, 0);
    else
        self->fault = fd;
    g_source_set_static_name(source, "sd-bus");
    return source;
}
