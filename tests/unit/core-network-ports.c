/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domains on networks in the core: their ports, what reaches them when a network goes and comes
 * back, and their addresses. */
#include "net-stub.h"

#include <fcntl.h>

#include "error.h"

#define ONE NET_INTERFACE(NET_MAC, "n", "")
#define PORTGROUPS                                                                                 \
    "<port isolated='yes'/><vlan><tag id='7'/></vlan><mtu size='1400'/>"                           \
    "<portgroup name='slow'><bandwidth><inbound average='100'/></bandwidth>"                       \
    "<vlan><tag id='8'/></vlan></portgroup>"                                                       \
    "<portgroup name='usual' default='yes'><bandwidth><inbound average='500'/></bandwidth>"        \
    "</portgroup>"

static VbNetwork *active_with(Net *net, const char *parts)
{
    g_autofree char *xml = net_xml("n", NET_UUID, 130, parts);

    net_create(net, xml, "created");
    net_wait(net, "created", " ok");
    return net_find(net, "n");
}

static void operate(Net *net, VbNetworkOp op, const char *reply)
{
    net_operate(net, net_find(net, "n"), op, reply);
    net_wait(net, reply, " ok");
}

static void clear_log(Net *net)
{
    g_ptr_array_set_size(net->stub->log, 0);
}

static void destroy_domain(Net *net, VbDomain *domain)
{
    stub_operate(net->stub, domain, VB_DOMAIN_OP_DESTROY, "end");
    net_wait(net, "end", " ok");
}

static const VbInterfaceDef *interface_of(VbDomain *domain, guint index)
{
    return vb_domain_def(domain)->interfaces->pdata[index];
}

static guint connections(VbNetwork *network)
{
    g_autofree char *xml = vb_network_format(network, FALSE);
    g_autoptr(VbNetworkDef) def = vb_network_def_parse(xml, -1, VB_XML_LIVE, NULL);

    return def->connections;
}

/* ---- ports ---- */

static void test_open_and_close(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = active_with(net, PORTGROUPS);
    VbDomain *domain = net_running(
        net,
        NET_INTERFACE(NET_MAC, "n", "") NET_INTERFACE(
            NET_MAC_2, "n",
            "<target dev='mine'/>") "<interface "
                                    "type='user'/>"
                                    "<interface type='bridge'><source bridge='br0'/></interface>"
                                    "<interface type='ethernet'><target dev='theirs' "
                                    "managed='no'/></interface>"
                                    "<interface type='ethernet'/>");
    GArray *fds = net->stub->fds->pdata[0];

    g_assert_cmpuint(stub_lines(net->stub, "net open ? on virtbus0 isolated mtu 1400 average 500 "
                                           "tag 7"),
                     ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "net open mine on virtbus0 isolated *"), ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "net open vnet? on br0 mtu 0 *") +
                         stub_lines(net->stub, "net open ? on br0 mtu 0 *"),
                     ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "net open theirs on nothing existing *"), ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "net open ? on nothing mtu *"), ==, 1);
    g_assert_cmpuint(net->open, ==, 5);
    g_assert_cmpuint(fds->len, ==, 6);
    for (guint i = 0; i < fds->len; i++)
        g_assert_true((g_array_index(fds, int, i) >= 0) == (i != 2));
    g_assert_cmpstr(interface_of(domain, 0)->target, ==, "vnet0");
    g_assert_cmpstr(interface_of(domain, 0)->bridge, ==, "virtbus0");
    g_assert_cmpuint(interface_of(domain, 0)->mtu, ==, 1400);
    g_assert_cmpstr(interface_of(domain, 1)->target, ==, "mine");
    g_assert_null(((VbInterfaceDef *)vb_domain_stored_def(domain)->interfaces->pdata[0])->target);
    g_assert_cmpuint(connections(network), ==, 2);
    stub_assert_order(net->stub, "domain a definition", "ports of a are open",
                      "domain a state running/booted", NULL);
    g_assert_cmpuint(stub_lines(net->stub, "domain a addresses"), ==, 0);

    /* Closed with what is known of them, after which the descriptors are the taker's alone. */
    destroy_domain(net, domain);
    g_assert_cmpuint(net->open, ==, 0);
    g_assert_cmpuint(stub_lines(net->stub, "net close vnet0 on virtbus0 *"), ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "net close theirs on nothing existing *"), ==, 1);
    g_assert_cmpuint(connections(network), ==, 0);
    int fd = g_array_index(fds, int, 0);
    g_ptr_array_set_size(net->stub->fds, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
}

