/* SPDX-License-Identifier: BSD-3-Clause */
/* vmgenid: how a guest learns that it is not the one it was; see vmgenid.c. */
#ifndef VDEV_VMGENID_H
#define VDEV_VMGENID_H

#include "hv-core/hv.h"

#define VDEV_VMGENID_GPA  UINT64_C(0xfed60000)
#define VDEV_VMGENID_SIZE 16u

struct vdev_vmgenid;

int vdev_vmgenid_create(struct hv_vm *vm, const uint8_t id[VDEV_VMGENID_SIZE],
			struct vdev_vmgenid **out);
void vdev_vmgenid_destroy(struct vdev_vmgenid *vmgenid);

#endif
