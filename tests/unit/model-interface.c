/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network interfaces: what a document says of them, which of it is a run-time fact, and what is
 * refused. The document interfaces.xml is also one of model-domain-xml.c's. */
#include <string.h>

#include "model-fixture.h"

static VbDomainDef *define_interfaces(VbXmlFlags flags)
{
    g_autofree char *xml = model_read_document("interfaces.xml");

    return model_define(xml, flags);
}

static const VbInterfaceDef *nth(const VbDomainDef *def, guint i)
{
    g_assert_cmpuint(i, <, def->interfaces->len);
    return def->interfaces->pdata[i];
}

static void assert_ip(const VbIpAddress *address, const char *wanted)
{
    g_autofree char *text = vb_ip_to_string(address);

    g_assert_cmpstr(text, ==, wanted);
}

/* --- what is read --- */

static void check_network(const VbInterfaceDef *interface)
{
    g_assert_cmpint(interface->type, ==, VB_INTERFACE_NETWORK);
    g_assert_cmpstr(interface->mac, ==, "52:54:00:01:02:03");
    g_assert_cmpint(interface->model, ==, VB_INTERFACE_MODEL_VIRTIO);
    g_assert_cmpint(interface->link_state, ==, VB_LINK_STATE_DOWN);
    g_assert_cmpstr(interface->network, ==, "default");
    g_assert_cmpstr(interface->portgroup, ==, "fast");
    g_assert_cmpuint(interface->mtu, ==, 9000);
    g_assert_cmpuint(interface->bandwidth.inbound.average, ==, 1000);
    g_assert_cmpuint(interface->bandwidth.inbound.floor, ==, 200);
    g_assert_cmpuint(interface->bandwidth.outbound.average, ==, 128);
    g_assert_cmpuint(interface->vlan->tags->len, ==, 2);
    g_assert_cmpuint(interface->vlan->native_tag, ==, 123);
    g_assert_cmpint(interface->isolated, ==, VB_TRISTATE_YES);
    g_assert_cmpuint(interface->info.boot_order, ==, 1);
    g_assert_true(vb_interface_def_has_tap(interface));
}

static void test_taps(void)
{
    g_autoptr(VbDomainDef) def = define_interfaces(VB_XML_NONE);

    check_network(nth(def, 0));
    g_assert_cmpstr(nth(def, 1)->network, ==, "my network & co");
    g_assert_cmpstr(nth(def, 1)->target, ==, "tap.web-1");
    g_assert_cmpint(nth(def, 2)->type, ==, VB_INTERFACE_BRIDGE);
    g_assert_cmpstr(nth(def, 2)->bridge, ==, "br0");
    g_assert_cmpint(nth(def, 2)->isolated, ==, VB_TRISTATE_NO);
    g_assert_cmpint(nth(def, 3)->type, ==, VB_INTERFACE_ETHERNET);
    g_assert_cmpstr(nth(def, 3)->target, ==, "mine");
    g_assert_false(vb_interface_def_is_unmanaged(nth(def, 3)));
    g_assert_true(vb_interface_def_is_unmanaged(nth(def, 4)));
    g_assert_null(nth(def, 5)->target);
}

static void assert_range(const VbPortForwardDef *forward, guint i, VbForwardRange wanted)
{
    const VbForwardRange *range = &g_array_index(forward->ranges, VbForwardRange, i);

    g_assert_cmpuint(i, <, forward->ranges->len);
    g_assert_cmpuint(range->start, ==, wanted.start);
    g_assert_cmpuint(range->end, ==, wanted.end);
    g_assert_cmpuint(range->to, ==, wanted.to);
    g_assert_cmpint(range->exclude, ==, wanted.exclude);
}

