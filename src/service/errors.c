/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of errors. A standard name is used where D-Bus has one that means the same to every
 * client library; "Timeout" is ours, because the standard one says that a reply was lost. */
#include "errors.h"

#define OWN(name) "org.virtbus1.Error." name
#define STANDARD(name) "org.freedesktop.DBus.Error." name

static const VbErrorInfo error_table[VB_N_ERRORS] = {
    {VB_ERROR_FAILED, OWN("Failed"), "Something below virtbus went wrong; the message says what.",
     "Read the message and the daemon's log; nothing is known to help."},
    {VB_ERROR_INVALID_ARGS, STANDARD("InvalidArgs"),
     "A wrong argument, an unknown option or an option of the wrong type; nothing was done.",
     "Correct the call; the message names the argument or the option."},
    {VB_ERROR_INVALID_XML, OWN("InvalidXml"),
     "The document is not well-formed or not understood; nothing was done.",
     "Correct the document; the message names the element and the line."},
    {VB_ERROR_NOT_SUPPORTED, STANDARD("NotSupported"),
     "The object's driver or the installed hypervisor cannot do this.",
     "Do without, or use another driver; the message names it."},
    {VB_ERROR_ACCESS_DENIED, STANDARD("AccessDenied"),
     "The caller is not allowed to do this; the message names the action.",
     "Ask the administrator for the action, or call as a user who has it."},
    {VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, STANDARD("InteractiveAuthorizationRequired"),
     "A person would have to authenticate for this, and the call does not allow to ask one.",
     "Call again with the message flag ALLOW_INTERACTIVE_AUTHORIZATION."},
    {VB_ERROR_UNKNOWN_OBJECT, STANDARD("UnknownObject"),
     "The object does not exist, or was removed before the call got to it.",
     "Forget the path and look the object up again."},
    {VB_ERROR_LIMITS_EXCEEDED, STANDARD("LimitsExceeded"),
     "More than the daemon serves at once or puts into one message.",
     "Ask for less: in pages (Manager.GetObjects), or with fewer calls at a time."},
    {VB_ERROR_TIMEOUT, OWN("Timeout"), "The hypervisor did not answer in time.",
     "Look at Domain.Responsive; try again, or destroy the domain."},
    {VB_ERROR_NO_DOMAIN, OWN("NoDomain"), "No domain has that name or UUID.",
     "List the domains; the domain may have been undefined."},
    {VB_ERROR_DOMAIN_EXISTS, OWN("DomainExists"), "Another domain has that name or UUID.",
     "Choose another name and UUID, or redefine the domain that exists."},
    {VB_ERROR_DOMAIN_RUNNING, OWN("DomainRunning"), "The domain must be shut off for this.",
     "Shut the domain down, or destroy it, and try again."},
    {VB_ERROR_DOMAIN_NOT_RUNNING, OWN("DomainNotRunning"), "The domain must be running for this.",
     "Start the domain and try again."},
    {VB_ERROR_INVALID_STATE, OWN("InvalidState"),
     "The object's state does not allow this; the message names the state.",
     "Wait for, or bring about, a state that does."},
    {VB_ERROR_BUSY, OWN("Busy"),
     "Another operation or job on the object is in progress; the message names it.",
     "Wait for its end, or cancel it, and try again."},
    {VB_ERROR_NO_BLOCK_JOB, OWN("NoBlockJob"),
     "The disk has no live job, or its job ended first; the message tells the outcome.",
     "Read the job's Result if it is of interest; there is nothing left to do."},
    {VB_ERROR_BLOCK_JOB_ENDING, OWN("BlockJobEnding"),
     "A cancel or a pivot of this job is pending already.",
     "Wait for its terminal signal, or cancel again with the option force."},
    {VB_ERROR_BLOCK_JOB_NOT_READY, OWN("BlockJobNotReady"),
     "The job cannot pivot yet: it has not caught up with the disk.",
     "Wait for the signal BlockJobReady, then pivot."},
    {VB_ERROR_BLOCK_JOB_CANCELED, OWN("BlockJobCanceled"),
     "What the call waited for did not come: the job was canceled.",
     "Start the job again if it is still wanted."},
    {VB_ERROR_BLOCK_JOB_FAILED, OWN("BlockJobFailed"),
     "What the call waited for did not come: the job failed.",
     "Read the job's ErrorMessage, mend the cause, start the job again."},
    {VB_ERROR_NO_NETWORK, OWN("NoNetwork"), "No network has that name or UUID.",
     "List the networks; the network may have been undefined."},
    {VB_ERROR_NETWORK_EXISTS, OWN("NetworkExists"), "Another network has that name or UUID.",
     "Choose another name and UUID, or define the network that exists again."},
    {VB_ERROR_NETWORK_RUNNING, OWN("NetworkRunning"), "The network is active already.",
     "There is nothing left to do; or destroy the network first."},
    {VB_ERROR_NETWORK_NOT_RUNNING, OWN("NetworkNotRunning"),
     "The network must be active for this; the message names it.",
     "Start the network and try again."},
    {VB_ERROR_HYPERVISOR, OWN("Hypervisor"),
     "The hypervisor refused or failed; its own words are at the end of the message.",
     "Read the message; the hypervisor's documentation explains its words."},
};

const VbErrorInfo *vb_error_info(VbError code)
{
    g_return_val_if_fail((guint)code < VB_N_ERRORS, &error_table[VB_ERROR_FAILED]);
    return &error_table[code];
}

const char *vb_error_bus_name(const GError *error)
{
    VbError code = VB_ERROR_FAILED;

    if (error->domain == VB_ERROR && error->code >= 0 && error->code < (int)VB_N_ERRORS)
        code = error->code;
    return vb_error_info(code)->bus_name;
}

void vb_error_to_bus(const GError *error, sd_bus_error *ret_error)
{
    g_autofree char *line = vb_error_line(error->message);

    sd_bus_error_set(ret_error, vb_error_bus_name(error), line);
}

gboolean vb_error_set_errno(GError **error, int negative_errno, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "%s: %s", text, g_strerror(-negative_errno));
    return FALSE;
}
