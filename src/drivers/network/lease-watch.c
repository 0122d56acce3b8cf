/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbLeaseWatch: the socket, the set of leases, and when the lease file is read again. A
 * message that is not understood says that something has changed, so the file is read then.
 *
 * dnsmasq writes its file in place: it may be read half written. Each change is reported once it is
 * written, which mends what concerns that lease; for the others, a file that has just been written
 * is read a second time. See lease-watch.h. */
#include "lease-watch.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "error.h"
#include "fd.h"
#include "lease-file.h"
#include "log.h"
#include "store.h"

/* Messages of one turn of the main loop, and reads of the file, which somebody who runs as
 * dnsmasq's user could ask for without end. */
#define MESSAGES_AT_ONCE 128
#define READ_AGAIN_MS 250
#define SETTLED_US G_USEC_PER_SEC

struct VbLeaseWatch {
    char *file_path;
    uid_t uid;
    int fd;
    GSource *source;
    GSource *timer; /* until the file is read again */
    GHashTable *leases;
    VbLeasesChanged changed;
    gpointer user_data;
};

static gint compare_leases(gconstpointer a, gconstpointer b)
{
    return vb_ip_compare(&(*(const VbLease *const *)a)->ip, &(*(const VbLease *const *)b)->ip);
}

static void report(VbLeaseWatch *watch)
{
    GPtrArray *leases = g_ptr_array_new_with_free_func((GDestroyNotify)vb_lease_free);
    GHashTableIter iter;
    gpointer lease;

    g_hash_table_iter_init(&iter, watch->leases);
    while (g_hash_table_iter_next(&iter, &lease, NULL))
        g_ptr_array_add(leases, vb_lease_copy(lease));
    g_ptr_array_sort(leases, compare_leases);
    watch->changed(leases, watch->user_data);
}

static GHashTable *lease_set_new(void)
{
    return g_hash_table_new_full(vb_lease_ip_hash, vb_lease_ip_equal, (GDestroyNotify)vb_lease_free,
                                 NULL);
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static void stop_timer(VbLeaseWatch *watch)
{
    if (watch->timer) {
        g_source_destroy(watch->timer);
        g_clear_pointer(&watch->timer, g_source_unref);
    }
}

static gboolean on_read_again(gpointer data)
{
    stop_timer(data);
    vb_lease_watch_read(data);
    return G_SOURCE_REMOVE;
}

static void read_again(VbLeaseWatch *watch, guint ms)
{
    if (watch->timer)
        return;
    watch->timer = g_timeout_source_new(ms);
    g_source_set_callback(watch->timer, on_read_again, watch, NULL);
    g_source_attach(watch->timer, g_main_context_get_thread_default());
}

static gboolean is_settled(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return TRUE;
    gint64 age =
        g_get_real_time() - ((gint64)st.st_mtime * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000);
    return age < 0 || age >= SETTLED_US;
}

/* The file knows no MAC address of a DHCPv6 client; what was reported of the same one holds. */
static void keep_mac(VbLeaseWatch *watch, VbLease *lease)
{
    const VbLease *known = g_hash_table_lookup(watch->leases, lease);

    if (known && *lease->mac == '\0' && g_str_equal(known->client_id, lease->client_id)) {
        g_free(lease->mac);
        lease->mac = g_strdup(known->mac);
    }
}

void vb_lease_watch_read(VbLeaseWatch *watch)
{
    g_autoptr(GHashTable) leases = lease_set_new();
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    guint bad = 0;

    /* Before: what is written from now on is younger. */
    if (!is_settled(watch->file_path))
        read_again(watch, SETTLED_US / 1000);
    g_autofree char *text = vb_store_read(watch->file_path, VB_LEASE_FILE_MAX, &length, &error);
    if (!text && g_file_test(watch->file_path, G_FILE_TEST_EXISTS)) {
        vb_log_warning(NULL, NULL, "Leases are not known: %s", error->message);
        return;
    }
    g_autoptr(GPtrArray) list = vb_lease_file_parse(text ? text : "", length, &bad);
    if (bad > 0)
        vb_log_debug(NULL, NULL, "%s: %u lines were not understood", watch->file_path, bad);
    for (guint i = 0; i < list->len; i++) {
        VbLease *lease = vb_lease_copy(list->pdata[i]);

        keep_mac(watch, lease);
        g_hash_table_add(leases, lease);
    }
    g_hash_table_unref(watch->leases);
    watch->leases = g_steal_pointer(&leases);
    report(watch);
}

/* ---- the socket -------------------------------------------------------------------------------
 */

static gboolean apply(VbLeaseWatch *watch, VbLeaseAction action, VbLease *lease)
{
    const VbLease *known = g_hash_table_lookup(watch->leases, lease);

    if (action == VB_LEASE_DELETED) {
        gboolean removed = g_hash_table_remove(watch->leases, lease);
        vb_lease_free(lease);
        return removed;
    }
    if ((known && vb_lease_equal(known, lease)) ||
        (!known && g_hash_table_size(watch->leases) >= VB_LEASES_MAX)) {
        vb_lease_free(lease);
        return FALSE;
    }
    g_hash_table_replace(watch->leases, lease, lease);
    return TRUE;
}

/* Who sent it; -1: nobody knows. */
static uid_t sender_of(struct msghdr *message)
{
    struct ucred credentials;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
            return credentials.uid;
        }
    return (uid_t)-1;
}

