/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * security: whether a frame's sender is who its port says.
 *
 * The source address of the frame; the sender of ARP (RFC 826); the source of IPv4 (but 0.0.0.0 for
 * DHCP, RFC 2131 section 4.1); the source of IPv6 (but :: for duplicate address detection, RFC 4862
 * section 5.4, and link-local ones made of an allowed MAC, RFC 4291 appendix A); target and
 * link-layer address of neighbour discovery (RFC 4861 sections 4.3, 4.4, 4.6.1). A list that is
 * empty allows all.
 */
#ifndef NETQUEUE_SECURITY_H
#define NETQUEUE_SECURITY_H

#include "netqueue/netqueue.h"

/* `frame`: what lies in one piece, from the destination address on, without the switch's own VLAN
 * tag. A header that is cut off, or tags in front of it, are refused where a list would have to be
 * asked. */
bool security_allows(const struct nq_security_rules *rules, const uint8_t *frame, size_t len);

#endif
