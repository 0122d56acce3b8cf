/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is refused when a domain is defined, and that the message names it. */
#include "error.h"
#include "qemu-command-caps.h"
#include "qemu-command.h"

#include <string.h>

static VbDomainDef *parse(const char *type, const char *machine, const char *top,
                          const char *devices)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *xml =
        g_strdup_printf("<domain type='%s'><name>d</name><memory>65536</memory>"
                        "<os><type arch='x86_64' machine='%s'>hvm</type></os>%s<devices>"
                        "<emulator>/usr/bin/qemu-system-x86_64</emulator>%s</devices></domain>",
                        type, machine, top, devices);
    VbDomainDef *def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

static void assert_accepted(const VbDomainDef *def)
{
    g_autoptr(VbQemuCaps) caps = test_caps_new();
    g_autoptr(GError) error = NULL;
    gboolean accepted = vb_qemu_command_check(def, caps, &error);

    g_assert_no_error(error);
    g_assert_true(accepted);
}

static void assert_refused_by(const VbDomainDef *def, VbQemuCaps *caps, const char *word)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(vb_qemu_command_check(def, caps, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    if (!strstr(error->message, word))
        g_error("'%s' is not in: %s", word, error->message);
}

static void assert_refused(const char *type, const char *top, const char *devices, const char *word)
{
    g_autoptr(VbQemuCaps) caps = test_caps_new();
    g_autoptr(VbDomainDef) def = parse(type, "pc", top, devices);

    assert_refused_by(def, caps, word);
}

static void test_missing(void)
{
    static const struct {
        const char *missing, *machine, *devices;
    } cases[] = {
        {"virtio-blk-pci", "pc", "<disk type='file'><source file='/a'/><target dev='vda'/></disk>"},
        {"scsi-cd", "pc", "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>"},
        {"ide-hd", "pc", "<disk type='file'><source file='/a'/><target dev='hda'/></disk>"},
        {"rtl8139", "pc", "<interface type='user'><model type='rtl8139'/></interface>"},
        {"e1000e", "q35", "<interface type='user'><model type='e1000e'/></interface>"},
        {"chardev-pty", "pc", "<serial type='pty'/>"},
        {"chardev-socket", "pc", "<serial type='unix'><source mode='bind' path='/a'/></serial>"},
        {"isa-serial", "pc", "<serial type='null'/>"},
        {"virtconsole", "pc", "<console type='pty'><target type='virtio'/></console>"},
        {"virtio-vga", "pc", "<video><model type='virtio'/></video>"},
        {"virtio-tablet-pci", "pc", "<input type='tablet' bus='virtio'/>"},
        {"rng-builtin", "pc", "<rng model='virtio'><backend model='builtin'/></rng>"},
        {"virtio-balloon-pci", "pc", "<memballoon model='virtio'/>"},
        {"i6300esb", "pc", "<watchdog model='i6300esb'/>"},
        {"nec-usb-xhci", "pc", "<controller type='usb' model='nec-xhci'/>"},
        {"pcie-root-port", "q35", "<controller type='pci' index='1' model='pcie-root-port'/>"},
        {"pc-q35-7.2", "pc-q35-7.2", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(VbDomainDef) def = parse("qemu", cases[i].machine, "", cases[i].devices);
        g_autoptr(VbQemuCaps) lacking = test_caps_new_without(cases[i].missing, 0);
        assert_accepted(def);
        assert_refused_by(def, lacking, cases[i].missing);
    }
}

static void test_cpu(void)
{
    g_autoptr(VbQemuCaps) caps = test_caps_new();
    g_autoptr(VbDomainDef) model =
        parse("qemu", "pc", "<cpu mode='custom'><model>Haswell</model></cpu>", "");
    g_autoptr(VbQemuCaps) lacking = test_caps_new_without("Haswell", 0);
    g_autoptr(VbDomainDef) host = parse("kvm", "pc", "<cpu mode='host-passthrough'/>", "");

    assert_accepted(model);
    assert_refused_by(model, lacking, "Haswell");
    assert_accepted(host);
    assert_refused("qemu", "<cpu mode='host-passthrough'/>", "", "host-passthrough");
    assert_refused("qemu", "<features><hyperv><relaxed state='on'/></hyperv></features>", "",
                   "relaxed");
    assert_refused("qemu", "<vcpu>256</vcpu>", "", "255");
}

/* A feature's name goes into an option that has no quoting. */
static void test_cpu_feature_name(void)
{
    g_autoptr(VbDomainDef) def = parse(
        "qemu", "pc",
        "<cpu mode='custom'><model>qemu64</model><feature policy='require' name='avx'/></cpu>", "");
    g_autoptr(VbQemuCaps) caps = test_caps_new();
    VbCpuFeature *feature = def->cpu.features->pdata[0];

    assert_accepted(def);
    g_free(feature->name);
    feature->name = g_strdup("avx,host-cache-info=on");
    assert_refused_by(def, caps, "avx,host-cache-info=on");
}

static void test_clock(void)
{
    assert_refused("qemu", "<clock offset='utc'><timer name='kvmclock'/></clock>", "", "kvmclock");
    assert_refused("qemu", "<clock offset='utc'><timer name='pit' tickpolicy='merge'/></clock>", "",
                   "pit");
    assert_refused("qemu", "<clock offset='utc'><timer name='rtc' present='no'/></clock>", "",
                   "rtc");
}

static void test_lifecycle(void)
{
    assert_refused("qemu", "<on_poweroff>preserve</on_poweroff>", "", "preserve");
    assert_refused("qemu", "<on_reboot>rename-restart</on_reboot>", "", "rename-restart");
    assert_refused("qemu", "<on_crash>coredump-destroy</on_crash>", "", "coredump-destroy");
    assert_refused("qemu", "<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>", "",
                   "on_reboot");
}

/* For some kernels QEMU would take it for two paths. */
static void test_initrd(void)
{
    g_autoptr(VbDomainDef) def = parse("qemu", "pc", "", "");
    g_autoptr(VbQemuCaps) caps = test_caps_new();

    def->os.kernel = g_strdup("/images/kernel");
    def->os.initrd = g_strdup("/images/initrd");
    assert_accepted(def);
    g_free(def->os.initrd);
    def->os.initrd = g_strdup("/images/initrd,/etc/shadow");
    assert_refused_by(def, caps, "comma");
}

static void test_readonly(void)
{
    assert_refused("qemu", "",
                   "<disk type='file'><source file='/a'/><target dev='hda'/><readonly/></disk>",
                   "hda");
}

static void test_graphics(void)
{
    g_autoptr(VbQemuCaps) lacking = test_caps_new_without("chardev-spicevmc", 0);
    g_autoptr(VbDomainDef) spice = parse("qemu", "pc", "", "<graphics type='spice'/>");

    assert_accepted(spice);
    assert_refused_by(spice, lacking, "SPICE");
    assert_refused("qemu", "", "<graphics type='spice' tlsPort='5901' autoport='no'/>", "TLS");
}

static void test_version(void)
{
    g_autoptr(VbDomainDef) def = parse("qemu", "pc", "", "");
    g_autoptr(VbQemuCaps) old = test_caps_new_without(NULL, 5);

    assert_refused_by(def, old, "5.2");
}

/* The socket to passt is a kind of network backend that QEMU has since 7.2. */
static void test_passt(void)
{
    static const char passt[] = "<interface type='user'><backend type='passt'/></interface>";
    g_autoptr(VbDomainDef) def = parse("qemu", "pc", "", passt);
    g_autoptr(VbDomainDef) builtin = parse("qemu", "pc", "", "<interface type='user'/>");
    g_autoptr(VbQemuCaps) old = test_caps_new_without(NULL, 6);
    g_autoptr(GError) error = NULL;

    assert_accepted(def);
    assert_refused_by(def, old,
                      "passt needs QEMU 7.2 or newer, and /usr/bin/qemu-system-x86_64 is 6.2");
    g_assert_true(vb_qemu_command_check(builtin, old, &error));
    g_assert_no_error(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu-command/check/missing", test_missing);
    g_test_add_func("/qemu-command/check/cpu", test_cpu);
    g_test_add_func("/qemu-command/check/cpu-feature-name", test_cpu_feature_name);
    g_test_add_func("/qemu-command/check/clock", test_clock);
    g_test_add_func("/qemu-command/check/lifecycle", test_lifecycle);
    g_test_add_func("/qemu-command/check/readonly", test_readonly);
    g_test_add_func("/qemu-command/check/initrd", test_initrd);
    g_test_add_func("/qemu-command/check/graphics", test_graphics);
    g_test_add_func("/qemu-command/check/version", test_version);
    g_test_add_func("/qemu-command/check/passt", test_passt);
    return g_test_run();
}
