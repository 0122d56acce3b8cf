/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes of parts of a network: each section and command, what they find and what they refuse. The
 * definition that was given stays as it was. */
#include "model-fixture.h"
#include "network-fixture.h"

#include <string.h>

static const char base[] =
    "<network><name>net</name><uuid>c6a47a4b-7b1d-4a8e-95a8-1d6c4b60d0aa</uuid>"
    "<mac address='52:54:00:00:00:ff'/><forward dev='eth0'/>"
    "<dns><txt name='t1' value='a'/><txt name='t2' value='b'/><txt name='t2' value='c'/>"
    "<srv service='ldap' protocol='tcp' target='one' port='389'/>"
    "<srv service='ldap' protocol='tcp' domain='d.example' target='two'/>"
    "<srv service='sip' protocol='udp' target='three'/>"
    "<srv service='sip' protocol='udp' target='four'/>"
    "<host ip='192.0.2.1'><hostname>one</hostname><hostname>both</hostname></host>"
    "<host ip='192.0.2.2'><hostname>two</hostname><hostname>both</hostname></host></dns>"
    "<ip address='10.1.0.1' prefix='16'><dhcp>"
    "<range start='10.1.1.0' end='10.1.1.99'/><range start='10.1.2.0' end='10.1.2.99'/>"
    "<host mac='52:54:00:00:00:01' name='one' ip='10.1.0.11'/>"
    "<host mac='52:54:00:00:00:02' name='two' ip='10.1.0.12'><lease expiry='5'/></host>"
    "<host name='three' ip='10.1.0.13'/></dhcp></ip>"
    "<ip family='ipv6' address='2001:db8::1' prefix='64'/>"
    "<ip family='ipv6' address='2001:db8:1::1' prefix='64'/>"
    "<portgroup name='p1'/><portgroup name='p2' default='yes'/></network>";

#define HOST VB_NETWORK_SECTION_IP_DHCP_HOST
#define RANGE VB_NETWORK_SECTION_IP_DHCP_RANGE
#define INTERFACE VB_NETWORK_SECTION_FORWARD_INTERFACE
#define PORTGROUP VB_NETWORK_SECTION_PORTGROUP
#define DNS_HOST VB_NETWORK_SECTION_DNS_HOST
#define TXT VB_NETWORK_SECTION_DNS_TXT
#define SRV VB_NETWORK_SECTION_DNS_SRV
#define FIRST VB_NETWORK_UPDATE_ADD_FIRST
#define LAST VB_NETWORK_UPDATE_ADD_LAST
#define MODIFY VB_NETWORK_UPDATE_MODIFY
#define DELETE VB_NETWORK_UPDATE_DELETE

typedef struct {
    VbNetworkSection section;
    VbNetworkUpdate command;
    int parent;
    const char *xml;
    const char *there; /* in the new document, one element behind the other */
    const char *gone;  /* no longer there; or NULL */
} Change;

/* Without the line breaks and the indentation. */
static char *format_flat(const VbNetworkDef *def)
{
    g_autofree char *dump = vb_network_def_format(def, VB_FORMAT_NONE);
    g_auto(GStrv) lines = g_strsplit(dump, "\n", -1);

    for (char **line = lines; *line; line++)
        g_strchug(*line);
    return g_strjoinv("", lines);
}

