/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network documents of libvirt's own tests, which scripts/libvirt-documents fetches: each is
 * read, its dump is a fixed point and valid against libvirt's schema; or it is refused, for the
 * reason that stands here. */
#include <string.h>

#include "model-fixture.h"
#include "network-fixture.h"

#define IN "/networkxml2xmlin/"
#define CONFIGURATION "/networkxml2confdata/"
#define NOT_DONE VB_ERROR_NOT_SUPPORTED
#define WRONG VB_ERROR_INVALID_XML /* for libvirt, too */

/* In the message is what is not done, or what is wrong. */
static const struct {
    const char *path;
    VbError code;
    const char *text;
} refused[] = {
    {IN "8021Qbh-net.xml", NOT_DONE, "mode 'private'"},
    {IN "direct-net.xml", NOT_DONE, "mode 'bridge' with devices (macvtap)"},
    {IN "dnsmasq-options.xml", NOT_DONE,
     "namespace http://libvirt.org/schemas/network/dnsmasq/1.0"},
    {CONFIGURATION "dnsmasq-options.xml", NOT_DONE,
     "namespace http://libvirt.org/schemas/network/dnsmasq/1.0"},
    {IN "host-bridge-no-flood.xml", NOT_DONE, "macTableManager"},
    {IN "hostdev-duplicate.xml", NOT_DONE, "mode 'hostdev'"},
    {IN "hostdev-pf.xml", NOT_DONE, "mode 'hostdev'"},
    {IN "hostdev.xml", NOT_DONE, "mode 'hostdev'"},
    {IN "open-network-with-forward-dev.xml", WRONG, "mode 'open'"},
    {IN "openvswitch-net.xml", NOT_DONE, "virtualport"},
    {IN "passthrough-address-crash.xml", NOT_DONE, "mode 'passthrough'"},
    {IN "passthrough-duplicate.xml", NOT_DONE, "mode 'passthrough'"},
    {IN "passthrough-pf.xml", NOT_DONE, "mode 'passthrough'"},
    {IN "routed-network-no-dns-extra-elements.xml", WRONG, "disabled, and yet has records"},
    {IN "routed-network.xml", NOT_DONE, "attribute 'zone'"},
    {IN "vepa-net.xml", NOT_DONE, "mode 'vepa'"},
};

static void test_document(gconstpointer data)
{
    g_autofree char *xml = NULL;

    g_assert_true(g_file_get_contents(data, &xml, NULL, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;

        if (!g_str_has_suffix(data, refused[i].path))
            continue;
        g_assert_null(vb_network_def_parse(xml, -1, VB_XML_NONE, &error));
        model_assert_error(&error, refused[i].code, refused[i].text, "line ", NULL);
        return;
    }
    network_check_round_trip(xml, VB_XML_NONE, VB_FORMAT_NONE);
    network_check_round_trip(xml, VB_XML_LIVE, VB_FORMAT_LIVE);
}

/* There is no reason without a document. */
static void test_reasons(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *path = g_strconcat(VB_TEST_LIBVIRT_DOCUMENTS, refused[i].path, NULL);

        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

static void test_absent(void)
{
    g_test_skip("libvirt's documents are not there: scripts/libvirt-documents fetches them "
                "to " VB_TEST_LIBVIRT_DOCUMENTS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!g_file_test(VB_TEST_LIBVIRT_DOCUMENTS IN, G_FILE_TEST_IS_DIR)) {
        g_test_add_func("/libvirt-networks/documents", test_absent);
        return g_test_run();
    }
    g_test_add_func("/libvirt-networks/reasons", test_reasons);
    network_add_document_tests("/libvirt-networks/in/", VB_TEST_LIBVIRT_DOCUMENTS IN,
                               test_document);
    network_add_document_tests("/libvirt-networks/configuration/",
                               VB_TEST_LIBVIRT_DOCUMENTS CONFIGURATION, test_document);
    return g_test_run();
}
