/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses, subnets and the names of hosts: their arithmetic and their shapes. */
#include <string.h>

#include "dns-name.h"
#include "ip-address.h"
#include "mac-address.h"
#include "network-def.h"

static VbIpAddress ip(const char *text)
{
    VbIpAddress address = {0};

    if (!vb_ip_parse(text, &address))
        g_error("%s", text);
    return address;
}

static VbIpSubnet net(const char *text)
{
    VbIpSubnet subnet = {0};

    if (!vb_ip_subnet_parse(text, &subnet))
        g_error("%s", text);
    return subnet;
}

static void test_parse(void)
{
    static const char *const good[][2] = {
        {"192.0.2.1", NULL},
        {"0.0.0.0", NULL},
        {"255.255.255.255", NULL},
        {"::", NULL},
        {"::1", NULL},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:10.0.0.1", NULL},
        {"fe80::1:0:0:1", NULL},
    };
    static const char *const bad[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.256",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4/8",
        ":",
        ":::",
        "1::2::3",
        "g::",
        "fe80::1%lo",
        "[::1]",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
    };
    VbIpAddress address;

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        address = ip(good[i][0]);
        g_autofree char *text = vb_ip_to_string(&address);

        g_assert_cmpstr(text, ==, good[i][1] ? good[i][1] : good[i][0]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(vb_ip_parse(bad[i], &address));
}

static void test_compare(void)
{
    static const char *const ascending[] = {
        "0.0.0.0", "1.2.3.4", "1.2.4.0", "128.0.0.0", "255.0.0.0",
        "::",      "::1",     "1::",     "8000::",    "ffff::"};

    for (gsize i = 0; i < G_N_ELEMENTS(ascending); i++)
        for (gsize j = 0; j < G_N_ELEMENTS(ascending); j++) {
            VbIpAddress a = ip(ascending[i]);
            VbIpAddress b = ip(ascending[j]);
            int order = vb_ip_compare(&a, &b);

            g_assert_cmpint((order > 0) - (order < 0), ==, (i > j) - (i < j));
            g_assert_cmpint(vb_ip_equal(&a, &b), ==, i == j);
        }
}

static void test_unusable(void)
{
    static const char *const usable[] = {
        "1.0.0.1",   "10.0.0.0", "126.255.255.255", "128.0.0.1",        "169.254.1.1",
        "223.1.1.1", "fe80::1",  "fd00::1",         "64:ff9b::1.2.3.4", "2001:db8::",
    };
    static const char *const unusable[] = {
        "0.0.0.0",   "0.1.2.3",
        "127.0.0.1", "127.255.255.255",
        "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255",
        "::",        "::1",
        "::1.2.3.4", "::ffff:1.2.3.4",
        "ff02::1",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(usable); i++) {
        VbIpAddress address = ip(usable[i]);

        g_assert_null(vb_ip_unusable(&address));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(unusable); i++) {
        VbIpAddress address = ip(unusable[i]);

        g_assert_nonnull(vb_ip_unusable(&address));
    }
    VbIpAddress link_local = ip("fe80::1");
    VbIpAddress other = ip("fec0::1");
    g_assert_true(vb_ip_is_link_local(&link_local));
    g_assert_false(vb_ip_is_link_local(&other));
}

static void test_netmasks(void)
{
    guint prefix = 99;

    for (guint i = 0; i <= 32; i++) {
        VbIpAddress netmask = vb_ip_netmask(i);

        g_assert_true(vb_ip_netmask_to_prefix(&netmask, &prefix));
        g_assert_cmpuint(prefix, ==, i);
    }
    VbIpAddress wrong = ip("255.0.255.0");
    VbIpAddress inverse = ip("0.0.0.255");
    VbIpAddress ipv6 = ip("ffff::");
    g_assert_false(vb_ip_netmask_to_prefix(&wrong, &prefix));
    g_assert_false(vb_ip_netmask_to_prefix(&inverse, &prefix));
    g_assert_false(vb_ip_netmask_to_prefix(&ipv6, &prefix));
}

static void test_ranges(void)
{
    static const struct {
        const char *start, *end;
        guint64 size;
    } sizes[] = {
        {"10.0.0.1", "10.0.0.1", 1},
        {"10.0.0.255", "10.0.1.0", 2},
        {"0.0.0.0", "255.255.255.255", G_GUINT64_CONSTANT(1) << 32},
        {"2001:db8::ff", "2001:db8::1:0", 0xff02},
        {"2001:db8::", "2001:db8::ffff:ffff:ffff:fffe", G_MAXUINT64},
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", G_MAXUINT64},
        {"2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", G_MAXUINT64},
        {"2001:db8::", "2001:db8:1::", G_MAXUINT64},
        {"2001:db8:0:1::", "2001:db8:0:1::1", 2},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        VbIpRange range = {ip(sizes[i].start), ip(sizes[i].end)};

        g_assert_cmpuint(vb_ip_range_size(&range), ==, sizes[i].size);
    }
    VbIpRange first = {ip("10.0.0.1"), ip("10.0.0.9")};
    VbIpRange touching = {ip("10.0.0.9"), ip("10.0.0.10")};
    VbIpRange behind = {ip("10.0.0.10"), ip("10.0.0.20")};
    VbIpRange ipv6 = {ip("::"), ip("ffff::")};
    g_assert_true(vb_ip_range_overlaps(&first, &touching));
    g_assert_true(vb_ip_range_overlaps(&touching, &first));
    g_assert_true(vb_ip_range_overlaps(&first, &first));
    g_assert_false(vb_ip_range_overlaps(&first, &behind));
    g_assert_false(vb_ip_range_overlaps(&first, &ipv6));
}

static void test_subnets(void)
{
    static const struct {
        const char *subnet, *last, *zone;
    } cases[] = {
        {"192.168.130.0/24", "192.168.130.255", "130.168.192.in-addr.arpa"},
        {"10.0.0.0/8", "10.255.255.255", "10.in-addr.arpa"},
        {"10.0.0.0/9", "10.127.255.255", NULL},
        {"192.0.2.1/32", "192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"0.0.0.0/0", "255.255.255.255", NULL},
        {"2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "8.b.d.0.1.0.0.2.ip6.arpa"},
        {"2001:db8::/36", "2001:db8:fff:ffff:ffff:ffff:ffff:ffff", "0.8.b.d.0.1.0.0.2.ip6.arpa"},
        {"2001:db8::/35", "2001:db8:1fff:ffff:ffff:ffff:ffff:ffff", NULL},
    };
    static const char *const bad[] = {
        "",           "10.0.0.0",       "10.0.0.0/", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8/8",
        "10.0.0.0/x", "2001:db8::1/64", "::/129",    "/8",         "10.0.0.0/-1",
    };
    VbIpSubnet subnet;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        subnet = net(cases[i].subnet);
        VbIpAddress last = vb_ip_subnet_last(&subnet);
        VbIpSubnet same = vb_ip_subnet(&last, subnet.prefix);
        g_autofree char *text = vb_ip_subnet_to_string(&subnet);
        g_autofree char *last_text = vb_ip_to_string(&last);
        g_autofree char *zone = vb_ip_subnet_reverse_zone(&subnet);

        g_assert_cmpstr(text, ==, cases[i].subnet);
        g_assert_cmpstr(last_text, ==, cases[i].last);
        g_assert_cmpstr(zone, ==, cases[i].zone);
        g_assert_true(vb_ip_subnet_equal(&subnet, &same));
        g_assert_true(vb_ip_subnet_contains(&subnet, &last));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(vb_ip_subnet_parse(bad[i], &subnet));

    subnet = net("192.168.130.0/23");
    VbIpAddress nth = vb_ip_subnet_nth(&subnet, 0x1fe);
    VbIpAddress expected = ip("192.168.131.254");
    g_assert_true(vb_ip_equal(&nth, &expected));
    subnet = net("2001:db8::/64");
    nth = vb_ip_subnet_nth(&subnet, 0x12345678);
    expected = ip("2001:db8::1234:5678");
    g_assert_true(vb_ip_equal(&nth, &expected));
}

static void test_overlap(void)
{
    static const struct {
        const char *a, *b;
        gboolean overlap;
    } cases[] = {
        {"10.0.0.0/8", "10.1.2.0/24", TRUE},
        {"10.1.2.0/24", "10.1.2.0/24", TRUE},
        {"10.1.2.0/24", "10.1.3.0/24", FALSE},
        {"10.1.2.0/25", "10.1.2.128/25", FALSE},
        {"0.0.0.0/0", "10.1.2.0/24", TRUE},
        {"::/0", "10.1.2.0/24", FALSE},
        {"::/0", "2001:db8::/64", TRUE},
        {"2001:db8::/64", "2001:db8::8000:0:0:0/65", TRUE},
        {"2001:db8::/64", "2001:db8:0:1::/64", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        VbIpSubnet a = net(cases[i].a);
        VbIpSubnet b = net(cases[i].b);

        g_assert_cmpint(vb_ip_subnet_overlaps(&a, &b), ==, cases[i].overlap);
        g_assert_cmpint(vb_ip_subnet_overlaps(&b, &a), ==, cases[i].overlap);
    }
}

static void test_mac(void)
{
    g_autofree char *mac = vb_mac_normalize("52:54:00:AB:CD:EF");
    g_autofree char *random = vb_mac_random();
    g_autofree char *again = vb_mac_normalize(random);

    g_assert_cmpstr(mac, ==, "52:54:00:ab:cd:ef");
    g_assert_cmpstr(random, ==, again);
    g_assert_null(vb_mac_normalize(""));
    g_assert_null(vb_mac_normalize("52:54:00:ab:cd"));
    g_assert_null(vb_mac_normalize("52:54:00:ab:cd:ef:"));
    g_assert_null(vb_mac_normalize("52:54:00:ab:cd:+f"));
    g_assert_null(vb_mac_normalize("52:54:00:ab:cd:ef "));
    g_assert_null(vb_mac_normalize("ff:ff:ff:ff:ff:ff"));
}

static void test_names(void)
{
    static const char *const good[] = {"a", "A-b.c", "3com.example", "x--y", "a1.2b", "1h.example"};
    static const char *const bad[] = {
        "",    ".",   "a.",  ".a",  "a..b", "-a",      "a-",  "a.-b",
        "a_b", "a b", "a,b", "*.a", "1",    "1.2.3.4", "a.1", "é",
    };
    static const char *const no_dhcp[] = {"ignore", "INFINITE", "45m", "7d", "1W"};
    g_autofree char *label = g_strnfill(63, 'l');
    g_autofree char *longest = g_strdup_printf("%s.%s.%s.%.61s", label, label, label, label);
    g_autofree char *longer = g_strdup_printf("%s.%s.%s.%.62s", label, label, label, label);

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_assert_true(vb_is_dns_name(good[i]));
        g_assert_true(vb_is_dhcp_name(good[i]));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(vb_is_dns_name(bad[i]));
        g_assert_false(vb_is_dhcp_name(bad[i]));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(no_dhcp); i++) {
        g_assert_true(vb_is_dns_name(no_dhcp[i]));
        g_assert_false(vb_is_dhcp_name(no_dhcp[i]));
    }
    g_assert_true(vb_is_dns_name(longest));
    g_assert_false(vb_is_dns_name(longer));
    g_assert_true(vb_is_device_name("eth0.5_a-b"));
    g_assert_false(vb_is_device_name("sixteen-letters-"));
}

static void test_duid(void)
{
    static const char *const good[][2] = {
        {"0:4:1:2:3:4:5:6:7:8:9:A:B:C:D:E:F:10",
         "00:04:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10"},
        {"0:3:0:1:0:16:3e:11:22:33", "00:03:00:01:00:16:3e:11:22:33"},
        {"0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66", "00:01:00:01:18:aa:62:fe:00:16:3e:44:55:66"},
        {"0:2:0:0:0:9:ff", "00:02:00:00:00:09:ff"},
    };
    static const char *const bad[] = {
        "",
        ":",
        "0",
        "0:4",
        "0:4:",
        "00:04:1:2",
        "1:4:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:10",
        "0:3:0:0:0:16:3e:11:22:33",
        "0:3:1:1:0:16:3e:11:22:33",
        "0:3:0:1:0:16:3e:11:22",
        "0:9:0:1:0:16:3e:11:22:33",
        "0:3:0:1:0:16:3e:11:22:33:",
        "0:3:0:1:0:16:3e:11:22:333",
        "0:2:0:0:0:9",
        "0:3:0:1:0::3e:11:22:33",
        "id:*",
        "0:3:0:1:0:16:3e:11:22:3g",
    };
    g_autoptr(GString) longest = g_string_new("0:2");

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *id = vb_duid_normalize(good[i][0]);

        g_assert_cmpstr(id, ==, good[i][1]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_null(vb_duid_normalize(bad[i]));
    for (guint i = 0; i < 128; i++)
        g_string_append(longest, ":a");
    g_autofree char *id = vb_duid_normalize(longest->str);
    g_assert_cmpuint(strlen(id), ==, 130 * 3 - 1);
    g_string_append(longest, ":a");
    g_assert_null(vb_duid_normalize(longest->str));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ip-address/parse", test_parse);
    g_test_add_func("/ip-address/compare", test_compare);
    g_test_add_func("/ip-address/unusable", test_unusable);
    g_test_add_func("/ip-address/netmasks", test_netmasks);
    g_test_add_func("/ip-address/ranges", test_ranges);
    g_test_add_func("/ip-address/subnets", test_subnets);
    g_test_add_func("/ip-address/overlap", test_overlap);
    g_test_add_func("/ip-address/mac", test_mac);
    g_test_add_func("/ip-address/names", test_names);
    g_test_add_func("/ip-address/duid", test_duid);
    return g_test_run();
}
