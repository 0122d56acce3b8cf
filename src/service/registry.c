/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A tree of nodes, found by path; an object hangs at some of them. sd-bus asks three things of it:
 * find (has this object this interface?), enumerate (what lies below this path?) and, through the
 * trampolines, a method or a property of what find found: a facet, that is an object as seen
 * through one of its interfaces. The facet also holds the dirty bits of its properties. */
#include "registry.h"

#include <string.h>

#include "dirty-set.h"
#include "error.h"
#include "errors.h"
#include "object.h"
#include "registry-private.h"

/* An interface that was added: the userdata of its find. */
typedef struct {
    VbRegistry *registry;
    const VbInterface *interface;
    VbVtable *vtable;
    sd_bus_slot *slot;
} Known;

typedef struct Node Node;
struct Node {
    char *path;
    Node *parent;     /* NULL for the root */
    GTree *children;  /* last part of the path (of the child) → Node; NULL when there are none */
    VbObject *object; /* NULL at an intermediate node */
};

struct VbRegistry {
    VbBus *bus;
    VbAuthority *authority;
    sd_bus_slot *enumerator_slot;
    sd_bus_slot *manager_slot;
    GPtrArray *known;  /* of Known, owned */
    GHashTable *nodes; /* path (of the node) → Node, owned */
    guint n_objects;
    guint64 generation;
    gboolean quiet;
    VbDirtySet *dirty;
    GQueue calls; /* of VbCall */
};

/* --- nodes --- */

static const char *node_name(const Node *node)
{
    return strrchr(node->path, '/') + 1;
}

static void node_free(Node *node)
{
    g_clear_pointer(&node->children, g_tree_unref);
    g_free(node->path);
    g_free(node);
}

/* The node at a path at or below the root, with all that are missing on the way. */
static Node *node_make(VbRegistry *registry, const char *path)
{
    Node *node = g_hash_table_lookup(registry->nodes, path);
    g_autofree char *parent = NULL;

    if (node != NULL)
        return node;
    node = g_new0(Node, 1);
    node->path = g_strdup(path);
    g_hash_table_insert(registry->nodes, node->path, node);
    if (strcmp(path, VB_REGISTRY_PREFIX) == 0)
        return node;

    parent = g_path_get_dirname(path);
    node->parent = node_make(registry, parent);
    if (node->parent->children == NULL)
        node->parent->children = g_tree_new((GCompareFunc)strcmp);
    g_tree_insert(node->parent->children, (gpointer)node_name(node), node);
    return node;
}

/* Removes the node, and those above it that have no purpose any more. */
static void node_prune(VbRegistry *registry, Node *node)
{
    while (node->parent != NULL && node->object == NULL && node->children == NULL) {
        Node *parent = node->parent;

        g_tree_remove(parent->children, node_name(node));
        if (g_tree_nnodes(parent->children) == 0)
            g_clear_pointer(&parent->children, g_tree_unref);
        g_hash_table_remove(registry->nodes, node->path);
        node = parent;
    }
}

static void node_each_child(Node *node, GTraverseFunc func, gpointer data)
{
    if (node->children != NULL)
        g_tree_foreach(node->children, func, data);
}

/* --- objects --- */

VbObject *vb_registry_lookup(VbRegistry *registry, const char *path)
{
    Node *node = g_hash_table_lookup(registry->nodes, path);

    return node != NULL ? node->object : NULL;
}

guint vb_registry_size(VbRegistry *registry)
{
    return registry->n_objects;
}

/* The first child whose path comes behind `after`; NULL: there is none. */
static GTreeNode *node_first_behind(Node *node, const char *after)
{
    gsize length = strlen(node->path);
    int order = strncmp(after, node->path, length);

    if (node->children == NULL)
        return NULL;
    /* All of them begin with the node's path and a slash. */
    if (order == 0)
        order = (guchar)after[length] - '/';
    if (order == 0)
        return g_tree_upper_bound(node->children, after + length + 1);
    return order < 0 ? g_tree_node_first(node->children) : NULL;
}

