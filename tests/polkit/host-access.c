/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a document names of the host: alice may define domains and networks and run block jobs, but
 * is asked for domain.host-access or network.host-access when one of them reaches outside the image
 * directories. */
#include "actions.h"
#include "net-namespace.h"
#include "polkit-fixture.h"

#include <glib/gstdio.h>

#define INTERACTIVE "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
#define UUID "7d1c9a52-4a8e-4d7c-9a39-6f3f7d1f0a01"
#define DOMAIN_PATH "/org/virtbus1/domain/7d1c9a52_4a8e_4d7c_9a39_6f3f7d1f0a01"

/* The daemon finds it below its --root; what it names is not below that. */
static const char config[] = "[storage]\nimage-directories=/pool/a;/pool/b\n";

static const char rules[] = "polkit.addRule(function (action, subject) {\n"
                            "    return action.id != '" VB_ACTION_DOMAIN_HOST_ACCESS "' &&\n"
                            "           action.id != '" VB_ACTION_NETWORK_HOST_ACCESS "'\n"
                            "        ? polkit.Result.YES : polkit.Result.NOT_HANDLED;\n"
                            "});\n";

#define DISK(path)                                                                                 \
    "<disk type='file' device='disk'><source file='" path                                          \
    "'/><target dev='vda' bus='virtio'/></disk>"
#define BACKED(path, backing)                                                                      \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='" path        \
    "'/><backingStore type='file'><format type='raw'/><source file='" backing                      \
    "'/><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>"

/* What stands in <os> and in <devices>. */
typedef struct {
    const char *os, *devices;
} Parts;

static const Parts inside[] = {
    {"", ""},
    {"", DISK("/pool/a/disk.img")},
    {"", DISK("/pool/b/sub/disk.img")},
    {"", BACKED("/pool/a/top.qcow2", "/pool/b/base.img")},
    {"<kernel>/pool/a/vmlinuz</kernel><initrd>/pool/a/initrd</initrd>", ""},
    {"", "<emulator>/usr/bin/qemu-system-x86_64</emulator>"},
    {"", "<interface type='network'><source network='default'/></interface>"},
    {"", "<interface type='user'><portForward proto='tcp'><range start='2222' to='22'/>"
         "</portForward></interface>"},
};

static const Parts outside[] = {
    {"", DISK("/etc/shadow")},
    {"", DISK("/pool/disk.img")},
    {"", DISK("/pool/ab/disk.img")},
    {"", DISK("/pool/a/../../etc/shadow")},
    {"", BACKED("/pool/a/top.qcow2", "/etc/shadow")},
    {"<kernel>/boot/vmlinuz</kernel>", ""},
    {"<kernel>/pool/a/vmlinuz</kernel><initrd>/boot/initrd</initrd>", ""},
    {"", "<emulator>/home/alice/qemu</emulator>"},
    {"", "<emulator>/pool/a/qemu</emulator>"},
    {"", "<serial type='file'><source path='/etc/cron.d/job'/></serial>"},
    {"", "<disk type='block' device='disk'><source dev='/dev/sda'/>"
         "<target dev='vda' bus='virtio'/></disk>"},
    {"", "<interface type='bridge'><source bridge='br0'/></interface>"},
    {"", "<interface type='ethernet'/>"},
    {"", "<interface type='ethernet'><target dev='tap0' managed='no'/></interface>"},
};

static char *document(const Parts *parts)
{
    return g_strdup_printf("<domain type='test'><name>vm</name><uuid>" UUID "</uuid>"
                           "<memory>65536</memory><os><type>hvm</type>%s</os>"
                           "<devices>%s</devices></domain>",
                           parts->os, parts->devices);
}

static void assert_asked_for(VbBusClient *client, const char *action, const char *path,
                             const char *interface, const char *method, GVariant *params)
{
    g_autofree char *text =
        vb_bus_client_call_error(client, path, interface, method, params, INTERACTIVE);

    g_assert_nonnull(strstr(text, action));
}

static void assert_asked(VbBusClient *client, const char *path, const char *interface,
                         const char *method, GVariant *params)
{
    assert_asked_for(client, VB_ACTION_DOMAIN_HOST_ACCESS, path, interface, method, params);
}

