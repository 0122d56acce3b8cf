/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbInterface: one D-Bus interface as const tables. Each file of src/objects defines one and
 * registers it with vb_registry_add_interface(); interface.c turns it into the sd_bus_vtable that
 * all objects share. Tables end with an empty entry: {}.
 *
 *   static const VbMethod methods[] = {
 *       VB_METHOD("SetAutostart", "ba{sv}", "autostart options", "", "",
 *                 VB_ACTION("org.virtbus1.domain.modify"), handle_set_autostart),
 *       VB_METHOD("GetXml", "a{sv}", "options", "s", "xml", VB_PUBLIC, handle_get_xml),
 *       {}};
 *   static const VbProperty properties[] = {
 *       VB_PROPERTY("State", "s", VB_EMITS_CHANGE, get_state),
 *       {}};
 *   static const VbSignal signals[] = {
 *       VB_SIGNAL("Lifecycle", "ssa{sv}", "event reason details"),
 *       {}};
 *   const VbInterface vb_domain_interface = {
 *       "org.virtbus1.Domain", methods, properties, signals};
 */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

#include "details.h"

typedef struct VbCall VbCall;

/* Who may call a method. There is no default: VB_METHOD without VB_ACTION() or VB_PUBLIC does not
 * compile, and a table entry made without the macro is refused at registration. */
typedef struct {
    enum { VB_ACCESS_UNSET, VB_ACCESS_PUBLIC, VB_ACCESS_ACTION } kind;
    const char *action;
} VbAccess;

#define VB_PUBLIC ((VbAccess){.kind = VB_ACCESS_PUBLIC})
#define VB_ACTION(id) ((VbAccess){.kind = VB_ACCESS_ACTION, .action = "" id})

/* Answers the call now, or keeps a reference and answers later. data is the object's, which exists
 * (see vb_call_data() for later). */
typedef void (*VbHandler)(VbCall *call, gpointer data);

/* For a method whose arguments decide what the caller must be allowed to do: reads them before
 * anybody is asked (unless they are large: VB_CALL_PREPARED_MAX), adds details (vb_call_details()),
 * asks for more actions (vb_call_require()), keeps what it has parsed for the handler
 * (vb_call_set_argument()), which reads on behind it. It changes nothing else. An error refuses the
 * call. */
typedef gboolean (*VbPrepare)(VbCall *call, gpointer data, GError **error);

/* Tells the administrator's rules what the object is: domain_name, driver … */
typedef void (*VbDescribe)(gpointer data, VbDetails *details);

/* Appends the value, of the declared type, to reply. Reads memory: it cannot fail or wait, and it
 * changes nothing. message.h has what helps. */
typedef void (*VbGetter)(sd_bus_message *reply, gpointer data);

/* At most so many bytes are the values of all properties on the wire, padding included, without
 * making them. It need not be exact. */
typedef gsize (*VbBound)(gpointer data);

typedef struct {
    const char *member;
    const char *in, *in_names;   /* signature, and one name for each argument, by spaces */
    const char *out, *out_names; /* the same of the reply */
    VbAccess access;
    VbPrepare prepare; /* or NULL */
    VbHandler handler;
} VbMethod;

typedef enum {
    VB_CONST = 1,         /* never changes while the object exists */
    VB_EMITS_CHANGE,      /* PropertiesChanged carries the value */
    VB_EMITS_INVALIDATES, /* PropertiesChanged carries the name only */
} VbEmits;

typedef struct {
    const char *name;
    const char *signature;
    VbEmits emits;
    VbGetter getter;
} VbProperty;

typedef struct {
    const char *name;
    const char *signature, *names;
} VbSignal;

#define VB_METHOD(member_, in_, in_names_, out_, out_names_, access_, handler_)                    \
    {                                                                                              \
        .member = member_, .in = in_, .in_names = in_names_, .out = out_, .out_names = out_names_, \
        .access = _Generic((access_), VbAccess                                                     \
                           : (access_)),                                                           \
        .handler = handler_                                                                        \
    }
/* The same with a VbPrepare. */
#define VB_METHOD_PREPARED(member_, in_, in_names_, out_, out_names_, access_, prepare_, handler_) \
    {                                                                                              \
        .member = member_, .in = in_, .in_names = in_names_, .out = out_, .out_names = out_names_, \
        .access = _Generic((access_), VbAccess                                                     \
                           : (access_)),                                                           \
        .prepare = prepare_, .handler = handler_                                                   \
    }
#define VB_PROPERTY(name_, signature_, emits_, getter_)                                            \
    {                                                                                              \
        .name = name_, .signature = signature_, .emits = emits_, .getter = getter_                 \
    }
#define VB_SIGNAL(name_, signature_, names_)                                                       \
    {                                                                                              \
        .name = name_, .signature = signature_, .names = names_                                    \
    }

/* At most this many properties on one interface (the dirty set keeps one bit for each). */
#define VB_INTERFACE_PROPERTIES_MAX 64

typedef struct {
    const char *name;
    const VbMethod *methods;      /* or NULL */
    const VbProperty *properties; /* or NULL */
    const VbSignal *signals;      /* or NULL */
    VbDescribe describe;          /* or NULL; one of an object's interfaces has it */
    VbBound bound;                /* or NULL: they are made, to be measured */
} VbInterface;

const VbMethod *vb_interface_find_method(const VbInterface *interface, const char *member);
const VbSignal *vb_interface_find_signal(const VbInterface *interface, const char *name);
/* The index in the table, or -1. */
int vb_interface_find_property(const VbInterface *interface, const char *name);

/* Is the table whole and consistent: names and signatures valid, as many argument names as
 * arguments, an access on every method, not too many properties? VB_ERROR_FAILED names the member.
 */
gboolean vb_interface_check(const VbInterface *interface, GError **error);

/* The vtable for sd-bus, whose callbacks are the two trampolines; they get as userdata what the
 * registry's find gave. Valid as long as the VbVtable; the interface must be static. */
typedef struct VbVtable VbVtable;
VbVtable *vb_vtable_new(const VbInterface *interface, sd_bus_message_handler_t on_method,
                        sd_bus_property_get_t on_property);
const sd_bus_vtable *vb_vtable_entries(const VbVtable *vtable);
void vb_vtable_free(VbVtable *vtable);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbVtable, vb_vtable_free)