GPtrArray *vb_registry_list(VbRegistry *registry, const char *parent, const char *after, guint most)
{
    Node *node = g_hash_table_lookup(registry->nodes, parent);
    GTreeNode *at = node != NULL ? node_first_behind(node, after) : NULL;
    GPtrArray *paths = g_ptr_array_new();

    for (; at != NULL && paths->len < most; at = g_tree_node_next(at)) {
        const Node *child = g_tree_node_value(at);

        if (child->object != NULL)
            g_ptr_array_add(paths, child->path);
    }
    return paths;
}

/* --- what sd-bus asks --- */

static int on_find(sd_bus *bus, const char *path, const char *interface, void *data,
                   void **ret_found, sd_bus_error *ret_error)
{
    Known *known = data;
    VbObject *object = vb_registry_lookup(known->registry, path);
    VbFacet *facet = object != NULL ? vb_object_facet(object, known->interface) : NULL;

    if (facet == NULL)
        return 0;
    *ret_found = facet;
    return 1;
}

static gboolean enumerate_child(gpointer name, gpointer value, gpointer data)
{
    g_ptr_array_add(data, strdup(((Node *)value)->path));
    return FALSE;
}

/* The paths are malloc'ed: sd-bus frees them. */
static int on_enumerate(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                        sd_bus_error *ret_error)
{
    VbRegistry *registry = data;
    Node *node = g_hash_table_lookup(registry->nodes, prefix);
    GPtrArray *paths;

    if (node == NULL)
        return 0;
    paths = g_ptr_array_new();
    node_each_child(node, enumerate_child, paths);
    g_ptr_array_add(paths, NULL);
    *ret_nodes = (char **)g_ptr_array_free(paths, FALSE);
    return 0;
}

static int on_method(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    VbFacet *facet = data;
    const VbMethod *method =
        vb_interface_find_method(facet->interface, sd_bus_message_get_member(message));

    vb_call_dispatch(facet, method, message);
    return 1;
}

static int on_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    VbFacet *facet = data;
    int index = vb_interface_find_property(facet->interface, property);

    facet->interface->properties[index].getter(reply, facet->object->data);
    return 1;
}

/* --- GetManagedObjects --- */

/* Does everything fit into one message? */
static gboolean fits_message(VbRegistry *registry)
{
    GHashTableIter iter;
    Node *node;
    gsize size = 0;

    g_hash_table_iter_init(&iter, registry->nodes);
    while (size <= VB_REGISTRY_REPLY_MAX &&
           g_hash_table_iter_next(&iter, NULL, (gpointer *)&node)) {
        if (node->object != NULL)
            size += vb_registry_object_size(registry, node->object);
    }
    return size <= VB_REGISTRY_REPLY_MAX;
}

static gboolean append_below(gpointer name, gpointer value, gpointer data)
{
    Node *node = value;

    if (node->object != NULL)
        vb_object_append(node->object, data);
    node_each_child(node, append_below, data);
    return FALSE;
}

/* By the encoder that GetObjects uses, too. sd-bus would ask find for each interface at each object
 * and look each property up, and cannot say that it is too much. */
static void reply_managed_objects(VbRegistry *registry, sd_bus_message *call)
{
    sd_bus_message *reply = NULL;

    if (!fits_message(registry)) {
        sd_bus_reply_method_errorf(call, vb_error_info(VB_ERROR_LIMITS_EXCEEDED)->bus_name,
                                   "%u objects do not fit into one message: read them in pages "
                                   "with org.virtbus1.Manager.GetObjects",
                                   registry->n_objects);
        return;
    }
    if (sd_bus_message_new_method_return(call, &reply) >= 0 &&
        sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}") >= 0) {
        node_each_child(g_hash_table_lookup(registry->nodes, VB_REGISTRY_PREFIX), append_below,
                        reply);
        sd_bus_message_close_container(reply);
    }
    if (reply == NULL || sd_bus_send(NULL, reply, NULL) < 0)
        sd_bus_reply_method_errorf(call, vb_error_info(VB_ERROR_FAILED)->bus_name,
                                   "the objects could not be described");
    sd_bus_message_unref(reply);
}