static void test_changes(void)
{
    static const Change changes[] = {
        {HOST, LAST, -1, "<host mac='52:54:00:00:00:03' ip='10.1.0.20'/>",
         "ip='10.1.0.13'/><host mac='52:54:00:00:00:03' ip='10.1.0.20'/></dhcp>", NULL},
        {HOST, FIRST, 0, "<host mac='52:54:00:00:00:03' ip='10.1.0.20'/>",
         "end='10.1.2.99'/><host mac='52:54:00:00:00:03' ip='10.1.0.20'/><host", NULL},
        {HOST, LAST, 2, "<host name='six' ip='2001:db8:1::6'/>",
         "<ip family='ipv6' address='2001:db8:1::1' prefix='64'><dhcp>"
         "<host name='six' ip='2001:db8:1::6'/></dhcp></ip>",
         NULL},
        {HOST, MODIFY, -1, "<host mac='52:54:00:00:00:02' name='two' ip='10.1.0.99'/>",
         "ip='10.1.0.11'/><host mac='52:54:00:00:00:02' name='two' ip='10.1.0.99'/><host",
         "10.1.0.12"},
        {HOST, MODIFY, -1, "<host mac='52:54:00:00:00:01' name='uno' ip='10.1.0.11'/>",
         "name='uno'", "name='one'"},
        {HOST, MODIFY, -1, "<host name='THREE' ip='10.1.0.14'/>",
         "<host name='THREE' ip='10.1.0.14'/>", "name='three'"},
        {HOST, DELETE, -1, "<host mac='52:54:00:00:00:01'/>", "<host mac='52:54:00:00:00:02'",
         "52:54:00:00:00:01"},
        {HOST, DELETE, -1, "<host ip='10.1.0.13'/>", "<host mac='52:54:00:00:00:02'",
         "name='three'"},
        {HOST, DELETE, -1, "<host name='Two'><lease expiry='300' unit='seconds'/></host>",
         "<host mac='52:54:00:00:00:01'", "name='two'"},
        {RANGE, FIRST, -1, "<range start='10.1.0.100' end='10.1.0.199'/>",
         "<dhcp><range start='10.1.0.100' end='10.1.0.199'/><range", NULL},
        {RANGE, LAST, 1, "<range start='2001:db8::10' end='2001:db8::1f'/>",
         "<dhcp><range start='2001:db8::10' end='2001:db8::1f'/></dhcp>", NULL},
        {RANGE, MODIFY, -1,
         "<range start='10.1.2.0' end='10.1.2.99'><lease expiry='1' unit='hours'/></range>",
         "<range start='10.1.2.0' end='10.1.2.99'><lease expiry='1' unit='hours'/></range><host",
         NULL},
        {RANGE, DELETE, -1, "<range start='10.1.1.0' end='10.1.1.99'/>",
         "<dhcp><range start='10.1.2.0'", "10.1.1.0"},
        {INTERFACE, FIRST, -1, "<interface dev='eth9'/>",
         "<forward mode='nat' dev='eth9'><interface dev='eth9'/><interface dev='eth0'/>", NULL},
        {INTERFACE, LAST, 0, "<interface dev='eth9' connections='2'/>",
         "<forward mode='nat' dev='eth0'><interface dev='eth0'/><interface dev='eth9'/>", NULL},
        {INTERFACE, DELETE, -1, "<interface dev='eth0'/>", "<forward mode='nat'/>", "eth0"},
        {PORTGROUP, LAST, -1, "<portgroup name='p3'><vlan><tag id='3'/></vlan></portgroup>",
         "<portgroup name='p3'><vlan><tag id='3'/></vlan></portgroup></network>", NULL},
        {PORTGROUP, FIRST, -1, "<portgroup name='p3'/>",
         "<portgroup name='p3'/><portgroup name='p1'/>", NULL},
        {PORTGROUP, MODIFY, -1, "<portgroup name='p2'/>",
         "<portgroup name='p1'/><portgroup name='p2'/></network>", "default='yes'"},
        {PORTGROUP, DELETE, -1, "<portgroup name='p2'/>", "<portgroup name='p1'/></network>", "p2"},
        {DNS_HOST, FIRST, -1, "<host ip='192.0.2.9'><hostname>nine</hostname></host>",
         "<host ip='192.0.2.9'><hostname>nine</hostname></host><host ip='192.0.2.1'>", NULL},
        {DNS_HOST, LAST, -1, "<host ip='192.0.2.9'><hostname>both</hostname></host>",
         "<host ip='192.0.2.9'><hostname>both</hostname></host></dns>", NULL},
        {DNS_HOST, MODIFY, -1, "<host ip='192.0.2.1'><hostname>uno</hostname></host>",
         "<host ip='192.0.2.1'><hostname>uno</hostname></host><host ip='192.0.2.2'>",
         "<hostname>one<"},
        {DNS_HOST, DELETE, -1, "<host><hostname>TWO</hostname></host>", "<host ip='192.0.2.1'>",
         "192.0.2.2"},
        {DNS_HOST, DELETE, -1, "<host ip='192.0.2.1'><hostname>both</hostname></host>",
         "<host ip='192.0.2.2'>", "192.0.2.1"},
        {TXT, FIRST, -1, "<txt name='t0' value='x'/>", "<dns><txt name='t0' value='x'/><txt", NULL},
        {TXT, LAST, -1, "<txt name='t1' value='x'/>",
         "<txt name='t2' value='c'/><txt name='t1' value='x'/>", NULL},
        {TXT, MODIFY, -1, "<txt name='T1' value='z'/>", "<dns><txt name='T1' value='z'/>", "'t1'"},
        {TXT, DELETE, -1, "<txt name='t1'/>", "<dns><txt name='t2'", "'t1'"},
        {TXT, DELETE, -1, "<txt name='t2' value='b'/>", "<txt name='t2' value='c'/>", "value='b'"},
        {SRV, FIRST, -1, "<srv service='x' protocol='tcp'/>",
         "<srv service='x' protocol='tcp'/><srv service='ldap'", NULL},
        {SRV, LAST, -1, "<srv service='x' protocol='tcp'/>",
         "target='four'/><srv service='x' protocol='tcp'/>", NULL},
        {SRV, MODIFY, -1, "<srv service='ldap' protocol='tcp' target='new'/>",
         "<srv service='ldap' protocol='tcp' target='new'/><srv service='ldap' protocol='tcp' "
         "domain='d.example'",
         "389"},
        {SRV, DELETE, -1, "<srv domain='d.example'/>", "389", "d.example"},
        {SRV, DELETE, -1, "<srv service='sip' target='four'/>", "target='three'", "'four'"},
        {SRV, DELETE, -1, "<srv protocol='tcp' port='389'/>", "d.example", "389"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        const Change *change = &changes[i];
        g_autoptr(GError) error = NULL;
        g_autoptr(VbNetworkDef) def = network_define(base, VB_XML_NONE);
        g_autofree char *before = format_flat(def);
        g_autoptr(VbNetworkDef) changed = vb_network_def_update(
            def, change->section, change->command, change->parent, change->xml, &error);
        g_assert_no_error(error);
        g_autofree char *after = format_flat(changed);
        g_autofree char *untouched = format_flat(def);

        g_assert_cmpstr(before, ==, untouched);
        g_assert_cmpstr(before, !=, after);
        if (!strstr(after, change->there) || (change->gone && strstr(after, change->gone)))
            g_error("%s: %s", change->xml, after);
        network_check_round_trip(after, VB_XML_NONE, VB_FORMAT_NONE);
    }
}

typedef struct {
    VbNetworkSection section;
    VbNetworkUpdate command;
    int parent;
    const char *xml;
    VbError code;
    const char *text;
} Refusal;

static void test_refusals(void)
{
    static const Refusal refusals[] = {
        {HOST, LAST, -1, "<range start='10.1.0.2' end='10.1.0.3'/>", VB_ERROR_INVALID_XML,
         "<range>, not <host>"},
        {HOST, LAST, -1, "nonsense", VB_ERROR_INVALID_XML, "well-formed"},
        {HOST, LAST, -1, "<host mac='52:54:00:00:00:09' ip='10.1.0.9' nonsense='1'/>",
         VB_ERROR_INVALID_XML, "line 1: host: attribute 'nonsense'"},
        {HOST, LAST, -1, "<host mac='52:54:00:00:00:09' ip='10.1.0.9'><odd/></host>",
         VB_ERROR_INVALID_XML, "line 1: host/odd"},
        {HOST, LAST, 0, "\n<host mac='52:54:00:00:00:09'/>", VB_ERROR_INVALID_XML,
         "line 2: network/ip/dhcp/host: attribute 'ip' is missing"},
        {HOST, LAST, -1, "<host mac='52:54:00:00:00:01' ip='10.1.0.9'/>", VB_ERROR_INVALID_XML,
         "line 1: network/ip/dhcp/host: two hosts have the MAC address"},
        {HOST, FIRST, -1, "<host mac='52:54:00:00:00:01' ip='10.1.0.9'/>", VB_ERROR_INVALID_XML,
         "network/ip/dhcp/host: two hosts have the MAC address"},
        {HOST, LAST, -1, "<host name='ONE' ip='10.1.0.9'/>", VB_ERROR_INVALID_XML,
         "two hosts are called"},
        {HOST, LAST, -1, "<host name='x' ip='10.1.0.11'/>", VB_ERROR_INVALID_XML,
         "two hosts have the address"},
        {HOST, LAST, -1, "<host name='x' ip='10.2.0.11'/>", VB_ERROR_INVALID_XML,
         "not in the subnet"},
        {HOST, LAST, -1, "<host name='x' ip='2001:db8::2'/>", VB_ERROR_INVALID_ARGS,
         "network net has several <ip>"},
        {HOST, LAST, 3, "<host name='x' ip='2001:db8::2'/>", VB_ERROR_INVALID_ARGS,
         "network net has no <ip> 3"},
        {HOST, MODIFY, -1, "<host mac='52:54:00:00:00:09' ip='10.1.0.9'/>", VB_ERROR_INVALID_ARGS,
         "network net has no such <host>"},
        {HOST, MODIFY, 0, "<host mac='52:54:00:00:00:01'/>", VB_ERROR_INVALID_XML,
         "'ip' is missing"},
        {HOST, DELETE, 0, "<host/>", VB_ERROR_INVALID_XML, "which one"},
        {HOST, DELETE, 0, "<host name='one' ip='10.1.0.12'/>", VB_ERROR_INVALID_ARGS,
         "no such <host>"},
        {HOST, DELETE, 1, "<host name='one'/>", VB_ERROR_INVALID_ARGS, "no such <host>"},
        {RANGE, LAST, -1, "<range start='10.1.1.50' end='10.1.3.0'/>", VB_ERROR_INVALID_XML,
         "line 1: network/ip/dhcp/range: 10.1.1.50 to 10.1.3.0 overlaps"},
        {RANGE, DELETE, -1, "<range start='10.1.1.0' end='10.1.1.98'/>", VB_ERROR_INVALID_ARGS,
         "no such <range>"},
        {RANGE, DELETE, -1, "<range start='10.1.1.0'/>", VB_ERROR_INVALID_XML, "'end' is missing"},
        {INTERFACE, MODIFY, -1, "<interface dev='eth0'/>", VB_ERROR_NOT_SUPPORTED,
         "network net: a forward interface"},
        {INTERFACE, LAST, -1, "<interface dev='eth0'/>", VB_ERROR_INVALID_XML, "given twice"},
        {INTERFACE, LAST, -1, "<interface/>", VB_ERROR_INVALID_XML, "'dev' is missing"},
        {INTERFACE, DELETE, -1, "<interface dev='eth1'/>", VB_ERROR_INVALID_ARGS,
         "no such <interface>"},
        {INTERFACE, DELETE, 1, "<interface dev='eth0'/>", VB_ERROR_INVALID_ARGS, "no parent 1"},
        {PORTGROUP, LAST, -1, "<portgroup name='p1'/>", VB_ERROR_INVALID_XML, "two port groups"},
        {PORTGROUP, LAST, -1, "<portgroup name='p3' default='yes'/>", VB_ERROR_INVALID_XML,
         "both the default"},
        {PORTGROUP, MODIFY, -1, "<portgroup name='p3'/>", VB_ERROR_INVALID_ARGS, "no such"},
        {PORTGROUP, DELETE, -1, "<portgroup/>", VB_ERROR_INVALID_XML, "'name' is missing"},
        {PORTGROUP, LAST, -1, "<portgroup name='p3'><virtualport/></portgroup>",
         VB_ERROR_NOT_SUPPORTED, "line 1: portgroup/virtualport"},
        {DNS_HOST, LAST, -1, "<host ip='192.0.2.9'/>", VB_ERROR_INVALID_XML,
         "line 1: network/dns/host: element <hostname> is missing"},
        {DNS_HOST, LAST, -1, "<host ip='192.0.2.1'><hostname>x</hostname></host>",
         VB_ERROR_INVALID_XML, "two hosts have the address 192.0.2.1"},
        {DNS_HOST, DELETE, -1, "<host><hostname>both</hostname></host>", VB_ERROR_INVALID_ARGS,
         "several such <host>"},
        {DNS_HOST, DELETE, -1, "<host/>", VB_ERROR_INVALID_XML, "which one"},
        {DNS_HOST, MODIFY, -1, "<host ip='192.0.2.3'><hostname>x</hostname></host>",
         VB_ERROR_INVALID_ARGS, "no such <host>"},
        {TXT, LAST, -1, "<txt name='t1' value='a'/>", VB_ERROR_INVALID_XML, "given twice"},
        {TXT, MODIFY, -1, "<txt name='t2' value='x'/>", VB_ERROR_INVALID_ARGS,
         "several such <txt>"},
        {TXT, DELETE, -1, "<txt name='t2'/>", VB_ERROR_INVALID_ARGS, "several such <txt>"},
        {TXT, DELETE, -1, "<txt value='a'/>", VB_ERROR_INVALID_XML, "which one"},
        {TXT, DELETE, -1, "<txt name='t1' value='b'/>", VB_ERROR_INVALID_ARGS, "no such <txt>"},
        {SRV, LAST, -1, "<srv service='x'/>", VB_ERROR_INVALID_XML,
         "line 1: network/dns/srv: attribute 'protocol' is missing"},
        {SRV, MODIFY, -1, "<srv service='sip' protocol='udp' target='x'/>", VB_ERROR_INVALID_ARGS,
         "several such <srv>"},
        {SRV, DELETE, -1, "<srv service='sip'/>", VB_ERROR_INVALID_ARGS, "several such <srv>"},
        {SRV, DELETE, -1, "<srv port='1'/>", VB_ERROR_INVALID_XML, "which one"},
        {SRV, DELETE, -1, "<srv protocol='pudding'/>", VB_ERROR_INVALID_XML, "'pudding'"},
    };
    g_autoptr(VbNetworkDef) def = network_define(base, VB_XML_NONE);
    g_autofree char *before = format_flat(def);

    for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++) {
        const Refusal *refusal = &refusals[i];
        g_autoptr(GError) error = NULL;
        g_autoptr(VbNetworkDef) changed = vb_network_def_update(
            def, refusal->section, refusal->command, refusal->parent, refusal->xml, &error);

        if (changed)
            g_error("this was not refused: %s", refusal->xml);
        g_test_message("%s", error->message);
        model_assert_error(&error, refusal->code, refusal->text, NULL);
    }
    g_autofree char *after = format_flat(def);
    g_assert_cmpstr(before, ==, after);
}

