/* SPDX-License-Identifier: BSD-3-Clause */
/* nltalk: see nltalk.h. libnl's own callbacks hide the extended ack, so answers are read here. */
#include "sriov/nltalk.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct nl_sock *open_socket(int protocol)
{
	struct nl_sock *sock = nl_socket_alloc();
	int on = 1;

	if (!sock)
		return NULL;
	if (nl_connect(sock, protocol) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	/* Asks the kernel for the length first (MSG_PEEK | MSG_TRUNC): 64 VFs take more than a
	 * page. */
	nl_socket_enable_msg_peek(sock);
	/* Kernels without these answer without words. */
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return sock;
}

/* The text that came with an error or ack. */
static void take_words(struct nlmsghdr *hdr, char words[NETLINK_WORDS])
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
	const struct nlmsgerr *error = nlmsg_data(hdr);
	int skip = (int)sizeof(*error);

	if (!words || !(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(hdr->nlmsg_flags & NLM_F_CAPPED)) /* the whole request comes back first */
		skip += (int)(NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg));
	if (skip > nlmsg_datalen(hdr) ||
	    nla_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)nlmsg_data(hdr) + skip),
		      nlmsg_datalen(hdr) - skip, NULL) < 0 ||
	    !tb[NLMSGERR_ATTR_MSG])
		return;
	nla_strlcpy(words, tb[NLMSGERR_ATTR_MSG], NETLINK_WORDS);
}

/* Looks at one answer. 1: go on reading; else the end and its errno. */
static int take_answer(struct nlmsghdr *hdr, nltalk_take *take, void *opaque,
		       char words[NETLINK_WORDS])
{
	if (hdr->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = nlmsg_data(hdr);
		if (nlmsg_datalen(hdr) < (int)sizeof(*error))
			return -EPROTO;
		take_words(hdr, words);
		return error->error;
	}
	if (hdr->nlmsg_type == NLMSG_DONE) /* the end of a list; its payload is an errno */
		return nlmsg_datalen(hdr) < (int)sizeof(int) ? 0 : *(const int *)nlmsg_data(hdr);
	if (take)
		take(hdr, opaque);
	return 1; /* an ack or the end of the list follows */
}

int nltalk(int protocol, struct nl_msg *msg, nltalk_take *take, void *opaque,
	   char words[NETLINK_WORDS])
{
	struct sockaddr_nl from;
	struct nl_sock *sock = open_socket(protocol);
	int err = !sock ? -EPROTONOSUPPORT : nl_send_auto(sock, msg) < 0 ? -EIO : 1;

	while (err == 1) {
		unsigned char *buf = NULL;
		int n = nl_recv(sock, &from, &buf, NULL);
		if (n <= 0) {
			err = n == -NLE_INTR ? 1 : -EIO;
			continue;
		}
		struct nlmsghdr *hdr = (struct nlmsghdr *)(void *)buf;
		for (; err == 1 && nlmsg_ok(hdr, n); hdr = nlmsg_next(hdr, &n))
			err = take_answer(hdr, take, opaque, words);
		free(buf);
	}
	nl_socket_free(sock);
	nlmsg_free(msg);
	return err;
}
