/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow: a number that is the same for all frames of one conversation in one direction, so that they
 * stay in order in one queue: of addresses, protocol and ports for whole IPv4 and IPv6 packets, of
 * IP addresses for fragments, of MAC addresses for the rest.
 */
#ifndef NETQUEUE_FLOW_H
#define NETQUEUE_FLOW_H

#include <stddef.h>
#include <stdint.h>

/* `frame`: what lies in one piece, with at most one VLAN tag. */
uint32_t flow_hash(const uint8_t *frame, size_t len);

#endif
