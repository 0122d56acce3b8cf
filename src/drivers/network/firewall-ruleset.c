/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of the active networks, as the commands that make it: one pair of chains for each
 * network that is filtered, which are reached by the name of its bridge through a verdict map, so
 * that a packet passes the rules of the (at most two) networks that it concerns and no others.
 * A chain returns what its network permits and rejects the rest; what all chains have returned is
 * accepted, so both ends of a way must agree. Before them, what the guests of a network send beyond
 * its <bandwidth> is dropped. docs/networks.md tells what is permitted.
 * The format is that of libnftables-json(5). */
#include "firewall.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define FAMILY "inet"
#define TABLE "virtbus"
#define PRIORITY_FILTER 0
#define PRIORITY_SRCNAT 100
/* What a rule's comment can hold. */
#define COMMENT_MAX 127
/* KiB: a packet that the guest leaves to be segmented has up to 64 of them. */
#define BURST_MIN 64
/* How much may come at once where nothing is said: a part of a second. */
#define BURST_FRACTION 10

typedef enum {
    FROM, /* what guests send: comes in by the bridge */
    TO,   /* what guests receive: goes out by the bridge */
    N_DIRECTIONS
} Direction;

static const char *const chain_prefix[N_DIRECTIONS] = {"from-", "to-"};
/* The device of the network's side, and that of the other. */
static const char *const near_device[N_DIRECTIONS] = {"iifname", "oifname"};
static const char *const far_device[N_DIRECTIONS] = {"oifname", "iifname"};
static const char *const address_field[N_DIRECTIONS] = {"saddr", "daddr"};

/* ---- JSON -------------------------------------------------------------------------------------
 */

static JsonNode *text(const char *value)
{
    return json_node_init_string(json_node_alloc(), value);
}

static JsonNode *number(gint64 value)
{
    return json_node_init_int(json_node_alloc(), value);
}

static JsonNode *null(void)
{
    return json_node_init_null(json_node_alloc());
}

/* Pairs of a key and a JsonNode (transfer full) up to a NULL key. */
static JsonNode *object(const char *key, ...) G_GNUC_NULL_TERMINATED;
static JsonNode *object(const char *key, ...)
{
    g_autoptr(JsonObject) object = json_object_new();
    va_list args;

    va_start(args, key);
    for (; key; key = va_arg(args, const char *))
        json_object_set_member(object, key, va_arg(args, JsonNode *));
    va_end(args);
    return json_node_init_object(json_node_alloc(), object);
}

static JsonNode *array_node(JsonArray *array)
{
    return json_node_init_array(json_node_alloc(), array);
}

static JsonNode *pair(JsonNode *first, JsonNode *second)
{
    g_autoptr(JsonArray) array = json_array_sized_new(2);

    json_array_add_element(array, first);
    json_array_add_element(array, second);
    return array_node(array);
}

/* ---- parts of rules ---------------------------------------------------------------------------
 */

static JsonNode *address(const VbIpAddress *ip)
{
    g_autofree char *string = vb_ip_to_string(ip);

    return text(string);
}

static JsonNode *prefix(const VbIpSubnet *subnet)
{
    return object("prefix",
                  object("addr", address(&subnet->address), "len", number(subnet->prefix), NULL),
                  NULL);
}

static JsonNode *meta(const char *key)
{
    return object("meta", object("key", text(key), NULL), NULL);
}

static JsonNode *match(const char *op, JsonNode *left, JsonNode *right)
{
    return object("match", object("op", text(op), "left", left, "right", right, NULL), NULL);
}

static JsonNode *header_field(VbIpFamily family, const char *field)
{
    return object(
        "payload",
        object("protocol", text(family == VB_IPV4 ? "ip" : "ip6"), "field", text(field), NULL),
        NULL);
}

/* A set of two words. */
static JsonNode *both(const char *a, const char *b)
{
    return object("set", pair(text(a), text(b)), NULL);
}

/* "Through one of these devices": NULL where any will do. */
static JsonNode *through(const VbForwardDef *forward, const char *device)
{
    g_autoptr(JsonArray) set = json_array_new();

    if (forward->devs->len == 0)
        return NULL;
    for (guint i = 0; i < forward->devs->len; i++)
        json_array_add_string_element(set, g_ptr_array_index(forward->devs, i));
    return match("==", meta(device), object("set", array_node(set), NULL));
}

