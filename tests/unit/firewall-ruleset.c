/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of the active networks, said back in short lines, one a command. What the kernel makes
 * of it is tests/network/firewall.c. */
#include "firewall.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "network-fixture.h"

/* ---- a ruleset in short lines -----------------------------------------------------------------
 */

static void say(GString *line, JsonNode *node);

static void say_elements(GString *line, JsonArray *array, const char *separator)
{
    for (guint i = 0; i < json_array_get_length(array); i++) {
        if (i > 0)
            g_string_append(line, separator);
        say(line, json_array_get_element(array, i));
    }
}

static void say_match(GString *line, JsonObject *match)
{
    const char *op = json_object_get_string_member(match, "op");

    say(line, json_object_get_member(match, "left"));
    if (g_str_equal(op, "=="))
        g_string_append_c(line, ' ');
    else
        g_string_append_printf(line, " %s ", op);
    say(line, json_object_get_member(match, "right"));
}

/* Statements and expressions have one member, which says what they are. */
static void say_object(GString *line, JsonObject *object)
{
    g_autoptr(GList) members = json_object_get_members(object);
    const char *what = members->data;
    JsonNode *value = json_object_get_member(object, what);

    g_assert_cmpuint(g_list_length(members), ==, 1);
    if (g_str_equal(what, "match")) {
        say_match(line, json_node_get_object(value));
    } else if (g_str_equal(what, "meta") || g_str_equal(what, "ct")) {
        g_string_append(line, json_object_get_string_member(json_node_get_object(value), "key"));
    } else if (g_str_equal(what, "payload")) {
        JsonObject *payload = json_node_get_object(value);

        g_string_append_printf(line, "%s.%s", json_object_get_string_member(payload, "protocol"),
                               json_object_get_string_member(payload, "field"));
    } else if (g_str_equal(what, "prefix")) {
        JsonObject *prefix = json_node_get_object(value);

        g_string_append_printf(line, "%s/%d", json_object_get_string_member(prefix, "addr"),
                               (int)json_object_get_int_member(prefix, "len"));
    } else if (g_str_equal(what, "set")) {
        g_string_append_c(line, '{');
        say_elements(line, json_node_get_array(value), " ");
        g_string_append_c(line, '}');
    } else if (g_str_equal(what, "range")) {
        say_elements(line, json_node_get_array(value), "-");
    } else if (g_str_equal(what, "jump")) {
        g_string_append(line, json_object_get_string_member(json_node_get_object(value), "target"));
    } else if (g_str_equal(what, "vmap")) {
        say(line, json_object_get_member(json_node_get_object(value), "key"));
        g_string_append(line, " vmap ");
        say(line, json_object_get_member(json_node_get_object(value), "data"));
    } else if (g_str_equal(what, "reject")) {
        g_string_append_printf(line, "reject %s",
                               json_object_get_string_member(json_node_get_object(value), "expr"));
    } else if (g_str_equal(what, "snat") || g_str_equal(what, "masquerade")) {
        static const char *const parts[] = {"family", "addr", "port"};

        g_string_append(line, what);
        for (gsize i = 0; JSON_NODE_HOLDS_OBJECT(value) && i < G_N_ELEMENTS(parts); i++)
            if (json_object_has_member(json_node_get_object(value), parts[i])) {
                g_string_append_c(line, ' ');
                say(line, json_object_get_member(json_node_get_object(value), parts[i]));
            }
    } else {
        g_assert_true(JSON_NODE_HOLDS_NULL(value)); /* return */
        g_string_append(line, what);
    }
}

static void say(GString *line, JsonNode *node)
{
    if (JSON_NODE_HOLDS_OBJECT(node))
        say_object(line, json_node_get_object(node));
    else if (JSON_NODE_HOLDS_ARRAY(node))
        say_elements(line, json_node_get_array(node), ":");
    else if (json_node_get_value_type(node) == G_TYPE_STRING)
        g_string_append(line, json_node_get_string(node));
    else
        g_string_append_printf(line, "%d", (int)json_node_get_int(node));
}

