/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which slots and functions of a domain's PCI buses are taken, and where there is room. Used by
 * domain-address.c only. */
#pragma once

#include "device-list.h"

typedef struct VbPciSlots VbPciSlots;

/* The buses of `def`'s pci controllers, with what is built into the machine. `def` must have its
 * root controller, and outlive the slots. */
VbPciSlots *vb_pci_slots_new(VbDomainDef *def);
void vb_pci_slots_free(VbPciSlots *slots);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPciSlots, vb_pci_slots_free)

/* Takes the address that `info` has for the device called `name`. Errors: VB_ERROR_INVALID_XML: no
 * such bus or slot, or taken (both devices are named). */
gboolean vb_pci_slots_reserve(VbPciSlots *slots, VbDeviceInfo *info, const char *name,
                              GError **error);

/* Gives `ref` the address that its kind has by custom (the primary video device, the USB controller
 * of the chipset), unless there is none or it is taken. */
void vb_pci_slots_assign_customary(VbPciSlots *slots, const VbDeviceRef *ref);

/* Gives `ref` an address of its own, adding a pcie-root-port or pci-bridge to the domain where one
 * is needed. Errors: VB_ERROR_INVALID_XML: no room. */
gboolean vb_pci_slots_assign(VbPciSlots *slots, const VbDeviceRef *ref, GError **error);

/* Where two or more functions of a slot are in use, the first says multifunction='on'. Errors:
 * VB_ERROR_INVALID_XML: it says 'off'. */
gboolean vb_pci_slots_finish(VbPciSlots *slots, GError **error);
