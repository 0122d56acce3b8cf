/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Preloaded into a virtbusd by tests: the process kills itself, as kill -9 would, right before or
 * right after one of its steps. VB_KILL_AT says which, e.g. "rename job- 3 after": the third
 * rename(2) whose new name contains "job-"; or "send job-finalize 1 before": the first sendmsg(2)
 * whose data contain that word. Nothing else changes, and it is not handed on to children.
 *
 * It is built without sanitizers and calls the kernel itself, so it can come before their
 * libraries (ASAN_OPTIONS must have verify_asan_link_order=0). */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    char step[16], word[64], side[16];
    unsigned n;
} order;
static atomic_uint seen;

__attribute__((constructor)) static void read_order(void)
{
    const char *text = getenv("VB_KILL_AT");

    if (text == NULL ||
        sscanf(text, "%15s %63s %u %15s", order.step, order.word, &order.n, order.side) != 4)
        order.n = 0;
    unsetenv("VB_KILL_AT");
    unsetenv("LD_PRELOAD");
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
}

/* Is this call the one? Counts it. */
static int is_step(const char *step, int matches)
{
    return order.n > 0 && matches && strcmp(order.step, step) == 0 &&
           atomic_fetch_add(&seen, 1) + 1 == order.n;
}

int rename(const char *old, const char *new)
{
    int hit = is_step("rename", strstr(new, order.word) != NULL);

    if (hit && strcmp(order.side, "before") == 0)
        die();
    int result = (int)syscall(SYS_rename, old, new);
    if (hit)
        die();
    return result;
}

static int contains(const struct msghdr *message, const char *word)
{
    for (size_t i = 0; i < message->msg_iovlen; i++)
        if (memmem(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len, word, strlen(word)))
            return 1;
    return 0;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    int hit = is_step("send", order.n > 0 && contains(message, order.word));

    if (hit && strcmp(order.side, "before") == 0)
        die();
    ssize_t result = syscall(SYS_sendmsg, fd, message, flags);
    if (hit)
        die();
    return result;
}
