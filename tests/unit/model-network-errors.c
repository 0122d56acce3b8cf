/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the document of a network may not say: each refusal names the element and its line. And how
 * much may be in one. */
#include "model-fixture.h"
#include "network-fixture.h"

#include <string.h>

typedef struct {
    const char *inner; /* of the element; on line 2 */
    const char *text;  /* in the message */
    const char *where; /* and this: element and line */
    gboolean not_supported;
} Refusal;

static void refuse(const char *xml, VbError code, const char *text, const char *where)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbNetworkDef) def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    if (def)
        g_error("this was not refused (%s): %s", text, xml);
    g_test_message("%s", error->message);
    model_assert_error(&error, code, text, where, NULL);
}

/* `before` and `after` stand around each, on lines 1 and 3. They are a good document without it. */
static void check(const char *before, const char *after, const Refusal *refusals, gsize n)
{
    g_autofree char *good = g_strconcat(before, "\n\n", after, NULL);
    g_autoptr(VbNetworkDef) def = network_define(good, VB_XML_NONE);

    for (gsize i = 0; i < n; i++) {
        g_autofree char *xml = g_strconcat(before, "\n", refusals[i].inner, "\n", after, NULL);

        refuse(xml, refusals[i].not_supported ? VB_ERROR_NOT_SUPPORTED : VB_ERROR_INVALID_XML,
               refusals[i].text, refusals[i].where);
    }
}

#define CHECK(before, after, refusals) check(before, after, refusals, G_N_ELEMENTS(refusals))

