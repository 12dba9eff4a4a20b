/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_console: the guest's serial line, offered on a Unix socket to any number of terminals.
 *
 * What the guest writes goes into a ring that keeps the last 64 KiB; every client has its own
 * place in it. So a client that connects late sees what happened before, and one that reads
 * slowly, or never, loses old bytes (it is told how many) and holds up nobody. Raw bytes flow
 * both ways.
 *
 * vmm_console_out and vmm_console_room run on vCPU threads with the device lock held and only take
 * the ring's own lock; everything else runs on the loop's thread, which never calls out with the
 * ring's lock held.
 */
#ifndef CLI_VMM_CONSOLE_H
#define CLI_VMM_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct vmm_console;

#define VMM_CONSOLE_RING    65536u
#define VMM_CONSOLE_CLIENTS 8u

/* `listen_fd`: a listening Unix socket; stays the caller's. */
int vmm_console_create(struct loop *loop, int listen_fd, struct vmm_console **out);
void vmm_console_destroy(struct vmm_console *console);

/* Where typed bytes go: takes as many as it can and returns how many. NULL: they wait. */
typedef size_t (*vmm_console_in)(void *opaque, const uint8_t *bytes, size_t len);
void vmm_console_connect(struct vmm_console *console, vmm_console_in in, void *opaque);

/* struct vdev_machine_config's serial_out and serial_room; `opaque` is the console. */
void vmm_console_out(void *opaque, const uint8_t *bytes, size_t len);
void vmm_console_room(void *opaque);

/* Before the end: gives the clients up to `ms` milliseconds to take what the guest said last. */
void vmm_console_drain(struct vmm_console *console, unsigned ms);

#endif
