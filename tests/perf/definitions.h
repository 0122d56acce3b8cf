/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfDomain: the domains of the benchmark, by number. All that there is to know of one follows
 * from its number, so both stacks get the same. The documents say what management tools write: two
 * disks, a NIC, VNC, a serial port, rng and balloon; both stacks accept every element. */
#pragma once

#include <glib.h>

typedef struct {
    guint number;
    char name[32];
    char uuid[37];
    char element[38]; /* of object paths: the UUID with '_' */
} PerfDomain;

/* Guests that really run have numbers from here on: their images exist. */
#define PERF_FIRST_GUEST 1000000

PerfDomain perf_domain(guint number);

typedef struct {
    const char *images;   /* directory of the images, <name>-a.qcow2 and <name>-b.qcow2 */
    const char *emulator; /* path */
    guint memory_mib;
} PerfSite;

/* The document. */
char *perf_domain_xml(const PerfDomain *domain, const PerfSite *site);
char *perf_domain_image(const PerfDomain *domain, const PerfSite *site, char disk);
