/* SPDX-License-Identifier: BSD-3-Clause */
/* test_device: what test kernels poke at besides the exit port. Private to vdev. */
#ifndef VDEV_TEST_DEVICE_H
#define VDEV_TEST_DEVICE_H

#include "hv-core/hv.h"

struct vdev_test_device;

int vdev_test_device_create(struct hv_vm *vm, struct vdev_test_device **out);
void vdev_test_device_destroy(struct vdev_test_device *t);

#endif
