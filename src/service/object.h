/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbObject from the inside, for registry.c and dirty-set.c: where it hangs, and a facet for each of
 * its interfaces, which is what sd-bus gets to hold. The public face stands in registry.h. */
#pragma once

#include "registry.h"

typedef struct {
    VbObject *object;
    const VbInterface *interface;
    guint64 dirty; /* a bit for each property that has changed and was not told */
} VbFacet;

struct VbObject {
    VbRegistry *registry;
    char *path;
    guint64 generation;
    gpointer data;
    GDestroyNotify data_free;
    gsize size; /* in GetManagedObjects, where that is measured; 0: not yet */
    guint n_facets;
    VbFacet facets[];
};

/* Everything as given; interfaces is NULL-terminated. */
VbObject *vb_object_new(VbRegistry *registry, const char *path, guint64 generation,
                        const VbInterface *const *interfaces, gpointer data,
                        GDestroyNotify data_free);
/* Frees the data, too. */
void vb_object_free(VbObject *object);

/* NULL: the object does not have that interface. */
VbFacet *vb_object_facet(VbObject *object, const VbInterface *interface);

/* The dict entry of vb_registry_append_object(); negative errno. */
int vb_object_append(const VbObject *object, sd_bus_message *message);
/* At most so many bytes are that, alignment included: bounded by its interfaces, or measured and
 * kept until it changes. */
gsize vb_object_size(VbObject *object, sd_bus *bus);
