/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iothread: a thread with an event loop, for a device's data path.
 *
 * A device's registers are served by vCPU threads under the VM's device lock; what it moves is
 * moved by an I/O thread, which never takes that lock. So the one who holds the lock may wait for
 * the thread: vdev_iothread_call runs a function between two callbacks of the thread's loop and
 * returns when it has run. Sources are added to the loop and removed from it on its own thread
 * only.
 */
#ifndef VDEV_IOTHREAD_H
#define VDEV_IOTHREAD_H

#include <stdbool.h>

#include "base/loop.h"

struct hv_vm;
struct vdev_iothread;

/* `name` becomes the thread's: "web/disk0" (15 characters are seen); signals are blocked in it. It
 * begins as `vm` says of its threads; NULL: as any. */
int vdev_iothread_create(const struct hv_vm *vm, const char *name, struct vdev_iothread **out);
/* After the last source is removed; accepts NULL. Not from the thread itself. */
void vdev_iothread_destroy(struct vdev_iothread *thread);

struct loop *vdev_iothread_loop(struct vdev_iothread *thread);
/* Runs fn(opaque) on the thread and waits for it. On the thread itself: just calls it. */
void vdev_iothread_call(struct vdev_iothread *thread, void (*fn)(void *opaque), void *opaque);

#endif
