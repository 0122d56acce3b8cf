/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What dnsmasq says of leases: each field, and lines of which one is wrong. */
#include "lease-file.h"

#include <string.h>

#define MAC "52:54:00:aa:bb:cc"
#define ID "ff:00:01"

static GPtrArray *parse(const char *text, guint expected_bad)
{
    guint bad = G_MAXUINT;
    GPtrArray *leases = vb_lease_file_parse(text, strlen(text), &bad);

    g_assert_cmpuint(bad, ==, expected_bad);
    return leases;
}

static void assert_ip(const VbLease *lease, const char *expected)
{
    g_autofree char *ip = vb_ip_to_string(&lease->ip);

    g_assert_cmpstr(ip, ==, expected);
}

static void test_ipv4(void)
{
    g_autoptr(GPtrArray) leases = parse("1700000000 52:54:00:AA:bb:cc 10.0.0.5 guest_1.x *\n"
                                        "0 " MAC " 10.0.0.6 * 01:" MAC "\n",
                                        0);
    g_assert_cmpuint(leases->len, ==, 2);
    const VbLease *first = leases->pdata[0], *second = leases->pdata[1];

    g_assert_cmpstr(first->mac, ==, MAC);
    assert_ip(first, "10.0.0.5");
    g_assert_cmpstr(first->hostname, ==, "guest_1.x");
    g_assert_cmpuint(first->expiry, ==, G_GUINT64_CONSTANT(1700000000000000));
    g_assert_cmpstr(first->client_id, ==, "");
    g_assert_cmpuint(first->iaid, ==, 0);

    g_assert_cmpstr(second->hostname, ==, "");
    g_assert_cmpuint(second->expiry, ==, 0);
    g_assert_cmpstr(second->client_id, ==, "01:" MAC);
}

static void test_ipv6(void)
{
    g_autoptr(GPtrArray) leases =
        parse("1700000000 " MAC " 10.0.0.5 * *\n"
              "duid 00:01:00:01:2d:37:00:01:52:54:00:00:00:01\n"
              "1700000000 4294967295 fd00::5 six 00:03:00:01:52:54:00:AA:BB:CC\n"
              "1700000000 T7 fd00::6 * " ID " " MAC "\n",
              0);
    g_assert_cmpuint(leases->len, ==, 3);
    const VbLease *first = leases->pdata[1], *second = leases->pdata[2];

    assert_ip(first, "fd00::5");
    g_assert_cmpuint(first->iaid, ==, G_MAXUINT32);
    g_assert_cmpstr(first->mac, ==, "");
    g_assert_cmpstr(first->hostname, ==, "six");
    g_assert_cmpstr(first->client_id, ==, "00:03:00:01:52:54:00:aa:bb:cc");
    g_assert_cmpuint(second->iaid, ==, 7);
    g_assert_cmpstr(second->mac, ==, MAC);
}

/* Each is bad, and keeps nobody else from being read. */
static void test_bad_lines(void)
{
    static const char *const lines[] = {
        "",
        " ",
        "duid",
        "1 " MAC " 10.0.0.5 *",
        "1 " MAC " 10.0.0.5 * * *",
        "1  " MAC " 10.0.0.5 * *",
        " 1 " MAC " 10.0.0.5 * *",
        "1 " MAC " 10.0.0.5 * * ",
        "-1 " MAC " 10.0.0.5 * *",
        "9223372036855 " MAC " 10.0.0.5 * *",
        "1x " MAC " 10.0.0.5 * *",
        "1 52:54:00:aa:bb 10.0.0.5 * *",
        "1 06-52:54:00:aa:bb:cc 10.0.0.5 * *",
        "1 7 10.0.0.5 * *",
        "1 * 10.0.0.5 * *",
        "1 " MAC " 10.0.0 * *",
        "1 " MAC " 10.0.0.5 a/b *",
        "1 " MAC " 10.0.0.5 a\xc3\xa4 *",
        "1 " MAC " 10.0.0.5 * 0",
        "1 " MAC " 10.0.0.5 * 01:",
        "1 " MAC " 10.0.0.5 * 01-02",
        "1 " MAC " fd00::5 * " ID,
        "1 4294967296 fd00::5 * " ID,
        "1 TT1 fd00::5 * " ID,
        "1 1 fd00::5 * " ID " x",
        "1 1 fd00::5 * " ID " " MAC " *",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *text =
            g_strdup_printf("0 " MAC " 10.0.0.1 * *\n%s\n0 " MAC " 10.0.0.2 * *\n", lines[i]);
        g_autoptr(GPtrArray) leases = parse(text, 1);

        g_test_message("%s", lines[i]);
        g_assert_cmpuint(leases->len, ==, 2);
        assert_ip(leases->pdata[0], "10.0.0.1");
        assert_ip(leases->pdata[1], "10.0.0.2");
    }
}

