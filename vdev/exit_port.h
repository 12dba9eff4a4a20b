/* SPDX-License-Identifier: BSD-3-Clause */
/* exit_port: the port through which a test kernel ends its VM with a status. Private to vdev. */
#ifndef VDEV_EXIT_PORT_H
#define VDEV_EXIT_PORT_H

#include "hv-core/hv.h"

struct vdev_exit_port;

int vdev_exit_port_create(struct hv_vm *vm, uint16_t port, struct vdev_exit_port **out);
void vdev_exit_port_destroy(struct vdev_exit_port *e);
uint8_t vdev_exit_port_status(const struct vdev_exit_port *e);

#endif
