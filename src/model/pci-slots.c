/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the map of PCI slots of a domain while addresses are assigned. How devices are placed: on pc
 * each takes a slot of the root bus, the last of which is kept for a bridge; on q35 what speaks PCI
 * Express takes a root port, and root ports share slots of the root bus, eight in each. */
#include "pci-slots.h"

#include "error.h"

#define N_BUSES 256
#define N_SLOTS 32
#define N_FUNCTIONS 8

typedef struct {
    gboolean exists;
    VbControllerModel model;
    guint min_slot, max_slot;
    char *names[N_SLOTS][N_FUNCTIONS];         /* who is there; NULL: nobody */
    VbDeviceInfo *infos[N_SLOTS][N_FUNCTIONS]; /* NULL: built into the machine */
    gboolean root_ports[N_SLOTS];              /* nothing but root ports is in it */
} Bus;

struct VbPciSlots {
    VbDomainDef *def;
    gboolean q35;
    Bus *buses[N_BUSES]; /* by the index of their controller; NULL: there is none */
};

static gboolean exists(const Bus *bus)
{
    return bus && bus->exists;
}

static gboolean slot_is_free(const Bus *bus, guint slot)
{
    for (guint function = 0; function < N_FUNCTIONS; function++)
        if (bus->names[slot][function])
            return FALSE;
    return TRUE;
}

static guint count_free(const Bus *bus)
{
    guint count = 0;

    for (guint slot = bus->min_slot; slot <= bus->max_slot; slot++)
        count += slot_is_free(bus, slot);
    return count;
}

static void add_bus(VbPciSlots *slots, const VbControllerDef *controller)
{
    Bus *bus = slots->buses[controller->index];

    if (!bus)
        bus = slots->buses[controller->index] = g_new0(Bus, 1);
    bus->exists = TRUE;
    bus->model = controller->model;
    bus->min_slot = controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT_PORT ? 0 : 1;
    bus->max_slot = controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT_PORT ? 0 : N_SLOTS - 1;
}

static void take_builtin(VbPciSlots *slots, guint slot, guint function, const char *name)
{
    slots->buses[0]->names[slot][function] = g_strdup(name);
}

VbPciSlots *vb_pci_slots_new(VbDomainDef *def)
{
    VbPciSlots *slots = g_new0(VbPciSlots, 1);

    slots->def = def;
    slots->q35 = vb_domain_def_is_q35(def);
    /* The machine's own devices are there before its root bus is asked for. */
    slots->buses[0] = g_new0(Bus, 1);
    for (guint i = 0; i < def->controllers->len; i++) {
        const VbControllerDef *controller = def->controllers->pdata[i];

        if (controller->type == VB_CONTROLLER_PCI && controller->index < N_BUSES)
            add_bus(slots, controller);
    }
    take_builtin(slots, 0x00, 0, "the host bridge");
    if (slots->q35) {
        take_builtin(slots, 0x1f, 0, "the ISA bridge");
        take_builtin(slots, 0x1f, 3, "the SMBus");
    } else {
        take_builtin(slots, 0x01, 0, "the ISA bridge");
        take_builtin(slots, 0x01, 3, "the power management");
        if (!vb_domain_def_find_controller(def, VB_CONTROLLER_IDE, 0))
            take_builtin(slots, 0x01, 1, "the IDE controller");
    }
    return slots;
}

void vb_pci_slots_free(VbPciSlots *slots)
{
    if (!slots)
        return;
    for (guint bus = 0; bus < N_BUSES; bus++) {
        for (guint slot = 0; slots->buses[bus] && slot < N_SLOTS; slot++)
            for (guint function = 0; function < N_FUNCTIONS; function++)
                g_free(slots->buses[bus]->names[slot][function]);
        g_free(slots->buses[bus]);
    }
    g_free(slots);
}