/* A last line without its end is being written: its address may not be all there. An address that
 * comes twice counts once. */
static void test_half_written(void)
{
    g_autoptr(GPtrArray) leases = parse("0 " MAC " 10.0.0.1 * *\n"
                                        "0 " MAC " 10.0.0.1 again *\n"
                                        "0 " MAC " 10.0.0.2 * *",
                                        2);

    g_assert_cmpuint(leases->len, ==, 1);
    g_assert_cmpstr(((const VbLease *)leases->pdata[0])->hostname, ==, "");
}

static void test_limits(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const guint n = VB_LEASES_MAX + 10;
    g_autofree char *name = g_strnfill(256, 'a');
    g_autofree char *line = g_strnfill(VB_LEASE_LINE_MAX, '1');
    g_autofree char *zero = g_strdup("0 " MAC " 10.0.0.1 x* *\n");
    guint bad;

    for (guint i = 0; i < n; i++)
        g_string_append_printf(text, "0 " MAC " 10.0.%u.%u * *\n", i / 256, i % 256);
    g_autoptr(GPtrArray) leases = parse(text->str, 10);
    g_assert_cmpuint(leases->len, ==, VB_LEASES_MAX);

    g_string_printf(text, "0 " MAC " 10.0.0.1 %s *\n%s 1 10.0.0.2 * *\n", name, line);
    g_autoptr(GPtrArray) none = parse(text->str, 2);
    g_assert_cmpuint(none->len, ==, 0);

    *strchr(zero, 'x') = '\0';
    g_autoptr(GPtrArray) zeros =
        vb_lease_file_parse(zero, strlen("0 " MAC " 10.0.0.1 x* *\n"), &bad);
    g_assert_cmpuint(zeros->len, ==, 0);
    g_assert_cmpuint(bad, ==, 1);
    g_autoptr(GPtrArray) empty = parse("", 0);
    g_assert_cmpuint(empty->len, ==, 0);
}

static void test_messages(void)
{
    static const struct {
        const char *text;
        VbLeaseAction action;
    } good[] = {
        {"add 7 " MAC " 10.0.0.5 guest *\n", VB_LEASE_SET},
        {"old 7 " MAC " 10.0.0.5 guest *", VB_LEASE_SET},
        {"del 7 " MAC " 10.0.0.5 guest *\n", VB_LEASE_DELETED},
        {"add 7 9 fd00::5 guest " ID " " MAC "\n", VB_LEASE_SET},
    };
    static const char *const bad[] = {
        "",
        "\n",
        "add",
        "add ",
        "tftp 7 " MAC " 10.0.0.5 guest *\n",
        "7 " MAC " 10.0.0.5 guest *\n",
        "add 7 " MAC " 10.0.0.5 guest *\n\n",
        "add 7 " MAC " 10.0.0.5 guest *\nadd 7 " MAC " 10.0.0.6 guest *\n",
        "duid 00:01\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        VbLeaseAction action = 99;
        g_autoptr(VbLease) lease =
            vb_lease_message_parse(good[i].text, strlen(good[i].text), &action);

        g_assert_nonnull(lease);
        g_assert_cmpint(action, ==, good[i].action);
        g_assert_cmpstr(lease->mac, ==, MAC);
        g_assert_cmpstr(lease->hostname, ==, "guest");
        g_assert_cmpuint(lease->expiry, ==, 7 * G_USEC_PER_SEC);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        VbLeaseAction action = 99;

        g_assert_null(vb_lease_message_parse(bad[i], strlen(bad[i]), &action));
        g_assert_cmpint(action, ==, 99);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lease-file/ipv4", test_ipv4);
    g_test_add_func("/lease-file/ipv6", test_ipv6);
    g_test_add_func("/lease-file/bad-lines", test_bad_lines);
    g_test_add_func("/lease-file/half-written", test_half_written);
    g_test_add_func("/lease-file/limits", test_limits);
    g_test_add_func("/lease-file/messages", test_messages);
    return g_test_run();
}
