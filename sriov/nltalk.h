/* SPDX-License-Identifier: BSD-3-Clause */
/* nltalk: one request to the kernel over netlink, all of its answer, and the kernel's own words. */
#ifndef SRIOV_NLTALK_H
#define SRIOV_NLTALK_H

#include "sriov/words.h"

struct nl_msg;
struct nlmsghdr;

typedef void nltalk_take(struct nlmsghdr *hdr, void *opaque);

/* Sends `msg` (freed) on a socket of its own, gives every answer to `take` (or NULL), up to the ack
 * or the end of the list. `words` (or NULL) gets the extended ack. 0 or the kernel's errno;
 * -EPROTONOSUPPORT without netlink. Nothing is logged. */
int nltalk(int protocol, struct nl_msg *msg, nltalk_take *take, void *opaque,
	   char words[NETLINK_WORDS]);

#endif
