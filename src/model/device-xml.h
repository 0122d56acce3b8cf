/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The devices of device-def.h in XML: one pair of functions each. Errors go to the reader; the
 * device may be incomplete then. Called by domain-xml.c. */
#pragma once

#include "domain-def.h"
#include "xml-reader.h"
#include "xml-writer.h"

/* A controller whose document gave no index; the defaults replace it. */
#define VB_CONTROLLER_INDEX_ABSENT G_MAXUINT

#define VB_DEVICE_XML_DECLARE(Type, prefix)                                                        \
    Type *prefix##_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags);            \
    void prefix##_format(VbXmlWriter *writer, const Type *device, VbFormatFlags flags);

VB_DEVICE_XML_DECLARE(VbControllerDef, vb_controller_def)
VB_DEVICE_XML_DECLARE(VbInterfaceDef, vb_interface_def)
VB_DEVICE_XML_DECLARE(VbGraphicsDef, vb_graphics_def)
VB_DEVICE_XML_DECLARE(VbVideoDef, vb_video_def)
VB_DEVICE_XML_DECLARE(VbInputDef, vb_input_def)
VB_DEVICE_XML_DECLARE(VbRngDef, vb_rng_def)
VB_DEVICE_XML_DECLARE(VbMemballoonDef, vb_memballoon_def)
VB_DEVICE_XML_DECLARE(VbWatchdogDef, vb_watchdog_def)
/* serial, parallel, console, channel: the element's name says which. */
VB_DEVICE_XML_DECLARE(VbCharDef, vb_char_def)
