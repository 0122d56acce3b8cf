/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole documents of networks: what is read is written, a dump is a fixed point and valid against
 * libvirt's schema, a copy is equal; and what their structs say then.
 *
 * Where the environment names a directory in VB_TEST_NETWORK_DOCUMENTS (libvirt's own test data,
 * tests/networkxml2xmlin of its source), its documents are tests, too. */
#include "model-fixture.h"
#include "network-fixture.h"

#include <string.h>

static char *read_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    char *xml = NULL;

    g_file_get_contents(path, &xml, NULL, &error);
    g_assert_no_error(error);
    return xml;
}

static void test_document(gconstpointer path)
{
    g_autofree char *xml = read_file(path);

    network_check_round_trip(xml, VB_XML_NONE, VB_FORMAT_NONE);
    network_check_round_trip(xml, VB_XML_LIVE, VB_FORMAT_LIVE);
    network_check_round_trip(xml, VB_XML_STORED, VB_FORMAT_NONE);
}

/* Not ours: it is understood, or it has what we do not do. */
static void test_foreign_document(gconstpointer path)
{
    /* libvirt refuses these, too */
    static const char *const wrong[] = {"open-network-with-forward-dev.xml",
                                        "routed-network-no-dns-extra-elements.xml", NULL};
    g_autofree char *xml = read_file(path);
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbNetworkDef) def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    if (def) {
        g_assert_false(g_strv_contains(wrong, name));
        test_document(path);
        return;
    }
    g_test_message("%s: %s", name, error->message);
    g_assert_true(error->domain == VB_ERROR);
    g_assert_cmpint(error->code, ==,
                    g_strv_contains(wrong, name) ? VB_ERROR_INVALID_XML : VB_ERROR_NOT_SUPPORTED);
}

static void test_schema(void)
{
    g_autofree char *message = NULL;

    if (!model_has_schema_of("network")) {
        g_test_skip("libvirt's schemas are not installed: dumps were not validated");
        return;
    }
    g_assert_false(
        model_is_valid_as("network", "<network><name>x</name><nonsense/></network>", &message));
    g_assert_nonnull(message);
}

static void assert_ip(const VbIpAddress *address, const char *expected)
{
    g_autofree char *text = vb_ip_to_string(address);

    g_assert_cmpstr(text, ==, expected);
}