static gboolean is_get_managed_objects(sd_bus_message *message)
{
    return sd_bus_message_is_method_call(message, "org.freedesktop.DBus.ObjectManager",
                                         "GetManagedObjects") > 0 &&
           g_strcmp0(sd_bus_message_get_path(message), VB_REGISTRY_PREFIX) == 0 &&
           sd_bus_message_is_empty(message) > 0;
}

/* Before sd-bus answers reads by itself, and before any handler: all that changed is told. */
static gboolean on_filter(sd_bus_message *message, gpointer data)
{
    VbRegistry *registry = data;

    vb_registry_flush(registry);
    if (!is_get_managed_objects(message))
        return FALSE;
    reply_managed_objects(registry, message);
    return TRUE;
}

/* --- calls that had to wait for their turn --- */

/* NULL: there is no such method now, or it does not take that. */
static const VbMethod *find_method(VbRegistry *registry, sd_bus_message *call, VbFacet **ret_facet)
{
    VbObject *object = vb_registry_lookup(registry, sd_bus_message_get_path(call));
    const char *name = sd_bus_message_get_interface(call);

    for (guint i = 0; object != NULL && i < object->n_facets; i++) {
        const VbInterface *interface = object->facets[i].interface;
        const VbMethod *method;

        if (g_strcmp0(interface->name, name) != 0)
            continue;
        method = vb_interface_find_method(interface, sd_bus_message_get_member(call));
        *ret_facet = &object->facets[i];
        return method != NULL && sd_bus_message_has_signature(call, method->in) > 0 ? method : NULL;
    }
    return NULL;
}

static gboolean can_serve_late(sd_bus_message *call, gpointer data)
{
    VbFacet *facet;

    return is_get_managed_objects(call) || find_method(data, call, &facet) != NULL;
}

/* sd-bus gives no message to a method a second time. */
static void serve_late(sd_bus_message *call, gpointer data)
{
    const VbMethod *method;
    VbFacet *facet;

    if (on_filter(call, data))
        return;
    method = find_method(data, call, &facet);
    if (method != NULL)
        vb_call_dispatch(facet, method, call);
    else
        sd_bus_reply_method_errorf(call, vb_error_info(VB_ERROR_UNKNOWN_OBJECT)->bus_name,
                                   "object %s is gone", sd_bus_message_get_path(call));
}

static const VbAdmissionServer late_server = {can_serve_late, serve_late};

/* --- changes --- */

void vb_registry_mark_dirty(VbRegistry *registry, VbObject *object, const VbInterface *interface,
                            const char *property, VbDirtyFlags flags)
{
    VbFacet *facet = vb_object_facet(object, interface);
    int index;

    if (facet == NULL)
        return;
    index = vb_interface_find_property(interface, property);
    if (index < 0 || interface->properties[index].emits == VB_CONST) {
        g_critical("%s.%s is no property that changes", interface->name, property);
        return;
    }
    object->size = 0;
    if (registry->quiet)
        return;
    vb_dirty_set_mark(registry->dirty, facet, (guint)index);
    if (flags & VB_DIRTY_NO_MERGE)
        vb_registry_flush(registry);
}

void vb_registry_flush(VbRegistry *registry)
{
    vb_dirty_set_flush(registry->dirty);
}

void vb_registry_set_quiet(VbRegistry *registry, gboolean quiet)
{
    vb_registry_flush(registry);
    registry->quiet = quiet;
}

/* sd-bus refused a signal: our mistake, unless the connection is gone. */
static void check_sent(VbRegistry *registry, int r, const char *what, const char *path)
{
    if (r < 0 && sd_bus_is_open(vb_bus_connection(registry->bus)) > 0)
        g_critical("cannot emit %s of %s: %s", what, path, g_strerror(-r));
}

