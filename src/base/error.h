/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one GError domain of virtbus. A code says what the client can do about the error;
 * its bus name stands in the table of src/service/errors.c, and nowhere else.
 * Messages are one English line that names the object; a hypervisor's own text comes last.
 */
#pragma once

#include <glib.h>

typedef enum {
    VB_ERROR_FAILED,        /* something went wrong below us; the message says what */
    VB_ERROR_INVALID_ARGS,  /* a wrong argument or option; nothing was done */
    VB_ERROR_INVALID_XML,   /* a document was not understood; element and line are named */
    VB_ERROR_NOT_SUPPORTED, /* this driver or this hypervisor cannot do it */
    VB_ERROR_ACCESS_DENIED, /* the caller may not */
    VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, /* a person would have to be asked */
    VB_ERROR_UNKNOWN_OBJECT,                     /* the object is gone */
    VB_ERROR_LIMITS_EXCEEDED,                    /* more than we serve at once */
    VB_ERROR_TIMEOUT,                            /* the hypervisor did not answer in time */
    VB_ERROR_NO_DOMAIN,                          /* no domain of that name or UUID */
    VB_ERROR_DOMAIN_EXISTS,                      /* that name or UUID is taken */
    VB_ERROR_DOMAIN_RUNNING,                     /* the domain must be shut off for this */
    VB_ERROR_DOMAIN_NOT_RUNNING,                 /* the domain must be running for this */
    VB_ERROR_INVALID_STATE,       /* not in this state (e.g. resume of a crashed domain) */
    VB_ERROR_BUSY,                /* another operation or job is in progress; it is named */
    VB_ERROR_NO_BLOCK_JOB,        /* no live job on that disk, or it ended first */
    VB_ERROR_BLOCK_JOB_ENDING,    /* a cancel or pivot is pending already */
    VB_ERROR_BLOCK_JOB_NOT_READY, /* pivot before the job is ready */
    VB_ERROR_BLOCK_JOB_CANCELED,  /* what was waited for did not come: the job was canceled */
    VB_ERROR_BLOCK_JOB_FAILED,    /* what was waited for did not come: the job failed */
    VB_ERROR_NO_NETWORK,          /* no network of that name or UUID */
    VB_ERROR_NETWORK_EXISTS,      /* that name or UUID is taken */
    VB_ERROR_NETWORK_RUNNING,     /* the network is active already */
    VB_ERROR_NETWORK_NOT_RUNNING, /* the network must be active for this */
    VB_ERROR_HYPERVISOR,          /* QEMU refused or failed; its own text is at the end */
    VB_N_ERRORS
} VbError;

#define VB_ERROR (vb_error_quark())
GQuark vb_error_quark(void);

/* Sets the error; FALSE, so that a check can end with it. */
gboolean vb_fail(GError **error, VbError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Bytes of an error's text where it leaves the daemon. It may repeat what somebody sent. */
#define VB_ERROR_LINE_MAX 4096

/* text (may be NULL) as one line of valid UTF-8; of a longer one the first VB_ERROR_LINE_MAX bytes,
 * and "…".
 */
char *vb_error_line(const char *text);
