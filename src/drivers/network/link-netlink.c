/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the rtnetlink socket of the links' worker thread, and what the kernel last said against a
 * request. See link-netlink.h. */
#include "link-netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "error.h"

struct VbNetlink {
    struct nl_sock *socket;
    char *text;
};

/* One request under way. */
typedef struct {
    VbNetlink *netlink;
    VbNetlinkFunc func;
    gpointer data;
    gboolean done;
    int code;
} Exchange;

VbNetlink *vb_netlink_new(GError **error)
{
    g_autoptr(VbNetlink) netlink = g_new0(VbNetlink, 1);
    int on = 1, code;

    netlink->socket = nl_socket_alloc();
    if (!netlink->socket) {
        vb_fail(error, VB_ERROR_FAILED, "cannot make a netlink socket: out of memory");
        return NULL;
    }
    code = nl_connect(netlink->socket, NETLINK_ROUTE);
    if (code < 0) {
        vb_fail(error, VB_ERROR_FAILED, "cannot open a netlink socket: %s", nl_geterror(code));
        return NULL;
    }
    nl_socket_enable_msg_peek(netlink->socket);
    /* Refusals with the kernel's own words, and without a copy of the request. Neither is needed.
     */
    setsockopt(nl_socket_get_fd(netlink->socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    setsockopt(nl_socket_get_fd(netlink->socket), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    return g_steal_pointer(&netlink);
}

void vb_netlink_free(VbNetlink *netlink)
{
    if (!netlink)
        return;
    g_clear_pointer(&netlink->socket, nl_socket_free);
    g_free(netlink->text);
    g_free(netlink);
}

const char *vb_netlink_text(VbNetlink *netlink)
{
    return netlink->text;
}

/* The words that follow an error; NULL: none. Owned by the message. */
static const char *words_of(const struct nlmsghdr *header, const struct nlmsgerr *refusal)
{
    int offset = sizeof *refusal;
    struct nlattr *word;

    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
        return NULL;
    if (!(header->nlmsg_flags & NLM_F_CAPPED))
        offset += NLMSG_ALIGN(refusal->msg.nlmsg_len) - NLMSG_HDRLEN;
    if (offset >= nlmsg_datalen(header))
        return NULL;
    word = nla_find((struct nlattr *)((char *)nlmsg_data(header) + offset),
                    nlmsg_datalen(header) - offset, NLMSGERR_ATTR_MSG);
    return word && nla_len(word) > 0 && memchr(nla_data(word), '\0', nla_len(word))
               ? nla_get_string(word)
               : NULL;
}

static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *data)
{
    Exchange *exchange = data;
    const struct nlmsghdr *header = (const struct nlmsghdr *)((const char *)refusal - NLMSG_HDRLEN);
    const char *words = words_of(header, refusal);

    exchange->code = -refusal->error;
    exchange->done = TRUE;
    g_free(exchange->netlink->text);
    exchange->netlink->text = words ? g_strdup_printf("%s (%s)", g_strerror(exchange->code), words)
                                    : g_strdup(g_strerror(exchange->code));
    return NL_STOP;
}

static int on_done(struct nl_msg *message, void *data)
{
    ((Exchange *)data)->done = TRUE;
    return NL_STOP;
}

static int on_answer(struct nl_msg *message, void *data)
{
    Exchange *exchange = data;

    if (exchange->func)
        exchange->func(message, exchange->data);
    return NL_OK;
}

int vb_netlink_request(VbNetlink *netlink, struct nl_msg *request, VbNetlinkFunc func,
                       gpointer data)
{
    Exchange exchange = {.netlink = netlink, .func = func, .data = data};
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    int code = nl_send_auto(netlink->socket, request);

    nl_cb_err(callbacks, NL_CB_CUSTOM, on_refusal, &exchange);
    nl_cb_set(callbacks, NL_CB_ACK, NL_CB_CUSTOM, on_done, &exchange);
    nl_cb_set(callbacks, NL_CB_FINISH, NL_CB_CUSTOM, on_done, &exchange);
    nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_answer, &exchange);
    while (code >= 0 && !exchange.done)
        code = nl_recvmsgs(netlink->socket, callbacks);
    nl_cb_put(callbacks);
    nlmsg_free(request);
    if (exchange.code == 0 && code < 0) {
        g_free(netlink->text);
        netlink->text = g_strdup(nl_geterror(code));
        exchange.code = code == -NLE_DUMP_INTR ? EINTR : EIO;
    }
    return exchange.code;
}

struct nl_msg *vb_netlink_link_message(int type, int flags, int family, int index)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, flags);
    struct ifinfomsg info = {.ifi_family = (unsigned char)family, .ifi_index = index};

    nlmsg_append(message, &info, sizeof info, NLMSG_ALIGNTO);
    return message;
}
