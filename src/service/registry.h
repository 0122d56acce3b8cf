/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbRegistry: every object on the bus by its path, and what of it has changed and is not yet told
 * (the dirty set). All interfaces are registered once, as fallback vtables on /org/virtbus1, with
 * one find, one enumerator and one ObjectManager; an object costs only its entry here.
 *
 * Order that this file keeps: a change is on the bus before any reply that is sent after it
 * (call.c), before any signal that is emitted after it, before the answer to any later read, before
 * the removal of an object, and at the latest at the end of the main-loop iteration. */
#pragma once

#include <gio/gio.h>
#include <systemd/sd-bus.h>

#include "authority.h"
#include "bus.h"
#include "interface.h"

#define VB_REGISTRY_PREFIX "/org/virtbus1"
/* GetManagedObjects answers LimitsExceeded above this many bytes (and names GetObjects). */
#define VB_REGISTRY_REPLY_MAX (24u * 1024 * 1024)
/* A page of GetObjects has no more bytes, unless one object alone does, and no more objects: some
 * milliseconds. */
#define VB_REGISTRY_PAGE_MAX (1024 * 1024)
#define VB_REGISTRY_PAGE_OBJECTS_MAX 1024
/* Calls that may wait for their answer at once; more are LimitsExceeded. */
#define VB_REGISTRY_CALLS_MAX 4096

typedef struct VbRegistry VbRegistry;
typedef struct VbObject VbObject; /* borrowed from the registry; valid until it is removed */

/* bus and authority outlive the registry. */
VbRegistry *vb_registry_new(VbBus *bus, VbAuthority *authority, GError **error);

/* Removes all objects silently, answers the calls that still wait with Failed. Accepts NULL. */
void vb_registry_free(VbRegistry *registry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbRegistry, vb_registry_free)

VbAuthority *vb_registry_authority(VbRegistry *registry);

/* Makes an interface known; before the first object that has it. The tables must be static. */
gboolean vb_registry_add_interface(VbRegistry *registry, const VbInterface *interface,
                                   GError **error);

/* Quiet: objects come, change and go without signals. For the daemon's start, until just before it
 * takes its name (nobody can have subscribed, and the bus need not carry 10,000 InterfacesAdded).
 * A new registry is not quiet. What is dirty when it ends is forgotten, not sent. */
void vb_registry_set_quiet(VbRegistry *registry, gboolean quiet);

/* Exports an object at a path below the prefix, with the interfaces of the NULL-terminated list,
 * and emits InterfacesAdded at once (before any pending PropertiesChanged, which may name it).
 * data_free may be NULL; it is called on removal, after InterfacesRemoved.
 * A path that is taken or not valid, or an interface that was not added, is a programming error
 * (critical, NULL, data is not taken). */
VbObject *vb_registry_add(VbRegistry *registry, const char *path,
                          const VbInterface *const *interfaces, gpointer data,
                          GDestroyNotify data_free);

/* Flushes, emits InterfacesRemoved, forgets the object. Calls that are being authorized for it
 * will answer UnknownObject, even if another object takes the path meanwhile. */
void vb_registry_remove(VbRegistry *registry, VbObject *object);

/* NULL: no such object. */
VbObject *vb_registry_lookup(VbRegistry *registry, const char *path);
guint vb_registry_size(VbRegistry *registry);

/* The paths of the objects directly below parent (e.g. "/org/virtbus1/domain"), sorted by strcmp:
 * at most so many of those that come behind the path `after`, be there such an object or not; "":
 * from the first on. Takes no longer when there are more. Free with g_ptr_array_unref(); the paths
 * are borrowed from the objects. */
GPtrArray *vb_registry_list(VbRegistry *registry, const char *parent, const char *after,
                            guint most);

const char *vb_object_path(const VbObject *object);
gpointer vb_object_data(const VbObject *object);
/* Grows with each object ever added: tells two objects that had the same path. Never 0. */
guint64 vb_object_generation(const VbObject *object);
gboolean vb_object_has_interface(const VbObject *object, const VbInterface *interface);
/* What its interfaces say of it to the administrator's rules (VbDescribe). */
void vb_object_describe(const VbObject *object, VbDetails *details);

typedef enum {
    VB_DIRTY_MERGE = 0,
    /* For State and its like, whose every value must be seen: the change is emitted before this
     * returns, with all that was marked before it. Mark what changed with it (StateReason) first.
     */
    VB_DIRTY_NO_MERGE,
} VbDirtyFlags;

/* The property has changed: call it after the change. An interface that the object does not have
 * is ignored (a caller need not know which companions it has); an unknown property, or one that is
 * VB_CONST, is a programming error (critical). */
void vb_registry_mark_dirty(VbRegistry *registry, VbObject *object, const VbInterface *interface,
                            const char *property, VbDirtyFlags flags);

/* Emits all that is dirty: one PropertiesChanged for each object and interface, in the order of
 * their first mark. Cheap when nothing is. */
void vb_registry_flush(VbRegistry *registry);

/* Flushes, then emits a signal of the object. The signal must be declared with these types
 * (critical otherwise). types and arguments as in sd_bus_message_append(). */
void vb_registry_emit(VbRegistry *registry, VbObject *object, const VbInterface *interface,
                      const char *signal, const char *types, ...);

/* The same in two steps, for signals with containers that need code: a message to append the
 * arguments to, and its sending, which flushes first and takes the message. */
sd_bus_message *vb_registry_new_signal(VbRegistry *registry, VbObject *object,
                                       const VbInterface *interface, const char *signal);
void vb_registry_emit_message(VbRegistry *registry, sd_bus_message *message);

/* Appends what ObjectManager says of one object: a dict entry {oa{sa{sv}}}, inside an open array
 * a{oa{sa{sv}}}. VB_ERROR_FAILED if the message refuses it (it grew too large). */
gboolean vb_registry_append_object(VbRegistry *registry, sd_bus_message *message, VbObject *object,
                                   GError **error);

/* At most so many bytes are added by vb_registry_append_object(), alignment included; exactly so
 * many, rounded up to 8, where an interface of the object has no VbBound. */
gsize vb_registry_object_size(VbRegistry *registry, VbObject *object);