static void configure(const VbPolkitWorld *world)
{
    g_autofree char *dir =
        g_build_filename(vb_bus_fixture_root(world->fixture), "etc/virtbus", NULL);
    g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, config, -1, NULL));
    vb_bus_fixture_start_daemon(world->fixture);
}

static void test_documents(const VbPolkitWorld *world)
{
    g_autofree char *domain = NULL;

    configure(world);
    for (guint i = 0; i < G_N_ELEMENTS(inside); i++) {
        g_autofree char *xml = document(&inside[i]);
        g_autoptr(GVariant) redefined = NULL;

        g_test_message("%s", xml);
        g_free(domain);
        domain = vb_bus_client_define(world->alice, xml);
        redefined = vb_bus_client_call(world->alice, domain, VB_IFACE_DOMAIN, "Redefine",
                                       g_variant_new_parsed("(%s, @a{sv} {})", xml));
    }
    for (guint i = 0; i < G_N_ELEMENTS(outside); i++) {
        g_autofree char *xml = document(&outside[i]);

        g_test_message("%s", xml);
        assert_asked(world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
                     g_variant_new_parsed("(%s, @a{sv} {})", xml));
        assert_asked(world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                     g_variant_new_parsed("(%s, @a{sv} {})", xml));
        assert_asked(world->alice, domain, VB_IFACE_DOMAIN, "Redefine",
                     g_variant_new_parsed("(%s, @a{sv} {})", xml));
    }
}

static char *store_document(const VbPolkitWorld *world, const char *uuid, gboolean as_disk)
{
    g_autofree char *store = g_strdup_printf("%s/var/lib/virtbus/nvram/%s_VARS.fd",
                                             vb_bus_fixture_root(world->fixture), uuid);
    g_autofree char *os =
        g_strdup_printf("<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>"
                        "<nvram>%s</nvram>",
                        store);
    g_autofree char *disk = g_strdup_printf(DISK("%s"), store);

    return as_disk ? document(&(Parts){"", disk}) : document(&(Parts){os, ""});
}

/* A variable store is its own domain's, and no disk. */
static void test_variable_stores(const VbPolkitWorld *world)
{
    static const char other[] = "00000000-0000-4000-8000-00000000000f";
    g_autofree char *own = NULL, *others = NULL, *disk = NULL, *domain = NULL;

    configure(world);
    own = store_document(world, UUID, FALSE);
    others = store_document(world, other, FALSE);
    disk = store_document(world, UUID, TRUE);
    domain = vb_bus_client_define(world->alice, own);
    assert_asked(world->alice, domain, VB_IFACE_DOMAIN, "Redefine",
                 g_variant_new_parsed("(%s, @a{sv} {})", others));
    assert_asked(world->alice, domain, VB_IFACE_DOMAIN, "Redefine",
                 g_variant_new_parsed("(%s, @a{sv} {})", disk));
}

static void test_targets(const VbPolkitWorld *world)
{
    static const char *const copies[] = {
        "<disk type='file'><source file='/etc/cron.d/job'/></disk>",
        "<disk type='file'><source file='/pool/a/../job'/></disk>",
        "<disk type='block'><source dev='/dev/sda'/></disk>",
        "<disk type='network'><source protocol='nbd' name='x'><host name='away'/></source></disk>",
    };
    g_autofree char *xml = document(&(Parts){"", DISK("/pool/a/disk.img")});
    g_autofree char *domain = NULL;
    g_autoptr(GVariant) copied = NULL, canceled = NULL, backed_up = NULL;

    configure(world);
    domain = vb_bus_client_define(world->alice, xml);
    vb_bus_client_do(world->alice, domain, VB_IFACE_DOMAIN, "Start");
    for (guint i = 0; i < G_N_ELEMENTS(copies); i++)
        assert_asked(world->alice, domain, VB_IFACE_BLOCK, "Copy",
                     g_variant_new_parsed("('vda', %s, @a{sv} {})", copies[i]));
    assert_asked(world->alice, domain, VB_IFACE_BLOCK, "Backup",
                 g_variant_new_parsed("('<domainbackup><disks><disk name=\"vda\" type=\"file\">"
                                      "<target file=\"/etc/cron.d/job\"/></disk></disks>"
                                      "</domainbackup>', @a{sv} {})"));
    copied = vb_bus_client_call(
        world->alice, domain, VB_IFACE_BLOCK, "Copy",
        g_variant_new_parsed("('vda', '<disk type=\"file\"><source file=\"/pool/b/copy.img\"/>"
                             "</disk>', @a{sv} {})"));
    canceled = vb_bus_client_call(world->alice, domain, VB_IFACE_BLOCK, "AbortJob",
                                  g_variant_new_parsed("('vda', @a{sv} {})"));
    /* without a name: beside the image */
    backed_up = vb_bus_client_call(world->alice, domain, VB_IFACE_BLOCK, "Backup",
                                   g_variant_new_parsed("('<domainbackup/>', @a{sv} {})"));
}

