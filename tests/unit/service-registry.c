/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry as a client sees it: find, enumeration, introspection, ObjectManager, the dirty set
 * and its order, signals, limits. */
#include "registry.h"

#include <string.h>

#include "call.h"
#include "message.h"
#include "service-peer.h"

typedef struct {
    const char *state, *reason, *title;
    const char *text; /* long, for the limits */
    guint n_freed;
} Thing;

static void get_state(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, ((Thing *)data)->state);
}

static void get_reason(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, ((Thing *)data)->reason);
}

static void get_title(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, ((Thing *)data)->title);
}

static void get_uuid(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "s", "4dea22b3-1d52-d8f3-2516-782e98ab3fa0");
}

static void get_disks(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "a(ssa{sv})", 1, "vda", "virtio", 1, "size", "t", (uint64_t)7);
}

static void get_text(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, ((Thing *)data)->text);
}

static void handle_start(VbCall *call, gpointer data);

static const VbMethod thing_methods[] = {
    VB_METHOD("Start", "a{sv}", "options", "s", "result", VB_PUBLIC, handle_start), {}};
static const VbProperty thing_properties[] = {
    VB_PROPERTY("State", "s", VB_EMITS_CHANGE, get_state),
    VB_PROPERTY("StateReason", "s", VB_EMITS_CHANGE, get_reason),
    VB_PROPERTY("Title", "s", VB_EMITS_INVALIDATES, get_title),
    VB_PROPERTY("Uuid", "s", VB_CONST, get_uuid),
    VB_PROPERTY("Disks", "a(ssa{sv})", VB_EMITS_CHANGE, get_disks),
    {}};
static const VbSignal thing_signals[] = {VB_SIGNAL("Lifecycle", "ss", "event reason"), {}};
static const VbInterface thing_interface = {"org.virtbus1.Thing", thing_methods, thing_properties,
                                            thing_signals};

static const VbProperty text_properties[] = {VB_PROPERTY("Text", "s", VB_EMITS_CHANGE, get_text),
                                             {}};
static const VbInterface text_interface = {"org.virtbus1.Thing.Text", NULL, text_properties, NULL};

static const VbInterface *const plain[] = {&thing_interface, NULL};
/* in the order in which sd-bus lists them, so that our page and its reply are the same */
static const VbInterface *const both[] = {&text_interface, &thing_interface, NULL};

#define THING "/org/virtbus1/thing/a"

static void thing_freed(gpointer data)
{
    ((Thing *)data)->n_freed++;
}

/* Start: the object goes through two states before the reply. */
static void handle_start(VbCall *call, gpointer data)
{
    Thing *thing = data;
    VbRegistry *registry = vb_call_registry(call);
    VbObject *object = vb_call_object(call);

    thing->reason = "starting";
    vb_registry_mark_dirty(registry, object, &thing_interface, "StateReason", VB_DIRTY_MERGE);
    thing->reason = "booted";
    vb_registry_mark_dirty(registry, object, &thing_interface, "StateReason", VB_DIRTY_MERGE);
    thing->state = "running";
    vb_registry_mark_dirty(registry, object, &thing_interface, "State", VB_DIRTY_MERGE);
    vb_registry_mark_dirty(registry, object, &thing_interface, "Title", VB_DIRTY_MERGE);
    vb_registry_mark_dirty(registry, object, &text_interface, "Text", VB_DIRTY_MERGE);
    vb_call_reply(call, "s", "done");
}

static Peer *thing_peer(void)
{
    g_autoptr(GError) error = NULL;
    Peer *peer = peer_new(FALSE);

    g_assert_true(vb_registry_add_interface(peer->registry, &thing_interface, &error));
    g_assert_no_error(error);
    g_assert_true(vb_registry_add_interface(peer->registry, &text_interface, &error));
    g_assert_no_error(error);
    return peer;
}