static void test_user(void)
{
    g_autoptr(VbDomainDef) parsed = define_interfaces(VB_XML_NONE);
    g_autoptr(VbDomainDef) def = vb_domain_def_copy(parsed);
    const VbInterfaceDef *builtin = nth(def, 6), *passt = nth(def, 7);

    g_assert_false(vb_interface_def_has_tap(builtin));
    g_assert_cmpint(builtin->backend, ==, VB_USER_BACKEND_DEFAULT);
    assert_ip(&builtin->ipv4.address, "172.17.2.9");
    g_assert_cmpuint(builtin->ipv4.prefix, ==, 24);
    assert_ip(&builtin->ipv6.address, "2001:db8:ac10:fd01::");
    g_assert_cmpuint(builtin->port_forwards->len, ==, 2);
    const VbPortForwardDef *forward = builtin->port_forwards->pdata[0];
    g_assert_cmpint(forward->protocol, ==, VB_FORWARD_TCP);
    assert_ip(&forward->address, "127.0.0.1");
    assert_range(forward, 0, (VbForwardRange){2022, 2022, 22, FALSE});
    assert_range(forward, 1, (VbForwardRange){8000, 8003, 80, FALSE});
    forward = builtin->port_forwards->pdata[1];
    g_assert_cmpint(forward->protocol, ==, VB_FORWARD_UDP);
    g_assert_cmpint(forward->address.family, ==, VB_IP_NONE);
    assert_range(forward, 0, (VbForwardRange){5353, 5354, 5353, FALSE});

    g_assert_cmpint(passt->backend, ==, VB_USER_BACKEND_PASST);
    g_assert_cmpuint(passt->ipv4.prefix, ==, 0);
    g_assert_cmpuint(passt->mtu, ==, 1500);
    forward = passt->port_forwards->pdata[0];
    g_assert_cmpstr(forward->device, ==, "eth0");
    assert_range(forward, 1, (VbForwardRange){3100, 3199, 3100, TRUE});
    forward = passt->port_forwards->pdata[1];
    g_assert_cmpuint(forward->ranges->len, ==, 0);
}

/* --- run-time facts --- */

/* What a network gave for one start is dropped from a definition; what is the user's stays. */
static void test_dropped(void)
{
    g_autoptr(VbDomainDef) def = define_interfaces(VB_XML_NONE);

    g_assert_null(nth(def, 0)->bridge);
    g_assert_null(nth(def, 0)->target);
    g_assert_null(nth(def, 2)->target);
    g_assert_cmpstr(nth(def, 4)->target, ==, "vnet-given");
}

static void test_live(void)
{
    g_autoptr(VbDomainDef) def = define_interfaces(VB_XML_LIVE);
    g_autofree char *live = vb_domain_def_format(def, VB_FORMAT_LIVE);
    g_autofree char *stored = vb_domain_def_format(def, VB_FORMAT_NONE);

    g_assert_cmpstr(nth(def, 0)->bridge, ==, "virbr0");
    g_assert_cmpstr(nth(def, 0)->target, ==, "vnet7");
    g_assert_cmpstr(nth(def, 2)->target, ==, "vnet8");
    g_assert_nonnull(strstr(live, "bridge='virbr0'"));
    g_assert_nonnull(strstr(live, "dev='vnet7'"));
    g_assert_null(strstr(live, "portid"));
    g_assert_null(strstr(stored, "virbr0"));
    g_assert_null(strstr(stored, "vnet7"));
    g_assert_null(strstr(stored, "vnet8"));
    g_assert_nonnull(strstr(stored, "dev='vnet-given'"));
    g_assert_nonnull(strstr(stored, "dev='tap.web-1'"));
    g_assert_nonnull(strstr(stored, "bridge='br0'"));
}

/* --- what is refused --- */

/* `devices` stand on the first line of the document, as all of it. */
static GError *refusal_of(const char *devices)
{
    g_autofree char *xml = model_document("q35", devices);
    GError *error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    if (def)
        g_error("this was not refused: %s", devices);
    g_test_message("%s", error->message);
    return error;
}

static void refuse(const char *type, const char *content, VbError code, const char *text)
{
    g_autofree char *device =
        g_strdup_printf("\n<interface type='%s'>\n%s\n</interface>", type, content);
    GError *error = refusal_of(device);

    model_assert_error(&error, code, text, "domain/devices/interface", "line ", NULL);
}

