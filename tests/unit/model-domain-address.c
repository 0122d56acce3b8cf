/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses: assigned once, never moved, never doubled, never beyond what the machine has; aliases.
 */
#include "model-fixture.h"

#include <string.h>

static VbDomainDef *define(const char *machine, const char *devices)
{
    g_autofree char *xml = model_document(machine, devices);

    return model_define(xml, VB_XML_NONE);
}

static void refuse(const char *machine, const char *devices, const char *one, const char *other)
{
    g_autofree char *xml = model_document(machine, devices);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    g_assert_false(vb_domain_def_assign_addresses(def, &error));
    model_assert_error(&error, VB_ERROR_INVALID_XML, one, other, NULL);
}

static void assert_pci(const VbDeviceInfo *info, const char *expected)
{
    g_autofree char *address = vb_device_address_to_string(&info->address);

    g_assert_cmpstr(address, ==, expected);
}

/* No two of a domain's PCI addresses are the same; counts them. */
static guint count_pci(const VbDomainDef *def)
{
    g_autofree char *dump = vb_domain_def_format(def, VB_FORMAT_NONE);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *at = dump;

    while ((at = strstr(at, "<address type='pci'"))) {
        const char *end = strstr(at, "function='0x");
        g_autofree char *address = g_strndup(at, (gsize)(end + strlen("function='0x0") - at));

        g_assert_true(g_hash_table_add(seen, g_strdup(address)));
        at = end;
    }
    return g_hash_table_size(seen);
}

#define VIRTIO_DISK(name)                                                                          \
    "<disk type='file'><source file='/" name ".img'/><target dev='" name "' bus='virtio'/></disk>"

static void test_pc(void)
{
    g_autoptr(VbDomainDef) def =
        define("pc", VIRTIO_DISK("vda") "<interface type='user'><model type='virtio'/></interface>"
                                        "<graphics type='vnc'/>"
                                        "<disk type='file'><source file='/aa'/>"
                                        "<target dev='hda'/></disk>");
    const VbControllerDef *root = vb_domain_def_find_controller(def, VB_CONTROLLER_PCI, 0);
    const VbControllerDef *usb = vb_domain_def_find_controller(def, VB_CONTROLLER_USB, 0);
    const VbControllerDef *ide = vb_domain_def_find_controller(def, VB_CONTROLLER_IDE, 0);

    g_assert_cmpint(root->model, ==, VB_CONTROLLER_MODEL_PCI_ROOT);
    g_assert_cmpstr(root->info.alias, ==, "pci.0");
    g_assert_cmpint(usb->model, ==, VB_CONTROLLER_MODEL_PIIX3_UHCI);
    g_assert_cmpstr(usb->info.alias, ==, "usb");
    assert_pci(&usb->info, "0000:00:01.2");
    assert_pci(&ide->info, "0000:00:01.1");
    assert_pci(&((VbVideoDef *)def->videos->pdata[0])->info, "0000:00:02.0");
    assert_pci(&((VbDiskDef *)def->disks->pdata[0])->info, "0000:00:03.0");
    assert_pci(&((VbDiskDef *)def->disks->pdata[1])->info, "drive 0:0:0:0");
    assert_pci(&((VbInterfaceDef *)def->interfaces->pdata[0])->info, "0000:00:04.0");
    assert_pci(&def->memballoon->info, "0000:00:05.0");
    g_assert_cmpuint(count_pci(def), ==, 6);
}

