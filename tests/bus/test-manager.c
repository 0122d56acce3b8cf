/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Manager on the real daemon: definitions, lookups, lists and pages. */
#include "bus-fixture.h"

#include "config.h"

#define UUID "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e01"
#define UUID_PATH VB_PATH_ROOT "/domain/6a1d7a52_2b7e_4bb8_9a3f_0f3c2c6d9e01"

static char *manager_error(VbBusClient *client, const char *method, GVariant *params,
                           const char *error)
{
    return vb_bus_client_call_error(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, method, params,
                                    error);
}

/* The paths of an `ao` reply, joined by spaces. */
static char *list_domains(VbBusClient *client, const char *options)
{
    g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new_parsed(options));
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains", params);
    g_autofree const char **paths = NULL;

    g_variant_get(reply, "(^a&o)", &paths);
    return g_strjoinv(" ", (char **)paths);
}

static char *with_uuid(const char *name)
{
    g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);
    g_auto(GStrv) halves = g_strsplit(xml, "<name>", 2);

    return g_strconcat(halves[0], "<uuid>" UUID "</uuid><name>", halves[1], NULL);
}

static void test_properties(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GVariant) version =
        vb_bus_client_get(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Version");
    g_autoptr(GVariant) drivers =
        vb_bus_client_get(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Drivers");
    g_autofree char *hostname =
        vb_bus_client_get_string(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Hostname");
    g_autofree const char **names = g_variant_get_strv(drivers, NULL);

    g_assert_cmpstr(g_variant_get_string(version, NULL), ==, VB_VERSION);
    g_assert_true(g_strv_contains(names, "test"));
    g_assert_cmpstr(hostname, ==, g_get_host_name());
}

static void test_define(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = with_uuid("alpha");
    guint position = vb_bus_client_position(client);
    guint32 serial = vb_bus_client_send(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
                                        g_variant_new_parsed("(%s, @a{sv} {})", xml));
    g_autoptr(GVariant) reply = vb_bus_client_finish(client, serial);
    const VbBusMessage *added, *lifecycle;
    const char *path, *event;

    g_variant_get(reply, "(&o)", &path);
    g_assert_cmpstr(path, ==, UUID_PATH);
    added = vb_bus_client_next_signal(client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                      "InterfacesAdded");
    g_variant_get_child(added->body, 0, "&o", &path);
    g_assert_cmpstr(path, ==, UUID_PATH);
    lifecycle =
        vb_bus_client_next_signal(client, &position, UUID_PATH, VB_IFACE_DOMAIN, "Lifecycle");
    g_variant_get_child(lifecycle->body, 0, "&s", &event);
    g_assert_cmpstr(event, ==, "defined");
    vb_bus_client_next_reply(client, &position, serial);
}

static void assert_finds(VbBusClient *client, const char *method, const char *key)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, method,
                           g_variant_new_parsed("(%s, @a{sv} {})", key));
    const char *path;

    g_variant_get(reply, "(&o)", &path);
    g_assert_cmpstr(path, ==, UUID_PATH);
}

static void test_lookup(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = with_uuid("alpha");
    g_autofree char *path = vb_bus_client_define(client, xml);
    g_autofree char *upper = g_ascii_strup(UUID, -1);
    g_autofree char *by_name = NULL, *by_uuid = NULL, *no_uuid = NULL;

    assert_finds(client, "GetDomainByName", "alpha");
    assert_finds(client, "GetDomainByUuid", UUID);
    assert_finds(client, "GetDomainByUuid", upper);
    by_name = manager_error(client, "GetDomainByName", g_variant_new_parsed("('beta', @a{sv} {})"),
                            "NoDomain");
    g_assert_nonnull(strstr(by_name, "beta"));
    by_uuid = manager_error(
        client, "GetDomainByUuid",
        g_variant_new_parsed("('00000000-0000-4000-8000-000000000000', @a{sv} {})"), "NoDomain");
    no_uuid = manager_error(client, "GetDomainByUuid", g_variant_new_parsed("('alpha', @a{sv} {})"),
                            "org.freedesktop.DBus.Error.InvalidArgs");
}

static void test_refusals(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *first_xml = with_uuid("alpha");
    g_autofree char *other_name = with_uuid("beta");
    g_autofree char *other_uuid = vb_bus_test_domain_xml("alpha", NULL);
    g_autofree char *path = vb_bus_client_define(client, first_xml);
    g_autofree char *again = vb_bus_client_define(client, first_xml);
    g_autofree char *invalid = NULL, *name = NULL, *uuid = NULL;
    guint position = vb_bus_client_position(client);

    g_assert_cmpstr(again, ==, path);
    invalid =
        manager_error(client, "DefineDomain",
                      g_variant_new_parsed("('<domain type=\"test\">', @a{sv} {})"), "InvalidXml");
    name = manager_error(client, "DefineDomain",
                         g_variant_new_parsed("(%s, @a{sv} {})", other_name), "DomainExists");
    uuid = manager_error(client, "DefineDomain",
                         g_variant_new_parsed("(%s, @a{sv} {})", other_uuid), "DomainExists");
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
}

