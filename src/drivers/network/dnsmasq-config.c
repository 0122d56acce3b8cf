/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes dnsmasq's files. It serves one bridge and nobody else, and knows what the definition says
 * and, where the network is forwarded, the host's resolv.conf; nothing else of the host's. What
 * stands in a line needs no escape (network-def.h). See dnsmasq-config.h. */
#include "dnsmasq-config.h"

#include <string.h>

#include "error.h"

/* dnsmasq reads lines into a buffer of 1,025 bytes. */
#define MAX_LINE 1023

/* Leases at once: dnsmasq would have 1,000. A network may have more static hosts (which are not
 * counted: that would be a new configuration for each) and larger ranges, and a guest that asks for
 * ever more addresses must end somewhere. */
#define MIN_LEASES (2 * VB_NETWORK_MAX_HOSTS)
#define MAX_LEASES 16384

/* Hosts make their own addresses in networks of this size only (RFC 4862). */
#define SLAAC_PREFIX 64

static gboolean has_dns(const VbNetworkDef *def)
{
    return def->dns.enable != VB_TRISTATE_NO;
}

static gboolean is_ipv6(const VbNetworkIpDef *ip)
{
    return ip->address.family == VB_IPV6;
}

static gboolean is_advertised(const VbNetworkIpDef *ip)
{
    return is_ipv6(ip) && (ip->dhcp || ip->prefix == SLAAC_PREFIX);
}

gboolean vb_dnsmasq_config_is_needed(const VbNetworkDef *def)
{
    gboolean needed = has_dns(def) && def->ips->len > 0;

    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];

        needed |= ip->dhcp || ip->tftp_root || is_advertised(ip);
    }
    return needed && vb_network_def_owns_bridge(def);
}

static void add_line(GString *text, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_line(GString *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    g_string_append_c(text, '\n');
}

/* ---- DNS --------------------------------------------------------------------------------------
 */

static void add_forwarders(GString *text, const VbNetworkDef *def)
{
    const GPtrArray *forwarders = def->dns.forwarders;
    /* What guests of an isolated network ask must not leave the host either. */
    gboolean alone = def->forward.mode == VB_FORWARD_NONE;

    for (guint i = 0; i < forwarders->len; i++) {
        const VbDnsForwarderDef *forwarder = forwarders->pdata[i];
        g_autofree char *address = forwarder->address.family == VB_IP_NONE
                                       ? g_strdup("#")
                                       : vb_ip_to_string(&forwarder->address);

        if (forwarder->domain) {
            add_line(text, "server=/%s/%s", forwarder->domain, address);
        } else {
            add_line(text, "server=%s", address);
            alone = TRUE;
        }
    }
    if (alone)
        add_line(text, "no-resolv");
}

static void add_txt(GString *text, const VbDnsTxtDef *txt)
{
    g_auto(GStrv) strings = g_strsplit(txt->value, ",", -1);
    g_autofree char *quoted = g_strjoinv("\",\"", strings);

    add_line(text, "txt-record=%s,\"%s\"", txt->name, quoted);
}

static void add_srv(GString *text, const VbNetworkDef *def, const VbDnsSrvDef *srv)
{
    const char *domain = srv->domain ? srv->domain : def->domain;
    g_autofree char *name = g_strdup_printf("_%s._%s%s%s", srv->service, srv->protocol,
                                            domain ? "." : "", domain ? domain : "");

    if (!srv->target || g_str_equal(srv->target, "."))
        add_line(text, "srv-host=%s", name);
    else
        add_line(text, "srv-host=%s,%s,%u,%u,%u", name, srv->target, srv->port ? srv->port : 1,
                 srv->priority, srv->weight);
}

static void add_dns(GString *text, const VbNetworkDef *def)
{
    const VbNetworkDnsDef *dns = &def->dns;

    if (!has_dns(def)) {
        add_line(text, "port=0");
        return;
    }
    add_line(text, "strict-order");
    if (def->domain && def->domain_local_only == VB_TRISTATE_YES)
        add_line(text, "local=/%s/", def->domain);
    if (dns->forward_plain_names == VB_TRISTATE_NO)
        add_line(text, "domain-needed\nlocal=//");
    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];
        VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
        g_autofree char *zone =
            ip->local_ptr == VB_TRISTATE_YES ? vb_ip_subnet_reverse_zone(&subnet) : NULL;

        if (zone)
            add_line(text, "local=/%s/", zone);
    }
    add_forwarders(text, def);
    for (guint i = 0; i < dns->txts->len; i++)
        add_txt(text, dns->txts->pdata[i]);
    for (guint i = 0; i < dns->srvs->len; i++)
        add_srv(text, def, dns->srvs->pdata[i]);
}