/* What the interface says wins over its portgroup, and that over the network. */
static void test_precedence(void)
{
    g_autoptr(Net) net = net_new();

    active_with(net, PORTGROUPS);
    net_running(net, "<interface type='network'><source network='n' portgroup='slow'/></interface>"
                     "<interface type='network'><source network='n' portgroup='slow'/>"
                     "<bandwidth><inbound average='9'/></bandwidth><vlan><tag id='9'/></vlan>"
                     "<port isolated='no'/><mtu size='1300'/></interface>");
    stub_assert_order(net->stub, "net open ? on virtbus0 isolated mtu 1400 average 100 tag 8",
                      "net open ? on virtbus0 mtu 1300 average 9 tag 9", NULL);
}

typedef struct {
    const char *interfaces, *error;
} Refusal;

static const Refusal refusals[] = {
    {ONE NET_INTERFACE(NET_MAC_2, "nowhere", ""), ": domain 'a': there is no network 'nowhere'"},
    {ONE NET_INTERFACE(NET_MAC_2, "n2", ""), ": domain 'a': network 'n2' is not active"},
    {"<interface type='network'><source network='n' portgroup='fast'/></interface>",
     ": domain 'a': network 'n' has no portgroup 'fast'"},
};

static void test_refused(gconstpointer data)
{
    const Refusal *refusal = data;
    g_autoptr(Net) net = net_new();
    g_autofree char *other = net_xml("n2", NET_UUID_2, 131, NULL);

    net_active(net);
    net_define(net, other, "other");
    net_wait(net, "other", " ok");
    net_start_domain(net, refusal->interfaces);
    net_wait(net, "running", refusal->error);
    g_assert_cmpuint(net->count[NET_OPEN], ==, 0);
}

static void test_no_driver(void)
{
    g_autoptr(Stub) stub = stub_new();
    Net net = {.stub = stub};

    stub->open_ports = TRUE;
    net_start_domain(&net, "<interface type='user'/>" ONE);
    net_wait(&net, "running", ": domain 'a': *no virtual networks*'network'*");
}

/* The one that was opened is closed; another start works. */
static void test_open_fails(void)
{
    g_autoptr(Net) net = net_new();
    VbDomain *domain;

    net_active(net);
    net->keep[NET_OPEN] = TRUE;
    domain = net_start_domain(net, ONE NET_INTERFACE(NET_MAC_2, "n", ""));
    g_assert_cmpuint(net->waiting[NET_OPEN]->len, ==, 2);
    net_answer(net, NET_OPEN, "no tap is left");
    net_answer(net, NET_OPEN, NULL);
    net_wait(net, "running", ": no tap is left");
    g_assert_cmpuint(net->open, ==, 0);
    g_assert_cmpuint(stub_lines(net->stub, "net close *"), ==, 1);
    g_assert_false(vb_domain_is_active(domain));
    net->keep[NET_OPEN] = FALSE;
    stub_operate(net->stub, domain, VB_DOMAIN_OP_START, "again");
    net_wait(net, "again", " ok");
    g_assert_cmpuint(net->open, ==, 2);
}

/* A start that fails after its ports were opened; and one that is destroyed meanwhile. */
static void test_start_fails(void)
{
    g_autoptr(Net) net = net_new();
    VbDomain *domain;

    net_active(net);
    net->stub->fail[STUB_OPERATE] = "no emulator";
    domain = net_start_domain(net, ONE);
    net_wait(net, "running", ": no emulator");
    g_assert_cmpuint(stub_lines(net->stub, "net close vnet0 *"), ==, 1);
    net->stub->fail[STUB_OPERATE] = NULL;

    net->keep[NET_OPEN] = TRUE;
    stub_operate(net->stub, domain, VB_DOMAIN_OP_START, "displaced");
    stub_operate(net->stub, domain, VB_DOMAIN_OP_DESTROY, "destroy");
    g_assert_false(vb_domain_is_active(domain));
    net_answer(net, NET_OPEN, NULL);
    net_wait(net, "destroy", " ok");
    net_wait(net, "displaced", ": *destroyed before*");
    VB_WAIT_FOR(net->open == 0);
    g_assert_cmpuint(stub_lines(net->stub, "net close *"), ==, 2);
}

/* The network goes while ports are being opened on it. */
static void test_network_goes(void)
{
    g_autoptr(Net) net = net_new();

    net_active(net);
    net->keep[NET_OPEN] = net->keep[NET_STOP] = TRUE;
    net_start_domain(net, ONE);
    net_operate(net, net_find(net, "n"), VB_NETWORK_OP_DESTROY, "destroy");
    VB_WAIT_FOR(net->waiting[NET_STOP]->len == 1);
    net_answer(net, NET_OPEN, NULL);
    net_wait(net, "running", ": domain 'a': network 'n' is not active");
    g_assert_cmpuint(net->open, ==, 0);
    net_answer(net, NET_STOP, NULL);
    net_wait(net, "destroy", " ok");
}

