/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The <network> document, and the fragments that change a part of one. What is understood must come
 * back as it was, what is not must be an error, and no string that a name server's configuration
 * gets can end its line or its field. */
#include <string.h>

#include "error.h"
#include "network-def.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* NULL is no string. `also` are bytes that a field cannot have. */
static void check_string(const char *string, const char *also)
{
    if (!string)
        return;
    g_assert_cmpuint(strlen(string), <=, VB_NETWORK_MAX_TEXT);
    g_assert_cmpuint(strcspn(string, "\"\\"), ==, strlen(string));
    g_assert_cmpuint(strcspn(string, also), ==, strlen(string));
    for (const char *p = string; *p; p++)
        g_assert_false(g_ascii_iscntrl(*p));
}

#define FIELD " ,#/*"
#define PATH ",#"

static void check_ip(const VbNetworkIpDef *ip)
{
    check_string(ip->tftp_root, PATH);
    check_string(ip->bootp_file, PATH " ");
    check_string(ip->bootp_server, FIELD);
    for (guint i = 0; i < ip->hosts->len; i++) {
        const VbDhcpHostDef *host = ip->hosts->pdata[i];

        check_string(host->mac, FIELD);
        check_string(host->id, FIELD);
        check_string(host->name, FIELD ":");
    }
}

static void check_strings(const VbNetworkDef *def)
{
    const VbNetworkDnsDef *dns = &def->dns;

    check_string(def->bridge, FIELD ":");
    check_string(def->domain, FIELD ":");
    for (guint i = 0; i < def->forward.devs->len; i++)
        check_string(def->forward.devs->pdata[i], FIELD ":");
    for (guint i = 0; i < def->ips->len; i++)
        check_ip(def->ips->pdata[i]);
    for (guint i = 0; i < dns->forwarders->len; i++)
        check_string(((const VbDnsForwarderDef *)dns->forwarders->pdata[i])->domain, FIELD);
    for (guint i = 0; i < dns->txts->len; i++) {
        const VbDnsTxtDef *txt = dns->txts->pdata[i];

        check_string(txt->name, FIELD);
        check_string(txt->value, "");
    }
    for (guint i = 0; i < dns->srvs->len; i++) {
        const VbDnsSrvDef *srv = dns->srvs->pdata[i];

        check_string(srv->service, FIELD);
        check_string(srv->protocol, FIELD);
        check_string(srv->domain, FIELD);
        check_string(srv->target, FIELD);
    }
    for (guint i = 0; i < dns->hosts->len; i++) {
        const VbDnsHostDef *host = dns->hosts->pdata[i];

        for (guint j = 0; j < host->hostnames->len; j++)
            check_string(host->hostnames->pdata[j], FIELD);
    }
}

/* What was written must be read, and say the same again; and so must a copy. */
static void check_network(const VbNetworkDef *def, VbXmlFlags flags, VbFormatFlags format)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *first = vb_network_def_format(def, format);
    g_autoptr(VbNetworkDef) again = vb_network_def_parse(first, -1, flags, &error);

    check_strings(def);
    /* A dump says more than the document did: it may be too large where that was not. */
    if (g_error_matches(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED))
        return;
    if (!again)
        g_error("not understood: %s\n%s", error->message, first);
    g_autofree char *second = vb_network_def_format(again, format);
    g_autoptr(VbNetworkDef) copy = vb_network_def_copy(def);
    g_autofree char *third = vb_network_def_format(copy, format);
    if (strcmp(first, second) != 0 || strcmp(first, third) != 0)
        g_error("no fixed point:\n%s\n%s\n%s", first, second, third);
    if (vb_network_def_overlaps(def, copy, NULL, NULL) != (def->ips->len > 0))
        g_error("does not overlap itself: %s", first);
}

static void check_document(const char *xml, gsize size, VbXmlFlags flags, VbFormatFlags format)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbNetworkDef) def = vb_network_def_parse(xml, (gssize)size, flags, &error);

    g_assert((def == NULL) == (error != NULL));
    if (def)
        check_network(def, flags, format);
}

/* One of each section, which the fragments of the corpus find. */
static const char base[] =
    "<network><name>base</name><forward dev='eth0'/>"
    "<dns><txt name='t1' value='a'/><srv service='ldap' protocol='tcp' target='one'/>"
    "<host ip='192.0.2.1'><hostname>one</hostname></host></dns>"
    "<ip address='10.1.0.1' prefix='16'><dhcp><range start='10.1.1.0' end='10.1.1.99'/>"
    "<host mac='52:54:00:00:00:01' name='one' ip='10.1.0.11'/></dhcp></ip>"
    "<ip family='ipv6' address='2001:db8::1' prefix='64'/><portgroup name='p1'/></network>";

static void check_fragment(const char *xml)
{
    g_autoptr(VbNetworkDef) def = vb_network_def_parse(base, -1, VB_XML_NONE, NULL);
    g_autofree char *before = vb_network_def_format(def, VB_FORMAT_NONE);

    for (guint section = 0; section < VB_N_NETWORK_SECTIONS; section++)
        for (guint command = 0; command < VB_N_NETWORK_UPDATES; command++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(VbNetworkDef) changed =
                vb_network_def_update(def, section, command, -1, xml, &error);

            g_assert((changed == NULL) == (error != NULL));
            if (changed)
                check_network(changed, VB_XML_NONE, VB_FORMAT_NONE);
        }
    g_autofree char *after = vb_network_def_format(def, VB_FORMAT_NONE);
    g_assert_cmpstr(before, ==, after);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *xml = g_strndup((const char *)data, size);

    check_document((const char *)data, size, VB_XML_NONE, VB_FORMAT_NONE);
    if (strstr(xml, "<network"))
        check_document((const char *)data, size, VB_XML_LIVE, VB_FORMAT_LIVE);
    else
        check_fragment(xml);
    return 0;
}
