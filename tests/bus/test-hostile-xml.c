/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hostile documents over the bus, through every method that takes one: each is refused, no file is
 * read for it, and the daemon lives on for everybody else. What they cost the parser is measured in
 * tests/unit/model-hostile-xml.c. */
#include <string.h>

#include "bus-fixture.h"

#define MIB ((gsize)1024 * 1024)
#define SECRET "hostile-xml-secret"

static void repeat(GString *xml, const char *text, gsize n)
{
    for (gsize i = 0; i < n; i++)
        g_string_append(xml, text);
}

typedef struct {
    const char *name, *error; /* the last part of its name */
    void (*make)(GString *xml, const char *root, const char *secret_path);
} Attack;

static void billion_laughs(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<!DOCTYPE %s [<!ENTITY a0 'ha'>", root);
    for (guint i = 1; i < 30; i++)
        g_string_append_printf(xml, "<!ENTITY a%u '&a%u;&a%u;&a%u;'>", i, i - 1, i - 1, i - 1);
    g_string_append_printf(xml, "]><%s>&a29;</%s>", root, root);
}

static void external_entity(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(
        xml, "<!DOCTYPE %s [<!ENTITY x SYSTEM 'file://%s'>]><%s><name>&x;</name></%s>", root,
        secret_path, root, root);
}

static void include(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml,
                           "<%s type='test'><xi:include parse='text' href='file://%s' "
                           "xmlns:xi='http://www.w3.org/2001/XInclude'/></%s>",
                           root, secret_path, root);
}

static void levels(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s>", root);
    repeat(xml, "<a>", 1000000);
}

static void siblings(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s>", root);
    repeat(xml, "<a/>", 1000000);
    g_string_append_printf(xml, "</%s>", root);
}

static void attributes(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s", root);
    for (guint i = 0; i < 100000; i++)
        g_string_append_printf(xml, " a%u=''", i);
    g_string_append(xml, "/>");
}

static void namespaces(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s", root);
    for (guint i = 0; i < 100000; i++)
        g_string_append_printf(xml, " xmlns:n%u='u:%u'", i, i);
    g_string_append(xml, "/>");
}

static void too_large(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s>", root);
    repeat(xml, "                ", 4 * MIB / 16);
    g_string_append_printf(xml, "</%s>", root);
}

static void far_too_large(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s>", root);
    repeat(xml, "                ", 8 * MIB / 16);
    g_string_append_printf(xml, "</%s>", root);
}

static void long_value(GString *xml, const char *root, const char *secret_path)
{
    g_string_append_printf(xml, "<%s type='", root);
    repeat(xml, "xxxxxxxxxxxxxxxx", 3 * MIB / 16);
    g_string_append(xml, "'/>");
}

static const Attack attacks[] = {
    {"billion laughs", "InvalidXml", billion_laughs},
    {"an external entity", "InvalidXml", external_entity},
    {"XInclude", NULL, include},
    {"a million levels", "LimitsExceeded", levels},
    {"a million elements", "LimitsExceeded", siblings},
    {"100,000 attributes", "LimitsExceeded", attributes},
    {"100,000 namespaces", "LimitsExceeded", namespaces},
    {"4 MiB and a little", "LimitsExceeded", too_large},
    {"8 MiB", "LimitsExceeded", far_too_large},
    {"a value of 3 MiB", NULL, long_value},
};

/* The call that takes such a document. */
static guint32 send(VbBusClient *client, const char *domain, const char *root, const char *xml)
{
    if (strcmp(root, "domain") == 0)
        return vb_bus_client_send(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
                                  g_variant_new_parsed("(%s, @a{sv} {})", xml));
    if (strcmp(root, "disk") == 0)
        return vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "Copy",
                                  g_variant_new_parsed("('vda', %s, @a{sv} {})", xml));
    return vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "Backup",
                              g_variant_new_parsed("(%s, @a{sv} {})", xml));
}

static void test_refused(void)
{
    static const char *const roots[] = {"domain", "disk", "domainbackup"};
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *secret_path = g_build_filename(vb_bus_fixture_dir(fixture), "secret", NULL);
    g_autofree char *domain = vb_bus_client_start_domain(client, "d", NULL);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(secret_path, SECRET, -1, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(attacks); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(roots); j++) {
            g_autoptr(GString) xml = g_string_new(NULL);
            guint position = vb_bus_client_position(client);

            attacks[i].make(xml, roots[j], secret_path);
            guint32 serial = send(client, domain, roots[j], xml->str);
            const VbBusMessage *reply = vb_bus_client_next_reply(client, &position, serial);
            const char *message;

            if (!reply->error)
                g_error("%s in <%s> was accepted", attacks[i].name, roots[j]);
            g_variant_get(reply->body, "(&s)", &message);
            g_test_message("%s in <%s>: %s: %.80s", attacks[i].name, roots[j], reply->error,
                           message);
            if (attacks[i].error)
                g_assert_true(g_str_has_suffix(reply->error, attacks[i].error));
            g_assert_null(strstr(message, SECRET));
            g_assert_cmpuint(strlen(message), <, 4096);
        }
    }
    /* It is as it was. */
    g_autofree char *state = vb_bus_client_get_string(client, domain, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(state, ==, "running");
    g_autofree char *other = vb_bus_client_start_domain(client, "other", NULL);
}

static void on_closed(GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
                      gpointer closed)
{
    *(gboolean *)closed = TRUE;
}

/* A message larger than the bus allows: the bus turns its sender out. */
static void test_oversized_message(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) sender = vb_bus_client_new(fixture);
    GDBusConnection *connection = vb_bus_client_connection(sender);
    g_autofree char *text = g_strnfill(40 * MIB, ' ');
    gboolean closed = FALSE;

    g_dbus_connection_set_exit_on_close(connection, FALSE);
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), &closed);
    send(sender, NULL, "domain", text);
    VB_WAIT_FOR(closed);
    g_autofree char *domain = vb_bus_client_start_domain(client, "d", NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bus/hostile-xml/refused", test_refused);
    g_test_add_func("/bus/hostile-xml/oversized-message", test_oversized_message);
    return g_test_run();
}
