/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An interface as passt's command line. */
#include "error.h"
#include "passt-command.h"

/* The options behind those that all have. */
static void assert_options(const char *content, const char *wanted)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>d</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        "<interface type='user'><backend type='passt'/>%s</interface></devices></domain>",
        content);
    g_autofree char *expected = g_strconcat("/bin/passt --quiet --fd 3", wanted, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    g_auto(GStrv) argv = vb_passt_command("/bin/passt", def->interfaces->pdata[0]);
    g_autofree char *line = g_strjoinv(" ", argv);
    g_assert_cmpstr(line, ==, expected);
}

static void test_plain(void)
{
    assert_options("", "");
    assert_options("<mtu size='1400'/>", " --mtu 1400");
}

static void test_addresses(void)
{
    assert_options("<ip address='192.0.2.7'/>", " --address 192.0.2.7");
    assert_options("<ip family='ipv6' address='fd00::7' prefix='64'/>"
                   "<ip address='192.0.2.7' prefix='24'/>",
                   " --address 192.0.2.7 --netmask 24 --address fd00::7");
}

static void test_forwards(void)
{
    assert_options("<portForward proto='tcp'><range start='22'/></portForward>", " --tcp-ports 22");
    assert_options("<portForward proto='udp'/>", " --udp-ports all");
    assert_options("<portForward proto='tcp' address='::1' dev='lo'>"
                   "<range start='2000' end='2009' to='20'/><range start='2005' exclude='yes'/>"
                   "<range start='2007' end='2008' exclude='yes'/><range start='80' to='8080'/>"
                   "</portForward><portForward proto='udp' address='127.0.0.1'>"
                   "<range start='53' end='54'/></portForward>",
                   " --tcp-ports ::1%lo/2000-2009:20-29,~2005,~2007-2008,80:8080"
                   " --udp-ports 127.0.0.1/53-54");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/passt-command/plain", test_plain);
    g_test_add_func("/passt-command/addresses", test_addresses);
    g_test_add_func("/passt-command/forwards", test_forwards);
    return g_test_run();
}