static void test_q35(void)
{
    g_autoptr(VbDomainDef) def =
        define("pc-q35-7.2", VIRTIO_DISK("vda") "<disk type='file'><source file='/aa'/>"
                                                "<target dev='sdb' bus='sata'/></disk>"
                                                "<disk type='file'><source file='/bb'/>"
                                                "<target dev='sda' bus='scsi'/></disk>"
                                                "<interface type='user'><model type='e1000'/>"
                                                "</interface><graphics type='vnc'/>");
    const VbControllerDef *root = vb_domain_def_find_controller(def, VB_CONTROLLER_PCI, 0);
    const VbControllerDef *port = vb_domain_def_find_controller(def, VB_CONTROLLER_PCI, 1);
    const VbControllerDef *sata = vb_domain_def_find_controller(def, VB_CONTROLLER_SATA, 0);
    const VbControllerDef *scsi = vb_domain_def_find_controller(def, VB_CONTROLLER_SCSI, 0);
    const VbControllerDef *usb = vb_domain_def_find_controller(def, VB_CONTROLLER_USB, 0);

    g_assert_cmpint(root->model, ==, VB_CONTROLLER_MODEL_PCIE_ROOT);
    g_assert_cmpstr(root->info.alias, ==, "pcie.0");
    g_assert_cmpint(port->model, ==, VB_CONTROLLER_MODEL_PCIE_ROOT_PORT);
    g_assert_cmpint(port->chassis, ==, 1);
    g_assert_cmpint(port->port, ==, 0x10);
    assert_pci(&port->info, "0000:00:02.0");
    g_assert_cmpint(port->info.address.pci.multifunction, ==, VB_TRISTATE_YES);
    g_assert_cmpint(usb->model, ==, VB_CONTROLLER_MODEL_QEMU_XHCI);
    g_assert_cmpint(scsi->model, ==, VB_CONTROLLER_MODEL_VIRTIO_SCSI);
    assert_pci(&sata->info, "0000:00:1f.2");
    assert_pci(&((VbVideoDef *)def->videos->pdata[0])->info, "0000:00:01.0");
    assert_pci(&((VbDiskDef *)def->disks->pdata[1])->info, "drive 0:0:0:1");
    /* No PCI Express: on the root bus itself. */
    g_assert_cmpuint(((VbInterfaceDef *)def->interfaces->pdata[0])->info.address.pci.bus, ==, 0);
    g_assert_cmpuint(((VbDiskDef *)def->disks->pdata[0])->info.address.pci.bus, >, 0);
}

