/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns what stands between a GTask and its answer: a timer, a step, the cancellable. See
 * test-call.h. */
#include "test-call.h"

#include "error.h"

struct VbTestCall {
    VbTestCalls *owner;
    GList *link; /* in owner */
    GTask *task;
    GSource *cancelled; /* NULL when the task has no cancellable */
    guint timer;
    VbTestCallFunc func;
    gpointer user_data;
    GDestroyNotify destroy;
};

static void clear_step(VbTestCall *call)
{
    gpointer user_data = g_steal_pointer(&call->user_data);
    GDestroyNotify destroy = g_steal_pointer(&call->destroy);

    g_clear_handle_id(&call->timer, g_source_remove);
    call->func = NULL;
    if (destroy)
        destroy(user_data);
}

static void set_step(VbTestCall *call, VbTestCallFunc func, gpointer user_data,
                     GDestroyNotify destroy)
{
    clear_step(call);
    call->func = func;
    call->user_data = user_data;
    call->destroy = destroy;
}

/* Frees the call and leaves its task. */
static GTask *finish(VbTestCall *call)
{
    GTask *task = call->task;

    clear_step(call);
    if (call->cancelled) {
        g_source_destroy(call->cancelled);
        g_source_unref(call->cancelled);
    }
    g_queue_delete_link(call->owner, call->link);
    g_free(call);
    return task;
}

static void run_step(VbTestCall *call)
{
    VbTestCallFunc func = call->func;
    gpointer user_data = g_steal_pointer(&call->user_data);
    GDestroyNotify destroy = g_steal_pointer(&call->destroy);

    call->func = NULL;
    func(call, user_data);
    if (destroy)
        destroy(user_data);
}

static gboolean on_timer(gpointer user_data)
{
    VbTestCall *call = user_data;

    call->timer = 0;
    run_step(call);
    return G_SOURCE_REMOVE;
}

static gboolean on_cancelled(GCancellable *cancellable, gpointer user_data)
{
    vb_test_call_return_error(user_data, g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                                             "the operation was cancelled"));
    return G_SOURCE_REMOVE;
}

VbTestCall *vb_test_call_new(VbTestCalls *owner, GTask *task)
{
    VbTestCall *call = g_new0(VbTestCall, 1);
    GCancellable *cancellable = g_task_get_cancellable(task);

    call->owner = owner;
    call->task = task;
    /* What happened at the same time as the cancellation is told as it happened. */
    g_task_set_check_cancellable(task, FALSE);
    g_queue_push_tail(owner, call);
    call->link = g_queue_peek_tail_link(owner);
    if (cancellable) {
        call->cancelled = g_cancellable_source_new(cancellable);
        g_source_set_callback(call->cancelled, G_SOURCE_FUNC(on_cancelled), call, NULL);
        g_source_attach(call->cancelled, g_task_get_context(task));
    }
    return call;
}

void vb_test_call_after(VbTestCall *call, guint delay, VbTestCallFunc func, gpointer user_data,
                        GDestroyNotify destroy)
{
    set_step(call, func, user_data, destroy);
    call->timer = g_timeout_add(delay, on_timer, call);
}

void vb_test_call_wait(VbTestCall *call, VbTestCalls *owner, VbTestCallFunc func,
                       gpointer user_data, GDestroyNotify destroy)
{
    set_step(call, func, user_data, destroy);
    g_queue_unlink(call->owner, call->link);
    g_queue_push_tail_link(owner, call->link);
    call->owner = owner;
}

void vb_test_call_return(VbTestCall *call, gboolean value)
{
    g_autoptr(GTask) task = finish(call);

    g_task_return_boolean(task, value);
}

void vb_test_call_return_pointer(VbTestCall *call, gpointer pointer, GDestroyNotify destroy)
{
    g_autoptr(GTask) task = finish(call);

    g_task_return_pointer(task, pointer, destroy);
}

void vb_test_call_return_error(VbTestCall *call, GError *error)
{
    g_autoptr(GTask) task = finish(call);

    g_task_return_error(task, error);
}

void vb_test_calls_run(VbTestCalls *calls)
{
    for (guint n = calls->length; n > 0 && calls->head; n--)
        run_step(calls->head->data);
}

void vb_test_calls_clear(VbTestCalls *calls)
{
    while (calls->head)
        vb_test_call_return_error(calls->head->data,
                                  g_error_new_literal(VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                                      "the domain is not running any more"));
}