static VbObject *add(Peer *peer, const char *path, const VbInterface *const *interfaces,
                     Thing *thing)
{
    VbObject *object = vb_registry_add(peer->registry, path, interfaces, thing, thing_freed);

    g_assert_nonnull(object);
    return object;
}

static char *introspect(Peer *peer, const char *path)
{
    g_auto(Reply) reply = {0};
    const char *xml;

    peer_send(peer, &reply, path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
    reply_assert_ok(&reply);
    g_assert_cmpint(sd_bus_message_read(reply.message, "s", &xml), >, 0);
    return g_strdup(xml);
}

/* The names of all <node> and <interface> elements, standard interfaces apart, comma separated. */
static char *introspect_names(Peer *peer, const char *path)
{
    g_autofree char *xml = introspect(peer, path);
    g_autoptr(GError) error = NULL;
    GDBusNodeInfo *info = g_dbus_node_info_new_for_xml(xml, &error);
    GString *names = g_string_new(NULL);

    g_assert_no_error(error);
    for (guint i = 0; info->interfaces != NULL && info->interfaces[i] != NULL; i++) {
        if (!g_str_has_prefix(info->interfaces[i]->name, "org.freedesktop.DBus.Peer") &&
            !g_str_has_prefix(info->interfaces[i]->name, "org.freedesktop.DBus.Intro") &&
            !g_str_has_prefix(info->interfaces[i]->name, "org.freedesktop.DBus.Prop"))
            g_string_append_printf(names, "%s;", info->interfaces[i]->name);
    }
    for (guint i = 0; info->nodes != NULL && info->nodes[i] != NULL; i++)
        g_string_append_printf(names, "%s/", info->nodes[i]->path);
    g_dbus_node_info_unref(info);
    return g_string_free(names, FALSE);
}

#define assert_introspect(peer, path, expected)                                                    \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autofree char *names_ = introspect_names(peer, path);                                    \
        g_assert_cmpstr(names_, ==, expected);                                                     \
    }                                                                                              \
    G_STMT_END

static void test_introspect(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {0};
    g_autofree char *xml = NULL;

    add(peer, THING, both, &thing);
    add(peer, "/org/virtbus1/thing/b", plain, &thing);
    add(peer, THING "/snapshot/x", plain, &thing);
    add(peer, "/org/virtbus1/manager", plain, &thing);

    assert_introspect(peer, "/", "org/");
    assert_introspect(peer, "/org", "virtbus1/");
    assert_introspect(peer, "/org/virtbus1", "org.freedesktop.DBus.ObjectManager;manager/thing/");
    assert_introspect(peer, "/org/virtbus1/thing", "a/b/");
    assert_introspect(peer, THING, "org.virtbus1.Thing.Text;org.virtbus1.Thing;snapshot/");
    assert_introspect(peer, THING "/snapshot", "x/");
    assert_introspect(peer, THING "/snapshot/x", "org.virtbus1.Thing;");
    assert_introspect(peer, "/org/virtbus1/thing/b", "org.virtbus1.Thing;");

    xml = introspect(peer, "/org/virtbus1/thing/b");
    g_assert_nonnull(strstr(xml, "<arg type=\"a{sv}\" name=\"options\" direction=\"in\"/>"));
    g_assert_nonnull(strstr(xml, "<arg type=\"s\" name=\"result\" direction=\"out\"/>"));
    g_assert_nonnull(strstr(xml, "<arg type=\"s\" name=\"reason\"/>"));
    g_assert_null(strstr(xml, "Privileged"));
    g_assert_nonnull(strstr(xml, "name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" "
                                 "value=\"invalidates\""));
    g_assert_nonnull(strstr(xml, "value=\"const\""));
}

static void assert_call_error(Peer *peer, const char *path, const char *interface,
                              const char *member, const char *types, const char *error)
{
    g_auto(Reply) reply = {0};

    peer_send(peer, &reply, path, interface, member, types, "x", "y");
    reply_assert_error(&reply, error, "");
}