static void test_defaults(void)
{
    g_autofree char *xml = network_read_document("isolated.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    g_autoptr(VbNetworkDef) other = network_define(xml, VB_XML_NONE);

    g_assert_true(g_uuid_string_is_valid(def->uuid));
    g_assert_cmpstr(def->uuid, !=, other->uuid);
    g_assert_true(g_str_has_prefix(def->mac, "52:54:00:"));
    g_assert_cmpstr(def->mac, !=, other->mac);
    g_assert_null(def->bridge);
    g_assert_true(def->stp);
    g_assert_cmpuint(def->delay, ==, 0);
    g_assert_cmpuint(def->mtu, ==, 0);
    g_assert_cmpint(def->forward.mode, ==, VB_FORWARD_NONE);
    g_assert_true(vb_network_def_owns_bridge(def));
    g_assert_cmpint(def->dns.enable, ==, VB_TRISTATE_ABSENT);
    g_assert_cmpuint(def->ips->len, ==, 0);
}

static void test_nat(void)
{
    g_autofree char *xml = network_read_document("nat.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    const VbNetworkIpDef *ip = def->ips->pdata[0];
    const VbDhcpRangeDef *range = ip->ranges->pdata[1];
    const VbDhcpHostDef *host = ip->hosts->pdata[0];

    g_assert_cmpstr(def->name, ==, "lab ☃ & co");
    g_assert_cmpstr(def->uuid, ==, "4b6f3c1e-9d5a-4f71-a2c0-b3e5d7f90112");
    g_assert_cmpint(def->ipv6, ==, VB_TRISTATE_YES);
    g_assert_cmpint(def->forward.mode, ==, VB_FORWARD_NAT);
    g_assert_cmpuint(def->forward.devs->len, ==, 2);
    g_assert_cmpstr(def->forward.devs->pdata[0], ==, "eth0");
    g_assert_cmpstr(def->forward.devs->pdata[1], ==, "wlan0.5");
    g_assert_cmpint(def->forward.nat_ipv6, ==, VB_TRISTATE_YES);
    assert_ip(&def->forward.nat_addresses.start, "198.51.100.7");
    assert_ip(&def->forward.nat_addresses.end, "198.51.100.9");
    g_assert_cmpuint(def->forward.nat_port_start, ==, 20000);
    g_assert_cmpuint(def->forward.nat_port_end, ==, 29999);
    g_assert_cmpstr(def->bridge, ==, "virtbr7");
    g_assert_false(def->stp);
    g_assert_cmpuint(def->delay, ==, 4);
    g_assert_cmpstr(def->mac, ==, "52:54:00:ab:cd:ef");
    g_assert_cmpuint(def->mtu, ==, 9000);
    g_assert_cmpstr(def->domain, ==, "lab.example");
    g_assert_cmpint(def->domain_local_only, ==, VB_TRISTATE_YES);

    g_assert_cmpuint(def->ips->len, ==, 4);
    assert_ip(&ip->address, "192.168.133.1");
    g_assert_cmpuint(ip->prefix, ==, 24);
    g_assert_cmpint(ip->local_ptr, ==, VB_TRISTATE_YES);
    g_assert_true(ip->dhcp);
    assert_ip(&range->range.start, "192.168.133.150");
    g_assert_cmpuint(range->lease, ==, 7200);
    g_assert_cmpuint(((VbDhcpRangeDef *)ip->ranges->pdata[0])->lease, ==, VB_LEASE_DEFAULT);
    g_assert_cmpstr(host->mac, ==, "52:54:00:00:00:0a");
    g_assert_cmpstr(host->name, ==, "web");
    assert_ip(&host->ip, "192.168.133.10");
    g_assert_cmpuint(((VbDhcpHostDef *)ip->hosts->pdata[1])->lease, ==, 5400);
    g_assert_cmpuint(((VbDhcpHostDef *)ip->hosts->pdata[2])->lease, ==, VB_LEASE_INFINITE);
    g_assert_cmpuint(((VbDhcpHostDef *)ip->hosts->pdata[3])->lease, ==, 121);
    /* without a prefix: as the classes were */
    g_assert_cmpuint(((VbNetworkIpDef *)def->ips->pdata[1])->prefix, ==, 8);
    g_assert_cmpuint(((VbNetworkIpDef *)def->ips->pdata[2])->prefix, ==, 16);
    g_assert_cmpuint(((VbNetworkIpDef *)def->ips->pdata[3])->prefix, ==, 28);

    g_autofree char *dump = vb_network_def_format(def, VB_FORMAT_NONE);
    g_assert_nonnull(strstr(dump, "<forward mode='nat' dev='eth0'>"));
    g_assert_nonnull(strstr(dump, "<ip address='10.24.10.1' netmask='255.0.0.0'/>"));
    g_assert_nonnull(strstr(dump, "<lease expiry='2' unit='hours'/>"));
    g_assert_nonnull(strstr(dump, "<lease expiry='90' unit='minutes'/>"));
    g_assert_nonnull(strstr(dump, "<lease expiry='121' unit='seconds'/>"));
    g_assert_nonnull(strstr(dump, "<lease expiry='0'/>"));
}

static void test_ipv6(void)
{
    g_autofree char *xml = network_read_document("ipv6.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    const VbNetworkIpDef *ip = def->ips->pdata[0];
    const VbRouteDef *route = def->routes->pdata[0];
    g_autofree char *dump = vb_network_def_format(def, VB_FORMAT_NONE);

    assert_ip(&ip->address, "2001:db8:0:6::1");
    g_assert_cmpstr(((VbDhcpHostDef *)ip->hosts->pdata[0])->id, ==,
                    "00:04:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10");
    g_assert_cmpstr(((VbDhcpHostDef *)ip->hosts->pdata[4])->name, ==, "five");
    g_assert_cmpuint(((VbNetworkIpDef *)def->ips->pdata[1])->prefix, ==, 64);
    g_assert_false(((VbNetworkIpDef *)def->ips->pdata[1])->dhcp);
    g_assert_cmpuint(route->destination.prefix, ==, 48);
    assert_ip(&route->gateway, "2001:db8:0:6::20");
    g_assert_cmpuint(route->metric, ==, 2);
    g_assert_cmpuint(((VbRouteDef *)def->routes->pdata[1])->destination.prefix, ==, 64);
    g_assert_cmpuint(((VbRouteDef *)def->routes->pdata[2])->destination.prefix, ==, 0);
    g_assert_nonnull(strstr(dump, "<ip family='ipv6' address='fd00:0:0:7::' prefix='64'/>"));
}

static void test_dns(void)
{
    g_autofree char *xml = network_read_document("dns.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    const VbNetworkDnsDef *dns = &def->dns;
    const VbDnsForwarderDef *forwarder = dns->forwarders->pdata[2];
    const VbDnsSrvDef *srv = dns->srvs->pdata[2];
    const VbDnsHostDef *host = dns->hosts->pdata[0];

    g_assert_cmpint(dns->forward_plain_names, ==, VB_TRISTATE_NO);
    g_assert_cmpuint(dns->forwarders->len, ==, 4);
    g_assert_cmpstr(forwarder->domain, ==, "www.corp.example");
    g_assert_cmpint(forwarder->address.family, ==, VB_IP_NONE);
    g_assert_cmpstr(((VbDnsTxtDef *)dns->txts->pdata[1])->value, ==, "a b,#c; d='e', ☃ <f>");
    g_assert_cmpstr(((VbDnsTxtDef *)dns->txts->pdata[2])->value, ==, "");
    g_assert_cmpstr(((VbDnsSrvDef *)dns->srvs->pdata[1])->target, ==, ".");
    g_assert_cmpstr(srv->domain, ==, "names.example");
    g_assert_cmpuint(srv->port, ==, 8080);
    g_assert_cmpuint(srv->priority, ==, 10);
    g_assert_cmpuint(srv->weight, ==, 5);
    g_assert_cmpuint(host->hostnames->len, ==, 2);
    g_assert_cmpstr(host->hostnames->pdata[1], ==, "gate.names.example");
}

static void test_traffic(void)
{
    g_autofree char *xml = network_read_document("traffic.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    const VbPortgroupDef *portgroup = vb_network_def_find_portgroup(def, NULL);

    g_assert_cmpuint(def->bandwidth.inbound.average, ==, 1000);
    g_assert_cmpuint(def->bandwidth.inbound.peak, ==, 5000);
    g_assert_cmpuint(def->bandwidth.inbound.burst, ==, 5120);
    g_assert_cmpuint(def->bandwidth.outbound.average, ==, G_MAXUINT32);
    g_assert_cmpint(def->port_isolated, ==, VB_TRISTATE_YES);
    g_assert_true(def->vlan->trunk);
    g_assert_cmpuint(def->vlan->tags->len, ==, 3);
    g_assert_cmpuint(g_array_index(def->vlan->tags, guint, 2), ==, 4094);
    g_assert_cmpuint(def->vlan->native_tag, ==, 8);
    g_assert_cmpint(def->vlan->native_mode, ==, VB_VLAN_NATIVE_UNTAGGED);
    g_assert_cmpstr(portgroup->name, ==, "engineering");
    g_assert_cmpuint(portgroup->bandwidth.inbound.floor, ==, 200);
    g_assert_false(portgroup->vlan->trunk);
    portgroup = vb_network_def_find_portgroup(def, "sales_.-:/\\x");
    g_assert_true(portgroup->vlan->trunk);
    g_assert_false(vb_bandwidth_def_is_set(&portgroup->bandwidth));
    g_assert_null(vb_network_def_find_portgroup(def, "none"));
}

static void test_bridge(void)
{
    g_autofree char *xml = network_read_document("bridge.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    g_autofree char *dump = vb_network_def_format(def, VB_FORMAT_NONE);

    g_assert_false(vb_network_def_owns_bridge(def));
    g_assert_null(def->mac);
    g_assert_nonnull(strstr(dump, "<bridge name='br0'/>"));
    g_assert_null(strstr(dump, "<mac"));
}

static void test_run_time_facts(void)
{
    g_autofree char *xml = network_read_document("running.xml");
    g_autoptr(VbNetworkDef) live = network_define(xml, VB_XML_LIVE);
    g_autoptr(VbNetworkDef) stored = network_define(xml, VB_XML_NONE);
    g_autofree char *live_dump = vb_network_def_format(live, VB_FORMAT_LIVE);
    g_autofree char *stored_dump = vb_network_def_format(live, VB_FORMAT_NONE);

    g_assert_cmpuint(live->connections, ==, 3);
    g_assert_cmpuint(stored->connections, ==, 0);
    g_assert_true(g_str_has_prefix(live_dump, "<network connections='3'>"));
    g_assert_null(strstr(stored_dump, "connections"));
    g_assert_nonnull(strstr(stored_dump, "xmlns:app=\"https://example.org/app/1\""));
    g_assert_nonnull(strstr(stored_dump, "blue &amp; <b></b>green"));
    g_assert_nonnull(strstr(stored_dump, "<!-- kept -->"));
}

/* Newer schemas have them; the installed one may not. */
static void test_title(void)
{
    g_autoptr(VbNetworkDef) def =
        network_define("<network><name>x</name><title>A title</title>"
                       "<description>Two\nlines &lt;of&gt; it</description></network>",
                       VB_XML_NONE);
    g_autofree char *dump = vb_network_def_format(def, VB_FORMAT_NONE);
    g_autoptr(VbNetworkDef) again = network_define(dump, VB_XML_NONE);

    g_assert_cmpstr(again->title, ==, "A title");
    g_assert_cmpstr(again->description, ==, "Two\nlines <of> it");
}

static VbIpSubnet subnet_of(const char *text)
{
    VbIpSubnet subnet = {0};

    g_assert_true(vb_ip_subnet_parse(text, &subnet));
    return subnet;
}

static void test_subnets(void)
{
    g_autofree char *xml = network_read_document("nat.xml");
    g_autofree char *other_xml = network_read_document("routes.xml");
    g_autofree char *far_xml = network_read_document("dns.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    g_autoptr(VbNetworkDef) other = network_define(other_xml, VB_XML_NONE);
    g_autoptr(VbNetworkDef) far = network_define(far_xml, VB_XML_NONE);
    g_autoptr(GArray) subnets = vb_network_def_subnets(def);
    VbIpSubnet of_def, of_other;

    g_assert_cmpuint(subnets->len, ==, 4);
    VbIpSubnet expected = subnet_of("10.0.0.0/8");
    g_assert_true(vb_ip_subnet_equal(&g_array_index(subnets, VbIpSubnet, 1), &expected));
    /* a host's routes: one in ours, ours in one, beside, and another family */
    VbIpSubnet inner = subnet_of("192.168.133.128/25");
    VbIpSubnet outer = subnet_of("192.168.0.0/16");
    VbIpSubnet beside = subnet_of("192.168.134.0/24");
    VbIpSubnet ipv6 = subnet_of("::/0");
    g_assert_true(vb_network_def_find_overlap(def, &inner) == def->ips->pdata[0]);
    g_assert_true(vb_network_def_find_overlap(def, &outer) == def->ips->pdata[0]);
    g_assert_null(vb_network_def_find_overlap(def, &beside));
    g_assert_null(vb_network_def_find_overlap(def, &ipv6));

    g_assert_true(vb_network_def_overlaps(def, other, &of_def, &of_other));
    g_assert_true(vb_ip_subnet_equal(&of_def, &expected));
    expected = subnet_of("10.130.4.0/22");
    g_assert_true(vb_ip_subnet_equal(&of_other, &expected));
    g_assert_true(vb_network_def_overlaps(other, def, NULL, NULL));
    g_assert_false(vb_network_def_overlaps(def, far, NULL, NULL));
}

/* A host on which the first `*n_taken` candidates are in use. */
static gboolean is_free(const VbIpSubnet *subnet, gpointer n_taken)
{
    guint *n = n_taken;

    g_assert_cmpuint(subnet->prefix, ==, 24);
    if (*n == 0)
        return TRUE;
    (*n)--;
    return FALSE;
}

static void test_default_network(void)
{
    static const struct {
        guint n_taken;
        const char *address, *start, *end;
    } cases[] = {
        {0, "192.168.130.1", "192.168.130.2", "192.168.130.254"},
        {1, "192.168.131.1", "192.168.131.2", "192.168.131.254"},
        {124, "192.168.254.1", "192.168.254.2", "192.168.254.254"},
        {125, "10.130.0.1", "10.130.0.2", "10.130.0.254"},
        {249, "10.254.0.1", "10.254.0.2", "10.254.0.254"},
    };
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint n_taken = cases[i].n_taken;
        g_autoptr(VbNetworkDef) def = vb_network_def_new_default(is_free, &n_taken, &error);
        g_assert_no_error(error);
        g_autofree char *dump = vb_network_def_format(def, VB_FORMAT_NONE);
        const VbNetworkIpDef *ip = def->ips->pdata[0];
        const VbDhcpRangeDef *range = ip->ranges->pdata[0];

        g_assert_cmpstr(def->name, ==, "default");
        g_assert_cmpstr(def->bridge, ==, "virtbus0");
        g_assert_cmpint(def->forward.mode, ==, VB_FORWARD_NAT);
        assert_ip(&ip->address, cases[i].address);
        assert_ip(&range->range.start, cases[i].start);
        assert_ip(&range->range.end, cases[i].end);
        network_check_round_trip(dump, VB_XML_NONE, VB_FORMAT_NONE);
    }
    guint n_taken = 250;
    g_assert_null(vb_network_def_new_default(is_free, &n_taken, &error));
    g_assert_cmpuint(n_taken, ==, 0);
    model_assert_error(&error, VB_ERROR_FAILED, "192.168.130.0/24", "10.254.0.0/24", NULL);
}

static void test_refs(void)
{
    g_autofree char *xml = network_read_document("dns.xml");
    g_autoptr(VbNetworkDef) def = network_define(xml, VB_XML_NONE);
    g_autoptr(VbNetworkDef) copy = vb_network_def_copy(def);
    VbNetworkDef *ref = vb_network_def_ref(def);
    VbDnsHostDef *host = copy->dns.hosts->pdata[0];

    g_assert_true(ref == def);
    vb_network_def_unref(ref);
    vb_network_def_unref(NULL);
    g_ptr_array_set_size(host->hostnames, 0);
    g_assert_cmpuint(((VbDnsHostDef *)def->dns.hosts->pdata[0])->hostnames->len, ==, 2);
    /* what one edits, one can have checked */
    g_autoptr(GError) error = NULL;
    g_assert_false(vb_network_def_validate(copy, &error));
    model_assert_error(&error, VB_ERROR_INVALID_XML, "network/dns/host: element <hostname>", NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *dir = network_documents_dir();
    const char *foreign = g_getenv("VB_TEST_NETWORK_DOCUMENTS");

    network_add_document_tests("/network-xml/document/", dir, test_document);
    if (foreign)
        network_add_document_tests("/network-xml/foreign/", foreign, test_foreign_document);
    g_test_add_func("/network-xml/schema", test_schema);
    g_test_add_func("/network-xml/defaults", test_defaults);
    g_test_add_func("/network-xml/nat", test_nat);
    g_test_add_func("/network-xml/ipv6", test_ipv6);
    g_test_add_func("/network-xml/dns", test_dns);
    g_test_add_func("/network-xml/traffic", test_traffic);
    g_test_add_func("/network-xml/bridge", test_bridge);
    g_test_add_func("/network-xml/run-time-facts", test_run_time_facts);
    g_test_add_func("/network-xml/title", test_title);
    g_test_add_func("/network-xml/subnets", test_subnets);
    g_test_add_func("/network-xml/default-network", test_default_network);
    g_test_add_func("/network-xml/refs", test_refs);
    return g_test_run();
}
