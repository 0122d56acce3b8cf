/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Too much of everything, over a real bus: floods, messages too large to be sent and almost so,
 * replies that would be, and names that would be paths. docs/limits.md is the contract. */
#include "bus-fixture.h"

#include <gio/gunixfdlist.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define LIMITS "org.freedesktop.DBus.Error.LimitsExceeded"
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define MIB (1024 * 1024)

static GVariant *no_options(void)
{
    return g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0);
}

static GVariant *text_params(const char *text)
{
    return g_variant_new("(s@a{sv})", text, no_options());
}

/* ---- a caller that does not wait for answers --------------------------------------------------
 */

#define NOBODY 65534

typedef struct {
    GDBusConnection *connection;
    const char *path, *interface, *member;
    GVariant *params; /* or NULL */
    guint window;     /* calls in flight */
    guint enough;     /* refusals to wait for; with turns, answers */
    gboolean turns;   /* nothing is refused: calls wait for their turn */
    guint in_flight;
    guint served, refused;
    gboolean stopped;
} Flooder;

static void flood(Flooder *flooder);

static void on_flood_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    Flooder *flooder = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    flooder->in_flight--;
    if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_LIMITS_EXCEEDED)) {
        if (strstr(error->message, "while others call") == NULL)
            g_error("%s", error->message);
        flooder->refused++;
    } else {
        flooder->served++;
    }
    flood(flooder);
}

static void flood(Flooder *flooder)
{
    for (; !flooder->stopped && flooder->in_flight < flooder->window; flooder->in_flight++)
        g_dbus_connection_call(flooder->connection, VB_BUS_NAME, flooder->path, flooder->interface,
                               flooder->member, flooder->params, NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                               NULL, on_flood_answer, flooder);
}

static GVariant *get_version_params(void)
{
    return g_variant_ref_sink(g_variant_new("(ss)", VB_IFACE_MANAGER, "Version"));
}

/* Floods until it is refused; one who waits for each answer is served all the time, and so is the
 * flooder, once he has calmed down. */
