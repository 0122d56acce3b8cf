/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the way of a ruleset (firewall-ruleset.c) into the kernel: one thread at a time, which runs
 * libnftables, and one application that waits for it, into which all others are merged: each is
 * the whole table, so only the last counts.
 *
 * The library's context is made once, at the first application, and kept: making it reads files and
 * opens a netlink socket, and the library ends the process when it can't have that. After an error
 * it is made anew, so that nothing which is left in the socket disturbs the next application. */
#include "firewall.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "fd.h"

/* One application, of all calls that it answers. */
typedef struct {
    VbFirewall *firewall;
    char *ruleset;
    GPtrArray *tasks; /* of GTask */
    GThread *thread;
    GError *error;
    GSource *done; /* attached by the thread when it is through */
} Application;

struct VbFirewall {
    GMainContext *context;
    struct nft_ctx *nft;  /* the running application's; NULL until the first, and after an error */
    Application *running; /* or NULL */
    Application *waiting; /* or NULL; only behind a running one */
};

static Application *application_new(VbFirewall *firewall)
{
    Application *application = g_new0(Application, 1);

    application->firewall = firewall;
    application->tasks = g_ptr_array_new_with_free_func(g_object_unref);
    return application;
}

/* Answers its calls and frees it. */
static void application_end(Application *application)
{
    for (guint i = 0; i < application->tasks->len; i++) {
        GTask *task = g_ptr_array_index(application->tasks, i);

        if (application->error)
            g_task_return_error(task, g_error_copy(application->error));
        else
            g_task_return_boolean(task, TRUE);
    }
    g_clear_pointer(&application->done, g_source_unref);
    g_clear_error(&application->error);
    g_ptr_array_unref(application->tasks);
    g_free(application->ruleset);
    g_free(application);
}

/* ---- in the thread ----------------------------------------------------------------------------
 */

/* What the library would end the process for. */
static gboolean can_open(GError **error)
{
    vb_autofd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0)
        return vb_fail(error, VB_ERROR_FAILED, "cannot reach the firewall: %s", g_strerror(errno));
    return TRUE;
}

static gboolean open_library(VbFirewall *firewall, GError **error)
{
    if (firewall->nft)
        return TRUE;
    if (!can_open(error))
        return FALSE;
    firewall->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!firewall->nft)
        return vb_fail(error, VB_ERROR_FAILED, "cannot reach the firewall: no memory");
    nft_ctx_output_set_flags(firewall->nft, NFT_CTX_OUTPUT_JSON);
    nft_ctx_buffer_output(firewall->nft);
    nft_ctx_buffer_error(firewall->nft);
    return TRUE;
}

/* What is wrong, of the library's report, which goes on with the same for each command behind. */
static char *first_complaint(const char *report)
{
    const char *begin = strstr(report, "Error: ");
    g_autofree char *line = NULL;

    begin = begin ? begin + strlen("Error: ") : report;
    line = g_strndup(begin, strcspn(begin, "\n"));
    return vb_error_line(line[0] ? line : "nftables does not say why");
}

static gboolean apply(VbFirewall *firewall, const char *ruleset, GError **error)
{
    if (!open_library(firewall, error))
        return FALSE;
    if (nft_run_cmd_from_buffer(firewall->nft, ruleset) == 0) {
        nft_ctx_get_output_buffer(firewall->nft); /* empties it */
        nft_ctx_get_error_buffer(firewall->nft);
        return TRUE;
    }
    g_autofree char *complaint = first_complaint(nft_ctx_get_error_buffer(firewall->nft));

    g_clear_pointer(&firewall->nft, nft_ctx_free);
    return vb_fail(error, VB_ERROR_FAILED, "the firewall could not be changed: %s", complaint);
}

static gpointer run(gpointer data)
{
    Application *application = data;

    apply(application->firewall, application->ruleset, &application->error);
    g_source_attach(application->done, application->firewall->context);
    return NULL;
}

/* ---- in the main context ----------------------------------------------------------------------
 */

static gboolean on_done(gpointer data);

static void begin(VbFirewall *firewall, Application *application)
{
    firewall->running = application;
    application->done = g_idle_source_new();
    g_source_set_priority(application->done, G_PRIORITY_DEFAULT);
    g_source_set_callback(application->done, on_done, firewall, NULL);
    application->thread = g_thread_try_new("virtbus-nft", run, application, &application->error);
    if (!application->thread)
        g_source_attach(application->done, firewall->context);
}

/* Waits for it. To be ended by the caller. */
static Application *join_running(VbFirewall *firewall)
{
    Application *application = g_steal_pointer(&firewall->running);

    if (application->thread)
        g_thread_join(application->thread);
    g_source_destroy(application->done);
    return application;
}

static gboolean on_done(gpointer data)
{
    VbFirewall *firewall = data;
    Application *ended = join_running(firewall);

    /* The next one first: an answer may ask for another. */
    if (firewall->waiting)
        begin(firewall, g_steal_pointer(&firewall->waiting));
    application_end(ended);
    return G_SOURCE_REMOVE;
}

VbFirewall *vb_firewall_new(void)
{
    VbFirewall *firewall = g_new0(VbFirewall, 1);

    firewall->context = g_main_context_ref_thread_default();
    return firewall;
}

void vb_firewall_free(VbFirewall *firewall)
{
    if (!firewall)
        return;
    if (firewall->running)
        application_end(join_running(firewall));
    if (firewall->waiting) {
        firewall->waiting->error =
            g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "the firewall is not served any more");
        application_end(g_steal_pointer(&firewall->waiting));
    }
    g_clear_pointer(&firewall->nft, nft_ctx_free);
    g_main_context_unref(firewall->context);
    g_free(firewall);
}

void vb_firewall_apply_async(VbFirewall *firewall, const GPtrArray *networks,
                             GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, NULL, callback, user_data);
    Application *application = NULL;

    g_task_set_source_tag(task, vb_firewall_apply_async);
    if (!firewall->running) {
        application = application_new(firewall);
    } else {
        if (!firewall->waiting)
            firewall->waiting = application_new(firewall);
        application = firewall->waiting;
    }
    g_ptr_array_add(application->tasks, task);
    g_free(application->ruleset);
    application->ruleset = vb_firewall_ruleset(networks);
    if (!firewall->running)
        begin(firewall, application);
}

gboolean vb_firewall_apply_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