static void test_unknown(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {0};
    const char *properties = "org.freedesktop.DBus.Properties";
    g_auto(Reply) ping = {0};

    add(peer, THING, plain, &thing);
    assert_call_error(peer, "/org/virtbus1/thing/none", "org.virtbus1.Thing", "Start", "",
                      SD_BUS_ERROR_UNKNOWN_OBJECT);
    assert_call_error(peer, "/org/virtbus1/thing", "org.virtbus1.Thing", "Start", "",
                      SD_BUS_ERROR_UNKNOWN_OBJECT);
    assert_call_error(peer, THING, "org.virtbus1.Thing", "Nothing", "",
                      SD_BUS_ERROR_UNKNOWN_METHOD);
    assert_call_error(peer, THING, "org.virtbus1.Thing.Text", "Nothing", "",
                      SD_BUS_ERROR_UNKNOWN_METHOD);
    assert_call_error(peer, THING, "org.virtbus1.Thing", "Start", "ss", SD_BUS_ERROR_INVALID_ARGS);
    assert_call_error(peer, THING, properties, "Get", "ss", SD_BUS_ERROR_UNKNOWN_PROPERTY);
    assert_call_error(peer, "/org/virtbus1/none", properties, "Get", "ss",
                      SD_BUS_ERROR_UNKNOWN_OBJECT);
    assert_call_error(peer, "/org/virtbus1/none", "org.freedesktop.DBus.Introspectable",
                      "Introspect", "", SD_BUS_ERROR_UNKNOWN_OBJECT);
    peer_send(peer, &ping, THING, "org.freedesktop.DBus.Peer", "Ping", "");
    reply_assert_ok(&ping);
}

/* Reads a{oa{sa{sv}}}: counts objects, and makes sure that no object and no interface comes twice.
 */
static guint count_objects(sd_bus_message *m)
{
    g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}"), >, 0);
    while (sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}") > 0) {
        g_autoptr(GHashTable) interfaces = g_hash_table_new(g_str_hash, g_str_equal);
        const char *path, *interface;

        g_assert_cmpint(sd_bus_message_read(m, "o", &path), >, 0);
        g_assert_true(g_hash_table_add(paths, g_strdup(path)));
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sa{sv}}"), >, 0);
        while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
            g_assert_cmpint(sd_bus_message_read(m, "s", &interface), >, 0);
            g_assert_true(g_hash_table_add(interfaces, (gpointer)interface));
            g_assert_cmpint(sd_bus_message_skip(m, "a{sv}"), >, 0);
            g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
        }
        g_assert_true(g_hash_table_contains(interfaces, "org.virtbus1.Thing"));
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    }
    g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    return g_hash_table_size(paths);
}

static void get_managed(Peer *peer, Reply *reply)
{
    peer_send(peer, reply, "/org/virtbus1", "org.freedesktop.DBus.ObjectManager",
              "GetManagedObjects", "");
}

static void test_ten_thousand(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running"};
    g_auto(Reply) reply = {0};

    vb_registry_set_quiet(peer->registry, TRUE);
    for (guint i = 0; i < 10000; i++) {
        g_autofree char *path = g_strdup_printf("/org/virtbus1/thing/t%u", i);
        add(peer, path, i % 2 == 0 ? plain : both, &thing);
    }
    vb_registry_set_quiet(peer->registry, FALSE);
    g_assert_cmpuint(vb_registry_size(peer->registry), ==, 10000);
    get_managed(peer, &reply);
    reply_assert_ok(&reply);
    peer_assert_heard(peer, "reply GetManagedObjects"); /* and no InterfacesAdded */
    g_assert_cmpuint(count_objects(reply.message), ==, 10000);
}