static void test_aliases(void)
{
    g_autoptr(VbDomainDef) def = define(
        "pc",
        VIRTIO_DISK(
            "vdb") "<disk type='file'><source file='/aa'/><target dev='sdh' bus='scsi'/></disk>"
                   "<disk type='file'><source file='/bb'/><target dev='hdd' bus='ide'/></disk>"
                   "<disk type='file'><source file='/cc'/><target dev='sdb' bus='sata'/>"
                   "<alias name='ua-mine'/></disk>"
                   "<controller type='usb' model='ich9-ehci1'/>"
                   "<controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>"
                   "<interface type='user'/><interface type='user'><alias "
                   "name='ua-net0'/></interface>"
                   "<interface type='user'/><serial type='pty'/><console type='pty'/>"
                   "<console type='pty'><target type='virtio'/></console><parallel type='null'/>"
                   "<channel type='pty'><target type='virtio'/></channel><input "
                   "type='tablet'/><video/>"
                   "<rng model='virtio'><backend model='builtin'/></rng><watchdog "
                   "model='i6300esb'/>");
    struct {
        const GPtrArray *devices;
        const char *aliases[4];
    } expected[] = {
        {def->disks, {"virtio-disk1", "scsi1-0-0-0", "ide0-1-1", "ua-mine"}},
        {def->interfaces, {"net0", "ua-net0", "net1"}},
        {def->serials, {"serial0"}},
        {def->consoles, {"serial0", "console0"}},
        {def->parallels, {"parallel0"}},
        {def->channels, {"channel0"}},
        {def->inputs, {"input0", "input1", "input2"}},
        {def->videos, {"video0"}},
        {def->rngs, {"rng0"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
        for (gsize j = 0; j < 4 && expected[i].aliases[j]; j++) {
            /* `info` is the first member of every device. */
            const VbDeviceInfo *info = expected[i].devices->pdata[j];

            g_assert_cmpstr(info->alias, ==, expected[i].aliases[j]);
        }
    g_assert_cmpstr(def->memballoon->info.alias, ==, "balloon0");
    g_assert_cmpstr(def->watchdog->info.alias, ==, "watchdog0");
    g_assert_cmpstr(((VbControllerDef *)def->controllers->pdata[0])->info.alias, ==, "usb");
    g_assert_cmpstr(((VbControllerDef *)def->controllers->pdata[1])->info.alias, ==, "usb0-uhci1");
    g_assert_cmpstr(vb_domain_def_find_controller(def, VB_CONTROLLER_SCSI, 1)->info.alias, ==,
                    "scsi1");
    g_assert_cmpstr(vb_domain_def_find_controller(def, VB_CONTROLLER_VIRTIO_SERIAL, 0)->info.alias,
                    ==, "virtio-serial0");
}

/* A live document may name its devices as it likes, but not as the machine names its own. */
static void test_foreign_alias(void)
{
    g_autofree char *xml = model_document("pc", "<disk type='file'><source file='/aa'/>"
                                                "<target dev='vda'/><alias name='pci.0'/></disk>");
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_LIVE, &error);

    g_assert_no_error(error);
    g_assert_false(vb_domain_def_assign_addresses(def, &error));
    model_assert_error(&error, VB_ERROR_INVALID_XML, "'pci.0'", "disk vda", NULL);
}

/* Everything that a stored document has stays where it is when a device is put before the rest. */
static void test_never_moves(gconstpointer machine)
{
    static const char *const inserted = "<devices>" VIRTIO_DISK(
        "vdq") "<disk type='file'><source file='/ww'/><target dev='sda' bus='scsi'/></disk>"
               "<disk type='file'><source file='/xx'/><target dev='sdp' bus='sata'/></disk>"
               "<interface type='user'/><input type='mouse' bus='usb'/><input type='keyboard' "
               "bus='usb'/>"
               "<channel type='null'><target type='virtio'/></channel>"
               "<rng model='virtio'><backend model='builtin'/></rng>";
    g_autoptr(VbDomainDef) def = define(
        machine,
        VIRTIO_DISK(
            "vda") "<disk type='file'><source file='/aa'/><target dev='sdb' bus='scsi'/></disk>"
                   "<disk type='file'><source file='/bb'/><target dev='sdc' bus='sata'/></disk>"
                   "<interface type='user'><model type='virtio'/></interface><input type='tablet' "
                   "bus='usb'/>"
                   "<channel type='unix'><target type='virtio' name='a'/></channel><graphics "
                   "type='vnc'/>"
                   "<watchdog model='i6300esb'/>");
    g_autofree char *dump = vb_domain_def_format(def, VB_FORMAT_NONE);
    g_auto(GStrv) parts = g_strsplit(dump, "<devices>", 2);
    g_autofree char *edited = g_strconcat(parts[0], inserted, parts[1], NULL);
    g_autoptr(VbDomainDef) after = model_define(edited, VB_XML_NONE);

    g_assert_cmpuint(after->disks->len, ==, def->disks->len + 3);
    for (guint i = 0; i < def->disks->len; i++)
        g_assert_true(
            vb_device_address_equal(&((VbDiskDef *)def->disks->pdata[i])->info.address,
                                    &((VbDiskDef *)after->disks->pdata[i + 3])->info.address));
    for (guint i = 0; i < def->controllers->len; i++)
        g_assert_true(vb_device_address_equal(
            &((VbControllerDef *)def->controllers->pdata[i])->info.address,
            &((VbControllerDef *)after->controllers->pdata[i])->info.address));
    g_assert_true(
        vb_device_address_equal(&((VbInterfaceDef *)def->interfaces->pdata[0])->info.address,
                                &((VbInterfaceDef *)after->interfaces->pdata[1])->info.address));
    g_assert_true(vb_device_address_equal(&((VbInputDef *)def->inputs->pdata[0])->info.address,
                                          &((VbInputDef *)after->inputs->pdata[2])->info.address));
    g_assert_true(vb_device_address_equal(&((VbCharDef *)def->channels->pdata[0])->info.address,
                                          &((VbCharDef *)after->channels->pdata[1])->info.address));
    g_assert_true(vb_device_address_equal(&((VbVideoDef *)def->videos->pdata[0])->info.address,
                                          &((VbVideoDef *)after->videos->pdata[0])->info.address));
    g_assert_true(
        vb_device_address_equal(&def->watchdog->info.address, &after->watchdog->info.address));
    g_assert_true(
        vb_device_address_equal(&def->memballoon->info.address, &after->memballoon->info.address));
    g_assert_cmpuint(count_pci(after), >, count_pci(def));
}

/* More devices than the root bus has slots: bridges on pc, more root ports on q35. */
static void test_many(gconstpointer machine)
{
    g_autoptr(GString) devices = g_string_new(NULL);

    for (int i = 0; i < 100; i++)
        g_string_append_printf(devices,
                               "<disk type='file'><source file='/d%d'/>"
                               "<target dev='vd%c%c'/></disk>",
                               i, 'a' + i / 26, 'a' + i % 26);
    g_autoptr(VbDomainDef) def = define(machine, devices->str);
    g_autofree char *dump = vb_domain_def_format(def, VB_FORMAT_NONE);
    g_autofree char *message = NULL;
    guint bridges = 0;
    g_autoptr(GHashTable) chassis = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < def->controllers->len; i++) {
        const VbControllerDef *controller = def->controllers->pdata[i];

        if (controller->type != VB_CONTROLLER_PCI || controller->index == 0)
            continue;
        bridges++;
        g_assert_true(g_hash_table_add(chassis, GINT_TO_POINTER(controller->chassis)));
    }
    g_assert_cmpuint(bridges, ==, vb_domain_def_is_q35(def) ? 102 : 3);
    if (!model_is_valid(dump, &message))
        g_error("%s", message);
    count_pci(def);

    /* And a second definition of the dump changes nothing. */
    g_autoptr(VbDomainDef) again = model_define(dump, VB_XML_NONE);
    g_autofree char *second = vb_domain_def_format(again, VB_FORMAT_NONE);
    g_assert_cmpstr(dump, ==, second);
}

static void test_too_many(void)
{
    g_autoptr(GString) devices = g_string_new(NULL);

    for (int i = 0; i < 300; i++)
        g_string_append(devices, "<rng model='virtio'><backend model='builtin'/></rng>");
    refuse("q35", devices->str, "no PCI slot left", "rng");
}

static void test_usb(void)
{
    g_autoptr(VbDomainDef) def =
        define("pc", "<input type='tablet'/><input type='mouse' bus='usb'/>"
                     "<input type='keyboard' bus='usb'/>");
    const VbInputDef *third = def->inputs->pdata[2];

    /* The controller of the chipset has two ports. */
    g_assert_cmpuint(third->info.address.usb.bus, ==, 1);
    g_assert_cmpstr(third->info.address.usb.port, ==, "1");
    g_assert_nonnull(vb_domain_def_find_controller(def, VB_CONTROLLER_USB, 1));
    refuse("pc", "<controller type='usb' model='none'/><input type='tablet'/>", "needs USB",
           "input 0");
    refuse("pc", "<input type='tablet'><address type='usb' bus='0' port='3'/></input>", "port 3",
           "input 0");
    refuse("pc", "<input type='tablet'><address type='usb' bus='7' port='1'/></input>",
           "usb controller 7", "input 0");
}

static void test_multifunction(void)
{
    g_autoptr(VbDomainDef) def =
        define("pc", "<disk type='file'><source file='/aa'/><target dev='vda'/>"
                     "<address type='pci' slot='9' function='0'/></disk>"
                     "<disk type='file'><source file='/bb'/><target dev='vdb'/>"
                     "<address type='pci' slot='9' function='1'/></disk>");
    const VbDiskDef *first = def->disks->pdata[0];

    g_assert_cmpint(first->info.address.pci.multifunction, ==, VB_TRISTATE_YES);
    refuse("pc",
           "<disk type='file'><source file='/aa'/><target dev='vda'/>"
           "<address type='pci' slot='9' function='0' multifunction='off'/></disk>"
           "<disk type='file'><source file='/bb'/><target dev='vdb'/>"
           "<address type='pci' slot='9' function='1'/></disk>",
           "disk vda", "disk vdb");
}

static void test_conflicts(void)
{
#define AT(name, address)                                                                          \
    "<disk type='file'><source file='/" name ".img'/><target dev='" name "'/><address " address    \
    "/></disk>"
    refuse("pc", AT("vda", "type='pci' slot='5'") AT("vdb", "type='pci' slot='5'"), "disk vda",
           "disk vdb");
    refuse("pc", AT("vda", "type='pci' slot='0'"), "disk vda", "slots 0x01 to 0x1f");
    refuse("pc", AT("vda", "type='pci' slot='1'"), "disk vda", "the ISA bridge");
    refuse("pc", AT("vda", "type='pci' slot='1' function='1'"), "disk vda", "the IDE controller");
    refuse("pc", AT("vda", "type='pci' bus='2' slot='1'"), "disk vda", "no pci controller 2");
    refuse("q35", AT("vda", "type='pci' slot='0x1f' function='2'"), "disk vda",
           "controller sata 0");
    refuse("q35",
           "<controller type='pci' index='1' model='pcie-root-port'/>" AT(
               "vda", "type='pci' bus='1' slot='1'"),
           "disk vda", "slots 0x00 to 0x00");
    refuse("q35", "<controller type='sata' index='0'><address type='pci' slot='4'/></controller>",
           "sata 0", "built into the machine");
    refuse("pc", AT("sda", "type='drive' unit='1'") AT("sdb", "type='drive' unit='1'"), "disk sda",
           "disk sdb");
    refuse("pc", AT("sda", "type='drive' bus='1'"), "disk sda", "scsi");
    refuse("pc", AT("hda", "type='drive' bus='2'"), "disk hda", "ide");
    refuse("pc", AT("hda", "type='drive' controller='1'"), "disk hda", "ide");
    refuse("pc",
           "<channel type='null'><target type='virtio'/><address type='virtio-serial' port='1'/>"
           "</channel><channel type='null'><target type='virtio'/>"
           "<address type='virtio-serial' port='1'/></channel>",
           "channel 0", "channel 1");
    refuse("pc",
           "<channel type='null'><target type='virtio'/><address type='virtio-serial' port='0'/>"
           "</channel>",
           "channel 0", "port 0");
    refuse("pc",
           "<channel type='null'><target type='virtio'/><address type='virtio-serial' port='31'/>"
           "</channel>",
           "channel 0", "port 31");
    refuse("pc",
           "<input type='tablet'><address type='usb' bus='0' port='1'/></input>"
           "<input type='mouse' bus='usb'><address type='usb' bus='0' port='1'/></input>",
           "input 0 (tablet)", "input 1 (mouse)");
}

static void test_ide_is_full(void)
{
    refuse("pc",
           "<disk type='file'><source file='/aa'/><target dev='hda'/></disk>"
           "<disk type='file'><source file='/bb'/><target dev='hdb'/></disk>"
           "<disk type='file'><source file='/cc'/><target dev='hdc'/></disk>"
           "<disk type='file'><source file='/dd'/><target dev='hdd'/></disk>"
           "<disk type='file'><source file='/ee'/><target dev='hde'/></disk>",
           "no place left", "disk hde");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain-address/pc", test_pc);
    g_test_add_func("/domain-address/q35", test_q35);
    g_test_add_func("/domain-address/aliases", test_aliases);
    g_test_add_func("/domain-address/foreign-alias", test_foreign_alias);
    g_test_add_data_func("/domain-address/never-moves/pc", "pc", test_never_moves);
    g_test_add_data_func("/domain-address/never-moves/q35", "q35", test_never_moves);
    g_test_add_data_func("/domain-address/many/pc", "pc", test_many);
    g_test_add_data_func("/domain-address/many/q35", "q35", test_many);
    g_test_add_func("/domain-address/too-many", test_too_many);
    g_test_add_func("/domain-address/usb", test_usb);
    g_test_add_func("/domain-address/multifunction", test_multifunction);
    g_test_add_func("/domain-address/conflicts", test_conflicts);
    g_test_add_func("/domain-address/ide-is-full", test_ide_is_full);
    return g_test_run();
}
