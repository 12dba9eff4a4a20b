/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink: VF settings as rtnetlink carries them (IFLA_VFINFO_LIST of the PF's interface).
 *
 * This is the seam where tests put their own network card.
 */
#ifndef SRIOV_NETLINK_H
#define SRIOV_NETLINK_H

#include "sriov/sriov.h"
#include "sriov/words.h"

/* Settings of VFs 0 .. count-1 of `ifname`; `set` says which ones the driver tells. `permanent`
 * gets the interface's own permanent address. Nothing is logged. */
int netlink_vf_read(const char *ifname, struct sriov_attrs *out, size_t count,
		    uint8_t permanent[6]);
/* Writes one attribute (one bit of enum sriov_attr that rtnetlink carries). `words` gets the
 * kernel's extended ack, "" without one. Nothing is logged. */
int netlink_vf_write(const char *ifname, unsigned index, enum sriov_attr attr,
		     const struct sriov_attrs *attrs, char words[NETLINK_WORDS]);

#endif