/* ---- DHCP and router advertisements -----------------------------------------------------------
 */

/* ",3600"; empty when it is not given. */
static char *lease_time(guint lease)
{
    if (lease == VB_LEASE_DEFAULT)
        return g_strdup("");
    return lease == VB_LEASE_INFINITE ? g_strdup(",infinite") : g_strdup_printf(",%u", lease);
}

static char *netmask_or_prefix(const VbNetworkIpDef *ip)
{
    VbIpAddress netmask;

    if (is_ipv6(ip))
        return g_strdup_printf("%u", ip->prefix);
    netmask = vb_ip_netmask(ip->prefix);
    return vb_ip_to_string(&netmask);
}

static void add_ranges(GString *text, const VbNetworkIpDef *ip)
{
    VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
    g_autofree char *address = vb_ip_to_string(&subnet.address);
    g_autofree char *mask = netmask_or_prefix(ip);

    for (guint i = 0; i < ip->ranges->len; i++) {
        const VbDhcpRangeDef *range = ip->ranges->pdata[i];
        g_autofree char *start = vb_ip_to_string(&range->range.start);
        g_autofree char *end = vb_ip_to_string(&range->range.end);
        g_autofree char *lease = lease_time(range->lease);

        add_line(text, "dhcp-range=%s,%s,%s%s", start, end, mask, lease);
    }
    if (ip->ranges->len == 0)
        add_line(text, "dhcp-range=%s,static,%s", address, mask);
}

static void add_bootp(GString *text, const VbNetworkIpDef *ip)
{
    /* A root that is not there fails its transfers, and not the whole network. */
    if (ip->tftp_root)
        add_line(text, "enable-tftp\ntftp-root=%s\ntftp-no-fail", ip->tftp_root);
    if (ip->bootp_file && ip->bootp_server)
        add_line(text, "dhcp-boot=%s,,%s", ip->bootp_file, ip->bootp_server);
    else if (ip->bootp_file)
        add_line(text, "dhcp-boot=%s", ip->bootp_file);
}

static guint count_leases(const VbNetworkDef *def)
{
    guint64 n = MIN_LEASES;

    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];

        for (guint j = 0; j < ip->ranges->len; j++) {
            guint64 size = vb_ip_range_size(&((const VbDhcpRangeDef *)ip->ranges->pdata[j])->range);
            n += MIN(size, MAX_LEASES);
        }
    }
    return (guint)MIN(n, MAX_LEASES);
}

