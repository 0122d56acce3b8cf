/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDetails: what the administrator's rules are told about a call besides its action: method,
 * driver, domain_name, disk … (docs/authorization.md). Filled by an interface's describe and a
 * method's prepare, sent to polkit by authority.c. */
#pragma once

#include <glib.h>

typedef struct VbDetails VbDetails;

VbDetails *vb_details_new(void);
VbDetails *vb_details_copy(const VbDetails *details);
void vb_details_free(VbDetails *details); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDetails, vb_details_free)

/* Sets or replaces; both are copied. */
void vb_details_set(VbDetails *details, const char *key, const char *value);
/* NULL: not set. */
const char *vb_details_get(const VbDetails *details, const char *key);

/* The same pairs, in whatever order? NULL is equal to NULL alone. */
gboolean vb_details_equal(const VbDetails *a, const VbDetails *b);
/* For a hash table; fits vb_details_equal(). */
guint vb_details_hash(const VbDetails *details);

typedef void (*VbDetailFunc)(const char *key, const char *value, gpointer data);
/* In the order in which the keys were first set. */
void vb_details_each(const VbDetails *details, VbDetailFunc func, gpointer data);