static void run_flood(VbBusFixture *fixture, Flooder *flooder)
{
    g_autoptr(VbBusClient) client = /* root is not refused long calls */
        geteuid() == 0 ? vb_bus_client_new_as(fixture, NOBODY) : vb_bus_client_new(fixture);
    VbBusClient *victim = vb_bus_fixture_client(fixture);
    gint64 deadline = vb_wait_deadline();
    guint n = 0;

    flooder->connection = vb_bus_client_connection(client);
    flood(flooder);
    for (; (flooder->turns ? flooder->served : flooder->refused) < flooder->enough; n++) {
        g_autofree char *version =
            vb_bus_client_get_string(victim, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Version");
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    flooder->stopped = TRUE;
    VB_WAIT_FOR(flooder->in_flight == 0);
    g_test_message("%u served, %u refused; meanwhile %u calls of another", flooder->served,
                   flooder->refused, n);
    g_assert_cmpuint(flooder->served, >, 0);
    g_assert_cmpuint(n, >, 0);
    if (flooder->turns)
        g_assert_cmpuint(flooder->refused, ==, 0);
    for (gboolean calm = FALSE; !calm;) { /* each refusal takes its time */
        g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
            flooder->connection, VB_BUS_NAME, VB_PATH_MANAGER, VB_IFACE_PEER, "Ping", NULL, NULL,
            G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);

        calm = reply != NULL;
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void test_flood(VbBusFixture *fixture)
{
    g_autoptr(GVariant) params = get_version_params();
    Flooder flooder = {.path = VB_PATH_MANAGER,
                       .interface = VB_IFACE_PROPERTIES,
                       .member = "Get",
                       .params = params,
                       .window = 100,
                       .enough = 100};

    run_flood(fixture, &flooder);
}

static void define_many(VbBusFixture *fixture, guint n, gsize description)
{
    g_autofree char *text = g_strnfill(description, 'd');

    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);
        g_auto(GStrv) halves = g_strsplit(xml, "<memory", 2);
        g_autofree char *full =
            g_strdup_printf("%s<description>%s</description><memory%s", halves[0], text, halves[1]);
        g_autofree char *path = vb_bus_client_define(vb_bus_fixture_client(fixture), full);
    }
}

/* Not many calls, but each takes long: a document that is read to its end to be refused, as large
 * as one may be that is read before its caller is authorized. */
static void test_long_calls(VbBusFixture *fixture)
{
    g_autoptr(GString) xml = g_string_new("<domain type='test'><name>x</name>");
    g_autoptr(GVariant) params = NULL;
    Flooder flooder = {.path = VB_PATH_MANAGER,
                       .interface = VB_IFACE_MANAGER,
                       .member = "DefineDomain",
                       .window = 16,
                       .enough = 100,
                       .turns = TRUE};

    while (xml->len < 60 * 1024)
        g_string_append(xml, "<x/>");
    g_string_append(xml, "</domain>");
    params = flooder.params = g_variant_ref_sink(text_params(xml->str));
    run_flood(fixture, &flooder);
}

/* Everything, again and again: it is given, and others are served meanwhile. */
static void test_everything(VbBusFixture *fixture)
{
    Flooder flooder = {.path = VB_PATH_ROOT,
                       .interface = VB_IFACE_OBJECT_MANAGER,
                       .member = "GetManagedObjects",
                       .window = 4,
                       .enough = 20,
                       .turns = TRUE};

    define_many(fixture, 20, 100000);
    run_flood(fixture, &flooder);
}

/* Work for which nobody waits. */
static void test_no_reply(VbBusFixture *fixture)
{
    g_autoptr(VbBusClient) client = vb_bus_client_new(fixture);
    GDBusConnection *connection = vb_bus_client_connection(client);
    g_autofree char *version = NULL;

    define_many(fixture, 50, 1000);
    for (guint i = 0; i < 5000; i++) {
        g_autoptr(GDBusMessage) message = g_dbus_message_new_method_call(
            VB_BUS_NAME, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects");

        g_dbus_message_set_flags(message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
        g_assert_true(g_dbus_connection_send_message(connection, message,
                                                     G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL));
    }
    g_assert_true(g_dbus_connection_flush_sync(connection, NULL, NULL));
    version = vb_bus_client_get_string(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Version");
}

static int on_nothing(sd_bus_message *reply, void *data, sd_bus_error *error)
{
    return 0;
}

/* ---- readers that do not read -----------------------------------------------------------------
 */

static gsize daemon_memory(VbBusFixture *fixture)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/statm", (int)vb_bus_fixture_daemon_pid(fixture));
    g_autofree char *statm = NULL;
    g_auto(GStrv) pages = NULL;

    g_assert_true(g_file_get_contents(path, &statm, NULL, NULL));
    pages = g_strsplit(statm, " ", 3);
    return g_ascii_strtoull(pages[1], NULL, 10) * (gsize)getpagesize();
}

/* A connection that asks and never reads: its own socket fills, the bus keeps the rest, up to its
 * own limit, and we keep nothing. Another still gets everything. */
static void test_never_reads(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    sd_bus *deaf = NULL;
    gsize before;

    define_many(fixture, 10, 100000);
    g_assert_cmpint(sd_bus_new(&deaf), >=, 0);
    g_assert_cmpint(sd_bus_set_address(deaf, vb_bus_fixture_address(fixture)), >=, 0);
    g_assert_cmpint(sd_bus_set_bus_client(deaf, TRUE), >=, 0);
    g_assert_cmpint(sd_bus_start(deaf), >=, 0);
    g_assert_cmpint(
        sd_bus_add_match(deaf, NULL, "type='signal',sender='" VB_BUS_NAME "'", NULL, NULL), >=, 0);
    before = daemon_memory(fixture);
    for (guint i = 0; i < 80; i++) { /* 80 MiB of answers */
        g_assert_cmpint(
            sd_bus_call_method_async(deaf, NULL, VB_BUS_NAME, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                     "GetManagedObjects", on_nothing, NULL, ""),
            >=, 0);
        g_assert_cmpint(sd_bus_flush(deaf), >=, 0);
    }
    for (guint i = 0; i < 200; i++) {
        g_autofree char *version =
            vb_bus_client_get_string(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Version");
    }
    vb_bus_client_sync(client);
    g_assert_cmpuint(daemon_memory(fixture), <, before + 40 * MIB);
    sd_bus_close_unref(deaf);
    vb_bus_client_sync(client);
}

/* ---- messages that are too large --------------------------------------------------------------
 */

static char *manager_error(VbBusFixture *fixture, const char *method, GVariant *params,
                           const char *error)
{
    return vb_bus_client_call_error(vb_bus_fixture_client(fixture), VB_PATH_MANAGER,
                                    VB_IFACE_MANAGER, method, params, error);
}

static void test_document(VbBusFixture *fixture)
{
    g_autofree char *spaces = g_strnfill(30 * MIB, ' ');
    g_autofree char *message = manager_error(fixture, "DefineDomain", text_params(spaces), LIMITS);
    g_autofree char *document =
        manager_error(fixture, "DefineDomain", text_params(spaces + 26 * MIB - 1), LIMITS);
    g_autofree char *devices = NULL, *deep = NULL, *too_deep = NULL;
    g_autoptr(GString) many = g_string_new(
        "<domain type='test'><name>x</name><memory>1</memory><os><type>hvm</type></os><devices>");

    g_assert_nonnull(strstr(message, "5242880"));
    g_assert_nonnull(strstr(document, "4194304"));
    for (guint i = 0; i < 1025; i++)
        g_string_append(many, "<input type='tablet' bus='usb'/>");
    g_string_append(many, "</devices></domain>");
    devices = manager_error(fixture, "DefineDomain", text_params(many->str), LIMITS);
    g_assert_nonnull(strstr(devices, "1024"));

    deep = g_strnfill(3 * 300000, 'x');
    for (guint i = 0; i < 300000; i++)
        memcpy(deep + 3 * i, "<a>", 3);
    too_deep = manager_error(fixture, "DefineDomain", text_params(deep), LIMITS);
    g_assert_nonnull(strstr(too_deep, "240"));
}

/* The bus itself refuses it, and its sender with it. */
static void test_oversized(VbBusFixture *fixture)
{
    g_autoptr(VbBusClient) client = vb_bus_client_new(fixture);
    GDBusConnection *connection = vb_bus_client_connection(client);
    g_autofree char *text = g_strnfill(33 * MIB, 'x');

    g_dbus_connection_set_exit_on_close(connection, FALSE);
    vb_bus_client_send(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
                       text_params(text));
    VB_WAIT_FOR(g_dbus_connection_is_closed(connection));
    vb_bus_client_sync(vb_bus_fixture_client(fixture));
}

static GVariant *many_options(guint n)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
    for (guint i = 0; i < n; i++)
        g_variant_builder_add(&builder, "{sv}", "x", g_variant_new_boolean(TRUE));
    return g_variant_builder_end(&builder);
}

static GVariant *nested_option(guint depth)
{
    GVariant *value = g_variant_new_boolean(TRUE);
    GVariantBuilder builder;

    while (depth-- > 0)
        value = g_variant_new_variant(value);
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&builder, "{sv}", "x", value);
    return g_variant_builder_end(&builder);
}

static GVariant *option(const char *key, const char *value)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&builder, "{sv}", key, g_variant_new_string(value));
    return g_variant_builder_end(&builder);
}

