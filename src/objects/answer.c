/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See answer.h. */
#include "answer.h"

typedef struct {
    VbCall *call;
    gpointer object;
    GDestroyNotify unref;
    VbAnswerFinish finish;
} Answer;

gpointer vb_answer_data(VbCall *call, gpointer object, GDestroyNotify unref, VbAnswerFinish finish)
{
    Answer *answer = g_new(Answer, 1);

    *answer = (Answer){vb_call_ref(call), object, unref, finish};
    return answer;
}

void vb_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Answer *answer = data;
    g_autoptr(VbCall) call = answer->call;
    g_autoptr(GError) error = NULL;
    gboolean done = answer->finish(answer->object, result, &error);

    answer->unref(answer->object);
    if (vb_call_replied(call)) /* the daemon's end was faster */
        return;
    if (done)
        vb_call_reply(call, "");
    else
        vb_call_fail(call, g_steal_pointer(&error));
}
