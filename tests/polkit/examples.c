/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The example rules as they are shipped: what each allows, and that it allows nothing else. */
#include "polkit-fixture.h"

#define INTERACTIVE "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

/* Where nothing is handled by the rules, the defaults ask for a password. */
static void assert_not_handled(VbBusClient *client, const char *path, const char *interface,
                               const char *method, const char *params)
{
    g_autofree char *text = NULL;

    g_test_message("%s.%s%s of %s", interface, method, params, path);
    text = vb_bus_client_call_error(client, path, interface, method, g_variant_new_parsed(params),
                                    INTERACTIVE);
}

static void allowed(VbBusClient *client, const char *path, const char *interface,
                    const char *method, const char *params)
{
    g_autoptr(GVariant) reply = NULL;

    g_test_message("%s.%s%s of %s", interface, method, params, path);
    reply = vb_bus_client_call(client, path, interface, method, g_variant_new_parsed(params));
}

static char *define(const VbPolkitWorld *world, const char *name)
{
    g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);

    return vb_bus_client_define(world->root, xml);
}

/* ---- lab-operators.rules ----------------------------------------------------------------------
 */

static void test_lab(const VbPolkitWorld *world)
{
    static const char *const operations[] = {"Start",  "Suspend", "Resume",
                                             "Reboot", "Reset",   "Destroy"};
    static const char *const others[] = {"prod", "lab", "Lab-1", "prod-lab-1", " lab-1"};
    g_autofree char *lab = define(world, "lab-1");
    g_autoptr(VbBusClient) bob = vb_bus_client_new_as(world->fixture, VB_POLKIT_BOB);

    for (guint i = 0; i < G_N_ELEMENTS(operations); i++) {
        assert_not_handled(bob, lab, VB_IFACE_DOMAIN, operations[i], "(@a{sv} {},)");
        allowed(world->alice, lab, VB_IFACE_DOMAIN, operations[i], "(@a{sv} {},)");
    }
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *other = define(world, others[i]);

        assert_not_handled(world->alice, other, VB_IFACE_DOMAIN, "Start", "(@a{sv} {},)");
    }
    assert_not_handled(world->alice, lab, VB_IFACE_DOMAIN, "GetXml", "(@a{sv} {},)");
    assert_not_handled(world->alice, lab, VB_IFACE_DOMAIN, "Undefine", "(@a{sv} {},)");
    assert_not_handled(world->alice, lab, VB_IFACE_DOMAIN, "SetAutostart", "(true, @a{sv} {})");
    assert_not_handled(world->alice, lab, VB_IFACE_BLOCK, "Pull", "('vda', @a{sv} {})");
}

/* ---- backup-user.rules ------------------------------------------------------------------------
 */

#define DISK(name)                                                                                 \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"                           \
    "<source file='/images/" name ".qcow2'/><target dev='" name "' bus='virtio'/></disk>"

static const char two_disks[] =
    "<domain type='test'><name>vm</name><memory>65536</memory>"
    "<os><type>hvm</type></os><devices>" DISK("vda") DISK("vdb") "</devices></domain>";

#define TARGET(disk, path)                                                                         \
    "<disk name=\"" disk "\" type=\"file\"><target file=\"" path "\"/></disk>"
#define BACKUP(disks) "('<domainbackup><disks>" disks "</disks></domainbackup>', @a{sv} {})"
#define COPY(path) "('vda', '<disk type=\"file\"><source file=\"" path "\"/></disk>', @a{sv} {})"

static void test_backup(const VbPolkitWorld *world)
{
    static const char *const elsewhere[] = {
        BACKUP(TARGET("vda", "/etc/passwd")),
        BACKUP(TARGET("vda", "/srv/backups/vda.qcow2")),
        BACKUP(TARGET("vda", "/srv/backup/../vda.qcow2")),
        BACKUP(TARGET("vda", "/srv/backup/vda.qcow2") TARGET("vdb", "/etc/passwd")),
        BACKUP(TARGET("vda", "/etc/passwd") TARGET("vdb", "/srv/backup/vdb.qcow2")),
    };
    g_autoptr(VbBusClient) backup = vb_bus_client_new_as(world->fixture, VB_POLKIT_BACKUP);
    g_autofree char *domain = vb_bus_client_define(world->root, two_disks);
    g_autoptr(GVariant) pulled = NULL;
    const char *job;

    assert_not_handled(backup, domain, VB_IFACE_DOMAIN, "Start", "(@a{sv} {},)");
    vb_bus_client_do(world->root, domain, VB_IFACE_DOMAIN, "Start");
    for (guint i = 0; i < G_N_ELEMENTS(elsewhere); i++)
        assert_not_handled(backup, domain, VB_IFACE_BLOCK, "Backup", elsewhere[i]);
    assert_not_handled(backup, domain, VB_IFACE_BLOCK, "Copy", COPY("/srv/backup/vda.qcow2"));
    assert_not_handled(backup, domain, VB_IFACE_DOMAIN, "Destroy", "(@a{sv} {},)");
    assert_not_handled(backup, domain, VB_IFACE_DOMAIN, "GetXml", "(@a{sv} {},)");
    assert_not_handled(backup, domain, VB_IFACE_DOMAIN, "Undefine", "(@a{sv} {},)");
    assert_not_handled(world->alice, domain, VB_IFACE_BLOCK, "Pull", "('vda', @a{sv} {})");

    pulled = vb_bus_client_call(backup, domain, VB_IFACE_BLOCK, "Pull",
                                g_variant_new_parsed("('vda', @a{sv} {})"));
    g_variant_get(pulled, "(&o)", &job);
    assert_not_handled(world->alice, job, VB_IFACE_JOB, "Cancel", "(@a{sv} {},)");
    allowed(backup, job, VB_IFACE_JOB, "Pause", "(@a{sv} {},)");
    allowed(backup, job, VB_IFACE_JOB, "Cancel", "(@a{sv} {},)");
    allowed(backup, domain, VB_IFACE_BLOCK, "Backup",
            BACKUP(TARGET("vda", "/srv/backup/vda.qcow2") TARGET("vdb", "/srv/backup/vdb.qcow2")));
    allowed(backup, domain, VB_IFACE_BLOCK, "AbortJob", "('vda', @a{sv} {})");
}

int main(int argc, char **argv)
{
    g_autofree char *lab = vb_polkit_read_example("lab-operators.rules");
    g_autofree char *backup = vb_polkit_read_example("backup-user.rules");

    g_test_init(&argc, &argv, NULL);
    vb_polkit_add_test("/examples/lab-operators", lab, VB_BUS_FIXTURE_NONE, test_lab);
    vb_polkit_add_test("/examples/backup-user", backup, VB_BUS_FIXTURE_NONE, test_backup);
    return g_test_run();
}
