/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dnsmasq's files, text by text, and dnsmasq's own opinion of them. */
#include "dnsmasq-config.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "error.h"

#define HEAD                                                                                       \
    "# Written by virtbusd for the network's dnsmasq; changes are lost.\n"                         \
    "bind-dynamic\ninterface=vb0\nexcept-interface=lo\nno-hosts\n"                                 \
    "quiet-dhcp\nquiet-dhcp6\nquiet-ra\nquiet-tftp\n"
#define DHCP(max)                                                                                  \
    "dhcp-authoritative\ndhcp-no-override\nscript-on-renewal\ndhcp-lease-max=" max "\n"            \
    "dhcp-name-match=set:wpad,wpad\ndhcp-ignore-names=tag:wpad\n"

static VbNetworkDef *define(const char *inner)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *xml =
        g_strdup_printf("<network><name>n</name><bridge name='vb0'/>%s</network>", inner);
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

/* dnsmasq itself reads it. */
static void assert_accepted(const VbDnsmasqConfig *config)
{
    g_autofree char *program = g_find_program_in_path("dnsmasq");
    g_autofree char *path = NULL, *output = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!program)
        return;
    g_close(g_file_open_tmp("virtbus-dnsmasq-XXXXXX", &path, NULL), NULL);
    g_file_set_contents(path, config->config, -1, &error);
    g_assert_no_error(error);
    g_autofree char *option = g_strconcat("--conf-file=", path, NULL);
    const char *const argv[] = {program, "--test", option, NULL};
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &output,
                 &status, &error);
    g_assert_no_error(error);
    g_unlink(path);
    if (status != 0)
        g_error("dnsmasq refuses: %s\n%s", output, config->config);
}

static VbDnsmasqConfig *config_of(const char *inner)
{
    g_autoptr(VbNetworkDef) def = define(inner);
    g_autoptr(GError) error = NULL;
    VbDnsmasqConfig *config = vb_dnsmasq_config_new(def, &error);

    g_assert_no_error(error);
    assert_accepted(config);
    return config;
}

static void check(const char *inner, const char *expected)
{
    g_autoptr(VbDnsmasqConfig) config = config_of(inner);

    g_assert_cmpstr(config->config, ==, expected);
}

static void test_nat(void)
{
    check("<forward mode='nat'/><ip address='192.168.130.1' prefix='24'><dhcp>"
          "<range start='192.168.130.2' end='192.168.130.254'/></dhcp></ip>",
          HEAD "strict-order\n"
               "dhcp-range=192.168.130.2,192.168.130.254,255.255.255.0\n" DHCP("2301"));
}

/* No router, no way out for questions. */
static void test_isolated(void)
{
    check("<ip address='10.0.0.1' prefix='8'><dhcp/></ip><ip family='ipv6' address='fd77::1' "
          "prefix='64'/>",
          HEAD "strict-order\nno-resolv\n"
               "dhcp-range=10.0.0.0,static,255.0.0.0\n"
               "dhcp-range=fd77::,ra-only,64\n" DHCP("2048") "dhcp-option=option:router\n"
                                                             "enable-ra\nra-param=vb0,0,0\n");
}

static void test_ipv6(void)
{
    check("<forward mode='route'/><ip family='ipv6' address='fd77::1' prefix='80'><dhcp>"
          "<range start='fd77::10' end='fd77::ffff'><lease expiry='2' unit='hours'/></range>"
          "<range start='fd77::2:0' end='fd77::2:5'><lease expiry='0'/></range></dhcp></ip>"
          "<ip family='ipv6' address='fd78::1' prefix='48'/>",
          HEAD "strict-order\n"
               "dhcp-range=fd77::10,fd77::ffff,80,7200\n"
               "dhcp-range=fd77::2:0,fd77::2:5,80,infinite\n" DHCP("16384") "enable-ra\n");
    check("<forward mode='route'/><ip family='ipv6' address='fd77::1' prefix='64'><dhcp/></ip>",
          HEAD "strict-order\ndhcp-range=fd77::,static,64\n" DHCP("2048") "enable-ra\n");
}

static void test_dns(void)
{
    check("<forward mode='nat'/><domain name='vm.test' localOnly='yes'/>"
          "<dns forwardPlainNames='no'><forwarder domain='corp.test' addr='10.1.1.1'/>"
          "<forwarder domain='open.test'/><forwarder addr='fd00::53'/>"
          "<txt name='t.vm.test' value='v=1 # not a comment,second'/>"
          "<srv service='ldap' protocol='tcp' target='a.vm.test' priority='5'/>"
          "<srv service='sip' protocol='udp' domain='x.test' target='b' port='50' weight='7'/>"
          "<srv service='pop' protocol='tcp' target='.'/></dns>"
          "<ip address='192.168.130.1' prefix='24' localPtr='yes'/>",
          HEAD "domain=vm.test\nexpand-hosts\nstrict-order\nlocal=/vm.test/\n"
               "domain-needed\nlocal=//\nlocal=/130.168.192.in-addr.arpa/\n"
               "server=/corp.test/10.1.1.1\nserver=/open.test/#\nserver=fd00::53\nno-resolv\n"
               "txt-record=t.vm.test,\"v=1 # not a comment\",\"second\"\n"
               "srv-host=_ldap._tcp.vm.test,a.vm.test,1,5,0\n"
               "srv-host=_sip._udp.x.test,b,50,0,7\n"
               "srv-host=_pop._tcp.vm.test\n");
    check("<forward mode='nat'/><dns enable='no'/><mtu size='1400'/><ip address='10.0.0.1' "
          "prefix='24'><dhcp/></ip>",
          HEAD "port=0\ndhcp-range=10.0.0.0,static,255.255.255.0\n" DHCP(
              "2048") "dhcp-option=option:mtu,1400\n");
}