/* --- objects come and go --- */

static const Known *registry_known(VbRegistry *registry, const VbInterface *interface)
{
    for (guint i = 0; i < registry->known->len; i++) {
        const Known *known = registry->known->pdata[i];
        if (known->interface == interface)
            return known;
    }
    return NULL;
}

static gboolean check_object(VbRegistry *registry, const char *path,
                             const VbInterface *const *interfaces)
{
    if (!g_str_has_prefix(path, VB_REGISTRY_PREFIX "/") || !sd_bus_object_path_is_valid(path)) {
        g_critical("'%s' is not a path for an object", path);
        return FALSE;
    }
    if (vb_registry_lookup(registry, path) != NULL) {
        g_critical("there is an object at %s already", path);
        return FALSE;
    }
    for (; *interfaces != NULL; interfaces++) {
        if (registry_known(registry, *interfaces) == NULL) {
            g_critical("%s has the unknown interface %s", path, (*interfaces)->name);
            return FALSE;
        }
    }
    return TRUE;
}

VbObject *vb_registry_add(VbRegistry *registry, const char *path,
                          const VbInterface *const *interfaces, gpointer data,
                          GDestroyNotify data_free)
{
    VbObject *object;
    Node *node;

    if (!check_object(registry, path, interfaces))
        return NULL;
    object = vb_object_new(registry, path, ++registry->generation, interfaces, data, data_free);
    node = node_make(registry, path);
    node->object = object;
    registry->n_objects++;
    if (!registry->quiet)
        check_sent(registry, sd_bus_emit_object_added(vb_bus_connection(registry->bus), path),
                   "InterfacesAdded", path);
    return object;
}

void vb_registry_remove(VbRegistry *registry, VbObject *object)
{
    Node *node = g_hash_table_lookup(registry->nodes, object->path);

    vb_registry_flush(registry);
    /* sd-bus asks find which interfaces go: the object must still be there */
    if (!registry->quiet)
        check_sent(registry,
                   sd_bus_emit_object_removed(vb_bus_connection(registry->bus), object->path),
                   "InterfacesRemoved", object->path);
    node->object = NULL;
    registry->n_objects--;
    node_prune(registry, node);
    vb_object_free(object);
}

/* --- signals --- */

sd_bus_message *vb_registry_new_signal(VbRegistry *registry, VbObject *object,
                                       const VbInterface *interface, const char *signal)
{
    sd_bus_message *message = NULL;

    sd_bus_message_new_signal(vb_bus_connection(registry->bus), &message, vb_object_path(object),
                              interface->name, signal);
    return message;
}

static const VbSignal *message_signal(VbRegistry *registry, sd_bus_message *message)
{
    for (guint i = 0; i < registry->known->len; i++) {
        const Known *known = registry->known->pdata[i];
        if (sd_bus_message_is_signal(message, known->interface->name, NULL) > 0)
            return vb_interface_find_signal(known->interface, sd_bus_message_get_member(message));
    }
    return NULL;
}

void vb_registry_emit_message(VbRegistry *registry, sd_bus_message *message)
{
    const VbSignal *signal = message_signal(registry, message);
    int r;

    if (signal == NULL ||
        g_strcmp0(sd_bus_message_get_signature(message, TRUE), signal->signature) != 0) {
        g_critical("signal %s of %s is not declared like this", sd_bus_message_get_member(message),
                   sd_bus_message_get_path(message));
    } else {
        vb_registry_flush(registry);
        r = sd_bus_send(NULL, message, NULL);
        check_sent(registry, r, signal->name, sd_bus_message_get_path(message));
    }
    sd_bus_message_unref(message);
}

void vb_registry_emit(VbRegistry *registry, VbObject *object, const VbInterface *interface,
                      const char *signal, const char *types, ...)
{
    sd_bus_message *message = vb_registry_new_signal(registry, object, interface, signal);
    va_list args;

    if (message == NULL)
        return; /* the connection is gone */
    va_start(args, types);
    if (*types != '\0')
        sd_bus_message_appendv(message, types, args);
    va_end(args);
    vb_registry_emit_message(registry, message);
}

