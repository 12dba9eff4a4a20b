/* SPDX-License-Identifier: BSD-3-Clause */
/* serial: the guest's first serial port; see serial.c. */
#ifndef VDEV_SERIAL_H
#define VDEV_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "hv-core/hv.h"

#define VDEV_SERIAL_PORT 0x3f8
#define VDEV_SERIAL_GSI	 4

struct vdev_serial;

struct vdev_serial_config {
	struct hv_vm *vm;
	struct loop *loop;
	void (*out)(void *opaque, const uint8_t *bytes, size_t len);
	void (*room)(void *opaque);
	void *opaque;
};

int vdev_serial_create(const struct vdev_serial_config *config, struct vdev_serial **out);
void vdev_serial_destroy(struct vdev_serial *serial);
void vdev_serial_reset(struct vdev_serial *serial);
/* Device lock held. */
size_t vdev_serial_receive(struct vdev_serial *serial, const uint8_t *bytes, size_t len);
void vdev_serial_save(struct vdev_serial *serial, struct state *out);
void vdev_serial_load(struct vdev_serial *serial, struct state *in);

#endif
