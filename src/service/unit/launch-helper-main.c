/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbus-launch-helper PROGRAM [ARGUMENT…]: what a guest's unit executes. The service manager
 * gives a transient unit no other descriptors than standard input, output and error, and an
 * environment of its own making; so standard input is a socket, from which the program's are taken
 * before it is executed in this process. Its descriptors become its 3, 4, …, and its standard input
 * is /dev/null. unit-input.c is the other end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launch-fds.h"

#define EXIT_HELPER 126

typedef struct {
    char bytes[VB_LAUNCH_SIZE_MAX];
    size_t size;
    int fds[VB_LAUNCH_FDS_MAX];
    int n_fds;
} Input;

static int fail(const char *what)
{
    fprintf(stderr, "virtbus-launch-helper: %s: %s\n", what, strerror(errno));
    return EXIT_HELPER;
}

/* 0, or -1 and errno. */
static int receive(Input *input)
{
    struct iovec iov = {input->bytes, sizeof input->bytes};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * VB_LAUNCH_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    const struct cmsghdr *header;
    ssize_t size;

    do
        size = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return -1;
    if (size == 0 || input->bytes[0] != VB_LAUNCH_VERSION ||
        (size > 1 && input->bytes[size - 1] != '\0') ||
        message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
        errno = EPROTO;
        return -1;
    }
    input->size = (size_t)size;
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL) {
        size_t length = header->cmsg_len - CMSG_LEN(0);

        memcpy(input->fds, CMSG_DATA(header), length);
        input->n_fds = (int)(length / sizeof(int));
    }
    return 0;
}

/* First away from where they go to, so that none overwrites another that is still needed. */
static int place(Input *input)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0)
        return -1;
    for (int i = 0; i < input->n_fds; i++) {
        input->fds[i] = fcntl(input->fds[i], F_DUPFD_CLOEXEC, VB_LAUNCH_FIRST_FD + input->n_fds);
        if (input->fds[i] < 0)
            return -1;
    }
    if (dup2(null, STDIN_FILENO) < 0)
        return -1;
    for (int i = 0; i < input->n_fds; i++)
        if (dup2(input->fds[i], VB_LAUNCH_FIRST_FD + i) < 0)
            return -1;
    return close_range((unsigned)(VB_LAUNCH_FIRST_FD + input->n_fds), ~0U, 0);
}

/* The strings stay in the message. */
static char **make_environment(Input *input)
{
    char **env = calloc(input->size + 1, sizeof *env);
    size_t n = 0;

    for (size_t at = 1; env != NULL && at < input->size; at += strlen(input->bytes + at) + 1)
        env[n++] = input->bytes + at;
    return env;
}

int main(int argc, char **argv)
{
    static Input input;
    char **env;

    if (argc < 2) {
        fprintf(stderr, "virtbus-launch-helper: the service manager runs it, for virtbusd\n");
        return EXIT_HELPER;
    }
    if (receive(&input) < 0)
        return fail("what virtbusd gives along did not come");
    if (place(&input) < 0)
        return fail("descriptors cannot be placed");
    env = make_environment(&input);
    if (env == NULL)
        return fail("the environment cannot be made");
    execve(argv[1], argv + 1, env);
    return fail(argv[1]);
}