static void test_options(VbBusFixture *fixture)
{
    g_autofree char *long_key = g_strnfill(MIB, 'k');
    g_autofree char *many = manager_error(
        fixture, "ListDomains", g_variant_new("(@a{sv})", many_options(300000)), INVALID_ARGS);
    g_autofree char *nested = manager_error(
        fixture, "ListDomains", g_variant_new("(@a{sv})", nested_option(50)), INVALID_ARGS);
    g_autofree char *key = manager_error(
        fixture, "ListDomains", g_variant_new("(@a{sv})", option(long_key, "")), INVALID_ARGS);
    g_autofree char *value =
        manager_error(fixture, "ListDomains", g_variant_new("(@a{sv})", option("active", long_key)),
                      INVALID_ARGS);

    g_assert_nonnull(strstr(many, "twice"));
    g_assert_cmpuint(strlen(key), <, 5000);
    g_assert_nonnull(strstr(value, "too long"));
}

/* What was sent is not sent back whole. */
static void test_echo(VbBusFixture *fixture)
{
    g_autofree char *name = g_strnfill(MIB, 'n');
    g_autofree char *message =
        manager_error(fixture, "GetDomainByName", text_params(name), "NoDomain");

    g_assert_cmpuint(strlen(message), <, 5000);
}

static guint count_fds(VbBusFixture *fixture)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)vb_bus_fixture_daemon_pid(fixture));
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

