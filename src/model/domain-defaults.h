/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a document may leave out. Called by domain-xml.c after a parse. */
#pragma once

#include "domain-def.h"

/* Fills in what libvirt documents as the default. Filling in twice changes nothing. */
void vb_domain_def_fill_defaults(VbDomainDef *def);

/* piix3-uhci for pc, qemu-xhci for q35. */
VbControllerModel vb_domain_def_default_usb_model(const VbDomainDef *def);
