/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The daemon on the bus against clients that call everything with anything: each method of each
 * interface of each object, those of the bus's own interfaces and some that there are not, with
 * random arguments of the right types and of wrong ones. Each call is answered, in the way in which
 * calls are answered; the daemon lives on and ends cleanly; and a caller without rights changes
 * nothing.
 *
 *   test-bus-live-fuzz [--seed=SEED] [CALLS]
 *
 * CALLS are made as each of the two users. The seed is printed; it gives the same calls as long as
 * the daemon's answers are the same. */
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "block-job.h"
#include "bus-fixture.h"
#include "domain-block.h"
#include "domain-object.h"
#include "job-object.h"
#include "manager.h"
#include "net-namespace.h"
#include "network-object.h"
#include "random-value.h"

#define CALLS 10000
#define BATCH 500   /* of a connection */
#define IN_FLIGHT 4 /* of them at once: more are a flood */
#define MAX_DOMAINS 20
#define MAX_NETWORKS 5

static const VbInterface *const tables[] = {&vb_manager_interface,      &vb_domain_interface,
                                            &vb_domain_block_interface, &vb_job_interface,
                                            &vb_block_job_interface,    &vb_network_interface};

static int n_calls = CALLS;

/* ---- what there is to call --------------------------------------------------------------------
 */

typedef struct {
    char *path;
    GDBusNodeInfo *info; /* as it introspects itself */
} Object;

typedef struct {
    VbBusFixture *fixture;
    VbBusClient *admin;
    GPtrArray *objects;
    RandomPool *pool;
    gboolean privileged;
    guint answered, succeeded, refused; /* calls */
    GHashTable *done;                   /* methods that succeeded */
} Live;

static void object_free(Object *object)
{
    g_dbus_node_info_unref(object->info);
    g_free(object->path);
    g_free(object);
}

/* "option bandwidth t = 0: ..." in the comments of the interfaces' files. */
static void read_options(GPtrArray *options)
{
    g_autoptr(GRegex) line =
        g_regex_new("^ *option ([a-z-]+) ([a-z]+)", G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GDir) dir = g_dir_open(VB_TEST_INTERFACES, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(VB_TEST_INTERFACES, name, NULL);
        g_autofree char *text = NULL;
        g_autoptr(GMatchInfo) found = NULL;

        if (!g_str_has_suffix(name, ".xml") || !g_file_get_contents(path, &text, NULL, NULL))
            continue;
        for (g_regex_match(line, text, 0, &found); g_match_info_matches(found);
             g_match_info_next(found, NULL))
            g_ptr_array_add(options, g_match_info_expand_references(found, "\\1 \\2", NULL));
    }
    g_assert_cmpuint(options->len, >, 10);
}

static void add_words(GPtrArray *words, const GDBusNodeInfo *info)
{
    for (GDBusInterfaceInfo **i = info->interfaces; i != NULL && *i != NULL; i++) {
        g_ptr_array_add(words, g_strdup((*i)->name));
        for (GDBusPropertyInfo **p = (*i)->properties; p != NULL && *p != NULL; p++)
            g_ptr_array_add(words, g_strdup((*p)->name));
    }
}

/* NULL when it fails: an object may have gone meanwhile. (transfer full) */
static GVariant *try_call(VbBusClient *client, const char *path, const char *interface,
                          const char *method, GVariant *params)
{
    guint32 serial = vb_bus_client_send(client, path, interface, method, params);
    const VbBusMessage *reply;

    VB_WAIT_FOR((reply = vb_bus_client_reply(client, serial)) != NULL);
    return reply->error == NULL ? g_variant_ref(reply->body) : NULL;
}

/* What cannot fail, unless others have called too much just now. */
static GVariant *insist(VbBusClient *client, const char *path, const char *interface,
                        const char *method, const char *params)
{
    gint64 deadline = vb_wait_deadline();
    GVariant *reply;

    while ((reply = try_call(client, path, interface, method, g_variant_new_parsed(params))) ==
           NULL)
        if (g_get_monotonic_time() > deadline)
            g_error("%s.%s fails for too long", interface, method);
    return reply;
}

static void add_object(Live *live, const char *path)
{
    g_autoptr(GVariant) reply =
        try_call(live->admin, path, VB_IFACE_INTROSPECTABLE, "Introspect", NULL);
    g_autoptr(GError) error = NULL;
    Object *object;
    const char *xml;

    if (reply == NULL)
        return;
    object = g_new(Object, 1);
    g_variant_get(reply, "(&s)", &xml);
    *object = (Object){g_strdup(path), g_dbus_node_info_new_for_xml(xml, &error)};
    g_assert_no_error(error);
    g_ptr_array_add(live->objects, object);
    g_ptr_array_add(live->pool->paths, g_strdup(path));
    add_words(live->pool->words, object->info);
}