/* The controller that is to have the address is a root port if `is_root_port`. */
static gboolean reserve(VbPciSlots *slots, VbDeviceInfo *info, const char *name,
                        gboolean is_root_port, GError **error)
{
    const VbPciAddress *pci = &info->address.pci;
    g_autofree char *where = vb_device_address_to_string(&info->address);
    Bus *bus = slots->buses[pci->bus];

    if (!exists(bus)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                    "%s is at %s, but there is no pci controller %u", name, where, pci->bus);
        return FALSE;
    }
    if (pci->slot < bus->min_slot || pci->slot > bus->max_slot) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                    "%s is at %s, but pci controller %u has the slots 0x%02x to 0x%02x", name,
                    where, pci->bus, bus->min_slot, bus->max_slot);
        return FALSE;
    }
    char **taken = &bus->names[pci->slot][pci->function];
    if (*taken) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML, "%s and %s are both at %s", *taken, name,
                    where);
        return FALSE;
    }
    bus->root_ports[pci->slot] =
        is_root_port && (slot_is_free(bus, pci->slot) || bus->root_ports[pci->slot]);
    *taken = g_strdup(name);
    bus->infos[pci->slot][pci->function] = info;
    return TRUE;
}

static gboolean is_root_port(const VbPciSlots *slots, const VbDeviceInfo *info)
{
    for (guint i = 0; i < slots->def->controllers->len; i++) {
        const VbControllerDef *controller = slots->def->controllers->pdata[i];

        if (&controller->info == info)
            return controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT_PORT;
    }
    return FALSE;
}

gboolean vb_pci_slots_reserve(VbPciSlots *slots, VbDeviceInfo *info, const char *name,
                              GError **error)
{
    return reserve(slots, info, name, is_root_port(slots, info), error);
}

static void set_address(VbDeviceInfo *info, guint bus, guint slot, guint function)
{
    info->address.type = VB_ADDRESS_PCI;
    info->address.pci = (VbPciAddress){.bus = bus, .slot = slot, .function = function};
}

static gboolean no_room(const char *name, GError **error)
{
    g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML, "there is no PCI slot left for %s", name);
    return FALSE;
}

/* Places a device in a whole slot of `bus`. FALSE when there is none (no error is set). */
static gboolean place_in_bus(VbPciSlots *slots, guint index, guint keep, VbDeviceInfo *info,
                             const char *name)
{
    const Bus *bus = slots->buses[index];

    if (!exists(bus) || count_free(bus) <= keep)
        return FALSE;
    guint slot = bus->min_slot;
    while (!slot_is_free(bus, slot))
        slot++;
    set_address(info, index, slot, 0);
    return reserve(slots, info, name, FALSE, NULL);
}

/* --- adding controllers --- */

static gboolean chassis_is_taken(const VbDomainDef *def, int chassis)
{
    for (guint i = 0; i < def->controllers->len; i++)
        if (((VbControllerDef *)def->controllers->pdata[i])->chassis == chassis)
            return TRUE;
    return FALSE;
}

/* QEMU wants a chassis of their own for bridges and root ports. */
static void assign_chassis(const VbDomainDef *def, VbControllerDef *controller)
{
    for (guint i = 0; i < 255; i++) {
        int chassis = (int)(1 + (controller->index + 254 + i) % 255);

        if (!chassis_is_taken(def, chassis)) {
            controller->chassis = chassis;
            return;
        }
    }
}

static void complete_pci_controller(const VbDomainDef *def, VbControllerDef *controller)
{
    const VbPciAddress *pci = &controller->info.address.pci;
    gboolean port = controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT_PORT;

    if (controller->chassis < 0 && (port || controller->model == VB_CONTROLLER_MODEL_PCI_BRIDGE))
        assign_chassis(def, controller);
    if (controller->port < 0 && port)
        controller->port = (int)(pci->slot << 3 | pci->function);
}

/* A root port goes to the next function of a slot of root ports, or to a new slot. */
static gboolean place_root_port(VbPciSlots *slots, VbDeviceInfo *info, const char *name)
{
    const Bus *root = slots->buses[0];

    for (guint slot = 2; slot <= root->max_slot; slot++) {
        const VbDeviceInfo *first = root->infos[slot][0];
        guint function = 0;

        if (!slot_is_free(root, slot)) {
            if (!root->root_ports[slot] || !first ||
                first->address.pci.multifunction == VB_TRISTATE_NO)
                continue;
            while (function < N_FUNCTIONS && root->names[slot][function])
                function++;
            if (function == N_FUNCTIONS)
                continue;
        }
        set_address(info, 0, slot, function);
        return reserve(slots, info, name, TRUE, NULL);
    }
    return FALSE;
}