/* ---- commands ---------------------------------------------------------------------------------
 */

static void command(JsonArray *commands, const char *verb, const char *what, JsonNode *which)
{
    json_array_add_element(commands, object(verb, object(what, which, NULL), NULL));
}

static JsonNode *table(void)
{
    return object("family", text(FAMILY), "name", text(TABLE), NULL);
}

static void add_chain(JsonArray *commands, const char *name)
{
    command(commands, "add", "chain",
            object("family", text(FAMILY), "table", text(TABLE), "name", text(name), NULL));
}

static void add_base_chain(JsonArray *commands, const char *type, const char *hook, int priority)
{
    command(
        commands, "add", "chain",
        object("family", text(FAMILY), "table", text(TABLE), "name", text(hook), "type", text(type),
               "hook", text(hook), "prio", number(priority), "policy", text("accept"), NULL));
}

/* The expressions of a rule up to NULL are `...` (JsonNode, transfer full), with `first` in front
 * of them if it is not NULL. Names the network, if there is one. */
static void add_rule(JsonArray *commands, const char *chain, const VbNetworkDef *def,
                     JsonNode *first, ...) G_GNUC_NULL_TERMINATED;
static void add_rule(JsonArray *commands, const char *chain, const VbNetworkDef *def,
                     JsonNode *first, ...)
{
    g_autoptr(JsonArray) expressions = json_array_new();
    JsonNode *next, *rule;
    va_list args;

    if (first)
        json_array_add_element(expressions, first);
    va_start(args, first);
    while ((next = va_arg(args, JsonNode *)))
        json_array_add_element(expressions, next);
    va_end(args);
    rule = object("family", text(FAMILY), "table", text(TABLE), "chain", text(chain), "expr",
                  array_node(expressions), NULL);
    if (def) {
        g_autofree char *comment = g_strconcat("network ", def->name, NULL);

        /* nft has no way to write a quote within a comment: a saved ruleset could not be read. */
        g_strdelimit(comment, "\"", '\'');
        if (strlen(comment) > COMMENT_MAX)
            *g_utf8_find_prev_char(comment, comment + COMMENT_MAX + 1) = '\0';
        json_object_set_string_member(json_node_get_object(rule), "comment", comment);
    }
    command(commands, "add", "rule", rule);
}

/* ---- one network ------------------------------------------------------------------------------
 */

static gboolean is_filtered(const VbNetworkDef *def)
{
    return def->bridge && def->forward.mode != VB_FORWARD_OPEN &&
           def->forward.mode != VB_FORWARD_BRIDGE;
}

static gboolean is_translated(const VbNetworkDef *def, VbIpFamily family)
{
    return def->forward.mode == VB_FORWARD_NAT &&
           (family == VB_IPV4 || def->forward.nat_ipv6 == VB_TRISTATE_YES);
}

static void add_permitted(JsonArray *commands, const VbNetworkDef *def, const char *chain,
                          Direction direction, const VbIpSubnet *subnet)
{
    VbIpFamily family = subnet->address.family;
    JsonNode *devices = through(&def->forward, far_device[direction]);
    JsonNode *guests = match("==", header_field(family, address_field[direction]), prefix(subnet));

    /* Behind a translation there is nobody to be called. */
    if (direction == TO && is_translated(def, family))
        add_rule(commands, chain, def, devices, guests,
                 match("in", object("ct", object("key", text("state"), NULL), NULL),
                       both("established", "related")),
                 object("return", null(), NULL), NULL);
    else
        add_rule(commands, chain, def, devices, guests, object("return", null(), NULL), NULL);
}

