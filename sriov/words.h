/* SPDX-License-Identifier: BSD-3-Clause */
/* words: room for what the kernel says about a refusal, word for word. */
#ifndef SRIOV_WORDS_H
#define SRIOV_WORDS_H

#define NETLINK_WORDS 160

#endif