static gboolean place_bridge(VbPciSlots *slots, VbDeviceInfo *info, const char *name)
{
    for (guint bus = 0; bus < N_BUSES; bus++)
        if (place_in_bus(slots, bus, 0, info, name))
            return TRUE;
    return FALSE;
}

/* Adds a root port (q35) or a bridge (pc); 0: there is no room for one. */
static guint add_controller(VbPciSlots *slots)
{
    guint index = 1;

    while (index < N_BUSES && exists(slots->buses[index]))
        index++;
    if (index == N_BUSES)
        return 0;
    VbControllerDef *controller = vb_controller_def_new();
    controller->type = VB_CONTROLLER_PCI;
    controller->index = index;
    controller->model =
        slots->q35 ? VB_CONTROLLER_MODEL_PCIE_ROOT_PORT : VB_CONTROLLER_MODEL_PCI_BRIDGE;
    g_autofree char *name = g_strdup_printf("controller pci %u", index);
    if (!(slots->q35 ? place_root_port(slots, &controller->info, name)
                     : place_bridge(slots, &controller->info, name))) {
        vb_controller_def_free(controller);
        return 0;
    }
    complete_pci_controller(slots->def, controller);
    g_ptr_array_add(slots->def->controllers, controller);
    add_bus(slots, controller);
    return index;
}

/* --- placing devices --- */

void vb_pci_slots_assign_customary(VbPciSlots *slots, const VbDeviceRef *ref)
{
    const VbDomainDef *def = slots->def;
    guint slot = 0;
    guint function = 0;

    for (guint i = 0; i < def->controllers->len; i++) {
        const VbControllerDef *controller = def->controllers->pdata[i];

        if (&controller->info == ref->info && controller->index == 0 && !slots->q35 &&
            controller->model == VB_CONTROLLER_MODEL_PIIX3_UHCI) {
            slot = 0x01;
            function = 2;
        }
    }
    for (guint i = 0; i < def->videos->len; i++) {
        const VbVideoDef *video = def->videos->pdata[i];

        if (&video->info == ref->info && video->primary)
            slot = slots->q35 ? 0x01 : 0x02;
    }
    const Bus *root = slots->buses[0];
    if (slot == 0 || root->names[slot][function] || (function == 0 && !slot_is_free(root, slot)))
        return;
    set_address(ref->info, 0, slot, function);
    reserve(slots, ref->info, ref->name, FALSE, NULL);
}

/* An EHCI is function 7 of its slot, its companions are 0, 1 and 2. -1: it is none of them. */
static int ich9_function(VbControllerModel model)
{
    switch (model) {
    case VB_CONTROLLER_MODEL_ICH9_EHCI1:
        return 7;
    case VB_CONTROLLER_MODEL_ICH9_UHCI1:
        return 0;
    case VB_CONTROLLER_MODEL_ICH9_UHCI2:
        return 1;
    case VB_CONTROLLER_MODEL_ICH9_UHCI3:
        return 2;
    default:
        return -1;
    }
}

/* An EHCI and its companions share a slot, if function 0 of it is one of them: a guest looks for
 * that first. FALSE: the device is none of these, or its function is taken. */
