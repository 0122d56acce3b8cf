/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sd-bus says before each poll which events and which time it waits for; the source passes that on
 * and lets sd-bus process what came, one message a dispatch, so that other sources get their turn.
 */
#include "bus-source.h"

#include <errno.h>

typedef struct {
    GSource source;
    sd_bus *bus;
    gpointer fd_tag; /* NULL until the fd is known */
    VbBusClosedFunc closed;
    gpointer closed_data;
    int fault; /* negative errno from a question of prepare, for dispatch to tell */
} VbBusSource;

static gboolean bus_source_prepare(GSource *source, int *timeout)
{
    VbBusSource *self = (VbBusSource *)source;
    uint64_t until = UINT64_MAX;
    int events;

    *timeout = -1;
    events = sd_bus_get_events(self->bus);
    if (events >= 0) {
        int r = sd_bus_get_timeout(self->bus, &until);
        if (r < 0)
            events = r;
    }
    if (events < 0) {
        self->fault = events;
        return TRUE;
    }
    g_source_modify_unix_fd(source, self->fd_tag, (GIOCondition)events);
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
    int r = self->fault < 0 ? self->fault : sd_bus_process(self->bus, NULL);

    if (r >= 0 || r == -EBUSY)
        return G_SOURCE_CONTINUE;
    if (self->closed != NULL)
        self->closed(self->bus, self->closed_data);
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

GSource *vb_bus_source_new(sd_bus *bus, VbBusClosedFunc closed, gpointer data)
{
    GSource *source = g_source_new(&bus_source_funcs, sizeof(VbBusSource));
    VbBusSource *self = (VbBusSource *)source;
    int fd = sd_bus_get_fd(bus);

    self->bus = sd_bus_ref(bus);
    self->closed = closed;
    self->closed_data = data;
    if (fd >= 0)
        self->fd_tag = g_source_add_unix_fd(source, fd, 0);
    else
        self->fault = fd;
    g_source_set_static_name(source, "sd-bus");
    return source;
}