static void test_limit(void)
{
    g_autoptr(Peer) peer = thing_peer();
    g_autofree char *text = g_strnfill(12 * 1024 * 1024 - 2000, 'x');
    Thing thing = {.state = "running", .text = text};
    VbObject *a, *b;
    g_auto(Reply) fits = {0};
    g_auto(Reply) too_large = {0};
    g_auto(Reply) fits_again = {0};

    vb_registry_set_quiet(peer->registry, TRUE);
    a = add(peer, THING, both, &thing);
    b = add(peer, "/org/virtbus1/thing/b", both, &thing);
    g_assert_cmpuint(vb_registry_object_size(peer->registry, a), >, strlen(text));
    get_managed(peer, &fits);
    reply_assert_ok(&fits);
    g_assert_cmpuint(count_objects(fits.message), ==, 2);

    /* the size follows a change */
    g_free(text);
    thing.text = text = g_strnfill(12 * 1024 * 1024, 'x');
    vb_registry_mark_dirty(peer->registry, a, &text_interface, "Text", VB_DIRTY_MERGE);
    vb_registry_mark_dirty(peer->registry, b, &text_interface, "Text", VB_DIRTY_MERGE);
    get_managed(peer, &too_large);
    reply_assert_error(&too_large, SD_BUS_ERROR_LIMITS_EXCEEDED, "org.virtbus1.Manager.GetObjects");

    vb_registry_remove(peer->registry, b);
    get_managed(peer, &fits_again);
    reply_assert_ok(&fits_again);
    g_assert_cmpuint(count_objects(fits_again.message), ==, 1);
}

/* A page of ours is what ObjectManager says, interface for interface, and has the size that was
 * announced. */
static void test_append(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running", .title = "t", .text = "some text"};
    sd_bus_message *page = NULL;
    g_auto(Reply) reply = {0};
    gsize size;
    VbObject *object = add(peer, THING, both, &thing);
    const char *path, *ours, *theirs;

    g_assert_cmpint(sd_bus_message_new_signal(peer->client, &page, "/", "a.b", "C"), >=, 0);
    g_assert_cmpint(sd_bus_message_open_container(page, 'a', "{oa{sa{sv}}}"), >=, 0);
    g_assert_true(vb_registry_append_object(peer->registry, page, object, NULL));
    g_assert_cmpint(sd_bus_message_close_container(page), >=, 0);
    g_assert_cmpint(sd_bus_message_seal(page, 1, 0), >=, 0);
    get_managed(peer, &reply);
    reply_assert_ok(&reply);

    size = vb_message_body_size(page, G_MAXSIZE);
    g_assert_cmpuint(vb_message_body_size(reply.message, G_MAXSIZE), ==, size);
    g_assert_cmpuint(vb_registry_object_size(peer->registry, object), ==, (size + 7) / 8 * 8);
    g_assert_cmpuint(count_objects(reply.message), ==, 1);
    sd_bus_message_rewind(reply.message, TRUE);

    for (guint i = 0; i < 2; i++) {
        sd_bus_message *m = i == 0 ? page : reply.message;

        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}"), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}"), >, 0);
        g_assert_cmpint(sd_bus_message_read(m, "o", &path), >, 0);
        g_assert_cmpstr(path, ==, THING);
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sa{sv}}"), >, 0);
    }
    for (guint i = 0; i < 5; i++) {
        sd_bus_message *m[] = {page, reply.message};
        const char **name[] = {&ours, &theirs};

        for (guint k = 0; k < 2; k++) {
            g_assert_cmpint(sd_bus_message_enter_container(m[k], 'e', "sa{sv}"), >, 0);
            g_assert_cmpint(sd_bus_message_read(m[k], "s", name[k]), >, 0);
            g_assert_cmpint(sd_bus_message_skip(m[k], "a{sv}"), >, 0);
            g_assert_cmpint(sd_bus_message_exit_container(m[k]), >=, 0);
        }
        g_assert_cmpstr(ours, ==, theirs);
    }
    sd_bus_message_unref(page);
}