static const char *member(JsonObject *object, const char *name)
{
    return json_object_get_string_member_with_default(object, name, "");
}

static void say_command(GString *line, JsonObject *command, const char *comment)
{
    const char *verb = json_object_has_member(command, "add") ? "add" : "delete";
    JsonObject *what = json_object_get_object_member(command, verb);

    if (json_object_has_member(what, "table")) {
        JsonObject *table = json_object_get_object_member(what, "table");

        g_string_append_printf(line, "%s table %s %s", verb, member(table, "family"),
                               member(table, "name"));
        return;
    }
    g_assert_cmpstr(verb, ==, "add");
    gboolean is_chain = json_object_has_member(what, "chain");
    JsonObject *object = json_object_get_object_member(what, is_chain ? "chain" : "rule");

    g_assert_cmpstr(member(object, "family"), ==, "inet");
    g_assert_cmpstr(member(object, "table"), ==, "virtbus");
    if (is_chain) {
        g_string_append_printf(line, "chain %s", member(object, "name"));
        if (json_object_has_member(object, "hook"))
            g_string_append_printf(
                line, " %s %s %d %s", member(object, "type"), member(object, "hook"),
                (int)json_object_get_int_member(object, "prio"), member(object, "policy"));
        return;
    }
    g_string_append_printf(line, "%s: ", member(object, "chain"));
    say_elements(line, json_object_get_array_member(object, "expr"), "; ");
    if (json_object_has_member(object, "comment"))
        g_assert_cmpstr(member(object, "comment"), ==, comment);
    else
        g_assert_nonnull(strstr(line->str, "vmap"));
}

/* `comment`: of all rules of networks. */
static char *ruleset(const GPtrArray *networks, const char *comment)
{
    g_autofree char *json = vb_firewall_ruleset(networks);
    g_autoptr(JsonNode) root = json_from_string(json, NULL);
    g_autoptr(GString) all = g_string_new(NULL);
    JsonArray *commands;

    g_assert_nonnull(root);
    commands = json_object_get_array_member(json_node_get_object(root), "nftables");
    for (guint i = 0; i < json_array_get_length(commands); i++) {
        g_autoptr(GString) line = g_string_new(NULL);

        say_command(line, json_array_get_object_element(commands, i), comment);
        g_string_append_printf(all, "%s\n", line->str);
    }
    return g_strdup(all->str);
}

static GPtrArray *networks_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)vb_network_def_unref);
}

#define BEGIN                                                                                      \
    "add table inet virtbus\n"                                                                     \
    "delete table inet virtbus\n"
#define TABLE                                                                                      \
    "add table inet virtbus\n"                                                                     \
    "chain forward filter forward 0 accept\n"                                                      \
    "chain postrouting nat postrouting 100 accept\n"
#define REJECT "reject admin-prohibited\n"
#define DISPATCH                                                                                   \
    "forward: iifname vmap {br0:from-br0}\n"                                                       \
    "forward: oifname vmap {br0:to-br0}\n"

/* ---- tests ------------------------------------------------------------------------------------
 */

typedef struct {
    const char *name, *xml, *rules;
} Case;

#define NETWORK(inner) "<network><name>n</name><bridge name='br0'/>" inner "</network>"
#define IP4 "<ip address='192.168.7.1' prefix='24'/>"
#define IP6 "<ip family='ipv6' address='fd07::1' prefix='64'/>"
#define FILTER(from, to)                                                                           \
    "chain from-br0\n"                                                                             \
    "from-br0: oifname br0; return\n" from "from-br0: " REJECT "chain to-br0\n"                    \
    "to-br0: iifname br0; return\n" to "to-br0: " REJECT
#define OPEN                                                                                       \
    "<network><name>n</name><bridge name='o'/><forward mode='open'/>"                              \
    "<ip address='192.168.8.1' prefix='24'/></network>"
#define REPLIES "state in {established related}; return\n"
#define OUTSIDE4 "ip.daddr != {192.168.7.0/24 224.0.0.0/4 255.255.255.255}; "

