/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An object and what ObjectManager says of it, which we need beside sd-bus: in pages, and measured
 * before sd-bus makes a message that the bus would end our connection for. */
#include "object.h"

#include <string.h>

#include "message.h"

VbObject *vb_object_new(VbRegistry *registry, const char *path, guint64 generation,
                        const VbInterface *const *interfaces, gpointer data,
                        GDestroyNotify data_free)
{
    VbObject *object;
    guint n = 0;

    while (interfaces[n] != NULL)
        n++;
    object = g_malloc0(sizeof(VbObject) + n * sizeof(VbFacet));
    object->registry = registry;
    object->path = g_strdup(path);
    object->generation = generation;
    object->data = data;
    object->data_free = data_free;
    object->n_facets = n;
    for (guint i = 0; i < n; i++)
        object->facets[i] = (VbFacet){.object = object, .interface = interfaces[i]};
    return object;
}

void vb_object_free(VbObject *object)
{
    if (object->data_free != NULL)
        object->data_free(object->data);
    g_free(object->path);
    g_free(object);
}

VbFacet *vb_object_facet(VbObject *object, const VbInterface *interface)
{
    for (guint i = 0; i < object->n_facets; i++) {
        if (object->facets[i].interface == interface)
            return &object->facets[i];
    }
    return NULL;
}

const char *vb_object_path(const VbObject *object)
{
    return object->path;
}

gpointer vb_object_data(const VbObject *object)
{
    return object->data;
}

guint64 vb_object_generation(const VbObject *object)
{
    return object->generation;
}

gboolean vb_object_has_interface(const VbObject *object, const VbInterface *interface)
{
    return vb_object_facet((VbObject *)object, interface) != NULL;
}

void vb_object_describe(const VbObject *object, VbDetails *details)
{
    for (guint i = 0; i < object->n_facets; i++) {
        if (object->facets[i].interface->describe != NULL)
            object->facets[i].interface->describe(object->data, details);
    }
}

static int append_properties(sd_bus_message *message, const VbFacet *facet)
{
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");

    for (const VbProperty *p = facet->interface->properties; r >= 0 && p != NULL && p->name != NULL;
         p++) {
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r >= 0)
            r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, p->name);
        if (r >= 0)
            r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, p->signature);
        if (r >= 0) {
            p->getter(message, facet->object->data);
            r = sd_bus_message_close_container(message);
        }
        if (r >= 0)
            r = sd_bus_message_close_container(message);
    }
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* The interfaces that sd-bus itself gives every object, without properties, as it lists them. */
static int append_standard_interfaces(sd_bus_message *message)
{
    return sd_bus_message_append(message, "{sa{sv}}{sa{sv}}{sa{sv}}", "org.freedesktop.DBus.Peer",
                                 0, "org.freedesktop.DBus.Introspectable", 0,
                                 "org.freedesktop.DBus.Properties", 0);
}

static int append_interfaces(sd_bus_message *message, const VbObject *object)
{
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sa{sv}}");

    if (r >= 0)
        r = append_standard_interfaces(message);
    for (guint i = 0; r >= 0 && i < object->n_facets; i++) {
        const VbFacet *facet = &object->facets[i];

        r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sa{sv}");
        if (r >= 0)
            r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, facet->interface->name);
        if (r >= 0)
            r = append_properties(message, facet);
        if (r >= 0)
            r = sd_bus_message_close_container(message);
    }
    return r < 0 ? r : sd_bus_message_close_container(message);
}

int vb_object_append(const VbObject *object, sd_bus_message *message)
{
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "oa{sa{sv}}");

    if (r >= 0)
        r = sd_bus_message_append_basic(message, SD_BUS_TYPE_OBJECT_PATH, object->path);
    if (r >= 0)
        r = append_interfaces(message, object);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* On a message that is never sent. */
static gsize measure(const VbObject *object, sd_bus *bus)
{
    sd_bus_message *message = NULL;
    gsize size = 0;

    if (sd_bus_message_new_signal(bus, &message, VB_REGISTRY_PREFIX, "org.virtbus1", "Measure") >=
            0 &&
        sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}") >= 0 &&
        vb_object_append(object, message) >= 0 && sd_bus_message_close_container(message) >= 0 &&
        sd_bus_message_seal(message, 1, 0) >= 0)
        size = vb_message_body_size(message, G_MAXSIZE);
    sd_bus_message_unref(message);
    return (size + 7) & ~(gsize)7;
}

/* What stands around a key of a dictionary, at most: padding, its length, its NUL; and behind it
 * another's length and padding, or a signature's. */
#define FRAME 22

static gsize frames_of(const VbInterface *interface)
{
    gsize size = strlen(interface->name) + FRAME;

    for (const VbProperty *p = interface->properties; p != NULL && p->name != NULL; p++)
        size += strlen(p->name) + strlen(p->signature) + FRAME;
    return size;
}

/* 0: one of its interfaces has no bound. */
static gsize bound(const VbObject *object)
{
    static const char standard[] = "org.freedesktop.DBus.Introspectable";
    gsize size = strlen(object->path) + FRAME + 3 * (sizeof standard + FRAME);

    for (guint i = 0; i < object->n_facets; i++) {
        const VbInterface *interface = object->facets[i].interface;

        if (interface->bound == NULL && interface->properties != NULL)
            return 0;
        size += frames_of(interface);
        if (interface->bound != NULL)
            size += interface->bound(object->data);
    }
    return size;
}

gsize vb_object_size(VbObject *object, sd_bus *bus)
{
    gsize size = bound(object);

    if (size > 0)
        return size;
    if (object->size == 0)
        object->size = measure(object, bus);
    return object->size;
}