static GVariant *managed_objects(VbBusClient *client)
{
    g_autoptr(GVariant) reply =
        insist(client, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects", "()");

    return g_variant_get_child_value(reply, 0);
}

static void learn_document(Live *live, const char *path, const char *interface,
                           GPtrArray *documents)
{
    g_autoptr(GVariant) reply =
        try_call(live->admin, path, interface, "GetXml", g_variant_new_parsed("(@a{sv} {},)"));
    char *xml;

    if (reply == NULL)
        return;
    g_variant_get(reply, "(s)", &xml);
    g_ptr_array_add(documents, xml);
}

/* Of a domain or a network: its name, UUID and document. */
static void learn_names(Live *live, const char *path, GVariant *interfaces, const char *interface,
                        GPtrArray *documents)
{
    g_autoptr(GVariant) properties =
        g_variant_lookup_value(interfaces, interface, G_VARIANT_TYPE_VARDICT);
    const char *text;

    if (properties == NULL)
        return;
    g_variant_lookup(properties, "Name", "&s", &text);
    g_ptr_array_add(live->pool->words, g_strdup(text));
    g_variant_lookup(properties, "Uuid", "&s", &text);
    g_ptr_array_add(live->pool->words, g_strdup(text));
    learn_document(live, path, interface, documents);
}

static void learn_objects(Live *live)
{
    g_autoptr(GVariant) objects = managed_objects(live->admin);
    GVariantIter iter;
    const char *path;
    GVariant *interfaces;

    g_ptr_array_set_size(live->objects, 0);
    g_ptr_array_set_size(live->pool->paths, 0);
    g_ptr_array_set_size(live->pool->words, 0);
    g_ptr_array_set_size(live->pool->documents, 0);
    g_ptr_array_set_size(live->pool->networks, 0);
    add_object(live, "/");
    add_object(live, VB_PATH_ROOT);
    add_object(live, VB_PATH_ROOT "/domain");
    g_variant_iter_init(&iter, objects);
    while (g_variant_iter_loop(&iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
        add_object(live, path);
        learn_names(live, path, interfaces, VB_IFACE_DOMAIN, live->pool->documents);
        learn_names(live, path, interfaces, VB_IFACE_NETWORK, live->pool->networks);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const VbMethod *m = tables[i]->methods; m != NULL && m->member != NULL; m++)
            if (m->access.action != NULL)
                g_ptr_array_add(live->pool->words, g_strdup(m->access.action));
}

/* ---- domains and networks ---------------------------------------------------------------------
 */

static void try_plain(VbBusClient *client, const char *path, const char *interface,
                      const char *method)
{
    g_autoptr(GVariant) reply =
        try_call(client, path, interface, method, g_variant_new_parsed("(@a{sv} {},)"));
}

/* All but the first `max` go. */
static void remove_objects(Live *live, const char *list, const char *interface, guint max)
{
    g_autoptr(GVariant) reply =
        insist(live->admin, VB_PATH_MANAGER, VB_IFACE_MANAGER, list, "(@a{sv} {},)");
    g_autofree const char **paths = NULL;

    g_variant_get(reply, "(^a&o)", &paths);
    for (guint i = max; i < g_strv_length((GStrv)paths); i++) {
        try_plain(live->admin, paths[i], interface, "Destroy");
        try_plain(live->admin, paths[i], interface, "Undefine");
    }
}

/* Fails where there are no networks, and where this one is already. */
static void make_network(Live *live)
{
    g_autoptr(GVariant) made =
        try_call(live->admin, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineNetwork",
                 g_variant_new_parsed("('<network><name>net</name><bridge name=\"fuzz\"/>"
                                      "<ip address=\"192.0.2.1\" prefix=\"24\"><dhcp>"
                                      "<range start=\"192.0.2.10\" end=\"192.0.2.20\"/></dhcp></ip>"
                                      "</network>', @a{sv} {})"));
}

/* What was made up beyond measure goes, and what was destroyed comes back. */
static void tidy_objects(Live *live)
{
    static const char *const names[] = {"alpha", "beta", "gamma"};

    remove_objects(live, "ListDomains", VB_IFACE_DOMAIN, MAX_DOMAINS);
    remove_objects(live, "ListNetworks", VB_IFACE_NETWORK, MAX_NETWORKS);
    make_network(live);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *xml = vb_bus_test_domain_xml(names[i], NULL);

        g_autoptr(GVariant) made = try_call(live->admin, VB_PATH_MANAGER, VB_IFACE_MANAGER,
                                            i > 0 ? "CreateDomain" : "DefineDomain",
                                            g_variant_new_parsed("(%s, @a{sv} {})", xml));
    }
}

/* ---- calls ------------------------------------------------------------------------------------
 */

typedef struct {
    guint32 serial;
    char *path, *interface, *member; /* interface: or NULL */
    GVariant *params;
    const GDBusMethodInfo *method; /* NULL: there is none */
} Sent;

static void sent_free(Sent *sent)
{
    g_free(sent->path);
    g_free(sent->interface);
    g_free(sent->member);
    g_variant_unref(sent->params);
    g_free(sent);
}

static char *sent_describe(const Sent *sent)
{
    g_autofree char *params = g_variant_print(sent->params, TRUE);
    g_autofree char *start = g_utf8_substring(params, 0, MIN(g_utf8_strlen(params, -1), 1000));

    return g_strdup_printf("%s %s.%s%s", sent->path, sent->interface, sent->member, start);
}

static guint count_of(gpointer array)
{
    guint n = 0;

    for (gpointer *p = array; p != NULL && *p != NULL; p++)
        n++;
    return n;
}

/* What ends a domain would else leave nothing for the others. */
static gboolean is_final(const char *member)
{
    return g_str_equal(member, "Destroy") || g_str_equal(member, "Undefine") ||
           g_str_equal(member, "Shutdown") || g_str_equal(member, "Dismiss");
}

/* What an argument holds, where its name alone does not say. */
static const char *argument_kind(const char *interface, const GDBusMethodInfo *method, guint index)
{
    const char *name = method->in_args[index]->name;

    if (!g_str_equal(name, "xml"))
        return name;
    if (g_str_equal(method->name, "Update"))
        return "element_xml";
    return g_str_equal(interface, VB_IFACE_NETWORK) || g_str_has_suffix(method->name, "Network")
               ? "network_xml"
               : name;
}

static const GDBusMethodInfo *choose_method(const Object *object, const char **ret_interface)
{
    guint n_interfaces = count_of(object->info->interfaces);

    for (guint tries = 0; n_interfaces > 0 && tries < 20; tries++) {
        const GDBusInterfaceInfo *interface =
            object->info->interfaces[g_test_rand_int_range(0, (gint32)n_interfaces)];
        guint n = count_of(interface->methods);
        const GDBusMethodInfo *method =
            n > 0 ? interface->methods[g_test_rand_int_range(0, (gint32)n)] : NULL;

        if (method == NULL || (is_final(method->name) && !random_once_in(10)))
            continue;
        *ret_interface = interface->name;
        return method;
    }
    return NULL;
}

/* The name of a property that the object has: what Properties.Get wants. */
static GVariant *random_property(const Object *object)
{
    const GDBusInterfaceInfo *interface =
        object->info
            ->interfaces[g_test_rand_int_range(0, (gint32)count_of(object->info->interfaces))];
    guint n = count_of(interface->properties);

    return g_variant_new(
        "(ss)", interface->name,
        n > 0 ? interface->properties[g_test_rand_int_range(0, (gint32)n)]->name : "Nothing");
}

/* Of the method's types, or with something amiss. */
static GVariant *random_params(const RandomPool *pool, const char *interface,
                               const GDBusMethodInfo *method)
{
    GVariantBuilder builder;
    guint n = method != NULL ? count_of(method->in_args) : (guint)g_test_rand_int_range(0, 3);
    gboolean amiss = method == NULL || random_once_in(6);

    g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
    for (guint i = 0; i < n; i++) {
        g_autofree char *type = amiss && (method == NULL || random_once_in(3))
                                    ? random_type()
                                    : g_strdup(method->in_args[i]->signature);

        if (!amiss || !random_once_in(5))
            g_variant_builder_add_value(
                &builder,
                random_argument(pool, method != NULL ? argument_kind(interface, method, i) : NULL,
                                G_VARIANT_TYPE(type)));
    }
    if (amiss && random_once_in(5))
        g_variant_builder_add_value(&builder, random_value(pool, G_VARIANT_TYPE_VARDICT));
    return g_variant_builder_end(&builder);
}

static Sent *make_call(Live *live)
{
    static const char *const odd_interfaces[] = {"org.virtbus1", "org.virtbus1.Nothing", "a.b",
                                                 "org.freedesktop.DBus", VB_IFACE_DOMAIN};
    static const char *const odd_members[] = {"Nothing",           "start", "Get",
                                              "GetManagedObjects", "_",     "Start"};
    const Object *object =
        live->objects->pdata[g_test_rand_int_range(0, (gint32)live->objects->len)];
    const char *interface = NULL;
    Sent *sent = g_new0(Sent, 1);

    sent->method = choose_method(object, &interface);
    if (sent->method == NULL || random_once_in(25)) {
        sent->method = NULL;
        interface = odd_interfaces[g_test_rand_int_range(0, G_N_ELEMENTS(odd_interfaces))];
    }
    sent->path = g_strdup(random_once_in(25) ? random_word(live->pool->paths) : object->path);
    sent->interface = random_once_in(25) ? NULL : g_strdup(interface);
    sent->member = g_strdup(sent->method != NULL && !random_once_in(50)
                                ? sent->method->name
                                : odd_members[g_test_rand_int_range(0, G_N_ELEMENTS(odd_members))]);
    sent->params = g_variant_ref_sink(g_str_equal(sent->member, "Get") && !random_once_in(4)
                                          ? random_property(object)
                                          : random_params(live->pool, interface, sent->method));
    return sent;
}

/* FALSE: no answer is wanted, and none may come. */
static gboolean send_call(VbBusClient *client, Sent *sent)
{
    g_autoptr(GDBusMessage) message =
        g_dbus_message_new_method_call(VB_BUS_NAME, sent->path, sent->interface, sent->member);
    g_autoptr(GError) error = NULL;
    gboolean wanted = !random_once_in(40);

    if (!wanted)
        g_dbus_message_set_flags(message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
    else if (random_once_in(4))
        g_dbus_message_set_flags(message, G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION);
    g_dbus_message_set_body(message, sent->params);
    g_dbus_connection_send_message(vb_bus_client_connection(client), message,
                                   G_DBUS_SEND_MESSAGE_FLAGS_NONE, &sent->serial, &error);
    g_assert_no_error(error);
    return wanted;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static gboolean is_public(const char *interface, const char *member)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        const VbMethod *method = interface == NULL || g_str_equal(interface, tables[i]->name)
                                     ? vb_interface_find_method(tables[i], member)
                                     : NULL;

        if (method != NULL && method->access.kind != VB_ACCESS_PUBLIC)
            return FALSE;
    }
    return TRUE;
}

/* An error says what and why: ours in one line. */
static gboolean is_proper_error(const Sent *sent, const VbBusMessage *reply)
{
    const char *text;

    if (!g_variant_is_of_type(reply->body, G_VARIANT_TYPE("(s)")))
        return FALSE;
    g_variant_get(reply->body, "(&s)", &text);
    if (sent->interface != NULL && g_str_has_prefix(sent->interface, VB_BUS_NAME) &&
        strchr(text, '\n') != NULL)
        return FALSE;
    return *text != '\0' && (g_str_has_prefix(reply->error, VB_BUS_NAME ".Error.") ||
                             g_str_has_prefix(reply->error, "org.freedesktop.DBus.Error."));
}

static void check_answer(Live *live, const Sent *sent, const VbBusMessage *reply)
{
    g_autofree char *text = NULL;

    live->answered++;

    if (reply->error != NULL) {
        if (!is_proper_error(sent, reply)) {
            g_autofree char *body = g_variant_print(reply->body, FALSE);

            text = sent_describe(sent);
            g_error("%s: %s: %s", text, reply->error, body);
        }
        live->refused += strstr(reply->error, "LimitsExceeded") != NULL;
        return;
    }
    if (!live->privileged && !is_public(sent->interface, sent->member)) {
        text = sent_describe(sent);
        g_error("allowed: %s", text);
    }
    live->succeeded++;
    g_hash_table_add(live->done, g_strdup(sent->member));
}

/* Until `n` calls at most have no answer. */
static void await_answers(Live *live, VbBusClient *client, GQueue *calls, guint n)
{
    while (calls->length > n) {
        gint64 deadline = vb_wait_deadline();
        Sent *sent = g_queue_pop_head(calls);
        const VbBusMessage *reply;

        while ((reply = vb_bus_client_reply(client, sent->serial)) == NULL) {
            g_autofree char *text = NULL;

            if (vb_wait_turn(deadline))
                continue;
            text = sent_describe(sent);
            g_error("no answer: %s", text);
        }
        check_answer(live, sent, reply);
        sent_free(sent);
    }
}

static void run_batch(Live *live, VbBusClient *client)
{
    g_autoptr(GQueue) calls = g_queue_new();
    g_autoptr(GVariant) pong = NULL;

    for (guint i = 0; i < BATCH; i++) {
        Sent *sent = make_call(live);

        if (send_call(client, sent))
            g_queue_push_tail(calls, sent);
        else
            sent_free(sent);
        await_answers(live, client, calls, IN_FLIGHT - 1);
    }
    await_answers(live, client, calls, 0);
    pong = insist(live->admin, VB_PATH_ROOT, VB_IFACE_PEER, "Ping", "()");
}

static void report(const Live *live)
{
    g_autofree char **done = (char **)g_hash_table_get_keys_as_array(live->done, NULL);
    g_autofree char *members = g_strjoinv(" ", done);

    g_test_message("%u calls answered, %u of them without an error, %u too many: %s",
                   live->answered, live->succeeded, live->refused, members);
    /* Else it was not the methods that were called. */
    g_assert_cmpuint(live->succeeded, >, live->answered / 10);
}

/* Whoever calls may leave before the answers. */
static void call_and_leave(Live *live)
{
    g_autoptr(VbBusClient) client = vb_bus_client_new(live->fixture);

    for (guint i = 0; i < IN_FLIGHT; i++) {
        Sent *sent = make_call(live);

        send_call(client, sent);
        sent_free(sent);
    }
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static void live_clear(Live *live)
{
    vb_bus_fixture_free(live->fixture);
    g_clear_pointer(&live->objects, g_ptr_array_unref);
    g_clear_pointer(&live->pool, random_pool_free);
    g_clear_pointer(&live->done, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Live, live_clear)

static void live_init(Live *live, VbBusFixtureFlags flags, gboolean privileged)
{
    live->privileged = privileged;
    live->done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    live->fixture = vb_bus_fixture_new(flags);
    live->admin = vb_bus_fixture_client(live->fixture);
    live->objects = g_ptr_array_new_with_free_func((GDestroyNotify)object_free);
    live->pool = random_pool_new();
    read_options(live->pool->options);
}

static void test_privileged(void)
{
    g_auto(Live) live = {0};

    live_init(&live, geteuid() == 0 ? VB_BUS_FIXTURE_NONE : VB_BUS_FIXTURE_SESSION, TRUE);
    for (int done = 0; done < n_calls; done += BATCH) {
        g_autoptr(VbBusClient) client = vb_bus_client_new(live.fixture);

        tidy_objects(&live);
        learn_objects(&live);
        run_batch(&live, client);
        call_and_leave(&live);
    }
    report(&live);
    remove_objects(&live, "ListNetworks", VB_IFACE_NETWORK, 0); /* they would outlive the daemon */
}

static void test_unprivileged(void)
{
    static const char orders[] =
        "<test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>"
        "<test:block-job disk='vda' type='copy' duration='1'/></test:faults>";
    const struct passwd *nobody = getpwnam("nobody");
    g_auto(Live) live = {0};
    g_autoptr(GVariant) before = NULL, after = NULL, copy = NULL;
    g_autofree char *domain = NULL;
    guint position;

    if (geteuid() != 0 || nobody == NULL) {
        g_test_skip("needs root, and a user nobody");
        return;
    }
    live_init(&live, VB_BUS_FIXTURE_NONE, FALSE);
    tidy_objects(&live);
    domain = vb_bus_client_start_domain(live.admin, "copied", orders);
    position = vb_bus_client_position(live.admin);
    copy = try_call(live.admin, domain, VB_IFACE_BLOCK, "Copy",
                    g_variant_new_parsed("('vda', '<disk type=\"file\"><driver type=\"qcow2\"/>"
                                         "<source file=\"/images/copy\"/></disk>', @a{sv} {})"));
    vb_bus_client_next_signal(live.admin, &position, domain, VB_IFACE_BLOCK, "BlockJobReady");
    learn_objects(&live);
    before = managed_objects(live.admin);
    position = vb_bus_client_position(live.admin);
    for (int done = 0; done < n_calls; done += BATCH) {
        g_autoptr(VbBusClient) client = vb_bus_client_new_as(live.fixture, nobody->pw_uid);

        run_batch(&live, client);
    }
    after = managed_objects(live.admin);
    g_assert_true(g_variant_equal(before, after));
    g_assert_cmpuint(vb_bus_client_count(live.admin, position, NULL, NULL, NULL), ==, 0);
    report(&live);
}

int main(int argc, char **argv)
{
    gboolean contained = vb_enter_net_namespace() || geteuid() != 0;

    g_test_init(&argc, &argv, NULL);
    g_assert_true(contained); /* root's networks are real ones */
    if (argc > 1)
        n_calls = MAX(atoi(argv[1]), 1);
    g_test_add_func("/live-fuzz/privileged", test_privileged);
    g_test_add_func("/live-fuzz/unprivileged", test_unprivileged);
    return g_test_run();
}
