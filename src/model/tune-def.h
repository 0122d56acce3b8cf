/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a domain may take of the host: <memtune>, <cputune>, <blkiotune>, and their XML. The limits
 * are those of control groups. Of libvirt's elements these are the ones that mean the whole domain;
 * those of single vCPUs, threads and devices are not supported. */
#pragma once

#include "xml-reader.h"
#include "xml-writer.h"

/* 0: not given. */
typedef struct {
    guint64 memory_hard_limit; /* bytes that QEMU may use, its own included */
    guint64 memory_soft_limit; /* bytes above which it is slowed down and reclaimed from */
    guint cpu_shares;          /* weight beside others, 1..10000 */
    guint cpu_global_period;   /* µs, 1000..1000000 */
    guint cpu_global_quota;    /* µs of processor time in each period, at least 1000 */
    guint blkio_weight;        /* weight beside others, 1..10000 */
} VbTuneDef;

/* The elements in `domain`, which need not be there. */
void vb_tune_def_parse(VbXmlReader *reader, VbXmlElement *domain, VbTuneDef *tune);
/* Nothing when nothing is said. <blkiotune> and <memtune> stand before <vcpu>, <cputune> after. */
void vb_tune_def_format_memory(VbXmlWriter *writer, const VbTuneDef *tune);
void vb_tune_def_format_cpu(VbXmlWriter *writer, const VbTuneDef *tune);
