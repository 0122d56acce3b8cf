/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDomain: one domain, whatever drives it. It owns the stored and the live definition, the state,
 * the one slot for state-changing operations (a second one is Busy and names the first; Destroy
 * pre-empts) and the list of its jobs. The objects read it and call it; drivers tell it what
 * happened.
 */
#pragma once

#include "domain-summary.h"
#include "driver.h"

typedef enum {
    VB_DOMAIN_SHUT_OFF,
    VB_DOMAIN_RUNNING,
    VB_DOMAIN_PAUSED,
    VB_DOMAIN_SHUTTING_DOWN,
    VB_DOMAIN_CRASHED,
    VB_DOMAIN_PM_SUSPENDED,
} VbDomainState;

const char *vb_domain_state_to_string(VbDomainState state); /* the bus's: "shut-off" … */
const char *vb_domain_op_to_string(VbDomainOp op);          /* "start" … */

/* What a getter reads. Owned by the domain; changes only between two main-loop callbacks. */
typedef struct {
    const char *uuid; /* lower case, with '-' */
    const char *name;
    const VbDriver *driver;
    VbDomainState state;
    const char *reason; /* libvirt's terms: "booted", "user", "destroyed" … */
    guint id;           /* 0 when not running */
    gboolean persistent;
    gboolean autostart;
    gboolean config_pending; /* the stored definition differs from the running one */
    gboolean responsive;     /* the monitor answers */
    guint owner_uid;         /* who defined or created it */
} VbDomainInfo;

/* ---- for everybody ----------------------------------------------------------------------------
 */

VbDomain *vb_domain_ref(VbDomain *domain);
void vb_domain_unref(VbDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDomain, vb_domain_unref)

const VbDomainInfo *vb_domain_info(const VbDomain *domain);
gboolean vb_domain_is_active(const VbDomain *domain); /* has a hypervisor: running, paused … */

/* What the definition says, the live one while active, else the stored one: for properties and
 * lists. Reads memory and cannot fail; valid until the definition changes. */
VbDomainSummary vb_domain_summary(VbDomain *domain);

/* The definition itself, as above. Of an inactive domain it is read from its file. (transfer full)
 * Errors: FAILED, naming the file. */
VbDomainDef *vb_domain_read_def(VbDomain *domain, GError **error);
typedef enum {
    VB_DOMAIN_XML_NONE = 0,
    VB_DOMAIN_XML_STORED = 1 << 0, /* that of the next start, where there is one */
    VB_DOMAIN_XML_SECURE = 1 << 1, /* with passwords */
} VbDomainXmlFlags;
/* As a document; what is stored is read from its file. Errors: as above. */
char *vb_domain_read_xml(VbDomain *domain, VbDomainXmlFlags flags, GError **error);

/* For who knows that it is active, or was until now: the definition in memory. Of an inactive
 * domain that may be NULL. Borrowed. */
const VbDomainDef *vb_domain_def(const VbDomain *domain);
/* The same of the stored one; NULL also for a transient domain. Borrowed. */
const VbDomainDef *vb_domain_stored_def(const VbDomain *domain);

/* The user's own data (the bus object), borrowed. One slot. */
void vb_domain_set_user_data(VbDomain *domain, gpointer data);
gpointer vb_domain_user_data(const VbDomain *domain);

/* The live job of a disk (target), or NULL. Borrowed. A job that is still starting is not live. */
VbJob *vb_domain_live_job(const VbDomain *domain, const char *disk);
/* All jobs that are on the bus, live and concluded; borrowed VbJob pointers, oldest first. */
GPtrArray *vb_domain_jobs(const VbDomain *domain);

/* START … DESTROY. Errors: DOMAIN_RUNNING, DOMAIN_NOT_RUNNING, INVALID_STATE, BUSY (names the
 * operation in progress), the driver's own. A second DESTROY joins the first. */
void vb_domain_operate_async(VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags,
                             GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_domain_operate_finish(VbDomain *domain, GAsyncResult *result, GError **error);

/* Forgets the stored definition. A running domain becomes transient; another one is removed. */
void vb_domain_undefine_async(VbDomain *domain, GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_domain_undefine_finish(VbDomain *domain, GAsyncResult *result, GError **error);

void vb_domain_set_autostart_async(VbDomain *domain, gboolean autostart,
                                   GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_domain_set_autostart_finish(VbDomain *domain, GAsyncResult *result, GError **error);

/* ---- for drivers ------------------------------------------------------------------------------
 */

/* The driver's own data of a running domain; dropped with `destroy` by vb_domain_gone() after the
 * jobs ended, or with the domain. */
void vb_domain_set_driver_data(VbDomain *domain, gpointer data, GDestroyNotify destroy);
gpointer vb_domain_driver_data(const VbDomain *domain);

/* The domain's run-time directory (made, 0700, when a start begins; removed when it is gone). */
const char *vb_domain_run_dir(const VbDomain *domain);

/* The live definition, to be completed by the driver; then tell: vb_domain_live_def_changed()
 * persists it and announces it. NULL when not active. */
VbDomainDef *vb_domain_live_def(VbDomain *domain);
void vb_domain_live_def_changed(VbDomain *domain);

/* Sets state and reason (an interned or static string), persists, announces. Not for SHUT_OFF and
 * CRASHED, which are vb_domain_gone()'s. The lifecycle signal that belongs to the change is sent.
 */
void vb_domain_set_state(VbDomain *domain, VbDomainState state, const char *reason);
/* An event that is no state: "rebooted", … */
void vb_domain_lifecycle(VbDomain *domain, const char *event, const char *reason);
void vb_domain_set_responsive(VbDomain *domain, gboolean responsive);
/* Writes the run-time record again because what VbDriver.save says has changed. */
void vb_domain_save(VbDomain *domain);
/* A domain that did not answer at the restart does so now: its jobs are queried and classified. */
void vb_domain_reconnected(VbDomain *domain);

/* A stop was asked for (by us or by the guest): what ends from now on ends as domain-stopped. */
void vb_domain_set_stopping(VbDomain *domain);
gboolean vb_domain_is_stopping(const VbDomain *domain);

/* The one path for "the VM is gone": ends its jobs, then its state (SHUT_OFF or CRASHED with a
 * reason: "shutdown", "destroyed", "crashed", "failed" …), its run-time directory, and the domain
 * itself when it is transient. Harmless when not active. Called by a driver once its process has
 * really ended, before it returns the operations that were in progress. */
void vb_domain_gone(VbDomain *domain, VbDomainState state, const char *reason);