static void test_add_remove(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running", .reason = "booted"};
    VbObject *object = add(peer, THING, both, &thing);
    guint64 generation = vb_object_generation(object);

    g_assert_true(vb_registry_lookup(peer->registry, THING) == object);
    g_assert_true(vb_object_has_interface(object, &text_interface));
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_MERGE);
    vb_registry_remove(peer->registry, object);
    g_assert_cmpuint(thing.n_freed, ==, 1);
    g_assert_null(vb_registry_lookup(peer->registry, THING));
    g_assert_cmpuint(vb_registry_size(peer->registry), ==, 0);

    object = add(peer, THING, plain, &thing);
    g_assert_cmpuint(vb_object_generation(object), >, generation);
    g_assert_false(vb_object_has_interface(object, &text_interface));
    peer_settle(peer);
    peer_assert_heard(peer, "added " THING " org.virtbus1.Thing.Text,org.virtbus1.Thing\n"
                            "changed " THING " org.virtbus1.Thing State=running\n"
                            "removed " THING " org.virtbus1.Thing.Text,org.virtbus1.Thing\n"
                            "added " THING " org.virtbus1.Thing");

    /* a parent can go before its child, and an intermediate node goes with its last child */
    add(peer, THING "/snapshot/x", plain, &thing);
    vb_registry_remove(peer->registry, object);
    g_assert_nonnull(vb_registry_lookup(peer->registry, THING "/snapshot/x"));
    vb_registry_remove(peer->registry, vb_registry_lookup(peer->registry, THING "/snapshot/x"));
    assert_introspect(peer, "/org/virtbus1", "org.freedesktop.DBus.ObjectManager;");
}

static void test_list(void)
{
    g_autoptr(Peer) peer = thing_peer();
    g_autoptr(GPtrArray) none = NULL;
    g_autoptr(GPtrArray) things = NULL;
    Thing thing = {0};

    add(peer, "/org/virtbus1/thing/c", plain, &thing);
    add(peer, "/org/virtbus1/thing/a", plain, &thing);
    add(peer, "/org/virtbus1/thing/b/snapshot/x", plain, &thing);
    none = vb_registry_list(peer->registry, "/org/virtbus1/nothing", "", G_MAXUINT);
    g_assert_cmpuint(none->len, ==, 0);
    things = vb_registry_list(peer->registry, "/org/virtbus1/thing", "", G_MAXUINT);
    g_assert_cmpuint(things->len, ==, 2);
    g_assert_cmpstr(things->pdata[0], ==, "/org/virtbus1/thing/a");
    g_assert_cmpstr(things->pdata[1], ==, "/org/virtbus1/thing/c");
}

/* The names of things behind a path, in one string. */
static char *things_behind(Peer *peer, const char *after, guint most)
{
    g_autoptr(GPtrArray) things =
        vb_registry_list(peer->registry, "/org/virtbus1/thing", after, most);
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < things->len; i++)
        g_string_append(names, strrchr(things->pdata[i], '/') + 1);
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static void test_list_behind(void)
{
    static const struct {
        const char *after;
        guint most;
        const char *names;
    } cases[] = {
        {"", 2, "ab"},
        {"", 0, ""},
        {"/org/virtbus1/thing/a", 9, "bd"},
        {"/org/virtbus1/thing/b", 1, "d"},
        {"/org/virtbus1/thing/c", 9, "d"}, /* which has gone */
        {"/org/virtbus1/thing/b/x", 9, "d"},
        {"/org/virtbus1/thing/d", 9, ""},
        {"/org/virtbus1/thin", 9, "abd"},
        {"/org/virtbus1/thing", 9, "abd"},
        {"/org/virtbus1/thing\x10", 9, "abd"},
        {"/org/virtbus1/thing0", 9, ""},
        {"/org/virtbus1/other/z", 9, "abd"},
        {"/org/virtbus1/will/a", 9, ""},
    };
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {0};

    add(peer, "/org/virtbus1/thing/a", plain, &thing);
    add(peer, "/org/virtbus1/thing/b", plain, &thing);
    add(peer, "/org/virtbus1/thing/d", plain, &thing);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *names = things_behind(peer, cases[i].after, cases[i].most);

        g_assert_cmpstr(names, ==, cases[i].names);
    }
}