gboolean vb_registry_append_object(VbRegistry *registry, sd_bus_message *message, VbObject *object,
                                   GError **error)
{
    int r = vb_object_append(object, message);

    return r >= 0 || vb_error_set_errno(error, r, "cannot describe %s", object->path);
}

gsize vb_registry_object_size(VbRegistry *registry, VbObject *object)
{
    return vb_object_size(object, vb_bus_connection(registry->bus));
}

/* --- the registry --- */

static void known_free(Known *known)
{
    sd_bus_slot_unref(known->slot);
    vb_vtable_free(known->vtable);
    g_free(known);
}

gboolean vb_registry_add_interface(VbRegistry *registry, const VbInterface *interface,
                                   GError **error)
{
    Known *known;
    int r;

    if (!vb_interface_check(interface, error))
        return FALSE;
    known = g_new0(Known, 1);
    known->registry = registry;
    known->interface = interface;
    known->vtable = vb_vtable_new(interface, on_method, on_property);
    r = sd_bus_add_fallback_vtable(vb_bus_connection(registry->bus), &known->slot,
                                   VB_REGISTRY_PREFIX, interface->name,
                                   vb_vtable_entries(known->vtable), on_find, known);
    if (r < 0) {
        known_free(known);
        return vb_error_set_errno(error, r, "cannot register the interface %s", interface->name);
    }
    g_ptr_array_add(registry->known, known);
    return TRUE;
}

VbRegistry *vb_registry_new(VbBus *bus, VbAuthority *authority, GError **error)
{
    g_autoptr(VbRegistry) registry = g_new0(VbRegistry, 1);
    sd_bus *connection = vb_bus_connection(bus);
    int r;

    registry->bus = bus;
    registry->authority = authority;
    registry->known = g_ptr_array_new_with_free_func((GDestroyNotify)known_free);
    registry->nodes =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)node_free);
    node_make(registry, VB_REGISTRY_PREFIX);
    registry->dirty = vb_dirty_set_new(connection);
    g_queue_init(&registry->calls);

    r = sd_bus_add_object_manager(connection, &registry->manager_slot, VB_REGISTRY_PREFIX);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(connection, &registry->enumerator_slot, VB_REGISTRY_PREFIX,
                                       on_enumerate, registry);
    if (r < 0) {
        vb_error_set_errno(error, r, "cannot register %s", VB_REGISTRY_PREFIX);
        return NULL;
    }
    vb_bus_set_filter(bus, on_filter, registry);
    vb_bus_set_late_server(bus, &late_server, registry);
    return g_steal_pointer(&registry);
}

static void free_objects(VbRegistry *registry)
{
    GHashTableIter iter;
    Node *node;

    g_hash_table_iter_init(&iter, registry->nodes);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&node)) {
        if (node->object != NULL)
            vb_object_free(g_steal_pointer(&node->object));
    }
}

void vb_registry_free(VbRegistry *registry)
{
    GList *link;

    if (registry == NULL)
        return;
    vb_registry_flush(registry);
    while ((link = g_queue_peek_head_link(&registry->calls)) != NULL)
        vb_call_abandon(link->data);
    vb_bus_set_late_server(registry->bus, NULL, NULL);
    vb_bus_set_filter(registry->bus, NULL, NULL);
    sd_bus_slot_unref(registry->enumerator_slot);
    sd_bus_slot_unref(registry->manager_slot);
    g_ptr_array_unref(registry->known);
    free_objects(registry);
    g_hash_table_unref(registry->nodes);
    vb_dirty_set_free(registry->dirty);
    g_free(registry);
}

VbAuthority *vb_registry_authority(VbRegistry *registry)
{
    return registry->authority;
}

VbBus *vb_registry_bus(VbRegistry *registry)
{
    return registry->bus;
}

GQueue *vb_registry_calls(VbRegistry *registry)
{
    return &registry->calls;
}
