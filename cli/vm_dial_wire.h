/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_dial_wire: how the two sides of vm_dial.h talk, on pairs of AF_UNIX datagram-like sockets
 * (SOCK_SEQPACKET). Request: the path's bytes, with a descriptor to answer at, so that threads may
 * ask at the same time. Answer: int32_t, 0 or a negative errno; with 0 a descriptor.
 */
#ifndef CLI_VM_DIAL_WIRE_H
#define CLI_VM_DIAL_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VM_DIAL_PATH 256

/* `pass` -1: none. A negative errno. */
int vm_dial_send(int fd, const void *bytes, size_t len, int pass);
/* How many bytes; *passed is the caller's, -1: none came. */
ssize_t vm_dial_receive(int fd, int flags, void *bytes, size_t size, int *passed);

#endif