static void test_identity(void)
{
    static const Refusal names[] = {
        {"<name/>", "1 to 255 bytes", "line 2: network/name"},
        {"<name> </name>", "blank", "line 2: network/name"},
        {"<name>a/b</name>", "'/'", "line 2: network/name"},
        {"<name>..</name>", "'..'", "line 2: network/name"},
        {"<name>a\nb</name>", "control character", "line 2: network/name"},
        {"<nam>x</nam>", "<name> is missing", "line 1: network"},
        {"<name>x</name><name>y</name>", "given twice", "line 2: network/name"},
    };
    static const Refusal others[] = {
        {"<uuid>123</uuid>", "'123' is not a UUID", "line 2: network/uuid"},
        {"<nonsense/>", "not understood", "line 2: network/nonsense"},
        {"<metadata a='b'/>", "'a'", "line 2: network/metadata"},
        {"text", "text is not expected", "line 1: network"},
        {"<virtualport type='openvswitch'/>", "not supported", "line 2: network/virtualport", TRUE},
        {"<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'>"
         "<d:option value='conf-file=/etc/shadow'/></d:options>",
         "http://libvirt.org/schemas/network/dnsmasq/1.0", "line 2: network/d:options", TRUE},
        {"<domain/>", "'name' is missing", "line 2: network/domain"},
        {"<domain name='-x'/>", "'-x' is not a DNS name", "line 2: network/domain"},
        {"<domain name='a,b'/>", "'a,b'", "line 2: network/domain"},
        {"<domain name='#'/>", "'#'", "line 2: network/domain"},
        {"<domain name='a' localOnly='maybe'/>", "'maybe'", "line 2: network/domain"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *xml = g_strconcat("<network>\n", names[i].inner, "</network>", NULL);

        refuse(xml, VB_ERROR_INVALID_XML, names[i].text, names[i].where);
    }
    CHECK("<network><name>x</name>", "</network>", others);
    refuse("<domain/>", VB_ERROR_INVALID_XML, "<domain>", "line 1");
    refuse("<network><name>x</name>", VB_ERROR_INVALID_XML, "well-formed", "line 1");
    refuse("<network trustGuestRxFilters='yes'><name>x</name></network>", VB_ERROR_NOT_SUPPORTED,
           "trustGuestRxFilters", "line 1: network");
    refuse("<network flavour='a'><name>x</name></network>", VB_ERROR_INVALID_XML, "'flavour'",
           "line 1: network");
}

static void test_long_name(void)
{
    g_autofree char *name = g_strnfill(255, 'n');
    g_autofree char *good = g_strdup_printf("<network><name>%s</name></network>", name);
    g_autofree char *bad = g_strdup_printf("<network><name>%sn</name></network>", name);
    g_autoptr(VbNetworkDef) def = network_define(good, VB_XML_NONE);

    g_assert_cmpstr(def->name, ==, name);
    refuse(bad, VB_ERROR_INVALID_XML, "255", "line 1: network/name");
}

static void test_link(void)
{
    static const Refusal refusals[] = {
        {"<bridge name='sixteen-letters0'/>", "1 to 15", "line 2: network/bridge"},
        {"<bridge name=''/>", "''", "line 2: network/bridge"},
        {"<bridge name='a/b'/>", "'a/b'", "line 2: network/bridge"},
        {"<bridge name='a b'/>", "'a b'", "line 2: network/bridge"},
        {"<bridge name='a:b'/>", "'a:b'", "line 2: network/bridge"},
        {"<bridge name='-a'/>", "'-a'", "line 2: network/bridge"},
        {"<bridge name='..'/>", "'..'", "line 2: network/bridge"},
        {"<bridge name='all'/>", "'all'", "line 2: network/bridge"},
        {"<bridge name='default'/>", "'default'", "line 2: network/bridge"},
        {"<bridge name='a%d'/>", "'a%d'", "line 2: network/bridge"},
        {"<bridge stp='yes'/>", "'yes'", "line 2: network/bridge"},
        {"<bridge delay='31'/>", "from 0 to 30", "line 2: network/bridge"},
        {"<bridge zone='home'/>", "'zone'", "line 2: network/bridge", TRUE},
        {"<bridge macTableManager='libvirt'/>", "'libvirt'", "line 2: network/bridge", TRUE},
        {"<mac/>", "'address' is missing", "line 2: network/mac"},
        {"<mac address='53:54:00:00:00:01'/>", "one device", "line 2: network/mac"},
        {"<mac address='52:54:00:00:00:1'/>", "one device", "line 2: network/mac"},
        {"<mac address='52-54-00-00-00-01'/>", "one device", "line 2: network/mac"},
        {"<mac address='52:54:00:00:00:0g'/>", "one device", "line 2: network/mac"},
        {"<mtu/>", "'size' is missing", "line 2: network/mtu"},
        {"<mtu size='67'/>", "from 68 to 65535", "line 2: network/mtu"},
        {"<mtu size='65536'/>", "from 68 to 65535", "line 2: network/mtu"},
        {"<mtu size='1279'/>", "IPv6 needs an MTU of 1280", "line 2: network/mtu"},
        {"<port isolated='1'/>", "'1'", "line 2: network/port"},
        {"<forward mode='none'/>", "'none'", "line 2: network/forward"},
        {"<forward mode='hostdev'/>", "'hostdev'", "line 2: network/forward", TRUE},
        {"<forward mode='private'><interface dev='a'/></forward>", "'private'",
         "line 2: network/forward", TRUE},
        {"<forward mode='vepa'/>", "'vepa'", "line 2: network/forward", TRUE},
        {"<forward mode='passthrough'/>", "'passthrough'", "line 2: network/forward", TRUE},
        {"<forward managed='yes'/>", "'managed'", "line 2: network/forward", TRUE},
        {"<forward><pf dev='a'/></forward>", "not supported", "line 2: network/forward/pf", TRUE},
        {"<forward><driver name='vfio'/></forward>", "not supported",
         "line 2: network/forward/driver", TRUE},
        {"<forward><address type='pci'/></forward>", "not supported",
         "line 2: network/forward/address", TRUE},
        {"<forward dev='a b'/>", "'a b'", "line 2: network/forward"},
        {"<forward><interface/></forward>", "'dev' is missing", "network/forward/interface"},
        {"<forward dev='a'><interface dev='b'/></forward>", "not the first <interface>, 'b'",
         "line 2: network/forward"},
        {"<forward><interface dev='a'/><interface dev='a'/></forward>", "'a' is given twice",
         "line 2: network/forward/interface"},
        {"<bridge name='a'/><forward dev='a'/>", "bridge of the network itself",
         "line 2: network/forward"},
        {"<forward mode='open' dev='a'/>", "'open'", "line 2: network/forward"},
        {"<forward mode='route'><nat/></forward>", "mode 'nat' only",
         "line 2: network/forward/nat"},
        {"<forward><nat ipv6='on'/></forward>", "'on'", "line 2: network/forward/nat"},
        {"<forward><nat><address start='192.0.2.1'/></nat></forward>", "'end' is missing",
         "line 2: network/forward/nat/address"},
        {"<forward><nat><address start='192.0.2.2' end='192.0.2.1'/></nat></forward>",
         "'start' is behind 'end'", "line 2: network/forward/nat/address"},
        {"<forward><nat><address start='2001:db8::1' end='2001:db8::1'/></nat></forward>",
         "not of IPv4", "line 2: network/forward/nat/address"},
        {"<forward><nat><address start='192.0.2.2' end='2001:db8::1'/></nat></forward>",
         "same family", "line 2: network/forward/nat/address"},
        {"<forward><nat><address start='192.0.2.2' end='239.0.0.1'/></nat></forward>",
         "239.0.0.1 is a multicast", "line 2: network/forward/nat/address"},
        {"<forward><nat><port start='10'/></nat></forward>", "missing",
         "line 2: network/forward/nat/port"},
        {"<forward><nat><port start='10' end='9'/></nat></forward>", "'start' is behind 'end'",
         "line 2: network/forward/nat/port"},
        {"<forward><nat><port start='0' end='9'/></nat></forward>", "from 1 to 65535",
         "line 2: network/forward/nat/port"},
    };

    CHECK("<network><name>x</name>",
          "<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>", refusals);
    refuse("<network><name>x</name>\n<forward mode='route'/></network>", VB_ERROR_INVALID_XML,
           "mode 'route' needs an <ip>", "line 2: network/forward");
}

static void test_foreign_bridge(void)
{
    static const Refusal refusals[] = {
        {"<ip address='192.0.2.1' prefix='24'/>", "as it is", "line 2: network/ip"},
        {"<route address='192.0.2.0' prefix='24' gateway='10.0.0.1'/>", "as it is",
         "line 2: network/route"},
        {"<dns/>", "as it is", "line 2: network/dns"},
        {"<domain name='a'/>", "as it is", "line 2: network/domain"},
        {"<mac address='52:54:00:00:00:01'/>", "as it is", "line 2: network/mac"},
        {"<mtu size='1500'/>", "as it is", "line 2: network/mtu"},
        {"<bandwidth><inbound average='1'/></bandwidth>", "use a <portgroup>",
         "line 2: network/bandwidth", TRUE},
        {"<portgroup name='a'><bandwidth><inbound floor='1'/></bandwidth></portgroup>", "'floor'",
         "line 2: network/portgroup/bandwidth/inbound"},
    };

    CHECK("<network><name>x</name><forward mode='bridge'/><bridge name='br0'/>", "</network>",
          refusals);
    refuse("<network><name>x</name><forward mode='bridge'/>\n<bridge name='b' stp='on'/></network>",
           VB_ERROR_INVALID_XML, "exists already", "line 2: network/bridge");
    refuse(
        "<network><name>x</name><forward mode='bridge'/>\n<bridge name='b' delay='0'/></network>",
        VB_ERROR_INVALID_XML, "exists already", "line 2: network/bridge");
    refuse("<network><name>x</name><forward mode='bridge'/></network>", VB_ERROR_INVALID_XML,
           "needs the name of a bridge", "network/bridge");
    refuse("<network><name>x</name>\n<forward mode='bridge' dev='eth0'/></network>",
           VB_ERROR_NOT_SUPPORTED, "macvtap", "line 2: network/forward");
    refuse("<network ipv6='yes'><name>x</name><forward mode='bridge'/><bridge name='b'/></network>",
           VB_ERROR_INVALID_XML, "'ipv6'", "line 1: network");
}

static void test_traffic(void)
{
    static const Refusal refusals[] = {
        {"<bandwidth><inbound/></bandwidth>", "'average' is missing", "bandwidth/inbound"},
        {"<bandwidth><inbound average='0'/></bandwidth>", "'0'",
         "line 2: network/bandwidth/inbound"},
        {"<bandwidth><inbound average='4294967296'/></bandwidth>", "'4294967296'",
         "line 2: network/bandwidth/inbound"},
        {"<bandwidth><outbound average='-1'/></bandwidth>", "'-1'",
         "line 2: network/bandwidth/outbound"},
        {"<bandwidth><inbound floor='1' peak='2'/></bandwidth>", "need an 'average'",
         "line 2: network/bandwidth/inbound"},
        {"<bandwidth><inbound average='2' peak='1'/></bandwidth>", "below 'average' 2",
         "line 2: network/bandwidth/inbound"},
        {"<bandwidth><inbound average='2' floor='3'/></bandwidth>", "above 'average' 2",
         "line 2: network/bandwidth/inbound"},
        {"<bandwidth><outbound average='2' floor='1'/></bandwidth>", "<inbound> only",
         "line 2: network/bandwidth/outbound"},
        {"<bandwidth><inbound average='2' floor='1'/></bandwidth>", "in a <portgroup>",
         "line 2: network/bandwidth/inbound"},
        {"<bandwidth classID='1'/>", "'classID'", "line 2: network/bandwidth"},
        {"<bandwidth><inbound average='1'/><inbound average='1'/></bandwidth>", "given twice",
         "line 2: network/bandwidth/inbound"},
        {"<vlan/>", "<tag> is missing", "line 2: network/vlan"},
        {"<vlan><tag/></vlan>", "'id' is missing", "line 2: network/vlan/tag"},
        {"<vlan><tag id='0'/></vlan>", "from 1 to 4094", "line 2: network/vlan/tag"},
        {"<vlan><tag id='4095'/></vlan>", "from 1 to 4094", "line 2: network/vlan/tag"},
        {"<vlan><tag id='5'/><tag id='5'/></vlan>", "tag 5 is given twice",
         "line 2: network/vlan/tag"},
        {"<vlan><tag id='5' nativeMode='x'/></vlan>", "'x'", "line 2: network/vlan/tag"},
        {"<vlan><tag id='5' nativeMode='tagged'/><tag id='6' nativeMode='tagged'/></vlan>",
         "5 and 6 are both native", "line 2: network/vlan/tag"},
        {"<vlan trunk='no'><tag id='5'/><tag id='6'/></vlan>", "trunk='yes'",
         "line 2: network/vlan"},
        {"<vlan trunk='no'><tag id='5' nativeMode='tagged'/></vlan>", "trunk='yes'",
         "line 2: network/vlan"},
        {"<portgroup/>", "'name' is missing", "line 2: network/portgroup"},
        {"<portgroup name='a b'/>", "'a b'", "line 2: network/portgroup"},
        {"<portgroup name='a'/><portgroup name='a'/>", "two port groups are called 'a'",
         "line 2: network/portgroup"},
        {"<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>",
         "'a' and 'b' are both the default", "line 2: network/portgroup"},
        {"<portgroup name='a' trustGuestRxFilters='yes'/>", "trustGuestRxFilters",
         "line 2: network/portgroup", TRUE},
        {"<portgroup name='a'><virtualport/></portgroup>", "not supported",
         "line 2: network/portgroup/virtualport", TRUE},
        {"<portgroup name='a'><bandwidth><inbound floor='1'/></bandwidth></portgroup>",
         "no inbound 'average'", "line 2: network/portgroup/bandwidth/inbound"},
    };

    CHECK("<network><name>x</name>", "</network>", refusals);
}

static void test_ip(void)
{
    static const Refusal refusals[] = {
        {"<ip/>", "'address' is missing", "line 2: network/ip"},
        {"<ip address='192.0.2.256'/>", "'192.0.2.256' is not an IP address", "line 2: network/ip"},
        {"<ip address='192.0.02.1'/>", "'192.0.02.1'", "line 2: network/ip"},
        {"<ip address='3221225985'/>", "'3221225985'", "line 2: network/ip"},
        {"<ip address='2001:db8::1%eth0'/>", "eth0", "line 2: network/ip"},
        {"<ip address='2001:db8::1'/>", "not of family 'ipv4'", "line 2: network/ip"},
        {"<ip family='ipv6' address='192.0.2.1'/>", "not of family 'ipv6'", "line 2: network/ip"},
        {"<ip family='ipv5' address='192.0.2.1'/>", "'ipv5'", "line 2: network/ip"},
        {"<ip address='192.0.2.1' netmask='255.255.255.0' prefix='24'/>", "excludes",
         "line 2: network/ip"},
        {"<ip address='192.0.2.1' netmask='255.0.255.0'/>", "ones", "line 2: network/ip"},
        {"<ip address='192.0.2.1' netmask='ffff::'/>", "ones", "line 2: network/ip"},
        {"<ip family='ipv6' address='2001:db8::1' netmask='255.255.255.0'/>", "use 'prefix'",
         "line 2: network/ip"},
        {"<ip address='192.0.2.1' prefix='33'/>", "from 0 to 32", "line 2: network/ip"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='129'/>", "from 0 to 128",
         "line 2: network/ip"},
        {"<ip address='192.0.2.1' prefix='0'/>", "whole Internet", "line 2: network/ip"},
        {"<ip address='0.0.0.0' prefix='24'/>", "0.0.0.0 is an address of no host",
         "line 2: network/ip"},
        {"<ip address='127.0.0.1' prefix='8'/>", "loopback", "line 2: network/ip"},
        {"<ip address='224.0.0.1' prefix='24'/>", "multicast", "line 2: network/ip"},
        {"<ip address='255.255.255.255' prefix='32'/>", "reserved", "line 2: network/ip"},
        {"<ip family='ipv6' address='::' prefix='64'/>", "no host", "line 2: network/ip"},
        {"<ip family='ipv6' address='::1' prefix='128'/>", "loopback", "line 2: network/ip"},
        {"<ip family='ipv6' address='ff02::1' prefix='64'/>", "multicast", "line 2: network/ip"},
        {"<ip family='ipv6' address='::ffff:192.0.2.1' prefix='120'/>", "IPv4 address in IPv6",
         "line 2: network/ip"},
        {"<ip family='ipv6' address='fe80::1' prefix='64'/>", "link-local", "line 2: network/ip"},
        {"<ip address='192.0.2.0' prefix='24'/>", "address of the network itself",
         "line 2: network/ip"},
        {"<ip address='192.0.2.255' prefix='24'/>", "broadcast", "line 2: network/ip"},
        {"<ip address='192.0.2.1' prefix='25' localPtr='yes'/>", "that 8 divides",
         "line 2: network/ip"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='65' localPtr='yes'/>", "that 4 divides",
         "line 2: network/ip"},
        {"<ip address='192.168.1.1' prefix='24'/>", "subnets 192.168.1.0/24 and 192.168.1.0/24",
         "network/ip"},
        {"<ip address='192.168.1.200' prefix='25'/>", "192.168.1.128/25 and 192.168.1.0/24",
         "network/ip"},
        {"<ip address='192.0.2.1' prefix='24'><dhcp/></ip>", "a <dhcp> for IPv4 already",
         "network/ip/dhcp"},
        {"<ip address='192.0.2.1' prefix='24'><tftp root='/a'/></ip>", "a <tftp> already",
         "network/ip/tftp"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='64'><tftp root='/srv'/></ip>",
         "IPv4 only", "line 2: network/ip/tftp"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='63'><dhcp/></ip>", "from 64 to 126",
         "line 2: network/ip/dhcp"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='127'><dhcp/></ip>", "from 64 to 126",
         "line 2: network/ip/dhcp"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp><bootp file='a'/></dhcp></ip>",
         "IPv4 only", "line 2: network/ip/dhcp/bootp"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp>"
         "<host mac='52:54:00:00:00:01' ip='2001:db8::2'/></dhcp></ip>",
         "'mac' is for IPv4", "line 2: network/ip/dhcp/host"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp>"
         "<host ip='2001:db8::2'/></dhcp></ip>",
         "'id' or 'name' is missing", "line 2: network/ip/dhcp/host"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp>"
         "<host id='0:3:0:1:52:54:0:0:0:1' ip='2001:db8::2'/>"
         "<host id='00:03:00:01:52:54:00:00:00:01' ip='2001:db8::3'/></dhcp></ip>",
         "two hosts have the id 00:03:00:01:52:54:00:00:00:01", "line 2: network/ip/dhcp/host"},
        {"<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp>"
         "<range start='2001:db8::10' end='2001:db8:0:1::'/></dhcp></ip>",
         "not in the subnet 2001:db8::/64", "line 2: network/ip/dhcp/range"},
    };

    CHECK("<network><name>x</name>",
          "<ip address='192.168.1.1' prefix='24'><tftp root='/srv'/><dhcp/></ip></network>",
          refusals);
    refuse("<network><name>x</name>\n<ip address='192.0.2.1' prefix='31'><dhcp/></ip></network>",
           VB_ERROR_INVALID_XML, "from 1 to 30", "line 2: network/ip/dhcp");
}

static void test_dhcp(void)
{
    static const Refusal refusals[] = {
        {"<range start='192.168.1.10'/>", "'end' is missing", "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.11' end='192.168.1.10'/>", "'start' is behind 'end'",
         "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.11' end='::1'/>", "same family", "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.2.1' end='192.168.2.9'/>", "not in the subnet 192.168.1.0/24",
         "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.9' end='192.168.2.9'/>", "not in the subnet 192.168.1.0/24",
         "line 2: network/ip/dhcp/range"},
        {"<range start='2001:db8::1' end='2001:db8::9'/>", "not in the subnet",
         "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.0' end='192.168.1.9'/>",
         "192.168.1.0, the address of the network", "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.9' end='192.168.1.255'/>", "192.168.1.255, the broadcast",
         "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.9' end='192.168.1.20'/><range start='192.168.1.20' "
         "end='192.168.1.30'/>",
         "192.168.1.20 to 192.168.1.30 overlaps 192.168.1.9 to 192.168.1.20",
         "line 2: network/ip/dhcp/range"},
        {"<range start='192.168.1.9' end='192.168.1.20'><lease/></range>", "'expiry' is missing",
         "line 2: network/ip/dhcp/range/lease"},
        {"<range start='192.168.1.9' end='192.168.1.20'><lease expiry='1'/></range>", "120 seconds",
         "line 2: network/ip/dhcp/range/lease"},
        {"<range start='192.168.1.9' end='192.168.1.20'><lease expiry='119' "
         "unit='seconds'/></range>",
         "120 seconds", "line 2: network/ip/dhcp/range/lease"},
        {"<range start='192.168.1.9' end='192.168.1.20'><lease expiry='1' unit='days'/></range>",
         "'days'", "line 2: network/ip/dhcp/range/lease"},
        {"<range start='192.168.1.9' end='192.168.1.9'><lease expiry='1193047' "
         "unit='hours'/></range>",
         "'1193047'", "line 2: network/ip/dhcp/range/lease"},
        {"<host/>", "'mac' or 'name' is missing", "line 2: network/ip/dhcp/host"},
        {"<host ip='192.168.1.2'/>", "'mac' or 'name' is missing", "line 2: network/ip/dhcp/host"},
        {"<host mac='52:54:00:00:00:01'/>", "'ip' is missing", "line 2: network/ip/dhcp/host"},
        {"<host mac='53:54:00:00:00:01' ip='192.168.1.2'/>", "one device",
         "line 2: network/ip/dhcp/host"},
        {"<host id='0:3:0:1:52:54:0:0:0:1' ip='192.168.1.2'/>", "'id' is for IPv6",
         "line 2: network/ip/dhcp/host"},
        {"<host id='0:9:0:1' name='a' ip='192.168.1.2'/>", "not a DUID",
         "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='192.168.2.2'/>", "192.168.2.2 is not in the subnet 192.168.1.0/24",
         "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='2001:db8::2'/>", "not in the subnet", "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='192.168.1.0'/>", "address of the network itself",
         "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='192.168.1.255'/>", "broadcast", "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='192.168.1.1'/>", "address of the bridge",
         "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='192.168.1.2'/><host name='b' ip='192.168.1.2'/>",
         "two hosts have the address 192.168.1.2", "line 2: network/ip/dhcp/host"},
        {"<host name='a' ip='192.168.1.2'/>\n<host name='A' ip='192.168.1.3'/>",
         "two hosts are called 'A'", "line 3: network/ip/dhcp/host"},
        {"<host mac='52:54:00:00:00:0a' ip='192.168.1.2'/><host mac='52:54:00:00:00:0A' "
         "ip='192.168.1.3'/>",
         "two hosts have the MAC address 52:54:00:00:00:0a", "line 2: network/ip/dhcp/host"},
        {"<host name='a,ignore' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='a b' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='a_b' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='-a' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='tag:a' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='ignore' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='Infinite' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='45m' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='3600' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='192.168.1.2' ip='192.168.1.2'/>", "not a host name", "dhcp/host"},
        {"<host name='a&#10;conf-file=/etc/shadow' ip='192.168.1.2'/>", "control character",
         "dhcp/host"},
        {"<bootp/>", "'file' is missing", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a,b'/>", "one of the characters \"\\,#", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a&quot;b'/>", "one of the characters", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a\\b'/>", "one of the characters", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a#b'/>", "one of the characters", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a b'/>", "'a b'", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='tag:x'/>", "'tag:x'", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a&#10;b'/>", "control character", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a' server='b,c'/>", "'b,c'", "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a' server='2001:db8::1'/>", "'2001:db8::1'",
         "line 2: network/ip/dhcp/bootp"},
        {"<bootp file='a'/><bootp file='b'/>", "given twice", "line 2: network/ip/dhcp/bootp"},
        {"</dhcp><tftp/><dhcp>", "'root' is missing", "line 2: network/ip/tftp"},
        {"</dhcp><tftp root='srv'/><dhcp>", "absolute", "line 2: network/ip/tftp"},
        {"</dhcp><tftp root='/srv,eth0'/><dhcp>", "one of the characters", "network/ip/tftp"},
        {"</dhcp><tftp root='/srv #x'/><dhcp>", "one of the characters", "network/ip/tftp"},
    };

    CHECK("<network><name>x</name><ip address='192.168.1.1' prefix='24'><dhcp>",
          "</dhcp></ip></network>", refusals);
}

static void test_long_texts(void)
{
    static const struct {
        const char *before, *after;
        gsize max;
        const char *where;
    } cases[] = {
        {"<ip address='10.1.1.1' prefix='24'><dhcp><bootp file='", "'/></dhcp></ip>", 127,
         "network/ip/dhcp/bootp"},
        {"<ip address='10.1.1.1' prefix='24'><tftp root='/", "'/></ip>", 511, "network/ip/tftp"},
        {"<ip address='10.1.1.1' prefix='24'/><dns><txt name='a' value='", "'/></dns>", 512,
         "network/dns/txt"},
        {"<ip address='10.1.1.1' prefix='24'/><dns><txt value='' name='", "'/></dns>", 63,
         "network/dns/txt"},
        {"<domain name='a.a.", "'/>", 63, "network/domain"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strnfill(cases[i].max, 'x');
        g_autofree char *good = g_strdup_printf("<network><name>x</name>%s%s%s</network>",
                                                cases[i].before, text, cases[i].after);
        g_autofree char *bad = g_strdup_printf("<network><name>x</name>%s%sx%s</network>",
                                               cases[i].before, text, cases[i].after);
        g_autoptr(VbNetworkDef) def = network_define(good, VB_XML_NONE);

        g_assert_nonnull(def);
        refuse(bad, VB_ERROR_INVALID_XML, "attribute '", cases[i].where);
    }
}

static void test_dns(void)
{
    static const Refusal refusals[] = {
        {"<forwarder/>", "'addr' or 'domain' is missing", "line 2: network/dns/forwarder"},
        {"<forwarder addr='a'/>", "'a' is not an IP address", "line 2: network/dns/forwarder"},
        {"<forwarder addr='1.1.1.1#53'/>", "'1.1.1.1#53'", "line 2: network/dns/forwarder"},
        {"<forwarder addr='0.0.0.0'/>", "no host", "line 2: network/dns/forwarder"},
        {"<forwarder addr='224.0.0.1'/>", "multicast", "line 2: network/dns/forwarder"},
        {"<forwarder domain='a/1.1.1.1/b'/>", "not a DNS name", "line 2: network/dns/forwarder"},
        {"<forwarder domain='*'/>", "not a DNS name", "line 2: network/dns/forwarder"},
        {"<txt value='a'/>", "'name' is missing", "line 2: network/dns/txt"},
        {"<txt name='a'/>", "'value' is missing", "line 2: network/dns/txt"},
        {"<txt name='a,b' value='a'/>", "'a,b' is not a DNS name", "line 2: network/dns/txt"},
        {"<txt name='a' value='&quot;'/>", "one of the characters \"\\", "line 2: network/dns/txt"},
        {"<txt name='a' value='\\n'/>", "one of the characters", "line 2: network/dns/txt"},
        {"<txt name='a' value='a&#10;b'/>", "control character", "line 2: network/dns/txt"},
        {"<txt name='a' value='b'/><txt name='a' value='b'/>", "given twice",
         "line 2: network/dns/txt"},
        {"<srv protocol='tcp'/>", "'service' is missing", "line 2: network/dns/srv"},
        {"<srv service='a'/>", "'protocol' is missing", "line 2: network/dns/srv"},
        {"<srv service='a' protocol='sctp'/>", "'sctp'", "line 2: network/dns/srv"},
        {"<srv service='_a' protocol='tcp'/>", "'_a'", "line 2: network/dns/srv"},
        {"<srv service='a.b' protocol='tcp'/>", "'a.b'", "line 2: network/dns/srv"},
        {"<srv service='a' protocol='tcp' domain='b,c'/>", "'b,c'", "line 2: network/dns/srv"},
        {"<srv service='a' protocol='tcp' target='b,c'/>", "'b,c'", "line 2: network/dns/srv"},
        {"<srv service='a' protocol='tcp' target='b' port='65536'/>", "'65536'",
         "line 2: network/dns/srv"},
        {"<srv service='a' protocol='tcp' port='1'/>", "need a 'target'",
         "line 2: network/dns/srv"},
        {"<srv service='a' protocol='tcp'/><srv service='a' protocol='tcp'/>", "given twice",
         "line 2: network/dns/srv"},
        {"<host><hostname>a</hostname></host>", "'ip' is missing", "line 2: network/dns/host"},
        {"<host ip='192.0.2.1'/>", "<hostname> is missing", "line 2: network/dns/host"},
        {"<host ip='192.0.2.1'><hostname/></host>", "'' is not", "network/dns/host/hostname"},
        {"<host ip='192.0.2.1'><hostname>a b</hostname></host>", "'a b' is not",
         "line 2: network/dns/host/hostname"},
        {"<host ip='192.0.2.1'><hostname>a</hostname><hostname>A</hostname></host>",
         "'A' is given twice", "line 2: network/dns/host"},
        {"<host ip='192.0.2.1'><hostname>a</hostname></host><host ip='192.0.2.1'><hostname>b"
         "</hostname></host>",
         "two hosts have the address 192.0.2.1", "line 2: network/dns/host"},
        {"<host ip='ff02::1'><hostname>a</hostname></host>", "multicast",
         "line 2: network/dns/host"},
        {"<cname/>", "not understood", "line 2: network/dns/cname"},
    };

    CHECK("<network><name>x</name><ip address='10.1.1.1' prefix='24'/><dns>", "</dns></network>",
          refusals);
    refuse("<network><name>x</name><ip address='10.1.1.1' prefix='24'/>\n<dns enable='no'>"
           "<txt name='a' value='b'/></dns></network>",
           VB_ERROR_INVALID_XML, "disabled", "line 2: network/dns");
    refuse("<network><name>x</name>\n<dns><txt name='a' value='b'/></dns></network>",
           VB_ERROR_INVALID_XML, "needs an <ip>", "line 2: network/dns");
    refuse("<network><name>x</name>\n<dns enable='on'/></network>", VB_ERROR_INVALID_XML, "'on'",
           "line 2: network/dns");
}

static void test_routes(void)
{
    static const Refusal refusals[] = {
        {"<route gateway='10.1.1.2'/>", "'address' is missing", "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16'/>", "'gateway' is missing",
         "line 2: network/route"},
        {"<route address='10.2.0.1' prefix='16' gateway='10.1.1.2'/>", "bits behind its prefix",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='33' gateway='10.1.1.2'/>", "'33'",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='10.1.2.2'/>", "10.1.2.2 is in no subnet",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='2001:db8::1'/>", "same family",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='10.1.1.1'/>", "address of the bridge",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='10.1.1.0'/>", "address of the network",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='10.1.1.255'/>", "broadcast",
         "line 2: network/route"},
        {"<route address='10.1.1.0' prefix='24' gateway='10.1.1.2'/>", "a subnet of the network",
         "line 2: network/route"},
        {"<route address='224.0.0.0' prefix='4' gateway='10.1.1.2'/>", "multicast",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='10.1.1.2' metric='0'/>", "'0'",
         "line 2: network/route"},
        {"<route address='10.2.0.0' prefix='16' gateway='10.1.1.2'/><route address='10.2.0.0' "
         "prefix='16' gateway='10.1.1.3'/>",
         "two routes to 10.2.0.0/16", "line 2: network/route"},
        {"<route family='ipv6' address='10.2.0.0' prefix='16' gateway='10.1.1.2'/>",
         "not of family 'ipv6'", "line 2: network/route"},
    };

    CHECK("<network><name>x</name><ip address='10.1.1.1' prefix='24'/>", "</network>", refusals);
}

/* --- how much --- */

typedef struct {
    const char *before, *after;
    const char *format; /* of one element; '@' is a number of its own, "1.2" */
    guint max;
    const char *where;
} Limit;

static char *build_many(const Limit *limit, guint n)
{
    g_autoptr(GString) xml = g_string_new("<network><name>x</name>");

    g_string_append(xml, limit->before);
    for (guint i = 0; i < n; i++) {
        g_autofree char *number = g_strdup_printf("%u.%u", i / 200 + 1, i % 200 + 2);
        g_auto(GStrv) parts = g_strsplit(limit->format, "@", -1);
        g_autofree char *element = g_strjoinv(number, parts);

        g_string_append(xml, element);
    }
    g_string_append_printf(xml, "%s</network>", limit->after);
    return g_strdup(xml->str);
}

static void test_limits(void)
{
    static const Limit limits[] = {
        {"<ip address='10.9.0.1' prefix='16'><dhcp>", "</dhcp></ip>",
         "<range start='10.9.@' end='10.9.@'/>", VB_NETWORK_MAX_RANGES, "network/ip/dhcp"},
        {"<ip address='10.9.0.1' prefix='16'><dhcp>", "</dhcp></ip>",
         "<host name='h.@x' ip='10.9.@'/>", VB_NETWORK_MAX_HOSTS, "network/ip/dhcp"},
        {"", "", "<ip address='10.@.1' netmask='255.255.255.0'/>", VB_NETWORK_MAX_IPS,
         "network/ip"},
        {"<ip address='10.9.0.1' prefix='16'/>", "",
         "<route address='11.@.0' prefix='24' gateway='10.9.0.2'/>", VB_NETWORK_MAX_ROUTES,
         "network/route"},
        {"", "", "<portgroup name='g@'/>", VB_NETWORK_MAX_PORTGROUPS, "network/portgroup"},
        {"<ip address='10.9.0.1' prefix='16'/><forward>", "</forward>", "<interface dev='e@'/>",
         VB_NETWORK_MAX_FORWARD_DEVS, "network/forward"},
        {"<ip address='10.9.0.1' prefix='16'/><dns>", "</dns>", "<txt name='t' value='@'/>",
         VB_NETWORK_MAX_RECORDS, "network/dns/txt"},
        {"<ip address='10.9.0.1' prefix='16'/><dns>", "</dns>",
         "<srv service='s' protocol='tcp' domain='d@.x'/>", VB_NETWORK_MAX_RECORDS,
         "network/dns/srv"},
        {"<ip address='10.9.0.1' prefix='16'/><dns>", "</dns>", "<forwarder addr='11.1.@'/>",
         VB_NETWORK_MAX_RECORDS, "network/dns/forwarder"},
        {"<ip address='10.9.0.1' prefix='16'/><dns>", "</dns>",
         "<host ip='11.1.@'><hostname>a</hostname></host>", VB_NETWORK_MAX_RECORDS,
         "network/dns/host"},
        {"<ip address='10.9.0.1' prefix='16'/><dns><host ip='11.1.1.1'>", "</host></dns>",
         "<hostname>h@.x</hostname>", VB_NETWORK_MAX_HOSTNAMES, "network/dns/host"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *good = build_many(&limits[i], limits[i].max);
        g_autofree char *bad = build_many(&limits[i], limits[i].max + 1);
        g_autofree char *number = g_strdup_printf("at most %u", limits[i].max);
        g_autoptr(VbNetworkDef) def = network_define(good, VB_XML_NONE);

        refuse(bad, VB_ERROR_LIMITS_EXCEEDED, number, limits[i].where);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network-errors/identity", test_identity);
    g_test_add_func("/network-errors/long-name", test_long_name);
    g_test_add_func("/network-errors/link", test_link);
    g_test_add_func("/network-errors/foreign-bridge", test_foreign_bridge);
    g_test_add_func("/network-errors/traffic", test_traffic);
    g_test_add_func("/network-errors/ip", test_ip);
    g_test_add_func("/network-errors/dhcp", test_dhcp);
    g_test_add_func("/network-errors/long-texts", test_long_texts);
    g_test_add_func("/network-errors/dns", test_dns);
    g_test_add_func("/network-errors/routes", test_routes);
    g_test_add_func("/network-errors/limits", test_limits);
    return g_test_run();
}
