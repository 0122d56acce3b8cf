/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input as an object's path, as a cursor and a kind of GetObjects, and as the UUID that a
 * domain's path is made of: over a connection, to a registry that holds some objects. It is found
 * when it is there and is no one else's, and nothing of it is left when it is gone. */
#include <string.h>

#include "core-private.h"
#include "manager.h"
#include "message.h"
#include "object-path.h"
#include "remove-tree.h"
#include "service-peer.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define UNKNOWN_OBJECT SD_BUS_ERROR_UNKNOWN_OBJECT

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* ---- a service that holds some objects --------------------------------------------------------
 */

static void get_color(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, "red");
}

static const VbProperty thing_properties[] = {VB_PROPERTY("Color", "s", VB_CONST, get_color), {}};
static const VbInterface thing_interface = {.name = "org.virtbus1.Thing",
                                            .properties = thing_properties};
static const VbInterface *const thing[] = {&thing_interface, NULL};
static const VbInterface *const manager[] = {&vb_manager_interface, NULL};

/* Some of each kind, in the order of GetObjects. */
static const char *const things[] = {VB_DOMAIN_PATH_PREFIX "/a",
                                     VB_DOMAIN_PATH_PREFIX "/a_b",
                                     VB_JOB_PATH_PREFIX "/1",
                                     VB_JOB_PATH_PREFIX "/12",
                                     VB_MANAGER_PATH,
                                     VB_NETWORK_PATH_PREFIX "/n"};
/* Not in a page: it hangs below another object. */
#define BELOW VB_DOMAIN_PATH_PREFIX "/a/snapshot/s"

typedef struct {
    Peer *peer;
    VbHost *host;
} Service;

static void add_interface(Service *service, const VbInterface *interface)
{
    g_autoptr(GError) error = NULL;

    vb_registry_add_interface(service->peer->registry, interface, &error);
    g_assert_no_error(error);
}

static VbObject *add(Service *service, const char *path, const VbInterface *const *interfaces)
{
    VbObject *object =
        vb_registry_add(service->peer->registry, path, interfaces, service->host, NULL);

    g_assert(object);
    return object;
}

/* One for all inputs. */
static Service *get_service(void)
{
    static const VbDriverEvents events = {0};
    static Service service;

    if (service.peer)
        return &service;
    service.peer = peer_new(TRUE);
    service.host = vb_host_new(vb_paths_new("/nonexistent", FALSE), vb_store_new(), &events, NULL);
    add_interface(&service, &vb_manager_interface);
    add_interface(&service, &thing_interface);
    add(&service, BELOW, thing);
    for (gsize i = 0; i < G_N_ELEMENTS(things); i++)
        add(&service, things[i], g_str_equal(things[i], VB_MANAGER_PATH) ? manager : thing);
    return &service;
}

/* ---- an object of that path -------------------------------------------------------------------
 */

static void check_there(Service *service, const char *path, gboolean there)
{
    g_auto(Reply) get = {0}, tell = {0};
    const char *color, *text;

    g_assert((vb_registry_lookup(service->peer->registry, path) != NULL) == there);
    peer_send(service->peer, &get, path, PROPERTIES, "Get", "ss", thing_interface.name, "Color");
    if (!there) {
        reply_assert_error(&get, UNKNOWN_OBJECT, "");
        return;
    }
    reply_assert_ok(&get);
    g_assert(sd_bus_message_read(get.message, "v", "s", &color) > 0);
    g_assert_cmpstr(color, ==, "red");
    peer_send(service->peer, &tell, path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
    reply_assert_ok(&tell);
    g_assert(sd_bus_message_read(tell.message, "s", &text) > 0);
    g_assert(strstr(text, thing_interface.name));
}

/* All that are said to be below it are. */
static void check_list(Service *service, const char *path)
{
    g_autoptr(GPtrArray) paths = vb_registry_list(service->peer->registry, path, "", G_MAXUINT);
    gsize length = strlen(path);

    for (guint i = 0; i < paths->len; i++) {
        const char *child = paths->pdata[i];

        g_assert(g_str_has_prefix(child, path) && child[length] == '/' &&
                 !strchr(child + length + 1, '/'));
        g_assert(vb_registry_lookup(service->peer->registry, child));
    }
}

static void check_path(Service *service, const char *path)
{
    VbRegistry *registry = service->peer->registry;
    VbObject *object = vb_registry_lookup(registry, path);
    guint size = vb_registry_size(registry);

    check_list(service, path);
    if (object) {
        g_assert_cmpstr(vb_object_path(object), ==, path);
        if (vb_object_has_interface(object, &thing_interface))
            check_there(service, path, TRUE);
        return;
    }
    if (!g_str_has_prefix(path, VB_REGISTRY_PREFIX "/")) {
        g_auto(Reply) reply = {0};

        peer_send(service->peer, &reply, path, PROPERTIES, "Get", "ss", thing_interface.name,
                  "Color");
        reply_wait(&reply);
        g_assert(sd_bus_message_get_error(reply.message));
        return;
    }
    object = add(service, path, thing);
    check_there(service, path, TRUE);
    check_list(service, path);
    vb_registry_remove(registry, object);
    g_assert(!vb_registry_lookup(registry, path));
    g_assert_cmpuint(vb_registry_size(registry), ==, size);
}

/* ---- pages ------------------------------------------------------------------------------------
 */

static gboolean is_refused(Reply *reply)
{
    const sd_bus_error *error;

    reply_wait(reply);
    error = sd_bus_message_get_error(reply->message);
    g_assert(!error || g_str_equal(error->name, SD_BUS_ERROR_INVALID_ARGS));
    return error != NULL;
}

/* One object, and the next cursor. */
static void read_page(Reply *reply, const char **ret_path, const char **ret_cursor)
{
    sd_bus_message *message = reply->message;

    *ret_path = NULL;
    g_assert(sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}") > 0);
    if (sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}") > 0) {
        g_assert(sd_bus_message_read(message, "o", ret_path) > 0);
        g_assert(sd_bus_message_skip(message, "a{sa{sv}}") > 0);
        g_assert(sd_bus_message_exit_container(message) >= 0);
        g_assert(sd_bus_message_at_end(message, FALSE) > 0);
    }
    g_assert(sd_bus_message_exit_container(message) >= 0);
    g_assert(sd_bus_message_read(message, "s", ret_cursor) > 0);
}