/* Every method of every object refuses what it does not know, and has then done nothing. */
static void test_options(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("alpha", NULL);
    guint position = vb_bus_client_position(client);
    g_autofree char *unknown = manager_error(
        client, "DefineDomain", g_variant_new_parsed("(%s, {'validate': <true>})", xml),
        "org.freedesktop.DBus.Error.InvalidArgs");
    g_autofree char *known_elsewhere =
        manager_error(client, "DefineDomain", g_variant_new_parsed("(%s, {'paused': <true>})", xml),
                      "org.freedesktop.DBus.Error.InvalidArgs");
    g_autofree char *wrong_type = manager_error(
        client, "CreateDomain", g_variant_new_parsed("(%s, {'paused': <'yes'>})", xml),
        "org.freedesktop.DBus.Error.InvalidArgs");
    g_autofree char *list =
        manager_error(client, "ListDomains", g_variant_new_parsed("({'running': <true>},)"),
                      "org.freedesktop.DBus.Error.InvalidArgs");

    g_assert_nonnull(strstr(unknown, "validate"));
    g_assert_nonnull(strstr(known_elsewhere, "paused"));
    g_assert_nonnull(strstr(wrong_type, "paused"));
    g_assert_nonnull(strstr(list, "running"));
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
}

static void test_create(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("brief", NULL);
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                           g_variant_new_parsed("(%s, {'paused': <true>})", xml));
    g_autofree char *state = NULL;
    g_autoptr(GVariant) persistent = NULL;
    guint position = vb_bus_client_position(client);
    const VbBusMessage *removed;
    const char *path, *gone;

    g_variant_get(reply, "(&o)", &path);
    state = vb_bus_client_get_string(client, path, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(state, ==, "paused");
    persistent = vb_bus_client_get(client, path, VB_IFACE_DOMAIN, "Persistent");
    g_assert_false(g_variant_get_boolean(persistent));
    vb_bus_client_do(client, path, VB_IFACE_DOMAIN, "Destroy");
    removed = vb_bus_client_next_signal(client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                        "InterfacesRemoved");
    g_variant_get_child(removed->body, 0, "&o", &gone);
    g_assert_cmpstr(gone, ==, path);
    g_assert_false(vb_bus_client_has_object(client, path));
}

static void test_list(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *off_xml = vb_bus_test_domain_xml("off", NULL);
    g_autofree char *off = vb_bus_client_define(client, off_xml);
    g_autofree char *on = vb_bus_client_start_domain(client, "on", NULL);
    g_autofree char *all = list_domains(client, "(@a{sv} {},)");
    g_autofree char *active = list_domains(client, "({'active': <true>},)");
    g_autofree char *inactive = list_domains(client, "({'active': <false>},)");
    g_autofree char *transient = list_domains(client, "({'persistent': <false>},)");
    g_autofree char *both = list_domains(client, "({'active': <true>, 'persistent': <true>},)");
    g_autofree char *expected =
        strcmp(off, on) < 0 ? g_strjoin(" ", off, on, NULL) : g_strjoin(" ", on, off, NULL);

    g_assert_cmpstr(all, ==, expected);
    g_assert_cmpstr(active, ==, on);
    g_assert_cmpstr(inactive, ==, off);
    g_assert_cmpstr(transient, ==, "");
    g_assert_cmpstr(both, ==, on);
}

/* One page; its paths are added to the set. The next cursor. */
static char *get_page(VbBusClient *client, const char *kind, const char *cursor, guint32 limit,
                      GHashTable *paths)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetObjects",
                           g_variant_new_parsed("(%s, %s, %u, @a{sv} {})", kind, cursor, limit));
    g_autoptr(GVariantIter) iter = NULL;
    GVariant *interfaces;
    const char *path;
    char *next;
    guint n = 0;

    g_variant_get(reply, "(a{oa{sa{sv}}}s)", &iter, &next);
    while (g_variant_iter_loop(iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
        g_assert_true(g_hash_table_insert(paths, g_strdup(path), g_variant_ref(interfaces)));
        n++;
    }
    g_assert_true(limit == 0 || n <= limit);
    return next;
}

static GHashTable *new_page_set(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_variant_unref);
}

