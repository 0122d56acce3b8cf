/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the list of a domain's devices and what kind of address each wants. */
#include "device-list.h"

static void ref_clear(gpointer data)
{
    VbDeviceRef *ref = data;

    g_free(ref->name);
}

static void add(GArray *list, VbDeviceInfo *info, gpointer device, VbAddressType wants,
                gboolean conventional, const char *alias, char *name)
{
    VbDeviceRef ref = {info, name, device, alias, wants, conventional};

    g_array_append_val(list, ref);
}

static void add_controller(GArray *list, VbControllerDef *controller)
{
    VbAddressType wants = VB_ADDRESS_PCI;
    gboolean conventional = FALSE;

    switch (controller->model) {
    case VB_CONTROLLER_MODEL_PCI_ROOT:
    case VB_CONTROLLER_MODEL_PCIE_ROOT:
    case VB_CONTROLLER_MODEL_NONE:
        wants = VB_ADDRESS_NONE;
        break;
    case VB_CONTROLLER_MODEL_PCI_BRIDGE:
    case VB_CONTROLLER_MODEL_PIIX3_UHCI:
    case VB_CONTROLLER_MODEL_ICH9_EHCI1:
    case VB_CONTROLLER_MODEL_ICH9_UHCI1:
    case VB_CONTROLLER_MODEL_ICH9_UHCI2:
    case VB_CONTROLLER_MODEL_ICH9_UHCI3:
        conventional = TRUE;
        break;
    default:
        conventional =
            controller->type == VB_CONTROLLER_SATA || controller->type == VB_CONTROLLER_IDE;
        break;
    }
    const char *model = vb_controller_model_to_string(controller->model);
    add(list, &controller->info, controller, wants, conventional, NULL,
        g_strdup_printf("controller %s %u%s%s", vb_controller_type_to_string(controller->type),
                        controller->index, model ? " " : "", model ? model : ""));
}

static void add_char(GArray *list, VbCharDef *device, guint i)
{
    VbAddressType wants = VB_ADDRESS_NONE;

    if (device->target == VB_CHAR_TARGET_SERIAL)
        return;
    if (device->target == VB_CHAR_TARGET_VIRTIO)
        wants = VB_ADDRESS_VIRTIO_SERIAL;
    else if (device->target == VB_CHAR_TARGET_USB_SERIAL)
        wants = VB_ADDRESS_USB;
    else if (device->target == VB_CHAR_TARGET_PCI_SERIAL)
        wants = VB_ADDRESS_PCI;
    const char *kind = vb_char_kind_to_string(device->kind);
    add(list, &device->info, device, wants, TRUE, kind, g_strdup_printf("%s %u", kind, i));
}

static void add_input(GArray *list, VbInputDef *input, guint i)
{
    VbAddressType wants = VB_ADDRESS_NONE;

    if (input->bus == VB_INPUT_BUS_USB)
        wants = VB_ADDRESS_USB;
    else if (input->bus == VB_INPUT_BUS_VIRTIO)
        wants = VB_ADDRESS_PCI;
    add(list, &input->info, input, wants, FALSE, "input",
        g_strdup_printf("input %u (%s)", i, vb_input_type_to_string(input->type)));
}

GArray *vb_domain_def_list_devices(const VbDomainDef *def)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(VbDeviceRef));

    g_array_set_clear_func(list, ref_clear);
    for (guint i = 0; i < def->controllers->len; i++)
        add_controller(list, def->controllers->pdata[i]);
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];

        add(list, &disk->info, disk,
            disk->bus == VB_DISK_BUS_VIRTIO ? VB_ADDRESS_PCI : VB_ADDRESS_DRIVE, FALSE, NULL,
            g_strdup_printf("disk %s", disk->target));
    }
    for (guint i = 0; i < def->interfaces->len; i++) {
        VbInterfaceDef *interface = def->interfaces->pdata[i];

        add(list, &interface->info, interface, VB_ADDRESS_PCI,
            interface->model == VB_INTERFACE_MODEL_E1000 ||
                interface->model == VB_INTERFACE_MODEL_RTL8139,
            "net", g_strdup_printf("interface %s", interface->mac));
    }
    GPtrArray *chars[] = {def->serials, def->parallels, def->consoles, def->channels};
    for (gsize kind = 0; kind < G_N_ELEMENTS(chars); kind++)
        for (guint i = 0; i < chars[kind]->len; i++)
            add_char(list, chars[kind]->pdata[i], i);
    for (guint i = 0; i < def->inputs->len; i++)
        add_input(list, def->inputs->pdata[i], i);
    for (guint i = 0; i < def->videos->len; i++) {
        VbVideoDef *video = def->videos->pdata[i];

        if (video->type != VB_VIDEO_NONE)
            add(list, &video->info, video, VB_ADDRESS_PCI, video->type != VB_VIDEO_VIRTIO, "video",
                g_strdup_printf("video %u", i));
    }
    for (guint i = 0; i < def->rngs->len; i++) {
        VbRngDef *rng = def->rngs->pdata[i];

        add(list, &rng->info, rng, VB_ADDRESS_PCI, FALSE, "rng", g_strdup_printf("rng %u", i));
    }
    if (def->memballoon && def->memballoon->model != VB_MEMBALLOON_NONE)
        add(list, &def->memballoon->info, def->memballoon, VB_ADDRESS_PCI, FALSE, "balloon",
            g_strdup("memballoon"));
    if (def->watchdog)
        add(list, &def->watchdog->info, def->watchdog, VB_ADDRESS_PCI, TRUE, "watchdog",
            g_strdup("watchdog"));
    return list;
}