/* The first thing behind the cursor, and a cursor to go on from where there is one more. */
static void check_cursor(Service *service, const char *cursor)
{
    g_auto(Reply) reply = {0};
    const char *const last = things[G_N_ELEMENTS(things) - 1];
    const char *path, *next, *expected = NULL;

    peer_send(service->peer, &reply, VB_MANAGER_PATH, vb_manager_interface.name, "GetObjects",
              "ssua{sv}", "", cursor, 1u, 0);
    if (is_refused(&reply)) {
        g_assert(*cursor && !g_str_has_prefix(cursor, VB_REGISTRY_PREFIX "/"));
        return;
    }
    read_page(&reply, &path, &next);
    for (gsize i = G_N_ELEMENTS(things); i > 0; i--)
        if (strcmp(things[i - 1], cursor) > 0)
            expected = things[i - 1];
    g_assert_cmpstr(path, ==, expected);
    g_assert_cmpstr(next, ==, path && !g_str_equal(path, last) ? path : "");
}

static void check_kind(Service *service, const char *kind)
{
    g_auto(Reply) reply = {0};
    const char *path, *next;

    peer_send(service->peer, &reply, VB_MANAGER_PATH, vb_manager_interface.name, "GetObjects",
              "ssua{sv}", kind, "", 1u, 0);
    if (is_refused(&reply))
        return;
    read_page(&reply, &path, &next);
    g_assert(path && g_str_has_prefix(path, VB_REGISTRY_PREFIX "/"));
    g_assert(strstr(path, kind));
}

/* ---- the path of a domain ---------------------------------------------------------------------
 */

/* Whatever is accepted as a UUID makes a path of one more part. */
static void check_uuid(Service *service, const char *uuid)
{
    static const VbDriver driver = {.name = "test"};
    static const VbHostDriver host_driver = {.ops = &driver};
    g_autofree char *text = g_markup_escape_text(uuid, -1);
    g_autofree char *xml =
        g_strdup_printf("<domain type='test'><name>n</name><uuid>%s</uuid><memory>65536</memory>"
                        "<os><type>hvm</type></os></domain>",
                        text);
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, NULL);

    if (!def)
        return;
    g_autoptr(VbDomain) domain =
        vb_domain_new(service->host, &host_driver, def->uuid, def->name, 0);
    g_autofree char *path = vb_domain_path(domain);
    g_assert(sd_bus_object_path_is_valid(path));
    g_assert_cmpuint(strlen(path), ==, strlen(VB_DOMAIN_PATH_PREFIX "/") + 36);
    g_assert(g_str_has_prefix(path, VB_DOMAIN_PATH_PREFIX "/"));
    g_assert(strrchr(path, '/') == path + strlen(VB_DOMAIN_PATH_PREFIX));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *text = size > 0 ? g_strndup((const char *)data, size) : g_strdup("");
    Service *service = get_service();

    if (!g_utf8_validate(text, -1, NULL))
        return 0;
    if (sd_bus_object_path_is_valid(text))
        check_path(service, text);
    check_cursor(service, text);
    check_kind(service, text);
    check_uuid(service, text);
    g_free(peer_heard(service->peer));
    return 0;
}
