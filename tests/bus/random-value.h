/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values that a client of the live fuzzer sends: of a given type, or of any. They are drawn from
 * the test's random numbers (--seed), and no path among them is one of a file that a machine has.
 */
#pragma once

#include <gio/gio.h>

/* What hits more than noise would: names and paths that there are. */
typedef struct {
    GPtrArray *paths;     /* of objects */
    GPtrArray *words;     /* names of domains, interfaces, properties … */
    GPtrArray *options;   /* keys with their types: "bandwidth t" */
    GPtrArray *documents; /* of domains */
    GPtrArray *networks;  /* their documents */
} RandomPool;

RandomPool *random_pool_new(void);
void random_pool_free(RandomPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RandomPool, random_pool_free)

/* TRUE once in n times. */
gboolean random_once_in(guint n);
/* Borrowed. */
const char *random_word(GPtrArray *words);

/* A floating value of that type. */
GVariant *random_value(const RandomPool *pool, const GVariantType *type);
/* The same for an argument of that name, or of what it holds where its name does not tell
 * ("network_xml", "element_xml"): mostly one that makes sense. */
GVariant *random_argument(const RandomPool *pool, const char *name, const GVariantType *type);
/* A single type that D-Bus has, handles excepted. (transfer full) */
char *random_type(void);
