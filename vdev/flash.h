/* SPDX-License-Identifier: BSD-3-Clause */
/* flash: a parallel flash chip that keeps firmware's variables; see flash.c. */
#ifndef VDEV_FLASH_H
#define VDEV_FLASH_H

#include "hv-core/hv.h"

#define VDEV_FLASH_BLOCK 4096u

struct vdev_flash;

/* The chip at guest address `gpa` holds what is in the file; every change goes there. size: a
 * multiple of VDEV_FLASH_BLOCK. `fd` stays the caller's. */
int vdev_flash_create(struct hv_vm *vm, uint64_t gpa, uint64_t size, int fd, const char *name,
		      struct vdev_flash **out);
void vdev_flash_destroy(struct vdev_flash *flash);

void vdev_flash_save(const struct vdev_flash *flash, struct state *s);
/* Its content is the saved one then, in the file too. */
void vdev_flash_load(struct vdev_flash *flash, struct state *s);

#endif
