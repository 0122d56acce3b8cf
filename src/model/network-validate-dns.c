/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the name server of a network: what a record must have, and none of them twice. */
#include <string.h>

#include "definition.h"
#include "network-validate.h"

#define INVALID(part, path, ...)                                                                   \
    vb_definition_fail(error, VB_ERROR_INVALID_XML, (part)->line, "network/dns" path, __VA_ARGS__)
#define OR_EMPTY(string) ((string) ? (string) : "")

static gboolean check_forwarders(const VbNetworkDnsDef *dns, GError **error)
{
    for (guint i = 0; i < dns->forwarders->len; i++) {
        const VbDnsForwarderDef *forwarder = dns->forwarders->pdata[i];
        VbIpAddress none = {.family = forwarder->address.family};

        if (forwarder->address.family == VB_IP_NONE) {
            if (!forwarder->domain)
                return INVALID(forwarder, "/forwarder", "attribute 'addr' or 'domain' is missing");
            continue;
        }
        /* a loopback address is the host's own resolver */
        const char *unusable = vb_ip_unusable(&forwarder->address);
        if (vb_ip_equal(&forwarder->address, &none) ||
            (unusable && g_str_equal(unusable, "a multicast address")))
            return vb_network_check_ip(&forwarder->address, forwarder->line,
                                       "network/dns/forwarder", error);
    }
    return TRUE;
}

static gboolean check_txts(const VbNetworkDnsDef *dns, GError **error)
{
    g_autoptr(GHashTable) seen = vb_string_set_new();

    for (guint i = 0; i < dns->txts->len; i++) {
        const VbDnsTxtDef *txt = dns->txts->pdata[i];

        if (!txt->name)
            return INVALID(txt, "/txt", "attribute 'name' is missing");
        if (!txt->value)
            return INVALID(txt, "/txt", "attribute 'value' is missing");
        if (!vb_string_set_add(seen, g_strdup_printf("%s %s", txt->name, txt->value)))
            return INVALID(txt, "/txt", "the record '%s' is given twice", txt->name);
    }
    return TRUE;
}

static gboolean check_srvs(const VbNetworkDnsDef *dns, GError **error)
{
    g_autoptr(GHashTable) seen = vb_string_set_new();

    for (guint i = 0; i < dns->srvs->len; i++) {
        const VbDnsSrvDef *srv = dns->srvs->pdata[i];

        if (!srv->service)
            return INVALID(srv, "/srv", "attribute 'service' is missing");
        if (!srv->protocol)
            return INVALID(srv, "/srv", "attribute 'protocol' is missing");
        if (!srv->target && (srv->port || srv->priority || srv->weight))
            return INVALID(srv, "/srv", "'port', 'priority' and 'weight' need a 'target'");
        if (!vb_string_set_add(
                seen, g_strdup_printf("%s %s %s %s %u", srv->service, srv->protocol,
                                      OR_EMPTY(srv->domain), OR_EMPTY(srv->target), srv->port)))
            return INVALID(srv, "/srv", "the record '%s' is given twice", srv->service);
    }
    return TRUE;
}

static gboolean check_hosts(const VbNetworkDnsDef *dns, GError **error)
{
    g_autoptr(GHashTable) seen = vb_string_set_new();

    for (guint i = 0; i < dns->hosts->len; i++) {
        const VbDnsHostDef *host = dns->hosts->pdata[i];
        g_autoptr(GHashTable) names = vb_string_set_new();

        if (host->ip.family == VB_IP_NONE)
            return INVALID(host, "/host", "attribute 'ip' is missing");
        if (host->hostnames->len == 0)
            return INVALID(host, "/host", "element <hostname> is missing");
        if (!vb_network_check_count(host->hostnames, VB_NETWORK_MAX_HOSTNAMES, host->line,
                                    "network/dns/host", "names", error) ||
            !vb_network_check_ip(&host->ip, host->line, "network/dns/host", error))
            return FALSE;
        g_autofree char *address = vb_ip_to_string(&host->ip);
        if (!vb_string_set_add(seen, g_strdup(address)))
            return INVALID(host, "/host", "two hosts have the address %s", address);
        for (guint j = 0; j < host->hostnames->len; j++) {
            const char *name = host->hostnames->pdata[j];

            if (!vb_string_set_add(names, g_ascii_strdown(name, -1)))
                return INVALID(host, "/host", "the name '%s' is given twice", name);
        }
    }
    return TRUE;
}

gboolean vb_network_def_check_dns(const VbNetworkDef *def, GError **error)
{
    const VbNetworkDnsDef *dns = &def->dns;
    const struct {
        const GPtrArray *records;
        const char *where, *what;
    } kinds[] = {
        {dns->forwarders, "network/dns/forwarder", "forwarders"},
        {dns->txts, "network/dns/txt", "TXT records"},
        {dns->srvs, "network/dns/srv", "SRV records"},
        {dns->hosts, "network/dns/host", "hosts"},
    };
    guint n_records = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        n_records += kinds[i].records->len;
        if (!vb_network_check_count(kinds[i].records, VB_NETWORK_MAX_RECORDS, dns->line,
                                    kinds[i].where, kinds[i].what, error))
            return FALSE;
    }
    if (n_records > 0 && dns->enable == VB_TRISTATE_NO)
        return INVALID(dns, "", "it is disabled, and yet has records");
    if (n_records > 0 && def->ips->len == 0)
        return INVALID(dns, "", "a name server with records needs an <ip>");
    return check_forwarders(dns, error) && check_txts(dns, error) && check_srvs(dns, error) &&
           check_hosts(dns, error);
}