static const Case cases[] = {
    {"isolated", NETWORK(IP4 IP6), FILTER("", "")},
    {"no-address", "<network ipv6='yes'><name>n</name><bridge name='br0'/></network>",
     FILTER("", "")},
    {"nat", NETWORK("<forward mode='nat'/>" IP4),
     FILTER("from-br0: ip.saddr 192.168.7.0/24; return\n",
            "to-br0: ip.daddr 192.168.7.0/24; " REPLIES) "postrouting: ip.saddr "
                                                         "192.168.7.0/24; " OUTSIDE4
                                                         "masquerade\n"},
    {"nat-ipv6-routed", NETWORK("<forward mode='nat'/>" IP4 IP6),
     FILTER(
         "from-br0: ip.saddr 192.168.7.0/24; return\n"
         "from-br0: ip6.saddr fd07::/64; return\n",
         "to-br0: ip.daddr 192.168.7.0/24; " REPLIES
         "to-br0: ip6.daddr fd07::/64; return\n") "postrouting: ip.saddr 192.168.7.0/24; " OUTSIDE4
                                                  "masquerade\n"},
    {"nat-ipv6", NETWORK("<forward mode='nat'><nat ipv6='yes'/></forward>" IP6),
     FILTER("from-br0: ip6.saddr fd07::/64; return\n",
            "to-br0: ip6.daddr fd07::/64; " REPLIES) "postrouting: ip6.saddr fd07::/64; ip6.daddr "
                                                     "!= {fd07::/64 ff00::/8}; masquerade\n"},
    {"nat-dev", NETWORK("<forward mode='nat' dev='eth0'/>" IP4),
     FILTER("from-br0: oifname {eth0}; ip.saddr 192.168.7.0/24; return\n",
            "to-br0: iifname {eth0}; ip.daddr 192.168.7.0/24; " REPLIES) "postrouting: oifname "
                                                                         "{eth0}; ip.saddr "
                                                                         "192.168.7.0/24; " OUTSIDE4
                                                                         "masquerade\n"},
    {"nat-ports",
     NETWORK("<forward mode='nat'><nat><port start='500' end='1000'/></nat></forward>" IP4),
     FILTER("from-br0: ip.saddr 192.168.7.0/24; return\n",
            "to-br0: ip.daddr 192.168.7.0/24; " REPLIES) "postrouting: ip.saddr "
                                                         "192.168.7.0/24; " OUTSIDE4
                                                         "l4proto {tcp udp}; "
                                                         "masquerade 500-1000\n"
                                                         "postrouting: ip.saddr "
                                                         "192.168.7.0/24; " OUTSIDE4
                                                         "masquerade\n"},
    {"nat-addresses",
     NETWORK("<forward mode='nat'><nat><address start='10.0.0.1' end='10.0.0.9'/>"
             "<port start='500' end='500'/></nat></forward>" IP4),
     FILTER("from-br0: ip.saddr 192.168.7.0/24; return\n",
            "to-br0: ip.daddr 192.168.7.0/24; " REPLIES) "postrouting: ip.saddr "
                                                         "192.168.7.0/24; " OUTSIDE4
                                                         "l4proto {tcp udp}; "
                                                         "snat ip 10.0.0.1-10.0.0.9 500\n"
                                                         "postrouting: ip.saddr "
                                                         "192.168.7.0/24; " OUTSIDE4
                                                         "snat ip 10.0.0.1-10.0.0.9\n"},
    {"nat-one-address",
     NETWORK("<forward mode='nat'><nat ipv6='yes'><address start='10.0.0.1' end='10.0.0.1'/></nat>"
             "</forward>" IP4 IP6),
     FILTER(
         "from-br0: ip.saddr 192.168.7.0/24; return\n"
         "from-br0: ip6.saddr fd07::/64; return\n",
         "to-br0: ip.daddr 192.168.7.0/24; " REPLIES
         "to-br0: ip6.daddr fd07::/64; " REPLIES) "postrouting: ip.saddr 192.168.7.0/24; " OUTSIDE4
                                                  "snat ip 10.0.0.1\n"
                                                  "postrouting: ip6.saddr fd07::/64; ip6.daddr != "
                                                  "{fd07::/64 ff00::/8}; masquerade\n"},
    {"route",
     NETWORK(
         "<forward mode='route'><interface dev='eth0'/><interface dev='eth1'/></forward>" IP4 IP6),
     FILTER("from-br0: oifname {eth0 eth1}; ip.saddr 192.168.7.0/24; return\n"
            "from-br0: oifname {eth0 eth1}; ip6.saddr fd07::/64; return\n",
            "to-br0: iifname {eth0 eth1}; ip.daddr 192.168.7.0/24; return\n"
            "to-br0: iifname {eth0 eth1}; ip6.daddr fd07::/64; return\n")},
};