static void test_mistakes(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {0};
    static const VbInterface stranger = {"org.virtbus1.Stranger", NULL, NULL, NULL};
    static const VbInterface *const strange[] = {&stranger, NULL};
    VbObject *object = add(peer, THING, plain, &thing);

    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*already*");
    g_assert_null(vb_registry_add(peer->registry, THING, plain, &thing, thing_freed));
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*not a path*");
    g_assert_null(vb_registry_add(peer->registry, "/org/virtbus1/thing/a-b", plain, &thing, NULL));
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*not a path*");
    g_assert_null(vb_registry_add(peer->registry, "/org/virtbus1", plain, &thing, NULL));
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*Stranger*");
    g_assert_null(vb_registry_add(peer->registry, "/org/virtbus1/x", strange, &thing, NULL));
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*no property that changes*");
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "Uuid", VB_DIRTY_MERGE);
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*not declared*");
    vb_registry_emit(peer->registry, object, &thing_interface, "Lifecycle", "s", "x");
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "*not declared*");
    vb_registry_emit(peer->registry, object, &thing_interface, "Nothing", "");
    g_test_assert_expected_messages();
    peer_settle(peer);
    peer_assert_heard(peer, "added " THING " org.virtbus1.Thing");
    g_assert_cmpuint(thing.n_freed, ==, 0);
}

/* A call's effects are on the bus before its reply: merged by object and interface. */
static void test_dirty_before_reply(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "shut-off"};
    g_auto(Reply) reply = {0};

    add(peer, THING, both, &thing);
    peer_settle(peer);
    g_free(peer_heard(peer));
    peer_send(peer, &reply, THING, "org.virtbus1.Thing", "Start", "a{sv}", 0);
    reply_assert_ok(&reply);
    peer_settle(peer);
    peer_assert_heard(peer, "changed " THING
                            " org.virtbus1.Thing State=running,StateReason=booted,!Title\n"
                            "changed " THING " org.virtbus1.Thing.Text Text=\n"
                            "reply Start");
}

static void test_dirty_by_itself(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running"};
    VbObject *a = add(peer, THING, plain, &thing);
    VbObject *b = add(peer, "/org/virtbus1/thing/b", plain, &thing);

    peer_settle(peer);
    g_free(peer_heard(peer));
    /* in the order of the first mark; an interface that the object does not have is ignored */
    vb_registry_mark_dirty(peer->registry, b, &thing_interface, "State", VB_DIRTY_MERGE);
    vb_registry_mark_dirty(peer->registry, a, &thing_interface, "State", VB_DIRTY_MERGE);
    vb_registry_mark_dirty(peer->registry, b, &thing_interface, "State", VB_DIRTY_MERGE);
    vb_registry_mark_dirty(peer->registry, b, &text_interface, "Text", VB_DIRTY_MERGE);
    g_assert_true(g_main_context_iteration(NULL, FALSE));
    vb_registry_emit(peer->registry, a, &thing_interface, "Lifecycle", "ss", "x", "y");
    peer_settle(peer);
    peer_assert_heard(peer, "changed /org/virtbus1/thing/b org.virtbus1.Thing State=running\n"
                            "changed " THING " org.virtbus1.Thing State=running\n"
                            "signal Lifecycle " THING);
}

/* Each transition is emitted, with what was marked before it; signals come after changes. */
static void test_transitions(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running"};
    VbObject *object = add(peer, THING, plain, &thing);

    peer_settle(peer);
    g_free(peer_heard(peer));
    thing.reason = "user";
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "StateReason", VB_DIRTY_MERGE);
    thing.state = "paused";
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_NO_MERGE);
    thing.state = "running";
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_NO_MERGE);
    thing.state = "shut-off";
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_NO_MERGE);
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "Disks", VB_DIRTY_MERGE);
    vb_registry_emit(peer->registry, object, &thing_interface, "Lifecycle", "ss", "stopped", "");
    peer_settle(peer);
    peer_assert_heard(peer, "changed " THING " org.virtbus1.Thing State=paused,StateReason=user\n"
                            "changed " THING " org.virtbus1.Thing State=running\n"
                            "changed " THING " org.virtbus1.Thing State=shut-off\n"
                            "changed " THING " org.virtbus1.Thing Disks\n"
                            "signal Lifecycle " THING);
}