/* ---- networks that go and come back ---- */

#define TWO ONE NET_INTERFACE(NET_MAC_2, "n", "<link state='down'/>")

static void test_replug(void)
{
    g_autoptr(Net) net = net_new();
    g_autofree char *elsewhere = net_xml("n", NET_UUID, 130, "<bridge name='br7'/>");
    VbDomain *domain;

    net_active(net);
    domain = net_running(net, TWO "<interface type='user'/>");
    clear_log(net);
    operate(net, VB_NETWORK_OP_DESTROY, "destroy");
    stub_assert_order(net->stub, "link 0 of a down", "net stop n (stopping)",
                      "lifecycle n stopped/destroyed", NULL);
    g_assert_cmpuint(stub_lines(net->stub, "link 1 of a down"), ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "link 2 *"), ==, 0);
    g_assert_cmpuint(net->open, ==, 2);

    net_define(net, elsewhere, "elsewhere");
    net_wait(net, "elsewhere", " ok");
    clear_log(net);
    operate(net, VB_NETWORK_OP_START, "start");
    stub_assert_order(net->stub, "lifecycle n started/", "net plug vnet0 on br7 *",
                      "link 0 of a up", "reply start ok", NULL);
    /* The second is plugged in, but its definition says down. */
    g_assert_cmpuint(stub_lines(net->stub, "net plug vnet1 on br7 *"), ==, 1);
    g_assert_cmpuint(stub_lines(net->stub, "link 1 of a *"), ==, 0);
    g_assert_cmpuint(stub_lines(net->stub, "domain a definition"), ==, 1);
    g_assert_cmpstr(interface_of(domain, 1)->bridge, ==, "br7");
}

/* Guests are told; what they say keeps nothing back. */
static void test_replug_fails(void)
{
    g_autoptr(Net) net = net_new();

    net_active(net);
    net_running(net, TWO);
    net->stub->fail[STUB_LINK] = "no such device";
    operate(net, VB_NETWORK_OP_DESTROY, "destroy");
    net->stub->fail[STUB_LINK] = NULL;
    net->fail[NET_PLUG] = "no such tap";
    clear_log(net);
    operate(net, VB_NETWORK_OP_START, "start");
    g_assert_cmpuint(stub_lines(net->stub, "link *"), ==, 0);
    /* One that never answers does not hold the network. */
    net->fail[NET_PLUG] = NULL;
    net->stub->keep[STUB_LINK] = TRUE;
    operate(net, VB_NETWORK_OP_DESTROY, "destroy again");
    g_assert_cmpuint(net->stub->waiting[STUB_LINK]->len, ==, 2);
}

static void test_unresponsive(void)
{
    g_autoptr(Net) net = net_new();
    VbDomain *domain;

    net_active(net);
    domain = net_running(net, ONE);
    vb_domain_set_responsive(domain, FALSE);
    operate(net, VB_NETWORK_OP_DESTROY, "destroy");
    g_assert_cmpuint(net->stub->count[STUB_LINK], ==, 0);
    vb_domain_set_responsive(domain, TRUE);
    stub_assert_order(net->stub, "domain a responsive 1", "link 0 of a down", NULL);
    vb_domain_set_responsive(domain, FALSE);
    operate(net, VB_NETWORK_OP_START, "start");
    stub_assert_order(net->stub, "reply destroy ok", "net plug vnet0 *", "reply start ok", NULL);
    g_assert_cmpuint(net->stub->count[STUB_LINK], ==, 1);
    vb_domain_set_responsive(domain, TRUE);
    VB_WAIT_FOR(stub_lines(net->stub, "link 0 of a up") == 1);
    /* Once: nothing is owed any more. */
    vb_domain_set_responsive(domain, FALSE);
    vb_domain_set_responsive(domain, TRUE);
    stub_settle();
    g_assert_cmpuint(net->stub->count[STUB_LINK], ==, 2);
}

/* The hypervisor is being started: it is told afterwards. */
static void test_network_goes_during_start(void)
{
    g_autoptr(Net) net = net_new();

    net_active(net);
    net->stub->keep[STUB_OPERATE] = TRUE;
    net_start_domain(net, ONE);
    VB_WAIT_FOR(net->stub->waiting[STUB_OPERATE]->len == 1);
    operate(net, VB_NETWORK_OP_DESTROY, "destroy");
    g_assert_cmpuint(net->stub->count[STUB_LINK], ==, 0);
    stub_answer(net->stub, STUB_OPERATE, NULL);
    net_wait(net, "running", " ok");
    stub_assert_order(net->stub, "reply destroy ok", "link 0 of a down", "reply running ok", NULL);
}

/* ---- addresses ---- */