/* A backup without a name is made beside the image: outside, when that is. */
static void test_beside(const VbPolkitWorld *world)
{
    g_autofree char *xml = document(&(Parts){"", DISK("/far/disk.img")});
    g_autofree char *domain = NULL;

    configure(world);
    domain = vb_bus_client_define(world->root, xml);
    vb_bus_client_do(world->alice, domain, VB_IFACE_DOMAIN, "Start");
    assert_asked(world->alice, domain, VB_IFACE_BLOCK, "Backup",
                 g_variant_new_parsed("('<domainbackup/>', @a{sv} {})"));
    assert_asked(world->alice, domain, VB_IFACE_BLOCK, "Backup",
                 g_variant_new_parsed("('<domainbackup><disks><disk name=\"vda\" type=\"file\"/>"
                                      "</disks></domainbackup>', @a{sv} {})"));
}

#define ON_BASE(path, target)                                                                      \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='" path        \
    "'/><backingStore type='file'><format type='qcow2'/><source file='/base.qcow2'/>"              \
    "<backingStore/></backingStore><target dev='" target "' bus='virtio'/></disk>"

static void assert_prompt(VbPolkitAgent *agent, guint n, const char *path, const char *use)
{
    const VbPolkitPrompt *prompt = vb_polkit_agent_prompt(agent, n);
    g_autofree char *message =
        g_strdup_printf("Authentication is required to give the virtual machine “vm” access to “%s”"
                        " of this host (%s)",
                        path, use);

    g_assert_cmpstr(prompt->action, ==, VB_ACTION_DOMAIN_HOST_ACCESS);
    g_assert_cmpstr(prompt->message, ==, message);
}

/* Each thing is asked for by itself, and once; one no, and nothing is done. */
static void test_each(const VbPolkitWorld *world)
{
    g_autofree char *xml =
        document(&(Parts){"", ON_BASE("/a.qcow2", "vda") ON_BASE("/b.qcow2", "vdb")});
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);

    configure(world);
    for (guint attempt = 0; attempt < 2; attempt++) {
        gboolean granted = attempt == 1;
        guint n = 3 * attempt;
        guint32 serial = vb_bus_client_send_interactive(
            world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
            g_variant_new_parsed("(%s, @a{sv} {})", xml));

        assert_prompt(agent, n, "/a.qcow2", "disk image");
        vb_polkit_agent_answer(agent, n, TRUE);
        assert_prompt(agent, n + 1, "/base.qcow2", "backing image");
        vb_polkit_agent_answer(agent, n + 1, TRUE);
        assert_prompt(agent, n + 2, "/b.qcow2", "disk image");
        vb_polkit_agent_answer(agent, n + 2, granted);
        if (granted) {
            g_autoptr(GVariant) reply = vb_bus_client_finish(world->alice, serial);
        } else {
            g_autofree char *text = vb_bus_client_finish_error(
                world->alice, serial, "org.freedesktop.DBus.Error.AccessDenied");
        }
        g_assert_cmpint(vb_bus_client_has_object(world->root, DOMAIN_PATH), ==, granted);
        g_assert_cmpuint(vb_polkit_agent_n_prompts(agent), ==, n + 3);
    }
}

static char *network_document(const char *root)
{
    return g_strdup_printf("<network><name>net</name><uuid>" UUID "</uuid>"
                           "<ip address='192.0.2.1' prefix='24'><tftp root='%s'/></ip></network>",
                           root);
}