/* A read that sd-bus answers by itself comes after the changes that it reflects. The main loop does
 * not run between mark and read, so that only the filter can have flushed. */
static void assert_flush_before(Peer *peer, VbObject *object, const char *path,
                                const char *interface, const char *member, const char *types,
                                const char *a, const char *b)
{
    g_auto(Reply) reply = {0};
    g_autofree char *expected = NULL;
    g_autofree char *heard = NULL;
    int r;

    peer_send(peer, &reply, path, interface, member, types, a, b);
    g_assert_cmpint(sd_bus_flush(peer->client), >=, 0);
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_MERGE);
    do
        r = sd_bus_process(vb_bus_connection(peer->bus), NULL);
    while (r > 0);
    g_assert_cmpint(r, ==, 0);
    reply_assert_ok(&reply);
    expected =
        g_strdup_printf("changed " THING " org.virtbus1.Thing State=running\nreply %s", member);
    heard = peer_heard(peer);
    g_assert_cmpstr(heard, ==, expected);
}

static void test_flush_before_reads(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running"};
    VbObject *object = add(peer, THING, plain, &thing);
    const char *properties = "org.freedesktop.DBus.Properties";

    peer_settle(peer);
    g_free(peer_heard(peer));
    assert_flush_before(peer, object, THING, properties, "Get", "ss", "org.virtbus1.Thing",
                        "State");
    assert_flush_before(peer, object, THING, properties, "GetAll", "s", "org.virtbus1.Thing", NULL);
    assert_flush_before(peer, object, "/org/virtbus1", "org.freedesktop.DBus.ObjectManager",
                        "GetManagedObjects", "", NULL, NULL);
    assert_flush_before(peer, object, THING, "org.freedesktop.DBus.Introspectable", "Introspect",
                        "", NULL, NULL);
}

static void test_quiet(void)
{
    g_autoptr(Peer) peer = thing_peer();
    Thing thing = {.state = "running"};
    VbObject *object;

    vb_registry_set_quiet(peer->registry, TRUE);
    object = add(peer, THING, plain, &thing);
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_NO_MERGE);
    vb_registry_remove(peer->registry, object);
    object = add(peer, THING, plain, &thing);
    vb_registry_set_quiet(peer->registry, FALSE);
    peer_settle(peer);
    peer_assert_heard(peer, "");
    vb_registry_mark_dirty(peer->registry, object, &thing_interface, "State", VB_DIRTY_MERGE);
    peer_settle(peer);
    peer_assert_heard(peer, "changed " THING " org.virtbus1.Thing State=running");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/registry/introspect", test_introspect);
    g_test_add_func("/service/registry/unknown", test_unknown);
    g_test_add_func("/service/registry/ten-thousand", test_ten_thousand);
    g_test_add_func("/service/registry/limit", test_limit);
    g_test_add_func("/service/registry/append", test_append);
    g_test_add_func("/service/registry/add-remove", test_add_remove);
    g_test_add_func("/service/registry/list", test_list);
    g_test_add_func("/service/registry/list-behind", test_list_behind);
    g_test_add_func("/service/registry/mistakes", test_mistakes);
    g_test_add_func("/service/registry/dirty-before-reply", test_dirty_before_reply);
    g_test_add_func("/service/registry/dirty-by-itself", test_dirty_by_itself);
    g_test_add_func("/service/registry/transitions", test_transitions);
    g_test_add_func("/service/registry/flush-before-reads", test_flush_before_reads);
    g_test_add_func("/service/registry/quiet", test_quiet);
    return g_test_run();
}
