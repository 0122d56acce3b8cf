/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The machine that the guest sees, devices aside: <os>, <features>, <cpu>, <clock>, <pm> in XML.
 * Called by domain-xml.c. */
#pragma once

#include "domain-def.h"
#include "xml-reader.h"
#include "xml-writer.h"

/* Each looks for its element below `domain`; errors go to the reader. */
void vb_os_parse(VbXmlReader *reader, VbXmlElement *domain, VbOsDef *os);
void vb_features_parse(VbXmlReader *reader, VbXmlElement *domain, VbFeaturesDef *features);
void vb_cpu_parse(VbXmlReader *reader, VbXmlElement *domain, VbCpuDef *cpu);
void vb_clock_parse(VbXmlReader *reader, VbXmlElement *domain, VbClockDef *clock);
void vb_pm_parse(VbXmlReader *reader, VbXmlElement *domain, VbDomainDef *def);

void vb_os_format(VbXmlWriter *writer, const VbOsDef *os);
void vb_features_format(VbXmlWriter *writer, const VbFeaturesDef *features);
void vb_cpu_format(VbXmlWriter *writer, const VbCpuDef *cpu);
void vb_clock_format(VbXmlWriter *writer, const VbClockDef *clock);
void vb_pm_format(VbXmlWriter *writer, const VbDomainDef *def);
