/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See qemu-command-caps.h. */
#include "qemu-command-caps.h"

#include "qmp-args.h"

static const char *const types[] = {
    "ich9-ahci",
    "bochs-display",
    "chardev-file",
    "chardev-null",
    "chardev-pty",
    "chardev-socket",
    "chardev-spicevmc",
    "cirrus-vga",
    "e1000",
    "e1000e",
    "i6300esb",
    "ich9-usb-ehci1",
    "ich9-usb-uhci1",
    "ich9-usb-uhci2",
    "ich9-usb-uhci3",
    "ide-cd",
    "ide-hd",
    "isa-parallel",
    "isa-serial",
    "nec-usb-xhci",
    "pci-bridge",
    "pci-serial",
    "pcie-pci-bridge",
    "pcie-root-port",
    "piix3-usb-uhci",
    "qemu-xhci",
    "qxl",
    "qxl-vga",
    "rng-builtin",
    "rng-random",
    "rtl8139",
    "scsi-cd",
    "scsi-hd",
    "secondary-vga",
    "usb-kbd",
    "usb-mouse",
    "usb-serial",
    "usb-tablet",
    "VGA",
    "virtconsole",
    "virtio-balloon-pci",
    "virtio-blk-pci",
    "virtio-gpu-pci",
    "virtio-keyboard-pci",
    "virtio-mouse-pci",
    "virtio-net-pci",
    "virtio-rng-pci",
    "virtio-scsi-pci",
    "virtio-serial-pci",
    "virtio-tablet-pci",
    "virtio-vga",
    "virtserialport",
};

static const char *const cpus[] = {"qemu64", "max", "host", "Haswell"};

static JsonArray *named(const char *const *names, gsize n, const char *without)
{
    JsonArray *array = json_array_new();

    for (gsize i = 0; i < n; i++)
        if (g_strcmp0(names[i], without) != 0)
            json_array_add_object_element(array, vb_qmp_args(VB_ARG_STRING("name", names[i])));
    return array;
}

static JsonObject *machine(const char *name, const char *alias)
{
    return vb_qmp_args(VB_ARG_STRING("name", name), VB_ARG_STRING("alias", alias),
                       VB_ARG_INT("cpu-max", 255), VB_ARG_STRING("default-ram-id", "pc.ram"),
                       VB_ARG_STRING("default-cpu-type", "qemu64-x86_64-cpu"),
                       VB_ARG_BOOL("hotpluggable-cpus", TRUE));
}

VbQemuCaps *test_caps_new_without(const char *what, guint version)
{
    static const char *const commands[] = {"query-status"};
    JsonArray *machines = json_array_new();
    g_autoptr(GError) error = NULL;

    json_array_add_object_element(machines, machine("pc-i440fx-7.2", "pc"));
    if (g_strcmp0(what, "pc-q35-7.2") != 0)
        json_array_add_object_element(machines, machine("pc-q35-7.2", "q35"));
    g_autoptr(JsonObject) replies = vb_qmp_args(
        VB_ARG_OBJECT(
            "query-version",
            vb_qmp_args(VB_ARG_STRING("package", ""),
                        VB_ARG_OBJECT(
                            "qemu", vb_qmp_args(VB_ARG_INT("major", version ? version : 7),
                                                VB_ARG_INT("minor", 2), VB_ARG_INT("micro", 0))))),
        VB_ARG_OBJECT("query-target", vb_qmp_args(VB_ARG_STRING("arch", "x86_64"))),
        VB_ARG_ARRAY("query-machines", machines),
        VB_ARG_ARRAY("query-commands", named(commands, G_N_ELEMENTS(commands), NULL)),
        VB_ARG_ARRAY("qom-list-types", named(types, G_N_ELEMENTS(types), what)),
        VB_ARG_ARRAY("query-cpu-definitions", named(cpus, G_N_ELEMENTS(cpus), what)));
    VbQemuCaps *caps = vb_qemu_caps_new(replies, &error);
    g_assert_no_error(error);
    return caps;
}

VbQemuCaps *test_caps_new(void)
{
    return test_caps_new_without(NULL, 0);
}
