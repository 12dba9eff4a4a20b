/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_console: a terminal without registers (virtio 1.2, 5.3); see virtio_console.c. */
#ifndef VDEV_VIRTIO_CONSOLE_H
#define VDEV_VIRTIO_CONSOLE_H

#include "vdev/virtio.h"

struct vdev_console;

struct vdev_console_config {
	struct hv_vm *vm;
	struct loop *loop;
	struct vdev_iothread *thread;
	/* Both are called on `thread` and must not block. */
	void (*out)(void *opaque, const uint8_t *bytes, size_t len);
	void (*room)(void *opaque); /* again, after receive took less than it was given */
	void *opaque;
};

/* Its function is owned by the host once it is added, and the console with it. */
int vdev_console_create(const struct vdev_console_config *config, struct vdev_console **out);
struct vdev_function *vdev_console_function(struct vdev_console *console);
/* Bytes typed; any thread. Takes as many as there is room for and returns how many. */
size_t vdev_console_receive(struct vdev_console *console, const uint8_t *bytes, size_t len);

#endif