static void set_leases(Net *net, const char *mac, const char *first, const char *second,
                       guint64 expiry)
{
    GPtrArray *leases = net_no_leases();

    if (second)
        net_add_lease(leases, mac, second, expiry);
    if (first)
        net_add_lease(leases, mac, first, expiry);
    clear_log(net);
    vb_network_set_leases(net_find(net, "n"), leases);
}

static void assert_addresses(VbDomain *domain, const char *expected)
{
    g_autoptr(GPtrArray) addresses = vb_domain_addresses(domain);

    g_ptr_array_add(addresses, NULL);
    g_autofree char *text = g_strjoinv(" ", (char **)addresses->pdata);
    g_assert_cmpstr(text, ==, expected);
}

#define OTHER_MAC "52:54:00:00:00:03"

static void test_leases(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_active(net);
    VbDomain *domain = net_running(net, ONE NET_INTERFACE(NET_MAC_2, "n", ""));

    assert_addresses(domain, "");
    set_leases(net, NET_MAC, "192.168.130.5", "fd00::5", 1);
    stub_assert_order(net->stub, "network n leases 2", "domain a addresses", NULL);
    g_assert_cmpuint(net->stub->log->len, ==, 2);
    assert_addresses(domain, "192.168.130.5 fd00::5");
    const VbLease *lease = vb_network_leases(network)->pdata[0];
    g_assert_cmpint(lease->ip.family, ==, VB_IPV4);
    /* Nothing changed; only the time; another guest; one address less. */
    set_leases(net, NET_MAC, "192.168.130.5", "fd00::5", 1);
    g_assert_cmpuint(net->stub->log->len, ==, 0);
    set_leases(net, NET_MAC, "192.168.130.5", "fd00::5", 2);
    stub_assert_order(net->stub, "network n leases 2", NULL);
    g_assert_cmpuint(net->stub->log->len, ==, 1);
    set_leases(net, NET_MAC, "192.168.130.5", NULL, 2);
    stub_assert_order(net->stub, "network n leases 1", "domain a addresses", NULL);
    set_leases(net, OTHER_MAC, "192.168.130.5", NULL, 2);
    stub_assert_order(net->stub, "network n leases 1", "domain a addresses", NULL);
    set_leases(net, OTHER_MAC, "192.168.130.6", NULL, 2);
    g_assert_cmpuint(stub_lines(net->stub, "domain *"), ==, 0);
    assert_addresses(domain, "");
}

/* They go with the domain and with the network, and a lease outlives a domain. */
static void test_addresses_go(void)
{
    g_autoptr(Net) net = net_new();
    VbNetwork *network = net_active(net);
    VbDomain *domain = net_running(net, ONE);

    set_leases(net, NET_MAC, "192.168.130.5", NULL, 1);
    destroy_domain(net, domain);
    stub_assert_order(net->stub, "domain a state shut-off/destroyed", "domain a addresses", NULL);
    assert_addresses(domain, "");
    clear_log(net);
    stub_operate(net->stub, domain, VB_DOMAIN_OP_START, "start");
    net_wait(net, "start", " ok");
    stub_assert_order(net->stub, "domain a addresses", "domain a state running/booted", NULL);
    assert_addresses(domain, "192.168.130.5");
    operate(net, VB_NETWORK_OP_DESTROY, "destroy");
    assert_addresses(domain, "");
    g_assert_cmpuint(stub_lines(net->stub, "domain a addresses"), ==, 2);
    g_assert_cmpuint(stub_lines(net->stub, "network n leases 0"), ==, 1);
    /* Late news of a network that is over. */
    set_leases(net, NET_MAC, "192.168.130.5", NULL, 1);
    g_assert_cmpuint(vb_network_leases(network)->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ports/open-and-close", test_open_and_close);
    g_test_add_func("/ports/precedence", test_precedence);
    g_test_add_data_func("/ports/refused/network", &refusals[0], test_refused);
    g_test_add_data_func("/ports/refused/inactive", &refusals[1], test_refused);
    g_test_add_data_func("/ports/refused/portgroup", &refusals[2], test_refused);
    g_test_add_func("/ports/no-driver", test_no_driver);
    g_test_add_func("/ports/open-fails", test_open_fails);
    g_test_add_func("/ports/start-fails", test_start_fails);
    g_test_add_func("/ports/network-goes", test_network_goes);
    g_test_add_func("/replug", test_replug);
    g_test_add_func("/replug/fails", test_replug_fails);
    g_test_add_func("/replug/unresponsive", test_unresponsive);
    g_test_add_func("/replug/during-start", test_network_goes_during_start);
    g_test_add_func("/leases", test_leases);
    g_test_add_func("/leases/go", test_addresses_go);
    return g_test_run();
}