static void add_filter(JsonArray *commands, const VbNetworkDef *def, Direction direction)
{
    g_autofree char *chain = g_strconcat(chain_prefix[direction], def->bridge, NULL);
    g_autoptr(GArray) subnets = vb_network_def_subnets(def);

    add_chain(commands, chain);
    /* From guest to guest. The kernel asks about it where bridges are filtered, too, and between
     * two subnets of the network. */
    add_rule(commands, chain, def, match("==", meta(far_device[direction]), text(def->bridge)),
             object("return", null(), NULL), NULL);
    for (guint i = 0; def->forward.mode != VB_FORWARD_NONE && i < subnets->len; i++)
        add_permitted(commands, def, chain, direction, &g_array_index(subnets, VbIpSubnet, i));
    add_rule(commands, chain, def,
             object("reject", object("type", text("icmpx"), "expr", text("admin-prohibited"), NULL),
                    NULL),
             NULL);
}

/* A single one, or a range. */
static JsonNode *span(JsonNode *first, JsonNode *last, gboolean single)
{
    if (!single)
        return object("range", pair(first, last), NULL);
    json_node_unref(last);
    return first;
}

static JsonNode *translation(const VbForwardDef *forward, VbIpFamily family, gboolean with_ports)
{
    const VbIpRange *to = &forward->nat_addresses;
    gboolean has_address = family == VB_IPV4 && to->start.family == VB_IPV4;
    g_autoptr(JsonObject) how = json_object_new();

    if (has_address) {
        json_object_set_string_member(how, "family", "ip");
        json_object_set_member(
            how, "addr",
            span(address(&to->start), address(&to->end), vb_ip_equal(&to->start, &to->end)));
    }
    if (with_ports)
        json_object_set_member(how, "port",
                               span(number(forward->nat_port_start), number(forward->nat_port_end),
                                    forward->nat_port_start == forward->nat_port_end));
    return object(
        has_address ? "snat" : "masquerade",
        json_object_get_size(how) > 0 ? json_node_init_object(json_node_alloc(), how) : null(),
        NULL);
}

/* Where nothing is translated: within the network, and to many. */
static JsonNode *untranslated(const GArray *subnets, VbIpFamily family)
{
    g_autoptr(JsonArray) set = json_array_new();
    VbIpSubnet multicast;

    for (guint i = 0; i < subnets->len; i++)
        if (g_array_index(subnets, VbIpSubnet, i).address.family == family)
            json_array_add_element(set, prefix(&g_array_index(subnets, VbIpSubnet, i)));
    vb_ip_subnet_parse(family == VB_IPV4 ? "224.0.0.0/4" : "ff00::/8", &multicast);
    json_array_add_element(set, prefix(&multicast));
    if (family == VB_IPV4)
        json_array_add_string_element(set, "255.255.255.255");
    return object("set", array_node(set), NULL);
}

static void add_translation(JsonArray *commands, const VbNetworkDef *def, const GArray *subnets,
                            const VbIpSubnet *subnet, gboolean with_ports)
{
    VbIpFamily family = subnet->address.family;
    JsonNode *devices = through(&def->forward, "oifname");
    JsonNode *guests = match("==", header_field(family, "saddr"), prefix(subnet));
    JsonNode *others = match("!=", header_field(family, "daddr"), untranslated(subnets, family));
    JsonNode *how = translation(&def->forward, family, with_ports);

    if (with_ports)
        add_rule(commands, "postrouting", def, devices, guests, others,
                 match("==", meta("l4proto"), both("tcp", "udp")), how, NULL);
    else
        add_rule(commands, "postrouting", def, devices, guests, others, how, NULL);
}

static void add_translations(JsonArray *commands, const VbNetworkDef *def)
{
    g_autoptr(GArray) subnets = vb_network_def_subnets(def);

    for (guint i = 0; i < subnets->len; i++) {
        const VbIpSubnet *subnet = &g_array_index(subnets, VbIpSubnet, i);

        if (!is_translated(def, subnet->address.family))
            continue;
        if (def->forward.nat_port_start > 0)
            add_translation(commands, def, subnets, subnet, TRUE);
        add_translation(commands, def, subnets, subnet, FALSE);
    }
}

/* ---- what a network sends --------------------------------------------------------------------
 */

static gboolean is_policed(const VbNetworkDef *def)
{
    return vb_network_def_owns_bridge(def) && def->bandwidth.outbound.average > 0;
}

/* `rate` and `burst` are KiB/s and KiB. A packet that comes by the bridge is for the host, or for
 * what lies beyond it; what guests send each other is not counted. */