static gboolean place_ich9(VbPciSlots *slots, const VbDeviceRef *ref)
{
    const VbControllerDef *self = NULL;
    const VbPciAddress *shared = NULL;
    gboolean has_first = FALSE;

    for (guint i = 0; i < slots->def->controllers->len; i++) {
        const VbControllerDef *controller = slots->def->controllers->pdata[i];

        if (&controller->info == ref->info)
            self = controller;
    }
    if (!self || ich9_function(self->model) < 0)
        return FALSE;
    guint function = (guint)ich9_function(self->model);
    for (guint i = 0; i < slots->def->controllers->len; i++) {
        const VbControllerDef *controller = slots->def->controllers->pdata[i];

        if (ich9_function(controller->model) < 0 || controller->index != self->index)
            continue;
        has_first |= controller->model == VB_CONTROLLER_MODEL_ICH9_UHCI1;
        if (controller->info.address.type == VB_ADDRESS_PCI)
            shared = &controller->info.address.pci;
    }
    if (!has_first)
        return FALSE;
    if (shared) {
        if (!exists(slots->buses[shared->bus]) ||
            slots->buses[shared->bus]->names[shared->slot][function])
            return FALSE;
        set_address(ref->info, shared->bus, shared->slot, function);
    } else {
        const Bus *root = slots->buses[0];
        guint slot = slots->q35 ? 0x1d : root->min_slot;

        while (slot <= root->max_slot && !slot_is_free(root, slot))
            slot++;
        if (slot > root->max_slot)
            return FALSE;
        set_address(ref->info, 0, slot, function);
    }
    return reserve(slots, ref->info, ref->name, FALSE, NULL);
}

static gboolean place_on_pc(VbPciSlots *slots, const VbDeviceRef *ref, GError **error)
{
    /* The last slot of a bus is where the next bridge goes. */
    do {
        for (guint bus = 0; bus < N_BUSES; bus++)
            if (place_in_bus(slots, bus, 1, ref->info, ref->name))
                return TRUE;
    } while (add_controller(slots));
    return no_room(ref->name, error);
}

static gboolean place_on_q35(VbPciSlots *slots, const VbDeviceRef *ref, GError **error)
{
    VbControllerModel wanted = ref->conventional ? VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE
                                                 : VB_CONTROLLER_MODEL_PCIE_ROOT_PORT;

    for (guint bus = 1; bus < N_BUSES; bus++)
        if (exists(slots->buses[bus]) && slots->buses[bus]->model == wanted &&
            place_in_bus(slots, bus, 0, ref->info, ref->name))
            return TRUE;
    if (ref->conventional) {
        /* Slot 1 is for the video device, so that it can be added later. */
        for (guint slot = 2; slot < N_SLOTS; slot++)
            if (slot_is_free(slots->buses[0], slot)) {
                set_address(ref->info, 0, slot, 0);
                return reserve(slots, ref->info, ref->name, FALSE, error);
            }
        return no_room(ref->name, error);
    }
    guint port = add_controller(slots);
    if (port == 0)
        return no_room(ref->name, error);
    set_address(ref->info, port, 0, 0);
    return reserve(slots, ref->info, ref->name, FALSE, error);
}

gboolean vb_pci_slots_assign(VbPciSlots *slots, const VbDeviceRef *ref, GError **error)
{
    if (is_root_port(slots, ref->info))
        return place_root_port(slots, ref->info, ref->name) || no_room(ref->name, error);
    if (place_ich9(slots, ref))
        return TRUE;
    return slots->q35 ? place_on_q35(slots, ref, error) : place_on_pc(slots, ref, error);
}

/* --- the end --- */

static gboolean finish_slot(Bus *bus, guint slot, GError **error)
{
    VbDeviceInfo *first = bus->infos[slot][0];

    for (guint function = 1; first && function < N_FUNCTIONS; function++) {
        if (!bus->names[slot][function])
            continue;
        if (first->address.pci.multifunction == VB_TRISTATE_NO) {
            g_autofree char *where = vb_device_address_to_string(&first->address);
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                        "%s at %s says multifunction='off', but %s shares its slot",
                        bus->names[slot][0], where, bus->names[slot][function]);
            return FALSE;
        }
        first->address.pci.multifunction = VB_TRISTATE_YES;
    }
    return TRUE;
}

gboolean vb_pci_slots_finish(VbPciSlots *slots, GError **error)
{
    for (guint bus = 0; bus < N_BUSES; bus++)
        for (guint slot = 0; exists(slots->buses[bus]) && slot < N_SLOTS; slot++)
            if (!finish_slot(slots->buses[bus], slot, error))
                return FALSE;
    for (guint i = 0; i < slots->def->controllers->len; i++) {
        VbControllerDef *controller = slots->def->controllers->pdata[i];

        if (controller->type == VB_CONTROLLER_PCI)
            complete_pci_controller(slots->def, controller);
    }
    return TRUE;
}
