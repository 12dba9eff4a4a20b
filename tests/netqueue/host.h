/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host: interfaces of this machine's kernel, in a network namespace of the test's own, as the other
 * end of a switch's ports. Needs root; without it tests skip, and say so.
 */
#ifndef TESTS_NETQUEUE_HOST_H
#define TESTS_NETQUEUE_HOST_H

#include "tests/netqueue/rig.h"

#define HOST_PATIENCE_MS 20000

/* To be called once, before any thread is made: whether the namespace is there. */
bool host_alone(void);
void host_need(bool alone);
/* The ip command with these words. */
void host_ip(const char *words);
/* A pair, sw-veth and sw-peer, both up. */
void host_make_veth(void);
/* A socket that sends and receives by the interface as it is. */
int host_open(const char *interface);
void host_send(int fd, const char *text);
/* The next frame of ours; the kernel's own are passed over. */
void host_expect(struct rig *rig, int fd, const char *text);
/* What comes out of a ring port some time; others are passed over. */
void host_expect_ring(struct rig *rig, const char *port, const char *text);

#endif