static void add_police(JsonArray *commands, const VbNetworkDef *def, const char *what, guint64 rate,
                       guint64 burst)
{
    g_autofree char *name = g_strconcat(what, "-", def->bridge, NULL);

    burst = MAX(burst ? burst : rate / BURST_FRACTION, BURST_MIN);
    command(commands, "add", "limit",
            object("family", text(FAMILY), "table", text(TABLE), "name", text(name), "rate",
                   number((gint64)rate), "rate_unit", text("kbytes"), "per", text("second"),
                   "burst", number((gint64)MIN(burst, G_MAXINT)), "burst_unit", text("kbytes"),
                   "inv", json_node_init_boolean(json_node_alloc(), TRUE), NULL));
    add_rule(commands, "forward", def, match("==", meta("iifname"), text(def->bridge)),
             match("!=", meta("oifname"), text(def->bridge)), object("limit", text(name), NULL),
             object("drop", null(), NULL), NULL);
    add_rule(commands, "input", def, match("==", meta("iifname"), text(def->bridge)),
             object("limit", text(name), NULL), object("drop", null(), NULL), NULL);
}

static void add_polices(JsonArray *commands, const GPtrArray *policed)
{
    if (policed->len > 0)
        add_base_chain(commands, "filter", "input", PRIORITY_FILTER);
    for (guint i = 0; i < policed->len; i++) {
        const VbNetworkDef *def = g_ptr_array_index(policed, i);
        const VbTrafficRate *rate = &def->bandwidth.outbound;

        add_police(commands, def, "average", rate->average, rate->burst);
        if (rate->peak > rate->average)
            add_police(commands, def, "peak", rate->peak, 0);
    }
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static void add_dispatch(JsonArray *commands, const GPtrArray *filtered, Direction direction)
{
    g_autoptr(JsonArray) verdicts = json_array_new();

    for (guint i = 0; i < filtered->len; i++) {
        const VbNetworkDef *def = g_ptr_array_index(filtered, i);
        g_autofree char *chain = g_strconcat(chain_prefix[direction], def->bridge, NULL);

        json_array_add_element(
            verdicts,
            pair(text(def->bridge), object("jump", object("target", text(chain), NULL), NULL)));
    }
    add_rule(commands, "forward", NULL,
             object("vmap",
                    object("key", meta(near_device[direction]), "data",
                           object("set", array_node(verdicts), NULL), NULL),
                    NULL),
             NULL);
}

static void add_networks(JsonArray *commands, const GPtrArray *filtered, const GPtrArray *policed)
{
    add_base_chain(commands, "filter", "forward", PRIORITY_FILTER);
    add_base_chain(commands, "nat", "postrouting", PRIORITY_SRCNAT);
    add_polices(commands, policed);
    for (guint i = 0; i < filtered->len; i++) {
        const VbNetworkDef *def = g_ptr_array_index(filtered, i);

        add_filter(commands, def, FROM);
        add_filter(commands, def, TO);
        add_translations(commands, def);
    }
    if (filtered->len == 0) /* no rule has an empty map */
        return;
    add_dispatch(commands, filtered, FROM);
    add_dispatch(commands, filtered, TO);
}

char *vb_firewall_ruleset(const GPtrArray *networks)
{
    g_autoptr(GPtrArray) filtered = g_ptr_array_new(), policed = g_ptr_array_new();
    g_autoptr(JsonArray) commands = json_array_new();
    g_autoptr(JsonNode) root = NULL;

    for (guint i = 0; i < networks->len; i++) {
        if (is_filtered(g_ptr_array_index(networks, i)))
            g_ptr_array_add(filtered, g_ptr_array_index(networks, i));
        if (is_policed(g_ptr_array_index(networks, i)))
            g_ptr_array_add(policed, g_ptr_array_index(networks, i));
    }
    /* Added first, so that it is there to be deleted. */
    command(commands, "add", "table", table());
    command(commands, "delete", "table", table());
    if (filtered->len > 0 || policed->len > 0) {
        command(commands, "add", "table", table());
        add_networks(commands, filtered, policed);
    }
    root = object("nftables", array_node(commands), NULL);
    return json_to_string(root, FALSE);
}
