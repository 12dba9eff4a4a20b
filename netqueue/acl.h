/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acl: lists of rules for frames, compiled by rte_acl into one trie each.
 *
 * A frame becomes a key of fixed places (struct acl_key: EtherType, VLAN, protocol, ports,
 * addresses), which all rules are written for, so that one look decides for IPv4, IPv6 and the
 * rest, whatever the number of rules. A list is immutable: another one of its name takes its place
 * in the next view.
 */
#ifndef NETQUEUE_ACL_H
#define NETQUEUE_ACL_H

#include "netqueue/port.h"

struct acl;

/* Logs which rule is refused, and why. */
int acl_create(const struct nq_acl *from, unsigned serial, struct acl **out);
void acl_destroy(struct acl *acl); /* accepts NULL */
const struct nq_acl *acl_source(const struct acl *acl);
void acl_hits(const struct acl *acl, uint64_t *hits);

/* By worker `index`: bits of those of `count` frames that are denied. Their VLAN stands in
 * vlan_tci, whether they have its tag or not. */
uint32_t acl_denied(struct acl *acl, unsigned index, struct rte_mbuf *const *frames,
		    unsigned count);

#endif