/* To methods that want none. */
static void test_fds(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    guint before = count_fds(fixture);

    for (guint i = 0; i < 200; i++) {
        g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
        g_autoptr(GDBusMessage) message = g_dbus_message_new_method_call(
            VB_BUS_NAME, VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains");
        g_autoptr(GDBusMessage) reply = NULL;

        for (guint j = 0; j < 8; j++)
            g_assert_cmpint(g_unix_fd_list_append(fds, STDERR_FILENO, NULL), >=, 0);
        g_dbus_message_set_unix_fd_list(message, fds);
        g_dbus_message_set_body(message, g_variant_new("(@a{sv})", no_options()));
        reply = g_dbus_connection_send_message_with_reply_sync(
            vb_bus_client_connection(client), message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, -1, NULL,
            NULL, NULL);
        g_assert_nonnull(reply);
    }
    g_assert_cmpuint(count_fds(fixture), <=, before);
}

/* ---- replies that would be too large ----------------------------------------------------------
 */

static guint page_through(VbBusClient *client, guint *ret_pages)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *cursor = g_strdup("");

    *ret_pages = 0;
    do {
        g_autoptr(GVariant) reply =
            vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetObjects",
                               g_variant_new("(ssu@a{sv})", "domain", cursor, 0, no_options()));
        g_autoptr(GVariantIter) objects = NULL;
        const char *path;

        g_clear_pointer(&cursor, g_free);
        g_variant_get(reply, "(a{oa{sa{sv}}}s)", &objects, &cursor);
        while (g_variant_iter_next(objects, "{&o@a{sa{sv}}}", &path, NULL))
            g_assert_true(g_hash_table_add(seen, g_strdup(path)));
        ++*ret_pages;
    } while (*cursor != '\0');
    return g_hash_table_size(seen);
}

/* More than fits: what pages, pages; what grows with the number of objects says so; and whatever is
 * said of one object fits, however large. */
static void test_replies(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *message = NULL;
    g_autoptr(GVariant) list = NULL, paths = NULL, xml = NULL, all = NULL;
    const char *path;
    guint pages;

    define_many(fixture, 10, 4 * MIB - 2000);
    message = vb_bus_client_call_error(client, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                       "GetManagedObjects", NULL, LIMITS);
    g_assert_nonnull(strstr(message, "GetObjects"));
    g_assert_cmpuint(page_through(client, &pages), ==, 10);
    g_assert_cmpuint(pages, >, 1);

    list = vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains",
                              g_variant_new("(@a{sv})", no_options()));
    paths = g_variant_get_child_value(list, 0);
    g_assert_cmpuint(g_variant_n_children(paths), ==, 10);
    g_variant_get_child(paths, 0, "&o", &path);
    xml = vb_bus_client_call(client, path, VB_IFACE_DOMAIN, "GetXml",
                             g_variant_new("(@a{sv})", no_options()));
    all = vb_bus_client_call(client, path, VB_IFACE_PROPERTIES, "GetAll",
                             g_variant_new("(s)", VB_IFACE_DOMAIN));
    g_assert_cmpuint(g_variant_get_size(all), >, 4 * MIB - 2000);
    vb_bus_client_do(client, path, VB_IFACE_DOMAIN, "Start");
    vb_bus_client_wait_string(client, path, VB_IFACE_DOMAIN, "State", "running");
}

/* What is stored can be read again, and what could not is not stored. */
static void test_stored(VbBusFixture *fixture)
{
    g_autoptr(GString) text = g_string_new("<domain type='test'><name>grows</name>");
    g_autofree char *text_that_grows = g_strnfill(3 * MIB, '>'), *message = NULL;
    g_autoptr(GVariant) found = NULL;

    g_string_append_printf(text,
                           "<description>%s</description><memory>1</memory><os><type>hvm</type>"
                           "</os></domain>",
                           text_that_grows);
    message = manager_error(fixture, "DefineDomain", text_params(text->str), LIMITS);
    g_assert_nonnull(strstr(message, "8388608"));

    define_many(fixture, 1, 4 * MIB - 2000);
    vb_bus_fixture_stop_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    found = vb_bus_client_call(vb_bus_fixture_client(fixture), VB_PATH_MANAGER, VB_IFACE_MANAGER,
                               "GetDomainByName", text_params("d0"));
}