/* Takes one message; FALSE when there is none. */
static gboolean take_message(VbLeaseWatch *watch, gboolean *changed)
{
    char bytes[VB_LEASE_LINE_MAX + 1];
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    VbLeaseAction action;

    ssize_t size = recvmsg(watch->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno == EINTR;
    uid_t sender = sender_of(&message);
    if (sender != watch->uid && sender != 0)
        return TRUE;
    VbLease *lease =
        message.msg_flags & MSG_TRUNC ? NULL : vb_lease_message_parse(bytes, (gsize)size, &action);
    if (lease)
        *changed |= apply(watch, action, lease);
    else
        read_again(watch, READ_AGAIN_MS);
    return TRUE;
}

static gboolean on_messages(int fd, GIOCondition condition, gpointer data)
{
    VbLeaseWatch *watch = data;
    gboolean changed = FALSE;

    for (guint i = 0; i < MESSAGES_AT_ONCE && take_message(watch, &changed); i++)
        continue;
    if (changed)
        report(watch);
    return G_SOURCE_CONTINUE;
}

/* The mode of the socket's file is that of the socket, so that at no time others can send. A path
 * of more bytes than an address has is gone through its open directory. */
static gboolean bind_socket(int fd, const char *path, uid_t uid)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    vb_autofd int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_autofree char *short_path = g_strdup_printf("/proc/self/fd/%d/%s", dir, name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int on = 1;

    if (dir < 0)
        return FALSE;
    g_strlcpy(address.sun_path, strlen(path) < sizeof address.sun_path ? path : short_path,
              sizeof address.sun_path);
    unlinkat(dir, name, 0);
    return fchmod(fd, 0600) == 0 && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
           bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
           (uid == geteuid() || fchownat(dir, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) == 0);
}

VbLeaseWatch *vb_lease_watch_new(const char *socket_path, const char *file_path, uid_t uid,
                                 VbLeasesChanged changed, gpointer user_data, GError **error)
{
    vb_autofd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || !bind_socket(fd, socket_path, uid)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot make the socket %s: %s", socket_path,
                    g_strerror(errno));
        return NULL;
    }
    VbLeaseWatch *watch = g_new0(VbLeaseWatch, 1);
    watch->file_path = g_strdup(file_path);
    watch->uid = uid;
    watch->leases = lease_set_new();
    watch->changed = changed;
    watch->user_data = user_data;
    watch->fd = vb_steal_fd(&fd);
    watch->source = g_unix_fd_source_new(watch->fd, G_IO_IN);
    g_source_set_callback(watch->source, G_SOURCE_FUNC(on_messages), watch, NULL);
    g_source_attach(watch->source, g_main_context_get_thread_default());
    return watch;
}

void vb_lease_watch_free(VbLeaseWatch *watch)
{
    if (!watch)
        return;
    stop_timer(watch);
    g_source_destroy(watch->source);
    g_source_unref(watch->source);
    vb_clear_fd(&watch->fd);
    g_hash_table_unref(watch->leases);
    g_free(watch->file_path);
    g_free(watch);
}
