/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbus-lease-helper: what dnsmasq runs (--dhcp-script) when a lease has changed. Sends one
 * datagram, a line as lease-file.h has it, to the socket that VIRTBUS_LEASE_SOCKET names. That
 * nobody listens is no error: the daemon is not there, and will read the lease file when it is. A
 * daemon that is busy is waited for; dnsmasq, which runs one helper at a time and goes on serving,
 * keeps what comes meanwhile, so that no message is ever lost to a daemon that lives. Plain libc,
 * so that it starts in no time. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *or_unknown(const char *value)
{
    return value && *value ? value : "*";
}

/* A socket's address holds 107 bytes: a longer path is gone through its open directory. */
static int make_address(const char *path, struct sockaddr_un *address)
{
    const char *name = strrchr(path, '/');
    char directory[4096];
    int fd, length;

    address->sun_family = AF_UNIX;
    if (strlen(path) < sizeof address->sun_path) {
        strcpy(address->sun_path, path);
        return 0;
    }
    length = name ? snprintf(directory, sizeof directory, "%.*s", (int)(name - path), path) : -1;
    if (length < 0 || (size_t)length >= sizeof directory)
        return -1;
    fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", fd, name);
    return (size_t)length < sizeof address->sun_path ? 0 : -1;
}

static void send_line(const char *path, const char *line, size_t size)
{
    struct sockaddr_un address = {0};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && make_address(path, &address) == 0)
        sendto(fd, line, size, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address);
}

int main(int argc, char **argv)
{
    const char *path = getenv("VIRTBUS_LEASE_SOCKET");
    const char *expiry = getenv("DNSMASQ_LEASE_EXPIRES");
    const char *iaid = getenv("DNSMASQ_IAID");
    char line[2048];
    int size;

    /* ACTION MAC-OR-DUID ADDRESS [HOSTNAME]; there are actions that are not about leases. */
    if (!path || argc < 4 ||
        (strcmp(argv[1], "add") != 0 && strcmp(argv[1], "old") != 0 && strcmp(argv[1], "del") != 0))
        return EXIT_SUCCESS;
    const char *hostname = or_unknown(argc > 4 ? argv[4] : NULL);
    if (iaid)
        size = snprintf(line, sizeof line, "%s %s %s %s %s %s %s\n", argv[1], expiry ? expiry : "0",
                        iaid, argv[3], hostname, argv[2], or_unknown(getenv("DNSMASQ_MAC")));
    else
        size = snprintf(line, sizeof line, "%s %s %s %s %s %s\n", argv[1], expiry ? expiry : "0",
                        argv[2], argv[3], hostname, or_unknown(getenv("DNSMASQ_CLIENT_ID")));
    if (size > 0 && (size_t)size < sizeof line)
        send_line(path, line, (size_t)size);
    return EXIT_SUCCESS;
}