static void add_dhcp(GString *text, const VbNetworkDef *def)
{
    gboolean dhcp = FALSE, ipv4 = FALSE, advertised = FALSE;
    gboolean isolated = def->forward.mode == VB_FORWARD_NONE;

    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];

        dhcp |= ip->dhcp;
        ipv4 |= ip->dhcp && !is_ipv6(ip);
        advertised |= is_advertised(ip);
        if (ip->dhcp) {
            add_ranges(text, ip);
        } else if (is_advertised(ip)) {
            VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
            g_autofree char *address = vb_ip_to_string(&subnet.address);

            add_line(text, "dhcp-range=%s,ra-only,%u", address, ip->prefix);
        }
        add_bootp(text, ip);
    }
    if (dhcp)
        add_line(text,
                 "dhcp-authoritative\ndhcp-no-override\nscript-on-renewal\n"
                 "dhcp-lease-max=%u\n"
                 /* a guest of this name would be every browser's proxy */
                 "dhcp-name-match=set:wpad,wpad\ndhcp-ignore-names=tag:wpad",
                 count_leases(def));
    if (ipv4 && isolated)
        add_line(text, "dhcp-option=option:router"); /* there is none */
    if (ipv4 && def->mtu)
        add_line(text, "dhcp-option=option:mtu,%u", def->mtu);
    if (advertised)
        add_line(text, "enable-ra");
    if (advertised && isolated)
        add_line(text, "ra-param=%s,0,0", def->bridge); /* no default router either */
}

static char *format_hosts(const VbNetworkDef *def)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];

        for (guint j = 0; j < ip->hosts->len; j++) {
            const VbDhcpHostDef *host = ip->hosts->pdata[j];
            g_autofree char *address = vb_ip_to_string(&host->ip);
            g_autofree char *lease = lease_time(host->lease);
            const char *open = is_ipv6(ip) ? "[" : "", *close = is_ipv6(ip) ? "]" : "";

            if (host->mac)
                g_string_append_printf(text, "%s,", host->mac);
            if (host->id)
                g_string_append_printf(text, "id:%s,", host->id);
            if (host->name)
                g_string_append_printf(text, "%s,", host->name);
            add_line(text, "%s%s%s%s", open, address, close, lease);
        }
    }
    return g_string_free(text, FALSE);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

/* One name a line: of many, the line might be too long. */
static char *format_names(const VbNetworkDef *def)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < def->dns.hosts->len; i++) {
        const VbDnsHostDef *host = def->dns.hosts->pdata[i];
        g_autofree char *address = vb_ip_to_string(&host->ip);

        for (guint j = 0; j < host->hostnames->len; j++)
            add_line(text, "%s %s", address, (const char *)host->hostnames->pdata[j]);
    }
    return g_string_free(text, FALSE);
}

static char *format_config(const VbNetworkDef *def)
{
    GString *text =
        g_string_new("# Written by virtbusd for the network's dnsmasq; changes are lost."
                     "\n");

    /* Bound to the bridge and its addresses, so that it has neighbours on port 53 and 67. */
    add_line(text, "bind-dynamic\ninterface=%s\nexcept-interface=lo", def->bridge);
    add_line(text, "no-hosts");
    /* virtbusd tells of leases; guests cannot fill the host's log. */
    add_line(text, "quiet-dhcp\nquiet-dhcp6\nquiet-ra\nquiet-tftp");
    if (def->domain)
        add_line(text, "domain=%s\nexpand-hosts", def->domain);
    add_dns(text, def);
    add_dhcp(text, def);
    return g_string_free(text, FALSE);
}

static gboolean check_lines(const char *text, GError **error)
{
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        if (end - line > MAX_LINE)
            return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED,
                           "a line of %ld bytes is longer than the %d that dnsmasq reads: %.64s…",
                           (long)(end - line), MAX_LINE, line);
    return TRUE;
}

VbDnsmasqConfig *vb_dnsmasq_config_new(const VbNetworkDef *def, GError **error)
{
    g_autoptr(VbDnsmasqConfig) config = g_new0(VbDnsmasqConfig, 1);

    config->config = format_config(def);
    config->hosts = format_hosts(def);
    config->names = format_names(def);
    return check_lines(config->config, error) ? g_steal_pointer(&config) : NULL;
}

void vb_dnsmasq_config_free(VbDnsmasqConfig *config)
{
    if (!config)
        return;
    g_free(config->config);
    g_free(config->hosts);
    g_free(config->names);
    g_free(config);
}
