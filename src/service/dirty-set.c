/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A list of facets in the order of their first mark; which properties, is in their bits. */
#include "dirty-set.h"

struct VbDirtySet {
    sd_bus *bus;
    GPtrArray *facets; /* those with dirty bits, borrowed */
    GSource *source;   /* ready when there are any */
};

typedef struct {
    GSource source;
    VbDirtySet *set;
} DirtySource;

/* Dispatched when its ready time is set, before anything of lower priority: thus at the end of the
 * iteration that made something dirty. */
static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    vb_dirty_set_flush(((DirtySource *)source)->set);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = source_dispatch};

VbDirtySet *vb_dirty_set_new(sd_bus *bus)
{
    VbDirtySet *set = g_new0(VbDirtySet, 1);

    set->bus = bus;
    set->facets = g_ptr_array_new();
    set->source = g_source_new(&source_funcs, sizeof(DirtySource));
    ((DirtySource *)set->source)->set = set;
    g_source_set_priority(set->source, G_PRIORITY_HIGH);
    g_source_set_static_name(set->source, "dirty set");
    g_source_attach(set->source, g_main_context_get_thread_default());
    return set;
}

void vb_dirty_set_free(VbDirtySet *set)
{
    if (set == NULL)
        return;
    g_source_destroy(set->source);
    g_source_unref(set->source);
    g_ptr_array_unref(set->facets);
    g_free(set);
}

void vb_dirty_set_mark(VbDirtySet *set, VbFacet *facet, guint property)
{
    if (facet->dirty == 0)
        g_ptr_array_add(set->facets, facet);
    facet->dirty |= G_GUINT64_CONSTANT(1) << property;
    g_source_set_ready_time(set->source, 0);
}

static void emit_changes(VbDirtySet *set, VbFacet *facet)
{
    const char *names[VB_INTERFACE_PROPERTIES_MAX + 1];
    guint n = 0;
    int r;

    for (guint i = 0; facet->dirty != 0; i++, facet->dirty >>= 1) {
        if (facet->dirty & 1)
            names[n++] = facet->interface->properties[i].name;
    }
    names[n] = NULL;
    r = sd_bus_emit_properties_changed_strv(set->bus, facet->object->path, facet->interface->name,
                                            (char **)names);
    if (r < 0 && sd_bus_is_open(set->bus) > 0)
        g_critical("cannot emit PropertiesChanged of %s, %s: %s", facet->object->path,
                   facet->interface->name, g_strerror(-r));
}

void vb_dirty_set_flush(VbDirtySet *set)
{
    if (set->facets->len == 0)
        return;
    for (guint i = 0; i < set->facets->len; i++)
        emit_changes(set, set->facets->pdata[i]);
    g_ptr_array_set_size(set->facets, 0);
    g_source_set_ready_time(set->source, -1);
}
