/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A definition and its summary say the same; what is no summary is not taken for one. */
#include "domain-summary.h"

#include <string.h>

static const char *const document =
    "<domain type='test'><name>a</name><uuid>11111111-2222-4333-8444-555555555555</uuid>"
    "<title>A title</title><description>Some words</description>"
    "<memory unit='MiB'>64</memory><currentMemory unit='MiB'>32</currentMemory>"
    "<vcpu current='2'>4</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a.qcow2'/>"
    "<target dev='vda' bus='virtio'/><serial>S1</serial></disk>"
    "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
    "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'"
    " portgroup='p'/><model type='virtio'/><mtu size='1400'/><link state='down'/></interface>"
    "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/></interface>"
    "<graphics type='vnc' port='5905' autoport='no' listen='127.0.0.1'/>"
    "<graphics type='spice' autoport='yes'/></devices></domain>";

static VbDomainDef *parse(const char *xml)
{
    g_autoptr(GError) error = NULL;
    VbDomainDef *def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

static void test_same(void)
{
    g_autoptr(VbDomainDef) def = parse(document);
    g_autoptr(GBytes) packed = vb_domain_summary_pack(def, TRUE);
    gsize size;
    gconstpointer data = g_bytes_get_data(packed, &size);

    g_assert_true(vb_domain_summary_check(data, size));
    VbDomainSummary summary = vb_domain_summary_unpack(data);
    g_assert_cmpstr(summary.type, ==, "test");
    g_assert_cmpstr(summary.uuid, ==, def->uuid);
    g_assert_cmpstr(summary.name, ==, "a");
    g_assert_cmpstr(summary.title, ==, "A title");
    g_assert_cmpstr(summary.description, ==, "Some words");
    g_assert_cmpstr(summary.arch, ==, "x86_64");
    g_assert_cmpstr(summary.machine, ==, "q35");
    g_assert_cmpuint(summary.memory, ==, 64 * 1024 * 1024);
    g_assert_cmpuint(summary.current_memory, ==, 32 * 1024 * 1024);
    g_assert_cmpuint(summary.vcpus, ==, 2);
    g_assert_cmpuint(summary.vcpus_max, ==, 4);
    g_assert_true(summary.has_secrets);
    g_assert_cmpuint(summary.n_disks, ==, 2);
    g_assert_cmpuint(summary.n_interfaces, ==, 2);
    g_assert_cmpuint(summary.n_graphics, ==, 2);

    VbDiskSummary disk = vb_domain_summary_disk(&summary, 0);
    g_assert_cmpstr(disk.target, ==, "vda");
    g_assert_cmpstr(disk.device, ==, "disk");
    g_assert_cmpstr(disk.bus, ==, "virtio");
    g_assert_cmpstr(disk.source, ==, "/a.qcow2");
    g_assert_cmpstr(disk.type, ==, "file");
    g_assert_cmpstr(disk.format, ==, "qcow2");
    g_assert_cmpstr(disk.serial, ==, "S1");
    g_assert_false(disk.readonly);
    disk = vb_domain_summary_disk(&summary, 1);
    g_assert_cmpstr(disk.target, ==, "sda");
    g_assert_cmpstr(disk.device, ==, "cdrom");
    g_assert_null(disk.source);
    g_assert_null(disk.serial);
    g_assert_true(disk.readonly);

    VbInterfaceSummary interface = vb_domain_summary_interface(&summary, 0);
    g_assert_cmpstr(interface.mac, ==, "52:54:00:00:00:01");
    g_assert_cmpstr(interface.type, ==, "network");
    g_assert_cmpstr(interface.source, ==, "n");
    g_assert_cmpstr(interface.portgroup, ==, "p");
    g_assert_cmpstr(interface.model, ==, "virtio");
    g_assert_cmpstr(interface.link_state, ==, "down");
    g_assert_cmpuint(interface.mtu, ==, 1400);
    g_assert_null(interface.bridge);
    interface = vb_domain_summary_interface(&summary, 1);
    g_assert_cmpstr(interface.type, ==, "user");
    g_assert_null(interface.source);
    g_assert_null(interface.link_state);
    g_assert_cmpuint(interface.mtu, ==, 0);

    VbGraphicsSummary graphics = vb_domain_summary_graphics(&summary, 0);
    g_assert_cmpstr(graphics.type, ==, "vnc");
    g_assert_cmpstr(graphics.address, ==, "127.0.0.1");
    g_assert_cmpuint(graphics.port, ==, 5905);
    graphics = vb_domain_summary_graphics(&summary, 1);
    g_assert_cmpstr(graphics.type, ==, "spice");
    g_assert_cmpuint(graphics.port, ==, 0);
}

static void test_nothing(void)
{
    g_autoptr(VbDomainDef) def = parse("<domain type='test'><name>a</name><memory>65536</memory>"
                                       "<os><type>hvm</type></os></domain>");
    g_autoptr(GBytes) packed = vb_domain_summary_pack(def, FALSE);
    VbDomainSummary summary = vb_domain_summary_unpack(g_bytes_get_data(packed, NULL));

    g_assert_true(vb_domain_summary_check(summary.packed, g_bytes_get_size(packed)));
    g_assert_null(summary.title);
    g_assert_null(summary.description);
    g_assert_false(summary.has_secrets);
    g_assert_cmpuint(summary.n_disks + summary.n_interfaces + summary.n_graphics, ==, 0);
}

/* Every prefix of it, in memory of exactly that size. */
static void test_cut(void)
{
    g_autoptr(VbDomainDef) def = parse(document);
    g_autoptr(GBytes) packed = vb_domain_summary_pack(def, FALSE);
    gsize size;
    gconstpointer data = g_bytes_get_data(packed, &size);

    for (gsize length = 0; length < size; length++) {
        g_autofree char *cut = g_memdup2(data, MAX(length, 1));

        g_assert_false(vb_domain_summary_check(cut, length));
    }
}

/* Whatever a word of it says: it is refused, or can be read from end to end. */
static void test_wrong_words(void)
{
    static const guint32 words[] = {0, 1, 71, 72, 300, 0x7fffffff, 0xffffffff};
    g_autoptr(VbDomainDef) def = parse(document);
    g_autoptr(GBytes) packed = vb_domain_summary_pack(def, FALSE);
    gsize size, total = 0;
    gconstpointer data = g_bytes_get_data(packed, &size);

    for (gsize at = 0; at + sizeof words[0] <= size; at += sizeof words[0])
        for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
            g_autofree char *wrong = g_memdup2(data, size);
            memcpy(wrong + at, &words[i], sizeof words[i]);
            if (!vb_domain_summary_check(wrong, size))
                continue;
            VbDomainSummary summary = vb_domain_summary_unpack(wrong);
            total += strlen(summary.name) + strlen(summary.machine);
            for (guint d = 0; d < summary.n_disks; d++) {
                VbDiskSummary disk = vb_domain_summary_disk(&summary, d);
                total += disk.source ? strlen(disk.source) : 0;
            }
            for (guint n = 0; n < summary.n_interfaces; n++) {
                VbInterfaceSummary interface = vb_domain_summary_interface(&summary, n);
                total += interface.link_state ? strlen(interface.link_state) : 0;
            }
            for (guint g = 0; g < summary.n_graphics; g++) {
                VbGraphicsSummary graphics = vb_domain_summary_graphics(&summary, g);
                total += graphics.address ? strlen(graphics.address) : 0;
            }
        }
    g_assert_cmpuint(total, >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain-summary/same", test_same);
    g_test_add_func("/domain-summary/nothing", test_nothing);
    g_test_add_func("/domain-summary/cut", test_cut);
    g_test_add_func("/domain-summary/wrong-words", test_wrong_words);
    return g_test_run();
}