static void test_pages(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GHashTable) paths = new_page_set(), domains = new_page_set(), jobs = new_page_set();
    g_autoptr(GVariant) tree = NULL, objects = NULL;
    g_autofree char *cursor = g_strdup(""), *last = NULL, *kind = NULL, *foreign = NULL;
    GHashTableIter iter;
    gpointer path, interfaces;
    guint n_pages = 0;

    for (guint i = 0; i < 7; i++) {
        g_autofree char *name = g_strdup_printf("page-%u", i);
        g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);
        g_autofree char *domain = vb_bus_client_define(client, xml);
    }
    do {
        char *next = get_page(client, "", cursor, 3, paths);

        g_free(cursor);
        cursor = next;
        n_pages++;
    } while (*cursor != '\0');
    g_assert_cmpuint(n_pages, ==, 3); /* 7 domains and the manager */

    /* The pages say together what ObjectManager says. */
    tree = vb_bus_client_call(client, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects",
                              NULL);
    objects = g_variant_get_child_value(tree, 0);
    g_assert_cmpuint(g_hash_table_size(paths), ==, g_variant_n_children(objects));
    g_hash_table_iter_init(&iter, paths);
    while (g_hash_table_iter_next(&iter, &path, &interfaces)) {
        g_autoptr(GVariant) whole = g_variant_lookup_value(objects, path, NULL);
        g_autoptr(GVariant) ours = g_variant_lookup_value(
            interfaces, g_str_equal(path, VB_PATH_MANAGER) ? VB_IFACE_MANAGER : VB_IFACE_DOMAIN,
            NULL);
        g_autoptr(GVariant) theirs = g_variant_lookup_value(
            whole, g_str_equal(path, VB_PATH_MANAGER) ? VB_IFACE_MANAGER : VB_IFACE_DOMAIN, NULL);

        g_assert_nonnull(ours);
        g_assert_true(g_variant_equal(ours, theirs));
    }

    last = get_page(client, "domain", "", 0, domains);
    g_assert_cmpstr(last, ==, "");
    g_assert_cmpuint(g_hash_table_size(domains), ==, 7);
    g_free(last);
    last = get_page(client, "job", "", 5, jobs);
    g_assert_cmpstr(last, ==, "");
    g_assert_cmpuint(g_hash_table_size(jobs), ==, 0);
    kind =
        manager_error(client, "GetObjects", g_variant_new_parsed("('pool', '', @u 0, @a{sv} {})"),
                      "org.freedesktop.DBus.Error.InvalidArgs");
    foreign =
        manager_error(client, "GetObjects", g_variant_new_parsed("('', 'abc', @u 0, @a{sv} {})"),
                      "org.freedesktop.DBus.Error.InvalidArgs");
}

/* A cursor whose object has gone is where it was. */
static void test_page_of_the_gone(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GHashTable) first = new_page_set(), rest = new_page_set();
    g_autofree char *cursor = NULL, *last = NULL;

    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("gone-%u", i);
        g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);
        g_autofree char *domain = vb_bus_client_define(client, xml);
    }
    cursor = get_page(client, "domain", "", 1, first);
    vb_bus_client_do(client, cursor, VB_IFACE_DOMAIN, "Undefine");
    last = get_page(client, "domain", cursor, 0, rest);
    g_assert_cmpstr(last, ==, "");
    g_assert_cmpuint(g_hash_table_size(rest), ==, 2);
}

static void test_restart(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = with_uuid("alpha");
    g_autofree char *path = vb_bus_client_define(client, xml);
    g_autoptr(GVariant) set = vb_bus_client_call(client, path, VB_IFACE_DOMAIN, "SetAutostart",
                                                 g_variant_new_parsed("(true, @a{sv} {})"));
    g_autofree char *gone_xml = vb_bus_test_domain_xml("gone", NULL);
    g_autofree char *gone = vb_bus_client_define(client, gone_xml);
    g_autofree char *name = NULL;
    g_autoptr(GVariant) autostart = NULL;

    vb_bus_client_do(client, gone, VB_IFACE_DOMAIN, "Undefine");
    vb_bus_fixture_kill_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    assert_finds(client, "GetDomainByName", "alpha");
    name = vb_bus_client_get_string(client, path, VB_IFACE_DOMAIN, "Name");
    g_assert_cmpstr(name, ==, "alpha");
    autostart = vb_bus_client_get(client, path, VB_IFACE_DOMAIN, "Autostart");
    g_assert_true(g_variant_get_boolean(autostart));
    g_assert_false(vb_bus_client_has_object(client, gone));
}

static void run(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);

    ((void (*)(VbBusFixture *))test)(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/manager/properties", test_properties, run);
    g_test_add_data_func("/manager/define", test_define, run);
    g_test_add_data_func("/manager/lookup", test_lookup, run);
    g_test_add_data_func("/manager/refusals", test_refusals, run);
    g_test_add_data_func("/manager/options", test_options, run);
    g_test_add_data_func("/manager/create", test_create, run);
    g_test_add_data_func("/manager/list", test_list, run);
    g_test_add_data_func("/manager/pages", test_pages, run);
    g_test_add_data_func("/manager/page-of-the-gone", test_page_of_the_gone, run);
    g_test_add_data_func("/manager/restart", test_restart, run);
    return g_test_run();
}