#define NET "<source network='default'/>"
#define BRIDGE "<source bridge='br0'/>"
#define PASST "<backend type='passt'/>"
#define TCP(...) "<portForward proto='tcp'>" __VA_ARGS__ "</portForward>"

/* An element of one type of interface in another. */
static void test_types(void)
{
    static const struct {
        const char *type, *content, *text;
    } cases[] = {
        {"user", NET, "no <source>"},
        {"user", "<target dev='x'/>", "no <target>"},
        {"user", "<bandwidth><inbound average='1'/></bandwidth>", "no <bandwidth>"},
        {"user", "<vlan><tag id='1'/></vlan>", "no <vlan>"},
        {"user", "<port isolated='yes'/>", "no <port>"},
        {"network", NET PASST, "no <backend>"},
        {"network", NET "<ip address='192.0.2.1'/>", "no <ip>"},
        {"bridge", BRIDGE TCP("<range start='1'/>"), "no <portForward>"},
        {"ethernet", BRIDGE, "no <source>"},
        {"ethernet", "<vlan><tag id='1'/></vlan>", "no <vlan>"},
        {"ethernet", "<port isolated='yes'/>", "no <port>"},
        {"network", "", "<source> is missing"},
        {"network", "<source portgroup='x'/>", "'network' is missing"},
        {"network", "<source network='a' dev='b'/>", "'dev'"},
        {"network", "<source network=''/>", "'network' is missing"},
        {"network", "<source network='a/b'/>", "cannot be the name of a network"},
        {"network", "<source network='a' portgroup=''/>", "portgroup"},
        {"bridge", "<source bridge='br0' portgroup='x'/>", "'portgroup'"},
        {"bridge", "<source bridge='br0' network='x'/>", "'network'"},
        {"bridge", "<source/>", "'bridge' is missing"},
        {"bridge", "<source bridge='a/b'/>", "'a/b'"},
        {"bridge", "<source bridge='sixteen-letters-'/>", "'sixteen-letters-'"},
        {"bridge", "<source bridge='..'/>", "'..'"},
        {"network", NET "<target dev='a b'/>", "'a b'"},
        {"network", NET "<target dev='tap%d'/>", "'tap%d'"},
        {"network", NET "<target dev='x' managed='no'/>", "'managed'"},
        {"ethernet", "<target managed='no'/>", "managed='no' needs 'dev'"},
        {"ethernet", "<target dev='x' managed='no'/><bandwidth><inbound average='1'/></bandwidth>",
         "not managed"},
        {"network", NET "<mtu size='67'/>", "67"},
        {"network", NET "<mtu size='65536'/>", "65536"},
        {"network", NET "<mtu/>", "'size' is missing"},
        {"network", NET "<port isolated='maybe'/>", "'maybe'"},
        {"direct", "", "'direct'"},
        {"user", "<backend type='slirp'/>", "'slirp'"},
        {"user", PASST "<backend/>", "twice"},
        {"network", NET "<surprise/>", "not understood"},
        {"network", NET "<link state='half'/>", "'half'"},
    };
    static const struct {
        const char *type, *content, *text;
    } not_supported[] = {
        {"network", NET "<driver name='vhost'/>", "<driver>"},
        {"network", NET "<virtualport type='openvswitch'/>", "virtualport"},
        {"network", NET "<filterref filter='clean-traffic'/>", "filterref"},
        {"ethernet", "<script path='/bin/true'/>", "script"},
        {"bridge", BRIDGE "<bandwidth><inbound floor='1'/></bandwidth>", "'floor'"},
        {"user", "<mtu size='1500'/>", "passt"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        refuse(cases[i].type, cases[i].content, VB_ERROR_INVALID_XML, cases[i].text);
    for (gsize i = 0; i < G_N_ELEMENTS(not_supported); i++)
        refuse(not_supported[i].type, not_supported[i].content, VB_ERROR_NOT_SUPPORTED,
               not_supported[i].text);
}

static void test_addresses(void)
{
    refuse("user", "<ip/>", VB_ERROR_INVALID_XML, "'address' is missing");
    refuse("user", "<ip address='1.2.3'/>", VB_ERROR_INVALID_XML, "'1.2.3'");
    refuse("user", "<ip address='fd00::1'/>", VB_ERROR_INVALID_XML, "not of family 'ipv4'");
    refuse("user", "<ip address='192.0.2.1' prefix='33'/>", VB_ERROR_INVALID_XML, "33");
    refuse("user", "<ip address='192.0.2.1' prefix='0'/>", VB_ERROR_INVALID_XML, "prefix");
    refuse("user", "<ip address='224.0.0.1'/>", VB_ERROR_INVALID_XML, "multicast");
    refuse("user", "<ip family='ipv6' address='ff02::1'/>", VB_ERROR_INVALID_XML, "multicast");
    refuse("user", "<ip address='192.0.2.1' prefix='30'/>", VB_ERROR_NOT_SUPPORTED, "prefix");
    refuse("user", "<ip address='192.0.2.15' prefix='28'/>", VB_ERROR_INVALID_XML, "broadcast");
    refuse("user", "<ip family='ipv6' address='fd00::1'/>", VB_ERROR_NOT_SUPPORTED, "passt");
    refuse("user", "<ip family='ipv6' address='fd00::' prefix='60'/>", VB_ERROR_NOT_SUPPORTED,
           "passt");
    refuse("user", "<ip address='192.0.2.1'/><ip address='192.0.2.2'/>", VB_ERROR_INVALID_XML,
           "twice");
}

static void test_forwards(void)
{
    static const struct {
        const char *content, *text;
    } cases[] = {
        {"<portForward/>", "'proto' is missing"},
        {"<portForward proto='sctp'/>", "'sctp'"},
        {"<portForward proto='tcp' address='host'/>", "'host'"},
        {"<portForward proto='tcp' dev='a/b'/>", "'a/b'"},
        {TCP("<range/>"), "'start' is missing"},
        {TCP("<range start='0'/>"), "start"},
        {TCP("<range start='65536'/>"), "65536"},
        {TCP("<range start='2' end='1'/>"), "behind 'end'"},
        {TCP("<range start='1' end='3' to='65534'/>"), "behind 65535"},
        {TCP("<range start='1' to='2' exclude='yes'/>"), "'exclude'"},
        {TCP("<range start='1' exclude='perhaps'/>"), "'perhaps'"},
        {TCP("<range start='10' end='20'/><range start='20'/>"), "tcp port 20"},
        {TCP("<range start='10'/>") TCP("<range start='5' end='15'/>"), "tcp port 10"},
        {TCP("<range start='10'/>") "<portForward proto='tcp' address='127.0.0.1'>"
                                    "<range start='10'/></portForward>",
         "tcp port 10"},
        {"<portForward proto='tcp' address='0.0.0.0'><range start='7'/></portForward>"
         "<portForward proto='tcp' address='127.0.0.1'><range start='7'/></portForward>",
         "tcp port 7"},
    };
    static const char *const passt_only[] = {
        TCP(""),
        TCP("<range start='1' end='9'/><range start='3' exclude='yes'/>"),
        "<portForward proto='tcp' dev='lo'><range start='1'/></portForward>",
        "<portForward proto='tcp' address='::1'><range start='1'/></portForward>",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *passt = g_strconcat(PASST, cases[i].content, NULL);

        refuse("user", cases[i].content, VB_ERROR_INVALID_XML, cases[i].text);
        refuse("user", passt, VB_ERROR_INVALID_XML, cases[i].text);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(passt_only); i++)
        refuse("user", passt_only[i], VB_ERROR_NOT_SUPPORTED, "passt");
    refuse("user", PASST "<portForward proto='tcp' dev='lo'><range start='1'/></portForward>",
           VB_ERROR_NOT_SUPPORTED, "'address'");
    refuse("user", PASST "<portForward proto='tcp' address='::1'/>", VB_ERROR_NOT_SUPPORTED,
           "<range>");
}

/* The same number is another port in another protocol, and at another address. */
static void test_forwards_apart(void)
{
    static const char *const cases[] = {
        TCP("<range start='10'/>") "<portForward proto='udp'><range start='10'/></portForward>",
        "<portForward proto='tcp' address='127.0.0.1'><range start='1'/></portForward>"
        "<portForward proto='tcp' address='127.0.0.2'><range start='1'/></portForward>",
        PASST "<portForward proto='tcp' address='127.0.0.1'><range start='1'/></portForward>"
              "<portForward proto='tcp' address='::1'><range start='1'/></portForward>",
        PASST TCP("<range start='1' end='9'/><range start='3' end='4' exclude='yes'/>")
            TCP("<range start='3' to='33'/>"),
        PASST "<portForward proto='tcp' address='::' dev='eth0'><range start='1'/></portForward>"
              "<portForward proto='tcp' address='::' dev='eth1'><range start='1'/></portForward>",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *device =
            g_strdup_printf("<interface type='user'>%s</interface>", cases[i]);
        g_autofree char *xml = model_document("q35", device);
        g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
        g_autofree char *dump = vb_domain_def_format(def, VB_FORMAT_NONE);
        g_autoptr(VbDomainDef) again = model_define(dump, VB_XML_NONE);
        g_autofree char *second = vb_domain_def_format(again, VB_FORMAT_NONE);

        g_assert_cmpstr(dump, ==, second);
    }
}

static void test_several(void)
{
    GError *error = refusal_of("<interface type='network'>" NET "<target dev='x'/></interface>"
                               "<interface type='ethernet'><target dev='x'/></interface>");

    model_assert_error(&error, VB_ERROR_INVALID_XML, "target 'x'", NULL);
    error = refusal_of("<interface type='user'>" TCP(
        "<range start='80'/>") "</interface>"
                               "<interface type='user'>" PASST TCP(
                                   "<range start='80'/>") "</interface>");
    model_assert_error(&error, VB_ERROR_INVALID_XML, "tcp port 80", NULL);
    error = refusal_of("<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
                       "<interface type='bridge'>" BRIDGE
                       "<mac address='52:54:00:00:00:01'/></interface>");
    model_assert_error(&error, VB_ERROR_INVALID_XML, "52:54:00:00:00:01", NULL);
}

static void test_limits(void)
{
    g_autoptr(GString) many = g_string_new("<interface type='user'>" PASST);
    GError *error = NULL;

    refuse("user", TCP("<range start='1000' end='1256'/>"), VB_ERROR_LIMITS_EXCEEDED,
           "257 ports are forwarded");
    g_autofree char *most = model_document(
        "q35", "<interface type='user'>" TCP("<range start='1000' end='1255'/>") "</interface>");
    g_autoptr(VbDomainDef) def = model_define(most, VB_XML_NONE);
    g_string_append(many, "<portForward proto='tcp'>");
    for (guint i = 0; i <= VB_MAX_FORWARD_RANGES; i++)
        g_string_append_printf(many, "<range start='%u'/>", i + 1);
    g_string_append(many, "</portForward></interface>");
    error = refusal_of(many->str);
    model_assert_error(&error, VB_ERROR_LIMITS_EXCEEDED, "1024", NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interface/taps", test_taps);
    g_test_add_func("/interface/user", test_user);
    g_test_add_func("/interface/dropped", test_dropped);
    g_test_add_func("/interface/live", test_live);
    g_test_add_func("/interface/types", test_types);
    g_test_add_func("/interface/addresses", test_addresses);
    g_test_add_func("/interface/forwards", test_forwards);
    g_test_add_func("/interface/forwards-apart", test_forwards_apart);
    g_test_add_func("/interface/several", test_several);
    g_test_add_func("/interface/limits", test_limits);
    return g_test_run();
}