static void test_one(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GPtrArray) networks = networks_new();
    g_autofree char *expected = g_strconcat(BEGIN TABLE, c->rules, DISPATCH, NULL);

    g_ptr_array_add(networks, network_define(c->xml, VB_XML_NONE));
    g_autofree char *rules = ruleset(networks, "network n");
    g_assert_cmpstr(rules, ==, expected);
}

/* Without a network that is filtered there is no table. */
static void test_none(void)
{
    g_autoptr(GPtrArray) networks = networks_new();
    g_autofree char *none = ruleset(networks, NULL);

    g_assert_cmpstr(none, ==, BEGIN);
    g_ptr_array_add(networks, network_define(OPEN, VB_XML_NONE));
    g_ptr_array_add(networks, network_define(NETWORK("<forward mode='bridge'/>"), VB_XML_NONE));
    g_autofree char *unfiltered = ruleset(networks, NULL);
    g_assert_cmpstr(unfiltered, ==, BEGIN);
}

static void test_several(void)
{
    g_autoptr(GPtrArray) networks = networks_new();

    g_ptr_array_add(networks, network_define(NETWORK(IP4), VB_XML_NONE));
    g_ptr_array_add(networks, network_define(OPEN, VB_XML_NONE));
    g_ptr_array_add(
        networks,
        network_define("<network><name>n</name><bridge name='b.2'/></network>", VB_XML_NONE));
    g_autofree char *rules = ruleset(networks, "network n");

    g_assert_cmpstr(rules, ==,
                    BEGIN TABLE FILTER("", "") "chain from-b.2\n"
                                               "from-b.2: oifname b.2; return\n"
                                               "from-b.2: " REJECT "chain to-b.2\n"
                                               "to-b.2: iifname b.2; return\n"
                                               "to-b.2: " REJECT
                                               "forward: iifname vmap {br0:from-br0 b.2:from-b.2}\n"
                                               "forward: oifname vmap {br0:to-br0 b.2:to-b.2}\n");
}

/* A name is at most 255 bytes, a comment 127, and no character of it is cut. */
static void test_comment(void)
{
    g_autoptr(GPtrArray) networks = networks_new();
    g_autoptr(GString) name = g_string_new("say \"x\" ");
    g_autoptr(GString) comment = g_string_new("network say 'x' ");
    VbNetworkDef *def = network_define(NETWORK(""), VB_XML_NONE);

    for (guint i = 0; i < 80; i++)
        g_string_append(name, "\xe2\x82\xac");
    for (guint i = 0; i < 37; i++) /* 16 + 111 bytes */
        g_string_append(comment, "\xe2\x82\xac");
    g_ptr_array_add(networks, def);
    for (guint cut = 0; cut < 3; cut++) {
        g_autofree char *rules = NULL;

        g_free(def->name);
        def->name = g_strdup(name->str);
        rules = ruleset(networks, comment->str);
        g_assert_cmpuint(strlen(comment->str), <=, 127);
        g_string_insert_c(name, 0, 'x');
        g_string_insert_c(comment, strlen("network "), 'x');
        if (cut == 0)
            g_string_truncate(comment, comment->len - 3);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/firewall/ruleset/", cases[i].name, NULL);

        g_test_add_data_func(path, &cases[i], test_one);
    }
    g_test_add_func("/firewall/ruleset/none", test_none);
    g_test_add_func("/firewall/ruleset/several", test_several);
    g_test_add_func("/firewall/ruleset/comment", test_comment);
    return g_test_run();
}