/* ---- names ------------------------------------------------------------------------------------
 */

static char *named_xml(const char *name, const char *uuid)
{
    return g_markup_printf_escaped("<domain type='test'><name>%s</name><uuid>%s</uuid>"
                                   "<memory>1</memory><os><type>hvm</type></os></domain>",
                                   name, uuid);
}

static void assert_no_domain(VbBusFixture *fixture, const char *name, const char *uuid)
{
    g_autofree char *xml = named_xml(name, uuid);
    g_autofree char *message =
        manager_error(fixture, "DefineDomain", text_params(xml), "InvalidXml");

    g_test_message("%.40s: %.100s", *name != '\0' ? name : uuid, message);
}

/* The only files are named by canonical UUIDs: whatever a name is, no path is made of it. */
static void test_paths(VbBusFixture *fixture)
{
    static const char uuid[] = "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e01";
    static const char *const names[] = {"../x", "/etc/passwd", "a/b", ".", "..",
                                        "a\nb", "\x7f",        " ",   ""};
    static const char *const uuids[] = {
        "../../../../etc/passwd",
        "..",
        "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e0/",
        "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e01/../x",
        "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e01.xml",
    };
    static const char *const paths[] = {
        VB_PATH_ROOT "/domain/__",
        VB_PATH_ROOT "/domain/etc/passwd",
        VB_PATH_ROOT "/domain/6A1D7A52_2B7E_4BB8_9A3F_0F3C2C6D9E01",
        VB_PATH_ROOT "/job/00",
        VB_PATH_ROOT "/manager/domain",
    };
    g_autofree char *long_name = g_strnfill(256, 'n');
    g_autofree char *hidden_xml = named_xml(".hidden", "6A1D7A52-2B7E-4BB8-9A3F-0F3C2C6D9E01");
    g_autofree char *dir =
        g_build_filename(vb_bus_fixture_root(fixture), "var/lib/virtbus/domain", NULL);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = NULL;
    g_autoptr(GDir) files = NULL;
    const char *file;

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        assert_no_domain(fixture, names[i], uuid);
    assert_no_domain(fixture, long_name, uuid);
    for (guint i = 0; i < G_N_ELEMENTS(uuids); i++) {
        g_autofree char *message =
            manager_error(fixture, "GetDomainByUuid", text_params(uuids[i]), INVALID_ARGS);
        assert_no_domain(fixture, "name", uuids[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++)
        g_assert_false(vb_bus_client_has_object(client, paths[i]));

    path = vb_bus_client_define(client, hidden_xml);
    g_assert_cmpstr(path, ==, VB_PATH_ROOT "/domain/6a1d7a52_2b7e_4bb8_9a3f_0f3c2c6d9e01");
    files = g_dir_open(dir, 0, NULL);
    while ((file = g_dir_read_name(files)) != NULL) {
        if (strcmp(file, "autostart") != 0)
            g_assert_cmpstr(file, ==, "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e01.xml");
    }
}

static void run(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);

    ((void (*)(VbBusFixture *))test)(fixture);
}

#define ADD(name, test) g_test_add_data_func("/limits/" name, test, run)

/* What is freed is to be free, so that the daemon's memory tells what it keeps. */
static void keep_no_quarantine(void)
{
    const char *options = g_getenv("ASAN_OPTIONS");
    g_autofree char *more =
        g_strconcat(options != NULL ? options : "", ":quarantine_size_mb=4", NULL);

    g_setenv("ASAN_OPTIONS", more, TRUE);
}

int main(int argc, char **argv)
{
    keep_no_quarantine();
    g_test_init(&argc, &argv, NULL);
    ADD("flood", test_flood);
    ADD("long-calls", test_long_calls);
    ADD("everything", test_everything);
    ADD("no-reply", test_no_reply);
    ADD("never-reads", test_never_reads);
    ADD("document", test_document);
    ADD("oversized", test_oversized);
    ADD("options", test_options);
    ADD("echo", test_echo);
    ADD("fds", test_fds);
    ADD("replies", test_replies);
    ADD("stored", test_stored);
    ADD("paths", test_paths);
    return g_test_run();
}