/* Nothing is started here: the networks stay definitions. */
static void test_networks(const VbPolkitWorld *world)
{
    g_autofree char *inside_xml = network_document("/pool/a/boot");
    g_autofree char *outside_xml = network_document("/etc");
    static const char bridge_xml[] = "<network><name>net</name><uuid>" UUID "</uuid>"
                                     "<forward mode='bridge'/><bridge name='br0'/></network>";
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    g_autoptr(GVariant) defined = NULL, redefined = NULL, granted = NULL;
    const VbPolkitPrompt *prompt;
    const char *network;
    guint32 serial;

    configure(world);
    defined = vb_bus_client_call(world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineNetwork",
                                 g_variant_new_parsed("(%s, @a{sv} {})", inside_xml));
    g_variant_get(defined, "(&o)", &network);
    redefined = vb_bus_client_call(world->alice, network, VB_IFACE_NETWORK, "Redefine",
                                   g_variant_new_parsed("(%s, @a{sv} {})", inside_xml));
    assert_asked_for(world->alice, VB_ACTION_NETWORK_HOST_ACCESS, VB_PATH_MANAGER, VB_IFACE_MANAGER,
                     "DefineNetwork", g_variant_new_parsed("(%s, @a{sv} {})", outside_xml));
    assert_asked_for(world->alice, VB_ACTION_NETWORK_HOST_ACCESS, VB_PATH_MANAGER, VB_IFACE_MANAGER,
                     "CreateNetwork", g_variant_new_parsed("(%s, @a{sv} {})", outside_xml));
    assert_asked_for(world->alice, VB_ACTION_NETWORK_HOST_ACCESS, network, VB_IFACE_NETWORK,
                     "Redefine", g_variant_new_parsed("(%s, @a{sv} {})", outside_xml));
    assert_asked_for(world->alice, VB_ACTION_NETWORK_HOST_ACCESS, network, VB_IFACE_NETWORK,
                     "Redefine", g_variant_new_parsed("(%s, @a{sv} {})", bridge_xml));

    serial = vb_bus_client_send_interactive(world->alice, network, VB_IFACE_NETWORK, "Redefine",
                                            g_variant_new_parsed("(%s, @a{sv} {})", outside_xml));
    prompt = vb_polkit_agent_prompt(agent, 0);
    g_assert_cmpstr(prompt->action, ==, VB_ACTION_NETWORK_HOST_ACCESS);
    g_assert_cmpstr(prompt->message, ==,
                    "Authentication is required to give the guests of the virtual network “net”"
                    " access to “/etc” of this host (TFTP root)");
    vb_polkit_agent_answer(agent, 0, TRUE);
    granted = vb_bus_client_finish(world->alice, serial);
}

/* A document may not take over another domain under a name that the rules allow. */
static void test_identity(const VbPolkitWorld *world)
{
    g_autofree char *xml = document(&inside[1]);
    g_auto(GStrv) halves = g_strsplit(xml, "<name>vm<", 2);
    g_autofree char *renamed = g_strjoinv("<name>lab-1<", halves);
    g_autofree char *domain = NULL, *name = NULL, *text = NULL;

    configure(world);
    domain = vb_bus_client_define(world->root, xml);
    text =
        vb_bus_client_call_error(world->alice, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
                                 g_variant_new_parsed("(%s, @a{sv} {})", renamed), "DomainExists");
    name = vb_bus_client_get_string(world->root, domain, VB_IFACE_DOMAIN, "Name");
    g_assert_cmpstr(name, ==, "vm");
}

int main(int argc, char **argv)
{
    vb_enter_net_namespace(); /* who may not is no root, and the tests are skipped */
    g_test_init(&argc, &argv, NULL);
    vb_polkit_add_test("/host-access/documents", rules, VB_BUS_FIXTURE_NO_DAEMON, test_documents);
    vb_polkit_add_test("/host-access/variable-stores", rules, VB_BUS_FIXTURE_NO_DAEMON,
                       test_variable_stores);
    vb_polkit_add_test("/host-access/targets", rules, VB_BUS_FIXTURE_NO_DAEMON, test_targets);
    vb_polkit_add_test("/host-access/beside", rules, VB_BUS_FIXTURE_NO_DAEMON, test_beside);
    vb_polkit_add_test("/host-access/each", rules, VB_BUS_FIXTURE_NO_DAEMON, test_each);
    vb_polkit_add_test("/host-access/networks", rules, VB_BUS_FIXTURE_NO_DAEMON, test_networks);
    vb_polkit_add_test("/host-access/identity", rules, VB_BUS_FIXTURE_NO_DAEMON, test_identity);
    return g_test_run();
}