static void test_netboot(void)
{
    check("<forward mode='nat'/><ip address='10.0.0.1' prefix='24'><tftp root='/srv/a b'/>"
          "<dhcp><bootp file='pxe.0' server='10.0.0.9'/></dhcp></ip>",
          HEAD "strict-order\ndhcp-range=10.0.0.0,static,255.255.255.0\n"
               "enable-tftp\ntftp-root=/srv/a b\ntftp-no-fail\n"
               "dhcp-boot=pxe.0,,10.0.0.9\n" DHCP("2048"));
    check("<forward mode='nat'/><ip address='10.0.0.1' prefix='24'>"
          "<dhcp><bootp file='pxe.0'/></dhcp></ip>",
          HEAD "strict-order\ndhcp-range=10.0.0.0,static,255.255.255.0\n"
               "dhcp-boot=pxe.0\n" DHCP("2048"));
}

/* Static hosts and names change these texts and leave the configuration alone. */
static void test_hosts(void)
{
    static const char network[] = "<dns>%s</dns><ip address='10.0.0.1' prefix='24'><dhcp>"
                                  "<range start='10.0.0.2' end='10.0.0.9'/>%s</dhcp></ip>"
                                  "<ip family='ipv6' address='fd77::1' prefix='64'><dhcp>%s</dhcp>"
                                  "</ip>";
    g_autofree char *none = g_strdup_printf(network, "", "", "");
    g_autofree char *some = g_strdup_printf(
        network,
        "<host ip='10.0.0.3'><hostname>a</hostname><hostname>b.test</hostname></host>"
        "<host ip='fd77::3'><hostname>c</hostname></host>",
        "<host mac='52:54:00:00:00:01' ip='10.0.0.50' name='one'><lease expiry='300' "
        "unit='seconds'/></host><host mac='52:54:00:00:00:02' ip='10.0.0.51'/>"
        "<host name='three' ip='10.0.0.52'><lease expiry='0'/></host>",
        "<host id='0:3:0:1:52:54:0:0:0:1' name='six' ip='fd77::50'/>");
    g_autoptr(VbDnsmasqConfig) empty = config_of(none);
    g_autoptr(VbDnsmasqConfig) config = config_of(some);

    g_assert_cmpstr(empty->config, ==, config->config);
    g_assert_cmpstr(empty->hosts, ==, "");
    g_assert_cmpstr(empty->names, ==, "");
    g_assert_cmpstr(config->hosts, ==,
                    "52:54:00:00:00:01,one,10.0.0.50,300\n"
                    "52:54:00:00:00:02,10.0.0.51\n"
                    "three,10.0.0.52,infinite\n"
                    "id:00:03:00:01:52:54:00:00:00:01,six,[fd77::50]\n");
    g_assert_cmpstr(config->names, ==, "10.0.0.3 a\n10.0.0.3 b.test\nfd77::3 c\n");
}

/* 513 strings of nothing: quoted, they are more than a line can hold. */
static void test_long_line(void)
{
    g_autofree char *commas = g_strnfill(VB_NETWORK_MAX_TEXT, ',');
    g_autofree char *inner = g_strdup_printf("<dns><txt name='long.test' value='%s'/></dns>"
                                             "<ip address='10.0.0.1' prefix='24'/>",
                                             commas);
    g_autoptr(VbNetworkDef) def = define(inner);
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_dnsmasq_config_new(def, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    g_assert_nonnull(strstr(error->message, "txt-record=long.test"));
}

static void test_needed(void)
{
    static const struct {
        const char *inner;
        gboolean needed;
    } cases[] = {
        {"", FALSE},
        {"<ip address='10.0.0.1' prefix='24'/>", TRUE},
        {"<dns enable='no'/><ip address='10.0.0.1' prefix='24'/>", FALSE},
        {"<dns enable='no'/><ip address='10.0.0.1' prefix='24'><dhcp/></ip>", TRUE},
        {"<dns enable='no'/><ip address='10.0.0.1' prefix='24'><tftp root='/srv'/></ip>", TRUE},
        {"<dns enable='no'/><ip family='ipv6' address='fd77::1' prefix='64'/>", TRUE},
        {"<dns enable='no'/><ip family='ipv6' address='fd77::1' prefix='48'/>", FALSE},
        {"<forward mode='bridge'/>", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(VbNetworkDef) def = define(cases[i].inner);

        g_test_message("%s", cases[i].inner);
        g_assert_cmpint(vb_dnsmasq_config_is_needed(def), ==, cases[i].needed);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dnsmasq-config/nat", test_nat);
    g_test_add_func("/dnsmasq-config/isolated", test_isolated);
    g_test_add_func("/dnsmasq-config/ipv6", test_ipv6);
    g_test_add_func("/dnsmasq-config/dns", test_dns);
    g_test_add_func("/dnsmasq-config/netboot", test_netboot);
    g_test_add_func("/dnsmasq-config/hosts", test_hosts);
    g_test_add_func("/dnsmasq-config/long-line", test_long_line);
    g_test_add_func("/dnsmasq-config/needed", test_needed);
    return g_test_run();
}