/* A network that has neither: there is nothing to add to. */
static void test_nowhere(void)
{
    g_autoptr(VbNetworkDef) def = network_define("<network><name>x</name></network>", VB_XML_NONE);
    g_autoptr(GError) error = NULL;

    g_assert_null(
        vb_network_def_update(def, HOST, LAST, -1, "<host name='a' ip='10.0.0.1'/>", &error));
    model_assert_error(&error, VB_ERROR_INVALID_ARGS, "network x has no <ip>", NULL);
    g_assert_null(vb_network_def_update(def, TXT, LAST, -1, "<txt name='a' value='b'/>", &error));
    model_assert_error(&error, VB_ERROR_INVALID_XML, "needs an <ip>", NULL);
}

static void test_words(void)
{
    for (guint i = 0; i < VB_N_NETWORK_SECTIONS; i++) {
        VbNetworkSection section = VB_N_NETWORK_SECTIONS;
        const char *word = vb_network_section_to_string(i);

        g_assert_true(vb_network_section_from_string(word, &section));
        g_assert_cmpuint(section, ==, i);
    }
    for (guint i = 0; i < VB_N_NETWORK_UPDATES; i++) {
        VbNetworkUpdate update = VB_N_NETWORK_UPDATES;

        g_assert_true(vb_network_update_from_string(vb_network_update_to_string(i), &update));
        g_assert_cmpuint(update, ==, i);
    }
    VbNetworkSection section;
    g_assert_false(vb_network_section_from_string("bridge", &section));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network-update/changes", test_changes);
    g_test_add_func("/network-update/refusals", test_refusals);
    g_test_add_func("/network-update/nowhere", test_nowhere);
    g_test_add_func("/network-update/words", test_words);
    return g_test_run();
}
